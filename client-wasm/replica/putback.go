package replica

import (
	"cmp"
	"context"
	"slices"

	"wardbook/sync/record"
)

// PutBack puts changesets of this replica into the outbox that were saved here
// and that the store has lost since: a power cut may take a young store whole,
// and whoever kept a second copy gives it back. Only those that join on to the
// last counter are taken; what the store holds already stays as it is. It is
// to be called before anything new is saved.
func (r *Replica) PutBack(ctx context.Context, lost []record.Changeset) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost = slices.SortedFunc(slices.Values(lost), func(a, b record.Changeset) int { return cmp.Compare(a.Dot.Counter, b.Dot.Counter) })
	for _, cs := range lost {
		if cs.Dot.Replica != r.meta.Replica || cs.Dot.Counter != r.meta.Last+1 {
			continue
		}
		meta := r.meta
		meta.Last, meta.Entries = cs.Last().Counter, meta.Entries+1
		entry := Entry{No: meta.Entries, Changeset: cs, Hash: record.HashOf(record.AppendChangeset(nil, cs))}
		b := &Batch{Meta: &meta, Append: []Entry{entry}}
		counts := r.counts
		for _, edit := range cs.Edits {
			h, ok, err := r.holding(ctx, edit.Record)
			if err != nil {
				return wrap("put back", err)
			}
			if !ok {
				h = Holding{ID: edit.Record, Register: edit.Register, Unit: cs.Unit}
			}
			h.Entries = append(slices.Clone(h.Entries), entry)
			r.put(b, &counts, h, nil)
		}
		if err := r.commit(ctx, b); err != nil {
			return wrap("put back", err)
		}
		r.counts = counts
	}
	return nil
}
