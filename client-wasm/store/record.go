package store

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/record"
)

// perRead is how many ids one reading asks for.
const perRead = 64

// marks returns n parameters for an IN.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?,", n), ",") }

// inParts runs a reading over ids, perRead at a time. text holds %s where the
// parameters stand.
func (s *Store) inParts(ctx context.Context, text string, ids []conflict.RecordID, scan func(*sql.Rows) error) error {
	for part := range slices.Chunk(ids, perRead) {
		n := len(part)
		if n > 1 {
			n = perRead
		}
		args := make([]any, n)
		for i := range args { // the last id stands in for those that are missing
			args[i] = idKey(part[min(i, len(part)-1)])
		}
		if err := s.query(ctx, fmt.Sprintf(text, marks(n)), scan, args...); err != nil {
			return err
		}
	}
	return nil
}

// Holdings implements replica.Store.
func (s *Store) Holdings(ctx context.Context, ids []conflict.RecordID) ([]replica.Holding, error) {
	found := make(map[conflict.RecordID]*replica.Holding, len(ids))
	var m record.Memory // of all of them
	err := s.inParts(ctx, `SELECT id, register, unit, leaving, flags, sort, search, keys, base FROM records WHERE id IN (%s)`, ids, func(rows *sql.Rows) error {
		var h replica.Holding
		var id, keys, base, sort sql.RawBytes
		if err := rows.Scan(&id, &h.Register, &h.Unit, &h.Left, &h.Index.Flags, &sort, &h.Index.Search, &keys, &base); err != nil {
			return err
		}
		h.Index.Sort = string(sort)
		var err error
		if h.ID, err = keyID(id); err != nil {
			return err
		}
		for k := keys; len(k) >= 8; k = k[8:] {
			h.Index.Keys = append(h.Index.Keys, binary.BigEndian.Uint64(k))
		}
		if h.Base, _, err = m.ParseState(base, h.ID); err != nil {
			return fmt.Errorf("record %v: %w", h.ID, err)
		}
		found[h.ID] = &h
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read records: %w", err)
	}
	if s.hasEntries() {
		err := s.inParts(ctx, `SELECT t.id, `+entryColumns("o.")+` FROM touches t JOIN outbox o ON o.no = t.no WHERE t.id IN (%s) ORDER BY o.no`, ids, func(rows *sql.Rows) error {
			var key sql.RawBytes
			e, err := scanEntry(rows, &key)
			if ok, err := s.sound(e, err); !ok {
				return err
			}
			id, err := keyID(key)
			if err != nil {
				return err
			}
			if h := found[id]; h != nil {
				h.Entries = append(h.Entries, e)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read records: %w", err)
		}
	}
	all := make([]replica.Holding, 0, len(found))
	for _, id := range ids {
		if h := found[id]; h != nil {
			all = append(all, *h)
		}
	}
	return all, nil
}

func (s *Store) hasEntries() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting > 0
}

// A search walks the list in windows of rows, so that it may be given up between
// two. The first are small: what is common stands in them.
const (
	firstWindow = 512
	lastWindow  = 8192
)

// walk is how far one search has come: the windows that it went through, with
// the hits in each. It holds until a record changes.
type walk struct {
	query   string
	windows []passed
	done    bool // the last window was the end of the list
}

type passed struct {
	last []byte // where the window ends
	hits int
}

// walks is how many searches are remembered: those of the lists that are open.
const walks = 4

// walkOf returns the walk of a query, as far as it has come.
func (s *Store) walkOf(query string) *walk {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.walked, func(w *walk) bool { return w.query == query })
	if i < 0 {
		s.walked = slices.Insert(s.walked, 0, &walk{query: query})
		s.walked = s.walked[:min(len(s.walked), walks)]
		return s.walked[0]
	}
	w := s.walked[i]
	s.walked = slices.Insert(slices.Delete(s.walked, i, i+1), 0, w)
	return w
}

// Find implements replica.Store. It walks the list in windows: in each it
// counts the hits, and reads those of the page.
func (s *Store) Find(ctx context.Context, q replica.Query) ([]conflict.RecordID, int, error) {
	match := "1"
	var words []any
	for _, w := range q.Words {
		match += " AND instr(search, ?) > 0"
		words = append(words, w)
	}
	if q.Any != 0 {
		match += " AND flags & ? <> 0"
		words = append(words, int64(q.Any))
	}
	if q.None != 0 {
		match += " AND flags & ? = 0"
		words = append(words, int64(q.None))
	}
	count := `SELECT count(*), coalesce(sum(` + match + `), 0), max(sort) FROM
		(SELECT sort, flags, search FROM records INDEXED BY records_listed WHERE register = ? AND sort > ? ORDER BY sort LIMIT ?)`
	hits := `SELECT substr(sort, -24) FROM records INDEXED BY records_listed WHERE register = ? AND sort > ? AND sort <= ? AND ` + match + ` ORDER BY sort LIMIT ? OFFSET ?`
	w := s.walkOf(fmt.Sprintf("%q %q %d %d", q.Register, q.Words, q.Any, q.None))
	var ids []conflict.RecordID
	total := 0
	after, window := []byte{}, firstWindow
	for n := 0; ; n++ {
		if n > 0 {
			yield()
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, fmt.Errorf("find: %w", err)
		}
		if q.First && q.Limit > 0 && len(ids) == q.Limit {
			return ids, -1, nil
		}
		last, hit, end, err := s.pass(ctx, w, n, count, append(slices.Clone(words), q.Register, after, window))
		if err != nil {
			return nil, 0, fmt.Errorf("find: %w", err)
		}
		if want := q.Limit - len(ids); hit > 0 && want > 0 && q.Offset < total+hit {
			args := append([]any{q.Register, after, last}, words...)
			err := s.query(ctx, hits, func(rows *sql.Rows) error {
				var b sql.RawBytes
				if err := rows.Scan(&b); err != nil {
					return err
				}
				id, err := keyID(b)
				ids = append(ids, id)
				return err
			}, append(args, want, max(0, q.Offset-total))...)
			if err != nil {
				return nil, 0, fmt.Errorf("find: %w", err)
			}
		}
		total += hit
		if end {
			return ids, total, nil
		}
		after, window = last, min(window*2, lastWindow)
	}
}

// pass goes through window n of a walk, or remembers it. end says that it was
// the last one of the list.
func (s *Store) pass(ctx context.Context, w *walk, n int, count string, args []any) (last []byte, hits int, end bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < len(w.windows) {
		return w.windows[n].last, w.windows[n].hits, w.done && n == len(w.windows)-1, nil
	}
	var looked int
	if err := s.queryLocked(ctx, count, func(rows *sql.Rows) error { return rows.Scan(&looked, &hits, &last) }, args...); err != nil {
		return nil, 0, false, err
	}
	end = looked < args[len(args)-1].(int)
	if n == len(w.windows) && !w.done { // it may have been forgotten meanwhile
		w.windows, w.done = append(w.windows, passed{last, hits}), end
	}
	return last, hits, end, nil
}

func (s *Store) ids(ctx context.Context, text string, args ...any) ([]conflict.RecordID, error) {
	var ids []conflict.RecordID
	err := s.query(ctx, text, func(rows *sql.Rows) error {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			return err
		}
		id, err := keyID(b)
		ids = append(ids, id)
		return err
	}, args...)
	return ids, err
}

