package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// keepSaved is how long what came of a form is kept, in milliseconds.
const keepSaved = 30 * 24 * 60 * 60 * 1000

// Memory is a store in memory. It forgets everything with the process.
type Memory struct {
	mu       sync.RWMutex
	meta     replica.Meta
	records  map[conflict.RecordID]replica.Holding // without Entries
	entries  []replica.Entry                       // by No
	touches  map[conflict.RecordID][]uint64        // entries by record; slices are never changed in place
	streams  map[protocol.Stream]replica.Stream
	defs     map[defKey]replica.Definition
	drafts   []replica.Draft // oldest first
	saved    map[string]replica.Saved
	marks    map[protocol.HubMark]uint64 // Revision zero in the key
	receipts []replica.Receipt
	reveals  []replica.Reveal
	revealed uint64
	pages    []keptPage // by No; replaced, never changed in place
	paged    uint64
	erased   map[conflict.RecordID]bool
}

// keptPage is a page and in which epoch it was given back.
type keptPage struct {
	replica.KeptPage
	given   protocol.Token // zero for not
	givenAt uint64
}

type defKey struct {
	register string
	version  uint32
}

var _ replica.Store = (*Memory)(nil)

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{records: map[conflict.RecordID]replica.Holding{}, touches: map[conflict.RecordID][]uint64{},
		streams: map[protocol.Stream]replica.Stream{}, defs: map[defKey]replica.Definition{}, saved: map[string]replica.Saved{},
		marks: map[protocol.HubMark]uint64{}, erased: map[conflict.RecordID]bool{}}
}

// Clone returns a copy that lives on its own. What the copies share is
// immutable, so that it costs little more than the maps.
func (m *Memory) Clone() *Memory {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return &Memory{meta: m.meta, records: maps.Clone(m.records), entries: slices.Clone(m.entries), touches: maps.Clone(m.touches),
		streams: maps.Clone(m.streams), defs: maps.Clone(m.defs), drafts: slices.Clone(m.drafts), saved: maps.Clone(m.saved),
		marks: maps.Clone(m.marks), receipts: slices.Clone(m.receipts), reveals: slices.Clone(m.reveals), revealed: m.revealed, pages: m.pages, paged: m.paged,
		erased: maps.Clone(m.erased)}
}

// Receipts returns all receipts, oldest first.
func (m *Memory) Receipts(context.Context) ([]replica.Receipt, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.receipts), nil
}

// State implements replica.Store.
func (m *Memory) State(context.Context) (replica.State, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := replica.State{Meta: m.meta}
	s.Streams = slices.SortedFunc(maps.Values(m.streams), func(a, b replica.Stream) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Register, b.Register), cmp.Compare(a.Class, b.Class))
	})
	s.Definitions = slices.SortedFunc(maps.Values(m.defs), func(a, b replica.Definition) int {
		return cmp.Or(cmp.Compare(a.Register, b.Register), cmp.Compare(a.Version, b.Version))
	})
	for k, revision := range m.marks {
		k.Revision = revision
		s.HubMarks = append(s.HubMarks, k)
	}
	slices.SortFunc(s.HubMarks, func(a, b protocol.HubMark) int {
		return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Register, b.Register))
	})
	s.Erased = slices.Collect(maps.Keys(m.erased))
	for i := range m.pages {
		if p := &m.pages[i]; p.Spoilt && !slices.Contains(s.Spoilt, p.Stream) {
			s.Spoilt = append(s.Spoilt, p.Stream)
		}
	}
	return s, nil
}

// find returns where the entry with that number stands.
func (m *Memory) find(no uint64) (int, bool) {
	if n := len(m.entries); n > 0 && m.entries[n-1].No <= no {
		if m.entries[n-1].No == no {
			return n - 1, true
		}
		return n, false
	}
	return slices.BinarySearchFunc(m.entries, no, func(e replica.Entry, no uint64) int { return cmp.Compare(e.No, no) })
}

