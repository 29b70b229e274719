package conflict

import (
	"math/rand/v2"
	"testing"
)

// TestWriteAllIsWritingOneAfterTheOther holds the one pass to the plain way, on
// random records and writes: sorted or not, keys twice, contexts or none,
// repeats, and writes without a dot.
func TestWriteAllIsWritingOneAfterTheOther(t *testing.T) {
	for seed := range uint64(3000) {
		rnd := rand.New(rand.NewPCG(seed, 9))
		var r Record
		var seen []Dot
		draw := func(n int, sorted bool) []Edit {
			var edits []Edit
			id := FieldID(rnd.IntN(4))
			for range n {
				if id += FieldID(1 + rnd.IntN(3)); !sorted && rnd.IntN(3) == 0 {
					id = FieldID(rnd.IntN(12))
				}
				k := FieldKey{ID: id}
				if rnd.IntN(6) == 0 {
					k.Elem = string(rune('a' + rnd.IntN(3)))
				}
				e := Edit{Key: k, Sibling: Sibling{Dot: Dot{replica(rnd.IntN(3)), uint64(len(seen) + 1)}, Value: Value(rune('a' + rnd.IntN(26)))}}
				switch rnd.IntN(12) {
				case 0:
					e.Sibling.Dot = Dot{}
				case 1:
					if len(seen) > 0 {
						e.Sibling.Dot = seen[rnd.IntN(len(seen))]
					}
				}
				switch rnd.IntN(3) {
				case 0:
					e.Context = r.Field(k).Vector()
				case 1:
					for range min(len(seen), rnd.IntN(3)) {
						e.Context = e.Context.With(seen[rnd.IntN(len(seen))])
					}
				}
				seen = append(seen, e.Sibling.Dot)
				edits = append(edits, e)
			}
			return edits
		}
		for range 1 + rnd.IntN(4) {
			edits := draw(rnd.IntN(8), rnd.IntN(3) > 0)
			before := r
			kept := r.With(Key(999), Field{})
			want := r
			for _, e := range edits {
				want = want.Write(e.Key, e.Sibling, e.Context)
			}
			got := r.WriteAll(edits)
			if !got.Equal(want) || got.Len() != want.Len() {
				t.Fatalf("seed %d: got %v, want %v", seed, got, want)
			}
			if !before.Equal(kept) {
				t.Fatalf("seed %d: the record written to has changed", seed)
			}
			r = got
		}
	}
}

// TestWriteAllSharesNothingThatGrows writes to a field whose neighbour lies
// behind it in memory.
func TestWriteAllSharesNothingThatGrows(t *testing.T) {
	at := func(n uint64) Sibling { return Sibling{Dot: Dot{replica(0), n}, Value: "v"} }
	r := Record{}.WriteAll([]Edit{{Key(16), at(1), Vector{}}, {Key(17), at(2), Vector{}}})
	want := Record{}.Write(Key(16), at(1), Vector{}).Write(Key(17), at(2), Vector{})
	r.Write(Key(16), Sibling{Dot: Dot{replica(1), 1}, Value: "w"}, Vector{})
	r.Write(Key(16), Sibling{Dot: Dot{replica(1), 1}, Value: "w"}, NewVector(Dot{replica(0), 1}, Dot{replica(2), 7}))
	if !r.Equal(want) {
		t.Fatalf("got %v, want %v", r, want)
	}
}
