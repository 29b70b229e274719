package replicatest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// Server holds records for the devices of a test. It belongs to one goroutine.
type Server struct {
	Now         func() int64
	Definitions map[string]*register.Definition
	PageRecords int // records of one page; 0 means 100
	// Refuse says with which code a changeset goes to quarantine, OK for not.
	Refuse func(record.Changeset) protocol.Code
	// Deny says with which code a stream is not given, OK for that it is.
	Deny func(protocol.Stream) protocol.Code
	// BackedUp makes every acknowledged counter count as backed up.
	BackedUp bool

	epoch    protocol.Token
	self     conflict.ReplicaID
	counter  uint64 // of the server's own writes
	records  map[conflict.RecordID]*held
	replicas map[conflict.ReplicaID]*intake
	position map[string]uint64 // by unit
	marks    []protocol.HubMark
	open     []*Session
	stale    bool // streams have grown, and nobody was told
}

// held is one record.
type held struct {
	id       conflict.RecordID
	unit     string
	register string
	record   conflict.Record
	position map[conflict.FieldKey]uint64
	last     map[protocol.Class]uint64
}

// intake is what is known of one replica.
type intake struct {
	acked             uint64
	epoch             protocol.Token // in which it was last admitted
	current, previous protocol.Token
	hashes            map[uint64]record.Hash
	ends              map[uint64]uint64
	refusals          []*protocol.Refusal
}

// New returns an empty server. epoch tells one server's life from another's.
func New(epoch byte, now func() int64, definitions ...*register.Definition) *Server {
	s := &Server{Now: now, Definitions: map[string]*register.Definition{}, epoch: protocol.Token{epoch}, self: conflict.ReplicaID{0xee, epoch},
		records: map[conflict.RecordID]*held{}, replicas: map[conflict.ReplicaID]*intake{}, position: map[string]uint64{}}
	for _, d := range definitions {
		s.Definitions[string(d.ID)] = d
	}
	return s
}

// Record returns the state of a record.
func (s *Server) Record(id conflict.RecordID) conflict.Record {
	if h := s.records[id]; h != nil {
		return h.record
	}
	return conflict.Record{}
}

// IDs returns the ids of all records, sorted.
func (s *Server) IDs() []conflict.RecordID {
	var ids []conflict.RecordID
	for id := range s.records {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, conflict.Dot.Compare)
	return ids
}

// Acked returns up to which counter a replica is acknowledged.
func (s *Server) Acked(r conflict.ReplicaID) uint64 { return s.intake(r).acked }

func (s *Server) intake(r conflict.ReplicaID) *intake {
	in := s.replicas[r]
	if in == nil {
		in = &intake{hashes: map[uint64]record.Hash{}, ends: map[uint64]uint64{}}
		s.replicas[r] = in
	}
	return in
}

// Review writes the review field of a record.
func (s *Server) Review(id conflict.RecordID, v record.Review) {
	s.counter++
	h := s.records[id]
	k := conflict.Key(conflict.FieldReview)
	o := conflict.Origin{Author: v.By, At: v.At, Received: s.Now()}
	h.record = h.record.Write(k, conflict.Sibling{Dot: conflict.Dot{Replica: s.self, Counter: s.counter}, Value: v.Value(), Origin: o}, h.record.Field(k).Vector())
	s.moved(h, k)
	s.grew()
}

// Approve approves everything that stands in a record.
func (s *Server) Approve(id conflict.RecordID, by string, revision uint64) {
	var dots []conflict.Dot
	for k, f := range s.records[id].record.All() {
		for i := range f.Len() {
			if k.ID == conflict.FieldLife || k.ID >= conflict.FirstUserField {
				dots = append(dots, f.At(i).Dot)
			}
		}
	}
	s.Review(id, record.Review{Decision: record.Approved, Dots: record.NewDotSet(dots...), Revision: revision, By: by, At: s.Now()})
}

// HubMark says how far the hub is, to everybody.
func (s *Server) HubMark(m protocol.HubMark) {
	s.marks = append(s.marks, m)
	for _, x := range slices.Clone(s.open) {
		x.step(session.Announce{Now: s.Now(), Message: &m})
	}
}

// Announce says something to everybody who is connected.
func (s *Server) Announce(m protocol.Message) {
	for _, x := range slices.Clone(s.open) {
		x.step(session.Announce{Now: s.Now(), Message: m})
	}
}

