package puller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/hub/hubtest"
	"wardbook/server/store/sqlite"
)

const (
	ward      = "27169"
	otherWard = "27676"
	addresses = "addresses"
)

var none conflict.RecordID

// world is a server of two registers with something approved in two units.
func world(t testing.TB) *hubtest.World {
	w := hubtest.New(t, time.Time{}, addresses, "social_protection")
	for i := range 5 {
		w.Approve(ward, w.Save(ward, addresses, none, hubtest.Address(i)))
	}
	id := w.Save(otherWard, addresses, none, hubtest.Address(7))
	w.Approve(otherWard, id)
	w.Save(otherWard, addresses, id, map[string]string{"house_no": "8B"})
	w.Approve(otherWard, id)
	gone := w.Save(ward, addresses, none, hubtest.Address(9))
	w.Approve(ward, gone)
	w.Delete(ward, addresses, gone, true)
	w.Approve(ward, gone)
	w.Approve(ward, w.Save(ward, "social_protection", none, hubtest.Beneficiary()))
	return w
}

// consumer is a folder that pulls from a world.
type consumer struct {
	t     testing.TB
	cfg   Config
	told  bytes.Buffer
	slept []time.Duration
}

func newConsumer(t testing.TB, w *hubtest.World) *consumer {
	c := &consumer{t: t}
	c.cfg = Config{URL: w.URL, Dir: filepath.Join(t.TempDir(), "hub"), Account: w.Hub.Name, Password: w.Hub.Password, PageLines: 3,
		Patience: time.Minute, Progress: &c.told, Sleep: func(ctx context.Context, d time.Duration) error {
			c.slept = append(c.slept, d)
			return sleep(ctx, min(d, time.Millisecond))
		}}
	return c
}

func (c *consumer) pull() (Report, error) {
	c.told.Reset()
	return Pull(context.Background(), c.cfg)
}

// agree pulls and wants every unit to agree.
func (c *consumer) agree() {
	c.t.Helper()
	r, err := c.pull()
	if err != nil {
		c.t.Fatalf("pull: %v\n%s", err, c.told.String())
	}
	if r.Units != 168 || len(r.Differences) > 0 {
		c.t.Fatalf("got %d units and %v, want 168 that agree", r.Units, r.Differences)
	}
}

func (c *consumer) file(name ...string) []byte {
	c.t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{c.cfg.Dir}, name...)...))
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// houses returns, by record, the house number that data.ndjson holds.
func (c *consumer) houses() map[string]string {
	c.t.Helper()
	held, before := map[string]string{}, ""
	for l := range strings.Lines(string(c.file(addresses, "data.ndjson"))) {
		var it struct {
			Record string `json:"record_id"`
			Op     string `json:"op"`
			Data   struct {
				House string `json:"house_no"`
			} `json:"data"`
		}
		if err := json.Unmarshal([]byte(l), &it); err != nil || it.Op != "upsert" || it.Record <= before {
			c.t.Fatalf("got line %s (%v), want upserts in the order of record ids", l, err)
		}
		held[it.Record], before = it.Data.House, it.Record
	}
	return held
}

