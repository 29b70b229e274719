package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/backup"
	"wardbook/server/hub"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// TestUnitsAreMergedAndSplit changes the list of units on the whole program:
// records, accounts, quarantine, what the hub sees, and what was refused.
func TestUnitsAreMergedAndSplit(t *testing.T) {
	ctx := t.Context()
	a := openTestApp(t)
	w := hubtest.On(t, a.store, a.ledger, a.review, a.definitions)
	const merged, split = "26740", "26737"
	ra := w.Save(merged, "addresses", conflict.RecordID{}, hubtest.Address(1))
	rb := w.Save(split, "addresses", conflict.RecordID{}, hubtest.Address(2))
	rc := w.Save(split, "addresses", conflict.RecordID{}, hubtest.Address(3))
	w.Approve(merged, ra)
	w.Approve(split, rb)
	aside(t, a, merged)
	aside(t, a, split)
	admin := w.SignedIn("admin.x", store.RoleAdmin, "")
	first, second := w.SignedIn("supervisor.first", store.RoleSupervisor, split), w.SignedIn("officer.first", store.RoleOfficer, split)

	today := time.Now().UTC().Add(7 * time.Hour).Format(time.DateOnly)
	tomorrow := time.Now().UTC().Add(31 * time.Hour).Format(time.DateOnly)
	named := []units.Named{{Code: "30001", NameVI: "Phường Một", NameEN: "Mot Ward", Kind: "ward"}, {Code: "30002", NameVI: "Phường Hai", NameEN: "Hai Ward", Kind: "ward"},
		{Code: "30003", NameVI: "Phường Ba", NameEN: "Ba Ward", Kind: "ward"}}
	change := units.ChangeRequest{Version: today, Units: named, Changes: []units.Successor{{Old: merged, New: []string{"30001"}}, {Old: split, New: []string{"30003", "30002"}}}}
	for name, bad := range map[string]units.ChangeRequest{
		"a day in the future":  {Version: tomorrow, Units: named},
		"an old day":           {Version: "2025-07-01", Units: named},
		"no day":               {Version: "soon", Units: named},
		"nothing":              {Version: today},
		"an unknown unit":      {Version: today, Changes: []units.Successor{{Old: "99999", New: []string{"27169"}}}},
		"an unnamed successor": {Version: today, Changes: []units.Successor{{Old: merged, New: []string{"30009"}}}},
		"no successor":         {Version: today, Changes: []units.Successor{{Old: merged}}},
		"a unit twice":         {Version: today, Changes: []units.Successor{{Old: merged, New: []string{"27169"}}, {Old: merged, New: []string{"27169"}}}},
	} {
		if _, err := a.units.Change(admin, bad); err == nil {
			t.Errorf("%s: was made", name)
		}
	}
	if _, err := a.units.Change(first, change); err == nil {
		t.Error("a supervisor changed the list")
	}
	before := count(t, a)
	done, err := a.units.Change(admin, change)
	if err != nil {
		t.Fatal(err)
	}
	// The accounts: supervisor and, of the merged ward, nobody else was made.
	if done.Moved != 3 || done.Waiting != 2 || done.Accounts != 1 || count(t, a) != before {
		t.Errorf("got %+v, %d records of %d", done, count(t, a), before)
	}
	waiting := ledger.Waiting(split, "2025-07-01")
	for id, want := range map[conflict.RecordID]string{ra: "30001", rb: waiting, rc: waiting} {
		if got := unitOf(t, a, id); got != want {
			t.Errorf("%v is in %s, want %s", id, got, want)
		}
	}
	list, err := a.units.Units(ctx, units.UnitsRequest{})
	if err != nil || list.Version != today || len(list.Units) != 168-2+3 {
		t.Errorf("got list %s of %d units, %v", list.Version, len(list.Units), err)
	}
	if _, _, err := a.auth.Create(ctx, auth.Console(), auth.NewAccount{Name: "too.late", Role: store.RoleOfficer, Unit: merged}); err == nil {
		t.Error("an account was made in a unit that is no more")
	}

	// What waits is seen by who may assign it, and assigned by them.
	left, err := a.units.Waiting(first, units.UnitsRequest{})
	if err != nil || len(left.Units) != 1 || left.Units[0].Unit != waiting || left.Units[0].Records["addresses"] != 2 {
		t.Fatalf("waiting: got %+v, %v", left, err)
	}
	elsewhere := w.SignedIn("supervisor.else", store.RoleSupervisor, "27169")
	if left, err := a.units.Waiting(elsewhere, units.UnitsRequest{}); err != nil || len(left.Units) != 0 {
		t.Errorf("another ward sees %+v, %v", left, err)
	}
	if _, err := a.review.Move(elsewhere, review.MoveRequest{Records: []string{rb.String()}, To: "27169", Reason: "mine"}); err == nil {
		t.Error("another ward took a waiting record")
	}
	moved := "30002"
	if _, err := a.auth.Alter(ctx, auth.Console(), "a-supervisor.first", auth.Change{Unit: &moved}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.review.Move(first, review.MoveRequest{Records: []string{rb.String()}, To: "30002", Reason: "by its address"}); err != nil {
		t.Fatal(err)
	}
	if got := unitOf(t, a, rb); got != "30002" {
		t.Errorf("assigned, it is in %s", got)
	}
	if list, err := a.review.Arrivals(first, review.ArrivalsRequest{}); err != nil || len(list.Items) != 0 {
		t.Errorf("who assigned it to their own ward need not accept it: %+v, %v", list, err)
	}
	if _, err := a.review.Move(second, review.MoveRequest{Records: []string{rc.String()}, To: "30003", Reason: "by its address"}); err != nil {
		t.Errorf("an officer who keeps the old code assigns: %v", err)
	}
	if left, err := a.units.Waiting(admin, units.UnitsRequest{}); err != nil || len(left.Units) != 0 {
		t.Errorf("left: got %+v, %v", left, err)
	}

	// What was in quarantine is seen where its unit went, and can be released.
	for name, s := range map[string]context.Context{"merged": w.SignedIn("supervisor.new", store.RoleSupervisor, "30001"), "split": first} {
		q, err := a.review.Quarantine(s, review.QuarantineRequest{})
		if err != nil || len(q.Items) != 1 || !q.Items[0].Releasable {
			t.Fatalf("quarantine of the %s unit: got %+v, %v", name, q, err)
		}
		out, err := a.review.Release(s, review.SettleAsideRequest{ID: q.Items[0].ID, Reason: "x"})
		if err != nil || len(out.Records) != 1 {
			t.Fatalf("release in the %s unit: got %+v, %v", name, out, err)
		}
		id, _ := conflict.ParseDot(out.Records[0])
		if got, want := unitOf(t, a, id), map[string]string{"merged": "30001", "split": waiting}[name]; got != want {
			t.Errorf("released, it is in %s, want %s", got, want)
		}
	}

	// The hub: the same records, gap-free in every ward, and the counts agree.
	hubCtx := w.SignedIn("hub.x", store.RoleHub, "")
	page, err := a.hub.Changes(hubCtx, "addresses", "", 1000)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, l := range page.Lines {
		text.Write(l)
		text.WriteByte('\n')
	}
	for _, want := range []string{`"moved_to":"30001"`, `"moved_from":"26740"`, `"moved_to":"` + waiting + `"`, `"moved_from":"` + waiting + `"`, `"unit_list_version":"` + today + `"`} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the hub's feed has no %s", want)
		}
	}
	counts, err := a.hub.Counts(hubCtx, hub.CountsRequest{ID: "addresses"})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, u := range counts.Units {
		if u.Count > 0 {
			got[u.WardCode] = u.Count
		}
	}
	if len(got) != 2 || got["30001"] != 1 || got["30002"] != 1 {
		t.Errorf("the hub counts %v", got)
	}
}

