package simtest

import "math/bits"

// set is a set of small numbers, a value. The zero set is empty. Numbers up to
// 127, which most runs do not exceed, take no memory of their own.
type set struct {
	low  [2]uint64
	high *[6]uint64 // 128 and more; never written to once it is shared
}

// setLimit is the first number that no set can hold.
const setLimit = 8 * 64

func (s set) word(i int) uint64 {
	switch {
	case i < 2:
		return s.low[i]
	case s.high != nil:
		return s.high[i-2]
	}
	return 0
}

func (s *set) setWord(i int, w uint64) {
	if i < 2 {
		s.low[i] = w
		return
	}
	var high [6]uint64
	if s.high != nil {
		high = *s.high
	}
	high[i-2] = w
	s.high = &high
}

func (s set) words() int {
	if s.high != nil {
		return 8
	}
	return 2
}

func (s set) has(n int) bool { return s.word(n>>6)&(1<<(n&63)) != 0 }

func (s set) with(n int) set {
	if !s.has(n) {
		s.setWord(n>>6, s.word(n>>6)|1<<(n&63))
	}
	return s
}

func (s set) without(n int) set {
	if s.has(n) {
		s.setWord(n>>6, s.word(n>>6)&^(1<<(n&63)))
	}
	return s
}

func (s set) union(o set) set {
	for i := range o.words() {
		if w := s.word(i); w|o.word(i) != w {
			s.setWord(i, w|o.word(i))
		}
	}
	return s
}

// covers reports whether s holds all of o.
func (s set) covers(o set) bool {
	for i := range o.words() {
		if o.word(i)&^s.word(i) != 0 {
			return false
		}
	}
	return true
}

func (s set) all(yield func(int) bool) {
	for i := range s.words() {
		for w := s.word(i); w != 0; w &= w - 1 {
			if !yield(i<<6 | bits.TrailingZeros64(w)) {
				return
			}
		}
	}
}
