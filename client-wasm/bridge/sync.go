package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// Times of an account's synchronisation.
const (
	postEvery    = 15 * time.Second // between exchanges over POST, when nothing is saved
	socketAgain  = 2 * time.Minute  // of exchanges before the socket is tried again
	postRetry    = 5 * time.Second  // after an exchange that broke off
	probeWithin  = 10 * time.Second
	reportWithin = 5 * time.Second // between two reports over one socket
	closedAgain  = 10 * time.Second
)

// socketFailures in a row, while fetch works, mean that the network breaks
// sockets.
const socketFailures = 2

// synchronise keeps the replica in touch with the server until the account is
// closed: over the socket, or over POST where sockets break.
func (a *account) synchronise() {
	defer a.tokens.stop()
	a.tasks.Go(a.reportReveals)
	for a.life.Err() == nil {
		switch a.overSocket() {
		case socketBroken:
			a.overPost()
		case sessionRefused:
			a.askWhy()
		}
	}
}

// why says what ended an attempt over the socket.
type why int

const (
	accountClosed why = iota
	socketBroken
	sessionRefused
)

// overSocket runs the session over sockets until they turn out not to work
// here, the server refuses the session for good, or the account is closed.
func (a *account) overSocket() why {
	ctx, cancel := context.WithCancelCause(a.life)
	defer cancel(nil)
	t := &transport{a: a, broken: func() { cancel(errBroken) }}
	told := func(s session.Status) {
		a.news.poke()
		if s.Link == session.Stopped && s.Failure == protocol.Revoked {
			cancel(errRefused)
		}
	}
	_ = a.r.Run(ctx, replica.RunConfig{App: a.app(), Token: a.lastToken(), Transport: t, Online: a.online, Told: told, Broken: broken}) // ctx's own error
	a.news.poke()
	switch context.Cause(ctx) {
	case errBroken:
		return socketBroken
	case errRefused:
		return sessionRefused
	}
	return accountClosed
}

var (
	errBroken  = errors.New("sockets do not work here")
	errRefused = errors.New("the server refuses the session")
)

func (a *account) app() string { return "web/" + a.b.cfg.Version }

// lastToken returns the access token at hand, or "".
func (a *account) lastToken() string {
	select {
	case a.tokens.gate <- struct{}{}:
		defer func() { <-a.tokens.gate }()
		return a.tokens.access
	case <-a.life.Done():
		return ""
	}
}

// askWhy asks for another token after the session was refused: the answer says
// what to do, and ends the account if the device may work no more.
func (a *account) askWhy() {
	for {
		_, err := a.token(a.life, a.lastToken())
		if err == nil || a.life.Err() != nil {
			break
		}
		select {
		case <-a.life.Done():
		case <-a.online:
		case <-time.After(closedAgain):
		}
	}
	a.wait(time.Second) // a server that changes its mind is not asked in a loop
}

// transport is the socket as the session uses it.
type transport struct {
	a      *account
	broken func()

	mu       sync.Mutex
	failures int // sockets in a row on which nothing was ever heard
}

// Dial opens a socket.
func (t *transport) Dial(ctx context.Context) (replica.Conn, error) {
	conn, err := t.a.b.cfg.Dial(ctx)
	if err != nil {
		t.failed()
		return nil, err
	}
	ends, end := context.WithCancel(t.a.life)
	return &line{Conn: conn, t: t, ends: ends, end: end}, nil
}

// failed counts a socket that came to nothing.
func (t *transport) failed() {
	t.mu.Lock()
	t.failures++
	enough := t.failures >= socketFailures
	t.mu.Unlock()
	if enough {
		t.a.tasks.Go(func() {
			ctx, cancel := context.WithTimeout(t.a.life, probeWithin)
			defer cancel()
			if status, _, err := t.a.b.cfg.Fetch(ctx, "GET", "/healthz", "", "", nil); err == nil && status == 200 {
				t.broken()
			}
		})
	}
}

func (t *transport) works() {
	t.mu.Lock()
	t.failures = 0
	t.mu.Unlock()
}

// RefreshToken fetches an access token. If there is no network it sees to it
// that the session tries again sooner than of its own accord.
func (t *transport) RefreshToken(ctx context.Context) (string, error) {
	return t.a.renew(ctx)
}

// renew fetches an access token in the place of the one at hand.
func (a *account) renew(ctx context.Context) (string, error) {
	token, err := a.token(ctx, a.lastToken())
	if err != nil && codeOf(err) != errSignIn.Code {
		a.tokens.later(func() { signal(a.online) })
	}
	return token, err
}

