package replica

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// moves says which dots of a replica get new ones.
type moves struct {
	from, to conflict.ReplicaID
	runs     []moved // by counter
	// apart are records, by their old ids, in which the new replica id has written
	// already what these dots did not see: no vector there may name the new dots, for
	// it would name all that is before them.
	apart map[conflict.RecordID]bool
}

type moved struct {
	first, last uint64 // of the old replica
	to          uint64 // new counter of first; 0 if they are damaged or erased, and go nowhere
}

// dot returns the new dot of d, or d itself if it stays.
func (m *moves) dot(d conflict.Dot) conflict.Dot {
	if d.Replica != m.from {
		return d
	}
	for _, run := range m.runs {
		if run.to != 0 && run.first <= d.Counter && d.Counter <= run.last {
			return conflict.Dot{Replica: m.to, Counter: run.to + d.Counter - run.first}
		}
	}
	return d
}

// vector returns a vector of a record, by its old id, with what it covers of the
// moved dots under their new names. Of the old replica only dots that stay are covered still: a dot that
// moved may have been used by another copy of this store, whose write nobody
// here has seen.
func (m *moves) vector(of conflict.RecordID, v conflict.Vector) conflict.Vector {
	c := v.Counter(m.from)
	if c == 0 {
		return v
	}
	kept, fresh := c, uint64(0)
	for _, run := range slices.Backward(m.runs) {
		if run.first > c {
			continue
		}
		if fresh == 0 && run.to != 0 {
			fresh = run.to + min(c, run.last) - run.first
		}
		if run.first <= kept && kept <= run.last {
			kept = run.first - 1
		}
	}
	var dots []conflict.Dot
	for d := range v.All() {
		if d.Replica != m.from {
			dots = append(dots, d)
		}
	}
	out := conflict.NewVector(dots...).With(conflict.Dot{Replica: m.from, Counter: kept})
	if m.apart[of] {
		return out
	}
	return out.With(conflict.Dot{Replica: m.to, Counter: fresh})
}

// value returns v with the dots inside it renamed, as far as the key says that
// there are any: what a deletion has seen, what a submission covers, and the
// record that a field refers to.
func (m *moves) value(of conflict.RecordID, k conflict.FieldKey, v conflict.Value) conflict.Value {
	vector := func(v conflict.Vector) conflict.Vector { return m.vector(of, v) }
	switch k.ID {
	case conflict.FieldLife:
		if l, err := conflict.ParseLife(v); err == nil {
			return l.Map(vector).Value()
		}
	case conflict.FieldSubmission:
		if s, err := record.ParseSubmission(v); err == nil && v != "" {
			s.Covers = vector(s.Covers)
			return s.Value()
		}
	case conflict.FieldTwin:
		if t, err := record.ParseTwin(v); err == nil && t.Kept != "" {
			if d, err := conflict.ParseDot(t.Kept); err == nil {
				t.Kept = m.dot(d).String()
				return t.Value()
			}
		}
	default:
		if d, err := conflict.ParseDot(string(v)); err == nil {
			return conflict.Value(m.dot(d).String())
		}
	}
	return v
}

// key returns k with the record that its element names under its new id.
func (m *moves) key(k conflict.FieldKey) conflict.FieldKey {
	if k.ID == conflict.FieldTwin && k.Elem != "" {
		if d, err := conflict.ParseDot(k.Elem); err == nil {
			k.Elem = m.dot(d).String()
		}
	}
	return k
}

// changeset returns c under its new dots.
func (m *moves) changeset(c record.Changeset) record.Changeset {
	c.Dot = m.dot(c.Dot)
	edits := slices.Clone(c.Edits)
	for i := range edits {
		of := edits[i].Record
		edits[i].Record = m.dot(of)
		writes := slices.Clone(edits[i].Writes)
		for j := range writes {
			writes[j].Context = m.vector(of, writes[j].Context)
			writes[j].Value = m.value(of, writes[j].Key, writes[j].Value)
			writes[j].Key = m.key(writes[j].Key)
		}
		slices.SortStableFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
		edits[i].Writes = writes
	}
	c.Edits = edits
	return c
}

