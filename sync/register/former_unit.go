package register

import (
	"cmp"
	"slices"
	"strings"
	"sync"
)

// FormerUnit is a commune-level unit as it was until 30 June 2025.
type FormerUnit struct {
	Code     UnitCode `json:"code"`
	NameVI   string   `json:"name_vi"`
	District string   `json:"district"`
	Province string   `json:"province"`
}

// Relation says how much of a former unit went into a current one.
type Relation string

// The relations. Current is a candidate that was named by its present name.
const (
	Current   Relation = "current"
	Unchanged Relation = "unchanged"
	Whole     Relation = "whole"
	Partial   Relation = "partial"
)

// Candidate is a current unit that an old name or code may mean.
type Candidate struct {
	Unit     Unit       `json:"unit"`
	Relation Relation   `json:"relation"`
	From     FormerUnit `json:"from,omitzero"` // zero for Current
}

type formerTable struct {
	byCode     map[UnitCode]FormerUnit
	successors map[UnitCode][]Candidate
	all        []named
}

// named is a former unit with its names parsed.
type named struct {
	code                     UnitCode
	name, district, province place
}

var formerUnits = sync.OnceValue(func() formerTable {
	t := formerTable{byCode: map[UnitCode]FormerUnit{}, successors: map[UnitCode][]Candidate{}}
	for _, row := range rows("former-units.csv") {
		f := FormerUnit{UnitCode(row[2]), row[3], row[6], row[8]}
		if f.Code == "" { // Côn Đảo had no communes
			continue
		}
		if _, ok := t.byCode[f.Code]; !ok {
			t.byCode[f.Code] = f
			t.all = append(t.all, named{f.Code, parsePlace(f.NameVI), parsePlace(f.District), parsePlace(f.Province)})
		}
		u, _ := UnitByCode(UnitCode(row[0]))
		t.successors[f.Code] = append(t.successors[f.Code], Candidate{u, Relation(row[5]), f})
	}
	return t
})

// FormerUnitByCode returns a unit of the former list.
func FormerUnitByCode(code UnitCode) (FormerUnit, bool) {
	f, ok := formerUnits().byCode[code]
	return f, ok
}

// maxSuggestion bounds what SuggestUnits looks at.
const maxSuggestion = 1000

// SuggestUnits returns the current units that a name, a code or an address of
// either list may mean: none, one, or all candidates of a unit that was split
// or of a name that several units had. It never picks one of several; a person
// does. Candidates named by their present name come first, then by code.
func SuggestUnits(s string) []Candidate {
	if len(s) > maxSuggestion {
		return nil
	}
	s = strings.TrimSpace(s)
	var found []Candidate
	if code := UnitCode(s); code.Valid() {
		if u, ok := UnitByCode(code); ok {
			found = append(found, Candidate{Unit: u, Relation: Current})
		}
		return distinct(append(found, formerUnits().successors[code]...))
	}
	var places []place
	for _, segment := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(",;\n", r) }) {
		places = append(places, parsePlace(segment))
	}
	// Text without any diacritic does not tell Thanh An from Thạnh An.
	loose := K3(s) == K0(s)
	var inDistrict, inProvince *place
	for i := range places {
		p := &places[i]
		switch {
		case p.level == levelUnit:
		case p.level == levelAbove && inDistrict == nil && slices.ContainsFunc(formerUnits().all, func(f named) bool { return p.is(f.district, loose) }):
			inDistrict = p
		case p.name != homeProvince && slices.ContainsFunc(formerUnits().all, func(f named) bool { return p.is(f.province, loose) }):
			inProvince = p
		}
	}
	// A segment that says phường or xã names the unit; bare names count only
	// where there is none.
	for _, level := range []placeLevel{levelUnit, levelUnknown} {
		for _, p := range places {
			if p.level != level {
				continue
			}
			if inDistrict == nil && inProvince == nil {
				for i, name := range units().names {
					if p.is(name, loose) {
						found = append(found, Candidate{Unit: units().all[i], Relation: Current})
					}
				}
			}
			for _, f := range formerUnits().all {
				if p.is(f.name, loose) && (inDistrict == nil || inDistrict.is(f.district, loose)) && (inProvince == nil || inProvince.is(f.province, loose)) {
					found = append(found, formerUnits().successors[f.code]...)
				}
			}
		}
		if len(found) > 0 {
			break
		}
	}
	return distinct(found)
}

