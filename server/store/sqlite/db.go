package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/server/store"
)

// minVersion is the first SQLite without the WAL-reset bug, by which a database
// with two connections could be corrupted.
const minVersion = 3051003

// Options are the optional parts of Open. Zero values mean the defaults.
type Options struct {
	ReadConns    int              // size of the read pool; default 8
	QueueSize    int              // closures that may wait for the committer; default 1024
	MaxBatch     int              // closures that share a transaction at most; default 256
	MaxBatchTime time.Duration    // a batch takes no further closure after this; default 20 ms
	BusyTimeout  time.Duration    // wait for another process's write lock; default 10 s
	Now          func() time.Time // default time.Now
	Log          *slog.Logger     // for what no caller can be told; default discards
}

func (o *Options) fill() {
	if o.ReadConns <= 0 {
		o.ReadConns = 8
	}
	if o.QueueSize <= 0 {
		o.QueueSize = 1024
	}
	if o.MaxBatch <= 0 {
		o.MaxBatch = 256
	}
	if o.MaxBatchTime <= 0 {
		o.MaxBatchTime = 20 * time.Millisecond
	}
	if o.BusyTimeout <= 0 {
		o.BusyTimeout = 10 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Store is an open database. Its methods may be called from any goroutine.
type Store struct {
	path  string
	opts  Options
	write *sql.DB // one connection, held by the committer
	read  *sql.DB
	*committer

	closeOnce sync.Once
	closeErr  error
}

// Open opens the database file at path, making it (mode 0600) and its folder
// (mode 0700) when they are absent, and brings its tables up to date. It returns
// an error, and leaves nothing open, when SQLite is too old, when a setting that
// durability rests on did not take, or when a newer program made the database.
//
// The caller owns the store and must Close it.
func Open(ctx context.Context, path string, opts Options) (_ *Store, err error) {
	opts.fill()
	if text, number, _ := sqlite3.Version(); number < minVersion {
		return nil, fmt.Errorf("open database: SQLite %s is older than 3.51.3, which can corrupt a write-ahead log", text)
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := makeFile(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s := &Store{path: path, opts: opts}
	s.write, err = sql.Open("sqlite3", dataSource(path, opts, url.Values{
		"mode": {"rw"}, "_txlock": {"immediate"}, "_journal_mode": {"WAL"}, "_cache_size": {"-65536"}, "_secure_delete": {"ON"},
	}))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.write.SetMaxOpenConns(1)
	defer func() {
		if err != nil {
			s.write.Close()
			if s.read != nil {
				s.read.Close()
			}
		}
	}()
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := assertDurable(ctx, conn); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := settleLog(ctx, conn); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	all, err := readMigrations(embedded, "migrations")
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, conn, all, opts.Now); err != nil {
		return nil, err
	}
	s.read, err = sql.Open("sqlite3", dataSource(path, opts, url.Values{
		"mode": {"ro"}, "_query_only": {"1"}, "_cache_size": {"-8192"},
	}))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	s.read.SetMaxOpenConns(opts.ReadConns)
	s.read.SetMaxIdleConns(opts.ReadConns)
	if err := s.read.PingContext(ctx); err != nil {
		return nil, fmt.Errorf("open database for reading: %w", err)
	}
	// A young file's name is durable only once its folder is flushed.
	if err := errors.Join(syncDir(filepath.Dir(path)), syncDir(filepath.Dir(filepath.Dir(path)))); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	erased, err := readErased(ctx, conn)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if s.committer, err = startCommitter(conn, erased, opts); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return s, nil
}

// Path returns the database file's absolute path.
func (s *Store) Path() string { return s.path }

// Now returns the store's time, which tests may set.
func (s *Store) Now() time.Time { return s.opts.Now() }

// View runs fn in a read transaction: everything that fn reads is one state of
// the database, which holds all work acknowledged before View was called. fn may
// be interrupted when ctx ends. A panic in fn is returned as an error. The Tx
// must not outlive fn.
func (s *Store) View(ctx context.Context, fn func(*Tx) error) error {
	return view(ctx, s.read, s.erased, fn)
}

func view(ctx context.Context, db *sql.DB, erased *erasedSet, fn func(*Tx) error) (err error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(context.Background(), `BEGIN`); err != nil {
		return fmt.Errorf("begin read: %w", err)
	}
	tx := &Tx{ctx: ctx, conn: conn, erased: erased}
	defer func() {
		tx.finish()
		if _, e := conn.ExecContext(context.Background(), `ROLLBACK`); e != nil && err == nil {
			err = fmt.Errorf("end read: %w", e)
		}
	}()
	return runClosure(tx, fn)
}

// Close stops taking work, waits until all queued work is committed and
// answered, and closes the database. Later calls return the first one's result.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.committer.stop()
		s.closeErr = errors.Join(s.read.Close(), s.committer.conn.Close(), s.write.Close())
	})
	return s.closeErr
}

