package store

import (
	"wardbook/conflict"
	"wardbook/sync/record"
)

// Op is what a decision means for the city's hub.
type Op string

// The ops. Stored and sent; never changed.
const (
	OpNone    Op = "" // the hub's version stays as it is
	OpUpsert  Op = "upsert"
	OpDelete  Op = "delete"
	OpRetract Op = "retract" // the approval was withdrawn
)

// Settled is the decision of an approval row that records a settling: what
// stands approved is not changed by it. The other decisions are those of
// package record.
const Settled record.Decision = "settled"

// MovedDecision is the decision of an approval row that lets what stands approved
// follow a record to another unit. By and At are those of the approval itself.
const MovedDecision record.Decision = "moved"

// ErasedDecision is the decision of an approval row by which the hub is told to let
// go of a record that was erased by law. By is who confirmed it.
const ErasedDecision record.Decision = "erased"

// Approval is one decision of a supervisor about a record, with all that
// stands approved after it.
type Approval struct {
	Record     conflict.RecordID
	Seq        uint64 // per record, contiguous from 1
	Register   string
	Unit       string
	Revision   uint64 // of the hub's feed, contiguous from 1 per unit and register; 0 with OpNone
	Op         Op
	Decision   record.Decision
	Definition uint32 // version of the register's definition that was on the screen
	At         int64  // server clock, Unix milliseconds
	By         string // account name
	Dots       record.DotSet
	// Hash binds record, definition version and, per field, the sorted dots
	// with the hashes of their values and the approved value.
	Hash Hash
	// Explicit holds the approved value, by field key, of fields whose approved
	// dots have several values: what the field's policy showed.
	Explicit map[string]conflict.Value
	Fields   []string // names of the fields that the decision is about
	Comment  string
	Question string // id of a return, that an answer names
	// Other is, of MovedDecision, the unit that the record went to or came from; of
	// OpDelete otherwise, the id of the record that stays of two that were one thing.
	Other string
}

// Release tells where the writes of a released changeset went, in order.
type Release struct {
	From  conflict.Dot // first write of the quarantined changeset
	Count uint64
	To    conflict.Dot // first write of the released one
}

// UnitDevice is what the server knows of a device of a unit.
type UnitDevice struct {
	Account      string
	Label        string
	LastSeenAt   int64  // server clock, Unix milliseconds
	Unsent       uint64 // changesets, as the device last said
	OldestUnsent int64  // device clock of the oldest, 0 for none
	VanishedAt   int64  // server clock, when it came back without the store that it had, 0 for never
}
