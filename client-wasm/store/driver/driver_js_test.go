package driver

// What only the browser's host does: its errors, its limits, its encryption.

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"syscall/js"
	"testing"
	"time"
)

func TestReadOnlyTransaction(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	tx, err := db.BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("a write in a read-only transaction: got no error")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "INSERT INTO t VALUES (1)")
}

func TestCloseWithOpenRows(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	fill(t, db, 1000)
	c, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := c.QueryContext(t.Context(), "SELECT * FROM records")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	// The driver's own Close, under the statements that are still being read.
	if err := c.Raw(func(dc any) error { return dc.(interface{ Close() error }).Close() }); err != nil {
		t.Fatalf("close: %v", err)
	}
	_ = rows.Close() // any outcome, but no panic
	_ = c.Close()
	_ = db.Close()
	if n := count(t, p.open(t), "records"); n != 1000 {
		t.Errorf("got %d rows, want 1000", n)
	}
}

func config(p place) Config { return Config{Store: p.store, Key: p.key, Wait: 200 * time.Millisecond} }

func TestOpen(t *testing.T) {
	p := newPlace(t)
	if found, err := Exists(t.Context(), p.store); err != nil || found {
		t.Errorf("before: got %v, %v, want false", found, err)
	}
	db, err := Open(t.Context(), config(p))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if found, err := Exists(t.Context(), p.store); err != nil || !found {
		t.Errorf("after: got %v, %v, want true", found, err)
	}
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "locking_mode": "exclusive", "foreign_keys": "1", "cipher": "chacha20",
	}
	for name, value := range want {
		var got string
		if err := db.QueryRow("PRAGMA " + name).Scan(&got); err != nil || got != value {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, value)
		}
	}
	if n := db.Stats().MaxOpenConnections; n != 1 {
		t.Errorf("got %d connections, want 1", n)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(cancelled, config(p)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestHeld(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	if _, err := Open(t.Context(), config(p)); !errors.Is(err, ErrHeld) {
		t.Errorf("in the same worker: got %v, want %v", err, ErrHeld)
	}
	// The first is none the worse for it.
	exec(t, db, "INSERT INTO t VALUES (1)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	hold := js.Global().Get("__hold")
	release, err := await(hold.Invoke(p.store, 0))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), config(p)); !errors.Is(err, ErrHeld) {
		t.Errorf("by other hands: got %v, want %v", err, ErrHeld)
	}
	release.Invoke()
	if n := count(t, p.open(t), "t"); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

// A tab that is closing lets go a little later: the next one waits for it, with handles that arrive one by one.
func TestHeldForAMoment(t *testing.T) {
	p := newPlace(t)
	if err := p.open(t).Close(); err != nil {
		t.Fatal(err)
	}
	release, err := await(js.Global().Get("__hold").Invoke(p.store, 0))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { release.Invoke() })
	c := config(p)
	c.Wait = 5 * time.Second
	db, err := Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
}

// TestRefusedHandles refuses each opening of a private file once, by each name that
// engines give: a store that only seems to be held opens within its time, and a failed
// opening holds on to nothing, not even to handles that come late (R06).
func TestRefusedHandles(t *testing.T) {
	for _, name := range []string{"NoModificationAllowedError", "InvalidStateError", "UnknownError"} {
		for n, again := 1, true; again; n++ {
			t.Run(fmt.Sprintf("%s at %d", name, n), func(t *testing.T) {
				p := newPlace(t)
				db := p.open(t)
				exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				end := js.Global().Get("__refuse").Invoke(n, name, 60)
				c := config(p)
				c.Wait = 5 * time.Second
				began := time.Now()
				db, err := Open(t.Context(), c)
				again = end.Invoke().Bool()
				took := time.Since(began)
				if err == nil {
					_ = db.Close()
				}
				if again && name == "UnknownError" {
					if err == nil {
						t.Error("got no error for what is no other tab's doing")
					}
				} else if err != nil || took > 5*time.Second {
					t.Errorf("got %v after %v", err, took)
				}
				db, err = Open(t.Context(), c)
				if err != nil {
					t.Fatalf("afterwards: %v", err)
				}
				defer func() { _ = db.Close() }()
				if k := count(t, db, "t"); k != 1 {
					t.Errorf("got %d rows, want 1", k)
				}
			})
			if n > 50 {
				t.Fatal("it never ends")
			}
		}
	}
}

func TestWrongKey(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	other := config(p)
	other.Key = bytes.Clone(p.key)
	other.Key[31] ^= 1
	if _, err := Open(t.Context(), other); !errors.Is(err, ErrWrongKey) {
		t.Errorf("got %v, want %v", err, ErrWrongKey)
	}
	// Without the check file, as after a power cut in a store's first seconds, SQLite itself must refuse.
	if _, err := await(js.Global().Get("__removeCheck").Invoke(p.store)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), other); !errors.Is(err, ErrWrongKey) {
		t.Errorf("without the check file: got %v, want %v", err, ErrWrongKey)
	}
	if n := count(t, p.open(t), "t"); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

func TestCorrupted(t *testing.T) {
	for _, page := range []int{1, 20} {
		t.Run(fmt.Sprintf("page %d", page), func(t *testing.T) {
			p := newPlace(t)
			db := p.open(t)
			fill(t, db, 1000)
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			// 4096 bytes of the pool's own come before the first page.
			if _, err := await(js.Global().Get("__damage").Invoke(p.store, page*4096+2000)); err != nil {
				t.Fatal(err)
			}
			db, err := Open(t.Context(), config(p))
			if err == nil {
				defer func() { _ = db.Close() }()
				var n int
				err = db.QueryRow("SELECT count(c19) FROM records").Scan(&n)
			}
			if !errors.Is(err, ErrCorrupted) {
				t.Errorf("got %v, want %v", err, ErrCorrupted)
			}
		})
	}
}

// Nothing that was written may be found in any file of the store: not in the database, the WAL, a journal, nor a
// statement's journal or a sort that was too large for memory.
func TestNoPlaintextOnDisk(t *testing.T) {
	const canary = "NGUYEN THI CANARY 079199"
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, u TEXT UNIQUE)")
	search := func(when string) {
		t.Helper()
		v, err := await(js.Global().Get("__search").Invoke(p.store, canary))
		if err != nil {
			t.Fatal(err)
		}
		if where := v.String(); where != "" {
			t.Errorf("%s: found in %s", when, where)
		}
	}
	exec(t, db, `INSERT INTO t (name, u) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
		SELECT ? || i, i FROM n`, canary)
	search("after a large insert")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	// A statement that fails late undoes its changes from its own journal, which outgrows memory here.
	if _, err := tx.Exec("UPDATE t SET name = name || 'x', u = CASE WHEN id < 19999 THEN u || 'x' ELSE 'same' END"); err == nil {
		t.Error("the update: got no error")
	}
	search("inside a transaction")
	exec(t, tx, "SAVEPOINT s; UPDATE t SET name = name || 'y'")
	search("inside a savepoint")
	exec(t, tx, "ROLLBACK TO s")
	rows, err := tx.Query("SELECT name FROM t ORDER BY name || 'z' DESC")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	search("while sorting")
	_ = rows.Close()
	exec(t, tx, "CREATE TEMP TABLE tt AS SELECT * FROM t")
	search("with a temporary table")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	exec(t, db, "VACUUM")
	search("after a vacuum")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	search("after closing")
	// The search itself finds what is there.
	v, err := await(js.Global().Get("__search").Invoke(p.store, "store.db"))
	if err != nil || v.String() == "" {
		t.Errorf("the name of the database, which the pool writes in clear: got %q, %v, want a file", v.String(), err)
	}
}

