//go:build !js

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/client-wasm/replica/replicatest"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

func TestParseCommandLine(t *testing.T) {
	for _, c := range []struct {
		name string
		args string
		want string // dir server json command args flags, or what the error holds
		fail bool
	}{
		{"as in the contract", "-dir d -server http://h:1 put residents -record r-1 a=1 b=-2", "d http://h:1 false put [residents a=1 b=-2] map[record:r-1]", false},
		{"flags behind the command", "list residents -search x -dir d -json", "d  true list [residents] map[search:x]", false},
		{"two hyphens and an equals sign", "--dir=d --json status", "d  true status [] map[]", false},
		{"a value that looks like a flag", "-dir d settle r-1 level -5", "d  false settle [r-1 level -5] map[]", false},
		{"an end of flags", "-dir d get -- -x", "d  false get [-x] map[]", false},
		{"no command", "-dir d", "no command", true},
		{"an unknown command", "-dir d frob", `unknown command "frob"; the commands are login, put`, true},
		{"an unknown flag", "-dir d -frob status", "unknown flag -frob", true},
		{"a flag of another command", "-dir d get r-1 -search x", "get has no flag -search", true},
		{"a flag before its command", "-dir d -record r-1 put residents a=1", "belongs behind the command", true},
		{"a flag without a value", "-dir", "flag -dir needs a value", true},
		{"no folder", "status", "flag -dir is missing", true},
		{"too few arguments", "-dir d settle r-1 level", "an argument is missing; use: wardbook-device -dir DIR settle ID FIELD VALUE", true},
		{"too many arguments", "-dir d get a b", `"b" is one argument too many`, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			line, err := parseCommandLine(strings.Fields(c.args))
			if c.fail {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want an error with %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join([]string{line.dir, line.server, map[bool]string{true: "true", false: "false"}[line.json], line.command.name}, " ") + " " +
				"[" + strings.Join(line.args, " ") + "] " + textOf(line.flags)
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func textOf(m map[string]string) string {
	b := "map["
	for k, v := range m {
		b += k + ":" + v
	}
	return b + "]"
}

// city is a server in a test: the API that a device uses, over replicatest.
type city struct {
	mu       sync.Mutex
	server   *replicatest.Server
	web      *httptest.Server
	noSocket bool
	logins   []map[string]string
	refresh  string
	access   string
}

func newCity(t *testing.T) *city {
	field := func(id conflict.FieldID, name string, kind register.Type) register.Field {
		return register.Field{ID: id, Name: name, Type: kind, Label: register.Text{VI: name, EN: name}, Section: "all", Required: register.Optional,
			Class: register.Basic, Policy: conflict.Keep, Search: true}
	}
	name := field(16, "name", register.PlainText)
	name.Required = register.Always
	def, err := register.New(register.Definition{ID: "people", Version: 1, Label: register.Text{VI: "Người & hộ", EN: "People <all>"}, TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}},
		Fields:   []register.Field{name, field(17, "phone", register.Phone), field(18, "level", register.Integer)}})
	if err != nil {
		t.Fatal(err)
	}
	c := &city{refresh: "r0", access: "a0", server: replicatest.New(1, func() int64 { return time.Now().UnixMilli() }, def)}
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }
	refuse := func(w http.ResponseWriter, status int, code, text string) {
		w.WriteHeader(status)
		answer(w, map[string]any{"error": map[string]string{"code": code, "message_en": text, "message_vi": text}})
	}
	grant := func(w http.ResponseWriter, name string) {
		c.refresh, c.access = c.refresh+"x", c.access+"x"
		answer(w, map[string]any{"access_token": c.access, "expires_at": time.Now().Add(time.Hour), "refresh_token": c.refresh,
			"account": map[string]any{"name": name, "display_name": "Cán bộ", "role": "officer", "unit": "27169"}, "device": map[string]string{"id": "dev-" + name}})
	}
	mux.HandleFunc("POST /api/v1/auth/login", func(w http.ResponseWriter, r *http.Request) {
		in := map[string]string{}
		_ = json.NewDecoder(r.Body).Decode(&in)
		c.logins = append(c.logins, in)
		switch {
		case in["password"] != "mật khẩu":
			refuse(w, 401, "bad_credentials", "The name or the password is wrong.")
		case in["name"] == "officer.new" && in["code"] == "":
			refuse(w, 403, "enrolment_required", "A new device needs a code.")
		default:
			grant(w, in["name"])
		}
	})
	mux.HandleFunc("POST /api/v1/auth/refresh", func(w http.ResponseWriter, r *http.Request) {
		in := map[string]string{}
		_ = json.NewDecoder(r.Body).Decode(&in)
		if in["refresh_token"] != c.refresh {
			refuse(w, 401, "signed_out", "The session has ended.")
			return
		}
		grant(w, strings.TrimPrefix(in["device_id"], "dev-"))
	})
	mux.HandleFunc("GET /api/v1/registers", func(w http.ResponseWriter, r *http.Request) {
		answer(w, []json.RawMessage{def.Marshal()}) // escapes & and <, as servers may
	})
	mux.HandleFunc("GET /api/v1/scopes", func(w http.ResponseWriter, r *http.Request) {
		answer(w, map[string]any{"unit": "27169", "streams": []map[string]string{{"unit": "27169", "register": "people", "class": "basic"}}})
	})
	mux.HandleFunc("GET /sync/v1/device", c.socket)
	mux.HandleFunc("POST /sync/v1/exchange", c.exchange)
	c.web = httptest.NewServer(mux)
	t.Cleanup(c.web.Close)
	return c
}

func (c *city) socket(w http.ResponseWriter, r *http.Request) {
	if c.noSocket {
		http.Error(w, "this network breaks sockets", http.StatusBadGateway)
		return
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	defer ws.Close()
	c.mu.Lock()
	x := c.server.Open()
	c.mu.Unlock()
	for {
		_, b, err := ws.ReadMessage()
		c.mu.Lock()
		if err != nil {
			x.Close()
			c.mu.Unlock()
			return
		}
		err = x.Receive(b)
		out := x.Take()
		c.mu.Unlock()
		if err != nil {
			return
		}
		for _, m := range out {
			if err := ws.WriteMessage(websocket.BinaryMessage, m); err != nil {
				return
			}
		}
	}
}

func (c *city) exchange(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	frames, err := protocol.ReadFrames(body)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	x := c.server.Open()
	defer x.Close()
	for _, f := range frames {
		if err := x.Receive(f); err != nil {
			http.Error(w, err.Error(), 400)
			return
		}
	}
	var answer []byte
	for _, m := range x.Take() {
		answer = protocol.AppendFrame(answer, m)
	}
	_, _ = w.Write(answer)
}

// shell runs the device as a shell would.
type shell struct {
	t    *testing.T
	dir  string
	url  string
	vars map[string]string
}

func (s *shell) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	d := &device{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, env: func(name string) string { return s.vars[name] }, lang: "en"}
	all := []string{"-dir", s.dir}
	if s.url != "" {
		all = append(all, "-server", s.url)
	}
	code = d.run(s.t.Context(), append(all, args...))
	return code, out.String(), errs.String()
}

// ok runs a command that has to succeed and returns what it printed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	code, out, errs := s.run(args...)
	if code != 0 {
		s.t.Fatalf("%v: exit %d\n%s%s", args, code, out, errs)
	}
	return strings.TrimSpace(out)
}

