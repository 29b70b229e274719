package erasure

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

const (
	unit  = "27169"
	other = "26734"
	name  = "CANARY"
)

// office is a server's database with people who may erase.
type office struct {
	*hubtest.World
	t     *testing.T
	dir   string
	list  *List
	svc   *Service
	clock atomic.Int64 // Unix milliseconds; no two readings are the same
	grew  [][]protocol.StreamMark

	asker, second, elsewhere, admin, officer context.Context
}

func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir()}
	o.clock.Store(time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).UnixMilli())
	o.open()
	o.asker, o.second = o.SignedIn("asker", store.RoleSupervisor, unit), o.SignedIn("second", store.RoleSupervisor, unit)
	o.elsewhere, o.admin = o.SignedIn("elsewhere", store.RoleSupervisor, other), o.SignedIn("admin", store.RoleAdmin, "")
	o.officer = o.SignedIn("officer", store.RoleOfficer, unit)
	t.Cleanup(func() { o.Store.Close(); o.list.Close() })
	return o
}

// open opens the folder as a start of the server does, Apply left out.
func (o *office) open() {
	o.t.Helper()
	defs, err := templates.All()
	if err != nil {
		o.t.Fatal(err)
	}
	definition := func(id string) (*register.Definition, bool) {
		i := slices.IndexFunc(defs, func(d *register.Definition) bool { return string(d.ID) == id })
		return defs[max(i, 0)], i >= 0
	}
	now := func() time.Time { return time.UnixMilli(o.clock.Add(1)) }
	st, err := sqlite.Open(context.Background(), filepath.Join(o.dir, "wardbook.db"), sqlite.Options{Now: now})
	if err != nil {
		o.t.Fatal(err)
	}
	var led *ledger.Ledger
	led = ledger.New(ledger.Config{Definition: definition, Registers: []string{"addresses"}, Now: func() int64 { return now().UnixMilli() }, Erased: Follow,
		Moved: func(t ledger.Tables, m ledger.Move) ([]protocol.StreamMark, error) { return review.Moved(led, t, m) },
		Allow: func(a ledger.Author, unit string, _ protocol.Class) bool { return a.Unit == unit }})
	desk, err := review.New(context.Background(), review.Config{Store: st, Ledger: led, Definition: definition})
	if err != nil {
		o.t.Fatal(err)
	}
	if o.list, err = OpenList(o.dir, testKey, rand.Reader); err != nil {
		o.t.Fatal(err)
	}
	o.World = hubtest.On(o.t, st, led, desk, defs)
	o.svc = New(Config{Store: st, Ledger: led, List: o.list, Erased: func(grew []protocol.StreamMark) { o.grew = append(o.grew, grew) },
		StepUp: func(_ context.Context, _ auth.Principal, password string, _ netip.Addr) error {
			if password == "wrong" {
				return auth.ErrCredentials
			}
			return nil
		}})
}

// die is what a kill leaves: nothing that was not durable. Who signed in stays so.
func (o *office) die() {
	o.t.Helper()
	if err := errors.Join(o.Store.Close(), o.list.Close()); err != nil {
		o.t.Fatal(err)
	}
	o.open()
}

func (o *office) apply() Applied {
	o.t.Helper()
	done, err := Apply(context.Background(), o.Store, o.Ledger, o.list)
	if err != nil {
		o.t.Fatal(err)
	}
	return done
}

// person makes a record that holds the name.
func (o *office) person() conflict.RecordID {
	o.t.Helper()
	values := hubtest.Address(1)
	values["street"] = name
	return o.Save(unit, "addresses", conflict.RecordID{}, values)
}

func (o *office) ask(id conflict.RecordID) Request {
	o.t.Helper()
	r, err := o.svc.Ask(o.asker, AskRequest{Record: id.String(), Ground: "order", Reason: "for " + name})
	if err != nil {
		o.t.Fatal(err)
	}
	return r
}

// holds reports whether a file of the folder holds the name.
func (o *office) holds() bool {
	o.t.Helper()
	for _, file := range []string{"wardbook.db", "wardbook.db-wal", listFile} {
		b, err := os.ReadFile(filepath.Join(o.dir, file))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			o.t.Fatal(err)
		}
		if bytes.Contains(b, []byte(name)) {
			return true
		}
	}
	return false
}

func (o *office) agree(when string) {
	o.t.Helper()
	o.View(func(tx *sqlite.Tx) error {
		wrong, err := Compare(o.list.Entries(), sqlite.LedgerOf(tx))
		for _, w := range wrong {
			o.t.Errorf("%s: %s", when, w)
		}
		return err
	})
}

