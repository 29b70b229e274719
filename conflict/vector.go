package conflict

import (
	"iter"
	"slices"
	"strings"
)

// Vector is a version vector: for each replica the highest counter seen of it.
// The zero Vector has seen nothing. Vectors are immutable.
type Vector struct {
	entries []Dot // sorted by replica, one per replica, counters above 0
}

// NewVector returns the least vector that covers every one of the dots.
func NewVector(dots ...Dot) Vector {
	var v Vector
	for _, d := range dots {
		v = v.With(d)
	}
	return v
}

// VectorOf returns the vector with exactly the given entries, as read from a
// store or the wire. It takes ownership of entries, which must be sorted by
// replica, one each, with counters above 0, else it returns an error.
func VectorOf(entries []Dot) (Vector, error) {
	for i := range entries {
		if entries[i].Counter == 0 || i > 0 && entries[i-1].Replica.Compare(entries[i].Replica) >= 0 {
			return Vector{}, errUnsorted
		}
	}
	if len(entries) == 0 {
		entries = nil
	}
	return Vector{entries}, nil
}

// Len returns how many replicas v has seen.
func (v Vector) Len() int { return len(v.entries) }

// All yields the highest dot of each replica, in replica order.
func (v Vector) All() iter.Seq[Dot] { return slices.Values(v.entries) }

// find returns where replica r stands, or would stand.
func (v Vector) find(r ReplicaID) (int, bool) {
	if len(v.entries) <= 4 {
		for i := range v.entries {
			switch c := v.entries[i].Replica.Compare(r); {
			case c == 0:
				return i, true
			case c > 0:
				return i, false
			}
		}
		return len(v.entries), false
	}
	return slices.BinarySearchFunc(v.entries, r, func(d Dot, r ReplicaID) int { return d.Replica.Compare(r) })
}

// Counter returns the highest counter seen of replica r, 0 for none.
func (v Vector) Counter(r ReplicaID) uint64 {
	if len(v.entries) > 0 && v.entries[0].Replica == r {
		return v.entries[0].Counter // most vectors have one entry
	}
	if i, ok := v.find(r); ok {
		return v.entries[i].Counter
	}
	return 0
}

// Covers reports whether v has seen d.
func (v Vector) Covers(d Dot) bool { return d.Counter <= v.Counter(d.Replica) }

// CoversAll reports whether v has seen everything that o has.
func (v Vector) CoversAll(o Vector) bool {
	if len(o.entries) > len(v.entries) {
		return false
	}
	for _, d := range o.entries {
		if !v.Covers(d) {
			return false
		}
	}
	return true
}

// Equal reports whether v and o have seen exactly the same.
func (v Vector) Equal(o Vector) bool { return slices.Equal(v.entries, o.entries) }

// With returns v after seeing d too. A zero counter changes nothing.
func (v Vector) With(d Dot) Vector {
	if d.Counter == 0 || v.Covers(d) {
		return v
	}
	i, ok := v.find(d.Replica)
	if ok {
		e := slices.Clone(v.entries)
		e[i].Counter = d.Counter
		return Vector{e}
	}
	e := make([]Dot, 0, len(v.entries)+1)
	e = append(e, v.entries[:i]...)
	e = append(e, d)
	e = append(e, v.entries[i:]...)
	return Vector{e}
}

// Join returns the least vector that covers both.
func (v Vector) Join(o Vector) Vector {
	switch {
	case v.CoversAll(o):
		return v
	case o.CoversAll(v):
		return o
	}
	e := make([]Dot, 0, len(v.entries)+len(o.entries))
	i, j := 0, 0
	for i < len(v.entries) && j < len(o.entries) {
		a, b := v.entries[i], o.entries[j]
		switch c := a.Replica.Compare(b.Replica); {
		case c < 0:
			e, i = append(e, a), i+1
		case c > 0:
			e, j = append(e, b), j+1
		default:
			a.Counter = max(a.Counter, b.Counter)
			e, i, j = append(e, a), i+1, j+1
		}
	}
	e = append(e, v.entries[i:]...)
	e = append(e, o.entries[j:]...)
	return Vector{e}
}

// String returns the canonical text of v: its dots, sorted, joined by commas.
func (v Vector) String() string {
	parts := make([]string, len(v.entries))
	for i, d := range v.entries {
		parts[i] = d.String()
	}
	return strings.Join(parts, ",")
}

// ParseVector reads the text form that String writes and no other.
func ParseVector(s string) (Vector, error) {
	if s == "" {
		return Vector{}, nil
	}
	var e []Dot
	for part := range strings.SplitSeq(s, ",") {
		d, err := ParseDot(part)
		if err != nil {
			return Vector{}, err
		}
		if n := len(e); n > 0 && e[n-1].Replica.Compare(d.Replica) >= 0 {
			return Vector{}, errUnsorted
		}
		e = append(e, d)
	}
	return Vector{e}, nil
}