// rekey takes a new replica id in one transaction. What the server holds keeps its
// dots, as does what others may have seen. All the rest gets new ones, and with it
// whatever names them: contexts, record ids, what deletions have seen and submissions
// cover, references, drafts, and reveals.
func (r *Replica) rekey(ctx context.Context, told session.Rekey) (session.Local, error) {
	hashes := session.HashesOf(told.Stored)
	if err := r.accepted(ctx, told, hashes); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	entries, err := r.entries(ctx)
	if err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	meta := r.meta
	m := &moves{from: meta.Replica}
	if m.to, err = r.newReplicaID(); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	b := &Batch{Meta: &meta}
	meta.Replica, meta.Current, meta.Next = m.to, protocol.Token{}, protocol.Token{}
	meta.Acked, meta.Reached, meta.BackedUp, meta.Last = 0, 0, 0, 0

	holdings, err := r.touched(ctx, entries)
	if err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	shown := r.shown(m.from, entries, holdings)
	var moving []leaving
	var nowhere []conflict.Dot // of what was erased
	for _, e := range entries {
		if !entryOf(m.from, e) {
			continue
		}
		if r.keepsDots(&e, told, hashes, holdings) || shown[e.No] {
			if e.Refusal != nil && e.Refusal.At == 0 {
				e.Refusal = &Refusal{Code: e.Refusal.Code, Detail: e.Refusal.Detail, At: 1} // no receipt will come for it
				b.Mark = append(b.Mark, e)
			}
			continue
		}
		nowhere = append(nowhere, r.erasedDots(&e)...)
		if r.allErased(&e) {
			b.Remove = append(b.Remove, e.No)
			continue
		}
		moving = append(moving, r.leave(e, holdings))
	}
	m.add(&meta, moving)
	// Nobody will ever see these, so that nothing may name them.
	for _, d := range nowhere {
		m.runs = append(m.runs, moved{first: d.Counter, last: d.Counter})
	}
	// Nobody will ever see what is damaged, unless the server has it.
	damages, err := r.store.Damaged(ctx)
	if err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	for _, d := range damages {
		if _, ok := hashes[d.First]; d.Replica == m.from && d.First > r.meta.Acked && !ok {
			m.runs = append(m.runs, moved{first: d.First, last: d.Last})
		}
	}
	slices.SortFunc(m.runs, func(a, b moved) int { return cmp.Compare(a.first, b.first) })
	if err := r.move(ctx, b, &meta, m, moving); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	if err := r.handAgain(ctx, told.Epoch, m.from); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	return r.local(), nil
}

// keepsDots reports whether an entry of the replica id that is given up keeps its dots
// because the server holds it, or it is dealt with.
func (r *Replica) keepsDots(e *Entry, told session.Rekey, hashes map[uint64]record.Hash, holdings map[conflict.RecordID]Holding) bool {
	if hash, ok := hashes[e.Changeset.Dot.Counter]; ok {
		return e.is(hash, told.Erased)
	}
	if dealtWith(e, holdings) {
		return true
	}
	// It was acknowledged, but a server that was restored since may have lost it, and
	// a copy may have used its dots there.
	if n := len(told.Stored); n > 0 && told.Stored[0].Counter <= e.Changeset.Last().Counter && e.Changeset.Dot.Counter <= told.Stored[n-1].Counter {
		return false
	}
	return r.acked(e) && e.Changeset.Last().Counter <= told.Held
}

// is reports whether e is the changeset that a server has under a hash: as it was
// made, or as it was handed in when some of it had been erased; erased are records of
// which nothing was taken out here yet.
func (e *Entry) is(hash record.Hash, erased []conflict.RecordID) bool {
	if hash == e.Hash || hash == e.Changeset.Hash() {
		return true
	}
	blanked, n := e.Changeset.Blank(func(id conflict.RecordID) bool { return slices.Contains(erased, id) })
	return n > 0 && hash == blanked.Hash()
}

// dealtWith reports whether a supervisor has settled what was held back, so that it
// is not handed in again: it was rejected, or it was released and this device was
// shown the writes that it was applied as.
func dealtWith(e *Entry, holdings map[conflict.RecordID]Holding) bool {
	if e.Refusal == nil {
		return false
	}
	switch e.Refusal.Settled {
	case protocol.Rejected:
		return true
	case protocol.Released:
		first := e.Changeset.Edits[0]
		as, err := conflict.ParseDot(e.Refusal.As)
		return err == nil && holdings[first.Record].Base.Field(first.Writes[0].Key).Vector().Covers(as)
	}
	return false
}

