package sqlite

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

const recordColumns = `replica, counter, register, unit, neighbourhood, position, sensitive, kind, waiting_since, revision, state`

// Record returns a record's row.
func (l *Ledger) Record(id conflict.RecordID) (ledger.Row, bool, error) {
	if row, ok := l.read[id]; ok {
		if row == nil {
			return ledger.Row{}, false, nil
		}
		delete(l.read, id) // its bytes belong to the caller from now on
		return *row, true, nil
	}
	no, err := l.number(id.Replica)
	if err != nil || no == 0 {
		return ledger.Row{}, false, err
	}
	r := ledger.Row{ID: id}
	var register, replica int64
	err = l.tx.QueryRow(`SELECT `+recordColumns+` FROM records WHERE replica = ? AND counter = ?`, no, id.Counter).
		Scan(&replica, &r.ID.Counter, &register, &r.Unit, &r.Neighbourhood, &r.Position, &r.Sensitive, &r.Kind, &r.WaitingSince, &r.Revision, &r.State)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return r, false, nil
	case err != nil:
		return r, false, fmt.Errorf("read record: %w", err)
	}
	r.Register, err = l.registerName(register)
	return r, err == nil, err
}

// PutRecord creates or replaces a record's row.
func (l *Ledger) PutRecord(r *ledger.Row) error {
	no, err := l.enroll(r.ID.Replica)
	if err != nil {
		return err
	}
	register, err := l.registerNumber(r.Register, true)
	if err != nil {
		return err
	}
	delete(l.read, r.ID)
	if err := l.tx.insert(intoRecords, no, int64(r.ID.Counter), register, r.Unit, r.Neighbourhood, int64(r.Position), int64(r.Sensitive),
		int64(r.Kind), r.WaitingSince, int64(r.Revision), r.State); err != nil {
		return fmt.Errorf("keep record: %w", err)
	}
	return nil
}

var intoRecords = newInsertion(`INSERT INTO records (`+recordColumns+`) VALUES `, 11,
	` ON CONFLICT (replica, counter) DO UPDATE SET unit = excluded.unit, neighbourhood = excluded.neighbourhood,
		position = excluded.position, sensitive = excluded.sensitive, kind = excluded.kind,
		waiting_since = excluded.waiting_since, revision = excluded.revision, state = excluded.state`)

// Prefetch reads the rows of many records at once; Record then returns them,
// until they are written, without asking again.
func (l *Ledger) Prefetch(ids []conflict.RecordID) error {
	if l.read == nil {
		l.read = make(map[conflict.RecordID]*ledger.Row, len(ids))
	}
	of := map[conflict.ReplicaID][]conflict.RecordID{}
	for _, id := range ids {
		of[id.Replica] = append(of[id.Replica], id)
	}
	for replica, ids := range of {
		no, err := l.number(replica)
		if err != nil {
			return err
		}
		for part := range slices.Chunk(ids, prefetched) {
			if err := l.prefetch(no, part); err != nil {
				return err
			}
		}
	}
	return nil
}

// prefetched is how many rows one statement of Prefetch reads.
const prefetched = 128

var prefetchQuery = `SELECT ` + recordColumns + ` FROM records WHERE replica = ? AND counter IN (?` + strings.Repeat(`,?`, prefetched-1) + `)`

func (l *Ledger) prefetch(no int64, ids []conflict.RecordID) error {
	if no != 0 { // else nobody ever wrote to a record of that replica
		args := make([]any, 1+prefetched)
		args[0] = no
		for i := range prefetched { // the last stands in for those that are missing
			args[1+i] = ids[min(i, len(ids)-1)].Counter
		}
		rows, err := l.rows(prefetchQuery, args...)
		if err != nil {
			return err
		}
		for i := range rows {
			l.read[rows[i].ID] = &rows[i]
		}
	}
	for _, id := range ids {
		if _, ok := l.read[id]; !ok {
			l.read[id] = nil
		}
	}
	return nil
}

// Changed lists the rows of a stream after a position.
func (l *Ledger) Changed(stream protocol.Stream, from uint64, limit int) ([]ledger.Row, error) {
	register, err := l.registerNumber(stream.Register, false)
	if err != nil || register == 0 {
		return nil, err
	}
	query := `SELECT ` + recordColumns + ` FROM records WHERE unit = ? AND register = ? AND position > ? ORDER BY position LIMIT ?`
	if stream.Class == protocol.Sensitive {
		// The bound first: SQLite walks the index from the first of the two, and
		// the other is only there to make the partial index usable.
		query = `SELECT ` + recordColumns + ` FROM records WHERE unit = ? AND register = ? AND sensitive > ? AND sensitive > 0 ORDER BY sensitive LIMIT ?`
	}
	rows, err := l.rows(query, stream.Unit, register, from, limit)
	if err != nil {
		return nil, err
	}
	left, err := l.left(stream, from, limit)
	return withLeft(stream.Class, rows, left, limit), err
}

