package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"wardbook/server/store"
)

// InsertEnrolmentCode adds c. An unused code of the same account is forgotten:
// an account has one code at a time.
func (tx *Tx) InsertEnrolmentCode(c store.EnrolmentCode) error {
	if _, err := tx.Exec(`DELETE FROM enrolment_codes WHERE account = ? AND used_at IS NULL`, c.Account); err != nil {
		return fmt.Errorf("insert enrolment code: %w", err)
	}
	_, err := tx.Exec(`INSERT INTO enrolment_codes (hash, account, issued_by, issued_at, expires_at) VALUES (?, ?, ?, ?, ?)`,
		c.Hash[:], c.Account, c.IssuedBy, millis(c.IssuedAt), millis(c.ExpiresAt))
	if err != nil {
		return fmt.Errorf("insert enrolment code: %w", err)
	}
	return nil
}

// EnrolmentCode returns the code with this hash, or store.ErrNotFound.
func (tx *Tx) EnrolmentCode(hash store.Hash) (store.EnrolmentCode, error) {
	c := store.EnrolmentCode{Hash: hash}
	var issued, expires int64
	var used sql.NullInt64
	err := tx.QueryRow(`SELECT account, issued_by, issued_at, expires_at, used_at, used_device FROM enrolment_codes WHERE hash = ?`, hash[:]).
		Scan(&c.Account, &c.IssuedBy, &issued, &expires, &used, &c.UsedDevice)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.EnrolmentCode{}, fmt.Errorf("read enrolment code: %w", err)
	}
	c.IssuedAt, c.ExpiresAt, c.UsedAt = fromMillis(issued), fromMillis(expires), fromNullMillis(used)
	return c, nil
}

// UseEnrolmentCode marks the code as spent on the device. It must be unused.
func (tx *Tx) UseEnrolmentCode(hash store.Hash, device store.DeviceID, at time.Time) error {
	res, err := tx.Exec(`UPDATE enrolment_codes SET used_at = ?, used_device = ? WHERE hash = ? AND used_at IS NULL`, millis(at), device, hash[:])
	if err := wantOne(res, err); err != nil {
		return fmt.Errorf("use enrolment code: %w", err)
	}
	return nil
}

// Throttle returns the failures counted under key; none is the zero count.
func (tx *Tx) Throttle(key store.Hash) (store.Throttle, error) {
	t := store.Throttle{Key: key}
	var last, blocked int64
	err := tx.QueryRow(`SELECT failures, last_at, blocked_until FROM login_throttle WHERE key = ?`, key[:]).Scan(&t.Failures, &last, &blocked)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("read login throttle: %w", err)
	}
	t.LastAt, t.BlockedUntil = fromMillis(last), fromMillis(blocked)
	return t, nil
}

// SetThrottle writes t.
func (tx *Tx) SetThrottle(t store.Throttle) error {
	_, err := tx.Exec(`INSERT INTO login_throttle (key, failures, last_at, blocked_until) VALUES (?1, ?2, ?3, ?4)
		ON CONFLICT (key) DO UPDATE SET failures = ?2, last_at = ?3, blocked_until = ?4`,
		t.Key[:], t.Failures, millis(t.LastAt), millis(t.BlockedUntil))
	if err != nil {
		return fmt.Errorf("write login throttle: %w", err)
	}
	return nil
}

// ClearThrottle forgets the failures under key.
func (tx *Tx) ClearThrottle(key store.Hash) error {
	if _, err := tx.Exec(`DELETE FROM login_throttle WHERE key = ?`, key[:]); err != nil {
		return fmt.Errorf("clear login throttle: %w", err)
	}
	return nil
}

// DeleteOldThrottles forgets failures last counted before the given time, so
// that invented names cannot fill the disk.
func (tx *Tx) DeleteOldThrottles(before time.Time) error {
	if _, err := tx.Exec(`DELETE FROM login_throttle WHERE last_at < ?`, millis(before)); err != nil {
		return fmt.Errorf("delete old login throttles: %w", err)
	}
	return nil
}
