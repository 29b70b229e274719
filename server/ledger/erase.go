package ledger

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Erase takes a record out of everything that the database holds, and keeps that
// it is to stay out of it: README.md has the table. e names the record, the
// erasure's Number and the time; Register and Unit are set if the record is there.
// To erase again what was erased is a success that finds nothing more. It returns
// what was kept and how far feeds moved. Whether a record may be erased was
// decided before.
func (l *Ledger) Erase(t Tables, e Erasure) (Erasure, []protocol.StreamMark, error) {
	epoch, err := t.Epoch()
	if err != nil {
		return e, nil, err
	}
	b := batch{l: l, t: t, epoch: epoch, now: l.cfg.Now(), out: &Outcome{}}
	if err := b.erase(&e); err != nil {
		return e, nil, fmt.Errorf("erase %v: %w", e.Record, err)
	}
	return e, b.out.Grew, nil
}

func (b *batch) erase(e *Erasure) error {
	row, ok, err := b.t.Record(e.Record)
	if err != nil {
		return err
	}
	if ok {
		e.Register, e.Unit = row.Register, row.Unit
		m := Move{Record: row.ID, Register: row.Register, From: row.Unit, Sensitive: row.Sensitive > 0, At: b.now}
		if m.Position, err = b.nextPosition(row.Unit); err != nil {
			return err
		}
		b.touch(protocol.Stream{Unit: row.Unit, Register: row.Register, Class: protocol.Basic}, m.Position)
		if m.Sensitive {
			b.touch(protocol.Stream{Unit: row.Unit, Register: row.Register, Class: protocol.Sensitive}, m.Position)
		}
		if err := b.t.DropRecord(row.ID); err != nil {
			return err
		}
		if err := b.t.PutMove(&m); err != nil {
			return err
		}
	}
	if err := b.t.PutErasure(e); err != nil {
		return err
	}
	if err := b.blank(e.Record); err != nil {
		return err
	}
	if err := b.finish(); err != nil {
		return err
	}
	if b.l.cfg.Erased == nil {
		return nil
	}
	grew, err := b.l.cfg.Erased(b.t, *e)
	for _, g := range grew {
		b.touch(g.Stream, g.Position)
	}
	b.out.Grew = b.marks()
	return err
}

// blank takes what was said of a record out of the changesets that say it.
func (b *batch) blank(id conflict.RecordID) error {
	this := func(r conflict.RecordID) bool { return r == id }
	list, err := b.t.Touching(id)
	if err != nil {
		return err
	}
	for i := range list {
		c, err := record.ParseOwn(list[i].Bytes)
		if err != nil {
			return err
		}
		c, _ = c.Blank(this)
		list[i].Bytes = record.AppendChangeset(nil, c)
		if err := b.t.PutBlanked(&list[i]); err != nil {
			return err
		}
	}
	given, err := b.t.GivenBackOf(id)
	if err != nil {
		return err
	}
	for i := range given {
		c, err := record.ParseOwn(given[i].Bytes)
		if err != nil {
			return err
		}
		c, _ = c.Blank(this)
		given[i].Bytes = record.AppendChangeset(nil, c)
		if err := b.t.PutBlankedGiven(&given[i]); err != nil {
			return err
		}
	}
	return nil
}

// eraseFrom blanks what c says of records that were erased, and returns of how
// many.
func (b *batch) eraseFrom(c *record.Changeset) (int, error) {
	var failed error
	blanked, n := c.Blank(func(id conflict.RecordID) bool {
		erased, err := b.t.Erased(id)
		if err != nil {
			failed = err
		}
		return erased
	})
	if n > 0 {
		*c = blanked
	}
	return n, failed
}

// sameButErased reports whether c is the changeset that is stored under its dot,
// with some of what was erased blanked on either side: its device may have done
// so before it handed it in again.
func (b *batch) sameButErased(in *Intake, c record.Changeset) (bool, error) {
	if n, err := b.eraseFrom(&c); err != nil || n == 0 {
		return false, err
	}
	b.body = record.AppendChangeset(b.body[:0], c)
	return record.HashOf(b.body) == record.HashOf(in.Bytes), nil
}

// Greet is Admit for a device that has said what it knows of erasures: those that it
// does not know it must be told first. known is nil for one whose wire version has no
// such word.
func (l *Ledger) Greet(t Tables, a Author, h *protocol.Hello, known *protocol.Known) (*protocol.Welcome, []protocol.Message, error) {
	w, more, err := l.Admit(t, a, h)
	if err != nil || known == nil {
		return w, more, err
	}
	if w.Verdict != protocol.Forked { // else it is a copy of the replica's store
		if err := l.LetGo(t, h.Replica, known.Erasures); err != nil {
			return nil, nil, err
		}
	}
	erased, err := l.Erased(t, known.Erasures)
	if erased != nil {
		more = append([]protocol.Message{erased}, more...)
	}
	return w, more, err
}

// LetGo keeps that the device of a replica has let go of every erasure up to a
// number: a lower one than before if its store went back, and holds again what it
// had let go of.
func (l *Ledger) LetGo(t Tables, replica conflict.ReplicaID, known uint64) error {
	r, ok, err := t.Replica(replica)
	if err != nil || !ok || r.Erasures == known {
		return err
	}
	r.Erasures = known
	return t.PutReplica(&r)
}

// Erased returns what a device is told of erasures behind a number, nil if there
// are none.
func (l *Ledger) Erased(t Tables, after uint64) (*protocol.Erased, error) {
	list, err := t.Erasures(after, protocol.MaxErased)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	m := &protocol.Erased{After: after, Through: list[len(list)-1].Number}
	for i := range list {
		m.Records = append(m.Records, list[i].Record)
	}
	return m, nil
}
