package simtest

import (
	"fmt"
	"slices"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Bug is a mistake that is made on purpose, to see whether it is caught. Bugs
// are made where the world meets the production code: in what a store is given,
// in what tables say, in messages on their way. The production code has none.
type Bug uint8

// The seeded bugs.
const (
	NoBug Bug = iota

	// At the server.
	AckBeforeCommit   // the acknowledgement leaves before the commit
	AckTooFar         // it covers one counter more than is stored
	GapAccepted       // a changeset is taken though one before it is missing
	RepeatApplied     // a repeated changeset is applied as a new one
	RepeatUnanswered  // a repeated changeset is not acknowledged again
	HashIgnored       // a repeat is known by its counter alone, and a wiped store keeps its identity
	SiblingsDropped   // merging keeps one sibling
	QuarantineDropped // a refused changeset is stored and forgotten
	PositionKept      // a unit's position does not move
	PageShort         // a page leaves out its last record
	PageTwice         // a page has a record twice
	PokeLost          // a session does not hear that a stream has grown
	OriginChanged     // a value's device time is set right by the server
	SameEpoch         // a restored server keeps its epoch
	SameServerReplica // and the replica of its own writes
	MarksLost         // receipts do not say which positions show the writes
	RefusalWrong      // a refusal gives another reason
	RefusalLost       // a refusal is not sent
	FrameCut          // a message loses its last byte
	CommitUnflushed   // a power loss takes the last transaction with it
	PoisonBlocks      // a changeset that cannot be accepted is not taken in, nor what follows it
	LeftUntold        // a page does not tell what left
	RightsIgnored     // what an officer may write is not asked
	FutureRefused     // a changeset from years ahead is refused
	ErasureForgotten  // a restored server does not erase again what its backup holds
	ErasedTaken       // what comes later of an erased record is taken like anything else
	ErasedUntold      // devices are told of no erasure

	// On the device.
	CursorFirst        // the cursor is stored before the data
	OverlayDropped     // a changeset leaves the head when it is acknowledged
	PageOverPending    // a page takes the place of what is pending
	ContextAtSave      // a write claims to have seen the state at save
	SaveUnflushed      // a save is reported before it is durable
	SaveHidden         // a save does not show
	SaveForgotten      // a form that was saved may be saved again
	LatestWins         // of several siblings the device keeps the latest by the clock
	DeletionSeesAll    // a deletion claims to have seen everything
	ScreenStale        // forms do not show what is pending
	ForkHashesIgnored  // a copy re-dots what the server holds
	RekeyKeepsContexts // a copy's contexts go on naming dots that it has given up
	LowerAckIgnored    // a server that has lost something is not sent it again
	WelcomeIsReceipt   // a Welcome acknowledges what was never compared
	ErasedKept         // what was written here of an erased record stays in the outbox
	UnknownDropped     // fields that the device's definition does not know are dropped

	bugs
)

// seeded says of each bug its name, the mix that brings it out, and the oracle
// that must see it.
var seeded = [bugs]struct {
	name   string
	mix    Mix
	oracle string
}{
	NoBug:              {"none", Plain, ""},
	AckBeforeCommit:    {"ack-before-commit", Plain, oracleAck},
	AckTooFar:          {"ack-too-far", Plain, oracleAck},
	GapAccepted:        {"gap-accepted", Plain, oracleAck},
	RepeatApplied:      {"repeat-applied", Plain, oracleRedot},
	RepeatUnanswered:   {"repeat-unanswered", Plain, oracleRest},
	HashIgnored:        {"hash-ignored", Identity, oracleRedot},
	SiblingsDropped:    {"siblings-dropped", Plain, oracleModel},
	QuarantineDropped:  {"quarantine-dropped", Plain, oracleState},
	PositionKept:       {"position-kept", Plain, oraclePositions},
	PageShort:          {"page-short", Plain, oracleCursor},
	PageTwice:          {"page-twice", Plain, oracleEffects},
	PokeLost:           {"poke-lost", Plain, oracleConvergence},
	OriginChanged:      {"origin-changed", Plain, oracleOrigin},
	SameEpoch:          {"same-epoch", Restores, oracleConvergence},
	SameServerReplica:  {"same-server-replica", Restores, oracleDot},
	MarksLost:          {"marks-lost", Plain, oracleSynced},
	RefusalWrong:       {"refusal-wrong", Plain, oracleQuarantine},
	RefusalLost:        {"refusal-lost", Plain, oracleHeads},
	FrameCut:           {"frame-cut", Plain, oracleCodec},
	CursorFirst:        {"cursor-first", Plain, oracleCursor},
	OverlayDropped:     {"overlay-dropped", Plain, oracleReads},
	PageOverPending:    {"page-over-pending", Plain, oracleReads},
	ContextAtSave:      {"context-at-save", Plain, oracleModel},
	SaveUnflushed:      {"save-unflushed", Plain, oracleLost},
	SaveHidden:         {"save-hidden", Plain, oracleOwnWrites},
	SaveForgotten:      {"save-forgotten", Plain, oracleTwice},
	LatestWins:         {"latest-wins", Plain, oracleCursor},
	DeletionSeesAll:    {"deletion-sees-all", Plain, oracleModel},
	ScreenStale:        {"screen-stale", Plain, oracleScreen},
	ForkHashesIgnored:  {"fork-hashes-ignored", Identity, oracleRedot},
	RekeyKeepsContexts: {"rekey-keeps-contexts", Identity, oracleQuarantine},
	LowerAckIgnored:    {"lower-ack-ignored", Restores, oracleLost},
	WelcomeIsReceipt:   {"welcome-is-receipt", Identity, oracleSynced},
	CommitUnflushed:    {"commit-unflushed", Plain, oracleAck},
	PoisonBlocks:       {"poison-blocks", Changes, oracleRest},
	LeftUntold:         {"left-untold", Changes, oracleConvergence},
	RightsIgnored:      {"rights-ignored", Plain, oracleAuthority},
	FutureRefused:      {"future-refused", Plain, oracleClocks},
	ErasureForgotten:   {"erasure-forgotten", Restores, oracleErased},
	ErasedTaken:        {"erased-taken", Changes, oracleErased},
	ErasedUntold:       {"erased-untold", Changes, oracleErased},
	ErasedKept:         {"erased-kept", Changes, oracleErased},
	UnknownDropped:     {"unknown-dropped", Changes, oracleCursor},
}

// String returns the bug's name.
func (b Bug) String() string { return seeded[b].name }

// ParseBug reads what String writes.
func ParseBug(s string) (Bug, error) {
	for b := range bugs {
		if b.String() == s {
			return b, nil
		}
	}
	return 0, fmt.Errorf("no bug %q", s)
}

// bugBatch is what a device's store is given.
func (w *world) bugBatch(d *device, b *replica.Batch) []*replica.Batch {
	c := *b
	switch w.bug {
	case CursorFirst:
		if len(b.Streams) > 0 && len(b.Put)+len(b.Rebase) > 0 {
			c.Streams = nil
			return []*replica.Batch{{Streams: b.Streams}, &c}
		}
	case OverlayDropped:
		if len(b.Receipts) > 0 {
			c.Remove = append(slices.Clone(b.Remove), d.outboxOf(func(e *replica.Entry) bool {
				return e.Changeset.Dot.Replica == b.Meta.Replica && e.Changeset.Last().Counter <= b.Meta.Acked
			})...)
		}
	case PageOverPending:
		if len(b.Streams) > 0 {
			for _, h := range slices.Concat(b.Put, b.Rebase) {
				c.Remove = append(c.Remove, d.outboxOf(func(e *replica.Entry) bool { return e.Changeset.Edits[0].Record == h.ID })...)
			}
		}
	case ContextAtSave, DeletionSeesAll, SaveHidden:
		if d.saving {
			c.Append = slices.Clone(b.Append)
			for i := range c.Append {
				w.bugEntry(d, &c.Append[i])
			}
		}
	case ErasedKept:
		c.Blank = nil
	case SaveForgotten:
		c.Saved, c.DropDrafts = nil, nil
	case SaveUnflushed:
		if d.saving {
			d.unflushed = d.mem.Clone()
		} else {
			d.unflushed = nil // somebody else's flush
		}
	case LatestWins:
		c.Put, c.Rebase = slices.Clone(b.Put), slices.Clone(b.Rebase)
		for _, list := range [][]replica.Holding{c.Put, c.Rebase} {
			for i := range list {
				list[i].Base = oneSibling(list[i].Base)
			}
		}
	case UnknownDropped:
		if s, err := d.mem.State(ctx); err == nil && len(s.Definitions) == 1 {
			c.Put, c.Rebase = slices.Clone(b.Put), slices.Clone(b.Rebase)
			for _, list := range [][]replica.Holding{c.Put, c.Rebase} {
				for i := range list {
					list[i].Base = list[i].Base.With(fieldKeys[firstFields], conflict.Field{})
				}
			}
		}
	case RekeyKeepsContexts:
		if b.Meta != nil && !d.meta.Replica.IsZero() && b.Meta.Replica != d.meta.Replica {
			c.Append = slices.Clone(b.Append)
			for i := range c.Append {
				w.bugMoved(d, &c.Append[i])
			}
		}
	}
	return []*replica.Batch{&c}
}

func (d *device) outboxOf(which func(*replica.Entry) bool) (nos []uint64) {
	entries, err := d.mem.Entries(ctx, 0, 1<<30)
	if err != nil {
		return nil
	}
	for i := range entries {
		if which(&entries[i]) {
			nos = append(nos, entries[i].No)
		}
	}
	return nos
}

// bugEntry changes a changeset as it is saved.
func (w *world) bugEntry(d *device, e *replica.Entry) {
	if w.bug == SaveHidden {
		e.Refusal = &replica.Refusal{Code: protocol.Dependent}
		return
	}
	h, _ := d.holding(e.Changeset.Edits[0].Record)
	head := d.head(&h)
	e.Changeset.Edits = slices.Clone(e.Changeset.Edits)
	writes := slices.Clone(e.Changeset.Edits[0].Writes)
	for i := range writes {
		wr := &writes[i]
		if w.bug == ContextAtSave {
			wr.Context = head.Field(wr.Key).Vector()
		}
		if l, err := conflict.ParseLife(wr.Value); w.bug == DeletionSeesAll && wr.Key.ID == conflict.FieldLife && err == nil {
			wr.Value = l.Map(func(v conflict.Vector) conflict.Vector {
				for d := range v.All() {
					d.Counter += 1000
					v = v.With(d)
				}
				for r := range w.server.life.through {
					v = v.With(conflict.Dot{Replica: r, Counter: 1000})
				}
				return v
			}).Value()
		}
	}
	e.Changeset.Edits[0].Writes = writes
	e.Hash = e.Changeset.Hash()
}

// bugMoved gives a changeset that got new dots its old contexts.
func (w *world) bugMoved(d *device, e *replica.Entry) {
	entries, err := d.mem.Entries(ctx, 0, 1<<30)
	if err != nil {
		return
	}
	for i := range entries {
		if old := &entries[i].Changeset; old.At == e.Changeset.At {
			e.Changeset.Edits = slices.Clone(e.Changeset.Edits)
			writes := slices.Clone(e.Changeset.Edits[0].Writes)
			for j := range writes {
				writes[j].Context = old.Edits[0].Writes[j].Context
			}
			e.Changeset.Edits[0].Writes = writes
			e.Hash = e.Changeset.Hash()
		}
	}
}

// oneSibling keeps of each field the sibling with the latest device time.
func oneSibling(r conflict.Record) conflict.Record {
	for k, f := range r.All() {
		if f.Len() < 2 {
			continue
		}
		all := f.Siblings()
		latest := slices.MaxFunc(all, func(a, b conflict.Sibling) int { return int(a.Origin.At>>20) - int(b.Origin.At>>20) })
		if one, err := conflict.NewField([]conflict.Sibling{latest}, f.Vector()); err == nil {
			r = r.With(k, one)
		}
	}
	return r
}

// bugUp is what a device sends.
func (w *world) bugUp(m protocol.Message) protocol.Message {
	if hello, ok := m.(*protocol.Hello); ok && w.bug == GapAccepted {
		// To the session a gap looks like what was handed in before.
		c := *hello
		c.Acked = hello.Last
		return &c
	}
	return m
}

// bugDown is what a device receives.
func (w *world) bugDown(d *device, m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Welcome:
		c := *m
		switch {
		case w.bug == ForkHashesIgnored:
			c.Stored = nil
		case w.bug == LowerAckIgnored:
			c.Acked = max(m.Acked, d.meta.Acked)
		case w.bug == WelcomeIsReceipt && m.Verdict != protocol.Forked && m.Acked > d.meta.Acked && d.link != nil:
			d.link.dn = slices.Insert(d.link.dn, 0, protocol.Message(&protocol.Ack{Through: m.Acked, Received: m.At}))
		}
		return &c
	case *protocol.Ack:
		if w.bug == MarksLost {
			c := *m
			c.Marks = nil
			return &c
		}
	case *protocol.Refusal:
		if w.bug == RefusalWrong {
			c := *m
			c.Code = protocol.Internal
			return &c
		}
	}
	return m
}

