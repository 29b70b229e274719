package driver

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"strings"
	"syscall/js"
	"testing"
)

// A place is where a test keeps its store: here the browser's private file system.
type place struct {
	store string
	key   []byte
}

func newPlace(t testing.TB) place {
	t.Helper()
	if js.Global().Get("__sq").IsUndefined() {
		t.Skip("no SQLite under node: web/e2e/harness/gotest.mjs runs this in a browser")
	}
	p := place{store: storeName(t), key: make([]byte, KeySize)}
	_, _ = rand.Read(p.key) // never fails
	remove := func() {
		if err := Remove(context.Background(), p.store); err != nil {
			t.Errorf("remove store: %v", err)
		}
	}
	remove()
	t.Cleanup(remove)
	return p
}

func storeName(t testing.TB) string {
	name := strings.Map(func(r rune) rune {
		if notInName(r) {
			return '-'
		}
		return r
	}, strings.ToLower(t.Name()))
	return name[:min(len(name), 40)]
}

// open uses the registered name, so that both ways in are tested; see TestOpen for the other.
func (p place) open(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("wardbook", p.store+"?key="+hex.EncodeToString(p.key))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	return db
}

func isConstraint(err error) bool { return errors.Is(err, ErrConstraint) }
func isUnique(err error) bool     { return errors.Is(err, ErrUnique) }
func isForeignKey(err error) bool { return errors.Is(err, ErrForeignKey) }
