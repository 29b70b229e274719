package record

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"wardbook/conflict"
)

// stateFormat opens a record at rest.
const stateFormat = 1

// maxSiblings bounds the siblings and the fields of one record at rest.
const maxSiblings = 1 << 16

// A run's head: two flags, the number of its stamp, and above them how many
// fields it has less one, or for an open one how many siblings.
const (
	runTold  = 1 << 0 // something is not as expected: a mask of what follows
	runOpen  = 1 << 1 // one field with any siblings and any vector
	runStamp = 2      // bits below the number of the stamp, which has two
	runMore  = 3      // in place of that number: the rest of it follows
	runCount = 4      // bits below the count
)

// What a run tells because it is not as expected.
const (
	toldKey      = 1 << iota // the field id is not the next one
	toldElem                 // one field of a union: its element
	toldDot                  // the counter of the first dot
	toldBeneath              // the counter of the record's own replica beneath it
	toldPosition             // the feed position
	toldAlone                // nothing follows: another replica's write with nothing beneath it

	toldAll = 1<<iota - 1
)

// A field's shape, which decides how it can be told.
const (
	shapeFirst = iota // one sibling, and the vector is its dot
	shapeOver         // one sibling of another replica, over one write of the record's own
	shapeOpen         // anything else
)

// stamp is what the writes of one edit share, and where such a field was last
// found in the feed.
type stamp struct {
	replica  int // its place among the record's replicas
	origin   conflict.Origin
	position uint64
	placed   bool // position holds
}

// Names gives small numbers to the replicas and authors that a store meets
// again and again: a record at rest then names them in a byte or two. Numbers
// are places in the lists. The lists only ever grow at their ends, so bytes
// written with a shorter list are read with any longer one. A Names is
// immutable; the nil one is empty.
type Names struct {
	replicas  []conflict.ReplicaID
	authors   []string
	replicaNo map[conflict.ReplicaID]uint64
	authorNo  map[string]uint64
}

// NewNames returns the names with the given lists, which it takes over. Where
// one stands twice, the first place counts.
func NewNames(replicas []conflict.ReplicaID, authors []string) *Names {
	n := &Names{replicas, authors, make(map[conflict.ReplicaID]uint64, len(replicas)), make(map[string]uint64, len(authors))}
	for i, r := range replicas {
		if _, ok := n.replicaNo[r]; !ok {
			n.replicaNo[r] = uint64(i)
		}
	}
	for i, a := range authors {
		if _, ok := n.authorNo[a]; !ok {
			n.authorNo[a] = uint64(i)
		}
	}
	return n
}

// AppendState appends record r, whose id is id, to dst. pos holds the feed
// position of each field, parallel to r.All(); nil stands for all zero, which
// is what a device keeps. Equal records with equal positions have equal bytes.
// It panics if pos has another length than r.
func AppendState(dst []byte, r conflict.Record, id conflict.RecordID, pos []uint64) []byte {
	return (*Names)(nil).AppendState(dst, r, id, pos)
}

// ParseState reads exactly what AppendState writes for the same id. The record
// shares no memory with b. The error wraps ErrMalformed.
func ParseState(b []byte, id conflict.RecordID) (conflict.Record, []uint64, error) {
	return (*Names)(nil).ParseState(b, id)
}

// AppendState is the function of that name, naming replicas and authors by
// their numbers in n.
func (n *Names) AppendState(dst []byte, r conflict.Record, id conflict.RecordID, pos []uint64) []byte {
	if pos != nil && len(pos) != r.Len() {
		panic(fmt.Sprintf("append state of %v: %d positions for %d fields", id, len(pos), r.Len()))
	}
	siblings := 0
	for _, f := range r.All() {
		siblings += f.Len()
	}
	dst = append(dst, stateFormat)
	dst = binary.AppendUvarint(dst, uint64(r.Len()))
	dst = appendDelta(dst, uint64(r.Len()), uint64(siblings))
	s := stateWriter{stateTables: newStateTables(n, id), dst: dst}
	at := 0
	for k, f := range r.All() {
		var p uint64
		if pos != nil {
			p = pos[at]
		}
		s.field(k, f, p)
		at++
	}
	s.flush()
	return s.values(r, siblings)
}

// stretch is consecutive fields that can be told together: ids, dots and, for
// shapeOver, the counters beneath rise by one from field to field.
type stretch struct {
	shape    int
	key      conflict.FieldKey // of the first field
	count    int
	dot      conflict.Dot // of the first sibling
	beneath  uint64       // shapeOver: counter of the record's own replica in the first vector
	origin   conflict.Origin
	position uint64
}

