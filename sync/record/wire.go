package record

import (
	"encoding/binary"
	"errors"

	"wardbook/conflict"
)

// MaxName is the greatest length in bytes of a unit code, an author and a
// register id.
const MaxName = 255

// ErrMalformed is wrapped by the errors of ParseChangeset and ParseState for
// bytes that AppendChangeset and AppendState never write.
var ErrMalformed = errors.New("malformed bytes")

// ErrTooLarge is wrapped by the errors of ParseChangeset for a changeset over
// one of the limits of this package.
var ErrTooLarge = errors.New("over a limit")

// zigzag folds the sign of n into its lowest bit, so that small numbers of
// either sign have short varints.
func zigzag(n int64) uint64 { return uint64(n)<<1 ^ uint64(n>>63) }

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// appendDelta appends to - from, which may wrap around.
func appendDelta(dst []byte, from, to uint64) []byte {
	return binary.AppendUvarint(dst, zigzag(int64(to-from)))
}

func appendText(dst []byte, s string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(s)))
	return append(dst, s...)
}

// wire reads canonical bytes. The first fault sticks: later reads return zero
// and the caller looks at bad once per step that would otherwise run away.
type wire struct {
	b   string
	off int
	bad bool
}

func (w *wire) fail() { w.bad = true }

// left returns how many bytes were not read yet.
func (w *wire) left() int { return len(w.b) - w.off }

func (w *wire) byte() byte {
	if w.bad || w.off >= len(w.b) {
		w.bad = true
		return 0
	}
	w.off++
	return w.b[w.off-1]
}

// uvarint reads a number in its shortest form and refuses any longer one.
func (w *wire) uvarint() uint64 {
	if !w.bad && w.off < len(w.b) && w.b[w.off] < 0x80 {
		w.off++
		return uint64(w.b[w.off-1])
	}
	return w.longUvarint()
}

func (w *wire) longUvarint() uint64 {
	var n uint64
	for i := 0; ; i++ {
		c := w.byte()
		if w.bad || i == binary.MaxVarintLen64-1 && c > 1 || i > 0 && c == 0 {
			w.bad = true
			return 0
		}
		n |= uint64(c&0x7f) << (7 * i)
		if c < 0x80 {
			return n
		}
	}
}

// delta reads what appendDelta wrote.
func (w *wire) delta(from uint64) uint64 { return from + uint64(unzigzag(w.uvarint())) }

// limited reads a number that must not exceed limit.
func (w *wire) limited(limit uint64) uint64 {
	n := w.uvarint()
	if n > limit {
		w.bad = true
		return 0
	}
	return n
}

func (w *wire) take(n int) string {
	if w.bad || n > w.left() {
		w.bad = true
		return ""
	}
	w.off += n
	return w.b[w.off-n : w.off]
}

func (w *wire) text(limit int) string { return w.take(int(w.limited(uint64(limit)))) }

// seat is a replica's place in a table that both ends build while they write
// or read, with the counter that the next one is told relative to.
type seat struct {
	id   conflict.ReplicaID
	last uint64
}

// seats is the table. It is searched from its start while it is short, as it
// is for nearly every record and changeset; a long one keeps an index, so that
// a hostile one costs no more than its bytes.
type seats struct {
	list  []seat
	index map[conflict.ReplicaID]int
}

const seatsIndexed = 32

// newSeats returns a table that holds own, in place 0, counting from last.
func newSeats(own conflict.ReplicaID, last uint64) *seats {
	return &seats{list: append(make([]seat, 0, 4), seat{own, last})}
}

// find returns the place of id, or that which it will have.
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
	if i, ok := s.index[id]; ok {
		return i, true
	}
	return len(s.list), false
}

func (s *seats) add(id conflict.ReplicaID) int {
	if s.index != nil {
		s.index[id] = len(s.list)
	}
	s.list = append(s.list, seat{id: id})
	return len(s.list) - 1
}

// append appends the reference to id and returns its place.
func (s *seats) append(dst []byte, id conflict.ReplicaID) ([]byte, int) {
	if i, ok := s.find(id); ok {
		return binary.AppendUvarint(dst, uint64(i)), i
	}
	i := s.add(id)
	return append(binary.AppendUvarint(dst, uint64(i)), id[:]...), i
}

// read reads a reference and returns its place.
func (s *seats) read(w *wire) int {
	i := w.limited(uint64(len(s.list)))
	if int(i) < len(s.list) {
		return int(i)
	}
	var id conflict.ReplicaID
	copy(id[:], w.take(len(id)))
	if _, known := s.find(id); known {
		w.fail()
	}
	if w.bad {
		return 0
	}
	return s.add(id)
}

// names is the same for texts.
type names []string

func (t *names) append(dst []byte, s string) []byte {
	for i := range *t {
		if (*t)[i] == s {
			return binary.AppendUvarint(dst, uint64(i))
		}
	}
	dst = binary.AppendUvarint(dst, uint64(len(*t)))
	*t = append(*t, s)
	return appendText(dst, s)
}

func (t *names) read(w *wire) string {
	i := w.limited(uint64(len(*t)))
	if int(i) < len(*t) {
		return (*t)[i]
	}
	s := w.text(MaxName)
	for j := range *t {
		if (*t)[j] == s {
			w.bad = true
		}
	}
	*t = append(*t, s)
	return s
}
