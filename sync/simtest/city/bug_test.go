package city

import (
	"testing"
)

// TestSeededBugs: every bug is caught by the oracle that is there for it.
func TestSeededBugs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	for b := NoBug + 1; b < bugs; b++ {
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			o := Options{Bug: b}
			n, by := o.hunt(1, "", 1000)
			if n == 0 {
				t.Fatal("nobody caught it in 1,000 schedules")
			}
			if by == seeded[b].oracle {
				t.Logf("caught by %q in %d schedules", by, n)
				return
			}
			alone, _ := o.hunt(1, seeded[b].oracle, 1000)
			if alone == 0 {
				t.Fatalf("%q did not catch it in 1,000 schedules; %q did in %d", seeded[b].oracle, by, n)
			}
			t.Logf("caught by %q in %d schedules, by %q alone in %d", by, n, seeded[b].oracle, alone)
		})
	}
}

// hunt plays schedules until an oracle speaks, or that oracle alone if it is named.
// It returns how many that took, 0 if none ever did, and which it was.
func (o Options) hunt(from uint64, oracle string, most int) (int, string) {
	for i := range most {
		c := o.Case(from + uint64(i))
		c.only = oracle
		if v := c.Run(); v != nil {
			return i + 1, v.Oracle
		}
	}
	return 0, ""
}
