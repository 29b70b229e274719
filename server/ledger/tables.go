package ledger

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Tables is what the ledger needs of one transaction of a storage engine.
// Methods that look something up report absence with ok = false. Byte slices
// handed out belong to the caller; those handed in are copied or written
// before the call returns.
type Tables interface {
	// Epoch returns the life of the database that this transaction runs in.
	Epoch() (Epoch, error)
	// SetServerCounter keeps the counter of the server's last own write.
	SetServerCounter(counter uint64) error
	// Fork returns the feed position of unit up to which the epoch that a
	// device knew agrees with the present one; ok is false for an epoch that
	// this database never had.
	Fork(epoch protocol.Token, unit string) (position uint64, ok bool, err error)

	// Replica returns a replica by id.
	Replica(id conflict.ReplicaID) (Replica, bool, error)
	// PutReplica creates or replaces a replica. No is set on creation.
	PutReplica(r *Replica) error

	// ReplicasOf lists the replicas of a device, by No.
	ReplicasOf(account, device string) ([]Replica, error)
	// SilentSince lists up to limit replicas of accounts that were last seen
	// before a time and are not retired, by No.
	SilentSince(before int64, limit int) ([]Replica, error)
	// AppendRetirement keeps a retirement and sets its Number.
	AppendRetirement(r *Retirement) error

	// Intake returns what is stored of the changeset that contains counter.
	Intake(replica int64, counter uint64) (Intake, bool, error)
	// Stored lists the changesets of a replica after a counter, in order, at
	// most limit of them.
	Stored(replica int64, after uint64, limit int) ([]protocol.Stored, error)
	// AppendIntake stores a changeset for ever, and that it touched records.
	AppendIntake(in *Intake, records []conflict.RecordID) error
	// Quarantined lists the entries of a replica, settled ones included.
	Quarantined(replica int64) ([]Quarantine, error)
	// PutQuarantine opens or replaces an entry.
	PutQuarantine(q *Quarantine) error
	// DropQuarantine forgets an entry whose writes came otherwise.
	DropQuarantine(replica int64, counter uint64) error

	// UnitChanges lists what became of units' codes, by list and code.
	UnitChanges() ([]UnitChange, error)
	// PutUnitChange keeps one.
	PutUnitChange(c *UnitChange) error

	// PastRights lists the rights that an account had, oldest first.
	PastRights(account string) ([]Rights, error)
	// EndRights keeps rights that an account has no more, and sets their Version.
	EndRights(account string, r *Rights) error

	// Emptied returns how much an author deleted and blanked in a unit on a day.
	Emptied(account, unit string, day int64) (Emptied, error)
	// SetEmptied keeps it. Earlier days of the author may be forgotten.
	SetEmptied(account, unit string, day int64, e Emptied) error

	// Record returns a record's row.
	Record(id conflict.RecordID) (Row, bool, error)
	// PutRecord creates or replaces a record's row.
	PutRecord(r *Row) error
	// PutMove keeps that a record left a unit, in the place of an earlier leaving
	// of it, and forgets that it ever left the unit where it is now.
	PutMove(m *Move) error
	// Departed returns the position in a unit's feed at which a record left it;
	// ok is false if it never did, or came back.
	Departed(id conflict.RecordID, unit string) (position uint64, ok bool, err error)
	// PutArrival keeps that a record waits for its unit's word.
	PutArrival(a *Arrival) error
	// DropArrival forgets it.
	DropArrival(id conflict.RecordID) error
	// Changed lists the rows of a stream whose position in it lies after from,
	// in order of position, at most limit of them. Records that left the unit
	// are among them, with nothing but ID, Register, Unit, positions, and Left.
	Changed(stream protocol.Stream, from uint64, limit int) ([]Row, error)
	// StreamHead returns the last position that touched a stream, by a record that
	// is there or by one that left.
	StreamHead(stream protocol.Stream) (uint64, error)
	// StreamCount returns the number of a stream's records.
	StreamCount(stream protocol.Stream) (uint64, error)

	// Position returns the last feed position of a unit, 0 for none.
	Position(unit string) (uint64, error)
	// SetPosition keeps it.
	SetPosition(unit string, position uint64) error

	// BackedUp returns the position up to which a backup holds a unit's feed.
	BackedUp(unit string) (uint64, error)

	// GivenBack reports whether a write of a record was given back before, and
	// with which time of its receipt.
	GivenBack(record conflict.RecordID, write conflict.Dot) (received int64, ok bool, err error)
	// PutGivenBack stores a write that was given back, for ever, or again with a
	// later receipt.
	PutGivenBack(g *GivenBack) error

	// Erased reports whether a record was erased by law. It is asked for every
	// edit that is taken in, and must cost next to nothing.
	Erased(id conflict.RecordID) (bool, error)
	// Erasures lists what was erased with a Number above after, in order, at most
	// limit of them.
	Erasures(after uint64, limit int) ([]Erasure, error)
	// PutErasure keeps one, for ever, or replaces that of its Number.
	PutErasure(e *Erasure) error
	// DropRecord forgets a record's row and that it waits for its unit's word; what
	// became of it stands among the moves.
	DropRecord(id conflict.RecordID) error
	// Touching lists the stored changesets that touch a record, those in quarantine
	// and the server's own included. Bytes that cannot be read touch nothing.
	Touching(id conflict.RecordID) ([]Intake, error)
	// PutBlanked replaces the Bytes of a stored changeset and nothing else: its
	// Hash goes on being that of what came.
	PutBlanked(in *Intake) error
	// GivenBackOf lists the writes of a record that were given back.
	GivenBackOf(record conflict.RecordID) ([]GivenBack, error)
	// PutBlankedGiven replaces the Bytes of one of them and nothing else.
	PutBlankedGiven(g *GivenBack) error

	// HubMarks lists how far the hub has acknowledged the registers of a unit.
	HubMarks(unit string) ([]protocol.HubMark, error)
}

