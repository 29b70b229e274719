package backup

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/hub/hubtest"
	"wardbook/server/store/sqlite"
)

const unit = "27169"

// work is a data folder in use: its server runs as long as the test.
type work struct {
	*hubtest.World
	dir     string
	records []conflict.RecordID
}

func begun(t *testing.T) *work {
	t.Helper()
	w := &work{World: hubtest.New(t, time.Time{}, "addresses")}
	w.dir = filepath.Dir(w.Store.Path())
	for n := range 6 {
		id := w.Save(unit, "addresses", conflict.RecordID{}, hubtest.Address(n))
		if n%2 == 0 {
			w.Approve(unit, id)
		}
		w.records = append(w.records, id)
	}
	w.Save("26734", "addresses", conflict.RecordID{}, map[string]string{"street": "Lê Lợi"})
	return w
}

func mustMake(t *testing.T, data string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "backup")
	if _, err := Make(context.Background(), data, to, "test", time.Now()); err != nil {
		t.Fatal(err)
	}
	return to
}

func mustSurvey(t *testing.T, path string) Manifest {
	t.Helper()
	m, err := survey(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestBackupIsTheDatabaseOfOneMoment(t *testing.T) {
	w := begun(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for n := 100; ; n++ {
			select {
			case <-stop:
				return
			default:
				w.Save(unit, "addresses", conflict.RecordID{}, hubtest.Address(n))
			}
		}
	}()
	to := mustMake(t, w.dir)
	close(stop)
	<-stopped
	m, err := Verify(context.Background(), to)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(m.Units, func(u Unit) bool { return u.Code == unit })
	if u := m.Units[i]; u.Records < 6 || u.Position != uint64(u.Changesets) || u.Approvals != 3 {
		t.Errorf("got %+v, want at least 6 records, as many positions as changesets, 3 approvals", u)
	}
	w.View(func(tx *sqlite.Tx) error {
		p, err := sqlite.LedgerOf(tx).BackedUp(unit)
		if p != m.Units[i].Position {
			t.Errorf("the database says that a backup reaches position %d, want %d", p, m.Units[i].Position)
		}
		return err
	})
	if keys, _ := filepath.Glob(filepath.Join(to, "*key*")); len(keys) > 0 {
		t.Errorf("the backup holds keys: %v", keys)
	}
	if _, err := Make(context.Background(), w.dir, to, "test", time.Now()); err == nil {
		t.Error("a second backup went into the same folder")
	}
}

// TestDamagedBackupReplacesNothing changes a backup's files at many places: none
// of them may be restored, and the data folder stays as it is.
func TestDamagedBackupReplacesNothing(t *testing.T) {
	w := begun(t)
	to := mustMake(t, w.dir)
	whole, err := os.ReadFile(DatabasePath(to))
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := os.ReadFile(filepath.Join(to, manifestFile))
	if err != nil {
		t.Fatal(err)
	}
	fresh := t.TempDir()
	refused := func(what string) {
		t.Helper()
		if _, err := Restore(context.Background(), to, fresh, true, time.Now()); err == nil {
			t.Errorf("%s: it was restored", what)
		} else if !strings.Contains(err.Error(), "use another backup") {
			t.Errorf("%s: the error does not say what to do: %v", what, err)
		}
		if _, err := os.Stat(DatabasePath(fresh)); err == nil {
			t.Fatalf("%s: the data folder has got a database", what)
		}
	}
	for at := 500; at < len(whole); at += len(whole) / 20 {
		b := slices.Clone(whole)
		b[at] ^= 0x10
		if err := os.WriteFile(DatabasePath(to), b, 0o600); err != nil {
			t.Fatal(err)
		}
		refused("one bit flipped")
	}
	if err := os.WriteFile(DatabasePath(to), whole[:len(whole)-4096], 0o600); err != nil {
		t.Fatal(err)
	}
	refused("cut short")
	if err := os.WriteFile(DatabasePath(to), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	// A manifest that fits a damaged file: the content is looked at, too.
	var m Manifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		t.Fatal(err)
	}
	m.Units[0].Records++
	forged, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string][]byte{"another count": forged, "no JSON": manifest[:len(manifest)/2]} {
		if err := os.WriteFile(filepath.Join(to, manifestFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		refused(what)
	}
	if err := os.Remove(filepath.Join(to, manifestFile)); err != nil {
		t.Fatal(err)
	}
	refused("no manifest")
}

func TestRestore(t *testing.T) {
	w := begun(t)
	live := mustSurvey(t, w.Store.Path())
	to := mustMake(t, w.dir)
	w.Save(unit, "addresses", conflict.RecordID{}, hubtest.Address(50))
	ctx := context.Background()

	hold, err := Hold(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, to, w.dir, false, time.Now()); !errors.Is(err, ErrInUse) {
		t.Errorf("under a server: got %v, want %v", err, ErrInUse)
	}
	hold.Close()
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	keys := filepath.Join(w.dir, "keys")
	if err := os.Rename(keys, keys+"-away"); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(ctx, to, w.dir, false, time.Now()); !errors.Is(err, ErrNoKeys) {
		t.Errorf("without keys: got %v, want %v", err, ErrNoKeys)
	}
	if err := os.Rename(keys+"-away", keys); err != nil {
		t.Fatal(err)
	}
	lost := mustSurvey(t, DatabasePath(w.dir))
	done, err := Restore(ctx, to, w.dir, false, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := mustSurvey(t, DatabasePath(w.dir))
	if !slices.Equal(got.Units, live.Units) {
		t.Errorf("restored: got %+v, want %+v", got.Units, live.Units)
	}
	if got.Epoch == live.Epoch || got.Epoch != done.Epoch {
		t.Errorf("restored: got epoch %s, want a new one, %s", got.Epoch, done.Epoch)
	}
	if kept := mustSurvey(t, DatabasePath(done.Kept)); !slices.Equal(kept.Units, lost.Units) {
		t.Errorf("kept beside: got %+v, want %+v", kept.Units, lost.Units)
	}
	s, err := sqlite.Open(ctx, DatabasePath(w.dir), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.View(ctx, func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		old, err := sqlite.LedgerOf(tx).Reach()
		if err != nil {
			return err
		}
		for _, u := range live.Units {
			if p, err := l.BackedUp(u.Code); err != nil || p != u.Position {
				t.Errorf("unit %s: got backed up to %d (%v), want %d", u.Code, p, err, u.Position)
			}
		}
		if len(old.Units) != len(live.Units) {
			t.Errorf("reach: got %v", old.Units)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// A backup of before the restore says nothing about the new life.
	err = s.Update(ctx, func(tx *sqlite.Tx) error { return sqlite.LedgerOf(tx).KeepBackedUp(sqlite.Reach{}) })
	if !errors.Is(err, sqlite.ErrOtherLife) {
		t.Errorf("reach of another epoch: got %v, want %v", err, sqlite.ErrOtherLife)
	}
}

func TestRestoreCutShort(t *testing.T) {
	w := begun(t)
	to := mustMake(t, w.dir)
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	// As a power cut leaves it: the mark is there, the old file is away.
	if err := os.WriteFile(filepath.Join(w.dir, unfinished), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(DatabasePath(w.dir)); err != nil {
		t.Fatal(err)
	}
	if err := Whole(w.dir); !errors.Is(err, ErrUnfinished) {
		t.Errorf("got %v, want %v", err, ErrUnfinished)
	}
	if _, err := Make(context.Background(), w.dir, filepath.Join(t.TempDir(), "b"), "test", time.Now()); !errors.Is(err, ErrUnfinished) {
		t.Errorf("backup: got %v, want %v", err, ErrUnfinished)
	}
	report, err := Examine(context.Background(), w.dir)
	if err != nil || report.Sound() {
		t.Errorf("examined: got %+v, %v, want it unsound", report, err)
	}
	if _, err := Restore(context.Background(), to, w.dir, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	if report, err := Examine(context.Background(), w.dir); err != nil || !report.Sound() {
		t.Errorf("examined: got %+v, %v, want it sound", report, err)
	}
}

// TestExamineSeesDamage does to a sound folder what must never happen, one at a
// time.
func TestExamineSeesDamage(t *testing.T) {
	for _, c := range []struct{ name, says, sql string }{
		{"Nothing", "", `SELECT 1`},
		{"ChangesetGone", "with a gap after counter", `DELETE FROM intake WHERE (replica, counter) = (SELECT replica, counter FROM intake WHERE replica = (SELECT min(replica) FROM intake) ORDER BY counter LIMIT 1 OFFSET 2)`},
		{"LastChangesetGone", "was told that counters up to", `DELETE FROM intake WHERE (replica, counter) = (SELECT replica, max(counter) FROM intake WHERE replica = (SELECT min(replica) FROM intake))`},
		{"NeitherAppliedNorAside", "neither", `DELETE FROM history WHERE (replica, counter) = (SELECT replica, counter FROM history LIMIT 1)`},
		{"Both", "both", `INSERT INTO quarantine (replica, counter, count, unit, author, code, detail, at) SELECT replica, counter, count, unit, '', 7, '', 0 FROM intake LIMIT 1`},
		{"RecordGone", "26734 ends at position 1, and 0 changesets were applied", `DELETE FROM history WHERE (record_replica, record_counter) IN (SELECT replica, counter FROM records WHERE unit = '26734')`},
		{"StateGone", "its head is not what its history says", `UPDATE records SET state = (SELECT state FROM records ORDER BY replica DESC, counter DESC LIMIT 1) WHERE (replica, counter) IN (SELECT replica, counter FROM records WHERE unit = '27169' LIMIT 1)`},
		{"PositionBack", "the feed ends at", `UPDATE positions SET position = 3 WHERE unit = '27169'`},
		{"PositionAhead", "changesets were applied", `UPDATE positions SET position = position + 1`},
		{"RevisionTwice", "has given out revision", `UPDATE revisions SET revision = revision + 1`},
		{"ApprovalAltered", "does not fit its hash", `DROP TRIGGER approvals_are_append_only_update; UPDATE approvals SET hash = randomblob(32)`},
		{"ServerCounter", "the epoch says that the server wrote up to", `UPDATE epochs SET counter = counter + 1`},
		{"AuditAltered", "audit log is broken", `DROP TRIGGER audit_is_append_only_update; UPDATE audit SET actor = 'nobody' WHERE seq = 1`},
		{"BodyAltered", "is not the one that was stored", `UPDATE intake SET hash = randomblob(16) WHERE unit = '26734'`},
		{"RowRefersToNothing", "refer to nothing", `PRAGMA foreign_keys = 0; DELETE FROM replicas WHERE no = (SELECT min(replica) FROM intake)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := begun(t)
			if err := w.Store.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, w.dir, c.sql)
			report, err := Examine(context.Background(), w.dir)
			if err != nil {
				t.Fatal(err)
			}
			var said []string
			for _, f := range report.Findings {
				said = append(said, f.Wrong...)
				if len(f.Wrong) > 0 && f.Do == "" {
					t.Errorf("%s: it is not said what to do", f.What)
				}
			}
			switch text := strings.Join(said, "\n"); {
			case c.says == "" && text != "":
				t.Errorf("got %q, want nothing wrong", text)
			case !strings.Contains(text, c.says):
				t.Errorf("got %q, want %q in it", text, c.says)
			}
		})
	}
}

func TestExamineSeesBrokenPages(t *testing.T) {
	w := begun(t)
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(DatabasePath(w.dir))
	if err != nil {
		t.Fatal(err)
	}
	for at := 4096; at < len(b); at += 4096 {
		copy(b[at:], make([]byte, 64))
	}
	if err := os.WriteFile(DatabasePath(w.dir), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if report, err := Examine(context.Background(), w.dir); err != nil || report.Sound() {
		t.Errorf("got %+v, %v, want it unsound", report, err)
	}
}
