package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"wardbook/server/store/sqlite"
)

// Make copies the database of a data folder, beside a server that may run on
// it, into the folder to, which must be empty or absent, and reads the copy back.
// Once it returns, the backup is durable and verified, and the database knows how
// far it reaches. A backup that fails leaves no manifest, and no word of it.
func Make(ctx context.Context, data, to, version string, now time.Time) (Manifest, error) {
	if err := Whole(data); err != nil {
		return Manifest{}, err
	}
	from := DatabasePath(data)
	if err := sameSchema(ctx, from); err != nil {
		return Manifest{}, err
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return Manifest{}, err
	}
	if there, err := os.ReadDir(to); err != nil {
		return Manifest{}, err
	} else if len(there) > 0 {
		return Manifest{}, fmt.Errorf("%s is not empty: each backup wants a folder of its own", to)
	}
	if err := sqlite.Copy(ctx, from, DatabasePath(to)); err != nil {
		return Manifest{}, err
	}
	m, err := survey(ctx, DatabasePath(to))
	if err != nil {
		return m, fmt.Errorf("the copy cannot be trusted: %w", err)
	}
	m.Format, m.Version, m.MadeAt = manifestFormat, version, now.UTC()
	file, err := fileOf(to, database)
	if err != nil {
		return m, err
	}
	m.Files = []File{file}
	raw, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return m, err
	}
	if err := writeFile(filepath.Join(to, manifestFile), append(raw, '\n')); err != nil {
		return m, err
	}
	if err := syncFolder(filepath.Dir(filepath.Clean(to))); err != nil {
		return m, err
	}
	return m, announce(ctx, from, DatabasePath(to))
}

// sameSchema refuses a database that another version of the program made: to
// keep how far a backup reaches, its tables would have to be changed under the
// server that runs on it.
func sameSchema(ctx context.Context, path string) error {
	r, err := sqlite.OpenReader(ctx, path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("there is no database: %w", err)
	}
	if err != nil {
		return err
	}
	defer r.Close()
	has, knows, err := r.Schema(ctx)
	if err == nil && has != knows {
		err = fmt.Errorf("the database is at step %d, this program at step %d: serve the folder once with this program, or use the one that serves it", has, knows)
	}
	return err
}

// announce keeps in the live database how far the copy reaches.
func announce(ctx context.Context, live, made string) (err error) {
	r, err := sqlite.OpenReader(ctx, made)
	if err != nil {
		return err
	}
	defer r.Close()
	var reach sqlite.Reach
	if err := r.View(ctx, func(tx *sqlite.Tx) (err error) {
		reach, err = sqlite.LedgerOf(tx).Reach()
		return err
	}); err != nil {
		return err
	}
	s, err := sqlite.Open(ctx, live, sqlite.Options{ReadConns: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.Update(ctx, func(tx *sqlite.Tx) error { return sqlite.LedgerOf(tx).KeepBackedUp(reach) })
	if errors.Is(err, sqlite.ErrOtherLife) {
		return fmt.Errorf("the backup is sound, but %w: make another", err)
	}
	return err
}
