package session

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Event is something that happened to a machine: one of the structs below.
// Now is the owner's clock in Unix milliseconds; it drives timers and nothing
// else.
type Event interface{ event() }

// Effect is something that the owner performs: one of the structs below.
type Effect interface{ effect() }

type effects []Effect

func (e *effects) add(f Effect) { *e = append(*e, f) }

// The events of either end.
type (
	// Received: a message arrived.
	Received struct {
		Now     int64
		Message protocol.Message
	}
	// Lost: the connection is gone, or was never made.
	Lost struct{ Now int64 }
	// Failed: an effect could not be performed; those after it were not tried.
	Failed struct{ Now int64 }
	// Tick: a moment asked for by Wake has come.
	Tick struct{ Now int64 }
)

// The events of the client.
type (
	// Start: the owner wants to be connected.
	Start struct{ Now int64 }
	// Stop: the owner no longer does.
	Stop struct{}
	// Online: there is reason to believe that the network is back.
	Online struct{ Now int64 }
	// Opened: the connection asked for by Dial stands.
	Opened struct{ Now int64 }
	// Saved: changesets up to counter Last are durable in the outbox.
	Saved struct {
		Now  int64
		Last uint64
	}
	// Loaded answers LoadOutbox: changesets from counter From on, contiguous.
	Loaded struct {
		From       uint64
		Changesets []record.Changeset
	}
	// KeptLoaded answers LoadKept: pages of earlier epochs, in the order in which
	// they came; none if all were given back.
	KeptLoaded struct{ Pages []Kept }
	// Rekeyed answers Rekey: the store has a new replica id.
	Rekeyed struct {
		Now   int64
		Local Local
	}
	// Rescoped: the store wants other streams, or has other definitions.
	Rescoped struct {
		Now    int64
		Scopes []protocol.Scope
		Defs   []protocol.DefinitionRef
	}
	// TokenRenewed: there is a new access token; "" means that none could be had.
	TokenRenewed struct {
		Now   int64
		Token string
	}
)

// The effects of either end.
type (
	// Send: put the message on the connection.
	Send struct{ Message protocol.Message }
	// HangUp: close the connection; nothing more is sent on it, and its Lost
	// need not be reported.
	HangUp struct{}
	// Wake: deliver a Tick at this time; it replaces the Wake before it.
	Wake struct{ At int64 }
)

// The effects of the client. Each Store is one transaction, flushed before the
// next effect.
type (
	// Dial: open a connection, then report Opened or Lost.
	Dial struct{}
	// RefreshToken: fetch an access token, then report TokenRenewed.
	RefreshToken struct{}
	// StoreNext: keep the proposed incarnation.
	StoreNext struct{ Next protocol.Token }
	// LoadOutbox: report Loaded with changesets from counter From on, up to
	// PushBytes and Most of them, acknowledged ones that are still kept included.
	LoadOutbox struct {
		From uint64
		Most int
	}
	// StoreWelcome: keep epoch, incarnation (and forget the proposed one),
	// acknowledged counter and cursors; cursors may have gone back.
	StoreWelcome struct {
		Welcome     *protocol.Welcome
		Incarnation protocol.Token
		Scopes      []protocol.Scope
	}
	// StoreAck: mark changesets as received, and keep the receipt.
	StoreAck struct{ Ack *protocol.Ack }
	// StorePage: merge the page's states and move the stream's cursor.
	StorePage struct{ Page *protocol.Page }
	// StoreRefusal: take a changeset out of the head and show it as an overlay.
	StoreRefusal struct{ Refusal *protocol.Refusal }
	// StoreHubMark: keep how far the hub is.
	StoreHubMark struct{ Mark *protocol.HubMark }
	// StoreDefinition: keep a definition.
	StoreDefinition struct{ Definition *protocol.Definition }
	// StoreErased: take what is kept of the records out of everything, and keep up to
	// which number that was done.
	StoreErased struct{ Erased *protocol.Erased }
	// StoreWithdraw: forget a stream once nothing of it is pending.
	StoreWithdraw struct{ Withdraw *protocol.Withdraw }
	// LoadKept: report KeptLoaded with pages of earlier epochs that were not given
	// back in the one that the store knows, up to ReturnBytes of them, but at
	// least one if there is any.
	LoadKept struct{}
	// StoreReturned: note that those pages were given back in the present epoch,
	// and that its feed shows them at the marks. Without pages: all were.
	StoreReturned struct {
		Nos   []uint64
		Marks []protocol.StreamMark
	}
	// Rekey: take a new replica id in one transaction. Changesets that the
	// server holds with the same hash count as acknowledged; the others get
	// new dots, and so do the contexts, record ids and drafts that name them.
	// Then report Rekeyed. Between the counters that Stored names the server holds
	// that and nothing else; outside of them it holds what it acknowledged, up to
	// Held. Epoch is the server's. Of the records in Erased the server holds changesets
	// that were blanked; others of the same id, made in a copy of the store, are none of
	// them. The list is told again to the new replica id.
	Rekey struct {
		Stored []protocol.Stored
		Held   uint64
		Epoch  protocol.Token
		Erased []conflict.RecordID
	}
	// Tell: this is what may be shown to the user.
	Tell struct{ Status Status }
)

