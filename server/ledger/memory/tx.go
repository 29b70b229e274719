package memory

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

var _ ledger.Tables = (*Tx)(nil)

// Tx is the open transaction of a DB.
type Tx struct {
	db   *DB
	undo []func()
	done bool
}

var errDone = errors.New("transaction used after its end")

// Commit ends the transaction and keeps its work.
func (t *Tx) Commit() { t.end() }

// Rollback ends the transaction and takes its work back. After Commit it does
// nothing.
func (t *Tx) Rollback() {
	if t.done {
		return
	}
	for _, f := range slices.Backward(t.undo) {
		f()
	}
	t.end()
}

func (t *Tx) end() {
	if !t.done {
		t.done, t.undo, t.db.open = true, nil, false
	}
}

// Wrote reports whether the transaction changed anything.
func (t *Tx) Wrote() bool { return len(t.undo) > 0 }

func (t *Tx) onRollback(f func()) { t.undo = append(t.undo, f) }

// put sets m[k] = v until a rollback.
func put[K comparable, V any](t *Tx, m map[K]V, k K, v V) {
	old, had := m[k]
	t.onRollback(func() {
		if had {
			m[k] = old
		} else {
			delete(m, k)
		}
	})
	m[k] = v
}

// Epoch returns the present epoch.
func (t *Tx) Epoch() (ledger.Epoch, error) {
	if t.done {
		return ledger.Epoch{}, errDone
	}
	return t.db.epochs[len(t.db.epochs)-1], nil
}

// SetServerCounter keeps the counter of the server's last own write.
func (t *Tx) SetServerCounter(counter uint64) error {
	if t.done {
		return errDone
	}
	e := &t.db.epochs[len(t.db.epochs)-1]
	old := e.Counter
	t.onRollback(func() { e.Counter = old })
	e.Counter = counter
	return nil
}

// Fork returns how far an earlier epoch agrees with the present one: the least
// of the forks since then.
func (t *Tx) Fork(epoch protocol.Token, unit string) (uint64, bool, error) {
	if t.done {
		return 0, false, errDone
	}
	first := slices.IndexFunc(t.db.epochs, func(e ledger.Epoch) bool { return e.Token == epoch })
	if first < 0 {
		return 0, false, nil
	}
	position, any := uint64(0), false
	for _, e := range t.db.epochs[first:] {
		if p, ok := t.db.forks[forkKey{e.Token, unit}]; ok && (!any || p < position) {
			position, any = p, true
		}
	}
	return position, true, nil
}

// Replica returns a replica by id.
func (t *Tx) Replica(id conflict.ReplicaID) (ledger.Replica, bool, error) {
	if t.done {
		return ledger.Replica{}, false, errDone
	}
	no, ok := t.db.numbers[id]
	if !ok {
		return ledger.Replica{ID: id}, false, nil
	}
	return t.db.replicas[no-1], true, nil
}

// PutReplica creates or replaces a replica.
func (t *Tx) PutReplica(r *ledger.Replica) error {
	if t.done {
		return errDone
	}
	d := t.db
	if no, ok := d.numbers[r.ID]; ok {
		old := d.replicas[no-1]
		t.onRollback(func() { d.replicas[no-1] = old })
		r.No = no
		d.replicas[no-1] = *r
		return nil
	}
	r.No = int64(len(d.replicas) + 1)
	t.onRollback(func() {
		delete(d.numbers, r.ID)
		d.replicas, d.intake, d.quarantine = d.replicas[:r.No-1], d.intake[:r.No-1], d.quarantine[:r.No-1]
	})
	d.numbers[r.ID] = r.No
	d.replicas, d.intake, d.quarantine = append(d.replicas, *r), append(d.intake, nil), append(d.quarantine, nil)
	return nil
}

// number returns the number of a replica, which it makes if need be.
func (t *Tx) number(id conflict.ReplicaID) (int64, error) {
	if no, ok := t.db.numbers[id]; ok {
		return no, nil
	}
	r := ledger.Replica{ID: id}
	err := t.PutReplica(&r)
	return r.No, err
}

func (t *Tx) checkReplica(no int64) error {
	switch {
	case t.done:
		return errDone
	case no < 1 || no > int64(len(t.db.replicas)):
		return fmt.Errorf("replica number %d is unknown", no)
	}
	return nil
}

func byCounter(in ledger.Intake, counter uint64) int { return cmp.Compare(in.Counter, counter) }

// Intake returns what is stored of the changeset that contains counter.
func (t *Tx) Intake(replica int64, counter uint64) (ledger.Intake, bool, error) {
	if t.done {
		return ledger.Intake{}, false, errDone
	}
	if t.checkReplica(replica) != nil {
		return ledger.Intake{Replica: replica}, false, nil
	}
	list := t.db.intake[replica-1]
	i, ok := slices.BinarySearchFunc(list, counter, byCounter)
	if !ok {
		i--
	}
	if i < 0 || counter >= list[i].Counter+list[i].Count {
		return ledger.Intake{Replica: replica}, false, nil
	}
	in := list[i]
	in.Bytes = slices.Clone(in.Bytes)
	return in, true, nil
}