// takes reports whether a field that looks like next alone can join r.
func (r *stretch) takes(next *stretch) bool {
	n := uint64(r.count)
	return r.count > 0 && r.shape != shapeOpen && r.shape == next.shape && r.key.Elem == "" && next.key.Elem == "" &&
		int(r.key.ID)+r.count == int(next.key.ID) && r.dot.Counter+n == next.dot.Counter && r.dot.Replica == next.dot.Replica &&
		(r.shape == shapeFirst || r.beneath+n == next.beneath) && r.position == next.position && r.origin == next.origin
}

// stretchOf tells how a field is told: its stretch if it stood alone.
func stretchOf(k conflict.FieldKey, f conflict.Field, own conflict.ReplicaID, position uint64) stretch {
	r := stretch{shape: shapeOpen, key: k, count: 1, position: position}
	if f.Len() != 1 {
		return r
	}
	s := f.At(0)
	r.dot, r.origin = s.Dot, s.Origin
	v := f.Vector()
	switch {
	case v.Counter(s.Dot.Replica) != s.Dot.Counter:
	case v.Len() == 1:
		r.shape = shapeFirst
	case v.Len() == 2 && s.Dot.Replica != own && v.Counter(own) != 0:
		r.shape, r.beneath = shapeOver, v.Counter(own)
	}
	return r
}

// stateTables is what writer and reader build alike as they go, and what they
// expect of the next run from it.
type stateTables struct {
	names    *Names
	replicas *seats // place 0 is the record's own, the one that created it
	authors  []string
	stamps   []stamp
	id       conflict.FieldID // of the next field
	base     uint64           // of the record's own replica, for the next field that it wrote or that lies beneath
	position uint64           // of the run told last
}

func newStateTables(n *Names, id conflict.RecordID) stateTables {
	return stateTables{names: n, replicas: newSeats(id.Replica, 0), id: conflict.FirstUserField, base: id.Counter}
}

// expectedDot returns the counter that the next dot of a replica should have.
func (t *stateTables) expectedDot(at int) uint64 {
	if at == 0 {
		return t.base
	}
	return t.replicas.list[at].last + 1
}

// expectedPosition returns the position that a run is taken to have whose last
// sibling has stamp i, or that has no sibling if i is negative.
func (t *stateTables) expectedPosition(i int) uint64 {
	if i >= 0 && t.stamps[i].placed {
		return t.stamps[i].position
	}
	return t.position
}

// place remembers the position of a run for the next ones.
func (t *stateTables) place(i int, position uint64) {
	t.position = position
	if i >= 0 {
		t.stamps[i].position, t.stamps[i].placed = position, true
	}
}

// pass moves on from a closed run whose dots' replica is at place at.
func (t *stateTables) pass(r *stretch, at int) {
	more := uint64(r.count - 1)
	t.id = r.key.ID + conflict.FieldID(r.count)
	if at != 0 {
		t.replicas.list[at].last = r.dot.Counter + more
	}
	// The system's own fields are written at any time, a form's in its order.
	switch {
	case r.key.ID < conflict.FirstUserField:
	case r.shape == shapeOver:
		t.base = r.beneath + more + 1
	case at == 0:
		t.base = r.dot.Counter + more + 1
	}
}

// passOpen moves on from an open field.
func (t *stateTables) passOpen(k conflict.FieldKey, v conflict.Vector) {
	t.id = k.ID + 1
	if n := v.Counter(t.replicas.list[0].id); n != 0 && k.ID >= conflict.FirstUserField {
		t.base = n + 1
	}
}

// lastAt returns the device time that the next stamp's is told against.
func (t *stateTables) lastAt() uint64 {
	if n := len(t.stamps); n > 0 {
		return uint64(t.stamps[n-1].origin.At)
	}
	return 0
}

// findStamp returns the place of a stamp, or where it will be.
func (t *stateTables) findStamp(replica conflict.ReplicaID, o *conflict.Origin) int {
	for i := range t.stamps {
		if t.stamps[i].origin == *o && t.replicas.list[t.stamps[i].replica].id == replica {
			return i
		}
	}
	return len(t.stamps)
}

type stateWriter struct {
	stateTables
	dst []byte
	run stretch // not told yet
}

