package bridge

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/sync/record"
	"wardbook/sync/register/templates"
	"wardbook/sync/rescue"
)

// office is the server as the bridge meets it: it signs people in, rotates
// refresh tokens strictly, and answers what a test has set. It holds no
// records: sockets and exchanges are the server's end-to-end tests' business.
type office struct {
	t *testing.T

	mu      sync.Mutex
	offline bool
	refused *Failure // what a refresh is answered with
	unit    string
	role    string
	serial  int
	access  string // the one that is good
	refresh string // the one that is good
	org     []byte // the organisation's private key
	asked   []string
	reveals []string
	answers map[string]string // to paths that the office does not know by itself
	sockets int
	device  string // what the last sign-in named
}

// registers are the templates as the server hands them out.
var registers = sync.OnceValues(func() ([]byte, error) {
	all, err := templates.All()
	if err != nil {
		return nil, err
	}
	var bodies []json.RawMessage
	for _, d := range all {
		bodies = append(bodies, d.Marshal())
	}
	return json.Marshal(bodies)
})

func newOffice(t *testing.T) *office {
	return &office{t: t, unit: "27169", role: "officer", org: bytes.Repeat([]byte{9}, 32), answers: map[string]string{"GET /healthz": "ok"}}
}

func (o *office) set(change func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change()
}

func (o *office) count(path string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(slices.DeleteFunc(slices.Clone(o.asked), func(s string) bool { return s != path }))
}

func (o *office) dialled() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.sockets
}

func (o *office) fetch(ctx context.Context, method, path, token, _ string, body []byte) (int, []byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.offline {
		return 0, nil, errors.New("no network")
	}
	o.asked = append(o.asked, method+" "+path)
	refuse := func(status int, code string) (int, []byte, error) {
		return status, []byte(`{"error":{"code":"` + code + `","message_vi":"vi","message_en":"en"}}`), nil
	}
	grant := func() (int, []byte, error) {
		o.serial++
		o.access, o.refresh = fmt.Sprintf("access-%d", o.serial), fmt.Sprintf("refresh-%d", o.serial)
		return 200, []byte(fmt.Sprintf(`{"access_token":%q,"refresh_token":%q,"server_public_key":"AAAA","device":{"id":"dev"},
			"rescue_public_key":%q,"device_key":%q,"lease_seconds":3600,
			"account":{"name":"officer.a","display_name":"Nguyễn Thị An","role":%q,"unit":%q}}`, o.access, o.refresh,
			base64.StdEncoding.EncodeToString(rescue.PublicKey(o.org)), base64.StdEncoding.EncodeToString(deviceKey), o.role, o.unit)), nil
	}
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	switch method + " " + path {
	case "POST /api/v1/auth/login":
		if in["password"] != "right" {
			return refuse(401, "bad_credentials")
		}
		o.device, _ = in["device_id"].(string)
		return grant()
	case "POST /api/v1/auth/refresh":
		if o.refused != nil {
			return refuse(401, o.refused.Code)
		}
		if in["refresh_token"] != o.refresh || in["device_id"] != "dev" {
			return refuse(401, "token_reused")
		}
		return grant()
	case "GET /healthz":
		return 200, []byte("ok"), nil
	case "POST /sync/v1/exchange":
		return 503, nil, nil
	}
	if token != o.access {
		return refuse(401, "token_expired")
	}
	switch {
	case path == "/api/v1/registers":
		text, err := registers()
		if err != nil {
			o.t.Error(err)
		}
		return 200, text, nil
	case path == "/api/v1/scopes":
		return 200, []byte(`{"unit":"` + o.unit + `","streams":[{"unit":"` + o.unit + `","register":"residents","class":"basic"},{"unit":"` + o.unit + `","register":"residents","class":"sensitive"}]}`), nil
	case strings.HasSuffix(path, "/reveal"):
		o.reveals = append(o.reveals, path)
		return 200, []byte(`{"display":"x"}`), nil
	}
	if answer, ok := o.answers[method+" "+path]; ok {
		return 200, []byte(answer), nil
	}
	return refuse(404, "not_found")
}

func (o *office) dial(context.Context) (replica.Conn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sockets++
	return nil, errors.New("no socket here")
}

var deviceKey = []byte("of the device dev")

// opened opens what a device has sealed, as the server does.
func (o *office) opened(file []byte) *rescue.File {
	o.t.Helper()
	f, err := rescue.Open(o.org, func(device string) []byte {
		if device != "dev" {
			o.t.Errorf("the file is of device %q", device)
		}
		return deviceKey
	}, file)
	if err != nil {
		o.t.Fatal(err)
	}
	return f
}

