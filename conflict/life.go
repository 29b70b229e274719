package conflict

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Seen is what the author of a deletion had on the screen: for each field of
// the record its vector. Seen values are immutable.
type Seen struct {
	entries []seenEntry // sorted by key
}

type seenEntry struct {
	key    FieldKey
	vector Vector
}

// Covers reports whether the author had seen write d of the field under k.
func (s Seen) Covers(k FieldKey, d Dot) bool {
	i, ok := slices.BinarySearchFunc(s.entries, k, func(e seenEntry, k FieldKey) int { return e.key.Compare(k) })
	return ok && s.entries[i].vector.Covers(d)
}

// Life is the value of a record's life field: whether it is deleted, and what
// its author had seen when saying so.
type Life struct {
	Deleted bool
	Seen    Seen
}

const (
	lifeAlive   = "alive"
	lifeDeleted = "deleted"
)

// Value returns the canonical text of l: the state, the replicas that occur,
// then per field its key and, for each replica by its place, the counter.
// For example `deleted;abc…;16=0:3;17=0:4`. An element is written in hex.
func (l Life) Value() Value {
	var b strings.Builder
	if l.Deleted {
		b.WriteString(lifeDeleted)
	} else {
		b.WriteString(lifeAlive)
	}
	var replicas []ReplicaID
	for _, e := range l.Seen.entries {
		for d := range e.vector.All() {
			replicas = append(replicas, d.Replica)
		}
	}
	slices.SortFunc(replicas, ReplicaID.Compare)
	replicas = slices.Compact(replicas)
	b.WriteByte(';')
	for i, r := range replicas {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(r.String())
	}
	for _, e := range l.Seen.entries {
		b.WriteByte(';')
		b.WriteString(strconv.FormatUint(uint64(e.key.ID), 10))
		if e.key.Elem != "" {
			b.WriteByte('/')
			b.WriteString(hex.EncodeToString([]byte(e.key.Elem)))
		}
		b.WriteByte('=')
		first := true
		for d := range e.vector.All() {
			if !first {
				b.WriteByte(',')
			}
			first = false
			i, _ := slices.BinarySearchFunc(replicas, d.Replica, ReplicaID.Compare)
			b.WriteString(strconv.Itoa(i))
			b.WriteByte(':')
			b.WriteString(strconv.FormatUint(d.Counter, 10))
		}
	}
	return Value(b.String())
}

var errLife = errors.New("life value is not of the form STATE;REPLICAS;FIELD=PLACE:COUNTER,…")

// ParseLife reads the text that Value writes and no other. The empty value is
// a record alive of which nothing was said.
func ParseLife(v Value) (Life, error) {
	var l Life
	if v == "" {
		return l, nil
	}
	parts := strings.Split(string(v), ";")
	switch parts[0] {
	case lifeAlive:
	case lifeDeleted:
		l.Deleted = true
	default:
		return Life{}, errLife
	}
	if len(parts) < 2 {
		return Life{}, errLife
	}
	var replicas []ReplicaID
	if parts[1] != "" {
		for t := range strings.SplitSeq(parts[1], ",") {
			r, err := ParseReplicaID(t)
			if err != nil {
				return Life{}, fmt.Errorf("life value: %w", err)
			}
			replicas = append(replicas, r)
		}
	}
	for _, part := range parts[2:] {
		e, err := parseSeenEntry(part, replicas)
		if err != nil {
			return Life{}, err
		}
		if n := len(l.Seen.entries); n > 0 && l.Seen.entries[n-1].key.Compare(e.key) >= 0 {
			return Life{}, errLife // Covers searches by order
		}
		l.Seen.entries = append(l.Seen.entries, e)
	}
	if l.Value() != v {
		return Life{}, errLife
	}
	return l, nil
}

func parseSeenEntry(part string, replicas []ReplicaID) (seenEntry, error) {
	var e seenEntry
	key, list, ok := strings.Cut(part, "=")
	if !ok {
		return e, errLife
	}
	id, elem, hasElem := strings.Cut(key, "/")
	n, err := strconv.ParseUint(id, 10, 16)
	if err != nil {
		return e, errLife
	}
	e.key.ID = FieldID(n)
	if hasElem {
		b, err := hex.DecodeString(elem)
		if err != nil {
			return e, errLife
		}
		e.key.Elem = string(b)
	}
	if list == "" {
		return e, nil
	}
	for t := range strings.SplitSeq(list, ",") {
		place, counter, _ := strings.Cut(t, ":")
		i, err := strconv.Atoi(place)
		if err != nil || i < 0 || i >= len(replicas) {
			return e, errLife
		}
		c, err := strconv.ParseUint(counter, 10, 64)
		if err != nil {
			return e, errLife
		}
		e.vector = e.vector.With(Dot{replicas[i], c})
	}
	return e, nil
}

// Map returns l with every vector in it replaced by what f makes of it: for a
// replica that gives its own unsent writes new dots.
func (l Life) Map(f func(Vector) Vector) Life {
	entries := make([]seenEntry, len(l.Seen.entries))
	for i, e := range l.Seen.entries {
		entries[i] = seenEntry{e.key, f(e.vector)}
	}
	l.Seen.entries = entries
	return l
}

// LifeState is what a reader is told of a record's existence.
type LifeState uint8

// The life states.
const (
	Alive            LifeState = iota // nobody deleted it
	Deleted                           // deleted by somebody who had seen everything that stands
	EditedAndDeleted                  // deleted by somebody who had not: a person must settle it
)

// String returns "alive", "deleted" or "edited and deleted".
func (s LifeState) String() string {
	return [...]string{"alive", "deleted", "edited and deleted"}[s]
}

// Life derives the record's state from its current siblings. Several deletions
// count together: a sibling is covered if the author of any of them saw it. A
// life value that cannot be read counts as a deletion that has seen nothing,
// so that a person looks at it.
func (r Record) Life() LifeState {
	if len(r.entries) == 0 || r.entries[0].Key.ID != FieldLife {
		return Alive // nobody ever wrote it
	}
	f := r.Field(Key(FieldLife))
	var deletions []Seen
	alive := false
	for i := range f.siblings {
		l, err := ParseLife(f.siblings[i].Value)
		switch {
		case err != nil:
			deletions = append(deletions, Seen{})
		case l.Deleted:
			deletions = append(deletions, l.Seen)
		default:
			alive = true
		}
	}
	switch {
	case len(deletions) == 0:
		return Alive
	case alive:
		return EditedAndDeleted
	}
	for _, e := range r.entries {
		if e.Key.ID < FirstUserField {
			continue
		}
		for i := range e.Field.siblings {
			d := e.Field.siblings[i].Dot
			if !slices.ContainsFunc(deletions, func(s Seen) bool { return s.Covers(e.Key, d) }) {
				return EditedAndDeleted
			}
		}
	}
	return Deleted
}
