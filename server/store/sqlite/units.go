package sqlite

import (
	"fmt"

	"wardbook/server/ledger"
	"wardbook/sync/register"
)

// UnitChanges lists what became of units' codes, by list and code.
func (l *Ledger) UnitChanges() ([]ledger.UnitChange, error) {
	rows, err := l.tx.Query(`SELECT list, before, old, new, at FROM unit_changes ORDER BY list, old, new`)
	if err != nil {
		return nil, fmt.Errorf("read changes of units: %w", err)
	}
	defer rows.Close()
	var list []ledger.UnitChange
	for rows.Next() {
		var c ledger.UnitChange
		var to string
		if err := rows.Scan(&c.List, &c.Before, &c.Old, &to, &c.At); err != nil {
			return nil, fmt.Errorf("read changes of units: %w", err)
		}
		if n := len(list); n > 0 && list[n-1].List == c.List && list[n-1].Old == c.Old {
			list[n-1].New = append(list[n-1].New, to)
			continue
		}
		c.New = []string{to}
		list = append(list, c)
	}
	return list, rows.Err()
}

// PutUnitChange keeps one.
func (l *Ledger) PutUnitChange(c *ledger.UnitChange) error {
	for _, to := range c.New {
		if _, err := l.tx.Exec(`INSERT INTO unit_changes (list, old, new, before, at) VALUES (?, ?, ?, ?, ?)`, c.List, c.Old, to, c.Before, c.At); err != nil {
			return fmt.Errorf("keep change of unit %s: %w", c.Old, err)
		}
	}
	return nil
}

// WaitingUnits lists the waiting units that are the concern of a unit.
func (tx *Tx) WaitingUnits(unit string) ([]string, error) {
	if unit == "" {
		return nil, nil
	}
	changes, err := LedgerOf(tx).UnitChanges()
	return ledger.WaitingFor(changes, unit), err
}

// NamedUnit is a unit that a list has new, or under another name.
type NamedUnit struct {
	List string
	register.Unit
}

// NamedUnits lists them, by list and code.
func (tx *Tx) NamedUnits() ([]NamedUnit, error) {
	rows, err := tx.Query(`SELECT list, code, name_vi, name_en, kind FROM unit_names ORDER BY list, code`)
	if err != nil {
		return nil, fmt.Errorf("read names of units: %w", err)
	}
	defer rows.Close()
	var list []NamedUnit
	for rows.Next() {
		var u NamedUnit
		if err := rows.Scan(&u.List, &u.Code, &u.NameVI, &u.NameEN, &u.Kind); err != nil {
			return nil, fmt.Errorf("read names of units: %w", err)
		}
		list = append(list, u)
	}
	return list, rows.Err()
}

// PutNamedUnit keeps one.
func (tx *Tx) PutNamedUnit(u NamedUnit) error {
	if _, err := tx.Exec(`INSERT INTO unit_names (list, code, name_vi, name_en, kind) VALUES (?, ?, ?, ?, ?)`, u.List, u.Code, u.NameVI, u.NameEN, u.Kind); err != nil {
		return fmt.Errorf("keep name of unit %s: %w", u.Code, err)
	}
	return nil
}

// CountByUnit counts records by unit and register.
func (l *Ledger) CountByUnit(unit string) (map[string]int, error) {
	rows, err := l.tx.Query(`SELECT g.id, count(*) FROM records r JOIN registers g ON g.no = r.register WHERE r.unit = ? GROUP BY g.id`, unit)
	if err != nil {
		return nil, fmt.Errorf("count records: %w", err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var id string
		var n int
		if err := rows.Scan(&id, &n); err != nil {
			return nil, fmt.Errorf("count records: %w", err)
		}
		counts[id] = n
	}
	return counts, rows.Err()
}

// FollowQuarantine lets the supervisors of the units to which others went see
// what is open in quarantine of those. All go at once: codes may go round.
func (l *Ledger) FollowQuarantine(moves map[string]string) error {
	type entry struct {
		replica, counter int64
		to               string
	}
	var list []entry
	for from, to := range moves {
		rows, err := l.tx.Query(`SELECT replica, counter FROM quarantine WHERE unit = ? AND settled = ''`, from)
		if err != nil {
			return fmt.Errorf("follow quarantine: %w", err)
		}
		for rows.Next() {
			e := entry{to: to}
			if err := rows.Scan(&e.replica, &e.counter); err != nil {
				rows.Close()
				return fmt.Errorf("follow quarantine: %w", err)
			}
			list = append(list, e)
		}
		if err := rows.Err(); err != nil {
			return fmt.Errorf("follow quarantine: %w", err)
		}
		rows.Close()
	}
	for _, e := range list {
		if _, err := l.tx.Exec(`UPDATE quarantine SET unit = ? WHERE replica = ? AND counter = ?`, e.to, e.replica, e.counter); err != nil {
			return fmt.Errorf("follow quarantine: %w", err)
		}
	}
	return nil
}
