package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/mattn/go-sqlite3"

	"wardbook/server/store"
	"wardbook/sync/protocol"
)

func TestOpenMakesPrivateFiles(t *testing.T) {
	s := openTemp(t, Options{})
	if err := s.Update(context.Background(), insertMeta("a")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		filepath.Dir(s.Path()): fs.ModeDir | 0o700,
		s.Path():               0o600,
		s.Path() + "-wal":      0o600,
		s.Path() + "-shm":      0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Errorf("stat: %v", err)
			continue
		}
		if info.Mode() != want {
			t.Errorf("mode of %s: got %v, want %v", filepath.Base(path), info.Mode(), want)
		}
	}
}

func TestOpenRefusesSettingsThatLoseCommits(t *testing.T) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "x.db")+"?_journal_mode=WAL&_foreign_keys=1")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = assertDurable(context.Background(), conn)
	if err == nil || !strings.Contains(err.Error(), "synchronous") {
		t.Errorf("the driver's default settings: got %v, want a refusal that names synchronous", err)
	}
	for _, c := range []struct{ set, want string }{
		{"PRAGMA synchronous=FULL", "secure_delete"},
		{"PRAGMA secure_delete=ON", ""},
		{"PRAGMA foreign_keys=OFF", "foreign_keys"},
		{"PRAGMA journal_mode=DELETE", "journal_mode"},
	} {
		if _, err := conn.ExecContext(context.Background(), c.set); err != nil {
			t.Fatal(err)
		}
		err := assertDurable(context.Background(), conn)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("after %s: got %v, want a refusal that names %q", c.set, err, c.want)
		}
	}
}

func TestOpenRefusesAnUnwritableFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), filepath.Join(file, "wardbook.db"), Options{}); err == nil {
		t.Error("opened a database below a file")
	}
	other := filepath.Join(t.TempDir(), "wardbook.db")
	if err := os.WriteFile(other, []byte(strings.Repeat("not a database ", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), other, Options{}); err == nil {
		t.Error("opened a file that is no database")
	}
}