// FindKey implements replica.Store.
func (s *Store) FindKey(ctx context.Context, key uint64, limit int) ([]conflict.RecordID, error) {
	ids, err := s.ids(ctx, `SELECT id FROM lookups WHERE key = ? ORDER BY id LIMIT ?`, int64(key), limit)
	if err != nil {
		return nil, fmt.Errorf("find by key: %w", err)
	}
	return ids, nil
}

// Shared implements replica.Store.
func (s *Store) Shared(ctx context.Context, from, through uint64, limit int) ([][]conflict.RecordID, error) {
	var groups [][]conflict.RecordID
	var last int64
	err := s.query(ctx, `SELECT key, id FROM lookups WHERE key IN
		(SELECT key FROM lookups WHERE key BETWEEN ? AND ? GROUP BY key HAVING count(*) > 1) ORDER BY key, id LIMIT ?`, func(rows *sql.Rows) error {
		var key int64
		var b sql.RawBytes
		if err := rows.Scan(&key, &b); err != nil {
			return err
		}
		id, err := keyID(b)
		if err != nil {
			return err
		}
		if len(groups) == 0 || key != last {
			groups = append(groups, nil)
		}
		last = key
		groups[len(groups)-1] = append(groups[len(groups)-1], id)
		return nil
	}, int64(from), int64(through), limit)
	if err != nil {
		return nil, fmt.Errorf("find what shares a key: %w", err)
	}
	return groups, nil
}

