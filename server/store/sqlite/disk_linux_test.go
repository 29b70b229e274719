package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"wardbook/server/store"
)

// noLonger makes every write beyond size bytes of a file fail, which SQLite takes
// for an I/O error. It holds for the whole process, so for no test that runs
// beside others.
func noLonger(t *testing.T, size int64) (undo func()) {
	t.Helper()
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	signal.Ignore(unix.SIGXFSZ)
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: uint64(size), Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	undo = func() {
		if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
			t.Error(err)
		}
		signal.Reset(unix.SIGXFSZ)
	}
	t.Cleanup(undo)
	return undo
}

// The disk fails at every write in turn that a push too large for the cache makes:
// in the goroutine that inserts, in a statement behind it, in the commit. Nothing
// of the push stays, and the store stops.
func TestWriteFailsAmongInserts(t *testing.T) {
	many := func(prefix string, n int) func(*Tx) error {
		return func(tx *Tx) error {
			var first error // a closure that does not give up at once
			for i := range n {
				if err := tx.insert(intoMeta, fmt.Sprintf("%s/%04d", prefix, i), strings.Repeat("x", 200)); err != nil && first == nil {
					first = err
				}
			}
			return first
		}
	}
	failed := 0
	for nth := 0; ; nth += 3 {
		path := filepath.Join(t.TempDir(), "wardbook.db")
		s, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Update(context.Background(), func(tx *Tx) error {
			if _, err := tx.Exec(`PRAGMA cache_size = 10`); err != nil {
				return err
			}
			return many("kept", 100)(tx)
		}); err != nil {
			t.Fatal(err)
		}
		log, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		undo := noLonger(t, log.Size()+int64(nth)*(4096+24))
		lost := s.Update(context.Background(), many("lost", 6*bulkRows))
		undo()
		if lost != nil && (!errors.Is(lost, store.ErrFailed) || s.Failure() == nil) {
			t.Errorf("write %d: got %v, want %v", nth, lost, store.ErrFailed)
		}
		if err := s.Close(); err != nil {
			t.Errorf("write %d: close: %v", nth, err)
		}
		if s, err = Open(context.Background(), path, Options{}); err != nil {
			t.Fatal(err)
		}
		if got := countMeta(t, s, "kept/%"); got != 100 {
			t.Errorf("write %d: of 100 rows that were acknowledged %d are there", nth, got)
		}
		if got := countMeta(t, s, "lost/%"); lost != nil && got != 0 || lost == nil && got != 6*bulkRows {
			t.Errorf("write %d: got %v, and %d rows are there", nth, lost, got)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if lost == nil {
			break
		}
		failed++
	}
	if failed < 5 {
		t.Errorf("only %d writes failed: the test proves too little", failed)
	}
}

// A log that cannot be copied stops the store, whether it is copied in a quiet
// moment or because it is too long; what was acknowledged before is kept.
func TestCopyingTheLogFails(t *testing.T) {
	for name, pages := range map[string]int{"in a quiet moment": longLog, "too long": longestLog} {
		t.Run(name, func(t *testing.T) {
			s := openTemp(t, Options{})
			undo := func() {}
			if err := s.Update(context.Background(), func(tx *Tx) error {
				tx.AfterCommit(func() { undo = noLonger(t, 64<<10) }) // before the log is copied
				if err := insertMeta("c/kept")(tx); err != nil {
					return err
				}
				return grow(pages)(tx)
			}); err != nil {
				t.Fatal(err)
			}
			select {
			case <-s.Failed():
			case <-time.After(time.Minute):
				t.Fatal("a minute later the store goes on")
			}
			undo()
			if err := s.Update(context.Background(), insertMeta("c/lost")); !errors.Is(err, store.ErrFailed) {
				t.Errorf("update after it: got %v, want %v", err, store.ErrFailed)
			}
			if got := countMeta(t, s, "c/%"); got != 1 {
				t.Errorf("got %d rows, want 1", got)
			}
		})
	}
}
