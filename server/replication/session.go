package replication

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// host performs the effects of one session machine. Its owner calls step from
// one goroutine at a time.
type host struct {
	s       *Server
	machine *session.Server
	caller  auth.Principal
	session *auth.Session // nil in an exchange, and for a device that was closed
	closed  bool          // the device may hand in, and see nothing
	replica conflict.ReplicaID
	turn    uint64 // of the replica; see Server.take
	app     string
	read    map[protocol.Stream]bool // streams whose reading is in the audit log
	leave   []func()                 // what to undo when the session ends

	send    func(protocol.Message)
	hangUp  func()
	wake    func(at int64)
	settled func(account string, replica conflict.ReplicaID) error
	follow  func(units map[string]bool)
	pages   int                   // pages still allowed; below 0 means any number
	page    *protocol.Page        // the one loaded last
	packed  []byte                // its bytes, which other sessions may share
	grew    []protocol.StreamMark // committed, and not told to the other sessions yet
}

// bytesOf returns the bytes of a message. Nobody may change them.
func (h *host) bytesOf(m protocol.Message) []byte {
	if p, ok := m.(*protocol.Page); ok && p == h.page {
		packed := h.packed
		h.page, h.packed = nil, nil // it is sent once
		return packed
	}
	return protocol.Encode(nil, m)
}

// step gives the machine an event and performs what it answers, and what
// follows from that, until nothing is left.
func (h *host) step(e session.Event) {
	events := []session.Event{e}
	for len(events) > 0 {
		e := events[0]
		events = events[1:]
		for _, f := range h.machine.Step(e) {
			switch f.(type) {
			case session.Send, session.Wake:
			default: // it may take long
				h.tellOthers()
			}
			next, err := h.perform(f)
			if err != nil {
				h.s.cfg.Log.Error("session effect", "effect", fmt.Sprintf("%T", f), "error", err)
				events = append(events, h.failed(err))
				break
			}
			if next != nil {
				events = append(events, next)
			}
		}
	}
	h.tellOthers()
}

// tellOthers tells the other sessions what was committed. The acknowledgement
// has left by then, which should not wait until thousands were told.
func (h *host) tellOthers() {
	grew := h.grew
	h.grew = nil
	h.s.cfg.Bus.Grew(grew)
}

func (h *host) perform(f session.Effect) (next session.Event, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	switch f := f.(type) {
	case session.Send:
		h.send(f.Message)
	case session.HangUp:
		h.hangUp()
	case session.Wake:
		h.wake(f.At)
	case session.Admit:
		return h.admit(ctx, f.Hello, f.Known)
	case session.Reauthenticate:
		return h.reauthenticate(ctx, f.Token)
	case session.Commit:
		return h.commit(ctx, f.Changesets)
	case session.KeepUnreadable:
		return h.keepUnreadable(ctx, f)
	case session.TakeBack:
		return h.takeBack(ctx, f.Return)
	case session.LoadPage:
		return h.loadPage(ctx, f)
	case session.LoadErasures:
		if f.Known > math.MaxInt64 {
			return h.rejected(&protocol.Error{Code: protocol.Malformed, Detail: "known"})
		}
		next := session.ErasuresLoaded{}
		err := h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) (err error) {
			if err = h.s.cfg.Ledger.LetGo(sqlite.LedgerOf(tx), h.replica, f.Known); err == nil {
				next.Erased, err = h.s.cfg.Ledger.Erased(sqlite.LedgerOf(tx), f.After)
			}
			return err
		})
		next.Now = h.s.cfg.Now()
		return next, err
	case session.KeepReport:
		return nil, h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
			return sqlite.LedgerOf(tx).KeepReport(h.replica, h.app, h.s.cfg.Now(), f.Report)
		})
	case session.KeepCursor:
		// What a device holds is needed for moves and retirement; it is not
		// kept before those exist.
	}
	return nil, nil
}

