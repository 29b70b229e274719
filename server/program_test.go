package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// programs is a folder for what the tests build; it goes when they are over.
var programs = sync.OnceValues(func() (string, error) { return os.MkdirTemp("", "wardbook-test-") })

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := programs(); err != nil || os.RemoveAll(dir) != nil {
		fmt.Fprintln(os.Stderr, "the programs that were built stay in", dir)
	}
	os.Exit(code)
}

// The real programs, each built once for the tests that need processes.
var (
	buildServer = built("wardbook", ".")
	buildDevice = built("wardbook-device", "../client-wasm")
)

func built(name, pkg string) func() (string, error) {
	return sync.OnceValues(func() (string, error) {
		dir, err := programs()
		if err != nil {
			return "", err
		}
		bin := filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", bin, pkg).CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %v\n%s", name, err, out)
		}
		return bin, nil
	})
}