// handAgain gives new dots, under the present replica id, to what a server that was
// restored may have lost and this store cannot repeat, for it has given up the
// replica id since: what is held back, and what nobody showed here. If the server
// has it after all, or others were shown it, then it is there twice, which people
// see; not handed in it would be gone without a word. It is done once in each epoch,
// and not of what stands under told, of which the server has said in this epoch what
// it holds.
func (r *Replica) handAgain(ctx context.Context, epoch protocol.Token, told conflict.ReplicaID) error {
	if r.looked() == epoch {
		return nil
	}
	entries, err := r.entries(ctx)
	if err != nil {
		return err
	}
	former := map[conflict.ReplicaID][]Entry{}
	var order []conflict.ReplicaID
	for _, e := range entries {
		id := e.Changeset.Dot.Replica
		if id == r.meta.Replica || id == told {
			continue
		}
		if former[id] == nil {
			order = append(order, id)
		}
		former[id] = append(former[id], e)
	}
	for _, id := range order {
		holdings, err := r.touched(ctx, former[id])
		if err != nil {
			return err
		}
		shown := r.shown(id, former[id], holdings)
		var moving []leaving
		for _, e := range former[id] {
			switch {
			case shown[e.No], dealtWith(&e, holdings), r.allErased(&e):
			default:
				moving = append(moving, r.leave(e, holdings))
			}
		}
		meta := r.meta
		m := &moves{from: id, to: meta.Replica, apart: r.writtenIn(meta.Replica, former[id], holdings)}
		m.add(&meta, moving)
		if err := r.move(ctx, &Batch{Meta: &meta}, &meta, m, moving); err != nil {
			return err
		}
	}
	meta := r.meta
	meta.Looked = epoch
	if err := r.commit(ctx, &Batch{Meta: &meta}); err != nil {
		return err
	}
	r.signal() // there may be more to send
	return nil
}

// writtenIn returns in which of the records that the entries touch a replica id has
// written, or may have.
func (r *Replica) writtenIn(id conflict.ReplicaID, entries []Entry, holdings map[conflict.RecordID]Holding) map[conflict.RecordID]bool {
	out := map[conflict.RecordID]bool{}
	for i := range entries {
		for _, edit := range entries[i].Changeset.Edits {
			h, ok := holdings[edit.Record]
			written := !ok || h.Left || slices.ContainsFunc(h.Entries, func(e Entry) bool { return entryOf(id, e) })
			for _, f := range h.Base.All() {
				written = written || f.Vector().Counter(id) > 0
			}
			if written {
				out[edit.Record] = true
			}
		}
	}
	return out
}

// looked returns the epoch in which nothing is left that handAgain would hand in.
func (r *Replica) looked() protocol.Token {
	if r.meta.Looked == (protocol.Token{}) {
		return r.meta.Epoch
	}
	return r.meta.Looked
}

// add gives the dots that move, which are in order, counters behind meta.Last.
func (m *moves) add(meta *Meta, moving []leaving) {
	for i := range moving {
		for _, d := range moving[i].dots {
			meta.Last++
			if k := len(m.runs); k > 0 && m.runs[k-1].last+1 == d.Counter {
				m.runs[k-1].last++
			} else {
				m.runs = append(m.runs, moved{first: d.Counter, last: d.Counter, to: meta.Last})
			}
		}
	}
}

