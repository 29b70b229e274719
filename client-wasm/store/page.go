package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
)

// Kept implements replica.Store.
func (s *Store) Kept(ctx context.Context, epoch protocol.Token, maxBytes int) ([]replica.KeptPage, error) {
	var all []replica.KeptPage
	size := 0
	err := s.query(ctx, `SELECT no, epoch, unit, register, class, through, body FROM pages WHERE epoch <> ?1 AND (given IS NULL OR given <> ?1) ORDER BY no`, func(rows *sql.Rows) error {
		var p replica.KeptPage
		var no, through int64
		var signed, body sql.RawBytes
		if err := rows.Scan(&no, &signed, &p.Stream.Unit, &p.Stream.Register, &p.Stream.Class, &through, &body); err != nil {
			return err
		}
		if size += len(body); len(all) > 0 && (size > maxBytes || len(all) == protocol.MaxReturned) {
			return errEnough
		}
		p.No, p.To, p.Body = uint64(no), uint64(through), append([]byte(nil), body...)
		copy(p.Epoch[:], signed)
		all = append(all, p)
		return nil
	}, epoch[:])
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read kept pages: %w", err)
	}
	return all, nil
}

// Pages implements replica.Store.
func (s *Store) Pages(ctx context.Context, after uint64, maxBytes int) ([]replica.KeptPage, error) {
	var all []replica.KeptPage
	size := 0
	err := s.query(ctx, `SELECT no, epoch, unit, register, class, through, spoilt, body FROM pages WHERE no > ? ORDER BY no`, func(rows *sql.Rows) error {
		var p replica.KeptPage
		var no, through int64
		var signed, body sql.RawBytes
		if err := rows.Scan(&no, &signed, &p.Stream.Unit, &p.Stream.Register, &p.Stream.Class, &through, &p.Spoilt, &body); err != nil {
			return err
		}
		if size += len(body); len(all) > 0 && size > maxBytes {
			return errEnough
		}
		p.No, p.To, p.Body = uint64(no), uint64(through), append([]byte(nil), body...)
		copy(p.Epoch[:], signed)
		all = append(all, p)
		return nil
	}, int64(after))
	if err != nil && !errors.Is(err, errEnough) {
		return nil, fmt.Errorf("read kept pages: %w", err)
	}
	return all, nil
}

func (w *writer) pages(b *replica.Batch) error {
	for _, t := range b.DropStreams {
		if err := w.exec(`DELETE FROM pages WHERE unit = ? AND register = ? AND class = ?`, t.Unit, t.Register, int64(t.Class)); err != nil {
			return err
		}
	}
	for _, d := range b.DropKept {
		if err := w.exec(`DELETE FROM pages WHERE unit = ?2 AND (epoch = ?1 AND through <= ?3 OR given = ?1 AND given_at <= ?3)`,
			d.Epoch[:], d.Unit, int64(d.Through)); err != nil {
			return err
		}
	}
	for _, d := range b.DropSpoilt {
		if err := w.exec(`DELETE FROM pages WHERE spoilt = 1 AND unit = ? AND register = ? AND class = ? AND epoch = ?`,
			d.Stream.Unit, d.Stream.Register, int64(d.Stream.Class), d.Epoch[:]); err != nil {
			return err
		}
	}
	for _, no := range b.Spoil {
		if err := w.exec(`UPDATE pages SET spoilt = 1 WHERE no = ?`, int64(no)); err != nil {
			return err
		}
	}
	for _, p := range b.Keep {
		if err := w.exec(`INSERT INTO pages (epoch, unit, register, class, through, spoilt, body) VALUES (?,?,?,?,?,?,?)`,
			p.Epoch[:], p.Stream.Unit, p.Stream.Register, int64(p.Stream.Class), int64(p.To), number(p.Spoilt), p.Body); err != nil {
			return err
		}
	}
	for _, g := range b.GaveBack {
		for _, no := range g.Nos {
			if err := w.exec(`UPDATE pages SET given = ?1, given_at = ?2 WHERE no = ?3 AND (?4 = '' OR unit = ?4)`, g.Epoch[:], int64(g.At), int64(no), g.Unit); err != nil {
				return err
			}
		}
	}
	return nil
}
