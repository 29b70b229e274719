package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Intake returns what is stored of the changeset that contains counter.
func (l *Ledger) Intake(replica int64, counter uint64) (ledger.Intake, bool, error) {
	in := ledger.Intake{Replica: replica}
	var hash []byte
	err := l.tx.QueryRow(`SELECT counter, count, hash, unit, received, body FROM intake
		WHERE replica = ? AND counter <= ? ORDER BY counter DESC LIMIT 1`, replica, counter).
		Scan(&in.Counter, &in.Count, &hash, &in.Unit, &in.Received, &in.Bytes)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return in, false, nil
	case err != nil:
		return in, false, fmt.Errorf("read intake: %w", err)
	}
	copy(in.Hash[:], hash)
	return in, counter < in.Counter+in.Count, nil
}

// Stored lists the changesets of a replica after a counter.
func (l *Ledger) Stored(replica int64, after uint64, limit int) ([]protocol.Stored, error) {
	rows, err := l.tx.Query(`SELECT counter, hash FROM intake WHERE replica = ? AND counter > ? ORDER BY counter LIMIT ?`, replica, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list intake: %w", err)
	}
	defer rows.Close()
	var list []protocol.Stored
	for rows.Next() {
		var s protocol.Stored
		var hash []byte
		if err := rows.Scan(&s.Counter, &hash); err != nil {
			return nil, fmt.Errorf("list intake: %w", err)
		}
		copy(s.Hash[:], hash)
		list = append(list, s)
	}
	return list, rows.Err()
}

// AppendIntake stores a changeset and the records that it touched.
func (l *Ledger) AppendIntake(in *ledger.Intake, records []conflict.RecordID) error {
	if err := l.tx.insert(intoIntake, in.Replica, int64(in.Counter), int64(in.Count), in.Hash[:], in.Unit, in.Received, in.Bytes); err != nil {
		return fmt.Errorf("store changeset: %w", err)
	}
	for _, id := range records {
		no, err := l.enroll(id.Replica)
		if err != nil {
			return err
		}
		if err := l.tx.insert(intoHistory, no, int64(id.Counter), in.Replica, int64(in.Counter)); err != nil {
			return fmt.Errorf("store history: %w", err)
		}
	}
	return nil
}

var (
	intoIntake  = newInsertion(`INSERT INTO intake (replica, counter, count, hash, unit, received, body) VALUES `, 7, ``)
	intoHistory = newInsertion(`INSERT INTO history (record_replica, record_counter, replica, counter) VALUES `, 4, ``)
)

// Changesets returns every changeset that touched a record, in the order in
// which the server received them, with the ids of their replicas. A write that
// was given back is a changeset of its own, beside the one that it came in if
// that has come, too.
func (l *Ledger) Changesets(id conflict.RecordID) ([]ledger.Intake, error) {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return nil, err
	}
	rows, err := l.tx.Query(`SELECT i.replica, i.counter, i.count, i.hash, i.unit, i.received, i.body
		FROM history h JOIN intake i ON i.replica = h.replica AND i.counter = h.counter
		WHERE h.record_replica = ?1 AND h.record_counter = ?2
		UNION ALL SELECT g.replica, g.counter, 1, NULL, g.unit, g.received, g.body FROM given_back g
		WHERE g.record_replica = ?1 AND g.record_counter = ?2 AND g.aside = 0
		ORDER BY 6, 1, 2`, no, id.Counter)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer rows.Close()
	var list []ledger.Intake
	for rows.Next() {
		var in ledger.Intake
		var hash []byte
		if err := rows.Scan(&in.Replica, &in.Counter, &in.Count, &hash, &in.Unit, &in.Received, &in.Bytes); err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		if hash == nil {
			in.Hash = record.HashOf(in.Bytes)
		}
		copy(in.Hash[:], hash)
		list = append(list, in)
	}
	return list, rows.Err()
}

const quarantineColumns = `replica, counter, count, unit, author, code, detail, at, settled, settled_by, settled_at, reason`

const quarantineQuery = `SELECT ` + quarantineColumns + `,
	(SELECT p.id FROM releases x JOIN replicas p ON p.no = x.to_replica WHERE x.replica = q.replica AND x.counter = q.counter),
	coalesce((SELECT x.to_counter FROM releases x WHERE x.replica = q.replica AND x.counter = q.counter), 0) FROM quarantine q`

// Quarantined lists every entry of a replica, settled ones included: the
// device is told of both.
func (l *Ledger) Quarantined(replica int64) ([]ledger.Quarantine, error) {
	return l.quarantine(quarantineQuery+` WHERE replica = ? ORDER BY counter`, replica)
}

// QuarantineOf lists the open entries that the supervisor of a unit sees.
func (l *Ledger) QuarantineOf(unit string) ([]ledger.Quarantine, error) {
	return l.quarantine(quarantineQuery+` WHERE unit = ? AND settled = '' ORDER BY at, replica, counter`, unit)
}

func (l *Ledger) quarantine(query string, args ...any) ([]ledger.Quarantine, error) {
	rows, err := l.tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read quarantine: %w", err)
	}
	defer rows.Close()
	var list []ledger.Quarantine
	for rows.Next() {
		var q ledger.Quarantine
		var as []byte
		if err := rows.Scan(&q.Replica, &q.Counter, &q.Count, &q.Unit, &q.Author, &q.Code, &q.Detail, &q.At,
			&q.Settled, &q.SettledBy, &q.SettledAt, &q.Reason, &as, &q.As.Counter); err != nil {
			return nil, fmt.Errorf("read quarantine: %w", err)
		}
		copy(q.As.Replica[:], as)
		list = append(list, q)
	}
	return list, rows.Err()
}

// PutQuarantine opens or settles an entry.
func (l *Ledger) PutQuarantine(q *ledger.Quarantine) error {
	_, err := l.tx.Exec(`INSERT INTO quarantine (`+quarantineColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (replica, counter) DO UPDATE SET count = excluded.count, unit = excluded.unit, author = excluded.author,
			code = excluded.code, detail = excluded.detail, at = excluded.at, settled = excluded.settled, settled_by = excluded.settled_by,
			settled_at = excluded.settled_at, reason = excluded.reason`,
		q.Replica, q.Counter, q.Count, q.Unit, q.Author, q.Code, q.Detail, q.At, q.Settled, q.SettledBy, q.SettledAt, q.Reason)
	if err != nil {
		return fmt.Errorf("keep quarantine: %w", err)
	}
	return nil
}

// DropQuarantine forgets an entry.
func (l *Ledger) DropQuarantine(replica int64, counter uint64) error {
	if _, err := l.tx.Exec(`DELETE FROM quarantine WHERE replica = ? AND counter = ?`, replica, counter); err != nil {
		return fmt.Errorf("drop quarantine: %w", err)
	}
	return nil
}