func TestQuota(t *testing.T) {
	quota := js.Global().Get("__quota")
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
	exec(t, db, "INSERT INTO t VALUES (1, ?)", make([]byte, 100_000))
	if _, err := await(quota.Invoke(2_000_000)); err != nil {
		t.Fatal(err)
	}
	reset := func() {
		if _, err := await(quota.Invoke(-1)); err != nil {
			t.Fatal(err)
		}
	}
	defer reset()
	var err error
	stored := 1
	for id := 2; id < 100 && err == nil; id++ {
		var tx *sql.Tx
		if tx, err = db.Begin(); err != nil {
			break
		}
		if _, err = tx.Exec("INSERT INTO t VALUES (?, ?)", id, bytes.Repeat([]byte{7}, 100_000)); err == nil {
			err = tx.Commit()
		} else if back := tx.Rollback(); back != nil {
			t.Errorf("rollback: %v", back)
		}
		if err == nil {
			stored++
		}
	}
	if !errors.Is(err, ErrQuota) {
		t.Errorf("got %v, want %v", err, ErrQuota)
	}
	if n := count(t, db, "t"); n != stored || stored < 5 {
		t.Errorf("got %d rows, want the %d that were acknowledged", n, stored)
	}
	reset()
	exec(t, db, "INSERT INTO t VALUES (1000, ?)", make([]byte, 100_000))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = p.open(t)
	var check string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity: got %q, %v, want ok", check, err)
	}
	if n := count(t, db, "t"); n != stored+1 {
		t.Errorf("got %d rows, want %d", n, stored+1)
	}
}

