package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// closed is what was closed in a database: accounts and devices.
type closed struct {
	accounts []store.Account
	devices  []store.Device
}

// closedIn reads from the database of a data folder what is closed there. It
// reads a copy made in the folder beside: not even the recovery of its log may
// change what is kept.
func closedIn(ctx context.Context, data, beside string) (c closed, err error) {
	if err := os.Mkdir(beside, 0o700); err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(beside)) }()
	for _, side := range []string{"", "-wal"} {
		err := copyFile(DatabasePath(data)+side, DatabasePath(beside)+side)
		switch {
		case errors.Is(err, fs.ErrNotExist) && side == "":
			return c, nil // there was none
		case err != nil && !errors.Is(err, fs.ErrNotExist):
			return c, err
		}
	}
	r, err := sqlite.OpenReader(ctx, DatabasePath(beside))
	if err != nil {
		return c, err
	}
	defer r.Close()
	return c, r.View(ctx, c.read)
}

func (c *closed) read(tx *sqlite.Tx) error {
	const page = 500
	for after := ""; ; {
		accounts, err := tx.Accounts(after, page)
		if err != nil {
			return err
		}
		for _, a := range accounts {
			after = a.Name
			if a.Disabled {
				c.accounts = append(c.accounts, a)
			}
			for last := store.DeviceID(""); ; {
				devices, err := tx.DeviceStates(a.ID, "", last, page)
				if err != nil {
					return err
				}
				for _, d := range devices {
					last = d.ID
					if !d.RevokedAt.IsZero() {
						c.devices = append(c.devices, d.Device)
					}
				}
				if len(devices) < page {
					break
				}
			}
		}
		if len(accounts) < page {
			return nil
		}
	}
}

// close closes in tx what is open there, and names it.
func (c *closed) close(tx *sqlite.Tx, now time.Time) (names []string, err error) {
	for _, old := range c.accounts {
		a, err := tx.Account(old.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && a.Disabled {
			continue
		}
		if err != nil {
			return nil, err
		}
		a.Disabled, a.ChangedAt = true, now
		if err := errors.Join(tx.UpdateAccount(a), tx.RevokeFamiliesOfAccount(a.ID, "", now, "account_disabled")); err != nil {
			return nil, err
		}
		names = append(names, "account "+a.Name)
	}
	for _, old := range c.devices {
		d, err := tx.Device(old.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && !d.RevokedAt.IsZero() {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := errors.Join(tx.RevokeDevice(d.ID, old.RevokedAt, old.Reason, old.Lost), tx.RevokeFamiliesOfDevice(d.ID, now, "device_revoked")); err != nil {
			return nil, err
		}
		names = append(names, fmt.Sprintf("device %s (%s)", d.ID, d.Label))
	}
	return names, nil
}

// beside is where the old database is read.
func beside(ready string) string { return filepath.Join(ready, "old") }
