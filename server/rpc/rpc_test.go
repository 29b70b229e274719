package rpc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"wardbook/server/store"
)

type person struct {
	Name string `json:"name" maxlen:"5"`
	Kind string `json:"kind,omitempty" enum:"a,b"`
}

type makeRequest struct {
	ID     string         `path:"id" json:"-"`
	Limit  int            `query:"limit" json:"-" doc:"at most"`
	Title  string         `json:"title" maxlen:"10"`
	People []person       `json:"people,omitempty"`
	Tags   map[string]int `json:"tags,omitempty"`
	Boss   *person        `json:"boss,omitempty"`
	Raw    any            `json:"raw,omitempty"`
}

type makeResponse struct {
	Echo makeRequest `json:"echo"`
	ID   string      `json:"id"`
	At   time.Time   `json:"at"`
}

func echo(_ context.Context, r makeRequest) (makeResponse, error) {
	return makeResponse{Echo: r, ID: r.ID}, nil
}

func post(h http.Handler, path, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func serve(t *testing.T, c Config, routes ...Route) *http.ServeMux {
	t.Helper()
	s, err := NewServer(c)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	s.Mount(mux, routes, "/api/")
	return mux
}

func failure(t *testing.T, w *httptest.ResponseRecorder) errorDetail {
	t.Helper()
	var body errorBody
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("error body %q: %v", w.Body, err)
	}
	if body.Error.Code == "" || body.Error.MessageVi == "" || body.Error.MessageEn == "" {
		t.Errorf("error body %q lacks a code or a message", w.Body)
	}
	return body.Error
}

func TestDecodeIsStrict(t *testing.T) {
	deep := strings.Repeat(`[`, 1_000_000)
	many := `{"title":"x","raw":[` + strings.TrimSuffix(strings.Repeat("1,", 25_000), ",") + `]}`
	cases := []struct {
		name, query, body string
		status            int
		code, field       string
	}{
		{"good", "?limit=3", `{"title":"Đặng","people":[{"name":"An","kind":"a"}],"tags":{"x":1},"boss":null,"raw":{"any":[1]}}`, 200, "", ""},
		{"unknown field", "", `{"title":"x","status":"approved"}`, 422, "unknown_field", "status"},
		{"unknown field below", "", `{"title":"x","people":[{"name":"a"},{"name":"b","ward":1}]}`, 422, "unknown_field", "people[1].ward"},
		{"field in another case", "", `{"Title":"x"}`, 422, "unknown_field", "Title"},
		{"address field in the body", "", `{"title":"x","ID":"other"}`, 422, "unknown_field", "ID"},
		{"duplicate", "", `{"title":"x","title":"y"}`, 422, "duplicate_field", "title"},
		{"duplicate by escape", "", `{"title":"x","\u0074itle":"y"}`, 422, "duplicate_field", "title"},
		{"duplicate in a map", "", `{"title":"x","tags":{"a":1,"a":2}}`, 422, "duplicate_field", "tags.a"},
		{"duplicate where anything goes", "", `{"title":"x","raw":{"a":{"b":1,"b":2}}}`, 422, "duplicate_field", "raw.a.b"},
		{"missing", "", `{"people":[]}`, 422, "missing_field", "title"},
		{"missing below", "", `{"title":"x","boss":{}}`, 422, "missing_field", "boss.name"},
		{"wrong type", "", `{"title":5}`, 422, "invalid", "title"},
		{"object for text", "", `{"title":{}}`, 422, "invalid", "title"},
		{"array for object", "", `{"title":"x","boss":[]}`, 422, "invalid", "boss"},
		{"null for text", "", `{"title":null}`, 422, "invalid", "title"},
		{"too long", "", `{"title":"12345678901"}`, 413, "too_large", "title"},
		{"long in bytes only", "", `{"title":"ềềềềềềềềềề"}`, 200, "", ""},
		{"not in the list", "", `{"title":"x","people":[{"name":"a","kind":"c"}]}`, 422, "invalid", "people[0].kind"},
		{"invalid UTF-8", "", "{\"title\":\"\xff\"}", 422, "malformed", ""},
		{"lone surrogate", "", `{"title":"\ud800"}`, 422, "malformed", "title"},
		{"honest replacement character", "", `{"title":"\ufffd"}`, 200, "", ""},
		{"more after the value", "", `{"title":"x"}{}`, 422, "malformed", ""},
		{"no body", "", ``, 422, "missing_field", "title"},
		{"half", "", `{"title":"x"`, 422, "malformed", ""},
		{"deep", "", deep[:200_000], 422, "invalid", ""},
		{"deep where anything goes", "", `{"title":"x","raw":` + deep[:200_000], 413, "too_large", "raw[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]"},
		{"too many", "", many, 413, "too_large", "raw[19998]"},
		{"too big", "", `{"title":"` + strings.Repeat("x", 300_000) + `"}`, 413, "too_large", ""},
		{"unknown query", "?limits=3", `{"title":"x"}`, 422, "unknown_field", "limits"},
		{"query twice", "?limit=3&limit=4", `{"title":"x"}`, 422, "duplicate_field", "limit"},
		{"query not a number", "?limit=x", `{"title":"x"}`, 422, "invalid", "limit"},
	}
	h := serve(t, Config{}, New("POST", "/api/v1/things/{id}", "make", echo, Options{}).Open())
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := post(h, "/api/v1/things/t1"+c.query, c.body)
			if w.Code != c.status {
				t.Fatalf("status: got %d, want %d: %s", w.Code, c.status, w.Body)
			}
			if c.status == 200 {
				var r makeResponse
				if err := json.Unmarshal(w.Body.Bytes(), &r); err != nil || r.ID != "t1" {
					t.Errorf("response: got %s, %v", w.Body, err)
				}
				return
			}
			if e := failure(t, w); e.Code != c.code || e.Field != c.field {
				t.Errorf("got %s at %q, want %s at %q", e.Code, e.Field, c.code, c.field)
			}
		})
	}
	r := httptest.NewRequest("POST", "/api/v1/things/t1", strings.NewReader(`{"title":"x"}`))
	r.Header.Set("Content-Type", "text/plain")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != 415 {
		t.Errorf("plain text: got %d, want 415", w.Code)
	}
}

