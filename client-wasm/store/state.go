package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
)

// State implements replica.Store.
func (s *Store) State(ctx context.Context) (replica.State, error) {
	var state replica.State
	err := s.query(ctx, `SELECT body FROM meta`, func(rows *sql.Rows) error {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return err
		}
		return json.Unmarshal(body, &state.Meta)
	})
	if err == nil {
		state.Streams, err = s.streams(ctx)
	}
	if err == nil {
		err = s.query(ctx, `SELECT register, version, body FROM definitions ORDER BY register, version`, func(rows *sql.Rows) error {
			var d replica.Definition
			if err := rows.Scan(&d.Register, &d.Version, &d.Body); err != nil {
				return err
			}
			state.Definitions = append(state.Definitions, d)
			return nil
		})
	}
	if err == nil {
		err = s.query(ctx, `SELECT unit, register, revision FROM hubmarks ORDER BY unit, register`, func(rows *sql.Rows) error {
			var m protocol.HubMark
			var revision int64
			if err := rows.Scan(&m.Unit, &m.Register, &revision); err != nil {
				return err
			}
			m.Revision = uint64(revision)
			state.HubMarks = append(state.HubMarks, m)
			return nil
		})
	}
	if err == nil {
		err = s.query(ctx, `SELECT id FROM erased`, func(rows *sql.Rows) error {
			var key sql.RawBytes
			if err := rows.Scan(&key); err != nil {
				return err
			}
			id, err := keyID(key)
			state.Erased = append(state.Erased, id)
			return err
		})
	}
	if err == nil {
		err = s.query(ctx, `SELECT DISTINCT unit, register, class FROM pages WHERE spoilt = 1`, func(rows *sql.Rows) error {
			var t protocol.Stream
			err := rows.Scan(&t.Unit, &t.Register, &t.Class)
			state.Spoilt = append(state.Spoilt, t)
			return err
		})
	}
	if err != nil {
		return replica.State{}, fmt.Errorf("read state: %w", err)
	}
	return state, nil
}

func (s *Store) streams(ctx context.Context) ([]replica.Stream, error) {
	var all []replica.Stream
	err := s.query(ctx, `SELECT unit, register, class, neighbourhoods, priority, cursor, floor, head, count, have, granted, code, withdrawn, let_go
		FROM streams ORDER BY unit, register, class`, func(rows *sql.Rows) error {
		var t replica.Stream
		var near sql.RawBytes
		var cursor, floor, head, count, have, letGo int64
		if err := rows.Scan(&t.Unit, &t.Register, &t.Class, &near, &t.Priority, &cursor, &floor, &head, &count, &have, &t.Granted, &t.Code, &t.Withdrawn, &letGo); err != nil {
			return err
		}
		t.Cursor, t.Floor, t.Head, t.Count, t.Have, t.LetGo = uint64(cursor), uint64(floor), uint64(head), uint64(count), uint64(have), uint64(letGo)
		if err := json.Unmarshal(near, &t.Neighbourhoods); err != nil {
			return err
		}
		all = append(all, t)
		return nil
	})
	return all, err
}

// Receipts returns all receipts, oldest first.
func (s *Store) Receipts(ctx context.Context) ([]replica.Receipt, error) {
	var all []replica.Receipt
	err := s.query(ctx, `SELECT replica, through, received, marks, signature FROM receipts ORDER BY no`, func(rows *sql.Rows) error {
		var r replica.Receipt
		var id, marks sql.RawBytes
		var through int64
		if err := rows.Scan(&id, &through, &r.Received, &marks, &r.Signature); err != nil {
			return err
		}
		copy(r.Replica[:], id)
		r.Through = uint64(through)
		all = append(all, r)
		return json.Unmarshal(marks, &all[len(all)-1].Marks)
	})
	if err != nil {
		return nil, fmt.Errorf("read receipts: %w", err)
	}
	return all, nil
}

func (w *writer) state(b *replica.Batch) error {
	if b.Meta != nil {
		body, err := json.Marshal(b.Meta)
		if err != nil {
			return err
		}
		if err := w.exec(`INSERT INTO meta (one, body) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET body = excluded.body`, body); err != nil {
			return err
		}
	}
	for _, t := range b.DropStreams {
		if err := w.exec(`DELETE FROM streams WHERE unit = ? AND register = ? AND class = ?`, t.Unit, t.Register, int64(t.Class)); err != nil {
			return err
		}
	}
	for _, t := range b.Streams {
		near, err := json.Marshal(t.Neighbourhoods)
		if err != nil {
			return err
		}
		if err := w.exec(`INSERT OR REPLACE INTO streams (unit, register, class, neighbourhoods, priority, cursor, floor, head, count, have, granted, code, withdrawn, let_go)
			VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)`, t.Unit, t.Register, int64(t.Class), near, int64(t.Priority), int64(t.Cursor), int64(t.Floor), int64(t.Head), int64(t.Count),
			int64(t.Have), number(t.Granted), int64(t.Code), number(t.Withdrawn), int64(t.LetGo)); err != nil {
			return err
		}
	}
	for _, d := range b.Definitions {
		if err := w.exec(`INSERT OR REPLACE INTO definitions (register, version, body) VALUES (?,?,?)`, d.Register, int64(d.Version), d.Body); err != nil {
			return err
		}
	}
	for _, m := range b.HubMarks {
		if err := w.exec(`INSERT INTO hubmarks (unit, register, revision) VALUES (?,?,?)
			ON CONFLICT (unit, register) DO UPDATE SET revision = max(revision, excluded.revision)`, m.Unit, m.Register, int64(m.Revision)); err != nil {
			return err
		}
	}
	for _, r := range b.Receipts {
		marks, err := json.Marshal(r.Marks)
		if err != nil {
			return err
		}
		if err := w.exec(`INSERT INTO receipts (replica, through, received, marks, signature) VALUES (?,?,?,?,?)`,
			r.Replica[:], int64(r.Through), r.Received, marks, append([]byte{}, r.Signature...)); err != nil {
			return err
		}
	}
	return nil
}

// Commit implements replica.Store.
func (s *Store) Commit(ctx context.Context, b *replica.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	// What was begun is finished: a save whose page goes away must not depend
	// on the moment. Nothing here waits for anybody.
	ctx = context.WithoutCancel(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(b.Drop)+len(b.Put) > 0 {
		s.walked = nil
	}
	tx, err := s.conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w := &writer{s: s, ctx: ctx}
	for _, write := range []func(*replica.Batch) error{w.records, w.outbox, w.state, w.forms, w.pages} {
		if err := write(b); err != nil {
			_ = tx.Rollback() // err says why
			return fmt.Errorf("commit: %w", err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.waiting += w.waiting
	for _, no := range b.Remove {
		delete(s.damaged, no)
	}
	if s.unclean = s.unclean || len(b.Erase)+len(b.Blank)+len(b.DropSpoilt) > 0; s.unclean {
		s.clean(ctx)
	}
	return nil
}

// clean lets no earlier copy of what was erased stay in the files: it writes the
// database anew where that is clear text, copies the log into it and empties that.
// Where it fails the next commit tries again: what was asked for is done, and
// durable.
func (s *Store) clean(ctx context.Context) {
	if clearText {
		if _, err := s.conn.ExecContext(ctx, `VACUUM`); err != nil {
			return
		}
	}
	var busy, pages, copied int
	err := s.conn.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &copied)
	s.unclean = err != nil || busy != 0
}
