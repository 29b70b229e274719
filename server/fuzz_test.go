package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFuzzTargetsHaveSeeds: what was once found, and what reaches far into a
// parser, is kept beside it, so that go test tries it each time.
func TestFuzzTargetsHaveSeeds(t *testing.T) {
	target := regexp.MustCompile(`(?m)^func (Fuzz\w+)\(\w+ \*testing\.F\)`)
	targets := 0
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range target.FindAllSubmatch(text, -1) {
			targets++
			seeds, err := filepath.Glob(filepath.Join(filepath.Dir(path), "testdata", "fuzz", string(m[1]), "*"))
			if err != nil {
				return err
			}
			if len(seeds) == 0 {
				t.Errorf("%s: %s has no seed under testdata/fuzz/%s", path, m[1], m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if targets < 30 {
		t.Errorf("got %d fuzz targets, want at least 30: they were not found", targets)
	}
}
