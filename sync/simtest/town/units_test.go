package town

import (
	"fmt"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
)

const (
	list0 = "2025-07-01"
	list1 = "2027-01-01"
	list2 = "2028-01-01"
)

func (w *Town) wantIn(id, unit string) {
	w.T.Helper()
	if _, got := w.State(id); got != unit {
		w.T.Errorf("%s is in %q, want %q", id, got, unit)
	}
}

func (w *Town) wantNothingAside() {
	w.T.Helper()
	if q := w.Aside(); len(q) != 0 {
		w.T.Errorf("in quarantine: %+v", q)
	}
}

func total(n map[string]int) (sum int) {
	for _, k := range n {
		sum += k
	}
	return sum
}

// Two units are merged into one with a new code while devices of both are out.
func TestMergeWithDevicesOut(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitB)
	a, b := w.Device(oa, "a"), w.Device(ob, "b")
	ra := a.Put("", "name", "Hòa", "phone", "1")
	rb := b.Put("", "name", "Mai")
	a.Sync()
	b.Sync()
	a.Put(ra, "note", "out")
	na := a.Put("", "name", "made out")
	a.Put(na, "note", "and edited")

	before := total(w.Records())
	done := w.Change(list1, list0, map[string][]string{unitA: {"30001"}, unitB: {"30001"}})
	if done.Moved != 2 || done.Waiting != 0 || total(w.Records()) != before || w.Records()["30001"] != 2 {
		t.Errorf("got %+v, %v", done, w.Records())
	}
	if got := w.DB.Arrivals(); len(got) != 0 {
		t.Errorf("a change of lists asks nobody to accept: got %+v", got)
	}
	a.Online()
	w.wantNothingAside()
	w.wantIn(ra, "30001")
	w.wantIn(na, "30001")
	a.Sign()
	a.Offline()
	a.Sync()
	b.Sign()
	b.Sync()
	for _, d := range []*Device{a, b} {
		d.wantShown(ra, "note", "out")
		d.wantShown(ra, "phone", "1")
		d.wantShown(rb, "name", "Mai")
		d.wantShown(na, "note", "and edited")
		if got := d.Titles(); len(got) != 3 {
			t.Errorf("%s lists %v", d.Label, got)
		}
	}
	w.Conserve()
}

// A unit is split: its records wait, visible to both successors, until somebody
// says where each belongs; nothing is guessed for what comes late either.
func TestSplitWithDevicesOut(t *testing.T) {
	for _, keep := range []bool{false, true} { // the old code goes on as one of the parts
		t.Run(fmt.Sprint("code kept ", keep), func(t *testing.T) {
			w := New(t, Cards(1))
			one, two := "30001", "30002"
			if keep {
				one = unitA
			}
			waiting := ledger.Waiting(unitA, list0)
			oa := w.Officer("officer.a", unitA)
			a, out := w.Device(oa, "a"), w.Device(oa, "out")
			r1, r2, r3 := a.Put("", "name", "Hòa"), a.Put("", "name", "Mai"), a.Put("", "name", "Lan")
			a.Sync()
			out.Sync()
			out.Put(r1, "note", "out")
			late := out.Put("", "name", "made out")

			before := total(w.Records())
			done := w.Change(list1, list0, map[string][]string{unitA: {one, two}})
			if done.Waiting != 3 || total(w.Records()) != before || w.Records()[waiting] != 3 {
				t.Fatalf("got %+v, %v", done, w.Records())
			}
			// The officer goes to the first part, another works in the second.
			if !keep {
				w.Post(oa, one)
			}
			ob := w.Officer("officer.b", two)
			b := w.Device(ob, "b")
			a.Sign()
			a.Sync()
			b.Sync()
			a.wantShown(r1, "name", "Hòa")
			b.wantShown(r1, "name", "Hòa")
			out.Online()
			w.wantNothingAside()
			w.wantIn(late, waiting)
			a.Sync()
			a.wantShown(r1, "note", "out")
			a.wantShown(late, "name", "made out")

			a.Move(one, r1, late)
			a.Sync()
			b.Sync()
			b.Move(two, r2)
			b.Sync()
			a.Sync()
			w.wantIn(r1, one)
			w.wantIn(late, one)
			w.wantIn(r2, two)
			w.wantIn(r3, waiting)
			a.wantShown(r1, "note", "out")
			a.wantGone(r2)
			b.wantGone(r1, late)
			b.wantShown(r2, "name", "Mai")
			a.wantShown(r3, "name", "Lan")
			b.wantShown(r3, "name", "Lan")

			// So does a device that begins after it and has not been connected yet.
			young := w.Device(oa, "young")
			first := young.Put("", "name", "made before its first connection")
			young.Sync()
			w.wantIn(first, one)

			// Who knows of the split means the new unit by a code that goes on.
			fresh := a.Put("", "name", "new in the first part")
			a.Sync()
			w.wantIn(fresh, one)
			out.Sign()
			out.Offline()
			out.Sync()
			out.wantShown(fresh, "name", "new in the first part")
			out.wantGone(r2)
			if total(w.Records()) != 6 {
				t.Errorf("got %v", w.Records())
			}
			w.wantNothingAside()
			w.Conserve()
		})
	}
}

