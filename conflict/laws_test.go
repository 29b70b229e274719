package conflict

import (
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// histories is how many seeded histories the differential test plays.
func histories() uint64 {
	if testing.Short() || runtime.GOARCH == "wasm" {
		return 500
	}
	return 3000
}

// TestLaws plays generated histories; rapid shrinks what fails.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := func(n int, what string) int { return rapid.IntRange(0, n-1).Draw(t, what) }
		if err := play(production(), d); err != nil {
			t.Fatal(err)
		}
	})
}

// TestModel holds production code against the reference model on thousands of
// seeded histories.
func TestModel(t *testing.T) {
	for seed := range histories() {
		if err := play(production(), seeded(seed)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
