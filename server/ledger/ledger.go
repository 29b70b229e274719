package ledger

import (
	"crypto/ed25519"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Author is who stands behind a session, as the accounts are now.
type Author struct {
	Account   string // name, as it stands in changesets
	Device    string
	Unit      string
	Waiting   []string // units in which the records of split units wait, among them its own
	Sensitive bool     // may read and write sensitive fields of the unit
	Revoked   bool     // device or account closed: what still arrives is kept aside
}

// Config is what a ledger is given once.
type Config struct {
	// Allow decides whether author may write fields of a class in a unit; it is
	// the server's one authoriser.
	Allow func(a Author, unit string, class protocol.Class) bool
	// Definition returns the newest definition of a register.
	Definition func(id string) (*register.Definition, bool)
	// IsUnit reports whether records may be sent to a unit. Nil takes any.
	IsUnit func(code string) bool
	// Moved, if set, does in the same transaction what follows elsewhere from a
	// record's move, and returns how far streams moved by it.
	Moved func(t Tables, m Move) ([]protocol.StreamMark, error)
	// Erased, if set, does in the same transaction what follows elsewhere from an
	// erasure, and returns how far streams moved by it.
	Erased func(t Tables, e Erasure) ([]protocol.StreamMark, error)
	// Registers lists the registers, in the order in which they are offered.
	Registers []string
	// PageRecords is how many records a page holds; 0 means the constant of
	// that name.
	PageRecords int
	// Brake is where a mass change waits for a supervisor; zero means at a
	// hundredth of a unit's records, but at 20 at least and 200 at most.
	Brake Brake
	Now   func() int64 // Unix milliseconds
	Key   ed25519.PrivateKey
}

// Ledger applies changesets. It keeps no state of its own; every call gets the
// transaction it works in. It is safe for concurrent use as far as its Tables
// are.
type Ledger struct{ cfg Config }

// New returns a ledger.
func New(cfg Config) *Ledger {
	if cfg.PageRecords == 0 {
		cfg.PageRecords = PageRecords
	}
	if cfg.Brake == (Brake{}) {
		cfg.Brake = theBrake
	}
	return &Ledger{cfg}
}

// storedLimit bounds the hashes told to a fork; a device with more unsent
// changesets meets the rest as repeats.
const storedLimit = 20_000

// Admit judges a Hello and returns the answer, with what else the device must
// be told first. An error of type *protocol.Error is for the device; any other
// is the server's own.
func (l *Ledger) Admit(t Tables, a Author, h *protocol.Hello) (*protocol.Welcome, []protocol.Message, error) {
	epoch, err := t.Epoch()
	if err != nil {
		return nil, nil, err
	}
	now := l.cfg.Now()
	r, known, err := t.Replica(h.Replica)
	if err != nil {
		return nil, nil, err
	}
	if h.Replica.IsZero() || known && r.Account != "" && (r.Account != a.Account || r.Device != a.Device) || h.Replica == epoch.Server {
		return nil, nil, &protocol.Error{Code: protocol.Forbidden, Detail: "the replica belongs to another account or device"}
	}
	w := &protocol.Welcome{Epoch: epoch.Token, At: now}
	switch {
	case !known, r.Account == "":
		// Unknown, or known only because others wrote to its records.
		r.ID, r.Account, r.Device = h.Replica, a.Account, a.Device
		if err := l.arrive(t, &r, now); err != nil {
			return nil, nil, err
		}
		if h.Acked > 0 {
			w.Verdict = protocol.Rebased // this database never met it: it was restored
		}
	case r.RetiredAt != 0:
		w.Verdict = protocol.Forked // its id is closed
	case h.Last < r.Acked:
		w.Verdict = protocol.Forked // an older copy of the store
	case r.Epoch != epoch.Token:
		w.Verdict = protocol.Rebased
	case h.Current == r.Current, h.Current == r.Previous && h.Next == r.Current:
	default:
		w.Verdict = protocol.Forked
	}
	if w.Verdict == protocol.Forked {
		after := min(h.Acked, r.Acked)
		if h.Epoch != epoch.Token {
			// Of what another life acknowledged this one may lack some, and have
			// another copy's in its place.
			after = min(after, r.Acked-min(r.Acked, storedLimit))
		}
		if w.Stored, err = t.Stored(r.No, after, storedLimit); err != nil {
			return nil, nil, err
		}
		w.Acked = r.Acked
		w.Grants = make([]protocol.Grant, len(h.Scopes))
		if r.Parted = true; r.No != 0 {
			if err := t.PutReplica(&r); err != nil {
				return nil, nil, err
			}
		}
		more, err := l.refusals(t, r)
		return w, more, err
	}
	r.Epoch, r.SeenAt, r.VanishedAt, r.Clock = epoch.Token, now, 0, h.At-now
	if r.Current != h.Next {
		r.Previous, r.Current = h.Current, h.Next
	}
	units := map[string]bool{}
	past, err := t.PastRights(a.Account)
	if err != nil {
		return nil, nil, err
	}
	changes, err := t.UnitChanges()
	if err != nil {
		return nil, nil, err
	}
	holds := told{Last: h.Last, Rights: uint64(len(past)) + 1, List: list(changes)}
	for _, s := range h.Scopes {
		g, err := l.grant(t, a, h, epoch, s)
		if err != nil {
			return nil, nil, err
		}
		w.Grants = append(w.Grants, g)
		if g.Code == protocol.OK {
			units[s.Unit] = true
			if s.Class == protocol.Basic && g.From > 0 {
				holds.Marks = append(holds.Marks, mark{s.Unit, s.Register, g.From})
			}
		}
	}
	if epoch.Restored && h.Acked > r.Acked {
		holds.Acked = h.Acked
	}
	if r.Told, err = addTold(r.Told, r.Acked, holds); err != nil {
		return nil, nil, err
	}
	if err := t.PutReplica(&r); err != nil {
		return nil, nil, err
	}
	w.Acked, w.BackedUp = r.Acked, r.BackedUp
	more, err := l.firstNews(t, h, r, units)
	return w, more, err
}

func (l *Ledger) grant(t Tables, a Author, h *protocol.Hello, epoch Epoch, s protocol.Scope) (protocol.Grant, error) {
	if _, ok := l.cfg.Definition(s.Register); !ok {
		return protocol.Grant{Code: protocol.UnknownRegister}, nil
	}
	if a.Revoked || !l.cfg.Allow(a, s.Unit, s.Class) {
		return protocol.Grant{Code: protocol.Forbidden}, nil
	}
	g := protocol.Grant{From: s.Cursor}
	var err error
	if g.Head, err = t.StreamHead(s.Stream); err != nil {
		return g, err
	}
	if g.Count, err = t.StreamCount(s.Stream); err != nil {
		return g, err
	}
	if g.BackedUp, err = t.BackedUp(s.Unit); err != nil {
		return g, err
	}
	switch {
	case s.Cursor == 0:
	case h.Epoch == epoch.Token:
		// A cursor beyond the unit's last position was never given out by this
		// epoch: the device begins again.
		last, err := t.Position(s.Unit)
		if err != nil {
			return g, err
		}
		if s.Cursor > last {
			g.From = 0
		}
	default:
		fork, ok, err := t.Fork(h.Epoch, s.Unit)
		if err != nil {
			return g, err
		}
		if !ok {
			fork = 0
		}
		// Not from the cursor: in the midst of catching up the device lacks the
		// records that had moved beyond it, and the fork has moved them back.
		g.From = min(s.Floor, fork)
	}
	return g, nil
}

// firstNews is what a device must hear before its pages: definitions it lacks,
// its changesets in quarantine, and how far the hub is.
func (l *Ledger) firstNews(t Tables, h *protocol.Hello, r Replica, units map[string]bool) ([]protocol.Message, error) {
	var more []protocol.Message
	for _, id := range l.cfg.Registers {
		def, _ := l.cfg.Definition(id)
		if slices.Contains(h.Defs, protocol.DefinitionRef{Register: id, Version: def.Version}) {
			continue
		}
		body := def.Marshal()
		more = append(more, &protocol.Definition{Register: id, Version: def.Version, Body: body})
	}
	refusals, err := l.refusals(t, r)
	if err != nil {
		return nil, err
	}
	more = append(more, refusals...)
	for _, unit := range slices.Sorted(maps.Keys(units)) {
		marks, err := t.HubMarks(unit)
		if err != nil {
			return nil, err
		}
		for _, m := range marks {
			more = append(more, &protocol.HubMark{Unit: m.Unit, Register: m.Register, Revision: m.Revision})
		}
	}
	return more, nil
}

// refusals lists what a device must hear of its changesets in quarantine. Single
// writes that others gave back are none of them: what the device still has of
// those it hands in again, whole, and hears what is said of that.
func (l *Ledger) refusals(t Tables, r Replica) ([]protocol.Message, error) {
	if !r.Trouble {
		return nil, nil
	}
	entries, err := t.Quarantined(r.No)
	if err != nil {
		return nil, err
	}
	var more []protocol.Message
	for _, q := range entries {
		if q.Counter <= r.Acked {
			more = append(more, RefusalOf(q))
		}
	}
	return more, nil
}

// RefusalOf returns what a device is told of an entry.
func RefusalOf(q Quarantine) *protocol.Refusal {
	code := q.Code
	if q.Settled != "" {
		code = protocol.OK
	}
	r := &protocol.Refusal{Counter: q.Counter, Code: code, Detail: q.Detail, At: q.At}
	switch q.Settled {
	case "released":
		r.Settled, r.As = protocol.Released, q.As
	case "rejected":
		r.Settled = protocol.Rejected
	}
	return r
}

// Outcome is what became of a push, once the transaction is durable.
type Outcome struct {
	Ack      *protocol.Ack       // nil if the push did not join on to what is stored
	Refusals []*protocol.Refusal // with Forked, every one of the replica
	Again    []*protocol.Refusal // of repeats, told before
	Forked   *protocol.Welcome   // set in the place of Ack when a dot came with two contents
	Grew     []protocol.StreamMark
	Applied  int // changesets applied
	Moved    int // records that went to another unit
	Repeats  int
}

// Commit takes the changesets of one push in: it stores each, judges it, and
// applies it or keeps it aside. Changesets already stored with the same hash
// are successes. It stops at the first that leaves a gap or has another hash.
func (l *Ledger) Commit(t Tables, a Author, replica conflict.ReplicaID, changesets []record.Changeset) (Outcome, error) {
	var out Outcome
	epoch, err := t.Epoch()
	if err != nil {
		return out, err
	}
	r, ok, err := t.Replica(replica)
	if err != nil {
		return out, err
	}
	if !ok || r.Account != a.Account {
		return out, &protocol.Error{Code: protocol.HelloExpected}
	}
	b := batch{l: l, t: t, a: a, epoch: epoch, r: &r, now: l.cfg.Now(), out: &out}
	if err := b.prefetch(changesets); err != nil {
		return out, err
	}
	if err := b.weigh(changesets); err != nil {
		return out, err
	}
	through := uint64(0) // up to where this push was found stored with its content, or stored now
	for _, c := range changesets {
		if c.Dot.Replica != replica {
			return out, &protocol.Error{Code: protocol.Forbidden, Detail: "a changeset of another replica"}
		}
		if c.Dot.Counter <= r.Acked {
			forked, err := b.repeat(c)
			if err != nil {
				return out, err
			}
			if forked {
				break
			}
			through = max(through, c.Last().Counter)
			continue
		}
		if c.Dot.Counter != r.Acked+1 {
			break // a gap: what is stored is acknowledged, the rest comes again
		}
		if err := b.take(c); err != nil {
			return out, err
		}
		through = r.Acked
	}
	if out.Forked != nil {
		out.Forked.Acked, r.Parted = r.Acked, true
		if through == 0 {
			return out, t.PutReplica(&r)
		}
	}
	if through == 0 {
		return out, nil
	}
	if err := b.countEmptied(); err != nil {
		return out, err
	}
	r.SeenAt = b.now
	if err := t.PutReplica(&r); err != nil {
		return out, err
	}
	if out.Forked == nil {
		out.Ack = b.receipt(through)
	}
	return out, b.finish()
}

// CommitMalformed stores a changeset whose bytes cannot be read, so that it is
// not lost and what follows it is not blocked.
func (l *Ledger) CommitMalformed(t Tables, a Author, replica conflict.ReplicaID, first, count uint64, body []byte) (Outcome, error) {
	var out Outcome
	epoch, err := t.Epoch()
	if err != nil {
		return out, err
	}
	r, ok, err := t.Replica(replica)
	if err != nil {
		return out, err
	}
	if !ok || r.Account != a.Account {
		return out, &protocol.Error{Code: protocol.HelloExpected}
	}
	if first != r.Acked+1 || count == 0 || count > record.MaxWrites {
		return out, nil
	}
	b := batch{l: l, t: t, a: a, epoch: epoch, r: &r, now: l.cfg.Now(), out: &out}
	in := Intake{Replica: r.No, Counter: first, Count: count, Hash: record.HashOf(body), Unit: a.Unit, Received: b.now, Bytes: body}
	if err := t.AppendIntake(&in, nil); err != nil {
		return out, err
	}
	r.Acked = first + count - 1
	unit, err := b.resolve(a.Unit)
	if err != nil {
		return out, err
	}
	if err := b.aside(in, unit, a.Account, &protocol.Error{Code: protocol.Malformed}); err != nil {
		return out, err
	}
	r.SeenAt = b.now
	if err := t.PutReplica(&r); err != nil {
		return out, err
	}
	out.Ack = b.receipt(r.Acked)
	return out, nil
}

// receipt acknowledges what was compared and no more: another copy of the
// store may have brought what lies above it.
func (b *batch) receipt(through uint64) *protocol.Ack {
	ack := &protocol.Ack{Through: through, Received: b.now, Marks: b.marks()}
	if b.l.cfg.Key != nil {
		protocol.SignAck(b.l.cfg.Key, b.epoch.Token, b.r.ID, ack)
	}
	return ack
}
