package conflict

import (
	"cmp"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var policies = []Policy{Keep, Equal, Max, Min, Authority, Union, Sum, Text}

// honest reports how v departs from what policy p promises of f. It is written
// by sorting out candidates, not by the scan that View uses.
func honest(f Field, p Policy, rules Rules, v View) error {
	all := f.Siblings()
	if len(all) == 0 {
		if v.Conflict || v.Others != nil || v.Shown != (Sibling{}) {
			return fmt.Errorf("got %+v of a field never written, want the zero view", v)
		}
		return nil
	}
	rest := slices.DeleteFunc(slices.Clone(all), func(s Sibling) bool { return s == v.Shown })
	if len(rest) != len(all)-1 || !slices.Equal(rest, v.Others) {
		return fmt.Errorf("got shown %v and others %v, want together exactly %v", v.Shown, v.Others, all)
	}
	best := all
	same := func(a, b Sibling) bool { return a.Value == b.Value }
	only := func(keep func(Sibling) bool) {
		if some := slices.DeleteFunc(slices.Clone(best), func(s Sibling) bool { return !keep(s) }); len(some) > 0 {
			best = some
		}
	}
	switch p {
	case Equal:
		if rules.Normal != nil {
			same = func(a, b Sibling) bool { return rules.Normal(a.Value) == rules.Normal(b.Value) }
		}
	case Max, Min:
		only(func(s Sibling) bool { return s.Value != "" })
		top := slices.MaxFunc(best, func(a, b Sibling) int {
			if p == Min {
				a, b = b, a
			}
			return rationalOrder(a.Value, b.Value)
		})
		only(func(s Sibling) bool { return rationalOrder(s.Value, top.Value) == 0 })
	case Authority:
		top := slices.MaxFunc(best, func(a, b Sibling) int { return cmp.Compare(a.Origin.Source, b.Origin.Source) })
		only(func(s Sibling) bool { return s.Origin.Source == top.Origin.Source })
	case Union:
		only(func(s Sibling) bool { return s.Value != "" })
	}
	if v.Shown != best[0] {
		return fmt.Errorf("got shown %v, want %v of %v", v.Shown, best[0], all)
	}
	conflict := slices.ContainsFunc(best, func(s Sibling) bool { return !same(s, best[0]) })
	if v.Conflict != conflict {
		return fmt.Errorf("got conflict %v, want %v of %v", v.Conflict, conflict, all)
	}
	return nil
}

var numeral = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// rationalOrder is what compareValues promises, by way of big.Rat.
func rationalOrder(a, b Value) int {
	switch x, y := numeral.MatchString(string(a)), numeral.MatchString(string(b)); {
	case x && y:
		p, _ := new(big.Rat).SetString(string(a))
		q, _ := new(big.Rat).SetString(string(b))
		return p.Cmp(q)
	case x:
		return -1
	case y:
		return 1
	}
	return strings.Compare(string(a), string(b))
}

// valueText yields numerals, near-numerals, dates and words, so that every
// pair of kinds meets.
func valueText() *rapid.Generator[Value] {
	return rapid.Map(rapid.OneOf(
		rapid.StringMatching(`-?[0-9]{1,4}(\.[0-9]{1,3})?`),
		rapid.StringMatching(`-?0{0,2}[0-9]{15,25}`),
		rapid.StringMatching(`[-+.,a0-9]{1,4}`),
		rapid.SampledFrom([]string{"2025", "2025-07", "2025-07-01", "-", ".5", "5.", "1.0", "1", "-0", "0", "9", "10", "1a"}),
	), func(s string) Value { return Value(s) })
}

func TestCompareValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := valueText().Draw(t, "a"), valueText().Draw(t, "b"), valueText().Draw(t, "c")
		if got, want := sign(compareValues(a, b)), sign(rationalOrder(a, b)); got != want {
			t.Fatalf("compare %q with %q: got %d, want %d", a, b, got, want)
		}
		if sign(compareValues(a, b)) != -sign(compareValues(b, a)) {
			t.Fatalf("comparing %q with %q depends on the side", a, b)
		}
		if compareValues(a, b) <= 0 && compareValues(b, c) <= 0 && compareValues(a, c) > 0 {
			t.Fatalf("no order: %q <= %q <= %q but not %q <= %q", a, b, c, a, c)
		}
	})
}

