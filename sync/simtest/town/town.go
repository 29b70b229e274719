package town

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/ledger/memory"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

var ctx = context.Background()

// Start is when every town begins, in Unix milliseconds.
const Start = 1_790_000_000_000

// Town is one server and the devices of its officers. It belongs to one test.
type Town struct {
	T        testing.TB
	Now      int64
	DB       *memory.DB
	Ledger   *ledger.Ledger
	Defs     []*register.Definition // newest versions
	accounts map[string]*Account
	devices  []*Device
	seed     uint64
}

// Account is one officer as the server knows them.
type Account struct {
	Name      string
	Unit      string
	Sensitive bool
	Revoked   bool
}

// New returns a town with the given registers.
func New(t testing.TB, defs ...*register.Definition) *Town {
	w := &Town{T: t, Now: Start, accounts: map[string]*Account{}}
	var err error
	if w.DB, err = memory.New(w); err != nil {
		t.Fatal(err)
	}
	w.Equip(defs...)
	return w
}

// Equip gives the server these registers in the place of those that it had, as a
// new start with another program does. Devices hear of it when they connect.
func (w *Town) Equip(defs ...*register.Definition) {
	w.Defs = defs
	ids := make([]string, len(defs))
	for i, d := range defs {
		ids[i] = string(d.ID)
	}
	w.Ledger = ledger.New(ledger.Config{Now: func() int64 { w.Now++; return w.Now }, Registers: ids,
		Definition: w.definition,
		Allow: func(a ledger.Author, unit string, class protocol.Class) bool {
			return (unit == a.Unit || slices.Contains(a.Waiting, unit)) && (class == protocol.Basic || a.Sensitive)
		}})
}

func (w *Town) definition(id string) (*register.Definition, bool) {
	for _, d := range w.Defs {
		if string(d.ID) == id {
			return d, true
		}
	}
	return nil, false
}

// Read gives the town its randomness.
func (w *Town) Read(p []byte) (int, error) {
	w.seed++
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], w.seed)
	return rand.NewChaCha8(key).Read(p)
}

// Must ends the test on an error.
func (w *Town) Must(err error) {
	w.T.Helper()
	if err != nil {
		w.T.Fatal(err)
	}
}

// Update runs work in a transaction of the server and lets every session hear
// what streams moved by it.
func (w *Town) Update(work func(ledger.Tables) ([]protocol.StreamMark, error)) {
	w.T.Helper()
	var grew []protocol.StreamMark
	w.Must(w.DB.Update(func(t ledger.Tables) (err error) { grew, err = work(t); return err }))
	w.grew(grew)
}

func (w *Town) grew(marks []protocol.StreamMark) {
	for _, d := range w.devices {
		if d.end != nil && len(marks) > 0 {
			d.end.step(session.Grew{Now: w.Now, Heads: marks})
		}
	}
}

// State returns the server's state of a record, and the unit where it lives.
func (w *Town) State(id string) (conflict.Record, string) {
	w.T.Helper()
	d, err := conflict.ParseDot(id)
	w.Must(err)
	row := w.DB.Row(d)
	if row == nil {
		return conflict.Record{}, ""
	}
	r, _, err := record.ParseState(row.State, row.ID)
	w.Must(err)
	return r, row.Unit
}

// Records counts the server's records by unit.
func (w *Town) Records() map[string]int {
	n := map[string]int{}
	for row := range w.DB.Rows {
		n[row.Unit]++
	}
	return n
}

// Aside lists the open entries in quarantine.
func (w *Town) Aside() (list []ledger.Quarantine) {
	for _, r := range w.DB.Replicas() {
		w.Must(w.DB.View(func(t ledger.Tables) error {
			entries, err := t.Quarantined(r.No)
			for _, q := range entries {
				if q.Settled == "" {
					list = append(list, q)
				}
			}
			return err
		}))
	}
	return list
}

