package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/backup"
	"wardbook/server/erasure"
	"wardbook/server/hub/hubtest"
	"wardbook/server/hub/puller"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// canary marks every text that nobody may find again, with a number behind it;
// canaryDay is a value that cannot be any text.
const (
	canary    = "CANARY"
	canaryDay = "2019-03-07"
)

// canaries returns, for each file below the folders that holds one, the first.
func canaries(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	found := map[string]string{}
	files := 0
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			b, err := os.ReadFile(path)
			files++
			for _, mark := range []string{canary, canaryDay} {
				if i := bytes.Index(b, []byte(mark)); i >= 0 {
					found[path] = string(b[i:min(len(b), i+20)])
				}
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files == 0 {
		t.Fatalf("no files in %v", folders)
	}
	return found
}

// noCanary fails if a file below the folders holds one.
func noCanary(t *testing.T, when string, folders ...string) {
	t.Helper()
	for path, text := range canaries(t, folders...) {
		t.Errorf("%s: %s holds %q", when, path, text)
	}
}

// wanted is a server whose folder somebody may look through.
type wanted struct {
	t    *testing.T
	data string
	*app
	*hubtest.World
	def *register.Definition
}

func (w *wanted) open() {
	w.t.Helper()
	a, err := openApp(w.t.Context(), appConfig{data: w.data, enrolment: auth.EnrolByPassword, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		w.t.Fatal(err)
	}
	w.app, w.World = a, hubtest.On(w.t, a.store, a.ledger, a.review, a.definitions)
	w.def, _ = w.World.Definition("addresses")
}

func (w *wanted) shut() {
	w.t.Helper()
	if err := w.app.close(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// pen is a device of one officer.
type pen struct {
	w       *wanted
	name    string
	unit    string
	id      conflict.ReplicaID
	counter uint64
}

func (w *wanted) pen(n byte, name, unit string) *pen {
	w.t.Helper()
	w.SignedIn(name, store.RoleOfficer, unit)
	p := &pen{w: w, name: name, unit: unit, id: conflict.ReplicaID{7, n}}
	w.Update(func(tx *sqlite.Tx) error {
		return sqlite.LedgerOf(tx).PutReplica(&ledger.Replica{ID: p.id, Account: name, Device: "d-" + name, SeenAt: time.Now().UnixMilli()})
	})
	return p
}

// edit is what a device writes into a record, in the order of the fields' ids. The
// zero id makes a new record.
type edit struct {
	id     conflict.RecordID
	values map[string]string
	stale  bool // the device has not seen what stands
}

// write makes a changeset and hands it in to nobody yet.
func (p *pen) write(edits ...edit) record.Changeset {
	p.w.t.Helper()
	c := record.Changeset{Dot: conflict.Dot{Replica: p.id, Counter: p.counter + 1}, Unit: p.unit, Author: p.name, At: time.Now().UnixMilli()}
	for _, e := range edits {
		var head conflict.Record
		if e.id.IsZero() {
			e.id = conflict.Dot{Replica: p.id, Counter: p.counter + 1}
		} else if !e.stale {
			p.w.View(func(tx *sqlite.Tx) error {
				row, ok, err := sqlite.LedgerOf(tx).Record(e.id)
				if err == nil && ok {
					head, _, err = record.ParseState(row.State, e.id)
				}
				return err
			})
		}
		var writes []record.Write
		for name, text := range e.values {
			v, err := register.Normalise(p.w.def, name, text)
			if err != nil {
				p.w.t.Fatalf("%s: %v", name, err)
			}
			k := conflict.Key(p.w.def.FieldByName(name).ID)
			writes = append(writes, record.Write{Key: k, Context: head.Field(k).Vector(), Value: v})
		}
		writes = append(writes, record.Write{Key: conflict.Key(conflict.FieldSubmission), Context: head.Field(conflict.Key(conflict.FieldSubmission)).Vector()})
		slices.SortFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
		c.Edits = append(c.Edits, record.Edit{Record: e.id, Register: "addresses", Definition: p.w.def.Version, Writes: writes})
		i := len(c.Edits) - 1
		j := slices.IndexFunc(writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldSubmission })
		writes[j].Value = record.Submit(c.Apply(head, i, 0), nil).Value()
	}
	slices.SortFunc(c.Edits, func(a, b record.Edit) int { return a.Record.Compare(b.Record) })
	p.counter += uint64(c.Len())
	return c
}

// push hands changesets in.
func (p *pen) push(all ...record.Changeset) (out ledger.Outcome) {
	p.w.t.Helper()
	p.w.Update(func(tx *sqlite.Tx) (err error) {
		out, err = p.w.app.ledger.Commit(sqlite.LedgerOf(tx), ledger.Author{Account: p.name, Device: "d-" + p.name, Unit: p.unit}, p.id, all)
		return err
	})
	return out
}

func (p *pen) mustPush(c record.Changeset) {
	p.w.t.Helper()
	if out := p.push(c); out.Applied != 1 {
		p.w.t.Fatalf("push of %v: got %+v", c.Dot, out)
	}
}

// page is what a device of the unit is told, and keeps for giving back.
func (w *wanted) page(unit string) (s protocol.SignedPage) {
	w.t.Helper()
	w.View(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		p, err := w.app.ledger.Page(l, protocol.Scope{Stream: protocol.Stream{Unit: unit, Register: "addresses"}}, 0, 0)
		if err != nil {
			return err
		}
		e, err := l.Epoch()
		s = protocol.SignedPage{Epoch: e.Token, Body: protocol.Encode(nil, p)}
		return err
	})
	return s
}

func (w *wanted) give(pages ...protocol.SignedPage) (back ledger.Back) {
	w.t.Helper()
	w.Update(func(tx *sqlite.Tx) (err error) {
		if back, err = w.app.ledger.GiveBack(sqlite.LedgerOf(tx), &protocol.Return{N: 1, Pages: pages}, func(string) (bool, error) { return false, nil }); err != nil {
			return err
		}
		_, err = w.app.review.Reinstate(tx, back.Records)
		return err
	})
	return back
}

// shown returns a field of a record as it stands.
func (w *wanted) shown(id conflict.RecordID, name string) (value string) {
	w.t.Helper()
	w.View(func(tx *sqlite.Tx) error {
		row, ok, err := sqlite.LedgerOf(tx).Record(id)
		if err != nil || !ok {
			return errors.Join(err, fmt.Errorf("record %v is there: %v", id, ok))
		}
		head, _, err := record.ParseState(row.State, id)
		if f := head.Field(conflict.Key(w.def.FieldByName(name).ID)); f.Len() == 1 {
			value = string(f.At(0).Value)
		}
		return err
	})
	return value
}

func (w *wanted) sound(when string, but ...string) {
	w.t.Helper()
	r, err := backup.Examine(w.t.Context(), w.data)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range r.Findings {
		if len(f.Wrong) > 0 && !slices.ContainsFunc(but, func(b string) bool { return strings.Contains(f.What, b) }) {
			w.t.Errorf("%s: the doctor finds wrong: %s: %v", when, f.What, f.Wrong)
		}
	}
}

// TestErasedByLaw is what erasure by law has to be: names that occur nowhere else are
// written in every way there is, erased, and found in no file any more, neither of the
// server, nor of a backup made later, nor of the hub's consumer; also when last week's
// backup is restored, and when devices come by that were out.
func TestErasedByLaw(t *testing.T) {
	ctx := t.Context()
	const unit, other = "27169", "26734"
	w := &wanted{t: t, data: t.TempDir()}
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	w.open()
	a, b := w.pen(1, "officer.a", unit), w.pen(2, "officer.b", unit)
	supervisor := func(name string) context.Context { return w.SignedIn(name, store.RoleSupervisor, unit) }
	asker, confirmer := supervisor("supervisor.asks"), supervisor("supervisor.confirms")
	elsewhere := w.SignedIn("supervisor.else", store.RoleSupervisor, other)
	_, password, err := w.auth.Create(ctx, auth.Console(), auth.NewAccount{Name: "hub", Role: store.RoleHub})
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	digest := func(id conflict.RecordID) string {
		t.Helper()
		r, err := w.review.Record(confirmer, review.RecordRequest{ID: id.String()})
		must(err)
		return r.Digest
	}
	approve := func(id conflict.RecordID) {
		t.Helper()
		_, err := w.review.Approve(confirmer, review.ApproveRequest{ID: id.String(), Digest: digest(id), AcceptWarnings: true})
		must(err)
	}

	// The two records, and a backup of a server that will be lost.
	values := hubtest.Address(1)
	values["street"] = canary + "01"
	made := a.write(edit{values: values})
	a.mustPush(made)
	gone := made.Edits[0].Record
	made = a.write(edit{values: hubtest.Address(2)})
	a.mustPush(made)
	stays := made.Edits[0].Record
	approve(gone)
	_, err = backup.Make(ctx, w.data, at("first"), "test", time.Now())
	must(err)
	b.mustPush(b.write(edit{id: gone, values: map[string]string{"old_address": canary + "02"}}))
	page := w.page(unit)
	w.shut()
	_, err = backup.Restore(ctx, at("first"), w.data, false, time.Now())
	must(err)
	w.open()
	b.counter = 0
	if back := w.give(page); back.Writes == 0 {
		t.Fatalf("given back: got %+v", back)
	}
	b.id[15] = 1 // its store came back under another id, for the test's sake
	w.Update(func(tx *sqlite.Tx) error {
		return sqlite.LedgerOf(tx).PutReplica(&ledger.Replica{ID: b.id, Account: b.name, Device: "d-" + b.name, SeenAt: time.Now().UnixMilli()})
	})

	// One changeset about both; days of which the later is approved; a conflict that is settled by a typed value, with a comment.
	shared := b.write(edit{id: gone, values: map[string]string{"building": canary + "03"}}, edit{id: stays, values: map[string]string{"building": "Keeper Hall"}})
	b.mustPush(shared)
	a.mustPush(a.write(edit{id: gone, values: map[string]string{"check_date": "2019-03-06"}}))
	b.mustPush(b.write(edit{id: gone, values: map[string]string{"check_date": canaryDay}, stale: true}))
	approve(stays)
	approve(gone)
	explicit := 0
	w.View(func(tx *sqlite.Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM approvals WHERE explicit LIKE '%2019-03-07%'`).Scan(&explicit)
	})
	if explicit == 0 {
		t.Error("no decision holds an approved value of its own: the test lacks a case")
	}
	a.mustPush(a.write(edit{id: gone, values: map[string]string{"unit_no": canary + "04"}}))
	b.mustPush(b.write(edit{id: gone, values: map[string]string{"unit_no": canary + "05"}, stale: true}))
	typed := canary + "06"
	_, err = w.review.Settle(confirmer, review.SettleRequest{ID: gone.String(), Digest: digest(gone), Field: "unit_no", Value: &typed, Comment: canary + "07"})
	must(err)
	_, err = w.review.Return(asker, review.ReturnRequest{ID: gone.String(), Digest: digest(gone), Fields: []string{"unit_no"}, Comment: canary + "08"})
	must(err)
	// Two in quarantine: one is settled with a reason, one is open and about both.
	stranger := w.pen(3, "officer.c", unit)
	aside := func(c record.Changeset) {
		t.Helper()
		w.Update(func(tx *sqlite.Tx) error {
			out, err := w.app.ledger.Commit(sqlite.LedgerOf(tx), ledger.Author{Account: stranger.name, Device: "d-officer.c", Unit: unit, Revoked: true}, stranger.id, []record.Changeset{c})
			if err == nil && len(out.Refusals) != 1 {
				t.Fatalf("got %+v, want it in quarantine", out)
			}
			return err
		})
	}
	rejected := stranger.write(edit{id: gone, values: map[string]string{"street": canary + "09"}})
	aside(rejected)
	held := stranger.write(edit{id: gone, values: map[string]string{"street": canary + "10"}}, edit{id: stays, values: map[string]string{"unit_no": "12B"}})
	aside(held)
	_, err = w.review.Reject(asker, review.SettleAsideRequest{ID: rejected.Dot.String(), Reason: canary + "11"})
	must(err)
	// The hub holds it.
	server := httptest.NewServer(w.handler)
	pull := func() {
		t.Helper()
		r, err := puller.Pull(ctx, puller.Config{URL: server.URL, Dir: at("hub"), Account: "hub", Password: password})
		must(err)
		if len(r.Differences) > 0 {
			t.Errorf("the hub does not agree: %v", r.Differences)
		}
	}
	pull()
	_, err = backup.Make(ctx, w.data, at("last week"), "test", time.Now())
	must(err)
	page = w.page(unit)
	late := b.write(edit{id: gone, values: map[string]string{"street": canary + "12"}}, edit{id: stays, values: map[string]string{"alley_path": "12/3"}}) // on a device that is out
	for where, least := range map[string]int{w.data: 1, at("last week"): 1, at("hub"): 2} {
		if n := len(canaries(t, where)); n < least {
			t.Fatalf("%d files in %s hold a name: the test finds nothing", n, where)
		}
	}

	// Asked for by one, confirmed by another.
	ask := erasure.AskRequest{Record: gone.String(), Ground: "subject_request", Reason: canary + "13"}
	if _, err := w.erasure.Ask(elsewhere, ask); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("another ward's supervisor asked: %v", err)
	}
	request, err := w.erasure.Ask(asker, ask)
	must(err)
	if _, err := w.erasure.Confirm(asker, erasure.DecideRequest{ID: request.ID}); !errors.Is(err, erasure.ErrOneself) {
		t.Errorf("who asked confirmed: %v", err)
	}
	if _, err := w.erasure.Confirm(elsewhere, erasure.DecideRequest{ID: request.ID}); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("another ward's supervisor confirmed: %v", err)
	}
	done, err := w.erasure.Confirm(confirmer, erasure.DecideRequest{ID: request.ID})
	must(err)
	if done.State != store.ErasureDone || done.Reason != "" || done.Hub != "waiting" || done.File != "clean" || done.Told != 0 || done.Devices != 4 {
		t.Errorf("confirmed: got %+v", done)
	}
	// The devices that have not let go are named.
	stores := 0
	for _, d := range done.Waits {
		stores += d.Stores
	}
	if stores != done.Devices || slices.ContainsFunc(done.Waits, func(d erasure.Waiting) bool { return d.Account == "" || d.Name == "" }) {
		t.Errorf("confirmed: %d devices wait, got %+v", done.Devices, done.Waits)
	}
	// What the restore before put aside is older; the doctor says so.
	w.sound("erased", "databases that a restore left beside")
	old, err := filepath.Glob(filepath.Join(w.data, "before-*"))
	if err != nil || len(old) != 1 {
		t.Fatalf("got %v, %v", old, err)
	}
	if len(canaries(t, old[0])) == 0 {
		t.Error("the folder that was put aside holds no name: the doctor need not complain")
	}
	must(os.RemoveAll(old[0]))
	w.sound("with what was put aside deleted")
	noCanary(t, "erased", w.data)
	check := func(when string) {
		t.Helper()
		if got := w.shown(stays, "building"); got != "Keeper Hall" {
			t.Errorf("%s: the record that stays has building %q", when, got)
		}
		w.View(func(tx *sqlite.Tx) error {
			l := sqlite.LedgerOf(tx)
			if _, ok, err := l.Record(gone); err != nil || ok {
				t.Errorf("%s: the record is there: %v, %v", when, ok, err)
			}
			list, err := l.Changesets(stays)
			if err != nil {
				return err
			}
			kept := false
			for _, in := range list {
				kept = kept || bytes.Contains(in.Bytes, []byte("Keeper Hall"))
			}
			if !kept {
				t.Errorf("%s: the history of the record that stays has lost a value", when)
			}
			return nil
		})
		// Everything that people look at goes on working.
		for what, err := range map[string]error{
			"queue":      func() error { _, err := w.review.Queue(confirmer, review.QueueRequest{}); return err }(),
			"quarantine": func() error { _, err := w.review.Quarantine(confirmer, review.QuarantineRequest{}); return err }(),
			"tallies":    func() error { _, err := w.review.Tallies(confirmer, review.TalliesRequest{}); return err }(),
			"day":        func() error { _, err := w.review.Day(confirmer, review.DayRequest{}); return err }(),
			"find": func() error {
				_, err := w.review.Find(confirmer, review.FindRequest{Register: "addresses", Search: "Lý"})
				return err
			}(),
			"history": func() error {
				_, err := w.review.History(confirmer, review.HistoryRequest{ID: stays.String()})
				return err
			}(),
		} {
			if err != nil {
				t.Errorf("%s: %s: %v", when, what, err)
			}
		}
		if _, err := w.review.Record(confirmer, review.RecordRequest{ID: gone.String()}); !errors.Is(err, rpc.ErrNotFound) {
			t.Errorf("%s: the desk opens it: %v", when, err)
		}
	}
	check("erased")
	pull()
	noCanary(t, "pulled", at("hub"))
	if list, err := w.erasure.Requests(asker, rpc.None{}); err != nil || len(list.Closed) != 1 || list.Closed[0].Hub != "acknowledged" {
		t.Errorf("pulled: got %+v, %v", list, err)
	}
	must(os.RemoveAll(at("hub")))
	pull() // from the beginning
	noCanary(t, "pulled from the beginning", at("hub"))
	_, err = backup.Make(ctx, w.data, at("new"), "test", time.Now())
	must(err)
	noCanary(t, "backed up", at("new"), w.data)

	// Last week's database comes back by hand, without anybody's command.
	server.Close()
	w.shut()
	for _, side := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(filepath.Join(w.data, "wardbook.db") + side); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	copied, err := os.ReadFile(filepath.Join(at("last week"), "wardbook.db"))
	must(err)
	must(os.WriteFile(filepath.Join(w.data, "wardbook.db"), copied, 0o600))
	if len(canaries(t, w.data)) == 0 {
		t.Error("last week's database holds no name")
	}
	w.open()
	check("started on an old database")
	limit := time.Now().Add(time.Minute)
	for clean := false; !clean; time.Sleep(time.Millisecond) {
		list, err := w.erasure.Requests(asker, rpc.None{})
		must(err)
		if len(list.Closed) != 1 {
			t.Fatalf("started on an old database: got %+v", list)
		}
		if time.Now().After(limit) {
			t.Fatalf("started on an old database, a minute ago: got %+v", list)
		}
		clean = list.Closed[0].File == "clean"
	}
	noCanary(t, "started on an old database", w.data)
	w.shut()

	// The backup comes back as it should.
	restored, err := backup.Restore(ctx, at("last week"), w.data, false, time.Now())
	must(err)
	if restored.Erased != 1 {
		t.Errorf("restored: got %+v", restored)
	}
	noCanary(t, "restored", w.data)
	w.open()
	noCanary(t, "started", w.data)
	check("restored")

	// Devices come by that were out.
	if out := b.push(shared); out.Repeats != 1 || out.Forked != nil {
		t.Errorf("the old changeset again: got %+v", out)
	}
	if out := b.push(late); out.Applied != 1 || len(out.Refusals) > 0 {
		t.Errorf("a changeset of a device that was out: got %+v", out)
	}
	if out := b.push(late); out.Repeats != 1 || out.Forked != nil {
		t.Errorf("it again: got %+v", out)
	}
	if got := w.shown(stays, "alley_path"); got != "12/3" {
		t.Errorf("what the late changeset says of the other record: got %q", got)
	}
	if back := w.give(page); back.Unproven > 0 {
		t.Errorf("given back: got %+v", back)
	}
	if _, err := w.review.Release(confirmer, review.SettleAsideRequest{ID: held.Dot.String(), Reason: "it is right"}); err != nil {
		t.Errorf("release of what is about both: %v", err)
	}
	if got := w.shown(stays, "unit_no"); got != "12B" {
		t.Errorf("what was released of the other record: got %q", got)
	}
	check("afterwards")
	w.shut()
	noCanary(t, "afterwards", w.data)
	w.sound("afterwards")
	w.open()
	defer w.shut()
	server = httptest.NewServer(w.handler)
	defer server.Close()
	must(os.RemoveAll(at("hub"))) // it belongs to the address before
	pull()
	noCanary(t, "at last", w.data, at("hub"))
	list, err := w.erasure.Requests(asker, rpc.None{})
	if err != nil || len(list.Closed) != 1 || list.Closed[0].By != "supervisor.asks" || list.Closed[0].ClosedBy != "supervisor.confirms" {
		t.Errorf("who asked and who confirmed: got %+v, %v", list, err)
	}
}
