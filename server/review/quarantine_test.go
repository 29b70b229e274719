package review

import (
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// cut lets a device push while its account may not write in the ward, so that
// what it has is kept aside.
func (d *device) cut() []*protocol.Refusal {
	d.w.t.Helper()
	var out ledger.Outcome
	d.w.update(func(tx *sqliteTx) (err error) {
		out, err = d.w.ledger.Commit(ledgerOf(tx), ledger.Author{Account: d.who.name, Unit: ward, Sensitive: true, Revoked: true}, d.id, d.pending)
		return err
	})
	d.pending = nil
	return out.Refusals
}

func (w *world) aside(s who) []Aside {
	w.t.Helper()
	out, err := w.desk.Quarantine(s.ctx, QuarantineRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Items
}

func TestRelease(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	w.mustApprove(s, id)
	a.pull(id)
	b.pull(id)
	a.save(id, form{values: values("note=one")}) // sees zero
	a.save(id, form{values: values("note=two")}) // sees one
	made := a.save(conflict.RecordID{}, form{values: values("name=Mai")})
	a.save(made, form{values: values("note=of Mai")})
	if got := len(a.cut()); got != 4 {
		t.Fatalf("got %d refusals", got)
	}
	b.save(id, form{values: values("age=7")})
	b.sync(id)
	items := w.aside(s)
	if len(items) != 4 || items[0].Code != "revoked" || items[0].Author != "officer.a" || items[0].Record != id.String() || !slices.Equal(items[0].Fields, []string{"note"}) {
		t.Fatalf("got %+v", items)
	}
	for i, want := range []string{"Lan", "Lan", "", ""} { // nobody has the second record yet
		if items[i].Title != want {
			t.Errorf("entry %d: titled %q, want %q", i, items[i].Title, want)
		}
	}
	for i, want := range []bool{true, false, true, false} {
		if items[i].Releasable != want {
			t.Errorf("entry %d: releasable %v, want %v", i, items[i].Releasable, want)
		}
	}
	release := func(i int) error {
		_, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: items[i].ID, Reason: "asked by phone"})
		return err
	}
	_, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: items[0].ID, Reason: " "})
	wantCode(t, err, "reason_required")
	wantCode(t, release(1), "dependent")
	wantCode(t, release(3), "dependent")
	for _, i := range []int{0, 1, 2, 3} {
		wantCode(t, release(i), "")
		wantCode(t, release(i), "settled")
	}
	if len(w.aside(s)) != 0 {
		t.Error("settled entries are still listed")
	}
	// The second saw the first, so it replaced it; both are submitted by their
	// author, and the other officer's field is untouched.
	r := w.look(s, id)
	n := fieldOf(t, r, "note")
	if n.Conflict || n.Merged.Value != "two" || n.Merged.By != "officer.a" || !n.Submitted || !slices.Equal(n.Authors, []string{"officer.a"}) {
		t.Errorf("got %+v, merged %+v", n, n.Merged)
	}
	if fieldOf(t, r, "age").Merged.Value != "7" {
		t.Error("the other officer's field is lost")
	}
	if m := w.look(s, made); m.Stage != "submitted" || fieldOf(t, m, "note").Merged.Value != "of Mai" || m.Title != "Mai" {
		t.Errorf("the released record: got %+v", m)
	}
	w.mustApprove(s, id)
	w.mustApprove(s, made)
	// The device is told, at once and at its next hello.
	if len(w.settled) != 4 || w.settled[0].Code != protocol.OK || w.told[0] != a.id {
		t.Errorf("told %+v", w.settled)
	}
	w.view(func(tx *sqliteTx) error {
		rep, _, err := ledgerOf(tx).Replica(a.id)
		if err != nil || !rep.Trouble {
			t.Errorf("got %+v, %v", rep, err)
		}
		return err
	})
	for _, action := range []string{"quarantine.list", "quarantine.release"} {
		if !slices.Contains(w.actions(), action) {
			t.Errorf("the log has no %s", action)
		}
	}
}

// What was written meanwhile stands beside a released value, for its author had
// not seen it.
func TestAReleaseMergesAsItsAuthorMeant(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	a.save(id, form{values: values("note=one")})
	a.cut()
	b.saved(id, values("note=two"))
	item := w.aside(s)[0]
	if _, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: item.ID, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if f := fieldOf(t, w.look(s, id), "note"); !f.Conflict || len(f.Siblings) != 2 {
		t.Errorf("got %+v", f)
	}
}

// A context that claims more than was ever made does not swallow anybody's work.
func TestAReleaseBelievesNoFalseContext(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	a.save(id, form{values: values("note=one")})
	note := conflict.Key(19)
	for i, wr := range a.pending[0].Edits[0].Writes {
		if wr.Key == note {
			a.pending[0].Edits[0].Writes[i].Context = conflict.NewVector(conflict.Dot{Replica: b.id, Counter: 1000})
		}
	}
	if r := a.push(); len(r) != 1 || r[0].Code != protocol.ContextAhead {
		t.Fatalf("got %v", r)
	}
	b.saved(id, values("note=two"))
	item := w.aside(s)[0]
	if _, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: item.ID, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := w.state(id).Field(note).Vector().Counter(b.id); got > b.counter {
		t.Errorf("the field claims to have seen counter %d of %d", got, b.counter)
	}
	b.saved(id, values("note=three")) // a later write of b must still count
	found := false
	for _, sib := range w.state(id).Field(note).Siblings() {
		found = found || sib.Value == "three"
	}
	if !found {
		t.Error("a later write was swallowed by a released context")
	}
}

