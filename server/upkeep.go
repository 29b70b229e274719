package main

import (
	"context"
	"time"

	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
)

// retireEvery is how often replicas are looked for of which nothing was heard for
// so long that their ids are closed.
const retireEvery = 6 * time.Hour

// retireAtOnce bounds one transaction.
const retireAtOnce = 500

// retire closes ids until ctx ends.
func (a *app) retire(ctx context.Context) {
	for {
		if err := a.retireOnce(ctx); err != nil && ctx.Err() == nil {
			a.cfg.log.Error("retire replicas", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(retireEvery):
		}
	}
}

func (a *app) retireOnce(ctx context.Context) error {
	for {
		var done []ledger.Retirement
		err := a.store.Update(ctx, func(tx *sqlite.Tx) (err error) {
			if done, err = a.ledger.Retire(sqlite.LedgerOf(tx), retireAtOnce); err != nil {
				return err
			}
			for _, r := range done {
				if err := audit.Append(tx, a.store.Now(), audit.Entry{Action: "replica.retire", Subject: r.Replica.String(), Detail: map[string]string{"why": r.Why}}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || len(done) == 0 {
			return err
		}
	}
}
