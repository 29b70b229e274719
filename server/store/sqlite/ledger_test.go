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
	if err := s.Update(context.Background(), func(tx *Tx) error { return LedgerOf(tx).BeginEpoch() }); err != nil {
		t.Fatal(err)
	}
	return ledgerEngine{s}
}
