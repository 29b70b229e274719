package sqlite

import (
	"errors"
	"fmt"
	"strconv"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
)

const requestColumns = `r.id, p.id, r.counter, r.register, r.unit, r.ground, r.reason, r.asked_by, r.asked_at, r.state, r.closed_by, r.closed_at, r.number
	FROM erasure_requests r JOIN replicas p ON p.no = r.replica`

// ErasureRequest returns a request by id, or store.ErrNotFound.
func (l *Ledger) ErasureRequest(id string) (store.ErasureRequest, error) {
	list, err := l.erasureRequests(`SELECT `+requestColumns+` WHERE r.id = ?`, id)
	if err == nil && len(list) == 0 {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.ErasureRequest{}, fmt.Errorf("read request: %w", err)
	}
	return list[0], nil
}

// ErasureRequestsOf lists the requests about a record, oldest first.
func (l *Ledger) ErasureRequestsOf(id conflict.RecordID) ([]store.ErasureRequest, error) {
	return l.erasureRequests(`SELECT `+requestColumns+` WHERE p.id = ? AND r.counter = ? ORDER BY r.asked_at, r.id`, id.Replica[:], id.Counter)
}

// OpenErasureRequests lists the requests that wait, oldest first.
func (l *Ledger) OpenErasureRequests() ([]store.ErasureRequest, error) {
	return l.erasureRequests(`SELECT ` + requestColumns + ` WHERE r.state = 'open' ORDER BY r.asked_at, r.id`)
}

// ClosedErasureRequests lists up to limit requests that wait no more, the latest
// first.
func (l *Ledger) ClosedErasureRequests(limit int) ([]store.ErasureRequest, error) {
	return l.erasureRequests(`SELECT `+requestColumns+` WHERE r.state <> 'open' ORDER BY r.closed_at DESC, r.id LIMIT ?`, limit)
}

func (l *Ledger) erasureRequests(query string, args ...any) ([]store.ErasureRequest, error) {
	rows, err := l.tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("list requests: %w", err)
	}
	defer rows.Close()
	var list []store.ErasureRequest
	for rows.Next() {
		var r store.ErasureRequest
		var id []byte
		if err := rows.Scan(&r.ID, &id, &r.Record.Counter, &r.Register, &r.Unit, &r.Ground, &r.Reason, &r.By, &r.At,
			&r.State, &r.ClosedBy, &r.ClosedAt, &r.Number); err != nil {
			return nil, fmt.Errorf("list requests: %w", err)
		}
		copy(r.Record.Replica[:], id)
		list = append(list, r)
	}
	return list, rows.Err()
}

// PutErasureRequest keeps a request, or what became of it.
func (l *Ledger) PutErasureRequest(r *store.ErasureRequest) error {
	no, err := l.enroll(r.Record.Replica)
	if err != nil {
		return err
	}
	_, err = l.tx.Exec(`INSERT INTO erasure_requests (id, replica, counter, register, unit, ground, reason, asked_by, asked_at, state, closed_by, closed_at, number)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, state = excluded.state, closed_by = excluded.closed_by,
			closed_at = excluded.closed_at, number = excluded.number`,
		r.ID, no, r.Record.Counter, r.Register, r.Unit, r.Ground, r.Reason, r.By, r.At, r.State, r.ClosedBy, r.ClosedAt, int64(r.Number))
	if err != nil {
		return fmt.Errorf("keep request: %w", err)
	}
	return nil
}

