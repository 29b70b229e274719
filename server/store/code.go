package store

import "time"

// EnrolmentCode lets an account enrol one device, once. Only its hash is stored.
type EnrolmentCode struct {
	Hash       Hash
	Account    AccountID
	IssuedBy   AccountID // empty when issued at the server's command line
	IssuedAt   time.Time
	ExpiresAt  time.Time
	UsedAt     time.Time // zero: unused
	UsedDevice DeviceID
}

// Throttle counts the failed sign-ins of one name or address. Its key is a hash,
// because people type passwords into name fields.
type Throttle struct {
	Key          Hash
	Failures     int
	LastAt       time.Time
	BlockedUntil time.Time
}
