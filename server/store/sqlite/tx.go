package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/conflict"
	"wardbook/server/store"
)

// Tx is the transaction that Update and View give to a closure. It belongs to
// the closure's goroutine and dies with the closure. Statements are prepared
// once per connection and kept, keyed by their text, so texts must be constants
// with parameters: never build one from a value.
type Tx struct {
	ctx    context.Context
	conn   *sql.Conn
	raw    *sqlite3.SQLiteConn // the writer's connection; nil in View
	rows   []*sql.Rows
	bulks  []*bulk   // rows that wait to be inserted together
	hands  *inserter // inserts full ones meanwhile; nil if none is under way
	after  []func()
	cause  error // the engine's last refusal, to explain a lost transaction
	broken error // why rows that insert took are missing: nothing more may happen
	done   bool

	erased  *erasedSet                 // nil for a file that others may write to
	batch   map[conflict.RecordID]bool // erased by closures before this one, in the same transaction
	erasing map[conflict.RecordID]bool // by this one
}

var (
	errTxDone = errors.New("transaction used after its closure returned")
	errView   = errors.New("a view cannot insert: use Update")
)

// check refuses work outside the closure's transaction. When SQLite itself took
// back the whole transaction (disk full, I/O error), a further statement would
// commit on its own, outside the batch.
func (tx *Tx) check() error {
	if tx.done {
		return errTxDone
	}
	if tx.raw != nil && tx.raw.AutoCommit() {
		return store.ErrRolledBack
	}
	return tx.broken
}

// ready makes what was said before visible to the statement that comes.
func (tx *Tx) ready() error {
	if err := tx.settle(); err != nil {
		return err
	}
	if err := tx.check(); err != nil {
		return err
	}
	return tx.flush()
}

// Exec runs a statement that returns no rows.
func (tx *Tx) Exec(query string, args ...any) (sql.Result, error) {
	if err := tx.ready(); err != nil {
		return nil, err
	}
	res, err := tx.conn.ExecContext(tx.ctx, query, args...)
	if err != nil {
		tx.cause = err
	}
	return res, err
}

// Query runs a statement that returns rows. The caller closes them; rows left
// open end with the closure.
func (tx *Tx) Query(query string, args ...any) (*sql.Rows, error) {
	if err := tx.ready(); err != nil {
		return nil, err
	}
	rows, err := tx.conn.QueryContext(tx.ctx, query, args...)
	if err == nil {
		tx.rows = append(tx.rows, rows)
	}
	return rows, err
}

// Row is the result of QueryRow.
type Row struct {
	row *sql.Row
	err error
}

// Scan copies the row's columns to dest. It returns sql.ErrNoRows when there is
// no row.
func (r Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.row.Scan(dest...)
}

// QueryRow runs a statement that returns at most one row. Scan must be called, at
// once.
func (tx *Tx) QueryRow(query string, args ...any) Row {
	if err := tx.ready(); err != nil {
		return Row{err: err}
	}
	return Row{row: tx.conn.QueryRowContext(tx.ctx, query, args...)}
}

// AfterCommit registers fn to run once the closure's work is durable, before the
// caller of Update is answered, in the order of registration. It never runs when
// the closure or the commit fails. fn runs on the committer's goroutine: it must
// be quick and must not call Update. In View it is dropped.
func (tx *Tx) AfterCommit(fn func()) { tx.after = append(tx.after, fn) }

func (tx *Tx) finish() {
	tx.settle() // its error is in broken; the closure's own says why it ended
	for _, r := range tx.rows {
		r.Close()
	}
	tx.rows, tx.done = nil, true
}

// millis and its fellows keep times as Unix milliseconds, the zero time as NULL.
func millis(t time.Time) int64 { return t.UnixMilli() }

func millisOrNull(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: t.UnixMilli(), Valid: !t.IsZero()}
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func fromNullMillis(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return fromMillis(ms.Int64)
}

// isUnique says whether err is SQLite's refusal of a row that exists.
func isUnique(err error) bool {
	var e sqlite3.Error
	return errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}
