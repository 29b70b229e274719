//go:build !js

package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/mattn/go-sqlite3"
)

// minVersion is the first SQLite without the WAL-reset bug.
const minVersion = 3051003

// Open opens the store in a file, making it (mode 0600) if there is none. It
// fails, and leaves nothing open, when SQLite is too old or when a setting
// that durability rests on did not take. The file is not encrypted.
func Open(ctx context.Context, path string) (*Store, error) {
	if text, n, _ := sqlite3.Version(); n < minVersion {
		return nil, fmt.Errorf("open store: SQLite %s is older than 3.51.3, which can corrupt a write-ahead log", text)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	options := url.Values{"mode": {"rw"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_foreign_keys": {"on"},
		"_txlock": {"immediate"}, "_busy_timeout": {"5000"}, "_cache_size": {"-32768"},
		"_secure_delete": {"on"}} // what was erased is not in free pages either
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+options.Encode())
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	db.SetMaxOpenConns(1)
	if err := assertDurable(ctx, db); err != nil {
		db.Close()
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	s, err := New(ctx, db)
	if err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

// assertDurable reads back what durability rests on.
func assertDurable(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, `PRAGMA journal_mode`).Scan(&mode); err != nil {
		return err
	}
	var synchronous int
	if err := db.QueryRowContext(ctx, `PRAGMA synchronous`).Scan(&synchronous); err != nil {
		return err
	}
	if mode != "wal" || synchronous != 2 {
		return fmt.Errorf("journal_mode is %s and synchronous %d, want wal and 2 (FULL)", mode, synchronous)
	}
	return nil
}
