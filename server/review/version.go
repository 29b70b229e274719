package review

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/server/store"
)

// Approved is the approved value of one field and where it comes from: the
// write that made the value, not one that only chose or restored it.
type Approved struct {
	Value    conflict.Value
	Dots     []conflict.Dot // the writes that stand approved, sorted
	Author   string
	At       int64 // the author's device clock, Unix milliseconds
	Received int64 // the server's clock
	Source   conflict.Source
}

// Version is the approved version of a record: its fields by key, life among
// them if it was ever decided. Fields nobody approved are absent. A field that
// was refused before anything of it was approved is there with the value "".
type Version struct {
	Record     conflict.RecordID
	Register   string
	Unit       string
	Definition uint32 // version of the register's definition it was approved under
	Deleted    bool
	Fields     map[conflict.FieldKey]Approved
}

// Materialise reads the version that stands approved after decision a out of the
// record's history. It is the version of that decision, also when later ones
// exist. A dot that the history lacks, or a hash that does not fit, is an error:
// an approved version is never guessed.
func Materialise(t Tables, a store.Approval) (Version, error) {
	h, err := readHistory(t, a.Record)
	if err != nil {
		return Version{}, err
	}
	return h.sealed(a)
}

// sealed reads decision a's version and checks its hash. Before the first
// decision it is empty.
func (h *history) sealed(a store.Approval) (Version, error) {
	v, err := h.version(a)
	if err != nil || a.Seq == 0 {
		return v, err
	}
	if got := v.hash(h); got != a.Hash {
		return Version{}, fmt.Errorf("approved version %d of %v: its content does not fit its hash", a.Seq, a.Record)
	}
	return v, nil
}

// version reads decision a's version without checking its hash.
func (h *history) version(a store.Approval) (Version, error) {
	v := Version{Record: a.Record, Register: a.Register, Unit: a.Unit, Definition: a.Definition,
		Fields: map[conflict.FieldKey]Approved{}}
	found := 0
	for k, dots := range h.approvedDots(a) {
		if len(dots) == 0 {
			continue
		}
		found += len(dots)
		first, _ := h.find(k, dots[0])
		value, explicit := a.Explicit[k.String()]
		shown := first
		if explicit {
			for _, d := range dots {
				if w, _ := h.find(k, d); w.value == value {
					shown = w
					break
				}
			}
		} else {
			value = first.value
			for _, d := range dots[1:] {
				if w, _ := h.find(k, d); w.value != value && k.ID != conflict.FieldLife {
					return Version{}, fmt.Errorf("approved version %d of %v: field %v has several values and none is named", a.Seq, a.Record, k)
				}
			}
		}
		from := h.origin(shown).origin
		v.Fields[k] = Approved{Value: value, Dots: dots, Author: from.Author, At: from.At, Received: from.Received, Source: from.Source}
		if k.ID == conflict.FieldLife {
			v.Deleted = isDeletion(value)
		}
	}
	if n := a.Dots.Count(); n != uint64(found) {
		return Version{}, fmt.Errorf("approved version %d of %v: %d of %d writes are in the history", a.Seq, a.Record, found, n)
	}
	return v, nil
}

// keys returns the fields of v in order.
func (v Version) keys() []conflict.FieldKey {
	return slices.SortedFunc(maps.Keys(v.Fields), conflict.FieldKey.Compare)
}

// hash binds the version's content: record, definition, and per field the
// sorted dots with the hashes of what they wrote and the approved value.
func (v Version) hash(h *history) store.Hash {
	b := binary.AppendUvarint(append([]byte("wardbook approval 1\n"), v.Record.String()...), uint64(v.Definition))
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	for _, k := range v.keys() {
		f := v.Fields[k]
		b = binary.AppendUvarint(b, uint64(k.ID))
		text(k.Elem)
		b = binary.AppendUvarint(b, uint64(len(f.Dots)))
		for _, d := range f.Dots {
			w, _ := h.find(k, d)
			sum := sha256.Sum256([]byte(w.value))
			text(d.String())
			b = append(b, sum[:]...)
		}
		text(string(f.Value))
	}
	return sha256.Sum256(b)
}