// whenFull is how many seconds later a device comes again whose work a full disk
// refused.
const whenFull = 60

// failed is the event for an effect that ended in err. A full disk is no fault
// of the session's: nothing was kept, and the device is to come again.
func (h *host) failed(err error) session.Event {
	if errors.Is(err, store.ErrFull) {
		return session.Dismiss{Now: h.s.cfg.Now(), Error: &protocol.Error{Code: protocol.Busy, RetryAfter: whenFull, Detail: "the server has no storage left"}}
	}
	return session.Failed{Now: h.s.cfg.Now()}
}

func (h *host) rejected(err error) (session.Event, error) {
	var e *protocol.Error
	if errors.As(err, &e) {
		return session.Rejected{Now: h.s.cfg.Now(), Error: e}, nil
	}
	if code := codeOf(err); code != protocol.Internal {
		return session.Rejected{Now: h.s.cfg.Now(), Error: &protocol.Error{Code: code}}, nil
	}
	return nil, err
}

// codeOf says on the wire why the authoriser refused.
func codeOf(err error) protocol.Code {
	switch {
	case errors.Is(err, auth.ErrTokenExpired), errors.Is(err, auth.ErrChanged):
		return protocol.Expired // a new token brings the account as it is now
	case errors.Is(err, auth.ErrDeviceRevoked), errors.Is(err, auth.ErrDisabled), errors.Is(err, auth.ErrTokenReused):
		return protocol.Revoked
	}
	var e *rpc.Error
	if errors.As(err, &e) {
		switch e.Kind {
		case rpc.Unauthenticated:
			return protocol.Unauthenticated
		case rpc.Forbidden:
			return protocol.Forbidden
		}
	}
	return protocol.Internal
}

// authorOf is what the ledger must know of p.
func authorOf(p auth.Principal, closed bool) ledger.Author {
	return ledger.Author{Account: p.Name, Device: string(p.Device), Unit: p.Unit, Waiting: strings.Fields(p.Waiting), Sensitive: p.Sensitive, Revoked: closed}
}

// current reads the rights of this moment in the transaction that acts on them.
func (h *host) current(tx *sqlite.Tx) (ledger.Author, error) {
	p, err := auth.Current(tx, h.caller, time.UnixMilli(h.s.cfg.Now()))
	switch {
	case err == nil:
		return authorOf(p, false), nil
	case codeOf(err) != protocol.Internal:
		return authorOf(h.caller, true), nil
	}
	return ledger.Author{}, err
}

func (h *host) admit(ctx context.Context, hello *protocol.Hello, known *protocol.Known) (session.Event, error) {
	if known != nil && known.Erasures > math.MaxInt64 {
		return h.rejected(&protocol.Error{Code: protocol.Malformed, Detail: "known"})
	}
	caller, err := h.s.cfg.Auth.Authenticate(ctx, hello.Token)
	if code := codeOf(err); err != nil && (code == protocol.Revoked || code == protocol.Unauthenticated) {
		if former, ferr := h.s.cfg.Auth.Former(ctx, hello.Token); ferr == nil {
			caller, err, h.closed = former, nil, true
		}
	}
	if err != nil {
		return h.rejected(err)
	}
	if caller.Role != store.RoleOfficer && caller.Role != store.RoleSupervisor {
		return h.rejected(&protocol.Error{Code: protocol.Forbidden, Detail: "role"})
	}
	if err := h.settled(caller.Name, hello.Replica); err != nil {
		return h.rejected(err)
	}
	h.caller, h.replica, h.app = caller, hello.Replica, hello.App
	h.turn = h.s.take(caller.Name, hello.Replica)
	var admitted session.Admitted
	err = h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) (err error) {
		author, err := h.current(tx)
		if err != nil {
			return err
		}
		h.closed = author.Revoked
		admitted.Welcome, admitted.More, err = h.s.cfg.Ledger.Greet(sqlite.LedgerOf(tx), author, hello, known)
		return err
	})
	if err != nil {
		return h.rejected(err)
	}
	admitted.Now, admitted.Expires = h.s.cfg.Now(), caller.Expires.UnixMilli()
	units := map[string]bool{}
	for i, g := range admitted.Welcome.Grants {
		if g.Code == protocol.OK && admitted.Welcome.Verdict != protocol.Forked {
			units[hello.Scopes[i].Unit] = true
		}
	}
	h.follow(units)
	if err := h.lookAgain(ctx, hello, admitted.Welcome); err != nil {
		return h.rejected(err)
	}
	h.s.metrics.admitted.WithLabelValues(verdictName(admitted.Welcome.Verdict)).Inc()
	return admitted, nil
}

