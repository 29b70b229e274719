package auth

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

type web struct {
	*fixture
	mux *http.ServeMux
	url string
	log *bytes.Buffer
	end func()
}

func newWeb(t *testing.T) *web {
	t.Helper()
	w := &web{fixture: byPassword(t), mux: http.NewServeMux(), log: &bytes.Buffer{}}
	s, err := rpc.NewServer(rpc.Config{Gate: w.Service, Log: slog.New(slog.NewJSONHandler(w.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s.Mount(w.mux, w.Routes(), "/api/")
	srv := httptest.NewServer(rpc.Secure(w.mux))
	w.url, w.end = srv.URL, srv.Close
	t.Cleanup(srv.Close)
	return w
}

// call sends a request and returns status, error code and body.
func (w *web) call(t *testing.T, method, path, token, body string) (int, string, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, w.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e struct{ Error struct{ Code string } }
	if resp.StatusCode >= 400 {
		if err := json.Unmarshal(b, &e); err != nil || e.Error.Code == "" {
			t.Errorf("%s %s: error body %q", method, path, b)
		}
	}
	return resp.StatusCode, e.Error.Code, b
}

func TestTheAPIFromEndToEnd(t *testing.T) {
	w := newWeb(t)
	w.account(t, "admin", store.RoleAdmin, "")
	login := func(name, password, device string) (g struct {
		Access    string    `json:"access_token"`
		Expires   time.Time `json:"expires_at"`
		Refresh   string    `json:"refresh_token"`
		ServerKey []byte    `json:"server_public_key"`
		Account   struct {
			ID, Name, Role, Unit string
			MustChange           bool `json:"must_change"`
		}
		Device struct{ ID string }
	}) {
		t.Helper()
		status, code, b := w.call(t, "POST", "/api/v1/auth/login", "", fmt.Sprintf(`{"name":%q,"password":%q,"device_id":%q,"device_label":"máy 1"}`, name, password, device))
		if status != 200 {
			t.Fatalf("login as %s: got %d %s", name, status, code)
		}
		if err := json.Unmarshal(b, &g); err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("argon2")) || len(g.ServerKey) != 32 {
			t.Errorf("login reply: %s", b)
		}
		return g
	}
	admin := login("admin", goodPassword, "")
	status, _, b := w.call(t, "POST", "/api/v1/admin/accounts", admin.Access,
		`{"name":"officer.x","display_name":"Đặng Thị CANARY","role":"officer","unit":"26734"}`)
	var made struct {
		Account  struct{ ID string }
		Password string
	}
	if err := json.Unmarshal(b, &made); status != 200 || err != nil || made.Password == "" {
		t.Fatalf("create: got %d %s", status, b)
	}
	id := made.Account.ID
	x := login("officer.x", made.Password, "")
	if !x.Account.MustChange || x.Account.Unit != "26734" {
		t.Errorf("account: got %+v", x.Account)
	}
	if status, code, _ := w.call(t, "GET", "/api/v1/auth/devices", x.Access, ""); status != 403 || code != "must_change_password" {
		t.Errorf("before the change: got %d %s", status, code)
	}
	steps := []struct {
		method, path, token, body string
		status                    int
		code                      string
	}{
		{"GET", "/api/v1/auth/me", x.Access, "", 200, ""},
		{"POST", "/api/v1/auth/password", x.Access, fmt.Sprintf(`{"old_password":%q,"new_password":"matkhau123"}`, made.Password), 422, "password_too_common"},
		{"POST", "/api/v1/auth/password", x.Access, fmt.Sprintf(`{"old_password":%q,"new_password":%q}`, made.Password, goodPassword), 200, ""},
		{"GET", "/api/v1/auth/devices", x.Access, "", 200, ""},
		{"GET", "/api/v1/admin/accounts", x.Access, "", 403, "forbidden"},
		{"POST", "/api/v1/auth/refresh", "", fmt.Sprintf(`{"refresh_token":%q,"device_id":%q}`, x.Refresh, x.Device.ID), 200, ""},
		{"POST", "/api/v1/auth/login", "", `{"name":"officer.x","password":"wrong password"}`, 401, "bad_credentials"},
		{"POST", "/api/v1/auth/login", "", `{"name":"officer.x","password":"x","role":"admin"}`, 422, "unknown_field"},
		{"POST", "/api/v1/admin/accounts", admin.Access, `{"name":"officer.x","display_name":"x","role":"officer","unit":"26734"}`, 409, "account_exists"},
		{"POST", "/api/v1/admin/accounts", admin.Access, `{"name":"officer.y","display_name":"x","role":"king"}`, 422, "invalid"},
		{"GET", "/api/v1/admin/accounts?limit=201", admin.Access, "", 422, "invalid"},
		{"GET", "/api/v1/admin/accounts?limit=1", admin.Access, "", 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/move", admin.Access, `{"unit":"26737"}`, 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/role", admin.Access, `{"role":"supervisor","sensitive":true}`, 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/enrolment-code", admin.Access, "", 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/reset-password", admin.Access, "{}", 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/disable", admin.Access, "{}", 200, ""},
		{"POST", "/api/v1/admin/accounts/" + id + "/enable", admin.Access, "", 200, ""},
		{"POST", "/api/v1/admin/accounts/nobody/disable", admin.Access, "", 404, "not_found"},
		{"GET", "/api/v1/admin/devices?account=" + id, admin.Access, "", 200, ""},
		{"POST", "/api/v1/admin/devices/" + x.Device.ID + "/revoke", admin.Access, `{"reason":"lost","lost":true}`, 200, ""},
		{"POST", "/api/v1/admin/devices/" + x.Device.ID + "/revoke", admin.Access, `{"reason":"because"}`, 422, "invalid"},
		{"GET", "/api/v1/admin/audit?limit=200", admin.Access, "", 200, ""},
		{"POST", "/api/v1/auth/logout", admin.Access, "", 200, ""},
		{"GET", "/api/v1/auth/me", admin.Access, "", 401, "signed_out"},
	}
	for _, s := range steps {
		if status, code, b := w.call(t, s.method, s.path, s.token, s.body); status != s.status || code != s.code {
			t.Errorf("%s %s: got %d %s, want %d %s: %s", s.method, s.path, status, code, s.status, s.code, b)
		}
	}
	want := []string{"account.create", "login.done", "account.change_password", "login.failed", "account.move", "account.role",
		"code.issue", "account.reset_password", "account.disable", "account.enable", "device.revoke", "logout.done"}
	got := w.actions(t)
	for _, action := range want {
		if !slices.Contains(got, action) {
			t.Errorf("audit lacks %s: %v", action, got)
		}
	}
	w.end()
	for _, canary := range []string{"CANARY", goodPassword, made.Password, x.Access, x.Refresh, "officer.x"} {
		if strings.Contains(w.log.String(), canary) {
			t.Errorf("the log holds %q", canary)
		}
	}
}

// Every route, asked by nobody and by every role: only those it is for get past
// the gate.
func TestEveryRouteAgainstEveryRole(t *testing.T) {
	w := newWeb(t)
	tokens := map[string]string{"": ""}
	for _, role := range []store.Role{store.RoleOfficer, store.RoleSupervisor, store.RoleHub, store.RoleAdmin} {
		unit := ""
		if role == store.RoleOfficer || role == store.RoleSupervisor {
			unit = "26734"
		}
		w.account(t, "the."+string(role), role, unit)
		g, _ := w.login(t, "the."+string(role))
		tokens[string(role)] = g.Access
	}
	public := []string{"/api/v1/auth/login", "/api/v1/auth/refresh", "/api/v1/auth/open", "/api/v1/auth/pin/open"}
	for _, route := range w.Routes() {
		if strings.HasSuffix(route.Path, "/logout") {
			continue // would end the sign-in that the test uses
		}
		path := strings.ReplaceAll(route.Path, "{id}", "none")
		for role, token := range tokens {
			// A body that the decoder refuses: nobody gets as far as an effect.
			status, code, _ := w.call(t, route.Method, path+"?nonsense=1", token, `{"nonsense":1}`)
			past := code == "unknown_field" || code == "malformed"
			want := role != "" && (!strings.HasPrefix(route.Path, "/api/v1/admin/") || role == "admin") &&
				(!strings.HasPrefix(route.Path, "/api/v1/unit/") || role == "supervisor") || slices.Contains(public, route.Path)
			if past != want {
				t.Errorf("%s %s as %q: got %d %s, want past the gate: %t", route.Method, route.Path, role, status, code, want)
			}
		}
	}
}

func TestBearerTokensOnly(t *testing.T) {
	w := newWeb(t)
	w.account(t, "officer.a", store.RoleOfficer, "26734")
	g, _ := w.login(t, "officer.a")
	for name, set := range map[string]func(r *http.Request){
		"query":     func(r *http.Request) { r.URL.RawQuery = "access_token=" + g.Access },
		"cookie":    func(r *http.Request) { r.AddCookie(&http.Cookie{Name: "access_token", Value: g.Access}) },
		"basic":     func(r *http.Request) { r.SetBasicAuth("officer.a", goodPassword) },
		"no scheme": func(r *http.Request) { r.Header.Set("Authorization", g.Access) },
		"two headers": func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + g.Access, "Bearer " + g.Access}
		},
	} {
		r := httptest.NewRequest("GET", "/api/v1/auth/me", nil)
		set(r)
		out := httptest.NewRecorder()
		w.mux.ServeHTTP(out, r)
		if out.Code != 401 {
			t.Errorf("%s: got %d, want 401", name, out.Code)
		}
	}
}

func TestTheDocumentIsOfTheRoutes(t *testing.T) {
	w := newWeb(t)
	routes := w.Routes()
	var doc struct {
		Paths map[string]map[string]struct{ Summary string }
	}
	if err := json.Unmarshal(rpc.OpenAPI(routes, rpc.About{Title: "Wardbook", Version: "1"}), &doc); err != nil {
		t.Fatal(err)
	}
	n := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			n++
			r := httptest.NewRequest(strings.ToUpper(method), strings.ReplaceAll(path, "{id}", "x"), nil)
			if _, pattern := w.mux.Handler(r); pattern != strings.ToUpper(method)+" "+path {
				t.Errorf("%s %s: served by %q", method, path, pattern)
			}
			if op.Summary == "" {
				t.Errorf("%s %s has no summary", method, path)
			}
		}
	}
	if n != len(routes) {
		t.Errorf("documented: got %d, want %d", n, len(routes))
	}
}
