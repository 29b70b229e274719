package simtest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadmeNamesWhatExists reads the table of what goes wrong in sync/README.md:
// every row is there, each names a test or says what is open, and whatever is named
// exists.
func TestReadmeNamesWhatExists(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, ok := strings.Cut(string(text), "\n## What goes wrong, and the test\n")
	chapter, _, more := strings.Cut(chapter, "\n## ")
	if !ok || !more {
		t.Fatal("sync/README.md has no chapter on what goes wrong")
	}
	tests := testsOf(t)
	chaos, err := os.ReadFile("../../.ci/chaos")
	if err != nil {
		t.Fatal(err)
	}
	exists := map[string]func(name string) bool{
		"bug":        func(name string) bool { b, err := ParseBug(name); return err == nil && b != NoBug },
		"transcript": func(name string) bool { return file("testdata/" + name + ".txt") },
		"journey":    func(name string) bool { return file("../../web/e2e/journey-" + name + ".mjs") },
		"chaos": func(name string) bool {
			return regexp.MustCompile(`(?m)^(go_)?part ` + regexp.QuoteMeta(name) + ` `).Match(chaos)
		},
	}
	row := regexp.MustCompile(`(?m)^\| (R\d\db?) \| (.+) \| (.*) \| (.*)\|$`)
	named := regexp.MustCompile("(?:(bug|transcript|journey|chaos)s? )?`([^`]+)`")
	rows := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(chapter, -1) {
		id, by, open := m[1], m[3], strings.TrimSpace(m[4])
		if rows[id] {
			t.Errorf("%s stands there twice", id)
		}
		rows[id] = true
		found := 0
		kind := ""
		for _, n := range named.FindAllStringSubmatch(by, -1) {
			if n[1] != "" {
				kind = n[1]
			} else if strings.Contains(n[2], ".") || n[2] == "powercut" {
				kind = "" // else one more of the kind before: bugs a, b
			}
			switch {
			case kind != "" && exists[kind](n[2]):
				found++
			case kind == "" && (tests[n[2]] || n[2] == "powercut" && file("../../web/e2e/powercut.mjs")):
				found++
			default:
				t.Errorf("%s names %s `%s`, which does not exist", id, kind, n[2])
			}
		}
		if found == 0 && open == "" {
			t.Errorf("%s names no test and does not say what is open", id)
		}
	}
	for n := 1; n <= 63; n++ {
		if id := fmt.Sprintf("R%02d", n); !rows[id] {
			t.Errorf("%s is missing", id)
		}
	}
	if len(rows) != 64 || !rows["R11b"] {
		t.Errorf("got %d rows, want R01 to R63 and R11b", len(rows))
	}
}

// TestReadmePromisesCanBeShown reads the commands of the promises: what each names
// exists.
func TestReadmePromisesCanBeShown(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, chapter, _ := strings.Cut(string(text), "\n## What is promised\n")
	chapter, _, _ = strings.Cut(chapter, "\n## ")
	tests := testsOf(t)
	in := func(folder, part string) bool {
		for name := range tests {
			if strings.HasPrefix(name, folder+".Test") && strings.Contains(name, part) {
				return true
			}
		}
		return false
	}
	commands := 0
	for _, m := range regexp.MustCompile("`go test \\./([a-z/]+?)(?:/\\.\\.\\.)?(?: -run '([^']+)')?`").FindAllStringSubmatch(chapter, -1) {
		commands++
		for _, part := range strings.Split(m[2], `\|`) {
			if !in(m[1], part) {
				t.Errorf("%s has no test %q", m[1], part)
			}
		}
	}
	for _, m := range regexp.MustCompile("`node e2e/run.mjs ([a-z ]+)`").FindAllStringSubmatch(chapter, -1) {
		commands++
		for _, word := range strings.Fields(m[1]) {
			if !file("../../web/e2e/journey-"+word+".mjs") && !file("../../web/e2e/"+word+".mjs") {
				t.Errorf("there is no browser run %q", word)
			}
		}
	}
	if commands < 5 {
		t.Errorf("found %d commands", commands)
	}
}

func file(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// testsOf lists the tests of the project by every ending of their folder: server/rescue.TestX, rescue.TestX.
func testsOf(t *testing.T) map[string]bool {
	t.Helper()
	tests := map[string]bool{}
	test := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
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
		folder, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		parts := strings.Split(filepath.ToSlash(folder), "/")
		for _, m := range test.FindAllSubmatch(text, -1) {
			for i := range parts {
				tests[strings.Join(parts[i:], "/")+"."+string(m[1])] = true
			}
		}
		return nil
	})
	if err != nil || len(tests) < 500 {
		t.Fatalf("found %d tests, %v", len(tests), err)
	}
	return tests
}
