package sqlite

import (
	"fmt"

	"wardbook/server/ledger"
)

// ReplicasOf lists the replicas of a device, by number.
func (l *Ledger) ReplicasOf(account, device string) ([]ledger.Replica, error) {
	return l.replicas(`SELECT `+replicaColumns+` FROM replicas WHERE account = ? AND device = ? ORDER BY no`, account, device)
}

// SilentSince lists up to limit replicas of accounts that were last seen before a
// time and are not retired, by number.
func (l *Ledger) SilentSince(before int64, limit int) ([]ledger.Replica, error) {
	return l.replicas(`SELECT `+replicaColumns+` FROM replicas WHERE account <> '' AND retired_at = 0 AND seen_at < ? ORDER BY no LIMIT ?`, before, limit)
}

func (l *Ledger) replicas(query string, args ...any) ([]ledger.Replica, error) {
	rows, err := l.tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	defer rows.Close()
	var list []ledger.Replica
	for rows.Next() {
		r, err := scanReplica(rows)
		if err != nil {
			return nil, fmt.Errorf("list replicas: %w", err)
		}
		l.numbers[r.ID], l.ids[r.No] = r.No, r.ID
		list = append(list, r)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list replicas: %w", err)
	}
	return list, nil
}

// AppendRetirement keeps a retirement; Number is set.
func (l *Ledger) AppendRetirement(r *ledger.Retirement) error {
	no, err := l.enroll(r.Replica)
	if err != nil {
		return err
	}
	if err := l.tx.QueryRow(`INSERT INTO retirements (number, epoch, replica, last, at, why)
		SELECT coalesce(max(number), 0) + 1, ?, ?, ?, ?, ? FROM retirements RETURNING number`,
		r.Epoch[:], no, r.Last, r.At, r.Why).Scan(&r.Number); err != nil {
		return fmt.Errorf("keep retirement: %w", err)
	}
	return nil
}
