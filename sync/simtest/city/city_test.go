package city

import (
	"os"
	"path/filepath"
	"testing"
)

// TestSeeds plays fixed seeds.
func TestSeeds(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 60
	}
	report := Run(Options{Seeds: n, Stop: 3})
	t.Logf("%d schedules in %v", report.Schedules, report.Elapsed)
	for _, f := range report.Failures {
		t.Errorf("seed %d, %s: %s\n%s", f.Seed, f.Oracle, f.Detail, f.Transcript())
	}
}

// TestSameAgain: a schedule that is played again does the same.
func TestSameAgain(t *testing.T) {
	for seed := range uint64(12) {
		c := Options{}.Case(seed + 1)
		v, first := c.Trace()
		w, again := c.Trace()
		if first != again {
			t.Fatalf("seed %d: got %v\n%s\nthen %v\n%s", c.Seed, v, first, w, again)
		}
	}
}

// TestRegressions plays every schedule that once failed.
func TestRegressions(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d transcripts, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, err := ParseCase(string(text))
			if err != nil {
				t.Fatal(err)
			}
			if got := c.Transcript(); got != string(text) || !IsTranscript(got) {
				t.Errorf("written again: got\n%s\nwant\n%s", got, text)
			}
			if v, log := c.Trace(); v != nil {
				t.Errorf("%s: %s\n%s", v.Oracle, v.Detail, log)
			}
		})
	}
}