func (s *stateWriter) field(k conflict.FieldKey, f conflict.Field, position uint64) {
	next := stretchOf(k, f, s.replicas.list[0].id, position)
	if s.run.takes(&next) {
		s.run.count++
		return
	}
	s.flush()
	if next.shape != shapeOpen {
		s.run = next
		return
	}
	s.open(k, f, position)
}

func (s *stateWriter) delta(from, to uint64) { s.dst = appendDelta(s.dst, from, to) }

func (s *stateWriter) number(n uint64) { s.dst = binary.AppendUvarint(s.dst, n) }

// flush tells the run that was gathered.
func (s *stateWriter) flush() {
	r := &s.run
	if r.count == 0 {
		return
	}
	i := s.findStamp(r.dot.Replica, &r.origin)
	known := i
	at, seated := s.replicas.find(r.dot.Replica)
	if i == len(s.stamps) {
		known = -1
	}
	told := s.toldKey(r.key)
	if expected := uint64(1); seated {
		expected = s.expectedDot(at)
		told |= toldIf(r.dot.Counter != expected, toldDot)
	} else {
		told |= toldIf(r.dot.Counter != expected, toldDot)
	}
	switch {
	case r.shape == shapeOver:
		told |= toldIf(r.beneath != s.base, toldBeneath)
	case at != 0:
		told |= toldAlone
	}
	told |= toldIf(s.expectedPosition(known) != r.position, toldPosition)
	s.number(uint64(min(i, runMore))<<runStamp | toldIf(told != 0, runTold) | uint64(r.count-1)<<runCount)
	if i >= runMore {
		s.number(uint64(i - runMore))
	}
	if i == len(s.stamps) {
		s.newStamp(r.dot.Replica, r.origin)
	}
	s.mask(told, r.key)
	if told&toldDot != 0 {
		s.delta(s.expectedDot(at), r.dot.Counter)
	}
	if told&toldBeneath != 0 {
		s.delta(s.base, r.beneath)
	}
	if told&toldPosition != 0 {
		s.delta(s.expectedPosition(i), r.position)
	}
	s.place(i, r.position)
	s.pass(r, at)
	r.count = 0
}

func toldIf(is bool, what uint64) uint64 {
	if is {
		return what
	}
	return 0
}

// toldKey returns what must be told of a key.
func (s *stateWriter) toldKey(k conflict.FieldKey) uint64 {
	return toldIf(k.ID != s.id, toldKey) | toldIf(k.Elem != "", toldElem)
}

// mask tells what is told, and the key's part of it.
func (s *stateWriter) mask(told uint64, k conflict.FieldKey) {
	if told != 0 {
		s.dst = append(s.dst, byte(told))
	}
	if told&toldKey != 0 {
		s.delta(uint64(s.id), uint64(k.ID))
	}
	if told&toldElem != 0 {
		s.dst = appendText(s.dst, k.Elem)
	}
}

// open tells a field of any siblings and vector.
func (s *stateWriter) open(k conflict.FieldKey, f conflict.Field, position uint64) {
	last := -1
	if n := f.Len(); n > 0 {
		sib := f.At(n - 1)
		if last = s.findStamp(sib.Dot.Replica, &sib.Origin); last == len(s.stamps) {
			last = -1 // not told yet, so nothing is expected of it
		}
	}
	told := s.toldKey(k) | toldIf(s.expectedPosition(last) != position, toldPosition)
	s.number(runOpen | toldIf(told != 0, runTold) | uint64(f.Len())<<runCount)
	s.mask(told, k)
	for i := range f.Len() {
		sib := f.At(i)
		last = s.findStamp(sib.Dot.Replica, &sib.Origin)
		s.number(uint64(last))
		if last == len(s.stamps) {
			s.newStamp(sib.Dot.Replica, sib.Origin)
		}
		at := s.stamps[last].replica
		s.delta(s.expectedDot(at), sib.Dot.Counter)
		s.replicas.list[at].last = sib.Dot.Counter
	}
	s.number(uint64(f.Vector().Len()))
	for d := range f.Vector().All() {
		at := s.replica(d.Replica)
		if at == 0 {
			s.delta(s.base, d.Counter)
		} else {
			s.delta(s.replicas.list[at].last, d.Counter)
			s.replicas.list[at].last = d.Counter
		}
	}
	if told&toldPosition != 0 {
		s.delta(s.expectedPosition(last), position)
	}
	s.place(last, position)
	s.passOpen(k, f.Vector())
}