// One prepared statement may be read in two places, and run anew while it is read.
func TestPreparedInsideItself(t *testing.T) {
	db := newPlace(t).open(t)
	fill(t, db, 200)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	s, err := tx.Prepare("SELECT id, c0, c1, c2, c3, c4, c5 FROM records WHERE id >= ? ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	var read func(from, depth int) int
	read = func(from, depth int) int {
		rows, err := s.Query(from)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		n := 0
		for rows.Next() {
			n++
			if depth > 0 && n == 5 {
				if got := read(from+10, depth-1); got != 200-from-10 {
					t.Errorf("inside: got %d rows, want %d", got, 200-from-10)
				}
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if got := read(0, 3); got != 200 {
		t.Errorf("got %d rows, want 200", got)
	}
}

func TestArguments(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	if _, err := db.Exec("INSERT INTO t VALUES (?)", 1, 2); err == nil {
		t.Error("an argument too many: got no error")
	}
	if _, err := db.Exec("INSERT INTO t VALUES (?)", time.Now()); err == nil {
		t.Error("a time: got no error")
	}
	if _, err := db.Exec("INSERT INTO t VALUES (:id)", sql.Named("id", 1)); err == nil {
		t.Error("a named parameter: got no error")
	}
	if n := count(t, db, "t"); n != 0 {
		t.Errorf("got %d rows, want 0", n)
	}
}

func TestRemoveWhileOpen(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	if err := Remove(t.Context(), p.store); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (1)"); err == nil {
		t.Error("a write to a removed store: got no error")
	}
	_ = db.Close()
	if found, err := Exists(t.Context(), p.store); err != nil || found {
		t.Errorf("got %v, %v, want false", found, err)
	}
	// A store of the same name is a new one.
	var n int
	if err := p.open(t).QueryRow("SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil || n != 0 {
		t.Errorf("got %d tables, %v, want 0", n, err)
	}
	if err := Remove(t.Context(), "never-there"); err != nil {
		t.Errorf("remove what is not there: %v", err)
	}
}

func TestStoresSideBySide(t *testing.T) {
	p := newPlace(t)
	q := place{store: p.store + "-b", key: bytes.Clone(p.key)}
	q.key[0] ^= 1
	t.Cleanup(func() { _ = Remove(context.Background(), q.store) })
	a, b := p.open(t), q.open(t)
	exec(t, a, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1)")
	exec(t, b, "CREATE TABLE t (id INTEGER PRIMARY KEY); INSERT INTO t VALUES (1), (2)")
	if x, y := count(t, a, "t"), count(t, b, "t"); x != 1 || y != 2 {
		t.Errorf("got %d and %d rows, want 1 and 2", x, y)
	}
}

func TestStoreNamesAreRefused(t *testing.T) {
	newPlace(t)
	for _, name := range []string{"", "../x", "A", strings.Repeat("a", 41)} {
		if _, err := Open(t.Context(), Config{Store: name, Key: make([]byte, KeySize)}); err == nil {
			t.Errorf("%q: got no error", name)
		}
	}
}