func TestPull(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	c.agree()
	houses := slices.Sorted(maps.Values(c.houses()))
	if want := []string{"1", "2", "3", "4", "5", "8B"}; !slices.Equal(houses, want) {
		t.Errorf("got houses %v, want %v", houses, want)
	}
	if got := c.file("social_protection", "data.ndjson"); !bytes.Contains(got, []byte("Đặng Thị Ánh")) || bytes.Contains(got, []byte("SECRET")) {
		t.Errorf("got %s", got)
	}
	if got := c.file(addresses, "schema-1.json"); !bytes.Contains(got, []byte("2020-12")) {
		t.Errorf("got schema %s", got)
	}
	filepath.WalkDir(c.cfg.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		info, err := d.Info()
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v, %v", path, info.Mode(), err)
		}
		return nil
	})
	// Again: nothing is there twice, the log has not grown, no password is needed.
	before := c.file(addresses, "pages.ndjson")
	c.cfg.Password = ""
	c.agree()
	if after := c.file(addresses, "pages.ndjson"); !bytes.Equal(before, after) {
		t.Errorf("the log grew from %d to %d bytes without news", len(before), len(after))
	}
	// What was approved since comes, and only that.
	w.Approve(otherWard, w.Save(otherWard, addresses, none, hubtest.Address(20)))
	c.agree()
	if after := c.file(addresses, "pages.ndjson"); !bytes.HasPrefix(after, before) || bytes.Count(after[len(before):], []byte("record_id")) != 1 {
		t.Errorf("got %s more, want one item", after[len(before):])
	}
	w.View(func(tx *sqlite.Tx) error {
		marks, err := sqlite.LedgerOf(tx).HubMarks(otherWard)
		if err != nil || len(marks) != 1 || marks[0].Revision != 3 {
			t.Errorf("got marks %v, %v, want revision 3 acknowledged", marks, err)
		}
		return nil
	})
}

// between puts a function before each request to a path that ends so.
// The calls come one by one: an abandoned request may still be there when the
// next one comes.
func between(w *hubtest.World, suffix string, do func(rw http.ResponseWriter, r *http.Request, next http.Handler)) {
	var mu sync.Mutex
	w.Between(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			if !strings.HasSuffix(r.URL.Path, suffix) {
				next.ServeHTTP(rw, r)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			do(rw, r, next)
		})
	})
}

// answer returns what the server answers.
func answer(next http.Handler, r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	next.ServeHTTP(rec, r)
	return rec
}

func pass(rw http.ResponseWriter, rec *httptest.ResponseRecorder, body []byte) {
	maps.Copy(rw.Header(), rec.Header())
	rw.Header().Del("Content-Length")
	rw.WriteHeader(rec.Code)
	rw.Write(body)
}

// A page that is cut at any byte, by a broken connection or by one that ends as
// if all were well, is discarded and asked for again.
func TestCutPages(t *testing.T) {
	w := world(t)
	whole := newConsumer(t, w)
	whole.agree()
	size := len(whole.file(addresses, "pages.ndjson")) / 4
	for _, abort := range []bool{false, true} {
		c := newConsumer(t, w)
		at, cuts := 0, 0
		between(w, "/changes", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := answer(next, r)
			body := rec.Body.Bytes()
			if at += 1 + size/8; at < len(body) { // another place each time
				cuts++
				pass(rw, rec, body[:at])
				if abort {
					panic(http.ErrAbortHandler)
				}
				return
			}
			at = cuts % 50
			pass(rw, rec, body)
		})
		c.agree()
		w.Between(nil)
		if cuts < 5 {
			t.Errorf("got %d cuts, want some", cuts)
		}
		if got, want := c.houses(), whole.houses(); !maps.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

// Of a true page, no part is a page.
func TestReadPageCutAtEveryByte(t *testing.T) {
	w := world(t)
	var body []byte
	between(w, addresses+"/changes", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := answer(next, r)
		if len(body) == 0 {
			body = bytes.Clone(rec.Body.Bytes())
		}
		pass(rw, rec, rec.Body.Bytes())
	})
	newConsumer(t, w).agree()
	p, err := readPage(reader(body), addresses, true)
	if err != nil || len(p.items) != 3 || !bytes.Equal(p.raw, body) {
		t.Fatalf("got %d items, %v, want the 3 of the page", len(p.items), err)
	}
	for n := 1; n < len(body); n++ {
		if _, err := readPage(reader(body[:n]), addresses, true); !errors.Is(err, errPage) {
			t.Fatalf("the first %d of %d bytes: got %v, want %v", n, len(body), err, errPage)
		}
	}
}

