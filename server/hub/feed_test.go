package hub_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/hub"
	"wardbook/server/hub/canonical"
	"wardbook/server/hub/hubtest"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const (
	ward      = "27169"
	otherWard = "27676"
	addresses = "addresses"
)

var start = time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)

// line is what these tests read of an item.
type line struct {
	hub.Item
	Schema string `json:"schema"`
}

func read(t testing.TB, p hub.Page) []line {
	t.Helper()
	var list []line
	for _, b := range p.Lines {
		var l line
		if err := json.Unmarshal(b, &l); err != nil {
			t.Fatal(err)
		}
		list = append(list, l)
	}
	return list
}

// pull pulls a dataset to its end, limit lines at a time.
func pull(t testing.TB, w *hubtest.World, ctx context.Context, id, since string, limit int) (list []line, cursor string) {
	t.Helper()
	for {
		p, err := w.Feed.Changes(ctx, id, since, limit)
		if err != nil {
			t.Fatal(err)
		}
		if p.End.Count != len(p.Lines) {
			t.Fatalf("got a count of %d, want %d", p.End.Count, len(p.Lines))
		}
		list, since = append(list, read(t, p)...), p.End.NextCursor
		if !p.End.More {
			return list, since
		}
		if len(p.Lines) == 0 {
			t.Fatal("an empty page promises more")
		}
	}
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = rpc.Public(err).Code
	}
	if got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

// Every op, as a consumer sees it, byte for byte.
func TestEnvelope(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	none := conflict.RecordID{}
	kept := w.Save(ward, addresses, none, hubtest.Address(1))
	w.Approve(ward, kept)
	w.Save(ward, addresses, kept, map[string]string{"house_no": "1A", "building": `<b>"C & D"</b>`})
	w.Approve(ward, kept)
	gone := w.Save(ward, addresses, none, hubtest.Address(2))
	w.Approve(ward, gone)
	w.Delete(ward, addresses, gone, true)
	w.Approve(ward, gone)
	back := w.Save(otherWard, addresses, none, hubtest.Address(3))
	w.Approve(otherWard, back)
	w.Withdraw(otherWard, back)
	w.Approve(otherWard, back)
	person := w.Save(ward, "social_protection", none, hubtest.Beneficiary())
	w.Approve(ward, person)

	var b bytes.Buffer
	for _, id := range []string{addresses, "social_protection"} {
		p, err := w.Feed.Changes(city, id, "", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range p.Lines {
			fmt.Fprintf(&b, "%s\n", l)
		}
		fmt.Fprintf(&b, "count %d more %v\n", p.End.Count, p.End.More)
	}
	golden := filepath.Join("testdata", "envelope.golden")
	if *update {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", b.Bytes(), want)
	}
}

func TestItemsSayWhatTheyMean(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	id := w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(1))
	other := w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(2))
	w.Approve(ward, id)                                                            // 1 upsert
	w.Approve(ward, other)                                                         // 2 upsert
	w.Save(ward, addresses, id, map[string]string{"house_no": "1A"})               //
	w.Approve(ward, id)                                                            // 3 upsert
	w.Save(ward, addresses, id, map[string]string{"house_no": "9"})                //
	w.Refuse(ward, id)                                                             // nothing for the hub
	w.Withdraw(ward, id)                                                           // 4 retract
	w.Approve(ward, id)                                                            // 5 upsert
	w.Delete(ward, addresses, id, true)                                            //
	w.Approve(ward, id)                                                            // 6 delete
	w.Save(ward, addresses, conflict.RecordID{}, map[string]string{"street": "x"}) // never complete
	type told struct {
		revision, supersedes uint64
		op                   store.Op
		record               conflict.RecordID
	}
	want := []told{{1, 0, "upsert", id}, {2, 0, "upsert", other}, {3, 1, "upsert", id}, {4, 3, "retract", id}, {5, 4, "upsert", id}, {6, 5, "delete", id}}
	for limit := 1; limit <= 8; limit++ {
		list, _ := pull(t, w, city, addresses, "", limit)
		if l := list[0]; l.Op != "schema" || l.Dataset != addresses || l.SchemaVersion != 1 || l.Schema != "/hub/v1/datasets/addresses/schema?version=1" {
			t.Errorf("limit %d: got %+v first, want the schema", limit, l)
		}
		var got []told
		for _, l := range list[1:] {
			rec, err := conflict.ParseDot(l.RecordID)
			if err != nil {
				t.Fatal(err)
			}
			s := uint64(0)
			if l.Supersedes != nil {
				s = *l.Supersedes
			}
			got = append(got, told{l.Revision, s, l.Op, rec})
			if upsert := l.Op == store.OpUpsert; upsert == (string(l.Data) == "null") || upsert != (l.ContentSHA256 != nil) {
				t.Errorf("revision %d, %s: got data %s, hash %v", l.Revision, l.Op, l.Data, l.ContentSHA256)
			}
			if l.ContentSHA256 == nil {
				continue
			}
			if sum, err := canonical.ContentHash(l.Data); err != nil || sum != *l.ContentSHA256 {
				t.Errorf("revision %d: got hash %s, want %s (%v)", l.Revision, *l.ContentSHA256, sum, err)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("limit %d:\n got %v\nwant %v", limit, got, want)
		}
	}
}

