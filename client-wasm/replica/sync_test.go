package replica_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// stands fails unless every write that was made stands at the server, and all
// devices hold what the server does.
func (w *world) stands() error {
	for _, name := range w.order {
		d := w.devices[name]
		m := d.r.Meta()
		if got := w.server.Acked(m.Replica); got != m.Last || m.Acked != m.Last {
			return fmt.Errorf("%s used %d counters; the server has %d, the device believes %d", name, m.Last, got, m.Acked)
		}
	}
	return w.converged()
}

// made checks that each write of a changeset is under the server's vectors.
func (w *world) made(c record.Changeset) error {
	for i, e := range c.Edits {
		dot := c.FirstDot(i)
		for _, write := range e.Writes {
			if !w.server.Record(e.Record).Field(write.Key).Vector().Covers(dot) {
				return fmt.Errorf("write %v of field %v is lost", dot, write.Key)
			}
			dot.Counter++
		}
	}
	return nil
}

func TestRandomWorkConverges(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		w.server.PageRecords = rapid.IntRange(1, 3).Draw(rt, "page")
		w.server.BackedUp = rapid.Bool().Draw(rt, "backed up")
		devices := []*dev{w.device("a", "officer.a"), w.device("b", "officer.b"), w.device("c", "officer.a")}
		var made []record.Changeset
		var ids []string
		forms := map[string]string{} // by device: an open form
		note := func(d *dev, before uint64) {
			for _, e := range d.outbox() {
				if e.Changeset.Dot.Counter > before {
					made = append(made, e.Changeset)
				}
			}
		}
		value := func() string { return rapid.StringMatching(`[a-cữ]{0,2}`).Draw(rt, "value") }
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			d := rapid.SampledFrom(devices).Draw(rt, "device")
			before := d.r.Meta().Last
			id := ""
			if len(ids) > 0 && rapid.Bool().Draw(rt, "existing") {
				id = rapid.SampledFrom(ids).Draw(rt, "record")
				if _, err := d.r.Record(ctx, id); errors.Is(err, replica.ErrNoRecord) {
					id = ""
				}
			}
			switch rapid.SampledFrom([]string{"put", "put", "open", "save", "delete", "settle", "sync", "sync", "cut", "restart"}).Draw(rt, "op") {
			case "put":
				values := map[string]string{"name": "n" + value(), "level": "1", "tags": rapid.SampledFrom([]string{"", "A", "A,B", "C"}).Draw(rt, "tags")}
				if id != "" {
					values = map[string]string{rapid.SampledFrom([]string{"note", "secret", "level"}).Draw(rt, "field"): value()}
				}
				reply, err := d.r.Put(ctx, replica.PutRequest{Register: "people", Record: id, Values: values, NoSubmit: rapid.Bool().Draw(rt, "draft")})
				if err != nil && !errors.Is(err, replica.ErrConflict) {
					rt.Fatalf("put: %v", err)
				}
				if err == nil && id == "" {
					ids = append(ids, reply.ID)
				}
			case "open":
				if id != "" {
					forms[d.name] = d.form(id).Key
				}
			case "save":
				if key := forms[d.name]; key != "" {
					if _, err := d.r.Save(ctx, replica.SaveRequest{Key: key, Values: map[string]string{"note": value(), "tags": "B"}}); err != nil && !errors.Is(err, replica.ErrConflict) {
						rt.Fatalf("save: %v", err)
					}
				}
			case "delete":
				if id != "" {
					if _, err := d.r.Delete(ctx, id); err != nil && !errors.Is(err, replica.ErrPartial) {
						rt.Fatalf("delete: %v", err)
					}
				}
			case "settle":
				if id != "" {
					v := value()
					if _, err := d.r.Settle(ctx, replica.SettleRequest{ID: id, Field: "note", Value: &v}); err != nil {
						rt.Fatalf("settle: %v", err)
					}
				}
			case "sync":
				d.sync()
			case "cut":
				l := d.line()
				l.run(rapid.IntRange(0, 40).Draw(rt, "effects"))
				l.hangUp()
				d.open()
			case "restart":
				d.open()
			}
			note(d, before)
		}
		for range 2 {
			for _, d := range devices {
				if s := d.sync(); !s.Synced {
					rt.Fatalf("%s is not synced: %+v", d.name, s)
				}
			}
		}
		if err := w.stands(); err != nil {
			rt.Fatal(err)
		}
		for _, c := range made {
			if err := w.made(c); err != nil {
				rt.Fatal(err)
			}
		}
		if w.server.BackedUp {
			for _, d := range devices {
				d.sync()
				if n := len(d.outbox()); n > 0 {
					rt.Fatalf("%s: %d changesets are backed up, covered, and still in the outbox", d.name, n)
				}
			}
			if err := w.stands(); err != nil {
				rt.Fatalf("after the outbox was emptied: %v", err)
			}
		}
	})
}