func (l *Ledger) rows(query string, args ...any) ([]ledger.Row, error) {
	rows, err := l.tx.Query(query, args...)
	if err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	defer rows.Close()
	type numbers struct{ replica, register int64 }
	var list []ledger.Row
	var nos []numbers
	for rows.Next() {
		var r ledger.Row
		var n numbers
		if err := rows.Scan(&n.replica, &r.ID.Counter, &n.register, &r.Unit, &r.Neighbourhood, &r.Position, &r.Sensitive,
			&r.Kind, &r.WaitingSince, &r.Revision, &r.State); err != nil {
			return nil, fmt.Errorf("list records: %w", err)
		}
		list, nos = append(list, r), append(nos, n)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list records: %w", err)
	}
	rows.Close()
	for i, n := range nos { // after the rows are closed: a read connection runs one statement at a time
		if list[i].ID.Replica, err = l.idOf(n.replica); err != nil {
			return nil, err
		}
		if list[i].Register, err = l.registerName(n.register); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// StreamHead returns the last position that touched a stream.
func (l *Ledger) StreamHead(stream protocol.Stream) (uint64, error) {
	return l.ofStream(stream, `SELECT max((SELECT coalesce(max(position), 0) FROM records WHERE unit = ?1 AND register = ?2),
			(SELECT coalesce(max(position), 0) FROM departed WHERE unit = ?1 AND register = ?2))`,
		`SELECT max((SELECT coalesce(max(sensitive), 0) FROM records WHERE unit = ?1 AND register = ?2 AND sensitive > 0),
			(SELECT coalesce(max(sensitive), 0) FROM departed WHERE unit = ?1 AND register = ?2))`)
}

// StreamCount returns the number of a stream's records.
func (l *Ledger) StreamCount(stream protocol.Stream) (uint64, error) {
	return l.ofStream(stream, `SELECT count(*) FROM records WHERE unit = ? AND register = ?`,
		`SELECT count(*) FROM records WHERE unit = ? AND register = ? AND sensitive > 0`)
}

func (l *Ledger) ofStream(stream protocol.Stream, basic, sensitive string) (n uint64, err error) {
	register, err := l.registerNumber(stream.Register, false)
	if err != nil || register == 0 {
		return 0, err
	}
	query := basic
	if stream.Class == protocol.Sensitive {
		query = sensitive
	}
	if err := l.tx.QueryRow(query, stream.Unit, register).Scan(&n); err != nil {
		return 0, fmt.Errorf("stream %v: %w", stream, err)
	}
	return n, nil
}

// Position returns the last feed position of a unit.
func (l *Ledger) Position(unit string) (uint64, error) {
	var p uint64
	err := l.tx.QueryRow(`SELECT position FROM positions WHERE unit = ?`, unit).Scan(&p)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("read position: %w", err)
	}
	return p, nil
}

// SetPosition keeps the last feed position of a unit.
func (l *Ledger) SetPosition(unit string, position uint64) error {
	_, err := l.tx.Exec(`INSERT INTO positions (unit, position) VALUES (?, ?) ON CONFLICT (unit) DO UPDATE SET position = excluded.position`, unit, position)
	if err != nil {
		return fmt.Errorf("keep position: %w", err)
	}
	return nil
}

// HubMarks lists how far the hub has acknowledged the registers of a unit.
func (l *Ledger) HubMarks(unit string) ([]protocol.HubMark, error) {
	rows, err := l.tx.Query(`SELECT register, revision FROM hub_marks WHERE unit = ? ORDER BY register`, unit)
	if err != nil {
		return nil, fmt.Errorf("read hub marks: %w", err)
	}
	defer rows.Close()
	var marks []protocol.HubMark
	for rows.Next() {
		m := protocol.HubMark{Unit: unit}
		if err := rows.Scan(&m.Register, &m.Revision); err != nil {
			return nil, fmt.Errorf("read hub marks: %w", err)
		}
		marks = append(marks, m)
	}
	return marks, rows.Err()
}

func (l *Ledger) readRegisters() error {
	rows, err := l.tx.Query(`SELECT no, id FROM registers`)
	if err != nil {
		return fmt.Errorf("read registers: %w", err)
	}
	defer rows.Close()
	l.registers, l.names = map[string]int64{}, map[int64]string{}
	for rows.Next() {
		var no int64
		var id string
		if err := rows.Scan(&no, &id); err != nil {
			return fmt.Errorf("read registers: %w", err)
		}
		l.registers[id], l.names[no] = no, id
	}
	return rows.Err()
}

// registerNumber returns the short number of a register; 0 means that there is
// none and it was not to be made.
func (l *Ledger) registerNumber(id string, make bool) (int64, error) {
	if l.registers == nil {
		if err := l.readRegisters(); err != nil {
			return 0, err
		}
	}
	no, ok := l.registers[id]
	if ok || !make {
		return no, nil
	}
	if err := l.tx.QueryRow(`INSERT INTO registers (id) VALUES (?) RETURNING no`, id).Scan(&no); err != nil {
		return 0, fmt.Errorf("number a register: %w", err)
	}
	l.registers[id], l.names[no] = no, id
	return no, nil
}

func (l *Ledger) registerName(no int64) (string, error) {
	if l.registers == nil {
		if err := l.readRegisters(); err != nil {
			return "", err
		}
	}
	id, ok := l.names[no]
	if !ok {
		return "", fmt.Errorf("register number %d is unknown", no)
	}
	return id, nil
}
