//go:build !js

package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/record"
	"wardbook/sync/register/templates"
)

// was is what stands in testdata/first.sql: a store of the first schema's
// program with 56 unsent changesets (40 new residents, 15 edits, a deletion),
// an open form and a reveal that nobody has heard of.
const (
	wasUnsent = 56
	wasLast   = 232
)

// TestUpdateCarriesTheOutbox opens a store of the first schema, and of every
// one since, with this program: each unsent changeset is there byte for byte
// and under its number, the list shows them, the open form is where it was, and
// the next save goes on counting.
func TestUpdateCarriesTheOutbox(t *testing.T) {
	all, err := migrations()
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile("testdata/first.sql")
	if err != nil {
		t.Fatal(err)
	}
	for from := 1; from <= len(all); from++ {
		t.Run(all[from-1].name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			before := lay(t, path, all[:from], all[:1], string(first))
			if len(before) != wasUnsent {
				t.Fatalf("got %d changesets in the store of old, want %d", len(before), wasUnsent)
			}
			// An update may be stopped at any step, and again.
			for stop := from; stop < len(all); stop++ {
				migrateFile(t, path, all[:stop])
			}
			ctx := context.Background()
			s, err := Open(ctx, path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			checkCarried(t, s, before)
		})
	}
}

// lay makes a store as the first schema's program left it, brought to the
// steps of from by programs since, and returns the outbox's bytes by counter.
func lay(t *testing.T, path string, from, first []migration, rows string) map[int64][]byte {
	t.Helper()
	migrateFile(t, path, first)
	db := raw(t, path)
	if _, err := db.Exec(rows); err != nil {
		t.Fatal(err)
	}
	before := outboxOf(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	migrateFile(t, path, from)
	return before
}

func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_foreign_keys=on")
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func migrateFile(t *testing.T, path string, steps []migration) {
	t.Helper()
	db := raw(t, path)
	if err := migrateTo(context.Background(), db, steps); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func outboxOf(t *testing.T, db *sql.DB) map[int64][]byte {
	t.Helper()
	rows, err := db.Query(`SELECT first, body FROM outbox`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[int64][]byte{}
	for rows.Next() {
		var first int64
		var body []byte
		if err := rows.Scan(&first, &body); err != nil {
			t.Fatal(err)
		}
		all[first] = body
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func checkCarried(t *testing.T, s *Store, before map[int64][]byte) {
	t.Helper()
	ctx := context.Background()
	now := int64(1_796_000_000_000)
	r, err := replica.Open(ctx, replica.Config{Store: s, Now: func() int64 { return now }, Rand: rand.Reader, Lang: "vi"})
	if err != nil {
		t.Fatal(err)
	}
	defs, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range defs {
		if err := r.SetDefinitions(ctx, d.Marshal()); err != nil {
			t.Fatal(err)
		}
	}
	of, unsent, err := r.Unsent(ctx)
	if err != nil {
		t.Fatal(err)
	}
	meta := r.Meta()
	if len(unsent) != wasUnsent || of != meta.Replica || meta.Last != wasLast || meta.Acked != 0 {
		t.Errorf("%d unsent of %s, acknowledged %d of %d; want %d, 0 of %d", len(unsent), of, meta.Acked, meta.Last, wasUnsent, wasLast)
	}
	for _, c := range unsent {
		if !bytes.Equal(c.Bytes, before[int64(c.First)]) {
			t.Errorf("changeset %d has other bytes now", c.First)
		}
		parsed, err := record.ParseChangeset(c.Bytes)
		if err != nil || parsed.Author != "officer.a" || parsed.Unit != "27169" {
			t.Errorf("changeset %d: %+v, %v", c.First, parsed, err)
		}
	}
	list, err := r.List(ctx, replica.ListRequest{Register: "residents", Search: "dang thi hoa", Limit: 100})
	if err != nil || list.Total != 39 {
		t.Errorf("the list shows %d, %v, want 39: one of 40 is deleted", list.Total, err)
	}
	drafts, err := r.Drafts(ctx)
	if err != nil || len(drafts) != 1 || drafts[0].Values["full_name"] != "Đang viết dở" {
		t.Errorf("open forms: %+v, %v", drafts, err)
	}
	if reveals, err := r.Reveals(ctx); err != nil || len(reveals) != 1 {
		t.Errorf("reveals to report: %+v, %v", reveals, err)
	}
	form, err := r.OpenForm(ctx, "", "residents")
	if err != nil {
		t.Fatal(err)
	}
	saved, err := r.Save(ctx, replica.SaveRequest{Key: form.Key, Values: map[string]string{"full_name": "Sau khi cập nhật"}})
	if err != nil || !saved.Saved || saved.ID == "" || r.Meta().Last <= wasLast {
		t.Errorf("the next save: saved %v, %v, last %d", saved.Saved, err, r.Meta().Last)
	}
}