func (s *shell) fails(want string, code int, args ...string) {
	s.t.Helper()
	got, out, errs := s.run(args...)
	if got != code || !strings.Contains(errs, want) {
		s.t.Errorf("%v: got exit %d, %q; want %d, %q", args, got, out+errs, code, want)
	}
}

func newShell(t *testing.T, url, name string) *shell {
	return &shell{t: t, dir: filepath.Join(t.TempDir(), name), url: url, vars: map[string]string{"WARDBOOK_PASSWORD": "mật khẩu"}}
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return v
}

func TestDeviceWorksOfflineAndSynchronises(t *testing.T) {
	for _, way := range []string{"socket", "post"} {
		t.Run(way, func(t *testing.T) {
			c := newCity(t)
			c.noSocket = way == "post"
			a, b := newShell(t, c.web.URL, "a"), newShell(t, c.web.URL, "b")
			a.ok("login", "officer.a")
			b.ok("login", "officer.b")
			a.url, b.url = "", "" // it is known after the login
			id := a.ok("put", "people", "name=Đặng Thị Hòa", "phone=0903 123 456")
			rec := decode[recordJSON](t, a.ok("-json", "get", id))
			if rec.ID != id || rec.Register != "people" || rec.Unit != "27169" || rec.Fields["phone"] != "+84903123456" || rec.State != "local" ||
				rec.Review != "submitted" || rec.Deleted || len(rec.Conflicts) != 0 {
				t.Errorf("got %+v", rec)
			}
			if s := decode[statusJSON](t, a.ok("-json", "status")); s.Unsent != 1 || s.Synced || s.Oldest == nil || s.Account != "officer.a" || s.Unit != "27169" || s.Server != c.web.URL {
				t.Errorf("status: got %+v", s)
			}
			a.ok("sync")
			b.ok("sync")
			if s := decode[statusJSON](t, a.ok("-json", "status")); s.Unsent != 0 || !s.Synced || s.Received == nil || len(s.Streams) != 1 || !s.Streams[0].Complete {
				t.Errorf("status after sync: got %+v", s)
			}
			if got := decode[recordJSON](t, b.ok("-json", "list", "people", "-search", "dang thi")); got.ID != id || got.State != "received" {
				t.Errorf("list: got %+v", got)
			}
			a.ok("put", "people", "-record", id, "level=1")
			b.ok("put", "people", "-record", id, "level=2")
			a.ok("sync")
			b.ok("sync")
			a.ok("sync")
			rec = decode[recordJSON](t, a.ok("-json", "conflicts"))
			if got := rec.Conflicts["level"]; len(got) != 2 || got[0].Value+got[1].Value != "12" && got[0].Value+got[1].Value != "21" || got[0].By == got[1].By {
				t.Errorf("conflict: got %+v", rec.Conflicts)
			}
			a.fails("settle", 1, "put", "people", "-record", id, "level=3")
			a.ok("settle", id, "level", "3")
			if out := a.ok("conflicts"); out != "" {
				t.Errorf("after settling: got %q", out)
			}
			a.ok("delete", id)
			b.ok("put", "people", "-record", id, "phone=0903000000")
			a.ok("sync")
			b.ok("sync")
			a.ok("sync")
			rec = decode[recordJSON](t, a.ok("-json", "conflicts"))
			if got := rec.Conflicts["life"]; rec.Deleted || len(got) != 2 || got[0].Value != "deleted" || got[0].By != "officer.a" || got[1].Value != "alive" || got[1].By != "officer.b" {
				t.Errorf("edited and deleted: got %+v", rec)
			}
			a.ok("settle", id, "life", "deleted")
			a.ok("sync")
			b.ok("sync")
			if rec = decode[recordJSON](t, b.ok("-json", "get", id)); !rec.Deleted || rec.State != "received" {
				t.Errorf("deleted: got %+v", rec)
			}
			if out := b.ok("list", "people"); out != "" {
				t.Errorf("a deleted record is listed: %q", out)
			}
		})
	}
}

