package driver

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"
)

// cacheSize bounds the statements that a connection keeps compiled. A store has a few dozen.
const cacheSize = 64

var errClosed = errors.New("connection to the store is closed")

// A conn is the one connection of a store. database/sql never uses it from two goroutines at once.
type conn struct {
	shim   *shim
	handle int
	closed bool
	cache  map[string]*stmt // compiled statements by their text; those in use too
	packed []byte           // arguments on their way, reused
	pause  *pause           // made when first needed
}

var (
	_ driver.Conn               = (*conn)(nil)
	_ driver.ConnBeginTx        = (*conn)(nil)
	_ driver.ConnPrepareContext = (*conn)(nil)
	_ driver.ExecerContext      = (*conn)(nil)
	_ driver.QueryerContext     = (*conn)(nil)
	_ driver.NamedValueChecker  = (*conn)(nil)
	_ driver.Pinger             = (*conn)(nil)
	_ driver.SessionResetter    = (*conn)(nil)
	_ driver.Validator          = (*conn)(nil)
)

// Close finalises every statement, checkpoints the WAL and lets go of the files.
func (c *conn) Close() error {
	if c.closed {
		return nil
	}
	c.closed = true
	c.cache = nil
	if c.pause != nil {
		c.pause.release()
	}
	if _, err := c.shim.call(c.shim.close, c.handle); err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

func (c *conn) IsValid() bool { return !c.closed }

// ResetSession refuses a closed connection. Nothing has run on it by then, so running it elsewhere is safe.
func (c *conn) ResetSession(context.Context) error {
	if c.closed {
		return driver.ErrBadConn
	}
	return nil
}

func (c *conn) Ping(ctx context.Context) error {
	if c.closed {
		return errClosed
	}
	return ctx.Err()
}

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, tail, err := c.compile(query)
	if err != nil {
		return nil, err
	}
	if tail != "" {
		_ = s.finalize() // never run, so it has no error of its own
		return nil, errors.New("prepare: more than one statement")
	}
	return s, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	if s := c.cached(query); s != nil {
		return s.ExecContext(ctx, args)
	}
	var last result
	for rest := query; ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, tail, err := c.compile(rest)
		if err != nil {
			return nil, err
		}
		if s.handle == 0 { // only blanks and comments were left
			if len(args) > 0 {
				return nil, fmt.Errorf("exec: %d arguments too many", len(args))
			}
			return last, nil
		}
		n := s.NumInput()
		if tail == "" {
			n = len(args)
		}
		if n > len(args) {
			_ = s.finalize()
			return nil, fmt.Errorf("exec: got %d arguments, want %d", len(args), n)
		}
		res, err := s.ExecContext(ctx, args[:n])
		if err == nil && tail == "" && len(rest) == len(query) {
			c.keep(query, s)
		} else {
			_ = s.finalize() // its outcome is err
		}
		if err != nil {
			return nil, err
		}
		last = res.(result)
		if tail == "" {
			return last, nil
		}
		args, rest = args[n:], tail
		for i := range args {
			args[i].Ordinal = i + 1
		}
	}
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	if s := c.cached(query); s != nil {
		return s.QueryContext(ctx, args)
	}
	s, tail, err := c.compile(query)
	if err != nil {
		return nil, err
	}
	if s.handle == 0 {
		return nil, errors.New("query: no statement")
	}
	if tail != "" {
		_ = s.finalize()
		return nil, errors.New("query: more than one statement")
	}
	if !c.keep(query, s) {
		s.transient = true
	}
	r, err := s.QueryContext(ctx, args)
	if err != nil && s.transient {
		_ = s.finalize()
	}
	return r, err
}

// compile prepares the first statement of a text and returns what follows it.
func (c *conn) compile(query string) (*stmt, string, error) {
	if c.closed {
		return nil, "", errClosed
	}
	c.lend(append(c.packed[:0], query...))
	n, err := c.shim.call(c.shim.prepare, c.handle, len(query))
	if err != nil {
		return nil, "", err
	}
	p, err := decodePrepared(c.shim.take(nil, n))
	if err != nil {
		return nil, "", fmt.Errorf("prepare: %w", err)
	}
	return &stmt{conn: c, query: query, handle: int(p.statement), arguments: int(p.arguments), columns: p.columns},
		query[p.tail:], nil
}

// lend passes packed bytes to the next call and keeps their memory for the one after, unless it is large.
func (c *conn) lend(packed []byte) {
	c.shim.give(packed)
	if cap(packed) <= keptInput {
		c.packed = packed[:0]
	}
}

// cached returns the kept statement of a text, unless there is none or its rows are still being read.
func (c *conn) cached(query string) *stmt {
	if s := c.cache[query]; s != nil && s.open == nil {
		return s
	}
	return nil
}

// keep puts a statement into the cache, in the place of any other that is not in use; it tells whether it did.
func (c *conn) keep(query string, s *stmt) bool {
	if c.closed || c.cache[query] != nil {
		return false
	}
	if len(c.cache) >= cacheSize {
		var idle *stmt
		for _, each := range c.cache {
			if each.open == nil {
				idle = each
				break
			}
		}
		if idle == nil {
			return false
		}
		delete(c.cache, idle.query)
		_ = idle.finalize() // its last outcome has been reported
	}
	c.cache[query] = s
	return true
}

// breathe lets the worker handle its messages.
func (c *conn) breathe() {
	if c.pause == nil {
		c.pause = newPause()
	}
	c.pause.take()
}

// CheckNamedValue lets through what SQLite can store.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error { return checkValue(v) }

func checkValue(v *driver.NamedValue) error {
	if v.Name != "" {
		return fmt.Errorf("named parameter %q: only ? is understood", v.Name)
	}
	if _, ok := v.Value.(time.Time); ok {
		return errors.New("a time cannot be stored: use an integer or text")
	}
	value, err := driver.DefaultParameterConverter.ConvertValue(v.Value)
	if err != nil {
		return err
	}
	if _, ok := value.(time.Time); ok {
		return errors.New("a time cannot be stored: use an integer or text")
	}
	v.Value = value
	return nil
}
