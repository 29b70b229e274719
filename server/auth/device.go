package auth

import (
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// codeLife is how long an enrolment code may be used.
const codeLife = 24 * time.Hour

// codeLetters is the length of an enrolment code: some 59 bits.
const codeLetters = 12

// IssueCode makes a code with which the account may enrol one device, once,
// within a day. An unused older code of the account dies.
func (a *Accounts) IssueCode(ctx context.Context, by Principal, id store.AccountID) (code string, expires time.Time, err error) {
	if code, err = newSecret(a.random, codeLetters); err != nil {
		return "", time.Time{}, err
	}
	err = a.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := a.now()
		by, err := a.begin(tx, by, now)
		if err != nil {
			return err
		}
		acc, err := tx.Account(id)
		if err != nil {
			return err
		}
		expires = now.Add(codeLife)
		if err := tx.InsertEnrolmentCode(store.EnrolmentCode{
			Hash: codeHash(id, code), Account: id, IssuedBy: by.Account, IssuedAt: now, ExpiresAt: expires,
		}); err != nil {
			return err
		}
		return note(tx, by, now, "code.issue", acc.Unit, string(id), nil)
	})
	return code, expires, err
}

// codeHash binds a code to its account. A person types it: case, spaces and
// hyphens are theirs.
func codeHash(id store.AccountID, code string) store.Hash {
	code = strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' {
			return -1
		}
		return r
	}, strings.ToLower(code))
	return sha256.Sum256([]byte("enrolment code\x00" + string(id) + "\x00" + code))
}

// Devices returns up to limit devices after the given id, with what was last
// heard of them: of an account, or of all when it is empty. Everybody may list
// their own.
func (a *Accounts) Devices(ctx context.Context, by Principal, account store.AccountID, after store.DeviceID, limit int) (all []store.DeviceState, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		by, err := Current(tx, by, a.now())
		if err != nil {
			return err
		}
		if account == "" || account != by.Account {
			if err := Can(by, Administer, "", 0); err != nil {
				return err
			}
		}
		all, err = tx.DeviceStates(account, "", after, limit)
		return err
	})
	return all, err
}

// UnitDevices returns up to limit devices of the supervisor's unit after the
// given id, with what was last heard of them.
func (a *Accounts) UnitDevices(ctx context.Context, by Principal, after store.DeviceID, limit int) (all []store.DeviceState, err error) {
	err = a.store.View(ctx, func(tx *sqlite.Tx) error {
		by, err := Current(tx, by, a.now())
		if err != nil {
			return err
		}
		if err := Can(by, Review, by.Unit, Basic); err != nil {
			return err
		}
		all, err = tx.DeviceStates("", by.Unit, after, limit)
		return err
	})
	return all, err
}

// RevokeDevice takes a device's access away, for ever: its sign-ins die and its
// sockets end at once; at its next contact it seals its unsent work and wipes
// itself. lost says that it may be in a stranger's hands: that is not for an
// administrator alone to say, but for a supervisor of the unit too, who hears
// of it first. Everybody may revoke their own; of another's it is told only
// that there is none. The reason is a code.
func (a *Accounts) RevokeDevice(ctx context.Context, by Principal, id store.DeviceID, reason string, lost bool) error {
	return a.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := a.now()
		by, err := Current(tx, by, now)
		if err != nil {
			return err
		}
		d, err := tx.Device(id)
		if err != nil {
			return err
		}
		if d.Account != by.Account || by.console {
			err := Can(by, Administer, "", 0)
			if err != nil && lost {
				err = a.mayReportLost(tx, by, d)
			}
			if errors.Is(err, rpc.ErrForbidden) {
				return rpc.ErrNotFound.Because(err)
			} else if err != nil {
				return err
			}
		}
		return a.revokeDevice(tx, by, now, d, reason, lost)
	})
}

