package city

import (
	"context"
	"crypto/ed25519"
	"errors"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/erasure"
	"wardbook/server/hub"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// serverKey signs receipts and pages.
var serverKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// brakeAt lets the brake of so small a city act.
var brakeAt = ledger.Brake{Share: 100, Least: 2, Most: 2}

// server is what one process of the server is made of, and its store.
type server struct {
	w         *world
	store     *sqlite.Store
	led       *ledger.Ledger
	desk      *review.Service
	feed      *hub.Feed
	handler   http.Handler // of the feed
	units     *units.Service
	accounts  *auth.Accounts
	directory *units.Directory
	list      *erasure.List
	erasure   *erasure.Service

	ends  []*end
	turns map[conflict.ReplicaID]*end
	life  int // how many epochs there were

	// What became durable and is to be told to sessions.
	grew []protocol.StreamMark
	told []func()
}

func (s *server) definition(id string) (*register.Definition, bool) {
	return s.w.definition(), id == registerID
}

// open opens the database and starts the process.
func (s *server) open() {
	var err error
	s.store, err = sqlite.Open(ctx, s.w.database(), sqlite.Options{Now: s.w.now, ReadConns: 2})
	s.w.must("open the database", err)
	s.begin()
}

func (s *server) close() {
	if s.list != nil {
		s.list.Close()
		s.list = nil
	}
	if s.store != nil {
		s.store.Close()
		s.store = nil
	}
}

// begin makes what a process has in memory.
func (s *server) begin() {
	s.ends, s.turns, s.grew, s.told = nil, map[conflict.ReplicaID]*end{}, nil, nil
	s.directory = units.NewDirectory(s.store)
	millis := func() int64 { return s.w.now().UnixMilli() }
	cfg := ledger.Config{Allow: s.w.bugAllow(mayWrite), IsUnit: s.directory.IsUnit, Definition: s.definition, Registers: []string{registerID},
		PageRecords: 5, Brake: s.w.bugBrake(brakeAt), Now: millis, Key: serverKey,
		Moved: func(t ledger.Tables, m ledger.Move) ([]protocol.StreamMark, error) {
			s.w.moved[m.Record] = true
			if s.w.bug == MoveUntold {
				return nil, nil
			}
			return review.Moved(s.led, t, m)
		}, Erased: s.w.bugErased(erasure.Follow)}
	s.led = ledger.New(cfg)
	var err error
	s.accounts, err = auth.NewAccounts(s.store, auth.AccountOptions{Now: s.w.now, Random: s.w, Cost: auth.Cost{Memory: 64, Time: 1, Threads: 1}, IsUnit: s.directory.IsUnit})
	s.w.must("open the accounts", err)
	notify := func(m []protocol.StreamMark) { s.grew = append(s.grew, m...) }
	s.desk, err = review.New(ctx, review.Config{Store: s.store, Ledger: s.led, Definition: s.definition, IsUnit: s.directory.IsUnit, Notify: notify, Random: s.w,
		Settled: func(id conflict.ReplicaID, r *protocol.Refusal) {
			s.told = append(s.told, func() {
				if e := s.turns[id]; e != nil {
					e.step(session.Announce{Now: s.w.clock, Message: r})
				}
			})
		}})
	s.w.must("open the desk", err)
	s.feed = hub.New(hub.Config{Store: s.store, Definitions: s.w.bugDefinitions(versions[:s.w.version]), Key: make([]byte, 32), Rate: 1e9,
		List: func() (string, []register.Unit) { l := s.directory.List(); return l.Version, l.Units() },
		Announce: func(unit string, m protocol.Message) {
			s.told = append(s.told, func() {
				for _, e := range slices.Clone(s.ends) {
					if e.follows[unit] {
						e.step(session.Announce{Now: s.w.clock, Message: m})
					}
				}
			})
		}})
	routes, err := rpc.NewServer(rpc.Config{Gate: gate{}, Timeout: -1})
	s.w.must("make the routes", err)
	mux := http.NewServeMux()
	routes.Mount(mux, s.feed.Routes(), "/hub/")
	s.handler = mux
	s.eraser()
	s.units = units.New(units.Config{Store: s.store, Ledger: s.led, Accounts: s.accounts, Directory: s.directory, Notify: notify})
}

// mayWrite is the server's one authoriser, as the program gives it to the ledger.
func mayWrite(a ledger.Author, unit string, class protocol.Class) bool {
	p := auth.Principal{Role: store.RoleOfficer, Unit: a.Unit, Waiting: strings.Join(a.Waiting, " "), Sensitive: a.Sensitive}
	of := auth.Basic
	if class == protocol.Sensitive {
		of = auth.Sensitive
	}
	return auth.Can(p, auth.WriteRecord, unit, of) == nil
}

// restart ends the process, if it did not die of itself, and starts another on what
// is durable. Connections are gone with all that was on the way.
func (s *server) restart() {
	w := s.w
	w.logf("  the server starts again")
	w.dead, w.fuse = true, 0
	for _, d := range w.devices {
		d.cut()
	}
	w.dead = false
	s.begin()
	w.crashes++
}

// do runs something of the server's and tells the sessions what follows from it. If
// the server dies of it, the error is errDied.
func (s *server) do(work func() error) error {
	err := work()
	if s.w.dead {
		s.restart()
		return errDied
	}
	s.tell()
	return err
}

// tell lets the sessions hear what became durable.
func (s *server) tell() {
	for len(s.grew)+len(s.told) > 0 && !s.w.dead {
		grew, told := s.grew, s.told
		s.grew, s.told = nil, nil
		for _, e := range slices.Clone(s.ends) {
			var mine []protocol.StreamMark
			for _, m := range grew {
				if e.follows[m.Stream.Unit] {
					mine = append(mine, m)
				}
			}
			if len(mine) > 0 {
				e.step(session.Grew{Now: s.w.clock, Heads: mine})
			}
		}
		for _, f := range told {
			f()
		}
	}
}

func (s *server) tick() {
	for _, e := range slices.Clone(s.ends) {
		if e.wakeAt != 0 && e.wakeAt <= s.w.clock {
			e.wakeAt = 0
			e.step(session.Tick{Now: s.w.clock})
		}
	}
}

// dismiss ends the sessions of accounts.
func (s *server) dismiss(code protocol.Code, which func(*device) bool) {
	for _, e := range slices.Clone(s.ends) {
		if which(e.d) {
			e.step(session.Dismiss{Now: s.w.clock, Error: &protocol.Error{Code: code}})
		}
	}
}

// view reads the database as an oracle does: with no clock, so that nothing dies.
func (s *server) view(work func(*sqlite.Tx, *sqlite.Ledger) error) {
	err := s.store.View(ctx, func(tx *sqlite.Tx) error { return work(tx, sqlite.LedgerOf(tx)) })
	if errors.Is(err, errStop) {
		panic(errStop)
	}
	var p *sqlite.PanicError
	if errors.As(err, &p) && p.Value == errStop {
		panic(errStop)
	}
	s.w.must("look at the database", err)
}

// row returns a record's row; it is zero if there is none.
func (s *server) row(id conflict.RecordID) (row ledger.Row) {
	s.view(func(_ *sqlite.Tx, l *sqlite.Ledger) (err error) { row, _, err = l.Record(id); return err })
	return row
}

// state returns the server's state of a record.
func (s *server) state(id conflict.RecordID) conflict.Record {
	row := s.row(id)
	if row.State == nil {
		return conflict.Record{}
	}
	r, _, err := record.ParseState(row.State, id)
	s.w.must("read a record", err)
	return r
}

// account returns an account as it is now.
func (s *server) account(id store.AccountID) (a store.Account) {
	s.view(func(tx *sqlite.Tx, _ *sqlite.Ledger) (err error) { a, err = tx.Account(id); return err })
	return a
}

// unitsOf returns the units that an account works in: its own, and those in which
// records wait that may come to be its own unit's.
func (s *server) unitsOf(id store.AccountID) (list []string) {
	s.view(func(tx *sqlite.Tx, _ *sqlite.Ledger) error {
		a, err := tx.Account(id)
		if err != nil {
			return err
		}
		waiting, err := tx.WaitingUnits(a.Unit)
		list = append([]string{a.Unit}, waiting...)
		return err
	})
	return list
}

// backUp copies the database and, if the bits say so, tells it that it is copied.
func (s *server) backUp(bits uint32) {
	w := s.w
	path := filepath.Join(w.dir, "backup.db")
	if w.backup != "" {
		w.must("remove a backup", os.Remove(w.backup))
	}
	var reach sqlite.Reach
	s.view(func(_ *sqlite.Tx, l *sqlite.Ledger) (err error) { reach, err = l.Reach(); return err })
	w.must("back up", s.store.Backup(ctx, path))
	w.backup, w.inBackup = path, len(w.changed)
	if bits&1 == 0 {
		w.must("keep that it is backed up", s.store.Update(ctx, func(tx *sqlite.Tx) error { return sqlite.LedgerOf(tx).KeepBackedUp(reach) }))
	}
}

// restore ends this life of the database: it comes back as it was backed up.
func (s *server) restore() {
	w := s.w
	if w.backup == "" {
		return
	}
	w.dead = true
	for _, d := range w.devices {
		d.cut()
	}
	w.dead, w.fuse = false, 0
	s.close()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(w.database() + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			w.must("restore", err)
		}
	}
	w.must("restore", sqlite.Copy(ctx, w.backup, w.database()))
	var err error
	s.store, err = sqlite.Open(ctx, w.database(), sqlite.Options{Now: w.now, ReadConns: 2})
	w.must("open the database", err)
	s.life++
	if w.bug != SameEpoch {
		w.must("begin an epoch", s.store.Update(ctx, func(tx *sqlite.Tx) error {
			l := sqlite.LedgerOf(tx)
			if err := l.BeginEpoch(); err != nil {
				return err
			}
			return l.NameEpoch(protocol.Token{2, byte(s.life)}, conflict.ReplicaID{2, byte(s.life)})
		}))
	}
	s.begin()
	w.restored = true
	w.changeAgain()
	w.wentBack()
}

