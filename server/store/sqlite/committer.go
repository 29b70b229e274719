package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/conflict"
	"wardbook/server/store"
)

// committer owns the write connection. Its one goroutine takes closures from a
// bounded queue, runs each inside a savepoint of one transaction, commits once,
// and only then answers their callers.
type committer struct {
	conn *sql.Conn
	raw  *sqlite3.SQLiteConn
	opts Options
	log  *slog.Logger

	queue   chan *request
	long    bool          // the log waits for a quiet moment to be copied
	held    *request      // taken from the queue within a transaction, and has to run behind it
	stopped chan struct{} // closed when the goroutine is gone

	erased  *erasedSet
	erasing map[conflict.RecordID]bool // in the transaction that is open

	mu     sync.RWMutex // held for reading while sending to queue
	closed bool

	failed  chan struct{} // closed at the first failed commit
	failure error         // why; set before failed is closed
}

// request is one caller's closure on its way through the committer.
type request struct {
	fn      func(*Tx) error
	alone   func() error // in the place of fn: runs between transactions
	claimed atomic.Bool  // by the committer to run it, or by its caller to give up
	after   []func()
	err     error
	done    chan struct{}
}

func startCommitter(conn *sql.Conn, erased *erasedSet, opts Options) (*committer, error) {
	c := &committer{
		conn: conn, opts: opts, log: opts.Log, erased: erased,
		queue: make(chan *request, opts.QueueSize), stopped: make(chan struct{}), failed: make(chan struct{}),
	}
	if err := conn.Raw(func(dc any) error {
		raw, ok := dc.(*sqlite3.SQLiteConn)
		if !ok {
			return fmt.Errorf("unexpected driver %T", dc)
		}
		c.raw = raw
		return nil
	}); err != nil {
		return nil, err
	}
	go c.run()
	return c, nil
}

// Update runs fn in a write transaction and returns once its work is durable.
// Closures run one after another, each seeing the work of those before it, so
// what fn checks still holds when its work commits.
//
// When fn returns an error or panics, its work is taken back and only this
// caller gets the error. When the commit fails, every caller of the batch gets
// an error that wraps store.ErrFailed, and so does every later call. Update
// waits while the queue is full. When ctx ends before fn has begun, fn never
// runs; once begun, it runs to its end and ctx no longer matters.
//
// fn must not call Update, nor wait for anything that does.
func (c *committer) Update(ctx context.Context, fn func(*Tx) error) error {
	return c.do(ctx, &request{fn: fn, done: make(chan struct{})})
}

func (c *committer) do(ctx context.Context, r *request) error {
	if err := c.enqueue(ctx, r); err != nil {
		return err
	}
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		if r.claimed.CompareAndSwap(false, true) {
			return ctx.Err()
		}
		<-r.done
		return r.err
	}
}

func (c *committer) enqueue(ctx context.Context, r *request) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if c.closed {
		return store.ErrClosed
	}
	select {
	case <-c.failed:
		return c.failure
	default:
	}
	select {
	case c.queue <- r:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Failed returns a channel that is closed once a commit has failed. From then on
// the process should stop: what the disk holds is unknown until the next start.
func (c *committer) Failed() <-chan struct{} { return c.failed }

// Failure returns why the store failed, or nil.
func (c *committer) Failure() error {
	select {
	case <-c.failed:
		return c.failure
	default:
		return nil
	}
}

// stop refuses new work and waits until queued work is answered.
func (c *committer) stop() {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.queue)
	}
	c.mu.Unlock()
	<-c.stopped
}

func (c *committer) run() {
	defer close(c.stopped)
	for {
		r, ok := c.next()
		if !ok {
			return
		}
		if !r.claimed.CompareAndSwap(false, true) {
			continue
		}
		for r != nil {
			c.held = nil
			switch err := c.Failure(); {
			case err != nil:
				r.answer(err)
			case r.alone != nil:
				r.answer(r.alone())
			default:
				c.batch(r)
			}
			r = c.held
		}
	}
}

// next returns what comes from the queue. A log that has grown long is copied
// when nothing has come for a moment, but never after a failure: what a flush
// says after one that failed is worth nothing.
func (c *committer) next() (*request, bool) {
	if c.long && c.Failure() == nil {
		quiet := time.NewTimer(quietFor)
		defer quiet.Stop()
		select {
		case r, ok := <-c.queue:
			return r, ok
		case <-quiet.C:
			c.long = false
			c.copyLog()
		}
	}
	r, ok := <-c.queue
	return r, ok
}

