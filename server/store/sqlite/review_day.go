package sqlite

import (
	"fmt"

	"wardbook/server/store"
)

// DecisionsByDay counts the decisions of a unit since a time, by day and
// decision. A day is numbered by the days since 1970, on a clock that is offset
// from UTC by so much; both in milliseconds.
func (l *Ledger) DecisionsByDay(unit string, since, offset int64) (map[int64]map[string]int, error) {
	rows, err := l.tx.Query(`SELECT (at + ?3) / 86400000, decision, count(*) FROM approvals WHERE unit = ?1 AND at >= ?2 GROUP BY 1, 2`, unit, since, offset)
	if err != nil {
		return nil, fmt.Errorf("count decisions: %w", err)
	}
	defer rows.Close()
	days := map[int64]map[string]int{}
	for rows.Next() {
		var day int64
		var decision string
		var n int
		if err := rows.Scan(&day, &decision, &n); err != nil {
			return nil, fmt.Errorf("count decisions: %w", err)
		}
		if days[day] == nil {
			days[day] = map[string]int{}
		}
		days[day][decision] = n
	}
	return days, rows.Err()
}

// RecordCounts counts a unit's records: all, those whose approved version is in
// the hub's feed, and of those the ones that the hub has acknowledged.
func (l *Ledger) RecordCounts(unit string) (all, published, atHub int, err error) {
	err = l.tx.QueryRow(`SELECT count(*), coalesce(sum(r.revision > 0), 0), coalesce(sum(r.revision > 0 AND r.revision <= coalesce(h.revision, 0)), 0)
		FROM records r JOIN registers g ON g.no = r.register
		LEFT JOIN hub_marks h ON h.unit = r.unit AND h.register = g.id WHERE r.unit = ?`, unit).Scan(&all, &published, &atHub)
	if err != nil {
		err = fmt.Errorf("count records: %w", err)
	}
	return all, published, atHub, err
}

// QuarantineCount counts the open entries of a unit.
func (l *Ledger) QuarantineCount(unit string) (n int, err error) {
	if err = l.tx.QueryRow(`SELECT count(*) FROM quarantine WHERE unit = ? AND settled = ''`, unit).Scan(&n); err != nil {
		err = fmt.Errorf("count quarantine: %w", err)
	}
	return n, err
}

// UnitDevices lists the live devices of a unit's accounts, the one that has
// kept something unsent longest first. A device that came with several
// replicas counts with the one seen last.
func (l *Ledger) UnitDevices(unit string, limit int) ([]store.UnitDevice, error) {
	rows, err := l.tx.Query(`SELECT a.name, d.label, `+lastSeen+`, coalesce(r.unsent, 0), coalesce(r.oldest, 0),
			(SELECT coalesce(max(vanished_at), 0) FROM replicas v WHERE v.account = a.name AND v.device = d.id)
		FROM accounts a JOIN devices d ON d.account = a.id
		LEFT JOIN replicas r ON r.no = (SELECT no FROM replicas x WHERE x.account = a.name AND x.device = d.id ORDER BY x.seen_at DESC LIMIT 1)
		WHERE a.unit = ? AND a.disabled = 0 AND d.revoked_at IS NULL
		ORDER BY coalesce(r.oldest, 0) = 0, r.oldest, a.name, d.id LIMIT ?`, unit, limit)
	if err != nil {
		return nil, fmt.Errorf("list unit's devices: %w", err)
	}
	defer rows.Close()
	var list []store.UnitDevice
	for rows.Next() {
		var d store.UnitDevice
		if err := rows.Scan(&d.Account, &d.Label, &d.LastSeenAt, &d.Unsent, &d.OldestUnsent, &d.VanishedAt); err != nil {
			return nil, fmt.Errorf("list unit's devices: %w", err)
		}
		list = append(list, d)
	}
	return list, rows.Err()
}
