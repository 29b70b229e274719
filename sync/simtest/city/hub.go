package city

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/hub"
	"wardbook/server/hub/puller"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// consumer is the city's hub: the production puller in a folder of its own, and what
// lies between it and the feed.
type consumer struct {
	w    *world
	dir  string
	seen map[string]map[string]uint64 // by cursor: per unit the revision that it stands for
	old  []string                     // cursors that were acknowledged
	// acked is, per unit, what was acknowledged in this life of the database, and
	// before it in the life that the backup is of.
	acked, before map[string]uint64

	trouble trouble
	asked   int // requests of this pull
	sleeps  int
	at      string // the cursor that the last page was asked for with
}

// trouble is what goes wrong in one pull.
type trouble struct {
	at   int // at which request; 0 for never
	what int // 0: it never comes, 1: the answer is lost, 2: the answer is cut
	kill bool
}

var (
	errLine   = errors.New("the line broke")
	errKilled = errors.New("the consumer was killed")
	errTired  = errors.New("the feed fails again and again")
)

func newConsumer(w *world) *consumer {
	h := &consumer{w: w, dir: filepath.Join(w.dir, "hub")}
	h.newLife()
	return h
}

// newLife begins with a database that was restored, or is new: what it says that the
// hub holds was acknowledged before.
func (h *consumer) newLife() {
	h.seen, h.old, h.acked = map[string]map[string]uint64{}, nil, map[string]uint64{}
	h.before = h.marks()
}

// marks reads what the server says that the hub holds.
func (h *consumer) marks() map[string]uint64 {
	marks := map[string]uint64{}
	h.w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		last, err := l.Revisions(registerID)
		if err != nil {
			return err
		}
		for unit := range last {
			list, err := l.HubMarks(unit)
			if err != nil {
				return err
			}
			for _, m := range list {
				marks[unit] = m.Revision
			}
		}
		return nil
	})
	return marks
}

// forget loses the folder: the consumer begins anew.
func (h *consumer) forget() {
	if err := os.RemoveAll(h.dir); err != nil {
		h.w.must("forget", err)
	}
}

// pull runs the consumer once, with the trouble that the bits choose.
func (h *consumer) pull(bits uint32) {
	h.trouble = trouble{}
	if bits&3 != 0 {
		h.trouble = trouble{at: 1 + int(bits>>2)%7, what: int(bits>>5) % 3, kill: bits>>8&1 == 1}
	}
	_, err := h.run(1 + int(bits>>9)%6)
	if err != nil && !errors.Is(err, errKilled) {
		h.w.fail(oracleFeed, "the consumer: %v", err)
	}
}

// run runs the consumer.
func (h *consumer) run(lines int) (puller.Report, error) {
	w := h.w
	w.revive()
	w.follow()
	h.asked, h.sleeps, h.at = 0, 0, ""
	report, err := puller.Pull(ctx, puller.Config{URL: "http://127.0.0.1", Dir: h.dir, Account: "city", Password: "x", PageLines: lines, Transport: h,
		Sleep: func(context.Context, time.Duration) error {
			w.revive()
			if h.sleeps++; h.sleeps > 12 {
				return errTired
			}
			if h.trouble.kill && h.asked >= h.trouble.at {
				return errKilled
			}
			return nil
		}})
	w.logf("  the hub asked %d times: %v", h.asked, err)
	w.revive()
	w.server.tell()
	h.checkMarks()
	return report, err
}

// RoundTrip carries a request of the consumer to the feed.
func (h *consumer) RoundTrip(req *http.Request) (*http.Response, error) {
	if strings.HasPrefix(req.URL.Path, "/api/v1/auth/") {
		return answer(req, http.StatusOK, []byte(`{"access_token":"a","refresh_token":"r","expires_at":"2999-01-01T00:00:00Z","account":{"role":"hub"},"device":{"id":"d"}}`)), nil
	}
	h.asked++
	trouble := -1
	if h.asked == h.trouble.at {
		trouble = h.trouble.what
	}
	if trouble == 0 {
		return nil, errLine
	}
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
		req.Body = io.NopCloser(bytes.NewReader(sent))
	}
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	h.w.server.handler.ServeHTTP(rec, req)
	if h.w.dead {
		return nil, errLine // with what it would have answered
	}
	got := rec.body.Bytes()
	if rec.status == http.StatusOK {
		switch {
		case strings.HasSuffix(req.URL.Path, "/changes"):
			got = h.w.bugPage(got)
			if err := h.page(req.URL.Query().Get("since"), got); err != nil {
				return nil, err
			}
		case strings.HasSuffix(req.URL.Path, "/acks"):
			var ack hub.AckRequest
			if err := json.Unmarshal(sent, &ack); err != nil {
				return nil, err
			}
			h.count(ack.Cursor)
		}
	}
	switch trouble {
	case 1:
		return nil, errLine
	case 2:
		got = got[:len(got)*2/3]
	}
	return answer(req, rec.status, got), nil
}

