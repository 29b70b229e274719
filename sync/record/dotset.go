package record

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wardbook/conflict"
)

// DotSet is an exact set of dots, kept as runs of counters. Unlike a vector it
// never covers a dot that was not named: approvals are made of it. The zero
// DotSet is empty. DotSets are immutable.
type DotSet struct {
	runs []run // sorted, disjoint, not adjacent
}

type run struct {
	replica  conflict.ReplicaID
	from, to uint64 // inclusive
}

// NewDotSet returns the set of the given dots.
func NewDotSet(dots ...conflict.Dot) DotSet {
	dots = slices.Clone(dots)
	slices.SortFunc(dots, conflict.Dot.Compare)
	var s DotSet
	for _, d := range dots {
		if n := len(s.runs); n > 0 && s.runs[n-1].replica == d.Replica && d.Counter <= s.runs[n-1].to+1 {
			s.runs[n-1].to = max(s.runs[n-1].to, d.Counter)
			continue
		}
		s.runs = append(s.runs, run{d.Replica, d.Counter, d.Counter})
	}
	return s
}

// Has reports whether d was named.
func (s DotSet) Has(d conflict.Dot) bool {
	i, ok := slices.BinarySearchFunc(s.runs, d, func(r run, d conflict.Dot) int {
		if c := r.replica.Compare(d.Replica); c != 0 {
			return c
		}
		switch {
		case r.to < d.Counter:
			return -1
		case r.from > d.Counter:
			return 1
		}
		return 0
	})
	return ok && s.runs[i].from <= d.Counter
}

// Len returns the number of runs, a measure of the text's length.
func (s DotSet) Len() int { return len(s.runs) }

// Count returns the number of dots.
func (s DotSet) Count() uint64 {
	var n uint64
	for _, r := range s.runs {
		n += r.to - r.from + 1
	}
	return n
}

// String returns the canonical text: REPLICA-FROM or REPLICA-FROM~TO, joined
// by commas.
func (s DotSet) String() string {
	parts := make([]string, len(s.runs))
	for i, r := range s.runs {
		parts[i] = conflict.Dot{Replica: r.replica, Counter: r.from}.String()
		if r.to > r.from {
			parts[i] += "~" + strconv.FormatUint(r.to, 10)
		}
	}
	return strings.Join(parts, ",")
}

var errDotSet = errors.New("dot set is not sorted, disjoint and canonical")

// ParseDotSet reads the text that String writes and no other.
func ParseDotSet(text string) (DotSet, error) {
	var s DotSet
	if text == "" {
		return s, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		head, tail, long := strings.Cut(part, "~")
		d, err := conflict.ParseDot(head)
		if err != nil {
			return DotSet{}, fmt.Errorf("dot set: %w", err)
		}
		r := run{d.Replica, d.Counter, d.Counter}
		if long {
			if r.to, err = strconv.ParseUint(tail, 10, 64); err != nil || r.to <= r.from {
				return DotSet{}, errDotSet
			}
		}
		if n := len(s.runs); n > 0 {
			p := s.runs[n-1]
			if c := p.replica.Compare(r.replica); c > 0 || c == 0 && r.from <= p.to+1 {
				return DotSet{}, errDotSet
			}
		}
		s.runs = append(s.runs, r)
	}
	if s.String() != text {
		return DotSet{}, errDotSet
	}
	return s, nil
}