// lookAgain raises the heads told in w to what they are now that the session
// follows its units: what was committed between its admission and that was
// announced to the others and not to it.
func (h *host) lookAgain(ctx context.Context, hello *protocol.Hello, w *protocol.Welcome) error {
	return h.s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		t := sqlite.LedgerOf(tx)
		for i := range w.Grants {
			if g := &w.Grants[i]; g.Code == protocol.OK && w.Verdict != protocol.Forked {
				head, err := t.StreamHead(hello.Scopes[i].Stream)
				if err != nil {
					return err
				}
				g.Head = max(g.Head, head)
			}
		}
		return nil
	})
}

// errSuperseded ends a session whose replica speaks in a newer one.
var errSuperseded = &protocol.Error{Code: protocol.Superseded}

func verdictName(v protocol.Verdict) string {
	return [...]string{"accepted", "rebased", "forked"}[v]
}

func (h *host) reauthenticate(ctx context.Context, token string) (session.Event, error) {
	caller, err := h.s.cfg.Auth.Authenticate(ctx, token)
	if err != nil {
		return h.rejected(err)
	}
	if caller.Account != h.caller.Account || caller.Device != h.caller.Device {
		return h.rejected(&protocol.Error{Code: protocol.Forbidden, Detail: "the token is of another account or device"})
	}
	if h.session != nil {
		if err := h.session.Renew(caller); err != nil {
			return h.rejected(err)
		}
	}
	h.caller = caller
	return session.Reauthenticated{Now: h.s.cfg.Now(), Expires: caller.Expires.UnixMilli()}, nil
}

func (h *host) commit(ctx context.Context, changesets []record.Changeset) (session.Event, error) {
	return h.taken(ctx, changesets, func(t ledger.Tables, a ledger.Author) (ledger.Outcome, error) {
		return h.s.cfg.Ledger.Commit(t, a, h.replica, changesets)
	})
}

// taken commits, then reports. The caller's
// rights are read in the same transaction, for they may have changed since the
// session began.
func (h *host) taken(ctx context.Context, changesets []record.Changeset, work func(ledger.Tables, ledger.Author) (ledger.Outcome, error)) (session.Event, error) {
	var out ledger.Outcome
	err := h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		// What is on the way in an old session must not come after the newer
		// one was told what is stored: the device may have given it new dots.
		if !h.s.hasTurn(h.caller.Name, h.replica, h.turn) {
			return errSuperseded
		}
		author, err := h.current(tx)
		if err != nil {
			return err
		}
		if out, err = work(sqlite.LedgerOf(tx), author); err != nil || out.Applied+len(out.Refusals) == 0 {
			return err
		}
		if out.Applied > 0 {
			if err := h.reinstate(tx, touched(changesets), &out.Grew); err != nil {
				return err
			}
		}
		return h.note(tx, "sync.push", author.Unit, map[string]string{"applied": fmt.Sprint(out.Applied), "quarantined": fmt.Sprint(len(out.Refusals))})
	})
	if err != nil {
		return h.rejected(err)
	}
	h.s.metrics.changesets.WithLabelValues("applied").Add(float64(out.Applied))
	h.s.metrics.changesets.WithLabelValues("repeated").Add(float64(out.Repeats))
	h.s.metrics.changesets.WithLabelValues("quarantined").Add(float64(len(out.Refusals)))
	h.grew = append(h.grew, out.Grew...)
	return session.Committed{Now: h.s.cfg.Now(), Ack: out.Ack, Refusals: append(out.Refusals, out.Again...), Forked: out.Forked}, nil
}

