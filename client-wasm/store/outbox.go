package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// entryColumns are what scanEntry reads, each behind a prefix.
func entryColumns(prefix string) string {
	return prefix + strings.ReplaceAll(`no, received, refusal, replaced, hash, left_hash, body`, " ", " "+prefix)
}

// scanEntry reads an entry, behind the columns that the caller asks for first.
func scanEntry(rows *sql.Rows, first ...any) (replica.Entry, error) {
	return scanEntryIf(rows, nil, first...)
}

// errEnough ends a reading before its last row.
var errEnough = errors.New("enough")

// scanEntryIf reads an entry if wanted says so of the columns before it, else
// it returns errEnough.
func scanEntryIf(rows *sql.Rows, wanted func() bool, first ...any) (replica.Entry, error) {
	var e replica.Entry
	var refusal, replaced, hash, left, body sql.RawBytes
	var no int64
	if err := rows.Scan(append(first, &no, &e.Received, &refusal, &replaced, &hash, &left, &body)...); err != nil {
		return e, err
	}
	if wanted != nil && !wanted() {
		return e, errEnough
	}
	e.No = uint64(no)
	copy(e.Hash[:], hash)
	if refusal != nil {
		e.Refusal = new(replica.Refusal)
		if err := json.Unmarshal(refusal, e.Refusal); err != nil {
			return e, errDamaged // why it is in quarantine; it must not pass for sound
		}
	}
	if replaced != nil {
		// If it cannot be read, a conflict shows no ancestor; the changeset is sound.
		e.Replaced, _ = parseReplaced(replaced)
	}
	// SQLite does not notice a byte that the disk changed. Nothing altered may be
	// sent as what its author wrote.
	want := e.Hash
	if left != nil {
		copy(want[:], left)
	}
	if record.HashOf(body) != want {
		return e, errDamaged
	}
	var err error
	if e.Changeset, err = record.ParseChangeset(body); err != nil {
		return e, fmt.Errorf("entry %d: %w", no, err)
	}
	return e, nil
}

// errDamaged is an entry whose bytes are not those that were saved. It is left
// where it is and never read again: nothing of it may be sent.
var errDamaged = errors.New("a changeset in the outbox is damaged")

// sound keeps a damaged entry to itself and goes on behind it.
func (s *Store) sound(e replica.Entry, err error) (ok bool, _ error) {
	if !errors.Is(err, errDamaged) {
		return err == nil, err
	}
	if s.damaged == nil {
		s.damaged = map[uint64]bool{}
	}
	s.damaged[e.No] = true
	return false, nil
}

// Damaged implements replica.Store.
func (s *Store) Damaged(ctx context.Context) ([]replica.Damage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.looked && s.waiting > 0 { // what rots does so while nobody looks
		err := s.queryLocked(ctx, `SELECT `+entryColumns("")+` FROM outbox`, func(rows *sql.Rows) error {
			_, err := s.sound(scanEntry(rows))
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look through the outbox: %w", err)
		}
	}
	s.looked = true
	var all []replica.Damage
	for _, no := range slices.Sorted(maps.Keys(s.damaged)) {
		d := replica.Damage{No: no}
		err := s.queryLocked(ctx, `SELECT replica, first, last, at FROM outbox WHERE no = ?`, func(rows *sql.Rows) error {
			var id sql.RawBytes
			err := rows.Scan(&id, &d.First, &d.Last, &d.At)
			copy(d.Replica[:], id)
			return err
		}, int64(no))
		if err != nil {
			return nil, fmt.Errorf("read entry %d: %w", no, err)
		}
		err = s.queryLocked(ctx, `SELECT id FROM touches WHERE no = ? ORDER BY id`, func(rows *sql.Rows) error {
			var key sql.RawBytes
			if err := rows.Scan(&key); err != nil {
				return err
			}
			if id, err := keyID(key); err == nil {
				d.Records = append(d.Records, id)
			}
			return nil
		}, int64(no))
		if err != nil {
			return nil, fmt.Errorf("read entry %d: %w", no, err)
		}
		all = append(all, d)
	}
	return all, nil
}

// replacedFormat opens what an entry replaced: then for each the two dots, as
// in idKey, and the value behind its length.
const replacedFormat = 1

func appendReplaced(all []replica.Replaced) []byte {
	if len(all) == 0 {
		return nil
	}
	b := []byte{replacedFormat}
	for _, r := range all {
		b = append(append(b, idKey(r.Dot)...), idKey(r.Was)...)
		b = append(binary.AppendUvarint(b, uint64(len(r.Value))), r.Value...)
	}
	return b
}

func parseReplaced(b []byte) ([]replica.Replaced, error) {
	if len(b) > 0 && b[0] == '[' {
		return parseReplacedJSON(b)
	}
	if len(b) == 0 || b[0] != replacedFormat {
		return nil, errReplaced
	}
	var all []replica.Replaced
	for b = b[1:]; len(b) > 0; {
		var r replica.Replaced
		for _, d := range []*conflict.Dot{&r.Dot, &r.Was} {
			if len(b) < idBytes {
				return nil, errReplaced
			}
			*d, _ = keyID(b[:idBytes]) // of the right length
			b = b[idBytes:]
		}
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil, errReplaced
		}
		r.Value = conflict.Value(b[used : used+int(n)])
		all, b = append(all, r), b[used+int(n):]
	}
	return all, nil
}