// move commits b with the moving entries under their new dots, and all that names
// them.
func (r *Replica) move(ctx context.Context, b *Batch, meta *Meta, m *moves, moving []leaving) error {
	counts := r.counts
	if err := r.moveEntries(ctx, b, &counts, meta, m, moving); err != nil {
		return err
	}
	if err := r.moveDrafts(ctx, b, m); err != nil {
		return err
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.counts = counts
	return nil
}

// accepted takes refusals back: the expectation that changesets are refused which
// the server holds, for before it told what it holds it told of all that it refused;
// and what a life of the server that is lost said of changesets which are given back.
func (r *Replica) accepted(ctx context.Context, told session.Rekey, hashes map[uint64]record.Hash) error {
	entries, err := r.entries(ctx)
	if err != nil {
		return err
	}
	holdings, err := r.touched(ctx, entries)
	if err != nil {
		return err
	}
	shown := r.shown(r.meta.Replica, entries, holdings)
	b := &Batch{}
	for _, e := range entries {
		if e.Refusal == nil || !entryOf(r.meta.Replica, e) {
			continue
		}
		hash, ok := hashes[e.Changeset.Dot.Counter]
		if ok && e.is(hash, told.Erased) && e.Refusal.At == 0 || shown[e.No] && !r.keepsDots(&e, told, hashes, holdings) {
			e.Refusal = nil
			b.Mark = append(b.Mark, e)
		}
	}
	if len(b.Mark) == 0 {
		return nil
	}
	counts := r.counts
	if err := r.rehead(ctx, b, &counts, b.Mark); err != nil {
		return err
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.counts = counts
	return nil
}

// shown returns which of the entries of a replica id a server that was lost since
// has shown to this device, and so to others: their dots may not change, and all of
// them is given back with the pages that did. A vector in the base may name a copy's
// changesets under the same dots, but not those that were acknowledged to this
// store, nor any before a write that stands in the base as it was made here. What
// was held back has to stand there itself: vectors count it as seen with what its
// author wrote after it.
func (r *Replica) shown(id conflict.ReplicaID, entries []Entry, holdings map[conflict.RecordID]Holding) map[uint64]bool {
	covered := make(map[uint64]bool, len(entries))
	mine := uint64(0)
	for i := range entries {
		e := &entries[i]
		if !entryOf(id, *e) {
			continue
		}
		all, same := r.inBase(e, holdings)
		covered[e.No] = all && (same || e.Refusal == nil || e.Refusal.At == 0)
		if same {
			mine = max(mine, e.Changeset.Last().Counter)
		}
	}
	for i := range entries {
		if e := &entries[i]; entryOf(id, *e) && !r.reached(e) && e.Changeset.Last().Counter > mine {
			delete(covered, e.No)
		}
	}
	return covered
}

// leaving is an entry that gets new dots, with those that its writes had.
type leaving struct {
	Entry
	dots []conflict.Dot
}

// leave returns e to be given new dots. Of what a lost server had acknowledged it
// leaves out the writes that this device was shown: those are given back under the
// dots that they had, and a record that was shown keeps its id. Not all of it was
// erased.
func (r *Replica) leave(e Entry, holdings map[conflict.RecordID]Holding) leaving {
	out := leaving{e, nil}
	out.Changeset.Edits = nil
	all := e.Refusal != nil || !r.reached(&e)
	for i, edit := range e.Changeset.Edits {
		if r.erased[edit.Record] {
			continue // nothing is left of it to hand in
		}
		base, dot := holdings[edit.Record].Base, e.Changeset.FirstDot(i)
		shown := func(w record.Write) bool { return !all && base.Field(w.Key).Vector().Covers(dot) }
		all := all || e.Changeset.Creates(i) && !shown(edit.Writes[0])
		var writes []record.Write
		for _, w := range edit.Writes {
			if all || !shown(w) {
				writes = append(writes, w)
				out.dots = append(out.dots, dot)
			}
			dot.Counter++
		}
		if len(writes) > 0 {
			edit.Writes = writes
			out.Changeset.Edits = append(out.Changeset.Edits, edit)
		}
	}
	out.Changeset.Dot = out.dots[0]
	return out
}

// inBase reports whether the base covers every write of e, and whether one of them
// stands there as it was made.
func (r *Replica) inBase(e *Entry, holdings map[conflict.RecordID]Holding) (all, same bool) {
	all = true
	for i, edit := range e.Changeset.Edits {
		if r.erased[edit.Record] {
			continue
		}
		h, ok := holdings[edit.Record]
		if !ok {
			return false, same
		}
		dot := e.Changeset.FirstDot(i)
		for _, w := range edit.Writes {
			f := h.Base.Field(w.Key)
			all = all && f.Vector().Covers(dot)
			for j := range f.Len() {
				s := f.At(j)
				same = same || s.Dot == dot && s.Value == w.Value && s.Origin.At == e.Changeset.At && s.Origin.Author == e.Changeset.Author
			}
			dot.Counter++
		}
	}
	return all, same
}

// moveEntries replaces the moving entries by ones with new dots, at the end of
// the outbox in the same order, and the records they touch by ones with the
// new ids. A base stays under the old id: it is the server's.
func (r *Replica) moveEntries(ctx context.Context, b *Batch, counts *Counts, meta *Meta, m *moves, moving []leaving) error {
	entries := make([]Entry, len(moving))
	for i := range moving {
		entries[i] = moving[i].Entry
	}
	holdings, err := r.touched(ctx, entries)
	if err != nil {
		return err
	}
	after := map[conflict.RecordID]*Holding{}
	var order []conflict.RecordID // so that equal runs make equal batches
	note := func(h Holding) *Holding {
		if after[h.ID] == nil {
			after[h.ID] = &h
			order = append(order, h.ID)
		}
		return after[h.ID]
	}
	for i := range moving {
		for _, edit := range moving[i].Changeset.Edits {
			if h, ok := holdings[edit.Record]; ok {
				h.Entries = slices.DeleteFunc(slices.Clone(h.Entries), func(e Entry) bool {
					return slices.ContainsFunc(entries, func(t Entry) bool { return t.No == e.No })
				})
				note(h)
			}
		}
	}
	for _, e := range moving {
		b.Remove = append(b.Remove, e.No)
		meta.Entries++
		fresh := Entry{No: meta.Entries, Changeset: m.changeset(e.Changeset), Refusal: e.Refusal,
			Replaced: slices.DeleteFunc(slices.Clone(e.Replaced), func(x Replaced) bool { return !slices.Contains(e.dots, x.Dot) })}
		if e.Refusal != nil && e.Refusal.At != 0 {
			fresh.Refusal = nil // the server never judged what it does not hold
		}
		fresh.Hash = fresh.Changeset.Hash()
		for i := range fresh.Replaced {
			fresh.Replaced[i].Dot, fresh.Replaced[i].Was = m.dot(fresh.Replaced[i].Dot), m.dot(fresh.Replaced[i].Was)
		}
		b.Append = append(b.Append, fresh)
		for i, edit := range fresh.Changeset.Edits {
			old, ok := holdings[e.Changeset.Edits[i].Record]
			if !ok { // it left, or was forgotten with its stream: it is kept for as long as this waits
				s := r.stream(protocol.Stream{Unit: e.Changeset.Unit, Register: edit.Register})
				old.Left = s == nil || s.Withdrawn || !fresh.Changeset.Creates(i)
			}
			h := note(Holding{ID: edit.Record, Register: edit.Register, Unit: e.Changeset.Unit, Left: old.Left})
			h.Entries = append(slices.Clone(h.Entries), fresh)
		}
	}
	for _, id := range order {
		h := after[id]
		if h.Base.Len() == 0 && len(h.Entries) == 0 {
			b.Drop = append(b.Drop, id)
			counts.move(h.Index.Flags, 0)
			continue
		}
		r.put(b, counts, *h, nil)
	}
	return nil
}

func (r *Replica) moveDrafts(ctx context.Context, b *Batch, m *moves) error {
	drafts, err := r.store.Drafts(ctx)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		of := d.Record
		if !of.IsZero() {
			d.Record = m.dot(of)
		}
		seen := make(map[conflict.FieldKey]conflict.Vector, len(d.Seen))
		for k, v := range d.Seen {
			seen[k] = m.vector(of, v)
		}
		shown := make(map[string]conflict.Value, len(d.Shown))
		for name, v := range d.Shown {
			shown[name] = m.value(of, conflict.Key(conflict.FirstUserField), v)
		}
		typed := make(map[string]string, len(d.Typed))
		for name, text := range d.Typed {
			typed[name] = string(m.value(of, conflict.Key(conflict.FirstUserField), conflict.Value(text)))
		}
		d.Seen, d.Shown, d.Typed = seen, shown, typed
		b.Drafts = append(b.Drafts, d)
	}
	saved, err := r.store.SavedOf(ctx, m.from)
	if err != nil {
		return err
	}
	for _, s := range saved {
		if moved := m.dot(s.Record); moved != s.Record {
			s.Record = moved
			b.Saved = append(b.Saved, s)
		}
	}
	reveals, err := r.store.Reveals(ctx)
	if err != nil {
		return err
	}
	for _, v := range reveals {
		if moved := m.dot(v.Record); moved != v.Record {
			b.ReportedReveals = append(b.ReportedReveals, v.No)
			v.No, v.Record = 0, moved
			b.Reveals = append(b.Reveals, v)
		}
	}
	return nil
}