func TestReject(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	a.save(id, form{values: values("note=one")})
	a.cut()
	item := w.aside(s)[0]
	if _, err := w.desk.Reject(s.ctx, SettleAsideRequest{ID: item.ID, Reason: "a mistake"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: item.ID, Reason: "after all"})
	wantCode(t, err, "settled")
	if f := fieldOf(t, w.look(s, id), "note"); f.Merged.Value != "zero" {
		t.Errorf("got %+v", f.Merged)
	}
	h, err := w.desk.History(a.who.ctx, HistoryRequest{ID: id.String()})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(h.Steps, func(st Step) bool { return st.Value == "one" && st.State == "refused" }) {
		t.Errorf("the rejected value is not in the history: %+v", h.Steps)
	}
}

func TestNotReleasable(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	other := w.account("supervisor.c", store.RoleSupervisor, otherWard, true)
	plain := w.account("plain", store.RoleSupervisor, ward, false)
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	a.save(id, form{values: values("note=one")})
	a.cut()
	first := w.aside(s)[0]
	for name, c := range map[string]struct {
		who  who
		id   string
		want string
	}{
		"another unit's supervisor": {other, first.ID, "not_found"},
		"an officer":                {a.who, first.ID, "forbidden"},
		"no such entry":             {s, id.String(), "not_found"},
		"garbage":                   {s, "x", "not_found"},
	} {
		_, err := w.desk.Release(c.who.ctx, SettleAsideRequest{ID: c.id, Reason: "x"})
		if got := code(err); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		_, err = w.desk.Reject(c.who.ctx, SettleAsideRequest{ID: c.id, Reason: "x"})
		if got := code(err); got != c.want {
			t.Errorf("%s, reject: got %q, want %q", name, got, c.want)
		}
	}
	// A record that nobody made, bytes that nobody can read, a field of a class
	// that the releasing supervisor may not write, the supervisor's own.
	a.save(conflict.Dot{Replica: a.id, Counter: 1 << 40}, form{values: values("note=x"), draft: true})
	a.pending[0].Edits[0].Record = conflict.Dot{Replica: conflict.ReplicaID{9}, Counter: 5}
	a.push()
	a.save(id, form{values: values("illness=flu"), draft: true})
	a.cut()
	own := w.deviceOf(s, ward)
	own.pull(id)
	own.save(id, form{values: values("note=mine")})
	own.cut()
	w.update(func(tx *sqliteTx) error {
		_, err := w.ledger.CommitMalformed(ledgerOf(tx), ledger.Author{Account: "officer.a", Unit: ward}, a.id, a.counter+1, 1, []byte("noise"))
		return err
	})
	for _, it := range w.aside(s) {
		want, by := "", s
		switch {
		case it.ID == first.ID:
			continue
		case it.Code == "unknown_record", it.Code == "malformed":
			want = "not_releasable"
		case it.Author == "supervisor":
			want = "own_work"
		case slices.Contains(it.Fields, "illness"):
			want, by = "forbidden", plain
		}
		_, err := w.desk.Release(by.ctx, SettleAsideRequest{ID: it.ID, Reason: "x"})
		if got := code(err); got != want {
			t.Errorf("%s of %s (%v): got %q, want %q", it.Code, it.Author, it.Fields, got, want)
		}
	}
	if len(w.aside(s)) != 5 {
		t.Errorf("got %d entries", len(w.aside(s)))
	}
}

// A submission in a released changeset hands in the released writes, not the
// quarantined ones that it names.
func TestSubmitTranslates(t *testing.T) {
	r := conflict.ReplicaID{1}
	to := conflict.Dot{Replica: conflict.ReplicaID{2}, Counter: 50}
	writes := []record.Write{
		{Key: conflict.Key(conflict.FieldSubmission), Value: record.Submission{Covers: conflict.NewVector(conflict.Dot{Replica: r, Counter: 11})}.Value()},
		{Key: conflict.Key(16), Value: "x"}, {Key: conflict.Key(17), Value: "y"},
	}
	c := record.Changeset{Dot: conflict.Dot{Replica: r, Counter: 10}, Edits: []record.Edit{{Record: conflict.Dot{Replica: r, Counter: 1}, Writes: writes}}}
	edits := []record.Edit{{Record: c.Edits[0].Record, Writes: slices.Clone(writes)}}
	submit(c, edits, to)
	got, err := record.ParseSubmission(edits[0].Writes[0].Value)
	if err != nil || !got.Covers.Covers(conflict.Dot{Replica: to.Replica, Counter: 51}) || got.Covers.Covers(conflict.Dot{Replica: to.Replica, Counter: 52}) {
		t.Errorf("got %v, %v", got.Covers, err)
	}
	if strings.Contains(string(writes[0].Value), to.Replica.String()) {
		t.Error("the stored changeset was changed")
	}
}
