package replica

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// Config is what a Replica is given once.
type Config struct {
	Store Store
	// Now is the device's clock in Unix milliseconds. It is shown to people
	// and decides nothing.
	Now func() int64
	// Rand is the source of replica ids, form keys and incarnations; it must
	// be cryptographic in production.
	Rand io.Reader
	// Account is whose store this is. A store belongs to one account for ever;
	// the zero Account takes the one that the store names.
	Account Account
	// Lang is the language of display texts, "vi" or "en".
	Lang string
	// Changed, if set, is called after each change of records, with no lock
	// held, on the goroutine that made it.
	Changed func(Changed)
	// Parse reads a definition; nil means register.ParseDefinition. Who opens
	// many replicas may give one that remembers.
	Parse func([]byte) (*register.Definition, error)
}

// Replica is one account's store on one device. Its methods may be called from
// any goroutine; they run one at a time.
type Replica struct {
	store   Store
	now     func() int64
	rand    io.Reader
	changed func(Changed)
	parse   func([]byte) (*register.Definition, error)
	wake    chan struct{} // capacity 1: something was saved, or scopes changed

	mu      sync.Mutex
	lang    string
	meta    Meta
	streams []Stream
	defs    map[string][]*register.Definition          // by register; ascending versions
	hub     map[protocol.HubMark]uint64                // by unit and register, Revision left zero
	found   map[*register.Definition][]*register.Field // what records of it are found by
	values  map[string]conflict.Value                  // scratch of index
	counts  Counts
	erased  map[conflict.RecordID]bool // by law, as far as this device was told
	spoilt  map[protocol.Stream]bool   // streams with pages that show one of them, and others
	hold    bool                       // nothing is received for now
	scopes  uint64                     // rises when streams or definitions to ask for change
	told    session.Status             // what the session last said
	failure *Failure
}

// Open opens the replica that store holds, or begins a new one in it under a
// random id. It fails if the store belongs to another account.
func Open(ctx context.Context, cfg Config) (*Replica, error) {
	if cfg.Store == nil || cfg.Now == nil || cfg.Rand == nil {
		return nil, errors.New("open replica: Store, Now and Rand are required")
	}
	r := &Replica{store: cfg.Store, now: cfg.Now, rand: cfg.Rand, changed: cfg.Changed, lang: cfg.Lang,
		wake: make(chan struct{}, 1), defs: map[string][]*register.Definition{}, hub: map[protocol.HubMark]uint64{},
		found: map[*register.Definition][]*register.Field{}, values: map[string]conflict.Value{}}
	if r.parse = cfg.Parse; r.parse == nil {
		r.parse = register.ParseDefinition
	}
	state, err := r.store.State(ctx)
	if err != nil {
		return nil, fmt.Errorf("open replica: %w", err)
	}
	if r.counts, err = r.store.Counts(ctx); err != nil {
		return nil, fmt.Errorf("open replica: %w", err)
	}
	for _, d := range state.Definitions {
		def, err := r.parse(d.Body)
		if err != nil {
			return nil, fmt.Errorf("open replica: definition %s %d: %w", d.Register, d.Version, err)
		}
		r.keepDefinition(def)
	}
	for _, m := range state.HubMarks {
		r.keepHubMark(m)
	}
	r.meta, r.streams = state.Meta, state.Streams
	r.keepErased(state.Erased, state.Spoilt)
	switch have, want := r.meta.Account.Name, cfg.Account.Name; {
	case have != "" && want != "" && have != want:
		return nil, fmt.Errorf("open replica: the store belongs to %s, not to %s", have, want)
	case have == "" && want == "":
		return nil, errors.New("open replica: a new store needs an account")
	}
	meta := r.meta
	if cfg.Account.Name != "" {
		meta.Account = cfg.Account
	}
	if meta.Replica.IsZero() {
		if meta.Replica, err = r.newReplicaID(); err != nil {
			return nil, fmt.Errorf("open replica: %w", err)
		}
	}
	b := &Batch{}
	if meta.Replica != r.meta.Replica || meta.Account != r.meta.Account {
		b.Meta = &meta
	}
	drafts, err := r.store.Drafts(ctx)
	if err != nil {
		return nil, fmt.Errorf("open replica: %w", err)
	}
	for _, d := range drafts { // forms that were looked at and never typed into
		if len(d.Typed) == 0 && d.OpenedAt < r.now()-24*time.Hour.Milliseconds() {
			b.DropDrafts = append(b.DropDrafts, d.Key)
		}
	}
	if err := r.commit(ctx, b); err != nil {
		return nil, fmt.Errorf("open replica: %w", err)
	}
	return r, nil
}

