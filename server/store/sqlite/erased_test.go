package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/sync/record"
)

func openAt(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func recordNo(n uint64) conflict.RecordID {
	return conflict.RecordID{Replica: conflict.ReplicaID{1}, Counter: n}
}

// TestErasedIsWhatIsCommitted: the set in memory says what the transaction would, in
// the closure itself, in the closures behind it, after a rollback, and after the
// next opening.
func TestErasedIsWhatIsCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := openAt(t, path)
	ctx := context.Background()
	broken := errors.New("broken")
	erase := func(n uint64, fail error) error {
		return s.Update(ctx, func(tx *Tx) error {
			l := LedgerOf(tx)
			if err := l.PutErasure(&ledger.Erasure{Number: n, Record: recordNo(n), At: 1}); err != nil {
				return err
			}
			if is, err := l.Erased(recordNo(n)); err != nil || !is {
				t.Errorf("in its own closure: got %v, %v", is, err)
			}
			return fail
		})
	}
	want := func(when string, n uint64, want bool) {
		t.Helper()
		look := func(how string) func(tx *Tx) error {
			return func(tx *Tx) error {
				is, err := LedgerOf(tx).Erased(recordNo(n))
				if is != want {
					t.Errorf("%s, record %d, %s: got erased %v, want %v", when, n, how, is, want)
				}
				return err
			}
		}
		r, err := OpenReader(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := errors.Join(s.View(ctx, look("seen by a reader")), s.Update(ctx, look("seen by the writer")), r.View(ctx, look("seen from outside"))); err != nil {
			t.Fatal(err)
		}
	}
	if err := erase(1, nil); err != nil {
		t.Fatal(err)
	}
	if err := erase(2, broken); !errors.Is(err, broken) {
		t.Fatal(err)
	}
	want("after a commit", 1, true)
	want("after a closure that failed", 2, false)

	// Two closures of one transaction, which the second loses for both.
	gate, entered := make(chan struct{}), make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		if err := s.Update(ctx, func(tx *Tx) error { close(entered); <-gate; return nil }); err == nil {
			t.Error("a closure whose transaction was lost was told that it stands")
		}
	})
	queued := func(n int) {
		t.Helper()
		for late := time.Now().Add(time.Minute); len(s.queue) < n; time.Sleep(time.Millisecond) {
			if time.Now().After(late) {
				t.Fatalf("%d of %d closures wait after a minute", len(s.queue), n)
			}
		}
	}
	<-entered
	all.Go(func() {
		if err := erase(3, nil); err == nil {
			t.Error("an erasure whose transaction was lost was told that it stands")
		}
	})
	queued(1)
	all.Go(func() {
		err := s.Update(ctx, func(tx *Tx) error {
			if is, err := LedgerOf(tx).Erased(recordNo(3)); err != nil || !is {
				t.Errorf("in the closure behind: got %v, %v, want that it is erased", is, err)
			}
			_, err := tx.Exec(`INSERT OR ROLLBACK INTO meta (key, value) VALUES ('x', NULL)`)
			return err
		})
		if err == nil {
			t.Error("a rollback went unseen")
		}
	})
	queued(2)
	close(gate)
	all.Wait()
	if err := s.Failure(); err != nil {
		t.Fatal(err)
	}
	want("after a transaction that was lost", 3, false)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openAt(t, path)
	want("after the next opening", 1, true)
	want("after the next opening", 2, false)
}

