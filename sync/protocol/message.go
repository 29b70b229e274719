package protocol

import (
	"cmp"
	"strings"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Version is the wire version that this code speaks.
const Version = 2

// ErasuresSince is the first wire version in which devices are told of erasures.
const ErasuresSince = 2

// OldestPush is the oldest wire version whose pushes are still accepted.
const OldestPush = 1

// Kind tells messages apart; it is their first byte. Append, never renumber.
type Kind byte

// The kinds. Those below 64 go from device to server, Ping and Pong both ways.
const (
	KindHello   Kind = 1
	KindPush    Kind = 2
	KindApplied Kind = 3
	KindRenew   Kind = 4
	KindReport  Kind = 5
	KindScope   Kind = 6
	KindReturn  Kind = 7
	KindKnown   Kind = 8

	KindPing Kind = 32
	KindPong Kind = 33

	KindWelcome    Kind = 64
	KindAck        Kind = 65
	KindPage       Kind = 66
	KindRefusal    Kind = 67
	KindHubMark    Kind = 68
	KindDefinition Kind = 69
	KindWithdraw   Kind = 70
	KindError      Kind = 71
	KindReturned   Kind = 72
	KindErased     Kind = 73
)

// Message is one of the structs below.
type Message interface{ Kind() Kind }

// Token is 128 random bits: an epoch or an incarnation.
type Token [16]byte

// Class is a field class with a stream of its own.
type Class byte

// The classes of fields. Sensitive fields reach only roles that need them.
const (
	Basic     Class = 0
	Sensitive Class = 1
)

// Stream names one feed of field states.
type Stream struct {
	Unit     string // 5-digit code
	Register string
	Class    Class
}

// Scope is a stream that a device wants, and how far it already has it.
type Scope struct {
	Stream
	// Neighbourhoods limits the stream to records of these; empty means all.
	Neighbourhoods []string
	Cursor         uint64 // feed position up to which the device has taken pages
	// Floor is the last position at which the device held the whole stream: the
	// last page that reached its head. Between Floor and Cursor a catching up is
	// under way, in which records that moved on may still be to come.
	Floor    uint64
	Priority uint8 // lower comes first
}

// Hello opens a session. It is the first message; pushes may follow at once.
type Hello struct {
	Version   uint16
	App       string // build of the app, for the fleet view
	Token     string // access token
	Replica   conflict.ReplicaID
	Epoch     Token // of the server that the device last spoke to; zero at first
	Current   Token // incarnation the device holds; zero at first
	Next      Token // its successor, already durable on the device
	Acked     uint64
	Last      uint64 // highest counter the device ever used
	At        int64  // device clock, Unix milliseconds
	Streaming bool   // a socket that stays open, as against one HTTPS exchange
	Scopes    []Scope
	Defs      []DefinitionRef
}

// DefinitionRef names a version of a register's definition.
type DefinitionRef struct {
	Register string
	Version  uint32
}

// Push carries changesets of the session's replica, contiguous and in order.
type Push struct {
	Changesets []record.Changeset
}

// Applied says that a page is durable on the device; it is the flow control.
type Applied struct {
	Stream Stream
	To     uint64
}

// Renew replaces the session's access token before it expires.
type Renew struct{ Token string }

// Report tells the server what a silent outbox would not.
type Report struct {
	Unsent   uint64 // changesets not acknowledged
	Oldest   int64  // device clock of the oldest of them, 0 for none
	Headroom uint64 // bytes the browser still grants, 0 if unknown
}

// Return gives back pages of earlier epochs, as the server signed them: what
// they show may be lost to a server that came back from a backup.
type Return struct {
	N     uint64 // the device's own number, which the answer repeats
	Pages []SignedPage
}

// SignedPage is a page as it came, and the epoch that it was signed in.
type SignedPage struct {
	Epoch Token
	Body  []byte // the message's bytes
}

// Returned answers Return: what was believed of it is durable.
type Returned struct {
	N     uint64
	Marks []StreamMark // for each stream of its pages, a position of the unit's feed that shows them
}

// Known says up to which number of the server's list of erasures nothing is left
// on the device: it stands behind Hello, and answers Erased.
type Known struct{ Erasures uint64 }

// Erased names records that were erased by law: those of the server's list with
// numbers above After, up to Through. The device takes what they held out of
// everything that it keeps, and says so by Known.
type Erased struct {
	After, Through uint64
	Records        []conflict.RecordID
}

// ScopeChange replaces the scopes asked for in Hello.
type ScopeChange struct{ Scopes []Scope }

// Ping asks for a Pong with the same number.
type Ping struct{ N uint64 }

// Pong answers a Ping.
type Pong struct{ N uint64 }

// Verdict is what the server makes of a Hello's replica.
type Verdict byte

// The verdicts.
const (
	// Accepted: the incarnation was the one expected, or a repeat of it.
	Accepted Verdict = 0
	// Rebased: a new epoch met this replica for the first time; whatever
	// incarnation the device proposed is taken.
	Rebased Verdict = 1
	// Forked: another copy of this store has been here. The device takes a
	// new replica id and gives new dots to the changesets not in Stored.
	Forked Verdict = 2
)

// Stored names a changeset that the server already holds of a forked replica.
type Stored struct {
	Counter uint64
	Hash    record.Hash
}

// Welcome answers Hello.
type Welcome struct {
	Version  uint16
	Verdict  Verdict
	Epoch    Token
	Acked    uint64 // every counter up to here is durable at this server
	BackedUp uint64 // of those, counters that also survive the loss of the server
	At       int64  // server clock, Unix milliseconds
	Grants   []Grant
	Stored   []Stored // only with Forked: counters above the Hello's Acked
}

// Grant answers one Scope, in the same order.
type Grant struct {
	Code  Code   // OK, or why the stream is not given
	From  uint64 // cursor that the server continues from; below the scope's after a restore
	Head  uint64 // last feed position that touched the stream
	Count uint64 // records of the stream, for an honest progress
	// BackedUp is the position of the unit's feed up to which the stream
	// survives the loss of the server: pages up to it need not be kept.
	BackedUp uint64
}

// Ack is a receipt: every changeset up to Through is durable at the server.
type Ack struct {
	Through  uint64
	Received int64        // server clock when it became so, Unix milliseconds
	Marks    []StreamMark // for each stream they touched, the position that shows them
	// Signature is Ed25519 by the server over ReceiptBytes.
	Signature []byte
}

// StreamMark is a feed position of a stream. Positions are counted per unit, so
// a stream's last position may lie behind its unit's.
type StreamMark struct {
	Stream   Stream
	Position uint64
}

// Page brings the records of a stream whose last change lies after From, up to
// and including position To: of each the fields that changed after Floor, not
// after From, for a record that moved on during a catching up was on none of
// the pages before. A page with To at or above Head leaves the stream whole.
type Page struct {
	Stream   Stream
	Floor    uint64
	From, To uint64
	Head     uint64 // last position that touched the stream when the page was made
	Records  []RecordDelta
	// Signature is Ed25519 by the server over the page's bytes without it.
	Signature []byte
	// Wire is the message as it came, "" for a page that was made here.
	Wire string
}

// RecordDelta is what a page says of one record.
type RecordDelta struct {
	Record conflict.RecordID
	// Left: the record is no longer in the scope; the device forgets its
	// state once nothing of its own is pending on it. Fields is empty.
	Left   bool
	Fields []conflict.Entry // sorted by key
}

// Refusal tells that a changeset is durable but in quarantine.
type Refusal struct {
	Counter uint64 // first counter of the changeset
	Code    Code
	Detail  string // field or record concerned; no person data
	At      int64  // server clock, Unix milliseconds
	Settled Settled
	// As is the first dot of the server's own writes that a released changeset
	// was applied as; those of its further writes follow it.
	As conflict.Dot
}

// Settled is what a supervisor did with a changeset in quarantine.
type Settled byte

// The settlements. Append, never renumber.
const (
	Open     Settled = 0
	Released Settled = 1 // applied as writes of the server's, on behalf of its author
	Rejected Settled = 2 // left aside for good
)

// HubMark says up to which revision the city's hub has acknowledged a register
// of a unit.
type HubMark struct {
	Unit     string
	Register string
	Revision uint64
}

// Definition brings a version of a register's definition, in the JSON form of
// package register.
type Definition struct {
	Register string
	Version  uint32
	Body     []byte
}

// Withdraw ends a stream that the device no longer may hold: it pushes what is
// pending, then forgets the stream's records, then tells the user.
type Withdraw struct {
	Stream Stream
	Code   Code
}

// Error ends the session, or with RetryAfter puts it off.
type Error struct {
	Code       Code
	RetryAfter uint32 // seconds; 0 means the device's own backoff
	Detail     string
}

func (*Hello) Kind() Kind       { return KindHello }
func (*Push) Kind() Kind        { return KindPush }
func (*Applied) Kind() Kind     { return KindApplied }
func (*Renew) Kind() Kind       { return KindRenew }
func (*Report) Kind() Kind      { return KindReport }
func (*ScopeChange) Kind() Kind { return KindScope }
func (*Return) Kind() Kind      { return KindReturn }
func (*Returned) Kind() Kind    { return KindReturned }
func (*Known) Kind() Kind       { return KindKnown }
func (*Erased) Kind() Kind      { return KindErased }
func (*Ping) Kind() Kind        { return KindPing }
func (*Pong) Kind() Kind        { return KindPong }
func (*Welcome) Kind() Kind     { return KindWelcome }
func (*Ack) Kind() Kind         { return KindAck }
func (*Page) Kind() Kind        { return KindPage }
func (*Refusal) Kind() Kind     { return KindRefusal }
func (*HubMark) Kind() Kind     { return KindHubMark }
func (*Definition) Kind() Kind  { return KindDefinition }
func (*Withdraw) Kind() Kind    { return KindWithdraw }
func (*Error) Kind() Kind       { return KindError }

// Compare orders streams by unit, register and class.
func (s Stream) Compare(o Stream) int {
	if c := strings.Compare(s.Unit, o.Unit); c != 0 {
		return c
	}
	if c := strings.Compare(s.Register, o.Register); c != 0 {
		return c
	}
	return cmp.Compare(s.Class, o.Class)
}

// String returns unit/register/class.
func (s Stream) String() string {
	class := "basic"
	if s.Class == Sensitive {
		class = "sensitive"
	}
	return s.Unit + "/" + s.Register + "/" + class
}
