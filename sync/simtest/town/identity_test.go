package town

import (
	"testing"

	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/server/ledger"
)

// lose takes a device's store away; its officer signs in on it again.
func (d *Device) lose() {
	d.Store = store.NewMemory()
	d.Open()
	d.Sign()
}

// copyOf is a second device of the same profile, with a copy of its store.
func (d *Device) copyOf() *Device {
	c := &Device{Town: d.Town, Account: d.Account, Label: d.Label, Store: d.Store.Clone()}
	d.Town.devices = append(d.Town.devices, c)
	c.Open()
	return c
}

func (w *Town) vanished() (n int) {
	for _, r := range w.DB.Replicas() {
		if r.VanishedAt != 0 {
			n++
		}
	}
	return n
}

func (w *Town) retire() (list []ledger.Retirement) {
	w.T.Helper()
	w.Must(w.DB.Update(func(t ledger.Tables) (err error) { list, err = w.Ledger.Retire(t, 100); return err }))
	return list
}

// A device comes back with an empty store: the server knows which store is gone
// and how far it had it, the device begins from nothing, and no id is used twice.
func TestVanishedStore(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a, b := w.Device(oa, "a"), w.Device(oa, "b")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	b.Sync()
	if n := w.vanished(); n != 0 {
		t.Fatalf("two devices: %d stores are called vanished", n)
	}
	a.Put(id, "note", "never sent")
	gone := a.R.Meta().Replica
	a.lose()
	a.Sync()
	for _, r := range w.DB.Replicas() {
		if (r.VanishedAt != 0) != (r.ID == gone) {
			t.Errorf("replica %v (gone: %v): vanished at %d", r.ID, r.ID == gone, r.VanishedAt)
		}
	}
	a.wantShown(id, "name", "Hòa")
	a.Put(id, "note", "again")
	a.Sync()
	b.Sync()
	b.wantShown(id, "note", "again")
	w.Conserve()
}

// A copied store is no vanished one: the copy that has to take another id comes
// back under it.
func TestACopyHasNotVanished(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a := w.Device(oa, "a")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	c := a.copyOf()
	a.Put(id, "note", "of the one")
	c.Put(id, "note", "of the other")
	for range 2 {
		a.Sync()
		c.Sync()
	}
	if n := w.vanished(); n != 0 {
		t.Errorf("%d stores are called vanished", n)
	}
	state, _ := w.State(id)
	if f := state.Field(conflict.Key(17)); f.Len() != 2 {
		t.Errorf("both values stand: got %v", f)
	}
	// And when the profile is lost for good, both are.
	a.lose()
	a.Sync()
	if n := w.vanished(); n != 2 {
		t.Errorf("%d stores are called vanished, want 2", n)
	}
	c.Sync() // it was there after all
	if n := w.vanished(); n != 1 {
		t.Errorf("%d stores are called vanished, want 1", n)
	}
	w.Conserve()
}

// A replica is retired after a year and more of silence, or a month after its
// store vanished. What comes under its id all the same takes another one; nothing
// is lost, nothing that was deleted comes back, nothing counts twice.
func TestRetiredReplicaComesBack(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitA)
	away, b := w.Device(oa, "away"), w.Device(ob, "b")
	id, dead := away.Put("", "name", "Hòa"), away.Put("", "name", "Mai")
	edited := away.Put("", "name", "Lan")
	away.Sync()
	b.Sync()
	away.Put(id, "note", "unsent for a year")
	away.Put(edited, "note", "an edit of what was deleted meanwhile")
	made := away.Put("", "name", "made and unsent")
	before := away.R.Meta().Replica
	for _, r := range []string{dead, edited} {
		if _, err := b.R.Delete(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	b.Sync()
	const day = 24 * 60 * 60 * 1000
	w.Now += 399 * day
	b.Sync()
	if got := w.retire(); len(got) != 0 {
		t.Fatalf("after 399 days: got %+v", got)
	}
	w.Now += 2 * day
	b.Sync()
	got := w.retire()
	if len(got) != 1 || got[0].Replica != before || got[0].Number != 1 || got[0].Why != ledger.WhySilent || got[0].Last == 0 {
		t.Fatalf("after 401 days: got %+v", got)
	}
	if again := w.retire(); len(again) != 0 {
		t.Errorf("retired twice: %+v", again)
	}
	away.Sync()
	away.Sync()
	if away.R.Meta().Replica == before {
		t.Error("it goes on under the retired id")
	}
	for _, r := range w.DB.Replicas() {
		if r.ID == before && r.Acked != got[0].Last {
			t.Errorf("the retired replica went on from %d to %d", got[0].Last, r.Acked)
		}
	}
	b.Sync()
	b.wantShown(id, "note", "unsent for a year")
	if titles := b.Titles(); len(titles) != 3 { // one is deleted, one edited and deleted
		t.Errorf("b lists %v, %v", titles, made)
	}
	if state, _ := w.State(dead); state.Life() != conflict.Deleted {
		t.Errorf("a deleted record came back: %v", state.Life())
	}
	if state, _ := w.State(edited); state.Life() != conflict.EditedAndDeleted {
		t.Errorf("edited while it was deleted: %v", state.Life())
	}
	if w.vanished() != 0 || len(w.Aside()) != 0 {
		t.Errorf("%d vanished, aside %+v", w.vanished(), w.Aside())
	}
	if n := total(w.Records()); n != 4 {
		t.Errorf("got %d records", n)
	}

	b.Put(id, "note", "unsent at b")
	b.lose()
	b.Sync()
	w.Now += 31 * day
	b.Sync()
	if got := w.retire(); len(got) != 1 || got[0].Why != ledger.WhyVanished || got[0].Number != 2 {
		t.Errorf("a month after a store vanished: got %+v", got)
	}
	w.Conserve()
}
