package town

import (
	"slices"
	"testing"

	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"

	"wardbook/conflict"
)

const (
	unitA = "26734"
	unitB = "26737"
	unitC = "26740"
)

func (d *Device) wantShown(id, field, want string) {
	d.Town.T.Helper()
	if got, ok := d.Shows(id, field); !ok || got != want {
		d.Town.T.Errorf("%s shows %s of %s: got %q, %v, want %q", d.Label, field, id, got, ok, want)
	}
}

func (d *Device) wantGone(ids ...string) {
	d.Town.T.Helper()
	for _, id := range ids {
		if v, ok := d.Shows(id, "name"); ok {
			d.Town.T.Errorf("%s still shows %s: %q", d.Label, id, v)
		}
	}
}

// A household is sent away offline while a colleague, offline too, edits it and
// a third has it on the screen.
func TestHouseholdMovesWithEditsPending(t *testing.T) {
	w := New(t, Cards(1))
	oa, oc := w.Officer("officer.a", unitA), w.Officer("officer.c", unitB)
	a, b, c := w.Device(oa, "a"), w.Device(oa, "b"), w.Device(oc, "c")
	father := a.Put("", "name", "Hòa", "house", "7", "head", "yes", "phone", "secret")
	mother := a.Put("", "name", "Mai", "house", "7")
	other := a.Put("", "name", "Lan", "house", "8")
	a.Sync()
	b.Sync()
	c.Sync()
	c.Online() // stays connected

	ids, err := a.R.Household(ctx, mother)
	w.Must(err)
	want := []string{mother, father}
	if !slices.Equal(ids, want) {
		t.Fatalf("household: got %v, want %v", ids, want)
	}
	a.Move(unitB, ids...)
	a.wantShown(father, "name", "Hòa") // still here, and on its way
	view, err := a.R.Get(ctx, father)
	w.Must(err)
	if view.Home == nil || view.Home.Unit != unitB || view.Home.Reason != "a scene" {
		t.Errorf("on its way: got %+v", view.Home)
	}
	b.Put(father, "note", "pending at b")
	made := b.Put("", "name", "Bé", "house", "7")

	a.Sync()
	a.wantGone(father, mother)
	a.wantShown(other, "name", "Lan")
	c.wantShown(father, "phone", "secret")
	c.wantShown(mother, "name", "Mai")

	b.Online()
	b.wantGone(father, mother)
	if b.Unsent() != 0 {
		t.Errorf("b has %d unsent", b.Unsent())
	}
	c.wantShown(father, "note", "pending at b")
	b.wantShown(made, "name", "Bé") // a member that nobody moved stays
	if q := w.Aside(); len(q) != 0 {
		t.Errorf("in quarantine: %+v", q)
	}
	if got := w.Records(); got[unitA] != 2 || got[unitB] != 2 {
		t.Errorf("got %v", got)
	}
	// The new unit goes on with it; nobody in the old one hears.
	c.Put(father, "note", "of the new ward")
	c.Sync()
	b.Offline()
	a.Sync()
	a.wantGone(father, mother)
	w.Conserve()
}

// The local copy goes only after what was pending in it is at the server.
func TestTheCopyGoesAfterThePendingEdit(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a, b := w.Device(oa, "a"), w.Device(oa, "b")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	b.Sync()
	a.Move(unitB, id)
	a.Sync()
	b.Online()
	b.Offline()
	b.wantGone(id)

	// The page that says it left comes between the save and its sending.
	w = New(t, Cards(1))
	oa = w.Officer("officer.a", unitA)
	a, b = w.Device(oa, "a"), w.Device(oa, "b")
	id = a.Put("", "name", "Hòa")
	a.Sync()
	b.Online()
	b.Quiet = true
	b.Put(id, "note", "pending")
	a.Move(unitB, id)
	a.Sync()
	b.wantShown(id, "note", "pending")
	if state, _ := w.State(id); state.Field(conflict.Key(17)).Len() != 0 {
		t.Fatal("the edit was sent before the page came")
	}
	b.Quiet = false
	w.Flow()
	b.wantGone(id)
	if got := b.Titles(); len(got) != 0 {
		t.Errorf("b lists %v", got)
	}
	state, unit := w.State(id)
	if unit != unitB || state.Field(conflict.Key(17)).Len() != 1 {
		t.Errorf("the pending edit: %v in %s", state.Field(conflict.Key(17)), unit)
	}
	w.Conserve()
}

