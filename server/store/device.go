package store

import "time"

// DeviceID names one enrolled device of one account: 26 lower-case base32
// characters of 128 random bits, made by the server.
type DeviceID string

// Device is one local store of one account: a browser profile or a headless
// device. A second account in the same browser is a second device.
type Device struct {
	ID         DeviceID
	Account    AccountID
	Label      string // what its user called it, for lists
	EnrolledAt time.Time
	LastSeenAt time.Time
	RevokedAt  time.Time // zero: not revoked
	Reason     string    // why it was revoked
	Lost       bool      // revoked because it was lost or stolen

	// What is known of its stores. By DeviceStates alone.
	VanishedAt   time.Time // when it last came back without the store that it had; zero: never
	VanishedLeft int       // changesets that the vanished store had last said were unsent
	Unsent       int       // the same of the store that it has
}

// Revoked says whether the device may no longer act.
func (d Device) Revoked() bool { return !d.RevokedAt.IsZero() }

// DeviceState is a device with what the server last heard of it.
type DeviceState struct {
	Device
	AccountName string
	Display     string
	Unit        string
	App         string    // build that it ran
	ToldAt      time.Time // when it last reported; zero: never
	Oldest      time.Time // its clock at the oldest of them; zero for none
	Headroom    uint64    // bytes that its browser would still have stored; 0: unknown
	ReceivedAt  time.Time // when the last changeset of it became durable here; zero: never
}
