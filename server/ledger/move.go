package ledger

import (
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Move is one record that went from one unit to another.
type Move struct {
	Record    conflict.RecordID
	Register  string
	From, To  string
	Position  uint64 // in the feed of From, under which it is told as left
	Sensitive bool   // it has fields of the sensitive class
	At        int64  // server clock, Unix milliseconds
}

// Arrival is a record that waits for its unit to accept or return it.
type Arrival struct {
	Record conflict.RecordID
	Unit   string
	From   string
	At     int64 // server clock, Unix milliseconds
}

// asksHome reports whether edit i of c writes the home field.
func asksHome(c *record.Changeset, i int) bool {
	return slices.ContainsFunc(c.Edits[i].Writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldHome })
}

// unitsOf returns the units in whose feeds c is told, in code order: where its
// records live, and where it sends them.
func unitsOf(c *record.Changeset, rows []*Row) []string {
	var units []string
	for i, row := range rows {
		if row == nil {
			continue
		}
		units = append(units, row.Unit)
		for _, w := range c.Edits[i].Writes {
			if w.Key.ID != conflict.FieldHome {
				continue
			}
			if h, err := record.ParseHome(w.Value); err == nil {
				units = append(units, h.Unit)
			}
		}
	}
	slices.Sort(units)
	return slices.Compact(units)
}

// settleHome does what the home field of a record asks for, once a write of it
// was merged. left is the position of that write in the feed of the record's
// unit. It puts the row.
func (b *batch) settleHome(row *Row, merged conflict.Record, left uint64) error {
	home, ok := record.HomeOf(merged)
	if ok {
		to, err := b.resolve(home.Unit)
		if err != nil {
			return err
		}
		if to != row.Unit {
			return b.move(row, merged, to, left)
		}
	}
	if err := b.t.PutRecord(row); err != nil {
		return err
	}
	if !record.Arrived(merged) {
		return b.t.DropArrival(row.ID)
	}
	return b.t.PutArrival(&Arrival{Record: row.ID, Unit: row.Unit, From: home.From, At: b.now})
}

// move takes a record out of its unit's feed and tells it whole in another's.
func (b *batch) move(row *Row, merged conflict.Record, to string, left uint64) error {
	m := Move{Record: row.ID, Register: row.Register, From: row.Unit, To: to, Position: left, Sensitive: row.Sensitive > 0, At: b.now}
	arrived, err := b.nextPosition(to)
	if err != nil {
		return err
	}
	touch := func(unit string, position uint64) {
		b.touch(protocol.Stream{Unit: unit, Register: row.Register, Class: protocol.Basic}, position)
		if m.Sensitive {
			b.touch(protocol.Stream{Unit: unit, Register: row.Register, Class: protocol.Sensitive}, position)
		}
	}
	touch(m.From, left)
	touch(m.To, arrived)
	row.Unit, row.Position = to, arrived
	if m.Sensitive {
		row.Sensitive = arrived
	}
	positions := make([]uint64, merged.Len())
	for i := range positions {
		positions[i] = arrived
	}
	row.State = record.AppendState(nil, merged, row.ID, positions)
	if err := b.t.PutRecord(row); err != nil {
		return err
	}
	if err := b.t.PutMove(&m); err != nil {
		return err
	}
	if record.Arrived(merged) {
		err = b.t.PutArrival(&Arrival{Record: row.ID, Unit: to, From: m.From, At: b.now})
	} else {
		err = b.t.DropArrival(row.ID)
	}
	if err != nil {
		return err
	}
	b.moves = append(b.moves, m)
	return nil
}

// followMoves lets what follows from the batch's moves happen, once its own
// positions are set.
func (b *batch) followMoves() error {
	b.out.Moved = len(b.moves)
	if b.l.cfg.Moved == nil {
		return nil
	}
	for _, m := range b.moves {
		grew, err := b.l.cfg.Moved(b.t, m)
		if err != nil {
			return fmt.Errorf("move of %v to %s: %w", m.Record, m.To, err)
		}
		for _, g := range grew {
			b.touch(g.Stream, g.Position)
		}
	}
	b.out.Grew = b.marks()
	return nil
}

// late reports whether a changeset that names unit may be applied to a record
// that lives elsewhere now: it lived there, and the device that made the
// changeset had not been told that it left.
func (b *batch) late(c *record.Changeset, row *Row) (bool, error) {
	left, ok, err := b.t.Departed(row.ID, c.Unit)
	if err != nil || !ok {
		return false, err
	}
	told, ok, err := toldBefore(b.r.Told, c.Dot.Counter)
	if err != nil || !ok {
		return err == nil, err
	}
	return told.position(protocol.Stream{Unit: c.Unit, Register: row.Register}) < left, nil
}

// Send writes that records of one unit are to live where home says, on behalf of
// a person, and so moves them, all or none. With home.Accepted set it takes
// arrived records over. The caller has judged whether the person may.
func (l *Ledger) Send(t Tables, unit, author string, ids []conflict.RecordID, home record.Home) (record.Changeset, []protocol.StreamMark, error) {
	edits := make([]record.Edit, len(ids))
	k := conflict.Key(conflict.FieldHome)
	for i, id := range ids {
		row, ok, err := t.Record(id)
		if err != nil {
			return record.Changeset{}, nil, err
		}
		if !ok || row.Unit != unit {
			return record.Changeset{}, nil, fmt.Errorf("record %v: %w", id, &protocol.Error{Code: protocol.UnknownRecord})
		}
		r, _, err := record.ParseState(row.State, id)
		if err != nil {
			return record.Changeset{}, nil, fmt.Errorf("record %v: %w", id, err)
		}
		def, ok := l.cfg.Definition(row.Register)
		if !ok {
			return record.Changeset{}, nil, fmt.Errorf("record %v: %w", id, &protocol.Error{Code: protocol.UnknownRegister, Detail: row.Register})
		}
		edits[i] = record.Edit{Record: id, Register: row.Register, Definition: def.Version,
			Writes: []record.Write{{Key: k, Context: r.Field(k).Vector(), Value: home.Value()}}}
	}
	return l.Write(t, unit, author, edits)
}