func TestReadPageRefuses(t *testing.T) {
	const end = `{"next_cursor":"c","count":1,"more":false}` + "\n"
	item := func(op, data, hash string) string {
		return fmt.Sprintf(`{"record_id":"r","dataset":"d","schema_version":1,"op":%q,"ward_code":"27169","revision":1,"content_sha256":%s,"data":%s}`, op, hash, data) + "\n"
	}
	const emptyObject = `"44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"` // printf '{}' | sha256sum
	for name, c := range map[string]struct {
		body string
		good bool
	}{
		"an upsert":                 {item("upsert", "{}", emptyObject) + end, true},
		"a deletion":                {item("delete", "null", "null") + end, true},
		"a schema":                  {`{"op":"schema","dataset":"d","schema_version":1}` + "\n" + end, true},
		"another content":           {item("upsert", `{"a":1}`, emptyObject) + end, false},
		"no hash":                   {item("upsert", "{}", "null") + end, false},
		"an upsert without content": {item("upsert", "null", "null") + end, false},
		"a deletion with content":   {item("delete", "{}", emptyObject) + end, false},
		"an unknown op":             {item("merge", "{}", emptyObject) + end, false},
		"another dataset":           {strings.Replace(item("delete", "null", "null"), `"d"`, `"e"`, 1) + end, false},
		"no record":                 {strings.Replace(item("delete", "null", "null"), `"r"`, `""`, 1) + end, false},
		"too few lines":             {end, false},
		"too many lines":            {strings.Repeat(item("delete", "null", "null"), 2) + end, false},
		"no cursor":                 {item("delete", "null", "null") + `{"count":1}` + "\n", false},
		"no count":                  {item("delete", "null", "null") + `{"next_cursor":"c"}` + "\n", false},
		"no JSON":                   {"<html>\n", false},
		"no closing line":           {item("delete", "null", "null"), false},
	} {
		_, err := readPage(reader([]byte(c.body)), "d", true)
		if c.good != (err == nil) || err != nil && !errors.Is(err, errPage) {
			t.Errorf("%s: got %v, want good %v", name, err, c.good)
		}
	}
}

// Damage on the way is seen and asked for again; a page that comes twice counts
// once; a revision that never comes is told.
func TestDamage(t *testing.T) {
	w := world(t)
	for name, c := range map[string]struct {
		harm func(n int, r *http.Request, next http.Handler) []byte // nil: as it is
		fail string
		told string
	}{
		"a value changed": {func(n int, r *http.Request, next http.Handler) []byte {
			if b := answer(next, r).Body.Bytes(); n < 3 {
				return bytes.Replace(b, []byte("Lý Thái Tổ"), []byte("Lý Thái To"), 1)
			}
			return nil
		}, "", "its content has hash"},
		"a page twice": {func(n int, r *http.Request, next http.Handler) []byte {
			if n%2 == 1 && n < 8 {
				r = r.Clone(r.Context())
				q := r.URL.Query()
				q.Del("since")
				q.Set("limit", "5")
				r.URL.RawQuery = q.Encode()
				return answer(next, r).Body.Bytes()
			}
			return nil
		}, "", "lines"},
		"an item left out": {func(n int, r *http.Request, next http.Handler) []byte {
			lines := bytes.SplitAfter(answer(next, r).Body.Bytes(), []byte("\n"))
			for i, l := range lines {
				if bytes.Contains(l, []byte(`"revision":3,`)) {
					lines = slices.Delete(lines, i, i+1)
					return bytes.Replace(bytes.Join(lines, nil), []byte(`"count":3`), []byte(`"count":2`), 1)
				}
			}
			return nil
		}, "unit 27169: revision 4 follows 2", ""},
		"something behind the end": {func(n int, r *http.Request, next http.Handler) []byte {
			if n < 2 {
				return append(answer(next, r).Body.Bytes(), "{}\n"...)
			}
			return nil
		}, "", "something follows its closing line"},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			between(w, addresses+"/changes", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				body := c.harm(asked, r, next)
				asked++
				rec := answer(next, r)
				if body == nil {
					body = rec.Body.Bytes()
				}
				pass(rw, rec, body)
			})
			defer w.Between(nil)
			d := newConsumer(t, w)
			if c.fail != "" {
				if _, err := d.pull(); err == nil || !strings.Contains(err.Error(), c.fail) {
					t.Errorf("got %v, want %s", err, c.fail)
				}
				w.Between(nil) // and what was taken before it is sound
			} else {
				d.agree()
				if !strings.Contains(d.told.String(), c.told) {
					t.Errorf("got %s, want %q told", d.told.String(), c.told)
				}
			}
			d.agree()
			if len(d.houses()) != 6 {
				t.Errorf("got %v, want 6 houses", d.houses())
			}
		})
	}
}

