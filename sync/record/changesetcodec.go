package record

import (
	"encoding/binary"
	"fmt"
	"math"

	"wardbook/conflict"
)

// changesetFormat opens the canonical bytes of a changeset.
const changesetFormat = 1

// How a write's context is told; greater numbers are a length above contextLong.
const (
	contextNone = 0 // the author had seen nothing
	contextSame = 1 // the context of the write before, which is not empty
	contextLong = 1 // 1 + n: n entries follow
)

// AppendChangeset appends the canonical bytes of c to dst. Equal changesets
// have equal bytes. ParseChangeset reads them back if c.Validate finds nothing
// and they are no more than MaxBytes.
func AppendChangeset(dst []byte, c Changeset) []byte {
	dst = append(dst, changesetFormat)
	dst = append(dst, c.Dot.Replica[:]...)
	dst = binary.AppendUvarint(dst, c.Dot.Counter)
	dst = appendText(dst, c.Unit)
	dst = appendText(dst, c.Author)
	dst = binary.AppendUvarint(dst, zigzag(c.At))
	dst = binary.AppendUvarint(dst, uint64(len(c.Edits)))
	replicas := newSeats(c.Dot.Replica, 0)
	var registers names
	counter := c.Dot.Counter
	var before conflict.Vector
	for i := range c.Edits {
		e := &c.Edits[i]
		var at int
		dst, at = replicas.append(dst, e.Record.Replica)
		if at == 0 {
			dst = binary.AppendUvarint(dst, counter-e.Record.Counter)
		} else {
			dst = binary.AppendUvarint(dst, e.Record.Counter)
		}
		dst = registers.append(dst, e.Register)
		dst = binary.AppendUvarint(dst, uint64(e.Definition))
		dst = binary.AppendUvarint(dst, uint64(e.Source))
		dst = binary.AppendUvarint(dst, uint64(len(e.Writes)))
		var id conflict.FieldID
		for j := range e.Writes {
			w := &e.Writes[j]
			dst = appendKey(dst, id, w.Key)
			id = w.Key.ID
			switch {
			case w.Context.Len() == 0:
				dst = append(dst, contextNone)
			case w.Context.Equal(before):
				dst = append(dst, contextSame)
			default:
				dst = binary.AppendUvarint(dst, contextLong+uint64(w.Context.Len()))
				for d := range w.Context.All() {
					dst, at = replicas.append(dst, d.Replica)
					if at == 0 {
						dst = binary.AppendUvarint(dst, counter-d.Counter)
					} else {
						r := &replicas.list[at]
						dst = appendDelta(dst, r.last, d.Counter)
						r.last = d.Counter
					}
				}
			}
			before = w.Context
			dst = appendText(dst, string(w.Value))
			counter++
		}
	}
	return dst
}

// appendKey appends the step from field id before to key k: the difference
// shifted left by one, the lowest bit telling that an element follows.
func appendKey(dst []byte, before conflict.FieldID, k conflict.FieldKey) []byte {
	step := uint64(k.ID-before) << 1
	if k.Elem == "" {
		return binary.AppendUvarint(dst, step)
	}
	return appendText(binary.AppendUvarint(dst, step|1), k.Elem)
}

// readKey reads what appendKey wrote.
func (w *wire) key(before conflict.FieldID) conflict.FieldKey {
	step := w.limited(uint64(math.MaxUint16-before)<<1 | 1)
	k := conflict.FieldKey{ID: before + conflict.FieldID(step>>1)}
	if step&1 != 0 {
		k.Elem = w.text(MaxValueBytes)
		if k.Elem == "" {
			w.fail()
		}
	}
	return k
}