// gate lets the city's hub pass: sign-ins are not simulated.
type gate struct{}

// stepUp believes everybody, for the same reason.
func stepUp(context.Context, auth.Principal, string, netip.Addr) error { return nil }

func (gate) Admit(r *http.Request, _ rpc.Route) (context.Context, error) {
	return auth.NewContext(r.Context(), principal(people[len(people)-1], "desk")), nil
}

// end is the server's end of one connection.
type end struct {
	s       *server
	d       *device
	machine *session.Server
	p       auth.Principal // as the connection began
	replica conflict.ReplicaID
	follows map[string]bool
	wakeAt  int64
	down    [][]byte // on the way to the device
	over    bool     // hung up
}

func (s *server) accept(d *device) *end {
	e := &end{s: s, d: d, p: d.p, machine: session.NewServer(s.w.clock)}
	s.ends = append(s.ends, e)
	return e
}

func (s *server) gone(e *end) {
	s.ends = slices.DeleteFunc(s.ends, func(o *end) bool { return o == e })
	if s.turns[e.replica] == e {
		delete(s.turns, e.replica)
	}
}

// step gives the session an event and performs what follows, until nothing is left
// or the server dies.
func (e *end) step(ev session.Event) {
	events := []session.Event{ev}
	for len(events) > 0 && !e.s.w.dead && !e.over {
		ev, events = events[0], events[1:]
		for _, f := range e.machine.Step(ev) {
			next, err := e.perform(f)
			if e.s.w.dead {
				return
			}
			var told *protocol.Error
			if errors.As(err, &told) {
				next, err = session.Rejected{Now: e.s.w.clock, Error: told}, nil
			}
			if err != nil {
				e.s.w.must("a session's effect", err)
			}
			if next != nil {
				events = append(events, next)
			}
		}
	}
	if !e.s.w.dead {
		e.s.tell()
	}
}