func (r *Replica) newReplicaID() (conflict.ReplicaID, error) {
	var id conflict.ReplicaID
	if _, err := io.ReadFull(r.rand, id[:]); err != nil {
		return id, fmt.Errorf("draw a replica id: %w", err)
	}
	return id, nil
}

// random64 returns 64 random bits. A source that fails cannot be worked with:
// what rests on it would repeat.
func (r *Replica) random64() uint64 {
	var b [8]byte
	if _, err := io.ReadFull(r.rand, b[:]); err != nil {
		panic(fmt.Sprintf("replica: the random source failed: %v", err))
	}
	return binary.LittleEndian.Uint64(b[:])
}

// commit writes b and, once it is durable, takes it over. r.mu is held, or r
// is not shared yet.
func (r *Replica) commit(ctx context.Context, b *Batch) error {
	if b.Empty() {
		return nil
	}
	if err := r.store.Commit(ctx, b); err != nil {
		return err
	}
	if b.Meta != nil {
		if b.Meta.Last > r.meta.Last || b.Meta.Replica != r.meta.Replica {
			r.signal()
		}
		r.meta = *b.Meta
	}
	for _, s := range b.DropStreams {
		r.streams = slices.DeleteFunc(slices.Clone(r.streams), func(t Stream) bool { return t.Stream == s })
	}
	for _, s := range b.Streams {
		r.keepStream(s)
	}
	for _, m := range b.HubMarks {
		r.keepHubMark(m)
	}
	r.keepErased(b.Erase, nil)
	if len(b.Spoil) > 0 { // some of them; to look for them in vain costs little
		for _, s := range b.Streams {
			r.keepErased(nil, []protocol.Stream{s.Stream})
		}
	}
	return nil
}

func (r *Replica) keepErased(ids []conflict.RecordID, spoilt []protocol.Stream) {
	for _, id := range ids {
		if r.erased == nil {
			r.erased = map[conflict.RecordID]bool{}
		}
		r.erased[id] = true
	}
	for _, s := range spoilt {
		if r.spoilt == nil {
			r.spoilt = map[protocol.Stream]bool{}
		}
		r.spoilt[s] = true
	}
}

func (r *Replica) signal() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Replica) keepStream(s Stream) {
	all := slices.Clone(r.streams)
	i := slices.IndexFunc(all, func(t Stream) bool { return t.Stream == s.Stream })
	if i < 0 {
		all = append(all, s)
	} else {
		all[i] = s
	}
	slices.SortFunc(all, func(a, b Stream) int { return compareStreams(a.Stream, b.Stream) })
	r.streams = all
}

func compareStreams(a, b protocol.Stream) int {
	return cmp.Or(cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Register, b.Register), cmp.Compare(a.Class, b.Class))
}

// stream returns the stream of that name, or nil.
func (r *Replica) stream(s protocol.Stream) *Stream {
	for i := range r.streams {
		if r.streams[i].Stream == s {
			return &r.streams[i]
		}
	}
	return nil
}

func (r *Replica) keepHubMark(m protocol.HubMark) {
	key := protocol.HubMark{Unit: m.Unit, Register: m.Register}
	r.hub[key] = max(r.hub[key], m.Revision)
}

func (r *Replica) keepDefinition(d *register.Definition) {
	all := r.defs[string(d.ID)]
	i, ok := slices.BinarySearchFunc(all, d.Version, func(d *register.Definition, v uint32) int { return cmp.Compare(d.Version, v) })
	if !ok {
		r.defs[string(d.ID)] = slices.Insert(slices.Clone(all), i, d)
	}
}

