package protocol

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"wardbook/conflict"
	"wardbook/sync/record"
)

func appendNumber(dst []byte, n uint64) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, n)
}

func appendText(dst []byte, s string) []byte { return append(appendNumber(dst, uint64(len(s))), s...) }

// fold moves the sign of n into the lowest bit, so that small numbers of
// either sign are short. n may be the wrapped difference of two counters.
func fold(n uint64) uint64 { return n<<1 ^ uint64(int64(n)>>63) }

func unfold(n uint64) uint64 { return n>>1 ^ -(n & 1) }

// source reads the bytes of a message or a column. A fault sticks in *bad.
type source struct {
	b   string
	off int
	bad *bool
}

func (s *source) left() int { return len(s.b) - s.off }

func (s *source) byte() byte {
	if s.off >= len(s.b) {
		*s.bad = true
		return 0
	}
	s.off++
	return s.b[s.off-1]
}

// number reads a uvarint in its shortest form.
func (s *source) number() uint64 {
	if s.off < len(s.b) && s.b[s.off] < 0x80 {
		s.off++
		return uint64(s.b[s.off-1])
	}
	var n uint64
	for i := 0; ; i++ {
		c := s.byte()
		if *s.bad || i == binary.MaxVarintLen64-1 && c > 1 || i > 0 && c == 0 {
			*s.bad = true
			return 0
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return n
		}
	}
}

// limited reads a number that must not exceed limit.
func (s *source) limited(limit uint64) uint64 {
	n := s.number()
	if n > limit {
		*s.bad = true
		return 0
	}
	return n
}

func (s *source) take(n int) string {
	if n > s.left() {
		*s.bad = true
		return ""
	}
	s.off += n
	return s.b[s.off-n : s.off]
}

func (s *source) text(limit int) string { return s.take(int(s.limited(uint64(limit)))) }

func (s *source) replica() conflict.ReplicaID {
	var r conflict.ReplicaID
	copy(r[:], s.take(len(r)))
	return r
}

func (s *source) token() Token {
	var t Token
	copy(t[:], s.take(len(t)))
	return t
}

// seat is a replica's place in a message's table, with the counters that the
// next ones are told against.
type seat struct {
	id     conflict.ReplicaID
	record uint64 // of a record's id
	write  uint64 // of a dot, or in a context
}

// seats is the table of a message's replicas in the order in which they are
// first named. A short one is searched from its start.
type seats struct {
	list  []seat
	index map[conflict.ReplicaID]int
}

const seatsIndexed = 16

func (s *seats) find(id conflict.ReplicaID) (int, bool) {
	if len(s.list) <= seatsIndexed {
		for i := range s.list {
			if s.list[i].id == id {
				return i, true
			}
		}
		return len(s.list), false
	}
	if s.index == nil {
		s.index = make(map[conflict.ReplicaID]int, 4*seatsIndexed)
		for i := range s.list {
			s.index[s.list[i].id] = i
		}
	}
	i, ok := s.index[id]
	return i, ok
}

// place returns the place of id, which it gives one if it has none.
func (s *seats) place(id conflict.ReplicaID) int {
	i, ok := s.find(id)
	if ok {
		return i
	}
	i = len(s.list)
	s.list = append(s.list, seat{id: id})
	if s.index != nil {
		s.index[id] = i
	}
	return i
}

// names is the same for a message's texts: units, authors, registers.
type names struct {
	list  []string
	index map[string]int
}

func (t *names) find(s string) (int, bool) {
	if len(t.list) <= seatsIndexed {
		for i := range t.list {
			if t.list[i] == s {
				return i, true
			}
		}
		return len(t.list), false
	}
	if t.index == nil {
		t.index = make(map[string]int, 4*seatsIndexed)
		for i := range t.list {
			t.index[t.list[i]] = i
		}
	}
	i, ok := t.index[s]
	return i, ok
}

func (t *names) place(s string) int {
	i, ok := t.find(s)
	if ok {
		return i
	}
	i = len(t.list)
	t.list = append(t.list, s)
	if t.index != nil {
		t.index[s] = i
	}
	return i
}

// anchor foretells the counter under which the replica that created a record
// wrote a field of it: a form is saved in the order of its fields, so counters
// rise with field ids. It starts from the record's own counter at the first
// user field; each counter told of a user field moves it.
type anchor struct {
	counter uint64
	id      conflict.FieldID
}

func newAnchor(record conflict.RecordID) anchor {
	return anchor{record.Counter, conflict.FirstUserField}
}

func (a *anchor) expect(id conflict.FieldID) uint64 {
	return a.counter + uint64(id) - uint64(a.id)
}

