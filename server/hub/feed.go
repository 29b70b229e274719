package hub

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Config is what a Feed needs.
type Config struct {
	Store *sqlite.Store
	// Definitions are the registers, in the order in which they are offered, each
	// with every version that anything was approved under: an item is exported
	// under the version of its approval, or its content hash would change.
	Definitions []*register.Definition
	// List returns the list of units in force. Nil: the one that the program brings.
	List func() (version string, units []register.Unit)
	// Key seals cursors; 32 bytes that survive restarts.
	Key []byte
	// Announce tells the sessions that follow a unit of the hub's progress. It
	// must be quick.
	Announce func(unit string, m protocol.Message)
	// Rate is how many requests a second an account may make, ten times as many
	// at once; default 20.
	Rate float64
}

// Feed answers the hub. Every call takes the caller from the context
// (auth.NewContext) and asks the authoriser in the transaction that reads. It is
// safe for concurrent use.
type Feed struct {
	cfg      Config
	datasets []*dataset
	limiter  *rpc.Limiter
}

// defaultRate is far more than a consumer that keeps up needs.
const defaultRate = 20

// New returns the feed over c.
func New(c Config) *Feed {
	if c.Rate <= 0 {
		c.Rate = defaultRate
	}
	if c.List == nil {
		c.List = func() (string, []register.Unit) { return register.UnitListVersion, register.Units() }
	}
	f := &Feed{cfg: c, limiter: rpc.NewLimiter(c.Rate, 10*c.Rate, time.Now)}
	for _, d := range c.Definitions {
		f.datasets = append(f.datasets, newDataset(d))
	}
	return f
}

// Bounds of one page of changes, in lines.
const (
	defaultLimit = 1000
	maxLimit     = 5000
)

// Errors that a consumer branches on.
var (
	ErrDataset = &rpc.Error{Kind: rpc.NotFound, Code: "unknown_dataset", Vi: "Không có bộ dữ liệu này.", En: "There is no such dataset."}
	ErrVersion = &rpc.Error{Kind: rpc.NotFound, Code: "unknown_version", Field: "version", Vi: "Không có phiên bản này của bộ dữ liệu.", En: "There is no such version of the dataset."}
	ErrCursor  = &rpc.Error{Kind: rpc.Invalid, Code: "invalid_cursor", Vi: "Con trỏ không phải của tài khoản và bộ dữ liệu này.", En: "The cursor is not one of this account and dataset."}
	ErrEpoch   = &rpc.Error{Kind: rpc.Conflict, Code: "new_epoch", Vi: "Máy chủ đã được khôi phục từ bản sao lưu. Hãy bắt đầu lại với con trỏ trống.", En: "The server was restored from a backup. Begin again with an empty cursor: revisions may stand for other content now."}
)

// reading is one caller at work on one dataset, in one transaction.
type reading struct {
	p      auth.Principal
	t      *sqlite.Ledger
	set    *dataset // the newest version
	cursor cursor
}

// read begins a reading of a dataset at a cursor.
func (f *Feed) read(ctx context.Context, tx *sqlite.Tx, id, since string) (*reading, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	r := &reading{t: sqlite.LedgerOf(tx)}
	if r.p, err = auth.Current(tx, p, f.cfg.Store.Now()); err != nil {
		return nil, err
	}
	if r.set, err = f.newest(id); err != nil {
		return nil, err
	}
	c, ok := parseCursor(since, f.cfg.Key, r.p.Account, id)
	if !ok {
		return nil, ErrCursor
	}
	epoch, err := r.t.Epoch()
	if err != nil {
		return nil, err
	}
	if since != "" && c.epoch != epoch.Token {
		return nil, ErrEpoch
	}
	c.epoch = epoch.Token
	r.cursor = c
	return r, nil
}

// may asks the one authoriser about a unit.
func (r *reading) may(unit string) error { return auth.Can(r.p, auth.HubPull, unit, auth.Basic) }

// Page is one answer of Changes.
type Page struct {
	Lines [][]byte // JSON texts without line feeds
	End   End
}

// End is the last line of a page; a page without it was cut.
type End struct {
	NextCursor string `json:"next_cursor"`
	Count      int    `json:"count"` // lines before this one
	More       bool   `json:"more"`  // ask again at once
}

// revision names an item within a dataset.
type revision struct {
	unit   string
	number uint64
}

