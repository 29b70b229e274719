package simtest

import (
	"os"
	"strconv"
	"testing"
)

// TestLong plays as many seeds as WARDBOOK_SEEDS says, from WARDBOOK_FROM.
func TestLong(t *testing.T) {
	n, _ := strconv.Atoi(os.Getenv("WARDBOOK_SEEDS"))
	if n == 0 {
		t.Skip("WARDBOOK_SEEDS is not set")
	}
	from, _ := strconv.ParseUint(os.Getenv("WARDBOOK_FROM"), 10, 64)
	for m := range mixes {
		if only := os.Getenv("WARDBOOK_MIX"); only != "" && only != m.String() {
			continue
		}
		r := Run(Options{Seeds: n, From: from, Mix: m, Stop: 4})
		t.Logf("%s: %s", m, r)
		if len(r.Failures) > 0 {
			t.Fail()
		}
	}
}
