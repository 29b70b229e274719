package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

// PutMove keeps that a record left a unit for another.
func (l *Ledger) PutMove(m *ledger.Move) error {
	no, err := l.enroll(m.Record.Replica)
	if err != nil {
		return err
	}
	register, err := l.registerNumber(m.Register, true)
	if err != nil {
		return err
	}
	sensitive := uint64(0)
	if m.Sensitive {
		sensitive = m.Position
	}
	if _, err := l.tx.Exec(`INSERT INTO departed (replica, counter, unit, register, position, sensitive) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (replica, counter, unit) DO UPDATE SET position = excluded.position, sensitive = excluded.sensitive`,
		no, m.Record.Counter, m.From, register, m.Position, sensitive); err != nil {
		return fmt.Errorf("keep move: %w", err)
	}
	if _, err := l.tx.Exec(`DELETE FROM departed WHERE replica = ? AND counter = ? AND unit = ?`, no, m.Record.Counter, m.To); err != nil {
		return fmt.Errorf("keep move: %w", err)
	}
	return nil
}

// Departed returns the position at which a record left a unit.
func (l *Ledger) Departed(id conflict.RecordID, unit string) (uint64, bool, error) {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return 0, false, err
	}
	var p uint64
	err = l.tx.QueryRow(`SELECT position FROM departed WHERE replica = ? AND counter = ? AND unit = ?`, no, id.Counter, unit).Scan(&p)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return 0, false, nil
	case err != nil:
		return 0, false, fmt.Errorf("read move: %w", err)
	}
	return p, true, nil
}

// PutArrival keeps that a record waits for its unit's word.
func (l *Ledger) PutArrival(a *ledger.Arrival) error {
	no, err := l.enroll(a.Record.Replica)
	if err != nil {
		return err
	}
	if _, err := l.tx.Exec(`INSERT INTO arrivals (replica, counter, unit, origin, at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (replica, counter) DO UPDATE SET unit = excluded.unit, origin = excluded.origin, at = excluded.at`,
		no, a.Record.Counter, a.Unit, a.From, a.At); err != nil {
		return fmt.Errorf("keep arrival: %w", err)
	}
	return nil
}

// DropArrival forgets it.
func (l *Ledger) DropArrival(id conflict.RecordID) error {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return err
	}
	if _, err := l.tx.Exec(`DELETE FROM arrivals WHERE replica = ? AND counter = ?`, no, id.Counter); err != nil {
		return fmt.Errorf("drop arrival: %w", err)
	}
	return nil
}

// ArrivalOf returns the arrival of a record; ok is false if it waits for nobody.
func (l *Ledger) ArrivalOf(id conflict.RecordID) (ledger.Arrival, bool, error) {
	a := ledger.Arrival{Record: id}
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return a, false, err
	}
	err = l.tx.QueryRow(`SELECT unit, origin, at FROM arrivals WHERE replica = ? AND counter = ?`, no, id.Counter).Scan(&a.Unit, &a.From, &a.At)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return a, false, nil
	case err != nil:
		return a, false, fmt.Errorf("read arrival: %w", err)
	}
	return a, true, nil
}

// Arrivals lists what waits for a unit's word, oldest first.
func (l *Ledger) Arrivals(unit string, limit int) ([]ledger.Arrival, error) {
	rows, err := l.tx.Query(`SELECT replica, counter, origin, at FROM arrivals WHERE unit = ? ORDER BY at, replica, counter LIMIT ?`, unit, limit)
	if err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	defer rows.Close()
	var list []ledger.Arrival
	var nos []int64
	for rows.Next() {
		a := ledger.Arrival{Unit: unit}
		var no int64
		if err := rows.Scan(&no, &a.Record.Counter, &a.From, &a.At); err != nil {
			return nil, fmt.Errorf("list arrivals: %w", err)
		}
		list, nos = append(list, a), append(nos, no)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list arrivals: %w", err)
	}
	rows.Close()
	for i, no := range nos {
		if list[i].Record.Replica, err = l.idOf(no); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// LeftSince lists the records that left a register of a unit after a position.
func (l *Ledger) LeftSince(unit, register string, position uint64) ([]conflict.RecordID, error) {
	rows, err := l.left(protocol.Stream{Unit: unit, Register: register}, position, -1)
	ids := make([]conflict.RecordID, len(rows))
	for i := range rows {
		ids[i] = rows[i].ID
	}
	return ids, err
}

// left lists the records that left a stream after a position, by position.
func (l *Ledger) left(stream protocol.Stream, from uint64, limit int) ([]ledger.Row, error) {
	register, err := l.registerNumber(stream.Register, false)
	if err != nil || register == 0 {
		return nil, err
	}
	query := `SELECT replica, counter, position, sensitive FROM departed WHERE unit = ? AND register = ? AND position > ? ORDER BY position LIMIT ?`
	if stream.Class == protocol.Sensitive {
		query = `SELECT replica, counter, position, sensitive FROM departed WHERE unit = ? AND register = ? AND position > ? AND sensitive > 0 ORDER BY position LIMIT ?`
	}
	rows, err := l.tx.Query(query, stream.Unit, register, from, limit)
	if err != nil {
		return nil, fmt.Errorf("list what left: %w", err)
	}
	defer rows.Close()
	var list []ledger.Row
	var nos []int64
	for rows.Next() {
		r := ledger.Row{Register: stream.Register, Unit: stream.Unit, Left: true}
		var no int64
		if err := rows.Scan(&no, &r.ID.Counter, &r.Position, &r.Sensitive); err != nil {
			return nil, fmt.Errorf("list what left: %w", err)
		}
		list, nos = append(list, r), append(nos, no)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list what left: %w", err)
	}
	rows.Close()
	for i, no := range nos {
		if list[i].ID.Replica, err = l.idOf(no); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// withLeft merges the rows of a stream with those that left it, by position.
func withLeft(class protocol.Class, rows, left []ledger.Row, limit int) []ledger.Row {
	if len(left) == 0 {
		return rows
	}
	position := func(r *ledger.Row) uint64 {
		if class == protocol.Sensitive {
			return r.Sensitive
		}
		return r.Position
	}
	all := append(rows, left...)
	slices.SortStableFunc(all, func(a, b ledger.Row) int {
		switch p, q := position(&a), position(&b); {
		case p < q:
			return -1
		case p > q:
			return 1
		}
		return 0
	})
	return all[:min(len(all), limit)]
}