// Conserve checks that every changeset that a device was told is received is
// stored, and that what was applied of it is in the state of its records: every
// write of a stored changeset that is not in quarantine is covered by the vector
// of its field.
func (w *Town) Conserve() {
	w.T.Helper()
	for _, r := range w.DB.Replicas() {
		var aside []ledger.Quarantine
		w.Must(w.DB.View(func(t ledger.Tables) (err error) { aside, err = t.Quarantined(r.No); return err }))
		last := uint64(0)
		for _, in := range w.DB.Intakes(r.No) {
			if in.Counter != last+1 {
				w.T.Errorf("replica %v: changeset %d follows counter %d", r.ID, in.Counter, last)
			}
			last = in.Counter + in.Count - 1
			c, err := record.ParseChangeset(in.Bytes)
			w.Must(err)
			if slices.ContainsFunc(aside, func(q ledger.Quarantine) bool { return q.Counter == in.Counter && q.Settled != "released" }) {
				continue
			}
			for i, e := range c.Edits {
				state, _ := w.State(e.Record.String())
				dot := c.FirstDot(i)
				for _, x := range e.Writes {
					if !state.Field(x.Key).Vector().Covers(dot) {
						w.T.Errorf("write %v of %v %v is nowhere", dot, e.Record, x.Key)
					}
					dot.Counter++
				}
			}
		}
		if last != r.Acked {
			w.T.Errorf("replica %v: stored up to %d, acknowledged up to %d", r.ID, last, r.Acked)
		}
	}
}

// Officer makes an account.
func (w *Town) Officer(name, unit string) *Account {
	a := &Account{Name: name, Unit: unit, Sensitive: true}
	w.accounts[name] = a
	return a
}

// Post gives an officer another unit; their devices hear of it when they connect,
// and are equipped for it by Sign.
func (w *Town) Post(a *Account, unit string) {
	w.T.Helper()
	w.Now++
	w.Update(func(t ledger.Tables) ([]protocol.StreamMark, error) {
		return nil, t.EndRights(a.Name, &ledger.Rights{Unit: a.Unit, Sensitive: a.Sensitive, EndedAt: w.Now})
	})
	a.Unit = unit
	w.dismiss(a, protocol.Expired)
}

// Change makes a change of lists: what became of each old unit. Officers of a unit
// with one successor go there.
func (w *Town) Change(list, before string, changes map[string][]string) ledger.Changed {
	w.T.Helper()
	var rows []ledger.UnitChange
	for _, old := range slices.Sorted(maps.Keys(changes)) {
		rows = append(rows, ledger.UnitChange{List: list, Before: before, Old: old, New: changes[old], At: w.Now})
	}
	var done ledger.Changed
	w.Update(func(t ledger.Tables) (grew []protocol.StreamMark, err error) {
		done, grew, err = w.Ledger.ChangeUnits(t, "admin", rows)
		return grew, err
	})
	posts := map[*Account]string{}
	for _, a := range w.accounts {
		if to := changes[a.Unit]; len(to) == 1 && to[0] != a.Unit {
			posts[a] = to[0]
		}
	}
	for a, unit := range posts {
		w.Post(a, unit)
	}
	return done
}

// waiting lists the waiting units that an account may see.
func (w *Town) waiting(a *Account) (units []string) {
	w.Must(w.DB.View(func(t ledger.Tables) error {
		changes, err := t.UnitChanges()
		units = ledger.WaitingFor(changes, a.Unit)
		return err
	}))
	return units
}

// Revoke closes an officer's device and account for good.
func (w *Town) Revoke(a *Account) {
	a.Revoked = true
	w.dismiss(a, protocol.Expired)
}

func (w *Town) dismiss(a *Account, code protocol.Code) {
	for _, d := range w.devices {
		if d.Account == a && d.end != nil {
			d.end.step(session.Dismiss{Now: w.Now, Error: &protocol.Error{Code: code}})
		}
	}
}

// Device is one device of an officer.
type Device struct {
	Town    *Town
	Account *Account
	Label   string
	Store   *store.Memory
	R       *replica.Replica
	Host    *replica.Host
	// Quiet keeps what is saved from being sent while the device is connected.
	Quiet bool
	end   *end
}

// Device makes a device for an account; it has signed in and is offline.
func (w *Town) Device(a *Account, label string) *Device {
	w.T.Helper()
	d := &Device{Town: w, Account: a, Label: label, Store: store.NewMemory()}
	w.devices = append(w.devices, d)
	d.Open()
	d.Sign()
	return d
}

// Open starts the device on what its store holds.
func (d *Device) Open() {
	d.Town.T.Helper()
	r, err := replica.Open(ctx, replica.Config{Store: d.Store, Now: func() int64 { return d.Town.Now }, Rand: d.Town, Lang: "en",
		Account: replica.Account{Name: d.Account.Name, Role: "officer", Unit: d.Account.Unit}})
	d.Town.Must(err)
	d.R, d.Host = r, r.NewHost("town", "token", true)
}

