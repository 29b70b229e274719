package hub

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/hub/canonical"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Config is what a Feed needs.
type Config struct {
	Store       *sqlite.Store
	Definitions []*register.Definition
	// Key seals cursors; 32 bytes that survive restarts.
	Key []byte
	// Announce tells the sessions that follow a unit of the hub's progress.
	Announce func(unit string, m protocol.Message)
	Now      func() time.Time
}

// Feed answers the hub.
type Feed struct{ cfg Config }

// New returns the feed over c.
func New(c Config) *Feed { return &Feed{c} }

// Bounds of one page of changes.
const (
	defaultLimit = 1000
	maxLimit     = 5000
)

// Errors that a consumer branches on.
var (
	ErrDataset = &rpc.Error{Kind: rpc.NotFound, Code: "unknown_dataset", Field: "id", Vi: "Không có bộ dữ liệu này.", En: "There is no such dataset."}
	ErrCursor  = &rpc.Error{Kind: rpc.Invalid, Code: "invalid_cursor", Field: "since", Vi: "Con trỏ không hợp lệ cho tài khoản và bộ dữ liệu này. Hãy bắt đầu lại với since trống.", En: "The cursor is not one of this account and dataset. Begin again with an empty since."}
	ErrEpoch   = &rpc.Error{Kind: rpc.Conflict, Code: "new_epoch", Vi: "Máy chủ đã được khôi phục từ bản sao lưu. Hãy bắt đầu lại với since trống.", En: "The server was restored from a backup. Begin again with an empty since; revisions may stand for other content now."}
	ErrVersion = &rpc.Error{Kind: rpc.NotFound, Code: "unknown_version", Field: "version", Vi: "Không có phiên bản này của bộ dữ liệu.", En: "There is no such version of the dataset."}
)

func (f *Feed) definition(id string) (*register.Definition, error) {
	for _, d := range f.cfg.Definitions {
		if string(d.ID) == id {
			return d, nil
		}
	}
	return nil, ErrDataset
}

// read begins a consistent reading of a dataset at a cursor.
func (f *Feed) read(t *sqlite.Ledger, p auth.Principal, dataset, since string) (cursor, error) {
	c, ok := parseCursor(since, f.cfg.Key, p.Name, dataset)
	if !ok {
		return c, ErrCursor
	}
	epoch, err := t.Epoch()
	if err != nil {
		return c, err
	}
	if since != "" && c.epoch != epoch.Token {
		return c, ErrEpoch
	}
	c.epoch = epoch.Token
	return c, nil
}

// End is the last line of a page; a page without it was cut.
type End struct {
	NextCursor string `json:"next_cursor"`
	Count      int    `json:"count"` // lines before this one
	More       bool   `json:"more"`  // ask again at once
}

