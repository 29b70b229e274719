package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/sync/simtest"
)

// TestSim: the command plays what it is told to, names the commit and the
// seeds, and plays a transcript again.
func TestSim(t *testing.T) {
	file := filepath.Join(t.TempDir(), "case.txt")
	if err := os.WriteFile(file, []byte("# nothing happens\nseed 1 mix plain devices 3\nnew 0 15\nflow 0 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bug := filepath.Join(t.TempDir(), "bug.txt")
	if err := os.WriteFile(bug, []byte("seed 1 mix plain devices 3 bug ack-too-far\nnew 0 15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	town := filepath.Join(t.TempDir(), "city.txt")
	if err := os.WriteFile(town, []byte("# nothing happens\nseed 1 mix city devices 4\nnew 0 15\nsync 0 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name      string
		args      []string
		code      int
		out, errs string
	}{
		{"city", []string{"-seeds", "3", "-from", "1", "-mix", "city"}, 0, "3 schedules in ", ""},
		{"play city", []string{"-play", town}, 0, "sync 0 20\n", ""},
		{"plain", []string{"-seeds", "50", "-from", "1", "-mix", "plain"}, 0, "seeds 1 to 50, mix plain", ""},
		{"all", []string{"-seeds", "8", "-from", "1"}, 0, "8 schedules in ", ""},
		{"fresh", []string{"-seeds", "2"}, 0, "commit ", ""},
		{"play", []string{"-play", file}, 0, "new 0 15\n", ""},
		{"no mix", []string{"-mix", "sunny"}, 2, "", `no mix "sunny"; want one of plain, `},
		{"no seeds", []string{"-seeds", "0"}, 2, "", "-seeds must be at least 1"},
		{"no workers", []string{"-workers", "0"}, 2, "", "-workers must be at least 1"},
		{"argument", []string{"50"}, 2, "", `unexpected argument "50"`},
		{"no file", []string{"-play", file + "x"}, 1, "", "no such file"},
		{"seeded bug", []string{"-play", bug}, 1, "", "for the tests alone"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			if code := simCommand(context.Background(), test.args, nil, &out, &errs); code != test.code {
				t.Errorf("got exit code %d, want %d\n%s%s", code, test.code, out.String(), errs.String())
			}
			if !strings.Contains(out.String(), test.out) || !strings.Contains(errs.String(), test.errs) {
				t.Errorf("got %q and %q, want %q and %q in them", out.String(), errs.String(), test.out, test.errs)
			}
		})
	}
}

// TestSimInterrupted: a run that was stopped does not pass for one that was not.
func TestSimInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	if code := simCommand(ctx, []string{"-seeds", "1000", "-from", "1"}, nil, &out, &errs); code != 1 || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("got exit code %d and %q, want 1 and interrupted", code, errs.String())
	}
}

// TestSimTellsViolation: what is printed of a violation plays it again.
func TestSimTellsViolation(t *testing.T) {
	r := simtest.Run(simtest.Options{Seeds: 100, From: 1, Workers: 1, Bug: simtest.AckTooFar})
	var out bytes.Buffer
	tellReport(&out, r)
	for _, want := range []string{"1 violations", "VIOLATION at seed ", ", mix plain, commit ", "-play FILE", "# acknowledgement: "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got %q, want %q in it", out.String(), want)
		}
	}
	_, transcript, _ := strings.Cut(out.String(), "is a test.\n\n")
	c, err := simtest.ParseCase(transcript)
	if err != nil {
		t.Fatalf("%q: %v", transcript, err)
	}
	if v := c.Run(); v == nil || v.Oracle != "acknowledgement" {
		t.Errorf("played again: got %+v, want a violation of acknowledgement", v)
	}
}
