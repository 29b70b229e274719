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
// the id that its author gave it, and begins in the unit home, which is the one
// that the changeset names or what became of it. The caller has judged the edits
// and has translated their contexts. The error is TooLarge if the records would
// not fit on a page.
func (l *Ledger) Release(t Tables, unit, home, author string, at int64, edits []record.Edit) (record.Changeset, []protocol.StreamMark, error) {
	rows := make([]*Row, len(edits))
	erased := 0
	for i, e := range edits {
		if gone, err := t.Erased(e.Record); err != nil {
			return record.Changeset{}, nil, err
		} else if gone {
			erased++
			continue
		}
		row, ok, err := t.Record(e.Record)
		if err != nil {
			return record.Changeset{}, nil, err
		}
		if rows[i] = &row; ok {
			there := row.Unit == unit || row.Unit == home
			if !there { // it moved while its changeset waited
				if _, there, err = t.Departed(e.Record, unit); err != nil {
					return record.Changeset{}, nil, err
				}
			}
			if !there || row.Register != e.Register {
				return record.Changeset{}, nil, fmt.Errorf("record %v: %w", e.Record, &protocol.Error{Code: protocol.WrongUnit})
			}
			continue
		}
		if err := t.PutRecord(&Row{ID: e.Record, Register: e.Register, Unit: home,
			State: record.AppendState(nil, conflict.Record{}, e.Record, nil)}); err != nil {
			return record.Changeset{}, nil, err
		}
	}
	if erased == len(edits) {
		return record.Changeset{}, nil, &protocol.Error{Code: protocol.ErasedByLaw}
	}
	epoch, err := t.Epoch()
	if err != nil {
		return record.Changeset{}, nil, err
	}
	c := record.Changeset{Dot: conflict.Dot{Replica: epoch.Server, Counter: epoch.Counter + 1}, Author: author, At: at, Edits: edits}
	switch refusal, err := tooLarge(c, rows); {
	case err != nil:
		return record.Changeset{}, nil, err
	case refusal != nil:
		return record.Changeset{}, nil, refusal
	}
	return l.write(t, unit, home, author, at, edits)
}
