package session

import (
	"cmp"
	"slices"

	"wardbook/sync/protocol"
)

// Times of the server, in milliseconds.
const (
	helloWithin = 10_000
	silentFor   = 27_000 // a device says something every 10 s; this one is gone
	slowFor     = 60_000 // pages sent and none taken
	catchUp     = 250    // between the pushes of a long outbox, until pages need not wait for the next
)

// Bounds of one session at the server.
const (
	pushQueue  = 8 // pushes waiting for their commit; a client has 4 in flight
	pageWindow = 4 // pages sent and not applied
)

type serverPhase uint8

const (
	waitingHello serverPhase = iota
	waitingKnown             // Hello is here, and what follows it in its wire version is not
	admitting
	serving
	ended
)

// Server is the server's end of one connection. The zero Server is not ready;
// make one with NewServer.
type Server struct {
	phase     serverPhase
	now       int64
	began     int64
	heard     int64
	expires   int64
	version   uint16 // of the wire, which the device speaks
	streaming bool
	muted     bool // a fork was found: pushes are left alone

	pushes     []Effect // Commit or KeepUnreadable
	returns    []*protocol.Return
	committing bool
	// Pages wait until everything that the server holds of the replica was
	// repeated by the device or known to it: in a page a write of another copy
	// of the store would hide the device's own under the same dot.
	compared uint64 // counter up to which that is so
	held     uint64 // what the server held when the device was admitted
	// What a push leaves out before it, no acknowledgement of it may cover: the
	// server may hold those counters from another copy of the store.
	offered uint64 // counter up to which the device was acknowledged, or has repeated or handed in
	// Pages also wait while the device hands in what it had saved before the
	// session, as long as that comes quickly: they would take the time of both.
	saved uint64 // counter up to which it had
	hold  int64  // when they wait no longer, 0 for not

	hello    *protocol.Hello // while waitingKnown
	known    uint64          // number up to which the device has let go of what was erased
	told     uint64          // number up to which it was told
	erasing  bool            // the erasures behind it are being loaded
	erasures bool            // and are to be once more

	streams   []serverStream
	loading   bool
	unapplied int
	taken     int64 // when the device last took a page, or was sent one with none outstanding
}

type serverStream struct {
	scope   protocol.Scope
	granted bool
	sent    uint64
	floor   uint64
	head    uint64
}

// NewServer returns the server's end of a connection that opened at now.
func NewServer(now int64) *Server {
	return &Server{now: now, began: now, heard: now}
}

// Ended reports whether the session is over; every later event is ignored.
func (s *Server) Ended() bool { return s.phase == ended }

// Idle reports whether everything received was answered and every stream sent
// up to its head, as far as an exchange over HTTPS may go.
func (s *Server) Idle() bool {
	return s.phase == ended || s.phase == serving && !s.committing && len(s.pushes)+len(s.returns) == 0 && !s.loading && !s.erasing && (s.next() < 0 || s.compared < s.held)
}

// Step takes one event and returns the effects to perform, in order.
func (s *Server) Step(e Event) []Effect {
	if s.phase == ended {
		return nil
	}
	out := make(effects, 0, 4)
	switch e := e.(type) {
	case Received:
		s.now, s.heard = e.Now, e.Now
		s.received(&out, e.Message)
	case Unreadable:
		s.now, s.heard = e.Now, e.Now
		switch s.phase {
		case serving, admitting:
			s.pushed(&out, e.First, e.First+e.Count-1, KeepUnreadable{e.First, e.Count, e.Body})
		default:
			s.fail(&out, protocol.HelloExpected)
		}
	case Heard:
		s.now, s.heard = e.Now, e.Now
	case Admitted:
		s.now = e.Now
		s.admitted(&out, e)
	case Rejected:
		s.now = e.Now
		s.end(&out, e.Error)
	case Reauthenticated:
		s.now, s.expires = e.Now, e.Expires
	case Committed:
		s.now = e.Now
		s.committed(&out, e)
	case TookBack:
		s.now = e.Now
		s.tookBack(&out, e)
	case Grew:
		s.now = e.Now
		for _, m := range e.Heads {
			for i := range s.streams {
				if s.streams[i].scope.Stream == m.Stream {
					s.streams[i].head = max(s.streams[i].head, m.Position)
				}
			}
		}
		s.load(&out)
	case PageLoaded:
		s.now = e.Now
		s.pageLoaded(&out, e.Page)
	case Announce:
		s.now = e.Now
		if s.phase == serving {
			if w, ok := e.Message.(*protocol.Withdraw); ok {
				s.withdraw(w.Stream)
			}
			out.add(Send{e.Message})
		}
	case ErasedMore:
		s.now = e.Now
		s.loadErasures(&out)
	case ErasuresLoaded:
		s.now = e.Now
		s.erasuresLoaded(&out, e)
	case Dismiss:
		s.now = e.Now
		s.end(&out, e.Error)
	case Failed:
		s.now = e.Now
		s.end(&out, &protocol.Error{Code: protocol.Internal})
	case Lost:
		s.phase = ended
		return nil
	case Tick:
		s.now = e.Now
		s.tick(&out)
	}
	s.arm(&out)
	return out
}

