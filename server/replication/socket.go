package replication

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/conflict"
	"wardbook/server/live"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// socket is one WebSocket and its session.
type socket struct {
	s  *Server
	ws *websocket.Conn // set under the server's lock

	taking sync.Mutex // held from when a message was decoded until the session has taken it

	mu    sync.Mutex // serialises the session
	host  host
	timer *time.Timer
	ended bool

	out     sync.Mutex // guards what follows
	queue   [][]byte
	queued  int
	writing bool
	closing bool

	news []protocol.StreamMark // guarded by the crowd's lock

	// Set once by Server.settle, under the server's lock.
	account string
	replica conflict.ReplicaID
}

// Browser serves the socket of the app: the page's origin must be one of ours.
func (s *Server) Browser(w http.ResponseWriter, r *http.Request) {
	if !s.originAllowed(r) {
		http.Error(w, "origin not allowed", http.StatusForbidden)
		return
	}
	s.serve(w, r, &s.upgrader)
}

// Device serves the socket of headless devices, which are no browsers: a
// request that names an origin is refused.
func (s *Server) Device(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Origin") != "" {
		http.Error(w, "browsers use the app's own socket", http.StatusForbidden)
		return
	}
	u := s.upgrader
	u.CheckOrigin = func(r *http.Request) bool { return r.Header.Get("Origin") == "" }
	s.serve(w, r, &u)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request, u *websocket.Upgrader) {
	c := &socket{s: s}
	// Close may find the socket before its session stands, and waits for that.
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := s.enter(c); err != nil {
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many connections", http.StatusServiceUnavailable)
		return
	}
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		c.ended = true
		s.leave(c)
		return // Upgrade has answered
	}
	s.mu.Lock()
	c.ws = ws
	s.mu.Unlock()
	ws.SetReadLimit(protocol.MaxMessage)
	c.host = host{s: s, machine: session.NewServer(s.cfg.Now()), send: c.enqueue, hangUp: c.hangUp, wake: c.wake,
		settled: c.settle, follow: c.follow, pages: -1}
	// The handler returns, so that the request's own buffers are freed.
	go c.read()
}

// read reads until the connection ends. While the session commits a push, the
// next message is read and decoded, and no further one.
func (c *socket) read() {
	defer func() {
		c.taking.Lock() // until the last message was taken: it arrived whole
		defer c.taking.Unlock()
		c.end()
	}()
	c.ws.SetReadDeadline(time.Now().Add(15 * time.Second)) // for the Hello
	for {
		kind, body, err := c.message()
		if err != nil {
			return
		}
		c.s.metrics.received.Add(float64(len(body)))
		m, err := protocol.Decode(body)
		if kind != websocket.BinaryMessage || err != nil {
			m = nil
		}
		c.taking.Lock()
		switch m := m.(type) {
		case nil, *protocol.Ping, *protocol.Pong:
		default:
			if hello, ok := m.(*protocol.Hello); ok {
				detach(hello)
			}
			// Whatever reaches the store needs a deep stack, which this
			// goroutine would keep for as long as the socket is idle.
			go func() {
				defer c.taking.Unlock()
				c.take(m, nil)
			}()
			continue
		}
		over := c.take(m, body)
		c.taking.Unlock()
		if over {
			return
		}
	}
}

// detach copies what a session keeps of a Hello for as long as it lasts. The texts
// of a message share its bytes, most of which are the token.
func detach(h *protocol.Hello) {
	h.App = strings.Clone(h.App)
	for i := range h.Scopes {
		s := &h.Scopes[i]
		s.Unit, s.Register = strings.Clone(s.Unit), strings.Clone(s.Register)
		for j := range s.Neighbourhoods {
			s.Neighbourhoods[j] = strings.Clone(s.Neighbourhoods[j])
		}
	}
}

// take gives the session a message, or the body of one that cannot be read,
// and reports whether it was the last.
func (c *socket) take(m protocol.Message, body []byte) (over bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return true
	case m != nil:
		c.host.step(session.Received{Now: c.s.cfg.Now(), Message: m})
	default:
		c.host.malformed(body)
	}
	return c.host.machine.Ended()
}

