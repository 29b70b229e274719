//go:build !js

package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/client-wasm/store/storetest"
)

// file is a place in a native file.
type file struct{ path string }

func (f file) Open(t *testing.T) storetest.Store {
	t.Helper()
	s, err := Open(context.Background(), f.path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func (f file) Let(t *testing.T, s storetest.Store) {
	t.Helper()
	if err := s.(*Store).Close(); err != nil {
		t.Fatal(err)
	}
}

func TestSQLite(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Place { return file{filepath.Join(t.TempDir(), "store ?#%.db")} })
}

func TestOpenAssertsDurability(t *testing.T) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "s.db")+"?_journal_mode=WAL&_synchronous=NORMAL")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := assertDurable(context.Background(), db); err == nil || !strings.Contains(err.Error(), "FULL") {
		t.Errorf("NORMAL: got %v, want a refusal", err)
	}
}

func TestMigrateRefusesOtherHistories(t *testing.T) {
	ctx := context.Background()
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		sql  string
		want string
	}{
		{"newer store", `INSERT INTO migrations VALUES (99, '0099_later.sql', 'x')`, "newer version"},
		{"edited step", `UPDATE migrations SET hash = 'x' WHERE number = 1`, "edited"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "s.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if err := migrateTo(ctx, db, all); err != nil {
				t.Fatal(err)
			}
			if err := migrateTo(ctx, db, all); err != nil {
				t.Fatalf("a second time: %v", err)
			}
			if _, err := db.Exec(c.sql); err != nil {
				t.Fatal(err)
			}
			if err := migrateTo(ctx, db, all); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
