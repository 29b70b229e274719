package replication

import (
	"context"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// takeBack stores what given back pages prove, and the decisions that come back
// with it, in one transaction. A device that was closed may give back, too: what
// is believed is our own signature, not who brings it.
func (h *host) takeBack(ctx context.Context, m *protocol.Return) (session.Event, error) {
	var back ledger.Back
	err := h.s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) (err error) {
		if !h.s.hasTurn(h.caller.Name, h.replica, h.turn) {
			return errSuperseded
		}
		back, err = h.s.cfg.Ledger.GiveBack(sqlite.LedgerOf(tx), m, func(account string) (bool, error) {
			a, err := tx.AccountByName(account)
			if errors.Is(err, store.ErrNotFound) {
				return false, nil // made after the backup; the server trusted it once
			}
			return a.Disabled, err
		})
		if err != nil {
			return err
		}
		if h.s.cfg.Reinstate != nil && len(back.Records) > 0 {
			grew, err := h.s.cfg.Reinstate(tx, back.Records)
			if err != nil {
				return err
			}
			back.Grew = append(back.Grew, grew...)
		}
		if back.Writes+back.Aside+back.Unproven == 0 {
			return nil
		}
		return h.note(tx, "sync.give_back", h.caller.Unit, map[string]string{"writes": fmt.Sprint(back.Writes),
			"quarantined": fmt.Sprint(back.Aside), "unproven": fmt.Sprint(back.Unproven)})
	})
	if err != nil {
		return h.rejected(err)
	}
	h.s.metrics.givenBack.WithLabelValues("stored").Add(float64(back.Writes))
	h.s.metrics.givenBack.WithLabelValues("quarantined").Add(float64(back.Aside))
	h.s.metrics.givenBack.WithLabelValues("unproven").Add(float64(back.Unproven))
	h.grew = append(h.grew, back.Grew...)
	return session.TookBack{Now: h.s.cfg.Now(), Returned: back.Returned}, nil
}

// reinstate looks whether decisions that were given back waited for what was
// just committed.
func (h *host) reinstate(tx *sqlite.Tx, records []conflict.RecordID, grew *[]protocol.StreamMark) error {
	if h.s.cfg.Reinstate == nil || len(records) == 0 {
		return nil
	}
	waiting, err := sqlite.LedgerOf(tx).Unsealed(records)
	if err != nil || len(waiting) == 0 {
		return err
	}
	more, err := h.s.cfg.Reinstate(tx, waiting)
	*grew = append(*grew, more...)
	return err
}

// touched lists the records of changesets.
func touched(changesets []record.Changeset) []conflict.RecordID {
	var ids []conflict.RecordID
	for i := range changesets {
		for j := range changesets[i].Edits {
			ids = append(ids, changesets[i].Edits[j].Record)
		}
	}
	return ids
}
