package main

import (
	"fmt"
	"os"
	"testing"
)

// The faults of crash_test.go, flush_test.go, disk_test.go, line_test.go and
// flood_test.go are real: real processes, a real file system, real packets.
// go test plays a few of each; `make chaos` plays some, and says in a table
// what, how often and with what result; `make chaos CHAOS=long` plays the full
// counts.

// times picks how often a fault is played.
func times(few, some, many int) int {
	switch os.Getenv("WARDBOOK_CHAOS") {
	case "":
		return few
	case "short":
		return some
	}
	return many
}

// waits marks a test that waits more than it works: in go test it runs beside the
// others of its kind.
func waits(t *testing.T) {
	if os.Getenv("WARDBOOK_CHAOS") == "" {
		t.Parallel()
	}
}

// tell writes a line of the table.
func tell(t *testing.T, what string, often int, result string, a ...any) {
	t.Helper()
	line := fmt.Sprintf("%-64s %6d  %s", what, often, fmt.Sprintf(result, a...))
	t.Log(line)
	path := os.Getenv("WARDBOOK_CHAOS_TABLE")
	if path == "" {
		return
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := fmt.Fprintln(f, line); err != nil {
		t.Fatal(err)
	}
}
