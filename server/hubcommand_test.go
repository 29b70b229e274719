package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/hub/hubtest"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// hubApp is the program with a hub account, on an address of its own, and people
// who work on it.
func hubApp(t *testing.T) (w *hubtest.World, url, password string) {
	t.Helper()
	ctx := context.Background()
	a, err := openApp(ctx, appConfig{data: t.TempDir(), enrolment: auth.EnrolByPassword, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(a.handler)
	t.Cleanup(func() {
		server.Close()
		if err := a.close(ctx); err != nil {
			t.Error(err)
		}
	})
	if _, password, err = a.auth.Create(ctx, auth.Console(), auth.NewAccount{Name: "hub", Role: store.RoleHub}); err != nil {
		t.Fatal(err)
	}
	return hubtest.On(t, a.store, a.ledger, a.review, a.definitions), server.URL, password
}

// pullOnce runs wardbook hub pull as a process of its own, killed after the
// given time; zero: never.
func pullOnce(t *testing.T, password string, killAfter time.Duration, args ...string) (out, errs string, code int) {
	t.Helper()
	bin, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, append([]string{"hub", "pull"}, args...)...)
	cmd.Env = append(os.Environ(), "WARDBOOK_PASSWORD="+password)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if killAfter > 0 {
		timer := time.AfterFunc(killAfter, func() { cmd.Process.Kill() })
		defer timer.Stop()
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()
}

// Killed ten times on its way, the consumer still ends with every unit agreed.
func TestHubPullSurvivesKills(t *testing.T) {
	w, url, password := hubApp(t)
	into := filepath.Join(t.TempDir(), "hub")
	args := []string{"-url", url, "-into", into, "-limit", "2"}
	none := conflict.RecordID{}
	approve := func(n int) {
		for i := range n {
			unit := []string{"27169", "27676", "26740"}[i%3]
			id := w.Save(unit, "addresses", none, hubtest.Address(i))
			w.Approve(unit, id)
			if i%5 == 0 {
				w.Withdraw(unit, id)
			}
		}
	}
	approve(60)
	kills := 0
	for try := 0; kills < 10; try++ {
		if try == 100 {
			t.Fatalf("got %d kills in 100 tries", kills)
		}
		if _, errs, code := pullOnce(t, password, time.Duration(20+rand.IntN(80))*time.Millisecond, args...); code == -1 {
			kills++
		} else if code != 0 {
			t.Fatalf("got exit %d: %s", code, errs)
		}
		approve(6)
	}
	out, errs, code := pullOnce(t, password, 0, args...)
	if out != "168 units agree\n" || code != 0 {
		t.Fatalf("got %q, exit %d: %s", out, code, errs)
	}
	data, err := os.ReadFile(filepath.Join(into, "addresses", "data.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	standing := 0
	w.View(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		last, err := l.Revisions("addresses")
		for unit, n := range last {
			list, e := l.Standing(unit, "addresses", n)
			err = errors.Join(err, e)
			standing += len(list)
			marks, e := l.HubMarks(unit)
			if err = errors.Join(err, e); len(marks) != 1 || marks[0].Revision != n {
				t.Errorf("unit %s: got marks %v, want revision %d at the hub", unit, marks, n)
			}
		}
		return err
	})
	if got := bytes.Count(data, []byte("\n")); got != standing || standing < 40 {
		t.Errorf("got %d records, want %d", got, standing)
	}
}

// What the command says, and how it exits.
func TestHubPullEnds(t *testing.T) {
	w, url, password := hubApp(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	into := func() string { return filepath.Join(t.TempDir(), "hub") }
	w.Approve("27169", w.Save("27169", "addresses", conflict.RecordID{}, hubtest.Address(1)))
	agreed := into()
	if out, errs, code := pullOnce(t, password, 0, "-url", url, "-into", agreed); out != "168 units agree\n" || code != 0 {
		t.Fatalf("got %q, exit %d: %s", out, code, errs)
	}
	w.Update(func(tx *sqlite.Tx) error {
		_, err := tx.Exec(`UPDATE hub_content SET sha256 = zeroblob(32)`)
		return err
	})
	out, _, code := pullOnce(t, "", 0, "-url", url, "-into", agreed)
	if want := "unit 27169 Phường Diên Hồng does not agree: addresses: the 1 records at revision 1 have hash "; code != 1 || !strings.HasPrefix(out, want) || strings.Count(out, "\n") != 1 {
		t.Errorf("got %q, exit %d, want %q", out, code, want)
	}
	for name, c := range map[string]struct {
		password string
		args     []string
		code     int
		want     string
	}{
		"no URL":           {password, []string{"-into", into()}, 2, "-url is required"},
		"no folder":        {password, []string{"-url", url}, 2, "-into is required"},
		"an unknown flag":  {password, []string{"-whither", "x"}, 2, "-whither"},
		"an argument":      {password, []string{"-url", url, "-into", into(), "now"}, 2, `unexpected argument "now"`},
		"a bad URL":        {password, []string{"-url", "wardbook", "-into", into()}, 1, `"wardbook" is no URL of a server`},
		"a file":           {password, []string{"-url", url, "-into", file}, 1, "not a directory"},
		"a wrong password": {"wrong", []string{"-url", url, "-into", into()}, 1, "The name or the password is wrong"},
		"no password":      {"", []string{"-url", url, "-into", into()}, 1, "WARDBOOK_PASSWORD is not set"},
		"nobody there":     {password, []string{"-url", "http://127.0.0.1:1", "-into", into(), "-timeout", "300ms"}, 1, "gave up after 300ms"},
	} {
		out, errs, code := pullOnce(t, c.password, 0, c.args...)
		if out != "" || code != c.code || !strings.Contains(errs, c.want) {
			t.Errorf("%s: got %q, %q, exit %d, want %q, exit %d", name, out, errs, code, c.want, c.code)
		}
	}
}
