package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
)

// RecordBytes returns how many bytes the records take at rest, with their keys
// and indexes and without their history, and how many there are. It measures a
// copy made for it at path, which it removes.
func (s *Store) RecordBytes(ctx context.Context, path string) (bytes, records int64, err error) {
	if err := s.Backup(ctx, path); err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, os.Remove(path)) }()
	db, err := sql.Open("sqlite3", dataSource(path, s.opts, url.Values{"mode": {"rw"}, "_foreign_keys": {"0"}}))
	if err != nil {
		return 0, 0, fmt.Errorf("measure records: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM records`).Scan(&records); err != nil {
		return 0, 0, fmt.Errorf("measure records: %w", err)
	}
	size := func() (int64, error) {
		if _, err := db.ExecContext(ctx, `VACUUM`); err != nil {
			return 0, err
		}
		var n int64
		err := db.QueryRowContext(ctx, `SELECT page_count * page_size FROM pragma_page_count, pragma_page_size`).Scan(&n)
		return n, err
	}
	with, err := size()
	if err == nil {
		_, err = db.ExecContext(ctx, `DELETE FROM records`)
	}
	var without int64
	if err == nil {
		without, err = size()
	}
	if err != nil {
		return 0, 0, fmt.Errorf("measure records: %w", err)
	}
	return with - without, records, nil
}
