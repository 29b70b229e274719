package register

import (
	"strings"
	"sync"
)

// UnitCode is the five-digit code of a ward, commune or special zone. Codes
// were recycled in 2025, so a code means nothing without a list: see UnitRef.
type UnitCode string

// A unit list is named by a day on which it was in force.
const (
	UnitListVersion       = "2025-07-01" // the current list, in force since that day
	FormerUnitListVersion = "2025-06-30" // the list that ended with that day
)

// Kind is the kind of a unit.
type Kind string

// The kinds.
const (
	Ward        Kind = "ward"
	Commune     Kind = "commune"
	SpecialZone Kind = "special_zone"
)

// Unit is one of the city's 168 units. NameEN is generated, not official.
type Unit struct {
	Code   UnitCode `json:"code"`
	NameVI string   `json:"name_vi"`
	NameEN string   `json:"name_en"`
	Kind   Kind     `json:"kind"`
}

type unitTable struct {
	all    []Unit
	names  []place // beside all
	byCode map[UnitCode]Unit
}

var units = sync.OnceValue(func() unitTable {
	t := unitTable{byCode: map[UnitCode]Unit{}}
	for _, row := range rows("units.csv") {
		u := Unit{UnitCode(row[0]), row[1], row[2], Kind(row[3])}
		t.all = append(t.all, u)
		t.names = append(t.names, parsePlace(u.NameVI))
		t.byCode[u.Code] = u
	}
	return t
})

// Units returns the current units in the order of the official list. The
// caller may keep and change the slice.
func Units() []Unit { return append([]Unit(nil), units().all...) }

// UnitByCode returns a current unit.
func UnitByCode(code UnitCode) (Unit, bool) {
	u, ok := units().byCode[code]
	return u, ok
}

// Valid reports whether c has the form of a code. Whether there is such a unit
// is another question.
func (c UnitCode) Valid() bool { return len(c) == 5 && isDigits(string(c)) }

// UnitRef is a unit code together with the list that gives it its meaning.
type UnitRef struct {
	Code UnitCode
	List string
}

// String returns the stored form, such as 27169@2025-07-01.
func (r UnitRef) String() string { return string(r.Code) + "@" + r.List }

// ParseUnitRef reads what String writes. It does not ask whether the unit
// exists. The error is ErrFormat.
func ParseUnitRef(s string) (UnitRef, error) {
	code, list, ok := strings.Cut(s, "@")
	r := UnitRef{UnitCode(code), list}
	if d, err := ParseDate(list); !ok || !r.Code.Valid() || err != nil || d.String() != list || d.Precision() != ByDay {
		return UnitRef{}, ErrFormat
	}
	return r, nil
}

// known reports whether the unit is in the list that the reference names.
func (r UnitRef) known() bool {
	switch r.List {
	case UnitListVersion:
		_, ok := UnitByCode(r.Code)
		return ok
	case FormerUnitListVersion:
		_, ok := FormerUnitByCode(r.Code)
		return ok
	}
	return false
}

// name returns how people call the unit, or its code when it is not known.
func (r UnitRef) name(lang string) string {
	if r.List == FormerUnitListVersion {
		if f, ok := FormerUnitByCode(r.Code); ok {
			return f.NameVI + ", " + f.District + Text{" (cũ)", " (former)"}.In(lang)
		}
	} else if u, ok := UnitByCode(r.Code); ok {
		return Text{u.NameVI, u.NameEN}.In(lang)
	}
	return string(r.Code)
}
