package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
)

// Errors of a batch that no caller should have made; SQLite's own constraints
// stand behind them.
var (
	errOrder  = errors.New("outbox entries must have rising numbers")
	errEntry  = errors.New("outbox entry without edits or hash")
	errRebase = errors.New("base of a record that is not held")
)

// Store is a replica.Store in SQLite. It has one connection: in the browser
// there can be no second, and natively none is needed.
type Store struct {
	db *sql.DB

	mu         sync.Mutex // held over each reading and each batch
	conn       *sql.Conn
	statements map[string]*sql.Stmt // compiled on conn, by their text
	damaged    map[uint64]bool      // outbox entries that are not what was saved, by No
	looked     bool                 // the outbox was read through for them
	waiting    int64                // entries in the outbox; most readings need to know only whether there is one
	walked     []*walk              // searches since a record last changed, the newest first
	unclean    bool                 // the log may still hold what was erased
}

var _ replica.Store = (*Store)(nil)

// New returns the store in db, whose tables it brings up to date. It takes
// over db and its one connection.
func New(ctx context.Context, db *sql.DB) (*Store, error) {
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := migrate(ctx, db); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{db: db, conn: conn, statements: map[string]*sql.Stmt{}}
	if err := conn.QueryRowContext(ctx, `SELECT count(*) FROM outbox`).Scan(&s.waiting); err != nil {
		_ = conn.Close() // err says why
		return nil, fmt.Errorf("open store: %w", err)
	}
	return s, nil
}

// Close closes the database. What was committed stays.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, st := range s.statements {
		err = errors.Join(err, st.Close())
	}
	clear(s.statements)
	return errors.Join(err, s.conn.Close(), s.db.Close())
}

// prepared returns the compiled form of a statement. s.mu is held.
func (s *Store) prepared(ctx context.Context, text string) (*sql.Stmt, error) {
	if st := s.statements[text]; st != nil {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, text)
	if err == nil {
		s.statements[text] = st
	}
	return st, err
}

// query runs a reading and gives each row to scan. The rows are closed before
// it returns.
func (s *Store) query(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.queryLocked(ctx, text, scan, args...)
}

func (s *Store) queryLocked(ctx context.Context, text string, scan func(*sql.Rows) error, args ...any) error {
	st, err := s.prepared(ctx, text)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// writer runs the statements of one transaction, on the store's connection.
type writer struct {
	s       *Store
	ctx     context.Context
	waiting int64 // by how much the outbox has grown
}

// exec runs one statement.
func (w *writer) exec(text string, args ...any) error {
	_, err := w.execCount(text, args...)
	return err
}

// execCount runs one statement and returns how many rows it changed.
func (w *writer) execCount(text string, args ...any) (int64, error) {
	st, err := w.s.prepared(w.ctx, text)
	if err != nil {
		return 0, err
	}
	result, err := st.ExecContext(w.ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// insertion is an INSERT of rows of equal width.
type insertion struct {
	width     int
	many, one string // the statement for perExec rows, and for one
}

// newInsertion returns the INSERT that begins with before, up to VALUES, and
// ends with after, such as ON CONFLICT.
func newInsertion(before string, width int, after string) *insertion {
	row := "(" + marks(width) + ")"
	return &insertion{width, before + row + strings.Repeat(","+row, perExec-1) + after, before + row + after}
}

// rows inserts many rows, up to perExec at a time: each crossing into SQLite
// costs as much as several rows.
func (w *writer) rows(of *insertion, args []any) error {
	for len(args) > 0 {
		text, n := of.one, of.width
		if len(args) >= perExec*of.width {
			text, n = of.many, perExec*of.width
		}
		if err := w.run(text, args[:n]...); err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}

// perExec is how many rows one statement takes; fewer are written one by one,
// so that there are two statements to compile and no more.
const perExec = 32

// idBytes is the length of a dot as the store keeps it.
const idBytes = len(conflict.ReplicaID{}) + 8

// idKey is a dot as the store keeps it.
func idKey(d conflict.Dot) []byte {
	b := make([]byte, 0, idBytes)
	return binary.BigEndian.AppendUint64(append(b, d.Replica[:]...), d.Counter)
}

// keyID reads what idKey wrote.
func keyID(b []byte) (conflict.Dot, error) {
	var d conflict.Dot
	if len(b) != len(d.Replica)+8 {
		return d, fmt.Errorf("record id of %d bytes", len(b))
	}
	copy(d.Replica[:], b)
	d.Counter = binary.BigEndian.Uint64(b[len(d.Replica):])
	return d, nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