func want(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// TestTwoPeopleDecide: who may ask, confirm, decline and take back, and who may not.
func TestTwoPeopleDecide(t *testing.T) {
	o := newOffice(t)
	id := o.person()
	ask := func(who context.Context, change func(*AskRequest)) error {
		r := AskRequest{Record: id.String(), Ground: "order", Reason: "x"}
		if change != nil {
			change(&r)
		}
		_, err := o.svc.Ask(who, r)
		return err
	}
	want(t, "another ward asks", ask(o.elsewhere, nil), rpc.ErrNotFound)
	want(t, "an administrator asks", ask(o.admin, nil), rpc.ErrNotFound)
	want(t, "an officer asks", ask(o.officer, nil), rpc.ErrNotFound)
	want(t, "nobody asks", ask(context.Background(), nil), rpc.ErrUnauthenticated)
	want(t, "no ground", ask(o.asker, func(r *AskRequest) { r.Ground = "" }), ErrGround)
	want(t, "two grounds", ask(o.asker, func(r *AskRequest) { r.Ground = "order,ended" }), ErrGround)
	want(t, "no reason", ask(o.asker, func(r *AskRequest) { r.Reason = "  " }), ErrReason)
	want(t, "no such record", ask(o.asker, func(r *AskRequest) { r.Record = strings.Replace(r.Record, "-1", "-99", 1) }), rpc.ErrNotFound)
	want(t, "no record's id", ask(o.asker, func(r *AskRequest) { r.Record = "x" }), rpc.ErrNotFound)
	want(t, "a wrong password", ask(o.asker, func(r *AskRequest) { r.Password = "wrong" }), auth.ErrCredentials)
}

// TestEveryEndOfARequest walks the states.
func TestEveryEndOfARequest(t *testing.T) {
	o := newOffice(t)
	id := o.person()
	confirm := func(who context.Context, r Request) error {
		_, err := o.svc.Confirm(who, DecideRequest{ID: r.ID})
		return err
	}
	decline := func(who context.Context, r Request) error {
		_, err := o.svc.DeclineBecause(who, DeclineRequest{r.ID, "must_keep"})
		return err
	}
	withdraw := func(who context.Context, r Request) error {
		_, err := o.svc.Withdraw(who, TargetRequest{r.ID})
		return err
	}
	r := o.ask(id)
	if _, err := o.svc.Ask(o.second, AskRequest{Record: id.String(), Ground: "order", Reason: "x"}); !errors.Is(err, ErrAsked) {
		t.Errorf("asked twice: got %v", err)
	}
	for what, err := range map[string]error{"confirms": confirm(o.asker, r), "declines": decline(o.asker, r)} {
		want(t, "who asked "+what, err, ErrOneself)
	}
	want(t, "another takes it back", withdraw(o.second, r), ErrOthers)
	for _, do := range []func(context.Context, Request) error{confirm, decline, withdraw} {
		want(t, "another ward", do(o.elsewhere, r), rpc.ErrNotFound)
		want(t, "an officer", do(o.officer, r), rpc.ErrNotFound)
		want(t, "no such request", do(o.second, Request{ID: "x"}), rpc.ErrNotFound)
	}
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID, Password: "wrong"}); !errors.Is(err, auth.ErrCredentials) {
		t.Errorf("a wrong password: got %v", err)
	}
	for _, why := range []string{"", "because", "ground,talk"} {
		_, err := o.svc.DeclineBecause(o.second, DeclineRequest{r.ID, why})
		want(t, "declined for no reason, or for one that is none", err, ErrWhy)
	}
	want(t, "declined", decline(o.admin, r), nil)
	if seen, err := o.svc.Requests(o.asker, rpc.None{}); err != nil || len(seen.Closed) != 1 || seen.Closed[0].Why != "must_keep" {
		t.Errorf("who asked sees %+v, %v, want why it was declined", seen.Closed, err)
	}
	want(t, "confirmed after that", confirm(o.second, r), ErrClosed)
	r = o.ask(id)
	want(t, "taken back", withdraw(o.asker, r), nil)
	want(t, "declined after that", decline(o.second, r), ErrClosed)
	r = o.ask(id)
	o.clock.Add((31 * 24 * time.Hour).Milliseconds())
	want(t, "confirmed after 31 days", confirm(o.second, r), ErrClosed)
	list, err := o.svc.Requests(o.asker, rpc.None{})
	if err != nil || len(list.Open) != 1 || list.Open[0].State != store.ErasureLapsed {
		t.Errorf("before somebody has closed it: got %+v, %v", list.Open, err)
	}
	r = o.ask(id) // which closes what has lapsed
	if seen, err := o.svc.Requests(o.admin, rpc.None{}); err != nil || len(seen.Open) != 1 || seen.Open[0].Reason != "" || len(seen.Closed) != 3 {
		t.Errorf("an administrator sees %+v, %v, want no reason", seen, err)
	}
	if seen, err := o.svc.Requests(o.elsewhere, rpc.None{}); err != nil || len(seen.Open)+len(seen.Closed) > 0 {
		t.Errorf("another ward sees %+v, %v", seen, err)
	}
	want(t, "an officer's list", func() error { _, err := o.svc.Requests(o.officer, rpc.None{}); return err }(), rpc.ErrForbidden)
	if !o.holds() {
		t.Error("what was never confirmed is gone")
	}
	want(t, "an administrator confirms", confirm(o.admin, r), nil)
	want(t, "twice", confirm(o.second, r), ErrClosed)
	if o.holds() {
		t.Error("the name is in a file")
	}
	if _, err := o.svc.Ask(o.asker, AskRequest{Record: id.String(), Ground: "order", Reason: "x"}); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("asked for what is erased: got %v", err)
	}
	list, err = o.svc.Requests(o.asker, rpc.None{})
	states := map[store.ErasureState]int{}
	for _, r := range list.Closed {
		states[r.State]++
		if r.Reason != "" {
			t.Errorf("a reason is left: %+v", r)
		}
	}
	if err != nil || len(list.Open) > 0 || states[store.ErasureDone] != 1 || states[store.ErasureDeclined] != 1 || states[store.ErasureWithdrawn] != 1 || states[store.ErasureLapsed] != 1 {
		t.Errorf("at last: got %+v, %v", list, err)
	}
	if len(o.grew) != 1 || len(o.grew[0]) == 0 {
		t.Errorf("the sessions were told %v", o.grew)
	}
	o.agree("at last")
	o.View(func(tx *sqlite.Tx) error {
		entries, err := tx.AuditAfter(0, 1000)
		var actions []string
		for _, e := range entries {
			if e.Action == "erasure.decline" && !strings.Contains(string(e.Detail), `"why":"must_keep"`) {
				t.Errorf("the audit log says %s, want why it was declined", e.Detail)
			}
			if strings.HasPrefix(e.Action, "erasure.") {
				actions = append(actions, strings.TrimPrefix(e.Action, "erasure."))
				if e.Subject != id.String() || strings.Contains(string(e.Detail), name) {
					t.Errorf("the audit log says %+v", e)
				}
			}
		}
		if got := strings.Join(actions, " "); got != "ask decline ask withdraw ask lapse ask confirm" {
			t.Errorf("the audit log has %s", got)
		}
		return err
	})
}