// A stop between any two effects costs nothing.
func TestCrashBetweenAnyTwoEffects(t *testing.T) {
	for cut := 0; ; cut++ {
		w := newWorld(t)
		w.server.PageRecords = 1
		w.server.Refuse = func(c record.Changeset) protocol.Code {
			for _, e := range c.Edits {
				for _, write := range e.Writes {
					if write.Value == "cấm" {
						return protocol.Forbidden
					}
				}
			}
			return protocol.OK
		}
		a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
		one, two := b.put("", map[string]string{"name": "Một", "note": "b"}), b.put("", map[string]string{"name": "Hai"})
		b.mustSync()
		a.mustSync()
		a.put(one, map[string]string{"note": "a"})
		bad := a.put("", map[string]string{"name": "cấm"})
		a.put(bad, map[string]string{"note": "dựa trên"})
		a.put("", map[string]string{"name": "Ba"})
		b.put(one, map[string]string{"note": "b hai"})
		b.put(two, map[string]string{"level": "2"})
		b.mustSync()

		l := a.line()
		steps := l.run(cut)
		l.hangUp()
		a.open()
		a.mustSync()
		b.mustSync()
		if err := w.stands(); err != nil {
			t.Fatalf("cut after %d effects: %v", cut, err)
		}
		if got := len(a.record(one).Conflicts["note"]); got != 2 {
			t.Fatalf("cut after %d effects: got %d siblings, want 2", cut, got)
		}
		if s, err := a.r.Status(ctx); err != nil || s.Quarantined != 1 || s.Conflicts != 1 || s.Unsent != 0 {
			t.Fatalf("cut after %d effects: %+v, %v", cut, s, err)
		}
		if counts, err := a.store.Counts(ctx); err != nil || counts.Quarantined != 1 || counts.Conflicts != 1 {
			t.Fatalf("cut after %d effects: the store counts %+v, %v", cut, counts, err)
		}
		if steps < cut {
			t.Logf("%d effects and messages", steps)
			if steps < 25 {
				t.Errorf("only %d steps: the scenario is too short to show anything", steps)
			}
			return
		}
	}
}

// failing is a store whose nth commit fails.
type failing struct {
	replica.Store
	n int
}

var errDisk = errors.New("no room")

func (f *failing) Commit(ctx context.Context, b *replica.Batch) error {
	if f.n--; f.n == 0 {
		return errDisk
	}
	return f.Store.Commit(ctx, b)
}

