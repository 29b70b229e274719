package ledger

import (
	"slices"

	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Rights are what an account could do in its unit until EndedAt.
type Rights struct {
	Version   uint64 // contiguous from 1 per account
	Unit      string
	Sensitive bool
	EndedAt   int64 // server clock, Unix milliseconds
}

// Lease is how long after the end of rights a write may still be judged by them,
// in milliseconds: as long as a sign-in lives.
const Lease = 30 * dayMillis

// may reports whether the batch's author may write fields of a class in a unit
// by the write with that counter: by the rights of now, or by those that the
// device had last been told of when it was made. A device that had never been
// told of any counts with all that the account ever had.
func (b *batch) may(unit string, class protocol.Class, counter uint64) (bool, error) {
	if b.l.cfg.Allow(b.a, unit, class) {
		return true, nil
	}
	past, err := b.pastRights()
	if err != nil || len(past) == 0 {
		return false, err
	}
	told, _, err := toldBefore(b.r.Told, counter)
	if err != nil {
		return false, err
	}
	for _, r := range past {
		if told.Rights != 0 && r.Version != told.Rights || b.now-r.EndedAt > Lease {
			continue
		}
		then := b.a
		then.Unit, then.Sensitive = r.Unit, r.Sensitive
		if b.l.cfg.Allow(then, unit, class) {
			return true, nil
		}
	}
	return false, nil
}

func (b *batch) pastRights() ([]Rights, error) {
	if b.readPast {
		return b.past, nil
	}
	var err error
	b.past, err = b.t.PastRights(b.a.Account)
	b.readPast = err == nil
	return b.past, err
}

// watch returns the unit whose supervisor is to see a refused changeset: the one
// that it names, if its author ever had a say there, else the author's own. If that
// unit is no more, it is what became of it.
func (b *batch) watch(c *record.Changeset) (string, error) {
	named, err := b.named(c.Unit)
	if err != nil {
		return "", err
	}
	if named {
		return b.begins(c)
	}
	return b.resolve(b.a.Unit)
}

// named reports whether the author has or had a say in a unit.
func (b *batch) named(unit string) (bool, error) {
	if unit == b.a.Unit || b.a.Unit == "" {
		return true, nil
	}
	past, err := b.pastRights()
	return slices.ContainsFunc(past, func(r Rights) bool { return r.Unit == unit }), err
}
