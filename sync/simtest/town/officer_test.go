package town

import (
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

// An officer is moved while a device of theirs is out: what it had written
// before it heard counts, and the old ward's records leave it after that.
func TestOfficerMovedWithUnsentWork(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitA)
	a, b := w.Device(oa, "a"), w.Device(ob, "b")
	id := b.Put("", "name", "Hòa")
	b.Sync()
	a.Sync()
	a.Put(id, "note", "before the move", "phone", "12")
	made := a.Put("", "name", "Mai")

	w.Post(oa, unitB)
	a.Sign() // the app learns of it before it has sent anything
	a.wantShown(id, "note", "before the move")
	a.Online()
	if q := w.Aside(); len(q) != 0 {
		t.Fatalf("in quarantine: %+v", q)
	}
	if a.Unsent() != 0 {
		t.Fatalf("%d unsent", a.Unsent())
	}
	a.wantGone(id, made)
	if _, unit := w.State(made); unit != unitA {
		t.Errorf("what was made for the old ward is in %q", unit)
	}
	b.Sync()
	b.wantShown(id, "note", "before the move")
	b.wantShown(made, "name", "Mai")
	fresh := a.Put("", "name", "Lan")
	a.Sync()
	if _, unit := w.State(fresh); unit != unitB {
		t.Errorf("the new record is in %q", unit)
	}
	w.Conserve()
}

// A device that hears of the move over the wire, with a form open: what it saves
// for the old ward after that waits for the old ward's supervisor.
func TestOfficerWritesForTheOldWardAfterHearing(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitA)
	a, b := w.Device(oa, "a"), w.Device(ob, "b")
	id := b.Put("", "name", "Hòa")
	b.Sync()
	a.Online()
	a.Put(id, "note", "before")
	w.Post(oa, unitB) // ends the session; it comes back at once
	w.Flow()
	if q := w.Aside(); len(q) != 0 {
		t.Fatalf("what was saved before: %+v", q)
	}
	a.Put(id, "note", "after")
	w.Flow()
	q := w.Aside()
	if len(q) != 1 || q[0].Code != protocol.Forbidden || q[0].Detail != "unit" || q[0].Unit != unitA || q[0].Author != "officer.a" {
		t.Fatalf("got %+v, want it with the old ward's supervisor", q)
	}
	a.Sign()
	a.Offline()
	a.Sync()
	v, err := a.R.Get(ctx, id)
	w.Must(err)
	if len(v.Quarantine) != 1 || v.Quarantine[0].Code != "forbidden" {
		t.Errorf("its author sees %+v", v.Quarantine)
	}
	for _, f := range v.Fields {
		if f.Name == "name" && f.Value != "" {
			t.Errorf("the old ward's %s is still there: %q", f.Name, f.Value)
		}
	}
	state, _ := w.State(id)
	if f := state.Field(conflict.Key(17)); f.Len() != 1 || f.At(0).Value != "before" {
		t.Errorf("got %v", f)
	}
	w.Conserve()
}

// The lease bounds how long old rights count.
func TestOfficerComesBackAfterTheLease(t *testing.T) {
	for _, c := range []struct {
		late int64
		held int
	}{{ledger.Lease - 60_000, 0}, {ledger.Lease + 60_000, 2}} {
		w := New(t, Cards(1))
		oa := w.Officer("officer.a", unitA)
		a := w.Device(oa, "a")
		id := a.Put("", "name", "Hòa")
		a.Sync()
		a.Put(id, "note", "out in the field")
		a.Put("", "name", "Mai")
		w.Post(oa, unitB)
		w.Now += c.late
		a.Online()
		q := w.Aside()
		if len(q) != c.held || a.Unsent() != 0 {
			t.Errorf("%d ms after the move: got %+v, %d unsent", c.late, q, a.Unsent())
		}
		for _, e := range q {
			if e.Unit != unitA || e.Code != protocol.Forbidden {
				t.Errorf("got %+v", e)
			}
		}
		w.Conserve()
	}
}

// A device that was never connected before its officer was moved.
func TestOfficerMovedBeforeTheFirstConnection(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a := w.Device(oa, "a")
	id := a.Put("", "name", "Hòa", "phone", "1")
	w.Post(oa, unitB)
	a.Sync()
	if _, unit := w.State(id); unit != unitA || len(w.Aside()) != 0 {
		t.Errorf("it is in %q, aside %+v", unit, w.Aside())
	}
}

// A revoked device hands in what it has and gets nothing.
func TestRevokedWithUnsentWork(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitA)
	a, b := w.Device(oa, "a"), w.Device(ob, "b")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	a.Put(id, "note", "unsent")
	made := a.Put("", "name", "Mai")
	a.Put(made, "note", "unsent, too")
	w.Revoke(oa)
	b.Sync()
	b.Put(id, "note", "of a colleague")
	b.Sync()
	a.Sync()
	q := w.Aside()
	if len(q) != 3 || a.Unsent() != 0 {
		t.Fatalf("got %+v, %d unsent", q, a.Unsent())
	}
	for _, e := range q {
		if e.Code != protocol.Revoked || e.Unit != unitA {
			t.Errorf("got %+v", e)
		}
	}
	if got, _ := a.Shows(id, "note"); got == "of a colleague" {
		t.Error("a revoked device was given a colleague's edit")
	}
	state, _ := w.State(id)
	if f := state.Field(conflict.Key(17)); f.Len() != 1 || f.At(0).Value != "of a colleague" {
		t.Errorf("got %v", f)
	}
	if state, _ := w.State(made); state.Len() != 0 {
		t.Errorf("a record of a revoked device: got %v", state)
	}
	w.Conserve()
}
