package sqlite

import (
	"fmt"

	"wardbook/server/ledger"
)

// PastRights lists the rights that an account had, oldest first.
func (l *Ledger) PastRights(account string) ([]ledger.Rights, error) {
	rows, err := l.tx.Query(`SELECT version, unit, sensitive, ended_at FROM account_rights WHERE account = ? ORDER BY version`, account)
	if err != nil {
		return nil, fmt.Errorf("read past rights: %w", err)
	}
	defer rows.Close()
	var list []ledger.Rights
	for rows.Next() {
		var r ledger.Rights
		if err := rows.Scan(&r.Version, &r.Unit, &r.Sensitive, &r.EndedAt); err != nil {
			return nil, fmt.Errorf("read past rights: %w", err)
		}
		list = append(list, r)
	}
	return list, rows.Err()
}

// EndRights keeps rights that an account has no more; Version is set.
func (l *Ledger) EndRights(account string, r *ledger.Rights) error {
	return l.tx.EndRights(account, r)
}

// EndRights keeps rights that an account has no more; Version is set.
func (tx *Tx) EndRights(account string, r *ledger.Rights) error {
	err := tx.QueryRow(`INSERT INTO account_rights (account, version, unit, sensitive, ended_at)
		SELECT ?1, coalesce(max(version), 0) + 1, ?2, ?3, ?4 FROM account_rights WHERE account = ?1 RETURNING version`,
		account, r.Unit, r.Sensitive, r.EndedAt).Scan(&r.Version)
	if err != nil {
		return fmt.Errorf("keep past rights: %w", err)
	}
	return nil
}
