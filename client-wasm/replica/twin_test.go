package replica_test

import (
	"errors"
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/record"
)

// In the test's register the telephone number tells who somebody is.
const samePhone = "0903 123 456"

func (d *dev) pairs() []replica.Pair {
	d.w.t.Helper()
	reply, err := d.r.Pairs(ctx)
	if err != nil {
		d.w.t.Fatalf("%s: pairs: %v", d.name, err)
	}
	return reply.Pairs
}

func (d *dev) decide(q replica.Decide) replica.Pair {
	d.w.t.Helper()
	p, err := d.r.DecidePair(ctx, q)
	if err != nil {
		d.w.t.Fatalf("%s: decide: %v", d.name, err)
	}
	return p
}

func (d *dev) life(id string) string {
	d.w.t.Helper()
	v, err := d.r.Get(ctx, id)
	if err != nil {
		d.w.t.Fatalf("%s: get: %v", d.name, err)
	}
	return v.Life
}

// apart is one person, recorded by two officers who did not know of each other.
func apart(w *world) (a, b *dev, x, y string) {
	a, b = w.device("a", "officer.a"), w.device("b", "officer.b")
	x = a.put("", map[string]string{"name": "Hoa", "phone": samePhone, "note": "hẻm 1"})
	y = b.put("", map[string]string{"name": "Hoà", "phone": samePhone, "tags": "A"})
	for _, d := range []*dev{a, b, a} {
		d.mustSync()
	}
	return a, b, x, y
}

// Created apart, both see one pair and no quarantine; what one decides without
// a network the other sees, and nobody is asked again.
func TestPairIsDecidedOnce(t *testing.T) {
	w := newWorld(t)
	a, b, x, y := apart(w)
	for _, d := range []*dev{a, b} {
		p := d.pairs()
		if len(p) != 1 || p[0].State != "open" || p[0].Score != 100 {
			t.Fatalf("%s: got %+v, want one open pair", d.name, p)
		}
		for _, id := range []string{x, y} {
			if v, err := d.r.Get(ctx, id); err != nil || len(v.Quarantine) > 0 {
				t.Errorf("%s: %s: got %+v, %v, want no quarantine", d.name, id, v.Quarantine, err)
			}
		}
	}
	a.decide(replica.Decide{A: y, B: x, Said: record.Different, Reason: "hai chị em"})
	if got := a.pairs(); len(got) != 0 {
		t.Errorf("decided: got %+v, want nothing left to ask", got)
	}
	a.mustSync()
	b.mustSync()
	if got := b.pairs(); len(got) != 0 {
		t.Errorf("the colleague: got %+v, want nothing left to ask", got)
	}
	for _, id := range []string{x, y} { // each record tells of the other, whichever holds the verdict
		of, err := b.r.PairsOf(ctx, id)
		if err != nil || len(of) != 1 || of[0].State != "different" || of[0].Said[0].By != "officer.a" || of[0].Said[0].Reason != "hai chị em" {
			t.Errorf("of %s: got %+v, %v, want what officer.a said", id, of, err)
		}
	}
	b.decide(replica.Decide{A: x, B: y})
	if got := b.pairs(); len(got) != 1 || got[0].State != "open" {
		t.Errorf("taken back: got %+v, want the pair again", got)
	}
	b.mustSync()
	a.mustSync()
	if got := a.pairs(); len(got) != 1 {
		t.Errorf("taken back by the colleague: got %+v, want the pair again", got)
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
}

// One person: one record stays and takes over what the other knew, the other is
// deleted, keeps its history, and comes back if the verdict is taken back.
func TestSamePersonKeepsOneRecord(t *testing.T) {
	w := newWorld(t)
	a, b, x, y := apart(w)
	c := w.device("c", "officer.c") // only looks on
	c.mustSync()
	var f *replica.Failure
	if _, err := a.r.DecidePair(ctx, replica.Decide{A: x, B: y, Said: record.Same}); !errors.As(err, &f) || f.Field != "keep" {
		t.Errorf("without saying which stays: got %v", err)
	}
	p := a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: x, Take: []string{"name", "tags"}})
	if p.State != "same" || p.Said[0].Kept != x {
		t.Errorf("got %+v", p)
	}
	a.mustSync()
	b.mustSync()
	if got := b.life(x) + ", " + b.life(y); got != "alive, deleted" {
		t.Errorf("got %s, want alive, deleted", got)
	}
	rec := b.record(x)
	if rec.Values["name"] != "Hoà" || rec.Values["note"] != "hẻm 1" || rec.Values["tags"] != "A" {
		t.Errorf("got %v, want what both knew", rec.Values)
	}
	if h, err := b.r.History(ctx, y); err != nil || len(h.Steps) == 0 {
		t.Errorf("history of what went: got %+v, %v", h, err)
	}
	if got := append(a.pairs(), b.pairs()...); len(got) != 0 {
		t.Errorf("got %+v, want nothing left to ask", got)
	}
	b.decide(replica.Decide{A: x, B: y, Said: record.Linked})
	b.mustSync()
	a.mustSync()
	if got := a.life(x) + ", " + a.life(y); got != "alive, alive" {
		t.Errorf("linked instead: got %s, want both", got)
	}
	b.put(p.B.ID, map[string]string{"phone": "0903 999 999"}) // nothing is alike any more; the verdict stands in p.A
	for _, d := range []*dev{b, a, c} {
		d.mustSync()
	}
	for _, id := range []string{x, y} {
		if of, err := c.r.PairsOf(ctx, id); err != nil || len(of) != 1 || of[0].State != "linked" {
			t.Errorf("of %s: got %+v, %v, want the link", id, of, err)
		}
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
}

