package record

import (
	"encoding/binary"
	"fmt"
	"math"

	"wardbook/conflict"
)

// stateFormat opens a record at rest.
const stateFormat = 1

// maxSiblings bounds the siblings and the fields of one record at rest.
const maxSiblings = 1 << 16

// The head of a run: its shape in the lowest bits, two flags, and above them
// how many fields it has less one, or for an open one how many siblings.
const (
	runFirst = 0 // one sibling, and the vector is its dot: never overwritten by another replica
	runOver  = 1 // one sibling of another replica, over one write of the record's own replica
	runOpen  = 2 // one field with any siblings and any vector
	runShape = 3

	runElem     = 1 << 2 // one field of a union: its element follows
	runPosition = 1 << 3 // the fields' position is not that of their stamp
	runCount    = 4      // bits below the count
)

// stamp is what the writes of one edit share, and where such a field was last
// found in the feed.
type stamp struct {
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
// runOver, the counters beneath rise by one from field to field.
type stretch struct {
	shape    int
	key      conflict.FieldKey // of the first field
	count    int
	dot      conflict.Dot // of the first sibling
	base     uint64       // runOver: counter of the record's own replica in the first vector
	origin   conflict.Origin
	position uint64
}

// takes reports whether a field that looks like next alone can join r.
func (r *stretch) takes(next *stretch) bool {
	n := uint64(r.count)
	return r.count > 0 && r.shape != runOpen && r.shape == next.shape && r.key.Elem == "" && next.key.Elem == "" &&
		int(r.key.ID)+r.count == int(next.key.ID) && r.dot.Counter+n == next.dot.Counter && r.dot.Replica == next.dot.Replica &&
		(r.shape == runFirst || r.base+n == next.base) && r.position == next.position && r.origin == next.origin
}

// stretchOf tells how a field is told: its stretch if it stood alone.
func stretchOf(k conflict.FieldKey, f conflict.Field, own conflict.ReplicaID, position uint64) stretch {
	r := stretch{shape: runOpen, key: k, count: 1, position: position}
	if f.Len() != 1 {
		return r
	}
	s := f.At(0)
	r.dot, r.origin = s.Dot, s.Origin
	v := f.Vector()
	switch {
	case v.Counter(s.Dot.Replica) != s.Dot.Counter:
	case v.Len() == 1:
		r.shape = runFirst
	case v.Len() == 2 && s.Dot.Replica != own && v.Counter(own) != 0:
		r.shape, r.base = runOver, v.Counter(own)
	}
	return r
}

// stateTables is what writer and reader build alike as they go.
type stateTables struct {
	names    *Names
	replicas *seats
	authors  []string
	stamps   []stamp
	id       conflict.FieldID // last id told
	base     uint64           // last counter told of the record's own replica where it is first or beneath
	position uint64           // of the run told last
}

func newStateTables(n *Names, id conflict.RecordID) stateTables {
	return stateTables{names: n, replicas: newSeats(id.Replica, id.Counter-1), base: id.Counter - 1}
}

// expected returns the position that a run is taken to have whose last sibling
// has stamp i, or that has no sibling if i is negative.
func (t *stateTables) expected(i int) uint64 {
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

// lastAt returns the device time that the next stamp's is told against.
func (t *stateTables) lastAt() uint64 {
	if n := len(t.stamps); n > 0 {
		return uint64(t.stamps[n-1].origin.At)
	}
	return 0
}

// findStamp returns the place of the stamp with origin o, or where it will be.
func (t *stateTables) findStamp(o *conflict.Origin) int {
	for i := range t.stamps {
		if t.stamps[i].origin == *o {
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
	if next.shape != runOpen {
		s.run = next
		return
	}
	last := -1
	if n := f.Len(); n > 0 {
		o := f.At(n - 1).Origin
		last = s.findStamp(&o)
	}
	flag := s.needsPosition(last, position)
	s.head(runOpen, k, uint64(f.Len()), flag)
	for i := range f.Len() {
		sib := f.At(i)
		s.dot(sib.Dot)
		last = s.stamp(sib.Origin)
	}
	s.dst = binary.AppendUvarint(s.dst, uint64(f.Vector().Len()))
	for d := range f.Vector().All() {
		s.dot(d)
	}
	s.tellPosition(last, position, flag)
}

// needsPosition reports whether a run at position, whose last sibling has
// stamp i, perhaps one not told yet, must tell its position.
func (s *stateWriter) needsPosition(i int, position uint64) bool {
	if i == len(s.stamps) {
		i = -1
	}
	return s.expected(i) != position
}

func (s *stateWriter) tellPosition(i int, position uint64, flag bool) {
	if flag {
		s.dst = appendDelta(s.dst, s.expected(i), position)
	}
	s.place(i, position)
}

// flush tells the run that was gathered.
func (s *stateWriter) flush() {
	r := &s.run
	if r.count == 0 {
		return
	}
	flag := s.needsPosition(s.findStamp(&r.origin), r.position)
	more := uint64(r.count - 1)
	s.head(r.shape, r.key, more, flag)
	s.id += conflict.FieldID(more)
	at := s.dot(r.dot)
	s.replicas.list[at].last += more
	if r.shape == runOver {
		s.dst = appendDelta(s.dst, s.base+1, r.base)
		s.base = r.base + more
	} else if at == 0 {
		s.base = s.replicas.list[0].last
	}
	s.tellPosition(s.stamp(r.origin), r.position, flag)
	r.count = 0
}

func (s *stateWriter) head(shape int, k conflict.FieldKey, count uint64, flag bool) {
	h := uint64(shape) | count<<runCount
	if k.Elem != "" {
		h |= runElem
	}
	if flag {
		h |= runPosition
	}
	s.dst = binary.AppendUvarint(s.dst, h)
	s.dst = binary.AppendUvarint(s.dst, uint64(k.ID-s.id))
	s.id = k.ID
	if k.Elem != "" {
		s.dst = appendText(s.dst, k.Elem)
	}
}

// dot tells a dot: its replica, and its counter against the replica's last.
func (s *stateWriter) dot(d conflict.Dot) int {
	at, ok := s.replicas.find(d.Replica)
	s.dst = binary.AppendUvarint(s.dst, uint64(at))
	if !ok {
		at = s.replicas.add(d.Replica)
		if n, ok := s.names.replica(d.Replica); ok {
			s.dst = binary.AppendUvarint(s.dst, n+1)
		} else {
			s.dst = append(append(s.dst, 0), d.Replica[:]...)
		}
	}
	r := &s.replicas.list[at]
	s.dst = appendDelta(s.dst, r.last+1, d.Counter)
	r.last = d.Counter
	return at
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

// stamp tells the stamp with origin o and returns its place.
func (s *stateWriter) stamp(o conflict.Origin) int {
	i := s.findStamp(&o)
	s.dst = binary.AppendUvarint(s.dst, uint64(i))
	if i < len(s.stamps) {
		return i
	}
	s.author(o.Author)
	s.dst = appendDelta(s.dst, s.lastAt(), uint64(o.At))
	s.dst = binary.AppendUvarint(s.dst, uint64(o.Source)<<1|flagBit(o.Received != 0))
	if o.Received != 0 {
		s.dst = appendDelta(s.dst, uint64(o.At), uint64(o.Received))
	}
	s.dst = binary.AppendUvarint(s.dst, uint64(o.Definition))
	s.stamps = append(s.stamps, stamp{origin: o})
	return i
}

func flagBit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
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
	s := stateReader{stateTables: newStateTables(n, id), wire: wire{b: string(b)}}
	r, pos := s.record()
	if s.bad || s.left() > 0 {
		return conflict.Record{}, nil, fmt.Errorf("parse state of %v at byte %d of %d: %w", id, s.off, len(b), ErrMalformed)
	}
	return r, pos, nil
}

type stateReader struct {
	stateTables
	wire
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
	s.entries = make([]conflict.Entry, 0, fields)
	s.positions = make([]uint64, 0, fields)
	s.siblings = make([]conflict.Sibling, 0, siblings)
	s.dots = make([]conflict.Dot, 0, fields+4)
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
	r := stretch{shape: int(h & runShape)}
	r.key.ID = s.id + conflict.FieldID(s.limited(uint64(math.MaxUint16-s.id)))
	if h&runElem != 0 {
		if r.key.Elem = s.text(MaxValueBytes); r.key.Elem == "" {
			s.fail()
		}
	}
	s.id = r.key.ID
	count := h >> runCount
	flag := h&runPosition != 0
	room := uint64(cap(s.siblings) - len(s.siblings))
	switch {
	case s.bad:
		return
	case r.shape == runOpen && count <= room:
		s.open(&r, int(count), flag)
		return
	case r.shape >= runOpen || count >= room || count >= uint64(fields-len(s.entries)) ||
		uint64(s.id)+count > math.MaxUint16 || count > 0 && h&runElem != 0:
		s.fail()
		return
	}
	r.count = int(count) + 1
	var at int
	at, r.dot = s.dot()
	if s.bad {
		return
	}
	last := &s.replicas.list[at].last
	*last += count
	if r.shape == runOver {
		r.base = s.delta(s.base + 1)
		s.base = r.base + count
		if at == 0 || r.base == 0 || s.base < r.base {
			s.fail()
		}
	} else if at == 0 {
		s.base = *last
	}
	if r.dot.Counter == 0 || *last < r.dot.Counter { // the counters would wrap around
		s.fail()
	}
	i := s.stamp()
	r.position = s.tellPosition(i, flag)
	if s.bad {
		return
	}
	r.origin = s.stamps[i].origin
	if s.run.takes(&r) {
		s.fail()
		return
	}
	own := s.replicas.list[0].id
	for j := range uint64(r.count) {
		dot := conflict.Dot{Replica: r.dot.Replica, Counter: r.dot.Counter + j}
		low, first := len(s.dots), len(s.siblings)
		s.dots = append(s.dots, dot)
		if r.shape == runOver {
			base := conflict.Dot{Replica: own, Counter: r.base + j}
			s.dots = append(s.dots, base)
			if own.Compare(dot.Replica) < 0 {
				s.dots[low], s.dots[low+1] = base, dot
			}
		}
		s.siblings = append(s.siblings, conflict.Sibling{Dot: dot, Origin: r.origin})
		s.add(conflict.FieldKey{ID: r.key.ID + conflict.FieldID(j), Elem: r.key.Elem}, first, low, r.position)
	}
	s.id += conflict.FieldID(count)
	s.run = r
}

// open reads the rest of a field with n siblings and any vector.
func (s *stateReader) open(r *stretch, n int, flag bool) {
	first, low, last := len(s.siblings), len(s.dots), -1
	for range n {
		_, dot := s.dot()
		last = s.stamp()
		if s.bad {
			return
		}
		s.siblings = append(s.siblings, conflict.Sibling{Dot: dot, Origin: s.stamps[last].origin})
	}
	for range s.limited(uint64(s.left()) / 2) {
		_, dot := s.dot()
		s.dots = append(s.dots, dot)
	}
	position := s.tellPosition(last, flag)
	if s.bad {
		return
	}
	s.add(r.key, first, low, position)
	if s.bad {
		return
	}
	f := s.entries[len(s.entries)-1].Field
	if stretchOf(r.key, f, s.replicas.list[0].id, position).shape != runOpen {
		s.fail() // a shorter form exists
	}
	s.run.count = 0
}

// tellPosition returns the position of the run that was just read.
func (s *stateReader) tellPosition(i int, flag bool) uint64 {
	if s.bad {
		return 0
	}
	p := s.expected(i)
	if flag {
		q := s.delta(p)
		if q == p {
			s.fail()
		}
		p = q
	}
	s.place(i, p)
	return p
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

func (s *stateReader) dot() (int, conflict.Dot) {
	at := int(s.limited(uint64(len(s.replicas.list))))
	if at == len(s.replicas.list) {
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
			return 0, conflict.Dot{}
		}
		s.replicas.add(id)
	}
	r := &s.replicas.list[at]
	r.last = s.delta(r.last + 1)
	return at, conflict.Dot{Replica: r.id, Counter: r.last}
}

// stamp reads the reference to a stamp, and the stamp if it is new.
func (s *stateReader) stamp() int {
	i := int(s.limited(uint64(len(s.stamps))))
	if i < len(s.stamps) || s.bad {
		return i
	}
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
	if s.findStamp(&o) < len(s.stamps) {
		s.fail()
	}
	s.stamps = append(s.stamps, stamp{origin: o})
	return i
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
	lengths := make([]int32, n)
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