// Two units whose decisions come in between: each has its own revisions, without
// a gap, whatever the page.
func TestRevisionsHaveNoGap(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	var cursor string
	last := map[string]uint64{}
	take := func(list []line) {
		for _, l := range list {
			if l.Op == "schema" {
				continue
			}
			if l.Revision != last[l.WardCode]+1 {
				t.Errorf("unit %s: revision %d follows %d", l.WardCode, l.Revision, last[l.WardCode])
			}
			last[l.WardCode] = l.Revision
		}
	}
	for i := range 12 {
		unit := []string{ward, otherWard, otherWard}[i%3]
		id := w.Save(unit, addresses, conflict.RecordID{}, hubtest.Address(i))
		w.Approve(unit, id)
		if i%2 == 0 {
			w.Save(unit, addresses, id, map[string]string{"house_no": fmt.Sprint(i, "B")})
			w.Approve(unit, id)
		}
		if i%4 == 3 {
			var list []line
			list, cursor = pull(t, w, city, addresses, cursor, 1+i%3)
			take(list)
		}
	}
	if last[ward] != 6 || last[otherWard] != 12 {
		t.Errorf("got revisions %v, want 6 and 12", last)
	}
	again, same := pull(t, w, city, addresses, cursor, 0)
	if len(again) != 0 || same != cursor {
		t.Errorf("got %d lines and cursor %s after the end, want none and %s", len(again), same, cursor)
	}
}

func TestCursorsAreBound(t *testing.T) {
	w := hubtest.New(t, start)
	city, other := w.SignedIn("hub.city", store.RoleHub, ""), w.SignedIn("hub.other", store.RoleHub, "")
	w.Approve(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(1)))
	_, cursor := pull(t, w, city, addresses, "", 0)
	for name, c := range map[string]struct {
		ctx             context.Context
		dataset, cursor string
		code            string
	}{
		"its own":             {city, addresses, cursor, ""},
		"of another account":  {other, addresses, cursor, "invalid_cursor"},
		"of another dataset":  {city, "residents", cursor, "invalid_cursor"},
		"a letter changed":    {city, addresses, flip(cursor, len(cursor)/2), "invalid_cursor"},
		"shortened":           {city, addresses, cursor[:len(cursor)-4], "invalid_cursor"},
		"no base64":           {city, addresses, "%%%", "invalid_cursor"},
		"of no dataset":       {city, "nothing", cursor, "unknown_dataset"},
		"very long":           {city, addresses, strings.Repeat("A", 100_000), "invalid_cursor"},
		"an empty one's seal": {city, addresses, "AQ", "invalid_cursor"},
	} {
		_, err := w.Feed.Changes(c.ctx, c.dataset, c.cursor, 0)
		t.Run(name+", changes", func(t *testing.T) { wantCode(t, err, c.code) })
		_, err = w.Feed.Counts(c.ctx, hub.CountsRequest{ID: c.dataset, At: c.cursor})
		t.Run(name+", counts", func(t *testing.T) { wantCode(t, err, c.code) })
		_, err = w.Feed.Ack(c.ctx, hub.AckRequest{Dataset: c.dataset, Cursor: c.cursor})
		t.Run(name+", acks", func(t *testing.T) { wantCode(t, err, c.code) })
	}
	_, err := w.Feed.Ack(city, hub.AckRequest{Dataset: addresses})
	wantCode(t, err, "invalid_cursor")

	w.Restore()
	_, err = w.Feed.Changes(city, addresses, cursor, 0)
	wantCode(t, err, "new_epoch")
	_, err = w.Feed.Ack(city, hub.AckRequest{Dataset: addresses, Cursor: cursor})
	wantCode(t, err, "new_epoch")
	_, err = w.Feed.Counts(city, hub.CountsRequest{ID: addresses, At: cursor})
	wantCode(t, err, "new_epoch")
	if list, _ := pull(t, w, city, addresses, "", 0); len(list) != 2 {
		t.Errorf("got %d lines from the beginning of the new epoch, want 2", len(list))
	}
}

