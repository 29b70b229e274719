package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/server/ledger"
)

// Emptied returns how much an author deleted and blanked in a unit on a day.
// Only the latest day that was written is kept.
func (l *Ledger) Emptied(account, unit string, day int64) (ledger.Emptied, error) {
	var e ledger.Emptied
	err := l.tx.QueryRow(`SELECT records, fields FROM emptied WHERE account = ? AND unit = ? AND day = ?`, account, unit, day).Scan(&e.Records, &e.Fields)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return e, fmt.Errorf("read what was emptied: %w", err)
	}
	return e, nil
}

// SetEmptied keeps it.
func (l *Ledger) SetEmptied(account, unit string, day int64, e ledger.Emptied) error {
	_, err := l.tx.Exec(`INSERT INTO emptied (account, unit, day, records, fields) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (account, unit) DO UPDATE SET day = excluded.day, records = excluded.records, fields = excluded.fields`,
		account, unit, day, e.Records, e.Fields)
	if err != nil {
		return fmt.Errorf("keep what was emptied: %w", err)
	}
	return nil
}