func epochOf(t *testing.T, s *Store) (epoch protocol.Token) {
	t.Helper()
	err := s.View(context.Background(), func(tx *Tx) error {
		e, err := LedgerOf(tx).Epoch()
		epoch = e.Token
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return epoch
}

func TestEpochIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wardbook.db")
	var epochs []protocol.Token
	for range 2 {
		s, err := Open(context.Background(), path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		epochs = append(epochs, epochOf(t, s))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if epochs[0] == (protocol.Token{}) || epochs[0] != epochs[1] {
		t.Errorf("epochs: got %x, want one, twice", epochs)
	}
	if other := epochOf(t, openTemp(t, Options{})); other == epochs[0] {
		t.Errorf("two databases share the epoch %x", other)
	}
}

func TestBackupIsConsistentWhileWriting(t *testing.T) {
	s := openTemp(t, Options{})
	stop, stopped, written := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			if i == 1 {
				close(written)
			}
			select {
			case <-stop:
				return
			default:
			}
			// Two rows in one closure: a copy with one of them is torn.
			s.Update(context.Background(), func(tx *Tx) error {
				tx.Exec(`INSERT INTO meta (key, value) VALUES ('l/' || ?, hex(randomblob(500)))`, i)
				_, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('r/' || ?, '')`, i)
				return err
			})
		}
	}()
	<-written
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := s.Backup(context.Background(), path); err != nil {
		t.Fatal(err)
	}
	close(stop)
	<-stopped
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("backup's mode: got %v, %v, want 0600", info.Mode(), err)
	}
	if err := s.Backup(context.Background(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("second backup to the same path: got %v, want %v", err, os.ErrExist)
	}
	c, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	l, r := countMeta(t, c, "l/%"), countMeta(t, c, "r/%")
	if l != r || l == 0 {
		t.Errorf("copy: got %d left and %d right rows, want as many, and some", l, r)
	}
	if epochOf(t, c) != epochOf(t, s) {
		t.Errorf("copy's epoch: got %x, want %x", epochOf(t, c), epochOf(t, s))
	}
}

func TestMigrate(t *testing.T) {
	one := &fstest.MapFile{Data: []byte(`CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);`)}
	two := &fstest.MapFile{Data: []byte(`ALTER TABLE a ADD COLUMN y TEXT;`)}
	broken := &fstest.MapFile{Data: []byte(`CREATE TABLE c (x INTEGER); SELECT nonsense;`)}
	cases := []struct {
		name   string
		first  fstest.MapFS
		second fstest.MapFS
		want   string // in the second run's error; empty: none
	}{
		{"nothing new", fstest.MapFS{"m/0001_one.sql": one}, fstest.MapFS{"m/0001_one.sql": one}, ""},
		{"one more step", fstest.MapFS{"m/0001_one.sql": one}, fstest.MapFS{"m/0001_one.sql": one, "m/0002_two.sql": two}, ""},
		{"newer database", fstest.MapFS{"m/0001_one.sql": one, "m/0002_two.sql": two}, fstest.MapFS{"m/0001_one.sql": one}, "newer version"},
		{"edited step", fstest.MapFS{"m/0001_one.sql": one}, fstest.MapFS{"m/0001_one.sql": two}, "edited"},
		{"step out of order", fstest.MapFS{"m/0002_one.sql": one}, fstest.MapFS{"m/0001_two.sql": two, "m/0002_one.sql": one}, "comes before"},
		{"broken step", fstest.MapFS{"m/0001_one.sql": one}, fstest.MapFS{"m/0001_one.sql": one, "m/0002_broken.sql": broken}, "0002_broken"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			db, err := sql.Open("sqlite3", filepath.Join(t.TempDir(), "m.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			conn, err := db.Conn(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			run := func(files fs.FS) error {
				all, err := readMigrations(files, "m")
				if err != nil {
					t.Fatal(err)
				}
				return migrate(context.Background(), conn, all, time.Now)
			}
			if err := run(c.first); err != nil {
				t.Fatal(err)
			}
			err = run(c.second)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
			var n int
			if conn.QueryRowContext(context.Background(), `SELECT count(*) FROM sqlite_schema WHERE name = 'c'`).Scan(&n); n != 0 {
				t.Error("half of a broken step was kept")
			}
			var steps int
			if err := conn.QueryRowContext(context.Background(), `SELECT count(*) FROM migrations`).Scan(&steps); err != nil {
				t.Fatal(err)
			}
			want := len(c.first)
			if c.want == "" {
				want = len(c.second)
			}
			if steps != want {
				t.Errorf("steps recorded: got %d, want %d", steps, want)
			}
		})
	}
}

func TestMigrationNames(t *testing.T) {
	for _, files := range []fstest.MapFS{
		{"m/1_short.sql": {}},
		{"m/0001_a.sql": {}, "m/0001_b.sql": {}},
	} {
		if _, err := readMigrations(files, "m"); err == nil {
			t.Errorf("accepted %v", files)
		}
	}
}

// A process that ended at once leaves its work in the log. Opening writes it into
// the database and flushes it: the log's own pages may be in memory alone.
func TestOpenSettlesTheLog(t *testing.T) {
	s := openTemp(t, Options{})
	if err := s.Update(context.Background(), insertMeta("l/1")); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(t.TempDir(), "wardbook.db")
	for _, end := range []string{"", "-wal"} {
		b, err := os.ReadFile(s.Path() + end)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left+end, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(context.Background(), left, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	// The database alone, as if the log were lost now.
	b, err := os.ReadFile(left)
	if err != nil {
		t.Fatal(err)
	}
	alone := filepath.Join(t.TempDir(), "wardbook.db")
	if err := os.WriteFile(alone, b, 0o600); err != nil {
		t.Fatal(err)
	}
	only, err := Open(context.Background(), alone, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer only.Close()
	if n := countMeta(t, only, "l/%"); n != 1 {
		t.Errorf("without the log: got %d rows, want 1", n)
	}
}

// grow returns a closure that adds somewhat more than n pages to the log.
func grow(n int) func(*Tx) error {
	return func(tx *Tx) error {
		for range n/100 + 2 {
			if _, err := tx.Exec(`INSERT INTO meta (key, value) VALUES ('grow/' || hex(randomblob(8)), hex(randomblob(200000)))`); err != nil {
				return err
			}
		}
		return nil
	}
}

// inDatabase returns how many pages the log has and how many of them stand in the
// database.
func inDatabase(t *testing.T, s *Store) (pages, copied int) {
	t.Helper()
	db, err := sql.Open("sqlite3", dataSource(s.Path(), s.opts, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var busy int
	if err := db.QueryRow(`PRAGMA wal_checkpoint(NOOP)`).Scan(&busy, &pages, &copied); err != nil {
		t.Fatal(err)
	}
	return pages, copied
}

// The log is copied once it is very long, whoever waits, and does not grow
// without bound.
func TestLogStaysShort(t *testing.T) {
	s := openTemp(t, Options{MaxBatch: 1})
	release := hold(t, s)
	answers := make(chan error, 60)
	for range cap(answers) {
		go func() { answers <- s.Update(context.Background(), grow(100)) }()
	}
	for len(s.queue) < cap(answers) {
		time.Sleep(time.Millisecond)
	}
	release() // one behind the other, without a quiet moment
	for range cap(answers) {
		if err := <-answers; err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(s.Path() + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(longestLog * 5 / 4 * 4096); info.Size() > most {
		t.Errorf("the log has %d bytes, want at most %d", info.Size(), most)
	}
}

// A long log is copied once nobody wants anything for a moment: the next write
// begins it anew.
func TestLogIsCopiedInQuiet(t *testing.T) {
	s := openTemp(t, Options{})
	if err := s.Update(context.Background(), grow(longLog)); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(quietFor / 10) {
		pages, copied := inDatabase(t, s)
		if pages >= longLog && copied == pages {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("of %d pages in the log %d are in the database after a minute", pages, copied)
		}
	}
	if err := s.Update(context.Background(), insertMeta("anew")); err != nil {
		t.Fatal(err)
	}
	if pages, _ := inDatabase(t, s); pages >= longLog {
		t.Errorf("the next write has left %d pages in the log", pages)
	}
}

// After a failure nothing is flushed any more, and so the log is not copied.
func TestLogIsNotCopiedAfterAFailure(t *testing.T) {
	s := openTemp(t, Options{MaxBatch: 1})
	release := hold(t, s)
	answers := [2]chan error{make(chan error, 1), make(chan error, 1)}
	for i, fn := range []func(*Tx) error{grow(longLog), func(*Tx) error { return sqlite3.Error{Code: sqlite3.ErrIoErr} }} {
		go func() { answers[i] <- s.Update(context.Background(), fn) }()
		for len(s.queue) <= i {
			time.Sleep(time.Millisecond)
		}
	}
	release()
	if err := <-answers[0]; err != nil {
		t.Fatal(err)
	}
	if err := <-answers[1]; !errors.Is(err, store.ErrFailed) {
		t.Fatalf("got %v, want %v", err, store.ErrFailed)
	}
	time.Sleep(3 * quietFor)
	if pages, copied := inDatabase(t, s); pages < longLog || copied != 0 {
		t.Errorf("of %d pages in the log %d were copied by a store that had failed", pages, copied)
	}
}
