package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"path"
)

//go:embed migrations/*.sql
var embedded embed.FS

// migration is one step of the schema. Its hash is what a store remembers, so
// that an edited step is noticed.
type migration struct {
	number     int
	name, text string
	hash       string
}

// migrations returns the embedded steps in order: 0001_base.sql and so on,
// without a gap.
func migrations() ([]migration, error) {
	entries, err := fs.ReadDir(embedded, "migrations") // sorted by name
	if err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	var all []migration
	for i, e := range entries {
		m := migration{number: i + 1, name: e.Name()}
		if want := fmt.Sprintf("%04d_", m.number); len(m.name) < 6 || m.name[:5] != want {
			return nil, fmt.Errorf("read migrations: %s is out of order, want %s…", m.name, want)
		}
		text, err := embedded.ReadFile(path.Join("migrations", m.name))
		if err != nil {
			return nil, fmt.Errorf("read migrations: %w", err)
		}
		sum := sha256.Sum256(text)
		m.text, m.hash = string(text), hex.EncodeToString(sum[:])
		all = append(all, m)
	}
	return all, nil
}

// migrate brings db to the newest step, each in a transaction of its own. It
// refuses a store that knows a step which this program does not, or knows it
// with other contents.
func migrate(ctx context.Context, db *sql.DB) error {
	all, err := migrations()
	if err != nil {
		return err
	}
	return migrateTo(ctx, db, all)
}

func migrateTo(ctx context.Context, db *sql.DB, all []migration) error {
	if _, err := db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, hash TEXT NOT NULL) STRICT`); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	done, err := applied(ctx, db)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	for i, m := range done {
		switch {
		case i >= len(all):
			return fmt.Errorf("migrate: a newer version of this program made the store (step %s); use that version", m.name)
		case m.hash != all[i].hash || m.number != all[i].number:
			return fmt.Errorf("migrate: step %s was edited after this store applied it", m.name)
		}
	}
	for _, m := range all[len(done):] {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("migrate to %s: %w", m.name, err)
		}
		_, err = tx.ExecContext(ctx, m.text)
		if err == nil {
			_, err = tx.ExecContext(ctx, `INSERT INTO migrations (number, name, hash) VALUES (?, ?, ?)`, m.number, m.name, m.hash)
		}
		if err != nil {
			_ = tx.Rollback() // err says why
			return fmt.Errorf("migrate to %s: %w", m.name, err)
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("migrate to %s: %w", m.name, err)
		}
	}
	return nil
}

// applied returns the steps that the store knows, in order.
func applied(ctx context.Context, db *sql.DB) ([]migration, error) {
	rows, err := db.QueryContext(ctx, `SELECT number, name, hash FROM migrations ORDER BY number`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var done []migration
	for rows.Next() {
		var m migration
		if err := rows.Scan(&m.number, &m.name, &m.hash); err != nil {
			return nil, err
		}
		done = append(done, m)
	}
	return done, rows.Err()
}
