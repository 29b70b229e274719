package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/server/store"
)

// openTemp opens a store in a folder of the test.
func openTemp(tb testing.TB, opts Options) *Store {
	tb.Helper()
	s, err := Open(context.Background(), filepath.Join(tb.TempDir(), "data", "wardbook.db"), opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("close: %v", err)
		}
	})
	return s
}

func insertMeta(key string) func(*Tx) error {
	return func(tx *Tx) error {
		_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES (?, 'x')`, key)
		return err
	}
}

func countMeta(tb testing.TB, s *Store, like string) (n int) {
	tb.Helper()
	err := s.View(context.Background(), func(tx *Tx) error {
		return tx.QueryRow(`SELECT count(*) FROM meta WHERE key LIKE ?`, like).Scan(&n)
	})
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// Two hundred callers write at once; a third of their closures fail, a third
// panic. Each gets the answer to its own closure, and exactly the work that was
// acknowledged is there.
func TestUpdateAnswersEachCallerForItsOwnWork(t *testing.T) {
	s := openTemp(t, Options{QueueSize: 16})
	refuse := errors.New("refused")
	var hooks atomic.Int64
	var wg sync.WaitGroup
	for g := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 9 {
				key := fmt.Sprintf("k/%d/%d", g, i)
				err := s.Update(context.Background(), func(tx *Tx) error {
					tx.AfterCommit(func() { hooks.Add(1) })
					if err := insertMeta(key)(tx); err != nil {
						return err
					}
					switch i % 3 {
					case 1:
						return refuse
					case 2:
						panic("seeded")
					}
					return nil
				})
				var panicked *PanicError
				switch i % 3 {
				case 0:
					if err != nil {
						t.Errorf("update %s: got %v, want nil", key, err)
					}
					// Durable means visible to a new reader at once.
					if n := countMeta(t, s, key); n != 1 {
						t.Errorf("after acknowledgement of %s: got %d rows, want 1", key, n)
					}
				case 1:
					if !errors.Is(err, refuse) {
						t.Errorf("update %s: got %v, want %v", key, err, refuse)
					}
				case 2:
					if !errors.As(err, &panicked) {
						t.Errorf("update %s: got %v, want a PanicError", key, err)
					}
				}
			}
		}()
	}
	wg.Wait()
	if got := countMeta(t, s, "k/%"); got != 600 {
		t.Errorf("rows: got %d, want 600", got)
	}
	if got := hooks.Load(); got != 600 {
		t.Errorf("hooks run: got %d, want 600", got)
	}
}

// hold keeps the committer inside a closure until release is called, so that a
// test can fill the queue behind it.
func hold(t *testing.T, s *Store) (release func()) {
	t.Helper()
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.Update(context.Background(), func(*Tx) error { close(in); <-out; return nil })
	}()
	<-in
	return func() { close(out); <-done }
}

func TestUpdateCancelledInTheQueueNeverRuns(t *testing.T) {
	s := openTemp(t, Options{})
	release := hold(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	answered := make(chan error)
	ran := false
	go func() { answered <- s.Update(ctx, func(*Tx) error { ran = true; return nil }) }()
	for len(s.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	release()
	s.Update(context.Background(), func(*Tx) error { return nil }) // after whatever was queued
	if ran {
		t.Error("a closure whose caller had given up was run")
	}
}

func TestUpdateWaitsForRoomInTheQueue(t *testing.T) {
	s := openTemp(t, Options{QueueSize: 1})
	release := hold(t, s)
	first := make(chan error, 1)
	go func() { first <- s.Update(context.Background(), insertMeta("q/1")) }()
	for len(s.queue) == 0 {
		time.Sleep(time.Millisecond)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := s.Update(ctx, insertMeta("q/2")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("full queue: got %v, want %v", err, context.DeadlineExceeded)
	}
	release()
	if err := <-first; err != nil {
		t.Errorf("queued update: got %v, want nil", err)
	}
	if got := countMeta(t, s, "q/%"); got != 1 {
		t.Errorf("rows: got %d, want 1", got)
	}
}

func TestCloseFinishesQueuedWork(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wardbook.db")
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	release := hold(t, s)
	answers := make(chan error, 50)
	for i := range 50 {
		go func() { answers <- s.Update(context.Background(), insertMeta(fmt.Sprintf("c/%d", i))) }()
	}
	for len(s.queue) < 50 {
		time.Sleep(time.Millisecond)
	}
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	release()
	if err := <-closed; err != nil {
		t.Fatalf("close: %v", err)
	}
	for range 50 {
		if err := <-answers; err != nil {
			t.Errorf("queued update: got %v, want nil", err)
		}
	}
	if err := s.Update(context.Background(), insertMeta("late")); !errors.Is(err, store.ErrClosed) {
		t.Errorf("update after close: got %v, want %v", err, store.ErrClosed)
	}
	again, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := countMeta(t, again, "c/%"); got != 50 {
		t.Errorf("rows after reopening: got %d, want 50", got)
	}
}

// A full disk takes back the whole batch: nobody is acknowledged, and there is
// work again once there is room.
func TestFullDiskLosesTheBatchAndNothingElse(t *testing.T) {
	s := openTemp(t, Options{})
	limit := func(pages string) {
		if err := s.Update(context.Background(), func(tx *Tx) error {
			var n int
			return tx.QueryRow(`PRAGMA max_page_count = ` + pages).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit("1") // SQLite rounds up to the present size
	release := hold(t, s)
	small := make(chan error, 1)
	go func() { small <- s.Update(context.Background(), insertMeta("f/small")) }()
	for len(s.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	big := make(chan error, 1)
	go func() {
		big <- s.Update(context.Background(), func(tx *Tx) error {
			_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('f/big', hex(zeroblob(1000000)))`)
			if err == nil {
				return errors.New("the disk was not full")
			}
			// A closure that goes on regardless must not write outside the batch.
			if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('f/stray', '')`); tx.raw.AutoCommit() && !errors.Is(err, store.ErrRolledBack) {
				t.Errorf("statement after the transaction was lost: got %v, want %v", err, store.ErrRolledBack)
			}
			return err
		})
	}()
	for len(s.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	release()
	bigErr, smallErr := <-big, <-small
	var full sqlite3.Error
	if !errors.As(bigErr, &full) || full.Code != sqlite3.ErrFull {
		t.Errorf("big: got %v, want disk full", bigErr)
	}
	rows := 0
	if smallErr == nil {
		rows = 1 // the engine undid the one statement only, so the batch went on
	}
	if got := countMeta(t, s, "f/%"); got != rows {
		t.Errorf("rows: got %d, want %d", got, rows)
	}
	if err := s.Failure(); err != nil {
		t.Errorf("store failed for a full disk: %v", err)
	}
	limit("100000")
	if err := s.Update(context.Background(), insertMeta("f/after")); err != nil {
		t.Errorf("update with room again: got %v, want nil", err)
	}
}

// A commit that fails for any cause but the known harmless ones stops the store
// for good: all callers of the batch get the error, and so does everybody after.
func TestFailedCommitStopsTheStore(t *testing.T) {
	s := openTemp(t, Options{})
	release := hold(t, s)
	answers := make(chan error, 3)
	for i := range 2 {
		go func() { answers <- s.Update(context.Background(), insertMeta(fmt.Sprintf("x/%d", i))) }()
	}
	for len(s.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	// The commit hook turns the batch's COMMIT into a failure.
	s.raw.RegisterCommitHook(func() int { return 1 })
	release()
	for range 2 {
		if err := <-answers; err == nil {
			t.Error("an update whose commit failed was acknowledged")
		}
	}
	s.raw.RegisterCommitHook(nil)
	if got := countMeta(t, s, "x/%"); got != 0 {
		t.Errorf("rows: got %d, want 0", got)
	}

	// And an I/O error of the disk is never retried.
	err := s.Update(context.Background(), func(tx *Tx) error {
		return fmt.Errorf("read page: %w", sqlite3.Error{Code: sqlite3.ErrIoErr})
	})
	if !errors.Is(err, store.ErrFailed) {
		t.Errorf("I/O error: got %v, want %v", err, store.ErrFailed)
	}
	select {
	case <-s.Failed():
	default:
		t.Error("Failed is not closed")
	}
	if err := s.Update(context.Background(), insertMeta("x/later")); !errors.Is(err, store.ErrFailed) {
		t.Errorf("update after failure: got %v, want %v", err, store.ErrFailed)
	}
}

// When the whole transaction is gone under a closure, nothing that it does
// afterwards may commit on its own, and nobody of the batch is acknowledged.
func TestLostTransactionAcknowledgesNobody(t *testing.T) {
	s := openTemp(t, Options{})
	release := hold(t, s)
	early, culprit := make(chan error, 1), make(chan error, 1)
	go func() { early <- s.Update(context.Background(), insertMeta("y/early")) }()
	for len(s.queue) < 1 {
		time.Sleep(time.Millisecond)
	}
	go func() {
		culprit <- s.Update(context.Background(), func(tx *Tx) error {
			if _, err := tx.Exec(`ROLLBACK`); err != nil {
				return err
			}
			if err := insertMeta("y/stray")(tx); !errors.Is(err, store.ErrRolledBack) {
				t.Errorf("statement after the rollback: got %v, want %v", err, store.ErrRolledBack)
			}
			if err := insertMany(0, bulkRows)(tx); !errors.Is(err, store.ErrRolledBack) {
				t.Errorf("rows after the rollback: got %v, want %v", err, store.ErrRolledBack)
			}
			return nil
		})
	}()
	for len(s.queue) < 2 {
		time.Sleep(time.Millisecond)
	}
	release()
	for name, c := range map[string]chan error{"early": early, "culprit": culprit} {
		if err := <-c; !errors.Is(err, store.ErrFailed) {
			t.Errorf("%s: got %v, want %v", name, err, store.ErrFailed)
		}
	}
	if got := countMeta(t, s, "y/%") + countMeta(t, s, "bulk-%"); got != 0 {
		t.Errorf("rows: got %d, want 0", got)
	}
}

func TestTxDiesWithItsClosure(t *testing.T) {
	s := openTemp(t, Options{})
	var kept *Tx
	if err := s.Update(context.Background(), func(tx *Tx) error { kept = tx; return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Exec(`INSERT INTO meta (key, value) VALUES ('stray', '')`); !errors.Is(err, errTxDone) {
		t.Errorf("got %v, want %v", err, errTxDone)
	}
}

func TestRowsLeftOpenDoNotBlockTheNextClosure(t *testing.T) {
	s := openTemp(t, Options{})
	for i := range 3 {
		err := s.Update(context.Background(), func(tx *Tx) error {
			rows, err := tx.Query(`SELECT key FROM meta UNION ALL SELECT 'a' UNION ALL SELECT 'b'`)
			if err != nil {
				return err
			}
			rows.Next() // and never closed
			return insertMeta(fmt.Sprint("r/", i))(tx)
		})
		if err != nil {
			t.Fatalf("update %d: %v", i, err)
		}
	}
}

func TestViewCannotWriteAndSeesOneState(t *testing.T) {
	s := openTemp(t, Options{})
	err := s.View(context.Background(), func(tx *Tx) error {
		var before, after int
		if err := tx.QueryRow(`SELECT count(*) FROM meta`).Scan(&before); err != nil {
			return err
		}
		if err := s.Update(context.Background(), insertMeta("v")); err != nil {
			return err
		}
		if err := tx.QueryRow(`SELECT count(*) FROM meta`).Scan(&after); err != nil {
			return err
		}
		if before != after {
			t.Errorf("rows in one view: got %d then %d", before, after)
		}
		if err := insertMeta("w")(tx); err == nil {
			t.Error("a view could write")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 200} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			s := openTemp(b, Options{})
			var next atomic.Int64
			var wg sync.WaitGroup
			b.ResetTimer()
			for range callers {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for {
						n := next.Add(1)
						if n > int64(b.N) {
							return
						}
						if err := s.Update(context.Background(), insertMeta(fmt.Sprint("b/", n))); err != nil {
							b.Error(err)
							return
						}
					}
				}()
			}
			wg.Wait()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "acks/s")
		})
	}
}