// TestARecordThatMoves: another ward's supervisor confirms once the record is theirs.
func TestARecordThatMoves(t *testing.T) {
	o := newOffice(t)
	id := o.person()
	o.Approve(unit, id)
	r := o.ask(id)
	if _, err := o.Desk.Move(o.asker, review.MoveRequest{Records: []string{id.String()}, To: other, Reason: name}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); !errors.Is(err, ErrElsewhere) {
		t.Errorf("a supervisor of the ward that it left: got %v", err)
	}
	done, err := o.svc.Confirm(o.elsewhere, DecideRequest{ID: r.ID})
	if err != nil || done.Hub != "waiting" {
		t.Fatalf("got %+v, %v", done, err)
	}
	if o.holds() {
		t.Error("the name is in a file")
	}
	o.View(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		for _, u := range []string{unit, other} { // where the hub ever held it
			list, err := l.Published(u, "addresses", 0, 100)
			if err != nil {
				return err
			}
			if last := list[len(list)-1]; last.Decision != store.ErasedDecision || last.Op != store.OpRetract {
				t.Errorf("unit %s: the hub's last line is %+v", u, last)
			}
		}
		if list, err := l.Arrivals(other, 10); err != nil || len(list) > 0 {
			t.Errorf("it still arrives: %v, %v", list, err)
		}
		return nil
	})
	o.agree("moved")
}

