package town

import (
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// later is a version of the register: from 2 on it has the field "more", from 3
// on it asks for no "note", and from 4 on "note" is not even known.
func later(version uint32) *register.Definition {
	d := *Cards(version)
	d.Fields = slices.Clone(d.Fields)
	i := slices.IndexFunc(d.Fields, func(f register.Field) bool { return f.Name == "note" })
	switch {
	case version >= 4:
		d.Fields = slices.Delete(d.Fields, i, i+1)
	case version >= 3:
		d.Fields[i].Retired = true
	}
	def, err := register.New(d)
	if err != nil {
		panic(err)
	}
	return def
}

// wantSame checks that a device holds of each record what the server holds, field
// by field and byte by byte, those included that its definition does not know.
func (d *Device) wantSame(ids ...string) {
	d.Town.T.Helper()
	for _, id := range ids {
		want, _ := d.Town.State(id)
		got, err := d.R.Record(ctx, id)
		d.Town.Must(err)
		a, b := record.AppendState(nil, got.Head, got.ID, make([]uint64, got.Head.Len())), record.AppendState(nil, want, got.ID, make([]uint64, want.Len()))
		if string(a) != string(b) {
			d.Town.T.Errorf("%s holds %v of %s, want %v", d.Label, got.Head, id, want)
		}
	}
}

// A device is out while the definition goes on by one, two and three versions,
// and writes under the one that it has.
func TestDeviceBehindByVersions(t *testing.T) {
	for version := uint32(2); version <= 4; version++ {
		w := New(t, later(1))
		oa := w.Officer("officer.a", unitA)
		old, fresh := w.Device(oa, "old"), w.Device(oa, "fresh")
		id := old.Put("", "name", "Hòa", "note", "zero")
		old.Sync()
		fresh.Sync()
		old.Put(id, "note", "under version 1")
		made := old.Put("", "name", "Mai", "note", "made under version 1")
		form, err := old.R.OpenForm(ctx, id, "cards")
		w.Must(err)

		w.Equip(later(version))
		fresh.Sign()
		fresh.Put(id, "more", "a field that the old device does not know")
		fresh.Sync()
		old.Sync()
		if q := w.Aside(); len(q) != 0 {
			t.Fatalf("version %d: in quarantine: %+v", version, q)
		}
		// The form that was open all the time is saved under the version that it
		// was opened with.
		reply, err := old.R.Save(ctx, replica.SaveRequest{Key: form.Key, Values: map[string]string{"note": "typed in the old form", "name": "Hoà"}})
		w.Must(err)
		if reply.ID != id {
			t.Fatalf("saved as %s", reply.ID)
		}
		old.Sync()
		fresh.Sync()
		for _, d := range []*Device{old, fresh} {
			d.wantSame(id, made)
		}
		if q := w.Aside(); len(q) != 0 {
			t.Errorf("version %d: in quarantine: %+v", version, q)
		}
		state, _ := w.State(id)
		for k, want := range map[conflict.FieldID]string{16: "Hoà", 21: "a field that the old device does not know"} {
			if f := state.Field(conflict.Key(k)); f.Len() != 1 || string(f.At(0).Value) != want {
				t.Errorf("version %d: field %d is %v, want %q", version, k, f, want)
			}
		}
		f := state.Field(conflict.Key(17))
		found := false
		for i := range f.Len() {
			found = found || f.At(i).Value == "typed in the old form" && f.At(i).Origin.Definition == 1
		}
		if !found {
			t.Errorf("version %d: what was typed in the old form is not in %v", version, f)
		}
		w.Conserve()
	}
}

// A device whose definition is newer than the server's: a server that went back
// a version relays what it does not know.
func TestServerBehindByAVersion(t *testing.T) {
	w := New(t, later(2))
	oa := w.Officer("officer.a", unitA)
	a, b := w.Device(oa, "a"), w.Device(oa, "b")
	w.Equip(later(1))
	id := a.Put("", "name", "Hòa", "more", "unknown to the server")
	a.Sync()
	b.Sync()
	if q := w.Aside(); len(q) != 0 {
		t.Fatalf("in quarantine: %+v", q)
	}
	for _, d := range []*Device{a, b} {
		d.wantSame(id)
		d.wantShown(id, "more", "unknown to the server")
	}
	w.Equip(later(2))
	b.Put(id, "more", "known again")
	b.Sync()
	a.Sync()
	a.wantShown(id, "more", "known again")
	w.Conserve()
}

// A register is withdrawn while a device is out: what it had waits, its author
// sees it, and it stays readable on the device.
func TestRegisterWithdrawnWithUnsentWork(t *testing.T) {
	other := later(1)
	moved := *other
	moved.ID, moved.Version = "others", 1
	def, err := register.New(moved)
	if err != nil {
		t.Fatal(err)
	}
	w := New(t, other, def)
	oa := w.Officer("officer.a", unitA)
	a := w.Device(oa, "a")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	a.Put(id, "note", "unsent")
	form, err := a.R.OpenForm(ctx, id, "cards")
	w.Must(err)
	w.Equip(def)
	a.Sync()
	q := w.Aside()
	if len(q) != 1 || q[0].Code != protocol.UnknownRegister || a.Unsent() != 0 {
		t.Fatalf("got %+v, %d unsent", q, a.Unsent())
	}
	v, err := a.R.Get(ctx, id)
	w.Must(err)
	if len(v.Quarantine) != 1 || len(v.Quarantine[0].Fields) != 1 || v.Quarantine[0].Fields[0].Display != "unsent" {
		t.Errorf("its author sees %+v", v.Quarantine)
	}
	// The draft is readable, and goes the same way.
	drafts, err := a.R.Drafts(ctx)
	w.Must(err)
	if !slices.ContainsFunc(drafts, func(f replica.Form) bool { return f.Key == form.Key }) {
		t.Errorf("the draft is not listed: %+v", drafts)
	}
	if _, err := a.R.Save(ctx, replica.SaveRequest{Key: form.Key, Values: map[string]string{"name": "typed in the draft"}}); err != nil {
		t.Fatal(err)
	}
	a.Sync()
	if q := w.Aside(); len(q) != 2 || a.Unsent() != 0 {
		t.Errorf("got %+v, %d unsent", q, a.Unsent())
	}
	w.Conserve()
}
