package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

// openTestApp opens the program on an empty folder, without a listener.
func openTestApp(t *testing.T) *app {
	t.Helper()
	a, err := openApp(t.Context(), appConfig{data: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return a
}

// TestOpenAPIMatchesRoutes asks every documented operation, and looks for every
// route in the document.
func TestOpenAPIMatchesRoutes(t *testing.T) {
	a := openTestApp(t)
	ask := func(method, path string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		return w
	}
	var doc struct {
		OpenAPI string                                `json:"openapi"`
		Paths   map[string]map[string]json.RawMessage `json:"paths"`
	}
	res := ask("GET", "/api/openapi.json")
	if err := json.Unmarshal(res.Body.Bytes(), &doc); err != nil || res.Code != 200 {
		t.Fatalf("GET /api/openapi.json: got %d, %v", res.Code, err)
	}
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("got OpenAPI %q, want 3.1", doc.OpenAPI)
	}
	parameter := regexp.MustCompile(`\{[^}]+\}`)
	documented := map[string]bool{}
	for path, methods := range doc.Paths {
		for method := range methods {
			method = strings.ToUpper(method)
			documented[method+" "+path] = true
			if code := ask(method, parameter.ReplaceAllString(path, "x")).Code; code == http.StatusMethodNotAllowed {
				t.Errorf("%s %s is documented but not served", method, path)
			} else if code == http.StatusNotFound && !strings.Contains(path, "{") {
				t.Errorf("%s %s is documented but not found", method, path)
			}
		}
	}
	routes := a.apiRoutes()
	if len(routes) < 10 || len(documented) < len(routes) {
		t.Errorf("got %d documented operations of %d routes", len(documented), len(routes))
	}
	for _, r := range routes {
		if !documented[r.Method+" "+r.Path] {
			t.Errorf("%s %s is served but not documented", r.Method, r.Path)
		}
	}
	if code := ask("GET", "/api/v1/nothing").Code; code != http.StatusNotFound {
		t.Errorf("GET /api/v1/nothing: got %d, want 404", code)
	}
}

// TestHeadersOnEveryAnswer looks at errors, pages and the API alike.
func TestHeadersOnEveryAnswer(t *testing.T) {
	a := openTestApp(t)
	for _, path := range []string{"/", "/register/residents", "/api/v1/auth/me", "/api/nothing", "/hub/v1/datasets", "/healthz", "/readyz", "/nothing.js", "/sync/v1/socket"} {
		w := httptest.NewRecorder()
		a.handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Cross-Origin-Resource-Policy"} {
			if w.Header().Get(name) == "" {
				t.Errorf("GET %s (%d): header %s is missing", path, w.Code, name)
			}
		}
		if strings.HasPrefix(path, "/api") && w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: got Cache-Control %q, want no-store", path, w.Header().Get("Cache-Control"))
		}
	}
}

// TestSocketOrigins refuses pages that are not the app's own.
func TestSocketOrigins(t *testing.T) {
	a, err := openApp(t.Context(), appConfig{data: t.TempDir(), origins: []string{"https://wardbook.example"}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(t.Context())
	s := httptest.NewServer(a.handler)
	defer s.Close()
	host := strings.TrimPrefix(s.URL, "http://")
	for _, c := range []struct {
		path, origin string
		want         int
	}{
		{"/sync/v1/socket", "http://" + host, 101},
		{"/sync/v1/socket", "https://wardbook.example", 101},
		{"/sync/v1/socket", "", 403},
		{"/sync/v1/socket", "null", 403},
		{"/sync/v1/socket", "https://" + host, 403},
		{"/sync/v1/socket", "http://" + host + ".evil.example", 403},
		{"/sync/v1/socket", "http://evil.example", 403},
		{"/sync/v1/socket", "http://wardbook.example", 403},
		{"/sync/v1/socket", "https://wardbook.example:8443", 403},
		{"/sync/v1/device", "", 101},
		{"/sync/v1/device", "http://" + host, 403},
	} {
		r, err := http.NewRequest("GET", s.URL+c.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="} {
			r.Header.Set(k, v)
		}
		if c.origin != "" {
			r.Header.Set("Origin", c.origin)
		}
		res, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s with origin %q: got %d, want %d", c.path, c.origin, res.StatusCode, c.want)
		}
	}
}
