package register

import (
	"slices"
	"strings"
	"time"

	"wardbook/conflict"
)

// value returns the value of a field, or "" where it is a placeholder or not
// valid: rules are silent about those.
func (v *validation) value(name string) string {
	f := v.def.FieldByName(name)
	if f == nil || v.bad[name] || blank(f, v.values[name]) {
		return ""
	}
	return string(v.values[name])
}

func (v *validation) date(name string) (PartialDate, bool) {
	d, err := ParseDate(v.value(name))
	return d, err == nil
}

// rule applies one rule whose condition holds.
func (v *validation) rule(r *Rule) {
	if r.Kind == RulePerson {
		v.person(r)
		return
	}
	broken := map[RuleKind]func(*Rule) bool{
		RuleFlag: func(*Rule) bool { return true }, RuleOrder: v.disordered, RuleDiffer: v.same,
		RuleAge: v.outOfAge, RuleSum: v.tooMuch, RuleSameYear: v.otherYear, RuleDateWords: v.otherWords,
		RuleUnitAt: v.otherList, RuleEvidence: v.unproven, RuleStale: v.stale, RuleFileNames: v.misnamed,
		RuleUnique: v.repeated, RuleOnePer: v.notOne, RuleReciprocal: v.unrequited,
	}[r.Kind]
	if broken(r) {
		v.add(r.Field, finding(r.Level(), r.Code, r.Group, r.Message.VI, r.Message.EN))
	}
}

func (v *validation) person(r *Rule) {
	id := v.value(r.Field)
	if len(id) != 12 {
		return
	}
	birth, _ := v.date(r.Other)
	for _, code := range CheckPersonalID(id, birth.Year, v.value(r.Third), v.today.Year) {
		if code == WarnYear || code == WarnSex {
			v.addPerson(r.Field, code)
		}
	}
}

func (v *validation) disordered(r *Rule) bool {
	return v.order(v.value(r.Field), v.value(r.Other)) < 0
}

func (v *validation) same(r *Rule) bool {
	return v.value(r.Field) != "" && v.value(r.Field) == v.value(r.Other)
}

// outOfAge counts a partial birth date in the person's favour.
func (v *validation) outOfAge(r *Rule) bool {
	birth, ok := v.date(r.Other)
	at := v.today
	if r.Third != "" {
		if at, _ = v.date(r.Third); at == (PartialDate{}) {
			return false
		}
	}
	if !ok || at == (PartialDate{}) {
		return false
	}
	oldest, youngest := age(birth.First(), at.Last()), age(birth.Last(), at.First())
	return r.Min != "" && int64(oldest) < parse64(r.Min) || r.Max != "" && int64(youngest) > parse64(r.Max)
}

func (v *validation) tooMuch(r *Rule) bool {
	limit := v.value(r.Field)
	if limit == "" {
		return false
	}
	var sum fixed
	for _, name := range r.Fields {
		name, part, grouped := strings.Cut(name, ".")
		text := v.value(name)
		if grouped && text != "" {
			parts, err := ParseGroup(conflict.Value(text))
			if err != nil {
				return false
			}
			text = parts[part]
		}
		if n, err := parseDecimal(text); err == nil && n == text && text[0] != '-' {
			sum = sum.add(scaled(text))
		}
	}
	allowed := scaled(limit)
	if r.Max != "" {
		allowed = allowed.add(scaled(r.Max))
	}
	return sum.cmp(allowed) > 0
}

func (v *validation) otherYear(r *Rule) bool {
	d, ok := v.date(r.Field)
	text := v.value(r.Other)
	if !ok || len(text) < 4 || !isDigits(text[len(text)-4:]) {
		return false
	}
	return number(text[len(text)-4:]) != d.Year
}

func (v *validation) otherWords(r *Rule) bool {
	text := v.value(r.Field)
	d, ok := v.date(r.Other)
	if text == "" || !ok {
		return false
	}
	words, err := ParseDateWords(text)
	return err != nil || words != d
}

func (v *validation) otherList(r *Rule) bool {
	ref, err := ParseUnitRef(v.value(r.Field))
	d, ok := v.date(r.Other)
	if err != nil || !ok {
		return false
	}
	begin, _ := ParseDate(UnitListVersion)
	if ref.List == UnitListVersion {
		return d.certainlyBefore(begin)
	}
	return !d.First().Before(begin.First())
}

func (v *validation) unproven(r *Rule) bool {
	before := v.env.Before[r.Field]
	return before != "" && v.value(r.Field) != "" && string(before) != v.value(r.Field) && v.value(r.Other) == ""
}

func (v *validation) stale(r *Rule) bool {
	d, ok := v.date(r.Field)
	if !ok || v.today == (PartialDate{}) {
		return false
	}
	return v.today.First().Sub(d.Last()) > time.Duration(parse64(r.Max))*24*time.Hour
}

func (v *validation) misnamed(r *Rule) bool {
	serial := spaces.Replace(v.value(r.Other))
	if serial == "" {
		return false
	}
	files := strings.FieldsFunc(v.value(r.Field), func(c rune) bool { return c == ',' || c == ';' })
	return slices.ContainsFunc(files, func(name string) bool {
		kind, ok := strings.CutPrefix(spaces.Replace(name), serial)
		return !ok || kind != "-GCN.pdf" && kind != "-GT.pdf"
	})
}

// match returns the values of the rule's fields, or nil where one is missing.
func (v *validation) match(fields []string) map[string]conflict.Value {
	m := map[string]conflict.Value{}
	for _, name := range fields {
		text := v.value(name)
		if text == "" {
			return nil
		}
		m[name] = conflict.Value(text)
	}
	return m
}

func (v *validation) repeated(r *Rule) bool {
	m := v.match(r.Fields)
	return m != nil && v.env.Lookup != nil && len(v.env.Lookup.Find(m, 1)) > 0
}

func (v *validation) notOne(r *Rule) bool {
	m := v.match(r.Fields)
	if m == nil || v.env.Lookup == nil || v.value(r.Field) == "" {
		return false
	}
	m[r.Field] = conflict.Value(r.Value)
	others := len(v.env.Lookup.Find(m, 1))
	if v.value(r.Field) == r.Value {
		return others > 0
	}
	return others == 0
}

func (v *validation) unrequited(r *Rule) bool {
	mine, theirs := v.value(r.Other), v.value(r.Field)
	if mine == "" || theirs == "" || v.env.Lookup == nil {
		return false
	}
	others := v.env.Lookup.Find(map[string]conflict.Value{r.Other: conflict.Value(theirs)}, 1)
	return len(others) > 0 && string(others[0][r.Field]) != mine
}