func (s *Server) end(out *effects, e *protocol.Error) {
	out.add(Send{e})
	out.add(HangUp{})
	s.phase = ended
}

func (s *Server) fail(out *effects, code protocol.Code) { s.end(out, &protocol.Error{Code: code}) }

func (s *Server) received(out *effects, m protocol.Message) {
	if hello, ok := m.(*protocol.Hello); ok {
		switch {
		case s.phase != waitingHello:
			s.fail(out, protocol.Malformed)
		case hello.Version < protocol.OldestPush || hello.Version > protocol.Version:
			s.fail(out, protocol.UnsupportedWire)
		default:
			s.phase, s.version, s.streaming, s.saved = admitting, hello.Version, hello.Streaming, hello.Last
			s.compared, s.offered = hello.Acked, hello.Acked
			for _, scope := range hello.Scopes {
				s.streams = append(s.streams, serverStream{scope: scope})
			}
			if s.version < protocol.ErasuresSince {
				out.add(Admit{Hello: hello})
				return
			}
			s.phase, s.hello = waitingKnown, hello
		}
		return
	}
	if s.phase == waitingHello {
		s.fail(out, protocol.HelloExpected)
		return
	}
	if known, ok := m.(*protocol.Known); ok && s.version >= protocol.ErasuresSince {
		s.known, s.told = known.Erasures, known.Erasures
		if s.phase == waitingKnown {
			out.add(Admit{s.hello, known})
			s.phase, s.hello = admitting, nil
			return
		}
		s.loadErasures(out)
		return
	}
	if s.phase == waitingKnown {
		s.fail(out, protocol.Malformed)
		return
	}
	switch m := m.(type) {
	case *protocol.Push:
		if len(m.Changesets) > 0 {
			s.pushed(out, m.Changesets[0].Dot.Counter, m.Changesets[len(m.Changesets)-1].Last().Counter, Commit{m.Changesets})
		}
	case *protocol.Return:
		if s.muted {
			return
		}
		if len(s.returns) >= pushQueue {
			s.fail(out, protocol.Busy)
			return
		}
		s.returns = append(s.returns, m)
		s.takeBack(out)
	case *protocol.Applied:
		s.applied(out, m)
	case *protocol.Renew:
		out.add(Reauthenticate{m.Token})
	case *protocol.Report:
		out.add(KeepReport{m})
	case *protocol.Ping:
		out.add(Send{&protocol.Pong{N: m.N}})
	case *protocol.Pong:
	default:
		s.fail(out, protocol.Malformed)
	}
}

// pushed queues what is to be done with a push of the counters first to last.
func (s *Server) pushed(out *effects, first, last uint64, work Effect) {
	switch {
	case s.muted:
		return
	case len(s.pushes) >= pushQueue:
		s.fail(out, protocol.Busy)
		return
	case first > s.offered+1:
		s.fail(out, protocol.Gap)
		return
	}
	s.offered = max(s.offered, last)
	s.pushes = append(s.pushes, work)
	s.awaitMore(last)
	s.commit(out)
}

func (s *Server) admitted(out *effects, e Admitted) {
	if s.phase != admitting {
		return
	}
	for _, m := range e.More {
		if erased, ok := m.(*protocol.Erased); ok {
			s.told = erased.Through
		}
	}
	s.phase, s.expires, s.taken, s.held = serving, e.Expires, e.Now, e.Welcome.Acked
	s.muted = e.Welcome.Verdict == protocol.Forked
	if s.muted {
		s.pushes, s.returns = nil, nil
	}
	for i := range s.streams {
		if i >= len(e.Welcome.Grants) {
			break
		}
		g := e.Welcome.Grants[i]
		s.streams[i].granted = g.Code == protocol.OK && !s.muted
		// The stream may have grown since the answer was made.
		s.streams[i].sent, s.streams[i].head = g.From, max(s.streams[i].head, g.Head)
		s.streams[i].floor = min(s.streams[i].scope.Floor, g.From)
	}
	// What the device must know comes before the Welcome: a device with nothing
	// to send hangs up when it has that, and one that is told to take a new
	// replica id hears no more of the old one.
	for _, m := range e.More {
		out.add(Send{m})
	}
	s.welcome(out, e.Welcome)
	if s.muted {
		return
	}
	if len(s.pushes) == 0 {
		s.awaitMore(s.compared)
	}
	s.commit(out)
	s.takeBack(out)
	s.load(out)
}

// welcome answers in the wire version that the device speaks: it reads no other.
func (s *Server) welcome(out *effects, w *protocol.Welcome) {
	said := *w
	said.Version = s.version
	out.add(Send{&said})
}

// commit hands the oldest waiting push to the owner, one at a time, so that
// acknowledgements leave in the order of the counters.
func (s *Server) commit(out *effects) {
	if s.phase != serving || s.committing || len(s.pushes) == 0 {
		return
	}
	s.committing = true
	out.add(s.pushes[0])
	s.pushes = s.pushes[1:]
}

