package conflict

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestNewFieldRejects(t *testing.T) {
	a, b := Sibling{Dot: Dot{ReplicaID{0: 1}, 1}}, Sibling{Dot: Dot{ReplicaID{0: 2}, 1}}
	both := NewVector(a.Dot, b.Dot)
	for name, c := range map[string]struct {
		siblings []Sibling
		vector   Vector
	}{
		"unsorted":        {[]Sibling{b, a}, both},
		"dot twice":       {[]Sibling{a, a}, both},
		"uncovered":       {[]Sibling{a, b}, NewVector(a.Dot)},
		"covered too low": {[]Sibling{{Dot: Dot{a.Dot.Replica, 2}}}, both},
		"counter 0":       {[]Sibling{{Dot: Dot{a.Dot.Replica, 0}}}, both},
	} {
		if f, err := NewField(c.siblings, c.vector); !errors.Is(err, ErrField) || !f.IsZero() {
			t.Errorf("%s: got %v, %v; want the zero field and %v", name, f, err, ErrField)
		}
	}
	f, err := NewField([]Sibling{a, b}, both)
	if want := (Field{}).Write(a, Vector{}).Write(b, Vector{}); err != nil || !f.Equal(want) {
		t.Errorf("got %v, %v; want %v", f, err, want)
	}
	if f, err := NewField([]Sibling{}, Vector{}); err != nil || !f.IsZero() {
		t.Errorf("got %v, %v; want the zero field", f, err)
	}
}

// TestStoreRoundTrip takes states of real histories apart and puts them
// together again, as a store or a codec does.
func TestStoreRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{engine: production(), log: map[Dot]*event{}, holders: []*holder{{}, {}, {}}}
		w.draw = func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
		for range 20 {
			w.step()
		}
		for _, s := range w.past {
			var entries []Entry
			for k, f := range s.record.All() {
				v, err := ParseVector(f.Vector().String())
				if err != nil {
					t.Fatal(err)
				}
				g, err := NewField(f.Siblings(), v)
				if err != nil {
					t.Fatal(err)
				}
				entries = append(entries, Entry{k, g})
			}
			r, err := NewRecord(entries)
			if err != nil || !r.Equal(s.record) {
				t.Fatalf("got\n%s%v; want\n%s", dump(r), err, s.text)
			}
		}
	})
}

func TestCallersSlicesAreTheirOwn(t *testing.T) {
	a, b := Sibling{Dot: Dot{replica(1), 1}, Value: "a"}, Sibling{Dot: Dot{replica(0), 1}, Value: "b"}
	f := Field{}.Write(a, Vector{}).Write(b, Vector{})
	got := f.Siblings()
	got[0].Value, got[1] = "changed", Sibling{}
	_ = append(got[:1], Sibling{})
	v := f.View(Keep, Rules{})
	v.Others[0] = Sibling{}
	if !slices.Equal(f.Siblings(), []Sibling{a, b}) {
		t.Errorf("got %v after the caller changed its copies, want %v", f.Siblings(), []Sibling{a, b})
	}
}

// TestMergeKeepsTheServersTime covers the one way in which two copies of one
// write differ in earnest: the server has stamped it, the device has not yet.
func TestMergeKeepsTheServersTime(t *testing.T) {
	d := Dot{replica(0), 1}
	local := Field{}.Write(Sibling{d, "1", Origin{Author: "a", At: 5}}, Vector{})
	stamped := Field{}.Write(Sibling{d, "1", Origin{Author: "a", At: 5, Received: 7}}, Vector{})
	restored := Field{}.Write(Sibling{d, "1", Origin{Author: "a", At: 5, Received: 9}}, Vector{})
	other := Field{}.Write(Sibling{Dot{replica(1), 1}, "2", Origin{}}, Vector{})
	for _, c := range []struct {
		name       string
		f, g       Field
		want       int64
		wantLength int
	}{
		{"one stamped", local, stamped, 7, 1},
		{"stamped again after a restore", stamped, restored, 9, 1},
		{"one has more", local.Merge(other), stamped, 7, 2},
		{"both have more", local.Merge(other), stamped.Write(Sibling{Dot{replica(2), 1}, "3", Origin{}}, Vector{}), 7, 3},
	} {
		fg, gf := c.f.Merge(c.g), c.g.Merge(c.f)
		i := slices.IndexFunc(fg.Siblings(), func(s Sibling) bool { return s.Dot == d })
		if !fg.Equal(gf) || fg.Len() != c.wantLength || fg.At(i).Origin.Received != c.want {
			t.Errorf("%s: got %v and %v, want both received at %d", c.name, fg.Siblings(), gf.Siblings(), c.want)
		}
	}
}

// TestMergeOfAReusedDotConverges: two writes under one dot are a broken
// replica, which intake reports. Merge must still not depend on the side.
func TestMergeOfAReusedDotConverges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		field := func(label string) Field {
			s := Sibling{Dot: Dot{replica(0), 1}, Value: rapid.SampledFrom([]Value{"1", "2"}).Draw(t, label+" value")}
			s.Origin = Origin{
				Author:     rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" author"),
				At:         rapid.Int64Range(0, 1).Draw(t, label+" at"),
				Received:   rapid.Int64Range(0, 1).Draw(t, label+" received"),
				Definition: rapid.Uint32Range(0, 1).Draw(t, label+" definition"),
				Source:     Source(rapid.IntRange(0, 1).Draw(t, label+" source")),
			}
			f := Field{}.Write(s, Vector{})
			if rapid.Bool().Draw(t, label+" more") {
				f = f.Write(Sibling{Dot: Dot{replica(1), 1}}, Vector{})
			}
			return f
		}
		f, g, h := field("f"), field("g"), field("h")
		if !f.Merge(g).Equal(g.Merge(f)) || !f.Merge(g).Merge(h).Equal(f.Merge(g.Merge(h))) || !f.Merge(g).Merge(g).Equal(f.Merge(g)) {
			t.Fatalf("merge depends on the order: %v, %v, %v", f, g, h)
		}
	})
}

// TestRestamp: of a write that stands the stamp gets later, and nothing else
// changes, a concurrent write of the same replica least of all.
func TestRestamp(t *testing.T) {
	r := ReplicaID{0: 1}
	at := func(counter uint64, received int64) Sibling {
		return Sibling{Dot: Dot{r, counter}, Value: "v", Origin: Origin{Received: received}}
	}
	field := Field{}.Write(at(3, 10), Vector{}).Write(at(7, 10), Vector{})
	for _, c := range []struct {
		name  string
		stamp Sibling
		want  Field
	}{
		{"later", at(7, 20), Field{}.Write(at(3, 10), Vector{}).Write(at(7, 20), Vector{})},
		{"earlier", at(7, 5), field},
		{"of a write that stands no more", at(5, 20), field},
		{"of a write never seen", at(8, 20), field},
	} {
		if got := field.Restamp(c.stamp); !got.Equal(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if !field.Equal(Field{}.Write(at(3, 10), Vector{}).Write(at(7, 10), Vector{})) {
		t.Error("the field itself has changed")
	}
}
