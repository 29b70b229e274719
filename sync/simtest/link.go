package simtest

import (
	"fmt"

	"wardbook/sync/protocol"
)

// link is one connection between a device and a session.
type link struct {
	d  *device
	s  *serverEnd
	up []protocol.Message // on the way to the server
	dn []protocol.Message // on the way to the device

	upCut, dnCut bool // silently dead in that direction
	left         bool // the device closed it, or died
	closed       bool // the server closed it, or died
	toldServer   bool // the server has noticed
	disturbed    bool // a message was lost or overtaken, which a socket does not survive
}

// carry passes a message through the codec, as sockets do.
func (w *world) carry(m protocol.Message) protocol.Message {
	if !w.codec {
		return m
	}
	out, err := protocol.Decode(w.bugBytes(protocol.Encode(nil, m)))
	if err != nil {
		w.fail(oracleCodec, fmt.Sprintf("%T cannot be read back: %v", m, err))
		return m
	}
	return out
}

// greeting is Hello and what follows it in the same flight. On the way they are one
// message: a socket never parts them.
type greeting struct {
	*protocol.Hello
	known *protocol.Known
}

func (l *link) sendUp(m protocol.Message) {
	if !l.upCut && !l.closed {
		l.up = append(l.up, m)
	}
}

func (l *link) sendDown(m protocol.Message) {
	if !l.dnCut && !l.left {
		l.dn = append(l.dn, m)
	}
}

// deliverUp hands the oldest message to the session, or tells it that the
// device has gone. It reports whether anything happened.
func (w *world) deliverUp(l *link) bool {
	if l.s == nil {
		return false
	}
	if len(l.up) > 0 {
		m := l.up[0]
		l.up = l.up[1:]
		if w.log != nil {
			w.logf("  -> %s", brief(m))
		}
		w.sessionHears(l.s, m)
		return true
	}
	if l.left && !l.upCut && !l.toldServer {
		l.toldServer = true
		w.sessionLost(l.s)
		return true
	}
	return false
}

// deliverDown hands the oldest message to the device, or tells it that the
// server has gone.
func (w *world) deliverDown(l *link) bool {
	if l.d.link != l {
		return false
	}
	if len(l.dn) > 0 {
		m := l.dn[0]
		l.dn = l.dn[1:]
		if w.log != nil {
			w.logf("  <- %s", brief(m))
		}
		if welcome, ok := m.(*protocol.Welcome); ok && welcome.Verdict == protocol.Forked {
			l.d.partedAt = welcome.At
		}
		l.d.hears(m)
		return true
	}
	if l.closed && !l.dnCut {
		l.d.lost()
		return true
	}
	return false
}

// brief says in a few words what a message is, for transcripts.
func brief(m protocol.Message) string {
	switch m := m.(type) {
	case greeting:
		return brief(m.Hello)
	case *protocol.Hello:
		return fmt.Sprintf("hello replica %.4s acked %d last %d incarnation %x>%x epoch %x", m.Replica, m.Acked, m.Last, m.Current[:2], m.Next[:2], m.Epoch[:2])
	case *protocol.Push:
		return fmt.Sprintf("push %d from %.4s-%d", len(m.Changesets), m.Changesets[0].Dot.Replica, m.Changesets[0].Dot.Counter)
	case *protocol.Welcome:
		return fmt.Sprintf("welcome verdict %d acked %d backed up %d stored %d epoch %x", m.Verdict, m.Acked, m.BackedUp, len(m.Stored), m.Epoch[:2])
	case *protocol.Ack:
		return fmt.Sprintf("ack %d", m.Through)
	case *protocol.Page:
		return fmt.Sprintf("page %v %d..%d of %d, %d records", m.Stream, m.From, m.To, m.Head, len(m.Records))
	case *protocol.Applied:
		return fmt.Sprintf("applied %v %d", m.Stream, m.To)
	case *protocol.Refusal:
		return fmt.Sprintf("refusal %d %v %s", m.Counter, m.Code, m.Detail)
	case *protocol.Error:
		return "error " + m.Error()
	}
	return fmt.Sprintf("%T", m)[len("*protocol."):]
}
