package ledger

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Release applies the edits of a quarantined changeset as writes of the
// server's own on behalf of author, who made them at the given device time.
// Unlike with Write an edit may bring its record into being: the record keeps
// the id that its author gave it. The caller has judged the edits and has
// translated their contexts.
func (l *Ledger) Release(t Tables, unit, author string, at int64, edits []record.Edit) (record.Changeset, []protocol.StreamMark, error) {
	for _, e := range edits {
		row, ok, err := t.Record(e.Record)
		if err != nil {
			return record.Changeset{}, nil, err
		}
		if ok {
			home := row.Unit == unit
			if !home { // it moved while its changeset waited
				if _, home, err = t.Departed(e.Record, unit); err != nil {
					return record.Changeset{}, nil, err
				}
			}
			if !home || row.Register != e.Register {
				return record.Changeset{}, nil, fmt.Errorf("record %v: %w", e.Record, &protocol.Error{Code: protocol.WrongUnit})
			}
			continue
		}
		if err := t.PutRecord(&Row{ID: e.Record, Register: e.Register, Unit: unit,
			State: record.AppendState(nil, conflict.Record{}, e.Record, nil)}); err != nil {
			return record.Changeset{}, nil, err
		}
	}
	return l.write(t, unit, author, at, edits, true)
}
