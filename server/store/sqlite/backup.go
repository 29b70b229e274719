package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"

	"wardbook/conflict"
	"wardbook/sync/protocol"
)

// Backup writes a consistent copy of the database, as Copy does.
func (s *Store) Backup(ctx context.Context, path string) error { return Copy(ctx, s.path, path) }

// Copy writes a consistent copy of the database file at from, as of some moment
// during the call, to a new file at to (mode 0600), flushed to disk. It runs
// beside readers and the writer, of other processes too. An existing file is an
// error; a failed copy leaves none.
func Copy(ctx context.Context, from, to string) (err error) {
	if _, err := os.Lstat(to); err == nil {
		return fmt.Errorf("copy database: %s: %w", to, os.ErrExist)
	}
	if from, err = filepath.Abs(from); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	part := to + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(part)
		}
	}()
	// Not read-only: a log that a crash left behind must first be recovered.
	db, err := sql.Open("sqlite3", dataSource(from, fileOptions(), url.Values{"mode": {"rw"}}))
	if err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, part); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	// VACUUM INTO flushes nothing.
	if err := f.Sync(); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if err := os.Rename(part, to); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return fmt.Errorf("copy database: %w", err)
	}
	return nil
}

// fileOptions are for who looks at a file and serves nobody.
func fileOptions() (o Options) {
	o.fill()
	return o
}

// Version returns the version of SQLite that this program is built with, and
// whether it is new enough to run on.
func Version() (text string, ok bool) {
	text, number, _ := sqlite3.Version()
	return text, number >= minVersion
}

// Reader is a database file that is looked at and never written to, whether or
// not a server has it open.
type Reader struct{ db *sql.DB }

// OpenReader opens the file at path, which must exist.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	// Not read-only: a log that a crash left behind must first be recovered.
	db, err := sql.Open("sqlite3", dataSource(path, fileOptions(), url.Values{"mode": {"rw"}, "_query_only": {"1"}}))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := db.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", err), db.Close())
	}
	return &Reader{db}, nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.db.Close() }

// View runs fn in a read transaction, like a Store's.
func (r *Reader) View(ctx context.Context, fn func(*Tx) error) error {
	return view(ctx, r.db, nil, fn)
}

// Damage lists what SQLite itself finds wrong with the file: pages, indexes,
// rows that break the table's rules or refer to nothing. It reads all of it.
func (r *Reader) Damage(ctx context.Context) (found []string, err error) {
	err = r.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query(`PRAGMA integrity_check(100)`)
		if err != nil {
			return fmt.Errorf("check integrity: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return fmt.Errorf("check integrity: %w", err)
			}
			if text != "ok" {
				found = append(found, text)
			}
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("check integrity: %w", err)
		}
		rows.Close()
		if len(found) > 0 {
			return nil // what follows would only stumble
		}
		loose, err := tx.Query(`SELECT "table", count(*) FROM pragma_foreign_key_check GROUP BY 1`)
		if err != nil {
			return fmt.Errorf("check references: %w", err)
		}
		defer loose.Close()
		for loose.Next() {
			var table string
			var n int
			if err := loose.Scan(&table, &n); err != nil {
				return fmt.Errorf("check references: %w", err)
			}
			found = append(found, fmt.Sprintf("%d rows of %s refer to nothing", n, table))
		}
		return loose.Err()
	})
	return found, err
}

// Schema returns the last migration that the file has, and the last that this
// program knows. It fails if the file has one that the program does not know, or
// knows otherwise.
func (r *Reader) Schema(ctx context.Context) (has, knows int, err error) {
	all, err := readMigrations(embedded, "migrations")
	if err != nil {
		return 0, 0, err
	}
	knows = all[len(all)-1].number
	conn, err := r.db.Conn(ctx)
	if err != nil {
		return 0, knows, fmt.Errorf("read schema: %w", err)
	}
	defer conn.Close()
	next, err := nextMigration(ctx, conn, all)
	switch {
	case err != nil:
		return 0, knows, err
	case next == nil:
		return knows, knows, nil
	}
	return next.number - 1, knows, nil
}

// Pragma returns a setting of the file.
func (r *Reader) Pragma(ctx context.Context, name string) (string, error) {
	var value string
	err := r.View(ctx, func(tx *Tx) error { return tx.QueryRow(`SELECT * FROM pragma_` + name).Scan(&value) })
	if err != nil {
		return "", fmt.Errorf("read pragma %s: %w", name, err)
	}
	return value, nil
}

