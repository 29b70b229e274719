package conflict

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// vectors yields vectors over up to nine replicas, so that both ways of
// finding an entry are taken.
func vectors() *rapid.Generator[Vector] {
	return rapid.Custom(func(t *rapid.T) Vector {
		var ds []Dot
		for range rapid.IntRange(0, 12).Draw(t, "dots") {
			ds = append(ds, anyDot().Draw(t, "dot"))
		}
		return NewVector(ds...)
	})
}

func anyDot() *rapid.Generator[Dot] {
	return rapid.Custom(func(t *rapid.T) Dot {
		return Dot{replica(rapid.IntRange(0, 8).Draw(t, "replica")), rapid.Uint64Range(0, 4).Draw(t, "counter")}
	})
}

// counters is the reference for a vector: a map.
func counters(v Vector) map[ReplicaID]uint64 {
	m := map[ReplicaID]uint64{}
	for d := range v.All() {
		m[d.Replica] = d.Counter
	}
	return m
}

func TestVectorAgainstMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, o, d := vectors().Draw(t, "v"), vectors().Draw(t, "o"), anyDot().Draw(t, "d")
		before := v.String()
		mv, mo := counters(v), counters(o)

		if v.Len() != len(mv) || v.Counter(d.Replica) != mv[d.Replica] {
			t.Fatalf("%v: got length %d and counter %d, want %d and %d", v, v.Len(), v.Counter(d.Replica), len(mv), mv[d.Replica])
		}
		if got, want := v.Covers(d), d.Counter <= mv[d.Replica]; got != want {
			t.Fatalf("%v covers %v: got %v, want %v", v, d, got, want)
		}
		all := true
		for r, n := range mo {
			all = all && n <= mv[r]
		}
		if got := v.CoversAll(o); got != all {
			t.Fatalf("%v covers all of %v: got %v, want %v", v, o, got, all)
		}
		if got, want := v.Equal(o), maps.Equal(mv, mo); got != want {
			t.Fatalf("%v equal to %v: got %v, want %v", v, o, got, want)
		}

		joined := maps.Clone(mv)
		for r, n := range mo {
			joined[r] = max(joined[r], n)
		}
		if got := v.Join(o); !maps.Equal(counters(got), joined) || !got.Equal(o.Join(v)) {
			t.Fatalf("%v joined with %v: got %v, want %v", v, o, got, joined)
		}
		with := maps.Clone(mv)
		if d.Counter > 0 {
			with[d.Replica] = max(with[d.Replica], d.Counter)
		}
		if got := v.With(d); !maps.Equal(counters(got), with) {
			t.Fatalf("%v with %v: got %v, want %v", v, d, got, with)
		}
		if v.String() != before {
			t.Fatalf("vector changed from %v to %v", before, v)
		}
		for _, x := range []Vector{v, v.Join(o), v.With(d)} {
			seen := slices.Collect(x.All())
			if !slices.IsSortedFunc(seen, Dot.Compare) || slices.ContainsFunc(seen, func(d Dot) bool { return d.Counter == 0 }) {
				t.Fatalf("vector %v is not sorted, or has a zero counter", x)
			}
			got, err := ParseVector(x.String())
			if err != nil || !got.Equal(x) {
				t.Fatalf("parse %q: got %v, %v", x.String(), got, err)
			}
		}
	})
}

func TestNewVectorTakesNoHoldOfItsDots(t *testing.T) {
	ds := []Dot{{replica(1), 3}, {replica(0), 5}}
	v := NewVector(ds...)
	ds[0], ds[1] = Dot{replica(2), 9}, Dot{replica(2), 8}
	if v.Counter(replica(1)) != 3 || v.Counter(replica(0)) != 5 || v.Len() != 2 {
		t.Errorf("got %v after the caller changed its slice", v)
	}
}

func TestParseVectorRejects(t *testing.T) {
	a, b := Dot{ReplicaID{0: 1}, 4}.String(), Dot{ReplicaID{0: 2}, 4}.String()
	for name, s := range map[string]string{
		"unsorted":       b + "," + a,
		"replica twice":  a + "," + a,
		"trailing comma": a + ",",
		"leading comma":  "," + a,
		"comma alone":    ",",
		"space":          a + ", " + b,
		"counter 0":      someReplicaText + "-0",
		"newline":        a + "\n",
	} {
		if v, err := ParseVector(s); err == nil || v.Len() != 0 {
			t.Errorf("%s: parse %q: got %v, %v; want the zero vector and an error", name, s, v, err)
		}
	}
}

func FuzzParseVector(f *testing.F) {
	a, b := Dot{ReplicaID{0: 1}, 4}.String(), Dot{ReplicaID{0: 2}, 7}.String()
	seed(f, "", a, a+","+b, b+","+a, a+","+a, a+",", ",", strings.Repeat(a+",", 9)+a)
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseVector(s)
		if err != nil {
			return
		}
		if v.String() != s {
			t.Errorf("parse accepts %q, which is written %q", s, v)
		}
		if !NewVector(slices.Collect(v.All())...).Equal(v) {
			t.Errorf("parse %q: got a vector that no dots make", s)
		}
	})
}

func TestVectorOf(t *testing.T) {
	a, b := Dot{ReplicaID{0: 1}, 4}, Dot{ReplicaID{0: 2}, 7}
	for name, entries := range map[string][]Dot{
		"unsorted":      {b, a},
		"replica twice": {a, {a.Replica, 5}},
		"counter 0":     {{a.Replica, 0}},
	} {
		if v, err := VectorOf(entries); err == nil || v.Len() != 0 {
			t.Errorf("%s: got %v, %v; want the zero vector and an error", name, v, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := vectors().Draw(t, "vector")
		got, err := VectorOf(slices.Collect(v.All()))
		if err != nil || !got.Equal(v) {
			t.Fatalf("got %v, %v; want %v", got, err, v)
		}
	})
	if v, err := VectorOf([]Dot{}); err != nil || !v.Equal(Vector{}) {
		t.Errorf("got %v, %v; want the zero vector", v, err)
	}
}