// Two who decide otherwise at the same time: both verdicts stand, a person is
// asked, and what was deleted meanwhile comes back if they are two after all.
func TestVerdictsAtOddsWaitForAPerson(t *testing.T) {
	w := newWorld(t)
	a, b, x, y := apart(w)
	a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: x})
	b.decide(replica.Decide{A: x, B: y, Said: record.Different})
	for _, d := range []*dev{a, b, a} {
		d.mustSync()
	}
	for _, d := range []*dev{a, b} {
		p := d.pairs()
		if len(p) != 1 || p[0].State != "disputed" || len(p[0].Said) != 2 {
			t.Fatalf("%s: got %+v, want both verdicts", d.name, p)
		}
	}
	a.decide(replica.Decide{A: x, B: y, Said: record.Different})
	a.mustSync()
	b.mustSync()
	if got := b.life(x) + ", " + b.life(y); got != "alive, alive" {
		t.Errorf("got %s, want both", got)
	}
	if got := b.pairs(); len(got) != 0 {
		t.Errorf("got %+v, want nothing left to ask", got)
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
}

// A store that has to take another id takes its verdicts along: the records that
// they name have other ids then.
func TestVerdictSurvivesANewReplicaID(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	a.mustSync()
	copied := a.clone("copy")
	copied.put("", map[string]string{"name": "Mai", "note": "của bản sao"})
	copied.mustSync()
	x := a.put("", map[string]string{"name": "Hoa", "phone": samePhone})
	y := a.put("", map[string]string{"name": "Hoà", "phone": samePhone})
	a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: y})
	old := a.r.Meta().Replica
	a.mustSync()
	if a.r.Meta().Replica == old {
		t.Fatal("the device kept its replica id; this test shows nothing")
	}
	ids, err := a.r.IDs(ctx, "people")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, id := range ids {
		of, err := a.r.PairsOf(ctx, id.String())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range of {
			found++
			if p.State != "same" || !slices.Contains([]string{p.A.ID, p.B.ID}, p.Said[0].Kept) || a.life(p.Said[0].Kept) != "alive" {
				t.Errorf("got %+v, want one record kept under its new id", p)
			}
		}
	}
	if found != 2 {
		t.Errorf("got %d tellings of the pair, want one from each record", found)
	}
}

