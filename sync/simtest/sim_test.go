package simtest

import (
	"testing"
	"time"
)

// TestFreshSeeds plays schedules that nobody has played before.
func TestFreshSeeds(t *testing.T) {
	from := uint64(time.Now().UnixNano())
	for m := range mixes {
		r := Run(Options{Seeds: 1000, Stop: 3, From: from, Mix: m})
		t.Logf("%s from seed %d: %s", m, from, r)
		if len(r.Failures) > 0 {
			t.Fail()
		}
	}
}
