package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
)

// QuarantineEntry returns the entry of the changeset that begins with d, with
// the id of its replica's row.
func (l *Ledger) QuarantineEntry(d conflict.Dot) (ledger.Quarantine, bool, error) {
	no, err := l.number(d.Replica)
	if err != nil || no == 0 {
		return ledger.Quarantine{}, false, err
	}
	list, err := l.quarantine(quarantineQuery+` WHERE replica = ? AND counter = ?`, no, d.Counter)
	if err != nil || len(list) == 0 {
		return ledger.Quarantine{}, false, err
	}
	return list[0], true, nil
}

// NotApplied lists the newest entries of a unit that are open or rejected.
func (l *Ledger) NotApplied(unit string, limit int) ([]ledger.Quarantine, error) {
	return l.quarantine(quarantineQuery+` WHERE unit = ? AND settled <> 'released' ORDER BY at DESC, replica, counter LIMIT ?`, unit, limit)
}

// ReplicaOf returns the id of the replica with the given number.
func (l *Ledger) ReplicaOf(no int64) (conflict.ReplicaID, error) { return l.idOf(no) }

// AppendRelease keeps where the writes of a released changeset went.
func (l *Ledger) AppendRelease(r store.Release) error {
	from, err := l.enroll(r.From.Replica)
	if err != nil {
		return err
	}
	to, err := l.enroll(r.To.Replica)
	if err != nil {
		return err
	}
	if _, err := l.tx.Exec(`INSERT INTO releases (replica, counter, count, to_replica, to_counter) VALUES (?, ?, ?, ?, ?)`,
		from, r.From.Counter, r.Count, to, r.To.Counter); err != nil {
		return fmt.Errorf("keep release: %w", err)
	}
	return nil
}

// ReleaseOf returns the release of the changeset that contains d.
func (l *Ledger) ReleaseOf(d conflict.Dot) (store.Release, bool, error) {
	from, err := l.number(d.Replica)
	if err != nil || from == 0 {
		return store.Release{}, false, err
	}
	r := store.Release{From: conflict.Dot{Replica: d.Replica}}
	var to int64
	err = l.tx.QueryRow(`SELECT counter, count, to_replica, to_counter FROM releases
		WHERE replica = ? AND counter <= ? ORDER BY counter DESC LIMIT 1`, from, d.Counter).
		Scan(&r.From.Counter, &r.Count, &to, &r.To.Counter)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r, false, nil
	case err != nil:
		return r, false, fmt.Errorf("read release: %w", err)
	}
	if r.To.Replica, err = l.idOf(to); err != nil {
		return r, false, err
	}
	return r, d.Counter < r.From.Counter+r.Count, nil
}

// ReleasesOf lists the releases of a replica's changesets, in order.
func (l *Ledger) ReleasesOf(id conflict.ReplicaID) ([]store.Release, error) {
	from, err := l.number(id)
	if err != nil || from == 0 {
		return nil, err
	}
	rows, err := l.tx.Query(`SELECT counter, count, to_replica, to_counter FROM releases WHERE replica = ? ORDER BY counter`, from)
	if err != nil {
		return nil, fmt.Errorf("read releases: %w", err)
	}
	defer rows.Close()
	var list []store.Release
	var to []int64
	for rows.Next() {
		r := store.Release{From: conflict.Dot{Replica: id}}
		var no int64
		if err := rows.Scan(&r.From.Counter, &r.Count, &no, &r.To.Counter); err != nil {
			return nil, fmt.Errorf("read releases: %w", err)
		}
		list, to = append(list, r), append(to, no)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read releases: %w", err)
	}
	rows.Close()
	for i := range list {
		if list[i].To.Replica, err = l.idOf(to[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}
