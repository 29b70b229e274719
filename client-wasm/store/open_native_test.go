//go:build !js

package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store/storetest"
	"wardbook/conflict"
	"wardbook/sync/record"
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

// TestFlippedBytes changes one byte of a closed store at many places: whatever
// the outbox still gives is what its author wrote (R41).
func TestFlippedBytes(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	path := filepath.Join(dir, "store.db")
	s, err := Open(ctx, path)
	if err != nil {
		t.Fatal(err)
	}
	own := conflict.ReplicaID{1}
	want := map[uint64]string{}
	b := &replica.Batch{}
	for n := uint64(1); n <= 60; n++ {
		d := conflict.Dot{Replica: own, Counter: n}
		c := record.Changeset{Dot: d, Unit: "27169", Author: "officer.a", At: 1_800_000_000_000 + int64(n), Edits: []record.Edit{{Record: d, Register: "residents", Definition: 1,
			Writes: []record.Write{{Key: conflict.Key(20), Value: conflict.Value(fmt.Sprintf("Nguyễn Văn %d %s", n, strings.Repeat("x", 100)))}}}}}
		canonical := record.AppendChangeset(nil, c)
		want[n] = string(canonical)
		b.Append = append(b.Append, replica.Entry{No: n, Changeset: c, Hash: record.HashOf(canonical)})
	}
	if err := errors.Join(s.Commit(ctx, b), s.Close()); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	given, refused := 0, 0
	for at := 50; at < len(whole); at += 997 {
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x01
		file := filepath.Join(dir, fmt.Sprintf("damaged-%d.db", at))
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(ctx, file)
		if err != nil {
			refused++
			continue
		}
		for from := uint64(1); from <= 60; from++ {
			all, err := s.Outbox(ctx, own, from, 1<<20, 1)
			if err != nil {
				refused++
				continue
			}
			if len(all) == 0 || all[0].Changeset.Dot.Counter != from {
				refused++ // it is damaged, and left out
			}
			for _, e := range all {
				given++
				if got := string(record.AppendChangeset(nil, e.Changeset)); got != want[e.Changeset.Dot.Counter] {
					t.Errorf("byte %d flipped: changeset %d is given as %q, want %q", at, e.Changeset.Dot.Counter, got, want[e.Changeset.Dot.Counter])
				}
			}
		}
		s.Close()
	}
	if given == 0 || refused == 0 {
		t.Errorf("got %d entries and %d refusals: the test proves nothing", given, refused)
	}
}
