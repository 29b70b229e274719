package simtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/ledger/memory"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// serverMillis sets the server's clock off the devices', so that no two
// changesets of a run carry one time.
const serverMillis = 3

// server is the ward's server: the production sessions and ledger over tables
// in memory.
type server struct {
	w    *world
	led  *ledger.Ledger
	db   *memory.DB
	life *life
	ends []*serverEnd
	fuse int // dies when this many effects and commits are done; 0 for never
	rnd  *rand.ChaCha8

	commits    int
	pushing    *account                          // whose changesets are being taken in
	unflushed  *memory.DB                        // what a power loss leaves, if a bug says so
	refusing   bool                              // the push that is being taken in is refused, if a bug says so
	turns      map[conflict.ReplicaID]*serverEnd // who may speak for a replica
	first      conflict.ReplicaID                // of the first epoch's own writes
	backup     *memory.DB
	backupLife *life
}

// life is what the oracles know of one life of the database: what a reader of
// it would find after a power cut now.
type life struct {
	stored    map[int]conflict.Dot // changesets by number, under which dot
	hashes    map[conflict.Dot]record.Hash
	through   map[conflict.ReplicaID]uint64
	positions map[string]uint64
	aside     map[int]protocol.Code          // of those stored, in quarantine, and why
	asideDots map[conflict.Dot]protocol.Code // the same by first dot: a changeset may be there twice
	homes     map[conflict.RecordID]string   // in which unit a record lives
}

func newLife() *life {
	return &life{map[int]conflict.Dot{}, map[conflict.Dot]record.Hash{}, map[conflict.ReplicaID]uint64{}, map[string]uint64{}, map[int]protocol.Code{}, map[conflict.Dot]protocol.Code{}, map[conflict.RecordID]string{}}
}

func (l *life) clone() *life {
	return &life{maps.Clone(l.stored), maps.Clone(l.hashes), maps.Clone(l.through), maps.Clone(l.positions), maps.Clone(l.aside), maps.Clone(l.asideDots), maps.Clone(l.homes)}
}

// serverEnd is the server's end of one connection.
type serverEnd struct {
	v       *server
	l       *link
	machine *session.Server
	effects []session.Effect
	answers []session.Event // to its own effects
	inbox   []session.Event // from elsewhere
	account *account
	replica conflict.ReplicaID
	follows map[string]bool
	wakeAt  int64
	repeats int  // in the last push
	gone    bool // the process has died, or nobody listens
}

func (v *server) now() int64 { return epochMillis + v.w.now + serverMillis }

func (v *server) Read(p []byte) (int, error) { return v.rnd.Read(p) }

func (v *server) reseed() {
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], v.w.seed)
	binary.LittleEndian.PutUint64(seed[8:], ^uint64(0))
	v.rnd = rand.NewChaCha8(seed)
}

func (v *server) accept(l *link) *serverEnd {
	v.applyErasures()
	s := &serverEnd{v: v, l: l, machine: session.NewServer(v.now())}
	v.ends = append(v.ends, s)
	return s
}

func (s *serverEnd) idle() bool {
	return s.gone || len(s.effects)+len(s.answers)+len(s.inbox) == 0
}

// burn counts an effect or a commit and reports whether the server dies of it.
func (v *server) burn() bool {
	if v.fuse > 0 {
		if v.fuse--; v.fuse == 0 {
			v.crash()
			return true
		}
	}
	return false
}

// crash ends the process. What was committed stays.
func (v *server) crash() {
	v.w.logf("  server crashes")
	v.w.bugServerCrash()
	v.fuse = 0
	for _, s := range v.ends {
		s.gone, s.l.closed = true, true
	}
	v.ends = nil
}

// sessionHears finishes what the session has to do, then gives it a message.
func (w *world) sessionHears(s *serverEnd, m protocol.Message) {
	w.server.work(s, -1)
	if g, ok := m.(greeting); ok && !s.gone {
		m = g.known
		for _, e := range s.machine.Step(session.Received{Now: w.server.now(), Message: g.Hello}) {
			if wake, ok := e.(session.Wake); ok {
				s.wakeAt = wake.At
				continue
			}
			s.effects = append(s.effects, e) // it was no first Hello
		}
	}
	if !s.gone {
		s.inbox = append(s.inbox, session.Received{Now: w.server.now(), Message: m})
	}
}

