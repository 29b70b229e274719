package session

import (
	"crypto/ed25519"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Times of the client, in milliseconds.
const (
	pingAfter   = 10_000 // of silence, of either end
	deadAfter   = 25_000 // of silence, or of an unanswered Hello
	stuckAfter  = 30_000 // without an acknowledgement while pushes are in flight
	backoffBase = 1_000
	backoffMax  = 60_000
)

// Window of the client's pushes: how much may be sent and not acknowledged.
const (
	pushWindow = 4
	// PushBytes is how many canonical bytes of changesets the owner should
	// load for one Push.
	PushBytes = 256 << 10
	// PushChangesets is how many changesets one Push holds at the most. On a line
	// on which a push takes longer than the patience of either end it is fewer.
	PushChangesets = 1000
	// pushFirst is how many the first Push of a client holds: nobody knows the line
	// yet, and what was sent too much of cannot be taken back.
	pushFirst = 128
	// quickly is within how many milliseconds a push is acknowledged on a line
	// that takes larger ones.
	quickly = 5_000
)

// Local is what the client's store held when the session began.
type Local struct {
	Replica conflict.ReplicaID
	Epoch   protocol.Token
	Current protocol.Token
	Next    protocol.Token // proposed and not confirmed; zero if none
	Acked   uint64
	Last    uint64
	Scopes  []protocol.Scope
	Defs    []protocol.DefinitionRef
	// Key is the server's, learnt at sign-in: what it did not sign is not
	// believed. Without a key, which no signed-in store is, nothing is checked.
	Key ed25519.PublicKey
	// Return: pages of an earlier epoch may wait to be given back.
	Return bool
	// Erasures is up to which number of the server's list of erasures nothing is
	// left here.
	Erasures uint64
}

// ClientConfig is what a client is given once.
type ClientConfig struct {
	App       string
	Streaming bool          // a socket; false for exchanges over HTTPS POST
	Rand      func() uint64 // for jitter and incarnations; cryptographic in production
}

// Link is how the client stands to the server.
type Link uint8

// The links.
const (
	Offline    Link = iota // nothing is tried until Online or a timer
	Connecting             // dialling, or Hello sent and not answered
	Live
	Stopped // the server will not have this device; a person must act
)

// String returns the name that the page shows nothing of but tests do.
func (l Link) String() string { return [...]string{"offline", "connecting", "live", "stopped"}[l] }

// Status is what may be told to the user. Synced is the only source of the
// word "synced".
type Status struct {
	Link    Link
	Acked   uint64 // last counter the server acknowledged
	Last    uint64 // last counter in use
	Sent    uint64 // last counter sent in this session
	Synced  bool
	Failure protocol.Code // why the link is Stopped, or the last refusal
	Streams []StreamStatus
	// Returning: pages of an earlier epoch are still to be given back; Returned
	// is the number of the last one that was.
	Returning bool
	Returned  uint64
}

// StreamStatus is how far a stream is on the device.
type StreamStatus struct {
	Stream  protocol.Stream
	Cursor  uint64
	Floor   uint64 // last position at which the stream was whole
	Head    uint64
	Count   uint64 // records of the stream at the server when the session began
	Granted bool
	Code    protocol.Code
}

// Client is the device's end of a session. Make one with NewClient; it serves
// for any number of connections, one after another.
type Client struct {
	cfg   ClientConfig
	local Local
	token string

	link     Link
	now      int64
	heard    int64 // when the server was last heard
	spoke    int64 // when this end last said anything
	pinged   bool
	moved    int64 // when the window last moved
	attempts int
	retryAt  int64 // when to dial again, 0 for not
	failure  protocol.Code

	greeted  bool // Hello was sent on this connection
	welcomed bool
	sent     uint64   // highest counter pushed in this session
	held     uint64   // highest counter that the server said it holds, when it welcomed this session
	short    bool     // the next Hello says that no counter beyond upTo was used; see missing
	upTo     uint64   //
	inflight []flight // pushes not acknowledged
	most     int      // changesets a push holds
	loading  bool
	rekeying bool
	asking   bool // a new token was asked for
	single   bool // one changeset a push, so that the server can keep a bad one aside alone
	streams  []StreamStatus
	told     []StreamStatus             // a copy of streams that was handed out and never changes
	target   map[protocol.Stream]uint64 // positions that own receipts point at
	giving   giving
	unproven []*protocol.Erased // what was heard and waits; see erased
}

// flight is a push on its way.
type flight struct {
	last       uint64 // its last counter
	changesets int
	sent       int64
}

// NewClient returns a client for the store described by local. token is the
// access token, or "" if the owner must fetch one first.
func NewClient(cfg ClientConfig, local Local, token string) *Client {
	c := &Client{cfg: cfg, token: token, most: pushFirst}
	c.reset(local)
	return c
}

func (c *Client) reset(local Local) {
	c.local = local
	c.target = map[protocol.Stream]uint64{}
	c.streams = make([]StreamStatus, len(local.Scopes))
	for i, s := range local.Scopes {
		c.streams[i] = StreamStatus{Stream: s.Stream, Cursor: s.Cursor, Floor: s.Floor}
	}
	c.endSession()
}

func (c *Client) endSession() {
	c.greeted, c.welcomed, c.pinged, c.loading, c.rekeying = false, false, false, false, false
	c.giving.nos, c.giving.loading = nil, false
	c.unproven = nil
	c.sent, c.inflight = c.local.Acked, nil
	for i := range c.streams {
		c.streams[i].Granted = false
	}
}

// Status returns what may be told to the user now. Its Streams are shared and
// not to be written to.
func (c *Client) Status() Status {
	s := Status{Link: c.link, Acked: c.local.Acked, Last: c.local.Last, Sent: c.sent, Failure: c.failure,
		Returning: c.local.Return, Returned: c.giving.last}
	if !slices.Equal(c.told, c.streams) {
		c.told = slices.Clone(c.streams)
	}
	s.Streams = c.told
	s.Synced = c.welcomed && c.local.Acked >= c.local.Last && !c.local.Return
	for _, t := range c.streams {
		if t.Granted && t.Cursor < max(t.Head, c.target[t.Stream]) {
			s.Synced = false
		}
	}
	return s
}

// Idle reports whether an exchange has nothing more to say or to wait for:
// everything is acknowledged and every granted stream is at its head.
func (c *Client) Idle() bool { return c.Status().Synced && len(c.inflight) == 0 && !c.loading }

// Step takes one event and returns the effects to perform, in order.
func (c *Client) Step(e Event) []Effect {
	out := make(effects, 0, 4)
	switch e := e.(type) {
	case Start:
		c.at(e.Now)
		c.dial(&out)
	case Online:
		c.at(e.Now)
		switch c.link {
		case Offline:
			c.attempts = 0
			c.dial(&out)
		case Connecting:
			c.attempts = 0 // this dial may have begun without a network, and fail; the next one is not to wait for that
		}
	case Opened:
		c.at(e.Now)
		c.opened(&out)
	case Received:
		c.at(e.Now)
		if c.link == Connecting || c.link == Live {
			c.heard, c.pinged = e.Now, false
			c.received(&out, e.Message)
		}
	case Lost:
		c.at(e.Now)
		c.lost(&out, 0)
	case Failed:
		c.at(e.Now)
		if c.link == Connecting || c.link == Live {
			out.add(HangUp{})
			c.lost(&out, 0)
		}
	case Tick:
		c.at(e.Now)
		c.tick(&out)
	case Saved:
		c.at(e.Now)
		c.local.Last = max(c.local.Last, e.Last)
		c.pump(&out)
	case Loaded:
		c.loaded(&out, e)
	case KeptLoaded:
		c.keptLoaded(&out, e)
	case Rekeyed:
		c.at(e.Now)
		out.add(HangUp{})
		c.reset(e.Local)
		c.link = Offline
		c.attempts = 0
		c.dial(&out)
	case Rescoped:
		c.at(e.Now)
		c.rescoped(&out, e)
	case TokenRenewed:
		c.at(e.Now)
		c.renewed(&out, e.Token)
	case Stop:
		if c.link == Connecting || c.link == Live {
			out.add(HangUp{})
		}
		c.endSession()
		c.link, c.retryAt = Offline, 0
	}
	if slices.ContainsFunc(out, func(f Effect) bool { _, ok := f.(Send); return ok }) {
		c.spoke = c.now
	}
	c.arm(&out)
	out.add(Tell{c.Status()})
	return out
}

// at notes the owner's clock. Clocks of devices are set, years back at times: the
// moments that timers count from go back with it, else none would ever fire.
// After a jump forward they fire early, which costs a reconnection.
func (c *Client) at(now int64) {
	if back := c.now - now; c.now != 0 && back > 0 {
		c.heard -= back
		c.spoke -= back
		c.moved -= back
		for i := range c.inflight {
			c.inflight[i].sent -= back
		}
		if c.retryAt > 0 {
			c.retryAt = max(1, c.retryAt-back)
		}
	}
	c.now = now
}

func (c *Client) dial(out *effects) {
	if c.link == Connecting || c.link == Live || c.link == Stopped {
		return
	}
	c.retryAt = 0
	if c.token == "" {
		c.askToken(out)
		return
	}
	c.link = Connecting
	c.heard = c.now
	out.add(Dial{})
}

func (c *Client) askToken(out *effects) {
	if !c.asking {
		c.asking = true
		out.add(RefreshToken{})
	}
}

// opened says Hello. The successor of the incarnation is durable before it is
// proposed, so that a lost answer is met by a repeat of the same pair.
func (c *Client) opened(out *effects) {
	if c.link != Connecting {
		out.add(HangUp{})
		return
	}
	c.endSession()
	c.heard = c.now
	if c.local.Next == (protocol.Token{}) {
		c.local.Next = c.randomToken()
		out.add(StoreNext{c.local.Next})
	}
	last := c.local.Last
	if c.short {
		last = max(c.upTo, c.local.Acked)
	}
	h := &protocol.Hello{Version: protocol.Version, App: c.cfg.App, Token: c.token, Replica: c.local.Replica,
		Epoch: c.local.Epoch, Current: c.local.Current, Next: c.local.Next, Acked: c.local.Acked, Last: last,
		At: c.now, Streaming: c.cfg.Streaming, Defs: c.local.Defs}
	for i, s := range c.local.Scopes {
		s.Cursor, s.Floor = c.streams[i].Cursor, c.streams[i].Floor
		h.Scopes = append(h.Scopes, s)
	}
	out.add(Send{h})
	out.add(Send{&protocol.Known{Erasures: c.local.Erasures}})
	c.greeted = true
	c.pump(out) // pending work travels in the first flight
	c.give(out)
}

func (c *Client) randomToken() protocol.Token {
	var t protocol.Token
	for i := 0; i < len(t); i += 8 {
		n := c.cfg.Rand()
		for j := range 8 {
			t[i+j] = byte(n >> (8 * j))
		}
	}
	return t
}

func (c *Client) received(out *effects, m protocol.Message) {
	switch m := m.(type) {
	case *protocol.Welcome:
		c.welcome(out, m)
	case *protocol.Ack:
		c.ack(out, m)
	case *protocol.Page:
		c.page(out, m)
	case *protocol.Refusal:
		out.add(StoreRefusal{m})
	case *protocol.HubMark:
		out.add(StoreHubMark{m})
	case *protocol.Definition:
		c.defined(m)
		out.add(StoreDefinition{m})
	case *protocol.Withdraw:
		c.withdraw(out, m)
	case *protocol.Returned:
		c.gaveBack(out, m)
	case *protocol.Erased:
		c.erased(out, m)
	case *protocol.Ping:
		out.add(Send{&protocol.Pong{N: m.N}})
	case *protocol.Pong:
	case *protocol.Error:
		c.refused(out, m)
	default:
		c.violated(out)
	}
}

// defined notes that the store has a definition, so that it is not sent again.
func (c *Client) defined(m *protocol.Definition) {
	for i, d := range c.local.Defs {
		if d.Register == m.Register {
			c.local.Defs = slices.Clone(c.local.Defs)
			c.local.Defs[i].Version = max(d.Version, m.Version)
			return
		}
	}
	c.local.Defs = append(slices.Clone(c.local.Defs), protocol.DefinitionRef{Register: m.Register, Version: m.Version})
}

// erased takes out what was erased by law, then says so. Of a list that begins
// beyond what is known here the part before it is asked for first.
//
// Where a store was copied, or has gone back, the record that it made under an id may
// be another one than was erased. So a list that names a record of this replica waits
// until what made it here is acknowledged, which is not before the server has compared
// it with what it holds; a store that is told to take a new replica id does so first,
// and the list is told again.
func (c *Client) erased(out *effects, m *protocol.Erased) {
	c.unproven = append(c.unproven, m)
	c.prove(out)
}

// prove takes out what waited no longer than until now.
func (c *Client) prove(out *effects) {
	for len(c.unproven) > 0 {
		m := c.unproven[0]
		for _, id := range m.Records {
			switch {
			case id.Replica != c.local.Replica || id.Counter <= c.local.Acked:
			case c.welcomed && id.Counter > c.local.Last: // it was made elsewhere, and the next one here would have its id
				c.rekey(out, Rekey{Held: c.local.Acked, Epoch: c.local.Epoch})
				return
			default:
				return
			}
		}
		c.unproven = c.unproven[1:]
		if m.After <= c.local.Erasures && m.Through > c.local.Erasures {
			out.add(StoreErased{m})
			c.local.Erasures = m.Through
		}
		out.add(Send{&protocol.Known{Erasures: c.local.Erasures}})
	}
}

// rekey has the store take a new replica id.
func (c *Client) rekey(out *effects, e Rekey) {
	c.rekeying = true
	for _, m := range c.unproven {
		e.Erased = append(e.Erased, m.Records...)
	}
	out.add(e)
}

// violated ends a session whose peer broke the protocol.
func (c *Client) violated(out *effects) {
	out.add(HangUp{})
	c.lost(out, 0)
}

func (c *Client) welcome(out *effects, w *protocol.Welcome) {
	if c.rekeying {
		return
	}
	c.held, c.short = w.Acked, false
	if w.Verdict == protocol.Forked {
		c.rekey(out, Rekey{Stored: w.Stored, Held: w.Acked, Epoch: w.Epoch})
		return
	}
	if c.welcomed || len(w.Grants) != len(c.streams) || w.Acked > c.local.Last {
		// An acknowledgement of counters never used means that this store is
		// older than what the server knows of it, yet its incarnation was
		// taken: a rolled-back store that met a new epoch first.
		if !c.welcomed && w.Acked > c.local.Last {
			c.rekey(out, Rekey{Stored: w.Stored, Held: w.Acked, Epoch: w.Epoch})
			return
		}
		c.violated(out)
		return
	}
	c.welcomed = true
	c.link = Live
	c.attempts = 0
	c.failure = protocol.OK
	reborn := w.Epoch != c.local.Epoch
	if reborn {
		clear(c.target) // positions of another life of the server
		c.local.Return = c.local.Return || c.local.Epoch != protocol.Token{}
	}
	c.local.Epoch = w.Epoch
	c.local.Current, c.local.Next = c.local.Next, protocol.Token{}
	if w.Acked < c.local.Acked {
		// The server holds less than it once acknowledged, for it was restored,
		// and what flew first does not join on: the next push begins behind the
		// server's prefix. A counter above ours, on the other hand, is no
		// receipt: whether the server has those counters with our content shows
		// when they are repeated, which they are in the first flight.
		c.local.Acked = w.Acked
		c.sent, c.inflight = w.Acked, nil
	}
	for i, g := range w.Grants {
		s := &c.streams[i]
		s.Granted, s.Code = g.Code == protocol.OK, g.Code
		if !s.Granted {
			if reborn {
				s.Cursor, s.Floor = 0, 0 // nobody said how far it still holds
			}
			continue
		}
		s.Cursor, s.Head, s.Count = min(s.Cursor, g.From), g.Head, g.Count
		s.Floor = min(s.Floor, s.Cursor)
	}
	scopes := make([]protocol.Scope, len(c.local.Scopes))
	copy(scopes, c.local.Scopes)
	for i := range scopes {
		scopes[i].Cursor, scopes[i].Floor = c.streams[i].Cursor, c.streams[i].Floor
	}
	if c.prove(out); c.rekeying {
		return
	}
	out.add(StoreWelcome{Welcome: w, Incarnation: c.local.Current, Scopes: scopes})
	c.pump(out)
	c.give(out)
}

// landed drops what is acknowledged from the window.
func (c *Client) landed(through uint64) {
	for len(c.inflight) > 0 && c.inflight[0].last <= through {
		if c.now-c.inflight[0].sent <= quickly {
			c.most = min(2*c.most, PushChangesets)
		}
		c.moved = c.now
		c.inflight = c.inflight[1:]
	}
}

func (c *Client) ack(out *effects, a *protocol.Ack) {
	if !c.welcomed || a.Through > c.sent {
		c.violated(out)
		return
	}
	if a.Through <= c.local.Acked {
		return // a repeat
	}
	if c.local.Key != nil && !protocol.VerifyAck(c.local.Key, c.local.Epoch, c.local.Replica, a) {
		c.distrust(out)
		return
	}
	c.local.Acked = a.Through
	c.landed(a.Through)
	for _, m := range a.Marks {
		c.target[m.Stream] = max(c.target[m.Stream], m.Position)
	}
	out.add(StoreAck{a})
	if c.prove(out); c.rekeying {
		return
	}
	c.pump(out)
}

func (c *Client) page(out *effects, p *protocol.Page) {
	for i := range c.streams {
		s := &c.streams[i]
		if s.Stream != p.Stream {
			continue
		}
		if !c.welcomed || !s.Granted || p.From > s.Cursor || p.Floor > s.Floor || p.To < p.From {
			c.violated(out)
			return
		}
		if c.local.Key != nil && !protocol.VerifyReceived(c.local.Key, c.local.Epoch, p) {
			c.distrust(out)
			return
		}
		s.Head = max(s.Head, p.Head)
		if p.To > s.Cursor {
			s.Cursor = p.To
			if p.To >= p.Head {
				s.Floor = p.To
			}
			out.add(StorePage{p})
		}
		out.add(Send{&protocol.Applied{Stream: p.Stream, To: p.To}})
		return
	}
	c.violated(out)
}

func (c *Client) withdraw(out *effects, w *protocol.Withdraw) {
	for i := range c.streams {
		if c.streams[i].Stream == w.Stream {
			c.streams[i].Granted, c.streams[i].Code = false, w.Code
			out.add(StoreWithdraw{w})
		}
	}
}

func (c *Client) refused(out *effects, e *protocol.Error) {
	c.failure = e.Code
	out.add(HangUp{})
	switch e.Code {
	case protocol.Unauthenticated, protocol.Expired:
		c.endSession()
		c.link, c.token = Offline, ""
		c.askToken(out)
	case protocol.Revoked, protocol.UnsupportedWire:
		c.endSession()
		c.link, c.retryAt = Stopped, 0
	case protocol.Malformed, protocol.TooLarge:
		c.single = true
		c.lost(out, 0)
	default:
		c.lost(out, int64(e.RetryAfter)*1000)
	}
}

// lost plans the next attempt: exponential with full jitter, or when the
// server asked to come again.
func (c *Client) lost(out *effects, after int64) {
	if c.link != Connecting && c.link != Live {
		return
	}
	if len(c.inflight) > 0 && c.now-c.inflight[0].sent > quickly {
		// It took too long for this line, and would the next time too.
		c.most = max(1, min(c.most, c.inflight[0].changesets)/4)
	}
	c.endSession()
	c.link = Offline
	if !c.cfg.Streaming {
		return // the owner decides about the next exchange
	}
	limit := int64(backoffMax)
	if c.attempts < 6 {
		limit = backoffBase << c.attempts
	}
	c.attempts++
	// Who was told when to come again was told together with others.
	c.retryAt = c.now + after + 200 + int64(c.cfg.Rand()%uint64(max(limit, after)))
}

func (c *Client) renewed(out *effects, token string) {
	c.asking = false
	c.token = token
	switch {
	case token == "":
		c.retryAt = c.now + backoffMax
	case c.link == Live:
		out.add(Send{&protocol.Renew{Token: token}})
	case c.link == Offline:
		c.dial(out)
	}
}

func (c *Client) rescoped(out *effects, e Rescoped) {
	c.local.Scopes, c.local.Defs = e.Scopes, e.Defs
	c.streams = make([]StreamStatus, len(e.Scopes))
	for i, s := range e.Scopes {
		c.streams[i] = StreamStatus{Stream: s.Stream, Cursor: s.Cursor, Floor: s.Floor}
	}
	if c.link == Connecting || c.link == Live {
		out.add(HangUp{})
		c.endSession()
		c.link = Offline
		c.dial(out)
	}
}

// pump asks for the next part of the outbox while the window is open.
func (c *Client) pump(out *effects) {
	if !c.greeted || c.loading || c.rekeying {
		return
	}
	if c.sent >= c.local.Last || len(c.inflight) >= pushWindow {
		return
	}
	c.loading = true
	most := c.most
	if c.single {
		most = 1
	}
	out.add(LoadOutbox{From: c.sent + 1, Most: most})
}

func (c *Client) loaded(out *effects, e Loaded) {
	if !c.loading {
		return
	}
	c.loading = false
	if e.From != c.sent+1 || c.rekeying || !c.greeted {
		c.pump(out)
		return
	}
	if len(e.Changesets) == 0 || e.Changesets[0].Dot.Counter != e.From {
		c.missing(out)
		return
	}
	c.sent = e.Changesets[len(e.Changesets)-1].Last().Counter
	if len(c.inflight) == 0 {
		c.moved = c.now
	}
	c.inflight = append(c.inflight, flight{c.sent, len(e.Changesets), c.now})
	out.add(Send{&protocol.Push{Changesets: e.Changesets}})
	c.pump(out)
}

// missing deals with a gap in the outbox behind what was sent: the store keeps it
// no longer, or it is damaged. Only new dots help what lies behind it, and not
// before it is known what the server holds of all that: it would come twice.
func (c *Client) missing(out *effects) {
	switch {
	case !c.welcomed || len(c.inflight) > 0:
		// The Welcome, or the acknowledgement, asks for the outbox again.
	case c.held > c.sent:
		// The server holds some of what cannot be repeated. To a store that says it
		// never used those counters it tells their hashes.
		c.short, c.upTo = true, c.sent
		out.add(HangUp{})
		c.endSession()
		c.link = Offline
		c.dial(out)
	default:
		c.rekey(out, Rekey{Held: c.local.Acked, Epoch: c.local.Epoch})
	}
}

func (c *Client) tick(out *effects) {
	switch c.link {
	case Offline:
		if c.retryAt > 0 && c.now >= c.retryAt {
			c.dial(out)
		}
	case Connecting, Live:
		silence := c.now - c.heard
		switch {
		case silence >= deadAfter, len(c.inflight)+len(c.giving.nos) > 0 && c.now-c.moved >= stuckAfter:
			c.violated(out)
		case c.link == Live && (silence >= pingAfter && !c.pinged || c.now-c.spoke >= pingAfter):
			c.pinged = true
			out.add(Send{&protocol.Ping{N: uint64(c.now)}})
		}
	}
}

// arm asks to be woken when tick has something to do.
func (c *Client) arm(out *effects) {
	switch c.link {
	case Offline:
		if c.retryAt > 0 {
			out.add(Wake{c.retryAt})
		}
	case Connecting, Live:
		if !c.cfg.Streaming {
			return
		}
		at := c.heard + deadAfter
		if len(c.inflight)+len(c.giving.nos) > 0 {
			at = min(at, c.moved+stuckAfter)
		}
		if c.link == Live {
			at = min(at, c.spoke+pingAfter)
			if !c.pinged {
				at = min(at, c.heard+pingAfter)
			}
		}
		out.add(Wake{at})
	}
}

// HashesOf returns the stored hashes by counter, for the owner's Rekey.
func HashesOf(stored []protocol.Stored) map[uint64]record.Hash {
	m := make(map[uint64]record.Hash, len(stored))
	for _, s := range stored {
		m[s.Counter] = s.Hash
	}
	return m
}