// PanicError is what Update and View return when their closure panicked.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("closure panicked: %v", e.Value) }

func runClosure(tx *Tx, fn func(*Tx) error) error { return guard(func() error { return fn(tx) }) }

// guard runs fn and returns its panic as an error.
func guard(fn func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &PanicError{v, debug.Stack()}
		}
	}()
	return fn()
}

// dataSource returns the driver's name for the file at path, with what every
// connection has and the settings of extra.
func dataSource(path string, opts Options, extra url.Values) string {
	q := url.Values{
		"_synchronous":     {"FULL"}, // the driver's default, NORMAL, may lose an acknowledged commit
		"_foreign_keys":    {"1"},
		"_busy_timeout":    {strconv.FormatInt(opts.BusyTimeout.Milliseconds(), 10)},
		"_stmt_cache_size": {"256"},
	}
	for k, v := range extra {
		q[k] = v
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// assertDurable reads back the settings that an acknowledgement rests on, and that
// what is taken out of the tables does not stay in the file.
func assertDurable(ctx context.Context, conn *sql.Conn) error {
	for _, want := range []struct{ pragma, value string }{
		{"journal_mode", "wal"}, {"synchronous", "2"}, {"foreign_keys", "1"}, {"secure_delete", "1"},
	} {
		var got string
		if err := conn.QueryRowContext(ctx, "PRAGMA "+want.pragma).Scan(&got); err != nil {
			return fmt.Errorf("read pragma %s: %w", want.pragma, err)
		}
		if got != want.value {
			return fmt.Errorf("pragma %s is %q, want %q: refusing to run without it", want.pragma, got, want.value)
		}
	}
	return nil
}

// settleLog copies what a process that ended left in the log into the database,
// and leaves later copies to the committer. The process may have ended because
// the log could not be flushed: then the kernel may hold pages that no disk does,
// and that no later flush of the log writes. In the database they are written
// anew, and flushed, before anybody learns of them.
func settleLog(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, `PRAGMA wal_autocheckpoint = 0`); err != nil {
		return fmt.Errorf("settle the log: %w", err)
	}
	var busy, pages, copied int
	if err := conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &pages, &copied); err != nil {
		return fmt.Errorf("settle the log: %w", err)
	}
	return nil
}

// makeFile makes sure that path is a file that only we may read. SQLite gives
// its side files the same mode.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Chmod(0o600), f.Close())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Meta returns the value of key in the meta table, or store.ErrNotFound.
func (tx *Tx) Meta(key string) (string, error) {
	var value string
	err := tx.QueryRow(`SELECT value FROM meta WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return "", fmt.Errorf("read meta %s: %w", key, err)
	}
	return value, nil
}

// SetMeta writes the value of key in the meta table.
func (tx *Tx) SetMeta(key, value string) error {
	if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value); err != nil {
		return fmt.Errorf("write meta %s: %w", key, err)
	}
	return nil
}