func sign(n int) int { return cmp.Compare(n, 0) }

// TestViewsAreHonest reads arbitrary sibling sets, not only those of histories.
func TestViewsAreHonest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f Field
		for i := range rapid.IntRange(0, 4).Draw(t, "siblings") {
			v := rapid.OneOf(rapid.SampledFrom([]Value{"", "", "1", "Hoà", "Hòa"}), valueText()).Draw(t, "value")
			source := Source(rapid.IntRange(0, 3).Draw(t, "source"))
			f = f.Write(Sibling{Dot{replica(i), 1}, v, Origin{Source: source}}, Vector{})
		}
		for _, p := range policies {
			for _, rules := range []Rules{{}, hoaRules} {
				if err := honest(f, p, rules, f.View(p, rules)); err != nil {
					t.Fatalf("%s: %v", p, err)
				}
			}
		}
	})
}

// hoaRules stand for a register that holds one tone placement to be normal.
var hoaRules = Rules{Normal: func(v Value) string { return strings.ReplaceAll(string(v), "Hoà", "Hòa") }}

func TestViewFollowsTheRegistersRules(t *testing.T) {
	f := Field{}.
		Write(Sibling{Dot{replica(0), 1}, "small", Origin{Author: "clerk"}}, Vector{}).
		Write(Sibling{Dot{replica(1), 1}, "large", Origin{Author: "judge"}}, Vector{})
	size := map[Value]int{"small": 1, "large": 2}
	rules := Rules{
		Compare: func(a, b Value) int { return size[a] - size[b] },
		Rank: func(o Origin) int {
			if o.Author == "clerk" {
				return 1 << 62
			}
			return -1 << 62 // far enough apart to overflow a difference
		},
	}
	for p, want := range map[Policy]Value{Max: "large", Min: "small", Authority: "small"} {
		if v := f.View(p, rules); v.Shown.Value != want || v.Conflict {
			t.Errorf("%s: got %q, conflict %v; want %q without conflict", p, v.Shown.Value, v.Conflict, want)
		}
	}
}

func TestViewOfAnUnknownPolicyKeeps(t *testing.T) {
	f := Field{}.
		Write(Sibling{Dot{replica(0), 1}, "1", Origin{}}, Vector{}).
		Write(Sibling{Dot{replica(1), 1}, "2", Origin{}}, Vector{})
	if p := Policy("tomorrow's"); p.Valid() || !equalViews(f.View(p, Rules{}), f.View(Keep, Rules{})) {
		t.Errorf("got %+v of an unknown policy, want what keep shows", f.View(p, Rules{}))
	}
}

func TestPolicyValid(t *testing.T) {
	for _, p := range policies {
		if !p.Valid() {
			t.Errorf("policy %q: got invalid, want valid", p)
		}
	}
	for _, p := range []Policy{"", "KEEP", "last"} {
		if p.Valid() {
			t.Errorf("policy %q: got valid, want invalid", p)
		}
	}
}

func TestUnionListsElementsInOrder(t *testing.T) {
	r := Record{}
	for i, elem := range []string{"c", "a", "b", ""} {
		r = r.Write(FieldKey{ID: 20, Elem: elem}, Sibling{Dot: Dot{replica(0), uint64(i + 1)}, Value: "1"}, Vector{})
	}
	r = r.Write(FieldKey{ID: 21, Elem: "z"}, Sibling{Dot: Dot{replica(0), 9}, Value: "1"}, Vector{})
	if got := r.Union(20); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got elements %q, want a, b, c", got)
	}
}
