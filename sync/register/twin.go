package register

import (
	"slices"
	"strings"

	"wardbook/conflict"
)

// Two records may be of one thing: one person created twice, two heads of one
// household. This file finds such pairs from what a register's definition says
// anyway: its natural keys, and its rules of kind one_per. It decides nothing.

// Likeness says how much two records look like one thing, and in what.
type Likeness struct {
	Score   int      `json:"score"` // up to 100; from TwinLeast on people are asked
	Reasons []Likely `json:"reasons"`
}

// Likely is one thing in which two records are alike.
type Likely struct {
	Kind  LikelyKind `json:"kind"`
	Field string     `json:"field"`
}

// LikelyKind is in what way two records are alike.
type LikelyKind string

// The kinds.
const (
	SameValue LikelyKind = "same_value" // the field says the same
	SameName  LikelyKind = "same_name"  // but for capitals, spaces, the place of the tone
	LikeName  LikelyKind = "like_name"  // without diacritics
	SameDate  LikelyKind = "same_date"  // to the day
	FitsDate  LikelyKind = "fits_date"  // as far as both are known
	BothOne   LikelyKind = "both_one"   // both are what only one of a group is to be, as the head of a household
)

// TwinLeast is the score from which on two records are a pair.
const TwinLeast = 70

// What each kind adds to a score. The figures are those of the domain's notes
// on duplicates: name exact 50, but for y and i 45, without diacritics 30; the
// birth date by how precisely both are known.
const (
	scoreName, scoreNear, scoreLike   = 50, 45, 30
	scoreDay, scoreMonth, scoreYear   = 40, 30, 20
	scoreSex, scoreBeside, scoreOther = 5, 10, -60
	scoreAll                          = 100
)

// TwinKeys returns texts under which records that may be of one thing meet:
// two records without a common one are no pair. They hold what the fields hold,
// and are to be hashed before they are kept.
func TwinKeys(def *Definition, values map[string]conflict.Value) []string {
	var keys []string
	for i, names := range def.NaturalKey {
		key := []string{string(rune('0' + i%10))}
		for _, name := range names {
			key = append(key, twinPart(def.FieldByName(name), values[name]))
		}
		if !slices.Contains(key, "") {
			keys = append(keys, strings.Join(key, "\x00"))
		}
	}
	for i := range def.Rules {
		if r := &def.Rules[i]; r.Kind == RuleOnePer && r.Value != "" && string(values[r.Field]) == r.Value {
			key := []string{"one", r.Field}
			for _, name := range r.Fields {
				key = append(key, string(values[name]))
			}
			if !slices.Contains(key, "") {
				keys = append(keys, strings.Join(key, "\x00"))
			}
		}
	}
	return keys
}

// TwinFields returns the names of the fields that TwinKeys reads.
func TwinFields(def *Definition) []string {
	var names []string
	for _, key := range def.NaturalKey {
		names = append(names, key...)
	}
	for i := range def.Rules {
		if r := &def.Rules[i]; r.Kind == RuleOnePer && r.Value != "" {
			names = append(append(names, r.Field), r.Fields...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// twinPart is what of a value two records have to share to be looked at: of a
// name its letters, of a date the year.
func twinPart(f *Field, v conflict.Value) string {
	if f == nil || blank(f, v) {
		return ""
	}
	switch {
	case f.Type == Name:
		return strings.ReplaceAll(K3(string(v)), "y", "i") // Alike tells where the two are one
	case f.Type.isDate():
		d, err := ParseDate(string(v))
		if err != nil {
			return ""
		}
		return d.String()[:4]
	}
	return K0(string(v))
}

// Alike compares two records of a register by what they show. ok is false if
// they are no pair: too little is alike, or both carry an identifier, and
// another one. Order does not matter.
func Alike(def *Definition, a, b map[string]conflict.Value) (l Likeness, ok bool) {
	apart := false // by an identifier that both have
	for _, names := range def.NaturalKey {
		if f := def.FieldByName(names[0]); len(names) == 1 && f != nil && a[f.Name] != "" && b[f.Name] != "" && K0(string(a[f.Name])) != K0(string(b[f.Name])) {
			apart = true
		}
	}
	for _, names := range def.NaturalKey {
		if score, reasons := def.alikeBy(names, a, b); score > l.Score && !apart {
			l = Likeness{score, reasons}
		}
	}
	if l.Score > 0 && l.Score < scoreAll {
		def.beside(&l, a, b)
	}
	for i := range def.Rules {
		r := &def.Rules[i]
		if r.Kind != RuleOnePer || r.Value == "" || string(a[r.Field]) != r.Value || a[r.Field] != b[r.Field] {
			continue
		}
		if same := !slices.ContainsFunc(r.Fields, func(name string) bool { return a[name] == "" || a[name] != b[name] }); same {
			l.Score = max(l.Score, TwinLeast)
			l.Reasons = append(l.Reasons, Likely{BothOne, r.Field})
		}
	}
	l.Score = min(l.Score, scoreAll)
	return l, l.Score >= TwinLeast
}

// alikeBy compares two records by one natural key, all of whose fields must be
// alike.
func (d *Definition) alikeBy(names []string, a, b map[string]conflict.Value) (int, []Likely) {
	score, reasons, loose := 0, []Likely(nil), false
	add := func(points int, kind LikelyKind, name string) {
		score, reasons = score+points, append(reasons, Likely{kind, name})
	}
	for _, name := range names {
		f := d.FieldByName(name)
		va, vb := string(a[name]), string(b[name])
		if f == nil || blank(f, a[name]) || blank(f, b[name]) {
			return 0, nil
		}
		switch {
		case f.Type == Name:
			loose = true
			switch {
			case K1(va) == K1(vb):
				add(scoreName, SameName, name)
			case K2(va) == K2(vb):
				add(scoreNear, SameName, name)
			case K3(va) == K3(vb):
				add(scoreLike, LikeName, name)
			default:
				return 0, nil
			}
		case f.Type.isDate():
			loose = true
			da, err1 := ParseDate(va)
			db, err2 := ParseDate(vb)
			switch {
			case err1 != nil || err2 != nil || !da.within(db) && !db.within(da):
				return 0, nil
			case da.Day != 0 && db.Day != 0:
				add(scoreDay, SameDate, name)
			case da.Month != 0 && db.Month != 0:
				add(scoreMonth, FitsDate, name)
			default:
				add(scoreYear, FitsDate, name)
			}
		case K0(va) == K0(vb):
			add(0, SameValue, name)
		default:
			return 0, nil
		}
	}
	if !loose {
		score = scoreAll
	}
	return score, reasons
}

// beside looks at what else two records that are alike in name and date share,
// or do not: the sex, telephone numbers, addresses.
func (d *Definition) beside(l *Likeness, a, b map[string]conflict.Value) {
	sex := ""
	for i := range d.Rules {
		if d.Rules[i].Kind == RulePerson {
			sex = d.Rules[i].Third
		}
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		va, vb := a[f.Name], b[f.Name]
		switch {
		case va == "" || vb == "":
		case f.Name == sex && va != vb:
			l.Score += scoreOther
		case f.Name == sex:
			l.Score += scoreSex
		case f.Type == Phone && va == vb, f.Type == Address && K1(searchable(f, va)) == K1(searchable(f, vb)):
			l.Score += scoreBeside
			l.Reasons = append(l.Reasons, Likely{SameValue, f.Name})
		}
	}
}