// replica tells a replica and returns its place.
func (s *stateWriter) replica(id conflict.ReplicaID) int {
	at, ok := s.replicas.find(id)
	s.number(uint64(at))
	if ok {
		return at
	}
	if n, ok := s.names.replica(id); ok {
		s.number(n + 1)
	} else {
		s.dst = append(append(s.dst, 0), id[:]...)
	}
	return s.replicas.add(id)
}

func (n *Names) replica(r conflict.ReplicaID) (uint64, bool) {
	if n == nil {
		return 0, false
	}
	i, ok := n.replicaNo[r]
	return i, ok
}

func (n *Names) author(a string) (uint64, bool) {
	if n == nil {
		return 0, false
	}
	i, ok := n.authorNo[a]
	return i, ok
}

// newStamp tells a stamp for the first time.
func (s *stateWriter) newStamp(replica conflict.ReplicaID, o conflict.Origin) {
	at := s.replica(replica)
	s.author(o.Author)
	s.delta(s.lastAt(), uint64(o.At))
	s.number(uint64(o.Source)<<1 | toldIf(o.Received != 0, 1))
	if o.Received != 0 {
		s.delta(uint64(o.At), uint64(o.Received))
	}
	s.number(uint64(o.Definition))
	s.stamps = append(s.stamps, stamp{replica: at, origin: o})
}

func (s *stateWriter) author(a string) {
	for i := range s.authors {
		if s.authors[i] == a {
			s.dst = binary.AppendUvarint(s.dst, uint64(i))
			return
		}
	}
	s.dst = binary.AppendUvarint(s.dst, uint64(len(s.authors)))
	s.authors = append(s.authors, a)
	if n, ok := s.names.author(a); ok {
		s.dst = binary.AppendUvarint(s.dst, n+1)
		return
	}
	s.dst = appendText(append(s.dst, 0), a)
}

// values appends the lengths and the values of all siblings in order.
func (s *stateWriter) values(r conflict.Record, siblings int) []byte {
	dst := s.dst
	short := len(dst)
	for range (siblings + 1) / 2 {
		dst = append(dst, 0)
	}
	i := 0
	for _, f := range r.All() {
		for j := range f.Len() {
			n := len(f.At(j).Value)
			dst[short+i/2] |= byte(min(n, longLength)) << (4 * (i & 1))
			if n >= longLength {
				dst = binary.AppendUvarint(dst, uint64(n-longLength))
			}
			i++
		}
	}
	for _, f := range r.All() {
		for j := range f.Len() {
			dst = append(dst, f.At(j).Value...)
		}
	}
	return dst
}

// longLength in a half byte says that the rest of the length follows.
const longLength = 15

// ParseState is the function of that name, for bytes written with n or with a
// shorter list of the same names.
func (n *Names) ParseState(b []byte, id conflict.RecordID) (conflict.Record, []uint64, error) {
	s := stateReader{stateTables: newStateTables(n, id), wire: wire{b: string(b)}, memory: &Memory{}}
	return s.whole(id)
}

// whole reads the record, to the last byte.
func (s *stateReader) whole(id conflict.RecordID) (conflict.Record, []uint64, error) {
	r, pos := s.record()
	if s.bad || s.left() > 0 {
		return conflict.Record{}, nil, fmt.Errorf("parse state of %v at byte %d of %d: %w", id, s.off, len(s.b), ErrMalformed)
	}
	return r, pos, nil
}

type stateReader struct {
	stateTables
	wire
	memory    *Memory
	entries   []conflict.Entry
	positions []uint64
	siblings  []conflict.Sibling // of all fields; never grows beyond its first array
	dots      []conflict.Dot     // of the vectors
	run       stretch            // the last one, to refuse a next that belongs to it
}

func (s *stateReader) record() (conflict.Record, []uint64) {
	if s.byte() != stateFormat {
		s.fail()
	}
	fields := s.limited(min(maxSiblings, 2*uint64(s.left())))
	siblings := s.delta(fields)
	if siblings > min(maxSiblings, 2*uint64(s.left())) {
		s.fail()
	}
	if s.bad {
		return conflict.Record{}, nil
	}
	s.entries = room(&s.memory.entries, int(fields))
	s.positions = room(&s.memory.positions, int(fields))
	s.siblings = room(&s.memory.siblings, int(siblings))
	s.dots = room(&s.memory.dots, int(fields)+4)
	for len(s.entries) < int(fields) && !s.bad {
		s.field(int(fields))
	}
	if len(s.siblings) != int(siblings) {
		s.fail()
	}
	s.values()
	if s.bad {
		return conflict.Record{}, nil
	}
	r, err := conflict.NewRecord(s.entries)
	if err != nil {
		s.fail()
	}
	return r, s.positions
}