var errStopped = errors.New("stopped")

// Stopped at any step and called again, a pull ends as if it had not been, and
// nothing is acknowledged that is not on the disk.
func TestStopAtEveryStep(t *testing.T) {
	w := world(t)
	whole := newConsumer(t, w)
	var steps []string
	whole.cfg.step = func(name string) error { steps = append(steps, name); return nil }
	whole.agree()
	if n := len(slices.Compact(slices.Sorted(slices.Values(steps)))); n != 7 || len(steps) < 20 {
		t.Fatalf("got steps %v, want 7 kinds", steps)
	}
	for k := range steps {
		c := newConsumer(t, w)
		between(w, "/acks", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			var ack struct{ Dataset, Cursor string }
			var body bytes.Buffer
			body.ReadFrom(r.Body)
			if err := json.Unmarshal(body.Bytes(), &ack); err != nil {
				t.Error(err)
			}
			if !bytes.Contains(c.file(ack.Dataset, "pages.ndjson"), []byte(`"next_cursor":"`+ack.Cursor+`"`)) {
				t.Errorf("%s was acknowledged up to a page that is not in the log", ack.Dataset)
			}
			r = r.Clone(r.Context())
			r.Body = http.NoBody
			r.Body = readCloser{&body}
			next.ServeHTTP(rw, r)
		})
		at := 0
		c.cfg.step = func(string) error {
			if at++; at > k {
				return errStopped
			}
			return nil
		}
		if _, err := c.pull(); !errors.Is(err, errStopped) {
			t.Fatalf("step %d, %s: got %v, want to be stopped", k, steps[k], err)
		}
		c.cfg.step = nil
		c.agree()
		w.Between(nil)
		for _, id := range []string{addresses, "social_protection"} {
			for _, name := range []string{"pages.ndjson", "data.ndjson", "schema-1.json"} {
				if got, want := c.file(id, name), whole.file(id, name); !bytes.Equal(got, want) {
					t.Errorf("stopped at step %d, %s: %s/%s differs from that of a pull in one go:\n got %s\nwant %s", k, steps[k], id, name, got, want)
				}
			}
		}
	}
}

