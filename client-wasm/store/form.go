package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
)

// draftJSON is a replica.Draft with its names as text.
type draftJSON struct {
	Record     string                    `json:"record,omitempty"`
	Register   string                    `json:"register"`
	Unit       string                    `json:"unit"`
	Definition uint32                    `json:"definition"`
	Seen       map[string]string         `json:"seen"` // vectors by field key
	Shown      map[string]conflict.Value `json:"shown"`
	Conflicts  []string                  `json:"conflicts,omitempty"`
	Question   string                    `json:"question,omitempty"`
	Defaults   map[string]string         `json:"defaults,omitempty"`
	Typed      map[string]string         `json:"typed,omitempty"`
}

func draftBytes(d *replica.Draft) ([]byte, error) {
	j := draftJSON{Register: d.Register, Unit: d.Unit, Definition: d.Definition, Seen: map[string]string{}, Shown: d.Shown,
		Conflicts: d.Conflicts, Question: d.Question, Defaults: d.Defaults, Typed: d.Typed}
	if !d.Record.IsZero() {
		j.Record = d.Record.String()
	}
	for k, v := range d.Seen {
		j.Seen[k.String()] = v.String()
	}
	return json.Marshal(j)
}

func parseDraft(key string, opened int64, b []byte) (replica.Draft, error) {
	var j draftJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return replica.Draft{}, err
	}
	d := replica.Draft{Key: key, Register: j.Register, Unit: j.Unit, Definition: j.Definition, OpenedAt: opened,
		Seen: make(map[conflict.FieldKey]conflict.Vector, len(j.Seen)), Shown: j.Shown, Conflicts: j.Conflicts, Question: j.Question,
		Defaults: j.Defaults, Typed: j.Typed}
	var err error
	if j.Record != "" {
		if d.Record, err = conflict.ParseDot(j.Record); err != nil {
			return replica.Draft{}, err
		}
	}
	for text, vector := range j.Seen {
		k, err := parseKey(text)
		if err != nil {
			return replica.Draft{}, err
		}
		if d.Seen[k], err = conflict.ParseVector(vector); err != nil {
			return replica.Draft{}, err
		}
	}
	return d, nil
}

// parseKey reads what conflict.FieldKey's String writes.
func parseKey(text string) (conflict.FieldKey, error) {
	id, elem, _ := strings.Cut(text, "/")
	n, err := strconv.ParseUint(id, 10, 16)
	if err != nil {
		return conflict.FieldKey{}, fmt.Errorf("field key %q: %w", text, err)
	}
	return conflict.FieldKey{ID: conflict.FieldID(n), Elem: elem}, nil
}

func (s *Store) drafts(ctx context.Context, where string, args ...any) ([]replica.Draft, error) {
	var all []replica.Draft
	err := s.query(ctx, `SELECT key, opened, body FROM drafts `+where+` ORDER BY opened, key`, func(rows *sql.Rows) error {
		var key string
		var opened int64
		var body sql.RawBytes
		if err := rows.Scan(&key, &opened, &body); err != nil {
			return err
		}
		d, err := parseDraft(key, opened, body)
		if err != nil {
			return fmt.Errorf("draft %s: %w", key, err)
		}
		all = append(all, d)
		return nil
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("read drafts: %w", err)
	}
	return all, nil
}

// Drafts implements replica.Store.
func (s *Store) Drafts(ctx context.Context) ([]replica.Draft, error) { return s.drafts(ctx, ``) }

// Draft implements replica.Store.
func (s *Store) Draft(ctx context.Context, key string) (replica.Draft, bool, error) {
	all, err := s.drafts(ctx, `WHERE key = ?`, key)
	if err != nil || len(all) == 0 {
		return replica.Draft{}, false, err
	}
	return all[0], true, nil
}

func (s *Store) savedForms(ctx context.Context, where string, args ...any) ([]replica.Saved, error) {
	var all []replica.Saved
	err := s.query(ctx, `SELECT key, id, submitted, at FROM saved `+where, func(rows *sql.Rows) error {
		var v replica.Saved
		var id sql.RawBytes
		if err := rows.Scan(&v.Key, &id, &v.Submitted, &v.At); err != nil {
			return err
		}
		var err error
		v.Record, err = keyID(id)
		all = append(all, v)
		return err
	}, args...)
	if err != nil {
		return nil, fmt.Errorf("read saved forms: %w", err)
	}
	return all, nil
}

// Saved implements replica.Store.
func (s *Store) Saved(ctx context.Context, key string) (replica.Saved, bool, error) {
	all, err := s.savedForms(ctx, `WHERE key = ?`, key)
	if err != nil || len(all) == 0 {
		return replica.Saved{}, false, err
	}
	return all[0], true, nil
}

// SavedOf implements replica.Store.
func (s *Store) SavedOf(ctx context.Context, of conflict.ReplicaID) ([]replica.Saved, error) {
	return s.savedForms(ctx, `WHERE substr(id, 1, 16) = ? ORDER BY key`, of[:])
}

// Reveals implements replica.Store.
func (s *Store) Reveals(ctx context.Context) ([]replica.Reveal, error) {
	var all []replica.Reveal
	err := s.query(ctx, `SELECT no, id, field, at FROM reveals ORDER BY no`, func(rows *sql.Rows) error {
		var v replica.Reveal
		var no int64
		var id sql.RawBytes
		if err := rows.Scan(&no, &id, &v.Field, &v.At); err != nil {
			return err
		}
		v.No = uint64(no)
		var err error
		v.Record, err = keyID(id)
		all = append(all, v)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read reveals: %w", err)
	}
	return all, nil
}

func (w *writer) forms(b *replica.Batch) error {
	for _, key := range b.DropDrafts {
		if err := w.exec(`DELETE FROM drafts WHERE key = ?`, key); err != nil {
			return err
		}
	}
	for i := range b.Drafts {
		d := &b.Drafts[i]
		body, err := draftBytes(d)
		if err != nil {
			return err
		}
		if err := w.exec(`INSERT INTO drafts (key, opened, body) VALUES (?,?,?) ON CONFLICT (key) DO UPDATE SET opened = excluded.opened, body = excluded.body`,
			d.Key, d.OpenedAt, body); err != nil {
			return err
		}
	}
	for _, v := range b.Saved {
		if err := w.exec(`INSERT INTO saved (key, id, submitted, at) VALUES (?,?,?,?)
			ON CONFLICT (key) DO UPDATE SET id = excluded.id, submitted = excluded.submitted, at = excluded.at`,
			v.Key, idKey(v.Record), number(v.Submitted), v.At); err != nil {
			return err
		}
		if err := w.exec(`DELETE FROM saved WHERE at < ?`, v.At-keepSaved); err != nil {
			return err
		}
	}
	for _, no := range b.ReportedReveals {
		if err := w.exec(`DELETE FROM reveals WHERE no = ?`, int64(no)); err != nil {
			return err
		}
	}
	for _, v := range b.Reveals {
		if err := w.exec(`INSERT INTO reveals (id, field, at) VALUES (?,?,?)`, idKey(v.Record), v.Field, v.At); err != nil {
			return err
		}
	}
	return nil
}
