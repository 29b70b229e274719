package memory

import (
	"maps"

	"wardbook/conflict"
	"wardbook/server/ledger"
)

// PutMove keeps that a record left a unit for another.
func (t *Tx) PutMove(m *ledger.Move) error {
	if t.done {
		return errDone
	}
	if _, err := t.number(m.Record.Replica); err != nil {
		return err
	}
	row := ledger.Row{ID: m.Record, Register: m.Register, Unit: m.From, Position: m.Position, Left: true}
	if m.Sensitive {
		row.Sensitive = m.Position
	}
	change := func(unit string, do func(map[conflict.RecordID]ledger.Row)) {
		k := registerKey{unit, m.Register}
		after := maps.Clone(t.db.departed[k])
		if after == nil {
			after = map[conflict.RecordID]ledger.Row{}
		}
		do(after)
		put(t, t.db.departed, k, after)
	}
	change(m.From, func(left map[conflict.RecordID]ledger.Row) { left[m.Record] = row })
	change(m.To, func(left map[conflict.RecordID]ledger.Row) { delete(left, m.Record) })
	return nil
}

// Departed returns the position at which a record left a unit.
func (t *Tx) Departed(id conflict.RecordID, unit string) (uint64, bool, error) {
	if t.done {
		return 0, false, errDone
	}
	row, ok := t.db.rows[id]
	if !ok {
		return 0, false, nil
	}
	left, ok := t.db.departed[registerKey{unit, row.Register}][id]
	return left.Position, ok, nil
}

// PutArrival keeps that a record waits for its unit's word.
func (t *Tx) PutArrival(a *ledger.Arrival) error {
	if t.done {
		return errDone
	}
	put(t, t.db.arrivals, a.Record, *a)
	return nil
}

// DropArrival forgets it.
func (t *Tx) DropArrival(id conflict.RecordID) error {
	if t.done {
		return errDone
	}
	old, ok := t.db.arrivals[id]
	if ok {
		t.onRollback(func() { t.db.arrivals[id] = old })
		delete(t.db.arrivals, id)
	}
	return nil
}