// shelf is a device: the stores on it, which outlive bridges.
type shelf struct {
	office *office
	mu     sync.Mutex
	stores map[string]*store.Memory
	mirror *glass // of the next store that is opened, if not nil
	open   int
	events []event
}

type event struct {
	name string
	data string
}

func newShelf(o *office) *shelf { return &shelf{office: o, stores: map[string]*store.Memory{}} }

func (s *shelf) bridge() *Bridge {
	late := func() *Opened { return &Opened{Store: store.NewMemory(), Close: func() error { return nil }} }
	return New(Config{Version: "test", Lang: "vi", Open: s.openStore, OpenLate: late, Fetch: s.office.fetch, Dial: s.office.dial, Emit: s.emit,
		Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader, Log: func(text string) { s.office.t.Log(text) }})
}

func (s *shelf) openStore(_ context.Context, name string, key []byte) (*Opened, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.stores[name]
	if m == nil {
		m = store.NewMemory()
		s.stores[name] = m
	}
	s.open++
	o := &Opened{Store: m, Close: func() error {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.open--
		return nil
	}}
	if s.mirror != nil {
		o.Mirror = s.mirror
	}
	return o, nil
}

func (s *shelf) emit(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, event{name, string(data)})
}

func (s *shelf) seen(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, e := range s.events {
		if e.name == name {
			all = append(all, e.data)
		}
	}
	return all
}

// page makes calls as the worker does.
type page struct {
	t *testing.T
	b *Bridge
}

func (p page) call(name string, args, into any) *Failure {
	p.t.Helper()
	text, err := json.Marshal(args)
	if err != nil {
		p.t.Fatal(err)
	}
	var answer struct {
		OK    json.RawMessage
		Error *Failure
	}
	if err := json.Unmarshal(p.b.Call(p.t.Context(), name, text), &answer); err != nil {
		p.t.Fatal(err)
	}
	if answer.Error == nil && into != nil {
		if err := json.Unmarshal(answer.OK, into); err != nil {
			p.t.Fatalf("%s: %v in %s", name, err, answer.OK)
		}
	}
	return answer.Error
}

func (p page) must(name string, args, into any) {
	p.t.Helper()
	if f := p.call(name, args, into); f != nil {
		p.t.Fatalf("%s: %s: %s", name, f.Code, f.EN)
	}
}

func (p page) refused(code, name string, args any) {
	p.t.Helper()
	f := p.call(name, args, nil)
	if f == nil || f.Code != code {
		p.t.Errorf("%s: got %+v, want code %s", name, f, code)
	}
	if f != nil && (f.VI == "" || f.EN == "") {
		p.t.Errorf("%s: %s lacks a text: %+v", name, code, f)
	}
}

type object = map[string]any

var key = hex.EncodeToString(bytes.Repeat([]byte{7}, 32))

func signing(more object) object {
	args := object{"name": "officer.a", "password": "right", "borrowed": false, "store": "a-1", "key": key}
	maps.Copy(args, more)
	return args
}

// create saves a new resident and returns its id.
func (p page) create(name string) string {
	p.t.Helper()
	var form replica.Form
	p.must("open", object{"register": "residents"}, &form)
	var saved replica.SaveReply
	p.must("save", object{"key": form.Key, "values": object{"full_name": name}, "submit": false}, &saved)
	if saved.ID == "" || !saved.Saved || saved.Record.Place != replica.PlaceLocal {
		p.t.Fatalf("saved %+v", saved)
	}
	return saved.ID
}

// bubble runs a test on a clock of its own.
func bubble(t *testing.T, test func(t *testing.T)) { synctest.Test(t, test) }

