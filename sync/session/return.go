package session

import "wardbook/sync/protocol"

// This file is the part of both machines that gives back, and takes back, what a
// restored server has lost and the device keeps: pages of earlier epochs, as the
// server signed them.

// ReturnBytes is how many bytes of pages the owner should load for one Return.
const ReturnBytes = 256 << 10

// Kept is a page that the device keeps for giving back.
type Kept struct {
	No uint64 // in the order in which they came
	protocol.SignedPage
}

// giving is how far the client is with giving back. One Return flies at a time.
type giving struct {
	loading bool
	nos     []uint64 // of the pages that fly
	last    uint64   // number of the last page that was given back
}

// give asks for pages to give back, if there may be any.
func (c *Client) give(out *effects) {
	if !c.greeted || !c.local.Return || c.rekeying || c.giving.loading || len(c.giving.nos) > 0 {
		return
	}
	c.giving.loading = true
	out.add(LoadKept{})
}

func (c *Client) keptLoaded(out *effects, e KeptLoaded) {
	if !c.giving.loading {
		return
	}
	c.giving.loading = false
	if !c.greeted || c.rekeying {
		return
	}
	if len(e.Pages) == 0 {
		// Before the Welcome the epoch may be another one by now.
		if c.welcomed {
			c.local.Return = false
			out.add(StoreReturned{})
		}
		return
	}
	m := &protocol.Return{}
	for i := range e.Pages {
		m.N = e.Pages[i].No
		m.Pages = append(m.Pages, e.Pages[i].SignedPage)
		c.giving.nos = append(c.giving.nos, m.N)
	}
	if len(c.inflight) == 0 {
		c.moved = c.now
	}
	out.add(Send{m})
}

// gaveBack notes that what flew is durable at the server.
func (c *Client) gaveBack(out *effects, m *protocol.Returned) {
	n := len(c.giving.nos)
	if !c.welcomed || n == 0 || m.N != c.giving.nos[n-1] {
		c.violated(out)
		return
	}
	out.add(StoreReturned{Nos: c.giving.nos, Marks: m.Marks})
	c.giving.last, c.giving.nos = m.N, nil
	c.moved = c.now
	c.give(out)
}

// distrust ends the session for good: what came is not from the server whose
// key the device holds. Nothing of it is applied, and a person must look.
func (c *Client) distrust(out *effects) {
	out.add(HangUp{})
	c.endSession()
	c.link, c.retryAt, c.failure = Stopped, 0, protocol.BadSignature
}

// takeBack hands the oldest waiting Return to the owner, once the device's own
// pushes are durable.
func (s *Server) takeBack(out *effects) {
	if s.phase != serving || s.committing || len(s.pushes) > 0 || len(s.returns) == 0 {
		return
	}
	s.committing = true
	m := s.returns[0]
	s.returns = s.returns[1:]
	out.add(TakeBack{m})
}

func (s *Server) tookBack(out *effects, e TookBack) {
	s.committing = false
	if s.phase != serving {
		return
	}
	out.add(Send{e.Returned})
	s.commit(out)
	s.takeBack(out)
	s.load(out)
}