// A log cut at any byte, as a kill or a power cut leaves it, holds exactly its
// complete pages, and the pull goes on from there.
func TestLogCutAtEveryByte(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	c.agree()
	whole := c.file(addresses, "pages.ndjson")
	path := filepath.Join(c.cfg.Dir, addresses, "pages.ndjson")
	var ends []int // of the pages, with their seals
	for i := 0; i < len(whole); {
		i += bytes.IndexByte(whole[i:], '\n') + 1
		if strings.HasPrefix(lastLine(whole[:i]), `{"page_sha256"`) {
			ends = append(ends, i)
		}
	}
	if len(ends) < 3 || ends[len(ends)-1] != len(whole) {
		t.Fatalf("got pages that end at %v of %d", ends, len(whole))
	}
	for n := range whole {
		want := 0
		for _, e := range ends {
			if e <= n {
				want = e
			}
		}
		h := newHolding()
		if got := h.read(bytes.NewReader(whole[:n]), addresses); got != int64(want) || (h.cursor == "") != (want == 0) {
			t.Fatalf("cut at %d: got %d bytes of complete pages, want %d", n, got, want)
		}
	}
	for n := 0; n < len(whole); n += 1 + len(whole)/12 {
		if err := os.WriteFile(path, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		c.agree()
		if got := c.file(addresses, "pages.ndjson"); !bytes.Equal(got, whole) {
			t.Errorf("cut at %d: got another log than before", n)
		}
		if whole := slices.Contains(append(ends, 0), n); whole == strings.Contains(c.told.String(), "of a page that was not complete") {
			t.Errorf("cut at %d: got %s", n, c.told.String())
		}
	}
}

// A byte of the log that has changed ends the log there; what follows is pulled
// again.
func TestLogDamagedAnywhere(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	c.agree()
	whole := c.file(addresses, "pages.ndjson")
	for n := range whole {
		harmed := bytes.Clone(whole)
		harmed[n] ^= 1
		if good := newHolding().read(bytes.NewReader(harmed), addresses); good > int64(n) {
			t.Fatalf("byte %d changed: got %d good bytes", n, good)
		}
	}
	path := filepath.Join(c.cfg.Dir, addresses, "pages.ndjson")
	for n := 5; n < len(whole); n += 1 + len(whole)/7 {
		harmed := bytes.Clone(whole)
		harmed[n] ^= 1
		if err := os.WriteFile(path, harmed, 0o600); err != nil {
			t.Fatal(err)
		}
		c.agree()
		if got := c.file(addresses, "pages.ndjson"); !bytes.Equal(got, whole) {
			t.Errorf("byte %d changed: got another log than before", n)
		}
	}
}

func TestNewEpoch(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	c.agree()
	w.Restore()
	w.Approve(ward, w.Save(ward, addresses, none, hubtest.Address(30)))
	c.agree()
	if told := c.told.String(); strings.Count(told, "the server was restored from a backup; beginning again") != 2 {
		t.Errorf("got %s, want both datasets told", told)
	}
	if len(c.houses()) != 7 {
		t.Errorf("got %v, want 7 houses", c.houses())
	}
	// While a pull is under way: between its pages, before the acknowledgement,
	// before the counts.
	for _, where := range []string{"/changes", "/acks", "/counts"} {
		asked := 0
		w.Approve(ward, w.Save(ward, addresses, none, hubtest.Address(40+len(where))))
		between(w, where, func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			if asked++; asked == 2 {
				w.Restore()
			}
			next.ServeHTTP(rw, r)
		})
		c.agree()
		w.Between(nil)
		if !strings.Contains(c.told.String(), "beginning again") {
			t.Errorf("restored before %s: got %s", where, c.told.String())
		}
	}
}