func (e *end) perform(f session.Effect) (session.Event, error) {
	w := e.s.w
	switch f := f.(type) {
	case session.Send:
		m := w.bugSend(e, f.Message)
		if m == nil {
			return nil, nil
		}
		if told, ok := m.(*protocol.Error); ok {
			w.logf("  %s is told %v", e.d, told)
		}
		if p, ok := m.(*protocol.Page); ok {
			w.checkPage(e, p)
		}
		e.down = append(e.down, protocol.Encode(nil, m))
	case session.HangUp:
		e.over = true
		e.s.gone(e)
	case session.Wake:
		e.wakeAt = f.At
	case session.Admit:
		return e.admit(f.Hello, f.Known)
	case session.Reauthenticate:
		return session.Reauthenticated{Now: w.clock, Expires: w.clock + 1<<50}, nil
	case session.Commit:
		return e.commit(f.Changesets)
	case session.TakeBack:
		return e.takeBack(f.Return)
	case session.LoadPage:
		return e.load(f)
	case session.LoadErasures:
		var next session.ErasuresLoaded
		err := e.update(func(_ *sqlite.Tx, l *sqlite.Ledger) (err error) {
			if err = e.s.led.LetGo(l, e.replica, f.Known); err == nil {
				next.Erased, err = e.s.led.Erased(l, f.After)
			}
			return err
		})
		next.Now = w.clock
		return next, err
	case session.KeepReport:
		return nil, e.update(func(_ *sqlite.Tx, l *sqlite.Ledger) error { return l.KeepReport(e.replica, "city", w.clock, f.Report) })
	}
	return nil, nil
}

func (e *end) update(work func(*sqlite.Tx, *sqlite.Ledger) error) error {
	return e.s.store.Update(ctx, func(tx *sqlite.Tx) error { return work(tx, sqlite.LedgerOf(tx)) })
}

// author is who stands behind the session, as the accounts are now.
func (e *end) author(tx *sqlite.Tx) (ledger.Author, error) {
	p, err := auth.Current(tx, e.p, e.s.w.now())
	closed := false
	if err != nil {
		if rpc.Public(err).Kind == rpc.Internal {
			return ledger.Author{}, err
		}
		closed = true
		a, err := tx.Account(e.p.Account)
		if err != nil {
			return ledger.Author{}, err
		}
		p = auth.Principal{Name: a.Name, Device: e.p.Device, Unit: a.Unit}
	}
	return ledger.Author{Account: p.Name, Device: string(p.Device), Unit: p.Unit, Waiting: strings.Fields(p.Waiting), Sensitive: p.Sensitive, Revoked: closed}, nil
}

