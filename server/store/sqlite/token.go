package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"time"

	"wardbook/server/store"
)

// InsertFamily adds f.
func (tx *Tx) InsertFamily(f store.Family) error {
	_, err := tx.Exec(`INSERT INTO refresh_families (id, account, device, created_at, expires_at, revoked_at, reason) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		f.ID, f.Account, f.Device, millis(f.CreatedAt), millis(f.ExpiresAt), millisOrNull(f.RevokedAt), f.Reason)
	if err != nil {
		return fmt.Errorf("insert token family: %w", err)
	}
	return nil
}

// Family returns the family id, or store.ErrNotFound.
func (tx *Tx) Family(id store.FamilyID) (store.Family, error) {
	var f store.Family
	var created, expires int64
	var revoked sql.NullInt64
	err := tx.QueryRow(`SELECT id, account, device, created_at, expires_at, revoked_at, reason FROM refresh_families WHERE id = ?`, id).
		Scan(&f.ID, &f.Account, &f.Device, &created, &expires, &revoked, &f.Reason)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Family{}, fmt.Errorf("read token family: %w", err)
	}
	f.CreatedAt, f.ExpiresAt, f.RevokedAt = fromMillis(created), fromMillis(expires), fromNullMillis(revoked)
	return f, nil
}

// RevokeFamily ends one family.
func (tx *Tx) RevokeFamily(id store.FamilyID, at time.Time, reason string) error {
	_, err := tx.Exec(`UPDATE refresh_families SET revoked_at = ?, reason = ? WHERE id = ? AND revoked_at IS NULL`, millis(at), reason, id)
	if err != nil {
		return fmt.Errorf("revoke token family: %w", err)
	}
	return nil
}

// RevokeFamiliesOfDevice ends every family of the device.
func (tx *Tx) RevokeFamiliesOfDevice(id store.DeviceID, at time.Time, reason string) error {
	_, err := tx.Exec(`UPDATE refresh_families SET revoked_at = ?, reason = ? WHERE device = ? AND revoked_at IS NULL`, millis(at), reason, id)
	if err != nil {
		return fmt.Errorf("revoke token families of device: %w", err)
	}
	return nil
}

// RevokeFamiliesOfAccount ends every family of the account but the one to keep,
// which may be empty.
func (tx *Tx) RevokeFamiliesOfAccount(id store.AccountID, keep store.FamilyID, at time.Time, reason string) error {
	_, err := tx.Exec(`UPDATE refresh_families SET revoked_at = ?, reason = ? WHERE account = ? AND id <> ? AND revoked_at IS NULL`,
		millis(at), reason, id, keep)
	if err != nil {
		return fmt.Errorf("revoke token families of account: %w", err)
	}
	return nil
}

// DeleteExpiredFamilies forgets families, and their tokens, that ended before
// the given time by age. Without it the tables would grow for ever.
func (tx *Tx) DeleteExpiredFamilies(before time.Time) error {
	if _, err := tx.Exec(`DELETE FROM refresh_families WHERE expires_at < ?`, millis(before)); err != nil {
		return fmt.Errorf("delete expired token families: %w", err)
	}
	return nil
}

// InsertRefreshToken adds a link to its family's chain.
func (tx *Tx) InsertRefreshToken(t store.RefreshToken) error {
	_, err := tx.Exec(`INSERT INTO refresh_tokens (hash, family, issued_at, used_at) VALUES (?, ?, ?, ?)`,
		t.Hash[:], t.Family, millis(t.IssuedAt), millisOrNull(t.UsedAt))
	if err != nil {
		return fmt.Errorf("insert refresh token: %w", err)
	}
	return nil
}

// RefreshToken returns the link with this hash, or store.ErrNotFound.
func (tx *Tx) RefreshToken(hash store.Hash) (store.RefreshToken, error) {
	t := store.RefreshToken{Hash: hash}
	var issued int64
	var used sql.NullInt64
	err := tx.QueryRow(`SELECT family, issued_at, used_at FROM refresh_tokens WHERE hash = ?`, hash[:]).Scan(&t.Family, &issued, &used)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.RefreshToken{}, fmt.Errorf("read refresh token: %w", err)
	}
	t.IssuedAt, t.UsedAt = fromMillis(issued), fromNullMillis(used)
	return t, nil
}

// UseRefreshToken marks the link as used. It must be unused.
func (tx *Tx) UseRefreshToken(hash store.Hash, at time.Time) error {
	res, err := tx.Exec(`UPDATE refresh_tokens SET used_at = ? WHERE hash = ? AND used_at IS NULL`, millis(at), hash[:])
	if err := wantOne(res, err); err != nil {
		return fmt.Errorf("use refresh token: %w", err)
	}
	return nil
}