// definition returns the newest version of a register's definition, or nil.
func (r *Replica) definition(id string) *register.Definition {
	if all := r.defs[id]; len(all) > 0 {
		return all[len(all)-1]
	}
	return nil
}

// version returns that version of a definition, the newest if it is not held.
func (r *Replica) version(id string, version uint32) *register.Definition {
	for _, d := range r.defs[id] {
		if d.Version == version {
			return d
		}
	}
	return r.definition(id)
}

// Account returns whose store this is.
func (r *Replica) Account() Account {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.meta.Account
}

// SetLang changes the language of display texts, "vi" or "en".
func (r *Replica) SetLang(lang string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lang = lang
}

// Definitions returns the newest version of each register, by id. They are
// immutable.
func (r *Replica) Definitions() []*register.Definition {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []*register.Definition
	for id := range r.defs {
		all = append(all, r.definition(id))
	}
	slices.SortFunc(all, register.Compare)
	return all
}

// Meta returns what the store holds once.
func (r *Replica) Meta() Meta {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.meta
}

// SetSession keeps what the owner needs to come back to the server, and the
// account as the server described it; the name must not change.
func (r *Replica) SetSession(ctx context.Context, account Account, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if account.Name != r.meta.Account.Name {
		return fmt.Errorf("set session: the store belongs to %s, not to %s", r.meta.Account.Name, account.Name)
	}
	meta := r.meta
	meta.Account, meta.Session = account, slices.Clone(data)
	if err := r.commit(ctx, &Batch{Meta: &meta}); err != nil {
		return fmt.Errorf("set session: %w", err)
	}
	return nil
}

// Local returns what a session needs to know of the store.
func (r *Replica) Local() session.Local {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.local()
}

func (r *Replica) local() session.Local {
	l := session.Local{Replica: r.meta.Replica, Epoch: r.meta.Epoch, Current: r.meta.Current, Next: r.meta.Next,
		Acked: r.meta.Acked, Last: r.meta.Last, Return: r.meta.Return, Erasures: r.meta.Erasures}
	if len(r.meta.ServerKey) > 0 {
		l.Key = r.meta.ServerKey
	}
	for _, s := range r.streams {
		if !s.Withdrawn && !r.paused() {
			l.Scopes = append(l.Scopes, s.Scope)
		}
	}
	for id, all := range r.defs {
		l.Defs = append(l.Defs, protocol.DefinitionRef{Register: id, Version: all[len(all)-1].Version})
	}
	slices.SortFunc(l.Defs, func(a, b protocol.DefinitionRef) int { return cmp.Compare(a.Register, b.Register) })
	return l
}

// SetDefinitions keeps versions of registers' definitions.
func (r *Replica) SetDefinitions(ctx context.Context, bodies ...[]byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, body := range bodies {
		if err := r.storeDefinition(ctx, body); err != nil {
			return fmt.Errorf("set definitions: %w", err)
		}
	}
	return nil
}

func (r *Replica) storeDefinition(ctx context.Context, body []byte) error {
	def, err := r.parse(body)
	if err != nil {
		return err
	}
	before := r.definition(string(def.ID))
	if slices.ContainsFunc(r.defs[string(def.ID)], func(d *register.Definition) bool { return d.Version == def.Version }) {
		return nil // a version never changes
	}
	b := &Batch{Definitions: []Definition{{string(def.ID), def.Version, body}}}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.keepDefinition(def)
	r.scopes++
	if before != nil && before.Version > def.Version {
		return nil
	}
	return r.reindex(ctx, string(def.ID))
}

// reindex derives the index of every record of a register anew, some at a
// time: a stop between two only leaves titles and hits of the old version.
func (r *Replica) reindex(ctx context.Context, reg string) error {
	var after conflict.RecordID
	for {
		ids, err := r.store.Walk(ctx, reg, after, 500)
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
			r.put(b, &counts, h, nil)
		}
		if err := r.commit(ctx, b); err != nil {
			return err
		}
		r.counts = counts
	}
}