// TestADayOfflineAndBack goes the page's way through most calls.
func TestADayOfflineAndBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}

		p.refused("signed_out", "list", object{"register": "residents"})
		p.refused("malformed", "no such call", nil)
		p.refused("bad_credentials", "login", signing(object{"password": "wrong"}))
		if s.open != 0 {
			t.Fatal("a refused sign-in leaves its store open")
		}
		var session *Session
		p.must("session", nil, &session)
		if session != nil {
			t.Fatalf("session before any: %+v", session)
		}
		p.must("login", signing(nil), &session)
		if session.Account.Display != "Nguyễn Thị An" || session.Account.UnitName == "" || len(session.Registers) != 6 || !session.Leader || session.Version != "test" {
			t.Errorf("session is %+v", session)
		}
		for _, d := range session.Registers {
			if d.ID == "residents" && len(d.CodeLists["DAN_TOC"]) < 50 {
				t.Error("the built-in list of ethnic groups is not with the register that uses it")
			}
		}
		p.must("login", signing(nil), &session) // sent again by the next writer
		p.refused("signed_in", "login", signing(object{"name": "officer.b"}))

		id := p.create("Đặng Thị Hoa")
		var list replica.ListReply
		p.must("list", object{"register": "residents", "search": "dang thi"}, &list)
		if list.Total != 1 || list.Rows[0].ID != id {
			t.Errorf("list: %+v", list)
		}
		var status replica.Status
		p.must("status", nil, &status)
		if status.Unsent != 1 || status.Synced {
			t.Errorf("status: %+v", status)
		}
		var reveal revealReply
		p.must("reveal", object{"id": id, "field": "full_name"}, &reveal)
		if reveal.Display != "Đặng Thị Hoa" {
			t.Errorf("reveal: %+v", reveal)
		}
		p.must("units", object{"search": "dien hong"}, nil)
		p.must("syncNow", nil, nil)
		p.refused("malformed", "lang", object{"lang": "fr"})
		p.must("lang", object{"lang": "en"}, nil)
		var form replica.Form
		p.must("open", object{"register": "residents"}, &form)
		var saved replica.SaveReply
		p.must("save", object{"key": form.Key, "values": object{"full_name": "B", "sex": "2"}, "submit": false}, &saved)
		if i := slices.IndexFunc(saved.Record.Fields, func(f replica.FieldView) bool { return f.Name == "sex" }); saved.Record.Fields[i].Display != "Female" {
			t.Errorf("in English sex is %+v", saved.Record.Fields[i])
		}
		p.must("discard", object{"key": form.Key}, nil)

		// The next day, without a network.
		o.set(func() { o.offline = true })
		var out logoutReply
		p.must("logout", object{}, &out)
		if out.Removed || s.open != 0 {
			t.Errorf("logout: %+v, %d stores open", out, s.open)
		}
		p = page{t, s.bridge()}
		p.refused("offline", "login", signing(nil))
		p.refused("no_store", "unlock", signing(object{"store": "a-2"}))
		p.must("unlock", signing(nil), &session)
		p.must("get", object{"id": id}, nil)
		p.must("conflicts", nil, nil)
		p.must("drafts", nil, nil)
		p.must("history", object{"id": id}, nil)
		p.must("check", object{"register": "residents", "values": object{"full_name": "A"}}, nil)
		p.refused("no_record", "get", object{"id": "x"})
		p.refused("offline", "api", object{"method": "GET", "path": "/api/v1/unit/day"})
		p.create("Trần Văn Bình")

		// The network is back: what the page asks of the server works again.
		o.set(func() { o.offline = false; o.answers["GET /api/v1/unit/day"] = `{"waiting":3}` })
		var day struct{ Waiting int }
		p.must("api", object{"method": "GET", "path": "/api/v1/unit/day"}, &day)
		if day.Waiting != 3 {
			t.Errorf("api: %+v", day)
		}
		// A reply that is kept answers without a network, after another unlocking too.
		p.refused("malformed", "api", object{"method": "POST", "path": "/api/v1/unit/day", "keep": true})
		told := func(want string, fresh bool) {
			t.Helper()
			var got toldReply
			p.must("api", object{"method": "GET", "path": "/api/v1/unit/day", "keep": true}, &got)
			if string(got.Reply) != want || got.Fresh != fresh {
				t.Errorf("told %s, fresh %v, want %s, %v", got.Reply, got.Fresh, want, fresh)
			}
		}
		told(`{"waiting":3}`, true)
		o.set(func() { o.offline = true; o.answers["GET /api/v1/unit/day"] = `{"waiting":2}` })
		told(`{"waiting":3}`, false)
		p.refused("offline", "api", object{"method": "GET", "path": "/api/v1/unit/day"})
		p.refused("offline", "api", object{"method": "GET", "path": "/api/v1/nothing", "keep": true})
		p.must("logout", object{}, nil)
		p.must("unlock", signing(nil), &session)
		told(`{"waiting":3}`, false)
		o.set(func() { o.offline = false })
		p.must("logout", object{}, nil)
		p.must("login", signing(nil), &session)
		o.set(func() { o.offline = true })
		told(`{"waiting":3}`, false)
		o.set(func() { o.offline = false })
		told(`{"waiting":2}`, true)
		p.refused("malformed", "api", object{"method": "GET", "path": "https://elsewhere/api/v1/"})
		p.refused("malformed", "api", object{"method": "TRACE", "path": "/api/v1/unit/day"})
		p.refused("not_found", "api", object{"method": "GET", "path": "/api/v1/nothing"})
		p.must("logout", object{}, nil)
	})
}

