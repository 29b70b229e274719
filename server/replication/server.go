package replication

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/live"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// Config is what a Server needs.
type Config struct {
	Store  *sqlite.Store
	Ledger *ledger.Ledger
	Auth   *auth.Service
	Bus    *live.Bus
	// Origins are the exact origins (scheme, host, port) whose pages may open
	// a socket, beside the origin that the request itself was sent to.
	Origins []string
	// Reinstate gives decisions on these records their place among the approvals
	// again that came back with what devices gave back; it works in their
	// transaction. Nil where there is no desk.
	Reinstate func(tx *sqlite.Tx, records []conflict.RecordID) ([]protocol.StreamMark, error)
	// MaxSessions bounds the open sockets; 0 means 20,000.
	MaxSessions int
	// PerAccount bounds the open sockets of one account; 0 means 32.
	PerAccount int
	Now        func() int64 // Unix milliseconds
	Log        *slog.Logger
	Registerer prometheus.Registerer // nil: no metrics are kept
}

// Server serves both forms of the exchange.
type Server struct {
	cfg      Config
	upgrader websocket.Upgrader
	pages    pageCache
	crowd    crowd
	metrics  metrics

	mu       sync.Mutex
	sessions map[*socket]struct{}
	accounts map[string]int
	replicas map[conflict.ReplicaID]*socket
	turns    map[turnKey]uint64
	closed   bool
	done     sync.WaitGroup
}

// Bounds of a socket, in bytes and time.
const (
	readBuffer    = 512
	writeBuffer   = 4 << 10
	maxQueued     = 4 << 20 // bytes waiting to be written
	writeWithin   = 30 * time.Second
	commitWithin  = 30 * time.Second
	silentFor     = 30 * time.Second // the machine gives up a little earlier
	messageWithin = 5 * time.Minute  // one message, on the slowest line
	maxExchange   = 4 << 20          // bytes of an exchange's request
	exchangePages = 8                // pages in one exchange's answer
)

// NewServer returns a server for c.
func NewServer(c Config) (*Server, error) {
	if c.MaxSessions == 0 {
		c.MaxSessions = 20_000
	}
	if c.PerAccount == 0 {
		c.PerAccount = 32
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{cfg: c, sessions: map[*socket]struct{}{}, accounts: map[string]int{}, replicas: map[conflict.ReplicaID]*socket{}, turns: map[turnKey]uint64{}}
	// Compression stays off: gorilla's read limit counts compressed bytes, and
	// the pages are compressed by column already.
	s.upgrader = websocket.Upgrader{ReadBufferSize: readBuffer, WriteBufferSize: writeBuffer, WriteBufferPool: &sync.Pool{},
		HandshakeTimeout: 10 * time.Second, CheckOrigin: s.originAllowed}
	if c.Bus != nil {
		c.Bus.Watch(s.pages.forget)
	}
	if err := s.metrics.register(c.Registerer, s); err != nil {
		return nil, err
	}
	return s, nil
}

// originAllowed demands the exact origin that the browser's page came from.
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || origin == "null" {
		return false
	}
	for _, o := range s.cfg.Origins {
		if origin == o {
			return true
		}
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.Path != "" {
		return false
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return u.Scheme == scheme && u.Host == r.Host
}

// Close ends every session with code ShuttingDown and waits for them, or for
// ctx. What was committed is acknowledged first: a session ends between events.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	open := make([]*socket, 0, len(s.sessions))
	for c := range s.sessions {
		open = append(open, c)
	}
	s.mu.Unlock()
	for _, c := range open {
		go c.dismiss(protocol.ShuttingDown)
	}
	gone := make(chan struct{})
	go func() { s.done.Wait(); close(gone) }()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.sessions {
			if c.ws != nil { // else it is being opened still
				c.ws.NetConn().Close()
			}
		}
		return ctx.Err()
	}
}

var errFull = errors.New("too many sockets")

// enter counts a socket in.
func (s *Server) enter(c *socket) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.sessions) >= s.cfg.MaxSessions {
		return errFull
	}
	s.sessions[c] = struct{}{}
	s.done.Add(1)
	return nil
}

func (s *Server) leave(c *socket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.sessions[c]; !ok {
		return
	}
	delete(s.sessions, c)
	if c.account != "" {
		if s.accounts[c.account]--; s.accounts[c.account] == 0 {
			delete(s.accounts, c.account)
		}
	}
	if s.replicas[c.replica] == c {
		delete(s.replicas, c.replica)
	}
	s.done.Done()
}

// settle gives the socket its account and replica; an older socket of the same
// replica is returned, for it must go.
func (s *Server) settle(c *socket, account string, replica conflict.ReplicaID) (*socket, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.accounts[account] >= s.cfg.PerAccount {
		return nil, &protocol.Error{Code: protocol.Busy, RetryAfter: 60}
	}
	old := s.replicas[replica]
	s.accounts[account]++
	s.replicas[replica] = c
	c.account, c.replica = account, replica
	return old, nil
}

// turnKey names a replica as an account speaks for it.
type turnKey struct {
	account string
	replica conflict.ReplicaID
}

// take gives a session, or an exchange, the turn to speak for a replica; who had
// it before has it no more, even before its own socket learns of that.
func (s *Server) take(account string, replica conflict.ReplicaID) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := turnKey{account, replica}
	s.turns[key]++
	return s.turns[key]
}

func (s *Server) hasTurn(account string, replica conflict.ReplicaID, turn uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turns[turnKey{account, replica}] == turn
}

// TellErased tells every open session that records were erased by law, and those
// that follow a unit that its feed has grown.
func (s *Server) TellErased(grew []protocol.StreamMark) {
	s.cfg.Bus.Grew(grew)
	s.mu.Lock()
	sockets := slices.Collect(maps.Values(s.replicas))
	s.mu.Unlock()
	go func() {
		for _, c := range sockets {
			c.step(session.ErasedMore{Now: s.cfg.Now()})
		}
	}()
}

// Tell passes a refusal, or the news that one was settled, to the open session
// of a replica, if there is one.
func (s *Server) Tell(replica conflict.ReplicaID, r *protocol.Refusal) {
	s.mu.Lock()
	c := s.replicas[replica]
	s.mu.Unlock()
	if c != nil {
		go c.step(session.Announce{Now: s.cfg.Now(), Message: r})
	}
}
