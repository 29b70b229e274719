package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// Transport reaches the server over sockets.
type Transport interface {
	// Dial opens a connection.
	Dial(ctx context.Context) (Conn, error)
	// RefreshToken fetches an access token.
	RefreshToken(ctx context.Context) (string, error)
}

// Conn is one socket. Send and Receive are called from different goroutines,
// each from one; Close ends both.
type Conn interface {
	// Send sends one message and does not keep the slice.
	Send(ctx context.Context, message []byte) error
	// Receive returns the next message, which the caller owns.
	Receive(ctx context.Context) ([]byte, error)
	Close() error
}

// RunConfig is what Run is given once.
type RunConfig struct {
	App       string // build of the app, for the fleet view
	Token     string // access token, "" to begin by fetching one
	Transport Transport
	// Online tells that there is reason to believe that the network is back.
	// It may be nil.
	Online <-chan struct{}
	// Told, if set, is called when the session has news of its status.
	Told func(session.Status)
	// Broken, if set, names a failure of the local store about which a person can do
	// something; nil for any other.
	Broken func(error) *Failure
	// KeepTold leaves the session's last status standing when Run ends, for
	// who ends it on purpose, being synced.
	KeepTold bool
}

// Times of the runner.
const (
	dialWithin  = 25 * time.Second
	retryAfter  = 5 * time.Second // a failure of the local store
	tokenWithin = 30 * time.Second
)

// Run keeps the replica connected until ctx is done, whose error it returns.
// It dials, sends what is saved as it is saved, receives, and after a loss
// waits as the session says. Only one Run or Exchange may go on at a time.
func (r *Replica) Run(ctx context.Context, cfg RunConfig) error {
	ctx, cancel := context.WithCancel(ctx)
	n := &runner{r: r, cfg: cfg, h: r.NewHost(cfg.App, cfg.Token, true), token: cfg.Token, in: make(chan arrival)}
	defer func() {
		cancel()
		n.hangUp()
		n.tasks.Wait()
		if !cfg.KeepTold {
			r.hear(session.Status{})
		}
	}()
	return n.run(ctx)
}

type runner struct {
	r     *Replica
	cfg   RunConfig
	h     *Host
	token string
	conn  Conn
	gen   int // of the connection; arrivals of older ones are stale
	in    chan arrival
	tasks sync.WaitGroup
	told  session.Status
}

// arrival is what another goroutine of the runner has for it.
type arrival struct {
	gen   int
	event session.Event
	conn  Conn    // with Opened
	token *string // with TokenRenewed
}

func (n *runner) run(ctx context.Context) error {
	n.h.Step(session.Start{Now: n.r.now()})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if err := n.perform(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			n.broken(err)
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(retryAfter):
			}
			n.h.Reset(n.token)
			n.h.Step(session.Start{Now: n.r.now()})
			continue
		}
		wait := time.Hour
		if at := n.h.WakeAt(); at > 0 {
			wait = max(0, time.Duration(at-n.r.now())*time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case a := <-n.in:
			n.arrived(a)
		case <-timer.C:
			n.h.wakeAt = 0
			n.h.Step(session.Tick{Now: n.r.now()})
		case <-n.r.wake:
			n.h.Refresh()
		case <-n.cfg.Online:
			n.h.Step(session.Online{Now: n.r.now()})
		}
	}
}

// broken notes that the local store could not do what it was asked for.
func (n *runner) broken(err error) {
	n.hangUp()
	n.r.mu.Lock()
	n.r.told = session.Status{}
	n.r.failure = &Failure{Code: "storage", VI: "Không ghi được vào bộ nhớ của thiết bị; sẽ thử lại.", EN: "the device's store could not be written; it will be tried again: " + err.Error()}
	if n.cfg.Broken != nil {
		n.r.failure = cmp.Or(n.cfg.Broken(err), n.r.failure)
	}
	n.r.mu.Unlock()
	if n.cfg.Told != nil {
		n.cfg.Told(session.Status{})
	}
}