func (e *end) admit(h *protocol.Hello, known *protocol.Known) (session.Event, error) {
	s := e.s
	if old := s.turns[h.Replica]; old != nil && old != e {
		old.step(session.Dismiss{Now: s.w.clock, Error: errSuperseded})
	}
	e.replica, s.turns[h.Replica] = h.Replica, e
	s.w.replicas[h.Replica] = true
	var a session.Admitted
	err := e.update(func(tx *sqlite.Tx, l *sqlite.Ledger) error {
		author, err := e.author(tx)
		if err != nil {
			return err
		}
		a.Welcome, a.More, err = s.led.Greet(l, author, h, known)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.Now, a.Expires = s.w.clock, s.w.clock+1<<50
	e.follows = map[string]bool{}
	for i, g := range a.Welcome.Grants {
		if g.Code == protocol.OK && a.Welcome.Verdict != protocol.Forked {
			e.follows[h.Scopes[i].Unit] = true
		}
	}
	s.w.logf("  %s says hello: %v", e.d, a.Welcome.Verdict)
	return a, nil
}

var errSuperseded = &protocol.Error{Code: protocol.Superseded}

func (e *end) hasTurn() bool { return e.s.turns[e.replica] == e }

// commit takes changesets in as the program does.
func (e *end) commit(changesets []record.Changeset) (session.Event, error) {
	s := e.s
	var out ledger.Outcome
	var author ledger.Author
	var before ledger.Replica
	err := e.update(func(tx *sqlite.Tx, l *sqlite.Ledger) (err error) {
		if !e.hasTurn() {
			return errSuperseded
		}
		if author, err = e.author(tx); err != nil {
			return err
		}
		if before, _, err = l.Replica(e.replica); err != nil {
			return err
		}
		if out, err = s.led.Commit(l, author, e.replica, changesets); err != nil || out.Applied == 0 {
			return err
		}
		var records []conflict.RecordID
		for i := range changesets {
			for j := range changesets[i].Edits {
				records = append(records, changesets[i].Edits[j].Record)
			}
		}
		waiting, err := l.Unsealed(records)
		if err != nil || len(waiting) == 0 {
			return err
		}
		more, err := s.desk.Reinstate(tx, waiting)
		out.Grew = append(out.Grew, more...)
		return err
	})
	if err != nil || s.w.dead {
		return nil, err
	}
	s.w.took(author, before.Acked, changesets, &out)
	s.grew = append(s.grew, out.Grew...)
	return session.Committed{Now: s.w.clock, Ack: out.Ack, Refusals: append(out.Refusals, out.Again...), Forked: out.Forked}, nil
}

func (e *end) takeBack(m *protocol.Return) (session.Event, error) {
	s := e.s
	var back ledger.Back
	err := e.update(func(tx *sqlite.Tx, l *sqlite.Ledger) (err error) {
		if !e.hasTurn() {
			return errSuperseded
		}
		back, err = s.led.GiveBack(l, m, func(account string) (bool, error) {
			a, err := tx.AccountByName(account)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil // made after the backup, or the console
			}
			return a.Disabled, err
		})
		if err != nil || len(back.Records) == 0 {
			return err
		}
		grew, err := s.desk.Reinstate(tx, back.Records)
		back.Grew = append(back.Grew, grew...)
		return err
	})
	if err != nil || s.w.dead {
		return nil, err
	}
	s.grew = append(s.grew, back.Grew...)
	s.w.logf("  %s gives back: %d writes, %d aside, %d unproven", e.d, back.Writes, back.Aside, back.Unproven)
	return session.TookBack{Now: s.w.clock, Returned: back.Returned}, nil
}

func (e *end) load(f session.LoadPage) (session.Event, error) {
	var p *protocol.Page
	err := e.s.store.View(ctx, func(tx *sqlite.Tx) error {
		author, err := e.author(tx)
		if err != nil {
			return err
		}
		if author.Revoked || !e.s.led.MayRead(author, f.Scope.Stream) {
			return &protocol.Error{Code: protocol.Forbidden}
		}
		p, err = e.s.led.Page(sqlite.LedgerOf(tx), f.Scope, f.From, f.Floor)
		return err
	})
	if err == nil && !e.hasTurn() {
		err = errSuperseded
	}
	if err != nil || e.s.w.dead {
		return nil, err
	}
	return session.PageLoaded{Now: e.s.w.clock, Page: p}, nil
}
