package replica

import (
	"context"
	"crypto/ed25519"
	"slices"

	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// This file is what the device does so that a server restored from a backup
// loses nothing: it keeps the pages that no backup holds yet, as the server
// signed them, and gives them back in the next epoch.

// Trust keeps the key by which this store knows the server from now on. It is
// learnt at sign-in, over a line that is trusted then; a session that began before
// goes on with the key before.
func (r *Replica) Trust(ctx context.Context, key ed25519.PublicKey) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Equal(r.meta.ServerKey, key) {
		return nil
	}
	meta := r.meta
	meta.ServerKey = slices.Clone(key)
	return wrap("keep the server's key", r.commit(ctx, &Batch{Meta: &meta}))
}

// kept returns p as it is kept until a backup holds what it brings.
func (r *Replica) kept(p *protocol.Page) KeptPage {
	k := KeptPage{Epoch: r.meta.Epoch, Stream: p.Stream, To: p.To, Body: []byte(p.Wire)}
	if p.Wire == "" {
		k.Body = protocol.Encode(nil, p)
	}
	return k
}

// backedUp forgets the pages that a backup holds by now, as a Welcome says.
func backedUp(w *protocol.Welcome, scopes []protocol.Scope) []DropKept {
	var all []DropKept
	for i, g := range w.Grants {
		if i >= len(scopes) || g.Code != protocol.OK || g.BackedUp == 0 {
			continue
		}
		d := DropKept{w.Epoch, scopes[i].Unit, g.BackedUp}
		if !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// backedUp reports whether a record shows something that was written here, under
// this replica id, and all of that survives the loss of the server. Of what
// others wrote it says nothing.
func (r *Replica) backedUp(n *reading) bool {
	own := false
	for _, f := range n.head.All() {
		for i := range f.Len() {
			if d := f.At(i).Dot; d.Replica == r.meta.Replica {
				if d.Counter > r.meta.BackedUp {
					return false
				}
				own = true
			}
		}
	}
	return own
}

// loadKept returns the session's next pages to give back.
func (r *Replica) loadKept(ctx context.Context) ([]session.Kept, error) {
	pages, err := r.store.Kept(ctx, r.meta.Epoch, session.ReturnBytes)
	if err != nil {
		return nil, err
	}
	list := make([]session.Kept, len(pages))
	for i, p := range pages {
		list[i] = session.Kept{No: p.No, SignedPage: protocol.SignedPage{Epoch: p.Epoch, Body: p.Body}}
	}
	return list, nil
}

// storeReturned notes that pages were given back, or that all were.
func (r *Replica) storeReturned(ctx context.Context, e session.StoreReturned) error {
	if len(e.Nos) == 0 {
		meta := r.meta
		meta.Return = false
		if err := r.commit(ctx, &Batch{Meta: &meta}); err != nil {
			return err
		}
		return r.sweep(ctx)
	}
	// What the server did not believe shows nowhere: it is kept until the next
	// backup and no longer.
	b := &Batch{GaveBack: []GaveBack{{Nos: e.Nos, Epoch: r.meta.Epoch}}}
	at := map[string]uint64{}
	for _, m := range e.Marks {
		at[m.Stream.Unit] = max(at[m.Stream.Unit], m.Position)
	}
	for unit, position := range at {
		b.GaveBack = append(b.GaveBack, GaveBack{e.Nos, r.meta.Epoch, unit, position})
	}
	return r.commit(ctx, b)
}