// TestBorrowed keeps unsent work from being removed with a borrowed device's
// store.
func TestBorrowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		o.answers["POST /api/v1/auth/logout"] = ""
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(object{"borrowed": true}), nil)
		p.create("Đặng Thị Hoa")
		p.refused("unsent", "logout", object{})
		var out logoutReply
		p.must("logout", object{"keep": true}, &out)
		if out.Removed || o.count("POST /api/v1/auth/logout") != 0 {
			t.Errorf("with unsent work: %+v", out)
		}
		p.must("login", signing(object{"borrowed": true, "store": "a-2"}), nil)
		p.must("logout", object{}, &out)
		if !out.Removed || o.count("POST /api/v1/auth/logout") != 1 {
			t.Errorf("with nothing unsent: %+v", out)
		}
	})
}

// TestTokens shares one refresh among all who need it, keeps its successor
// before using it, and never sends a token twice.
func TestTokens(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		o.answers["GET /api/v1/unit/day"] = `{}`
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		o.set(func() { o.access = "another" }) // the access token has expired
		before := o.count("POST /api/v1/auth/refresh")
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				if f := p.call("api", object{"method": "GET", "path": "/api/v1/unit/day"}, nil); f != nil {
					t.Errorf("api: %+v", f)
				}
			})
		}
		calls.Wait()
		if got := o.count("POST /api/v1/auth/refresh") - before; got != 1 {
			t.Errorf("got %d refreshes, want 1", got)
		}
		k, err := parseKept(p.b.current().r.Meta().Session)
		if err != nil || k.Refresh != o.refresh {
			t.Errorf("kept %q, %v, want %q", k.Refresh, err, o.refresh)
		}
		// What is kept opens the next session.
		p.must("logout", object{}, nil)
		p.must("unlock", signing(nil), nil)
		p.must("api", object{"method": "GET", "path": "/api/v1/unit/day"}, nil)
		p.must("logout", object{}, nil)
	})
}

// TestRevoked ends the account at once, keeps its unsent work, and lets nobody
// in but by a sign-in that the server accepts.
func TestRevoked(t *testing.T) {
	for _, code := range []string{"device_revoked", "account_disabled"} {
		t.Run(code, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				o := newOffice(t)
				s := newShelf(o)
				p := page{t, s.bridge()}
				p.must("login", signing(nil), nil)
				id := p.create("Đặng Thị Hoa")
				var form replica.Form
				p.must("open", object{"id": id}, nil) // nothing was typed into it
				p.must("open", object{"register": "residents"}, &form)
				p.must("draft", object{"key": form.Key, "values": object{"full_name": "Đặng Thị Chưa Lưu"}}, nil)
				synctest.Wait() // the directory is fetched: nothing but the page's call meets the refusal
				o.set(func() { o.access, o.refused = "another", &Failure{Code: code} })
				p.refused(code, "api", object{"method": "GET", "path": "/api/v1/unit/day"})
				synctest.Wait()
				if s.open != 0 {
					t.Error("the store is still open")
				}
				if got := s.seen("session"); len(got) != 1 || got[0] != "null" {
					t.Errorf("session events: %v", got)
				}
				if got := s.seen("failure"); len(got) != 1 || !strings.Contains(got[0], code) {
					t.Errorf("failure events: %v", got)
				}
				p.refused("signed_out", "get", object{"id": id})
				p.refused(code, "unlock", signing(nil))
				// Its unsent work was sealed for the server, when it was closed and
				// again at the attempt to come back.
				ends := s.seen("ended")
				if len(ends) != 2 {
					t.Fatalf("ended events: %.200q", ends)
				}
				for _, text := range ends {
					var e ending
					if err := json.Unmarshal([]byte(text), &e); err != nil {
						t.Fatal(err)
					}
					if f := o.opened(e.File); e.Code != code || e.Count != 1 || !e.Sealed || len(f.Changesets) != 1 {
						t.Errorf("ended with %s, %d sealed in a file of %d", e.Code, e.Count, len(f.Changesets))
					}
					if e.Drafts != 1 {
						t.Errorf("ended with %d drafts, want the one that was typed into", e.Drafts)
					}
				}
				o.set(func() { o.refused = nil })
				p.must("login", signing(nil), nil)
				p.must("get", object{"id": id}, nil)
				var status replica.Status
				p.must("status", nil, &status)
				if status.Unsent != 1 {
					t.Errorf("unsent work: got %d, want 1", status.Unsent)
				}
				p.must("logout", object{}, nil)
			})
		})
	}
}