func (w *world) sessionLost(s *serverEnd) {
	if !s.gone {
		s.inbox = append(s.inbox, session.Lost{Now: w.server.now()})
	}
}

// work performs up to n effects of a session, all that there are if n is
// negative.
func (v *server) work(s *serverEnd, n int) {
	for ; s != nil && n != 0 && !s.gone; n-- {
		switch {
		case len(s.effects) > 0:
			e := s.effects[0]
			s.effects = s.effects[1:]
			if v.burn() {
				return
			}
			v.perform(s, e)
		case len(s.answers) > 0:
			e := s.answers[0]
			s.answers = s.answers[1:]
			s.effects = s.machine.Step(e)
		case len(s.inbox) > 0:
			e := s.inbox[0]
			s.inbox = s.inbox[1:]
			s.effects = s.machine.Step(e)
		default:
			return
		}
		if s.machine.Ended() && len(s.effects) == 0 {
			s.gone = true
			v.ends = slices.DeleteFunc(v.ends, func(e *serverEnd) bool { return e == s })
		}
	}
}

func (v *server) perform(s *serverEnd, e session.Effect) {
	switch e := e.(type) {
	case session.Send:
		m := v.w.bugSend(s, e.Message)
		if m == nil {
			return
		}
		if a, ok := m.(*protocol.Ack); ok {
			v.checkAck(s, a)
		}
		m = v.w.carry(m)
		if p, ok := m.(*protocol.Page); ok && p.Wire == "" && !v.w.restores {
			c := *p
			c.Wire = "unread" // nobody gives it back
			m = &c
		}
		s.l.sendDown(m)
	case session.HangUp:
		s.l.closed = true
	case session.Wake:
		s.wakeAt = e.At
	case session.Admit:
		v.admit(s, e.Hello, e.Known)
	case session.Reauthenticate:
		s.answers = append(s.answers, session.Reauthenticated{Now: v.now(), Expires: 1 << 60})
	case session.Commit:
		v.commit(s, e.Changesets)
	case session.TakeBack:
		v.takeBack(s, e)
	case session.LoadPage:
		v.load(s, e)
	case session.LoadErasures:
		v.erasures(s, e)
	}
}

// author is who stands behind a session, as the accounts are now.
func (s *serverEnd) author() ledger.Author {
	a := s.account
	return ledger.Author{Account: a.name, Device: a.name, Unit: a.unit, Sensitive: a.sensitive, Revoked: a.revoked}
}

func (v *server) allow(a ledger.Author, unit string, class protocol.Class) bool {
	if v.w.bug == RightsIgnored && v.pushing != nil {
		return true
	}
	if v.pushing != nil && v.refusing {
		return false
	}
	for i := range v.w.accounts {
		if acc := &v.w.accounts[i]; acc.name == a.Account {
			return !acc.banned && unit == a.Unit && (class == protocol.Basic || a.Sensitive)
		}
	}
	return false
}

// answer reports the outcome of a transaction, or its refusal.
func (v *server) answer(s *serverEnd, e session.Event, err error) {
	var told *protocol.Error
	switch {
	case s.gone: // died of the commit
	case errors.As(err, &told):
		s.answers = append(s.answers, session.Rejected{Now: v.now(), Error: told})
	case err != nil:
		v.w.fail(oracleEffects, "server: "+err.Error())
	default:
		s.answers = append(s.answers, e)
	}
}