// Sign lets the device learn what a sign-in tells: the account as it is now, and
// with it the streams that it is to hold.
func (d *Device) Sign() {
	d.Town.T.Helper()
	d.Town.Must(d.R.SetSession(ctx, replica.Account{Name: d.Account.Name, Role: "officer", Unit: d.Account.Unit}, nil))
	var scopes []protocol.Scope
	var bodies [][]byte
	for _, def := range d.Town.Defs {
		bodies = append(bodies, def.Marshal())
	}
	a := d.Account
	for _, s := range d.Town.Ledger.Offer(ledger.Author{Account: a.Name, Unit: a.Unit, Waiting: d.Town.waiting(a), Sensitive: a.Sensitive}) {
		scopes = append(scopes, protocol.Scope{Stream: s})
	}
	d.Town.Must(d.R.SetDefinitions(ctx, bodies...))
	d.Town.Must(d.R.SetScopes(ctx, scopes))
}

// Online connects and exchanges everything there is.
func (d *Device) Online() {
	d.Town.T.Helper()
	d.Host.Refresh()
	d.Host.Step(session.Start{Now: d.Town.Now})
	d.Host.Step(session.Online{Now: d.Town.Now})
	d.Town.Flow()
}

// Offline ends the connection.
func (d *Device) Offline() {
	d.Host.Step(session.Stop{})
	d.Town.Flow()
}

// Sync is Online, then Offline.
func (d *Device) Sync() {
	d.Town.T.Helper()
	d.Online()
	d.Offline()
}

// Flow lets devices and server say all they have to say.
func (w *Town) Flow() {
	w.T.Helper()
	for range 10_000 {
		moved := false
		for _, d := range w.devices {
			if !d.Quiet {
				d.Host.Refresh()
			}
			for d.Host.Pending() > 0 {
				moved = true
				d.perform()
			}
			if d.end != nil && d.end.hear() {
				moved = true
			}
		}
		if !moved {
			return
		}
	}
	w.T.Fatal("devices and server never come to rest")
}

func (d *Device) perform() {
	d.Town.T.Helper()
	e, err := d.Host.Perform(ctx)
	d.Town.Must(err)
	switch e := e.(type) {
	case session.Dial:
		d.end = &end{d: d, machine: session.NewServer(d.Town.Now)}
		d.Host.Step(session.Opened{Now: d.Town.Now})
	case session.Send:
		if d.end != nil {
			m, err := protocol.Decode(protocol.Encode(nil, e.Message))
			d.Town.Must(err)
			d.end.step(session.Received{Now: d.Town.Now, Message: m})
		}
	case session.HangUp:
		d.end = nil
	case session.RefreshToken:
		d.Host.Step(session.TokenRenewed{Now: d.Town.Now, Token: "token"})
	}
}

// end is the server's end of a device's connection.
type end struct {
	d       *Device
	machine *session.Server
	replica conflict.ReplicaID
	said    [][]byte
	over    bool
}

// hear gives the device what the server said.
func (s *end) hear() bool {
	said := s.said
	s.said = nil
	for _, b := range said {
		m, err := protocol.Decode(b)
		s.d.Town.Must(err)
		s.d.Host.Step(session.Received{Now: s.d.Town.Now, Message: m})
		for s.d.Host.Pending() > 0 {
			s.d.perform()
		}
		if s.d.end != s {
			return true
		}
	}
	if s.over && s.d.end == s {
		s.d.end = nil
		s.d.Host.Step(session.Lost{Now: s.d.Town.Now})
		return true
	}
	return len(said) > 0
}

func (s *end) author() ledger.Author {
	a := s.d.Account
	return ledger.Author{Account: a.Name, Device: s.d.Label, Unit: a.Unit, Waiting: s.d.Town.waiting(a), Sensitive: a.Sensitive, Revoked: a.Revoked}
}

