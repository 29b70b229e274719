package record

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"wardbook/conflict"
)

// Limits of one changeset. A device refuses to make a larger one; the server
// quarantines it.
const (
	MaxEdits      = 256       // records in one changeset
	MaxWrites     = 4096      // writes in one changeset
	MaxValueBytes = 64 << 10  // bytes of one value
	MaxContext    = 4096      // replicas in one context: of every device of a large unit, for decades
	MaxBytes      = 512 << 10 // canonical bytes of one changeset
)

// Changeset is what one user action changed: all or nothing at the server.
// Its writes take the counters Dot.Counter, Dot.Counter+1, … in the order in
// which they stand, over all edits.
type Changeset struct {
	Dot    conflict.Dot // the first write; also the changeset's id
	Unit   string       // the unit of every record in it, a 5-digit code
	Author string       // account name of who made it
	At     int64        // the device's clock, Unix milliseconds
	Edits  []Edit
}

// Edit is the part of a changeset that touches one record. An edit that
// creates its record has Record equal to the dot of its own first write.
type Edit struct {
	Record     conflict.RecordID
	Register   string // id of the register, such as "residents"
	Definition uint32 // version of the register's definition the author worked with
	Source     conflict.Source
	Writes     []Write
}

// Write is one new value of one field, made by somebody who had seen Context.
type Write struct {
	Key     conflict.FieldKey
	Context conflict.Vector
	Value   conflict.Value
}

// Hash identifies the content of a changeset: the first 16 bytes of SHA-256
// over its canonical bytes. One dot with two hashes is an alarm.
type Hash [16]byte

// Len returns how many counters the changeset takes.
func (c Changeset) Len() int {
	n := 0
	for i := range c.Edits {
		n += len(c.Edits[i].Writes)
	}
	return n
}

// Last returns the dot of the last write.
func (c Changeset) Last() conflict.Dot {
	return conflict.Dot{Replica: c.Dot.Replica, Counter: c.Dot.Counter + uint64(c.Len()) - 1}
}

// Hash returns the content hash of c.
func (c Changeset) Hash() Hash { return HashOf(AppendChangeset(nil, c)) }

// HashOf returns the hash of a changeset's canonical bytes.
func HashOf(canonical []byte) Hash {
	sum := sha256.Sum256(canonical)
	return Hash(sum[:16])
}

// ErrChangeset is wrapped by every error of Validate.
var ErrChangeset = errors.New("changeset")

// Validate reports what makes c impossible, whoever sent it: an empty or
// oversized changeset, a counter that overflows, the same field of a record
// written twice, a write to the review field, whose only author is the server.
func (c Changeset) Validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w %v: "+format, append([]any{ErrChangeset, c.Dot}, args...)...)
	}
	n := c.Len()
	switch {
	case c.Dot.Replica.IsZero() || c.Dot.Counter == 0:
		return bad("it has no dot")
	case len(c.Edits) == 0 || n == 0:
		return bad("it changes nothing")
	case len(c.Edits) > MaxEdits:
		return bad("%d records, at most %d", len(c.Edits), MaxEdits)
	case n > MaxWrites:
		return bad("%d writes, at most %d", n, MaxWrites)
	case c.Dot.Counter > 1<<62:
		return bad("the counter is out of range")
	case len(c.Unit) > MaxName || len(c.Author) > MaxName:
		return bad("unit or author is longer than %d bytes", MaxName)
	}
	counter := c.Dot.Counter
	var records map[conflict.RecordID]bool
	if len(c.Edits) > 1 {
		records = make(map[conflict.RecordID]bool, len(c.Edits))
	}
	for _, e := range c.Edits {
		if len(e.Writes) == 0 || e.Record.Counter == 0 || e.Register == "" {
			return bad("an edit names no record, register or write")
		}
		if len(e.Register) > MaxName {
			return bad("a register's id is longer than %d bytes", MaxName)
		}
		if records[e.Record] {
			return bad("record %v stands in two edits", e.Record)
		}
		if records != nil {
			records[e.Record] = true
		}
		if e.Record.Replica == c.Dot.Replica && e.Record.Counter > counter {
			return bad("record %v is not created by its own first write", e.Record)
		}
		for i, w := range e.Writes {
			switch {
			case i > 0 && e.Writes[i-1].Key.Compare(w.Key) >= 0:
				return bad("fields of record %v are not sorted and distinct", e.Record)
			case w.Key.ID == conflict.FieldReview:
				return bad("the review field is the server's")
			case len(w.Value) > MaxValueBytes || len(w.Key.Elem) > MaxValueBytes:
				return bad("field %d has %d bytes, at most %d", w.Key.ID, max(len(w.Value), len(w.Key.Elem)), MaxValueBytes)
			case w.Context.Len() > MaxContext:
				return bad("field %v has a context of %d replicas, at most %d", w.Key, w.Context.Len(), MaxContext)
			case w.Context.Counter(c.Dot.Replica) >= counter:
				return bad("field %v claims to have seen a later write of its own", w.Key)
			}
			counter++
		}
	}
	return nil
}

// Creates reports whether edit i brings its record into being.
func (c Changeset) Creates(i int) bool { return c.Edits[i].Record == c.FirstDot(i) }

// FirstDot returns the dot of the first write of edit i.
func (c Changeset) FirstDot(i int) conflict.Dot {
	d := c.Dot
	for _, e := range c.Edits[:i] {
		d.Counter += uint64(len(e.Writes))
	}
	return d
}

// Apply returns r after edit i of c. received is the server's clock in Unix
// milliseconds, 0 on a device that applies its own pending change.
func (c Changeset) Apply(r conflict.Record, i int, received int64) conflict.Record {
	if len(c.Edits[i].Writes) <= 4 {
		var few [4]conflict.Edit
		return c.apply(r, i, received, few[:0])
	}
	var many [32]conflict.Edit
	return c.apply(r, i, received, many[:0])
}

// apply does it, in memory that the caller has.
func (c *Changeset) apply(r conflict.Record, i int, received int64, edits []conflict.Edit) conflict.Record {
	e, dot := &c.Edits[i], c.FirstDot(i)
	origin := conflict.Origin{Author: c.Author, At: c.At, Received: received, Definition: e.Definition, Source: e.Source}
	for _, w := range e.Writes {
		edits = append(edits, conflict.Edit{Key: w.Key, Sibling: conflict.Sibling{Dot: dot, Value: w.Value, Origin: origin}, Context: w.Context})
		dot.Counter++
	}
	return r.WriteAll(edits)
}
