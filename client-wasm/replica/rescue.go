package replica

import (
	"context"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/rescue"
	"wardbook/sync/session"
)

// Unsent returns the changesets that the server has not acknowledged, by
// counter, in their canonical bytes, and whose dots they bear: what a rescue
// file holds. It changes nothing.
func (r *Replica) Unsent(ctx context.Context) (conflict.ReplicaID, []rescue.Changeset, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []rescue.Changeset
	for from := r.meta.Acked + 1; ; {
		entries, err := r.store.Outbox(ctx, r.meta.Replica, from, session.PushBytes, session.PushChangesets)
		if err != nil || len(entries) == 0 {
			return r.meta.Replica, all, wrap("read the outbox", err)
		}
		for i := range entries {
			c := &entries[i].Changeset
			all = append(all, rescue.Changeset{First: c.Dot.Counter, Count: uint64(c.Len()), Bytes: record.AppendChangeset(nil, *c)})
		}
		from = entries[len(entries)-1].Changeset.Last().Counter + 1
	}
}