// bugSend is what the server sends; nil is nothing.
func (w *world) bugSend(s *serverEnd, m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Erased:
		if w.bug == ErasedUntold {
			return nil
		}
	case *protocol.Ack:
		if w.bug == AckTooFar {
			c := *m
			c.Through++
			return &c
		}
		if w.bug == RepeatUnanswered && s.repeats > 0 {
			return nil
		}
	case *protocol.Page:
		if w.bug == LeftUntold {
			c := *m
			c.Records = slices.DeleteFunc(slices.Clone(m.Records), func(d protocol.RecordDelta) bool { return d.Left })
			return &c
		}
		n := len(m.Records)
		if n < 2 {
			return m
		}
		c := *m
		switch w.bug {
		case PageShort:
			c.Records = m.Records[:n-1]
		case PageTwice:
			c.Records = append(slices.Clone(m.Records), m.Records[0])
		}
		return &c
	case *protocol.Refusal:
		if w.bug == RefusalLost {
			return nil
		}
	}
	return m
}

// bugBytes is what a message is on the wire.
func (w *world) bugBytes(b []byte) []byte {
	if w.bug == FrameCut {
		return b[:len(b)-1]
	}
	return b
}

// bugPush is what the server makes of the changesets of a push.
func (w *world) bugPush(s *serverEnd, t ledger.Tables, changesets []record.Changeset) []record.Changeset {
	switch w.bug {
	default:
		return changesets
	case PoisonBlocks:
		if i := slices.IndexFunc(changesets, func(c record.Changeset) bool { return isPoison(&c) }); i >= 0 {
			return changesets[:i]
		}
		return changesets
	case FutureRefused:
		w.server.refusing = slices.ContainsFunc(changesets, func(c record.Changeset) bool { return c.At > w.server.now()+1<<35 }) // about a year
		return changesets
	case RepeatApplied:
	}
	r, _, err := t.Replica(s.replica)
	if err != nil || len(changesets) == 0 || changesets[len(changesets)-1].Last().Counter > r.Acked {
		return changesets
	}
	c := changesets[0]
	c.Dot.Counter = r.Acked + 1
	return []record.Changeset{c}
}

