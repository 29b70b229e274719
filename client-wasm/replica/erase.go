package replica

import (
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
)

// This file takes what was erased by law out of the device: the record, what was
// written here of it (sent or not), its forms, and the pages that show it. Dots and
// counters stay, so that the server and the other devices miss nothing.

// storeErased does it for the records of a message, in one transaction.
//
// A page that shows one of them was signed whole, and cannot be given back in
// part. It is spoilt: its stream goes back to before it, and once that was
// received again, in pages without the record, it is forgotten. Until then it
// can still be given back, for it may show what others wrote; the server passes
// over what was erased.
func (r *Replica) storeErased(ctx context.Context, m *protocol.Erased) (Changed, error) {
	if m.After > r.meta.Erasures || m.Through <= r.meta.Erasures {
		return Changed{}, nil
	}
	meta := r.meta
	meta.Erasures = m.Through
	b := &Batch{Meta: &meta, Erase: m.Records}
	fresh := make(map[conflict.RecordID]bool, len(m.Records))
	for _, id := range m.Records {
		fresh[id] = true
	}
	holdings, err := r.store.Holdings(ctx, m.Records)
	if err != nil {
		return Changed{}, err
	}
	var changed Changed
	counts := r.counts
	streams := map[protocol.Stream]Stream{}
	for i := range holdings {
		h := &holdings[i]
		changed.name(h.Register, h.ID)
		b.Drop = append(b.Drop, h.ID)
		counts.move(h.Index.Flags, 0)
		for _, class := range []protocol.Class{protocol.Basic, protocol.Sensitive} {
			s := r.stream(protocol.Stream{Unit: h.Unit, Register: h.Register, Class: class})
			if s == nil || !r.inStream(h, s.Stream) {
				continue
			}
			after, ok := streams[s.Stream]
			if !ok {
				after = *s
			}
			after.Have -= min(after.Have, 1)
			streams[s.Stream] = after
		}
	}
	if err := r.blankEntries(ctx, b, fresh); err != nil {
		return Changed{}, err
	}
	drafts, err := r.store.Drafts(ctx)
	if err != nil {
		return Changed{}, err
	}
	for _, d := range drafts {
		if fresh[d.Record] {
			b.DropDrafts = append(b.DropDrafts, d.Key)
		}
	}
	back, err := r.spoil(ctx, b, fresh, streams)
	if err != nil {
		return Changed{}, err
	}
	for _, s := range r.streams { // in their order, so that equal runs make equal batches
		if after, ok := streams[s.Stream]; ok {
			b.Streams = append(b.Streams, after)
		}
	}
	if err := r.commit(ctx, b); err != nil {
		return Changed{}, err
	}
	r.counts = counts
	if back {
		r.scopes++
		r.signal()
	}
	return changed, nil
}

// blankEntries takes the records out of the outbox: what of a changeset is of them
// becomes empty. A damaged one that is of nothing else goes; nothing of it could be
// sent.
func (r *Replica) blankEntries(ctx context.Context, b *Batch, fresh map[conflict.RecordID]bool) error {
	entries, err := r.entries(ctx)
	if err != nil {
		return err
	}
	for _, e := range entries {
		blanked, n := e.Changeset.Blank(func(id conflict.RecordID) bool { return fresh[id] })
		if n == 0 {
			continue
		}
		gone := map[conflict.Dot]bool{}
		for i, edit := range e.Changeset.Edits {
			dot := e.Changeset.FirstDot(i)
			for range edit.Writes {
				gone[dot] = fresh[edit.Record]
				dot.Counter++
			}
		}
		e.Changeset = blanked
		e.Replaced = slices.DeleteFunc(slices.Clone(e.Replaced), func(x Replaced) bool { return gone[x.Dot] })
		b.Blank = append(b.Blank, e)
	}
	damages, err := r.store.Damaged(ctx)
	if err != nil {
		return err
	}
	for _, d := range damages {
		if len(d.Records) > 0 && !slices.ContainsFunc(d.Records, func(id conflict.RecordID) bool { return !fresh[id] && !r.erased[id] }) {
			b.Remove = append(b.Remove, d.No)
		}
	}
	return nil
}

// spoil marks the pages of this life of the server that show one of the records, and
// lets their streams go back to before them, in streams. It reports whether one does.
func (r *Replica) spoil(ctx context.Context, b *Batch, fresh map[conflict.RecordID]bool, streams map[protocol.Stream]Stream) (back bool, err error) {
	var after uint64
	for {
		pages, err := r.store.Pages(ctx, after, protocol.MaxMessage)
		if err != nil || len(pages) == 0 {
			return back, err
		}
		for i := range pages {
			k := &pages[i]
			after = k.No
			m, err := protocol.Decode(k.Body)
			if err != nil {
				continue // damaged; the server will not believe it
			}
			p, ok := m.(*protocol.Page)
			if !ok || k.Epoch != r.meta.Epoch || !slices.ContainsFunc(p.Records, func(d protocol.RecordDelta) bool { return fresh[d.Record] && !d.Left }) {
				continue
			}
			s := r.stream(k.Stream)
			if s == nil {
				continue
			}
			b.Spoil = append(b.Spoil, k.No)
			to, ok := streams[k.Stream]
			if !ok {
				to = *s
			}
			to.Cursor, to.Floor = min(to.Cursor, p.From), min(to.Floor, p.Floor)
			streams[k.Stream] = to
			back = true
		}
	}
}

// showsErased reports whether a page, which was made before, shows a record that was
// erased.
func (r *Replica) showsErased(p *protocol.Page) bool {
	return len(r.erased) > 0 && slices.ContainsFunc(p.Records, func(d protocol.RecordDelta) bool { return !d.Left && r.erased[d.Record] })
}

// allErased reports whether all that e says is of records that were erased.
func (r *Replica) allErased(e *Entry) bool {
	if len(r.erased) == 0 {
		return false
	}
	for i := range e.Changeset.Edits {
		if !r.erased[e.Changeset.Edits[i].Record] {
			return false
		}
	}
	return true
}

// erasedDots returns the dots of e's writes of records that were erased.
func (r *Replica) erasedDots(e *Entry) (dots []conflict.Dot) {
	for i, edit := range e.Changeset.Edits {
		if !r.erased[edit.Record] {
			continue
		}
		dot := e.Changeset.FirstDot(i)
		for range edit.Writes {
			dots = append(dots, dot)
			dot.Counter++
		}
	}
	return dots
}