// Stored lists the changesets of a replica after a counter.
func (t *Tx) Stored(replica int64, after uint64, limit int) ([]protocol.Stored, error) {
	if t.done {
		return nil, errDone
	}
	if t.checkReplica(replica) != nil {
		return nil, nil
	}
	var out []protocol.Stored
	list := t.db.intake[replica-1]
	i, _ := slices.BinarySearchFunc(list, after+1, byCounter)
	for _, in := range list[i:] {
		if len(out) == limit {
			break
		}
		out = append(out, protocol.Stored{Counter: in.Counter, Hash: in.Hash})
	}
	return out, nil
}

// AppendIntake stores a changeset and the records that it touched.
func (t *Tx) AppendIntake(in *ledger.Intake, records []conflict.RecordID) error {
	if err := t.checkReplica(in.Replica); err != nil {
		return fmt.Errorf("store changeset: %w", err)
	}
	d, place := t.db, in.Replica-1
	list := d.intake[place]
	i, dup := slices.BinarySearchFunc(list, in.Counter, byCounter)
	if dup {
		return fmt.Errorf("store changeset: %v-%d is there already", d.replicas[place].ID, in.Counter)
	}
	stored := *in
	stored.Bytes = slices.Clone(in.Bytes)
	t.onRollback(func() { d.intake[place] = list })
	if i == len(list) {
		d.intake[place] = append(list, stored)
	} else {
		d.intake[place] = slices.Insert(slices.Clone(list), i, stored)
	}
	for _, id := range records {
		if _, err := t.number(id.Replica); err != nil {
			return err
		}
		put(t, d.history, id, append(d.history[id], conflict.Dot{Replica: d.replicas[place].ID, Counter: in.Counter}))
	}
	return nil
}

// Quarantined lists every entry of a replica, settled ones included.
func (t *Tx) Quarantined(replica int64) ([]ledger.Quarantine, error) {
	if t.done {
		return nil, errDone
	}
	if t.checkReplica(replica) != nil {
		return nil, nil
	}
	return slices.Clone(t.db.quarantine[replica-1]), nil
}

// PutQuarantine opens or settles an entry.
func (t *Tx) PutQuarantine(q *ledger.Quarantine) error {
	if err := t.checkReplica(q.Replica); err != nil {
		return fmt.Errorf("keep quarantine: %w", err)
	}
	d, place := t.db, q.Replica-1
	old := d.quarantine[place]
	t.onRollback(func() { d.quarantine[place] = old })
	list := slices.Clone(old)
	i, ok := slices.BinarySearchFunc(list, q.Counter, func(q ledger.Quarantine, c uint64) int { return cmp.Compare(q.Counter, c) })
	if ok {
		list[i] = *q
	} else {
		list = slices.Insert(list, i, *q)
	}
	d.quarantine[place] = list
	return nil
}

// DropQuarantine forgets an entry.
func (t *Tx) DropQuarantine(replica int64, counter uint64) error {
	if err := t.checkReplica(replica); err != nil {
		return fmt.Errorf("drop quarantine: %w", err)
	}
	d, place := t.db, replica-1
	old := d.quarantine[place]
	t.onRollback(func() { d.quarantine[place] = old })
	d.quarantine[place] = slices.DeleteFunc(slices.Clone(old), func(q ledger.Quarantine) bool { return q.Counter == counter })
	return nil
}

// Emptied returns how much an author deleted and blanked in a unit on a day.
func (t *Tx) Emptied(account, unit string, day int64) (ledger.Emptied, error) {
	if t.done {
		return ledger.Emptied{}, errDone
	}
	return t.db.emptied[emptiedKey{account, unit, day}], nil
}

// SetEmptied keeps it.
func (t *Tx) SetEmptied(account, unit string, day int64, e ledger.Emptied) error {
	if t.done {
		return errDone
	}
	put(t, t.db.emptied, emptiedKey{account, unit, day}, e)
	return nil
}

// Record returns a record's row.
func (t *Tx) Record(id conflict.RecordID) (ledger.Row, bool, error) {
	if t.done {
		return ledger.Row{}, false, errDone
	}
	if r, ok := t.db.rows[id]; ok {
		return owned(r), true, nil
	}
	return ledger.Row{ID: id}, false, nil
}

func owned(r *ledger.Row) ledger.Row {
	c := *r
	c.State = slices.Clone(r.State)
	return c
}

// PutRecord creates or replaces a record's row. A record keeps its register.
func (t *Tx) PutRecord(r *ledger.Row) error {
	if t.done {
		return errDone
	}
	d := t.db
	row := owned(r)
	old, ok := d.rows[r.ID]
	if ok {
		row.Register = old.Register
	} else if _, err := t.number(r.ID.Replica); err != nil {
		return err
	}
	key := registerKey{row.Unit, row.Register}
	if !ok || old.Unit != row.Unit {
		if ok {
			before := registerKey{old.Unit, old.Register}
			put(t, d.registers, before, slices.DeleteFunc(slices.Clone(d.registers[before]), func(id conflict.RecordID) bool { return id == r.ID }))
		}
		put(t, d.registers, key, append(d.registers[key], r.ID))
	}
	put(t, d.rows, r.ID, &row)
	return nil
}