// Changes writes the page after since: at most limit items, then the End.
func (f *Feed) Changes(ctx context.Context, p auth.Principal, dataset, since string, limit int, w io.Writer) error {
	def, err := f.definition(dataset)
	if err != nil {
		return err
	}
	if limit <= 0 {
		limit = defaultLimit
	}
	limit = min(limit, maxLimit)
	var lines [][]byte
	var end End
	hashes := map[sqliteRevision]store.Hash{}
	err = f.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		lines, end = nil, End{}
		t := sqlite.LedgerOf(tx)
		c, err := f.read(t, p, dataset, since)
		if err != nil {
			return err
		}
		add := func(v any) error {
			b, err := json.Marshal(v)
			lines = append(lines, append(b, '\n'))
			return err
		}
		if c.schema < def.Version {
			if err := add(schemaLine(def)); err != nil {
				return err
			}
			c.schema = def.Version
		}
		last, err := t.Revisions(dataset)
		if err != nil {
			return err
		}
		for _, unit := range slices.Sorted(maps.Keys(last)) {
			if c.through[unit] >= last[unit] {
				continue
			}
			room := limit - len(lines)
			if room <= 0 {
				end.More = true
				break
			}
			approvals, err := t.Published(unit, dataset, c.through[unit], room)
			if err != nil {
				return err
			}
			for _, a := range approvals {
				if a.Revision != c.through[unit]+1 {
					return fmt.Errorf("feed of %s in %s: revision %d follows %d", dataset, unit, a.Revision, c.through[unit])
				}
				previous, err := t.PublishedBefore(a.Record, a.Seq, unit)
				if err != nil {
					return err
				}
				it, err := itemOf(t, def, a, previous)
				if err != nil {
					return err
				}
				if it.ContentSHA256 != nil {
					hashes[sqliteRevision{unit, a.Revision}] = mustHash(*it.ContentSHA256)
				}
				if err := add(it); err != nil {
					return err
				}
				c.through[unit] = a.Revision
			}
			end.More = end.More || c.through[unit] < last[unit]
		}
		end.NextCursor = c.text(f.cfg.Key, p.Name, dataset)
		end.Count = len(lines)
		return nil
	})
	if err != nil {
		return err
	}
	// Before the data leaves: who pulled what is in the log.
	err = f.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		t := sqlite.LedgerOf(tx)
		for r, h := range hashes {
			if err := t.KeepContentHash(r.unit, dataset, r.revision, h); err != nil {
				return err
			}
		}
		return audit.Append(tx, f.cfg.Now(), audit.Entry{Actor: p.Account, Device: p.Device, Action: "hub.pull", Subject: dataset,
			Detail: map[string]string{"count": fmt.Sprint(end.Count)}})
	})
	if err != nil {
		return err
	}
	for _, line := range lines {
		if _, err := w.Write(line); err != nil {
			return err
		}
	}
	b, err := json.Marshal(end)
	if err != nil {
		return err
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

type sqliteRevision struct {
	unit     string
	revision uint64
}

// schemaLine announces a version of the dataset's schema. It belongs to no
// unit and has no revision.
func schemaLine(def *register.Definition) map[string]any {
	return map[string]any{"op": "schema", "dataset": string(def.ID), "schema_version": def.Version,
		"schema": fmt.Sprintf("/hub/v1/datasets/%s/schema?version=%d", def.ID, def.Version)}
}

func mustHash(text string) store.Hash {
	var h store.Hash
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(h) {
		panic("hub: a content hash of ours is no hash")
	}
	copy(h[:], b)
	return h
}

// AckRequest acknowledges everything up to a cursor.
type AckRequest struct {
	Dataset string `json:"dataset"`
	Cursor  string `json:"cursor"`
}

// AckReply says how many units moved on.
type AckReply struct {
	Units int `json:"units"`
}

// Ack keeps that the consumer holds everything up to the cursor. It is
// cumulative: an older cursor changes nothing.
func (f *Feed) Ack(ctx context.Context, q AckRequest) (AckReply, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return AckReply{}, err
	}
	if _, err := f.definition(q.Dataset); err != nil {
		return AckReply{}, ErrDataset.At("dataset")
	}
	var moved []protocol.HubMark
	err = f.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		moved = nil
		t := sqlite.LedgerOf(tx)
		if q.Cursor == "" {
			return ErrCursor.At("cursor")
		}
		c, err := f.read(t, p, q.Dataset, q.Cursor)
		if err != nil {
			return err
		}
		for _, unit := range slices.Sorted(maps.Keys(c.through)) {
			m := protocol.HubMark{Unit: unit, Register: q.Dataset, Revision: c.through[unit]}
			ok, err := t.KeepHubMark(m)
			if err != nil {
				return err
			}
			if ok {
				moved = append(moved, m)
			}
		}
		return audit.Append(tx, f.cfg.Now(), audit.Entry{Actor: p.Account, Device: p.Device, Action: "hub.ack", Subject: q.Dataset,
			Detail: map[string]string{"units": fmt.Sprint(len(moved))}})
	})
	if err != nil {
		return AckReply{}, err
	}
	for _, m := range moved {
		f.cfg.Announce(m.Unit, &protocol.HubMark{Unit: m.Unit, Register: m.Register, Revision: m.Revision})
	}
	return AckReply{Units: len(moved)}, nil
}

// UnitCount is what stands approved in one unit.
type UnitCount struct {
	WardCode string `json:"ward_code"`
	Revision uint64 `json:"revision"`
	Count    int    `json:"count"`
	SHA256   string `json:"sha256"` // see canonical.CountHash
}

// CountsReply gives every unit of the city, in order of their codes.
type CountsReply struct {
	Dataset         string      `json:"dataset"`
	UnitListVersion string      `json:"unit_list_version"`
	Units           []UnitCount `json:"units"`
}

// Counts says what stands approved per unit, as of a cursor, or now.
func (f *Feed) Counts(ctx context.Context, p auth.Principal, dataset, at string) (CountsReply, error) {
	def, err := f.definition(dataset)
	if err != nil {
		return CountsReply{}, err
	}
	out := CountsReply{Dataset: dataset, UnitListVersion: register.UnitListVersion}
	err = f.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		out.Units = nil
		t := sqlite.LedgerOf(tx)
		c, err := f.read(t, p, dataset, at)
		if err != nil {
			return err
		}
		last, err := t.Revisions(dataset)
		if err != nil {
			return err
		}
		for _, u := range register.Units() {
			unit := string(u.Code)
			through := last[unit]
			if at != "" {
				through = c.through[unit]
			}
			count := UnitCount{WardCode: unit, Revision: through}
			if count.Count, count.SHA256, err = f.count(t, def, unit, through); err != nil {
				return err
			}
			out.Units = append(out.Units, count)
		}
		return nil
	})
	return out, err
}

func (f *Feed) count(t *sqlite.Ledger, def *register.Definition, unit string, through uint64) (int, string, error) {
	var lines []string
	if through > 0 {
		standing, err := t.Standing(unit, string(def.ID), through)
		if err != nil {
			return 0, "", err
		}
		known, err := t.ContentHashes(unit, string(def.ID))
		if err != nil {
			return 0, "", err
		}
		for _, a := range standing {
			h, ok := known[a.Revision]
			if !ok {
				it, err := itemOf(t, def, a, 0)
				if err != nil {
					return 0, "", err
				}
				h = mustHash(*it.ContentSHA256)
			}
			lines = append(lines, a.Record.String()+" "+hex.EncodeToString(h[:]))
		}
	}
	return len(lines), canonical.CountHash(lines), nil
}
