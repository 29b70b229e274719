package store

import (
	"wardbook/conflict"
)

// ErasureState is what became of a request to erase a record by law.
type ErasureState string

// The states. Stored and sent; never changed.
const (
	ErasureOpen      ErasureState = "open"      // waits for another person's word
	ErasureDone      ErasureState = "done"      // confirmed, and carried out
	ErasureDeclined  ErasureState = "declined"  // by another person
	ErasureWithdrawn ErasureState = "withdrawn" // by who had asked
	ErasureLapsed    ErasureState = "lapsed"    // nobody said anything for too long
)

// ErasureRequest is one request to erase a record by law.
type ErasureRequest struct {
	ID       string
	Record   conflict.RecordID
	Register string // "" for a record that stands in quarantine alone
	Unit     string // where it lived when somebody asked
	Ground   string
	Reason   string // "" once the record is erased
	By       string // account name
	At       int64  // server clock, Unix milliseconds
	State    ErasureState
	ClosedBy string // account name; "" if nobody did
	ClosedAt int64
	Number   uint64 // of the erasure, or 0
}
