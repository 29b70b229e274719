package conflict

import (
	"cmp"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// FieldID names a field of a register for ever. Ids below FirstUserField are
// the system's own.
type FieldID uint16

// The system fields that every record has.
const (
	FieldLife       FieldID = 0 // alive or deleted; see Life
	FieldSubmission FieldID = 1 // what its author handed in for approval
	FieldReview     FieldID = 2 // what the supervisor last did; written by the server alone
	FieldAnswer     FieldID = 3 // the author's answer to a returned record
	FieldHome       FieldID = 4 // the unit in which the record is to live; absent: where it was created
	FieldTwin       FieldID = 5 // whether it is the same thing as another record, an element for each other; without one, that nobody has looked yet

	// FirstUserField is the lowest id that a register's definition may use.
	FirstUserField FieldID = 16
)

// FieldKey addresses one field of a record. Elem is empty but for fields with
// the `union` policy, which keep one sub-field per element.
type FieldKey struct {
	ID   FieldID
	Elem string
}

// Key returns the key of a field that has no elements.
func Key(id FieldID) FieldKey { return FieldKey{ID: id} }

// Compare orders keys by id, then by element.
func (k FieldKey) Compare(o FieldKey) int {
	if c := cmp.Compare(k.ID, o.ID); c != 0 {
		return c
	}
	return strings.Compare(k.Elem, o.Elem)
}

// String returns the id in decimal, with "/" and the element where there is one.
func (k FieldKey) String() string {
	s := strconv.FormatUint(uint64(k.ID), 10)
	if k.Elem != "" {
		s += "/" + k.Elem
	}
	return s
}

// Entry is one field of a record with its key.
type Entry struct {
	Key   FieldKey
	Field Field
}

// Record is everything known of one record: its fields, sorted by key, the
// system's among them. The zero Record is empty. Records are immutable.
type Record struct {
	entries []Entry
}

// NewRecord returns the record with the given fields. It takes ownership of
// entries, which must be sorted by key, distinct and written at least once,
// else it returns ErrField.
func NewRecord(entries []Entry) (Record, error) {
	for i := range entries {
		if entries[i].Field.IsZero() || i > 0 && entries[i-1].Key.Compare(entries[i].Key) >= 0 {
			return Record{}, ErrField
		}
	}
	if len(entries) == 0 {
		entries = nil
	}
	return Record{entries}, nil
}

// All yields the fields in key order.
func (r Record) All() iter.Seq2[FieldKey, Field] {
	return func(yield func(FieldKey, Field) bool) {
		for i := range r.entries {
			if !yield(r.entries[i].Key, r.entries[i].Field) {
				return
			}
		}
	}
}

// Fields returns the fields in key order. They are the record's own: nobody may
// write to them.
func (r Record) Fields() []Entry { return r.entries[:len(r.entries):len(r.entries)] }

// At returns field i, in key order.
func (r Record) At(i int) Entry { return r.entries[i] }

// Len returns how many fields were ever written.
func (r Record) Len() int { return len(r.entries) }

func (r Record) find(k FieldKey) (int, bool) {
	return slices.BinarySearchFunc(r.entries, k, func(e Entry, k FieldKey) int { return e.Key.Compare(k) })
}

// Field returns the field under k, the zero Field if it was never written.
func (r Record) Field(k FieldKey) Field {
	if i, ok := r.find(k); ok {
		return r.entries[i].Field
	}
	return Field{}
}

// With returns r with the field under k replaced by f; the zero Field leaves
// none, so that a record has one form only.
func (r Record) With(k FieldKey, f Field) Record {
	i, ok := r.find(k)
	switch {
	case f.IsZero() && !ok:
		return r
	case f.IsZero():
		return Record{slices.Delete(slices.Clone(r.entries), i, i+1)}
	case ok:
		e := slices.Clone(r.entries)
		e[i].Field = f
		return Record{e}
	}
	e := make([]Entry, 0, len(r.entries)+1)
	e = append(e, r.entries[:i]...)
	e = append(e, Entry{k, f})
	e = append(e, r.entries[i:]...)
	return Record{e}
}

// Write returns r after one write of the field under k; see Field.Write.
func (r Record) Write(k FieldKey, s Sibling, context Vector) Record {
	old := r.Field(k)
	f := old.Write(s, context)
	if f.Equal(old) {
		return r
	}
	return r.With(k, f)
}

// Merge returns the union of two histories of one record, field by field.
func (r Record) Merge(o Record) Record {
	switch {
	case len(o.entries) == 0:
		return r
	case len(r.entries) == 0:
		return o
	}
	e := make([]Entry, 0, max(len(r.entries), len(o.entries)))
	i, j := 0, 0
	for i < len(r.entries) && j < len(o.entries) {
		a, b := r.entries[i], o.entries[j]
		switch c := a.Key.Compare(b.Key); {
		case c < 0:
			e, i = append(e, a), i+1
		case c > 0:
			e, j = append(e, b), j+1
		default:
			e, i, j = append(e, Entry{a.Key, a.Field.Merge(b.Field)}), i+1, j+1
		}
	}
	e = append(e, r.entries[i:]...)
	e = append(e, o.entries[j:]...)
	return Record{e}
}

// Equal reports whether r and o hold the same fields with the same siblings
// and vectors.
func (r Record) Equal(o Record) bool {
	return slices.EqualFunc(r.entries, o.entries, func(a, b Entry) bool {
		return a.Key == b.Key && a.Field.Equal(b.Field)
	})
}

// Seen returns the vector of every field of the register, the system's left
// out: what a deletion, or its settling, says that its author had seen. What a
// supervisor or a submission adds beside a deletion is no edit against it.
func (r Record) Seen() Seen {
	var s Seen
	for _, e := range r.entries {
		if e.Key.ID >= FirstUserField {
			s.entries = append(s.entries, seenEntry{e.Key, e.Field.Vector()})
		}
	}
	return s
}
