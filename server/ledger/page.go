package ledger

import (
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
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
	if len(scope.Neighbourhoods) > 0 {
		floor = 0
	}
	def, ok := l.cfg.Definition(scope.Register)
	if !ok {
		return nil, &protocol.Error{Code: protocol.UnknownRegister}
	}
	head, err := t.StreamHead(scope.Stream)
	if err != nil {
		return nil, err
	}
	rows, err := t.Changed(scope.Stream, from, l.cfg.PageRecords+record.MaxEdits)
	if err != nil {
		return nil, err
	}
	p := &protocol.Page{Stream: scope.Stream, Floor: floor, From: from, To: from, Head: head}
	position := func(r *Row) uint64 {
		if scope.Class == protocol.Sensitive {
			return r.Sensitive
		}
		return r.Position
	}
	// Cut at the last position that is whole within the bounds.
	n, size := 0, 0
	for n < len(rows) {
		m, s := n, size
		for m < len(rows) && position(&rows[m]) == position(&rows[n]) {
			s += len(rows[m].State)
			m++
		}
		if n > 0 && (m > l.cfg.PageRecords || s > pageBytes) || m == len(rows) && m == l.cfg.PageRecords+record.MaxEdits {
			break // the last position read may not be whole
		}
		n, size = m, s
	}
	for i := range rows[:n] {
		row := &rows[i]
		d := protocol.RecordDelta{Record: row.ID}
		if len(scope.Neighbourhoods) > 0 && !slices.Contains(scope.Neighbourhoods, row.Neighbourhood) {
			d.Left = true
		} else {
			r, positions, err := record.ParseState(row.State, row.ID)
			if err != nil {
				return nil, fmt.Errorf("record %v: %w", row.ID, err)
			}
			j := 0
			for k, f := range r.All() {
				if positions[j] > floor && ClassOf(def, k.ID) == scope.Class {
					d.Fields = append(d.Fields, conflict.Entry{Key: k, Field: f})
				}
				j++
			}
		}
		p.Records = append(p.Records, d)
		p.To = position(row)
	}
	if n == len(rows) {
		p.To = max(p.To, head)
	}
	if l.cfg.Key != nil {
		epoch, err := t.Epoch()
		if err != nil {
			return nil, err
		}
		protocol.SignPage(l.cfg.Key, epoch.Token, p)
	}
	return p, nil
}
