package sqlite

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"wardbook/server/store"
)

const auditColumns = `seq, at, actor, device, action, unit, subject, detail, prev, hash`

func scanAudit(row interface{ Scan(...any) error }) (store.AuditEntry, error) {
	var e store.AuditEntry
	var at int64
	var detail string
	var prev, hash []byte
	if err := row.Scan(&e.Seq, &at, &e.Actor, &e.Device, &e.Action, &e.Unit, &e.Subject, &detail, &prev, &hash); err != nil {
		return store.AuditEntry{}, err
	}
	e.At = fromMillis(at)
	if detail != "" {
		e.Detail = json.RawMessage(detail)
	}
	copy(e.Prev[:], prev)
	copy(e.Hash[:], hash)
	return e, nil
}

// LastAudit returns the newest entry of the audit log, or the zero entry when
// the log is empty.
func (tx *Tx) LastAudit() (store.AuditEntry, error) {
	e, err := scanAudit(tx.QueryRow(`SELECT ` + auditColumns + ` FROM audit ORDER BY seq DESC LIMIT 1`))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return e, fmt.Errorf("read last audit entry: %w", err)
	}
	return e, nil
}

// InsertAudit adds e as it is. Use the audit package, which links it to the
// entry before.
func (tx *Tx) InsertAudit(e store.AuditEntry) error {
	_, err := tx.Exec(`INSERT INTO audit (`+auditColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		e.Seq, millis(e.At), e.Actor, e.Device, e.Action, e.Unit, e.Subject, string(e.Detail), e.Prev[:], e.Hash[:])
	if err != nil {
		return fmt.Errorf("insert audit entry: %w", err)
	}
	return nil
}

// AuditAfter returns up to limit entries after seq, oldest first.
func (tx *Tx) AuditAfter(seq int64, limit int) ([]store.AuditEntry, error) {
	return tx.audit(`SELECT `+auditColumns+` FROM audit WHERE seq > ? ORDER BY seq LIMIT ?`, seq, limit)
}

// AuditBefore returns up to limit entries before seq, newest first.
func (tx *Tx) AuditBefore(seq int64, limit int) ([]store.AuditEntry, error) {
	return tx.audit(`SELECT `+auditColumns+` FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT ?`, seq, limit)
}

func (tx *Tx) audit(query string, args ...any) ([]store.AuditEntry, error) {
	rows, err := tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	defer rows.Close()
	var all []store.AuditEntry
	for rows.Next() {
		e, err := scanAudit(rows)
		if err != nil {
			return nil, fmt.Errorf("list audit entries: %w", err)
		}
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list audit entries: %w", err)
	}
	return all, nil
}
