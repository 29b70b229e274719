package record

import "wardbook/conflict"

// Memory is room for records at rest that are read together and given up
// together, such as those of a page: they lie in few arrays, which are used
// again after Reset. The zero Memory is ready. It belongs to one goroutine.
type Memory struct {
	entries   []conflict.Entry
	positions []uint64
	siblings  []conflict.Sibling
	dots      []conflict.Dot

	// The tables of the reading itself.
	replicas seats
	stamps   []stamp
	authors  []string
	lengths  []int32
}

// ParseState is the function of that name, for a record and positions that are
// valid until Reset.
func (m *Memory) ParseState(b []byte, id conflict.RecordID) (conflict.Record, []uint64, error) {
	m.replicas = seats{list: append(m.replicas.list[:0], seat{id: id.Replica})}
	s := stateReader{memory: m, wire: wire{b: string(b)},
		stateTables: stateTables{replicas: &m.replicas, id: conflict.FirstUserField, base: id.Counter, stamps: m.stamps[:0], authors: m.authors[:0]}}
	r, pos, err := s.whole(id)
	m.stamps, m.authors = s.stamps, s.authors
	return r, pos, err
}

// Reset gives up everything that was parsed.
func (m *Memory) Reset() {
	m.entries, m.positions, m.siblings, m.dots = emptied(m.entries), m.positions[:0], emptied(m.siblings), m.dots[:0]
	clear(m.stamps[:cap(m.stamps)]) // texts must not be kept alive
	clear(m.authors[:cap(m.authors)])
}

func emptied[T any](all []T) []T {
	clear(all)
	return all[:0]
}

// room cuts an empty slice for n things off *of, which is made anew, and larger,
// when it is too short.
func room[T any](of *[]T, n int) []T {
	at := len(*of)
	if cap(*of)-at < n {
		*of, at = make([]T, 0, max(n, 2*cap(*of))), 0
	}
	*of = (*of)[:at+n]
	return (*of)[at : at : at+n]
}