// TestRescue seals exactly what is unsent, changes nothing by it, and gives the
// worker the store's key for the server alone to open.
func TestRescue(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		var made Rescue
		p.must("rescue", nil, &made)
		if f := o.opened(made.File); made.Count != 0 || len(f.Changesets) != 0 {
			t.Errorf("with nothing unsent: %d, %+v", made.Count, f)
		}
		const saves = 3
		for i := range saves {
			p.create(fmt.Sprintf("Người %d", i))
		}
		p.must("rescue", nil, &made)
		f := o.opened(made.File)
		replica := p.b.current().r.Meta().Replica
		if made.Count != saves || len(f.Changesets) != saves || f.Replica != replica || f.Changesets[0].First != 1 {
			t.Errorf("got %d, %+v", made.Count, f)
		}
		for i, c := range f.Changesets {
			parsed, err := record.ParseChangeset(c.Bytes)
			if err != nil || parsed.Author != "officer.a" || parsed.Dot.Counter != c.First || uint64(parsed.Len()) != c.Count {
				t.Errorf("changeset %d: %+v, %v", i, parsed, err)
			}
		}
		var status struct{ Unsent int }
		p.must("status", nil, &status)
		if status.Unsent != saves {
			t.Errorf("a rescue file changed what is unsent to %d", status.Unsent)
		}
		leases := s.seen("lease")
		if len(leases) == 0 {
			t.Fatal("the worker was given no sealed key")
		}
		var l lease
		if err := json.Unmarshal([]byte(leases[0]), &l); err != nil {
			t.Fatal(err)
		}
		device, sealed, err := rescue.OpenKey(o.org, l.Sealed)
		if err != nil || device != "dev" || hex.EncodeToString(sealed) != key || l.Seconds != 3600 {
			t.Errorf("lease: %q, %x, %d s, %v", device, sealed, l.Seconds, err)
		}
		p.must("logout", object{"lock": true}, nil)
	})
}

// TestLockRemovesNothing closes a borrowed device's store with unsent work and
// without, and asks nobody.
func TestLockRemovesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(object{"borrowed": true}), nil)
		for n := range 2 {
			var out logoutReply
			p.must("logout", object{"lock": true}, &out)
			if out.Unsent == nil || *out.Unsent != n {
				t.Errorf("the store was closed with %v unsent, want %d", out.Unsent, n)
			}
			if out.Removed || o.count("POST /api/v1/auth/logout") != 0 {
				t.Fatalf("the lock removes a store: %+v", out)
			}
			p.must("unlock", signing(nil), nil)
			p.create("Đặng Thị Hoa")
		}
		p.must("logout", object{"lock": true}, nil)
	})
}

// TestSignInEnded lets people work on when only the sign-in has ended, and
// says so.
func TestSignInEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		o.set(func() { o.access, o.refresh = "another", "another" })
		p.refused("sign_in", "api", object{"method": "GET", "path": "/api/v1/unit/day"})
		p.create("Đặng Thị Hoa")
		var status replica.Status
		p.must("status", nil, &status)
		if status.Failure == nil || status.Failure.Code != "sign_in" || status.Unsent != 1 {
			t.Errorf("status: %+v", status)
		}
		p.must("logout", object{}, nil)
		p.must("login", signing(nil), nil)
		status = replica.Status{}
		p.must("status", nil, &status)
		if status.Failure != nil || status.Unsent != 1 {
			t.Errorf("status after another sign-in: %+v", status)
		}
		p.must("logout", object{}, nil)
	})
}

// TestMoved tells the page when the server has given the account another unit.
func TestMoved(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		o.set(func() { o.access, o.unit = "another", "26734" })
		p.call("api", object{"method": "GET", "path": "/api/v1/unit/day"}, nil)
		synctest.Wait()
		events := s.seen("session")
		if len(events) != 1 || !strings.Contains(events[0], `"unit":"26734"`) {
			t.Errorf("session events: %.200s", events)
		}
		if scopes := p.b.current().r.Local().Scopes; len(scopes) != 2 || scopes[0].Unit != "26734" {
			t.Errorf("scopes: %+v", scopes)
		}
		p.must("logout", object{}, nil)
	})
}