// moved gives one field of a record the next feed position of its unit.
func (s *Server) moved(h *held, keys ...conflict.FieldKey) {
	s.position[h.unit]++
	p := s.position[h.unit]
	for _, k := range keys {
		h.position[k] = p
		h.last[s.class(h.register, k)] = p
	}
}

func (s *Server) class(reg string, k conflict.FieldKey) protocol.Class {
	if def := s.Definitions[reg]; def != nil && k.ID >= conflict.FirstUserField {
		if f := def.FieldByID(k.ID); f != nil && f.Class == register.Sensitive {
			return protocol.Sensitive
		}
	}
	return protocol.Basic
}

func (s *Server) head(stream protocol.Stream) (head, count uint64) {
	for _, h := range s.records {
		if p := h.last[stream.Class]; p > 0 && h.unit == stream.Unit && h.register == stream.Register {
			head, count = max(head, p), count+1
		}
	}
	return head, count
}

// Restored returns the server as it is now under a new epoch, as if it had
// been backed up at this moment and restored later.
func (s *Server) Restored(epoch byte) *Server {
	out := New(epoch, s.Now)
	out.Definitions, out.PageRecords, out.Refuse, out.Deny, out.BackedUp = s.Definitions, s.PageRecords, s.Refuse, s.Deny, s.BackedUp
	for id, h := range s.records {
		c := *h
		c.position, c.last = map[conflict.FieldKey]uint64{}, map[protocol.Class]uint64{}
		for k, p := range h.position {
			c.position[k] = p
		}
		for k, p := range h.last {
			c.last[k] = p
		}
		out.records[id] = &c
	}
	for r, in := range s.replicas {
		c := *in
		c.hashes, c.ends = map[uint64]record.Hash{}, map[uint64]uint64{}
		for n, h := range in.hashes {
			c.hashes[n], c.ends[n] = h, in.ends[n]
		}
		out.replicas[r] = &c
	}
	for u, p := range s.position {
		out.position[u] = p
	}
	return out
}

// Session is one connection's end at the server.
type Session struct {
	s       *Server
	machine *session.Server
	replica conflict.ReplicaID
	scopes  []protocol.Scope
	out     [][]byte
	over    bool
	Said    func() // called when there is something to Take, or the session is over; may be nil
}

// Open returns a new connection.
func (s *Server) Open() *Session {
	x := &Session{s: s, machine: session.NewServer(s.Now())}
	s.open = append(s.open, x)
	return x
}

// Close ends the connection.
func (x *Session) Close() {
	x.over = true
	x.s.open = slices.DeleteFunc(x.s.open, func(o *Session) bool { return o == x })
}

// Over reports whether the server has hung up.
func (x *Session) Over() bool { return x.over }

// Receive gives the server a message, encoded as it travels.
func (x *Session) Receive(message []byte) error {
	m, err := protocol.Decode(message)
	if err != nil {
		return fmt.Errorf("the device said what cannot be read: %w", err)
	}
	x.step(session.Received{Now: x.s.Now(), Message: m})
	return nil
}

// Tick tells the server the time.
func (x *Session) Tick() { x.step(session.Tick{Now: x.s.Now()}) }

// Take returns what the server has said since, encoded.
func (x *Session) Take() [][]byte {
	out := x.out
	x.out = nil
	return out
}

// PutBack gives back what was taken and not heard, to be taken first.
func (x *Session) PutBack(messages [][]byte) {
	if len(messages) > 0 {
		x.out = append(messages[:len(messages):len(messages)], x.out...)
	}
}

func (x *Session) step(e session.Event) {
	queue := x.machine.Step(e)
	for len(queue) > 0 && !x.over {
		f := queue[0]
		queue = queue[1:]
		var next session.Event
		switch f := f.(type) {
		case session.Admit:
			next = x.s.admit(x, f.Hello)
		case session.Commit:
			next = x.s.commit(x, f.Changesets)
		case session.TakeBack:
			next = x.s.takeBack(f.Return)
		case session.LoadPage:
			next = session.PageLoaded{Now: x.s.Now(), Page: x.s.page(f)}
		case session.Send:
			x.out = append(x.out, protocol.Encode(nil, f.Message))
			x.said()
		case session.HangUp:
			x.Close()
			x.said()
		}
		if next != nil {
			queue = append(queue, x.machine.Step(next)...)
		}
	}
	if x.s.stale {
		x.s.grew()
	}
}

