package review

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Item is one line of the queue.
type Item struct {
	ID            string   `json:"id"`
	Register      string   `json:"register"`
	Title         string   `json:"title"`
	Kind          string   `json:"kind" enum:"none,conflict,edited_and_deleted,submitted,deletion"`
	Group         string   `json:"group" enum:"conflict,eyes,clean,returned" doc:"clean: a batch would approve it; returned: with its officer"`
	Reasons       []Reason `json:"reasons" doc:"why a batch would leave it out; none if it is clean"`
	Household     string   `json:"household" doc:"its number, empty for none"`
	WaitingFields []string `json:"waiting_fields"`
	Authors       []string `json:"authors"`
	OldestAt      int64    `json:"oldest_at" doc:"server clock, of what waits"`
	NewestAt      int64    `json:"newest_at"`
	Warnings      int      `json:"warnings"`
	Errors        int      `json:"errors"`
	Digest        string   `json:"digest"`
	New           bool     `json:"new" doc:"nothing of it was ever approved"`
	Stage         string   `json:"stage"`
	Asked         *Asked   `json:"asked,omitempty" doc:"the last question, where it was returned"`
}

// Asked is the question with which a record was returned.
type Asked struct {
	Comment string   `json:"comment"`
	Fields  []string `json:"fields"`
	By      string   `json:"by"`
	At      int64    `json:"at"`
	Answers []Answer `json:"answers"`
}

// QueueRequest asks for a page of what waits.
type QueueRequest struct {
	Register string `query:"register" maxlen:"40"`
	Group    string `query:"group" enum:"conflict,eyes,clean,returned,all" doc:"all: the first three; default"`
	Reason   string `query:"reason" maxlen:"40" doc:"only records with a reason of this code"`
	Author   string `query:"author" maxlen:"100" doc:"only records with work of this account"`
	Through  string `query:"through" maxlen:"100" doc:"a record; the page reaches at least to it, where it waits"`
	Cursor   string `query:"cursor" maxlen:"500"`
	Limit    int    `query:"limit" doc:"at most 200; default 50"`
	Lang     string `query:"lang" enum:"vi,en"`
}

// Counts says how much waits: All is Conflict, Eyes and Clean together.
type Counts struct {
	All        int `json:"all"`
	Conflict   int `json:"conflict" doc:"edited and deleted ones included"`
	Eyes       int `json:"eyes" doc:"wants a person's look, for the reasons told"`
	Clean      int `json:"clean" doc:"a batch would approve it"`
	Households int `json:"households" doc:"of the clean ones"`
	Returned   int `json:"returned" doc:"with their officers, who were asked something; not in all"`
}

func (c *Counts) add(group string) {
	switch group {
	case groupConflict:
		c.Conflict++
	case groupEyes:
		c.Eyes++
	case groupClean:
		c.Clean++
	case groupReturned:
		c.Returned++
		return
	}
	c.All++
}

// Count is how many records have something.
type Count struct {
	Code    string `json:"code"`
	Records int    `json:"records"`
}

// QueueResponse is a page of the queue.
type QueueResponse struct {
	Items      []Item  `json:"items"`
	NextCursor string  `json:"next_cursor" doc:"empty: this was the last page"`
	Matches    int     `json:"matches" doc:"records that all filters let through"`
	Counts     Counts  `json:"counts" doc:"of the register and the author asked for, whatever the group"`
	Reasons    []Count `json:"reasons" doc:"of the same, for each reason how many want eyes for it; a record may count in several"`
	Authors    []Count `json:"authors" doc:"of the register, for each author how much waits"`
}

var kindNames = map[ledger.Kind]string{
	ledger.Nothing: "none", ledger.Submitted: "submitted", ledger.Deletion: "deletion",
	ledger.Conflict: "conflict", ledger.EditedAndDeleted: whyEditedAndDeleted,
}

func kindName(k ledger.Kind) string { return kindNames[k] }

const (
	queueDefault = 50
	queueMost    = 200
	throughMost  = 2000 // rows that a page may grow to, to reach a record
)

// sighted is one record of the queue as its caller meets it.
type sighted struct {
	*waiting
	reasons []Reason
	group   string
}

// sight lists what is on the caller's desk, returned work included, in no order.
func (k *desk) sight() ([]sighted, error) {
	t, err := k.judge()
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]sighted, 0, len(t.records))
	for id, w := range t.records {
		v := sighted{waiting: w, group: w.group()}
		switch v.group {
		case "":
			continue
		case groupReturned:
			v.reasons = []Reason{}
		default:
			v.reasons, _ = personal(w.reasons, w.makers, k.p.Name, t.odd[id])
			v.group = groupOf(v.reasons)
		}
		list = append(list, v)
	}
	return list, nil
}

// counts counts what is on a desk.
func counts(list []sighted) (c Counts) {
	households := map[[2]string]bool{}
	for i := range list {
		c.add(list[i].group)
		if list[i].group == groupClean && list[i].household != "" {
			households[[2]string{list[i].row.Register, list[i].household}] = true
		}
	}
	c.Households = len(households)
	return c
}

// place is where a record stands in the queue: conflicts first, then what wants
// eyes, in both the longest waiting first; then what is clean, by household.
type place struct {
	Rank      int    `json:"n"`
	Household string `json:"h,omitempty"`
	Since     int64  `json:"s"`
	ID        string `json:"id"`
}

var ranks = map[string]int{groupConflict: 0, groupEyes: 1, groupClean: 2, groupReturned: 3}

