package replica

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// This file performs the session's store effects. Each is one transaction, and
// each may be repeated. r.mu is held throughout.

// most is how many ids a Changed names before it gives up naming.
const most = 200

// many is of how many writes an acknowledgement is stored as one statement,
// and told without naming records.
const many = most

// storeNext keeps the proposed incarnation.
func (r *Replica) storeNext(ctx context.Context, e session.StoreNext) error {
	meta := r.meta
	meta.Next = e.Next
	return r.commit(ctx, &Batch{Meta: &meta})
}

// loadOutbox returns the session's next part of the outbox.
func (r *Replica) loadOutbox(ctx context.Context, from uint64, most int) ([]record.Changeset, error) {
	entries, err := r.store.Outbox(ctx, r.meta.Replica, from, session.PushBytes, min(max(most, 1), session.PushChangesets))
	if err != nil {
		return nil, err
	}
	var changesets []record.Changeset
	weight := 0
	for i := range entries {
		weight += protocol.ChangesetWeight(&entries[i].Changeset)
		if i > 0 && weight > protocol.MaxDecoded/2 {
			break // many tiny writes weigh more decoded than their bytes
		}
		if i > 0 && entries[i].Changeset.Dot.Counter != entries[i-1].Changeset.Last().Counter+1 {
			break // one is missing or damaged; what is behind it needs new dots
		}
		changesets = append(changesets, entries[i].Changeset)
	}
	return changesets, nil
}

// storeWelcome keeps what the server said of itself and of this replica. The
// server's prefix may have gone back, after a restore, as the cursors may. That
// it has gone on is no receipt: the content counts, and an acknowledgement of
// that comes when the changesets are repeated.
func (r *Replica) storeWelcome(ctx context.Context, e session.StoreWelcome) error {
	w := e.Welcome
	meta := r.meta
	meta.Epoch, meta.Current, meta.Next = w.Epoch, e.Incarnation, protocol.Token{}
	meta.Acked = min(meta.Acked, w.Acked)
	meta.BackedUp = min(meta.Acked, w.BackedUp)
	meta.HeardAt = r.now()
	meta.ClockOffset = meta.HeardAt - w.At
	b := &Batch{Meta: &meta, DropKept: backedUp(w, e.Scopes)}
	reborn := meta.Epoch != r.meta.Epoch
	meta.Looked = r.looked()
	meta.Return = meta.Return || reborn && r.meta.Epoch != protocol.Token{}
	for _, s := range r.streams {
		if reborn && s.Withdrawn && s.Cursor > 0 {
			s.Cursor, s.Floor = 0, 0 // it was not asked for, so nobody said how far it still holds
			b.Streams = append(b.Streams, s)
		}
	}
	again := false
	for i, g := range w.Grants {
		if i >= len(e.Scopes) {
			break
		}
		s := r.stream(e.Scopes[i].Stream)
		if s == nil {
			continue
		}
		after := *s
		after.Granted, after.Code = g.Code == protocol.OK, g.Code
		after.Cursor, after.Floor = e.Scopes[i].Cursor, e.Scopes[i].Floor
		if after.Granted {
			after.Head, after.Count = g.Head, g.Count
		}
		if reborn && after.Granted && after.Cursor < s.LetGo {
			// The server has gone back to before a record left, which this
			// device has forgotten, and takes it to be here: begin anew.
			after.Cursor, after.Floor, after.LetGo = 0, 0, 0
			again = true
		}
		b.Streams = append(b.Streams, after)
	}
	var covered []Entry
	unmet, err := r.unmet(ctx)
	if err != nil {
		return err
	}
	if unmet {
		meta.Looked = meta.Epoch
	}
	if !unmet && (reborn || meta.Acked != r.meta.Acked || meta.BackedUp > 0) {
		entries, err := r.entries(ctx)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			last := entry.Changeset.Last().Counter
			refused := entry.Refusal != nil && entry.Refusal.At != 0
			if entryOf(meta.Replica, entry) && last > meta.Acked && (entry.Received != 0 || refused) {
				// It is sent again: to a server that lost it, which judges it
				// anew, or to one that repeats its receipt and its refusal.
				entry.Received = 0
				if refused {
					entry.Refusal = &Refusal{Code: entry.Refusal.Code, Detail: entry.Refusal.Detail}
				}
				b.Mark = append(b.Mark, entry)
			}
			// What stands under a former replica id was received before anything
			// under this one: a backup that holds some of this holds it too.
			if entry.Refusal == nil && (!entryOf(meta.Replica, entry) && meta.BackedUp > 0 || entryOf(meta.Replica, entry) && last <= meta.BackedUp) {
				covered = append(covered, entry)
			}
		}
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	if again {
		r.scopes++
		r.signal()
	}
	if err := r.handAgain(ctx, meta.Epoch, conflict.ReplicaID{}); err != nil {
		return err
	}
	if err := r.release(ctx, covered); err != nil {
		return err
	}
	return r.sweep(ctx)
}