// perform performs everything that is queued.
func (n *runner) perform(ctx context.Context) error {
	for n.h.Pending() > 0 {
		e, err := n.h.Perform(ctx)
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case session.Dial:
			n.dial(ctx)
		case session.Send:
			if n.conn == nil {
				continue // lost, and about to be told so
			}
			if err := n.conn.Send(ctx, protocol.Encode(nil, e.Message)); err != nil {
				n.hangUp()
				n.h.Step(session.Lost{Now: n.r.now()})
			}
		case session.HangUp:
			n.hangUp()
		case session.RefreshToken:
			n.refresh(ctx)
		}
	}
	n.r.mu.Lock()
	n.r.failure = nil
	n.r.mu.Unlock()
	if s := n.h.Status(); n.cfg.Told != nil && !sameStatus(s, n.told) {
		n.told = s
		n.cfg.Told(s)
	}
	return nil
}

func sameStatus(a, b session.Status) bool {
	if len(a.Streams) != len(b.Streams) {
		return false
	}
	for i := range a.Streams {
		if a.Streams[i] != b.Streams[i] {
			return false
		}
	}
	return a.Link == b.Link && a.Acked == b.Acked && a.Last == b.Last && a.Sent == b.Sent && a.Synced == b.Synced && a.Failure == b.Failure &&
		a.Returning == b.Returning
}

func (n *runner) arrived(a arrival) {
	switch {
	case a.token != nil:
		n.token = *a.token
		n.h.Step(a.event)
	case a.gen != n.gen:
		if a.conn != nil {
			a.conn.Close() // nobody waits for it any more
		}
	default:
		if a.conn != nil {
			n.conn = a.conn
		}
		if _, lost := a.event.(session.Lost); lost {
			n.hangUp()
		}
		n.h.Step(a.event)
	}
}

// hangUp closes the connection, or the attempt to open one.
func (n *runner) hangUp() {
	n.gen++
	if n.conn != nil {
		n.conn.Close()
		n.conn = nil
	}
}

// post hands an arrival to the loop, unless that has ended.
func (n *runner) post(ctx context.Context, a arrival) bool {
	select {
	case n.in <- a:
		return true
	case <-ctx.Done():
		if a.conn != nil {
			a.conn.Close()
		}
		return false
	}
}

// dial opens a connection and then reads it to its end, on a goroutine of its
// own.
func (n *runner) dial(ctx context.Context) {
	n.hangUp()
	gen := n.gen
	n.tasks.Add(1)
	go func() {
		defer n.tasks.Done()
		dialling, cancel := context.WithTimeout(ctx, dialWithin)
		conn, err := n.cfg.Transport.Dial(dialling)
		cancel()
		if err != nil {
			n.post(ctx, arrival{gen: gen, event: session.Lost{Now: n.r.now()}})
			return
		}
		if !n.post(ctx, arrival{gen: gen, event: session.Opened{Now: n.r.now()}, conn: conn}) {
			return
		}
		for {
			b, err := conn.Receive(ctx)
			var m protocol.Message
			if err == nil {
				m, err = protocol.Decode(b)
			}
			if err != nil {
				n.post(ctx, arrival{gen: gen, event: session.Lost{Now: n.r.now()}})
				return
			}
			if !n.post(ctx, arrival{gen: gen, event: session.Received{Now: n.r.now(), Message: m}}) {
				return
			}
		}
	}()
}

func (n *runner) refresh(ctx context.Context) {
	n.tasks.Add(1)
	go func() {
		defer n.tasks.Done()
		fetching, cancel := context.WithTimeout(ctx, tokenWithin)
		defer cancel()
		token, err := n.cfg.Transport.RefreshToken(fetching)
		if err != nil {
			token = ""
		}
		n.post(ctx, arrival{event: session.TokenRenewed{Now: n.r.now(), Token: token}, token: &token})
	}()
}

// Poster reaches the server over HTTPS POST.
type Poster interface {
	// Post sends one body of frames and returns the answer's.
	Post(ctx context.Context, body []byte) ([]byte, error)
	// RefreshToken fetches an access token.
	RefreshToken(ctx context.Context) (string, error)
}

