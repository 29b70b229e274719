package simtest

import (
	"os"
	"testing"
)

// TestTrace tells the story of the transcript that WARDBOOK_TRACE names.
func TestTrace(t *testing.T) {
	path := os.Getenv("WARDBOOK_TRACE")
	if path == "" {
		t.Skip("WARDBOOK_TRACE names no transcript")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	c, err := ParseCase(string(text))
	if err != nil {
		t.Fatal(err)
	}
	v, log := c.Trace()
	t.Logf("%s\n%+v", log, v)
}
