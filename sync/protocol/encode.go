package protocol

import (
	"fmt"

	"wardbook/conflict"
)

// Encode appends the bytes of m to dst. It never fails, but it panics if m is
// no message of this package or a Push whose changesets are not of one replica
// with rising counters. Whether the bytes keep to MaxMessage is the caller's
// care; see BatchWeight.
func Encode(dst []byte, m Message) []byte { return appendMessage(dst, m, true) }

func appendMessage(dst []byte, m Message, pack bool) []byte {
	dst = append(dst, byte(m.Kind()))
	switch m := m.(type) {
	case *Hello:
		return m.append(dst)
	case *Push:
		return m.append(dst, pack)
	case *Applied:
		return appendNumber(appendStream(dst, m.Stream), m.To)
	case *Renew:
		return appendText(dst, m.Token)
	case *Report:
		dst = appendNumber(dst, m.Unsent)
		dst = appendTime(dst, m.Oldest)
		return appendNumber(dst, m.Headroom)
	case *ScopeChange:
		return appendScopes(dst, m.Scopes)
	case *Return:
		dst = appendNumber(dst, m.N)
		dst = appendNumber(dst, uint64(len(m.Pages)))
		for i := range m.Pages {
			dst = append(dst, m.Pages[i].Epoch[:]...)
			dst = append(appendNumber(dst, uint64(len(m.Pages[i].Body))), m.Pages[i].Body...)
		}
		return dst
	case *Returned:
		return appendMarks(appendNumber(dst, m.N), m.Marks)
	case *Known:
		return appendNumber(dst, m.Erasures)
	case *Erased:
		dst = appendNumber(appendNumber(dst, m.After), m.Through)
		dst = appendNumber(dst, uint64(len(m.Records)))
		for _, id := range m.Records {
			dst = appendNumber(appendReplica(dst, id.Replica), id.Counter)
		}
		return dst
	case *Ping:
		return appendNumber(dst, m.N)
	case *Pong:
		return appendNumber(dst, m.N)
	case *Welcome:
		return m.append(dst)
	case *Ack:
		return appendSignature(m.append(dst), m.Signature)
	case *Page:
		return appendSignature(m.append(dst, pack), m.Signature)
	case *Refusal:
		dst = appendNumber(dst, m.Counter)
		dst = appendNumber(dst, uint64(m.Code))
		dst = appendText(dst, m.Detail)
		dst = append(appendTime(dst, m.At), byte(m.Settled))
		if m.Settled == Released {
			dst = appendNumber(appendReplica(dst, m.As.Replica), m.As.Counter)
		}
		return dst
	case *HubMark:
		dst = appendText(dst, m.Unit)
		dst = appendText(dst, m.Register)
		return appendNumber(dst, m.Revision)
	case *Definition:
		dst = appendText(dst, m.Register)
		dst = appendNumber(dst, uint64(m.Version))
		return appendColumn(dst, m.Body, pack)
	case *Withdraw:
		return appendNumber(appendStream(dst, m.Stream), uint64(m.Code))
	case *Error:
		dst = appendNumber(dst, uint64(m.Code))
		dst = appendNumber(dst, uint64(m.RetryAfter))
		return appendText(dst, m.Detail)
	}
	panic(fmt.Sprintf("encode: %T is no message", m))
}

func appendTime(dst []byte, ms int64) []byte { return appendNumber(dst, fold(uint64(ms))) }

func appendStream(dst []byte, s Stream) []byte {
	dst = appendText(dst, s.Unit)
	dst = appendText(dst, s.Register)
	return append(dst, byte(s.Class))
}

func appendScopes(dst []byte, scopes []Scope) []byte {
	dst = appendNumber(dst, uint64(len(scopes)))
	for i := range scopes {
		s := &scopes[i]
		dst = appendStream(dst, s.Stream)
		dst = appendNumber(dst, uint64(len(s.Neighbourhoods)))
		for _, n := range s.Neighbourhoods {
			dst = appendText(dst, n)
		}
		dst = appendNumber(dst, s.Cursor)
		dst = appendNumber(dst, s.Floor)
		dst = append(dst, s.Priority)
	}
	return dst
}

func appendSignature(dst, signature []byte) []byte {
	return append(appendNumber(dst, uint64(len(signature))), signature...)
}

func appendReplica(dst []byte, r conflict.ReplicaID) []byte { return append(dst, r[:]...) }

func (m *Hello) append(dst []byte) []byte {
	dst = appendNumber(dst, uint64(m.Version))
	dst = appendText(dst, m.App)
	dst = appendText(dst, m.Token)
	dst = appendReplica(dst, m.Replica)
	dst = append(dst, m.Epoch[:]...)
	dst = append(dst, m.Current[:]...)
	dst = append(dst, m.Next[:]...)
	dst = appendNumber(dst, m.Acked)
	dst = appendNumber(dst, m.Last)
	dst = appendTime(dst, m.At)
	dst = append(dst, truth(m.Streaming))
	dst = appendScopes(dst, m.Scopes)
	dst = appendNumber(dst, uint64(len(m.Defs)))
	for _, d := range m.Defs {
		dst = appendText(dst, d.Register)
		dst = appendNumber(dst, uint64(d.Version))
	}
	return dst
}

func truth(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func (m *Welcome) append(dst []byte) []byte {
	dst = appendNumber(dst, uint64(m.Version))
	dst = append(dst, byte(m.Verdict))
	dst = append(dst, m.Epoch[:]...)
	dst = appendNumber(dst, m.Acked)
	dst = appendNumber(dst, m.BackedUp)
	dst = appendTime(dst, m.At)
	dst = appendNumber(dst, uint64(len(m.Grants)))
	for _, g := range m.Grants {
		dst = appendNumber(dst, uint64(g.Code))
		dst = appendNumber(dst, g.From)
		dst = appendNumber(dst, g.Head)
		dst = appendNumber(dst, g.Count)
		dst = appendNumber(dst, g.BackedUp)
	}
	dst = appendNumber(dst, uint64(len(m.Stored)))
	for i := range m.Stored {
		dst = appendNumber(dst, m.Stored[i].Counter)
		dst = append(dst, m.Stored[i].Hash[:]...)
	}
	return dst
}

// append appends a receipt without its signature.
func (m *Ack) append(dst []byte) []byte {
	dst = appendNumber(dst, m.Through)
	dst = appendTime(dst, m.Received)
	return appendMarks(dst, m.Marks)
}

func appendMarks(dst []byte, marks []StreamMark) []byte {
	dst = appendNumber(dst, uint64(len(marks)))
	for _, k := range marks {
		dst = appendStream(dst, k.Stream)
		dst = appendNumber(dst, k.Position)
	}
	return dst
}