// ErrStalled is returned by Exchange when several rounds moved nothing.
var ErrStalled = errors.New("the server neither takes nor gives any more")

// Exchange says everything there is to say over Poster, in as many rounds as
// that takes, and returns the session's last status: Synced, unless an error
// is returned too. What the rounds brought before an error stays.
func (r *Replica) Exchange(ctx context.Context, app, token string, p Poster) (session.Status, error) {
	x := &exchange{r: r, h: r.NewHost(app, token, false), p: p}
	defer func() { r.hear(x.last) }()
	x.h.Step(session.Start{Now: r.now()})
	stalled := 0
	for {
		before := x.progress()
		done, err := x.round(ctx)
		if err != nil {
			return x.last, fmt.Errorf("exchange: %w", err)
		}
		if done {
			return x.last, nil
		}
		if before == x.progress() {
			if stalled++; stalled == 3 {
				return x.last, fmt.Errorf("exchange: %w", ErrStalled)
			}
		} else {
			stalled = 0
		}
		x.h.Step(session.Lost{Now: r.now()})
		x.h.Step(session.Start{Now: r.now()})
	}
}

type exchange struct {
	r         *Replica
	h         *Host
	p         Poster
	body      []byte
	refreshed int
	last      session.Status
}

// progress is a text that changes when anything moves.
func (x *exchange) progress() string {
	m := x.r.Meta()
	told := x.h.Status()
	text := fmt.Sprint(m.Replica, m.Acked, m.Last, told.Returned, told.Returning)
	for _, s := range told.Streams {
		text += fmt.Sprint(" ", s.Cursor)
	}
	return text
}

// round posts once, and reports whether nothing is left to say.
func (x *exchange) round(ctx context.Context) (done bool, err error) {
	x.body = nil
	if err := x.perform(ctx); err != nil {
		return false, err
	}
	if len(x.body) == 0 {
		return false, x.refused()
	}
	answer, err := x.p.Post(ctx, x.body)
	if err != nil {
		return false, err
	}
	frames, err := protocol.ReadFrames(answer)
	if err != nil && !errors.Is(err, protocol.ErrCut) {
		return false, err
	}
	for _, f := range frames {
		m, err := protocol.Decode(f)
		if err != nil {
			return false, err
		}
		x.body = nil // said too late for this round; the next Hello says it
		x.h.Step(session.Received{Now: x.r.now(), Message: m})
		if err := x.perform(ctx); err != nil {
			return false, err
		}
		if e, ok := m.(*protocol.Error); ok && x.h.Status().Link != session.Connecting {
			return false, e
		}
	}
	x.h.Refresh()
	if err := x.perform(ctx); err != nil {
		return false, err
	}
	x.last = x.h.Status()
	return x.h.Idle(), nil
}

// refused says why there is nothing to post.
func (x *exchange) refused() error {
	if s := x.h.Status(); s.Failure != protocol.OK {
		return &protocol.Error{Code: s.Failure}
	}
	return errors.New("no access token could be had")
}

// perform performs everything that is queued, and gathers what is to be sent.
func (x *exchange) perform(ctx context.Context) error {
	for x.h.Pending() > 0 {
		e, err := x.h.Perform(ctx)
		if err != nil {
			return err
		}
		switch e := e.(type) {
		case session.Dial:
			x.body = nil
			x.h.Step(session.Opened{Now: x.r.now()})
		case session.Send:
			x.body = protocol.AppendFrame(x.body, protocol.Encode(nil, e.Message))
		case session.RefreshToken:
			if x.refreshed++; x.refreshed > 2 {
				return &protocol.Error{Code: protocol.Unauthenticated}
			}
			token, err := x.p.RefreshToken(ctx)
			if err != nil {
				return err
			}
			x.h.Step(session.TokenRenewed{Now: x.r.now(), Token: token})
		}
	}
	return nil
}