// The server's refusals, and what the puller does about each.
func TestRefusals(t *testing.T) {
	w := world(t)
	refuse := func(status int, header string) func(http.ResponseWriter) {
		return func(rw http.ResponseWriter) {
			if header != "" {
				rw.Header().Set("Retry-After", header)
			}
			http.Error(rw, "no", status)
		}
	}
	for name, c := range map[string]struct {
		times   int // requests that are refused
		refuse  func(http.ResponseWriter)
		logins  int // beyond the first
		renewed int
		slept   time.Duration
		fail    string
	}{
		"a token that has died":   {times: 1, refuse: refuse(401, ""), renewed: 1},
		"a sign-in that has died": {times: 2, refuse: refuse(401, ""), renewed: 1, logins: 1},
		"never let in":            {times: 99, refuse: refuse(401, ""), renewed: 1, logins: 1, fail: "401"},
		"too many requests":       {times: 1, refuse: refuse(429, "7"), slept: 7 * time.Second},
		"busy":                    {times: 2, refuse: refuse(503, "3"), slept: 3 * time.Second},
		"busy until a date":       {times: 1, refuse: refuse(503, time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), slept: 15 * time.Second},
		"broken":                  {times: 3, refuse: refuse(500, ""), slept: 100 * time.Millisecond},
		"a broken connection":     {times: 3, refuse: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, slept: 100 * time.Millisecond},
		"busy longer than I wait": {times: 1, refuse: refuse(503, "3600"), fail: "gave up after 1m0s without progress"},
		"forbidden":               {times: 1, refuse: refuse(403, ""), fail: "403 Forbidden"},
		"elsewhere": {times: 1, refuse: func(rw http.ResponseWriter) {
			rw.Header().Set("Location", "https://else.example/")
			rw.WriteHeader(307)
		}, fail: "https://else.example/"},
		"an acknowledgement refused": {times: 1, refuse: refuse(422, ""), fail: "422"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newConsumer(t, w)
			where := "/changes"
			if strings.HasPrefix(name, "an acknowledgement") {
				where = "/acks"
			}
			asked, logins, renewed := 0, 0, 0
			between(w, "", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
				switch {
				case strings.HasSuffix(r.URL.Path, "/auth/login"):
					logins++
				case strings.HasSuffix(r.URL.Path, "/auth/refresh"):
					renewed++
				case strings.HasSuffix(r.URL.Path, where):
					if asked++; asked <= c.times {
						c.refuse(rw)
						return
					}
				}
				next.ServeHTTP(rw, r)
			})
			defer w.Between(nil)
			if c.fail == "" {
				d.agree()
			} else if _, err := d.pull(); err == nil || !strings.Contains(err.Error(), c.fail) {
				t.Errorf("got %v, want %s", err, c.fail)
			}
			if logins != 1+c.logins || renewed != c.renewed {
				t.Errorf("got %d sign-ins by password and %d renewals, want %d and %d", logins, renewed, 1+c.logins, c.renewed)
			}
			// The transport itself asks once again on a connection that it kept.
			if c.slept > 0 && (len(d.slept) < c.times-1 || slices.Max(d.slept) < c.slept) {
				t.Errorf("got waits %v, want %d of at least %v", d.slept, c.times, c.slept)
			}
			if c.slept == 0 && len(d.slept) > 0 {
				t.Errorf("got waits %v, want none", d.slept)
			}
		})
	}
}

// A page that keeps breaking is asked for smaller each time.
func TestSmallerPages(t *testing.T) {
	w := world(t)
	var limits []string
	between(w, addresses+"/changes", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		if limits = append(limits, r.URL.Query().Get("limit")); len(limits) < 7 {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(rw, r)
	})
	c := newConsumer(t, w)
	c.cfg.PageLines = 1000
	c.agree()
	if want := []string{"1000", "1000", "1000", "1000", "1000", "1000", "1000"}; !slices.Equal(limits, want) {
		t.Errorf("refused before the page began: got %v, want %v", limits, want)
	}
	limits = nil
	between(w, addresses+"/changes", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
		rec := answer(next, r)
		body := rec.Body.Bytes()
		if limits = append(limits, r.URL.Query().Get("limit")); len(limits) < 7 {
			body = body[:len(body)-5]
		}
		pass(rw, rec, body)
	})
	c = newConsumer(t, w)
	c.cfg.PageLines = 1000
	c.agree()
	if want := []string{"1000", "500", "250", "125", "62", "50", "50"}; !slices.Equal(limits, want) {
		t.Errorf("got %v, want %v", limits, want)
	}
}