// BeginEpoch begins a new life of a database that came back from a backup: the
// epoch that the backup was made in ends at the positions that the backup holds,
// and everything up to there is in a backup.
func (l *Ledger) BeginEpoch() error {
	for _, q := range []string{
		`INSERT INTO forks (epoch, unit, position)
			SELECT (SELECT token FROM epochs ORDER BY seq DESC LIMIT 1), unit, position FROM positions`,
		`INSERT INTO epochs (seq, token, server, counter, began_at)
			SELECT max(seq) + 1, randomblob(16), randomblob(16), 0, unixepoch('subsec') * 1000 FROM epochs`,
		`UPDATE replicas SET backed_up = acked`,
		`DELETE FROM backed_up`,
		`INSERT INTO backed_up (unit, position) SELECT unit, position FROM positions`,
	} {
		if _, err := l.tx.Exec(q); err != nil {
			return fmt.Errorf("begin epoch: %w", err)
		}
	}
	return nil
}

// NameEpoch gives a life of the database that has just begun other names than those
// that were drawn for it, so that a simulation is the same every time.
func (l *Ledger) NameEpoch(token protocol.Token, server conflict.ReplicaID) error {
	_, err := l.tx.Exec(`UPDATE epochs SET token = ?, server = ? WHERE seq = (SELECT max(seq) FROM epochs) AND counter = 0`, token[:], server[:])
	if err != nil {
		return fmt.Errorf("name epoch: %w", err)
	}
	return nil
}

// Reach is how far a database holds what it was given: per unit the position of
// its feed, per replica the counter up to which everything is stored.
type Reach struct {
	Epoch    protocol.Token
	Units    map[string]uint64
	Replicas map[conflict.ReplicaID]uint64
}

// Reach returns how far this database goes.
func (l *Ledger) Reach() (Reach, error) {
	r := Reach{Units: map[string]uint64{}, Replicas: map[conflict.ReplicaID]uint64{}}
	epoch, err := l.Epoch()
	if err != nil {
		return r, err
	}
	r.Epoch = epoch.Token
	rows, err := l.tx.Query(`SELECT unit, position FROM positions`)
	if err != nil {
		return r, fmt.Errorf("read reach: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var unit string
		var p uint64
		if err := rows.Scan(&unit, &p); err != nil {
			return r, fmt.Errorf("read reach: %w", err)
		}
		r.Units[unit] = p
	}
	if err := rows.Err(); err != nil {
		return r, fmt.Errorf("read reach: %w", err)
	}
	replicas, err := l.tx.Query(`SELECT id, acked FROM replicas WHERE acked > 0`)
	if err != nil {
		return r, fmt.Errorf("read reach: %w", err)
	}
	defer replicas.Close()
	for replicas.Next() {
		var b []byte
		var acked uint64
		if err := replicas.Scan(&b, &acked); err != nil {
			return r, fmt.Errorf("read reach: %w", err)
		}
		r.Replicas[conflict.ReplicaID(b)] = acked
	}
	return r, replicas.Err()
}

// ErrOtherLife means that a database was restored since a backup of it was made.
var ErrOtherLife = errors.New("the database was restored from a backup meanwhile")

// KeepBackedUp keeps that a verified backup reaches so far. It only ever goes on.
func (l *Ledger) KeepBackedUp(r Reach) error {
	epoch, err := l.Epoch()
	switch {
	case err != nil:
		return err
	case epoch.Token != r.Epoch:
		return ErrOtherLife
	}
	for unit, p := range r.Units {
		if _, err := l.tx.Exec(`INSERT INTO backed_up (unit, position) VALUES (?, ?)
			ON CONFLICT (unit) DO UPDATE SET position = max(position, excluded.position)`, unit, p); err != nil {
			return fmt.Errorf("keep backup: %w", err)
		}
	}
	for id, acked := range r.Replicas {
		if _, err := l.tx.Exec(`UPDATE replicas SET backed_up = ?2 WHERE id = ?1 AND backed_up < ?2`, id[:], acked); err != nil {
			return fmt.Errorf("keep backup: %w", err)
		}
	}
	return nil
}

// BackedUp returns the position of a unit's feed up to which a backup holds it.
func (l *Ledger) BackedUp(unit string) (uint64, error) {
	var p uint64
	err := l.tx.QueryRow(`SELECT position FROM backed_up WHERE unit = ?`, unit).Scan(&p)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read backup's reach: %w", err)
	}
	return p, nil
}
