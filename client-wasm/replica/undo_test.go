package replica_test

import (
	"errors"
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

func (d *dev) field(id, name string) replica.FieldView {
	d.w.t.Helper()
	v, err := d.r.Get(ctx, id)
	if err != nil {
		d.w.t.Fatalf("%s: get: %v", d.name, err)
	}
	for _, f := range v.Fields {
		if f.Name == name {
			return f
		}
	}
	d.w.t.Fatalf("%s: no field %s", d.name, name)
	return replica.FieldView{}
}

func (d *dev) settle(id, field, dot string) {
	d.w.t.Helper()
	if _, err := d.r.Settle(ctx, replica.SettleRequest{ID: id, Field: field, Dot: dot}); err != nil {
		d.w.t.Fatalf("%s: settle: %v", d.name, err)
	}
}

func values(f replica.FieldView) []string {
	var all []string
	for _, s := range f.Conflict {
		all = append(all, s.Value)
	}
	slices.Sort(all)
	return all
}

// torn makes a record whose note two officers wrote at once, known to both.
func torn(w *world) (a, b *dev, id string) {
	a, b = w.device("a", "officer.a"), w.device("b", "officer.b")
	id = a.put("", map[string]string{"name": "Hoa", "note": "số 1"})
	a.mustSync()
	b.mustSync()
	a.put(id, map[string]string{"note": "số 12"})
	b.put(id, map[string]string{"note": "số 21"})
	a.mustSync()
	b.mustSync()
	a.mustSync()
	return a, b, id
}

// A choice, undone, leaves both values to choose from again: at once, without a
// network, and for everybody; a second undo finds nothing to do.
func TestUndoOpensTheQuestionAgain(t *testing.T) {
	w := newWorld(t)
	a, b, id := torn(w)
	f := a.field(id, "note")
	if len(f.Conflict) != 2 || f.Ancestor == nil || f.Ancestor.Value != "số 1" {
		t.Fatalf("got %+v, want two values and what stood before", f)
	}
	a.settle(id, "note", f.Conflict[0].Dot)
	f = a.field(id, "note")
	if len(f.Conflict) != 0 || f.Settled == nil || len(f.Settled.Others) != 1 {
		t.Fatalf("settled: got %+v, want one value and the other named", f)
	}
	choice := f.Settled.Dot
	if _, err := a.r.Undo(ctx, id, "note", choice); err != nil {
		t.Fatal(err)
	}
	want := []string{"số 12", "số 21"}
	if got := values(a.field(id, "note")); !slices.Equal(got, want) {
		t.Fatalf("undone: got %q, want %q", got, want)
	}
	if v, err := a.r.Get(ctx, id); err != nil || v.Stage != string(record.StageSubmitted) {
		t.Errorf("undone: got stage %v, %v, want what was handed in to stay so", v.Stage, err)
	}
	a.mustSync()
	b.mustSync()
	if got := values(b.field(id, "note")); !slices.Equal(got, want) {
		t.Errorf("at the colleague's: got %q, want %q", got, want)
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
	var f2 *replica.Failure
	if _, err := a.r.Undo(ctx, id, "note", choice); !errors.As(err, &f2) || f2.Code != "changed" {
		t.Errorf("a second undo: got %v, want changed", err)
	}
}

// What somebody wrote since is not undone with the choice.
func TestUndoLeavesALaterValueAlone(t *testing.T) {
	w := newWorld(t)
	a, b, id := torn(w)
	a.settle(id, "note", a.field(id, "note").Conflict[0].Dot)
	choice := a.field(id, "note").Settled.Dot
	a.mustSync()
	b.mustSync()
	b.put(id, map[string]string{"note": "số 30"})
	b.mustSync()
	a.mustSync()
	var f *replica.Failure
	if _, err := a.r.Undo(ctx, id, "note", choice); !errors.As(err, &f) || f.Code != "changed" {
		t.Fatalf("got %v, want changed", err)
	}
	if got := a.field(id, "note").Value; got != "số 30" {
		t.Errorf("got %q, want the later value", got)
	}
}

// The value that gave way can be brought back, and then the other one, from
// what the device knows and from what only the server's history says.
func TestLoserComesBack(t *testing.T) {
	w := newWorld(t)
	a, b, id := torn(w)
	two := a.field(id, "note").Conflict
	a.settle(id, "note", two[0].Dot)
	won, lost := two[0], two[1]
	if _, err := a.r.BringBack(ctx, id, "note", lost.Dot, nil); err != nil {
		t.Fatal(err)
	}
	if got := a.field(id, "note").Value; got != lost.Value {
		t.Fatalf("got %q, want %q", got, lost.Value)
	}
	a.mustSync()
	b.mustSync()
	if got := b.field(id, "note").Value; got != lost.Value {
		t.Errorf("at the colleague's: got %q, want %q", got, lost.Value)
	}
	elsewhere := "7777777777777777777777777777777a:1"
	if _, err := b.r.BringBack(ctx, id, "note", elsewhere, nil); err == nil {
		t.Error("a value that nobody named was brought back")
	}
	if _, err := b.r.BringBack(ctx, id, "note", elsewhere, &won.Value); err != nil {
		t.Fatal(err)
	}
	b.mustSync()
	a.mustSync()
	if got := a.field(id, "note").Value; got != won.Value {
		t.Errorf("brought back by the colleague: got %q, want %q", got, won.Value)
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
}

// Masked values in conflict are revealed one by one, each noted before.
func TestRevealOfOneValueOfSeveral(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "phone": "0903123456"})
	a.mustSync()
	b.mustSync()
	a.put(id, map[string]string{"phone": "0903123457"})
	b.put(id, map[string]string{"phone": "0903123458"})
	a.mustSync()
	b.mustSync()
	f := b.field(id, "phone")
	if len(f.Conflict) != 2 {
		t.Fatalf("got %+v, want a conflict", f)
	}
	for i, s := range f.Conflict {
		if s.Value != "" || s.Display == "" {
			t.Errorf("got %+v, want a masked value", s)
		}
		text, err := b.r.Reveal(ctx, id, "phone", s.Dot)
		if err != nil || (text != "0903 123 457" && text != "0903 123 458") {
			t.Errorf("got %q, %v", text, err)
		}
		if notes, err := b.r.Reveals(ctx); err != nil || len(notes) != i+1 {
			t.Errorf("got %d notes, %v, want %d", len(notes), err, i+1)
		}
	}
	if _, err := b.r.Reveal(ctx, id, "phone", "7777777777777777777777777777777a:1"); err == nil {
		t.Error("a value that was never there was revealed")
	}
}

// The proposal names its reason; the clock of a device that is ahead is told.
func TestAdviceAndClocks(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "note": "số 1"})
	a.mustSync()
	b.mustSync()
	w.now += 3_600_000 // b writes by a clock that is an hour ahead
	b.put(id, map[string]string{"note": "số 1, hẻm 2"})
	w.now -= 3_600_000
	a.put(id, map[string]string{"note": "SỐ 1"})
	a.mustSync()
	b.mustSync()
	a.mustSync()
	f := a.field(id, "note")
	if f.Advice == nil || f.Advice.Why != register.Fuller {
		t.Fatalf("got %+v, want the fuller value proposed", f.Advice)
	}
	for _, s := range f.Conflict {
		if proposed := s.Dot == f.Advice.Dot; proposed != (s.Value == "số 1, hẻm 2") {
			t.Errorf("proposed %q", s.Value)
		}
		if ahead := s.Clock > 3_500_000; ahead != (s.By == "officer.b") {
			t.Errorf("%s: got %d ms ahead", s.By, s.Clock)
		}
		if s.Here != (s.By == "officer.a") {
			t.Errorf("%s: got here %v", s.By, s.Here)
		}
	}
}