func (a *anchor) move(id conflict.FieldID, counter uint64) {
	if id >= conflict.FirstUserField {
		a.id, a.counter = id, counter
	}
}

// groups puts the values of a message in the order in which they stand: by
// field id, and for each field as they come, because values of one field
// resemble each other.
type groups struct {
	list  []group
	index map[conflict.FieldID]int
	last  int // group that was added to last
	n     int
}

type group struct {
	id     conflict.FieldID
	places []int32 // of its values among all
}

// add adds the next value, which is of field id.
func (g *groups) add(id conflict.FieldID) {
	place := int32(g.n)
	g.n++
	// Records list their fields in one order, so the next group is the next field's.
	for _, i := range [...]int{g.last, g.last + 1, 0} {
		if i < len(g.list) && g.list[i].id == id {
			g.list[i].places, g.last = append(g.list[i].places, place), i
			return
		}
	}
	i, ok := g.index[id]
	if !ok {
		if g.index == nil {
			g.index = map[conflict.FieldID]int{}
		}
		i = len(g.list)
		g.index[id] = i
		if i < cap(g.list) {
			g.list = g.list[:i+1] // with the places of a group before reset
			g.list[i].id = id
		} else {
			g.list = append(g.list, group{id: id})
		}
	}
	g.list[i].places, g.last = append(g.list[i].places, place), i
}

// reset empties g but keeps its memory.
func (g *groups) reset() {
	for i := range g.list {
		g.list[i].places = g.list[i].places[:0]
	}
	*g = groups{list: g.list[:0]}
}

// all yields the places in their order. Nothing may be added afterwards.
func (g *groups) all(yield func(place int) bool) {
	slices.SortFunc(g.list, func(a, b group) int { return cmp.Compare(a.id, b.id) })
	for i := range g.list {
		for _, p := range g.list[i].places {
			if !yield(int(p)) {
				return
			}
		}
	}
}

// columns are the columns of a message while it is written.
type columns struct {
	replicas seats
	texts    names
	cols     [][]byte
	groups   groups
	values   []conflict.Value // in the order of groups.add
	out      []byte           // room for the message
}

// columnsPool keeps the memory of columns: a long push is many of them, each of
// the same size.
var columnsPool = sync.Pool{New: func() any { return &columns{} }}

// newColumns returns n empty columns; release gives them back.
func newColumns(n int) *columns {
	c := columnsPool.Get().(*columns)
	for len(c.cols) < n {
		c.cols = append(c.cols, nil)
	}
	c.cols = c.cols[:n]
	return c
}

// release gives up c, of which nothing may be used any more.
func (c *columns) release() {
	for i := range c.cols {
		c.cols[i] = c.cols[i][:0]
	}
	c.cols = c.cols[:cap(c.cols)]
	c.replicas = seats{list: c.replicas.list[:0]}
	clear(c.texts.list) // the pool must not keep texts and values alive
	c.texts = names{list: c.texts.list[:0]}
	clear(c.values)
	c.values = c.values[:0]
	c.groups.reset()
	columnsPool.Put(c)
}

// The first two columns of every message that has columns.
const (
	colReplicas = iota // 16 bytes each
	colTexts           // length and bytes each
	colOwn             // the first of a message's own
)

func (c *columns) put(col int, n uint64) { c.cols[col] = appendNumber(c.cols[col], n) }

func (c *columns) delta(col int, from, to uint64) { c.put(col, fold(to-from)) }

func (c *columns) text(col int, s string) { c.put(col, uint64(c.texts.place(s))) }

// key puts the step from field id before to key k: the difference shifted
// left by one, the lowest bit telling that an element stands in column elem.
func (c *columns) key(col, elem int, before conflict.FieldID, k conflict.FieldKey) {
	step := uint64(k.ID-before) << 1
	if k.Elem != "" {
		step |= 1
		c.cols[elem] = appendText(c.cols[elem], k.Elem)
	}
	c.put(col, step)
}

// value adds a value of field id.
func (c *columns) value(id conflict.FieldID, v conflict.Value) {
	c.groups.add(id)
	c.values = append(c.values, v)
}

// putValues fills the columns of the values and their lengths.
func (c *columns) putValues(length, value int) {
	for i := range c.groups.all {
		c.put(length, uint64(len(c.values[i])))
		c.cols[value] = append(c.cols[value], c.values[i]...)
	}
}

// finish fills the columns of the tables: nothing is put after it.
func (c *columns) finish() {
	for i := range c.replicas.list {
		c.cols[colReplicas] = append(c.cols[colReplicas], c.replicas.list[i].id[:]...)
	}
	for _, s := range c.texts.list {
		c.cols[colTexts] = appendText(c.cols[colTexts], s)
	}
}