// unmet reports whether no server ever took anything of this store, whose
// outbox may then be long and holds nothing to be looked at. A rekey leaves
// what was taken under the old replica id in front.
func (r *Replica) unmet(ctx context.Context) (bool, error) {
	if r.meta.Epoch != (protocol.Token{}) || r.meta.Acked > 0 || r.counts.Quarantined > 0 {
		return false, nil
	}
	first, err := r.store.Entries(ctx, 0, 1)
	return err == nil && (len(first) == 0 || entryOf(r.meta.Replica, first[0])), err
}

func entryOf(replica conflict.ReplicaID, e Entry) bool { return e.Changeset.Dot.Replica == replica }

// release takes those entries out of the outbox whose writes the base covers.
// The heads stay as they are, for the base says the same; but for those of
// records that left, or whose stream is not to be held any more.
func (r *Replica) release(ctx context.Context, entries []Entry) error {
	for part := range slices.Chunk(entries, 256) {
		holdings, err := r.touched(ctx, part)
		if err != nil {
			return err
		}
		b := &Batch{}
		for i := range part {
			if r.covered(&part[i], holdings) {
				b.Remove = append(b.Remove, part[i].No)
			}
		}
		counts := r.counts
		for _, id := range slices.SortedFunc(maps.Keys(holdings), conflict.Dot.Compare) {
			h := holdings[id]
			if !h.Left && r.holds(protocol.Stream{Unit: h.Unit, Register: h.Register}) {
				continue
			}
			// It has no base that says the same.
			h.Entries = slices.DeleteFunc(slices.Clone(h.Entries), func(e Entry) bool { return slices.Contains(b.Remove, e.No) })
			if !h.Left && h.Base.Len()+len(h.Entries) > 0 || r.keeps(&h) {
				r.put(b, &counts, h, nil)
				continue
			}
			b.Drop = append(b.Drop, id)
			counts.move(h.Index.Flags, 0)
		}
		if err := r.commit(ctx, b); err != nil {
			return err
		}
		r.counts = counts
	}
	return nil
}

// touched returns what is held of the records that the entries touch, by id.
func (r *Replica) touched(ctx context.Context, entries []Entry) (map[conflict.RecordID]Holding, error) {
	var ids []conflict.RecordID
	seen := map[conflict.RecordID]bool{}
	for i := range entries {
		for _, edit := range entries[i].Changeset.Edits {
			if !seen[edit.Record] {
				seen[edit.Record] = true
				ids = append(ids, edit.Record)
			}
		}
	}
	holdings, err := r.store.Holdings(ctx, ids)
	if err != nil {
		return nil, err
	}
	m := make(map[conflict.RecordID]Holding, len(holdings))
	for _, h := range holdings {
		m[h.ID] = h
	}
	return m, nil
}