// bugTables is what the server's ledger is given.
func (w *world) bugTables(t ledger.Tables, hello *protocol.Hello, push []record.Changeset) ledger.Tables {
	switch w.bug {
	case GapAccepted, HashIgnored, SiblingsDropped, QuarantineDropped, PositionKept, OriginChanged, SameServerReplica, ErasedTaken:
		return &wrongTables{t, w, hello, push}
	}
	return t
}

// wrongTables are tables with a bug in them.
type wrongTables struct {
	ledger.Tables
	w     *world
	hello *protocol.Hello
	push  []record.Changeset
}

func (t *wrongTables) Epoch() (ledger.Epoch, error) {
	e, err := t.Tables.Epoch()
	if t.w.bug == SameServerReplica && err == nil {
		e.Server = t.w.server.first
		r, _, err := t.Tables.Replica(e.Server)
		e.Counter = r.Acked
		return e, err
	}
	return e, err
}

func (t *wrongTables) Erased(id conflict.RecordID) (bool, error) {
	if t.w.bug == ErasedTaken {
		return false, nil
	}
	return t.Tables.Erased(id)
}

func (t *wrongTables) Replica(id conflict.ReplicaID) (ledger.Replica, bool, error) {
	r, ok, err := t.Tables.Replica(id)
	if t.w.bug == GapAccepted && len(t.push) > 0 && id == t.push[0].Dot.Replica {
		r.Acked = max(r.Acked, t.push[0].Dot.Counter-1)
	}
	if t.w.bug == HashIgnored && t.hello != nil {
		r.Acked = min(r.Acked, t.hello.Last)
	}
	return r, ok, err
}