// TestInQuarantineAlone: a person of whom nothing was ever applied can be erased, too.
func TestInQuarantineAlone(t *testing.T) {
	o := newOffice(t)
	id := conflict.RecordID{Replica: conflict.ReplicaID{5}, Counter: 1}
	o.Update(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		if err := l.PutReplica(&ledger.Replica{ID: id.Replica, Account: "gone", Device: "d"}); err != nil {
			return err
		}
		out, err := o.Ledger.Commit(l, ledger.Author{Account: "gone", Device: "d", Unit: unit, Revoked: true}, id.Replica, []record.Changeset{{Dot: id, Unit: unit, Author: "gone", At: 1,
			Edits: []record.Edit{{Record: id, Register: "addresses", Definition: 1, Writes: []record.Write{{Key: conflict.Key(19), Value: name}}}}}})
		if err == nil && len(out.Refusals) != 1 {
			t.Errorf("got %+v", out)
		}
		return err
	})
	if !o.holds() {
		t.Fatal("the name is nowhere to begin with")
	}
	// Another device names, of itself, an id that a third one has yet to use.
	o.Update(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		liar := conflict.Dot{Replica: conflict.ReplicaID{6}, Counter: 1}
		if err := l.PutReplica(&ledger.Replica{ID: liar.Replica, Account: "liar", Device: "d"}); err != nil {
			return err
		}
		_, err := o.Ledger.Commit(l, ledger.Author{Account: "liar", Device: "d", Unit: unit}, liar.Replica, []record.Changeset{{Dot: liar, Unit: unit, Author: "liar", At: 1,
			Edits: []record.Edit{{Record: conflict.RecordID{Replica: id.Replica, Counter: 2}, Register: "addresses", Definition: 1, Writes: []record.Write{{Key: conflict.Key(19), Value: "x"}}}}}})
		return err
	})
	if _, err := o.svc.Ask(o.asker, AskRequest{Record: conflict.RecordID{Replica: id.Replica, Counter: 2}.String(), Ground: "order", Reason: "x"}); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("a record that nobody made: got %v", err)
	}
	if _, err := o.svc.Ask(o.elsewhere, AskRequest{Record: id.String(), Ground: "order", Reason: "x"}); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("another ward asked: %v", err)
	}
	done, err := o.svc.Confirm(o.second, DecideRequest{ID: o.ask(id).ID})
	if err != nil || done.Hub != "never" {
		t.Errorf("got %+v, %v", done, err)
	}
	if o.holds() {
		t.Error("the name is in a file")
	}
	o.agree("erased")
}

// TestKilledAnywhere: wherever the program dies, the next start finishes what two
// people have decided, and only that.
func TestKilledAnywhere(t *testing.T) {
	died := errors.New("died")
	for _, at := range []string{"before", "torn", "listed", "committed"} {
		t.Run(at, func(t *testing.T) {
			o := newOffice(t)
			id := o.person()
			o.Approve(unit, id)
			r := o.ask(id)
			switch at {
			case "before":
			case "torn":
				f, err := os.OpenFile(filepath.Join(o.dir, listFile), os.O_APPEND|os.O_WRONLY, 0)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := f.WriteString("1 erased AAAABBBB"); err != nil {
					t.Fatal(err)
				}
				f.Close()
			default:
				o.svc.step = func(step string) error {
					if step == at {
						return died
					}
					return nil
				}
				if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); !errors.Is(err, died) {
					t.Fatalf("got %v", err)
				}
			}
			o.die()
			done := o.apply()
			if at == "before" || at == "torn" {
				if len(done.Erased) > 0 || !o.holds() {
					t.Fatalf("nobody confirmed, and it was erased: %+v", done)
				}
				if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); err != nil {
					t.Fatal(err)
				}
			} else if want := map[string]int{"listed": 1, "committed": 0}[at]; len(done.Erased) != want {
				t.Errorf("the start erased %+v, want %d", done, want)
			}
			if due, err := o.svc.rewrite(context.Background(), true); err != nil || due {
				t.Fatalf("rewrite: due %v, %v", due, err)
			}
			if o.holds() {
				t.Error("the name is in a file")
			}
			if again := o.apply(); len(again.Erased)+again.Listed > 0 {
				t.Errorf("applied again: got %+v", again)
			}
			list, err := o.svc.Requests(o.asker, rpc.None{})
			if err != nil || len(list.Closed) != 1 || list.Closed[0].State != store.ErasureDone || list.Closed[0].ClosedBy != "second" || list.Closed[0].Hub != "waiting" {
				t.Errorf("got %+v, %v", list, err)
			}
			o.agree(at)
		})
	}
}