// BlankRecord takes what people said of an erased record's values out of the
// decisions about it, out of how entries in quarantine that touch it were settled,
// and out of what was asked about it, and forgets the hashes of what the hub was
// told.
func (l *Ledger) BlankRecord(id conflict.RecordID) error {
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return err
	}
	for _, q := range []string{
		`DELETE FROM hub_content WHERE (unit, register, revision) IN (SELECT a.unit, g.id, a.revision FROM approvals a
			JOIN registers g ON g.no = a.register WHERE a.replica = ? AND a.counter = ? AND a.revision > 0)`,
		`UPDATE approvals SET hash = zeroblob(32), explicit = '', fields = '', comment = '', question = '' WHERE replica = ? AND counter = ?`,
		`UPDATE erasure_requests SET reason = '' WHERE replica = ? AND counter = ?`,
	} {
		if _, err := l.tx.Exec(q, no, id.Counter); err != nil {
			return fmt.Errorf("blank decisions: %w", err)
		}
	}
	list, err := l.Touching(id)
	if err != nil {
		return err
	}
	blank := func(replica int64, counter uint64) error {
		if _, err := l.tx.Exec(`UPDATE quarantine SET reason = '' WHERE replica = ? AND counter = ?`, replica, int64(counter)); err != nil {
			return fmt.Errorf("blank quarantine: %w", err)
		}
		return nil
	}
	for _, in := range list {
		if err := blank(in.Replica, in.Counter); err != nil {
			return err
		}
	}
	back, err := l.GivenBackOf(id)
	if err != nil {
		return err
	}
	for _, g := range back {
		by, err := l.number(g.Write.Replica)
		if err != nil {
			return err
		}
		if err := blank(by, g.Write.Counter); err != nil {
			return err
		}
	}
	return nil
}

// DevicesTold counts the stores of the officers and supervisors of the units in which
// an erased record lived, closed devices left out, and how many of them said that
// they let go of everything up to the erasure.
func (l *Ledger) DevicesTold(e *ledger.Erasure) (told, all int, err error) {
	no, err := l.number(e.Record.Replica)
	if err != nil {
		return 0, 0, err
	}
	err = l.tx.QueryRow(`SELECT coalesce(sum(r.erasures >= ?1), 0), count(*) FROM replicas r
		JOIN accounts a ON a.name = r.account JOIN devices d ON d.id = r.device AND d.account = a.id
		WHERE r.retired_at = 0 AND r.vanished_at = 0 AND d.revoked_at IS NULL
			AND a.unit IN (SELECT ?2 UNION SELECT unit FROM departed WHERE replica = ?3 AND counter = ?4)`,
		int64(e.Number), e.Unit, no, e.Record.Counter).Scan(&told, &all)
	if err != nil {
		return 0, 0, fmt.Errorf("count devices: %w", err)
	}
	return told, all, nil
}

// Retractions counts what the hub is told of an erasure, and how much of it it has
// acknowledged.
func (l *Ledger) Retractions(id conflict.RecordID) (acknowledged, all int, err error) {
	no, err := l.number(id.Replica)
	if err != nil {
		return 0, 0, err
	}
	err = l.tx.QueryRow(`SELECT coalesce(sum(coalesce(m.revision, 0) >= a.revision), 0), count(*) FROM approvals a
		JOIN registers g ON g.no = a.register LEFT JOIN hub_marks m ON m.unit = a.unit AND m.register = g.id
		WHERE a.replica = ? AND a.counter = ? AND a.decision = 'erased'`, no, id.Counter).Scan(&acknowledged, &all)
	if err != nil {
		return 0, 0, fmt.Errorf("count retractions: %w", err)
	}
	return acknowledged, all, nil
}

// rewriteDue is the row of the table meta that says that the database has to be
// written anew: the number of the erasure because of which.
const rewriteDue = "rewrite_due"

// RewriteDue returns because of which erasure the file is to be written anew, 0 for
// none.
func (tx *Tx) RewriteDue() (uint64, error) {
	text, err := tx.Meta(rewriteDue)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(text, 10, 64)
}

// SetRewriteDue keeps that the file is to be written anew because of an erasure.
func (tx *Tx) SetRewriteDue(number uint64) error {
	return tx.SetMeta(rewriteDue, strconv.FormatUint(number, 10))
}

// Rewritten keeps that the file was written anew after an erasure.
func (tx *Tx) Rewritten(number uint64) error {
	if _, err := tx.Exec(`DELETE FROM meta WHERE key = ? AND value = ?`, rewriteDue, strconv.FormatUint(number, 10)); err != nil {
		return fmt.Errorf("keep that the file was rewritten: %w", err)
	}
	return nil
}