// A code is freed by one list and another unit's by the same: what an old device
// says of it is not the new unit's.
func TestACodeComesAgain(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitB)
	a, b := w.Device(oa, "a"), w.Device(ob, "b")
	ra, rb := a.Put("", "name", "of A"), b.Put("", "name", "of B")
	a.Sync()
	b.Sync()
	a.Put(ra, "note", "out")
	na := a.Put("", "name", "made in A, out")
	nb := b.Put("", "name", "made in B, out")
	// A becomes 30001; B takes over the code of A.
	w.Change(list1, list0, map[string][]string{unitA: {"30001"}, unitB: {unitA}})
	w.wantIn(ra, "30001")
	w.wantIn(rb, unitA)
	a.Online()
	b.Online()
	w.wantNothingAside()
	w.wantIn(na, "30001")
	w.wantIn(nb, unitA)
	for _, d := range []*Device{a, b} {
		d.Sign()
		d.Offline()
		d.Sync()
	}
	a.wantShown(ra, "note", "out")
	a.wantGone(rb, nb)
	b.wantGone(ra, na)
	b.wantShown(rb, "name", "of B")
	nc := b.Put("", "name", "made in the new A")
	b.Sync()
	w.wantIn(nc, unitA)
	w.Conserve()
}

// A device is out over two changes, and a move names a unit that is no more.
func TestOutOverTwoChanges(t *testing.T) {
	w := New(t, Cards(1))
	oa, oc := w.Officer("officer.a", unitA), w.Officer("officer.c", unitC)
	a, c := w.Device(oa, "a"), w.Device(oc, "c")
	id := a.Put("", "name", "Hòa")
	sent := c.Put("", "name", "Mai")
	a.Sync()
	c.Sync()
	a.Put(id, "note", "out")
	made := a.Put("", "name", "made out")
	c.Move(unitA, sent)
	w.Change(list1, list0, map[string][]string{unitA: {"30001"}})
	w.Change(list2, list1, map[string][]string{"30001": {"30002"}})
	a.Sync()
	c.Sync()
	w.wantNothingAside()
	for _, r := range []string{id, made, sent} {
		w.wantIn(r, "30002")
	}
	a.Sign()
	a.Sync()
	a.wantShown(id, "note", "out")
	a.wantShown(sent, "name", "Mai")
	state, _ := w.State(id)
	if state.Field(conflict.Key(17)).Len() != 1 {
		t.Errorf("got %v", state.Field(conflict.Key(17)))
	}
	w.Conserve()
}

// A change that loses a record, or is older than the last, is refused whole.
func TestAChangeThatMayNotStand(t *testing.T) {
	w := New(t, Cards(1))
	a := w.Device(w.Officer("officer.a", unitA), "a")
	a.Put("", "name", "Hòa")
	a.Sync()
	w.Change(list1, list0, map[string][]string{unitA: {"30001"}})
	for _, c := range [][]ledger.UnitChange{
		{{List: list1, Before: list0, Old: unitB, New: []string{"30002"}}},
		{{List: list0, Before: list0, Old: unitB, New: []string{"30002"}}},
		{{List: list2, Before: list1, Old: unitB}},
		{{List: list2, Before: list1, Old: unitB, New: []string{"30002"}}, {List: "2029-01-01", Before: list1, Old: unitC, New: []string{"30002"}}},
	} {
		err := w.DB.Update(func(t ledger.Tables) error { _, _, err := w.Ledger.ChangeUnits(t, "admin", c); return err })
		if err == nil {
			t.Errorf("%+v was made", c)
		}
	}
}

// Who works in what became of a successor goes on seeing what waits of the split.
func TestWaitingFollowsTheSuccessors(t *testing.T) {
	split := ledger.UnitChange{List: list1, Before: list0, Old: unitA, New: []string{"30001", unitB}}
	wait := ledger.Waiting(unitA, list0)
	for _, test := range []struct {
		name       string
		later      []ledger.UnitChange
		sees, none []string
	}{
		{"as it was", nil, []string{unitA, unitB, "30001"}, []string{unitC}},
		{"renamed", []ledger.UnitChange{{List: list2, Before: list1, Old: unitB, New: []string{"30002"}}}, []string{unitA, "30001", "30002"}, []string{unitB}},
		{"merged", []ledger.UnitChange{{List: list2, Before: list1, Old: "30001", New: []string{unitC}}, {List: list2, Before: list1, Old: unitB, New: []string{unitC}}},
			[]string{unitA, unitC}, []string{unitB, "30001"}},
		{"split again", []ledger.UnitChange{{List: list2, Before: list1, Old: unitB, New: []string{"30003", "30004"}}},
			[]string{unitA, unitB, "30001", "30003", "30004"}, nil},
		{"swapped", []ledger.UnitChange{{List: list2, Before: list1, Old: unitB, New: []string{unitC}}, {List: list2, Before: list1, Old: unitC, New: []string{unitB}}},
			[]string{unitA, "30001", unitC}, []string{unitB}},
	} {
		changes := append([]ledger.UnitChange{split}, test.later...)
		for _, unit := range test.sees {
			if got := ledger.WaitingFor(changes, unit); len(got) == 0 || got[0] != wait {
				t.Errorf("%s: %s: got %v, want %s first", test.name, unit, got, wait)
			}
		}
		for _, unit := range test.none {
			if got := ledger.WaitingFor(changes, unit); len(got) > 0 && got[0] == wait {
				t.Errorf("%s: %s: got %v", test.name, unit, got)
			}
		}
	}
}

// An officer whose unit was split and is no more makes a record before anybody has
// moved them: it waits with the others.
func TestNothingBeginsInAUnitThatEnded(t *testing.T) {
	w := New(t, Cards(1))
	oa := w.Officer("officer.a", unitA)
	a := w.Device(oa, "a")
	a.Sync()
	w.Change(list1, list0, map[string][]string{unitA: {"30001", "30002"}})
	a.Sync()
	id := a.Put("", "name", "Hòa")
	a.Sync()
	w.wantIn(id, ledger.Waiting(unitA, list0))
	w.wantNothingAside()
	a.Sign()
	a.Sync()
	a.wantShown(id, "name", "Hòa")
	w.Conserve()
}