// TestATransactionThatWasLost: the line stands, so it cannot be stopped any more, and
// what is confirmed next brings it along, in the order of the numbers.
func TestATransactionThatWasLost(t *testing.T) {
	o := newOffice(t)
	first, second := o.person(), o.person()
	r := o.ask(first)
	o.svc.step = func(step string) error {
		if step == "listed" {
			return errors.New("lost")
		}
		return nil
	}
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); err == nil {
		t.Fatal("no error")
	}
	o.svc.step = func(string) error { return nil }
	if _, err := o.svc.Withdraw(o.asker, TargetRequest{r.ID}); !errors.Is(err, ErrBegun) {
		t.Errorf("taken back: got %v", err)
	}
	if _, err := o.svc.DeclineBecause(o.second, DeclineRequest{r.ID, "ground"}); !errors.Is(err, ErrBegun) {
		t.Errorf("declined: got %v", err)
	}
	next := o.ask(second)
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: next.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); !errors.Is(err, ErrClosed) {
		t.Errorf("confirmed again: got %v", err)
	}
	if o.holds() {
		t.Error("the name is in a file")
	}
	o.agree("at last")
}

// TestListFromElsewhere: a list that lacks something gets it from the database; one
// that says something else is refused.
func TestListFromElsewhere(t *testing.T) {
	o := newOffice(t)
	var ids []conflict.RecordID
	for range 3 {
		id := o.person()
		if _, err := o.svc.Confirm(o.second, DecideRequest{ID: o.ask(id).ID}); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	path := filepath.Join(o.dir, listFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	for kept := range 3 {
		if err := os.WriteFile(path, bytes.Join(lines[:kept], nil), 0o600); err != nil {
			t.Fatal(err)
		}
		o.die()
		if done := o.apply(); done.Listed != 3-kept || len(done.Erased) > 0 {
			t.Errorf("with %d of 3 lines: got %+v", kept, done)
		}
		got := o.list.Entries()
		if len(got) != 3 || got[2].Record != ids[2] || got[2].By != "second" || got[2].AskedBy != "asker" || got[2].Ground != "order" {
			t.Errorf("with %d of 3 lines: got %+v", kept, got)
		}
		o.agree("healed")
	}
	other := entry(1)
	other.Number = o.list.Entries()[1].Number
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	o.die()
	if _, err := o.list.Append(other, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := Apply(context.Background(), o.Store, o.Ledger, o.list); !errors.Is(err, ErrList) || !strings.Contains(err.Error(), path) {
		t.Errorf("another record under a number of the database's: got %v", err)
	}
}

// TestManyAtOnce: requests of many people, confirmed at the same time, beside writers.
func TestManyAtOnce(t *testing.T) {
	o := newOffice(t)
	var requests []Request
	for range 8 {
		requests = append(requests, o.ask(o.person()))
	}
	var all sync.WaitGroup
	for _, r := range requests {
		for _, who := range []context.Context{o.second, o.admin} {
			all.Go(func() {
				if _, err := o.svc.Confirm(who, DecideRequest{ID: r.ID}); err != nil && !errors.Is(err, ErrClosed) {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if n := len(o.list.Entries()); n != len(requests) {
		t.Errorf("%d lines for %d requests", n, len(requests))
	}
	if _, err := o.svc.rewrite(context.Background(), true); err != nil {
		t.Fatal(err)
	}
	if o.holds() {
		t.Error("the name is in a file")
	}
	o.agree("at last")
}

// TestRun: what is due is done without anybody's asking.
func TestRun(t *testing.T) {
	o := newOffice(t)
	id := o.person()
	r := o.ask(id)
	o.svc.step = func(step string) error {
		if step == "committed" {
			return errors.New("died")
		}
		return nil
	}
	if _, err := o.svc.Confirm(o.second, DecideRequest{ID: r.ID}); err == nil {
		t.Fatal("no error")
	}
	if list, err := o.svc.Requests(o.asker, rpc.None{}); err != nil || list.Closed[0].File != "due" {
		t.Errorf("got %+v, %v, want that the file is due", list, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); o.svc.Run(ctx) }()
	for late := time.Now().Add(time.Minute); ; {
		list, err := o.svc.Requests(o.asker, rpc.None{})
		if err != nil {
			t.Fatal(err)
		}
		if list.Closed[0].File == "clean" {
			break
		}
		if time.Now().After(late) {
			t.Fatalf("the file is not clean after a minute: got %+v", list.Closed[0])
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
	if o.holds() {
		t.Error("the name is in a file")
	}
}