// Holdings implements replica.Store.
func (m *Memory) Holdings(_ context.Context, ids []conflict.RecordID) ([]replica.Holding, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	found := make([]replica.Holding, 0, len(ids))
	for _, id := range ids {
		h, ok := m.records[id]
		if !ok {
			continue
		}
		m.join(&h)
		found = append(found, h)
	}
	return found, nil
}

// join adds the entries that touch a record.
func (m *Memory) join(h *replica.Holding) {
	touching := m.touches[h.ID]
	if len(touching) == 0 {
		return
	}
	h.Entries = make([]replica.Entry, 0, len(touching))
	for _, no := range touching {
		if i, ok := m.find(no); ok {
			h.Entries = append(h.Entries, m.entries[i])
		}
	}
}

// Holding returns what is held of one record.
func (m *Memory) Holding(id conflict.RecordID) (replica.Holding, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	h, ok := m.records[id]
	if ok {
		m.join(&h)
	}
	return h, ok
}

// Base returns what the server said of one record.
func (m *Memory) Base(id conflict.RecordID) conflict.Record {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.records[id].Base
}

// EachEntry yields the whole outbox, by No. The entries are not to be written
// to.
func (m *Memory) EachEntry(yield func(*replica.Entry) bool) {
	m.mu.RLock()
	entries := m.entries // only ever appended to in place
	m.mu.RUnlock()
	for i := range entries {
		if !yield(&entries[i]) {
			return
		}
	}
}

