package register

import (
	"strings"

	"wardbook/conflict"
)

// Suggestion proposes one of several values of a field that a person has to
// choose between. It decides nothing: who settles may take another.
type Suggestion struct {
	Dot conflict.Dot // of the value that is proposed
	Why Why
}

// Why is the reason of a suggestion.
type Why string

// The reasons, the strongest first.
const (
	SameWords  Why = "same_words"  // the values differ in spelling alone; the better spelt one
	OnlyChange Why = "only_change" // all others say what stood there before
	OnlyFilled Why = "only_filled" // all others are empty
	OnlyValid  Why = "only_valid"  // all others are no value of the field's type
	Fuller     Why = "fuller"      // it says all that the others say, and more
	Evidence   Why = "evidence"    // it rests on stronger evidence than the others
)

// Suggest proposes one of the siblings of a field, or none. before is what all
// of their authors had seen, if that is known. The same siblings give the same
// answer everywhere, whatever any clock says.
func Suggest(def *Definition, f *Field, siblings []conflict.Sibling, before *conflict.Value) (Suggestion, bool) {
	if len(siblings) < 2 {
		return Suggestion{}, false
	}
	// only returns the siblings' one value for which holds is true, if there is
	// just one; of the same value twice, the first.
	only := func(holds func(conflict.Value) bool) (conflict.Sibling, bool) {
		var found []conflict.Sibling
		for _, s := range siblings {
			if holds(s.Value) && (len(found) == 0 || found[0].Value != s.Value) {
				found = append(found, s)
			}
		}
		if len(found) != 1 {
			return conflict.Sibling{}, false
		}
		return found[0], true
	}
	valid := func(v conflict.Value) bool {
		_, problem := def.normalise(f, string(v))
		return problem == nil
	}
	type rule struct {
		why  Why
		pick func() (conflict.Sibling, bool)
	}
	for _, r := range []rule{
		{SameWords, func() (conflict.Sibling, bool) { return bestSpelt(f, siblings) }},
		{OnlyChange, func() (conflict.Sibling, bool) {
			if before == nil {
				return conflict.Sibling{}, false
			}
			return only(func(v conflict.Value) bool { return v != *before })
		}},
		{OnlyFilled, func() (conflict.Sibling, bool) { return only(func(v conflict.Value) bool { return v != "" }) }},
		{OnlyValid, func() (conflict.Sibling, bool) { return only(valid) }},
		{Fuller, func() (conflict.Sibling, bool) {
			return only(func(v conflict.Value) bool {
				for _, s := range siblings {
					if s.Value != v && !saysMore(f, v, s.Value) {
						return false
					}
				}
				return true
			})
		}},
		{Evidence, func() (conflict.Sibling, bool) {
			var best []conflict.Sibling
			for _, s := range siblings {
				switch {
				case len(best) == 0 || s.Origin.Source > best[0].Origin.Source:
					best = []conflict.Sibling{s}
				case s.Origin.Source == best[0].Origin.Source:
					best = append(best, s)
				}
			}
			return best[0], len(best) == 1
		}},
	} {
		if s, ok := r.pick(); ok {
			return Suggestion{s.Dot, r.why}, true
		}
	}
	return Suggestion{}, false
}

// bestSpelt returns the sibling to take where all are one text but for capitals,
// spaces and where the tone stands: one that is not in capitals alone, and of
// those the first by its bytes.
func bestSpelt(f *Field, siblings []conflict.Sibling) (best conflict.Sibling, ok bool) {
	if !f.Type.isText() {
		return best, false
	}
	key := K1(string(siblings[0].Value))
	if key == "" {
		return best, false
	}
	shouted := func(v conflict.Value) bool { return strings.ToUpper(string(v)) == string(v) }
	for i, s := range siblings {
		if K1(string(s.Value)) != key {
			return best, false
		}
		better := shouted(best.Value) && !shouted(s.Value) || shouted(best.Value) == shouted(s.Value) && s.Value < best.Value
		if i == 0 || better {
			best = s
		}
	}
	return best, true
}

// saysMore reports whether a value says all that another says, and more: a day
// of its month, a text that holds the other's words in their order.
func saysMore(f *Field, more, less conflict.Value) bool {
	if more == "" || less == "" || more == less {
		return false
	}
	switch {
	case f.Type == DatePartial || f.Type == Date || f.Type == Month:
		m, err1 := ParseDate(string(more))
		l, err2 := ParseDate(string(less))
		return err1 == nil && err2 == nil && m.within(l) && m != l
	case f.Type.isText():
		m, l := " "+K1(string(more))+" ", " "+K1(string(less))+" "
		m, l = strings.ReplaceAll(m, ",", " ,"), strings.ReplaceAll(l, ",", " ,")
		return len(m) > len(l) && strings.Contains(m, l)
	}
	return false
}

// within reports whether everything that d can mean, o can mean too.
func (d PartialDate) within(o PartialDate) bool {
	return d.Year == o.Year && (o.Month == 0 || d.Month == o.Month) && (o.Day == 0 || d.Day == o.Day)
}