// The events of the server.
type (
	// Admitted answers Admit: the device may speak. The messages in More are sent
	// (definitions, refusals kept for the device, hub marks), then the Welcome, in
	// the device's own wire version whatever it says.
	Admitted struct {
		Now     int64
		Welcome *protocol.Welcome
		More    []protocol.Message
		Expires int64 // when the access token ends
	}
	// Rejected answers Admit or Reauthenticate: the device may not.
	Rejected struct {
		Now   int64
		Error *protocol.Error
	}
	// Reauthenticated answers Reauthenticate.
	Reauthenticated struct{ Now, Expires int64 }
	// Committed answers Commit and KeepUnreadable: what it names is durable. Ack is nil if the
	// push did not join on to what the server holds and was left alone.
	Committed struct {
		Now      int64
		Ack      *protocol.Ack
		Refusals []*protocol.Refusal
		// Forked is sent in the place of Ack when a dot came with another
		// content than the stored one.
		Forked *protocol.Welcome
	}
	// TookBack answers TakeBack: what was believed is durable.
	TookBack struct {
		Now      int64
		Returned *protocol.Returned
	}
	// Grew: streams have new positions, durable and visible.
	Grew struct {
		Now   int64
		Heads []protocol.StreamMark
	}
	// PageLoaded answers LoadPage.
	PageLoaded struct {
		Now  int64
		Page *protocol.Page
	}
	// Unreadable: a Push arrived of whose bytes only the head can be read: one
	// changeset, of Count counters from First on.
	Unreadable struct {
		Now          int64
		First, Count uint64
		Body         []byte
	}
	// Heard: a part of a message arrived that takes long.
	Heard struct{ Now int64 }
	// Announce: something happened elsewhere that this device must hear.
	Announce struct {
		Now     int64
		Message protocol.Message
	}
	// ErasedMore: records were erased by law, durably.
	ErasedMore struct{ Now int64 }
	// ErasuresLoaded answers LoadErasures; Erased is nil if the device knows all.
	ErasuresLoaded struct {
		Now    int64
		Erased *protocol.Erased
	}
	// Dismiss: the session must end, for this reason.
	Dismiss struct {
		Now   int64
		Error *protocol.Error
	}
)

// The effects of the server.
type (
	// Admit: authenticate the Hello, judge its replica, incarnation and
	// scopes in one durable transaction, then report Admitted or Rejected. Known is
	// nil if the device's wire version knows of no erasures; else what it does not
	// know of them comes first in Admitted's More.
	Admit struct {
		Hello *protocol.Hello
		Known *protocol.Known
	}
	// Reauthenticate: judge a new token of the same account and device, then
	// report Reauthenticated or Rejected.
	Reauthenticate struct{ Token string }
	// Commit: store the changesets durably, judge them, then report Committed.
	Commit struct{ Changesets []record.Changeset }
	// KeepUnreadable: store the bytes of a push that cannot be read durably in
	// quarantine, so that they are not lost and what follows is not blocked, then
	// report Committed.
	KeepUnreadable struct {
		First, Count uint64
		Body         []byte
	}
	// TakeBack: look at pages that the device gives back, store durably what they
	// prove, then report TookBack.
	TakeBack struct{ Return *protocol.Return }
	// LoadPage: report PageLoaded with the stream's records after From, and of
	// them the fields that changed after Floor.
	LoadPage struct {
		Scope       protocol.Scope
		From, Floor uint64
	}
	// LoadErasures: keep that the device has let go of every erasure up to Known,
	// then report ErasuresLoaded with the next behind After.
	LoadErasures struct{ Known, After uint64 }
	// KeepReport: remember what the device says of its outbox.
	KeepReport struct{ Report *protocol.Report }
	// KeepCursor: the device holds the stream durably up to this position.
	KeepCursor struct{ Applied *protocol.Applied }
)

func (Admitted) event()        {}
func (Rejected) event()        {}
func (Reauthenticated) event() {}
func (Committed) event()       {}
func (TookBack) event()        {}
func (Grew) event()            {}
func (PageLoaded) event()      {}
func (Unreadable) event()      {}
func (Heard) event()           {}
func (Announce) event()        {}
func (ErasedMore) event()      {}
func (ErasuresLoaded) event()  {}
func (Dismiss) event()         {}

func (Admit) effect()          {}
func (Reauthenticate) effect() {}
func (Commit) effect()         {}
func (KeepUnreadable) effect() {}
func (LoadPage) effect()       {}
func (TakeBack) effect()       {}
func (LoadErasures) effect()   {}
func (KeepReport) effect()     {}
func (KeepCursor) effect()     {}

func (Received) event()     {}
func (Lost) event()         {}
func (Failed) event()       {}
func (Tick) event()         {}
func (Start) event()        {}
func (Stop) event()         {}
func (Online) event()       {}
func (Opened) event()       {}
func (Saved) event()        {}
func (Loaded) event()       {}
func (Rekeyed) event()      {}
func (KeptLoaded) event()   {}
func (Rescoped) event()     {}
func (TokenRenewed) event() {}

func (Send) effect()            {}
func (HangUp) effect()          {}
func (Wake) effect()            {}
func (Dial) effect()            {}
func (RefreshToken) effect()    {}
func (StoreNext) effect()       {}
func (LoadOutbox) effect()      {}
func (StoreWelcome) effect()    {}
func (StoreAck) effect()        {}
func (StorePage) effect()       {}
func (StoreRefusal) effect()    {}
func (StoreHubMark) effect()    {}
func (StoreDefinition) effect() {}
func (StoreErased) effect()     {}
func (StoreWithdraw) effect()   {}
func (Rekey) effect()           {}
func (LoadKept) effect()        {}
func (StoreReturned) effect()   {}
func (Tell) effect()            {}