func (r *request) answer(err error) {
	r.err = err
	close(r.done)
}

// batch runs first and whatever waits behind it in one transaction.
func (c *committer) batch(first *request) {
	if err := c.exec(`BEGIN IMMEDIATE`); err != nil {
		first.answer(fmt.Errorf("begin write: %w", err))
		return
	}
	var kept []*request
	c.erasing = map[conflict.RecordID]bool{}
	began := time.Now()
	for r, n := first, 1; r != nil; n++ {
		lost, err := c.one(r)
		switch {
		case lost:
			c.abandon(err, append(kept, r))
			return
		case err != nil:
			r.answer(err)
		default:
			kept = append(kept, r)
		}
		r = nil
		if n < c.opts.MaxBatch && time.Since(began) < c.opts.MaxBatchTime {
			r = c.waiting()
		}
	}
	if len(kept) == 0 {
		if err := c.exec(`ROLLBACK`); err != nil {
			c.fail(fmt.Errorf("roll back: %w", err))
		}
		return
	}
	if err := c.exec(`COMMIT`); err != nil {
		c.abandon(fmt.Errorf("commit: %w", err), kept)
		return
	}
	if len(c.erasing) > 0 {
		c.erased.add(c.erasing)
	}
	for _, r := range kept {
		for _, fn := range r.after {
			c.hook(fn)
		}
		r.answer(nil)
	}
	c.checkpoint()
}

// When the log is copied into the database: copying makes whoever comes meanwhile
// wait, for flushes of both files.
const (
	longLog    = 1000 // pages from which it is copied in a quiet moment; SQLite's own bound
	longestLog = 4000 // pages at which it is copied whoever waits
	quietFor   = 50 * time.Millisecond
)

// checkpoint copies a log that has grown too long into the database, behind the
// answers, and notes that a long one is to be copied.
func (c *committer) checkpoint() {
	pages, copied, err := c.walCheckpoint("NOOP")
	if err != nil {
		c.notCopied(err)
		return
	}
	c.long = pages >= longLog && copied < pages
	if c.long && pages >= longestLog {
		c.long = false
		c.copyLog()
	}
}

// copyLog copies the log into the database. SQLite would do it within a commit,
// but tells nobody if the disk fails at it.
func (c *committer) copyLog() {
	if _, _, err := c.walCheckpoint("PASSIVE"); err != nil {
		c.notCopied(err)
	}
}

// ErrReaders means that the log could not be emptied because somebody was reading.
var ErrReaders = errors.New("somebody was reading all the time")

// Empty copies the log into the database and empties it, so that nothing stands in
// it any more that was replaced or taken out. With rewrite it writes the whole
// database anew before: where rows moved from page to page, SQLite leaves copies of
// them behind that nothing refers to, whatever its settings. Writers wait meanwhile.
// The error is ErrReaders, or the store's; what was not done may be asked for again.
func (c *committer) Empty(ctx context.Context, rewrite bool) error {
	return c.do(ctx, &request{done: make(chan struct{}), alone: func() error {
		if rewrite {
			if err := c.exec(`VACUUM`); err != nil {
				return c.notEmptied(err)
			}
		}
		var busy, pages, copied int
		err := c.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &copied)
		switch {
		case err != nil:
			return c.notEmptied(err)
		case busy != 0:
			return ErrReaders
		}
		c.long = false
		return nil
	}})
}

func (c *committer) notEmptied(err error) error {
	var e sqlite3.Error
	switch errors.As(err, &e); e.Code {
	case sqlite3.ErrFull:
		return fmt.Errorf("rewrite the database: %w: %w", store.ErrFull, err)
	case sqlite3.ErrBusy, sqlite3.ErrLocked:
		return fmt.Errorf("rewrite the database: %w: %w", ErrReaders, err)
	case sqlite3.ErrNomem, sqlite3.ErrCantOpen: // no room for, or no way to, a file beside
		return fmt.Errorf("rewrite the database: %w", err)
	}
	c.fail(fmt.Errorf("rewrite the database: %w", err))
	return c.Failure()
}

