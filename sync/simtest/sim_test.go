package simtest

import (
	"testing"
	"time"
)

// TestFreshSeeds plays schedules of every mix that nobody has played before. To
// play a failure again, put its transcript into testdata.
func TestFreshSeeds(t *testing.T) {
	from := uint64(time.Now().UnixNano())
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