func (v *sighted) place() place {
	p := place{Rank: ranks[v.group], Since: v.row.WaitingSince, ID: v.row.ID.String()}
	switch v.group {
	case groupClean:
		p.Household = "~" + v.row.Register // without one: behind the households
		if v.household != "" {
			p.Household = "!" + v.household + "\x00" + v.row.Register
		}
	case groupReturned:
		p.Since = v.item.Asked.At
	}
	return p
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.Rank, q.Rank), cmp.Compare(p.Household, q.Household), cmp.Compare(p.Since, q.Since), cmp.Compare(p.ID, q.ID))
}

// String is opaque to clients.
func (p place) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Sprintf("marshal place: %v", err)) // numbers and strings always marshal
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parsePlace(text string) (p place, err error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, err
	}
	if err := json.Unmarshal(b, &p); err != nil {
		return p, err
	}
	_, err = conflict.ParseDot(p.ID)
	return p, err
}

// Queue lists what waits in the caller's unit, judged: conflicts, what wants
// eyes, and what is clean.
func (s *Service) Queue(ctx context.Context, req QueueRequest) (QueueResponse, error) {
	out := QueueResponse{Items: []Item{}}
	limit := req.Limit
	if limit <= 0 {
		limit = queueDefault
	}
	limit = min(limit, queueMost)
	var after place
	if req.Cursor != "" {
		var err error
		if after, err = parsePlace(req.Cursor); err != nil {
			return out, rpc.ErrInvalid.At("cursor").Because(err)
		}
	}
	entry := audit.Entry{Action: "review.queue", Detail: map[string]string{}}
	err := s.look(ctx, req.Lang, entry, func(k *desk) error {
		list, err := k.sight()
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(v sighted) bool { return req.Register != "" && v.row.Register != req.Register })
		out.Authors = authorsOf(list)
		list = slices.DeleteFunc(list, func(v sighted) bool { return req.Author != "" && !slices.Contains(v.item.Authors, req.Author) })
		out.Counts, out.Reasons = counts(list), reasonCounts(list)
		list = slices.DeleteFunc(list, func(v sighted) bool {
			if req.Group == "" || req.Group == "all" {
				if v.group == groupReturned {
					return true
				}
			} else if v.group != req.Group {
				return true
			}
			return req.Reason != "" && !slices.Contains(codesOf(v.reasons), req.Reason)
		})
		out.Matches = len(list)
		slices.SortFunc(list, func(a, b sighted) int { return a.place().compare(b.place()) })
		if req.Cursor != "" {
			i, found := slices.BinarySearchFunc(list, after, func(v sighted, p place) int { return v.place().compare(p) })
			if found {
				i++
			}
			list = list[i:]
		}
		if i := slices.IndexFunc(list, func(v sighted) bool { return req.Through != "" && v.item.ID == req.Through }); i < throughMost {
			limit = max(limit, i+1)
		}
		if len(list) > limit {
			list = list[:limit]
			out.NextCursor = list[limit-1].place().String()
		}
		for i := range list {
			out.Items = append(out.Items, list[i].shown(k.lang))
		}
		entry.Detail["records"] = strconv.Itoa(len(list))
		return nil
	})
	return out, err
}

func authorsOf(list []sighted) []Count {
	names := map[string]int{}
	for i := range list {
		if list[i].group == groupReturned {
			continue
		}
		for _, name := range list[i].item.Authors {
			names[name]++
		}
	}
	return sorted(names)
}

func reasonCounts(list []sighted) []Count {
	codes := map[string]int{}
	for i := range list {
		if list[i].group != groupEyes {
			continue
		}
		for _, code := range unique(codesOf(list[i].reasons)) {
			codes[code]++
		}
	}
	return sorted(codes)
}

// sorted lists the greatest counts first.
func sorted(counts map[string]int) []Count {
	list := make([]Count, 0, len(counts))
	for code, n := range counts {
		list = append(list, Count{code, n})
	}
	slices.SortFunc(list, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Code, b.Code)) })
	return list
}

// shown completes the line of the queue.
func (v *sighted) shown(lang string) Item {
	it := v.item
	it.Group, it.Reasons, it.Household = v.group, v.reasons, v.household
	it.Title = register.Mask(v.def, v.def.TitleField, v.title, lang)
	if it.Reasons == nil {
		it.Reasons = []Reason{}
	}
	return it
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

// item makes what the queue shows of d to everybody who may see the same fields.
func (d *dossier) item() Item {
	it := Item{ID: d.row.ID.String(), Register: d.row.Register, Kind: kindName(d.row.Kind), Digest: d.marks.String(),
		New: len(d.version.Fields) == 0, Stage: string(d.standing.Stage), WaitingFields: []string{}, Authors: []string{}}
	for i := range d.fields {
		f := &d.fields[i]
		if !f.waiting && !f.conflict {
			continue
		}
		it.WaitingFields = append(it.WaitingFields, f.name)
		it.Authors = append(it.Authors, d.authors(f)...)
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
	if last := d.history.last(); last.Decision == record.Returned {
		it.Asked = &Asked{Comment: last.Comment, Fields: last.Fields, By: last.By, At: last.At, Answers: []Answer{}}
		for _, q := range d.questions() {
			if q.ID == last.Question {
				it.Asked.Answers = q.Answers
			}
		}
	}
	return it
}

func (it *Item) span(o conflict.Origin) {
	if it.OldestAt == 0 || o.Received < it.OldestAt {
		it.OldestAt = o.Received
	}
	it.NewestAt = max(it.NewestAt, o.Received)
}