// note writes what the device did to the audit log, in the transaction that
// does it.
func (h *host) note(tx *sqlite.Tx, action, unit string, detail map[string]string) error {
	return audit.Append(tx, time.UnixMilli(h.s.cfg.Now()), audit.Entry{Actor: h.caller.Account, Device: h.caller.Device,
		Action: action, Unit: unit, Subject: h.replica.String(), Detail: detail})
}

// noteRead writes to the audit log, once a session and stream, that the device
// reads it, and from where.
func (h *host) noteRead(ctx context.Context, s protocol.Stream, from uint64) error {
	if h.read[s] {
		return nil
	}
	err := h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		return h.note(tx, "sync.read", s.Unit, map[string]string{"stream": s.String(), "from": fmt.Sprint(from)})
	})
	if err == nil {
		if h.read == nil {
			h.read = map[protocol.Stream]bool{}
		}
		h.read[s] = true
	}
	return err
}

// malformed takes a message that cannot be read. A push of several changesets is
// sent back to be sent one by one, so that only the bad one is kept aside; a device
// of another wire version is told that it is.
func (h *host) malformed(body []byte) {
	first, count, changesets, ok := protocol.PushHead(body)
	if !ok || changesets != 1 {
		code := protocol.Malformed
		if _, err := protocol.Decode(body); errors.Is(err, protocol.ErrVersion) {
			code = protocol.UnsupportedWire
		}
		h.step(session.Dismiss{Now: h.s.cfg.Now(), Error: &protocol.Error{Code: code}})
		return
	}
	h.step(session.Unreadable{Now: h.s.cfg.Now(), First: first, Count: count, Body: body})
}

func (h *host) keepUnreadable(ctx context.Context, f session.KeepUnreadable) (session.Event, error) {
	return h.taken(ctx, nil, func(t ledger.Tables, a ledger.Author) (ledger.Outcome, error) {
		return h.s.cfg.Ledger.CommitMalformed(t, a, h.replica, f.First, f.Count, f.Body)
	})
}

func (h *host) loadPage(ctx context.Context, f session.LoadPage) (session.Event, error) {
	if h.pages == 0 {
		return nil, nil // an exchange has its bounds; the next one goes on
	}
	if h.pages > 0 {
		h.pages--
	}
	// Asked for each page, not only when the session began.
	p, err := h.s.cfg.Auth.Recheck(ctx, h.caller)
	if err == nil && !h.s.cfg.Ledger.MayRead(authorOf(p, false), f.Scope.Stream) {
		err = &protocol.Error{Code: protocol.Forbidden, Detail: f.Scope.Stream.String()}
	}
	if err != nil {
		return h.rejected(err)
	}
	if err := h.noteRead(ctx, f.Scope.Stream, f.From); err != nil {
		return nil, err
	}
	page, packed, err := h.s.pages.load(f.Scope, f.From, f.Floor, func() (page *protocol.Page, bytes []byte, err error) {
		err = h.s.cfg.Store.View(ctx, func(tx *sqlite.Tx) (err error) {
			page, bytes, err = h.s.cfg.Ledger.SealedPage(sqlite.LedgerOf(tx), f.Scope, f.From, f.Floor)
			return err
		})
		return page, bytes, err
	})
	if err == nil && !h.s.hasTurn(h.caller.Name, h.replica, h.turn) {
		// The page may hold writes of another copy of the store, under dots
		// that this one has used and not sent.
		err = errSuperseded
	}
	if err != nil {
		return h.rejected(err)
	}
	h.page, h.packed = page, packed
	return session.PageLoaded{Now: h.s.cfg.Now(), Page: page}, nil
}
