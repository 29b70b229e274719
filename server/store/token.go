package store

import "time"

// Hash is the SHA-256 of a secret that is itself never stored.
type Hash [32]byte

// FamilyID names one chain of refresh tokens: one sign-in on one device.
type FamilyID string

// Family is one sign-in: the chain of refresh tokens that grew from it.
type Family struct {
	ID        FamilyID
	Account   AccountID
	Device    DeviceID
	CreatedAt time.Time
	ExpiresAt time.Time // absolute: no rotation moves it
	RevokedAt time.Time // zero: alive
	Reason    string
}

// Revoked says whether the family's tokens are dead.
func (f Family) Revoked() bool { return !f.RevokedAt.IsZero() }

// RefreshToken is one link of a family's chain, known by its hash only.
type RefreshToken struct {
	Hash     Hash
	Family   FamilyID
	IssuedAt time.Time
	UsedAt   time.Time // zero: this is the family's current token
}