// field reads the next run and adds its fields.
func (s *stateReader) field(fields int) {
	h := s.uvarint()
	count, i := h>>runCount, int(h>>runStamp&runMore)
	if h&runOpen != 0 {
		if i != 0 {
			s.fail()
			return
		}
		s.open(h&runTold != 0, count)
		return
	}
	if i == runMore {
		i += int(s.limited(uint64(len(s.stamps))))
	}
	if i > len(s.stamps) || count >= uint64(fields-len(s.entries)) || count >= uint64(cap(s.siblings)-len(s.siblings)) {
		s.fail()
		return
	}
	if i == len(s.stamps) {
		s.newStamp()
	}
	told, key := s.mask(h&runTold != 0)
	if s.bad {
		return
	}
	at := s.stamps[i].replica
	r := stretch{key: key, count: int(count) + 1, origin: s.stamps[i].origin,
		dot: conflict.Dot{Replica: s.replicas.list[at].id, Counter: s.told(told&toldDot, s.expectedDot(at))}}
	if at != 0 && told&toldAlone == 0 {
		r.shape = shapeOver
		r.beneath = s.told(told&toldBeneath, s.base)
	}
	r.position = s.told(told&toldPosition, s.expectedPosition(i))
	last := r.dot.Counter + count
	if at == 0 && told&toldAlone != 0 || r.shape != shapeOver && told&toldBeneath != 0 || // no encoder tells these
		r.dot.Counter == 0 || last < r.dot.Counter || // nor counters that wrap around
		r.shape == shapeOver && (r.beneath == 0 || r.beneath+count < r.beneath) ||
		uint64(key.ID)+count > math.MaxUint16 || count > 0 && key.Elem != "" || s.run.takes(&r) {
		s.fail()
	}
	if s.bad {
		return
	}
	s.place(i, r.position)
	s.pass(&r, at)
	own := s.replicas.list[0].id
	for j := range uint64(r.count) {
		dot := conflict.Dot{Replica: r.dot.Replica, Counter: r.dot.Counter + j}
		low, first := len(s.dots), len(s.siblings)
		s.dots = append(s.dots, dot)
		if r.shape == shapeOver {
			beneath := conflict.Dot{Replica: own, Counter: r.beneath + j}
			s.dots = append(s.dots, beneath)
			if own.Compare(dot.Replica) < 0 {
				s.dots[low], s.dots[low+1] = beneath, dot
			}
		}
		s.siblings = append(s.siblings, conflict.Sibling{Dot: dot, Origin: r.origin})
		s.add(conflict.FieldKey{ID: key.ID + conflict.FieldID(j), Elem: key.Elem}, first, low, r.position)
	}
	s.run = r
}

// told reads what differs from expected, if it is told; it must differ.
func (s *stateReader) told(what, expected uint64) uint64 {
	if what == 0 {
		return expected
	}
	n := s.delta(expected)
	if n == expected {
		s.fail()
	}
	return n
}

// mask reads what is told of a run, and its key.
func (s *stateReader) mask(any bool) (uint64, conflict.FieldKey) {
	k := conflict.Key(s.id)
	if !any {
		return 0, k
	}
	told := uint64(s.byte())
	if told == 0 || told > toldAll {
		s.fail()
	}
	id := s.told(told&toldKey, uint64(s.id))
	if id > math.MaxUint16 {
		s.fail()
	}
	k.ID = conflict.FieldID(id)
	if told&toldElem != 0 {
		if k.Elem = s.text(MaxValueBytes); k.Elem == "" {
			s.fail()
		}
	}
	return told, k
}