// message reads the next message. The parts of one that takes long on a slow line
// count as signs of life, but not drops: it must come at 20 bytes a second, and
// within messageWithin.
func (c *socket) message() (kind int, body []byte, err error) {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return 0, nil, err
	}
	began := time.Now()
	last, unheard := began, 0
	c.ws.SetReadDeadline(began.Add(silentFor))
	for {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)] // grows it
		}
		n, err := r.Read(body[len(body):cap(body)])
		body, unheard = body[:len(body)+n], unheard+n
		switch {
		case err == io.EOF:
			c.ws.SetReadDeadline(time.Now().Add(silentFor))
			return kind, body, nil
		case err != nil:
			return 0, nil, err
		}
		if now := time.Now(); unheard >= readBuffer && now.Sub(last) > time.Second {
			last, unheard = now, 0
			c.step(session.Heard{Now: c.s.cfg.Now()})
			c.ws.SetReadDeadline(earlier(now.Add(silentFor), began.Add(messageWithin)))
		}
	}
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// step runs an event that did not come from the device.
func (c *socket) step(e session.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.host.step(e)
	}
}

func (c *socket) dismiss(code protocol.Code) {
	c.step(session.Dismiss{Now: c.s.cfg.Now(), Error: &protocol.Error{Code: code}})
}

func (c *socket) settle(account string, replica conflict.ReplicaID) error {
	old, err := c.s.settle(c, account, replica)
	if err != nil {
		return err
	}
	if old != nil && old != c {
		go old.dismiss(protocol.Superseded)
	}
	return nil
}

func (c *socket) follow(units map[string]bool) {
	for unit := range units {
		leave := c.s.cfg.Bus.Follow(unit, live.Listener{
			Grew:     func(m []protocol.StreamMark) { c.s.crowd.tell(c, m) },
			Announce: func(m protocol.Message) { go c.step(session.Announce{Now: c.s.cfg.Now(), Message: m}) },
		})
		c.host.leave = append(c.host.leave, leave)
	}
	if c.host.closed {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitWithin)
	defer cancel()
	registered, err := c.s.cfg.Auth.Register(ctx, c.host.caller, func(reason error) { go c.dismiss(codeOf(reason)) })
	if err != nil {
		go c.dismiss(codeOf(err))
		return
	}
	c.host.session = registered
	c.host.leave = append(c.host.leave, registered.Unregister)
}

func (c *socket) wake(at int64) {
	d := time.Duration(max(0, at-c.s.cfg.Now())) * time.Millisecond
	if c.timer != nil {
		c.timer.Reset(d)
		return
	}
	c.timer = time.AfterFunc(d, func() { c.step(session.Tick{Now: c.s.cfg.Now()}) })
}

// enqueue hands a message to the writer, and starts it if none runs.
func (c *socket) enqueue(m protocol.Message) {
	body := c.host.bytesOf(m)
	c.out.Lock()
	defer c.out.Unlock()
	if c.closing {
		return
	}
	if c.queued+len(body) > maxQueued {
		c.closing = true // a reader this slow resumes by cursor
		c.ws.NetConn().Close()
		return
	}
	c.queue, c.queued = append(c.queue, body), c.queued+len(body)
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

// hangUp closes the socket once the queue is written.
func (c *socket) hangUp() {
	c.out.Lock()
	defer c.out.Unlock()
	c.closing = true
	if !c.writing {
		c.writing = true
		go c.write()
	}
}

func (c *socket) write() {
	for {
		c.out.Lock()
		if len(c.queue) == 0 {
			c.writing = false
			closing := c.closing
			c.out.Unlock()
			if closing {
				c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
				c.ws.Close()
			}
			return
		}
		body := c.queue[0]
		c.queue = c.queue[1:]
		c.queued -= len(body)
		if len(c.queue) == 0 {
			c.queue = nil
		}
		c.out.Unlock()
		c.ws.SetWriteDeadline(time.Now().Add(writeWithin))
		if err := c.ws.WriteMessage(websocket.BinaryMessage, body); err != nil {
			c.ws.Close() // the reader ends the session
			c.out.Lock()
			c.closing, c.queue, c.writing = true, nil, false
			c.out.Unlock()
			return
		}
		c.s.metrics.sent.Add(float64(len(body)))
	}
}

func (c *socket) end() {
	c.mu.Lock()
	if !c.ended {
		c.ended = true
		c.host.step(session.Lost{Now: c.s.cfg.Now()})
		for _, leave := range c.host.leave {
			leave()
		}
		if c.timer != nil {
			c.timer.Stop()
		}
	}
	c.mu.Unlock()
	c.hangUp()
	c.s.leave(c)
}
