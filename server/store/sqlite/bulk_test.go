package sqlite

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
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
