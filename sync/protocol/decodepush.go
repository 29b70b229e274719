package protocol

import (
	"math"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// PushHead reads from the bytes of a Push which counters it takes, without
// reading the rest: first and the count-1 after it, and in how many changesets.
// ok is false if b is no Push or its head claims what no Push holds. With it the
// server can put a push that it cannot decode into quarantine by its numbers, so
// that it does not block what follows.
func PushHead(b []byte) (first, count, changesets uint64, ok bool) {
	var r reading
	if len(b) == 0 || Kind(b[0]) != KindPush {
		return 0, 0, 0, false
	}
	s := source{b: string(b[:min(len(b), 64)]), off: 1, bad: &r.bad}
	first, count, changesets = pushHead(&s)
	if r.bad || count == 0 {
		return 0, 0, 0, false
	}
	return first, count, changesets, true
}

// maxSpan is the greatest number of counters that one Push may take.
const maxSpan = MaxDecoded / weightWrite

func pushHead(s *source) (first, span, changesets uint64) {
	first = s.limited(math.MaxInt64 - 2*maxSpan)
	span = s.limited(maxSpan)
	changesets = s.limited(MaxDecoded / weightChangeset)
	if (first == 0) != (span == 0) || (span == 0) != (changesets == 0) {
		*s.bad = true
	}
	return first, span, changesets
}

func (r *reading) push(s *source) *Push {
	first, span, changesets := pushHead(s)
	edits, writes := s.number(), s.number()
	r.charge(changesets, weightChangeset)
	r.charge(edits, weightEdit)
	r.charge(writes, weightWrite)
	if r.bad {
		return nil
	}
	r.unpack(s, pushColumns)
	r.tables()
	if r.bad {
		return nil
	}
	p := &Push{}
	if changesets == 0 {
		if edits > 0 || writes > 0 {
			r.bad = true
		}
		return p
	}
	r.known = 1
	if len(r.replicas.list) == 0 {
		r.bad = true
		return nil
	}
	replica := r.replicas.list[0].id
	p.Changesets = make([]record.Changeset, changesets)
	allEdits, allWrites := make([]record.Edit, edits), make([]record.Write, writes)
	values := allWrites
	expected := first
	var at uint64
	var before conflict.Vector
	for i := range p.Changesets {
		c := &p.Changesets[i]
		skip := r.get(pushSkip)
		if skip > first+span-expected || i == 0 && skip != 0 {
			r.bad = true
			return nil
		}
		c.Dot = conflict.Dot{Replica: replica, Counter: expected + skip}
		at = r.delta(pushAt, at)
		c.At = int64(at)
		c.Unit = r.text(pushUnit)
		c.Author = r.text(pushAuthor)
		c.Edits = cut(r, &allEdits, r.get(pushEdits))
		counter := c.Dot.Counter
		for j := range c.Edits {
			if r.bad {
				return nil
			}
			e := &c.Edits[j]
			own := conflict.Dot{Replica: replica, Counter: counter}
			place := r.record(e, own)
			e.Register = r.text(pushRegister)
			e.Definition = uint32(r.cols[pushDefinition].limited(math.MaxUint32))
			e.Source = conflict.Source(r.cols[pushSource].limited(math.MaxUint8))
			e.Writes = cut(r, &allWrites, r.get(pushWrites))
			var id conflict.FieldID
			a := newAnchor(e.Record)
			for k := range e.Writes {
				w := &e.Writes[k]
				w.Key = r.key(pushKey, pushElem, id)
				id = w.Key.ID
				w.Context = r.context(before, &a, place, id, counter)
				before = w.Context
				r.groups.add(id)
				counter++
			}
		}
		expected = counter
	}
	if expected != first+span || len(allEdits) > 0 || len(allWrites) > 0 {
		r.bad = true
	}
	if r.bad {
		return nil
	}
	for i := range r.groups.all {
		values[i].Value = r.value(pushLength, pushValue)
	}
	return p
}

// cut takes n of what is left of all. A part is never empty.
func cut[T any](r *reading, all *[]T, n uint64) []T {
	if n == 0 || n > uint64(len(*all)) {
		r.bad = true
		return nil
	}
	part := (*all)[:n:n]
	*all = (*all)[n:]
	return part
}

// record reads the record of an edit and returns its replica's place.
func (r *reading) record(e *record.Edit, own conflict.Dot) int {
	h := r.get(pushRecord)
	if h == 0 {
		e.Record = own
		r.replicas.list[0].record = own.Counter
		return 0
	}
	s := r.seat(h - 1)
	s.record = r.delta(pushRecordCounter, s.record)
	e.Record = conflict.Dot{Replica: s.id, Counter: s.record}
	if e.Record == own {
		r.bad = true
	}
	return int(h - 1)
}

// context reads what columns.context put.
func (r *reading) context(before conflict.Vector, a *anchor, place int, id conflict.FieldID, counter uint64) conflict.Vector {
	h := r.get(pushContext)
	var dots []conflict.Dot
	switch h {
	case contextNone:
		return conflict.Vector{}
	case contextSame:
		r.charge(uint64(before.Len()), weightEntry)
		if before.Len() == 0 {
			r.bad = true
		}
		return before
	case contextOne:
		r.charge(1, weightEntry)
		if r.bad {
			return conflict.Vector{}
		}
		n := r.delta(pushContextCounter, a.expect(id))
		a.move(id, n)
		dots = []conflict.Dot{{Replica: r.replicas.list[place].id, Counter: n}}
	default:
		n := h - contextLong
		r.charge(n, weightEntry)
		if r.bad {
			return conflict.Vector{}
		}
		dots = make([]conflict.Dot, n)
		expect := a.expect(id)
		for j := range dots {
			i := r.get(pushContextReplica)
			s := r.seat(i)
			if r.bad {
				return conflict.Vector{}
			}
			var n uint64
			switch int(i) {
			case place:
				n = r.delta(pushContextCounter, expect)
				a.move(id, n)
			case 0:
				n = r.delta(pushContextCounter, counter)
			default:
				n = r.delta(pushContextCounter, s.write)
				s.write = n
			}
			dots[j] = conflict.Dot{Replica: s.id, Counter: n}
		}
		if len(dots) == 1 && dots[0].Replica == r.replicas.list[place].id {
			r.bad = true // a shorter form exists
		}
	}
	v, err := conflict.VectorOf(dots)
	if err != nil || v.Equal(before) {
		r.bad = true
	}
	return v
}
