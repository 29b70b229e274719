package record

import (
	"encoding/json"
	"fmt"

	"wardbook/conflict"
)

// Verdict is what somebody said about two records that look like one thing.
type Verdict string

// The verdicts. The empty one takes back what was said before.
const (
	Same      Verdict = "same"      // one thing, recorded twice: one of the records goes
	Different Verdict = "different" // two things, however alike
	Linked    Verdict = "linked"    // two things that belong together
)

// Twin is the value of one element of the twin field: what its author said of
// the record and the one that the element names. It stands in one record of the
// two, the one with the lesser id where that can be chosen; who reads a pair
// reads both. Concurrent verdicts are siblings, as of any field.
type Twin struct {
	Said   Verdict `json:"said"`
	Kept   string  `json:"kept,omitempty"` // of Same: id of the record that stays
	Reason string  `json:"reason,omitempty"`
}

// Value returns the canonical text of t; that of the zero Twin is empty.
func (t Twin) Value() conflict.Value {
	if t == (Twin{}) {
		return ""
	}
	b, err := json.Marshal(t)
	if err != nil {
		panic(fmt.Sprintf("marshal twin: %v", err)) // plain strings always marshal
	}
	return conflict.Value(b)
}

// ParseTwin reads a twin value.
func ParseTwin(value conflict.Value) (Twin, error) {
	var t Twin
	if value == "" {
		return t, nil
	}
	if err := json.Unmarshal([]byte(value), &t); err != nil {
		return t, fmt.Errorf("twin value: %w", err)
	}
	switch t.Said {
	case Same:
		if _, err := conflict.ParseDot(t.Kept); err != nil {
			return t, fmt.Errorf("twin value: kept: %w", err)
		}
	case Different, Linked:
	default:
		return t, fmt.Errorf("twin value: said %q, want same, different or linked", t.Said)
	}
	if len(t.Reason) > MaxReason {
		return t, fmt.Errorf("twin value: the reason has %d bytes, at most %d", len(t.Reason), MaxReason)
	}
	return t, nil
}

// Unchecked is the value of the twin field without an element: its record was
// created when only a part of the register could be searched, so that somebody
// has to look for duplicates. Empty, nobody has to.
type Unchecked struct {
	Searched int `json:"searched"` // records that were looked through
	Of       int `json:"of"`
}

// Value returns the canonical text of u.
func (u Unchecked) Value() conflict.Value {
	b, err := json.Marshal(u)
	if err != nil {
		panic(fmt.Sprintf("marshal unchecked: %v", err)) // numbers always marshal
	}
	return conflict.Value(b)
}

// UncheckedOf returns the mark of a record; ok is false if it has none. Who
// cleared it while another set it has not seen the other's, so it stands.
func UncheckedOf(r conflict.Record) (u Unchecked, ok bool) {
	f := r.Field(conflict.Key(conflict.FieldTwin))
	for i := range f.Len() {
		if v := f.At(i).Value; v != "" && json.Unmarshal([]byte(v), &u) == nil {
			return u, true
		}
	}
	return Unchecked{}, false
}

// TwinKey addresses what one record says of another.
func TwinKey(other conflict.RecordID) conflict.FieldKey {
	return conflict.FieldKey{ID: conflict.FieldTwin, Elem: other.String()}
}

// Said is one thing that stands about a pair.
type Said struct {
	Twin
	Dot    conflict.Dot
	Origin conflict.Origin
}

// PairOf returns what stands about two records, from both of them. Verdicts
// that were taken back are left out, and so are values that cannot be read. If
// it holds different verdicts, or different records to keep, people disagree.
func PairOf(a, b conflict.Record, idA, idB conflict.RecordID) []Said {
	var all []Said
	for _, f := range []conflict.Field{a.Field(TwinKey(idB)), b.Field(TwinKey(idA))} {
		for i := range f.Len() {
			s := f.At(i)
			if t, err := ParseTwin(s.Value); err == nil && t.Said != "" {
				all = append(all, Said{t, s.Dot, s.Origin})
			}
		}
	}
	return all
}

// CheckTwin returns why a write of the twin field cannot be read, or nil.
func CheckTwin(w Write) error {
	if w.Key.Elem == "" {
		var u Unchecked
		if w.Value == "" {
			return nil
		}
		return json.Unmarshal([]byte(w.Value), &u)
	}
	if _, err := conflict.ParseDot(w.Key.Elem); err != nil {
		return err
	}
	_, err := ParseTwin(w.Value)
	return err
}
