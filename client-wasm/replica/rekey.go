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
}

type moved struct {
	first, last uint64 // of the old replica
	to          uint64 // new counter of first; 0 if they are damaged and go nowhere
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

// vector returns v with what it covers of the moved dots under their new
// names. Of the old replica only dots that stay are covered still: a dot that
// moved may have been used by another copy of this store, whose write nobody
// here has seen.
func (m *moves) vector(v conflict.Vector) conflict.Vector {
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
	return out.With(conflict.Dot{Replica: m.to, Counter: fresh})
}

// value returns v with the dots inside it renamed, as far as the key says that
// there are any: what a deletion has seen, what a submission covers, and the
// record that a field refers to.
func (m *moves) value(k conflict.FieldKey, v conflict.Value) conflict.Value {
	switch k.ID {
	case conflict.FieldLife:
		if l, err := conflict.ParseLife(v); err == nil {
			return l.Map(m.vector).Value()
		}
	case conflict.FieldSubmission:
		if s, err := record.ParseSubmission(v); err == nil && v != "" {
			s.Covers = m.vector(s.Covers)
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
		edits[i].Record = m.dot(edits[i].Record)
		writes := slices.Clone(edits[i].Writes)
		for j := range writes {
			writes[j].Context = m.vector(writes[j].Context)
			writes[j].Value = m.value(writes[j].Key, writes[j].Value)
			writes[j].Key = m.key(writes[j].Key)
		}
		slices.SortStableFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
		edits[i].Writes = writes
	}
	c.Edits = edits
	return c
}

// rekey takes a new replica id in one transaction. What the server holds, by
// its acknowledgement or with the same hash, keeps its dots: others may have
// seen them. All the rest gets new ones, and with it whatever names them:
// contexts, record ids, what deletions have seen and submissions cover,
// references, drafts, and reveals.
func (r *Replica) rekey(ctx context.Context, stored []protocol.Stored) (session.Local, error) {
	hashes := session.HashesOf(stored)
	if err := r.accepted(ctx, hashes); err != nil {
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
	meta.Acked, meta.BackedUp, meta.Last = 0, 0, 0

	holdings, err := r.touched(ctx, entries)
	if err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	shown := r.shown(entries, holdings)
	var moving []Entry
	for _, e := range entries {
		if !entryOf(m.from, e) {
			continue
		}
		if hash, ok := hashes[e.Changeset.Dot.Counter]; r.acked(&e) || ok && hash == e.Hash || shown[e.No] {
			if e.Refusal != nil && e.Refusal.At == 0 {
				e.Refusal = &Refusal{Code: e.Refusal.Code, Detail: e.Refusal.Detail, At: 1} // no receipt will come for it
				b.Mark = append(b.Mark, e)
			}
			continue
		}
		n := uint64(e.Changeset.Len())
		first := e.Changeset.Dot.Counter
		if k := len(m.runs); k > 0 && m.runs[k-1].last+1 == first {
			m.runs[k-1].last += n
		} else {
			m.runs = append(m.runs, moved{first, first + n - 1, meta.Last + 1})
		}
		meta.Last += n
		moving = append(moving, e)
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
	counts := r.counts
	if err := r.moveEntries(ctx, b, &counts, &meta, m, moving); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	if err := r.moveDrafts(ctx, b, m); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	if err := r.commit(ctx, b); err != nil {
		return session.Local{}, fmt.Errorf("rekey: %w", err)
	}
	r.counts = counts
	return r.local(), nil
}

// accepted takes back the expectation that changesets are refused which the server
// holds: before it told what it holds, it told of all that it refused.
func (r *Replica) accepted(ctx context.Context, hashes map[uint64]record.Hash) error {
	entries, err := r.entries(ctx)
	if err != nil {
		return err
	}
	b := &Batch{}
	for _, e := range entries {
		hash, ok := hashes[e.Changeset.Dot.Counter]
		if ok && hash == e.Hash && entryOf(r.meta.Replica, e) && e.Refusal != nil && e.Refusal.At == 0 {
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

// shown returns which of the entries a server that was lost since has shown to
// this device, and so to others: their dots may not change, and all of them is
// given back with the pages that did. A write that stands in the base as it was
// made tells that the vectors name this store's changesets up to there, and not
// a copy's under the same dots.
func (r *Replica) shown(entries []Entry, holdings map[conflict.RecordID]Holding) map[uint64]bool {
	covered := make(map[uint64]bool, len(entries))
	mine := uint64(0)
	for i := range entries {
		e := &entries[i]
		if !entryOf(r.meta.Replica, *e) {
			continue
		}
		all, same := r.inBase(e, holdings)
		covered[e.No] = all
		if same {
			mine = max(mine, e.Changeset.Last().Counter)
		}
	}
	for i := range entries {
		if e := &entries[i]; e.Changeset.Last().Counter > mine {
			delete(covered, e.No)
		}
	}
	return covered
}

// inBase reports whether the base covers every write of e, and whether one of them
// stands there as it was made.
func (r *Replica) inBase(e *Entry, holdings map[conflict.RecordID]Holding) (all, same bool) {
	all = true
	for i, edit := range e.Changeset.Edits {
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
func (r *Replica) moveEntries(ctx context.Context, b *Batch, counts *Counts, meta *Meta, m *moves, moving []Entry) error {
	holdings, err := r.touched(ctx, moving)
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
					return slices.ContainsFunc(moving, func(t Entry) bool { return t.No == e.No })
				})
				note(h)
			}
		}
	}
	for _, e := range moving {
		b.Remove = append(b.Remove, e.No)
		meta.Entries++
		fresh := Entry{No: meta.Entries, Changeset: m.changeset(e.Changeset), Refusal: e.Refusal, Replaced: slices.Clone(e.Replaced)}
		if e.Refusal != nil && e.Refusal.At != 0 {
			fresh.Refusal = nil // the server never judged what it does not hold
		}
		fresh.Hash = fresh.Changeset.Hash()
		for i := range fresh.Replaced {
			fresh.Replaced[i].Dot, fresh.Replaced[i].Was = m.dot(fresh.Replaced[i].Dot), m.dot(fresh.Replaced[i].Was)
		}
		b.Append = append(b.Append, fresh)
		for i, edit := range fresh.Changeset.Edits {
			h := note(Holding{ID: edit.Record, Register: edit.Register, Unit: e.Changeset.Unit,
				Left: holdings[e.Changeset.Edits[i].Record].Left})
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
		if !d.Record.IsZero() {
			d.Record = m.dot(d.Record)
		}
		seen := make(map[conflict.FieldKey]conflict.Vector, len(d.Seen))
		for k, v := range d.Seen {
			seen[k] = m.vector(v)
		}
		shown := make(map[string]conflict.Value, len(d.Shown))
		for name, v := range d.Shown {
			shown[name] = m.value(conflict.Key(conflict.FirstUserField), v)
		}
		typed := make(map[string]string, len(d.Typed))
		for name, text := range d.Typed {
			typed[name] = string(m.value(conflict.Key(conflict.FirstUserField), conflict.Value(text)))
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