// mayReportLost says whether by supervises the unit whose device it is.
func (a *Accounts) mayReportLost(tx *sqlite.Tx, by Principal, d store.Device) error {
	owner, err := tx.Account(d.Account)
	if err != nil {
		return err
	}
	return Can(by, Review, owner.Unit, Basic)
}

func (a *Accounts) revokeDevice(tx *sqlite.Tx, by Principal, now time.Time, d store.Device, reason string, lost bool) error {
	if d.Revoked() {
		return nil
	}
	if err := tx.RevokeDevice(d.ID, now, reason, lost); err != nil {
		return err
	}
	if err := tx.RevokeFamiliesOfDevice(d.ID, now, "device_revoked"); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		a.sessions.end(d.Account, ErrDeviceRevoked, func(p Principal) bool { return p.Device == d.ID })
	})
	if err := noteChange(tx); err != nil {
		return err
	}
	detail := map[string]string{"account": string(d.Account)}
	if reason != "" {
		detail["reason"] = reason
	}
	if lost {
		detail["lost"] = "true"
	}
	return note(tx, by, now, "device.revoke", "", string(d.ID), detail)
}

// enrol returns the device that signs in: the known one, or a new one where the
// mode and the code allow it.
func (s *Service) enrol(tx *sqlite.Tx, now time.Time, acc *store.Account, in Credentials) (store.Device, error) {
	if in.Device != "" {
		d, err := tx.Device(in.Device)
		switch {
		case err == nil && d.Account == acc.ID && d.Revoked():
			return store.Device{}, ErrDeviceRevoked
		case err == nil && d.Account == acc.ID:
			return d, tx.SeeDevice(d.ID, now)
		case err != nil && !errors.Is(err, store.ErrNotFound):
			return store.Device{}, err
		}
		// Unknown, or another account's: as good as none.
	}
	id, err := newID(s.random)
	if err != nil {
		return store.Device{}, err
	}
	d := store.Device{ID: store.DeviceID(id), Account: acc.ID, Label: deviceLabel(in.Label), EnrolledAt: now, LastSeenAt: now}
	n, err := tx.CountDevices(acc.ID)
	if err != nil {
		return store.Device{}, err
	}
	by := "password"
	if s.opts.Enrolment == EnrolByCode {
		if n >= s.opts.DeviceLimit {
			return store.Device{}, ErrTooManyDevices
		}
		if by, err = s.spendCode(tx, now, acc, d.ID, in.Code); err != nil {
			return store.Device{}, err
		}
	}
	if err := tx.InsertDevice(d); err != nil {
		return store.Device{}, err
	}
	p := Principal{Account: acc.ID, Device: d.ID}
	return d, note(tx, p, now, "device.enrol", acc.Unit, string(d.ID), map[string]string{"by": by})
}

// spendCode takes the code that a new device needs, or the account's one
// exemption, and returns which it was.
func (s *Service) spendCode(tx *sqlite.Tx, now time.Time, acc *store.Account, device store.DeviceID, code string) (string, error) {
	if code == "" {
		if !acc.FirstDeviceFree {
			return "", ErrEnrolment
		}
		acc.FirstDeviceFree = false
		return "first_device", tx.UpdateAccount(*acc)
	}
	hash := codeHash(acc.ID, code)
	c, err := tx.EnrolmentCode(hash)
	if errors.Is(err, store.ErrNotFound) {
		return "", ErrEnrolmentCode
	}
	if err != nil {
		return "", err
	}
	if !c.UsedAt.IsZero() || !now.Before(c.ExpiresAt) {
		return "", ErrEnrolmentCode
	}
	return "code", tx.UseEnrolmentCode(hash, device, now)
}

// deviceLabel makes what a user called a device fit for a list.
func deviceLabel(label string) string {
	label = norm.NFC.String(strings.ToValidUTF8(strings.TrimSpace(label), ""))
	label = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, label)
	const most = 200 // a browser names itself in up to some 180
	if utf8.RuneCountInString(label) > most {
		label = string([]rune(label)[:most])
	}
	return label
}
