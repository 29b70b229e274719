package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/sync/bench"
)

// TestBenchRunsOnRealParts plays one quick round: every part checks that what
// was pushed is found and what converged is equal. It judges no time.
func TestBenchRunsOnRealParts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds, and more under the race detector")
	}
	program, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bench.json")
	var out, errs bytes.Buffer
	if code := benchCommand(context.Background(), []string{"-quick", "-rounds", "1", "-program", program, "-json", file}, nil, &out, &errs); code != 0 {
		t.Fatalf("got exit code %d: %s", code, errs.String())
	}
	for _, want := range []string{"W1 ", "W2 ", "W3 ", "W4 ", "idle ", "grow ", "rest "} {
		if !strings.Contains(out.String(), "\n"+want) {
			t.Errorf("the table has no line %q:\n%s", want, out.String())
		}
	}
	var b []byte
	if b, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	var r bench.Report
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	if r.NoLine == "" && len(r.Resume.Ours) != r.Work.Drops {
		t.Errorf("the bad line: got %d drops, want %d or a word that there can be no line", len(r.Resume.Ours), r.Work.Drops)
	}
	if r.NoIdle == "" && (r.Idle.Answered != r.Work.Sockets || r.Idle.Bytes <= 0) {
		t.Errorf("idle sockets: got %+v, want %d that answer", r.Idle, r.Work.Sockets)
	}
	for _, name := range []string{"W1", "W2", "W4"} {
		p := r.Pairs[name]
		if len(p.Ours) != 1 || len(p.Floor) != 1 || p.Ours[0].Took <= 0 || p.Ours[0].Up+p.Ours[0].Down == 0 || p.Floor[0].Up+p.Floor[0].Down == 0 {
			t.Errorf("%s: got %+v, want one sample of each side with time and bytes", name, p)
		}
	}
}
