package conflict

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

var errUnsorted = errors.New("version vector: replicas must be sorted and distinct")

// ErrField is returned by NewField for a state that no history can produce.
var ErrField = errors.New("field state: siblings must be sorted, distinct and covered by the vector")

// Value is the canonical text of a field's value; "" is a field cleared. What
// the text means is the register's business, not this package's.
type Value string

// Origin is where a value comes from. It is shown to people and decides
// nothing but the `authority` view. Two copies of one write differ at most in
// Received, which a device does not know before the server has told it.
type Origin struct {
	Author     string // account id of who made the write
	At         int64  // the author's device clock, Unix milliseconds
	Received   int64  // the server's clock when it became durable there, Unix milliseconds; 0 before
	Definition uint32 // version of the register's definition it was made under
	Source     Source // what kind of evidence it rests on
}

// Source is the kind of evidence behind a value.
type Source uint8

// The sources, weakest first. Append only: they are stored and sent.
const (
	Typed     Source = iota // keyed by a person
	Card                    // read from an identity card's QR code
	Imported                // taken over from an earlier register
	Reference               // answered by a national reference database
)

// Sibling is one current value of a field and the write that made it.
type Sibling struct {
	Dot    Dot
	Value  Value
	Origin Origin
}

// later returns the copy of one write that merging keeps: the one that the
// server has stamped, of two stamped ones the later. The rest of the order
// matters only if a broken replica has used a dot twice, which intake reports:
// even then merging must not depend on the side.
func later(a, b Sibling) Sibling {
	if a == b {
		return a
	}
	if cmp.Or(
		cmp.Compare(a.Origin.Received, b.Origin.Received),
		cmp.Compare(a.Origin.At, b.Origin.At),
		strings.Compare(a.Origin.Author, b.Origin.Author),
		cmp.Compare(a.Origin.Definition, b.Origin.Definition),
		cmp.Compare(a.Origin.Source, b.Origin.Source),
		strings.Compare(string(a.Value), string(b.Value)),
	) < 0 {
		return b
	}
	return a
}

// Field is what is known of one field: its current siblings under one vector.
// The zero Field was never written. Fields are immutable.
type Field struct {
	siblings []Sibling
	vector   Vector
}

// NewField returns the field with the given siblings and vector, as read from
// a store or the wire. It takes ownership of siblings. It returns ErrField if
// they are not sorted by dot, not distinct, or not covered by vector.
func NewField(siblings []Sibling, vector Vector) (Field, error) {
	for i := range siblings {
		if siblings[i].Dot.Counter == 0 || !vector.Covers(siblings[i].Dot) {
			return Field{}, ErrField
		}
		if i > 0 && siblings[i-1].Dot.Compare(siblings[i].Dot) >= 0 {
			return Field{}, ErrField
		}
	}
	if len(siblings) == 0 {
		siblings = nil
	}
	return Field{siblings, vector}, nil
}

// Len returns the number of siblings.
func (f Field) Len() int { return len(f.siblings) }

// At returns sibling i, in dot order.
func (f Field) At(i int) Sibling { return f.siblings[i] }

// Siblings returns a copy of the siblings, in dot order.
func (f Field) Siblings() []Sibling { return slices.Clone(f.siblings) }

// Vector returns everything that the field has absorbed.
func (f Field) Vector() Vector { return f.vector }

// IsZero reports whether the field was never written.
func (f Field) IsZero() bool { return len(f.siblings) == 0 && f.vector.Len() == 0 }

// Has reports whether d is a current sibling.
func (f Field) Has(d Dot) bool { return f.find(d) >= 0 }

// find returns where sibling d stands, or -1.
func (f Field) find(d Dot) int {
	for i := range f.siblings {
		if f.siblings[i].Dot == d {
			return i
		}
	}
	return -1
}

// Equal reports whether f and g hold the same siblings and vector.
func (f Field) Equal(g Field) bool {
	return f.vector.Equal(g.vector) && slices.Equal(f.siblings, g.siblings)
}

// Write returns f after the write s whose author had seen context: s replaces
// the siblings under context and joins the rest. A write that f has already
// absorbed changes nothing, so replays are harmless. Writes of one replica
// must arrive in counter order; the caller refuses gaps.
func (f Field) Write(s Sibling, context Vector) Field {
	if s.Dot.Counter == 0 || f.vector.Covers(s.Dot) {
		return f
	}
	kept := make([]Sibling, 0, len(f.siblings)+1)
	placed := false
	for _, old := range f.siblings {
		if context.Covers(old.Dot) {
			continue
		}
		if !placed && s.Dot.Compare(old.Dot) < 0 {
			kept, placed = append(kept, s), true
		}
		kept = append(kept, old)
	}
	if !placed {
		kept = append(kept, s)
	}
	return Field{kept, f.vector.Join(context).With(s.Dot)}
}

// Restamp returns f with s in the place of its own copy of the same write, if that
// one has no stamp of the server or an earlier one. A write that does not stand in f
// changes nothing, and nothing else of f changes. Merging a field of nothing but s
// would not do: its vector would cover the earlier writes of that replica.
func (f Field) Restamp(s Sibling) Field {
	i := f.find(s.Dot)
	if i < 0 || later(f.siblings[i], s) == f.siblings[i] {
		return f
	}
	all := slices.Clone(f.siblings)
	all[i] = s
	return Field{all, f.vector}
}

// Merge returns the union of two histories of one field: a sibling stays if
// both hold it, or if one holds it and the other has never seen it. Of two
// copies of one write, that with the server's time stays.
func (f Field) Merge(g Field) Field {
	switch {
	case g.IsZero():
		return f
	case f.IsZero():
		return g
	}
	// The common case by far: one side has seen all that the other has, and
	// what it holds is new to the other. Nothing needs to be copied.
	if g.vector.CoversAll(f.vector) && f.yieldsTo(g) {
		return g
	}
	if f.vector.CoversAll(g.vector) && g.yieldsTo(f) {
		return f
	}
	kept := make([]Sibling, 0, len(f.siblings)+len(g.siblings))
	i, j := 0, 0
	for i < len(f.siblings) || j < len(g.siblings) {
		c := 0
		switch {
		case i == len(f.siblings):
			c = 1
		case j == len(g.siblings):
			c = -1
		default:
			c = f.siblings[i].Dot.Compare(g.siblings[j].Dot)
		}
		switch {
		case c < 0:
			if !g.vector.Covers(f.siblings[i].Dot) {
				kept = append(kept, f.siblings[i])
			}
			i++
		case c > 0:
			if !f.vector.Covers(g.siblings[j].Dot) {
				kept = append(kept, g.siblings[j])
			}
			j++
		default:
			kept = append(kept, later(f.siblings[i], g.siblings[j]))
			i, j = i+1, j+1
		}
	}
	if len(kept) == 0 {
		kept = nil
	}
	return Field{kept, f.vector.Join(g.vector)}
}

// yieldsTo reports whether merging f into g, whose vector covers f's, leaves
// exactly g: every sibling of g is new to f, or held by f in no later copy.
func (f Field) yieldsTo(g Field) bool {
	for i := range g.siblings {
		if !f.vector.Covers(g.siblings[i].Dot) {
			continue
		}
		j := f.find(g.siblings[i].Dot)
		if j < 0 || later(f.siblings[j], g.siblings[i]) != g.siblings[i] {
			return false
		}
	}
	return true
}