// tell reports changes of records, with no lock held.
func (r *Replica) tell(c Changed) {
	if r.changed != nil && len(c.Registers)+len(c.IDs) > 0 {
		r.changed(c)
	}
}

// reached reports whether a server ever held e durably, be it that it was restored
// since.
func (r *Replica) reached(e *Entry) bool {
	return e.Changeset.Dot.Replica != r.meta.Replica || e.Changeset.Last().Counter <= max(r.meta.Reached, r.meta.Acked)
}

// acked reports whether the server holds e durably.
func (r *Replica) acked(e *Entry) bool {
	return e.Changeset.Dot.Replica != r.meta.Replica || e.Changeset.Last().Counter <= r.meta.Acked
}

// holding returns what is held of one record; ok is false if nothing is.
func (r *Replica) holding(ctx context.Context, id conflict.RecordID) (h Holding, ok bool, err error) {
	hs, err := r.store.Holdings(ctx, []conflict.RecordID{id})
	if err != nil || len(hs) == 0 {
		return Holding{}, false, err
	}
	return hs[0], true, nil
}

// held returns what is held of the record with that text id, or ErrNoRecord.
func (r *Replica) held(ctx context.Context, text string) (Holding, error) {
	id, err := conflict.ParseDot(text)
	if err != nil {
		return Holding{}, noRecord(text)
	}
	if r.erased[id] {
		return Holding{}, ErrErased
	}
	h, ok, err := r.holding(ctx, id)
	if err != nil {
		return Holding{}, err
	}
	if !ok {
		return Holding{}, noRecord(text)
	}
	if r.definition(h.Register) == nil {
		return Holding{}, noRegister(h.Register)
	}
	return h, nil
}

// head returns the record that people see: the base with every changeset of
// the outbox on top that is not in quarantine. Sensitive fields that the device
// may not hold are seen by their author until the server has them; after that
// they are in the outbox for giving back, and nowhere else.
func (r *Replica) head(h *Holding) conflict.Record {
	head := h.Base
	for i := range h.Entries {
		if e := &h.Entries[i]; e.Refusal == nil {
			head = e.apply(head, h.ID)
		}
	}
	def := r.definition(h.Register)
	if len(h.Entries) == 0 || r.holds(protocol.Stream{Unit: h.Unit, Register: h.Register, Class: protocol.Sensitive}) || !sensitive(def) {
		return head
	}
	for k := range head.All() {
		if class(def, k) == protocol.Sensitive && !slices.ContainsFunc(h.Entries, func(e Entry) bool { return !r.acked(&e) && e.writes(h.ID, k) }) {
			head = head.With(k, h.Base.Field(k))
		}
	}
	return head
}

// holds reports whether the device may hold a stream, as far as it has heard.
func (r *Replica) holds(stream protocol.Stream) bool {
	s := r.stream(stream)
	return s != nil && !s.Withdrawn && s.Code == protocol.OK
}

// sensitive reports whether a register has fields of the sensitive class.
func sensitive(def *register.Definition) bool {
	return def != nil && slices.ContainsFunc(def.Fields, func(f register.Field) bool { return f.Class == register.Sensitive })
}

// writes reports whether e writes field k of record id.
func (e *Entry) writes(id conflict.RecordID, k conflict.FieldKey) bool {
	i := e.edit(id)
	return i >= 0 && slices.ContainsFunc(e.Changeset.Edits[i].Writes, func(w record.Write) bool { return w.Key == k })
}

// apply returns r after the part of e that touches record id.
func (e *Entry) apply(r conflict.Record, id conflict.RecordID) conflict.Record {
	if i := e.edit(id); i >= 0 {
		return e.Changeset.Apply(r, i, e.Received)
	}
	return r
}

// edit returns which edit of e touches record id, -1 for none.
func (e *Entry) edit(id conflict.RecordID) int {
	return slices.IndexFunc(e.Changeset.Edits, func(edit record.Edit) bool { return edit.Record == id })
}

// today returns the day in Vietnam, which has one time zone and no summer time.
func (r *Replica) today() string {
	return time.UnixMilli(r.now()).UTC().Add(7 * time.Hour).Format(time.DateOnly)
}