// A store that cannot write ends the exchange, loses nothing, and the next one
// goes on from what is durable.
// A long outbox is acknowledged in one statement, of a store that never met a
// server as of one that did; what is held, shown and counted is the same.
func TestLongOutboxIsReceived(t *testing.T) {
	w := newWorld(t)
	d := w.device("a", "officer.a")
	const records = 470 // of three writes, and pushed in 128, 256 and 86: each acknowledgement is of many
	for round := range 2 {
		for i := range records {
			if _, err := d.r.Put(ctx, replica.PutRequest{Register: "people", Values: map[string]string{"name": fmt.Sprint(round, i), "note": "n", "level": "1"}, NoSubmit: true}); err != nil {
				t.Fatal(err)
			}
		}
		if unsent, _, err := d.store.Unsent(ctx, d.r.Meta().Replica, d.r.Meta().Acked); err != nil || unsent != records {
			t.Fatalf("round %d: got %d unsent (%v), want %d", round, unsent, err, records)
		}
		left := replica.Holding{ID: conflict.Dot{Replica: conflict.ReplicaID{0xee}, Counter: uint64(round + 1)}, Register: "people", Unit: unit, Left: true}
		if err := d.store.Commit(ctx, &replica.Batch{Put: []replica.Holding{left}}); err != nil {
			t.Fatal(err)
		}
		d.sync()
		if err := w.stands(); err != nil {
			t.Fatal(err)
		}
		if ids, err := d.store.Leaving(ctx); err != nil || len(ids) > 0 {
			t.Fatalf("round %d: what left and waited for nothing is still there: %v (%v)", round, ids, err)
		}
		entries := d.outbox()
		if len(entries) != (round+1)*records {
			t.Fatalf("round %d: got %d entries kept, want %d", round, len(entries), (round+1)*records)
		}
		for _, e := range entries {
			if e.Received == 0 || e.Refusal != nil {
				t.Fatalf("round %d: %v is not marked as received: %+v", round, e.Changeset.Dot, e)
			}
		}
	}
}

func TestFailingStore(t *testing.T) {
	for n := 1; ; n++ {
		w := newWorld(t)
		w.server.PageRecords = 1
		a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
		b.put("", map[string]string{"name": "Một"})
		b.put("", map[string]string{"name": "Hai"})
		b.mustSync()
		a.put("", map[string]string{"name": "Ba"})
		f := &failing{Store: a.store, n: -1}
		r, err := replica.Open(ctx, replica.Config{Store: f, Now: func() int64 { return w.now }, Rand: a.rand, Account: replica.Account{Name: a.account, Unit: unit}})
		if err != nil {
			t.Fatal(err)
		}
		a.r, f.n = r, n
		l := a.line()
		failed := false
		for {
			more, err := l.step()
			if err != nil {
				if !errors.Is(err, errDisk) || l.h.Pending() != 0 {
					t.Fatalf("commit %d: got %v with %d effects pending, want %v with none", n, err, l.h.Pending(), errDisk)
				}
				failed = true
				l.hangUp()
				l.h.Reset("token")
				l.h.Step(session.Start{Now: w.now})
				continue
			}
			if !more {
				break
			}
		}
		if !l.h.Status().Synced {
			t.Fatalf("commit %d: not synced after trying again: %+v", n, l.h.Status())
		}
		l.hangUp()
		b.mustSync()
		if err := w.stands(); err != nil {
			t.Fatalf("commit %d: %v", n, err)
		}
		if !failed {
			return
		}
	}
}

