package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/protocol"
)

// Revisions lists, for a register, the last revision of every unit that has
// one.
func (l *Ledger) Revisions(register string) (map[string]uint64, error) {
	rows, err := l.tx.Query(`SELECT unit, revision FROM revisions WHERE register = ?`, register)
	if err != nil {
		return nil, fmt.Errorf("read revisions: %w", err)
	}
	defer rows.Close()
	last := map[string]uint64{}
	for rows.Next() {
		var unit string
		var n uint64
		if err := rows.Scan(&unit, &n); err != nil {
			return nil, fmt.Errorf("read revisions: %w", err)
		}
		last[unit] = n
	}
	return last, rows.Err()
}

// Standing lists what the hub holds of a register of a unit as of a revision:
// for each record its last published decision, if it is an upsert.
func (l *Ledger) Standing(unit, register string, through uint64) ([]store.Approval, error) {
	no, err := l.registerNumber(register, false)
	if err != nil || no == 0 {
		return nil, err
	}
	return l.approvals(`SELECT replica, counter, `+approvalColumns+` FROM approvals AS a
		WHERE unit = ? AND register = ? AND revision > 0 AND revision <= ? AND op = 'upsert' AND NOT EXISTS (
			SELECT 1 FROM approvals AS b WHERE b.replica = a.replica AND b.counter = a.counter AND b.seq > a.seq
				AND b.revision > 0 AND b.revision <= ? AND b.unit = a.unit)
		ORDER BY revision`, unit, no, through, through)
}

// PublishedBefore returns the last revision under which a record was published
// in a unit before a decision of it, 0 for none.
func (l *Ledger) PublishedBefore(id conflict.RecordID, seq uint64, unit string) (uint64, error) {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return 0, err
	}
	var n uint64
	err = l.tx.QueryRow(`SELECT revision FROM approvals WHERE replica = ? AND counter = ? AND seq < ? AND revision > 0 AND unit = ?
		ORDER BY seq DESC LIMIT 1`, no, id.Counter, seq, unit).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read earlier revision: %w", err)
	}
	return n, nil
}

// ContentHashes lists the kept content hashes of a register of a unit, by
// revision.
func (l *Ledger) ContentHashes(unit, register string) (map[uint64]store.Hash, error) {
	rows, err := l.tx.Query(`SELECT revision, sha256 FROM hub_content WHERE unit = ? AND register = ?`, unit, register)
	if err != nil {
		return nil, fmt.Errorf("read content hashes: %w", err)
	}
	defer rows.Close()
	hashes := map[uint64]store.Hash{}
	for rows.Next() {
		var n uint64
		var b []byte
		if err := rows.Scan(&n, &b); err != nil {
			return nil, fmt.Errorf("read content hashes: %w", err)
		}
		var h store.Hash
		copy(h[:], b)
		hashes[n] = h
	}
	return hashes, rows.Err()
}

// KeepContentHash keeps the content hash of a revision. It writes nothing where
// the same is kept already.
func (l *Ledger) KeepContentHash(unit, register string, revision uint64, h store.Hash) error {
	_, err := l.tx.Exec(`INSERT INTO hub_content (unit, register, revision, sha256) VALUES (?, ?, ?, ?)
		ON CONFLICT (unit, register, revision) DO UPDATE SET sha256 = excluded.sha256 WHERE sha256 <> excluded.sha256`, unit, register, revision, h[:])
	if err != nil {
		return fmt.Errorf("keep content hash: %w", err)
	}
	return nil
}

// KeepHubMark moves on how far the hub has acknowledged a register of a unit,
// and reports whether it moved.
func (l *Ledger) KeepHubMark(m protocol.HubMark) (bool, error) {
	res, err := l.tx.Exec(`INSERT INTO hub_marks (unit, register, revision) VALUES (?, ?, ?)
		ON CONFLICT (unit, register) DO UPDATE SET revision = excluded.revision WHERE excluded.revision > revision`,
		m.Unit, m.Register, m.Revision)
	if err != nil {
		return false, fmt.Errorf("keep hub mark: %w", err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
