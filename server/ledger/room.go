package ledger

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// A page tells at least all that one changeset touched, so no changeset may make
// more of its records than a page holds: no device could be told of anything in
// that stream again. What the server itself writes has a quarter left.
const (
	certain   = 16 << 10 // of state and changeset, which surely fit
	mostBytes = protocol.MaxMessage / 4 * 3
	most      = protocol.MaxDecoded - 256<<10
)

// tooLarge refuses a changeset after which a page could not tell its records,
// unless it makes them smaller. Rows are nil for records that were erased.
func tooLarge(c record.Changeset, rows []*Row) (*protocol.Error, error) {
	size := 0
	var first *Row
	for i, row := range rows {
		if row == nil {
			continue
		}
		if first == nil {
			first = row
		}
		size += len(row.State)
		for _, w := range c.Edits[i].Writes {
			size += len(w.Value)
		}
	}
	if size <= certain {
		return nil, nil
	}
	var before, after protocol.Page
	for i, row := range rows {
		if row == nil {
			continue
		}
		var old conflict.Record
		if len(row.State) > 0 {
			var err error
			if old, _, err = record.ParseState(row.State, row.ID); err != nil {
				return nil, err
			}
		}
		before.Records = append(before.Records, whole(row.ID, old))
		after.Records = append(after.Records, whole(row.ID, c.Apply(old, i, 0)))
	}
	w := weight(&after)
	if w <= mostBytes || w < weight(&before) || w <= most && len(protocol.Encode(nil, &after)) <= mostBytes {
		return nil, nil
	}
	return &protocol.Error{Code: protocol.TooLarge, Detail: first.ID.String()}, nil
}

func whole(id conflict.RecordID, r conflict.Record) protocol.RecordDelta {
	return protocol.RecordDelta{Record: id, Fields: r.Fields()}
}

func weight(p *protocol.Page) (n int) {
	for i := range p.Records {
		n += protocol.RecordWeight(&p.Records[i])
	}
	return n
}