// covered reports whether the base covers every write of e that can come back
// to this device.
func (r *Replica) covered(e *Entry, holdings map[conflict.RecordID]Holding) bool {
	for i, edit := range e.Changeset.Edits {
		h, ok := holdings[edit.Record]
		if !ok || h.Left {
			continue
		}
		def := r.definition(edit.Register)
		dot := e.Changeset.FirstDot(i)
		for _, w := range edit.Writes {
			// A stream that is only refused for now keeps its place, and its
			// records stay: without e they would go back to what was before it,
			// and whoever writes on from there replaces e unseen.
			if r.stream(protocol.Stream{Unit: h.Unit, Register: edit.Register, Class: class(def, w.Key)}) != nil && !h.Base.Field(w.Key).Vector().Covers(dot) {
				return false
			}
			dot.Counter++
		}
	}
	return true
}

// dropLeft forgets the records that left the scope and of which nothing in the
// outbox waits for the server any more.
func (r *Replica) dropLeft(ctx context.Context) error {
	ids, err := r.store.Leaving(ctx)
	if err != nil || len(ids) == 0 {
		return err
	}
	left, err := r.store.Holdings(ctx, ids)
	if err != nil {
		return err
	}
	b := &Batch{}
	counts := r.counts
	for _, h := range left {
		if h.Left && !r.keeps(&h) {
			b.Drop = append(b.Drop, h.ID)
			counts.move(h.Index.Flags, 0)
		}
	}
	if len(b.Drop) == 0 {
		return nil
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.counts = counts
	return nil
}

// storeAck marks changesets as received and keeps the receipt.
func (r *Replica) storeAck(ctx context.Context, a *protocol.Ack) (Changed, error) {
	if a.Through <= r.meta.Acked {
		return Changed{}, nil
	}
	meta := r.meta
	meta.Acked, meta.LastReceipt = a.Through, a.Received
	meta.Reached = max(meta.Reached, a.Through)
	b := &Batch{Meta: &meta, Receipts: []Receipt{{Replica: meta.Replica, Through: a.Through, Received: a.Received, Marks: a.Marks, Signature: a.Signature}}}
	if a.Through-r.meta.Acked > many && r.plain() {
		b.Receive = []Received{{meta.Replica, r.meta.Acked + 1, a.Through, a.Received}}
		if err := r.commit(ctx, b); err != nil {
			return Changed{}, err
		}
		if err := r.dropLeft(ctx); err != nil {
			return Changed{}, err
		}
		return Changed{Registers: r.registers()}, r.sweep(ctx)
	}
	var back []Entry // expected in quarantine, and not so; or with fields that are seen no longer
	var changed Changed
	for from := r.meta.Acked + 1; from <= a.Through; {
		entries, err := r.store.Outbox(ctx, meta.Replica, from, 1<<20, 1000)
		if err != nil {
			return Changed{}, err
		}
		if len(entries) == 0 {
			break // acknowledged before and forgotten since; the receipt stands
		}
		for _, e := range entries {
			from = e.Changeset.Last().Counter + 1
			if from > a.Through+1 {
				break
			}
			if e.Received == 0 {
				e.Received = a.Received
			}
			expected := e.Refusal != nil && e.Refusal.At == 0
			if expected {
				e.Refusal = nil
			}
			if expected || r.hides(&e) {
				back = append(back, e)
			}
			b.Mark = append(b.Mark, e)
			changed.add(&e)
		}
	}
	counts := r.counts
	acked := r.meta.Acked
	r.meta.Acked = a.Through // what their author may see of them ends with it
	err := r.rehead(ctx, b, &counts, back)
	r.meta.Acked = acked
	if err != nil {
		return Changed{}, err
	}
	if err := r.commit(ctx, b); err != nil {
		return Changed{}, err
	}
	r.counts = counts
	if err := r.dropLeft(ctx); err != nil {
		return Changed{}, err
	}
	return changed, r.sweep(ctx)
}

// plain reports whether an acknowledgement changes of no entry anything but
// when it was received: none is in quarantine, and none has fields that are
// seen no longer.
func (r *Replica) plain() bool {
	unit := r.meta.Account.Unit
	if r.counts.Quarantined > 0 || slices.ContainsFunc(r.streams, func(s Stream) bool { return s.Unit != unit }) {
		return false
	}
	for id := range r.defs {
		if sensitive(r.definition(id)) && !r.holds(protocol.Stream{Unit: unit, Register: id, Class: protocol.Sensitive}) {
			return false
		}
	}
	return true
}

// hides reports whether fields of e are seen by their author only until the
// server has them.
func (r *Replica) hides(e *Entry) bool {
	return slices.ContainsFunc(e.Changeset.Edits, func(edit record.Edit) bool {
		return sensitive(r.definition(edit.Register)) && !r.holds(protocol.Stream{Unit: e.Changeset.Unit, Register: edit.Register, Class: protocol.Sensitive})
	})
}

// add names the records that e touches.
func (c *Changed) add(e *Entry) {
	for _, edit := range e.Changeset.Edits {
		c.name(edit.Register, edit.Record)
	}
}

func (c *Changed) name(register string, id conflict.RecordID) {
	if !slices.Contains(c.Registers, register) {
		c.Registers = append(c.Registers, register)
	}
	if len(c.IDs) <= most {
		c.IDs = append(c.IDs, id.String())
	}
}

// done returns c with no ids if there are too many.
func (c Changed) done() Changed {
	if len(c.IDs) > most {
		c.IDs = nil
	}
	return c
}

// rehead puts the records into b that the given entries touch, with the
// entries in the state given here.
func (r *Replica) rehead(ctx context.Context, b *Batch, counts *Counts, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	holdings, err := r.touched(ctx, entries)
	if err != nil {
		return err
	}
	done := map[conflict.RecordID]bool{}
	for i := range entries {
		for _, edit := range entries[i].Changeset.Edits {
			h, ok := holdings[edit.Record]
			if done[edit.Record] || !ok && entries[i].Refusal == nil { // else it left, and stays away
				continue
			}
			done[edit.Record] = true
			if !ok { // forgotten with its stream: the overlay brings it back
				h = Holding{ID: edit.Record, Register: edit.Register, Unit: entries[i].Changeset.Unit}
				s := r.stream(protocol.Stream{Unit: h.Unit, Register: h.Register})
				h.Left = s == nil || s.Withdrawn // and is forgotten with it
			}
			touching := slices.Clone(h.Entries)
			for _, e := range entries {
				if e.edit(edit.Record) < 0 {
					continue
				}
				if at := slices.IndexFunc(touching, func(t Entry) bool { return t.No == e.No }); at >= 0 {
					touching[at] = e
				} else {
					touching = append(touching, e)
				}
			}
			h.Entries = touching
			r.put(b, counts, h, nil)
		}
	}
	return nil
}

// storeRefusal takes a changeset out of the head, and with it the later ones
// that build on it; all stay visible as overlays.
func (r *Replica) storeRefusal(ctx context.Context, f *protocol.Refusal) (Changed, error) {
	entries, err := r.entries(ctx)
	if err != nil {
		return Changed{}, err
	}
	at := slices.IndexFunc(entries, func(e Entry) bool { return entryOf(r.meta.Replica, e) && e.Changeset.Dot.Counter == f.Counter })
	if at < 0 {
		return Changed{}, nil // dealt with and dismissed
	}
	refusal := &Refusal{Code: f.Code, Detail: f.Detail, At: max(f.At, 1), Settled: f.Settled}
	if f.Settled == protocol.Released {
		refusal.As = f.As.String()
	}
	if old := entries[at].Refusal; old != nil && *old == *refusal {
		return Changed{}, nil
	}
	entries[at].Refusal = refusal
	out := []Entry{entries[at]}
	for _, e := range entries[at+1:] {
		if e.Refusal == nil && !r.acked(&e) && slices.ContainsFunc(out, func(q Entry) bool { return buildsOn(&e, &q) }) {
			e.Refusal = &Refusal{Code: protocol.Dependent}
			out = append(out, e)
		}
	}
	b := &Batch{Mark: out}
	counts := r.counts
	if err := r.rehead(ctx, b, &counts, out); err != nil {
		return Changed{}, err
	}
	if err := r.commit(ctx, b); err != nil {
		return Changed{}, err
	}
	r.counts = counts
	var changed Changed
	for i := range out {
		changed.add(&out[i])
	}
	return changed, nil
}

// buildsOn reports whether e touches a record that q created, or writes over a
// write of q.
func buildsOn(e, q *Entry) bool {
	for i, theirs := range q.Changeset.Edits {
		at := e.edit(theirs.Record)
		if at < 0 {
			continue
		}
		if q.Changeset.Creates(i) {
			return true
		}
		dot := q.Changeset.FirstDot(i)
		for _, w := range theirs.Writes {
			for _, mine := range e.Changeset.Edits[at].Writes {
				if mine.Key == w.Key && mine.Context.Covers(dot) {
					return true
				}
			}
			dot.Counter++
		}
	}
	return false
}

// storePage merges a page's states into the base and moves the cursor.
func (r *Replica) storePage(ctx context.Context, p *protocol.Page) (Changed, error) {
	s := r.stream(p.Stream)
	if s == nil || p.To <= s.Cursor || p.From > s.Cursor || p.Floor > s.Floor {
		return Changed{}, nil
	}
	ids := make([]conflict.RecordID, len(p.Records))
	once := make(map[conflict.RecordID]bool, len(ids))
	for i := range p.Records {
		ids[i] = p.Records[i].Record
		if once[ids[i]] {
			return Changed{}, fmt.Errorf("page of %s %s: record %v stands twice", p.Stream.Unit, p.Stream.Register, ids[i])
		}
		once[ids[i]] = true
	}
	holdings, err := r.store.Holdings(ctx, ids)
	if err != nil {
		return Changed{}, err
	}
	held := make(map[conflict.RecordID]int, len(holdings))
	for i := range holdings {
		held[holdings[i].ID] = i
	}
	after := *s
	after.Cursor, after.Head = p.To, max(after.Head, p.Head)
	if p.To >= p.Head {
		after.Floor = p.To
	}
	b := &Batch{}
	counts := r.counts
	var changed Changed
	spoilt := r.showsErased(p)
	if spoilt {
		// It was made before; what it shows of others is taken, and comes again.
		after.Cursor, after.Floor = s.Cursor, s.Floor
	}
	for i := range p.Records {
		d := &p.Records[i]
		if d.Left {
			after.LetGo = p.To
		} else if spoilt && r.erased[d.Record] {
			continue
		}
		at, known := held[d.Record]
		h := Holding{ID: d.Record, Register: p.Stream.Register, Unit: p.Stream.Unit}
		var before *conflict.Record
		if known {
			h = holdings[at]
			if head := r.head(&h); !h.Left && head.Len() > 0 {
				before = &head
			}
		}
		had := r.inStream(&h, p.Stream)
		switch {
		case d.Left && (!known || h.Unit != p.Stream.Unit):
			continue // never held, or come back by another unit's stream already
		case d.Left:
			h.Base = r.without(h, p.Stream.Class)
			h.Left = h.Left || p.Stream.Class == protocol.Basic
		default:
			news, err := conflict.NewRecord(d.Fields)
			if err != nil {
				return Changed{}, fmt.Errorf("page of %s %s: record %v: %w", p.Stream.Unit, p.Stream.Register, d.Record, err)
			}
			h.Base = h.Base.Merge(news)
			if h.Left && p.Stream.Class != protocol.Basic {
				h.Unit = p.Stream.Unit // it is back: the basic fields say so later
			}
			if p.Stream.Class == protocol.Basic && !r.goneOn(&h, p.Stream) {
				if h.Unit != p.Stream.Unit {
					r.leavesBehind(b, &h, p.Stream)
					before = nil // more than the base changes
				}
				h.Left, h.Unit = false, p.Stream.Unit
			}
		}
		switch has := r.inStream(&h, p.Stream); {
		case has && !had:
			after.Have++
		case had && !has && after.Have > 0:
			after.Have--
		}
		changed.name(h.Register, h.ID)
		if h.Left && !r.keeps(&h) {
			b.Drop = append(b.Drop, h.ID)
			counts.move(h.Index.Flags, 0)
			continue
		}
		r.put(b, &counts, h, before)
	}
	after.Count = max(after.Count, after.Have)
	b.Streams = append(b.Streams, after)
	if other := r.stream(protocol.Stream{Unit: p.Stream.Unit, Register: p.Stream.Register, Class: protocol.Sensitive}); other != nil &&
		p.Stream.Class == protocol.Basic && after.LetGo > other.LetGo {
		with := *other
		with.LetGo = after.LetGo // what left took its sensitive fields with it
		b.Streams = append(b.Streams, with)
	}
	if len(p.Records) > 0 {
		b.Keep = []KeptPage{r.kept(p)}
		b.Keep[0].Spoilt = spoilt
	}
	whole := p.To >= p.Head && !spoilt && r.spoilt[p.Stream]
	if whole {
		// All that the spoilt pages showed was received again.
		b.DropSpoilt = []Spoilt{{p.Stream, r.meta.Epoch}}
	}
	if err := r.commit(ctx, b); err != nil {
		return Changed{}, err
	}
	r.counts = counts
	switch {
	case whole:
		delete(r.spoilt, p.Stream)
	case spoilt:
		r.keepErased(nil, []protocol.Stream{p.Stream})
		r.scopes++
		r.signal()
	}
	return changed, nil
}

// keeps reports whether a record that left is kept: for what this device still
// has to hand in of it, or to show its author as held back, or for fields that a
// page told since. These say that it is back, and are not told a second time.
func (r *Replica) keeps(h *Holding) bool {
	return h.Left && h.Base.Len() > 0 || slices.ContainsFunc(h.Entries, func(e Entry) bool { return e.Refusal != nil || !r.acked(&e) })
}

// goneOn reports whether h, which the page of a stream tells, is known from the
// stream of the unit that it moved to: the two come in any order.
func (r *Replica) goneOn(h *Holding, s protocol.Stream) bool {
	home, ok := record.HomeOf(h.Base)
	return ok && home.Unit != s.Unit && home.Unit == h.Unit && !h.Left && r.holds(protocol.Stream{Unit: h.Unit, Register: s.Register})
}

// leavesBehind lets the stream of the unit where h was count one record less, now
// that h is told in another one.
func (r *Replica) leavesBehind(b *Batch, h *Holding, s protocol.Stream) {
	if h.Left || h.Base.Len() == 0 {
		return
	}
	old := protocol.Stream{Unit: h.Unit, Register: s.Register}
	at := slices.IndexFunc(b.Streams, func(t Stream) bool { return t.Stream == old })
	if at < 0 {
		t := r.stream(old)
		if t == nil {
			return
		}
		at, b.Streams = len(b.Streams), append(b.Streams, *t)
	}
	if b.Streams[at].Have > 0 {
		b.Streams[at].Have--
	}
}

// inStream reports whether the base of h holds a field of the stream's class.
func (r *Replica) inStream(h *Holding, s protocol.Stream) bool {
	if h.Left || h.Unit != s.Unit {
		return false
	}
	if s.Class == protocol.Basic {
		return h.Base.Len() > 0
	}
	def := r.definition(h.Register)
	for k := range h.Base.All() {
		if class(def, k) == s.Class {
			return true
		}
	}
	return false
}

// without returns the base of h without the fields of a class; without the
// basic ones, nothing is left.
func (r *Replica) without(h Holding, c protocol.Class) conflict.Record {
	base := h.Base
	if c == protocol.Basic {
		return conflict.Record{}
	}
	def := r.definition(h.Register)
	for k := range h.Base.All() {
		if class(def, k) == c {
			base = base.With(k, conflict.Field{})
		}
	}
	return base
}

// storeHubMark keeps how far the hub is.
func (r *Replica) storeHubMark(ctx context.Context, m *protocol.HubMark) (Changed, error) {
	if m.Revision <= r.hub[protocol.HubMark{Unit: m.Unit, Register: m.Register}] {
		return Changed{}, nil
	}
	return Changed{Registers: []string{m.Register}}, r.commit(ctx, &Batch{HubMarks: []protocol.HubMark{*m}})
}

// storeWithdraw notes that a stream is to be forgotten, and forgets it if
// nothing of it is pending.
func (r *Replica) storeWithdraw(ctx context.Context, w *protocol.Withdraw) (Changed, error) {
	s := r.stream(w.Stream)
	if s == nil {
		return Changed{}, nil
	}
	after := *s
	after.Withdrawn, after.Granted, after.Code = true, false, w.Code
	if err := r.commit(ctx, &Batch{Streams: []Stream{after}}); err != nil {
		return Changed{}, err
	}
	return Changed{Registers: []string{w.Stream.Register}}, r.sweep(ctx)
}

// sweep forgets withdrawn streams of which nothing is pending any more: to be handed
// in, or to be given back to a server that was restored. It
// works in parts, each a transaction; the stream goes with the last, so that a
// stop between two is taken up again.
func (r *Replica) sweep(ctx context.Context) error {
	if r.meta.Return || !slices.ContainsFunc(r.streams, func(s Stream) bool { return s.Withdrawn }) {
		return nil
	}
	unsent, _, err := r.store.Unsent(ctx, r.meta.Replica, r.meta.Acked)
	if err != nil || unsent > 0 {
		return err
	}
	for _, s := range r.streams {
		if !s.Withdrawn {
			continue
		}
		if s.Cursor > 0 || s.Floor > 0 {
			// Should it be wanted again after a stop halfway, it begins anew.
			s.Cursor, s.Floor, s.LetGo = 0, 0, 0
			if err := r.commit(ctx, &Batch{Streams: []Stream{s}}); err != nil {
				return err
			}
		}
		if err := r.forgetStream(ctx, s.Stream); err != nil {
			return err
		}
		if err := r.commit(ctx, &Batch{DropStreams: []protocol.Stream{s.Stream}}); err != nil {
			return err
		}
		r.scopes++
		r.signal()
	}
	return nil
}

func (r *Replica) forgetStream(ctx context.Context, s protocol.Stream) error {
	var after conflict.RecordID
	for {
		ids, err := r.store.Walk(ctx, s.Register, after, 500)
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		holdings, err := r.store.Holdings(ctx, ids)
		if err != nil {
			return err
		}
		b := &Batch{}
		counts := r.counts
		for _, h := range holdings {
			switch {
			case h.Unit != s.Unit:
			case s.Class != protocol.Basic:
				if h.Base = r.without(h, s.Class); h.Left && !r.keeps(&h) {
					b.Drop = append(b.Drop, h.ID)
					counts.move(h.Index.Flags, 0)
					continue
				}
				r.put(b, &counts, h, nil)
			case slices.ContainsFunc(h.Entries, func(e Entry) bool { return e.Refusal != nil }):
				h.Base, h.Left = conflict.Record{}, true // the overlay stays until it is dismissed
				r.put(b, &counts, h, nil)
			default:
				b.Drop = append(b.Drop, h.ID)
				counts.move(h.Index.Flags, 0)
			}
		}
		if err := r.commit(ctx, b); err != nil {
			return err
		}
		r.counts = counts
	}
}

// forget takes one entry out of the outbox, and its records' heads with it.
func (r *Replica) forget(ctx context.Context, e Entry) error {
	holdings, err := r.touched(ctx, []Entry{e})
	if err != nil {
		return err
	}
	b := &Batch{Remove: []uint64{e.No}}
	counts := r.counts
	for _, edit := range e.Changeset.Edits {
		h, ok := holdings[edit.Record]
		if !ok {
			continue
		}
		h.Entries = slices.DeleteFunc(slices.Clone(h.Entries), func(t Entry) bool { return t.No == e.No })
		if len(h.Entries)+h.Base.Len() == 0 {
			b.Drop = append(b.Drop, h.ID)
			counts.move(h.Index.Flags, 0)
			continue
		}
		r.put(b, &counts, h, nil)
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.counts = counts
	return nil
}