// distinct keeps the first candidate of each unit, in the order of candidates
// named by their present name, then of codes.
func distinct(found []Candidate) []Candidate {
	slices.SortStableFunc(found, func(a, b Candidate) int {
		rank := func(c Candidate) int {
			if c.Relation == Current {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(a.Unit.Code, b.Unit.Code), cmp.Compare(rank(a), rank(b)))
	})
	found = slices.CompactFunc(found, func(a, b Candidate) bool { return a.Unit.Code == b.Unit.Code })
	slices.SortStableFunc(found, func(a, b Candidate) int {
		switch {
		case a.Relation == Current && b.Relation != Current:
			return -1
		case a.Relation != Current && b.Relation == Current:
			return 1
		}
		return 0
	})
	return found
}

type placeLevel int

const (
	levelUnknown placeLevel = iota
	levelUnit
	levelAbove // district or province
)

// homeProvince is today's city, which says nothing about a former unit.
const homeProvince = "hồ chí minh"

// place is one part of an address between commas, or the name of a unit.
type place struct {
	level      placeLevel
	kind, name string
	k1, k3     string
}

// kinds are the words that open a unit's name. Longer abbreviations come
// before those that they begin with.
var kinds = []struct {
	level  placeLevel
	kind   string
	opens  []string
	letter string // stands before a number: p12, q10
}{
	{levelUnit, "phường", []string{"phường ", "phuong ", "p.", "f."}, "pf"},
	{levelUnit, "thị trấn", []string{"thị trấn ", "thi tran ", "tt.", "tt "}, ""},
	{levelUnit, "đặc khu", []string{"đặc khu ", "dac khu "}, ""},
	{levelUnit, "xã", []string{"xã ", "xa ", "x."}, ""},
	{levelAbove, "quận", []string{"quận ", "quan ", "q."}, "q"},
	{levelAbove, "huyện", []string{"huyện ", "huyen ", "h."}, ""},
	{levelAbove, "thị xã", []string{"thị xã ", "thi xa ", "tx.", "tx "}, ""},
	{levelAbove, "thành phố", []string{"thành phố ", "thanh pho ", "tp.", "tp "}, ""},
	{levelAbove, "tỉnh", []string{"tỉnh ", "tinh "}, ""},
}

func parsePlace(segment string) place {
	p := place{name: K0(segment)}
search:
	for _, k := range kinds {
		for _, open := range k.opens {
			if rest, ok := strings.CutPrefix(p.name, open); ok {
				p.level, p.kind, p.name = k.level, k.kind, rest
				break search
			}
		}
		if len(p.name) > 1 && strings.IndexByte(k.letter, p.name[0]) >= 0 {
			if rest := strings.TrimSpace(p.name[1:]); isDigits(rest) {
				p.level, p.kind, p.name = k.level, k.kind, rest
				break
			}
		}
	}
	p.name = strings.TrimSpace(p.name)
	switch {
	case p.name == "hcm" || p.name == "tphcm" || p.name == "ho chi minh":
		p.name = homeProvince
	case isDigits(p.name):
		p.name = strings.TrimLeft(p.name, "0")
	}
	p.k1, p.k3 = K1(p.name), K3(p.name)
	return p
}

// is reports whether p can be the unit whose parsed name is u; loose ignores
// diacritics.
func (p place) is(u place, loose bool) bool {
	if p.name == "" || p.kind != "" && p.kind != u.kind {
		return false
	}
	return p.k1 == u.k1 || loose && p.k3 == u.k3
}
