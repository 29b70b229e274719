package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"wardbook/server/store"
)

const deviceColumns = `id, account, label, enrolled_at, last_seen_at, revoked_at, reason, lost`

func scanDevice(row interface{ Scan(...any) error }) (store.Device, error) {
	var d store.Device
	var enrolled, seen int64
	var revoked sql.NullInt64
	err := row.Scan(&d.ID, &d.Account, &d.Label, &enrolled, &seen, &revoked, &d.Reason, &d.Lost)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Device{}, err
	}
	d.EnrolledAt, d.LastSeenAt, d.RevokedAt = fromMillis(enrolled), fromMillis(seen), fromNullMillis(revoked)
	return d, nil
}

// scanMore scans further columns behind those that it is asked for.
type scanMore struct {
	row  interface{ Scan(...any) error }
	more []any
}

func (s scanMore) Scan(into ...any) error { return s.row.Scan(append(into, s.more...)...) }

// Device returns the device id, or store.ErrNotFound.
func (tx *Tx) Device(id store.DeviceID) (store.Device, error) {
	d, err := scanDevice(tx.QueryRow(`SELECT `+deviceColumns+` FROM devices WHERE id = ?`, id))
	if err != nil {
		return d, fmt.Errorf("read device: %w", err)
	}
	return d, nil
}

// CountDevices returns how many devices of the account are not revoked.
func (tx *Tx) CountDevices(account store.AccountID) (n int, err error) {
	if err := tx.QueryRow(`SELECT count(*) FROM devices WHERE account = ? AND revoked_at IS NULL`, account).Scan(&n); err != nil {
		return 0, fmt.Errorf("count devices: %w", err)
	}
	return n, nil
}

// InsertDevice adds d.
func (tx *Tx) InsertDevice(d store.Device) error {
	_, err := tx.Exec(`INSERT INTO devices (`+deviceColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
		d.ID, d.Account, d.Label, millis(d.EnrolledAt), millis(d.LastSeenAt), millisOrNull(d.RevokedAt), d.Reason, d.Lost)
	if isUnique(err) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("insert device: %w", err)
	}
	return nil
}

// SeeDevice records that the device was heard of at the given time.
func (tx *Tx) SeeDevice(id store.DeviceID, at time.Time) error {
	res, err := tx.Exec(`UPDATE devices SET last_seen_at = max(last_seen_at, ?) WHERE id = ?`, millis(at), id)
	if err := wantOne(res, err); err != nil {
		return fmt.Errorf("see device: %w", err)
	}
	return nil
}

// RevokeDevice marks the device as revoked. A second time changes nothing.
func (tx *Tx) RevokeDevice(id store.DeviceID, at time.Time, reason string, lost bool) error {
	_, err := tx.Exec(`UPDATE devices SET revoked_at = ?, reason = ?, lost = ? WHERE id = ? AND revoked_at IS NULL`, millis(at), reason, lost, id)
	if err != nil {
		return fmt.Errorf("revoke device: %w", err)
	}
	return nil
}
