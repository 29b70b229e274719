package simtest

import (
	"os"
	"path/filepath"
	"testing"
)

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
			if got := c.Transcript(); got != string(text) {
				t.Errorf("written again: got\n%s\nwant\n%s", got, text)
			}
			if v, log := c.Trace(); v != nil {
				t.Errorf("%s: %s\n%s", v.Oracle, v.Detail, log)
			}
		})
	}
}
