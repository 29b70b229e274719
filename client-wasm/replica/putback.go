package replica

import (
	"cmp"
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Lost is a changeset that the store has lost, and which forms it came of.
type Lost struct {
	Changeset record.Changeset
	Saved     []Saved
}

// PutBack puts changesets of this replica into the outbox that were saved here
// and that the store has lost since: a power cut may take a young store whole,
// and whoever kept a second copy gives it back. Only those that join on to the
// last counter are taken; what the store holds already stays as it is. A form of
// which one came is saved, and gone. It is to be called before anything new is
// saved.
func (r *Replica) PutBack(ctx context.Context, lost []Lost) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	lost = slices.SortedFunc(slices.Values(lost), func(a, b Lost) int { return cmp.Compare(a.Changeset.Dot.Counter, b.Changeset.Dot.Counter) })
	for _, l := range lost {
		cs := l.Changeset
		if cs.Dot.Replica != r.meta.Replica || cs.Dot.Counter != r.meta.Last+1 {
			continue
		}
		meta := r.meta
		meta.Last, meta.Entries = cs.Last().Counter, meta.Entries+1
		entry := Entry{No: meta.Entries, Changeset: cs, Hash: record.HashOf(record.AppendChangeset(nil, cs))}
		b := &Batch{Meta: &meta, Append: []Entry{entry}, Saved: l.Saved}
		if blanked, n := cs.Blank(func(id conflict.RecordID) bool { return r.erased[id] }); n > 0 {
			entry.Changeset = blanked
			b.Blank = []Entry{entry}
		}
		for _, s := range l.Saved {
			b.DropDrafts = append(b.DropDrafts, s.Key)
		}
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
