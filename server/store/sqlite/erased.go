package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
)

// erasedSet is what was erased by law, in memory: it is asked for with every edit.
// It changes with a commit alone, so that it never says more than the database
// holds. Any goroutine may ask.
type erasedSet struct {
	all atomic.Pointer[map[conflict.RecordID]bool]
}

func (s *erasedSet) has(id conflict.RecordID) bool { return (*s.all.Load())[id] }

// add takes more in. One goroutine at a time may call it.
func (s *erasedSet) add(more map[conflict.RecordID]bool) {
	all := maps.Clone(*s.all.Load())
	maps.Copy(all, more)
	s.all.Store(&all)
}

// readErased returns the set of the database behind conn.
func readErased(ctx context.Context, conn *sql.Conn) (*erasedSet, error) {
	all := map[conflict.RecordID]bool{}
	rows, err := conn.QueryContext(ctx, `SELECT p.id, e.counter FROM erased e JOIN replicas p ON p.no = e.replica`)
	if err != nil {
		return nil, fmt.Errorf("read what was erased: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var b []byte
		var id conflict.RecordID
		if err := rows.Scan(&b, &id.Counter); err != nil {
			return nil, fmt.Errorf("read what was erased: %w", err)
		}
		copy(id.Replica[:], b)
		all[id] = true
	}
	s := &erasedSet{}
	s.all.Store(&all)
	return s, rows.Err()
}

// Erased reports whether a record was erased by law.
func (l *Ledger) Erased(id conflict.RecordID) (bool, error) {
	if l.tx.erased != nil {
		return l.tx.erased.has(id) || l.tx.batch[id] || l.tx.erasing[id], nil
	}
	var n int
	err := l.tx.QueryRow(`SELECT count(*) FROM erased e JOIN replicas p ON p.no = e.replica WHERE p.id = ? AND e.counter = ?`, id.Replica[:], id.Counter).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read what was erased: %w", err)
	}
	return n > 0, nil
}

// Erasures lists what was erased with a number above after.
func (l *Ledger) Erasures(after uint64, limit int) ([]ledger.Erasure, error) {
	rows, err := l.tx.Query(`SELECT e.number, p.id, e.counter, e.register, e.unit, e.at FROM erased e JOIN replicas p ON p.no = e.replica
		WHERE e.number > ? ORDER BY e.number LIMIT ?`, int64(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read erasures: %w", err)
	}
	defer rows.Close()
	var list []ledger.Erasure
	for rows.Next() {
		var e ledger.Erasure
		var id []byte
		if err := rows.Scan(&e.Number, &id, &e.Record.Counter, &e.Register, &e.Unit, &e.At); err != nil {
			return nil, fmt.Errorf("read erasures: %w", err)
		}
		copy(e.Record.Replica[:], id)
		list = append(list, e)
	}
	return list, rows.Err()
}

// PutErasure keeps that a record was erased.
func (l *Ledger) PutErasure(e *ledger.Erasure) error {
	no, err := l.enroll(e.Record.Replica)
	if err != nil {
		return err
	}
	if _, err := l.tx.Exec(`INSERT INTO erased (number, replica, counter, register, unit, at) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (number) DO UPDATE SET replica = excluded.replica, counter = excluded.counter, register = excluded.register,
			unit = excluded.unit, at = excluded.at`, int64(e.Number), no, e.Record.Counter, e.Register, e.Unit, e.At); err != nil {
		return fmt.Errorf("keep erasure: %w", err)
	}
	if l.tx.erasing == nil {
		l.tx.erasing = map[conflict.RecordID]bool{}
	}
	l.tx.erasing[e.Record] = true
	return nil
}

// DropRecord forgets a record's row, and what waits for it.
func (l *Ledger) DropRecord(id conflict.RecordID) error {
	delete(l.read, id)
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return err
	}
	for _, q := range []string{
		`DELETE FROM records WHERE replica = ? AND counter = ?`,
		`DELETE FROM arrivals WHERE replica = ? AND counter = ?`,
		`DELETE FROM unsealed WHERE replica = ? AND counter = ?`,
	} {
		if _, err := l.tx.Exec(q, no, id.Counter); err != nil {
			return fmt.Errorf("drop record: %w", err)
		}
	}
	return nil
}