// A record goes, comes back and goes again, with a device away all the time.
func TestThereAndBack(t *testing.T) {
	w := New(t, Cards(1))
	oa, oc := w.Officer("officer.a", unitA), w.Officer("officer.c", unitB)
	a, away, c := w.Device(oa, "a"), w.Device(oa, "away"), w.Device(oc, "c")
	id := a.Put("", "name", "Hòa", "phone", "1")
	a.Sync()
	away.Sync()
	away.Put(id, "note", "from away")
	for range 2 {
		a.Move(unitB, id)
		a.Sync()
		c.Sync()
		c.wantShown(id, "phone", "1")
		a.wantGone(id)
		c.Move(unitA, id)
		c.Sync()
		c.wantGone(id)
		a.Sync()
		a.wantShown(id, "phone", "1")
	}
	away.Sync()
	away.wantShown(id, "note", "from away")
	a.Sync()
	a.wantShown(id, "note", "from away")
	a.Move(unitB, id)
	a.Sync()
	away.Sync()
	away.wantGone(id)
	c.Sync()
	c.wantShown(id, "note", "from away")
	w.Conserve()
}

// Two officers send one record to two units: it is in one of them, whole, and a
// person there decides.
func TestTwoUnitsForOneRecord(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a, b := w.Device(oa, "a"), w.Device(oa, "b")
	id := a.Put("", "name", "Hòa")
	a.Sync()
	b.Sync()
	a.Move(unitB, id)
	b.Move(unitC, id)
	a.Sync()
	b.Sync()
	a.wantGone(id)
	b.wantGone(id)
	state, unit := w.State(id)
	if _, ok := record.HomeOf(state); unit != unitB || ok {
		t.Errorf("it is in %s, agreed %v", unit, ok)
	}
	if got := w.DB.Arrivals(); len(got) != 1 || got[0].Unit != unitB {
		t.Errorf("arrivals: got %+v", got)
	}
	c := w.Device(w.Officer("officer.c", unitB), "c")
	c.Sync()
	view, err := c.R.Get(ctx, id)
	w.Must(err)
	if view.Home == nil || !view.Home.Disputed {
		t.Errorf("got %+v", view.Home)
	}
	c.Move(unitC, id) // decides
	c.Sync()
	if _, unit := w.State(id); unit != unitC {
		t.Errorf("it is in %s", unit)
	}
	w.Conserve()
}

// A device that holds both units hears of a move in either order.
func TestBothUnitsOnOneDevice(t *testing.T) {
	for _, first := range []string{unitA, unitB} {
		w := New(t, Cards(1))
		oa := w.Officer("officer.a", unitA)
		a := w.Device(oa, "a")
		both := w.Device(oa, "both")
		scopes := []protocol.Scope{{Stream: protocol.Stream{Unit: unitA, Register: "cards"}}, {Stream: protocol.Stream{Unit: unitB, Register: "cards"}}}
		for i := range scopes {
			if scopes[i].Unit != first {
				scopes[i].Priority = 1
			}
		}
		w.Ledger = ledgerForAll(w)
		w.Must(both.R.SetScopes(ctx, scopes))
		id := a.Put("", "name", "Hòa")
		stay := a.Put("", "name", "Mai")
		a.Sync()
		both.Sync()
		a.Move(unitB, id)
		a.Sync()
		both.Sync()
		both.wantShown(id, "name", "Hòa")
		both.wantShown(stay, "name", "Mai")
		s, err := both.R.Status(ctx)
		w.Must(err)
		for _, st := range s.Streams {
			if st.Have != 1 || !st.Complete {
				t.Errorf("%s first: %s has %d of %d", first, st.Unit, st.Have, st.Of)
			}
		}
	}
}

func ledgerForAll(w *Town) *ledger.Ledger {
	return ledger.New(ledger.Config{Now: func() int64 { w.Now++; return w.Now }, Registers: []string{"cards"}, Definition: w.definition,
		Allow: func(ledger.Author, string, protocol.Class) bool { return true }})
}