// A unit that the server counts otherwise is named.
func TestDifferences(t *testing.T) {
	w := world(t)
	c := newConsumer(t, w)
	c.agree()
	w.Update(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE hub_content SET sha256 = zeroblob(32) WHERE unit = '27676' AND register = 'addresses'`)
		return err
	})
	r, err := c.pull()
	want := "unit 27676 Xã Thạnh An does not agree: addresses: the 1 records at revision 2 have hash "
	if err != nil || r.Units != 168 || len(r.Differences) != 1 || !strings.HasPrefix(r.Differences[0].String(), want) {
		t.Errorf("got %v, %v, want %s", r.Differences, err, want)
	}
	// Other counts and revisions, as a server that errs would tell them.
	for from, want := range map[string]string{
		`"revision":7,"count":5`: "unit 27169 Phường Diên Hồng does not agree: addresses: the server counts 6 records at revision 7, here are 5",
		`"revision":7,`:          "unit 27169 Phường Diên Hồng does not agree: addresses: the server is at revision 8, here is 7",
	} {
		to := strings.NewReplacer(`"count":5`, `"count":6`).Replace(from)
		if to == from {
			to = `"revision":8,`
		}
		between(w, addresses+"/counts", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := answer(next, r)
			pass(rw, rec, bytes.Replace(rec.Body.Bytes(), []byte(from), []byte(to), 1))
		})
		r, err := c.pull()
		if err != nil || len(r.Differences) == 0 || r.Differences[0].String() != want {
			t.Errorf("got %v, %v, want %s", r.Differences, err, want)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	w := world(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	good := newConsumer(t, w)
	good.agree()
	locked := newConsumer(t, w)
	if err := os.MkdirAll(locked.cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	lock, err := lockFolder(locked.cfg.Dir)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no URL":             {func(c *Config) { c.URL = "" }, "is no URL of a server"},
		"no scheme":          {func(c *Config) { c.URL = "localhost:8080" }, "is no URL of a server"},
		"another scheme":     {func(c *Config) { c.URL = "ftp://host" }, "is no URL of a server"},
		"a password in it":   {func(c *Config) { c.URL = "http://a:b@host" }, "no user, query or fragment"},
		"a query":            {func(c *Config) { c.URL += "?a=b" }, "no user, query or fragment"},
		"unreadable":         {func(c *Config) { c.URL = "http://[::1" }, "is no URL"},
		"a file":             {func(c *Config) { c.Dir = file }, "not a directory"},
		"below a file":       {func(c *Config) { c.Dir = filepath.Join(file, "x") }, "not a directory"},
		"in use":             {func(c *Config) { c.Dir = locked.cfg.Dir }, "another pull is at work there"},
		"another account's":  {func(c *Config) { c.Dir, c.Account = good.cfg.Dir, "hub.2" }, "take another folder"},
		"another server's":   {func(c *Config) { c.Dir, c.URL = good.cfg.Dir, "http://127.0.0.1:1" }, "take another folder"},
		"a wrong password":   {func(c *Config) { c.Password = "not the password" }, "sign in as hub.1: The name or the password is wrong. (bad_credentials)"},
		"no password":        {func(c *Config) { c.Password = "" }, "WARDBOOK_PASSWORD is not set"},
		"a port nobody has":  {func(c *Config) { c.URL, c.Patience = "http://127.0.0.1:1", time.Second }, "gave up after 1s without progress"},
		"a page of the site": {func(c *Config) { c.URL += "/somewhere" }, "404 Not Found"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newConsumer(t, w)
			c.change(&d.cfg)
			d.cfg.Sleep = sleep
			if _, err := d.pull(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
	// A context that ends, ends the pull.
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Pull(ctx, newConsumer(t, w).cfg); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// The catalogue's names become folders; one that leaves the folder is refused.
func TestNamesOfDatasets(t *testing.T) {
	w := world(t)
	for _, name := range []string{"..", "../x", "a/b", "", "A", ".hidden"} {
		between(w, "/datasets", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			rec := answer(next, r)
			pass(rw, rec, bytes.Replace(rec.Body.Bytes(), []byte(`"dct:identifier": "addresses"`), fmt.Appendf(nil, `"dct:identifier": %q`, name), 1))
		})
		if _, err := newConsumer(t, w).pull(); err == nil || !strings.Contains(err.Error(), "is no name of a dataset") {
			t.Errorf("%q: got %v, want it refused", name, err)
		}
	}
}
