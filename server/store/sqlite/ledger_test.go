package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"wardbook/server/ledger"
	"wardbook/server/ledger/tablestest"
)

func TestLedgerTables(t *testing.T) {
	tablestest.Run(t, func(t *testing.T) tablestest.Engine { return ledgerEngine{openTemp(t, Options{})} })
}

type ledgerEngine struct{ s *Store }

func (e ledgerEngine) Update(work func(ledger.Tables) error) error {
	return e.s.Update(context.Background(), func(tx *Tx) error { return work(LedgerOf(tx)) })
}

func (e ledgerEngine) View(work func(ledger.Tables) error) error {
	return e.s.View(context.Background(), func(tx *Tx) error { return work(LedgerOf(tx)) })
}

// Restored does what a restore must do beside putting the file back: in one
// transaction it keeps the forks of the backup's last epoch and begins another.
func (e ledgerEngine) Restored(t *testing.T) tablestest.Engine {
	path := filepath.Join(t.TempDir(), "backup.db")
	if err := e.s.Backup(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	err = s.Update(context.Background(), func(tx *Tx) error {
		if _, err := tx.Exec(`INSERT INTO forks (epoch, unit, position)
			SELECT (SELECT token FROM epochs ORDER BY seq DESC LIMIT 1), unit, position FROM positions`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO epochs (seq, token, server, counter, began_at)
			SELECT max(seq) + 1, randomblob(16), randomblob(16), 0, ? FROM epochs`, s.Now().UnixMilli())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ledgerEngine{s}
}
