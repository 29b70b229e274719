package backup

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/erasure"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
)

// What was there before a restore stands in a folder of this name and time.
const (
	setAside  = "before-"
	asideTime = "20060102T150405.000Z"
)

// restoring is the folder in which a restore makes the database ready.
const restoring = "restoring"

// ErrNoKeys means that the data folder has no signing keys. They are not in the
// backup: without them nothing that devices keep can be proved.
var ErrNoKeys = errors.New("the data folder has no " + keysFile + ", which is in no backup")

// Restored is what a restore did.
type Restored struct {
	Manifest Manifest
	Epoch    string // the new one
	Kept     string // folder that holds what was there before; "" for nothing
	// Closed names the accounts and devices that were closed since the backup and
	// stay so; Unread is why that could not be found out, nil if it was.
	Closed []string
	Unread error
	Erased int // records that the backup held, or might get again, and that were erased by law
}

// Restore puts the backup in from in the place of the database of a data folder,
// on which no server may run. It first verifies all of the backup and makes the
// new database ready beside the old; then the old one goes into a folder of its
// own and the new one takes its place. Cut short before that, it has changed
// nothing; cut short while files change places, it leaves a mark by which every
// command refuses the folder until a restore is run again. Unless newKeys is
// set, a folder without signing keys is refused with ErrNoKeys.
func Restore(ctx context.Context, from, data string, newKeys bool, now time.Time) (Restored, error) {
	var done Restored
	m, err := Verify(ctx, from)
	if err != nil {
		return done, err
	}
	done.Manifest = m
	if is, err := exists(data, manifestFile); err != nil || is {
		return done, cmp.Or(err, ErrBackup)
	}
	hold, err := Hold(data)
	if err != nil {
		return done, err
	}
	defer hold.Close()
	if _, err := os.Stat(filepath.Join(data, keysFile)); err != nil && !newKeys {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNoKeys
		}
		return done, err
	}
	ready := filepath.Join(data, restoring)
	if err := os.RemoveAll(ready); err != nil {
		return done, err
	}
	if err := os.Mkdir(ready, 0o700); err != nil {
		return done, err
	}
	if err := copyFile(DatabasePath(from), DatabasePath(ready)); err != nil {
		return done, err
	}
	// Whoever was shut out since must not be let in again by a restore.
	shut, err := closedIn(ctx, data, beside(ready))
	if err != nil {
		shut, done.Unread = closed{}, err
	}
	if err := begin(ctx, ready, m, now, &shut, &done); err != nil {
		return done, err
	}
	if done.Erased, err = eraseAgain(ctx, data, ready); err != nil {
		return done, err
	}
	done.Kept, err = replace(data, ready, now)
	return done, err
}

// eraseAgain takes out of the copy in ready what was erased by law since the backup,
// before it becomes the database of anybody.
func eraseAgain(ctx context.Context, data, ready string) (n int, err error) {
	keys := filepath.Join(data, keysFolder)
	if _, err := os.Stat(erasure.ListPath(data)); errors.Is(err, fs.ErrNotExist) {
		return 0, nil // the server begins one, with what the database has erased
	}
	key, err := auth.ErasedKey(keys)
	if err != nil {
		return 0, err
	}
	if len(key) == 0 {
		return 0, fmt.Errorf("%s lists what was erased by law, and %s has no key for it: put the saved folder keys back; or, if the key is lost, move the list away, knowing that what was erased since the backup comes back", erasure.ListPath(data), keysFile)
	}
	list, err := erasure.OpenList(keys, key, rand.Reader)
	if err != nil {
		return 0, err
	}
	defer list.Close()
	path := DatabasePath(ready)
	s, err := sqlite.Open(ctx, path, sqlite.Options{ReadConns: 1})
	if err != nil {
		return 0, err
	}
	led := ledger.New(ledger.Config{Now: func() int64 { return time.Now().UnixMilli() }, Erased: erasure.Follow})
	applied, err := erasure.Apply(ctx, s, led, list)
	if err == nil {
		_, err = erasure.Rewrite(ctx, s, func() (int64, error) { return 0, nil }, true)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return 0, err
	}
	return len(applied.Erased), settled(path)
}

// settled makes a database durable that was closed, and looks that all of it is in the
// one file: what is left of a log would be taken for the new file's.
func settled(path string) error {
	for _, side := range []string{"-wal", "-shm"} {
		if _, err := os.Stat(path + side); err == nil {
			return fmt.Errorf("%s was not folded into the database", path+side)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncFolder(filepath.Dir(path)))
}

// begin makes the copy in ready the beginning of a new epoch, in which what is
// shut stays so, and looks whether it still holds all that the manifest says.
func begin(ctx context.Context, ready string, m Manifest, now time.Time, shut *closed, done *Restored) error {
	path := DatabasePath(ready)
	s, err := sqlite.Open(ctx, path, sqlite.Options{ReadConns: 1})
	if err != nil {
		return err
	}
	err = s.Update(ctx, func(tx *sqlite.Tx) error {
		if err := sqlite.LedgerOf(tx).BeginEpoch(); err != nil {
			return err
		}
		if done.Closed, err = shut.close(tx, now); err != nil {
			return err
		}
		return audit.Append(tx, now, audit.Entry{Action: "server.restore", Subject: m.Epoch,
			Detail: map[string]string{"made_at": m.MadeAt.Format(time.RFC3339), "closed": fmt.Sprint(len(done.Closed))}})
	})
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	found, err := survey(ctx, path)
	if err != nil {
		return err
	}
	if !slices.Equal(found.Units, m.Units) {
		return errors.New("the copy of the backup does not hold what its manifest says")
	}
	if found.Epoch == m.Epoch {
		return errors.New("the new epoch is the old one")
	}
	done.Epoch = found.Epoch
	return settled(path)
}

// replace has the files in ready change places with those in data.
func replace(data, ready string, now time.Time) (kept string, err error) {
	mark := filepath.Join(data, unfinished)
	if err := writeFile(mark, []byte("wardbook restore was cut short here; run it again\n")); err != nil {
		return "", err
	}
	old := filepath.Join(data, setAside+now.UTC().Format(asideTime))
	for _, side := range []string{"-wal", "-shm", ""} {
		path := DatabasePath(data) + side
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := os.MkdirAll(old, 0o700); err != nil {
			return kept, err
		}
		kept = old
		if err := os.Rename(path, filepath.Join(old, database+side)); err != nil {
			return kept, err
		}
	}
	if kept != "" {
		if err := syncFolder(old); err != nil {
			return kept, err
		}
	}
	if err := os.Rename(DatabasePath(ready), DatabasePath(data)); err != nil {
		return kept, err
	}
	if err := syncFolder(data); err != nil {
		return kept, err
	}
	if err := os.Remove(mark); err != nil {
		return kept, err
	}
	if err := syncFolder(data); err != nil {
		return kept, err
	}
	return kept, os.RemoveAll(ready)
}