func (x *Session) said() {
	if x.Said != nil {
		x.Said()
	}
}

func (s *Server) admit(x *Session, h *protocol.Hello) session.Event {
	if h.Token == "" || h.Token == "bad" {
		return session.Rejected{Now: s.Now(), Error: &protocol.Error{Code: protocol.Unauthenticated}}
	}
	x.replica, x.scopes = h.Replica, h.Scopes
	_, known := s.replicas[h.Replica]
	in := s.intake(h.Replica)
	w := &protocol.Welcome{Version: protocol.Version, Epoch: s.epoch, Acked: in.acked, At: s.Now()}
	switch {
	case !known:
		if h.Acked > 0 {
			w.Verdict = protocol.Rebased
		}
	case h.Last < in.acked:
		w.Verdict = protocol.Forked
	case in.epoch != s.epoch:
		w.Verdict = protocol.Rebased
	case h.Current != in.current && (h.Current != in.previous || h.Next != in.current):
		w.Verdict = protocol.Forked
	}
	var more []protocol.Message
	for _, r := range in.refusals {
		more = append(more, r)
	}
	if w.Verdict == protocol.Forked {
		for n, hash := range in.hashes {
			if n > min(h.Acked, in.acked) || h.Epoch != s.epoch {
				w.Stored = append(w.Stored, protocol.Stored{Counter: n, Hash: hash})
			}
		}
		slices.SortFunc(w.Stored, func(a, b protocol.Stored) int { return cmp.Compare(a.Counter, b.Counter) })
		w.Grants = make([]protocol.Grant, len(h.Scopes))
		return session.Admitted{Now: s.Now(), Welcome: w, More: more, Expires: s.Now() + 1<<40}
	}
	in.epoch = s.epoch
	if in.current != h.Next {
		in.previous, in.current = h.Current, h.Next
	}
	if s.BackedUp {
		w.BackedUp = in.acked
	}
	for _, scope := range h.Scopes {
		g := protocol.Grant{From: scope.Cursor}
		if s.Deny != nil {
			g.Code = s.Deny(scope.Stream)
		}
		g.Head, g.Count = s.head(scope.Stream)
		if scope.Cursor > s.position[scope.Unit] || h.Epoch != s.epoch {
			g.From = 0
		}
		w.Grants = append(w.Grants, g)
	}
	for id, def := range s.Definitions {
		if !slices.Contains(h.Defs, protocol.DefinitionRef{Register: id, Version: def.Version}) {
			more = append(more, &protocol.Definition{Register: id, Version: def.Version, Body: def.Marshal()})
		}
	}
	for _, m := range s.marks {
		more = append(more, &m)
	}
	return session.Admitted{Now: s.Now(), Welcome: w, More: more, Expires: s.Now() + 1<<40}
}

func (s *Server) commit(x *Session, changesets []record.Changeset) session.Event {
	in := s.intake(x.replica)
	e := session.Committed{Now: s.Now()}
	for _, c := range changesets {
		hash := c.Hash()
		if old, ok := in.hashes[c.Dot.Counter]; ok {
			if old != hash {
				w := &protocol.Welcome{Version: protocol.Version, Verdict: protocol.Forked, Epoch: s.epoch, Acked: in.acked, At: s.Now(), Grants: make([]protocol.Grant, len(x.scopes))}
				for n, h := range in.hashes {
					w.Stored = append(w.Stored, protocol.Stored{Counter: n, Hash: h})
				}
				slices.SortFunc(w.Stored, func(a, b protocol.Stored) int { return cmp.Compare(a.Counter, b.Counter) })
				e.Forked = w
				return e
			}
			for _, r := range in.refusals {
				if r.Counter == c.Dot.Counter {
					e.Refusals = append(e.Refusals, r)
				}
			}
			continue // a repeat is acknowledged again
		}
		if c.Dot.Counter != in.acked+1 {
			return e // a gap; it is left alone
		}
		in.hashes[c.Dot.Counter], in.ends[c.Dot.Counter] = hash, c.Last().Counter
		in.acked = c.Last().Counter
		if s.Refuse != nil {
			if code := s.Refuse(c); code != protocol.OK {
				r := &protocol.Refusal{Counter: c.Dot.Counter, Code: code, At: s.Now()}
				in.refusals = append(in.refusals, r)
				e.Refusals = append(e.Refusals, r)
				continue
			}
		}
		s.apply(c)
	}
	through := in.acked
	if n := len(changesets); n > 0 {
		through = changesets[n-1].Last().Counter // what was compared, and no more
	}
	e.Ack = &protocol.Ack{Through: through, Received: s.Now(), Signature: bytes.Repeat([]byte{7}, 64)}
	for unit := range s.position {
		for reg := range s.Definitions {
			for _, class := range []protocol.Class{protocol.Basic, protocol.Sensitive} {
				stream := protocol.Stream{Unit: unit, Register: reg, Class: class}
				if head, _ := s.head(stream); head > 0 {
					e.Ack.Marks = append(e.Ack.Marks, protocol.StreamMark{Stream: stream, Position: head})
				}
			}
		}
	}
	slices.SortFunc(e.Ack.Marks, func(a, b protocol.StreamMark) int { return a.Stream.Compare(b.Stream) })
	s.stale = true
	return e
}