func TestDeviceSaysWhatIsWrong(t *testing.T) {
	c := newCity(t)
	s := newShell(t, c.web.URL, "a")
	s.fails("nobody has signed in", 1, "status")
	s.vars["WARDBOOK_PASSWORD"] = "falsch"
	s.fails("wrong", 1, "login", "officer.a")
	s.fails("nobody has signed in", 1, "status")
	delete(s.vars, "WARDBOOK_PASSWORD")
	s.fails("set WARDBOOK_PASSWORD", 1, "login", "officer.a")
	s.vars["WARDBOOK_PASSWORD"] = "mật khẩu"
	s.fails("WARDBOOK_CODE", 1, "login", "officer.new")
	s.ok("login", "officer.a")
	s.ok("login", "officer.a")
	if last := c.logins[len(c.logins)-1]; last["device_id"] != "dev-officer.a" {
		t.Errorf("a second login does not name the device: %v", last)
	}
	s.fails("belongs to officer.a", 1, "login", "officer.b")
	s.fails(`unknown register "peeple"; the registers are people`, 2, "put", "peeple", "name=x")
	s.fails(`has no field "nam"; its fields are name, phone, level`, 2, "put", "people", "nam=x")
	s.fails("is no FIELD=VALUE", 2, "put", "people", "name")
	s.fails("unknown filter", 2, "list", "people", "-filter", "x")
	s.fails("no record nope", 1, "get", "nope")
	s.url = "ftp://x"
	s.fails("is no address", 2, "status")
	code, out, errs := s.run("-help")
	if code != 0 || !strings.Contains(out, "NOT encrypted") || errs != "" {
		t.Errorf("help: got %d, %q", code, out+errs)
	}
	// An error saves a draft and says so; the id is all of the output.
	s.url = ""
	code, out, errs = s.run("put", "people", "phone=12")
	if code != 0 || strings.Count(out, "\n") != 1 || !strings.Contains(errs, "E_REQUIRED name") {
		t.Errorf("put with errors: got %d, %q, %q", code, out, errs)
	}
	if rec := decode[recordJSON](t, s.ok("-json", "get", strings.TrimSpace(out))); rec.Review != "draft" || rec.Fields["phone"] != "12" {
		t.Errorf("got %+v, want a draft as typed", rec)
	}
	c.web.Close()
	s.fails("1 change is not acknowledged", 1, "sync")
}