// TestReveals reports what was looked at, once, when there is a network.
func TestReveals(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		id := p.create("Đặng Thị Hoa")
		o.set(func() { o.offline = true })
		p.must("reveal", object{"id": id, "field": "full_name"}, nil)
		time.Sleep(time.Second)
		o.set(func() { o.offline = false })
		time.Sleep(10 * time.Minute)
		p.must("logout", object{}, nil)
		o.mu.Lock()
		defer o.mu.Unlock()
		if want := []string{"/api/v1/records/" + id + "/reveal"}; !slices.Equal(o.reveals, want) {
			t.Errorf("got %v, want %v", o.reveals, want)
		}
	})
}

// TestStatusEvents are few, and the last one always comes.
func TestStatusEvents(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		time.Sleep(time.Second)
		before := len(s.seen("status"))
		const saves = 100
		for i := range saves {
			p.create(fmt.Sprintf("Người %d", i))
			time.Sleep(10 * time.Millisecond)
		}
		during := len(s.seen("status")) - before
		if during < 3 || during > 5 { // one second
			t.Errorf("got %d status events in a second, want 4", during)
		}
		time.Sleep(time.Second)
		all := s.seen("status")
		if last := all[len(all)-1]; !strings.Contains(last, fmt.Sprintf(`"unsent":%d`, saves)) {
			t.Errorf("the last status event says %s", last)
		}
		named := map[string]bool{}
		for _, text := range s.seen("changed") {
			var c replica.Changed
			if err := json.Unmarshal([]byte(text), &c); err != nil || c.IDs == nil || c.Registers == nil {
				t.Fatalf("changed event %s: %v", text, err)
			}
			for _, id := range c.IDs {
				named[id] = true
			}
		}
		if got := len(s.seen("changed")); got > 15 {
			t.Errorf("got %d changed events for %d saves within a second", got, saves)
		}
		if len(named) != saves {
			t.Errorf("changed events name %d records, want %d", len(named), saves)
		}
		p.must("logout", object{}, nil)
	})
}

// TestSavedIsNotSynced: by the time that a save is answered, nothing on the page
// says "synced" any more, however lately the status was told.
func TestSavedIsNotSynced(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := newShelf(newOffice(t))
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		time.Sleep(time.Second)
		a := p.b.current()
		for i := range 3 {
			time.Sleep(time.Second)
			synctest.Wait() // nothing is about to be told, which would take back what follows
			a.news.mu.Lock()
			a.news.synced = max(a.r.Meta().Last, 1) // as if the server had everything, and the page had just been told
			a.news.mu.Unlock()
			p.create(fmt.Sprintf("Người %d", i))
			all := s.seen("status")
			if last := all[len(all)-1]; !strings.Contains(last, fmt.Sprintf(`"unsent":%d`, i+1)) {
				t.Errorf("save %d is answered, and the page was last told %s", i+1, last)
			}
		}
		p.must("logout", object{"keep": true}, nil)
	})
}

// TestPostInTheSocketsPlace turns to POST after two sockets that came to
// nothing, but only while fetch works.
func TestPostInTheSocketsPlace(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		time.Sleep(30 * time.Second)
		if o.count("POST /sync/v1/exchange") == 0 {
			t.Errorf("no exchange over POST after %d sockets", o.dialled())
		}
		o.set(func() { o.offline = true })
		time.Sleep(time.Minute)
		before := o.dialled()
		time.Sleep(5 * time.Minute)
		if o.dialled() == before {
			t.Error("the socket was not tried again")
		}
		p.must("logout", object{}, nil)
	})
}

