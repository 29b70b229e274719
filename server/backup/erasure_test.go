package backup

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/erasure"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
)

// TestErasedAgain: a restored backup forgets what was erased since, before it replaces
// anything; without the list's key nothing is replaced; and the doctor sees whatever
// list and database do not agree on.
func TestErasedAgain(t *testing.T) {
	ctx := context.Background()
	w := &work{World: hubtest.New(t, time.Time{}, "addresses")}
	w.dir = filepath.Dir(w.Store.Path())
	keys := filepath.Join(w.dir, keysFolder)
	values := hubtest.Address(1)
	values["street"] = "CANARY"
	gone := w.Save(unit, "addresses", conflict.RecordID{}, values)
	w.Approve(unit, gone)
	stays := w.Save(unit, "addresses", conflict.RecordID{}, hubtest.Address(2))
	w.Approve(unit, stays)
	before := mustMake(t, w.dir)
	key, err := auth.ErasedKey(keys)
	if err != nil {
		t.Fatal(err)
	}
	list, err := erasure.OpenList(keys, key, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := list.Append(erasure.Entry{Record: gone, Register: "addresses", Unit: unit, At: time.Now().UnixMilli(), Request: "r", Ground: "order", AskedBy: "an", By: "binh"}, 0); err != nil {
		t.Fatal(err)
	}
	list.Close()
	wrong := func(what string) string {
		t.Helper()
		r, err := Examine(ctx, w.dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range r.Findings {
			if strings.Contains(f.What, what) {
				return strings.Join(f.Wrong, "; ")
			}
		}
		t.Fatalf("the doctor does not look at %q", what)
		return ""
	}
	if got := wrong("erased by law"); !strings.Contains(got, "is not erased from the database") {
		t.Errorf("listed and not erased: got %q", got)
	}
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	holds := func() bool {
		t.Helper()
		b, err := os.ReadFile(DatabasePath(w.dir))
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Contains(b, []byte("CANARY"))
	}

	// Without the key, and with a damaged list, nothing changes.
	sealed, err := os.ReadFile(filepath.Join(w.dir, keysFile))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(erasure.ListPath(w.dir))
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, file string, b []byte, newKeys bool) {
		t.Helper()
		saved := map[string][]byte{keysFile: sealed, "keys/erased": lines}[file]
		path := filepath.Join(w.dir, file)
		if b == nil {
			err = os.Remove(path)
		} else {
			err = os.WriteFile(path, b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(ctx, before, w.dir, newKeys, time.Now()); err == nil || !strings.Contains(err.Error(), "keys") {
			t.Errorf("%s: got %v, want a refusal", what, err)
		}
		if !holds() {
			t.Errorf("%s: the database was replaced", what)
		}
		if err := os.WriteFile(path, saved, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	refused("no keys", keysFile, nil, true)
	refused("another key", keysFile, bytes.Replace(sealed, []byte(`"erased": "`), []byte(`"erased": "A`), 1), false)
	refused("a damaged list", "keys/erased", append([]byte("x"), lines...), false)
	if got := wrong("erased by law"); !strings.Contains(got, "is not erased from the database") {
		t.Errorf("as it was: got %q", got)
	}

	done, err := Restore(ctx, before, w.dir, false, time.Now())
	if err != nil || done.Erased != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	if holds() {
		t.Error("the name is in the restored database")
	}
	if got := wrong("erased by law"); got != "" {
		t.Errorf("restored: got %q", got)
	}
	if got := wrong("left beside"); got != "" {
		t.Errorf("put aside after the erasure, and is said to be from before: %q", got)
	}
	// Lists that say something else than the database.
	number, _, _ := strings.Cut(string(lines), " ")
	for _, c := range []struct {
		what string
		list []byte
		want string
	}{
		{"no list", nil, "the list lacks number " + number + ","},
		{"a torn line", append(lines[:len(lines):len(lines)], "2 erased"...), "not whole"},
		{"a damaged line", append([]byte("x"), lines...), "line 1"},
	} {
		if err := os.WriteFile(erasure.ListPath(w.dir), c.list, 0o600); err != nil {
			t.Fatal(err)
		}
		if got := wrong("erased by law"); !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want that %s", c.what, got, c.want)
		}
	}
	if err := os.WriteFile(erasure.ListPath(w.dir), lines, 0o600); err != nil {
		t.Fatal(err)
	}
	// What an older restore put aside, and one that was cut short.
	for _, name := range []string{setAside + "20200101T000000.000Z", restoring} {
		if err := os.Mkdir(filepath.Join(w.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if got := wrong("left beside"); !strings.Contains(got, name) {
			t.Errorf("%s: got %q", name, got)
		}
	}
	// A row that came back, however.
	st, err := sqlite.Open(ctx, DatabasePath(w.dir), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Update(ctx, func(tx *sqlite.Tx) error {
		return sqlite.LedgerOf(tx).PutRecord(&ledger.Row{ID: gone, Register: "addresses", Unit: unit, State: []byte{0}})
	})
	if err := errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	if got := wrong("erased by law"); !strings.Contains(got, "has a row") {
		t.Errorf("a row: got %q", got)
	}
}