func (v *server) admit(s *serverEnd, h *protocol.Hello, known *protocol.Known) {
	s.account, s.replica = s.l.d.account, h.Replica
	if v.turns == nil {
		v.turns = map[conflict.ReplicaID]*serverEnd{}
	}
	v.turns[h.Replica] = s
	for _, old := range v.ends {
		if old != s && old.replica == h.Replica {
			// The owner dismisses an older session of the replica, which takes
			// notice when it next gets to it.
			old.inbox = append(old.inbox, session.Dismiss{Now: v.now(), Error: &protocol.Error{Code: protocol.Superseded}})
		}
	}
	s.follows = map[string]bool{}
	for _, scope := range h.Scopes {
		s.follows[scope.Unit] = true
	}
	var e session.Admitted
	err := v.update(func(t ledger.Tables) (err error) {
		e.Welcome, e.More, err = v.led.Greet(v.w.bugTables(t, h, nil), s.author(), h, known)
		return err
	})
	e.Now, e.Expires = v.now(), 1<<60
	v.answer(s, e, err)
}

// hasTurn reports whether no newer session speaks for the replica. The owner
// asks in the transaction of a commit, and after a page was read.
func (v *server) hasTurn(s *serverEnd) bool { return v.turns[s.replica] == s }

var errSuperseded = &protocol.Error{Code: protocol.Superseded}

func (v *server) commit(s *serverEnd, changesets []record.Changeset) {
	if !v.hasTurn(s) {
		v.answer(s, nil, errSuperseded)
		return
	}
	var out ledger.Outcome
	v.pushing = s.account
	err := v.update(func(t ledger.Tables) (err error) {
		changesets := v.w.bugPush(s, t, changesets)
		out, err = v.led.Commit(v.w.bugTables(t, nil, changesets), s.author(), s.replica, changesets)
		s.repeats = out.Repeats
		if err == nil && v.w.bug == AckBeforeCommit && out.Ack != nil {
			v.checkAck(s, out.Ack)
			s.l.sendDown(out.Ack)
			out.Ack = nil
			if v.burn() {
				return errCrash
			}
		}
		return err
	})
	v.pushing = nil
	if errors.Is(err, errCrash) {
		return
	}
	if err == nil {
		v.grew(out.Grew)
	}
	v.answer(s, session.Committed{Now: v.now(), Ack: out.Ack, Refusals: append(out.Refusals, out.Again...), Forked: out.Forked}, err)
}

// grew tells every session that follows a unit what is durable now.
func (v *server) grew(marks []protocol.StreamMark) {
	for i, s := range v.ends {
		if v.w.bug == PokeLost && i%2 == 1 {
			continue
		}
		var mine []protocol.StreamMark
		for _, m := range marks {
			if s.follows[m.Stream.Unit] {
				mine = append(mine, m)
			}
		}
		if len(mine) > 0 {
			s.inbox = append(s.inbox, session.Grew{Now: v.now(), Heads: mine})
		}
	}
}

func (v *server) load(s *serverEnd, e session.LoadPage) {
	var p *protocol.Page
	err := v.db.View(func(t ledger.Tables) (err error) {
		p, err = v.led.Page(t, e.Scope, e.From, e.Floor)
		return err
	})
	if err == nil && !v.hasTurn(s) {
		err = errSuperseded
	}
	v.answer(s, session.PageLoaded{Now: v.now(), Page: p}, err)
}

// update runs work in a transaction and, once it is durable, has the oracles
// look at it.
func (v *server) update(work func(ledger.Tables) error) error {
	if v.w.bug == CommitUnflushed {
		v.unflushed = v.db.Clone()
	}
	t := v.db.Begin()
	wt := &watched{Tables: t}
	if err := work(wt); err != nil {
		t.Rollback()
		return err
	}
	t.Commit()
	v.committed(wt)
	v.burn()
	return nil
}

// watched notes what a transaction writes.
type watched struct {
	ledger.Tables
	intake    []ledger.Intake
	aside     []ledger.Quarantine
	given     []ledger.GivenBack
	rows      []conflict.RecordID
	moves     []ledger.Move
	erased    []conflict.RecordID
	blanked   []ledger.Intake
	positions map[string]uint64
}

