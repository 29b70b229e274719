package erasure

import (
	"bytes"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
)

var testKey = bytes.Repeat([]byte{3}, 32)

func entry(n byte) Entry {
	return Entry{Record: conflict.RecordID{Replica: conflict.ReplicaID{n}, Counter: uint64(n)}, Register: "residents", Unit: "26734", At: 1000 + int64(n),
		Request: strings.Repeat("a", int(n)), Ground: "order", AskedBy: "an", By: "binh"}
}

func openList(t *testing.T, dir string) *List {
	t.Helper()
	l, err := OpenList(dir, testKey, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// filled returns the folder of a list of three lines, and their entries.
func filled(t *testing.T) (dir string, all []Entry) {
	t.Helper()
	dir = t.TempDir()
	l := openList(t, dir)
	for n := byte(1); n <= 3; n++ {
		e := entry(n)
		least := uint64(0)
		if n == 3 {
			least = 6
		}
		var err error
		if e.Number, err = l.Append(e, least); err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, all
}

func TestListKeepsWhatItWasGiven(t *testing.T) {
	dir, all := filled(t)
	if all[0].Number != 1 || all[1].Number != 2 || all[2].Number != 7 {
		t.Errorf("got numbers %d, %d, %d, want 1, 2 and the one after 6", all[0].Number, all[1].Number, all[2].Number)
	}
	l := openList(t, dir)
	if got := l.Entries(); !slices.Equal(got, all) {
		t.Errorf("opened: got %+v, want %+v", got, all)
	}
	got, torn, err := ReadList(dir, testKey)
	if err != nil || torn || !slices.Equal(got, all) {
		t.Errorf("read: got %+v, %v, %v", got, torn, err)
	}
	if e, ok := l.Find("aa"); !ok || e != all[1] {
		t.Errorf("found %+v, %v", e, ok)
	}
	if _, ok := l.Find("b"); ok {
		t.Error("found a request that nobody made")
	}
	e := entry(4)
	e.Number = 7
	if _, err := l.Append(e, 0); !errors.Is(err, ErrList) {
		t.Errorf("a number twice: got %v", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, listFile))
	if err != nil || bytes.Contains(raw, []byte("residents")) || bytes.Contains(raw, []byte(all[0].Record.String())) || bytes.Contains(raw, []byte("binh")) {
		t.Errorf("the list can be read without its key: %s, %v", raw, err)
	}
	info, err := os.Stat(filepath.Join(dir, listFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %v, %v", info.Mode(), err)
	}
	if none, torn, err := ReadList(t.TempDir(), nil); len(none) > 0 || torn || err != nil {
		t.Errorf("no list: got %v, %v, %v", none, torn, err)
	}
}

// TestListCutAnywhere: whatever a power cut leaves of the last line, the lines before
// stand, and the list goes on.
func TestListCutAnywhere(t *testing.T) {
	dir, all := filled(t)
	path := filepath.Join(dir, listFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	two := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for size := two; size < len(whole); size++ {
		torn := append(slices.Clone(whole[:size]), make([]byte, size%3)...) // a file may be longer than what was written
		if size%2 == 0 {
			torn = whole[:size]
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if got, is, err := ReadList(dir, testKey); err != nil || is != (len(torn) > two) || !slices.Equal(got, all[:2]) {
			t.Fatalf("cut at %d, read: got %d entries, torn %v, %v", size, len(got), is, err)
		}
		l := openList(t, dir)
		if got := l.Entries(); !slices.Equal(got, all[:2]) {
			t.Fatalf("cut at %d: got %+v", size, got)
		}
		if n, err := l.Append(all[2], 0); err != nil || n != 7 {
			t.Fatalf("cut at %d: got %d, %v", size, n, err)
		}
		l.Close()
		if got := openList(t, dir).Entries(); !slices.Equal(got, all) {
			t.Fatalf("cut at %d, appended again: got %+v", size, got)
		}
	}
}

// TestListDamaged: no other damage goes unseen, and the words name the file.
func TestListDamaged(t *testing.T) {
	dir, _ := filled(t)
	path := filepath.Join(dir, listFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string, b, key []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, read := ReadList(dir, key)
		_, err := OpenList(dir, key, rand.Reader)
		for _, err := range []error{read, err} {
			if !errors.Is(err, ErrList) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%s: got %v, want a refusal that names the file", what, err)
			}
		}
		if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, b) {
			t.Fatalf("%s: the damaged list was changed", what)
		}
	}
	last := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 1
		if i == len(whole)-1 || b[i] == '\n' && i >= last {
			continue // a last line that is not whole
		}
		refused("a byte changed", b, testKey)
	}
	lines := bytes.SplitAfter(whole, []byte("\n"))
	refused("the first line taken out", slices.Concat(lines[1], lines[2]), testKey)
	refused("a line taken out of the midst", slices.Concat(lines[0], lines[2]), testKey)
	refused("two lines changed about", slices.Concat(lines[1], lines[0], lines[2]), testKey)
	refused("a line twice", slices.Concat(lines[0], lines[0]), testKey)
	refused("another key", whole, bytes.Repeat([]byte{4}, 32))
	if _, _, err := ReadList(dir, nil); !errors.Is(err, ErrList) {
		t.Errorf("no key: got %v", err)
	}
	if err := errors.Join(os.WriteFile(path, whole, 0o600), os.Chmod(path, 0o644)); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenList(dir, testKey, rand.Reader); err == nil || !strings.Contains(err.Error(), "0600") {
		t.Errorf("open to others: got %v", err)
	}
}

// FuzzReadList: no bytes make it panic, and what it takes it takes again.
func FuzzReadList(f *testing.F) {
	dir := f.TempDir()
	l, err := OpenList(dir, testKey, rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(entry(1), 0); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, listFile))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte("1 erased AAAA\n"))
	f.Add([]byte("1 erased\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, listFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		got, torn, err := ReadList(dir, testKey)
		l, again := OpenList(dir, testKey, rand.Reader)
		if (err == nil) != (again == nil) {
			t.Fatalf("read: %v, opened: %v", err, again)
		}
		if err != nil {
			return
		}
		defer l.Close()
		if !slices.Equal(l.Entries(), got) {
			t.Errorf("opened %v, read %v", l.Entries(), got)
		}
		if info, err := os.Stat(filepath.Join(dir, listFile)); err != nil || torn != (info.Size() < int64(len(b))) {
			t.Errorf("torn %v, and %d of %d bytes stay", torn, info.Size(), len(b))
		}
	})
}

// TestNumbersAreNotGivenTwice: of an older list that was put back the next number is
// not one that devices have heard of.
func TestNumbersAreNotGivenTwice(t *testing.T) {
	dir := t.TempDir()
	l := openList(t, dir)
	at := func(n byte, minute int64) Entry { e := entry(n); e.At = minute * 60_000; return e }
	first, err := l.Append(at(1, 1000), 0)
	if err != nil {
		t.Fatal(err)
	}
	old, err := os.ReadFile(filepath.Join(dir, listFile))
	if err != nil {
		t.Fatal(err)
	}
	lost, err := l.Append(at(2, 1001), first)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Close(), os.WriteFile(filepath.Join(dir, listFile), old, 0o600)); err != nil {
		t.Fatal(err)
	}
	l = openList(t, dir)
	defer l.Close()
	next, err := l.Append(at(3, 1005), first)
	if err != nil || next <= lost || lost <= first {
		t.Errorf("got numbers %d, %d and, with the second lost, %d (%v), want them to rise", first, lost, next, err)
	}
}
