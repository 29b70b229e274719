package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/sync/record"
)

const approvalColumns = `seq, register, unit, revision, op, decision, definition, at, decider, dots, hash, explicit, fields, comment, question, other`

// Approvals lists the decisions about a record, oldest first.
func (l *Ledger) Approvals(id conflict.RecordID) ([]store.Approval, error) {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return nil, err
	}
	return l.approvals(`SELECT replica, counter, `+approvalColumns+` FROM approvals WHERE replica = ? AND counter = ? ORDER BY seq`, no, id.Counter)
}

// Published lists the decisions that the hub is to hear of, for one register of
// a unit, after a revision and in order, at most limit of them.
func (l *Ledger) Published(unit, register string, after uint64, limit int) ([]store.Approval, error) {
	no, err := l.registerNumber(register, false)
	if err != nil || no == 0 {
		return nil, err
	}
	return l.approvals(`SELECT replica, counter, `+approvalColumns+` FROM approvals
		WHERE unit = ? AND register = ? AND revision > 0 AND revision > ? ORDER BY revision LIMIT ?`, unit, no, after, limit)
}

func (l *Ledger) approvals(query string, args ...any) ([]store.Approval, error) {
	rows, err := l.tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	defer rows.Close()
	type numbers struct{ replica, register int64 }
	var list []store.Approval
	var nos []numbers
	for rows.Next() {
		var a store.Approval
		var n numbers
		var dots, explicit, fields string
		var hash []byte
		if err := rows.Scan(&n.replica, &a.Record.Counter, &a.Seq, &n.register, &a.Unit, &a.Revision, &a.Op, &a.Decision,
			&a.Definition, &a.At, &a.By, &dots, &hash, &explicit, &fields, &a.Comment, &a.Question, &a.Other); err != nil {
			return nil, fmt.Errorf("read approvals: %w", err)
		}
		if a.Dots, err = record.ParseDotSet(dots); err != nil {
			return nil, fmt.Errorf("read approvals: %w", err)
		}
		if explicit != "" {
			if err := json.Unmarshal([]byte(explicit), &a.Explicit); err != nil {
				return nil, fmt.Errorf("read approvals: %w", err)
			}
		}
		if fields != "" {
			a.Fields = strings.Split(fields, ",")
		}
		copy(a.Hash[:], hash)
		list, nos = append(list, a), append(nos, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read approvals: %w", err)
	}
	rows.Close()
	for i, n := range nos {
		if list[i].Record.Replica, err = l.idOf(n.replica); err != nil {
			return nil, err
		}
		if list[i].Register, err = l.registerName(n.register); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// AppendApproval adds a decision. Its Seq must follow the record's last one.
func (l *Ledger) AppendApproval(a *store.Approval) error {
	no, err := l.enroll(a.Record.Replica)
	if err != nil {
		return err
	}
	register, err := l.registerNumber(a.Register, true)
	if err != nil {
		return err
	}
	explicit := ""
	if len(a.Explicit) > 0 {
		b, err := json.Marshal(a.Explicit)
		if err != nil {
			return fmt.Errorf("append approval: %w", err)
		}
		explicit = string(b)
	}
	_, err = l.tx.Exec(`INSERT INTO approvals (replica, counter, `+approvalColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		no, a.Record.Counter, a.Seq, register, a.Unit, a.Revision, a.Op, a.Decision, a.Definition, a.At, a.By,
		a.Dots.String(), a.Hash[:], explicit, strings.Join(a.Fields, ","), a.Comment, a.Question, a.Other)
	if err != nil {
		return fmt.Errorf("append approval: %w", err)
	}
	return nil
}

// Revision returns the last revision given out for a register of a unit, 0 for
// none.
func (l *Ledger) Revision(unit, register string) (uint64, error) {
	var n uint64
	err := l.tx.QueryRow(`SELECT revision FROM revisions WHERE unit = ? AND register = ?`, unit, register).Scan(&n)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	return n, nil
}

// NextRevision takes the next revision of a register of a unit. Whoever takes
// one must put something under it in the same transaction, or there is a gap.
func (l *Ledger) NextRevision(unit, register string) (uint64, error) {
	var n uint64
	err := l.tx.QueryRow(`INSERT INTO revisions (unit, register, revision) VALUES (?, ?, 1)
		ON CONFLICT (unit, register) DO UPDATE SET revision = revision + 1 RETURNING revision`, unit, register).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("take revision: %w", err)
	}
	return n, nil
}

// WaitingRows lists, without their states, the records of a unit that wait for
// a supervisor, and those about which the last decision was a question. They
// come in no order.
func (l *Ledger) WaitingRows(unit string) ([]ledger.Row, error) {
	const columns = `r.replica, r.counter, r.register, r.unit, r.neighbourhood, r.position, r.sensitive, r.kind, r.waiting_since, r.revision, x''`
	return l.rows(`SELECT `+columns+` FROM records r WHERE r.unit = ?1 AND r.kind > 0
		UNION ALL
		SELECT `+columns+` FROM approvals a JOIN records r ON r.replica = a.replica AND r.counter = a.counter
		WHERE a.unit = ?1 AND a.decision = 'returned' AND r.unit = ?1 AND r.kind = 0
		AND NOT EXISTS (SELECT 1 FROM approvals b WHERE b.replica = a.replica AND b.counter = a.counter AND b.seq > a.seq)`, unit)
}

// ChangedSince lists up to limit rows of a register of a unit in which
// anything, sensitive fields included, changed after a feed position, in no
// order that matters. after is the last row of the page before, or nil.
func (l *Ledger) ChangedSince(unit, register string, position uint64, after *ledger.Row, limit int) ([]ledger.Row, error) {
	no, err := l.registerNumber(register, false)
	if err != nil || no == 0 {
		return nil, err
	}
	var replica int64
	var counter uint64
	if after != nil {
		if replica, err = l.number(after.ID.Replica); err != nil {
			return nil, err
		}
		counter = after.ID.Counter
	}
	// In the second part the bound comes first, as in Changed.
	return l.rows(`SELECT `+recordColumns+` FROM (
			SELECT * FROM records WHERE unit = ?1 AND register = ?2 AND position > ?3
			UNION SELECT * FROM records WHERE unit = ?1 AND register = ?2 AND sensitive > ?3 AND sensitive > 0)
		WHERE (replica, counter) > (?4, ?5) ORDER BY replica, counter LIMIT ?6`, unit, no, position, replica, counter, limit)
}

// DeskKey returns the secret under which the desk's digests are made. It is
// made with the tables' first use and never leaves the server.
func (tx *Tx) DeskKey(fresh func() (string, error)) (string, error) {
	var key string
	err := tx.QueryRow(`SELECT value FROM meta WHERE key = 'desk_key'`).Scan(&key)
	if !errors.Is(err, sql.ErrNoRows) {
		if err != nil {
			err = fmt.Errorf("read desk key: %w", err)
		}
		return key, err
	}
	if key, err = fresh(); err != nil {
		return "", err
	}
	if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('desk_key', ?)`, key); err != nil {
		return "", fmt.Errorf("keep desk key: %w", err)
	}
	return key, nil
}
