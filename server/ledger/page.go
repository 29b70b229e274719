package ledger

import (
	"fmt"
	"slices"
	"sync"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// PageRecords is how many records one page holds, unless a single position
// touched more.
const PageRecords = 1000

// pageBytes bounds the state bytes that a page is made from.
const pageBytes = 768 << 10

// Page builds the page of scope's stream that follows position from, for a
// device that held the whole stream at position floor. A page with no records
// and To = From means that there is nothing new. A scope that is limited to
// neighbourhoods gets whole records: one that enters it was never sent before.
func (l *Ledger) Page(t Tables, scope protocol.Scope, from, floor uint64) (*protocol.Page, error) {
	p, epoch, err := l.page(t, &record.Memory{}, scope, from, floor)
	if err == nil && l.cfg.Key != nil {
		protocol.SignPage(l.cfg.Key, epoch, p)
	}
	return p, err
}

// SealedPage returns what Page returns but for its records, and its bytes,
// which may be sent to any number of devices.
func (l *Ledger) SealedPage(t Tables, scope protocol.Scope, from, floor uint64) (*protocol.Page, []byte, error) {
	m := memories.Get().(*record.Memory)
	defer func() { m.Reset(); memories.Put(m) }()
	p, epoch, err := l.page(t, m, scope, from, floor)
	if err != nil {
		return nil, nil, err
	}
	var packed []byte
	if l.cfg.Key == nil {
		packed = protocol.Encode(nil, p)
	} else {
		packed = protocol.SealPage(l.cfg.Key, epoch, p)
	}
	p.Records = nil // they lie in m
	return p, packed, nil
}

// memories are used again from page to page: the records of one are megabytes.
var memories = sync.Pool{New: func() any { return &record.Memory{} }}

// page builds the page without its signature, and returns in which epoch. Its
// records lie in m.
func (l *Ledger) page(t Tables, m *record.Memory, scope protocol.Scope, from, floor uint64) (*protocol.Page, protocol.Token, error) {
	epoch, err := t.Epoch()
	if err != nil {
		return nil, epoch.Token, err
	}
	if len(scope.Neighbourhoods) > 0 {
		floor = 0
	}
	def, ok := l.cfg.Definition(scope.Register)
	if !ok {
		return nil, epoch.Token, &protocol.Error{Code: protocol.UnknownRegister}
	}
	head, err := t.StreamHead(scope.Stream)
	if err != nil {
		return nil, epoch.Token, err
	}
	p := &protocol.Page{Stream: scope.Stream, Floor: floor, From: from, To: from, Head: head}
	position := func(r *Row) uint64 {
		if scope.Class == protocol.Sensitive {
			return r.Sensitive
		}
		return r.Position
	}
	// Cut at the last position that is whole within the bounds. One row more
	// than a page holds tells whether its last position is; only a position
	// that touched more than a page's records needs all of them.
	var rows []Row
	n := 0
	for _, limit := range []int{l.cfg.PageRecords + 1, l.cfg.PageRecords + record.MaxEdits} {
		if rows, err = t.Changed(scope.Stream, from, limit); err != nil {
			return nil, epoch.Token, err
		}
		for size := 0; n < len(rows); {
			end := n
			for end < len(rows) && position(&rows[end]) == position(&rows[n]) {
				size += len(rows[end].State)
				end++
			}
			if n > 0 && (end > l.cfg.PageRecords || size > pageBytes) || end == limit {
				break // the last position read may not be whole
			}
			n = end
		}
		if n > 0 || len(rows) < limit {
			break
		}
	}
	p.Records = make([]protocol.RecordDelta, 0, n)
	for i := range rows[:n] {
		row := &rows[i]
		d := protocol.RecordDelta{Record: row.ID}
		if row.Left || len(scope.Neighbourhoods) > 0 && !slices.Contains(scope.Neighbourhoods, row.Neighbourhood) {
			d.Left = true
		} else {
			r, positions, err := m.ParseState(row.State, row.ID)
			if err != nil {
				return nil, epoch.Token, fmt.Errorf("record %v: %w", row.ID, err)
			}
			d.Fields = changed(r, positions, floor, def, scope.Class)
		}
		p.Records = append(p.Records, d)
		p.To = position(row)
	}
	if n == len(rows) {
		p.To = max(p.To, head)
	}
	return p, epoch.Token, nil
}

// changed returns the fields of a class that changed after position floor. They
// may be the record's own.
func changed(r conflict.Record, positions []uint64, floor uint64, def *register.Definition, class protocol.Class) []conflict.Entry {
	all := r.Fields()
	var some []conflict.Entry
	every := true
	for i := range all {
		switch told := positions[i] > floor && ClassOf(def, all[i].Key.ID) == class; {
		case !told && every:
			every = false
			some = append(some, all[:i]...)
		case told && !every:
			some = append(some, all[i])
		}
	}
	if every {
		return all
	}
	return some
}
