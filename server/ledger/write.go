package ledger

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Write makes a write of the server's own, on behalf of a person: a review, a
// settling at the desk, a value written back. The dots are those of the epoch's
// server replica; author is the person's account name. It is stored, applied
// and given a position like any device's changeset. The edits must not create
// records.
func (l *Ledger) Write(t Tables, unit, author string, edits []record.Edit) (record.Changeset, []protocol.StreamMark, error) {
	return l.write(t, unit, "", author, l.cfg.Now(), edits)
}

// write makes the server's own write for unit. If home is given, a record may be
// there, or where it went from unit.
func (l *Ledger) write(t Tables, unit, home, author string, at int64, edits []record.Edit) (record.Changeset, []protocol.StreamMark, error) {
	epoch, err := t.Epoch()
	if err != nil {
		return record.Changeset{}, nil, err
	}
	now := l.cfg.Now()
	c := record.Changeset{Dot: conflict.Dot{Replica: epoch.Server, Counter: epoch.Counter + 1}, Unit: unit, Author: author, At: at, Edits: edits}
	r, ok, err := t.Replica(epoch.Server)
	if err != nil {
		return c, nil, err
	}
	if !ok {
		r = Replica{ID: epoch.Server, Epoch: epoch.Token, SeenAt: now}
		if err := t.PutReplica(&r); err != nil {
			return c, nil, err
		}
	}
	out := Outcome{}
	b := batch{l: l, t: t, epoch: epoch, r: &r, now: now, out: &out}
	if _, err := b.eraseFrom(&c); err != nil {
		return c, nil, err
	}
	rows := make([]*Row, len(edits))
	var records []conflict.RecordID
	for i, e := range edits {
		records = append(records, e.Record)
		if erased, err := t.Erased(e.Record); err != nil {
			return c, nil, err
		} else if erased && home != "" { // released: it keeps its counters
			continue
		}
		row, ok, err := t.Record(e.Record)
		if err != nil {
			return c, nil, err
		}
		there := ok && (row.Unit == unit || row.Unit == home)
		if ok && !there && home != "" {
			if _, there, err = t.Departed(e.Record, unit); err != nil {
				return c, nil, err
			}
		}
		if !there {
			return c, nil, fmt.Errorf("record %v: %w", e.Record, &protocol.Error{Code: protocol.UnknownRecord})
		}
		rows[i] = &row
	}
	body := record.AppendChangeset(nil, c)
	in := Intake{Replica: r.No, Counter: c.Dot.Counter, Count: uint64(c.Len()), Hash: record.HashOf(body), Unit: unit, Received: now, Bytes: body}
	if err := t.AppendIntake(&in, records); err != nil {
		return c, nil, err
	}
	r.Acked = c.Last().Counter
	if err := t.PutReplica(&r); err != nil {
		return c, nil, err
	}
	if err := t.SetServerCounter(r.Acked); err != nil {
		return c, nil, err
	}
	if err := b.apply(c, rows); err != nil {
		return c, nil, err
	}
	err = b.finish()
	return c, out.Grew, err
}
