package memory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
)

// Erased reports whether a record was erased by law.
func (t *Tx) Erased(id conflict.RecordID) (bool, error) {
	if t.done {
		return false, errDone
	}
	return t.db.erased[id], nil
}

func byNumber(e ledger.Erasure, number uint64) int { return cmp.Compare(e.Number, number) }

// Erasures lists what was erased after a number.
func (t *Tx) Erasures(after uint64, limit int) ([]ledger.Erasure, error) {
	if t.done {
		return nil, errDone
	}
	i, _ := slices.BinarySearchFunc(t.db.erasures, after+1, byNumber)
	list := t.db.erasures[i:]
	return slices.Clone(list[:min(len(list), limit)]), nil
}

// PutErasure keeps one.
func (t *Tx) PutErasure(e *ledger.Erasure) error {
	if t.done {
		return errDone
	}
	d, old := t.db, t.db.erasures
	list := slices.Clone(old)
	if i, ok := slices.BinarySearchFunc(list, e.Number, byNumber); ok {
		list[i] = *e
	} else {
		list = slices.Insert(list, i, *e)
	}
	t.onRollback(func() { d.erasures = old })
	d.erasures = list
	put(t, d.erased, e.Record, true)
	return nil
}

// DropRecord forgets a record's row and its arrival.
func (t *Tx) DropRecord(id conflict.RecordID) error {
	if err := t.DropArrival(id); err != nil {
		return err
	}
	d := t.db
	row, ok := d.rows[id]
	if !ok {
		return nil
	}
	key := registerKey{row.Unit, row.Register}
	put(t, d.registers, key, slices.DeleteFunc(slices.Clone(d.registers[key]), func(r conflict.RecordID) bool { return r == id }))
	t.onRollback(func() { d.rows[id] = row })
	delete(d.rows, id)
	return nil
}

// Touching lists the changesets that touch a record.
func (t *Tx) Touching(id conflict.RecordID) ([]ledger.Intake, error) {
	if t.done {
		return nil, errDone
	}
	var all []ledger.Intake
	for _, list := range t.db.intake {
		for _, in := range list {
			c, err := record.ParseOwn(in.Bytes)
			if err != nil || !slices.ContainsFunc(c.Edits, func(e record.Edit) bool { return e.Record == id }) {
				continue
			}
			in.Bytes = slices.Clone(in.Bytes)
			all = append(all, in)
		}
	}
	return all, nil
}

// PutBlanked replaces the bytes of a changeset.
func (t *Tx) PutBlanked(in *ledger.Intake) error {
	if err := t.checkReplica(in.Replica); err != nil {
		return fmt.Errorf("blank changeset: %w", err)
	}
	d, place := t.db, in.Replica-1
	old := d.intake[place]
	i, ok := slices.BinarySearchFunc(old, in.Counter, byCounter)
	if !ok {
		return fmt.Errorf("blank changeset: %v-%d is not there", d.replicas[place].ID, in.Counter)
	}
	list := slices.Clone(old) // backups share it
	list[i].Bytes = slices.Clone(in.Bytes)
	t.onRollback(func() { d.intake[place] = old })
	d.intake[place] = list
	return nil
}

// GivenBackOf lists the writes of a record that were given back, by dot.
func (t *Tx) GivenBackOf(id conflict.RecordID) ([]ledger.GivenBack, error) {
	if t.done {
		return nil, errDone
	}
	var all []ledger.GivenBack
	for g := range maps.Values(t.db.givenBack) {
		if g.Record == id {
			g.Bytes = slices.Clone(g.Bytes)
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b ledger.GivenBack) int { return a.Write.Compare(b.Write) })
	return all, nil
}

// PutBlankedGiven replaces the bytes of one of them.
func (t *Tx) PutBlankedGiven(g *ledger.GivenBack) error {
	if t.done {
		return errDone
	}
	key := givenKey{g.Record, g.Write}
	kept, ok := t.db.givenBack[key]
	if !ok {
		return fmt.Errorf("blank what was given back: %v of %v is not there", g.Write, g.Record)
	}
	kept.Bytes = slices.Clone(g.Bytes)
	put(t, t.db.givenBack, key, kept)
	return nil
}

// Erased reports whether a record was erased.
func (d *DB) Erased(id conflict.RecordID) bool { return d.erased[id] }

// Erasures returns everything that was erased, by number.
func (d *DB) Erasures() []ledger.Erasure { return slices.Clone(d.erasures) }
