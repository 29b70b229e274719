package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/server/store"
)

const accountColumns = `id, name, display_name, role, unit, sensitive, disabled, password_hash, must_change, first_device_free, created_at, changed_at`

func scanAccount(row interface{ Scan(...any) error }) (store.Account, error) {
	var a store.Account
	var unit sql.NullString
	var created, changed int64
	err := row.Scan(&a.ID, &a.Name, &a.DisplayName, &a.Role, &unit, &a.Sensitive, &a.Disabled,
		&a.PasswordHash, &a.MustChange, &a.FirstDeviceFree, &created, &changed)
	if errors.Is(err, sql.ErrNoRows) {
		err = store.ErrNotFound
	}
	if err != nil {
		return store.Account{}, err
	}
	a.Unit, a.CreatedAt, a.ChangedAt = unit.String, fromMillis(created), fromMillis(changed)
	return a, nil
}

// Account returns the account id, or store.ErrNotFound.
func (tx *Tx) Account(id store.AccountID) (store.Account, error) {
	a, err := scanAccount(tx.QueryRow(`SELECT `+accountColumns+` FROM accounts WHERE id = ?`, id))
	if err != nil {
		return a, fmt.Errorf("read account: %w", err)
	}
	return a, nil
}

// AccountByName returns the account with this normalised name, or
// store.ErrNotFound.
func (tx *Tx) AccountByName(name string) (store.Account, error) {
	a, err := scanAccount(tx.QueryRow(`SELECT `+accountColumns+` FROM accounts WHERE name = ?`, name))
	if err != nil {
		return a, fmt.Errorf("read account by name: %w", err)
	}
	return a, nil
}

// Accounts returns up to limit accounts whose names come after the given one, by
// name.
func (tx *Tx) Accounts(after string, limit int) ([]store.Account, error) {
	rows, err := tx.Query(`SELECT `+accountColumns+` FROM accounts WHERE name > ? ORDER BY name LIMIT ?`, after, limit)
	return accounts(rows, err, "list accounts")
}

// accounts reads what a query for doing found, or passes on why it failed.
func accounts(rows *sql.Rows, err error, doing string) ([]store.Account, error) {
	if err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	defer rows.Close()
	var all []store.Account
	for rows.Next() {
		a, err := scanAccount(rows)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", doing, err)
		}
		all = append(all, a)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", doing, err)
	}
	return all, nil
}

// KnownIn returns, by name, up to limit accounts that belong to the unit or
// whose names its records carry: they wrote in one of the records that the unit
// holds now, decided about one, or sent or settled a change in its quarantine.
// What a change in quarantine says of its author is not believed: it may be
// anybody.
func (tx *Tx) KnownIn(unit string, limit int) ([]store.Account, error) {
	rows, err := tx.Query(`WITH held AS (SELECT replica, counter FROM records WHERE unit = ?1)
		SELECT `+accountColumns+` FROM accounts WHERE unit = ?1 OR name IN (
			SELECT account FROM replicas WHERE no IN (
				SELECT h.replica FROM held r JOIN history h ON h.record_replica = r.replica AND h.record_counter = r.counter)
			UNION SELECT d.decider FROM held r JOIN approvals d ON d.replica = r.replica AND d.counter = r.counter
			UNION SELECT s.account FROM quarantine q JOIN replicas s ON s.no = q.replica WHERE q.unit = ?1
			UNION SELECT settled_by FROM quarantine WHERE unit = ?1
		) ORDER BY name LIMIT ?2`, unit, limit)
	return accounts(rows, err, "list who is known in a unit")
}

// OfficersOf returns, by name, up to limit officers of a unit whose accounts are
// not disabled.
func (tx *Tx) OfficersOf(unit string, limit int) ([]store.Account, error) {
	rows, err := tx.Query(`SELECT `+accountColumns+` FROM accounts WHERE unit = ? AND role = 'officer' AND disabled = 0 ORDER BY name LIMIT ?`, unit, limit)
	return accounts(rows, err, "list a unit's officers")
}

// CountAccounts returns how many accounts have the role and are not disabled.
func (tx *Tx) CountAccounts(role store.Role) (n int, err error) {
	if err := tx.QueryRow(`SELECT count(*) FROM accounts WHERE role = ? AND disabled = 0`, role).Scan(&n); err != nil {
		return 0, fmt.Errorf("count accounts: %w", err)
	}
	return n, nil
}

// InsertAccount adds a. A taken name or id is store.ErrExists.
func (tx *Tx) InsertAccount(a store.Account) error {
	_, err := tx.Exec(`INSERT INTO accounts (`+accountColumns+`) VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?, ?, ?, ?, ?, ?)`,
		a.ID, a.Name, a.DisplayName, a.Role, a.Unit, a.Sensitive, a.Disabled,
		a.PasswordHash, a.MustChange, a.FirstDeviceFree, millis(a.CreatedAt), millis(a.ChangedAt))
	if isUnique(err) {
		err = store.ErrExists
	}
	if err != nil {
		return fmt.Errorf("insert account: %w", err)
	}
	return nil
}

// UpdateAccount writes every column of a but its id, name and creation. An
// unknown id is store.ErrNotFound.
func (tx *Tx) UpdateAccount(a store.Account) error {
	res, err := tx.Exec(`UPDATE accounts SET display_name = ?, role = ?, unit = nullif(?, ''), sensitive = ?, disabled = ?,
		password_hash = ?, must_change = ?, first_device_free = ?, changed_at = ? WHERE id = ?`,
		a.DisplayName, a.Role, a.Unit, a.Sensitive, a.Disabled,
		a.PasswordHash, a.MustChange, a.FirstDeviceFree, millis(a.ChangedAt), a.ID)
	if err := wantOne(res, err); err != nil {
		return fmt.Errorf("update account: %w", err)
	}
	return nil
}

// wantOne turns a statement that changed no row into store.ErrNotFound.
func wantOne(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = store.ErrNotFound
	}
	return err
}
