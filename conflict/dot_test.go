package conflict

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// seed adds the corpus to f and fails if there is none: a fuzz target without
// seeds proves nothing in an ordinary run.
func seed(f *testing.F, corpus ...string) {
	f.Helper()
	if len(corpus) == 0 {
		f.Fatal("empty seed corpus")
	}
	for _, s := range corpus {
		f.Add(s)
	}
}

const (
	zeroReplicaText = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	someReplicaText = "abcdefghijklmnopqrstuvwxya"
)

func replicaIDs() *rapid.Generator[ReplicaID] {
	return rapid.Custom(func(t *rapid.T) ReplicaID {
		return ReplicaID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "replica"))
	})
}

func TestReplicaIDRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := replicaIDs().Draw(t, "replica")
		got, err := ParseReplicaID(r.String())
		if err != nil || got != r {
			t.Fatalf("parse %q: got %v, %v; want %v", r.String(), got, err, r)
		}
	})
}

func TestDotRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Dot{replicaIDs().Draw(t, "replica"), rapid.Uint64Min(1).Draw(t, "counter")}
		got, err := ParseDot(d.String())
		if err != nil || got != d {
			t.Fatalf("parse %q: got %v, %v; want %v", d.String(), got, err, d)
		}
	})
}

func TestZeroDotNamesNoWrite(t *testing.T) {
	if !(Dot{}).IsZero() || (Dot{Counter: 1}).IsZero() || !(ReplicaID{}).IsZero() || (ReplicaID{1}).IsZero() {
		t.Error("zero values are not told from others")
	}
	if _, err := ParseDot(Dot{}.String()); err == nil {
		t.Error("parse of the zero dot: got no error, want one")
	}
}

func TestParseReplicaIDRejects(t *testing.T) {
	for name, s := range map[string]string{
		"empty":             "",
		"too short":         someReplicaText[1:],
		"too long":          someReplicaText + "a",
		"upper case":        strings.ToUpper(someReplicaText),
		"newline inside":    someReplicaText[:25] + "\n",
		"newline added":     someReplicaText + "\n",
		"not in alphabet":   "0" + someReplicaText[1:],
		"padding":           someReplicaText[:25] + "=",
		"stray bits at end": someReplicaText[:25] + "b",
		"not ASCII":         someReplicaText[:24] + "é",
	} {
		if r, err := ParseReplicaID(s); err == nil || !r.IsZero() {
			t.Errorf("%s: parse %q: got %v, %v; want the zero id and an error", name, s, r, err)
		}
	}
}

func TestParseDotRejects(t *testing.T) {
	for name, s := range map[string]string{
		"empty":         "",
		"no counter":    someReplicaText,
		"empty counter": someReplicaText + "-",
		"counter 0":     someReplicaText + "-0",
		"leading zero":  someReplicaText + "-01",
		"plus sign":     someReplicaText + "-+1",
		"minus sign":    someReplicaText + "--1",
		"space":         someReplicaText + "- 1",
		"two counters":  someReplicaText + "-1-1",
		"beyond 64 bit": someReplicaText + "-18446744073709551616",
		"hexadecimal":   someReplicaText + "-0x1",
		"underscore":    someReplicaText + "-1_0",
		"other digits":  someReplicaText + "-١",
		"no replica":    "-1",
	} {
		if d, err := ParseDot(s); err == nil || d != (Dot{}) {
			t.Errorf("%s: parse %q: got %v, %v; want the zero dot and an error", name, s, d, err)
		}
	}
}

func TestDotCompareIsAnOrder(t *testing.T) {
	ordered := []Dot{
		{}, {Counter: 1}, {Counter: 1 << 63},
		{ReplicaID{15: 1}, 1}, {ReplicaID{0: 1}, 1}, {ReplicaID{0: 1}, 2}, {ReplicaID{0: 255}, 1},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := a.Compare(b), sign(i-j); got != want {
				t.Errorf("compare %v with %v: got %d, want %d", a, b, got, want)
			}
		}
	}
}

func FuzzParseReplicaID(f *testing.F) {
	seed(f, zeroReplicaText, someReplicaText, strings.ToUpper(someReplicaText), someReplicaText[:25]+"b",
		someReplicaText[:25]+"\n", "7777777777777777777777777a", "77777777777777777777777774", "")
	f.Fuzz(func(t *testing.T, s string) {
		if r, err := ParseReplicaID(s); err == nil && r.String() != s {
			t.Errorf("parse accepts %q, which is written %q", s, r)
		}
	})
}

func FuzzParseDot(f *testing.F) {
	seed(f, someReplicaText+"-1", someReplicaText+"-18446744073709551615", someReplicaText+"-01", someReplicaText+"-0",
		zeroReplicaText+"-7", someReplicaText, "-1", "")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseDot(s); err == nil && d.String() != s {
			t.Errorf("parse accepts %q, which is written %q", s, d)
		}
	})
}
