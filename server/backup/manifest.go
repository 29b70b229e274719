package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wardbook/server/store/sqlite"
)

// Manifest is what a backup says of itself.
type Manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"` // of the program that made it
	SQLite  string    `json:"sqlite"`
	Schema  int       `json:"schema"` // last migration
	MadeAt  time.Time `json:"made_at"`
	Epoch   string    `json:"epoch"` // 32 hexadecimal digits
	Units   []Unit    `json:"units"`
	Files   []File    `json:"files"`
}

// Unit is how far a backup reaches in one unit.
type Unit struct {
	Code       string `json:"unit"`
	Position   uint64 `json:"position"` // of its feed
	Records    int    `json:"records"`
	Changesets int    `json:"changesets"`
	Quarantine int    `json:"quarantine"`
	Approvals  int    `json:"approvals"`
	State      string `json:"state_sha256"` // over all its records
}

// File is a file of the backup and what it must be.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

const manifestFormat = 1

// ReadManifest reads the manifest of the backup in dir.
func ReadManifest(dir string) (Manifest, error) {
	var m Manifest
	raw, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("%s holds no %s: it is no backup, or one that was cut short; use another backup", dir, manifestFile)
	}
	if err != nil {
		return m, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&m); err != nil {
		return m, fmt.Errorf("%s is damaged; use another backup: %w", manifestFile, err)
	}
	switch {
	case m.Format != manifestFormat:
		return m, fmt.Errorf("%s has format %d, this program knows %d: use the version that made it (%s) or a newer one", manifestFile, m.Format, manifestFormat, m.Version)
	case len(m.Files) != 1 || m.Files[0].Name != database:
		return m, fmt.Errorf("%s is damaged; use another backup: it names other files than %s", manifestFile, database)
	}
	return m, nil
}

// Verify reads the backup in dir, all of it, and returns its manifest if
// everything is as that says.
func Verify(ctx context.Context, dir string) (Manifest, error) {
	m, err := ReadManifest(dir)
	if err != nil {
		return m, err
	}
	got, err := fileOf(dir, database)
	if err != nil {
		return m, err
	}
	if want := m.Files[0]; got != want {
		return m, fmt.Errorf("%s is damaged, for it is not the file that the manifest names; use another backup: got %d bytes with SHA-256 %s, want %d with %s", database, got.Bytes, got.SHA256, want.Bytes, want.SHA256)
	}
	found, err := survey(ctx, DatabasePath(dir))
	if err != nil {
		return m, err
	}
	if found.Epoch != m.Epoch || !slices.Equal(found.Units, m.Units) {
		return m, errors.New("the database does not hold what the manifest says; use another backup")
	}
	return m, nil
}

func fileOf(dir, name string) (File, error) {
	f, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := io.Copy(sum, f)
	return File{name, n, hex.EncodeToString(sum.Sum(nil))}, err
}

// survey has SQLite check the database at path and fills what a manifest says of
// its content. A damaged database is an error.
func survey(ctx context.Context, path string) (Manifest, error) {
	var m Manifest
	r, err := sqlite.OpenReader(ctx, path)
	if err != nil {
		return m, err
	}
	defer r.Close()
	damage, err := r.Damage(ctx)
	if err != nil {
		return m, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if len(damage) > 0 {
		return m, fmt.Errorf("%s is damaged: %s", path, damage[0])
	}
	if m.Schema, _, err = r.Schema(ctx); err != nil {
		return m, err
	}
	m.SQLite, _ = sqlite.Version()
	err = r.View(ctx, func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		epoch, err := l.Epoch()
		if err != nil {
			return err
		}
		m.Epoch = hex.EncodeToString(epoch.Token[:])
		units, err := l.Census()
		for _, u := range units {
			m.Units = append(m.Units, Unit{u.Unit, u.Position, u.Records, u.Changesets, u.Quarantine, u.Approvals, hex.EncodeToString(u.State[:])})
		}
		return err
	})
	return m, err
}