func (t *wrongTables) PutReplica(r *ledger.Replica) error {
	if t.w.bug == HashIgnored && t.hello != nil {
		if real, ok, err := t.Tables.Replica(r.ID); ok || err != nil {
			r.Acked = real.Acked
		}
	}
	return t.Tables.PutReplica(r)
}

func (t *wrongTables) Intake(no int64, counter uint64) (ledger.Intake, bool, error) {
	in, ok, err := t.Tables.Intake(no, counter)
	for _, c := range t.push {
		if t.w.bug == HashIgnored && c.Dot.Counter == counter {
			in.Counter, in.Hash, ok = counter, c.Hash(), true
		}
	}
	return in, ok, err
}

func (t *wrongTables) PutQuarantine(q *ledger.Quarantine) error {
	if t.w.bug == QuarantineDropped {
		return nil
	}
	return t.Tables.PutQuarantine(q)
}

func (t *wrongTables) SetPosition(unit string, p uint64) error {
	if t.w.bug == PositionKept && p%4 == 3 {
		p--
	}
	return t.Tables.SetPosition(unit, p)
}

func (t *wrongTables) PutRecord(r *ledger.Row) error {
	if t.w.bug != SiblingsDropped && t.w.bug != OriginChanged {
		return t.Tables.PutRecord(r)
	}
	state, positions, err := record.ParseState(r.State, r.ID)
	if err != nil {
		return err
	}
	if t.w.bug == SiblingsDropped {
		state = oneSibling(state)
	} else {
		for k, f := range state.All() {
			all := f.Siblings()
			for i := range all {
				if all[i].Origin.At > all[i].Origin.Received {
					all[i].Origin.At = all[i].Origin.Received
				}
			}
			if changed, err := conflict.NewField(all, f.Vector()); err == nil {
				state = state.With(k, changed)
			}
		}
	}
	c := *r
	c.State = record.AppendState(nil, state, r.ID, positions)
	return t.Tables.PutRecord(&c)
}

// bugServerCrash is what a power loss of the server takes with it.
func (w *world) bugServerCrash() {
	if v := w.server; w.bug == CommitUnflushed && v.unflushed != nil {
		v.db = v.unflushed
		v.unflushed = nil
	}
}

// bugWipe is what is left of a store that was lost.
func (w *world) bugWipe(d *device, old replica.Meta) {
	if w.bug != HashIgnored || old.Replica.IsZero() {
		return
	}
	meta := replica.Meta{Account: old.Account, Replica: old.Replica, Epoch: old.Epoch, Current: old.Current, Next: old.Next}
	if err := d.mem.Commit(ctx, &replica.Batch{Meta: &meta}); err != nil {
		w.fail(oracleEffects, err.Error())
	}
	d.meta = meta
}

// bugCrash is what a crash takes with it.
func (w *world) bugCrash(d *device) {
	if w.bug == SaveUnflushed && d.unflushed != nil {
		d.mem = d.unflushed
		if s, err := d.mem.State(ctx); err == nil {
			d.meta = s.Meta
		}
	}
}
