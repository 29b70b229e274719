package sqlite

import (
	"database/sql"
	"errors"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

var _ ledger.Tables = (*Ledger)(nil)

// Ledger is the ledger's tables over one transaction. Make one per closure
// with LedgerOf; it dies with the transaction.
type Ledger struct {
	tx        *Tx
	numbers   map[conflict.ReplicaID]int64
	ids       map[int64]conflict.ReplicaID
	registers map[string]int64
	names     map[int64]string
	read      map[conflict.RecordID]*ledger.Row // by Prefetch; nil for a record that is not there
}

// LedgerOf returns the ledger's tables in tx.
func LedgerOf(tx *Tx) *Ledger {
	return &Ledger{tx: tx, numbers: map[conflict.ReplicaID]int64{}, ids: map[int64]conflict.ReplicaID{}}
}

// Epoch returns the present life of the database.
func (l *Ledger) Epoch() (ledger.Epoch, error) {
	var e ledger.Epoch
	var seq int64
	var token, server []byte
	err := l.tx.QueryRow(`SELECT seq, token, server, counter FROM epochs ORDER BY seq DESC LIMIT 1`).Scan(&seq, &token, &server, &e.Counter)
	if err != nil {
		return e, fmt.Errorf("read epoch: %w", err)
	}
	copy(e.Token[:], token)
	copy(e.Server[:], server)
	e.Restored = seq > 1
	return e, nil
}

// SetServerCounter keeps the counter of the server's last own write.
func (l *Ledger) SetServerCounter(counter uint64) error {
	_, err := l.tx.Exec(`UPDATE epochs SET counter = ? WHERE seq = (SELECT max(seq) FROM epochs)`, counter)
	if err != nil {
		return fmt.Errorf("keep server counter: %w", err)
	}
	return nil
}

// Fork returns how far an earlier epoch agrees with the present one.
func (l *Ledger) Fork(epoch protocol.Token, unit string) (uint64, bool, error) {
	var known int
	if err := l.tx.QueryRow(`SELECT count(*) FROM epochs WHERE token = ?`, epoch[:]).Scan(&known); err != nil {
		return 0, false, fmt.Errorf("read fork: %w", err)
	}
	if known == 0 {
		return 0, false, nil
	}
	// A later restore may have gone back further than the one that ended this
	// epoch: the least of all forks since then counts.
	var position sql.NullInt64
	err := l.tx.QueryRow(`SELECT min(f.position) FROM forks f JOIN epochs e ON e.token = f.epoch
		WHERE f.unit = ? AND e.seq >= (SELECT seq FROM epochs WHERE token = ?)`, unit, epoch[:]).Scan(&position)
	if err != nil {
		return 0, false, fmt.Errorf("read fork: %w", err)
	}
	return uint64(position.Int64), true, nil
}

const replicaColumns = `no, id, account, device, epoch, current, previous, acked, backed_up, seen_at, clock, trouble, told, parted, vanished_at, retired_at, erasures`

// Replica returns a replica by id.
func (l *Ledger) Replica(id conflict.ReplicaID) (ledger.Replica, bool, error) {
	r, err := scanReplica(l.tx.QueryRow(`SELECT `+replicaColumns+` FROM replicas WHERE id = ?`, id[:]))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return ledger.Replica{ID: id}, false, nil
	case err != nil:
		return ledger.Replica{ID: id}, false, fmt.Errorf("read replica: %w", err)
	}
	l.numbers[id], l.ids[r.No] = r.No, id
	return r, true, nil
}

// scanReplica reads replicaColumns.
func scanReplica(row interface{ Scan(...any) error }) (r ledger.Replica, err error) {
	var id, epoch, current, previous []byte
	err = row.Scan(&r.No, &id, &r.Account, &r.Device, &epoch, &current, &previous, &r.Acked, &r.BackedUp, &r.SeenAt, &r.Clock, &r.Trouble, &r.Told, &r.Parted,
		&r.VanishedAt, &r.RetiredAt, &r.Erasures)
	copy(r.ID[:], id)
	copy(r.Epoch[:], epoch)
	copy(r.Current[:], current)
	copy(r.Previous[:], previous)
	return r, err
}

// PutReplica creates or replaces a replica.
func (l *Ledger) PutReplica(r *ledger.Replica) error {
	err := l.tx.QueryRow(`INSERT INTO replicas (id, account, device, epoch, current, previous, acked, backed_up, seen_at, clock, trouble, told, parted, vanished_at, retired_at, erasures)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET account = excluded.account, device = excluded.device, epoch = excluded.epoch,
			current = excluded.current, previous = excluded.previous, acked = excluded.acked,
			backed_up = excluded.backed_up, seen_at = excluded.seen_at, clock = excluded.clock, trouble = excluded.trouble, told = excluded.told,
			parted = excluded.parted, vanished_at = excluded.vanished_at, retired_at = excluded.retired_at, erasures = excluded.erasures
		RETURNING no`,
		r.ID[:], r.Account, r.Device, r.Epoch[:], r.Current[:], r.Previous[:], r.Acked, r.BackedUp, r.SeenAt, r.Clock, r.Trouble, r.Told, r.Parted, r.VanishedAt, r.RetiredAt, r.Erasures).Scan(&r.No)
	if err != nil {
		return fmt.Errorf("keep replica: %w", err)
	}
	l.numbers[r.ID], l.ids[r.No] = r.No, r.ID
	return nil
}

// number returns the short number of a replica, or 0 if there is none.
func (l *Ledger) number(id conflict.ReplicaID) (int64, error) {
	if no, ok := l.numbers[id]; ok {
		return no, nil
	}
	var no int64
	err := l.tx.QueryRow(`SELECT no FROM replicas WHERE id = ?`, id[:]).Scan(&no)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("number of replica: %w", err)
	}
	l.numbers[id], l.ids[no] = no, id
	return no, nil
}

// enroll returns the number of a replica, which it makes if need be.
func (l *Ledger) enroll(id conflict.ReplicaID) (int64, error) {
	no, err := l.number(id)
	if err != nil || no != 0 {
		return no, err
	}
	r := ledger.Replica{ID: id}
	if err := l.PutReplica(&r); err != nil {
		return 0, err
	}
	return r.No, nil
}

func (l *Ledger) idOf(no int64) (conflict.ReplicaID, error) {
	if id, ok := l.ids[no]; ok {
		return id, nil
	}
	var id conflict.ReplicaID
	var b []byte
	if err := l.tx.QueryRow(`SELECT id FROM replicas WHERE no = ?`, no).Scan(&b); err != nil {
		return id, fmt.Errorf("replica number %d: %w", no, err)
	}
	copy(id[:], b)
	l.numbers[id], l.ids[no] = no, id
	return id, nil
}

// KeepReport remembers what a device last said of its outbox.
func (l *Ledger) KeepReport(id conflict.ReplicaID, app string, now int64, r *protocol.Report) error {
	_, err := l.tx.Exec(`UPDATE replicas SET app = ?, unsent = ?, oldest = ?, headroom = ?, told_at = ? WHERE id = ?`,
		app, r.Unsent, r.Oldest, r.Headroom, now, id[:])
	if err != nil {
		return fmt.Errorf("keep report: %w", err)
	}
	return nil
}
