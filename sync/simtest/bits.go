package simtest

import "math/bits"

// set is a set of small numbers. The zero set is empty. Methods that add
// return the set; a set that is shared must be cloned first.
type set []uint64

func (s set) has(n int) bool { return n>>6 < len(s) && s[n>>6]&(1<<(n&63)) != 0 }

func (s set) with(n int) set {
	for n>>6 >= len(s) {
		s = append(s, 0)
	}
	s[n>>6] |= 1 << (n & 63)
	return s
}

func (s set) union(o set) set {
	for len(s) < len(o) {
		s = append(s, 0)
	}
	for i, w := range o {
		s[i] |= w
	}
	return s
}

func (s set) clone() set { return append(set(nil), s...) }

// covers reports whether s holds all of o.
func (s set) covers(o set) bool {
	for i, w := range o {
		if i >= len(s) && w != 0 || i < len(s) && w&^s[i] != 0 {
			return false
		}
	}
	return true
}

func (s set) all(yield func(int) bool) {
	for i, w := range s {
		for w != 0 {
			n := bits.TrailingZeros64(w)
			w &^= 1 << n
			if !yield(i<<6 | n) {
				return
			}
		}
	}
}
