package backup

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Names in a data folder and in a backup.
const (
	database     = "wardbook.db"
	manifestFile = "manifest.json"
	keysFolder   = "keys"
	keysFile     = keysFolder + "/keys.json"
	lockFile     = "lock"
	unfinished   = "restore.unfinished" // there while a restore replaces files
)

// DatabasePath is where a data folder keeps its one database.
func DatabasePath(data string) string { return filepath.Join(data, database) }

// ErrInUse means that a server runs on the folder, or a restore.
var ErrInUse = errors.New("a server or a restore is at work on this folder")

// ErrUnfinished means that a restore was cut short while it replaced files.
var ErrUnfinished = errors.New("a restore of this folder was cut short; run wardbook restore again with the same -from and -data")

// ErrBackup means that the folder is a backup, which would be none any more once a
// server had changed it.
var ErrBackup = errors.New("this folder is a backup; restore it into a data folder with wardbook restore -from")

// ErrNoDatabase means that a folder that holds keys has lost its database.
var ErrNoDatabase = errors.New("keys are here and wardbook.db is not; bring the database back with wardbook restore, or name an empty folder to begin anew")

// Hold keeps other servers and restores out of a data folder, which it makes if
// it is absent, until the returned file is closed or the program ends.
func Hold(data string) (*os.File, error) {
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(data, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock %s: %w", data, err)
	}
	return f, nil
}

// Whole returns what keeps a program from working on a data folder: ErrUnfinished if
// its files were left half replaced, ErrBackup, or ErrNoDatabase. A folder that is
// absent or empty is whole.
func Whole(data string) error {
	switch half, err := exists(data, unfinished); {
	case err != nil:
		return err
	case half:
		return ErrUnfinished
	}
	switch is, err := exists(data, manifestFile); {
	case err != nil:
		return err
	case is:
		return ErrBackup
	}
	keys, err := exists(data, keysFile)
	if err != nil || !keys {
		return err
	}
	if has, err := HasDatabase(data); err != nil || has {
		return err
	}
	return ErrNoDatabase
}

// HasDatabase reports whether a data folder holds a database.
func HasDatabase(data string) (bool, error) { return exists(data, database) }

func exists(folder, name string) (bool, error) {
	_, err := os.Lstat(filepath.Join(folder, name))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// syncFolder makes the names in a folder durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// writeFile writes a new file, durable when it returns.
func writeFile(path string, b []byte) error {
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(part)
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// copyFile copies a file to a new one, durable when it returns.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}