// flip changes one letter of a text.
func flip(s string, i int) string {
	c := byte('A')
	if s[i] == c {
		c = 'B'
	}
	return s[:i] + string(c) + s[i+1:]
}

// Only the hub's role, and only while its sign-in lives.
func TestOthersAreRefused(t *testing.T) {
	w := hubtest.New(t, start)
	w.Approve(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(1)))
	revoked := w.SignedIn("hub.gone", store.RoleHub, "")
	w.Update(func(tx *sqlite.Tx) error {
		return tx.RevokeDevice("d-hub.gone", start, "lost", true)
	})
	for name, c := range map[string]struct {
		ctx  context.Context
		code string
	}{
		"nobody":           {context.Background(), "unauthenticated"},
		"a supervisor":     {w.SignedIn("s", store.RoleSupervisor, ward), "forbidden"},
		"an officer":       {w.SignedIn("o", store.RoleOfficer, ward), "forbidden"},
		"an administrator": {w.SignedIn("a", store.RoleAdmin, ""), "forbidden"},
		"a revoked device": {revoked, "device_revoked"},
	} {
		_, err := w.Feed.Changes(c.ctx, addresses, "", 0)
		t.Run(name+", changes", func(t *testing.T) { wantCode(t, err, c.code) })
		_, err = w.Feed.Counts(c.ctx, hub.CountsRequest{ID: addresses})
		t.Run(name+", counts", func(t *testing.T) { wantCode(t, err, c.code) })
	}
}

