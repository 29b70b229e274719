package replica

import (
	"cmp"
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/rescue"
	"wardbook/sync/session"
)

// Unsent returns the changesets that the server has not acknowledged, by
// counter, in their canonical bytes, and whose dots they bear: what a rescue
// file holds. For a damaged one stands a word that nobody can read as a
// changeset, so that no gap keeps the server from what follows. It changes nothing.
func (r *Replica) Unsent(ctx context.Context) (conflict.ReplicaID, []rescue.Changeset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []rescue.Changeset
	for from := r.meta.Acked + 1; ; {
		entries, err := r.store.Outbox(ctx, r.meta.Replica, from, session.PushBytes, session.PushChangesets)
		if err != nil {
			return r.meta.Replica, nil, wrap("read the outbox", err)
		}
		if len(entries) == 0 {
			break
		}
		for i := range entries {
			c := &entries[i].Changeset
			all = append(all, rescue.Changeset{First: c.Dot.Counter, Count: uint64(c.Len()), Bytes: record.AppendChangeset(nil, *c)})
		}
		from = entries[len(entries)-1].Changeset.Last().Counter + 1
	}
	damages, err := r.store.Damaged(ctx)
	if err != nil {
		return r.meta.Replica, nil, wrap("read the outbox", err)
	}
	for _, d := range damages {
		if d.Replica == r.meta.Replica && d.First > r.meta.Acked {
			all = append(all, rescue.Changeset{First: d.First, Count: d.Last - d.First + 1, Bytes: []byte("damaged")})
		}
	}
	slices.SortFunc(all, func(a, b rescue.Changeset) int { return cmp.Compare(a.First, b.First) })
	return r.meta.Replica, all, nil
}