// ParseChangeset reads canonical bytes: exactly what AppendChangeset writes of
// a changeset that Validate accepts. The error wraps ErrTooLarge, ErrMalformed
// or ErrChangeset. The changeset does not share memory with b.
func ParseChangeset(b []byte) (Changeset, error) {
	if len(b) > MaxBytes {
		return Changeset{}, fmt.Errorf("parse changeset: %d bytes, at most %d: %w", len(b), MaxBytes, ErrTooLarge)
	}
	w := wire{b: string(b)}
	c := w.changeset()
	if w.bad || w.left() > 0 {
		return Changeset{}, fmt.Errorf("parse changeset at byte %d of %d: %w", w.off, len(b), ErrMalformed)
	}
	if err := c.Validate(); err != nil {
		return Changeset{}, fmt.Errorf("parse changeset: %w", err)
	}
	return c, nil
}

// ParseOwn reads canonical bytes that the server stored itself, of a device's
// changeset that was judged or of one of its own, which alone may write the
// review field. Validate is not asked again.
func ParseOwn(b []byte) (Changeset, error) {
	w := wire{b: string(b)}
	c := w.changeset()
	if w.bad || w.left() > 0 {
		return Changeset{}, fmt.Errorf("parse stored changeset at byte %d of %d: %w", w.off, len(b), ErrMalformed)
	}
	return c, nil
}

func (w *wire) changeset() Changeset {
	var c Changeset
	if w.byte() != changesetFormat {
		w.fail()
	}
	copy(c.Dot.Replica[:], w.take(len(c.Dot.Replica)))
	c.Dot.Counter = w.uvarint()
	c.Unit = w.text(MaxName)
	c.Author = w.text(MaxName)
	c.At = unzigzag(w.uvarint())
	n := w.limited(MaxEdits)
	if w.bad {
		return c
	}
	replicas := newSeats(c.Dot.Replica, 0)
	var registers names
	c.Edits = make([]Edit, n)
	counter := c.Dot.Counter
	writes := uint64(MaxWrites)
	var before conflict.Vector
	for i := range c.Edits {
		e := &c.Edits[i]
		at := replicas.read(w)
		e.Record = conflict.Dot{Replica: replicas.list[at].id, Counter: w.uvarint()}
		if at == 0 {
			e.Record.Counter = counter - e.Record.Counter
		}
		e.Register = registers.read(w)
		e.Definition = uint32(w.limited(math.MaxUint32))
		e.Source = conflict.Source(w.limited(math.MaxUint8))
		n := w.limited(min(writes, uint64(w.left())/3)) // a write has at least three bytes
		if w.bad {
			return c
		}
		writes -= n
		e.Writes = make([]Write, n)
		var id conflict.FieldID
		for j := range e.Writes {
			v := &e.Writes[j]
			v.Key = w.key(id)
			id = v.Key.ID
			v.Context = w.context(replicas, before, counter)
			before = v.Context
			v.Value = conflict.Value(w.text(MaxValueBytes))
			if w.bad {
				return c
			}
			counter++
		}
	}
	return c
}

// context reads the context of the write with the given counter.
func (w *wire) context(replicas *seats, before conflict.Vector, counter uint64) conflict.Vector {
	n := w.limited(contextLong + MaxContext)
	switch n {
	case contextNone:
		return conflict.Vector{}
	case contextSame:
		if before.Len() == 0 {
			w.fail()
		}
		return before
	}
	n -= contextLong
	if n > uint64(w.left())/2 { // an entry has at least two bytes
		w.fail()
		return conflict.Vector{}
	}
	dots := make([]conflict.Dot, n)
	for i := range dots {
		at := replicas.read(w)
		r := &replicas.list[at]
		if at == 0 {
			dots[i] = conflict.Dot{Replica: r.id, Counter: counter - w.uvarint()}
		} else {
			r.last = w.delta(r.last)
			dots[i] = conflict.Dot{Replica: r.id, Counter: r.last}
		}
	}
	if w.bad {
		return conflict.Vector{}
	}
	v, err := conflict.VectorOf(dots)
	if err != nil || v.Equal(before) {
		w.fail()
	}
	return v
}
