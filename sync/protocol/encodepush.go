package protocol

import (
	"fmt"

	"wardbook/conflict"
)

// The columns of a Push, in the order in which they stand.
const (
	// Per changeset.
	pushSkip   = colOwn + iota // counters left out before it
	pushAt                     // device time against the changeset's before
	pushUnit                   // text
	pushAuthor                 // text
	pushEdits                  // how many
	// Per edit.
	pushRecord        // 0 its own first dot creates it, else 1 + replica
	pushRecordCounter // unless it creates: against the replica's last record
	pushRegister      // text
	pushDefinition
	pushSource
	pushWrites // how many
	// Per write.
	pushKey
	pushElem
	pushContext        // see the constants below
	pushContextReplica // per entry told at length
	pushContextCounter // per entry
	// Per value, in the order of groups.
	pushLength
	pushValue

	pushColumns
)

// How a context is told.
const (
	contextNone = 0 // the author had seen nothing
	contextSame = 1 // as the write before, which is not empty
	contextOne  = 2 // one write of the record's own replica
	contextLong = 2 // 2 + n: n entries
)

func (p *Push) append(dst []byte, pack bool) []byte {
	c := newColumns(pushColumns)
	defer c.release()
	if len(p.Changesets) == 0 {
		return c.append(append(dst, 0, 0, 0, 0, 0), pack)
	}
	first := p.Changesets[0].Dot
	c.replicas.place(first.Replica)
	expected := first.Counter
	var at int64
	var before conflict.Vector
	edits, writes := 0, 0
	for i := range p.Changesets {
		s := &p.Changesets[i]
		if s.Dot.Replica != first.Replica || s.Dot.Counter < expected {
			panic(fmt.Sprintf("encode push: changeset %v does not follow %d of %v", s.Dot, expected, first.Replica))
		}
		c.put(pushSkip, s.Dot.Counter-expected)
		c.delta(pushAt, uint64(at), uint64(s.At))
		at = s.At
		c.text(pushUnit, s.Unit)
		c.text(pushAuthor, s.Author)
		c.put(pushEdits, uint64(len(s.Edits)))
		edits += len(s.Edits)
		counter := s.Dot.Counter
		for j := range s.Edits {
			e := &s.Edits[j]
			own := conflict.Dot{Replica: first.Replica, Counter: counter}
			place := 0
			if e.Record == own {
				c.put(pushRecord, 0)
			} else {
				place = c.replicas.place(e.Record.Replica)
				c.put(pushRecord, uint64(place)+1)
				c.delta(pushRecordCounter, c.replicas.list[place].record, e.Record.Counter)
			}
			c.replicas.list[place].record = e.Record.Counter
			c.text(pushRegister, e.Register)
			c.put(pushDefinition, uint64(e.Definition))
			c.put(pushSource, uint64(e.Source))
			c.put(pushWrites, uint64(len(e.Writes)))
			writes += len(e.Writes)
			var id conflict.FieldID
			a := newAnchor(e.Record)
			for k := range e.Writes {
				w := &e.Writes[k]
				c.key(pushKey, pushElem, id, w.Key)
				id = w.Key.ID
				c.context(w.Context, before, &a, place, id, counter)
				before = w.Context
				c.value(id, w.Value)
				counter++
			}
		}
		expected = counter
	}
	c.putValues(pushLength, pushValue)
	c.finish()
	dst = appendNumber(dst, first.Counter)
	dst = appendNumber(dst, expected-first.Counter)
	dst = appendNumber(dst, uint64(len(p.Changesets)))
	dst = appendNumber(dst, uint64(edits))
	dst = appendNumber(dst, uint64(writes))
	return c.append(dst, pack)
}

// context puts the context of the write with the given counter, of field id of
// a record that the replica at place created.
func (c *columns) context(v, before conflict.Vector, a *anchor, place int, id conflict.FieldID, counter uint64) {
	switch {
	case v.Len() == 0:
		c.put(pushContext, contextNone)
		return
	case v.Equal(before):
		c.put(pushContext, contextSame)
		return
	case v.Len() == 1 && v.Counter(c.replicas.list[place].id) != 0:
		c.put(pushContext, contextOne)
		n := v.Counter(c.replicas.list[place].id)
		c.delta(pushContextCounter, a.expect(id), n)
		a.move(id, n)
		return
	}
	c.put(pushContext, contextLong+uint64(v.Len()))
	expect := a.expect(id)
	for d := range v.All() {
		i := c.replicas.place(d.Replica)
		c.put(pushContextReplica, uint64(i))
		switch s := &c.replicas.list[i]; i {
		case place:
			c.delta(pushContextCounter, expect, d.Counter)
			a.move(id, d.Counter)
		case 0:
			c.delta(pushContextCounter, counter, d.Counter)
		default:
			c.delta(pushContextCounter, s.write, d.Counter)
			s.write = d.Counter
		}
	}
}
