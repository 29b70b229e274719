package ledger

import (
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// batch is the work of one call in one transaction.
type batch struct {
	l     *Ledger
	t     Tables
	a     Author
	epoch Epoch
	r     *Replica
	now   int64
	out   *Outcome

	positions   map[string]uint64             // of units moved on
	heads       map[protocol.Stream]uint64    // of streams touched
	acked       map[conflict.ReplicaID]uint64 // of replicas that contexts name
	quarantined []Quarantine                  // of r, read once
	readTrouble bool
	brakes      map[string]*brake // by unit, of units that this push empties something of
	passed      uint64            // counter up to which the brake lets through
	moves       []Move
	past        []Rights // of the author, read once
	readPast    bool
	changes     []UnitChange // of lists, read once
	readChanges bool
	body, state []byte // memory for what is handed to Tables
	records     record.Memory
}

// prefetcher is a Tables that can read many records at once, for which
// Record is then only asked to look.
type prefetcher interface {
	Prefetch(ids []conflict.RecordID) error
}

// prefetch reads the rows that the changesets of a push touch.
func (b *batch) prefetch(changesets []record.Changeset) error {
	p, ok := b.t.(prefetcher)
	if !ok || len(changesets) < 2 {
		return nil
	}
	ids := make([]conflict.RecordID, 0, len(changesets))
	for i := range changesets {
		if changesets[i].Dot.Counter > b.r.Acked {
			for j := range changesets[i].Edits {
				ids = append(ids, changesets[i].Edits[j].Record)
			}
		}
	}
	return p.Prefetch(ids)
}

// repeat meets a changeset that was stored before. It reports whether the dot
// came with another content, which means that two stores share one identity.
func (b *batch) repeat(c record.Changeset) (forked bool, err error) {
	in, ok, err := b.t.Intake(b.r.No, c.Dot.Counter)
	if err != nil {
		return false, err
	}
	if ok && in.Counter == c.Dot.Counter {
		same := in.Hash == c.Hash()
		if !same {
			if same, err = b.sameButErased(&in, c); err != nil {
				return false, err
			}
		}
		if same {
			b.out.Repeats++
			return false, b.refuseAgain(in)
		}
	}
	stored, err := b.t.Stored(b.r.No, 0, storedLimit)
	if err != nil {
		return false, err
	}
	// The device leaves this replica id behind and will hear no more of it.
	if b.r.Trouble {
		entries, err := b.t.Quarantined(b.r.No)
		if err != nil {
			return false, err
		}
		b.out.Refusals = nil
		for _, q := range entries {
			b.out.Refusals = append(b.out.Refusals, RefusalOf(q))
		}
	}
	b.out.Forked = &protocol.Welcome{Verdict: protocol.Forked, Epoch: b.epoch.Token,
		At: b.now, Stored: stored}
	return true, nil
}

// refuseAgain tells again of a repeated changeset that it is in quarantine: its
// device may have missed both refusal and receipt.
func (b *batch) refuseAgain(in Intake) error {
	if !b.r.Trouble {
		return nil
	}
	entries, err := b.t.Quarantined(b.r.No)
	if err != nil {
		return err
	}
	for _, q := range entries {
		if q.Counter == in.Counter {
			b.out.Again = append(b.out.Again, RefusalOf(q))
		}
	}
	return nil
}

// take stores a changeset, then judges it, then applies it or keeps it aside.
func (b *batch) take(c record.Changeset) error {
	b.body = record.AppendChangeset(b.body[:0], c)
	in := Intake{Replica: b.r.No, Counter: c.Dot.Counter, Count: uint64(c.Len()), Hash: record.HashOf(b.body),
		Unit: c.Unit, Received: b.now, Bytes: b.body}
	erased, err := b.eraseFrom(&c)
	if err != nil {
		return err
	}
	if erased > 0 {
		b.body = record.AppendChangeset(b.body[:0], c)
		in.Bytes = b.body
	}
	if err := b.comesWhole(&c); err != nil {
		return err
	}
	var rows []*Row
	var refusal *protocol.Error
	if erased < len(c.Edits) {
		if rows, refusal, err = b.judge(c); err != nil {
			return err
		}
		if refusal == nil {
			refusal, err = b.held(&c)
		}
		if err != nil {
			return err
		}
	}
	if refusal == nil && rows != nil {
		if refusal, err = tooLarge(c, rows); err != nil {
			return err
		}
	}
	var few [4]conflict.RecordID
	records := few[:0]
	for i := range c.Edits {
		records = append(records, c.Edits[i].Record)
	}
	if refusal != nil {
		// The records that a refused changeset names may not exist, or not be
		// its author's to name.
		records = nil
	}
	if err := b.t.AppendIntake(&in, records); err != nil {
		return err
	}
	b.r.Acked = in.Counter + in.Count - 1
	if refusal != nil {
		unit, err := b.watch(&c)
		if err != nil {
			return err
		}
		return b.aside(in, unit, c.Author, refusal)
	}
	if rows == nil {
		return nil // all that it says is of records that were erased
	}
	b.out.Applied++
	return b.apply(c, rows)
}

// comesWhole drops the entries in quarantine of single writes of c, which were given
// back while its author's account was closed: c itself comes now, and is judged.
func (b *batch) comesWhole(c *record.Changeset) error {
	if !b.epoch.Restored || !b.r.Trouble {
		return nil
	}
	entries, err := b.t.Quarantined(b.r.No)
	if err != nil {
		return err
	}
	last := c.Last().Counter
	for _, q := range entries {
		if q.Counter < c.Dot.Counter || q.Counter > last || q.Settled != "" {
			continue
		}
		if err := b.t.DropQuarantine(b.r.No, q.Counter); err != nil {
			return err
		}
	}
	b.readTrouble = false
	return nil
}

func (b *batch) aside(in Intake, unit, author string, why *protocol.Error) error {
	q := Quarantine{Replica: in.Replica, Counter: in.Counter, Count: in.Count, Unit: unit, Author: author,
		Code: why.Code, Detail: why.Detail, At: b.now}
	if err := b.t.PutQuarantine(&q); err != nil {
		return err
	}
	b.r.Trouble = true
	if b.readTrouble {
		b.quarantined = append(b.quarantined, q)
	}
	b.out.Refusals = append(b.out.Refusals, RefusalOf(q))
	return nil
}

// judge decides whether c may be applied, and returns the rows it touches, nil
// for records that were erased. The refusal is nil if it may.
func (b *batch) judge(c record.Changeset) ([]*Row, *protocol.Error, error) {
	refuse := func(code protocol.Code, detail string) ([]*Row, *protocol.Error, error) {
		return nil, &protocol.Error{Code: code, Detail: detail}, nil
	}
	switch err := c.Validate(); {
	case err != nil:
		return refuse(protocol.Malformed, "")
	case b.a.Revoked:
		return refuse(protocol.Revoked, "")
	case c.Author != b.a.Account:
		return refuse(protocol.Forbidden, "author")
	}
	switch ok, err := b.may(c.Unit, protocol.Basic, c.Dot.Counter); {
	case err != nil:
		return nil, nil, err
	case !ok:
		return refuse(protocol.Forbidden, "unit")
	}
	rows := make([]*Row, len(c.Edits))
	for i, e := range c.Edits {
		if erased, err := b.t.Erased(e.Record); err != nil {
			return nil, nil, err
		} else if erased {
			continue
		}
		def, ok := b.l.cfg.Definition(e.Register)
		if !ok {
			return refuse(protocol.UnknownRegister, e.Register)
		}
		row, refusal, err := b.judgeRecord(c, i)
		if err != nil || refusal != nil {
			return nil, refusal, err
		}
		rows[i] = row
		for _, w := range e.Writes {
			code, err := b.judgeWrite(c, def, w)
			if err != nil {
				return nil, nil, err
			}
			if code != protocol.OK {
				return refuse(code, e.Record.String()+" "+w.Key.String())
			}
		}
	}
	return rows, nil, nil
}

func (b *batch) judgeRecord(c record.Changeset, i int) (*Row, *protocol.Error, error) {
	e := c.Edits[i]
	row, ok, err := b.t.Record(e.Record)
	if err != nil {
		return nil, nil, err
	}
	if ok {
		if row.Unit != c.Unit {
			late, err := b.late(&c, &row)
			if err != nil {
				return nil, nil, err
			}
			if !late {
				return nil, &protocol.Error{Code: protocol.WrongUnit, Detail: e.Record.String()}, nil
			}
		}
		switch {
		case row.Register != e.Register:
			return nil, &protocol.Error{Code: protocol.UnknownRecord, Detail: e.Record.String()}, nil
		}
		return &row, nil, nil
	}
	// After a restore an edit may come back before the changeset that created
	// its record: the row begins with what is there.
	if !c.Creates(i) && !b.epoch.Restored {
		code := protocol.UnknownRecord
		held, err := b.isAside(e.Record)
		if err != nil {
			return nil, nil, err
		}
		if held {
			code = protocol.Dependent
		}
		return nil, &protocol.Error{Code: code, Detail: e.Record.String()}, nil
	}
	unit, err := b.begins(&c)
	return &Row{ID: e.Record, Register: e.Register, Unit: unit}, nil, err
}

func (b *batch) judgeWrite(c record.Changeset, def *register.Definition, w record.Write) (protocol.Code, error) {
	class := ClassOf(def, w.Key.ID)
	if class != protocol.Basic {
		if ok, err := b.may(c.Unit, class, c.Dot.Counter); err != nil || !ok {
			return protocol.Forbidden, err
		}
	}
	if w.Key.ID == conflict.FieldLife {
		life, err := conflict.ParseLife(w.Value)
		if err != nil {
			return protocol.Malformed, nil
		}
		if life.Deleted && hasSensitive(def) {
			if ok, err := b.may(c.Unit, protocol.Sensitive, c.Dot.Counter); err != nil || !ok {
				return protocol.Partial, err
			}
		}
	}
	if w.Key.ID == conflict.FieldHome {
		switch h, err := record.ParseHome(w.Value); {
		case err != nil:
			return protocol.Malformed, nil
		case h.Accepted || h.Returned: // a supervisor's word, through the API
			return protocol.Forbidden, nil
		case b.l.cfg.IsUnit != nil && !b.l.cfg.IsUnit(h.Unit):
			return protocol.WrongUnit, nil
		}
	}
	if w.Key.ID == conflict.FieldTwin && record.CheckTwin(w) != nil {
		return protocol.Malformed, nil
	}
	for d := range w.Context.All() {
		known, err := b.ackedOf(d.Replica)
		if err != nil {
			return 0, err
		}
		if d.Replica == c.Dot.Replica {
			known = c.Dot.Counter - 1 // its own earlier writes, this push's included
			held, err := b.isAside(d)
			if err != nil {
				return 0, err
			}
			if held {
				return protocol.Dependent, nil
			}
		}
		// After a restore contexts may name writes that are yet to be given
		// back; before it, nobody can have seen what was never stored.
		if d.Counter > known && !b.epoch.Restored {
			return protocol.ContextAhead, nil
		}
	}
	return protocol.OK, nil
}

// ackedOf returns the highest counter that anyone can have seen of a replica.
func (b *batch) ackedOf(id conflict.ReplicaID) (uint64, error) {
	if id == b.epoch.Server {
		return b.epoch.Counter, nil
	}
	if n, ok := b.acked[id]; ok {
		return n, nil
	}
	r, _, err := b.t.Replica(id)
	if err != nil {
		return 0, err
	}
	if b.acked == nil {
		b.acked = map[conflict.ReplicaID]uint64{}
	}
	b.acked[id] = r.Acked
	return r.Acked, nil
}

// isAside reports whether d is a write that is in quarantine. Of another replica
// it is asked for a record that is not there: a copy of a store may go on with
// one that its other replica id created.
func (b *batch) isAside(d conflict.Dot) (bool, error) {
	if d.Replica != b.r.ID {
		r, ok, err := b.t.Replica(d.Replica)
		if err != nil || !ok || !r.Trouble || r.Account != b.r.Account {
			return false, err
		}
		list, err := b.t.Quarantined(r.No)
		return holds(list, d), err
	}
	if !b.r.Trouble {
		return false, nil
	}
	if !b.readTrouble {
		var err error
		if b.quarantined, err = b.t.Quarantined(b.r.No); err != nil {
			return false, err
		}
		b.readTrouble = true
	}
	return holds(b.quarantined, d), nil
}

// holds reports whether an open entry of the list contains d's counter.
func holds(list []Quarantine, d conflict.Dot) bool {
	return slices.ContainsFunc(list, func(q Quarantine) bool {
		return q.Settled == "" && q.Counter <= d.Counter && d.Counter < q.Counter+q.Count
	})
}

// apply merges a judged changeset into its records and moves each unit in which
// one of them lives on by one position.
func (b *batch) apply(c record.Changeset, rows []*Row) error {
	unit, several := "", false
	for i, row := range rows {
		if row == nil {
			continue
		}
		if unit == "" {
			unit = row.Unit
		}
		several = several || row.Unit != unit || asksHome(&c, i)
	}
	if several {
		// Positions are what an engine locks units by: in the order of their codes.
		for _, unit := range unitsOf(&c, rows) {
			if _, ok := b.positions[unit]; !ok {
				if _, err := b.t.Position(unit); err != nil {
					return err
				}
			}
		}
	}
	at := map[string]uint64(nil)
	position, err := b.nextPosition(unit)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if row == nil {
			continue
		}
		p := position
		if row.Unit != unit {
			var ok bool
			if p, ok = at[row.Unit]; !ok {
				if p, err = b.nextPosition(row.Unit); err != nil {
					return err
				}
				if at == nil {
					at = map[string]uint64{}
				}
				at[row.Unit] = p
			}
		}
		def, _ := b.l.cfg.Definition(row.Register)
		begins := len(row.State) == 0 && row.Unit != c.Unit
		if err := b.applyEdit(c, i, row, def, p); err != nil {
			return err
		}
		if begins {
			if err := b.beginsElsewhere(&c, row); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *batch) applyEdit(c record.Changeset, i int, row *Row, def *register.Definition, position uint64) error {
	var old conflict.Record
	var positions []uint64
	if len(row.State) > 0 { // else the record is being created
		var err error
		if old, positions, err = b.records.ParseState(row.State, row.ID); err != nil {
			return err
		}
	}
	merged := c.Apply(old, i, b.now)
	if b.epoch.Restored {
		merged = Stamp(merged, c, i, b.now)
	}
	writes := c.Edits[i].Writes
	byKey := func(a, b record.Write) int { return a.Key.Compare(b.Key) }
	if !slices.IsSortedFunc(writes, byKey) { // the server's own may come in any order
		writes = slices.SortedFunc(slices.Values(writes), byKey)
	}
	return b.put(row, def, old, positions, merged, position, len(writes), func(w int) conflict.FieldKey { return writes[w].Key })
}

// put keeps merged as the state of row, whose fields stood at the given
// positions before; written returns the n fields that were written at position,
// in key order.
func (b *batch) put(row *Row, def *register.Definition, old conflict.Record, positions []uint64, merged conflict.Record, position uint64,
	n int, written func(int) conflict.FieldKey) error {
	next := make([]uint64, 0, merged.Len())
	home := false // somebody asked for another home
	j, w := 0, 0
	for k := range merged.All() {
		var p uint64
		if j < old.Len() && old.At(j).Key == k {
			p = positions[j]
			j++
		}
		if w < n && written(w) == k {
			w++
			p = position
			home = home || k.ID == conflict.FieldHome
			if class := ClassOf(def, k.ID); class == protocol.Sensitive {
				row.Sensitive = position
				b.touch(protocol.Stream{Unit: row.Unit, Register: row.Register, Class: class}, position)
			} else {
				row.Position = position
			}
		}
		next = append(next, p)
	}
	if row.Position < position && row.Position == 0 {
		row.Position = position // a record with sensitive fields alone still exists for everybody
	}
	if row.Position == position {
		b.touch(protocol.Stream{Unit: row.Unit, Register: row.Register, Class: protocol.Basic}, position)
	}
	near := row.Neighbourhood
	b.state = record.AppendState(b.state[:0], merged, row.ID, next)
	row.State = b.state
	b.l.describe(row, def, merged, b.now)
	if row.Neighbourhood != near && row.Sensitive > 0 && row.Sensitive < position {
		// It enters scopes that never had its sensitive fields.
		row.Sensitive = position
		b.touch(protocol.Stream{Unit: row.Unit, Register: row.Register, Class: protocol.Sensitive}, position)
	}
	if home {
		return b.settleHome(row, merged, position)
	}
	return b.t.PutRecord(row)
}

func (b *batch) nextPosition(unit string) (uint64, error) {
	p, ok := b.positions[unit]
	if !ok {
		var err error
		if p, err = b.t.Position(unit); err != nil {
			return 0, err
		}
	}
	if b.positions == nil {
		b.positions = map[string]uint64{}
	}
	b.positions[unit] = p + 1
	return p + 1, nil
}

func (b *batch) touch(s protocol.Stream, position uint64) {
	if b.heads == nil {
		b.heads = map[protocol.Stream]uint64{}
	}
	b.heads[s] = max(b.heads[s], position)
}

func (b *batch) marks() []protocol.StreamMark {
	marks := make([]protocol.StreamMark, 0, len(b.heads))
	for s, p := range b.heads {
		marks = append(marks, protocol.StreamMark{Stream: s, Position: p})
	}
	slices.SortFunc(marks, func(x, y protocol.StreamMark) int { return x.Stream.Compare(y.Stream) })
	return marks
}

// finish writes what the batch kept to the end.
func (b *batch) finish() error {
	for unit, p := range b.positions {
		if err := b.t.SetPosition(unit, p); err != nil {
			return err
		}
	}
	b.out.Grew = b.marks()
	if len(b.moves) == 0 {
		return nil
	}
	return b.followMoves()
}
