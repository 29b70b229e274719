package sqlite

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strconv"
	"time"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migration is one numbered step of the schema. Its hash is what a database
// remembers, so that an edited step is noticed.
type migration struct {
	number int
	name   string
	text   string
	hash   string
}

var migrationName = regexp.MustCompile(`^(\d{4})_([a-z0-9_]+)\.sql$`)

// readMigrations returns the steps found in dir of files, by number.
func readMigrations(files fs.FS, dir string) ([]migration, error) {
	entries, err := fs.ReadDir(files, dir)
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var all []migration
	for _, e := range entries {
		m := migrationName.FindStringSubmatch(e.Name())
		if m == nil {
			return nil, fmt.Errorf("read migrations: %s is not named NNNN_name.sql", e.Name())
		}
		text, err := fs.ReadFile(files, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		number, _ := strconv.Atoi(m[1])
		sum := sha256.Sum256(text)
		all = append(all, migration{number, m[2], string(text), hex.EncodeToString(sum[:])})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].number < all[j].number })
	for i := 1; i < len(all); i++ {
		if all[i].number == all[i-1].number {
			return nil, fmt.Errorf("read migrations: number %04d is used twice", all[i].number)
		}
	}
	return all, nil
}

// migrate brings the database to the newest of all, each step in a transaction
// of its own. It refuses a database that knows a step which all does not (a
// newer binary made it) or knows it with other contents (it was edited).
func migrate(ctx context.Context, conn *sql.Conn, all []migration, now func() time.Time) error {
	const table = `CREATE TABLE IF NOT EXISTS migrations (
		number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT`
	if _, err := conn.ExecContext(ctx, table); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	applied := 0
	for {
		more, err := migrateOne(ctx, conn, all, now)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		applied++
	}
	if applied == 0 {
		return nil
	}
	rows, err := conn.QueryContext(ctx, `PRAGMA foreign_key_check`)
	if err != nil {
		return fmt.Errorf("check foreign keys after migration: %w", err)
	}
	defer rows.Close()
	if rows.Next() {
		return fmt.Errorf("check foreign keys after migration: a row refers to nothing")
	}
	return rows.Err()
}

// migrateOne checks what is applied and applies the next missing step, all
// under the write lock, so that two processes starting at once do not collide.
func migrateOne(ctx context.Context, conn *sql.Conn, all []migration, now func() time.Time) (more bool, err error) {
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return false, fmt.Errorf("migrate: %w", err)
	}
	defer func() {
		if err != nil || !more {
			conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
		}
	}()
	next, err := nextMigration(ctx, conn, all)
	if err != nil || next == nil {
		return false, err
	}
	if _, err := conn.ExecContext(ctx, next.text); err != nil {
		return false, fmt.Errorf("migrate to %04d_%s: %w", next.number, next.name, err)
	}
	if _, err := conn.ExecContext(ctx, `INSERT INTO migrations (number, name, hash, applied_at) VALUES (?, ?, ?, ?)`,
		next.number, next.name, next.hash, now().UnixMilli()); err != nil {
		return false, fmt.Errorf("migrate to %04d_%s: %w", next.number, next.name, err)
	}
	if _, err := conn.ExecContext(ctx, `COMMIT`); err != nil {
		return false, fmt.Errorf("migrate to %04d_%s: %w", next.number, next.name, err)
	}
	return true, nil
}

// nextMigration returns the first step that is not applied, or nil. It judges
// the steps that are.
func nextMigration(ctx context.Context, conn *sql.Conn, all []migration) (*migration, error) {
	known := make(map[int]migration, len(all))
	for _, m := range all {
		known[m.number] = m
	}
	rows, err := conn.QueryContext(ctx, `SELECT number, name, hash FROM migrations ORDER BY number`)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	defer rows.Close()
	done, last := map[int]bool{}, 0
	for rows.Next() {
		var number int
		var name, hash string
		if err := rows.Scan(&number, &name, &hash); err != nil {
			return nil, fmt.Errorf("migrate: %w", err)
		}
		m, ok := known[number]
		if !ok {
			return nil, fmt.Errorf("migrate: the database has step %04d_%s, which this program does not know: a newer version made it; run that version", number, name)
		}
		if m.hash != hash {
			return nil, fmt.Errorf("migrate: step %04d_%s was edited after this database applied it", number, name)
		}
		done[number], last = true, number
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	for i := range all {
		if done[all[i].number] {
			continue
		}
		if all[i].number < last {
			return nil, fmt.Errorf("migrate: step %04d_%s comes before step %04d, which is applied already", all[i].number, all[i].name, last)
		}
		return &all[i], nil
	}
	return nil, nil
}