// TestEmptyLeavesNothing: what was replaced or taken out stands nowhere in the file
// any more, and in no file beside it, although rows moved between pages.
func TestEmptyLeavesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	s := openAt(t, path)
	ctx := context.Background()
	update := func(work func(tx *Tx) error) {
		t.Helper()
		if err := s.Update(ctx, work); err != nil {
			t.Fatal(err)
		}
	}
	random := rand.New(rand.NewSource(1))
	const records = 3000
	name := func(n int) []byte { return []byte(fmt.Sprintf("CANARY%05d.", n)) }
	put := func(l *Ledger, n int, state []byte) error {
		return l.PutRecord(&ledger.Row{ID: recordNo(uint64(n)), Register: "residents", Unit: "26734", State: state})
	}
	for range 20 {
		update(func(tx *Tx) error {
			l := LedgerOf(tx)
			for range 300 {
				n := random.Intn(records)
				if err := put(l, n, append(name(n), bytes.Repeat([]byte{'x'}, random.Intn(1500))...)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	left := func() (names int) {
		t.Helper()
		var all []byte
		for _, side := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + side)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b...)
		}
		for n := 0; n < records; n += 2 {
			if bytes.Contains(all, name(n)) {
				names++
			}
		}
		return names
	}
	if err := s.Empty(ctx, false); err != nil {
		t.Fatal(err)
	}
	if left() < records/3 {
		t.Fatal("the names cannot be found in the file to begin with")
	}
	update(func(tx *Tx) error {
		l := LedgerOf(tx)
		for n := 0; n < records; n += 2 {
			if err := l.DropRecord(recordNo(uint64(n))); err != nil {
				return err
			}
		}
		return nil
	})
	if err := s.Empty(ctx, false); err != nil {
		t.Fatal(err)
	}
	t.Logf("with secure_delete alone %d of %d names are left", left(), records/2)
	if err := s.Empty(ctx, true); err != nil {
		t.Fatal(err)
	}
	if n := left(); n > 0 {
		t.Errorf("%d names are still in the file", n)
	}
	if info, err := os.Stat(path + "-wal"); err != nil || info.Size() > 0 {
		t.Errorf("the log is not empty: %v, %v", info, err)
	}
	// The database works on, and holds the rest.
	err := s.View(ctx, func(tx *Tx) error {
		row, ok, err := LedgerOf(tx).Record(recordNo(1))
		if !ok || !bytes.HasPrefix(row.State, name(1)) {
			t.Errorf("a record beside is gone: %v", ok)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	update(func(tx *Tx) error { return put(LedgerOf(tx), 0, []byte("again")) })
}

// TestEmptyAmongWriters: it runs between transactions, whoever writes meanwhile.
func TestEmptyAmongWriters(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	var all sync.WaitGroup
	for w := range 4 {
		all.Go(func() {
			for i := range 50 {
				if err := s.Update(ctx, func(tx *Tx) error { return tx.SetMeta(fmt.Sprint(w, "-", i), "x") }); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for i := range 5 {
				if err := s.Empty(ctx, i%2 == 0); err != nil && !errors.Is(err, ErrReaders) {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	err := s.View(ctx, func(tx *Tx) error {
		for w := range 4 {
			for i := range 50 {
				if _, err := tx.Meta(fmt.Sprint(w, "-", i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestApprovalsAreBlankedAndNothingElse: of a record that was erased what people said
// of its values goes; nothing else of a decision changes, and of others nothing.
func TestApprovalsAreBlankedAndNothingElse(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "x.db"))
	ctx := context.Background()
	of := func(n uint64) store.Approval {
		return store.Approval{Record: recordNo(n), Seq: 1, Register: "residents", Unit: "26734", Revision: n, Op: store.OpUpsert, Decision: record.Approved,
			Definition: 1, At: 5, By: "supervisor", Hash: store.Hash{7}, Explicit: map[string]conflict.Value{"16": "NAME"}, Fields: []string{"full_name"},
			Comment: "NAME", Question: "q", Other: "o"}
	}
	err := s.Update(ctx, func(tx *Tx) error {
		l := LedgerOf(tx)
		for _, n := range []uint64{1, 2} {
			a := of(n)
			if err := errors.Join(l.AppendApproval(&a), l.KeepContentHash("26734", "residents", n, store.Hash{9})); err != nil {
				return err
			}
		}
		return l.PutErasure(&ledger.Erasure{Number: 1, Record: recordNo(1), Register: "residents", Unit: "26734", At: 6})
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, refused := range []string{
		`UPDATE approvals SET hash = zeroblob(32), explicit = '', fields = '', comment = '', question = '' WHERE revision = 2`,
		`UPDATE approvals SET hash = zeroblob(32), explicit = '', fields = '', comment = '', question = '', decider = 'x' WHERE revision = 1`,
		`UPDATE approvals SET hash = zeroblob(32), explicit = '', fields = '', comment = '', question = '', dots = '' , at = 7 WHERE revision = 1`,
		`UPDATE approvals SET hash = zeroblob(32), explicit = '', fields = '', comment = 'other', question = '' WHERE revision = 1`,
		`DELETE FROM approvals WHERE revision = 1`,
	} {
		err := s.Update(ctx, func(tx *Tx) error { _, err := tx.Exec(refused); return err })
		if err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: got %v, want that it is refused", refused, err)
		}
	}
	if err := s.Update(ctx, func(tx *Tx) error { return LedgerOf(tx).BlankRecord(recordNo(1)) }); err != nil {
		t.Fatal(err)
	}
	err = s.View(ctx, func(tx *Tx) error {
		l := LedgerOf(tx)
		for _, n := range []uint64{1, 2} {
			list, err := l.Approvals(recordNo(n))
			if err != nil {
				return err
			}
			want := of(n)
			if n == 1 {
				want.Hash, want.Explicit, want.Fields, want.Comment, want.Question = store.Hash{}, nil, nil, "", ""
			}
			if got := list[0]; fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("record %d: got %+v, want %+v", n, got, want)
			}
		}
		hashes, err := l.ContentHashes("26734", "residents")
		if _, ok := hashes[2]; len(hashes) != 1 || !ok {
			t.Errorf("got content hashes %v, want that of the other record alone", hashes)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