// Changes returns the page after since: at most limit lines, as one state of the
// database has them. 0 means the default limit. The pull is in the audit log
// before Changes returns.
func (f *Feed) Changes(ctx context.Context, id, since string, limit int) (Page, error) {
	if limit <= 0 {
		limit = defaultLimit
	}
	for {
		page, again, err := f.changes(ctx, id, since, limit)
		if err != nil || !again {
			return page, err
		}
	}
}

// changes is Changes once; again says that a record of the page was erased by law
// meanwhile, so that the page must not leave.
func (f *Feed) changes(ctx context.Context, id, since string, limit int) (page Page, again bool, err error) {
	var contents map[revision]contentHash
	var r *reading
	err = f.cfg.Store.View(ctx, func(tx *sqlite.Tx) (err error) {
		if r, err = f.read(ctx, tx, id, since); err != nil {
			return err
		}
		page, contents, err = f.page(r, min(limit, maxLimit))
		return err
	})
	if err != nil {
		return Page{}, false, err
	}
	// Before the data leaves: who pulled what is in the log.
	err = f.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		t := sqlite.LedgerOf(tx)
		for _, c := range contents {
			if again, err = t.Erased(c.record); err != nil || again {
				return err
			}
		}
		for n, c := range contents {
			if err := t.KeepContentHash(n.unit, id, n.number, c.hash); err != nil {
				return err
			}
		}
		return audit.Append(tx, f.cfg.Store.Now(), audit.Entry{Actor: r.p.Account, Device: r.p.Device, Action: "hub.pull", Subject: id,
			Detail: map[string]string{"count": strconv.Itoa(page.End.Count)}})
	})
	if err != nil {
		return Page{}, false, err
	}
	return page, again, nil
}

// contentHash is the hash of what an item says of a record.
type contentHash struct {
	record conflict.RecordID
	hash   store.Hash
}

func (f *Feed) page(r *reading, limit int) (Page, map[revision]contentHash, error) {
	var page Page
	contents := map[revision]contentHash{}
	if c := &r.cursor; c.schema < r.set.Version {
		line, err := encode(schemaLine(r.set))
		if err != nil {
			return page, nil, err
		}
		page.Lines, c.schema = append(page.Lines, line), r.set.Version
	}
	last, err := r.t.Revisions(string(r.set.ID))
	if err != nil {
		return page, nil, err
	}
	for _, unit := range slices.Sorted(maps.Keys(last)) {
		if r.cursor.through[unit] >= last[unit] {
			continue
		}
		if err := r.may(unit); err != nil {
			return page, nil, err
		}
		room := limit - len(page.Lines)
		if room <= 0 {
			page.End.More = true
			break
		}
		approvals, err := r.t.Published(unit, string(r.set.ID), r.cursor.through[unit], room)
		if err != nil {
			return page, nil, err
		}
		for _, a := range approvals {
			it, err := f.next(r, a)
			if err != nil {
				return page, nil, err
			}
			if it.ContentSHA256 != nil {
				contents[revision{unit, a.Revision}] = contentHash{a.Record, mustHash(*it.ContentSHA256)}
			}
			line, err := encode(it)
			if err != nil {
				return page, nil, err
			}
			page.Lines = append(page.Lines, line)
		}
		if len(approvals) < room && r.cursor.through[unit] != last[unit] {
			return page, nil, fmt.Errorf("feed of %s in %s: it ends at revision %d, but %d was given out", r.set.ID, unit, r.cursor.through[unit], last[unit])
		}
		page.End.More = page.End.More || r.cursor.through[unit] < last[unit]
	}
	page.End.NextCursor = r.cursor.text(f.cfg.Key, r.p.Account, string(r.set.ID))
	page.End.Count = len(page.Lines)
	return page, contents, nil
}

// next makes the line of the decision that follows the cursor and moves the
// cursor on. A gap is a broken invariant and is never handed out.
func (f *Feed) next(r *reading, a store.Approval) (Item, error) {
	if at := r.cursor.through[a.Unit]; a.Revision != at+1 {
		return Item{}, fmt.Errorf("feed of %s in %s: revision %d follows %d", a.Register, a.Unit, a.Revision, at)
	}
	previous, err := r.t.PublishedBefore(a.Record, a.Seq, a.Unit)
	if err != nil {
		return Item{}, err
	}
	it, err := f.item(r.t, a, previous)
	if err != nil {
		return Item{}, err
	}
	r.cursor.through[a.Unit] = a.Revision
	return it, nil
}

// encode returns v as JSON on one line, with nothing escaped for HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
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
