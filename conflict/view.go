package conflict

import (
	"cmp"
	"slices"
	"strings"
)

// Policy names the view through which a field is shown. Stored in register
// definitions; append only.
type Policy string

// The policies. Sum and Text are reserved names and are shown as Keep.
const (
	Keep      Policy = "keep"      // a person settles; the default
	Equal     Policy = "equal"     // values equal in normal form are shown as one
	Max       Policy = "max"       // the greatest is shown
	Min       Policy = "min"       // the least is shown
	Authority Policy = "authority" // the value with the strongest source is shown
	Union     Policy = "union"     // one sub-field per element, adding wins; see Record.Union
	Sum       Policy = "sum"
	Text      Policy = "text"
)

// Valid reports whether p is a known policy.
func (p Policy) Valid() bool {
	return slices.Contains([]Policy{Keep, Equal, Max, Min, Authority, Union, Sum, Text}, p)
}

// Rules are what a view needs to know of the field's type.
type Rules struct {
	Normal  func(Value) string   // normal form for Equal; nil compares the bytes
	Compare func(a, b Value) int // order for Max and Min; nil puts numbers by size before the rest by bytes
	Rank    func(Origin) int     // strength of a source for Authority; nil ranks by Origin.Source
}

// View is one reading of a field. Nothing is hidden by it: Others holds every
// current sibling that is not shown.
type View struct {
	Shown    Sibling   // the value to show; of equal ones that with the least dot
	Others   []Sibling // the remaining siblings, in dot order
	Conflict bool      // a person has to choose
}

// View reads f through policy p. Siblings with the very same value agree under
// every policy. A field never written gives the zero View.
func (f Field) View(p Policy, rules Rules) View {
	if len(f.siblings) == 0 {
		return View{}
	}
	if len(f.siblings) == 1 {
		return View{Shown: f.siblings[0]}
	}
	same := func(a, b Sibling) bool { return a.Value == b.Value }
	best := func(a, b Sibling) int { return 0 } // positive: a is shown rather than b
	switch p {
	case Equal:
		if rules.Normal != nil {
			same = func(a, b Sibling) bool { return rules.Normal(a.Value) == rules.Normal(b.Value) }
		}
	case Max, Min:
		order := rules.Compare
		if order == nil {
			order = compareValues
		}
		sign := 1
		if p == Min {
			sign = -1
		}
		best = func(a, b Sibling) int {
			switch { // a field cleared is neither greatest nor least
			case a.Value == b.Value:
				return 0
			case a.Value == "":
				return -1
			case b.Value == "":
				return 1
			}
			return sign * order(a.Value, b.Value)
		}
	case Authority:
		rank := rules.Rank
		if rank == nil {
			rank = func(o Origin) int { return int(o.Source) }
		}
		best = func(a, b Sibling) int { return cmp.Compare(rank(a.Origin), rank(b.Origin)) }
	case Union:
		best = func(a, b Sibling) int { return cmp.Compare(min(len(a.Value), 1), min(len(b.Value), 1)) }
	}
	shown := 0
	for i := 1; i < len(f.siblings); i++ {
		if best(f.siblings[i], f.siblings[shown]) > 0 {
			shown = i
		}
	}
	v := View{Shown: f.siblings[shown]}
	for i, s := range f.siblings {
		if i == shown {
			continue
		}
		v.Others = append(v.Others, s)
		if best(s, v.Shown) == 0 && !same(s, v.Shown) {
			v.Conflict = true
		}
	}
	return v
}

// Union returns the elements of union field id that some current sibling
// holds, sorted. Adding wins over a concurrent removal; removing takes a write
// that has seen the adding.
func (r Record) Union(id FieldID) []string {
	var elems []string
	for _, e := range r.entries {
		if e.Key.ID == id && e.Key.Elem != "" && slices.ContainsFunc(e.Field.siblings, func(s Sibling) bool { return s.Value != "" }) {
			elems = append(elems, e.Key.Elem)
		}
	}
	return elems
}

// compareValues orders numbers by size before anything else by its bytes, which
// for full ISO dates is their order in time. To mix the two orders would give
// none: 9 < 10 < "1a" < 9.
func compareValues(a, b Value) int {
	x, okx := splitNumber(string(a))
	y, oky := splitNumber(string(b))
	switch {
	case !okx && !oky:
		return strings.Compare(string(a), string(b))
	case !okx:
		return 1
	case !oky:
		return -1
	}
	if x.negative != y.negative {
		if x.negative {
			return -1
		}
		return 1
	}
	c := x.compareSize(y)
	if x.negative {
		return -c
	}
	return c
}

// number is a decimal numeral taken apart; it has no limit of size, so that
// no value is rounded on its way through a float.
type number struct {
	negative    bool
	whole, frac string // without leading, respectively trailing, zeros
}

func splitNumber(s string) (number, bool) {
	var n number
	if s, n.negative = strings.CutPrefix(s, "-"); s == "" {
		return n, false
	}
	whole, frac, dot := strings.Cut(s, ".")
	if whole == "" || dot && frac == "" || !digits(whole) || !digits(frac) {
		return n, false
	}
	n.whole, n.frac = strings.TrimLeft(whole, "0"), strings.TrimRight(frac, "0")
	if n.whole == "" && n.frac == "" {
		n.negative = false
	}
	return n, true
}

func digits(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' }) < 0
}

func (n number) compareSize(o number) int {
	if c := len(n.whole) - len(o.whole); c != 0 {
		return c
	}
	if c := strings.Compare(n.whole, o.whole); c != 0 {
		return c
	}
	return strings.Compare(n.frac, o.frac)
}