// TestNewerListGoesFirst stops a list for a newer question, and gives it up if
// the same asker has put both.
func TestNewerListGoesFirst(t *testing.T) {
	for _, c := range []struct {
		name          string
		first, second replica.ListRequest
		stopped, over bool
	}{
		{"the next key", replica.ListRequest{Turn: "a", Search: "ng"}, replica.ListRequest{Turn: "a", Search: "ngu"}, true, true},
		{"another tab", replica.ListRequest{Turn: "a", Search: "ng"}, replica.ListRequest{Turn: "b", Search: "ngu"}, true, false},
		{"the next page", replica.ListRequest{Turn: "a", Search: "ng"}, replica.ListRequest{Turn: "a", Search: "ng", Offset: 60}, false, false},
		{"no turn", replica.ListRequest{Search: "ng"}, replica.ListRequest{Search: "ngu"}, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var turn turns
			ctx := t.Context()
			lane, leave := turn.ask("residents", questionOf(c.first))
			first, done, err := turn.take(ctx, lane, questionOf(c.first))
			if err != nil {
				t.Fatal(err)
			}
			_, leaveSecond := turn.ask("residents", questionOf(c.second))
			if got := first.Err() != nil; got != c.stopped || got && context.Cause(first) != errStopped {
				t.Errorf("stopped: got %v (%v), want %v", got, context.Cause(first), c.stopped)
			}
			if got := turn.superseded(lane, questionOf(c.first)); got != c.over {
				t.Errorf("superseded: got %v, want %v", got, c.over)
			}
			if turn.superseded(lane, questionOf(c.second)) {
				t.Error("the newest is superseded")
			}
			second := make(chan struct{})
			go func() {
				_, done, err := turn.take(ctx, lane, questionOf(c.second))
				if err != nil {
					t.Error(err)
				}
				close(second)
				done()
				leaveSecond()
			}()
			select {
			case <-second:
				t.Error("both have the turn")
			case <-time.After(10 * time.Millisecond):
			}
			elsewhere, gone := turn.ask("addresses", questionOf(c.second))
			other, end, err := turn.take(ctx, elsewhere, questionOf(c.second))
			if err != nil || other.Err() != nil {
				t.Errorf("another register: %v", err)
			}
			end()
			gone()
			done()
			leave()
			<-second
		})
	}
}

// TestPanicIsAnAnswer keeps the module alive.
func TestPanicIsAnAnswer(t *testing.T) {
	calls["panic"] = func(context.Context, *Bridge, []byte) (any, error) { panic("boom") }
	defer delete(calls, "panic")
	p := page{t, newShelf(newOffice(t)).bridge()}
	p.refused("internal", "panic", nil)
	p.must("session", nil, nil)
}

// glass is a mirror in memory.
type glass struct {
	mu      sync.Mutex
	entries map[string][]byte
	old     bool
	broken  error
}

func (g *glass) Put(_ context.Context, key string, b []byte) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.broken != nil {
		return g.broken
	}
	if !g.old {
		g.entries[key] = bytes.Clone(b)
	}
	return nil
}

func (g *glass) All(context.Context) ([]Mirrored, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var all []Mirrored
	for _, k := range slices.Sorted(maps.Keys(g.entries)) {
		all = append(all, Mirrored{k, g.entries[k]})
	}
	return all, nil
}

func (g *glass) Trim(context.Context) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.old {
		clear(g.entries)
	}
	return g.old, nil
}

func (g *glass) Close() {}

// TestMirrorGivesBack loses a young store whole, as a power cut may, and finds
// every acknowledged save again, offline, under the same ids.
func TestMirrorGivesBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		s.mirror = &glass{entries: map[string][]byte{}}
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		var ids []string
		for i := range 5 {
			ids = append(ids, p.create(fmt.Sprintf("Người %d", i)))
		}
		var form replica.Form
		p.must("open", object{"id": ids[0]}, &form)
		p.must("save", object{"key": form.Key, "values": object{"full_name": "Người mới"}, "submit": false}, nil)
		device := p.b.current().r.Meta().Replica
		half := s.stores["a-1"].Clone()
		p.create("Người cuối")
		o.set(func() { o.offline = true })
		p.must("logout", object{}, nil)

		check := func(what string, want int) {
			t.Helper()
			p = page{t, s.bridge()}
			p.must("unlock", signing(nil), nil)
			if got := p.b.current().r.Meta().Replica; got != device {
				t.Errorf("%s: replica is %v, want %v", what, got, device)
			}
			var list replica.ListReply
			p.must("list", object{"register": "residents"}, &list)
			var status replica.Status
			p.must("status", nil, &status)
			if list.Total != 6 || status.Unsent != want {
				t.Errorf("%s: got %d records and %d unsent, want 6 and %d", what, list.Total, status.Unsent, want)
			}
			var record replica.RecordView
			p.must("get", object{"id": ids[0]}, &record)
			if i := slices.IndexFunc(record.Fields, func(f replica.FieldView) bool { return f.Name == "full_name" }); record.Fields[i].Value != "Người mới" {
				t.Errorf("%s: name is %q", what, record.Fields[i].Value)
			}
		}
		check("nothing lost", 7)
		p.must("logout", object{}, nil)
		s.stores["a-1"] = half
		check("the last save lost", 7)
		p.must("logout", object{}, nil)
		delete(s.stores, "a-1")
		check("the store lost whole", 7)
		p.create("Người sau")
		p.must("logout", object{}, nil)
		delete(s.stores, "a-1")
		p = page{t, s.bridge()}
		p.must("unlock", signing(nil), nil)
		var status replica.Status
		p.must("status", nil, &status)
		if status.Unsent != 8 {
			t.Errorf("lost twice: got %d unsent, want 8", status.Unsent)
		}
		p.must("logout", object{}, nil)

		// Old enough, the store does without.
		s.mirror.old = true
		p.must("unlock", signing(nil), nil)
		synctest.Wait()
		if len(s.mirror.entries) != 0 {
			t.Errorf("the mirror of an old store holds %d entries", len(s.mirror.entries))
		}
		p.must("logout", object{}, nil)
	})
}