func TestOneProcessAtATime(t *testing.T) {
	c := newCity(t)
	s := newShell(t, c.web.URL, "a")
	s.ok("login", "officer.a")
	first := &device{line: commandLine{dir: s.dir}}
	if err := first.acquire(false); err != nil {
		t.Fatal(err)
	}
	s.fails("in use by another wardbook-device", 1, "status")
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	s.ok("status")
	info, err := os.Stat(filepath.Join(s.dir, "store.db"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("store.db: got %v, %v; want it readable by its owner alone", info.Mode(), err)
	}
}

func TestSyncRenewsTheToken(t *testing.T) {
	c := newCity(t)
	s := newShell(t, c.web.URL, "a")
	s.ok("login", "officer.a")
	before := c.refresh
	d := &device{line: commandLine{dir: s.dir}, stdout: io.Discard, stderr: io.Discard, lang: "en", env: func(string) string { return "" }}
	if err := d.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.session.Expires = time.Now()
	if err := d.keepSession(t.Context(), d.replica.Account()); err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	s.ok("sync")
	if c.refresh == before {
		t.Error("the token was not renewed")
	}
	s.ok("sync")
	c.refresh = "another" // signed out elsewhere
	d = &device{line: commandLine{dir: s.dir}, stdout: io.Discard, stderr: io.Discard, lang: "en", env: func(string) string { return "" }}
	if err := d.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.session.Expires = time.Now()
	if err := d.keepSession(t.Context(), d.replica.Account()); err != nil {
		t.Fatal(err)
	}
	if err := d.close(); err != nil {
		t.Fatal(err)
	}
	s.fails("Sign in again", 1, "sync")
}