func (s *end) step(e session.Event) {
	w := s.d.Town
	w.T.Helper()
	for _, f := range s.machine.Step(e) {
		var next session.Event
		var err error
		author := s.author()
		switch f := f.(type) {
		case session.Send:
			s.said = append(s.said, protocol.Encode(nil, f.Message))
		case session.HangUp:
			s.over = true
		case session.Admit:
			s.replica = f.Hello.Replica
			var a session.Admitted
			err = w.DB.Update(func(t ledger.Tables) (err error) {
				a.Welcome, a.More, err = w.Ledger.Greet(t, author, f.Hello, f.Known)
				return err
			})
			a.Now, a.Expires = w.Now, w.Now+1<<40
			next = a
		case session.Commit:
			var out ledger.Outcome
			err = w.DB.Update(func(t ledger.Tables) (err error) {
				out, err = w.Ledger.Commit(t, author, s.replica, f.Changesets)
				return err
			})
			next = session.Committed{Now: w.Now, Ack: out.Ack, Refusals: out.Refusals, Forked: out.Forked}
			if err == nil {
				w.grew(out.Grew)
			}
		case session.LoadErasures:
			var e session.ErasuresLoaded
			err = w.DB.Update(func(t ledger.Tables) (err error) {
				if err = w.Ledger.LetGo(t, s.replica, f.Known); err == nil {
					e.Erased, err = w.Ledger.Erased(t, f.After)
				}
				return err
			})
			e.Now = w.Now
			next = e
		case session.LoadPage:
			if !w.Ledger.MayRead(author, f.Scope.Stream) {
				err = &protocol.Error{Code: protocol.Forbidden}
				break
			}
			var p *protocol.Page
			err = w.DB.View(func(t ledger.Tables) (err error) { p, err = w.Ledger.Page(t, f.Scope, f.From, f.Floor); return err })
			next = session.PageLoaded{Now: w.Now, Page: p}
		}
		var told *protocol.Error
		if errors.As(err, &told) {
			next, err = session.Rejected{Now: w.Now, Error: told}, nil
		}
		w.Must(err)
		if next != nil {
			s.step(next)
		}
	}
}

// Put writes fields, of a new record if id is "". It returns the record's id.
func (d *Device) Put(id string, pairs ...string) string {
	d.Town.T.Helper()
	values := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	reply, err := d.R.Put(ctx, replica.PutRequest{Register: string(d.Town.Defs[0].ID), Record: id, Values: values})
	d.Town.Must(err)
	d.Town.Now++
	return reply.ID
}

// Move sends records to another unit.
func (d *Device) Move(unit string, ids ...string) {
	d.Town.T.Helper()
	d.Town.Must(d.R.Move(ctx, ids, unit, "a scene"))
	d.Town.Now++
}

// Shows returns what the device shows of a field; ok is false if it does not
// hold the record.
func (d *Device) Shows(id, field string) (value string, ok bool) {
	d.Town.T.Helper()
	v, err := d.R.Record(ctx, id)
	if errors.Is(err, replica.ErrNoRecord) || errors.Is(err, replica.ErrErased) {
		return "", false
	}
	d.Town.Must(err)
	return string(v.Values[field]), true
}

// Titles lists what the device shows of the first register.
func (d *Device) Titles() (titles []string) {
	d.Town.T.Helper()
	reply, err := d.R.List(ctx, replica.ListRequest{Register: string(d.Town.Defs[0].ID), Limit: 1000})
	d.Town.Must(err)
	for _, row := range reply.Rows {
		titles = append(titles, row.Title)
	}
	return titles
}

// Unsent returns how many changesets the server has not acknowledged.
func (d *Device) Unsent() int {
	d.Town.T.Helper()
	s, err := d.R.Status(ctx)
	d.Town.Must(err)
	return s.Unsent
}

// Cards is a small register, in a version; from version 2 on it has a field more.
func Cards(version uint32) *register.Definition {
	text := func(id conflict.FieldID, name string, class register.Class) register.Field {
		return register.Field{ID: id, Name: name, Type: register.PlainText, Label: register.Text{VI: name, EN: name}, Section: "all",
			Required: register.Optional, Class: class, Policy: conflict.Keep}
	}
	d := register.Definition{ID: "cards", Version: version, Label: register.Text{VI: "Thẻ", EN: "Cards"}, TitleField: "name",
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}},
		Fields: []register.Field{text(16, "name", register.Basic), text(17, "note", register.Basic), text(18, "phone", register.Sensitive),
			text(19, "house", register.Basic), text(20, "head", register.Basic)},
		Rules: []register.Rule{{Kind: register.RuleOnePer, Field: "head", Fields: []string{"house"}, Value: "yes", Code: "W_HEAD", Group: register.GroupContradiction,
			Message: register.Text{VI: "Một chủ hộ.", EN: "One head."}}}}
	if version > 1 {
		d.Fields = append(d.Fields, text(21, "more", register.Basic))
	}
	def, err := register.New(d)
	if err != nil {
		panic(fmt.Sprintf("town: the register is wrong: %v", err))
	}
	return def
}