var errReplaced = errors.New("malformed bytes")

// parseReplacedJSON reads what the first programs wrote.
func parseReplacedJSON(b []byte) ([]replica.Replaced, error) {
	var j []struct {
		Dot   string `json:"d"`
		Was   string `json:"w"`
		Value string `json:"v"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return nil, err
	}
	all := make([]replica.Replaced, len(j))
	for i, r := range j {
		var err error
		if all[i].Dot, err = conflict.ParseDot(r.Dot); err != nil {
			return nil, err
		}
		if all[i].Was, err = conflict.ParseDot(r.Was); err != nil {
			return nil, err
		}
		all[i].Value = conflict.Value(r.Value)
	}
	return all, nil
}

// Outbox implements replica.Store.
func (s *Store) Outbox(ctx context.Context, of conflict.ReplicaID, from uint64, maxBytes, limit int) ([]replica.Entry, error) {
	var all []replica.Entry
	size := 0
	// The length comes first, so that an entry is not parsed which does not fit.
	err := s.query(ctx, `SELECT length(body), `+entryColumns("")+` FROM outbox WHERE replica = ? AND first >= ? ORDER BY first LIMIT ?`, func(rows *sql.Rows) error {
		var n int
		e, err := scanEntryIf(rows, func() bool { size += n; return len(all) == 0 || size <= maxBytes }, &n)
		ok, err := s.sound(e, err)
		if ok {
			all = append(all, e)
		}
		return err
	}, of[:], int64(from), limit)
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return all, nil
}

// Entries implements replica.Store.
func (s *Store) Entries(ctx context.Context, after uint64, limit int) ([]replica.Entry, error) {
	if !s.hasEntries() {
		return nil, nil
	}
	var all []replica.Entry
	err := s.query(ctx, `SELECT `+entryColumns("")+` FROM outbox WHERE no > ? ORDER BY no LIMIT ?`, func(rows *sql.Rows) error {
		e, err := scanEntry(rows)
		ok, err := s.sound(e, err)
		if ok {
			all = append(all, e)
		}
		return err
	}, int64(after), limit)
	if err != nil {
		return nil, fmt.Errorf("read outbox: %w", err)
	}
	return all, nil
}

// Unsent implements replica.Store.
func (s *Store) Unsent(ctx context.Context, of conflict.ReplicaID, acked uint64) (count int, oldest int64, err error) {
	if !s.hasEntries() {
		return 0, 0, nil
	}
	err = s.query(ctx, `SELECT count(*), coalesce(min(at), 0) FROM outbox WHERE replica = ? AND first > ?`, func(rows *sql.Rows) error {
		return rows.Scan(&count, &oldest)
	}, of[:], int64(acked))
	if err != nil {
		return 0, 0, fmt.Errorf("count outbox: %w", err)
	}
	return count, oldest, nil
}

// noBase is a base that holds nothing, as it is kept.
var noBase = record.AppendState(nil, conflict.Record{}, conflict.RecordID{}, nil)

// Made implements replica.Store.
func (s *Store) Made(ctx context.Context) (map[protocol.Stream]int, error) {
	if !s.hasEntries() {
		return nil, nil
	}
	made := map[protocol.Stream]int{}
	err := s.query(ctx, `SELECT r.unit, r.register, count(*) FROM (SELECT DISTINCT id FROM touches) t CROSS JOIN records r ON r.id = t.id
		WHERE r.base = ? AND r.leaving = 0 AND r.flags & ? = 0 GROUP BY r.unit, r.register`, func(rows *sql.Rows) error {
		var of protocol.Stream
		var n int
		err := rows.Scan(&of.Unit, &of.Register, &n)
		made[of] = n
		return err
	}, noBase, int64(replica.FlagGhost))
	if err != nil {
		return nil, fmt.Errorf("count what was made here: %w", err)
	}
	return made, nil
}

var intoTouches = newInsertion(`INSERT INTO touches (id, no) VALUES `, 2, ``)

func (w *writer) outbox(b *replica.Batch) error {
	for _, no := range b.Remove {
		if err := w.exec(`DELETE FROM touches WHERE no = ?`, int64(no)); err != nil {
			return err
		}
		n, err := w.execCount(`DELETE FROM outbox WHERE no = ?`, int64(no))
		if err != nil {
			return err
		}
		w.waiting -= n
	}
	for i := range b.Append {
		e := &b.Append[i]
		if len(e.Changeset.Edits) == 0 || e.Hash == (record.Hash{}) {
			return errEntry
		}
		refusal, err := refusalJSON(e.Refusal)
		if err != nil {
			return err
		}
		c := &e.Changeset
		if err := w.exec(`INSERT INTO outbox (no, replica, first, last, at, received, refusal, replaced, hash, body) VALUES (?,?,?,?,?,?,?,?,?,?)`,
			int64(e.No), c.Dot.Replica[:], int64(c.Dot.Counter), int64(c.Last().Counter), c.At, e.Received, nullable(refusal), nullable(appendReplaced(e.Replaced)), e.Hash[:],
			record.AppendChangeset(nil, *c)); err != nil {
			return err
		}
		w.waiting++
		var touches []any
		for _, edit := range c.Edits {
			touches = append(touches, idKey(edit.Record), int64(e.No))
		}
		if err := w.rows(intoTouches, touches); err != nil {
			return err
		}
	}
	for _, id := range b.Erase {
		if err := w.exec(`INSERT OR IGNORE INTO erased (id) VALUES (?)`, idKey(id)); err != nil {
			return err
		}
		if err := w.exec(`DELETE FROM touches WHERE id = ?`, idKey(id)); err != nil {
			return err
		}
	}
	for i := range b.Blank {
		e := &b.Blank[i]
		body := record.AppendChangeset(nil, e.Changeset)
		left := record.HashOf(body)
		if err := w.exec(`UPDATE outbox SET replaced = ?, left_hash = ?, body = ? WHERE no = ?`,
			nullable(appendReplaced(e.Replaced)), left[:], body, int64(e.No)); err != nil {
			return err
		}
	}
	for i := range b.Mark {
		e := &b.Mark[i]
		refusal, err := refusalJSON(e.Refusal)
		if err != nil {
			return err
		}
		if err := w.exec(`UPDATE outbox SET received = ?, refusal = ? WHERE no = ?`, e.Received, nullable(refusal), int64(e.No)); err != nil {
			return err
		}
	}
	for _, got := range b.Receive {
		if err := w.exec(`UPDATE outbox SET received = ? WHERE replica = ? AND first BETWEEN ? AND ? AND received = 0`,
			got.At, got.Replica[:], int64(got.From), int64(got.Through)); err != nil {
			return err
		}
	}
	return nil
}

func refusalJSON(r *replica.Refusal) ([]byte, error) {
	if r == nil {
		return nil, nil
	}
	return json.Marshal(r)
}

// nullable makes NULL of no bytes.
func nullable(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}
