package sqlite

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
)

var intoMeta = newInsertion(`INSERT INTO meta (key, value) VALUES `, 2, ``)

func insertMany(from, n int) func(*Tx) error {
	return func(tx *Tx) error {
		value := make([]byte, 1) // used again for every row, as a caller may
		for i := range n {
			value[0] = byte('a' + (from+i)%26)
			if err := tx.insert(intoMeta, fmt.Sprintf("bulk-%04d", from+i), string(value)); err != nil {
				return err
			}
		}
		return nil
	}
}

// Rows that were inserted together are there for the next statement, after the
// closure, in any number; of a closure that fails there is none.
func TestInsertedTogether(t *testing.T) {
	s := openTemp(t, Options{})
	ctx := context.Background()
	total := 0
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 200} {
		if err := s.Update(ctx, insertMany(total, n)); err != nil {
			t.Fatal(err)
		}
		total += n
		if got := countMeta(t, s, "bulk-%"); got != total {
			t.Fatalf("after %d more: got %d rows, want %d", n, got, total)
		}
	}
	err := s.Update(ctx, func(tx *Tx) error {
		for i := range 3 {
			if err := insertMany(total+i, 1)(tx); err != nil {
				return err
			}
			var n int
			if err := tx.QueryRow(`SELECT count(*) FROM meta WHERE key LIKE 'bulk-%'`).Scan(&n); err != nil {
				return err
			}
			if n != total+i+1 {
				return fmt.Errorf("the statement after it sees %d rows, want %d", n, total+i+1)
			}
		}
		return errors.New("taken back")
	})
	if err == nil || err.Error() != "taken back" {
		t.Fatalf("got %v, want the closure's own error", err)
	}
	refused := s.Update(ctx, insertMany(total-1, 10)) // its first is there already
	if !isUnique(refused) {
		t.Errorf("a key that is taken: got %v, want SQLite's refusal", refused)
	}
	if got := countMeta(t, s, "bulk-%"); got != total {
		t.Errorf("after two closures that failed: got %d rows, want %d", got, total)
	}
	if err := s.Update(ctx, insertMany(total, 1)); err != nil {
		t.Errorf("after a refusal: %v", err)
	}
}

// Rows that could not be inserted are missing for good: a closure that goes on
// all the same, and says that it is done, is taken back.
func TestInsertRefusedIsNotForgotten(t *testing.T) {
	s := openTemp(t, Options{})
	ctx := context.Background()
	if err := s.Update(ctx, insertMany(0, 1)); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, bulkRows, 20 * bulkRows} {
		err := s.Update(ctx, func(tx *Tx) error {
			insertMany(0, n)(tx)
			for range 2 {
				if _, err := tx.Meta("bulk-0000"); !isUnique(err) {
					t.Errorf("%d rows: the statement after them got %v, want SQLite's refusal", n, err)
				}
			}
			insertMany(n, bulkRows)(tx)
			return nil
		})
		if !isUnique(err) {
			t.Errorf("%d rows: got %v, want SQLite's refusal", n, err)
		}
		if got := countMeta(t, s, "bulk-%"); got != 1 {
			t.Errorf("%d rows: %d are there, want 1", n, got)
		}
	}
}

