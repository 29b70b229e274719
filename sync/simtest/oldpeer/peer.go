// Package oldpeer is a device of wire version 1 that nobody updates: its own copy of
// what it says, byte by byte, and of what it must understand of the answers. It is for
// the tests that ask whether a server of today still takes what such a device wants to
// upload, and still reads what it wrote (section 9 of the specification of the wire).
//
// It imports nothing of ours, so that no change elsewhere changes what it says. As
// long as version 1 is a draft, a change of the draft is made here as well, and in the
// golden stream; from the day on which it is frozen, nothing here changes any more, and
// a later version gets a copy of its own beside this one.
//
// It says Hello, Push, Ping; of a Push it stores all columns, which every reader must
// take. It reads Welcome, Ack, Refusal, Error and Pong, and skips every other kind.
package oldpeer

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
)

// Version is the wire version that the peer speaks.
const Version = 1

// The kinds of messages that it knows.
const (
	kindHello   = 1
	kindPush    = 2
	kindPing    = 32
	kindPong    = 33
	kindWelcome = 64
	kindAck     = 65
	kindRefusal = 67
	kindError   = 71
)

// Replica is the id of a store, Dot one write of it.
type (
	Replica [16]byte
	Dot     struct {
		Replica Replica
		Counter uint64
	}
)

// Changeset is what one person saved.
type Changeset struct {
	Dot          Dot // of the first write
	Unit, Author string
	At           int64 // device clock, Unix milliseconds
	Edits        []Edit
}

// Edit is what a changeset does to one record.
type Edit struct {
	Record     Dot
	Register   string
	Definition uint64
	Source     uint64
	Writes     []Write // by field and element
}

// Write is one value of a field, over what its author had seen of it: the entries of a
// version vector, sorted by replica.
type Write struct {
	Field   uint16
	Element string
	Context []Dot
	Value   string
}

func (c *Changeset) len() (n uint64) {
	for i := range c.Edits {
		n += uint64(len(c.Edits[i].Writes))
	}
	return n
}

// Last returns the counter of the last write.
func (c *Changeset) Last() uint64 { return c.Dot.Counter + c.len() - 1 }

// Scope is a stream that the peer asks for.
type Scope struct {
	Unit, Register string
	Class          byte
	Cursor, Floor  uint64
}

// Hello is how the peer begins.
type Hello struct {
	Version     uint64
	App, Token  string
	Replica     Replica
	Epoch       [16]byte
	Held, Next  [16]byte // incarnations
	Acked, Last uint64
	At          int64
	Streaming   bool
	Scopes      []Scope
}

func number(b []byte, n uint64) []byte       { return binary.AppendUvarint(b, n) }
func signed(b []byte, n int64) []byte        { return number(b, uint64(n)<<1^uint64(n>>63)) }
func delta(b []byte, from, to uint64) []byte { return signed(b, int64(to-from)) }
func text(b []byte, s string) []byte         { return append(number(b, uint64(len(s))), s...) }