func FuzzDecodeJSON(f *testing.F) {
	for _, s := range []string{`{"title":"x"}`, `{"title":"x","people":[{"name":"a"}],"raw":null}`, `[[[`, `{"a":{"a":1}}`, "\xff", `{"boss":null}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		l := Limits{}
		l.fill()
		var r makeRequest
		if err := decodeJSON(body, &r, l); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("decode %q: got %v, want an *Error", body, err)
			}
			return
		}
		// What was accepted must survive being sent again.
		again, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var r2 makeRequest
		if err := decodeJSON(again, &r2, l); err != nil {
			t.Errorf("decode %q, encoded again as %q: %v", body, again, err)
		}
	})
}

func TestErrorsTellNoMoreThanTheyShould(t *testing.T) {
	secret := errors.New("SELECT name FROM people WHERE id = 079203001234")
	cases := []struct {
		err    error
		status int
		code   string
	}{
		{secret, 500, "internal"},
		{&Error{Code: "internal", Vi: "x", En: "x", Cause: secret}, 500, "internal"},
		{ErrForbidden.Because(secret), 403, "forbidden"},
		{fmt.Errorf("review: %w", ErrNotFound), 404, "not_found"},
		{fmt.Errorf("read: %w", store.ErrNotFound), 404, "not_found"},
		{store.ErrExists, 409, "exists"},
		{store.ErrFull, 507, "storage_full"},
		{store.ErrFailed, 503, "unavailable"},
		{context.DeadlineExceeded, 503, "unavailable"},
		{ErrTooMany.After(1500 * time.Millisecond), 429, "too_many_requests"},
		{ErrUnauthenticated, 401, "unauthenticated"},
	}
	for _, c := range cases {
		w := httptest.NewRecorder()
		WriteError(context.Background(), w, c.err)
		if e := failure(t, w); w.Code != c.status || e.Code != c.code {
			t.Errorf("%v: got %d %s, want %d %s", c.err, w.Code, e.Code, c.status, c.code)
		}
		if strings.Contains(w.Body.String(), "SELECT") || strings.Contains(w.Body.String(), "0792") {
			t.Errorf("reply tells the cause: %s", w.Body)
		}
		if after := w.Header().Get("Retry-After"); (after == "2") != (c.status == 429) {
			t.Errorf("%v: Retry-After %q", c.err, after)
		}
	}
}

type gate struct{}

func (gate) Admit(r *http.Request, route Route) (context.Context, error) {
	who := r.Header.Get("Authorization")
	if who == "" {
		return nil, ErrUnauthenticated
	}
	NameCaller(r.Context(), "id-of-caller")
	for _, role := range route.Roles {
		if role == who {
			return r.Context(), nil
		}
	}
	return nil, ErrForbidden
}

func TestServer(t *testing.T) {
	var log bytes.Buffer
	reg := prometheus.NewRegistry()
	h := Secure(serve(t, Config{Gate: gate{}, Log: slog.New(slog.NewJSONHandler(&log, nil)), Registerer: reg},
		New("POST", "/api/v1/things/{id}", "make", echo, Options{Status: 201}).For("admin"),
		New("GET", "/api/v1/panic", "panic", func(context.Context, None) (None, error) { panic("Nguyễn Văn A") }, Options{}).Open(),
		Route{Method: "GET", Path: "/api/v1/stream", Summary: "stream", Public: true, Media: "application/x-ndjson", Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "{}\n")
			w.(http.Flusher).Flush()
			panic("half way")
		})},
		New("GET", "/api/v1/slow", "slow", func(ctx context.Context, _ None) (None, error) { <-ctx.Done(); return None{}, ctx.Err() }, Options{}).Open().within(time.Millisecond),
	))
	srv := httptest.NewServer(h)
	defer srv.Close()
	do := func(method, path, who, body string) (*http.Response, string) {
		t.Helper()
		r, _ := http.NewRequest(method, srv.URL+path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		if who != "" {
			r.Header.Set("Authorization", who)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, err.Error()
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			return resp, err.Error()
		}
		return resp, string(b)
	}
	cases := []struct {
		method, path, who, body string
		status                  int
	}{
		{"POST", "/api/v1/things/CANARY-ID?limit=77777", "admin", `{"title":"CANARY"}`, 201},
		{"POST", "/api/v1/things/1", "officer", `{"title":"x"}`, 403},
		{"POST", "/api/v1/things/1", "", `{"title":"x"}`, 401},
		{"POST", "/api/v1/things/1", "admin", `{"title":"CANARY CANARY CANARY"}`, 413},
		{"GET", "/api/v1/panic", "", "", 500},
		{"GET", "/api/v1/slow", "", "", 503},
		{"GET", "/api/v1/nothing", "", "", 404},
		{"GET", "/api/v1/things/1", "", "", 405},
		{"GET", "/elsewhere", "", "", 404},
	}
	for _, c := range cases {
		resp, body := do(c.method, c.path, c.who, c.body)
		if resp == nil || resp.StatusCode != c.status {
			t.Errorf("%s %s as %q: got %v %s, want %d", c.method, c.path, c.who, resp, body, c.status)
			continue
		}
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
			"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s %s: header %s: got %q, want %q", c.method, c.path, name, got, want)
			}
		}
		if strings.HasPrefix(c.path, "/api/") && (resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("X-Request-Id") == "") {
			t.Errorf("%s %s: headers %v", c.method, c.path, resp.Header)
		}
		if c.status == 405 && resp.Header.Get("Allow") != "POST" {
			t.Errorf("Allow: got %q, want POST", resp.Header.Get("Allow"))
		}
	}
	if _, body := do("GET", "/api/v1/stream", "", ""); !strings.Contains(body, "EOF") {
		t.Errorf("a stream that broke half way looks whole: %q", body)
	}
	srv.Close() // waits for the last log line
	for _, canary := range []string{"CANARY", "77777"} {
		if strings.Contains(log.String(), canary) {
			t.Errorf("the log holds what was sent (%s):\n%s", canary, &log)
		}
	}
	if !strings.Contains(log.String(), "id-of-caller") || !strings.Contains(log.String(), `"route":"POST /api/v1/things/{id}"`) {
		t.Errorf("the log lacks caller or route:\n%s", &log)
	}
	families, err := reg.Gather()
	if err != nil || len(families) != 1 {
		t.Errorf("metrics: got %d families, %v, want 1", len(families), err)
	}
}

func (r Route) within(d time.Duration) Route {
	r.Timeout = d
	return r
}

func TestHSTSOverTLSOnly(t *testing.T) {
	h := Secure(http.NotFoundHandler())
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	defer plain.Close()
	defer secure.Close()
	for _, c := range []struct {
		srv  *httptest.Server
		want string
	}{{plain, ""}, {secure, "max-age=31536000; includeSubDomains"}} {
		resp, err := c.srv.Client().Get(c.srv.URL)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("Strict-Transport-Security"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.srv.URL, got, c.want)
		}
	}
}

func TestLimitRunsFirst(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewLimiter(1, 2, func() time.Time { return now })
	h := serve(t, Config{Limit: func(r *http.Request, _ Route) error { return l.Allow(InfoFrom(r.Context()).Address.String()) }},
		New("POST", "/api/v1/things/{id}", "make", echo, Options{}).Open())
	codes := func(n int) (got []int) {
		for range n {
			got = append(got, post(h, "/api/v1/things/1", `{"title":"x"}`).Code)
		}
		return got
	}
	if got := fmt.Sprint(codes(4)); got != "[200 200 429 429]" {
		t.Errorf("burst: got %s", got)
	}
	now = now.Add(time.Second)
	if got := fmt.Sprint(codes(2)); got != "[200 429]" {
		t.Errorf("a second later: got %s", got)
	}
}

func TestLimiterHoldsBoundedKeys(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewLimiter(1, 1, func() time.Time { return now })
	for i := range maxBuckets + 10 {
		l.Allow(fmt.Sprint(i))
	}
	if n := len(l.buckets); n > maxBuckets {
		t.Errorf("got %d keys, want at most %d", n, maxBuckets)
	}
}

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for _, c := range []struct{ name, peer, forwarded, want string }{
		{"direct", "203.0.113.5:1", "", "203.0.113.5"},
		{"forged by a stranger", "203.0.113.5:1", "1.2.3.4", "203.0.113.5"},
		{"through the proxy", "10.0.0.1:1", "203.0.113.9", "203.0.113.9"},
		{"forged before the proxy", "10.0.0.1:1", "1.2.3.4, 203.0.113.9", "203.0.113.9"},
		{"two proxies", "10.0.0.1:1", "203.0.113.9, 10.0.0.2", "203.0.113.9"},
		{"nonsense before the proxy", "10.0.0.1:1", "xyz", "10.0.0.1"},
		{"mapped", "[::ffff:203.0.113.5]:1", "", "203.0.113.5"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.peer
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		if got := ClientAddress(r, proxies).String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// The document tells of each route and of nothing else, and its schemas follow
// the decoder: required, bounds and forbidden extras.
func TestOpenAPI(t *testing.T) {
	routes := []Route{
		New("POST", "/api/v1/things/{id}", "make", echo, Options{Status: 201}).For("admin"),
		New("GET", "/api/v1/things/{id}", "read", func(context.Context, struct {
			ID string `path:"id" json:"-"`
		}) (None, error) {
			return None{}, nil
		}, Options{}).Open(),
	}
	mux := serve(t, Config{Gate: gate{}}, routes...)
	raw := OpenAPI(routes, About{Title: "t", Version: "1"})
	if !bytes.Equal(raw, OpenAPI(routes, About{Title: "t", Version: "1"})) {
		t.Error("the document differs from one call to the next")
	}
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			Security   []map[string][]string
			Parameters []struct {
				Name, In string
				Required bool
			}
			Responses map[string]any
		}
		Components struct {
			Schemas map[string]struct {
				Required             []string
				AdditionalProperties any
				Properties           map[string]map[string]any
			}
		}
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		t.Fatal(err)
	}
	documented := 0
	for path, methods := range doc.Paths {
		for method := range methods {
			documented++
			r := httptest.NewRequest(strings.ToUpper(method), strings.NewReplacer("{", "", "}", "").Replace(path), nil)
			if _, pattern := mux.Handler(r); pattern != strings.ToUpper(method)+" "+path {
				t.Errorf("%s %s is documented but served by %q", method, path, pattern)
			}
		}
	}
	if documented != len(routes) {
		t.Errorf("documented: got %d routes, want %d", documented, len(routes))
	}
	made := doc.Paths["/api/v1/things/{id}"]["post"]
	if fmt.Sprint(made.Security) != "[map[bearer:[admin]]]" || made.Responses["201"] == nil || made.Responses["default"] == nil {
		t.Errorf("post: got %+v", made)
	}
	if fmt.Sprint(made.Parameters) != "[{id path true} {limit query false}]" {
		t.Errorf("parameters: got %v", made.Parameters)
	}
	s := doc.Components.Schemas["rpc.makeRequest"]
	if fmt.Sprint(s.Required) != "[title]" || s.AdditionalProperties != false || s.Properties["title"]["maxLength"] != 10.0 || s.Properties["id"] != nil {
		t.Errorf("schema: got %+v", s)
	}
}

// A request whose body does not come, and an answer that is not taken, end; a
// body that comes slowly, and a handler that thinks long, do not.
func TestPatient(t *testing.T) {
	p := patience{time.Second, 64 << 10}
	taken := make(chan error, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("POST /in", func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		fmt.Fprint(w, len(b))
		taken <- err
	})
	mux.HandleFunc("GET /out", func(w http.ResponseWriter, r *http.Request) {
		_, err := w.Write(make([]byte, 64<<20))
		taken <- err
	})
	s := httptest.NewServer(p.wrap(mux))
	defer s.Close()
	dial := func(text string) net.Conn {
		c, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, text)
		return c
	}
	wait := func(what string, most time.Duration) error {
		t.Helper()
		select {
		case err := <-taken:
			return err
		case <-time.After(most):
			t.Fatalf("%s: the handler still waits after %v", what, most)
			return nil
		}
	}
	dial("POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc")
	if err := wait("half a body", 10*time.Second); err == nil {
		t.Error("half a body was taken for a whole one")
	}
	dial("GET /out HTTP/1.1\r\nHost: h\r\n\r\n")
	if err := wait("an answer that nobody takes", 20*time.Second); err == nil {
		t.Error("an answer that nobody took was sent")
	}
	c := dial("POST /in HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
	for range 9 {
		time.Sleep(50 * time.Millisecond)
		io.WriteString(c, "a")
	}
	if err := wait("a slow body", 5*time.Second); err != nil {
		t.Errorf("a body of nine bytes in half a second: %v", err)
	}
}
