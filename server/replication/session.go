package replication

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// host performs the effects of one session machine. Its owner calls step from
// one goroutine at a time.
type host struct {
	s       *Server
	machine *session.Server
	caller  Caller
	replica conflict.ReplicaID
	app     string
	leave   []func() // what to undo when the session ends

	send    func(protocol.Message)
	hangUp  func()
	wake    func(at int64)
	settled func(account string, replica conflict.ReplicaID) error
	follow  func(units map[string]bool)
	pages   int // pages still allowed; below 0 means any number
}

// step gives the machine an event and performs what it answers, and what
// follows from that, until nothing is left.
func (h *host) step(e session.Event) {
	events := []session.Event{e}
	for len(events) > 0 {
		e := events[0]
		events = events[1:]
		for _, f := range h.machine.Step(e) {
			next, err := h.perform(f)
			if err != nil {
				h.s.cfg.Log.Error("session effect", "effect", fmt.Sprintf("%T", f), "error", err)
				events = append(events, session.Failed{Now: h.s.cfg.Now()})
				break
			}
			if next != nil {
				events = append(events, next)
			}
		}
	}
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
		return h.admit(ctx, f.Hello)
	case session.Reauthenticate:
		return h.reauthenticate(ctx, f.Token)
	case session.Commit:
		return h.commit(ctx, f.Changesets)
	case session.LoadPage:
		return h.loadPage(ctx, f)
	case session.KeepReport:
		return nil, h.s.cfg.Store.KeepReport(ctx, h.replica, h.app, f.Report)
	case session.KeepCursor:
		// What a device holds is needed for moves and retirement; it is not
		// kept before those exist.
	}
	return nil, nil
}

func (h *host) rejected(err error) (session.Event, error) {
	var e *protocol.Error
	if errors.As(err, &e) {
		return session.Rejected{Now: h.s.cfg.Now(), Error: e}, nil
	}
	return nil, err
}

func (h *host) admit(ctx context.Context, hello *protocol.Hello) (session.Event, error) {
	caller, err := h.s.cfg.Gate.Authenticate(ctx, hello.Token)
	if err != nil {
		return h.rejected(err)
	}
	if err := h.settled(caller.Account, hello.Replica); err != nil {
		return h.rejected(err)
	}
	h.caller, h.replica, h.app = caller, hello.Replica, hello.App
	var admitted session.Admitted
	err = h.s.cfg.Store.Update(ctx, func(t ledger.Tables) (err error) {
		admitted.Welcome, admitted.More, err = h.s.cfg.Ledger.Admit(t, caller.Author, hello)
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
	h.s.metrics.admitted.WithLabelValues(verdictName(admitted.Welcome.Verdict)).Inc()
	return admitted, nil
}

func verdictName(v protocol.Verdict) string {
	return [...]string{"accepted", "rebased", "forked"}[v]
}

func (h *host) reauthenticate(ctx context.Context, token string) (session.Event, error) {
	caller, err := h.s.cfg.Gate.Authenticate(ctx, token)
	if err != nil {
		return h.rejected(err)
	}
	if caller.Account != h.caller.Account || caller.Device != h.caller.Device {
		return h.rejected(&protocol.Error{Code: protocol.Forbidden, Detail: "the token is of another account or device"})
	}
	h.caller = caller
	return session.Reauthenticated{Now: h.s.cfg.Now(), Expires: caller.Expires.UnixMilli()}, nil
}

func (h *host) commit(ctx context.Context, changesets []record.Changeset) (session.Event, error) {
	return h.taken(ctx, func(t ledger.Tables, a ledger.Author) (ledger.Outcome, error) {
		return h.s.cfg.Ledger.Commit(t, a, h.replica, changesets)
	})
}

// taken commits, then tells the other sessions, then reports. The caller's
// rights are read anew in the same breath, for they may have changed since the
// session began.
func (h *host) taken(ctx context.Context, work func(ledger.Tables, ledger.Author) (ledger.Outcome, error)) (session.Event, error) {
	var out ledger.Outcome
	author := h.caller.Author
	err := h.s.cfg.Store.Update(ctx, func(t ledger.Tables) (err error) {
		out, err = work(t, author)
		return err
	})
	if err != nil {
		return h.rejected(err)
	}
	h.s.metrics.changesets.WithLabelValues("applied").Add(float64(out.Applied))
	h.s.metrics.changesets.WithLabelValues("repeated").Add(float64(out.Repeats))
	h.s.metrics.changesets.WithLabelValues("quarantined").Add(float64(len(out.Refusals)))
	h.s.cfg.Bus.Grew(out.Grew)
	return session.Committed{Now: h.s.cfg.Now(), Ack: out.Ack, Refusals: out.Refusals, Forked: out.Forked}, nil
}

// malformed keeps a push that cannot be read, so that it is not lost and what
// follows it is not blocked. A push of several changesets is sent back to be
// sent one by one, so that only the bad one is kept aside.
func (h *host) malformed(body []byte) {
	first, count, changesets, ok := protocol.PushHead(body)
	if !ok || changesets != 1 || h.replica.IsZero() {
		h.step(session.Dismiss{Now: h.s.cfg.Now(), Error: &protocol.Error{Code: protocol.Malformed}})
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	event, err := h.taken(ctx, func(t ledger.Tables, a ledger.Author) (ledger.Outcome, error) {
		return h.s.cfg.Ledger.CommitMalformed(t, a, h.replica, first, count, body)
	})
	if err != nil {
		h.s.cfg.Log.Error("keep malformed push", "error", err)
		event = session.Failed{Now: h.s.cfg.Now()}
	}
	h.step(event)
}

func (h *host) loadPage(ctx context.Context, f session.LoadPage) (session.Event, error) {
	if h.pages == 0 {
		return nil, nil // an exchange has its bounds; the next one goes on
	}
	if h.pages > 0 {
		h.pages--
	}
	if h.caller.Revoked {
		return session.Dismiss{Now: h.s.cfg.Now(), Error: &protocol.Error{Code: protocol.Revoked}}, nil
	}
	page, err := h.s.pages.load(f.Scope, f.From, func() (*protocol.Page, error) {
		var p *protocol.Page
		err := h.s.cfg.Store.View(ctx, func(t ledger.Tables) (err error) {
			p, err = h.s.cfg.Ledger.Page(t, f.Scope, f.From)
			return err
		})
		return p, err
	})
	if err != nil {
		return h.rejected(err)
	}
	return session.PageLoaded{Now: h.s.cfg.Now(), Page: page}, nil
}
