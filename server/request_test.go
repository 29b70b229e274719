package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/store"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/simtest/oldpeer"
)

// fuzzApp is the program with an account of each role, signed in, and a way to
// ask it without a network.
func fuzzApp(f testing.TB) (ask func(method, path, token string, body []byte, kind string) *httptest.ResponseRecorder, tokens []string, a *app) {
	f.Helper()
	a, err := openApp(f.Context(), appConfig{data: f.TempDir(), enrolment: auth.EnrolByPassword, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.close(f.Context()) })
	ask = func(method, path, token string, body []byte, kind string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://wardbook.example", bytes.NewReader(body))
		r.URL = &url.URL{Path: path}
		if p, q, ok := strings.Cut(path, "?"); ok {
			r.URL = &url.URL{Path: p, RawQuery: q}
		}
		r.Header.Set("Content-Type", kind)
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, r)
		return w
	}
	tokens = []string{""}
	for _, role := range []store.Role{store.RoleOfficer, store.RoleSupervisor, store.RoleHub, store.RoleAdmin} {
		n := auth.NewAccount{Name: "a." + string(role), DisplayName: "A", Role: role, FirstDeviceFree: role == store.RoleAdmin}
		if role == store.RoleOfficer || role == store.RoleSupervisor {
			n.Unit = "27169"
		}
		_, password, err := a.auth.Create(f.Context(), auth.Console(), n)
		if err != nil {
			f.Fatal(err)
		}
		body, _ := json.Marshal(map[string]string{"name": n.Name, "password": password, "device_label": "fuzz"})
		w := ask("POST", "/api/v1/auth/login", "", body, "application/json")
		var grant struct {
			Access string `json:"access_token"`
		}
		if json.Unmarshal(w.Body.Bytes(), &grant); grant.Access == "" {
			f.Fatalf("sign in %s: got %d %s", n.Name, w.Code, w.Body)
		}
		tokens = append(tokens, grant.Access)
	}
	return ask, tokens, a
}

// FuzzRequest asks every route, as every role, with any words in its path, any
// query and any body. Nothing that is sent makes the server fail: an answer is a
// success or a refusal that says why, in the API's form.
func FuzzRequest(f *testing.F) {
	ask, tokens, a := fuzzApp(f)
	routes := a.apiRoutes()
	word := regexp.MustCompile(`\{[^}]+\}`)
	for i := range routes {
		f.Add(uint8(i), uint8(i), "27169", "limit=2&since=&version=1&dataset=residents", []byte(`{"name":"a","password":"b","id":"x","reason":"y"}`))
		f.Add(uint8(i), uint8(i+2), "residents", "at=x&cursor=IQ", []byte(`{"dataset":"residents","cursor":"x","fields":[{"key":"16"}]}`))
	}
	f.Fuzz(func(t *testing.T, which, role uint8, in, query string, body []byte) {
		r := routes[int(which)%len(routes)]
		if strings.HasSuffix(r.Path, "/logout") || strings.HasSuffix(r.Path, "/password") {
			return // later inputs need the sign-in
		}
		path := word.ReplaceAllLiteralString(r.Path, in) + "?" + query
		w := ask(r.Method, path, tokens[int(role)%len(tokens)], body, "application/json")
		if w.Code >= 500 && w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s %q %q: got %d %s", r.Method, path, body, w.Code, w.Body)
		}
		if w.Code >= 400 {
			var told struct {
				Error struct {
					Code string `json:"code"`
					VI   string `json:"message_vi"`
				} `json:"error"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &told); err != nil || told.Error.Code == "" || told.Error.VI == "" {
				t.Errorf("%s %q: %d without the API's form of a refusal: %s", r.Method, path, w.Code, w.Body)
			}
		}
	})
}

// TestOldWire: a device whose wire version is out of range is told so, whatever
// follows it, and one that cannot be read at all is told that.
func TestOldWire(t *testing.T) {
	ask, tokens, _ := fuzzApp(t)
	hello := oldpeer.Hello{App: "old", Token: tokens[1], Replica: oldpeer.Replica{1}, Next: [16]byte{1}}
	for _, test := range []struct {
		version uint64
		rest    string
		want    protocol.Code
	}{{0, "", protocol.UnsupportedWire}, {protocol.Version + 1, "whatever", protocol.UnsupportedWire}, {protocol.Version, "whatever", protocol.Malformed}} {
		hello.Version = test.version
		w := ask("POST", "/sync/v1/exchange", "", protocol.AppendFrame(nil, append(oldpeer.EncodeHello(hello), test.rest...)), "application/vnd.wardbook.sync")
		frames, err := protocol.ReadFrames(w.Body.Bytes())
		if err != nil || len(frames) != 1 {
			t.Fatalf("version %d: got %d %x", test.version, w.Code, w.Body)
		}
		if m, err := oldpeer.Decode(frames[0]); err != nil || m != (oldpeer.Failure{Code: uint64(test.want)}) {
			t.Errorf("version %d: got %+v, %v, want code %d", test.version, m, err, test.want)
		}
	}
}

// FuzzExchange posts any row of messages behind a good Hello. The answer is a
// row of messages, and a Push that cannot be read is answered all the same.
func FuzzExchange(f *testing.F) {
	ask, tokens, _ := fuzzApp(f)
	replica := conflict.ReplicaID{0xf0}
	w := &wire{replica: replica, author: "a.officer", unit: "27169"}
	n := w.note(1)
	for _, m := range []protocol.Message{&protocol.Push{Changesets: []record.Changeset{n}}, &protocol.Ping{N: 1},
		&protocol.Applied{Stream: protocol.Stream{Unit: "27169", Register: "residents"}, To: 1}, &protocol.Report{Unsent: 1}} {
		f.Add(protocol.AppendFrame(nil, protocol.Encode(nil, m)))
	}
	f.Add([]byte{3, 2, 1, 1})
	f.Add([]byte{0x80})
	var step byte
	f.Fuzz(func(t *testing.T, rest []byte) {
		step++
		hello := &protocol.Hello{Version: protocol.Version, App: "fuzz", Token: tokens[1], Replica: conflict.ReplicaID{0xf0, step}, Last: 9,
			Scopes: []protocol.Scope{{Stream: protocol.Stream{Unit: "27169", Register: "residents"}}}}
		hello.Next[0] = 1
		body := protocol.AppendFrame(protocol.AppendFrame(nil, protocol.Encode(nil, hello)), protocol.Encode(nil, &protocol.Known{}))
		body = append(body, rest...)
		res := ask("POST", "/sync/v1/exchange", "", body, "application/vnd.wardbook.sync")
		if res.Code >= 500 {
			t.Fatalf("%x: got %d %s", rest, res.Code, res.Body)
		}
		if res.Code != http.StatusOK {
			return
		}
		frames, err := protocol.ReadFrames(res.Body.Bytes())
		if err != nil || len(frames) == 0 {
			t.Fatalf("%x: the answer is no row of messages: %v", rest, err)
		}
		for _, frame := range frames {
			m, err := protocol.Decode(frame)
			if err != nil {
				t.Fatalf("%x: the answer holds a message that cannot be read: %v", rest, err)
			}
			if e, ok := m.(*protocol.Error); ok && e.Code == protocol.Internal {
				t.Errorf("%x: the server failed: %v", rest, e)
			}
		}
	})
}