// EncodeHello returns the bytes of a Hello.
func EncodeHello(h Hello) []byte {
	b := number([]byte{kindHello}, h.Version)
	b = text(text(b, h.App), h.Token)
	b = append(b, h.Replica[:]...)
	b = append(b, h.Epoch[:]...)
	b = append(b, h.Held[:]...)
	b = append(b, h.Next[:]...)
	b = signed(number(number(b, h.Acked), h.Last), h.At)
	if h.Streaming {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	b = number(b, uint64(len(h.Scopes)))
	for _, s := range h.Scopes {
		b = append(text(text(b, s.Unit), s.Register), s.Class)
		b = number(b, 0) // every neighbourhood
		b = append(number(number(b, s.Cursor), s.Floor), 0)
	}
	return number(b, 0) // no definition
}

// EncodePing returns the bytes of a Ping.
func EncodePing(n uint64) []byte { return number([]byte{kindPing}, n) }

// The columns of a Push.
const (
	colReplicas = iota
	colTexts
	colSkip
	colAt
	colUnit
	colAuthor
	colEdits
	colRecord
	colRecordCounter
	colRegister
	colDefinition
	colSource
	colWrites
	colKey
	colElement
	colContext
	colContextReplica
	colContextCounter
	colLength
	colValue
	columns
)

// push is a Push while it is written.
type push struct {
	cols     [columns][]byte
	replicas []Replica
	records  []uint64 // the last record told of each replica
	writes   []uint64 // the last counter told of each replica in a context
	texts    []string
	fields   []uint16 // of the values, as they are met
	values   []string
}

func (p *push) put(col int, n uint64)          { p.cols[col] = number(p.cols[col], n) }
func (p *push) delta(col int, from, to uint64) { p.cols[col] = delta(p.cols[col], from, to) }

func (p *push) place(r Replica) int {
	i := slices.Index(p.replicas, r)
	if i < 0 {
		i = len(p.replicas)
		p.replicas, p.records, p.writes = append(p.replicas, r), append(p.records, 0), append(p.writes, 0)
	}
	return i
}

func (p *push) text(col int, s string) {
	i := slices.Index(p.texts, s)
	if i < 0 {
		i = len(p.texts)
		p.texts = append(p.texts, s)
	}
	p.put(col, uint64(i))
}

// EncodePush returns the bytes of a Push of changesets of one replica, at least one.
func EncodePush(list []Changeset) []byte {
	p := &push{}
	first := list[0].Dot
	p.place(first.Replica)
	expected, at := first.Counter, int64(0)
	var before []Dot
	edits, writes := 0, 0
	for i := range list {
		c := &list[i]
		p.put(colSkip, c.Dot.Counter-expected)
		p.cols[colAt] = signed(p.cols[colAt], c.At-at)
		at = c.At
		p.text(colUnit, c.Unit)
		p.text(colAuthor, c.Author)
		p.put(colEdits, uint64(len(c.Edits)))
		edits += len(c.Edits)
		counter := c.Dot.Counter
		for j := range c.Edits {
			e := &c.Edits[j]
			place := 0
			if e.Record == (Dot{first.Replica, counter}) {
				p.put(colRecord, 0)
			} else {
				place = p.place(e.Record.Replica)
				p.put(colRecord, uint64(place)+1)
				p.delta(colRecordCounter, p.records[place], e.Record.Counter)
			}
			p.records[place] = e.Record.Counter
			p.text(colRegister, e.Register)
			p.put(colDefinition, e.Definition)
			p.put(colSource, e.Source)
			p.put(colWrites, uint64(len(e.Writes)))
			writes += len(e.Writes)
			id, anchorID, anchor := uint16(0), uint16(16), e.Record.Counter
			for k := range e.Writes {
				w := &e.Writes[k]
				step := uint64(w.Field-id) << 1
				if w.Element != "" {
					step |= 1
					p.cols[colElement] = text(p.cols[colElement], w.Element)
				}
				p.put(colKey, step)
				id = w.Field
				p.context(w.Context, before, place, counter, anchor+uint64(id)-uint64(anchorID), func(n uint64) {
					if id >= 16 {
						anchorID, anchor = id, n
					}
				})
				before = w.Context
				p.fields, p.values = append(p.fields, id), append(p.values, w.Value)
				counter++
			}
		}
		expected = counter
	}
	p.finish()
	b := number(number(number([]byte{kindPush}, first.Counter), expected-first.Counter), uint64(len(list)))
	b = number(number(b, uint64(edits)), uint64(writes))
	for _, c := range p.cols {
		b = append(number(b, uint64(len(c))<<2), c...) // stored
	}
	return b
}

// context puts what the author of the write with the given counter had seen of the
// field. place is the record's own replica, foretold its expected counter.
func (p *push) context(v, before []Dot, place int, counter, foretold uint64, move func(uint64)) {
	switch {
	case len(v) == 0:
		p.put(colContext, 0)
		return
	case slices.Equal(v, before):
		p.put(colContext, 1)
		return
	case len(v) == 1 && v[0].Replica == p.replicas[place]:
		p.put(colContext, 2)
		p.delta(colContextCounter, foretold, v[0].Counter)
		move(v[0].Counter)
		return
	}
	p.put(colContext, 2+uint64(len(v)))
	for _, d := range v {
		i := p.place(d.Replica)
		p.put(colContextReplica, uint64(i))
		switch i {
		case place:
			p.delta(colContextCounter, foretold, d.Counter)
			move(d.Counter)
		case 0:
			p.delta(colContextCounter, counter, d.Counter)
		default:
			p.delta(colContextCounter, p.writes[i], d.Counter)
			p.writes[i] = d.Counter
		}
	}
}

// finish fills the tables and the values, which stand by field.
func (p *push) finish() {
	for _, r := range p.replicas {
		p.cols[colReplicas] = append(p.cols[colReplicas], r[:]...)
	}
	for _, s := range p.texts {
		p.cols[colTexts] = text(p.cols[colTexts], s)
	}
	order := make([]int, len(p.fields))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(p.fields[a]) - int(p.fields[b]) })
	for _, i := range order {
		p.put(colLength, uint64(len(p.values[i])))
		p.cols[colValue] = append(p.cols[colValue], p.values[i]...)
	}
}