// Touching lists the stored changesets that touch a record, by replica and counter:
// those of its history, and those in quarantine, which no history lists.
func (l *Ledger) Touching(id conflict.RecordID) ([]ledger.Intake, error) {
	no, err := l.number(id.Replica)
	if err != nil {
		return nil, err
	}
	rows, err := l.tx.Query(`SELECT i.replica, i.counter, i.count, i.hash, i.unit, i.received, i.body, 1
		FROM history h JOIN intake i ON i.replica = h.replica AND i.counter = h.counter WHERE h.record_replica = ?1 AND h.record_counter = ?2
		UNION ALL SELECT i.replica, i.counter, i.count, i.hash, i.unit, i.received, i.body, 0
		FROM quarantine q JOIN intake i ON i.replica = q.replica AND i.counter = q.counter
		WHERE NOT EXISTS (SELECT 1 FROM history h WHERE h.record_replica = ?1 AND h.record_counter = ?2 AND h.replica = q.replica AND h.counter = q.counter)
		ORDER BY 1, 2`, no, id.Counter)
	if err != nil {
		return nil, fmt.Errorf("read what touches a record: %w", err)
	}
	defer rows.Close()
	var list []ledger.Intake
	for rows.Next() {
		var in ledger.Intake
		var hash []byte
		var listed bool
		if err := rows.Scan(&in.Replica, &in.Counter, &in.Count, &hash, &in.Unit, &in.Received, &in.Bytes, &listed); err != nil {
			return nil, fmt.Errorf("read what touches a record: %w", err)
		}
		copy(in.Hash[:], hash)
		if listed || touches(in.Bytes, id) {
			list = append(list, in)
		}
	}
	return list, rows.Err()
}

// touches reports whether a changeset has an edit of a record. What cannot be read
// touches nothing.
func touches(body []byte, id conflict.RecordID) bool {
	c, err := record.ParseOwn(body)
	return err == nil && slices.ContainsFunc(c.Edits, func(e record.Edit) bool { return e.Record == id })
}

// PutBlanked replaces the bytes of a stored changeset, and nothing else.
func (l *Ledger) PutBlanked(in *ledger.Intake) error {
	return l.one(`UPDATE intake SET body = ? WHERE replica = ? AND counter = ?`, append([]byte{}, in.Bytes...), in.Replica, int64(in.Counter))
}

// one runs a statement that has to change one row.
func (l *Ledger) one(query string, args ...any) error {
	res, err := l.tx.Exec(query, args...)
	if err != nil {
		return fmt.Errorf("blank: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return fmt.Errorf("blank: %d rows of one (%v)", n, err)
	}
	return nil
}

// GivenBackOf lists the writes of a record that were given back, by replica and
// counter.
func (l *Ledger) GivenBackOf(id conflict.RecordID) ([]ledger.GivenBack, error) {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return nil, err
	}
	rows, err := l.tx.Query(`SELECT p.id, g.counter, g.unit, g.received, g.position, g.aside, g.body
		FROM given_back g JOIN replicas p ON p.no = g.replica WHERE g.record_replica = ? AND g.record_counter = ? ORDER BY g.replica, g.counter`, no, id.Counter)
	if err != nil {
		return nil, fmt.Errorf("list given back: %w", err)
	}
	defer rows.Close()
	var list []ledger.GivenBack
	for rows.Next() {
		g := ledger.GivenBack{Record: id}
		var by []byte
		if err := rows.Scan(&by, &g.Write.Counter, &g.Unit, &g.Received, &g.Position, &g.Aside, &g.Bytes); err != nil {
			return nil, fmt.Errorf("list given back: %w", err)
		}
		copy(g.Write.Replica[:], by)
		list = append(list, g)
	}
	return list, rows.Err()
}

// PutBlankedGiven replaces the bytes of a write that was given back.
func (l *Ledger) PutBlankedGiven(g *ledger.GivenBack) error {
	of, err := l.number(g.Record.Replica)
	if err != nil {
		return err
	}
	by, err := l.number(g.Write.Replica)
	if err != nil {
		return err
	}
	return l.one(`UPDATE given_back SET body = ? WHERE record_replica = ? AND record_counter = ? AND replica = ? AND counter = ?`,
		append([]byte{}, g.Bytes...), of, g.Record.Counter, by, g.Write.Counter)
}

// Blanked counts the changesets that were applied and touch what was erased by law.
func (l *Ledger) Blanked() (int, error) {
	var n int
	if err := l.tx.QueryRow(`SELECT count(*) FROM (SELECT DISTINCT h.replica, h.counter FROM erased e
		JOIN history h ON h.record_replica = e.replica AND h.record_counter = e.counter)`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count what was blanked: %w", err)
	}
	return n, nil
}

// LastErasure returns the number of the last erasure, 0 for none.
func (l *Ledger) LastErasure() (uint64, error) {
	var n uint64
	if err := l.tx.QueryRow(`SELECT coalesce(max(number), 0) FROM erased`).Scan(&n); err != nil {
		return 0, fmt.Errorf("read erasures: %w", err)
	}
	return n, nil
}
