package driver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"
)

// What one crossing brings, at the least: little first, since most queries want a row or a screen, then much.
const (
	firstBudget = 8 * 1024
	nextBudget  = 64 * 1024
)

// pauseAfter is how long a loop over rows may keep the worker from its messages.
const pauseAfter = 10 * time.Millisecond

// A stmt is one compiled statement.
type stmt struct {
	conn      *conn
	query     string
	handle    int // 0 once finalised
	arguments int
	columns   []string
	open      *rows // whose rows are being read
	transient bool  // belongs to open, and goes with it
}

var (
	_ driver.Stmt              = (*stmt)(nil)
	_ driver.StmtExecContext   = (*stmt)(nil)
	_ driver.StmtQueryContext  = (*stmt)(nil)
	_ driver.NamedValueChecker = (*stmt)(nil)
)

// Close ends the statement and the rows that are still read from it.
func (s *stmt) Close() error { return s.finalize() }

func (s *stmt) NumInput() int { return s.arguments }

func (s *stmt) CheckNamedValue(v *driver.NamedValue) error { return checkValue(v) }

// Exec is asked for by driver.Stmt; database/sql calls ExecContext.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, errNoContext }

// Query is asked for by driver.Stmt; database/sql calls QueryContext.
func (s *stmt) Query([]driver.Value) (driver.Rows, error) { return nil, errNoContext }

var errNoContext = errors.New("call it with a context")

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if s.open != nil {
		other, err := s.again()
		if err != nil {
			return nil, err
		}
		r, err := other.ExecContext(ctx, args)
		_ = other.finalize() // its outcome is err
		return r, err
	}
	size, err := s.give(ctx, args)
	if err != nil {
		return nil, err
	}
	n, err := s.conn.shim.call(s.conn.shim.exec, s.handle, size)
	if err != nil {
		return nil, err
	}
	var answer [16]byte
	r, err := decodeResult(s.conn.shim.take(answer[:0], n))
	if err != nil {
		return nil, fmt.Errorf("exec: %w", err)
	}
	return r, nil
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if s.open != nil {
		// Running it again would end the rows that somebody is reading.
		other, err := s.again()
		if err != nil {
			return nil, err
		}
		other.transient = true
		r, err := other.QueryContext(ctx, args)
		if err != nil {
			_ = other.finalize()
		}
		return r, err
	}
	size, err := s.give(ctx, args)
	if err != nil {
		return nil, err
	}
	n, err := s.conn.shim.call(s.conn.shim.query, s.handle, size, firstBudget)
	if err != nil {
		return nil, err
	}
	r := &rows{stmt: s, ctx: ctx, since: time.Now()}
	s.open = r
	if err := r.receive(n); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// give puts the arguments where the next call finds them, and returns their packed length.
func (s *stmt) give(ctx context.Context, args []driver.NamedValue) (int, error) {
	if s.handle == 0 || s.conn.closed {
		return 0, errClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(args) == 0 {
		return 0, nil
	}
	packed, err := appendArguments(s.conn.packed[:0], args)
	if err != nil {
		return 0, err
	}
	s.conn.lend(packed)
	return len(packed), nil
}

func (s *stmt) nameColumns() error {
	n, err := s.conn.shim.call(s.conn.shim.columns, s.handle)
	if err != nil {
		return err
	}
	s.columns, err = decodeColumns(s.conn.shim.take(nil, n))
	return err
}

// again compiles the statement once more.
func (s *stmt) again() (*stmt, error) {
	other, _, err := s.conn.compile(s.query)
	return other, err
}

func (s *stmt) finalize() error {
	if s.handle == 0 || s.conn.closed {
		return nil // with the connection, SQLite's statements have gone
	}
	handle := s.handle
	s.handle = 0
	if s.open != nil {
		s.open.done = true
		s.open = nil
	}
	_, err := s.conn.shim.call(s.conn.shim.finalize, handle)
	return err
}

// A rows reads what a statement yields, a batch at a time.
type rows struct {
	stmt   *stmt
	ctx    context.Context // of the query, whose life is that of the rows
	batch  batch
	buffer []byte
	done   bool // SQLite has no more rows for it, or the statement is gone
	since  time.Time
}

var _ driver.Rows = (*rows)(nil)

func (r *rows) Columns() []string { return r.stmt.columns }

// Close ends the reading. What an INSERT with RETURNING has changed is committed here, if nothing else holds a
// transaction, so its error counts.
func (r *rows) Close() error {
	s := r.stmt
	if s.open != r {
		return nil
	}
	s.open = nil
	var err error
	if !r.done && !s.conn.closed && s.handle != 0 {
		_, err = s.conn.shim.call(s.conn.shim.reset, s.handle)
	}
	r.done = true
	if s.transient {
		err = errors.Join(err, s.finalize())
	}
	return err
}

func (r *rows) Next(dest []driver.Value) error {
	for r.batch.rows == 0 {
		if !r.batch.more || r.done {
			return io.EOF
		}
		if err := r.fetch(); err != nil {
			return err
		}
	}
	return r.batch.next(dest)
}

func (r *rows) fetch() error {
	s := r.stmt
	if s.conn.closed || s.handle == 0 {
		return errClosed
	}
	if r.ctx.Done() != nil && time.Since(r.since) >= pauseAfter {
		s.conn.breathe()
		r.since = time.Now()
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if s.conn.closed || s.handle == 0 {
		return errClosed
	}
	n, err := s.conn.shim.call(s.conn.shim.next, s.handle, nextBudget)
	if err != nil {
		r.done = true // the shim has reset it
		return err
	}
	return r.receive(n)
}

func (r *rows) receive(n int) error {
	r.buffer = r.stmt.conn.shim.take(r.buffer, n)
	b, err := decodeBatch(r.buffer)
	if err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	r.batch = b
	r.done = !b.more
	if int(b.columns) == len(r.stmt.columns) {
		return nil
	}
	// The schema has changed since the statement was compiled, which SQLite notices at its first step only.
	if err := r.stmt.nameColumns(); err != nil {
		return err
	}
	if int(b.columns) != len(r.stmt.columns) {
		return fmt.Errorf("read rows: got %d columns, want %d", b.columns, len(r.stmt.columns))
	}
	return nil
}