// Bytes returns the canonical bytes of a changeset, which its store keeps.
func (c *Changeset) Bytes() []byte {
	b := append([]byte{1}, c.Dot.Replica[:]...)
	b = signed(text(text(number(b, c.Dot.Counter), c.Unit), c.Author), c.At)
	b = number(b, uint64(len(c.Edits)))
	replicas, told := []Replica{c.Dot.Replica}, []uint64{0}
	place := func(r Replica) int {
		i := slices.Index(replicas, r)
		if i >= 0 {
			b = number(b, uint64(i))
			return i
		}
		b = append(number(b, uint64(len(replicas))), r[:]...)
		replicas, told = append(replicas, r), append(told, 0)
		return len(replicas) - 1
	}
	var registers []string
	counter := c.Dot.Counter
	var before []Dot
	for i := range c.Edits {
		e := &c.Edits[i]
		if place(e.Record.Replica) == 0 {
			b = number(b, counter-e.Record.Counter)
		} else {
			b = number(b, e.Record.Counter)
		}
		if i := slices.Index(registers, e.Register); i >= 0 {
			b = number(b, uint64(i))
		} else {
			b = text(number(b, uint64(len(registers))), e.Register)
			registers = append(registers, e.Register)
		}
		b = number(number(number(b, e.Definition), e.Source), uint64(len(e.Writes)))
		id := uint16(0)
		for j := range e.Writes {
			w := &e.Writes[j]
			step := uint64(w.Field-id) << 1
			if w.Element != "" {
				b = text(number(b, step|1), w.Element)
			} else {
				b = number(b, step)
			}
			id = w.Field
			switch {
			case len(w.Context) == 0:
				b = number(b, 0)
			case slices.Equal(w.Context, before):
				b = number(b, 1)
			default:
				b = number(b, 1+uint64(len(w.Context)))
				for _, d := range w.Context {
					if at := place(d.Replica); at == 0 {
						b = number(b, counter-d.Counter)
					} else {
						b = delta(b, told[at], d.Counter)
						told[at] = d.Counter
					}
				}
			}
			before = w.Context
			b = text(b, w.Value)
			counter++
		}
	}
	return b
}

// Hash returns the hash by which both ends know a changeset.
func (c *Changeset) Hash() (h [16]byte) {
	sum := sha256.Sum256(c.Bytes())
	copy(h[:], sum[:])
	return h
}

// What the peer understands of an answer: one of these.
type (
	// Welcome answers a Hello.
	Welcome struct {
		Version, Verdict uint64
		Epoch            [16]byte
		Acked, BackedUp  uint64
		Grants           []uint64 // codes
		Stored           []Stored
	}
	// Stored is a changeset that the server holds.
	Stored struct {
		Counter uint64
		Hash    [16]byte
	}
	// Ack says that every counter up to Through is durable.
	Ack struct{ Through uint64 }
	// Refusal says that a changeset is in quarantine, or was.
	Refusal struct{ Counter, Code, Settled uint64 }
	// Failure ends the session.
	Failure struct{ Code, RetryAfter uint64 }
	// Pong answers a Ping.
	Pong struct{ N uint64 }
	// Skipped is a message that the peer has no use for.
	Skipped struct{ Kind byte }
)

var errAnswer = errors.New("an old device cannot read the answer")

// reader reads an answer.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

// Decode reads an answer.
func Decode(b []byte) (any, error) {
	if len(b) == 0 {
		return nil, errAnswer
	}
	r := &reader{b: b[1:]}
	var m any
	switch b[0] {
	case kindWelcome:
		m = r.welcome()
	case kindAck:
		m = Ack{r.number()}
		return m, r.failure(b[0], false)
	case kindRefusal:
		f := Refusal{Counter: r.number(), Code: r.number()}
		r.take(r.number())
		r.number()
		f.Settled = uint64(append(r.take(1), 0)[0])
		m = f
		return m, r.failure(b[0], false)
	case kindError:
		f := Failure{Code: r.number(), RetryAfter: r.number()}
		r.take(r.number())
		m = f
	case kindPong:
		m = Pong{r.number()}
	default:
		return Skipped{b[0]}, nil
	}
	return m, r.failure(b[0], true)
}

func (r *reader) failure(kind byte, whole bool) error {
	if r.bad || whole && len(r.b) > 0 {
		return fmt.Errorf("%w: kind %d", errAnswer, kind)
	}
	return nil
}

func (r *reader) welcome() Welcome {
	w := Welcome{Version: r.number(), Verdict: uint64(append(r.take(1), 0)[0])}
	copy(w.Epoch[:], r.take(16))
	w.Acked, w.BackedUp = r.number(), r.number()
	r.number() // the server's clock
	for n := r.number(); n > 0 && !r.bad; n-- {
		w.Grants = append(w.Grants, r.number())
		for range 4 {
			r.number()
		}
	}
	for n := r.number(); n > 0 && !r.bad; n-- {
		s := Stored{Counter: r.number()}
		copy(s.Hash[:], r.take(16))
		w.Stored = append(w.Stored, s)
	}
	return w
}