// awaitMore makes pages wait for the push behind counter last. An exchange has no
// timer: its pushes are all there.
func (s *Server) awaitMore(last uint64) {
	s.hold = 0
	if s.streaming && last < s.saved {
		s.hold = s.now + catchUp
	}
}

// holding reports whether pages wait. A clock that was set back ends it; an
// event that waited for its turn is only a little older than the last one.
func (s *Server) holding() bool { return s.now < s.hold && s.hold <= s.now+10*catchUp }

func (s *Server) committed(out *effects, e Committed) {
	s.committing = false
	if s.phase != serving {
		return
	}
	if e.Forked != nil {
		s.muted, s.pushes, s.returns = true, nil, nil
		for i := range s.streams {
			s.streams[i].granted = false
		}
		for _, r := range e.Refusals {
			out.add(Send{r})
		}
		s.welcome(out, e.Forked)
		return
	}
	for _, r := range e.Refusals {
		out.add(Send{r})
	}
	if e.Ack != nil {
		s.compared = max(s.compared, e.Ack.Through)
		out.add(Send{e.Ack})
	}
	s.commit(out)
	s.takeBack(out)
	s.load(out)
}

// next returns the stream to load a page of, -1 for none: among those behind
// their head the first by priority.
func (s *Server) next() int {
	best := -1
	for i, t := range s.streams {
		if t.granted && t.sent < t.head && (best < 0 || cmp.Less(t.scope.Priority, s.streams[best].scope.Priority)) {
			best = i
		}
	}
	return best
}

func (s *Server) load(out *effects) {
	if s.phase != serving || s.loading || s.muted || s.unapplied >= pageWindow || s.compared < s.held {
		return
	}
	if s.committing || s.holding() {
		return // what the device wrote becomes durable first
	}
	if i := s.next(); i >= 0 {
		s.loading = true
		out.add(LoadPage{s.streams[i].scope, s.streams[i].sent, s.streams[i].floor})
	}
}

func (s *Server) pageLoaded(out *effects, p *protocol.Page) {
	s.loading = false
	i := slices.IndexFunc(s.streams, func(t serverStream) bool { return t.scope.Stream == p.Stream })
	if s.phase != serving || i < 0 || !s.streams[i].granted || p.From != s.streams[i].sent || p.Floor > s.streams[i].floor {
		s.load(out)
		return
	}
	s.streams[i].sent = p.To
	if p.To >= p.Head {
		s.streams[i].floor = p.To
	}
	s.streams[i].head = max(s.streams[i].head, p.Head)
	if s.unapplied == 0 {
		s.taken = s.now
	}
	if s.streaming {
		s.unapplied++
	}
	out.add(Send{p})
	s.load(out)
}

func (s *Server) applied(out *effects, m *protocol.Applied) {
	if s.unapplied > 0 {
		s.unapplied--
	}
	s.taken = s.now
	out.add(KeepCursor{m})
	s.load(out)
}

// loadErasures looks for what the device does not know of yet.
func (s *Server) loadErasures(out *effects) {
	switch {
	case s.phase != serving || s.muted || s.version < protocol.ErasuresSince:
	case s.erasing:
		s.erasures = true
	default:
		s.erasing, s.erasures = true, false
		out.add(LoadErasures{s.known, s.told})
	}
}

func (s *Server) erasuresLoaded(out *effects, e ErasuresLoaded) {
	s.erasing = false
	if s.phase == serving && e.Erased != nil {
		s.told = e.Erased.Through
		out.add(Send{e.Erased})
	}
	if s.erasures {
		s.loadErasures(out)
	}
}

func (s *Server) withdraw(stream protocol.Stream) {
	for i := range s.streams {
		if s.streams[i].scope.Stream == stream {
			s.streams[i].granted = false
		}
	}
}

func (s *Server) tick(out *effects) {
	switch {
	case (s.phase == waitingHello || s.phase == waitingKnown) && s.now-s.began >= helloWithin:
		s.fail(out, protocol.HelloExpected)
	case s.phase == serving && s.now >= s.expires:
		s.fail(out, protocol.Expired)
	case s.phase == serving && s.streaming && s.now-s.heard >= silentFor:
		out.add(HangUp{})
		s.phase = ended
	case s.phase == serving && s.unapplied > 0 && s.now-s.taken >= slowFor:
		s.fail(out, protocol.SlowReader)
	default:
		s.load(out)
	}
}

func (s *Server) arm(out *effects) {
	switch s.phase {
	case waitingHello, waitingKnown:
		out.add(Wake{s.began + helloWithin})
	case serving:
		at := s.expires
		if s.streaming {
			at = min(at, s.heard+silentFor)
		}
		if s.unapplied > 0 {
			at = min(at, s.taken+slowFor)
		}
		if s.holding() {
			at = min(at, s.hold)
		}
		out.add(Wake{at})
	}
}