// Find implements replica.Store.
func (m *Memory) Find(ctx context.Context, q replica.Query) ([]conflict.RecordID, int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	type hit struct {
		sort string
		id   conflict.RecordID
	}
	var hits []hit
	for id, h := range m.records {
		x := &h.Index
		if h.Register != q.Register || q.Any != 0 && x.Flags&q.Any == 0 || x.Flags&q.None != 0 {
			continue
		}
		if slices.ContainsFunc(q.Words, func(w string) bool { return !strings.Contains(x.Search, w) }) {
			continue
		}
		hits = append(hits, hit{x.Sort, id})
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	slices.SortFunc(hits, func(a, b hit) int { return strings.Compare(a.sort, b.sort) })
	total := len(hits)
	hits = hits[min(q.Offset, total):]
	hits = hits[:min(q.Limit, len(hits))]
	ids := make([]conflict.RecordID, len(hits))
	for i := range hits {
		ids[i] = hits[i].id
	}
	return ids, total, nil
}

// FindKey implements replica.Store.
func (m *Memory) FindKey(_ context.Context, key uint64, limit int) ([]conflict.RecordID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ids []conflict.RecordID
	for id, h := range m.records {
		if slices.Contains(h.Index.Keys, key) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, conflict.Dot.Compare)
	return ids[:min(limit, len(ids))], nil
}

// Shared implements replica.Store.
func (m *Memory) Shared(_ context.Context, from, through uint64, limit int) ([][]conflict.RecordID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	by := map[uint64][]conflict.RecordID{}
	for id, h := range m.records {
		for _, k := range h.Index.Keys {
			if k >= from && k <= through {
				by[k] = append(by[k], id)
			}
		}
	}
	var keys []uint64
	for k, ids := range by {
		if len(ids) > 1 {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	var groups [][]conflict.RecordID
	for _, k := range keys {
		ids := by[k]
		slices.SortFunc(ids, conflict.Dot.Compare)
		if ids = ids[:min(limit, len(ids))]; len(ids) > 0 {
			groups = append(groups, ids)
			limit -= len(ids)
		}
	}
	return groups, nil
}

// Walk implements replica.Store.
func (m *Memory) Walk(_ context.Context, register string, after conflict.RecordID, limit int) ([]conflict.RecordID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ids []conflict.RecordID
	for id, h := range m.records {
		if (register == "" || h.Register == register) && id.Compare(after) > 0 {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, conflict.Dot.Compare)
	return ids[:min(limit, len(ids))], nil
}

// Leaving implements replica.Store.
func (m *Memory) Leaving(context.Context) ([]conflict.RecordID, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var ids []conflict.RecordID
	for id, h := range m.records {
		if h.Left {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, conflict.Dot.Compare)
	return ids, nil
}

// Counts implements replica.Store.
func (m *Memory) Counts(context.Context) (replica.Counts, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var c replica.Counts
	for _, h := range m.records {
		if h.Index.Flags&replica.FlagConflict != 0 {
			c.Conflicts++
		}
		if h.Index.Flags&(replica.FlagReturned|replica.FlagRefused) != 0 {
			c.Returned++
		}
		if h.Index.Flags&replica.FlagQuarantined != 0 {
			c.Quarantined++
		}
	}
	return c, nil
}

// Outbox implements replica.Store.
func (m *Memory) Outbox(_ context.Context, of conflict.ReplicaID, from uint64, maxBytes, limit int) ([]replica.Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []replica.Entry
	size := 0
	for i := range m.entries {
		e := &m.entries[i]
		if e.Changeset.Dot.Replica != of || e.Changeset.Dot.Counter < from {
			continue
		}
		if len(all) == limit {
			break
		}
		if size += canonicalSize(e); len(all) > 0 && size > maxBytes {
			break
		}
		all = append(all, *e)
	}
	return all, nil
}

// canonicalSize returns a bound on the canonical bytes of a changeset, without
// writing them.
func canonicalSize(e *replica.Entry) int {
	size := 64 + len(e.Changeset.Author)
	for i := range e.Changeset.Edits {
		size += 48
		for j := range e.Changeset.Edits[i].Writes {
			w := &e.Changeset.Edits[i].Writes[j]
			size += 8 + len(w.Value) + len(w.Key.Elem) + 20*w.Context.Len()
		}
	}
	return size
}

// Entries implements replica.Store.
func (m *Memory) Entries(_ context.Context, after uint64, limit int) ([]replica.Entry, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	i, _ := m.find(after + 1)
	return slices.Clone(m.entries[i:min(i+limit, len(m.entries))]), nil
}

// Unsent implements replica.Store.
func (m *Memory) Unsent(_ context.Context, of conflict.ReplicaID, acked uint64) (count int, oldest int64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for i := range m.entries {
		if c := &m.entries[i].Changeset; c.Dot.Replica == of && c.Dot.Counter > acked {
			if count++; oldest == 0 || c.At < oldest {
				oldest = c.At
			}
		}
	}
	return count, oldest, nil
}

// Made implements replica.Store.
func (m *Memory) Made(context.Context) (map[protocol.Stream]int, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var made map[protocol.Stream]int
	for id := range m.touches {
		h, ok := m.records[id]
		if !ok || h.Base.Len() > 0 || h.Left || h.Index.Flags&replica.FlagGhost != 0 {
			continue
		}
		if made == nil {
			made = map[protocol.Stream]int{}
		}
		made[protocol.Stream{Unit: h.Unit, Register: h.Register}]++
	}
	return made, nil
}

// Drafts implements replica.Store.
func (m *Memory) Drafts(context.Context) ([]replica.Draft, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.drafts), nil
}

// Draft implements replica.Store.
func (m *Memory) Draft(_ context.Context, key string) (replica.Draft, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if i := m.draft(key); i >= 0 {
		return m.drafts[i], true, nil
	}
	return replica.Draft{}, false, nil
}

func (m *Memory) draft(key string) int {
	return slices.IndexFunc(m.drafts, func(d replica.Draft) bool { return d.Key == key })
}

// Saved implements replica.Store.
func (m *Memory) Saved(_ context.Context, key string) (replica.Saved, bool, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s, ok := m.saved[key]
	return s, ok, nil
}

// SavedOf implements replica.Store.
func (m *Memory) SavedOf(_ context.Context, of conflict.ReplicaID) ([]replica.Saved, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []replica.Saved
	for _, s := range m.saved {
		if s.Record.Replica == of {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b replica.Saved) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}

// Damaged implements replica.Store.
func (m *Memory) Damaged(context.Context) ([]replica.Damage, error) { return nil, nil }

// Kept implements replica.Store.
func (m *Memory) Kept(_ context.Context, epoch protocol.Token, maxBytes int) ([]replica.KeptPage, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []replica.KeptPage
	size := 0
	for i := range m.pages {
		p := &m.pages[i]
		if p.Epoch == epoch || p.given == epoch {
			continue
		}
		if size += len(p.Body); len(all) > 0 && (size > maxBytes || len(all) == protocol.MaxReturned) {
			break
		}
		all = append(all, p.KeptPage)
	}
	return all, nil
}

// Pages implements replica.Store.
func (m *Memory) Pages(_ context.Context, after uint64, maxBytes int) ([]replica.KeptPage, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	var all []replica.KeptPage
	size := 0
	for i := range m.pages {
		p := &m.pages[i]
		if p.No <= after {
			continue
		}
		if size += len(p.Body); len(all) > 0 && size > maxBytes {
			break
		}
		all = append(all, p.KeptPage)
	}
	return all, nil
}

func (m *Memory) commitPages(b *replica.Batch) {
	if len(b.DropStreams)+len(b.DropKept)+len(b.Keep)+len(b.GaveBack)+len(b.Spoil)+len(b.DropSpoilt) == 0 {
		return
	}
	pages := slices.DeleteFunc(slices.Clone(m.pages), func(p keptPage) bool { return slices.Contains(b.DropStreams, p.Stream) })
	for _, d := range b.DropKept {
		pages = slices.DeleteFunc(pages, func(p keptPage) bool {
			return p.Stream.Unit == d.Unit && (p.Epoch == d.Epoch && p.To <= d.Through || p.given == d.Epoch && p.givenAt <= d.Through)
		})
	}
	for _, d := range b.DropSpoilt {
		pages = slices.DeleteFunc(pages, func(p keptPage) bool { return p.Spoilt && p.Stream == d.Stream && p.Epoch == d.Epoch })
	}
	for i := range pages {
		pages[i].Spoilt = pages[i].Spoilt || slices.Contains(b.Spoil, pages[i].No)
	}
	for _, p := range b.Keep {
		m.paged++
		p.No = m.paged
		pages = append(pages, keptPage{KeptPage: p})
	}
	for _, g := range b.GaveBack {
		for i := range pages {
			if p := &pages[i]; (g.Unit == "" || g.Unit == p.Stream.Unit) && slices.Contains(g.Nos, p.No) {
				p.given, p.givenAt = g.Epoch, g.At
			}
		}
	}
	m.pages = pages
}

// Reveals implements replica.Store.
func (m *Memory) Reveals(context.Context) ([]replica.Reveal, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.reveals), nil
}

// Commit implements replica.Store.
func (m *Memory) Commit(ctx context.Context, b *replica.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.check(b); err != nil {
		return err
	}
	if b.Meta != nil {
		m.meta = *b.Meta
	}
	for _, id := range b.Drop {
		delete(m.records, id)
	}
	for _, h := range b.Put {
		h.Entries, h.Known = nil, nil
		m.records[h.ID] = h
	}
	for _, h := range b.Rebase {
		old := m.records[h.ID]
		old.Base = h.Base
		m.records[h.ID] = old
	}
	for _, no := range b.Remove {
		if i, ok := m.find(no); ok {
			for _, edit := range m.entries[i].Changeset.Edits {
				m.untouch(edit.Record, no)
			}
			m.entries = slices.Delete(slices.Clone(m.entries), i, i+1)
		}
	}
	for _, e := range b.Append {
		m.entries = append(m.entries, e)
		for _, edit := range e.Changeset.Edits {
			m.touches[edit.Record] = append(slices.Clone(m.touches[edit.Record]), e.No)
		}
	}
	if len(b.Mark)+len(b.Receive)+len(b.Blank) > 0 {
		m.entries = slices.Clone(m.entries)
	}
	for _, id := range b.Erase {
		m.erased[id] = true
		delete(m.touches, id)
	}
	for _, e := range b.Blank {
		if i, ok := m.find(e.No); ok {
			m.entries[i].Changeset, m.entries[i].Replaced = e.Changeset, e.Replaced
		}
	}
	for _, e := range b.Mark {
		if i, ok := m.find(e.No); ok {
			m.entries[i].Received, m.entries[i].Refusal = e.Received, e.Refusal
		}
	}
	for _, got := range b.Receive {
		for i := range m.entries {
			e := &m.entries[i]
			if d := e.Changeset.Dot; d.Replica == got.Replica && got.From <= d.Counter && d.Counter <= got.Through && e.Received == 0 {
				e.Received = got.At
			}
		}
	}
	for _, s := range b.DropStreams {
		delete(m.streams, s)
	}
	for _, s := range b.Streams {
		m.streams[s.Stream] = s
	}
	for _, d := range b.Definitions {
		m.defs[defKey{d.Register, d.Version}] = d
	}
	m.commitForms(b)
	m.commitPages(b)
	for _, mark := range b.HubMarks {
		k := protocol.HubMark{Unit: mark.Unit, Register: mark.Register}
		m.marks[k] = max(m.marks[k], mark.Revision)
	}
	m.receipts = append(m.receipts, b.Receipts...)
	for _, no := range b.ReportedReveals {
		m.reveals = slices.DeleteFunc(slices.Clone(m.reveals), func(r replica.Reveal) bool { return r.No == no })
	}
	for _, r := range b.Reveals {
		m.revealed++
		r.No = m.revealed
		m.reveals = append(m.reveals, r)
	}
	return nil
}

func (m *Memory) commitForms(b *replica.Batch) {
	for _, key := range b.DropDrafts {
		m.drafts = slices.DeleteFunc(slices.Clone(m.drafts), func(d replica.Draft) bool { return d.Key == key })
	}
	for _, d := range b.Drafts {
		if i := m.draft(d.Key); i >= 0 {
			m.drafts = slices.Clone(m.drafts)
			m.drafts[i] = d
			continue
		}
		m.drafts = append(slices.Clone(m.drafts), d)
		slices.SortStableFunc(m.drafts, func(a, b replica.Draft) int {
			return cmp.Or(cmp.Compare(a.OpenedAt, b.OpenedAt), strings.Compare(a.Key, b.Key))
		})
	}
	for _, s := range b.Saved {
		m.saved[s.Key] = s
		for key, old := range m.saved {
			if old.At < s.At-keepSaved {
				delete(m.saved, key)
			}
		}
	}
}

func (m *Memory) untouch(id conflict.RecordID, no uint64) {
	left := slices.DeleteFunc(slices.Clone(m.touches[id]), func(n uint64) bool { return n == no })
	if len(left) == 0 {
		delete(m.touches, id)
		return
	}
	m.touches[id] = left
}

// check refuses what SQLite's constraints refuse.
func (m *Memory) check(b *replica.Batch) error {
	last := uint64(0)
	if n := len(m.entries); n > 0 {
		last = m.entries[n-1].No
	}
	for _, e := range b.Append {
		if e.No <= last {
			return errOrder
		}
		last = e.No
		if len(e.Changeset.Edits) == 0 || e.Hash == (record.Hash{}) {
			return errEntry
		}
	}
	for _, h := range b.Rebase {
		if _, ok := m.records[h.ID]; !ok && !slices.ContainsFunc(b.Put, func(p replica.Holding) bool { return p.ID == h.ID }) {
			return errRebase
		}
	}
	return nil
}
