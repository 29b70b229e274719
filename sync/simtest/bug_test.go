package simtest

import (
	"testing"
)

// TestSeededBugs: every bug is caught by the oracle that is there for it, and
// every oracle is there for one.
func TestSeededBugs(t *testing.T) {
	idle := map[string]bool{}
	for _, o := range oracles {
		idle[o] = true
	}
	for b := NoBug + 1; b < bugs; b++ {
		delete(idle, seeded[b].oracle)
		t.Run(b.String(), func(t *testing.T) {
			t.Parallel()
			o := Options{Bug: b, Mix: seeded[b].mix}
			anyone, by := o.hunt(1, "", 1000)
			if anyone == 0 {
				t.Errorf("nobody caught it in 1,000 schedules")
				return
			}
			alone, _ := o.hunt(1, seeded[b].oracle, 1000)
			if alone == 0 {
				t.Errorf("%q did not catch it in 1,000 schedules; %q did in %d", seeded[b].oracle, by, anyone)
				return
			}
			t.Logf("caught by %q in %d schedules, by %q alone in %d", by, anyone, seeded[b].oracle, alone)
		})
	}
	for o := range idle {
		t.Errorf("oracle %q has no bug to catch", o)
	}
}

// hunt plays schedules until an oracle speaks, or that oracle alone if it is
// named. It returns how many that took, 0 if none ever did, and which it was.
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