// aside puts a changeset that makes a record into a unit's quarantine.
func aside(t *testing.T, a *app, unit string) {
	t.Helper()
	w := hubtest.On(t, a.store, a.ledger, a.review, a.definitions)
	if err := a.store.Update(t.Context(), func(tx *sqlite.Tx) error {
		id := conflict.ReplicaID{9, unit[4]}
		l := sqlite.LedgerOf(tx)
		if err := l.PutReplica(&ledger.Replica{ID: id, Account: "revoked." + unit, Device: "d"}); err != nil {
			return err
		}
		def, _ := w.Definition("addresses")
		out, err := a.ledger.Commit(l, ledger.Author{Account: "revoked." + unit, Device: "d", Unit: unit, Revoked: true}, id, changesetOf(id, unit, "revoked."+unit, def))
		if err == nil && len(out.Refusals) != 1 {
			t.Errorf("got %+v", out)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, a *app) (n int) {
	t.Helper()
	if err := a.store.View(t.Context(), func(tx *sqlite.Tx) error { return tx.QueryRow(`SELECT count(*) FROM records`).Scan(&n) }); err != nil {
		t.Fatal(err)
	}
	return n
}

func unitOf(t *testing.T, a *app, id conflict.RecordID) string {
	t.Helper()
	var row ledger.Row
	if err := a.store.View(t.Context(), func(tx *sqlite.Tx) (err error) { row, _, err = sqlite.LedgerOf(tx).Record(id); return err }); err != nil {
		t.Fatal(err)
	}
	return row.Unit
}

// TestUnitsCommand renames a unit at the command line.
func TestUnitsCommand(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "change.json")
	today := time.Now().UTC().Add(7 * time.Hour).Format(time.DateOnly)
	text := `{"version": "` + today + `", "units": [{"code": "27169", "name_vi": "Phường Tên Mới", "name_en": "Ten Moi Ward", "kind": "ward"}], "changes": []}`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := run(t.Context(), append([]string{"units"}, args...), nil, &out, &errs); code != want {
			t.Fatalf("%v: exit %d, %s", args, code, errs.String())
		}
		return out.String()
	}
	a, err := openApp(t.Context(), appConfig{data: dir + "/data"})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(2)
	run(2, "-data", dir+"/data", "nonsense")
	if got := run(0, "-data", dir+"/data", "change", file); !strings.Contains(got, "0 records") {
		t.Errorf("got %q", got)
	}
	var errs bytes.Buffer // the same list again
	if code := unitsCommand(t.Context(), []string{"-data", dir + "/data", "change", file}, nil, nil, &errs); code != 1 || !strings.HasPrefix(errs.String(), "wardbook units: version: ") {
		t.Errorf("got exit %d, %q, want 1 and the field", code, errs.String())
	}
	if got := run(0, "-data", dir+"/data", "list"); !strings.HasPrefix(got, "list "+today+"\n") || !strings.Contains(got, "27169 Phường Tên Mới\n") || strings.Count(got, "\n") != 169 {
		t.Errorf("got %.80q", got)
	}
}

func changesetOf(id conflict.ReplicaID, unit, author string, def *register.Definition) []record.Changeset {
	dot := conflict.Dot{Replica: id, Counter: 1}
	return []record.Changeset{{Dot: dot, Unit: unit, Author: author, At: 1, Edits: []record.Edit{{Record: dot, Register: string(def.ID), Definition: def.Version,
		Writes: []record.Write{{Key: conflict.Key(def.FieldByName("house_no").ID), Value: "12"}}}}}}
}

// What the usage shows can be done as it stands there, once no server runs.
func TestUnitsUsageWorks(t *testing.T) {
	_, shown, _ := strings.Cut(unitsUsage, "such as")
	shown, _, _ = strings.Cut(shown, "version is")
	data, file := t.TempDir(), filepath.Join(t.TempDir(), "change.json")
	if err := os.WriteFile(file, []byte(shown), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WARDBOOK_PASSWORD", "một câu đủ dài để dùng")
	wardbook := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(t.Context(), args, strings.NewReader(""), &out, &out)
		return code, out.String()
	}
	if code, said := wardbook("admin", "-data", data, "create", "first.admin"); code != 0 {
		t.Fatal(said)
	}
	hold, err := backup.Hold(data)
	if err != nil {
		t.Fatal(err)
	}
	if code, said := wardbook("units", "-data", data, "change", file); code != 1 || !strings.Contains(said, "stop the server first") {
		t.Errorf("beside a server: got exit %d and %q", code, said)
	}
	hold.Close()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"change"}, 2, "name the FILE"},
		{[]string{"chnage", file}, 2, `unknown command "chnage"`},
		{[]string{"change", file}, 0, "list 2026-01-01:"},
		{[]string{"list"}, 0, "30001 Phường Mới"},
	} {
		if code, said := wardbook(append([]string{"units", "-data", data}, c.args...)...); code != c.code || !strings.Contains(said, c.says) {
			t.Errorf("units %v: got exit %d and %q, want %d and %q", c.args, code, said, c.code, c.says)
		}
	}
}