// append appends the finished columns, packed if pack is set.
func (c *columns) append(dst []byte, pack bool) []byte {
	for _, b := range c.cols {
		dst = appendColumn(dst, b, pack)
	}
	return dst
}

// reading is a message with columns while it is read.
type reading struct {
	bad      bool
	version  bool // the fault was the wire version
	weight   int  // left of MaxDecoded; negative if the fault was the weight
	replicas seats
	known    int // replicas that were named so far
	texts    []string
	named    int // texts that were named so far
	cols     []source
	groups   groups
}

// charge takes n things of a weight each from what the message may weigh.
func (r *reading) charge(n uint64, weight int) {
	if n > uint64(r.weight)/uint64(weight) {
		r.bad, r.weight = true, -1
		return
	}
	r.weight -= int(n) * weight
}

// tooLarge reports whether the fault was the message's weight.
func (r *reading) tooLarge() bool { return r.weight < 0 }

// unpack reads n columns from s. All lengths are charged before the first byte
// is unpacked, and unpacking stops at them.
func (r *reading) unpack(s *source, n int) {
	start, total := s.off, 0
	for range n {
		h := s.number()
		r.charge(h>>2, 1)
		if r.bad {
			return
		}
		total += int(h >> 2)
		switch h & 3 {
		case packStored:
			s.take(int(h >> 2))
		case packFlate:
			s.take(int(s.limited(MaxMessage)))
		case packSame:
			s.take(1)
		default:
			r.bad = true
		}
	}
	if r.bad {
		return
	}
	var out strings.Builder
	out.Grow(total)
	s.off = start
	r.cols = make([]source, n)
	for i := range r.cols {
		h := s.number()
		length := int(h >> 2)
		switch h & 3 {
		case packStored:
			out.WriteString(s.take(length))
		case packFlate:
			if !inflate(&out, s.take(int(s.number())), length) {
				r.bad = true
				return
			}
		case packSame:
			c := s.byte()
			for range length {
				out.WriteByte(c)
			}
		}
		r.cols[i].off = length // for now, until the string is whole
	}
	all := out.String()
	for i := range r.cols {
		length := r.cols[i].off
		r.cols[i] = source{b: all[:length], bad: &r.bad}
		all = all[length:]
	}
}

// tables reads the replicas and texts of the first two columns.
func (r *reading) tables() {
	if r.bad {
		return
	}
	c := &r.cols[colReplicas]
	for c.left() > 0 && !r.bad {
		id := c.replica()
		if n := len(r.replicas.list); r.replicas.place(id) != n {
			r.bad = true
		}
	}
	c = &r.cols[colTexts]
	var seen names
	for c.left() > 0 && !r.bad {
		s := c.text(record.MaxName)
		if n := len(seen.list); seen.place(s) != n {
			r.bad = true
		}
	}
	r.texts = seen.list
}

func (r *reading) get(col int) uint64 { return r.cols[col].number() }

func (r *reading) delta(col int, from uint64) uint64 { return from + unfold(r.get(col)) }

// seat returns replica i of the table. Replicas are numbered in the order in
// which they are first named.
func (r *reading) seat(i uint64) *seat {
	if i >= uint64(len(r.replicas.list)) || i > uint64(r.known) {
		r.bad = true
		return &seat{}
	}
	if int(i) == r.known {
		r.known++
	}
	return &r.replicas.list[i]
}

func (r *reading) text(col int) string {
	i := r.get(col)
	if i >= uint64(len(r.texts)) || i > uint64(r.named) {
		r.bad = true
		return ""
	}
	if int(i) == r.named {
		r.named++
	}
	return r.texts[i]
}

// key reads what columns.key put.
func (r *reading) key(col, elem int, before conflict.FieldID) conflict.FieldKey {
	step := r.cols[col].limited(uint64(65535-before)<<1 | 1)
	k := conflict.FieldKey{ID: before + conflict.FieldID(step>>1)}
	if step&1 != 0 {
		k.Elem = r.cols[elem].text(record.MaxValueBytes)
		if k.Elem == "" {
			r.bad = true
		}
	}
	return k
}

// value reads the next value in the order of groups.
func (r *reading) value(length, value int) conflict.Value {
	return conflict.Value(r.cols[value].take(int(r.cols[length].limited(record.MaxValueBytes))))
}

// done reports whether everything was read, and nothing is left over.
func (r *reading) done() bool {
	for i := range r.cols {
		if r.cols[i].left() > 0 {
			return false
		}
	}
	return !r.bad && r.known == len(r.replicas.list) && r.named == len(r.texts)
}
