package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
)

// GivenBack reports whether a write of a record was given back before, and with
// which time of its receipt.
func (l *Ledger) GivenBack(record conflict.RecordID, write conflict.Dot) (received int64, ok bool, err error) {
	of, err := l.number(record.Replica)
	if err != nil || of == 0 {
		return 0, false, err
	}
	by, err := l.number(write.Replica)
	if err != nil || by == 0 {
		return 0, false, err
	}
	err = l.tx.QueryRow(`SELECT received FROM given_back WHERE record_replica = ? AND record_counter = ? AND replica = ? AND counter = ?`,
		of, record.Counter, by, write.Counter).Scan(&received)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read given back: %w", err)
	}
	return received, true, nil
}

// GivenBackAside returns the bytes of a write that was given back into quarantine,
// nil for none.
func (l *Ledger) GivenBackAside(replica int64, counter uint64) ([]byte, error) {
	var body []byte
	err := l.tx.QueryRow(`SELECT body FROM given_back WHERE replica = ? AND counter = ? AND aside = 1`, replica, counter).Scan(&body)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("read given back: %w", err)
	}
	return body, nil
}

// PutGivenBack stores a write that was given back.
func (l *Ledger) PutGivenBack(g *ledger.GivenBack) error {
	of, err := l.enroll(g.Record.Replica)
	if err != nil {
		return err
	}
	by, err := l.enroll(g.Write.Replica)
	if err != nil {
		return err
	}
	res, err := l.tx.Exec(`INSERT INTO given_back (record_replica, record_counter, replica, counter, unit, received, position, aside, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (record_replica, record_counter, replica, counter)
		DO UPDATE SET received = excluded.received, position = excluded.position WHERE received < excluded.received`,
		of, g.Record.Counter, by, g.Write.Counter, g.Unit, g.Received, int64(g.Position), g.Aside, g.Bytes)
	if err != nil {
		return fmt.Errorf("store given back: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return fmt.Errorf("store given back: %v of %v is there already (%v)", g.Write, g.Record, err)
	}
	if g.Position == 0 {
		return nil
	}
	if _, err := l.tx.Exec(`INSERT OR IGNORE INTO given_positions (unit, position) VALUES (?, ?)`, g.Unit, int64(g.Position)); err != nil {
		return fmt.Errorf("store given back: %w", err)
	}
	return nil
}

// MarkUnsealed notes that a record's given back review is not among the approvals
// yet.
func (l *Ledger) MarkUnsealed(id conflict.RecordID) error {
	return l.ofRecord(id, `INSERT OR IGNORE INTO unsealed (replica, counter) VALUES (?, ?)`)
}

// MarkSealed takes the note away.
func (l *Ledger) MarkSealed(id conflict.RecordID) error {
	return l.ofRecord(id, `DELETE FROM unsealed WHERE replica = ? AND counter = ?`)
}

func (l *Ledger) ofRecord(id conflict.RecordID, query string) error {
	no, err := l.enroll(id.Replica)
	if err != nil {
		return err
	}
	if _, err := l.tx.Exec(query, no, id.Counter); err != nil {
		return fmt.Errorf("note an unsealed review: %w", err)
	}
	return nil
}

// Unsealed returns those of the given records that have such a note.
func (l *Ledger) Unsealed(ids []conflict.RecordID) ([]conflict.RecordID, error) {
	var any int
	if err := l.tx.QueryRow(`SELECT EXISTS (SELECT 1 FROM unsealed)`).Scan(&any); err != nil {
		return nil, fmt.Errorf("read unsealed reviews: %w", err)
	}
	if any == 0 {
		return nil, nil
	}
	var found []conflict.RecordID
	for _, id := range ids {
		no, err := l.number(id.Replica)
		if err != nil {
			return nil, err
		}
		var n int
		if err := l.tx.QueryRow(`SELECT count(*) FROM unsealed WHERE replica = ? AND counter = ?`, no, id.Counter).Scan(&n); err != nil {
			return nil, fmt.Errorf("read unsealed reviews: %w", err)
		}
		if n > 0 {
			found = append(found, id)
		}
	}
	return found, nil
}
