package simtest

import (
	"os"
	"strconv"
	"testing"
	"time"
)

// TestSeeds plays the same schedules of every mix each time, so that a change
// is judged by itself. With WARDBOOK_SEED=fresh it plays such as nobody has
// played before, and with a number those from there. To keep a failure, put its
// transcript into testdata.
func TestSeeds(t *testing.T) {
	from := uint64(1)
	switch text := os.Getenv("WARDBOOK_SEED"); text {
	case "":
	case "fresh":
		from = uint64(time.Now().UnixNano())
	default:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("WARDBOOK_SEED=%q: want a number or fresh", text)
		}
		from = n
	}
	r := Run(Options{Seeds: 2000, From: from, AllMixes: true})
	t.Logf("from seed %d: %s", from, r)
	if len(r.Failures) > 0 {
		t.Fail()
	}
}

// TestSameSeedSameRun: a seed says everything.
func TestSameSeedSameRun(t *testing.T) {
	for seed := range uint64(2 * mixes) {
		c := Options{AllMixes: true}.Case(seed)
		_, first := c.Trace()
		_, second := c.Trace()
		if first != second {
			t.Errorf("seed %d took two courses", seed)
		}
	}
}

// TestMinimise: a failure keeps its oracle and loses its useless steps.
func TestMinimise(t *testing.T) {
	c := Options{Bug: PageTwice}.Case(1)
	v := c.Run()
	if v == nil {
		t.Fatal("the bug does not show")
	}
	f := Minimise(Failure{Case: c, Oracle: v.Oracle, Detail: v.Detail})
	if got := f.Case.Run(); got == nil || got.Oracle != v.Oracle {
		t.Errorf("minimised: got %v, want %s", got, v.Oracle)
	}
	if len(f.Case.Steps) > 6 {
		t.Errorf("got %d steps of %d:\n%s", len(f.Case.Steps), len(c.Steps), f)
	}
	parsed, err := ParseCase(f.String())
	if err != nil || parsed.Transcript() != f.String() {
		t.Errorf("read back: got %q, %v", parsed.Transcript(), err)
	}
}

// BenchmarkSchedules plays plain schedules, one after the other.
func BenchmarkSchedules(b *testing.B) {
	for m := range mixes {
		b.Run(m.String(), func(b *testing.B) {
			b.ReportAllocs()
			for i := range b.N {
				c := Options{Mix: m}.Case(uint64(i))
				if v := c.Run(); v != nil {
					b.Fatalf("seed %d: %s: %s", i, v.Oracle, v.Detail)
				}
			}
		})
	}
}
