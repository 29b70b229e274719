package store

import "time"

// Pin is a device's PIN as the server knows it: nothing from which the PIN or
// the device's key could be told.
type Pin struct {
	Device   DeviceID
	Handle   Hash // of what only the device's own profile holds
	Proof    Hash // of what follows from the right PIN
	Salt     Hash // the server's half follows from it and the server's key
	Failures int  // wrong PINs since the last right one
	SetAt    time.Time
	UsedAt   time.Time // zero: never
}
