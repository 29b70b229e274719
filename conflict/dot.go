package conflict

import (
	"bytes"
	"cmp"
	"encoding/base32"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ReplicaID names one local store of one user on one device, or one life of
// the server's database. It is random; nothing may be read from it.
type ReplicaID [16]byte

// replicaText is base32 in lower case without padding: safe in a URL, a file
// name and a log line, and 26 characters long.
var replicaText = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// replicaTextLen is the length of a ReplicaID's text form.
const replicaTextLen = 26

// String returns the canonical text of r: 26 characters of lower-case base32.
func (r ReplicaID) String() string {
	var text [replicaTextLen]byte
	replicaText.Encode(text[:], r[:])
	return string(text[:])
}

// IsZero reports whether r is the zero id, which names no replica.
func (r ReplicaID) IsZero() bool { return r == ReplicaID{} }

// Compare orders replica ids by their bytes.
func (r ReplicaID) Compare(o ReplicaID) int { return bytes.Compare(r[:], o[:]) }

// ParseReplicaID reads the text form that String writes and no other.
func ParseReplicaID(s string) (ReplicaID, error) {
	var r ReplicaID
	if len(s) != replicaTextLen {
		return r, fmt.Errorf("replica id %q: want %d characters", s, replicaTextLen)
	}
	var text [replicaTextLen]byte
	copy(text[:], s)
	if _, err := replicaText.Decode(r[:], text[:]); err != nil {
		return ReplicaID{}, fmt.Errorf("replica id %q: %w", s, err)
	}
	if replicaText.Encode(text[:], r[:]); string(text[:]) != s {
		return ReplicaID{}, fmt.Errorf("replica id %q: not canonical", s)
	}
	return r, nil
}

// Dot names one write: the replica that made it and that replica's counter.
// Counters are contiguous from 1; counter 0 names no write.
type Dot struct {
	Replica ReplicaID
	Counter uint64
}

// RecordID names a record by the dot of the write that created it.
type RecordID = Dot

// IsZero reports whether d names no write.
func (d Dot) IsZero() bool { return d == Dot{} }

// Compare orders dots by replica, then by counter.
func (d Dot) Compare(o Dot) int {
	if c := d.Replica.Compare(o.Replica); c != 0 {
		return c
	}
	return cmp.Compare(d.Counter, o.Counter)
}

// String returns the canonical text of d: replica, hyphen, decimal counter.
func (d Dot) String() string {
	var text [replicaTextLen + 1 + 20]byte
	replicaText.Encode(text[:], d.Replica[:])
	text[replicaTextLen] = '-'
	return string(strconv.AppendUint(text[:replicaTextLen+1], d.Counter, 10))
}

var errDot = errors.New("want REPLICA-COUNTER, such as abcdefghijklmnopqrstuvwxya-12")

// ParseDot reads the text form that String writes and no other.
func ParseDot(s string) (Dot, error) {
	head, tail, ok := strings.Cut(s, "-")
	if !ok {
		return Dot{}, fmt.Errorf("dot %q: %w", s, errDot)
	}
	r, err := ParseReplicaID(head)
	if err != nil {
		return Dot{}, fmt.Errorf("dot %q: %w", s, errDot)
	}
	n, err := strconv.ParseUint(tail, 10, 64)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != tail {
		return Dot{}, fmt.Errorf("dot %q: %w", s, errDot)
	}
	return Dot{Replica: r, Counter: n}, nil
}
