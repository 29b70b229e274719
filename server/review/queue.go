package review

import (
	"context"
	"encoding/base64"
	"fmt"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/register"
)

// Item is one line of the queue.
type Item struct {
	ID            string   `json:"id"`
	Register      string   `json:"register"`
	Title         string   `json:"title"`
	Kind          string   `json:"kind" enum:"conflict,edited_and_deleted,submitted,deletion"`
	WaitingFields []string `json:"waiting_fields"`
	Authors       []string `json:"authors"`
	OldestAt      int64    `json:"oldest_at" doc:"server clock, of what waits"`
	NewestAt      int64    `json:"newest_at"`
	HighRisk      bool     `json:"high_risk"`
	Warnings      int      `json:"warnings"`
	Errors        int      `json:"errors"`
	Batchable     bool     `json:"batchable"`
	WhyNot        []string `json:"why_not"`
	Digest        string   `json:"digest"`
	New           bool     `json:"new" doc:"nothing of it was ever approved"`
	Stage         string   `json:"stage"`
}

// QueueRequest asks for a page of what waits.
type QueueRequest struct {
	Register string `query:"register" maxlen:"40"`
	Kind     string `query:"kind" enum:"conflict,submitted,deletion,all"`
	Cursor   string `query:"cursor" maxlen:"300"`
	Limit    int    `query:"limit" doc:"at most 100; default 50"`
	Lang     string `query:"lang" enum:"vi,en"`
}

// Counts says how much waits.
type Counts struct {
	Conflict  int `json:"conflict" doc:"edited and deleted ones included"`
	Submitted int `json:"submitted"`
	Deletion  int `json:"deletion"`
}

// QueueResponse is a page of the queue.
type QueueResponse struct {
	Items      []Item `json:"items"`
	NextCursor string `json:"next_cursor" doc:"empty: this was the last page"`
	Counts     Counts `json:"counts"`
}

var kindNames = map[ledger.Kind]string{
	ledger.Nothing: "none", ledger.Submitted: "submitted", ledger.Deletion: "deletion",
	ledger.Conflict: "conflict", ledger.EditedAndDeleted: whyEditedAndDeleted,
}

func kindName(k ledger.Kind) string { return kindNames[k] }

// kindRange returns the kinds that a filter of the queue lets through.
func kindRange(filter string) (least, most ledger.Kind) {
	switch filter {
	case "conflict":
		return ledger.Conflict, ledger.EditedAndDeleted
	case "submitted":
		return ledger.Submitted, ledger.Deletion
	case "deletion":
		return ledger.Deletion, ledger.Deletion
	}
	return ledger.Submitted, ledger.EditedAndDeleted
}

const (
	queueDefault = 50
	queueMost    = 100
)

// Queue lists what waits in the caller's unit: conflicts first, in each kind the
// longest waiting first.
func (s *Service) Queue(ctx context.Context, req QueueRequest) (QueueResponse, error) {
	out := QueueResponse{Items: []Item{}}
	limit := req.Limit
	if limit <= 0 {
		limit = queueDefault
	}
	limit = min(limit, queueMost)
	after, err := parseCursor(req.Cursor)
	if err != nil {
		return out, rpc.ErrInvalid.At("cursor").Because(err)
	}
	entry := audit.Entry{Action: "review.queue", Detail: map[string]string{}}
	err = s.look(ctx, req.Lang, entry, func(k *desk) error {
		least, most := kindRange(req.Kind)
		rows, err := k.l.WaitingAfter(k.p.Unit, req.Register, least, most, after, limit+1)
		if err != nil {
			return err
		}
		if len(rows) > limit {
			rows = rows[:limit]
			out.NextCursor = cursorOf(&rows[limit-1])
		}
		if err := s.followAll(k.l, rows); err != nil {
			return err
		}
		for _, row := range rows {
			d, err := k.load(row)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, k.item(d))
		}
		counts, err := k.l.WaitingCountsIn(k.p.Unit, req.Register)
		out.Counts = Counts{Conflict: counts[ledger.Conflict] + counts[ledger.EditedAndDeleted],
			Submitted: counts[ledger.Submitted], Deletion: counts[ledger.Deletion]}
		entry.Detail["records"] = fmt.Sprint(len(rows))
		return err
	})
	return out, err
}

// followAll brings the indexes of the rows' registers up to what a read
// transaction sees.
func (s *Service) followAll(l *sqlite.Ledger, rows []ledger.Row) error {
	done := map[string]bool{}
	for i := range rows {
		def, ok := s.cfg.Definition(rows[i].Register)
		if !ok || done[rows[i].Register] {
			continue
		}
		done[rows[i].Register] = true
		if err := s.indexes.of(rows[i].Unit, def).follow(l); err != nil {
			return err
		}
	}
	return nil
}

func (k *desk) item(d *dossier) Item {
	it := Item{ID: d.row.ID.String(), Register: d.row.Register, Title: d.title(k.lang), Kind: kindName(d.row.Kind), Digest: d.marks.String(),
		New: len(d.version.Fields) == 0, Stage: string(d.standing.Stage), WaitingFields: []string{}, Authors: []string{}}
	for i := range d.fields {
		f := &d.fields[i]
		if !f.waiting && !f.conflict {
			continue
		}
		it.WaitingFields = append(it.WaitingFields, f.name)
		it.Authors = append(it.Authors, d.authors(f)...)
		it.HighRisk = it.HighRisk || f.def != nil && f.def.HighRisk
		for key, dots := range d.waitingDots(f) {
			for _, dot := range dots {
				if w, ok := d.history.find(key, dot); ok {
					it.span(w.origin)
				}
			}
		}
	}
	it.Authors = unique(it.Authors)
	for _, f := range d.findings {
		switch f.Level {
		case register.Error:
			it.Errors++
		case register.Warning:
			it.Warnings++
		}
	}
	it.WhyNot, _ = d.why(k.p.Name, k.now)
	it.Batchable = len(it.WhyNot) == 0
	if it.WhyNot == nil {
		it.WhyNot = []string{}
	}
	return it
}

func (it *Item) span(o conflict.Origin) {
	if it.OldestAt == 0 || o.Received < it.OldestAt {
		it.OldestAt = o.Received
	}
	it.NewestAt = max(it.NewestAt, o.Received)
}

// cursorOf names a row's place in the queue. It is opaque to clients.
func cursorOf(r *ledger.Row) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %s", r.Kind, r.WaitingSince, r.ID))
}

func parseCursor(text string) (*ledger.Row, error) {
	if text == "" {
		return nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return nil, err
	}
	var r ledger.Row
	var id string
	if _, err := fmt.Sscanf(string(b), "%d %d %s", &r.Kind, &r.WaitingSince, &id); err != nil {
		return nil, err
	}
	r.ID, err = conflict.ParseDot(id)
	return &r, err
}
