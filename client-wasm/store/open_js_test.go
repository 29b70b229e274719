package store

import (
	"context"
	"crypto/rand"
	"strings"
	"syscall/js"
	"testing"

	"wardbook/client-wasm/store/driver"
	"wardbook/client-wasm/store/storetest"
)

// inBrowser is a place in the browser's private file system.
type inBrowser struct{ config driver.Config }

func (p inBrowser) Open(t *testing.T) storetest.Store {
	t.Helper()
	db, err := driver.Open(context.Background(), p.config)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (p inBrowser) Let(t *testing.T, s storetest.Store) {
	t.Helper()
	if err := s.(*Store).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteInBrowser(t *testing.T) {
	if js.Global().Get("__sq").IsUndefined() {
		t.Skip("no SQLite under node: web/e2e/harness/gotest.mjs runs this in a browser")
	}
	storetest.Run(t, func(t *testing.T) storetest.Place {
		name := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
				return r
			}
			return '-'
		}, strings.ToLower(t.Name()[strings.Index(t.Name(), "/")+1:]))
		p := inBrowser{driver.Config{Store: name[:min(len(name), 40)], Key: make([]byte, driver.KeySize)}}
		_, _ = rand.Read(p.config.Key) // never fails
		remove := func() {
			if err := driver.Remove(context.Background(), p.config.Store); err != nil {
				t.Errorf("remove store: %v", err)
			}
		}
		remove()
		t.Cleanup(remove)
		return p
	})
}