// A closure that panics while rows are being inserted leaves none.
func TestPanicAmongInserts(t *testing.T) {
	s := openTemp(t, Options{})
	err := s.Update(context.Background(), func(tx *Tx) error {
		insertMany(0, 10*bulkRows)(tx)
		panic("in the midst")
	})
	var p *PanicError
	if !errors.As(err, &p) {
		t.Fatalf("got %v, want the panic", err)
	}
	if got := countMeta(t, s, "bulk-%"); got != 0 {
		t.Errorf("got %d rows, want none", got)
	}
	if err := s.Update(context.Background(), insertMany(0, 200)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A panic in the goroutine that inserts is its closure's, and ends nothing else.
func TestInserterPanics(t *testing.T) {
	s := openTemp(t, Options{})
	err := s.Update(context.Background(), func(tx *Tx) error {
		if err := insertMany(0, 1)(tx); err != nil {
			return err
		}
		tx.hands = startInserter(nil)
		insertMany(1, 10*bulkRows)(tx)
		return nil
	})
	var p *PanicError
	if !errors.As(err, &p) {
		t.Errorf("got %v, want the panic", err)
	}
	if got := countMeta(t, s, "bulk-%"); got != 0 {
		t.Errorf("got %d rows, want none", got)
	}
	if err := s.Update(context.Background(), insertMany(0, 200)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// No closure leaves its goroutine behind, however it ends.
func TestInserterEndsWithItsClosure(t *testing.T) {
	s := openTemp(t, Options{})
	for i, end := range []func(*Tx) error{
		func(*Tx) error { return nil },
		func(*Tx) error { return errors.New("taken back") },
		func(*Tx) error { panic("in the midst") },
		func(tx *Tx) error { return insertMany(0, bulkRows)(tx) }, // are there since the first
		func(tx *Tx) error { _, err := tx.Exec(`ROLLBACK`); return err },
	} {
		s.Update(context.Background(), func(tx *Tx) error {
			if err := insertMany(1000*i, 10*bulkRows)(tx); err != nil {
				return err
			}
			if tx.hands == nil {
				t.Error("no goroutine inserts: the test proves nothing")
			}
			return end(tx)
		})
		all := make([]byte, 1<<20)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
			n := runtime.Stack(all, true)
			if !bytes.Contains(all[:n], []byte("(*inserter).run")) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("end %d: the goroutine is there a minute later:\n%s", i, all[:n])
			}
		}
	}
}

// While rows are read, nothing is inserted beside them: the engine's last error is
// the connection's, and a refusal could be taken for the reader's success.
func TestInsertWhileReading(t *testing.T) {
	s := openTemp(t, Options{})
	ctx := context.Background()
	if err := s.Update(ctx, insertMany(0, 1)); err != nil {
		t.Fatal(err)
	}
	read := func(tx *Tx) *sql.Rows {
		rows, err := tx.Query(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i FROM n`)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	err := s.Update(ctx, func(tx *Tx) error {
		rows, n := read(tx), 0
		for rows.Next() {
			if err := insertMany(10+n, 1)(tx); err != nil {
				return err
			}
			if n++; tx.hands != nil {
				return fmt.Errorf("at row %d a goroutine inserts beside the reader", n)
			}
		}
		if n != 1000 || rows.Err() != nil {
			return fmt.Errorf("read %d rows: %w", n, rows.Err())
		}
		if err := insertMany(2000, 100)(tx); err != nil { // the rows have been read to their end
			return err
		}
		if tx.hands == nil {
			return errors.New("with the rows read no goroutine inserts")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := countMeta(t, s, "bulk-%"); got != 1101 {
		t.Errorf("got %d rows, want 1101", got)
	}
	err = s.Update(ctx, func(tx *Tx) error {
		rows := read(tx)
		rows.Next()
		insertMany(9000, 2*bulkRows-1)(tx)
		insertMany(0, bulkRows)(tx) // the first is there already
		for rows.Next() {
		}
		return rows.Err()
	})
	if !isUnique(err) {
		t.Errorf("a key that is taken: got %v, want SQLite's refusal", err)
	}
	if got := countMeta(t, s, "bulk-%"); got != 1101 {
		t.Errorf("after the refusal: %d rows, want 1101", got)
	}
}

// What is inserted in a view goes nowhere, so it is refused.
func TestInsertInView(t *testing.T) {
	s := openTemp(t, Options{})
	for _, n := range []int{1, 2 * bulkRows} {
		if err := s.View(context.Background(), insertMany(0, n)); !errors.Is(err, errView) {
			t.Errorf("%d rows: got %v, want %v", n, err, errView)
		}
	}
}

// A full disk that the goroutine meets is the answer, though the closure ended for
// another reason, or for none; there is work again once there is room.
func TestFullDiskAmongInserts(t *testing.T) {
	s := openTemp(t, Options{})
	ctx := context.Background()
	limit := func(pages string) func(*Tx) error {
		return func(tx *Tx) error {
			var n int
			return tx.QueryRow(`PRAGMA max_page_count = ` + pages).Scan(&n)
		}
	}
	for _, own := range []error{nil, errors.New("of the closure's own")} {
		if err := s.Update(ctx, limit("1")); err != nil { // SQLite rounds up to the present size
			t.Fatal(err)
		}
		err := s.Update(ctx, func(tx *Tx) error {
			insertMany(0, 100*bulkRows)(tx)
			return own
		})
		var full sqlite3.Error
		if lost := errors.As(err, &full) && full.Code == sqlite3.ErrFull; !lost && (own == nil || !errors.Is(err, own)) {
			t.Errorf("the closure ended with %v: got %v, want disk full", own, err)
		}
		if got := countMeta(t, s, "bulk-%"); got != 0 {
			t.Errorf("got %d rows, want none", got)
		}
		if err := s.Failure(); err != nil {
			t.Fatalf("store failed for a full disk: %v", err)
		}
		if err := s.Update(ctx, limit("100000")); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Update(ctx, insertMany(0, 100*bulkRows)); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// A disk that cannot be trusted is not forgotten because the closure, which was not
// told yet, ended for a reason of its own.
func TestBadDiskAmongInserts(t *testing.T) {
	for name, end := range map[string]func() error{
		"done": func() error { return nil }, "its own error": func() error { return errors.New("of its own") }, "panic": func() error { panic("of its own") },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "wardbook.db")
			s, err := Open(context.Background(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var root int64
			if err := s.View(context.Background(), func(tx *Tx) error {
				return tx.QueryRow(`SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = 'meta'`).Scan(&root)
			}); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.WriteAt(bytes.Repeat([]byte{0xff}, 4096), (root-1)*4096); err != nil {
				t.Fatal(err)
			}
			f.Close()
			if s, err = Open(context.Background(), path, Options{}); err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Update(context.Background(), func(tx *Tx) error {
				insertMany(0, bulkRows)(tx)
				return end()
			})
			if !errors.Is(err, store.ErrFailed) {
				t.Errorf("got %v, want %v", err, store.ErrFailed)
			}
			if s.Failure() == nil {
				t.Error("the store goes on")
			}
		})
	}
}

// Bytes belong to the caller again when insert returns.
func TestInsertCopiesBytes(t *testing.T) {
	s := openTemp(t, Options{})
	into := newInsertion(`INSERT INTO meta (key, value) VALUES `, 2, ``)
	if err := s.Update(context.Background(), func(tx *Tx) error {
		b := []byte("k0")
		for i := range 70 {
			b = append(b[:0], fmt.Sprintf("k%d", i)...)
			if err := tx.insert(into, string(b), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		l := LedgerOf(tx)
		r := ledger.Replica{ID: conflict.ReplicaID{7}}
		if err := l.PutReplica(&r); err != nil {
			return err
		}
		for i := range 70 {
			b = append(b[:0], fmt.Sprintf("body %d", i)...)
			if err := l.AppendIntake(&ledger.Intake{Replica: r.No, Counter: uint64(i + 1), Count: 1, Bytes: b}, nil); err != nil {
				return err
			}
		}
		for i := range 70 {
			in, ok, err := l.Intake(r.No, uint64(i+1))
			if want := fmt.Sprintf("body %d", i); err != nil || !ok || string(in.Bytes) != want {
				return fmt.Errorf("intake %d: got %q, %v, %w, want %q", i+1, in.Bytes, ok, err, want)
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// What was read in advance is what Record reads, and no longer so once it was
// written.
func TestPrefetch(t *testing.T) {
	s := openTemp(t, Options{})
	id := func(n int) conflict.RecordID {
		return conflict.Dot{Replica: conflict.ReplicaID{byte(1 + n%3)}, Counter: uint64(n + 1)}
	}
	const there, asked = 300, 400
	state := func(n, version int) []byte { return fmt.Appendf(nil, "%d.%d", n, version) }
	put := func(l *Ledger, n, version int) error {
		return l.PutRecord(&ledger.Row{ID: id(n), Register: "residents", Unit: "27169", State: state(n, version)})
	}
	check := func(l *Ledger, n, version int) error {
		row, ok, err := l.Record(id(n))
		if err != nil {
			return err
		}
		if ok != (version > 0) || ok && (string(row.State) != string(state(n, version)) || row.ID != id(n) || row.Register != "residents") {
			return fmt.Errorf("record %d: got %+v, %v, want version %d", n, row, ok, version)
		}
		return nil
	}
	err := s.Update(context.Background(), func(tx *Tx) error {
		l := LedgerOf(tx)
		for n := range there {
			if err := put(l, n, 1); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = s.Update(context.Background(), func(tx *Tx) error {
			l := LedgerOf(tx)
			ids := []conflict.RecordID{{Replica: conflict.ReplicaID{99}, Counter: 1}} // of a replica that nobody met
			for n := range asked {
				ids = append(ids, id(n))
			}
			if err := l.Prefetch(ids); err != nil {
				return err
			}
			if _, ok, err := l.Record(ids[0]); ok || err != nil {
				return fmt.Errorf("a record of nobody: got %v, %w", ok, err)
			}
			for n := range asked {
				version := 1
				if n >= there {
					version = 0
				}
				if n%2 == 0 { // written before it is looked at, and then again
					version = 3
					for v := 2; v <= 3; v++ {
						if err := put(l, n, v); err != nil {
							return err
						}
					}
				}
				for range 2 {
					if err := check(l, n, version); err != nil {
						return err
					}
				}
			}
			return nil
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}