// open reads a field of count siblings and any vector.
func (s *stateReader) open(any bool, count uint64) {
	told, key := s.mask(any)
	if told&(toldDot|toldBeneath|toldAlone) != 0 || count > uint64(cap(s.siblings)-len(s.siblings)) {
		s.fail()
	}
	first, low, last := len(s.siblings), len(s.dots), -1
	for i := uint64(0); i < count && !s.bad; i++ {
		last = int(s.limited(uint64(len(s.stamps))))
		if last == len(s.stamps) {
			s.newStamp()
		}
		if s.bad {
			return
		}
		at := s.stamps[last].replica
		r := &s.replicas.list[at]
		dot := conflict.Dot{Replica: r.id, Counter: s.delta(s.expectedDot(at))}
		r.last = dot.Counter
		s.siblings = append(s.siblings, conflict.Sibling{Dot: dot, Origin: s.stamps[last].origin})
	}
	for n := s.limited(uint64(s.left()) / 2); n > 0 && !s.bad; n-- {
		at := s.replica()
		r := &s.replicas.list[at]
		dot := conflict.Dot{Replica: r.id}
		if at == 0 {
			dot.Counter = s.delta(s.base)
		} else {
			dot.Counter = s.delta(r.last)
			r.last = dot.Counter
		}
		s.dots = append(s.dots, dot)
	}
	if s.bad {
		return
	}
	position := s.told(told&toldPosition, s.expectedPosition(last))
	s.place(last, position)
	s.add(key, first, low, position)
	if s.bad {
		return
	}
	f := s.entries[len(s.entries)-1].Field
	s.passOpen(key, f.Vector())
	if stretchOf(key, f, s.replicas.list[0].id, position).shape != shapeOpen {
		s.fail() // a shorter form exists
	}
	s.run.count = 0
}

// add adds the field made of the siblings from first and the dots from low.
func (s *stateReader) add(k conflict.FieldKey, first, low int, position uint64) {
	v, err := conflict.VectorOf(s.dots[low:len(s.dots):len(s.dots)])
	if err != nil {
		s.fail()
		return
	}
	f, err := conflict.NewField(s.siblings[first:len(s.siblings):len(s.siblings)], v)
	if err != nil {
		s.fail()
		return
	}
	s.entries = append(s.entries, conflict.Entry{Key: k, Field: f})
	s.positions = append(s.positions, position)
}

// replica reads a replica and returns its place.
func (s *stateReader) replica() int {
	at := int(s.limited(uint64(len(s.replicas.list))))
	if at < len(s.replicas.list) {
		return at
	}
	var id conflict.ReplicaID
	switch n := s.uvarint(); {
	case n == 0:
		copy(id[:], s.take(len(id)))
	case s.names != nil && n <= uint64(len(s.names.replicas)):
		id = s.names.replicas[n-1]
	default:
		s.fail()
	}
	if _, known := s.replicas.find(id); known {
		s.fail()
	}
	if s.bad {
		return 0
	}
	return s.replicas.add(id)
}

// newStamp reads a stamp that is told for the first time.
func (s *stateReader) newStamp() {
	at := s.replica()
	o := conflict.Origin{Author: s.author()}
	o.At = int64(s.delta(s.lastAt()))
	h := s.limited(math.MaxUint8<<1 | 1)
	o.Source = conflict.Source(h >> 1)
	if h&1 != 0 {
		if o.Received = int64(s.delta(uint64(o.At))); o.Received == 0 {
			s.fail()
		}
	}
	o.Definition = uint32(s.limited(math.MaxUint32))
	if s.bad || s.findStamp(s.replicas.list[at].id, &o) < len(s.stamps) {
		s.fail()
		return
	}
	s.stamps = append(s.stamps, stamp{replica: at, origin: o})
}

func (s *stateReader) author() string {
	i := int(s.limited(uint64(len(s.authors))))
	if i < len(s.authors) || s.bad {
		return s.authorAt(i)
	}
	var a string
	switch n := s.uvarint(); {
	case n == 0:
		a = s.text(MaxName)
	case s.names != nil && n <= uint64(len(s.names.authors)):
		a = s.names.authors[n-1]
	default:
		s.fail()
	}
	for j := range s.authors {
		if s.authors[j] == a {
			s.fail()
		}
	}
	s.authors = append(s.authors, a)
	return a
}

func (s *stateReader) authorAt(i int) string {
	if i < len(s.authors) {
		return s.authors[i]
	}
	return ""
}

// values reads the lengths and cuts the values from one string.
func (s *stateReader) values() {
	n := len(s.siblings)
	short := s.take((n + 1) / 2)
	if s.bad {
		return
	}
	if n&1 != 0 && short[n/2]>>4 != 0 {
		s.fail()
		return
	}
	lengths := slices.Grow(s.memory.lengths[:0], n)[:n]
	s.memory.lengths = lengths
	total := 0
	for i := range lengths {
		l := int(short[i/2] >> (4 * (i & 1)) & 15)
		if l == longLength {
			l += int(s.limited(math.MaxInt32 - longLength))
		}
		lengths[i] = int32(l)
		total += l
	}
	if s.bad || total != s.left() {
		s.fail()
		return
	}
	for i := range lengths {
		s.siblings[i].Value = conflict.Value(s.take(int(lengths[i])))
	}
}
