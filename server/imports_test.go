package main

import (
	"os/exec"
	"strings"
	"testing"
)

// arrows are the rooms of the house in the order in which imports may point:
// a room may import those before it and no other of ours.
var arrows = []struct {
	room string
	may  []string
}{
	{"wardbook/conflict", nil},
	{"wardbook/sync/register", []string{"wardbook/conflict", "wardbook/sync/register"}},
	{"wardbook/sync/record", []string{"wardbook/conflict", "wardbook/sync/register", "wardbook/sync/record"}},
	{"wardbook/sync/protocol", []string{"wardbook/conflict", "wardbook/sync/register", "wardbook/sync/record", "wardbook/sync/protocol"}},
	{"wardbook/sync/session", []string{"wardbook/conflict", "wardbook/sync/register", "wardbook/sync/record", "wardbook/sync/protocol", "wardbook/sync/session"}},
	{"wardbook/sync/rescue", []string{"wardbook/conflict", "wardbook/sync/rescue"}},
	{"wardbook/client-wasm", []string{"wardbook/conflict", "wardbook/sync/register", "wardbook/sync/record", "wardbook/sync/protocol", "wardbook/sync/session", "wardbook/sync/rescue", "wardbook/client-wasm"}},
	{"wardbook/server", []string{"wardbook/conflict", "wardbook/sync", "wardbook/server", "wardbook/web"}},
}

// homes are the only packages that may import an outside module.
var homes = map[string][]string{
	"github.com/mattn/go-sqlite3":         {"wardbook/server/store/sqlite", "wardbook/client-wasm", "wardbook/client-wasm/store", "wardbook/sync/bench"},
	"github.com/gorilla/websocket":        {"wardbook/server/replication", "wardbook/client-wasm", "wardbook/sync/bench"},
	"github.com/golang-jwt/jwt":           {"wardbook/server/auth"},
	"github.com/go-kit/kit":               {"wardbook/server/rpc"},
	"github.com/go-kit/log":               nil,
	"github.com/syumai/workers":           {"wardbook/server/edge"},
	"gopkg.in/yaml.v3":                    {"wardbook/sync/register/templates"},
	"github.com/go-kit/kit/auth/jwt":      nil,
	"golang.org/x/text/collate":           nil,
	"github.com/prometheus/client_golang": {"wardbook/server", "wardbook/server/rpc", "wardbook/server/replication"},
}

// within reports whether path is room or below it.
func within(path, room string) bool { return path == room || strings.HasPrefix(path, room+"/") }

// list runs go list in the module's root and returns its lines.
func list(t *testing.T, env []string, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	cmd.Dir = ".."
	cmd.Env = append(cmd.Environ(), env...)
	out, err := cmd.Output()
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		t.Fatalf("go list %v: %v\n%s", args, err, stderr)
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestImportsPointOneWay(t *testing.T) {
	for _, env := range [][]string{nil, {"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0"}} {
		pattern := "./..."
		if env != nil {
			pattern = "./client-wasm/..."
		}
		for _, line := range list(t, env, "-e", "-f", `{{.ImportPath}}:{{join .Imports ","}}`, pattern) {
			path, imports, _ := strings.Cut(line, ":")
			for imported := range strings.SplitSeq(imports, ",") {
				checkImport(t, path, imported)
			}
		}
	}
}

func checkImport(t *testing.T, path, imported string) {
	t.Helper()
	for module, allowed := range homes {
		if !within(imported, module) {
			continue
		}
		at := false
		for _, home := range allowed {
			at = at || path == home
		}
		if !at {
			t.Errorf("%s imports %s, whose home is %v", path, imported, allowed)
		}
	}
	// The simulator, the benchmark and the drill drive both ends; no other room may.
	if !within(imported, "wardbook") || within(path, "wardbook/sync/simtest") || within(path, "wardbook/sync/bench") || within(path, "wardbook/sync/drill") {
		return
	}
	for _, a := range arrows {
		if !within(path, a.room) {
			continue
		}
		for _, room := range a.may {
			if within(imported, room) {
				return
			}
		}
		t.Errorf("%s imports %s: want one of %v", path, imported, a.may)
		return
	}
}

func TestBrowserModuleLeavesHTTPOut(t *testing.T) {
	deps := list(t, []string{"GOOS=js", "GOARCH=wasm", "CGO_ENABLED=0"}, "-deps", "./client-wasm")
	if len(deps) < 20 {
		t.Fatalf("got %d dependencies of the browser module, want many", len(deps))
	}
	for _, d := range deps {
		for _, heavy := range []string{"net/http", "gopkg.in/yaml.v3", "github.com/mattn/go-sqlite3", "github.com/gorilla/websocket", "crypto/tls", "golang.org/x/text/collate"} {
			if d == heavy {
				t.Errorf("the browser module reaches %s", d)
			}
		}
	}
}