// Walk implements replica.Store.
func (s *Store) Walk(ctx context.Context, register string, after conflict.RecordID, limit int) ([]conflict.RecordID, error) {
	text, args := `SELECT id FROM records WHERE id > ? AND register = ? ORDER BY id LIMIT ?`, []any{idKey(after), register, limit}
	if register == "" {
		text, args = `SELECT id FROM records WHERE id > ? ORDER BY id LIMIT ?`, []any{idKey(after), limit}
	}
	ids, err := s.ids(ctx, text, args...)
	if err != nil {
		return nil, fmt.Errorf("walk records: %w", err)
	}
	return ids, nil
}

// Leaving implements replica.Store.
func (s *Store) Leaving(ctx context.Context) ([]conflict.RecordID, error) {
	ids, err := s.ids(ctx, `SELECT id FROM records WHERE leaving = 1 ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read what left: %w", err)
	}
	return ids, nil
}

// Counts implements replica.Store.
func (s *Store) Counts(ctx context.Context) (replica.Counts, error) {
	var c replica.Counts
	err := s.query(ctx, `SELECT coalesce(sum(flags & ? <> 0), 0), coalesce(sum(flags & ? <> 0), 0), coalesce(sum(flags & ? <> 0), 0)
		FROM records WHERE flags & 113 <> 0`, func(rows *sql.Rows) error {
		return rows.Scan(&c.Conflicts, &c.Returned, &c.Quarantined)
	}, int64(replica.FlagConflict), int64(replica.FlagReturned|replica.FlagRefused), int64(replica.FlagQuarantined))
	if err != nil {
		return c, fmt.Errorf("count records: %w", err)
	}
	return c, nil
}

func (w *writer) records(b *replica.Batch) error {
	for _, id := range b.Drop {
		key := idKey(id)
		if err := w.dropLookups(key); err != nil {
			return err
		}
		if err := w.exec(`DELETE FROM records WHERE id = ?`, key); err != nil {
			return err
		}
	}
	rows := make([]any, 0, intoRecords.width*len(b.Put))
	var lookups []any
	var states []byte // of all; rows point into it
	for i := range b.Put {
		h := &b.Put[i]
		key := idKey(h.ID)
		for _, k := range h.Known {
			if !slices.Contains(h.Index.Keys, k) {
				if err := w.exec(`DELETE FROM lookups WHERE key = ? AND id = ?`, int64(k), key); err != nil {
					return err
				}
			}
		}
		keys := make([]byte, 0, 8*len(h.Index.Keys))
		for _, k := range h.Index.Keys {
			keys = binary.BigEndian.AppendUint64(keys, k)
			if !slices.Contains(h.Known, k) {
				lookups = append(lookups, int64(k), key)
			}
		}
		from := len(states)
		states = record.AppendState(states, h.Base, h.ID, nil)
		rows = append(rows, key, h.Register, h.Unit, number(h.Left), int64(h.Index.Flags), []byte(h.Index.Sort), h.Index.Search, keys,
			states[from:len(states):len(states)])
	}
	if err := w.rows(intoRecords, rows); err != nil {
		return err
	}
	if err := w.rows(intoLookups, lookups); err != nil {
		return err
	}
	return w.rebase(b.Rebase)
}

var (
	intoRecords = newInsertion(`INSERT INTO records (id, register, unit, leaving, flags, sort, search, keys, base) VALUES `, 9,
		` ON CONFLICT (id) DO UPDATE SET register = excluded.register, unit = excluded.unit, leaving = excluded.leaving, flags = excluded.flags,
			sort = excluded.sort, search = excluded.search, keys = excluded.keys, base = excluded.base`)
	intoLookups = newInsertion(`INSERT OR IGNORE INTO lookups (key, id) VALUES `, 2, ``)
)

// rebase writes bases only, which leaves every index alone.
func (w *writer) rebase(holdings []replica.Holding) error {
	for i := range holdings {
		h := &holdings[i]
		n, err := w.execCount(`UPDATE records SET base = ? WHERE id = ?`, record.AppendState(nil, h.Base, h.ID, nil), idKey(h.ID))
		if err == nil && n == 0 {
			err = errRebase
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dropLookups forgets under what a record was looked up.
func (w *writer) dropLookups(id []byte) error {
	var keys []byte
	err := w.s.queryLocked(w.ctx, `SELECT keys FROM records WHERE id = ?`, func(rows *sql.Rows) error { return rows.Scan(&keys) }, id)
	for ; err == nil && len(keys) >= 8; keys = keys[8:] {
		err = w.exec(`DELETE FROM lookups WHERE key = ? AND id = ?`, int64(binary.BigEndian.Uint64(keys)), id)
	}
	return err
}