func TestAck(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	approve := func(unit string, n int) {
		w.Approve(unit, w.Save(unit, addresses, conflict.RecordID{}, hubtest.Address(n)))
	}
	var cursors []string
	step := func() {
		since := ""
		if len(cursors) > 0 {
			since = cursors[len(cursors)-1]
		}
		_, c := pull(t, w, city, addresses, since, 0)
		cursors = append(cursors, c)
	}
	approve(ward, 1)
	step()
	approve(ward, 2)
	approve(otherWard, 3)
	step()
	ack := func(cursor string, units int, marks ...protocol.HubMark) {
		t.Helper()
		reply, err := w.Feed.Ack(city, hub.AckRequest{Dataset: addresses, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.Marks(); reply.Units != units || !slices.Equal(got, marks) {
			t.Errorf("got %d units and marks %v, want %d and %v", reply.Units, got, units, marks)
		}
	}
	mark := func(unit string, n uint64) protocol.HubMark {
		return protocol.HubMark{Unit: unit, Register: addresses, Revision: n}
	}
	if len(w.Marks()) > 0 {
		t.Error("a pull alone announced something")
	}
	ack(cursors[0], 1, mark(ward, 1))
	ack(cursors[0], 0)
	ack(cursors[1], 2, mark(ward, 2), mark(otherWard, 1)) // cumulative
	ack(cursors[0], 0)                                    // older: nothing changes
	w.View(func(tx *sqlite.Tx) error {
		for unit, want := range map[string]uint64{ward: 2, otherWard: 1} {
			marks, err := sqlite.LedgerOf(tx).HubMarks(unit)
			if err != nil || len(marks) != 1 || marks[0].Revision != want {
				t.Errorf("unit %s: got %v, %v, want revision %d", unit, marks, err, want)
			}
		}
		return nil
	})
	// A newer one alone is enough.
	approve(ward, 4)
	approve(otherWard, 5)
	step()
	approve(ward, 6)
	step()
	ack(cursors[3], 2, mark(ward, 4), mark(otherWard, 2))
}

// Counts at a cursor are those of a consumer that holds what came before it,
// whether or not the hashes were kept, and do not move when more is approved.
func TestCounts(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	held := map[string]map[string]string{ward: {}, otherWard: {}}
	take := func(list []line) {
		for _, l := range list {
			switch l.Op {
			case store.OpUpsert:
				held[l.WardCode][l.RecordID] = *l.ContentSHA256
			case store.OpDelete, store.OpRetract:
				delete(held[l.WardCode], l.RecordID)
			}
		}
	}
	check := func(cursor string) {
		t.Helper()
		reply, err := w.Feed.Counts(city, hub.CountsRequest{ID: addresses, At: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if len(reply.Units) != 168 {
			t.Errorf("got %d units, want 168", len(reply.Units))
		}
		for _, u := range reply.Units {
			var lines []string
			for id, h := range held[u.WardCode] {
				lines = append(lines, id+" "+h)
			}
			if want := canonical.CountHash(lines); u.Count != len(lines) || u.SHA256 != want {
				t.Errorf("unit %s: got %d %s, want %d %s", u.WardCode, u.Count, u.SHA256, len(lines), want)
			}
		}
	}
	var ids []conflict.RecordID
	for i := range 6 {
		unit := []string{ward, otherWard}[i%2]
		ids = append(ids, w.Save(unit, addresses, conflict.RecordID{}, hubtest.Address(i)))
		w.Approve(unit, ids[i])
	}
	list, cursor := pull(t, w, city, addresses, "", 4)
	take(list)
	check(cursor)
	check("")

	w.Withdraw(ward, ids[0])
	w.Delete(otherWard, addresses, ids[1], true)
	w.Approve(otherWard, ids[1])
	w.Save(ward, addresses, ids[2], map[string]string{"house_no": "77"})
	w.Approve(ward, ids[2])
	w.Refuse(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(99)))
	check(cursor) // as it was
	w.Update(func(tx *sqlite.Tx) error { _, err := tx.Exec(`DELETE FROM hub_content`); return err })
	check(cursor) // computed anew

	list, cursor = pull(t, w, city, addresses, cursor, 2)
	take(list)
	check(cursor)
	check("")
	if len(held[ward]) != 2 || len(held[otherWard]) != 2 {
		t.Errorf("got %v, want two records each", held)
	}
}

// Every pull is in the log, and the log holds no person data.
func TestPullsAreAudited(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	w.Approve(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(1)))
	_, cursor := pull(t, w, city, addresses, "", 0)
	if _, err := w.Feed.Ack(city, hub.AckRequest{Dataset: addresses, Cursor: cursor}); err != nil {
		t.Fatal(err)
	}
	var got []string
	w.View(func(tx *sqlite.Tx) error {
		list, err := tx.AuditAfter(0, 1000)
		for _, e := range list {
			if strings.HasPrefix(e.Action, "hub.") {
				got = append(got, fmt.Sprint(e.Actor, " ", e.Action, " ", e.Subject, " ", string(e.Detail)))
			}
		}
		if _, e := audit.Verify(tx); e != nil {
			err = errors.Join(err, e)
		}
		return err
	})
	want := []string{`a-hub.city hub.pull addresses {"count":"2"}`, `a-hub.city hub.ack addresses {"units":"1"}`}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Sensitive values of a real record, approved and published, are in no line, no
// schema and no count.
func TestSensitiveFieldsStayInside(t *testing.T) {
	w := hubtest.New(t, start)
	city := w.SignedIn("hub.city", store.RoleHub, "")
	id := w.Save(ward, "social_protection", conflict.RecordID{}, hubtest.Beneficiary())
	w.Approve(ward, id)
	before, _ := w.Feed.Counts(city, hub.CountsRequest{ID: "social_protection"})
	w.Save(ward, "social_protection", id, map[string]string{"disability_cert_no": "SECRET-4712"})
	w.Approve(ward, id)
	w.Withdraw(ward, id)
	p, err := w.Feed.Changes(city, "social_protection", "", 0)
	if err != nil || len(p.Lines) != 4 {
		t.Fatalf("got %d lines, %v, want 4", len(p.Lines), err)
	}
	secret := regexp.MustCompile(`SECRET|KHUYET_TAT|NGHEO|9704361234567|Vận động|Thần kinh|disability|household_class|bank_account|beneficiary_group`)
	for _, l := range p.Lines {
		if found := secret.Find(l); found != nil {
			t.Errorf("got %q in %s", found, l)
		}
	}
	if !bytes.Contains(p.Lines[1], []byte("Đặng Thị Ánh")) {
		t.Errorf("got %s, want the basic fields", p.Lines[1])
	}
	items := read(t, p)
	if *items[1].ContentSHA256 != *items[2].ContentSHA256 {
		t.Error("a change of a sensitive field alone changed the content's hash, which would tell of it")
	}
	if before.Units == nil {
		t.Error("there were no counts")
	}
}

func TestHTTP(t *testing.T) {
	w := hubtest.New(t, time.Time{})
	c := newConsumer(t, w, w.Hub)
	w.Approve(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(1)))
	since := url.QueryEscape(c.cursorAfterAll())
	for name, q := range map[string]struct {
		path   string
		status int
		want   string // in the body
	}{
		"catalogue":              {"/hub/v1/datasets", 200, `"dct:identifier": "addresses"`},
		"schema":                 {"/hub/v1/datasets/addresses/schema", 200, `"$id":"urn:wardbook:register:addresses:1"`},
		"schema by version":      {"/hub/v1/datasets/addresses/schema?version=1", 200, `2020-12`},
		"no such version":        {"/hub/v1/datasets/addresses/schema?version=2", 404, `unknown_version`},
		"no version":             {"/hub/v1/datasets/addresses/schema?version=x", 422, `"field":"version"`},
		"changes":                {"/hub/v1/datasets/addresses/changes", 200, `"count":2,"more":false}`},
		"changes, limited":       {"/hub/v1/datasets/addresses/changes?limit=1", 200, `"count":1,"more":true}`},
		"changes, nothing new":   {"/hub/v1/datasets/addresses/changes?since=" + since, 200, `"count":0,"more":false}`},
		"changes, misspelt":      {"/hub/v1/datasets/addresses/changes?sinse=" + since, 422, `unknown_field`},
		"changes, twice":         {"/hub/v1/datasets/addresses/changes?since=&since=" + since, 422, `duplicate_field`},
		"changes, limit of none": {"/hub/v1/datasets/addresses/changes?limit=0", 422, `"field":"limit"`},
		"changes, bad cursor":    {"/hub/v1/datasets/addresses/changes?since=abc", 422, `"field":"since"`},
		"no such dataset":        {"/hub/v1/datasets/nothing/changes", 404, `unknown_dataset`},
		"counts":                 {"/hub/v1/datasets/addresses/counts", 200, `"ward_code":"27169","ward_name":"`},
		"counts at":              {"/hub/v1/datasets/addresses/counts?at=" + since, 200, `"count":1`},
		"counts, bad cursor":     {"/hub/v1/datasets/addresses/counts?at=abc", 422, `"field":"at"`},
	} {
		status, body := c.do("GET", q.path, "")
		if status != q.status || !strings.Contains(body, q.want) {
			t.Errorf("%s: got %d %.300s, want %d with %s", name, status, body, q.status, q.want)
		}
	}
	if status, body := c.do("POST", "/hub/v1/acks", `{"dataset":"nothing","cursor":"x"}`); status != 404 || !strings.Contains(body, `"field":"dataset"`) {
		t.Errorf("ack of no dataset: got %d %s", status, body)
	}
	if status, _ := c.do("DELETE", "/hub/v1/acks", ""); status != 405 {
		t.Errorf("got %d, want 405", status)
	}
	c.token = ""
	if status, _ := c.do("GET", "/hub/v1/datasets", ""); status != 401 {
		t.Errorf("got %d without a token, want 401", status)
	}
}
