package town

import (
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/record"
)

// Two officers decide otherwise about one pair, both offline, one of them while
// a third edits the record that goes: nothing is refused, everybody holds both
// verdicts, the edit stands against the deletion, and one word settles it all.
func TestPairDecidedTwice(t *testing.T) {
	w := New(t, Cards(1))
	oa, ob := w.Officer("officer.a", unitA), w.Officer("officer.b", unitA)
	a, b, c := w.Device(oa, "a"), w.Device(ob, "b"), w.Device(ob, "c")
	x := a.Put("", "name", "Hòa")
	y := a.Put("", "name", "Hoà")
	for _, d := range []*Device{a, b, c} {
		d.Sync()
	}
	decide := func(d *Device, q replica.Decide) {
		t.Helper()
		q.A, q.B = x, y
		_, err := d.R.DecidePair(ctx, q)
		w.Must(err)
	}
	want := func(d *Device, state, lives string) {
		t.Helper()
		for _, id := range []string{x, y} {
			of, err := d.R.PairsOf(ctx, id)
			w.Must(err)
			if len(of) != 1 || of[0].State != state {
				t.Errorf("%s: of %s: got %+v, want %s", d.Label, id, of, state)
				continue
			}
			if got := of[0].A.Life + ", " + of[0].B.Life; of[0].A.ID == x && got != lives {
				t.Errorf("%s: got %s, want %s", d.Label, got, lives)
			}
		}
	}
	decide(a, replica.Decide{Said: record.Same, Keep: x})
	decide(b, replica.Decide{Said: record.Different})
	c.Put(y, "note", "seen yesterday")
	for _, d := range []*Device{a, b, c, a, b} {
		d.Sync()
	}
	if q := w.Aside(); len(q) != 0 {
		t.Errorf("in quarantine: %+v", q)
	}
	for _, d := range []*Device{a, b, c} {
		want(d, "disputed", "alive, edited and deleted")
	}
	decide(c, replica.Decide{Said: record.Same, Keep: x})
	for _, d := range []*Device{c, a, b} {
		d.Sync()
		want(d, "same", "alive, deleted")
	}
	w.Conserve()
}
