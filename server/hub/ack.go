package hub

import (
	"context"
	"maps"
	"slices"
	"strconv"

	"wardbook/server/audit"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
)

// AckRequest acknowledges everything up to a cursor.
type AckRequest struct {
	Dataset string `json:"dataset" maxlen:"40"`
	Cursor  string `json:"cursor" maxlen:"65536" doc:"the next_cursor of the last page that is durable at the consumer"`
}

// AckReply says how many units moved on.
type AckReply struct {
	Units int `json:"units" doc:"for which this acknowledges more than was acknowledged before"`
}

// Ack keeps that the consumer holds everything up to the cursor. It is
// cumulative: an older cursor changes nothing.
func (f *Feed) Ack(ctx context.Context, q AckRequest) (AckReply, error) {
	var reply AckReply
	err := f.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		reply = AckReply{}
		if q.Cursor == "" {
			return ErrCursor.At("cursor")
		}
		r, err := f.read(ctx, tx, q.Dataset, q.Cursor)
		if err != nil {
			return pointed(err, map[string]string{ErrDataset.Code: "dataset", ErrCursor.Code: "cursor"})
		}
		for _, unit := range slices.Sorted(maps.Keys(r.cursor.through)) {
			if err := r.may(unit); err != nil {
				return err
			}
			m := protocol.HubMark{Unit: unit, Register: q.Dataset, Revision: r.cursor.through[unit]}
			moved, err := r.t.KeepHubMark(m)
			if err != nil {
				return err
			}
			if moved {
				reply.Units++
				tx.AfterCommit(func() { f.cfg.Announce(unit, &m) })
			}
		}
		if reply.Units == 0 {
			return nil
		}
		return audit.Append(tx, f.cfg.Store.Now(), audit.Entry{Actor: r.p.Account, Device: r.p.Device, Action: "hub.ack", Subject: q.Dataset,
			Detail: map[string]string{"units": strconv.Itoa(reply.Units)}})
	})
	if err != nil {
		return AckReply{}, err
	}
	return reply, nil
}

// pointed returns err with the name of the request's field for its code.
func pointed(err error, fields map[string]string) error {
	if e := rpc.Public(err); fields[e.Code] != "" {
		return e.At(fields[e.Code])
	}
	return err
}