// Epoch is one life of the server's database.
type Epoch struct {
	Token    protocol.Token
	Server   conflict.ReplicaID // the replica of the server's own writes
	Counter  uint64             // of its last one
	Restored bool               // an epoch came before this one
}

// Replica is one local store of one user on one device, as the server knows it.
type Replica struct {
	No       int64 // the engine's own short number
	ID       conflict.ReplicaID
	Account  string // account name
	Device   string
	Epoch    protocol.Token // in which it was last seen
	Current  protocol.Token // incarnation expected next
	Previous protocol.Token // the one before, for a repeated Hello
	Acked    uint64         // every counter up to here is stored
	BackedUp uint64         // every counter up to here is in a backup
	SeenAt   int64          // server clock, Unix milliseconds
	Clock    int64          // by how many ms its device's clock was ahead of the server's then
	Trouble  bool           // has entries in quarantine
	Parted   bool           // a copy of it was told to take another id, and has not come back under one
	// VanishedAt is when its device came back with an empty store, RetiredAt when
	// its id was closed; server clock, 0 for never.
	VanishedAt, RetiredAt int64
	// Erasures is the number up to which its device has let go of what was erased.
	Erasures uint64
	Told     string // what the device is known to have held; the ledger's own
}

// Intake is a stored changeset.
type Intake struct {
	Replica  int64
	Counter  uint64 // of the first write
	Count    uint64
	Hash     record.Hash
	Unit     string
	Received int64 // server clock, Unix milliseconds
	Bytes    []byte
}

// Quarantine is a stored changeset that was not applied.
type Quarantine struct {
	Replica int64
	Counter uint64
	Count   uint64
	Unit    string // where its supervisor looks for it
	Author  string
	Code    protocol.Code
	Detail  string // field or record; no person data
	At      int64
	Settled string // "", "released" or "rejected"
	// As is the first write that it was released as. Only read: the engine has
	// it from the release.
	As        conflict.Dot
	SettledBy string
	SettledAt int64
	Reason    string
}

// GivenBack is one write that a restored server had lost and knows again from a
// page that it once signed. It is no intake: of its changeset the rest may be
// unknown, and its device may still hand all of it in.
type GivenBack struct {
	Record   conflict.RecordID
	Write    conflict.Dot
	Unit     string
	Received int64  // server clock, as the page said
	Position uint64 // of the unit's feed that it took; 0: it was replaced already, or is aside
	Aside    bool   // in quarantine
	Bytes    []byte // as a changeset of this write alone
}

// Erasure is a record that was erased by law.
type Erasure struct {
	Number   uint64 // of the list outside of the database; rising, with gaps where that gave a number to nothing
	Record   conflict.RecordID
	Register string // "" if this life of the database never had the record
	Unit     string // where it lived last, or ""
	At       int64  // server clock, Unix milliseconds
}

// Row is a record at rest.
type Row struct {
	ID            conflict.RecordID
	Register      string
	Unit          string
	Neighbourhood string
	Position      uint64 // last position that changed a basic or system field
	Sensitive     uint64 // last position that changed a sensitive field, 0 for never
	Kind          Kind
	WaitingSince  int64  // server clock when Kind last became something to do, else 0
	Revision      uint64 // hub revision of the approved version, 0 for none
	State         []byte // record.AppendState
	Left          bool   // by Changed alone: the record is in the unit no more
}

// Kind is what a supervisor would do with a record; greater comes first.
type Kind uint8

// The kinds. Stored; append only.
const (
	Nothing          Kind = 0 // approved, or a draft
	Submitted        Kind = 1
	Deletion         Kind = 2
	Conflict         Kind = 3
	EditedAndDeleted Kind = 4
)
