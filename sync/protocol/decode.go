package protocol

import (
	"crypto/ed25519"
	"fmt"
	"math"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Decode reads one message: what Encode writes, and no other layout. (A column
// may be packed in another way than Encode would; its bytes once unpacked may
// not differ.) The message shares no memory with b; the texts of a Push or a
// Page share one string of its size. The changesets of a Push are not validated
// beyond their layout, so that one impossible changeset can be put into
// quarantine by itself. The error wraps ErrMalformed, ErrTooLarge or ErrVersion.
func Decode(b []byte) (Message, error) {
	if len(b) > MaxMessage {
		return nil, fmt.Errorf("decode %d bytes, at most %d: %w", len(b), MaxMessage, ErrTooLarge)
	}
	r := reading{weight: MaxDecoded}
	s := source{b: string(b), bad: &r.bad}
	k := Kind(s.byte())
	m := r.message(k, &s)
	switch {
	case r.tooLarge():
		return nil, fmt.Errorf("decode kind %d: %w", k, ErrTooLarge)
	case r.version:
		return nil, fmt.Errorf("decode kind %d: %w", k, ErrVersion)
	case r.bad || s.left() > 0 || !r.done():
		return nil, fmt.Errorf("decode kind %d of %d bytes: %w", k, len(b), ErrMalformed)
	}
	return m, nil
}

func (r *reading) message(k Kind, s *source) Message {
	if r.bad {
		return nil
	}
	switch k {
	case KindHello:
		return r.hello(s)
	case KindPush:
		return r.push(s)
	case KindApplied:
		return &Applied{Stream: stream(s), To: s.number()}
	case KindRenew:
		return &Renew{Token: s.text(MaxTokenBytes)}
	case KindReport:
		return &Report{Unsent: s.number(), Oldest: moment(s), Headroom: s.number()}
	case KindScope:
		return &ScopeChange{Scopes: scopes(s)}
	case KindReturn:
		m := &Return{N: s.number()}
		if n := count(s, MaxReturned, 17); n > 0 {
			m.Pages = make([]SignedPage, n)
			for i := range m.Pages {
				m.Pages[i] = SignedPage{s.token(), []byte(s.text(MaxMessage))}
			}
		}
		return m
	case KindReturned:
		return &Returned{N: s.number(), Marks: marks(s)}
	case KindKnown:
		return &Known{Erasures: s.number()}
	case KindErased:
		m := &Erased{After: s.number(), Through: s.number()}
		if n := count(s, MaxErased, 17); n > 0 {
			m.Records = make([]conflict.RecordID, n)
			for i := range m.Records {
				m.Records[i] = conflict.Dot{Replica: s.replica(), Counter: s.number()}
			}
		}
		return m
	case KindPing:
		return &Ping{N: s.number()}
	case KindPong:
		return &Pong{N: s.number()}
	case KindWelcome:
		return r.welcome(s)
	case KindAck:
		a := ack(s)
		a.Signature = signature(s)
		return a
	case KindPage:
		p := r.page(s)
		if p != nil {
			p.Signature, p.Wire = signature(s), s.b
		}
		return p
	case KindRefusal:
		m := &Refusal{Counter: s.number(), Code: code(s), Detail: s.text(MaxDetail), At: moment(s), Settled: Settled(s.byte())}
		if m.Settled == Released {
			m.As = conflict.Dot{Replica: s.replica(), Counter: s.number()}
		}
		return m
	case KindHubMark:
		return &HubMark{Unit: s.text(record.MaxName), Register: s.text(record.MaxName), Revision: s.number()}
	case KindDefinition:
		d := &Definition{Register: s.text(record.MaxName), Version: uint32(s.limited(math.MaxUint32))}
		d.Body = r.body(s)
		return d
	case KindWithdraw:
		return &Withdraw{Stream: stream(s), Code: code(s)}
	case KindError:
		return &Error{Code: code(s), RetryAfter: uint32(s.limited(math.MaxUint32)), Detail: s.text(MaxDetail)}
	}
	r.bad = true
	return nil
}

func moment(s *source) int64 { return int64(unfold(s.number())) }

func code(s *source) Code { return Code(s.limited(math.MaxUint16)) }

func stream(s *source) Stream {
	return Stream{Unit: s.text(record.MaxName), Register: s.text(record.MaxName), Class: Class(s.byte())}
}

// count reads how many things follow of which each takes at least least bytes.
func count(s *source, limit, least int) int {
	return int(s.limited(uint64(min(limit, s.left()/least))))
}

func scopes(s *source) []Scope {
	n := count(s, MaxScopes, 7)
	if n == 0 {
		return nil
	}
	all := make([]Scope, n)
	for i := range all {
		c := &all[i]
		c.Stream = stream(s)
		if n := count(s, MaxNeighbourhoods, 1); n > 0 {
			c.Neighbourhoods = make([]string, n)
			for j := range c.Neighbourhoods {
				c.Neighbourhoods[j] = s.text(record.MaxName)
			}
		}
		c.Cursor = s.number()
		c.Floor = s.number()
		c.Priority = s.byte()
	}
	return all
}

func signature(s *source) []byte {
	n := s.limited(ed25519.SignatureSize)
	if n == 0 {
		return nil
	}
	if n != ed25519.SignatureSize {
		*s.bad = true
		return nil
	}
	return []byte(s.take(int(n)))
}

// speaks notes whether the message is of a wire version that this code reads.
func (r *reading) speaks(version uint16) bool {
	r.version = !r.bad && (version < OldestPush || version > Version)
	if r.version {
		r.bad = true
	}
	return !r.bad
}

func (r *reading) hello(s *source) *Hello {
	m := &Hello{Version: uint16(s.limited(math.MaxUint16))}
	if !r.speaks(m.Version) {
		return nil
	}
	m.App = s.text(record.MaxName)
	m.Token = s.text(MaxTokenBytes)
	m.Replica = s.replica()
	m.Epoch, m.Current, m.Next = s.token(), s.token(), s.token()
	m.Acked, m.Last = s.number(), s.number()
	m.At = moment(s)
	switch s.byte() {
	case 0:
	case 1:
		m.Streaming = true
	default:
		r.bad = true
	}
	m.Scopes = scopes(s)
	if n := count(s, MaxDefs, 2); n > 0 {
		m.Defs = make([]DefinitionRef, n)
		for i := range m.Defs {
			m.Defs[i] = DefinitionRef{s.text(record.MaxName), uint32(s.limited(math.MaxUint32))}
		}
	}
	return m
}

func (r *reading) welcome(s *source) *Welcome {
	m := &Welcome{Version: uint16(s.limited(math.MaxUint16))}
	if !r.speaks(m.Version) {
		return nil
	}
	m.Verdict = Verdict(s.byte())
	m.Epoch = s.token()
	m.Acked, m.BackedUp = s.number(), s.number()
	m.At = moment(s)
	if n := count(s, MaxScopes, 5); n > 0 {
		m.Grants = make([]Grant, n)
		for i := range m.Grants {
			m.Grants[i] = Grant{Code: code(s), From: s.number(), Head: s.number(), Count: s.number(), BackedUp: s.number()}
		}
	}
	if n := count(s, MaxStored, 17); n > 0 {
		m.Stored = make([]Stored, n)
		for i := range m.Stored {
			m.Stored[i].Counter = s.number()
			copy(m.Stored[i].Hash[:], s.take(len(m.Stored[i].Hash)))
		}
	}
	return m
}

func ack(s *source) *Ack {
	return &Ack{Through: s.number(), Received: moment(s), Marks: marks(s)}
}

func marks(s *source) []StreamMark {
	n := count(s, MaxMarks, 4)
	if n == 0 {
		return nil
	}
	all := make([]StreamMark, n)
	for i := range all {
		all[i] = StreamMark{stream(s), s.number()}
	}
	return all
}

// body reads a column that stands alone.
func (r *reading) body(s *source) []byte {
	if r.unpack(s, 1); r.bad {
		return nil
	}
	c := &r.cols[0]
	if len(c.b) > MaxBody {
		r.bad, r.weight = true, -1
		return nil
	}
	if len(c.b) == 0 {
		return nil
	}
	return []byte(c.take(len(c.b)))
}