func positionOf(class protocol.Class, r *ledger.Row) uint64 {
	if class == protocol.Sensitive {
		return r.Sensitive
	}
	return r.Position
}

// Changed lists the rows of a stream after a position.
func (t *Tx) Changed(stream protocol.Stream, from uint64, limit int) ([]ledger.Row, error) {
	if t.done {
		return nil, errDone
	}
	var found []*ledger.Row
	for _, id := range t.db.registers[registerKey{stream.Unit, stream.Register}] {
		if r := t.db.rows[id]; positionOf(stream.Class, r) > from {
			found = append(found, r)
		}
	}
	left := t.db.departed[registerKey{stream.Unit, stream.Register}]
	for _, id := range slices.SortedFunc(maps.Keys(left), conflict.RecordID.Compare) {
		if r := left[id]; positionOf(stream.Class, &r) > from {
			found = append(found, &r)
		}
	}
	slices.SortStableFunc(found, func(a, b *ledger.Row) int {
		return cmp.Compare(positionOf(stream.Class, a), positionOf(stream.Class, b))
	})
	var rows []ledger.Row
	for _, r := range found[:min(len(found), limit)] {
		rows = append(rows, owned(r))
	}
	return rows, nil
}

// StreamHead returns the last position that touched a stream.
func (t *Tx) StreamHead(stream protocol.Stream) (head uint64, err error) {
	if t.done {
		return 0, errDone
	}
	for _, id := range t.db.registers[registerKey{stream.Unit, stream.Register}] {
		head = max(head, positionOf(stream.Class, t.db.rows[id]))
	}
	for _, r := range t.db.departed[registerKey{stream.Unit, stream.Register}] {
		head = max(head, positionOf(stream.Class, &r))
	}
	return head, nil
}

// StreamCount returns the number of a stream's records.
func (t *Tx) StreamCount(stream protocol.Stream) (n uint64, err error) {
	if t.done {
		return 0, errDone
	}
	for _, id := range t.db.registers[registerKey{stream.Unit, stream.Register}] {
		if stream.Class != protocol.Sensitive || t.db.rows[id].Sensitive > 0 {
			n++
		}
	}
	return n, nil
}

// Position returns the last feed position of a unit.
func (t *Tx) Position(unit string) (uint64, error) {
	if t.done {
		return 0, errDone
	}
	return t.db.positions[unit], nil
}

// SetPosition keeps it.
func (t *Tx) SetPosition(unit string, position uint64) error {
	if t.done {
		return errDone
	}
	put(t, t.db.positions, unit, position)
	return nil
}

// BackedUp returns the position up to which a backup holds a unit's feed.
func (t *Tx) BackedUp(unit string) (uint64, error) {
	if t.done {
		return 0, errDone
	}
	return t.db.backedUp[unit], nil
}

// GivenBack reports whether a write of a record was given back before.
func (t *Tx) GivenBack(record conflict.RecordID, write conflict.Dot) (int64, bool, error) {
	if t.done {
		return 0, false, errDone
	}
	g, ok := t.db.givenBack[givenKey{record, write}]
	return g.Received, ok, nil
}

// PutGivenBack stores a write that was given back.
func (t *Tx) PutGivenBack(g *ledger.GivenBack) error {
	if t.done {
		return errDone
	}
	key := givenKey{g.Record, g.Write}
	if old, ok := t.db.givenBack[key]; ok && old.Received >= g.Received {
		return fmt.Errorf("store given back: %v of %v is there already", g.Write, g.Record)
	}
	for _, id := range []conflict.ReplicaID{g.Record.Replica, g.Write.Replica} {
		if _, err := t.number(id); err != nil {
			return err
		}
	}
	kept := *g
	kept.Bytes = slices.Clone(g.Bytes)
	put(t, t.db.givenBack, key, kept)
	return nil
}

// HubMarks lists how far the hub has acknowledged the registers of a unit.
func (t *Tx) HubMarks(unit string) ([]protocol.HubMark, error) {
	if t.done {
		return nil, errDone
	}
	var marks []protocol.HubMark
	for k, revision := range t.db.hub {
		if k.unit == unit {
			marks = append(marks, protocol.HubMark{Unit: unit, Register: k.register, Revision: revision})
		}
	}
	slices.SortFunc(marks, func(a, b protocol.HubMark) int { return cmp.Compare(a.Register, b.Register) })
	return marks, nil
}

func (k registerKey) compare(o registerKey) int {
	return cmp.Or(cmp.Compare(k.unit, o.unit), cmp.Compare(k.register, o.register))
}