func (s *Server) apply(c record.Changeset) {
	for i, edit := range c.Edits {
		h := s.records[edit.Record]
		if h == nil {
			h = &held{id: edit.Record, unit: c.Unit, register: edit.Register, position: map[conflict.FieldKey]uint64{}, last: map[protocol.Class]uint64{}}
			s.records[edit.Record] = h
		}
		h.record = c.Apply(h.record, i, s.Now())
		keys := make([]conflict.FieldKey, len(edit.Writes))
		for j, w := range edit.Writes {
			keys[j] = w.Key
		}
		s.moved(h, keys...)
	}
}

// takeBack merges what pages show into the records. It asks for no signature.
func (s *Server) takeBack(m *protocol.Return) session.Event {
	for _, p := range m.Pages {
		got, err := protocol.Decode(p.Body)
		if err != nil {
			continue
		}
		page, ok := got.(*protocol.Page)
		if !ok {
			continue
		}
		for _, d := range page.Records {
			h := s.records[d.Record]
			if h == nil {
				h = &held{id: d.Record, unit: page.Stream.Unit, register: page.Stream.Register, position: map[conflict.FieldKey]uint64{}, last: map[protocol.Class]uint64{}}
				s.records[d.Record] = h
			}
			for _, e := range d.Fields {
				if merged := h.record.Field(e.Key).Merge(e.Field); !merged.Equal(h.record.Field(e.Key)) {
					h.record = h.record.With(e.Key, merged)
					s.moved(h, e.Key)
				}
			}
		}
	}
	s.stale = true
	return session.TookBack{Now: s.Now(), Returned: &protocol.Returned{N: m.N}}
}

// grew tells everybody that streams have grown.
func (s *Server) grew() {
	s.stale = false
	for _, x := range slices.Clone(s.open) {
		var heads []protocol.StreamMark
		for _, scope := range x.scopes {
			head, _ := s.head(scope.Stream)
			heads = append(heads, protocol.StreamMark{Stream: scope.Stream, Position: head})
		}
		x.step(session.Grew{Now: s.Now(), Heads: heads})
	}
}

func (s *Server) page(f session.LoadPage) *protocol.Page {
	stream := f.Scope.Stream
	head, _ := s.head(stream)
	p := &protocol.Page{Stream: stream, Floor: f.Floor, From: f.From, To: f.From, Head: head}
	var rows []*held
	for _, h := range s.records {
		if h.unit == stream.Unit && h.register == stream.Register && h.last[stream.Class] > f.From {
			rows = append(rows, h)
		}
	}
	slices.SortFunc(rows, func(a, b *held) int {
		return cmp.Or(cmp.Compare(a.last[stream.Class], b.last[stream.Class]), a.id.Compare(b.id))
	})
	limit := s.PageRecords
	if limit == 0 {
		limit = 100
	}
	whole := true
	for i, h := range rows {
		if i >= limit && h.last[stream.Class] != p.To {
			whole = false
			break
		}
		d := protocol.RecordDelta{Record: h.id}
		for k, field := range h.record.All() {
			if s.class(h.register, k) == stream.Class && h.position[k] > f.Floor {
				d.Fields = append(d.Fields, conflict.Entry{Key: k, Field: field})
			}
		}
		p.Records = append(p.Records, d)
		p.To = h.last[stream.Class]
	}
	if whole {
		p.To = max(p.To, head)
	}
	return p
}