func TestQuarantine(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
	a.mustSync()
	bad := a.r.Meta().Last + 1
	w.server.Refuse = func(c record.Changeset) protocol.Code {
		switch c.Dot.Counter {
		case bad:
			return protocol.Forbidden
		case bad + 2: // what builds on it, by the server's own judgement
			return protocol.Dependent
		}
		return protocol.OK
	}
	for _, values := range []map[string]string{{"note": "bị giữ"}, {"level": "7"}, {"note": "trên bị giữ"}} {
		// Drafts, for a submission would build on the one before it.
		if _, err := a.r.Put(ctx, replica.PutRequest{Register: "people", Record: id, Values: values, NoSubmit: true}); err != nil {
			t.Fatal(err)
		}
	}
	if got := a.record(id).Values["note"]; got != "trên bị giữ" {
		t.Fatalf("before: got %q", got)
	}
	l := a.line()
	for expected := false; !expected; {
		if more, err := l.step(); err != nil || !more {
			t.Fatalf("the refusal does not come: %v", err)
		}
		if all := a.outbox(); all[1].Refusal != nil {
			if expected = true; all[3].Refusal == nil || all[2].Refusal != nil || all[3].Refusal.Code != protocol.Dependent {
				t.Errorf("with the refused changeset go those that build on it, and no other: got %+v, %+v", all[2].Refusal, all[3].Refusal)
			}
		}
	}
	l.hangUp()
	a.open()
	a.mustSync()
	rec := a.record(id)
	if rec.Values["note"] != "gốc" || rec.Values["level"] != "7" || rec.Stage != record.StageQuarantined {
		t.Errorf("got note %q, level %q, stage %s; want gốc, 7, quarantined", rec.Values["note"], rec.Values["level"], rec.Stage)
	}
	view, err := a.r.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if len(view.Quarantine) != 2 || view.Quarantine[0].Code != "forbidden" || view.Quarantine[1].Code != "dependent" ||
		len(view.Quarantine[0].Fields) != 1 || view.Quarantine[0].Fields[0].Display != "bị giữ" {
		t.Fatalf("overlay: got %+v", view.Quarantine)
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
	w.server.BackedUp = true
	a.mustSync()
	if n := len(a.outbox()); n != 2 {
		t.Errorf("got %d changesets in the outbox, want the two in quarantine", n)
	}
	for _, q := range view.Quarantine {
		if err := a.r.Dismiss(ctx, id, q.Counter); err != nil {
			t.Fatal(err)
		}
	}
	if rec := a.record(id); rec.Stage == record.StageQuarantined || len(a.outbox()) != 0 {
		t.Errorf("after dismissing: got %s, %d in the outbox", rec.Stage, len(a.outbox()))
	}
	if s, _ := a.r.Status(ctx); s.Quarantined != 0 {
		t.Errorf("status: got %d in quarantine", s.Quarantined)
	}
}

func TestQuarantinedRecordIsVisible(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	w.server.Refuse = func(record.Changeset) protocol.Code { return protocol.Forbidden }
	id := a.put("", map[string]string{"name": "Bị giữ"})
	a.mustSync()
	reply, err := a.r.List(ctx, replica.ListRequest{Register: "people", Filter: replica.FilterReturned})
	if err != nil || len(reply.Rows) != 1 || reply.Rows[0].Title != "Bị giữ" || reply.Rows[0].Stage != "quarantined" {
		t.Fatalf("got %+v, %v", reply, err)
	}
	if _, err := a.r.Delete(ctx, id); !errors.Is(err, replica.ErrHeldBack) {
		t.Errorf("acting on what does not stand: got %v, want %v", err, replica.ErrHeldBack)
	}
	if _, err := a.r.OpenForm(ctx, id, ""); !errors.Is(err, replica.ErrHeldBack) {
		t.Errorf("opening what does not stand: got %v, want %v", err, replica.ErrHeldBack)
	}
	view, _ := a.r.Get(ctx, id)
	if err := a.r.Dismiss(ctx, id, view.Quarantine[0].Counter); err != nil {
		t.Fatal(err)
	}
	if _, err := a.r.Get(ctx, id); !errors.Is(err, replica.ErrNoRecord) {
		t.Errorf("after dismissing: got %v, want %v", err, replica.ErrNoRecord)
	}
}

// clone copies a device's store as a copied browser profile does.
func (d *dev) clone(name string) *dev {
	c := &dev{w: d.w, name: name, account: d.account, store: d.store.Clone(), rand: seeded(uint64(len(d.w.order)) + 500), scopes: d.scopes}
	d.w.devices[name], d.w.order = c, append(d.w.order, name)
	c.open()
	return c
}

func TestClonedStoreTakesNewDots(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
	a.mustSync()
	f := a.form(id)
	unsent := a.put("", map[string]string{"name": "Trước khi chép", "note": "chung"})
	c := a.clone("c")
	replicaBefore := c.r.Meta().Replica

	a.put(id, map[string]string{"note": "của a"})
	a.put(id, map[string]string{"level": "1"})
	fresh := a.put("", map[string]string{"name": "Mới của a"})
	c.put(id, map[string]string{"note": "của c, lần một"})
	c.put(id, map[string]string{"note": "của c"}) // its vector names a dot that a has used too
	freshC := c.put("", map[string]string{"name": "Mới của c"})
	c.put(freshC, map[string]string{"note": "thêm", "friend": freshC})
	if _, err := c.r.Delete(ctx, freshC); err != nil {
		t.Fatal(err)
	}
	if fresh != freshC {
		t.Fatalf("the copies should have used one dot for two records: %s and %s", fresh, freshC)
	}
	onRecord := c.form(freshC) // a form on a record that is about to get another id
	a.mustSync()
	c.mustSync()
	if c.r.Meta().Replica == replicaBefore {
		t.Fatal("the loser kept its replica id")
	}
	for range 2 {
		a.mustSync()
		b.mustSync()
		c.mustSync()
	}
	if err := w.stands(); err != nil {
		t.Fatal(err)
	}
	if got := len(b.record(id).Conflicts["note"]); got != 2 {
		t.Errorf("one field written in both copies: got %d siblings, want 2", got)
	}
	if n := len(b.record(unsent).Conflicts); n != 0 {
		t.Errorf("what both copies held before is one record: got %d conflicts", n)
	}
	titles := map[string]string{}
	for _, x := range w.server.IDs() {
		rec := b.record(x.String())
		titles[string(rec.Values["name"])] = x.String()
	}
	if len(titles) != 4 || len(w.server.IDs()) != 4 || titles["Mới của a"] != fresh || titles["Mới của c"] == fresh {
		t.Fatalf("got %v, want four records, a's under its id and c's under another", titles)
	}
	moved := b.record(titles["Mới của c"])
	if moved.Life != conflict.Deleted {
		t.Errorf("the deletion covers what it saw under the new dots: got %v", moved.Life)
	}
	if got := string(moved.Values["friend"]); got != moved.ID.String() {
		t.Errorf("a reference to a renamed record: got %s, want %v", got, moved.ID)
	}
	// Forms that were open keep their vectors under the new names.
	c.save(onRecord.Key, map[string]string{"level": "9"})
	if got := c.record(titles["Mới của c"]).Values["level"]; got != "9" {
		t.Errorf("a form over the rekey: got level %q, want 9", got)
	}
	c.save(f.Key, map[string]string{"note": "sau khi chép"})
	if got := len(c.record(id).Conflicts["note"]); got != 3 {
		t.Errorf("a form opened before both: got %d siblings, want 3", got)
	}
	for range 2 {
		c.mustSync()
		a.mustSync()
		b.mustSync()
	}
	if err := w.stands(); err != nil {
		t.Fatal(err)
	}
}

// A store that went back in time (a restored profile) must not use its
// counters again.
func TestRolledBackStore(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
	a.mustSync()
	old := a.store.Clone()
	a.put(id, map[string]string{"note": "mất khỏi máy"})
	a.mustSync()
	a.store = old
	a.open()
	a.put(id, map[string]string{"note": "sau khi lùi"})
	for range 2 {
		a.mustSync()
		b.mustSync()
	}
	if err := w.stands(); err != nil {
		t.Fatal(err)
	}
	if got := len(b.record(id).Conflicts["note"]); got != 2 {
		t.Errorf("got %d siblings, want both", got)
	}
}

func TestRestoredServerIsGivenBack(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
	a.mustSync()
	backup := w.server.Restored(2)
	a.put(id, map[string]string{"note": "sau bản lưu"})
	b.mustSync()
	b.put("", map[string]string{"name": "Của b"})
	a.mustSync()
	b.mustSync()
	w.server = backup
	l := a.line()
	for a.r.Meta().Epoch != (protocol.Token{2}) {
		if more, err := l.step(); err != nil || !more {
			t.Fatalf("the new epoch does not come: %v", err)
		}
	}
	l.hangUp()
	if rec := a.record(id); rec.Place != replica.PlaceLocal {
		t.Errorf("what the restored server lacks: got %s, want %s", rec.Place, replica.PlaceLocal)
	}
	if all := a.outbox(); all[len(all)-1].Received != 0 {
		t.Error("a receipt of the lost server's is still shown")
	}
	for range 3 {
		a.mustSync()
		b.mustSync()
	}
	if err := w.stands(); err != nil {
		t.Fatal(err)
	}
	if got := a.record(id).Values["note"]; got != "sau bản lưu" {
		t.Errorf("got %q, want what was acknowledged before the restore", got)
	}
	if len(w.server.IDs()) != 2 {
		t.Errorf("got %d records, want both", len(w.server.IDs()))
	}
}

func TestPlaces(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa"})
	key := a.record(id).ID
	at := func(place replica.Place, stage record.Stage) {
		t.Helper()
		rec := a.record(id)
		if rec.Place != place || rec.Stage != stage {
			t.Errorf("got %s %s, want %s %s", rec.Place, rec.Stage, place, stage)
		}
	}
	at(replica.PlaceLocal, record.StageSubmitted)
	a.mustSync()
	at(replica.PlaceReceived, record.StageSubmitted)
	view, _ := a.r.Get(ctx, id)
	if view.ReceivedAt == 0 || view.Fields[0].Received == 0 || view.Fields[0].Local {
		t.Errorf("received: got %+v", view)
	}
	w.server.HubMark(protocol.HubMark{Unit: unit, Register: "people", Revision: 5})
	w.server.Approve(key, "supervisor", 0)
	a.mustSync()
	at(replica.PlaceApproved, record.StageApproved) // it has no revision at the hub yet
	w.server.Approve(key, "supervisor", 7)
	a.mustSync()
	at(replica.PlaceApproved, record.StageApproved)
	w.server.HubMark(protocol.HubMark{Unit: unit, Register: "people", Revision: 6})
	a.mustSync()
	at(replica.PlaceApproved, record.StageApproved)
	w.server.HubMark(protocol.HubMark{Unit: unit, Register: "people", Revision: 7})
	a.mustSync()
	at(replica.PlaceHub, record.StageApproved)
	a.open()
	at(replica.PlaceHub, record.StageApproved)
	w.server.Review(key, record.Review{Decision: record.Returned, Dots: record.StandingOf(w.server.Record(key)).Review.Dots, Revision: 7, Question: "q1", Fields: []string{"name"}, Comment: "viết đủ họ tên", By: "supervisor", At: 5})
	a.mustSync()
	at(replica.PlaceReceived, record.StageReturned)
	f := a.form(id)
	if _, err := a.r.Save(ctx, replica.SaveRequest{Key: f.Key, Values: map[string]string{"name": "Trần Thị Hoa"}, Submit: true, Answer: "đã sửa"}); err != nil {
		t.Fatal(err)
	}
	at(replica.PlaceLocal, record.StageSubmitted)
	view, _ = a.r.Get(ctx, id)
	if view.Review == nil || len(view.Review.Answers) != 1 || view.Review.Answers[0].Text != "đã sửa" {
		t.Errorf("the answer stands beside the question: got %+v", view.Review)
	}
	if _, err := a.r.Answer(ctx, id, "q0", "lạc"); !errors.Is(err, replica.ErrNoQuestion) {
		t.Errorf("got %v, want %v", err, replica.ErrNoQuestion)
	}
	last := a.r.Meta().Last
	if _, err := a.r.Answer(ctx, id, "q1", " đã sửa "); err != nil || a.r.Meta().Last != last {
		t.Errorf("the same answer twice: got %v and %d writes", err, a.r.Meta().Last-last)
	}
}

func TestWithdrawnStreamIsForgotten(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	b.put("", map[string]string{"name": "Của b", "secret": "kín"})
	b.mustSync()
	a.mustSync()
	id := a.put("", map[string]string{"name": "Chưa gửi"})
	basic := protocol.Stream{Unit: unit, Register: "people"}
	// Pending work goes first, then the copy.
	scopes := []protocol.Scope{{Stream: protocol.Stream{Unit: "26734", Register: "people"}}}
	if err := a.r.SetScopes(ctx, scopes); err != nil {
		t.Fatal(err)
	}
	if got, _ := a.r.IDs(ctx, "people"); len(got) != 2 {
		t.Fatalf("with work pending: got %d records, want 2", len(got))
	}
	a.sync()
	if got, _ := a.r.IDs(ctx, "people"); len(got) != 0 {
		t.Errorf("after the work was received: got %d records, want none", len(got))
	}
	if !w.server.Record(mustDot(t, id)).Field(conflict.Key(16)).Has(mustDot(t, id)) && w.server.Record(mustDot(t, id)).Len() == 0 {
		t.Error("the pending record did not arrive")
	}
	for _, s := range a.r.Local().Scopes {
		if s.Stream == basic {
			t.Error("the stream is still asked for")
		}
	}
	// The server may end a stream by itself, while the device is connected.
	l := b.line()
	l.run(1000)
	w.server.Announce(&protocol.Withdraw{Stream: protocol.Stream{Unit: unit, Register: "people", Class: protocol.Sensitive}, Code: protocol.Forbidden})
	l.run(1000)
	l.hangUp()
	for _, x := range w.server.IDs() {
		rec, err := b.r.Record(ctx, x.String())
		if err != nil || rec.Values["secret"] != "" {
			t.Errorf("got %+v, %v; want the record without its sensitive fields", rec.Values, err)
		}
	}
}

// What was saved is seen at every moment, however far the server is with it.
func TestOwnWritesAreSeenAtEveryStep(t *testing.T) {
	w := newWorld(t)
	w.server.PageRecords, w.server.BackedUp = 1, true
	a := w.device("a", "officer.a")
	var made []record.Changeset
	seen := func(when string) {
		t.Helper()
		for _, c := range made {
			for i, e := range c.Edits {
				head := a.record(e.Record.String()).Head
				dot := c.FirstDot(i)
				for _, write := range e.Writes {
					if !head.Field(write.Key).Vector().Covers(dot) {
						t.Fatalf("%s: write %v is not seen", when, dot)
					}
					dot.Counter++
				}
			}
		}
	}
	for round := range 4 {
		for i := range 3 {
			a.put("", map[string]string{"name": fmt.Sprint("N", round, i), "secret": "x"})
		}
		for _, e := range a.outbox() {
			made = append(made, e.Changeset)
		}
		l := a.line()
		for step := 0; step < 20+9*round; step++ { // is cut at another place each time
			if more, err := l.step(); err != nil {
				t.Fatal(err)
			} else if !more {
				break
			}
			seen(fmt.Sprintf("round %d, step %d", round, step))
		}
		l.hangUp()
		a.open()
		seen(fmt.Sprintf("round %d, opened again", round))
	}
	for range 2 {
		a.mustSync()
	}
	seen("at the end")
	if n := len(a.outbox()); n != 0 {
		t.Errorf("got %d changesets in the outbox, want none", n)
	}
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	status := func() replica.Status {
		t.Helper()
		s, err := a.r.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := status(); s.Synced || s.Unsent != 0 || s.ClockOffset != nil || s.Link != "offline" {
		t.Errorf("new: got %+v", s)
	}
	a.put("", map[string]string{"name": "Một"})
	a.put("", map[string]string{"name": "Hai"})
	if s := status(); s.Synced || s.Unsent != 2 || s.Oldest == 0 || s.Oldest > w.now {
		t.Errorf("with work: got %+v", s)
	}
	l := a.line()
	for step := 0; ; step++ {
		if s := status(); s.Synced && (s.Unsent > 0 || !s.Streams[0].Complete || s.Link != "online") {
			t.Fatalf("step %d: synced is told too early: %+v", step, s)
		}
		more, err := l.step()
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			break
		}
	}
	if s := status(); !s.Synced || s.Unsent != 0 || s.LastReceipt == 0 || s.ClockOffset == nil || len(s.Streams) != 1 || s.Streams[0].Have != 2 || s.Streams[0].Of != 2 {
		t.Errorf("at the end: got %+v", s)
	}
	if ok, err := a.r.NoteSynced(ctx); !ok || err != nil || a.r.Meta().SyncedLast != a.r.Meta().Last {
		t.Errorf("note: got %v, %v", ok, err)
	}
	a.put("", map[string]string{"name": "Ba"})
	if s := status(); s.Synced || s.Unsent != 1 {
		t.Errorf("one more: got %+v", s)
	}
	l.h.Refresh() // saved while connected: it goes at once
	l.run(1000)
	if s := status(); !s.Synced || s.Unsent != 0 {
		t.Errorf("after it went: got %+v", s)
	}
	l.hangUp()
	a.open()
	if s := status(); s.Synced {
		t.Errorf("without a session: got %+v", s)
	}
}

func mustDot(t *testing.T, text string) conflict.Dot {
	t.Helper()
	d, err := conflict.ParseDot(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestNewDefinitionArrives(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa"})
	f := a.form(id)
	a.mustSync()
	w.server.Definitions["people"] = people(2)
	a.mustSync()
	a.open()
	if got := a.r.Definitions()[0].Version; got != 2 {
		t.Fatalf("got version %d, want 2", got)
	}
	a.save(f.Key, map[string]string{"note": "dưới bản 1"}) // the form was made under version 1
	all := a.outbox()
	if got := all[len(all)-1].Changeset.Edits[0].Definition; got != 1 {
		t.Errorf("a form opened under version 1 saves under %d", got)
	}
	a.put(id, map[string]string{"more": "tìm được"})
	reply, err := a.r.List(ctx, replica.ListRequest{Register: "people", Search: "tim duoc"})
	if err != nil || reply.Total != 1 {
		t.Errorf("search in a field that is new: got %d, %v", reply.Total, err)
	} else if want := []register.Hit{{Field: "more", Text: "tìm được"}}; !slices.Equal(reply.Rows[0].Why, want) {
		t.Errorf("why it was found: got %+v, want %+v", reply.Rows[0].Why, want)
	}
}

func TestStoreBelongsToOneAccount(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	_, err := replica.Open(ctx, replica.Config{Store: a.store, Now: func() int64 { return 1 }, Rand: seeded(1), Account: replica.Account{Name: "officer.b"}})
	if err == nil {
		t.Error("another account opened the store")
	}
}

func TestHistoryOfWhatTheDeviceKnows(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa", "phone": "0903123456"})
	a.put(id, map[string]string{"name": "Huệ"})
	reply, err := a.r.History(ctx, id)
	if err != nil || reply.Complete {
		t.Fatalf("got %+v, %v", reply, err)
	}
	current := map[string]bool{}
	for _, s := range reply.Steps {
		if s.Field == "name" {
			current[s.Value] = s.Current
		}
		if s.Field == "phone" && s.Value != "" {
			t.Errorf("a masked number in the history: %+v", s)
		}
	}
	if !maps.Equal(current, map[string]bool{"Hoa": false, "Huệ": true}) {
		t.Errorf("got %v", current)
	}
}
