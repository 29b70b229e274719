package protocol

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFrozen: what wire version 1 looks like does not change. Each golden file of
// messages, changesets and states, and that of a rescue file, is in ../frozen.sum
// with the hash that it was frozen with. A golden file that is not there is new: another version, or a
// message that was not shown before; append it. A line is never changed or removed.
// The list is one of sha256sum's: "cd sync && sha256sum -c frozen.sum".
func TestFrozen(t *testing.T) {
	list, err := os.Open("../frozen.sum")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	frozen := map[string]bool{}
	for sc := bufio.NewScanner(list); sc.Scan(); {
		want, name, ok := strings.Cut(sc.Text(), "  ")
		if !ok || frozen[name] {
			t.Fatalf("frozen.sum: %q is no line, or stands there twice", sc.Text())
		}
		frozen[name] = true
		b, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Errorf("%s is frozen and not there: %v", name, err)
			continue
		}
		if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != want {
			t.Errorf("%s is frozen and was changed: undo that, and give what is new a version of its own (sync/README.md, 9)", name)
		}
	}
	files := 0
	for _, pattern := range []string{"../protocol/testdata/*.golden", "../record/testdata/*.golden"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			files++
			if name := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator))); !frozen[name] {
				t.Errorf("%s is not in sync/frozen.sum: append it", name)
			}
		}
	}
	if files < 30 || len(frozen) < files {
		t.Errorf("found %d golden files and %d lines", files, len(frozen))
	}
}