func answer(req *http.Request, status int, body []byte) *http.Response {
	return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)), Request: req}
}

// recorder takes an answer of the feed.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header         { return r.header }
func (r *recorder) WriteHeader(status int)      { r.status = status }
func (r *recorder) Write(b []byte) (int, error) { return r.body.Write(b) }

// line is what the oracles read of a line of the feed.
type line struct {
	Op       string  `json:"op"`
	Record   string  `json:"record_id"`
	Ward     string  `json:"ward_code"`
	Revision uint64  `json:"revision"`
	Hash     string  `json:"content_sha256"`
	Next     *string `json:"next_cursor"`
}

// page compares a page with what was decided, and remembers what its cursor stands
// for. since is the cursor that it was asked for with.
func (h *consumer) page(since string, body []byte) error {
	w := h.w
	through := map[string]uint64{}
	maps.Copy(through, h.seen[since])
	for text := range bytes.Lines(body) {
		var l line
		if err := json.Unmarshal(text, &l); err != nil {
			return err
		}
		switch {
		case l.Next != nil:
			h.seen[*l.Next] = through
			continue
		case l.Op == "schema":
			continue
		}
		if l.Revision != through[l.Ward]+1 {
			w.fail(oracleFeed, "the feed of %s goes from revision %d to %d", l.Ward, through[l.Ward], l.Revision)
		}
		through[l.Ward] = l.Revision
		want, ok := w.told[l.Ward][l.Revision]
		if !ok || want.record.String() != l.Record || string(want.op) != l.Op || want.hash != l.Hash {
			w.fail(oracleFeed, "revision %d of %s says %s of %s with content %.8s; decided was %s of %v with %.8s", l.Revision, l.Ward, l.Op, l.Record, l.Hash, want.op, want.record, want.hash)
		}
	}
	return nil
}

// count counts an acknowledgement that the server has answered well.
func (h *consumer) count(cursor string) {
	through, ok := h.seen[cursor]
	if !ok {
		h.w.fail(oracleMarks, "a cursor is acknowledged that was never handed out in this life")
	}
	for unit, n := range through {
		h.acked[unit] = max(h.acked[unit], n)
	}
	h.old = append(h.old, cursor)
}

// stale acknowledges an old cursor again.
func (h *consumer) stale(bits uint32) {
	w := h.w
	if len(h.old) == 0 {
		return
	}
	seat := auth.NewContext(ctx, principal(people[len(people)-1], "desk"))
	cursor := h.old[int(bits)%len(h.old)]
	err := w.server.do(func() error {
		_, err := w.server.feed.Ack(seat, hub.AckRequest{Dataset: registerID, Cursor: cursor})
		if err == nil {
			w.bugAck(h.seen[cursor])
		}
		return err
	})
	w.refused("acknowledge", err)
	h.checkMarks()
}

// checkMarks compares what the server says that the hub holds with what was
// acknowledged, and that with what is durable at the consumer.
func (h *consumer) checkMarks() {
	w := h.w
	want := map[string]uint64{}
	maps.Copy(want, h.before)
	for unit, n := range h.acked {
		want[unit] = max(want[unit], n)
	}
	if got := h.marks(); !sameMarks(got, want) {
		w.fail(oracleMarks, "the server says that the hub holds %v; acknowledged was %v", got, want)
	}
}

// sameMarks compares marks; a unit of which nothing was acknowledged may be absent.
func sameMarks(a, b map[string]uint64) bool {
	for unit := range maps.Keys(a) {
		if a[unit] != b[unit] {
			return false
		}
	}
	for unit := range maps.Keys(b) {
		if a[unit] != b[unit] {
			return false
		}
	}
	return true
}

// rest pulls until everything is there, and asks whether it adds up: what is held is
// what stands approved, each record in the unit where it lives.
func (h *consumer) rest() {
	w := h.w
	h.trouble = trouble{}
	report, err := h.run(3)
	if err != nil {
		w.fail(oracleFeed, "the consumer, at rest: %v", err)
	}
	for _, d := range report.Differences {
		w.fail(oracleFeed, "%v", d)
	}
	for _, unit := range slices.Sorted(maps.Keys(w.told)) {
		if n, at := uint64(len(w.told[unit])), h.acked[unit]; at != n {
			w.fail(oracleFeed, "at rest the consumer has acknowledged %d of %d revisions of %s", at, n, unit)
		}
		live := map[conflict.RecordID]bool{}
		for n := range uint64(len(w.told[unit])) {
			t := w.told[unit][n+1]
			live[t.record] = t.op == store.OpUpsert
		}
		for id, here := range live {
			if row := w.server.row(id); here && row.Unit != unit {
				w.fail(oracleFeed, "the hub holds %v in %s; it is in %s", id, unit, row.Unit)
			}
		}
	}
}