func (t *watched) AppendIntake(in *ledger.Intake, records []conflict.RecordID) error {
	kept := *in
	kept.Bytes = slices.Clone(in.Bytes) // the caller goes on to write to them
	t.intake = append(t.intake, kept)
	return t.Tables.AppendIntake(in, records)
}

func (t *watched) PutQuarantine(q *ledger.Quarantine) error {
	t.aside = append(t.aside, *q)
	return t.Tables.PutQuarantine(q)
}

func (t *watched) PutRecord(r *ledger.Row) error {
	t.rows = append(t.rows, r.ID)
	return t.Tables.PutRecord(r)
}

func (t *watched) PutMove(m *ledger.Move) error {
	t.moves = append(t.moves, *m)
	return t.Tables.PutMove(m)
}

func (t *watched) SetPosition(unit string, p uint64) error {
	if t.positions == nil {
		t.positions = map[string]uint64{}
	}
	t.positions[unit] = p
	return t.Tables.SetPosition(unit, p)
}

// review writes a supervisor's decision on a record: approves all that stands,
// returns, refuses, or takes an approval back.
func (v *server) review(bits uint32) {
	row, state, ok := v.choose(bits)
	if !ok {
		return
	}
	k := conflict.Key(conflict.FieldReview)
	value := record.Review{Decision: record.Approved, By: "supervisor", At: v.now()}
	writes := []record.Write{{Key: k, Context: state.record.Field(k).Vector()}}
	switch bits >> 13 & 7 {
	case 0, 1:
		value.Decision, value.Question, value.Fields = record.Returned, fmt.Sprint(v.w.now), []string{"note"}
	case 2: // and writes back what was approved
		value.Decision, value.Fields = record.Refused, []string{"note"}
		v.w.values++
		back := fieldKeys[1]
		writes = append(writes, record.Write{Key: back, Context: state.record.Field(back).Vector(), Value: conflict.Value(fmt.Sprintf("v%d", v.w.values))})
	case 3:
		value.Decision = record.Withdrawn
	default:
		var dots []conflict.Dot
		for k, f := range state.record.All() {
			for i := 0; i < f.Len() && (k.ID >= conflict.FirstUserField || k.ID == conflict.FieldLife); i++ {
				dots = append(dots, f.At(i).Dot)
			}
		}
		value.Dots = record.NewDotSet(dots...)
	}
	writes[0].Value = value.Value()
	edits := []record.Edit{{Record: row.ID, Register: row.Register, Definition: uint32(v.w.version), Writes: writes}}
	v.own(&record.Changeset{At: v.now(), Edits: edits}, state.record, func(t ledger.Tables) (marks []protocol.StreamMark, err error) {
		_, marks, err = v.led.Write(t, row.Unit, "supervisor", edits)
		return marks, err
	})
}

// tick delivers timers that are due.
func (v *server) tick() {
	for _, s := range v.ends {
		if s.wakeAt != 0 && s.wakeAt <= v.now() {
			s.wakeAt = 0
			s.inbox = append(s.inbox, session.Tick{Now: v.now()})
		}
	}
}

// backUp keeps a copy of the database, and tells it so if announced.
func (v *server) backUp() {
	v.backup, v.backupLife = v.db.Clone(), v.life.clone()
	v.db.BackedUp(v.backup)
}

// restore ends this life of the database: it comes back as it was backed up.
func (v *server) restore() {
	if v.backup == nil {
		return
	}
	v.crash()
	db, err := memory.Restore(v.backup, v)
	if err != nil {
		v.w.fail(oracleEffects, "restore: "+err.Error())
		return
	}
	for n, dot := range v.life.stored {
		if _, ok := v.backupLife.stored[n]; !ok {
			v.w.ghosts[n] = append(v.w.ghosts[n], dot)
			if _, aside := v.life.aside[n]; v.w.acked[dot] && !aside { // what is held back is shown to nobody
				v.w.observed[dot] = true
			}
		}
	}
	v.w.restored = true
	if v.w.bug == SameEpoch {
		db = v.backup.Clone()
	}
	v.db, v.life = db, v.backupLife.clone()
	v.applyErasures()
}