// A record that was begun from an empty result carries the mark until somebody
// has looked, on every device.
func TestUncheckedUntilSomebodyLooks(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	form, err := a.r.OpenForm(ctx, "", "people")
	if err != nil {
		t.Fatal(err)
	}
	reply, err := a.r.Save(ctx, replica.SaveRequest{Key: form.Key, Values: map[string]string{"name": "Hoa"}, Unchecked: &record.Unchecked{Searched: 6200, Of: 40000}})
	if err != nil {
		t.Fatal(err)
	}
	marked := func(d *dev) int {
		t.Helper()
		list, err := d.r.List(ctx, replica.ListRequest{Register: "people", Filter: replica.FilterUnchecked})
		if err != nil {
			t.Fatal(err)
		}
		return list.Total
	}
	a.mustSync()
	b.mustSync()
	if v, err := b.r.Get(ctx, reply.ID); err != nil || v.Unchecked == nil || v.Unchecked.Searched != 6200 || v.Unchecked.Of != 40000 {
		t.Errorf("got %+v, %v, want the mark at the colleague's", v.Unchecked, err)
	}
	if marked(a) != 1 || marked(b) != 1 {
		t.Errorf("got %d and %d marked, want 1 and 1", marked(a), marked(b))
	}
	if _, err := b.r.Checked(ctx, reply.ID); err != nil {
		t.Fatal(err)
	}
	b.mustSync()
	a.mustSync()
	if marked(a) != 0 || marked(b) != 0 {
		t.Errorf("looked: got %d and %d marked, want none", marked(a), marked(b))
	}
}

// leads fails if a reference to id leads to another record than want, on any of
// the devices.
func leads(t *testing.T, what, id, want string, devices ...*dev) {
	t.Helper()
	for _, d := range devices {
		got, err := d.r.Follow(ctx, id)
		if err != nil || got.ID != want || got.Register != "people" || got.Title == "" {
			t.Errorf("%s, on %s: got %+v, %v, want %s", what, d.name, got, err, want)
		}
	}
}

// What refers to a record that was given up is led to the one that stays, over
// several steps, whichever record holds the verdicts, and back when they are taken
// back. The reference itself stays as it was written.
func TestReferenceToARecordThatWasGivenUp(t *testing.T) {
	w := newWorld(t)
	a, b, x, y := apart(w)
	z := a.put("", map[string]string{"name": "Bạn", "friend": x})
	one := a.put("", map[string]string{"name": "Hoà", "phone": samePhone})
	sync := func() {
		for _, d := range []*dev{a, b, a} {
			d.mustSync()
		}
	}
	sync()
	leads(t, "nothing was decided", x, x, a, b)
	a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: y})
	sync()
	leads(t, "given up for y", x, y, a, b)
	leads(t, "y itself", y, y, a, b)
	b.decide(replica.Decide{A: y, B: one, Said: record.Same, Keep: one})
	sync()
	leads(t, "given up for what was given up", x, one, a, b)
	if got := string(b.record(z).Values["friend"]); got != x {
		t.Errorf("the reference says %s, want %s as it was written", got, x)
	}
	b.decide(replica.Decide{A: y, B: one, Said: record.Different})
	sync()
	leads(t, "y is back", x, y, a, b)
	b.decide(replica.Decide{A: x, B: y, Said: ""})
	sync()
	leads(t, "all was taken back", x, x, a, b)
}

// Verdicts that were said at the same time may leave nothing, go in a circle, or
// disagree: the reference leads to what it names.
func TestReferenceWherePeopleDisagree(t *testing.T) {
	w := newWorld(t)
	a, b, x, y := apart(w)
	z := a.put("", map[string]string{"name": "Hoá", "phone": samePhone})
	a.mustSync()
	b.mustSync()
	a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: y})
	a.decide(replica.Decide{A: y, B: z, Said: record.Same, Keep: z})
	b.decide(replica.Decide{A: x, B: z, Said: record.Same, Keep: x})
	leads(t, "by one half of the circle", x, z, a)
	for _, d := range []*dev{a, b, a} {
		d.mustSync()
	}
	if got := a.life(x) + ", " + a.life(y) + ", " + a.life(z); got != "deleted, deleted, deleted" {
		t.Fatalf("got %s, want a circle", got)
	}
	for _, id := range []string{x, y, z} {
		leads(t, "in a circle", id, id, a, b)
	}

	w = newWorld(t)
	a, b, x, y = apart(w)
	a.decide(replica.Decide{A: x, B: y, Said: record.Same, Keep: y})
	b.decide(replica.Decide{A: x, B: y, Said: record.Different})
	for _, d := range []*dev{a, b, a} {
		d.mustSync()
	}
	leads(t, "one says the same and one says different", x, x, a, b)
	if _, err := a.r.Follow(ctx, "nobody"); err == nil {
		t.Error("a reference to nothing leads somewhere")
	}
}
