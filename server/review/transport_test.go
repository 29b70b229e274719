package review

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store"
)

// gate lets in whoever the Authorization header names, if the route is for
// their role; rights are the service's to ask.
type gate struct {
	people map[string]who
	roles  map[string]store.Role
}

func (g gate) Admit(r *http.Request, route rpc.Route) (context.Context, error) {
	name := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	p, ok := g.people[name]
	if !ok {
		return nil, rpc.ErrUnauthenticated
	}
	if len(route.Roles) > 0 && !slices.Contains(route.Roles, string(g.roles[name])) {
		return nil, rpc.ErrForbidden
	}
	return auth.NewContext(r.Context(), p.p), nil
}

// site is a world behind HTTP.
type site struct {
	*world
	url string
	g   gate
}

func newSite(t *testing.T) *site {
	w := newWorld(t)
	g := gate{people: map[string]who{}, roles: map[string]store.Role{}}
	server, err := rpc.NewServer(rpc.Config{Gate: g})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server.Mount(mux, w.desk.Routes(), "/api/")
	h := httptest.NewServer(rpc.Secure(mux))
	t.Cleanup(h.Close)
	return &site{world: w, url: h.URL, g: g}
}

func (s *site) let(p who, role store.Role) who {
	s.g.people[p.name], s.g.roles[p.name] = p, role
	return p
}

// call makes a request and returns status and body.
func (s *site) call(name, method, path, body string) (int, map[string]any) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+name)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		s.t.Fatalf("%s %s: %s", method, path, text)
	}
	return resp.StatusCode, out
}

func jsonOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestOverHTTP walks the API's bodies once, as the page sends them.
func TestOverHTTP(t *testing.T) {
	s := newSite(t)
	a := s.officer("officer.a")
	s.let(s.supervisor("supervisor"), store.RoleSupervisor)
	s.let(a.who, store.RoleOfficer)
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one")).String()
	status, queue := s.call("supervisor", "GET", "/api/v1/review/queue?register=people&group=clean&limit=10", "")
	items := queue["items"].([]any)
	if status != 200 || len(items) != 1 || items[0].(map[string]any)["id"] != id {
		t.Fatalf("got %d %v", status, queue)
	}
	status, shown := s.call("supervisor", "GET", "/api/v1/review/records/"+id, "")
	if status != 200 || shown["id"] != id {
		t.Fatalf("got %d %v", status, shown)
	}
	stale := shown["digest"].(string)
	rid, _ := conflict.ParseDot(id)
	a.saved(rid, values("note=two"))
	status, out := s.call("supervisor", "POST", "/api/v1/review/approve", jsonOf(map[string]any{"id": id, "digest": stale}))
	if status != 409 || out["error"].(map[string]any)["code"] != "changed" {
		t.Fatalf("got %d %v", status, out)
	}
	fresh := out["record"].(map[string]any)
	first := fresh["fields"].([]any)[0].(map[string]any)
	if first["name"] != "note" || first["changed_since_seen"] != true {
		t.Errorf("got %v", first)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/approve", jsonOf(map[string]any{"id": id, "digest": fresh["digest"], "fields": []string{"name"}}))
	if status != 200 || out["revision"] != 1.0 || jsonOf(out["approved"]) != `["name"]` {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/return", jsonOf(map[string]any{"id": id, "digest": out["digest"], "fields": []string{"note"}, "comment": "Vì sao?"}))
	if status != 200 || out["stage"] != "returned" {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/refuse", jsonOf(map[string]any{"id": id, "digest": out["digest"], "fields": []string{"note"}, "reason": "không đúng"}))
	if status != 200 || out["stage"] != "refused" {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/withdraw", jsonOf(map[string]any{"id": id, "reason": "nhầm người"}))
	if status != 200 || len(out["decisions"].([]any)) != 4 {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/settle", jsonOf(map[string]any{"id": id, "digest": out["digest"], "field": "note", "value": "three"}))
	if status != 200 {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/review/batch", jsonOf(map[string]any{"records": []any{map[string]any{"id": id, "digest": out["digest"]}}}))
	if status != 200 || jsonOf(out["left"].([]any)[0].(map[string]any)["why"]) != `["own_work"]` {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("officer.a", "GET", "/api/v1/records/"+id+"/history", "")
	if status != 200 || len(out["steps"].([]any)) < 5 {
		t.Fatalf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "GET", "/api/v1/quarantine", "")
	if status != 200 || jsonOf(out["items"]) != "[]" {
		t.Fatalf("got %d %v", status, out)
	}
	for path, body := range map[string]string{
		"/api/v1/review/approve":  `{"id":"x"}`,
		"/api/v1/review/settle":   `{"id":"x","digest":"x","field":"note","author":"me"}`,
		"/api/v1/review/withdraw": `[]`,
	} {
		if status, out := s.call("supervisor", "POST", path, body); status != 422 {
			t.Errorf("%s: got %d %v", path, status, out)
		}
	}
}

// TestEveryRouteGuardsItsUnit asks every route for a record of another unit, and
// as an officer: neither learns anything.
func TestEveryRouteGuardsItsUnit(t *testing.T) {
	s := newSite(t)
	a := s.officer("officer.a")
	s.let(a.who, store.RoleOfficer)
	mine := s.let(s.supervisor("supervisor"), store.RoleSupervisor)
	s.let(s.account("supervisor.c", store.RoleSupervisor, otherWard, true), store.RoleSupervisor)
	s.let(s.account("officer.c", store.RoleOfficer, otherWard, true), store.RoleOfficer)
	// Whoever is let in by a token that still says supervisor is asked again.
	s.let(s.account("former", store.RoleOfficer, ward, true), store.RoleSupervisor)
	id := a.saved(conflict.RecordID{}, values("name=Canary", "phone=0903123456"))
	a.save(id, form{values: values("note=aside-canary")})
	a.cut()
	aside := s.aside(mine)[0].ID
	digest := s.look(mine, id).Digest
	rows := func() (n int) { return int(s.lastApproval(id).Seq) + len(s.aside(mine))*100 }
	before := rows()
	absent := conflict.Dot{Replica: a.id, Counter: 999}.String()
	bodies := map[string]string{
		"/api/v1/review/approve":          jsonOf(map[string]any{"id": "ID", "digest": digest}),
		"/api/v1/review/settle":           jsonOf(map[string]any{"id": "ID", "digest": digest, "field": "note", "value": "x"}),
		"/api/v1/review/return":           jsonOf(map[string]any{"id": "ID", "digest": digest, "fields": []string{"note"}, "comment": "x"}),
		"/api/v1/review/refuse":           jsonOf(map[string]any{"id": "ID", "digest": digest, "reason": "x"}),
		"/api/v1/review/withdraw":         jsonOf(map[string]any{"id": "ID", "reason": "x"}),
		"/api/v1/review/batch":            jsonOf(map[string]any{"records": []any{map[string]any{"id": "ID", "digest": digest}}}),
		"/api/v1/records/{id}/reveal":     jsonOf(map[string]any{"field": "phone"}),
		"/api/v1/quarantine/{id}/release": jsonOf(map[string]any{"reason": "x"}),
		"/api/v1/quarantine/{id}/reject":  jsonOf(map[string]any{"reason": "x"}),
		"/api/v1/records/move":            jsonOf(map[string]any{"records": []string{"ID"}, "to": ward, "reason": "x"}),
		"/api/v1/moves/accept":            jsonOf(map[string]any{"records": []string{"ID"}}),
		"/api/v1/moves/return":            jsonOf(map[string]any{"records": []string{"ID"}, "reason": "x"}),
	}
	forOfficers := []string{"/api/v1/tallies", "/api/v1/records/{id}/history", "/api/v1/records/{id}/reveal", "/api/v1/records/move", "/api/v1/records", "/api/v1/neighbourhoods"}
	queries := map[string]string{"/api/v1/records": "?register=people&search=canary", "/api/v1/neighbourhoods": "?register=people"}
	for _, route := range s.desk.Routes() {
		body, known := bodies[route.Path]
		if route.Method == "POST" && !known {
			t.Errorf("%s is not tried", route.Path)
		}
		ask := func(name, record, entry string) (int, map[string]any) {
			target := record
			if strings.Contains(route.Path, "quarantine") {
				target = entry
			}
			return s.call(name, route.Method, strings.ReplaceAll(route.Path, "{id}", target)+queries[route.Path], strings.ReplaceAll(body, "ID", record))
		}
		named := strings.Contains(route.Path, "{id}") || strings.Contains(body, "ID")
		status, out := ask("supervisor.c", id.String(), aside)
		other, gone := ask("supervisor.c", absent, absent)
		text := jsonOf(out)
		if strings.Contains(text, "Canary") || strings.Contains(text, "canary") || strings.Contains(text, "officer.a") {
			t.Errorf("%s: another unit's supervisor is told %s", route.Path, text)
		}
		if named && route.Path != "/api/v1/review/batch" && (status != 404 || other != 404 || text != jsonOf(gone)) {
			t.Errorf("%s: another unit's record gives %d %s, none %d %s", route.Path, status, text, other, jsonOf(gone))
		}
		for _, name := range []string{"officer.a", "former"} {
			if status, out := ask(name, id.String(), aside); status != 403 && !slices.Contains(forOfficers, route.Path) {
				t.Errorf("%s: %s gets %d %v", route.Path, name, status, out)
			}
		}
		if slices.Contains(forOfficers, route.Path) {
			status, out := ask("officer.c", id.String(), aside)
			if named && status != 404 || strings.Contains(jsonOf(out), "anary") || strings.Contains(jsonOf(out), "officer.a") {
				t.Errorf("%s: another unit's officer gets %d %v", route.Path, status, out)
			}
		}
		if status, _ := ask("nobody", id.String(), aside); status != 401 {
			t.Errorf("%s: a stranger gets %d", route.Path, status)
		}
	}
	if rows() != before {
		t.Error("a refused call changed something")
	}
}

// TestMaskedValues shows identity and telephone numbers nowhere but through a
// reveal, and a reveal leaves its entry.
func TestMaskedValues(t *testing.T) {
	s := newSite(t)
	a, b := s.officer("officer.a"), s.officer("officer.b")
	sup := s.let(s.supervisor("supervisor"), store.RoleSupervisor)
	s.let(a.who, store.RoleOfficer)
	id := a.saved(conflict.RecordID{}, values("name=Lan", "pid=079203001234", "phone=0903123456"))
	s.mustApprove(sup, id)
	b.pull(id)
	a.save(id, form{values: values("pid=079203005678")})
	b.save(id, form{values: values("pid=079203009999", "phone=0904000111")})
	a.sync(id)
	b.sync(id)
	a.save(id, form{values: values("phone=0905222333")})
	a.cut()
	numbers := []string{"079203001234", "079203005678", "079203009999", "903123456", "904000111", "905222333"}
	var seen strings.Builder
	for _, path := range []string{"/api/v1/review/queue", "/api/v1/review/records/" + id.String(), "/api/v1/records/" + id.String() + "/history", "/api/v1/quarantine", "/api/v1/unit/day"} {
		status, out := s.call("supervisor", "GET", path, "")
		if status != 200 {
			t.Fatalf("%s: got %d %v", path, status, out)
		}
		seen.WriteString(jsonOf(out))
	}
	_, changed := s.call("supervisor", "POST", "/api/v1/review/approve", jsonOf(map[string]any{"id": id.String(), "digest": ""}))
	seen.WriteString(jsonOf(changed))
	for _, n := range numbers {
		if strings.Contains(seen.String(), n) {
			t.Errorf("%s is shown", n)
		}
	}
	// A digest tells nobody what it stands for: another server's is another.
	r := s.look(sup, id)
	other := newWorld(t)
	if string(other.desk.key) == string(s.desk.key) {
		t.Error("two desks share a key")
	}
	if slices.Contains(s.actions(), "record.reveal") {
		t.Fatal("a reveal is in the log before there was one")
	}
	f := fieldOf(t, r, "pid")
	status, out := s.call("supervisor", "POST", "/api/v1/records/"+id.String()+"/reveal", jsonOf(map[string]any{"field": "pid", "dot": f.Siblings[0].Dot, "reason": "check_papers"}))
	if status != 200 || out["value"] != "079203005678" {
		t.Errorf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/records/"+id.String()+"/reveal", jsonOf(map[string]any{"field": "phone"}))
	if status != 200 || out["display"] != "0904 000 111" {
		t.Errorf("got %d %v", status, out)
	}
	status, out = s.call("supervisor", "POST", "/api/v1/records/"+id.String()+"/reveal", jsonOf(map[string]any{"field": "pid", "reason": "because I want to"}))
	if status != 422 {
		t.Errorf("got %d %v", status, out)
	}
	n := 0
	for _, action := range s.actions() {
		if action == "record.reveal" {
			n++
		}
	}
	if n != 2 {
		t.Errorf("got %d entries, want 2", n)
	}
	// A masked sibling is chosen by its dot alone.
	settled, err := s.desk.Settle(sup.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "pid", Dot: f.Siblings[1].Dot})
	if err != nil || fieldOf(t, settled, "pid").Merged.Value != "" || !strings.HasSuffix(fieldOf(t, settled, "pid").Merged.Display, "999") {
		t.Errorf("got %+v, %v", fieldOf(t, settled, "pid").Merged, err)
	}
}

func TestEveryLookAndDecisionIsLogged(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	count := func() int { return len(w.actions()) }
	for name, call := range map[string]func() error{
		"queue":      func() error { _, err := w.desk.Queue(s.ctx, QueueRequest{}); return err },
		"record":     func() error { _, err := w.desk.Record(s.ctx, RecordRequest{ID: id.String()}); return err },
		"history":    func() error { _, err := w.desk.History(a.who.ctx, HistoryRequest{ID: id.String()}); return err },
		"quarantine": func() error { _, err := w.desk.Quarantine(s.ctx, QuarantineRequest{}); return err },
		"reveal": func() error {
			_, err := w.desk.Reveal(s.ctx, RevealRequest{ID: id.String(), Field: "name"})
			return err
		},
	} {
		before := count()
		if err := call(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := count() - before; got != 1 {
			t.Errorf("%s: got %d entries, want 1", name, got)
		}
	}
}

func TestDay(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard).saved(conflict.RecordID{}, values("name=Elsewhere"))
	one := a.saved(conflict.RecordID{}, values("name=Lan"))
	two := a.saved(conflict.RecordID{}, values("name=Mai"))
	a.saved(conflict.RecordID{}, values("name=Thu"))
	w.mustApprove(s, one)
	w.mustApprove(s, two)
	w.update(func(tx *sqliteTx) error {
		if _, err := tx.Exec(`UPDATE replicas SET unsent = 12, oldest = 1700000000000 WHERE account = 'officer.a'`); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO hub_marks (unit, register, revision) VALUES (?, 'people', 1)`, ward)
		return err
	})
	d, err := w.desk.Day(s.ctx, DayRequest{})
	if err != nil {
		t.Fatal(err)
	}
	devices, days, ages := d.Devices, d.Days, d.Ages
	d.Devices, d.Days, d.Ages = nil, nil, nil
	if want := (Day{Unit: ward, Waiting: Counts{All: 1, Clean: 1}, ApprovedToday: 2, Records: 3, Published: 2, AtHub: 1}); jsonOf(d) != jsonOf(want) {
		t.Errorf("got %+v, want %+v", d, want)
	}
	if len(devices) != 2 || devices[0].Account != "officer.a" || devices[0].Unsent != 12 || devices[0].OldestUnsent != 1700000000000 || devices[0].Label != "of officer.a" {
		t.Errorf("got %+v", devices)
	}
	if len(days) != dayHistory || days[dayHistory-1] != (DayCounts{Day: "2026-03-02", Approved: 2}) || days[dayHistory-2] != (DayCounts{Day: "2026-03-01"}) {
		t.Errorf("got %+v", days)
	}
	if want := []Age{{1, 1}, {3, 0}, {7, 0}, {0, 0}}; !slices.Equal(ages, want) {
		t.Errorf("got %+v, want %+v", ages, want)
	}
	w.clock.Add(24 * 60 * 60 * 1000)
	if d, err = w.desk.Day(s.ctx, DayRequest{}); err != nil || d.ApprovedToday != 0 || d.Days[dayHistory-2].Approved != 2 || d.Ages[1].Records != 1 {
		t.Errorf("the day after: got %+v, %v", d, err)
	}
	w.clock.Add(6 * 24 * 60 * 60 * 1000)
	if d, err = w.desk.Day(s.ctx, DayRequest{}); err != nil || d.Ages[3].Records != 1 {
		t.Errorf("a week after: got %+v, %v", d.Ages, err)
	}
}
