package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/server/store"
)

// Pin returns the device's PIN, or store.ErrNotFound.
func (tx *Tx) Pin(device store.DeviceID) (store.Pin, error) {
	p := store.Pin{Device: device}
	var handle, proof, salt []byte
	var set int64
	var used sql.NullInt64
	err := tx.QueryRow(`SELECT handle, proof, salt, failures, set_at, used_at FROM pins WHERE device = ?`, device).
		Scan(&handle, &proof, &salt, &p.Failures, &set, &used)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Pin{}, fmt.Errorf("read pin: %w", err)
	}
	p.Handle, p.Proof, p.Salt = store.Hash(handle), store.Hash(proof), store.Hash(salt)
	p.SetAt, p.UsedAt = fromMillis(set), fromNullMillis(used)
	return p, nil
}

// SetPin writes p, in the place of the device's former one.
func (tx *Tx) SetPin(p store.Pin) error {
	var used any
	if !p.UsedAt.IsZero() {
		used = millis(p.UsedAt)
	}
	_, err := tx.Exec(`INSERT INTO pins (device, handle, proof, salt, failures, set_at, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
		ON CONFLICT (device) DO UPDATE SET handle = ?2, proof = ?3, salt = ?4, failures = ?5, set_at = ?6, used_at = ?7`,
		p.Device, p.Handle[:], p.Proof[:], p.Salt[:], p.Failures, millis(p.SetAt), used)
	if err != nil {
		return fmt.Errorf("write pin: %w", err)
	}
	return nil
}

// DeletePin forgets the device's PIN; that there is none is no error.
func (tx *Tx) DeletePin(device store.DeviceID) error {
	if _, err := tx.Exec(`DELETE FROM pins WHERE device = ?`, device); err != nil {
		return fmt.Errorf("delete pin: %w", err)
	}
	return nil
}

// DeletePinsOfAccount forgets the PINs of all the account's devices.
func (tx *Tx) DeletePinsOfAccount(account store.AccountID) error {
	if _, err := tx.Exec(`DELETE FROM pins WHERE device IN (SELECT id FROM devices WHERE account = ?)`, account); err != nil {
		return fmt.Errorf("delete pins of account: %w", err)
	}
	return nil
}