// TestSaveThatOnlyTheMirrorTook ends between mirror and store in the midst of a
// save. Nobody was told of it, so the page saves the form again, of a new record and
// of an old one: it was saved once.
func TestSaveThatOnlyTheMirrorTook(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		s.mirror = &glass{entries: map[string][]byte{}}
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		id := p.create("Người 1")
		o.set(func() { o.offline = true })
		var fresh, old replica.Form
		p.must("open", object{"register": "residents"}, &fresh)
		p.must("open", object{"id": id}, &old)
		unsent := 1
		for _, form := range []replica.Form{fresh, old} {
			before := s.stores["a-1"].Clone()
			save := object{"key": form.Key, "values": object{"full_name": "Người 2"}, "submit": false}
			var first, again replica.SaveReply
			p.must("save", save, &first)
			p.must("logout", object{}, nil)
			s.stores["a-1"] = before
			p = page{t, s.bridge()}
			p.must("unlock", signing(nil), nil)
			p.must("save", save, &again)
			unsent++
			var status replica.Status
			p.must("status", nil, &status)
			if first.ID != again.ID || !again.Saved || status.Unsent != unsent || status.Conflicts != 0 {
				t.Errorf("saved as %s, then as %s; %d unsent, want %d; %d conflicts", first.ID, again.ID, status.Unsent, unsent, status.Conflicts)
			}
			var drafts []replica.Form
			p.must("drafts", nil, &drafts)
			if slices.ContainsFunc(drafts, func(f replica.Form) bool { return f.Key == form.Key }) {
				t.Error("the form is still open")
			}
		}
		p.must("logout", object{}, nil)
	})
}

// TestMirrorThatFails refuses the save, and the next one goes through.
func TestMirrorThatFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		s.mirror = &glass{entries: map[string][]byte{}}
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		p.create("Người 1")
		var form replica.Form
		p.must("open", object{"register": "residents"}, &form)
		s.mirror.broken = errors.New("no room")
		p.refused("internal", "save", object{"key": form.Key, "values": object{"full_name": "Người 2"}, "submit": false})
		s.mirror.broken = nil
		p.must("save", object{"key": form.Key, "values": object{"full_name": "Người 2"}, "submit": false}, nil)
		o.set(func() { o.offline = true })
		p.must("logout", object{}, nil)
		delete(s.stores, "a-1")
		p.must("unlock", signing(nil), nil)
		var list replica.ListReply
		p.must("list", object{"register": "residents"}, &list)
		if list.Total != 2 {
			t.Errorf("got %d records, want 2", list.Total)
		}
		p.must("logout", object{}, nil)
	})
}

// TestLostStore signs in on a device whose store is gone: the page remembered
// which device it is.
func TestLostStore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		var first Session
		p.must("login", signing(nil), &first)
		if first.Device != "dev" || first.Lost {
			t.Errorf("got device %q, lost %v", first.Device, first.Lost)
		}
		p.must("logout", object{}, nil)
		var again Session
		p.must("login", signing(object{"device": first.Device}), &again)
		if again.Lost {
			t.Error("the store is there, and is called lost")
		}
		p.must("logout", object{}, nil)
		clear(s.stores)
		p.must("login", signing(object{"device": first.Device}), &again)
		if !again.Lost || again.Device != "dev" || o.device != "dev" {
			t.Errorf("got %+v; the server was told %q", again, o.device)
		}
		p.must("logout", object{}, nil)
	})
}
