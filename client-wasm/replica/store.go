package replica

import (
	"context"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Store is what a Replica keeps. It has one user, who makes no two calls at
// once but for Find, which is only a reading. What it is given and what it
// returns is immutable: neither side writes to it later.
type Store interface {
	// State returns what the store says of itself, the zero State when new.
	State(ctx context.Context) (State, error)
	// Holdings returns what is held of the given records, in their order,
	// leaving out those of which nothing is.
	Holdings(ctx context.Context, ids []conflict.RecordID) ([]Holding, error)
	// Find returns the records that a query asks for, and how many there are
	// in all, -1 if it did not look. It stops when ctx is done.
	Find(ctx context.Context, q Query) (ids []conflict.RecordID, total int, err error)
	// FindKey returns up to limit records of which Index.Keys holds key.
	FindKey(ctx context.Context, key uint64, limit int) ([]conflict.RecordID, error)
	// Shared returns groups of records under one and the same key of a range,
	// each of two or more, by key and id; of all groups together at most limit
	// records.
	Shared(ctx context.Context, from, through uint64, limit int) ([][]conflict.RecordID, error)
	// Walk returns up to limit records of a register after the given id, by
	// id, to go through them all; register "" means every register. The zero
	// id begins.
	Walk(ctx context.Context, register string, after conflict.RecordID, limit int) ([]conflict.RecordID, error)
	// Leaving returns the records that left and are kept, by id.
	Leaving(ctx context.Context) ([]conflict.RecordID, error)
	// Counts returns how many records have each flag.
	Counts(ctx context.Context) (Counts, error)
	// Outbox returns entries of one replica from the one that begins at
	// counter from on, in order, as long as their canonical bytes stay within
	// maxBytes (but at least one) and their number within limit.
	Outbox(ctx context.Context, replica conflict.ReplicaID, from uint64, maxBytes, limit int) ([]Entry, error)
	// Entries returns up to limit entries with No above after, by No.
	Entries(ctx context.Context, after uint64, limit int) ([]Entry, error)
	// Unsent returns how many entries of a replica begin above acked, and the
	// device clock of the oldest of them.
	Unsent(ctx context.Context, replica conflict.ReplicaID, acked uint64) (count int, oldest int64, err error)
	// Made returns how many records of each unit and register are in the outbox
	// and have nothing in their base: the server has told nothing of them yet.
	// Those that only lie in quarantine (FlagGhost) or left are not counted.
	Made(ctx context.Context) (map[protocol.Stream]int, error)
	// Damaged returns the entries that are not what was saved, by No. No other
	// call returns them: nothing of them may be sent.
	Damaged(ctx context.Context) ([]Damage, error)
	// Drafts returns all forms that are kept, oldest first.
	Drafts(ctx context.Context) ([]Draft, error)
	// Draft returns one of them; ok is false if there is none.
	Draft(ctx context.Context, key string) (d Draft, ok bool, err error)
	// Saved returns what came of a form that was saved. Results may be
	// forgotten 30 days before the newest.
	Saved(ctx context.Context, key string) (s Saved, ok bool, err error)
	// SavedOf returns what came of the forms whose record a replica created.
	SavedOf(ctx context.Context, replica conflict.ReplicaID) ([]Saved, error)
	// Reveals returns the reveals that were not reported yet, oldest first.
	Reveals(ctx context.Context) ([]Reveal, error)
	// Kept returns pages by No, as long as their bytes stay within maxBytes (but
	// at least one), that were signed in another epoch than this one and not
	// given back in it.
	Kept(ctx context.Context, epoch protocol.Token, maxBytes int) ([]KeptPage, error)
	// Pages returns pages by No, those above after, as long as their bytes stay within
	// maxBytes, but at least one.
	Pages(ctx context.Context, after uint64, maxBytes int) ([]KeptPage, error)
	// Commit does all that b asks for, or nothing. When it returns nil, the
	// batch survives a power cut.
	Commit(ctx context.Context, b *Batch) error
}

// State is what a store says of itself.
type State struct {
	Meta        Meta
	Streams     []Stream     // by unit, register and class
	Definitions []Definition // by register and version
	HubMarks    []protocol.HubMark
	Erased      []conflict.RecordID // by law, in no order
	Spoilt      []protocol.Stream   // with pages that are spoilt, in no order
}

// Meta is what a store holds once.
type Meta struct {
	Account     Account
	Replica     conflict.ReplicaID
	Epoch       protocol.Token
	Current     protocol.Token
	Next        protocol.Token
	Acked       uint64 // counter up to which the server has everything durably
	Reached     uint64 // the same of any life of the server: a restore does not take it back
	BackedUp    uint64 // counter up to which that survives the server
	Last        uint64 // highest counter in use
	Entries     uint64 // number of the newest outbox entry
	LastReceipt int64  // server clock of the last receipt
	ClockOffset int64  // device clock minus server clock, when last heard
	HeardAt     int64  // device clock of that; 0 if the server was never heard
	SyncedAt    int64  // device clock when a session last said "synced"; 0 for never
	SyncedLast  uint64 // Last at that moment
	// ServerKey verifies what the server signs; it was learnt when somebody last
	// signed in. Empty: nothing is verified.
	ServerKey []byte
	// Return: pages of an earlier epoch may wait to be given back.
	Return bool
	// Looked is the epoch in which was last looked for what a restored server may
	// have lost that stands here under replica ids given up; zero if it is Epoch.
	Looked protocol.Token
	// Erasures is up to which number of the server's list of erasures nothing is left
	// here.
	Erasures uint64
	// Offered are the streams that the server offers, without cursors, and
	// Choice what of it is wanted here.
	Offered []protocol.Scope
	Choice  Choice
	// Session is the owner's own: what it needs to come back to the server.
	// The replica only keeps it.
	Session []byte
}

// Stream is one stream that the device holds.
type Stream struct {
	protocol.Scope
	Head      uint64        // feed position of the server's end, as last heard
	Count     uint64        // records of the stream at the server, as last heard
	Have      uint64        // records of the stream on this device
	Granted   bool          // the server gives it
	Code      protocol.Code // why not
	Withdrawn bool          // to be forgotten once nothing of it is pending
	LetGo     uint64        // last feed position that told of a record that left, 0 for none
}

// Definition is one version of a register's definition, as it came.
type Definition struct {
	Register string
	Version  uint32
	Body     []byte
}

// Holding is what the device holds of one record.
type Holding struct {
	ID       conflict.RecordID
	Register string
	Unit     string
	Base     conflict.Record // the server's state, and nothing else
	Left     bool            // out of scope: forgotten once nothing of it is pending
	Index    Index
	// Known are the keys under which the store has the record now; Put takes
	// them out before it adds those of Index.
	Known []uint64
	// Entries are the outbox entries that touch the record, by No. Commit does
	// not write them.
	Entries []Entry
}

// Index is what a record's head is found, sorted and counted by. It is derived.
type Index struct {
	Sort   string   // by which lists are sorted; ends with the record's id and so is unique
	Search string   // folded text, each word behind a space; see register.SearchText
	Flags  Flags    //
	Keys   []uint64 // hashes of values under which other records look this one up; sorted
}

// Flags are what lists are filtered by.
type Flags uint32

// The flags. Append only: they are stored.
const (
	FlagConflict    Flags = 1 << iota // a field in conflict, or edited and deleted
	FlagDeleted                       // deleted, and nothing stands against it
	FlagMine                          // holds a current value of this account
	FlagDraft                         // something stands that nobody submitted
	FlagReturned                      // returned by the supervisor
	FlagRefused                       // refused by the supervisor
	FlagQuarantined                   // a changeset that touches it is in quarantine
	FlagGhost                         // nothing but the overlay of a quarantined changeset
	FlagUnchecked                     // created while only a part of the register could be searched
)

// Counts is how many records of the device need somebody.
type Counts struct{ Conflicts, Returned, Quarantined int }

// Query asks for records of one register, sorted by Index.Sort.
type Query struct {
	Register string
	Words    []string // all of which must occur in Index.Search
	Any      Flags    // if not zero, one of these must be set
	None     Flags    // none of these may be set
	Offset   int
	Limit    int
	First    bool // stop once Limit records are found, and count no further
}

// Entry is one changeset in the outbox.
type Entry struct {
	No        uint64 // order of making on this device, from 1, not contiguous
	Changeset record.Changeset
	Hash      record.Hash // of what was made; what was erased of it since does not change it
	Received  int64       // server clock of its receipt; 0 before
	Refusal   *Refusal    // why it is in quarantine; nil if it is not
	Replaced  []Replaced
}

// Damage is what is known of an entry whose bytes are not those that were saved.
type Damage struct {
	No          uint64
	Replica     conflict.ReplicaID
	First, Last uint64 // counters
	At          int64  // device clock when it was saved
	Records     []conflict.RecordID
}

// Refusal is why a changeset is in quarantine. At is 0 as long as only the
// device expects it, because the changeset builds on a refused one.
type Refusal struct {
	Code   protocol.Code `json:"code"`
	Detail string        `json:"detail,omitempty"`
	At     int64         `json:"at,omitempty"` // server clock
	// Settled is what a supervisor did with it; if released, As is the first of the
	// writes that it was applied as.
	Settled protocol.Settled `json:"settled,omitempty"`
	As      string           `json:"as,omitempty"`
}

// Replaced is the value that a write took the place of: the ancestor, should
// the field turn out to be in conflict.
type Replaced struct {
	Dot   conflict.Dot // of the write that replaced
	Was   conflict.Dot
	Value conflict.Value
}

// Draft is a form that is open: what was on the screen, and what was typed.
type Draft struct {
	Key        string
	Record     conflict.RecordID // zero for a new record
	Register   string
	Unit       string
	Definition uint32
	OpenedAt   int64
	// Seen is the version vector of every field, the system's included, that
	// was on the screen.
	Seen map[conflict.FieldKey]conflict.Vector
	// Shown is the value of every field that was on the screen, by name.
	Shown map[string]conflict.Value
	// Conflicts names the fields that were in conflict on the screen.
	Conflicts []string
	Question  string            // the return that the form showed
	Defaults  map[string]string // what a new record begins with
	Typed     map[string]string // what was typed since
}

// Saved is what came of a form.
type Saved struct {
	Key       string
	Record    conflict.RecordID // zero if nothing was written
	Submitted bool
	At        int64
}

// Receipt is one acknowledgement, kept as it came.
type Receipt struct {
	Replica   conflict.ReplicaID
	Through   uint64
	Received  int64
	Marks     []protocol.StreamMark
	Signature []byte
}

// KeptPage is a page that the server may lose and this device can give back.
type KeptPage struct {
	No     uint64         // given by the store, rising
	Epoch  protocol.Token // in which it was signed
	Stream protocol.Stream
	To     uint64 // position of the unit's feed
	Body   []byte // the message as it came
	Spoilt bool   // it shows what was erased, and goes once its stream was received again
}

// GaveBack says that pages of a unit were given back in an epoch, whose feed
// shows at a position what was believed of them.
type GaveBack struct {
	Nos   []uint64
	Epoch protocol.Token
	Unit  string // of those among them that are of this unit; "" for all
	At    uint64
}

// DropKept forgets the pages of a unit that an epoch has in a backup: those that
// were signed in it, or given back in it, up to a position.
type DropKept struct {
	Epoch   protocol.Token
	Unit    string
	Through uint64
}

// Reveal is a masked field that somebody asked to see, to be reported.
type Reveal struct {
	No     uint64 // given by the store
	Record conflict.RecordID
	Field  string
	At     int64
}

// Batch is one change of a store, all or nothing. The order of the parts does
// not matter, but that Drop comes before Put and Remove before Append.
type Batch struct {
	Meta            *Meta               // replaces it, if not nil
	Drop            []conflict.RecordID // forget these records
	Put             []Holding           // keep these records, new or not
	Rebase          []Holding           // of records that are kept already only Base changed
	Remove          []uint64            // entries to forget, by No
	Append          []Entry             // new entries
	Mark            []Entry             // entries whose Received or Refusal changed
	Receive         []Received          // of many entries at once only Received changed
	DropStreams     []protocol.Stream   // and the pages that are kept of them
	Streams         []Stream            // replace or add
	Definitions     []Definition
	DropDrafts      []string
	Drafts          []Draft // replace or add
	Saved           []Saved
	HubMarks        []protocol.HubMark
	Receipts        []Receipt
	Reveals         []Reveal
	Keep            []KeptPage
	GaveBack        []GaveBack // in this order
	DropKept        []DropKept
	ReportedReveals []uint64 // forget these, by No

	Erase      []conflict.RecordID // keep that these were erased, and which entries touched them no more
	Blank      []Entry             // entries whose Changeset and Replaced have become less; nothing else changed
	Spoil      []uint64            // kept pages that show what was erased, by No
	DropSpoilt []Spoilt            // before Keep
}

// Spoilt are the spoilt pages of a stream that were signed in an epoch.
type Spoilt struct {
	Stream protocol.Stream
	Epoch  protocol.Token
}

// Received says that the entries of a replica that begin at counters From to
// Through were received at that time of the server's clock. Of those that were
// received before nothing changes.
type Received struct {
	Replica       conflict.ReplicaID
	From, Through uint64
	At            int64
}

// Empty reports whether b asks for nothing.
func (b *Batch) Empty() bool {
	return b.Meta == nil && len(b.Drop)+len(b.Put)+len(b.Rebase)+len(b.Remove)+len(b.Append)+len(b.Mark)+len(b.Receive)+
		len(b.DropStreams)+len(b.Streams)+len(b.Definitions)+len(b.DropDrafts)+len(b.Drafts)+len(b.Saved)+
		len(b.HubMarks)+len(b.Receipts)+len(b.Reveals)+len(b.ReportedReveals)+len(b.Keep)+len(b.GaveBack)+len(b.DropKept)+
		len(b.Erase)+len(b.Blank)+len(b.Spoil)+len(b.DropSpoilt) == 0
}
