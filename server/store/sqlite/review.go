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

// WaitingAfter lists the rows of a unit that wait for a supervisor: the
// greatest kind first, in it the longest waiting. An empty register means all.
// after is the last row of the page before, or nil.
func (l *Ledger) WaitingAfter(unit, register string, least, most ledger.Kind, after *ledger.Row, limit int) ([]ledger.Row, error) {
	var no int64 // every register
	if register != "" {
		var err error
		if no, err = l.registerNumber(register, false); err != nil || no == 0 {
			return nil, err
		}
	}
	kind, since, replica, counter := int64(most)+1, int64(0), int64(0), uint64(0)
	if after != nil {
		var err error
		if replica, err = l.number(after.ID.Replica); err != nil {
			return nil, err
		}
		kind, since, counter = int64(after.Kind), after.WaitingSince, after.ID.Counter
	}
	return l.rows(`SELECT `+recordColumns+` FROM records WHERE unit = ?1 AND kind > 0 AND kind BETWEEN ?2 AND ?3
		AND (?4 = 0 OR register = ?4)
		AND (kind < ?5 OR (kind = ?5 AND (waiting_since, replica, counter) > (?6, ?7, ?8)))
		ORDER BY kind DESC, waiting_since, replica, counter LIMIT ?9`,
		unit, least, most, no, kind, since, replica, counter, limit)
}

// WaitingCountsIn is WaitingCounts for one register; an empty one means all.
func (l *Ledger) WaitingCountsIn(unit, register string) (map[ledger.Kind]int, error) {
	if register == "" {
		return l.WaitingCounts(unit)
	}
	no, err := l.registerNumber(register, false)
	if err != nil {
		return nil, err
	}
	rows, err := l.tx.Query(`SELECT kind, count(*) FROM records WHERE unit = ? AND kind > 0 AND register = ? GROUP BY kind`, unit, no)
	if err != nil {
		return nil, fmt.Errorf("count waiting: %w", err)
	}
	defer rows.Close()
	counts := map[ledger.Kind]int{}
	for rows.Next() {
		var k ledger.Kind
		var n int
		if err := rows.Scan(&k, &n); err != nil {
			return nil, fmt.Errorf("count waiting: %w", err)
		}
		counts[k] = n
	}
	return counts, rows.Err()
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
