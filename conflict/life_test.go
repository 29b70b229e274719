package conflict

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// lives yields life values as records make them: the vectors of any fields.
func lives() *rapid.Generator[Life] {
	return rapid.Custom(func(t *rapid.T) Life {
		var r Record
		for range rapid.IntRange(0, 5).Draw(t, "fields") {
			k := FieldKey{
				ID:   FirstUserField + FieldID(rapid.IntRange(0, 4).Draw(t, "id")),
				Elem: rapid.SampledFrom([]string{"", "", "x", "y;=,:/", "é", "\x00\xff"}).Draw(t, "elem"),
			}
			for d := range vectors().Draw(t, "vector").All() {
				r = r.Write(k, Sibling{Dot: d}, Vector{})
			}
		}
		return Life{Deleted: rapid.Bool().Draw(t, "deleted"), Seen: r.Seen()}
	})
}

func TestLifeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lives().Draw(t, "life")
		got, err := ParseLife(l.Value())
		if err != nil {
			t.Fatalf("parse %q: %v", l.Value(), err)
		}
		if got.Value() != l.Value() || got.Deleted != l.Deleted {
			t.Fatalf("parse %q: got %q", l.Value(), got.Value())
		}
		d := anyDot().Draw(t, "dot")
		for _, e := range l.Seen.entries {
			if got.Seen.Covers(e.key, d) != l.Seen.Covers(e.key, d) || l.Seen.Covers(e.key, d) != e.vector.Covers(d) {
				t.Fatalf("parse %q: whether %v of field %v was seen has changed", l.Value(), d, e.key)
			}
		}
	})
}

func TestParseLifeRejects(t *testing.T) {
	a, b := ReplicaID{0: 1}.String(), ReplicaID{0: 2}.String()
	good := "deleted;" + a + "," + b + ";16=0:3;17=0:4,1:1;18/78=1:2"
	if _, err := ParseLife(Value(good)); err != nil {
		t.Fatalf("parse %q: %v", good, err)
	}
	for name, s := range map[string]string{
		"unknown state":            "dead;",
		"state alone":              "deleted",
		"replica unused":           "deleted;" + a,
		"replicas unsorted":        "deleted;" + b + "," + a + ";16=0:1,1:1",
		"replica twice":            "deleted;" + a + "," + a + ";16=0:1,1:1",
		"fields unsorted":          "deleted;" + a + ";17=0:1;16=0:1",
		"field twice":              "deleted;" + a + ";16=0:1;16=0:2",
		"elements unsorted":        "deleted;" + a + ";18/79=0:1;18/78=0:1",
		"place beyond replicas":    "deleted;" + a + ";16=1:1",
		"place negative":           "deleted;" + a + ";16=-1:1",
		"place with a zero before": "deleted;" + a + ";16=00:1",
		"places unsorted":          "deleted;" + a + "," + b + ";16=1:1,0:1",
		"counter 0":                "deleted;" + a + ";16=0:0",
		"no counter":               "deleted;" + a + ";16=0",
		"no equals sign":           "deleted;" + a + ";16",
		"field beyond 16 bits":     "deleted;" + a + ";65536=0:1",
		"field with a zero before": "deleted;" + a + ";016=0:1",
		"element empty":            "deleted;" + a + ";16/=0:1",
		"element in upper case":    "deleted;" + a + ";18/6B=0:1;18/6b=0:1",
		"element in half a byte":   "deleted;" + a + ";18/7=0:1",
		"trailing semicolon":       good + ";",
		"newline":                  good + "\n",
	} {
		l, err := ParseLife(Value(s))
		if err == nil || l.Deleted || len(l.Seen.entries) > 0 {
			t.Errorf("%s: parse %q: got %+v, %v; want the zero life and an error", name, s, l, err)
		}
	}
}

func FuzzParseLife(f *testing.F) {
	a, b := ReplicaID{0: 1}.String(), ReplicaID{0: 2}.String()
	seed(f, "", "alive;", "deleted;", "deleted;"+a+";16=0:3", "deleted;"+a+","+b+";16=0:3;17=0:4,1:1;18/78=1:2",
		"alive;"+a+";17=0:1;16=0:1", "deleted;"+a+";16=0:1;16=0:2", "deleted;;16=", "deleted;"+a+";16/=0:1")
	f.Fuzz(func(t *testing.T, s string) {
		l, err := ParseLife(Value(s))
		if err != nil || s == "" {
			return
		}
		if l.Value() != Value(s) {
			t.Errorf("parse accepts %q, which is written %q", s, l.Value())
		}
		keys := make([]FieldKey, len(l.Seen.entries))
		for i, e := range l.Seen.entries {
			keys[i] = e.key
			for d := range e.vector.All() {
				if !l.Seen.Covers(e.key, d) {
					t.Errorf("parse %q: field %v no longer covers %v", s, e.key, d)
				}
			}
		}
		if !slices.IsSortedFunc(keys, FieldKey.Compare) {
			t.Errorf("parse %q: got unsorted fields", s)
		}
	})
}

func TestLifeStateString(t *testing.T) {
	for s, want := range map[LifeState]string{Alive: "alive", Deleted: "deleted", EditedAndDeleted: "edited and deleted"} {
		if s.String() != want {
			t.Errorf("got %q, want %q", s, want)
		}
	}
}

// TestSeenDoesNotFollowTheRecord keeps a deletion's context as it was when the
// form was opened, whatever becomes of the record.
func TestSeenDoesNotFollowTheRecord(t *testing.T) {
	d := Dot{replica(0), 1}
	r := Record{}.Write(Key(16), Sibling{Dot: d, Value: "1"}, Vector{})
	seen := r.Seen()
	later := Dot{replica(1), 1}
	_ = r.Write(Key(16), Sibling{Dot: later, Value: "2"}, Vector{}).Write(Key(17), Sibling{Dot: Dot{replica(1), 2}}, Vector{})
	if !seen.Covers(Key(16), d) || seen.Covers(Key(16), later) || seen.Covers(Key(17), d) {
		t.Errorf("got %+v, want only %v of field 16", seen, d)
	}
	if text := string(Life{true, seen}.Value()); !strings.HasPrefix(text, "deleted;"+d.Replica.String()+";16=0:1") {
		t.Errorf("got %q", text)
	}
}