// line is one socket, which reports on the outbox once the server has said
// welcome.
type line struct {
	replica.Conn
	t     *transport
	ends  context.Context
	end   context.CancelFunc
	heard bool // by Receive alone

	mu sync.Mutex // Send is called by the session and by report
}

// Send sends one message.
func (l *line) Send(ctx context.Context, message []byte) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Conn.Send(ctx, message)
}

// Receive returns the next message.
func (l *line) Receive(ctx context.Context) ([]byte, error) {
	b, err := l.Conn.Receive(ctx)
	l.t.a.received(len(b))
	switch {
	case err != nil && !l.heard && ctx.Err() == nil && l.ends.Err() == nil:
		l.t.failed()
	case err == nil && !l.heard:
		l.heard = true
		l.t.works()
	}
	if err == nil && len(b) > 0 && protocol.Kind(b[0]) == protocol.KindWelcome {
		l.t.a.tasks.Go(l.report)
		if shutOut(b) {
			l.t.a.tasks.Go(func() { l.t.a.renew(l.ends) }) // what it says ends the account
		}
	}
	return b, err
}

// shutOut reports whether a Welcome refuses every stream that was asked for: a
// server lets a closed device hand its work in with a token that has not
// expired, and says no more than that.
func shutOut(welcome []byte) bool {
	m, err := protocol.Decode(welcome)
	w, ok := m.(*protocol.Welcome)
	if err != nil || !ok || len(w.Grants) == 0 {
		return false
	}
	for _, g := range w.Grants {
		if g.Code != protocol.Forbidden {
			return false
		}
	}
	return true
}

// Close closes the socket.
func (l *line) Close() error {
	l.end()
	return l.Conn.Close()
}

// report tells the server how much waits here, now and whenever that changes,
// so that somebody notices a device whose outbox does not move.
func (l *line) report() {
	a := l.t.a
	var last protocol.Report
	for first := true; ; first = false {
		s, err := a.r.Status(l.ends)
		if err == nil {
			now := protocol.Report{Unsent: uint64(s.Unsent), Oldest: s.Oldest, Headroom: last.Headroom}
			if first || now != last {
				now.Headroom = a.b.cfg.Headroom(l.ends)
				if l.Send(l.ends, protocol.Encode(nil, &now)) != nil {
					return // the session hears of it by itself
				}
				last = now
			}
		}
		select {
		case <-l.ends.Done():
			return
		case <-time.After(reportWithin):
		}
	}
}

// overPost exchanges over POST until it is time to try the socket again.
func (a *account) overPost() {
	until := time.Now().Add(socketAgain)
	for a.life.Err() == nil {
		_, err := a.r.Exchange(a.life, a.app(), a.lastToken(), poster{a})
		a.news.poke()
		wait := postEvery
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused) && refused.Code == protocol.Revoked:
			a.askWhy()
			return
		case codeOf(err) == errOffline.Code:
			return // no network at all is the socket's business again
		case err != nil:
			wait = postRetry
		}
		if !a.unsent() {
			drain(a.saved) // what arrived is no reason to come again
		}
		select {
		case <-a.life.Done():
			return
		case <-a.online:
			return
		case <-a.saved:
		case <-time.After(wait):
		}
		if time.Now().After(until) {
			return
		}
	}
}

// unsent reports whether something waits to be sent.
func (a *account) unsent() bool {
	s, err := a.r.Status(a.life)
	return err == nil && s.Unsent > 0
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// poster reaches the server over POST.
type poster struct{ a *account }

// exchangeWithin bounds one round of an exchange.
const exchangeWithin = 2 * time.Minute

// Post sends one body of frames and returns the answer's. The token travels
// inside, as on the socket.
func (p poster) Post(ctx context.Context, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, exchangeWithin)
	defer cancel()
	status, reply, err := p.a.b.cfg.Fetch(ctx, "POST", "/sync/v1/exchange", "", "application/vnd.wardbook.sync", body)
	p.a.received(len(reply))
	switch {
	case err != nil:
		return nil, errOffline
	case status != 200:
		return nil, fmt.Errorf("exchange: the server answers with status %d", status)
	}
	return reply, nil
}

// RefreshToken fetches an access token.
func (p poster) RefreshToken(ctx context.Context) (string, error) { return p.a.renew(ctx) }