func (c *committer) notCopied(err error) {
	var e sqlite3.Error
	if errors.As(err, &e) && e.Code == sqlite3.ErrFull {
		c.log.Error("no storage left to copy the log into the database; the log grows", "error", err)
		return
	}
	c.fail(fmt.Errorf("copy the log into the database: %w", err))
}

// walCheckpoint runs a checkpoint and returns the pages in the log and how many
// of them stand in the database.
func (c *committer) walCheckpoint(mode string) (pages, copied int, err error) {
	var busy int
	err = c.conn.QueryRowContext(context.Background(), `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &pages, &copied)
	return pages, copied, err
}

// waiting returns a claimed request from the queue, or nil when none waits.
func (c *committer) waiting() *request {
	for {
		select {
		case r, ok := <-c.queue:
			if !ok {
				return nil
			}
			if !r.claimed.CompareAndSwap(false, true) {
				continue
			}
			if r.alone != nil {
				c.held = r
				return nil
			}
			return r
		default:
			return nil
		}
	}
}

// one runs a closure inside a savepoint. lost means that the whole transaction
// is gone, not only this closure's part; err then says why.
func (c *committer) one(r *request) (lost bool, err error) {
	if err := c.exec(`SAVEPOINT closure`); err != nil {
		return true, fmt.Errorf("begin closure: %w", err)
	}
	tx := &Tx{ctx: context.Background(), conn: c.conn, raw: c.raw, erased: c.erased, batch: c.erasing}
	err = runClosure(tx, func(tx *Tx) error {
		if err := r.fn(tx); err != nil {
			return err
		}
		return tx.ready()
	})
	tx.finish()
	if diskError(tx.broken) && !errors.Is(err, tx.broken) {
		// The closure ended for a reason of its own before it was told.
		err = errors.Join(tx.broken, err)
	}
	if c.raw.AutoCommit() {
		if err == nil {
			err = store.ErrRolledBack
		}
		return true, errors.Join(err, tx.cause)
	}
	if err != nil {
		if e := c.exec(`ROLLBACK TO closure; RELEASE closure`); e != nil {
			return true, errors.Join(err, e)
		}
		// A read that failed for the disk's sake does not undo the transaction, but
		// nothing on that disk can be trusted any more.
		return diskError(err), err
	}
	if err := c.exec(`RELEASE closure`); err != nil {
		return true, fmt.Errorf("end closure: %w", err)
	}
	r.after = tx.after
	maps.Copy(c.erasing, tx.erasing)
	return false, nil
}

// abandon answers all after their transaction was lost for cause, and decides
// whether the store may go on. Only a cause that says for certain that nothing
// was written, and that the disk works, lets it: a flush that failed once may
// "succeed" the second time without having written anything.
func (c *committer) abandon(cause error, all []*request) {
	if !c.raw.AutoCommit() {
		if err := c.exec(`ROLLBACK`); err != nil {
			c.fail(errors.Join(cause, fmt.Errorf("roll back: %w", err)))
		}
	}
	var e sqlite3.Error
	errors.As(cause, &e)
	var answer error
	switch e.Code {
	case sqlite3.ErrFull:
		answer = fmt.Errorf("%w: %w", store.ErrFull, cause)
	case sqlite3.ErrConstraint, sqlite3.ErrNomem, sqlite3.ErrTooBig, sqlite3.ErrBusy:
		answer = fmt.Errorf("%w: %w", store.ErrRolledBack, cause)
	default:
		c.fail(cause)
	}
	if err := c.Failure(); err != nil {
		answer = err
	}
	for _, r := range all {
		r.answer(answer)
	}
}

func (c *committer) fail(cause error) {
	if c.Failure() != nil {
		return
	}
	c.failure = fmt.Errorf("%w: %w", store.ErrFailed, cause)
	close(c.failed)
	c.log.Error("store failed", "error", cause)
}

func (c *committer) hook(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			// The work is durable, so its caller must not be told otherwise.
			c.log.Error("hook after commit panicked", "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
		}
	}()
	fn()
}

func (c *committer) exec(query string) error {
	_, err := c.conn.ExecContext(context.Background(), query)
	return err
}

func diskError(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Code == sqlite3.ErrIoErr || e.Code == sqlite3.ErrCorrupt || e.Code == sqlite3.ErrNotADB
}
