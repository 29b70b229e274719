package ledger

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Rescued is a changeset out of a rescue file: its counters and its bytes, as
// its device kept them.
type Rescued struct {
	First, Count uint64
	Bytes        []byte
}

// Rescue takes changesets in that came in a rescue file instead of a session,
// as if their author's device had pushed them: a repeat is a success, a gap
// ends it, what is refused is kept aside. The replica need not be known yet:
// its device may be lost before it ever spoke. The caller has made sure that
// the file is of the author's device.
func (l *Ledger) Rescue(t Tables, a Author, replica conflict.ReplicaID, rescued []Rescued) (Outcome, error) {
	epoch, err := t.Epoch()
	if err != nil {
		return Outcome{}, err
	}
	r, known, err := t.Replica(replica)
	if err != nil {
		return Outcome{}, err
	}
	if replica.IsZero() || replica == epoch.Server || known && r.Account != "" && (r.Account != a.Account || r.Device != a.Device) {
		return Outcome{}, &protocol.Error{Code: protocol.Forbidden, Detail: "the replica belongs to another account or device"}
	}
	if r.RetiredAt != 0 && len(rescued) > 0 && rescued[len(rescued)-1].First > r.Acked {
		// Its id is closed: the device gives its work new dots when it comes by
		// itself.
		return Outcome{Forked: &protocol.Welcome{Verdict: protocol.Forked, Epoch: epoch.Token, At: l.cfg.Now(), Acked: r.Acked}}, nil
	}
	if r.Account == "" {
		r.ID, r.Account, r.Device, r.SeenAt = replica, a.Account, a.Device, l.cfg.Now()
		if err := t.PutReplica(&r); err != nil {
			return Outcome{}, err
		}
	}
	var all Outcome
	var run []record.Changeset
	flush := func() error {
		if len(run) == 0 {
			return nil
		}
		out, err := l.Commit(t, a, replica, run)
		run = run[:0]
		all.add(out)
		return err
	}
	for _, c := range rescued {
		parsed, err := record.ParseChangeset(c.Bytes)
		if err == nil && parsed.Dot.Counter == c.First {
			run = append(run, parsed)
			continue
		}
		if err := flush(); err != nil {
			return all, err
		}
		in, ok, err := t.Intake(r.No, c.First)
		if err != nil {
			return all, err
		}
		if ok && in.Counter == c.First && in.Hash == record.HashOf(c.Bytes) {
			all.Repeats++
			continue
		}
		out, err := l.CommitMalformed(t, a, replica, c.First, c.Count, c.Bytes)
		if err != nil {
			return all, err
		}
		all.add(out)
	}
	return all, flush()
}

// add joins what came of a later part of one row of changesets. Each part's
// receipt reaches further than the one before.
func (o *Outcome) add(next Outcome) {
	if next.Ack != nil {
		o.Ack = next.Ack
	}
	if next.Forked != nil {
		o.Forked = next.Forked
	}
	o.Refusals = append(o.Refusals, next.Refusals...)
	o.Grew = append(o.Grew, next.Grew...)
	o.Applied += next.Applied
	o.Repeats += next.Repeats
}
