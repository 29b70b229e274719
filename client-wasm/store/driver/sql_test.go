package driver

// The acceptance tests of a host for the store: the same code against mattn/go-sqlite3 and against the browser.

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func exec(t *testing.T, db interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
}, query string, args ...any) sql.Result {
	t.Helper()
	r, err := db.ExecContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return r
}

func count(t *testing.T, db *sql.DB, table string) int {
	t.Helper()
	var n int
	if err := db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// fill makes a table of n numbered rows with 20 columns of 12 characters, as the budgets have them.
func fill(t testing.TB, db *sql.DB, n int) {
	t.Helper()
	columns := make([]string, 20)
	args := make([]any, 21)
	for i := range columns {
		columns[i] = fmt.Sprintf("c%d TEXT", i)
		args[i+1] = fmt.Sprintf("%012d", i)
	}
	if _, err := db.Exec("CREATE TABLE records (id INTEGER PRIMARY KEY, " + strings.Join(columns, ", ") + ")"); err != nil {
		t.Fatal(err)
	}
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	insert, err := tx.Prepare("INSERT INTO records VALUES (?" + strings.Repeat(", ?", 20) + ")")
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		args[0] = i
		args[1] = fmt.Sprintf("value %06d", i)
		if _, err := insert.Exec(args...); err != nil {
			t.Fatal(err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func TestValues(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE v (id INTEGER PRIMARY KEY, v)")
	large := bytes.Repeat([]byte("0123456789abcdef"), 64*1024) // a MiB
	cases := []struct {
		name string
		in   any
		want any
	}{
		{"null", nil, nil},
		{"nil blob", []byte(nil), nil},
		{"zero", int64(0), int64(0)},
		{"int", 42, int64(42)},
		{"minus one", int64(-1), int64(-1)},
		{"2^31", int64(1) << 31, int64(1) << 31},
		{"-2^31-1", -(int64(1) << 31) - 1, -(int64(1) << 31) - 1},
		{"2^32", int64(1) << 32, int64(1) << 32},
		{"2^53+1", int64(1)<<53 + 1, int64(1)<<53 + 1},
		{"largest", int64(math.MaxInt64), int64(math.MaxInt64)},
		{"smallest", int64(math.MinInt64), int64(math.MinInt64)},
		{"true", true, int64(1)},
		{"float", 0.1, 0.1},
		{"whole float", 2.0, 2.0},
		{"largest float", math.MaxFloat64, math.MaxFloat64},
		{"infinity", math.Inf(-1), math.Inf(-1)},
		{"not a number is null", math.NaN(), nil},
		{"text", "Đặng Thị Nở 𠮷", "Đặng Thị Nở 𠮷"},
		{"empty text", "", ""},
		{"text with NUL", "a\x00b\x00", "a\x00b\x00"},
		{"text of 24 bytes", strings.Repeat("x", 24), strings.Repeat("x", 24)},
		{"text that is not UTF-8", "\xff\xfe", "\xff\xfe"},
		{"large text", string(large), string(large)},
		{"blob", []byte{0, 1, 254, 255}, []byte{0, 1, 254, 255}},
		{"empty blob", []byte{}, []byte{}},
		{"large blob", large, large},
		{"small after large", "x", "x"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := exec(t, db, "INSERT INTO v (v) VALUES (?)", c.in)
			id, err := r.LastInsertId()
			if err != nil {
				t.Fatal(err)
			}
			var got any
			var kind string
			if err := db.QueryRow("SELECT v, typeof(v) FROM v WHERE id = ?", id).Scan(&got, &kind); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %.60v (%s), want %.60v", got, kind, c.want)
			}
			var stored bool
			if err := db.QueryRow("SELECT v IS ? FROM v WHERE id = ?", c.in, id).Scan(&stored); err != nil || !stored {
				t.Errorf("compared in SQLite: got %v, %v, want true", stored, err)
			}
		})
	}
}

func TestScript(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, `
		-- a comment; with a semicolon
		CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT);
		CREATE TABLE b (id INTEGER PRIMARY KEY);
		INSERT INTO a (name) VALUES ('x;y'), ('z');
		-- the end
	`)
	if n := count(t, db, "a"); n != 2 {
		t.Errorf("got %d rows, want 2", n)
	}
	exec(t, db, "INSERT INTO a (id, name) VALUES (?, ?); INSERT INTO b VALUES (?)", 10, "ten", 20)
	var name string
	if err := db.QueryRow("SELECT name FROM a, b WHERE a.id = 10 AND b.id = 20").Scan(&name); err != nil || name != "ten" {
		t.Errorf("got %q, %v, want ten", name, err)
	}
	exec(t, db, "")
	if _, err := db.Exec("INSERT INTO b VALUES (1); INSERT INTO nowhere VALUES (1)"); err == nil {
		t.Error("a script with a broken second statement: got no error")
	}
}

func TestResult(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)")
	r := exec(t, db, "INSERT INTO t VALUES (?, 1), (9007199254740995, 1)", 7)
	id, _ := r.LastInsertId()
	n, _ := r.RowsAffected()
	if id != 9007199254740995 || n != 2 {
		t.Errorf("got row %d and %d changes, want 9007199254740995 and 2", id, n)
	}
	if n, _ := exec(t, db, "UPDATE t SET n = 2 WHERE id = 8").RowsAffected(); n != 0 {
		t.Errorf("got %d changes, want 0", n)
	}
}

func TestManyBatches(t *testing.T) {
	db := newPlace(t).open(t)
	const n = 3000 // about 900 KB: some fifteen crossings
	fill(t, db, n)
	rows, err := db.Query("SELECT * FROM records ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	columns, err := rows.Columns()
	if err != nil || len(columns) != 21 || columns[0] != "id" || columns[20] != "c19" {
		t.Errorf("got columns %v, %v", columns, err)
	}
	dest := make([]any, 21)
	texts := make([]string, 20)
	var id int
	dest[0] = &id
	for i := range texts {
		dest[i+1] = &texts[i]
	}
	read := 0
	for rows.Next() {
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		if id != read || texts[0] != fmt.Sprintf("value %06d", read) || texts[19] != "000000000019" {
			t.Fatalf("row %d: got id %d, %v", read, id, texts)
		}
		read++
	}
	if err := rows.Err(); err != nil || read != n {
		t.Errorf("got %d rows, %v, want %d", read, err, n)
	}
}

func TestRowLargerThanABatch(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY, b BLOB)")
	sizes := []int{10, 300_000, 20, 70_000, 65_536, 0}
	for i, n := range sizes {
		exec(t, db, "INSERT INTO t VALUES (?, ?)", i, bytes.Repeat([]byte{byte(i)}, n))
	}
	rows, err := db.Query("SELECT b FROM t ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var kept []sql.RawBytes
	for i := 0; rows.Next(); i++ {
		var b sql.RawBytes
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		if len(b) != sizes[i] || bytes.Count(b, []byte{byte(i)}) != sizes[i] {
			t.Errorf("row %d: got %d bytes, want %d of %d", i, len(b), sizes[i], i)
		}
		kept = append(kept, b)
	}
	if err := rows.Err(); err != nil || len(kept) != len(sizes) {
		t.Errorf("got %d rows, %v, want %d", len(kept), err, len(sizes))
	}
}

func TestNestedQueries(t *testing.T) {
	db := newPlace(t).open(t)
	fill(t, db, 500)
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	// The same text inside itself, and a write: none may disturb the rows around it.
	const query = "SELECT id, c0, c1, c2, c3, c4, c5, c6 FROM records WHERE id >= ? ORDER BY id"
	ids := func(rows *sql.Rows, each func(int)) int {
		t.Helper()
		defer func() { _ = rows.Close() }()
		n := 0
		for rows.Next() {
			var id int
			var c [7]string
			if err := rows.Scan(&id, &c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6]); err != nil {
				t.Fatal(err)
			}
			each(id)
			n++
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	nested := func(from int) *sql.Rows {
		rows, err := tx.Query(query, from)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	inner := 0
	outer := ids(nested(0), func(id int) {
		if id%100 != 0 {
			return
		}
		inner += ids(nested(490), func(id int) {
			if id == 495 {
				inner += ids(nested(480), func(int) {})
				exec(t, tx, "UPDATE records SET c19 = ? WHERE id = ?", "changed", id)
			}
		})
	})
	if outer != 500 || inner != 5*(10+20) {
		t.Errorf("got %d rows outside and %d inside, want 500 and %d", outer, inner, 5*(10+20))
	}
}

func TestRollback(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t VALUES (1)")
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "t"); n != 0 {
		t.Errorf("after rollback: got %d rows, want 0", n)
	}
	tx, err = db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t VALUES (1)")
	exec(t, tx, "SAVEPOINT s")
	exec(t, tx, "INSERT INTO t VALUES (2)")
	exec(t, tx, "ROLLBACK TO s; RELEASE s")
	exec(t, tx, "INSERT INTO t VALUES (3)")
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "t"); n != 2 {
		t.Errorf("after a savepoint: got %d rows, want 2", n)
	}
}

func TestRollbackByCancellation(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	ctx, cancel := context.WithCancel(t.Context())
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO t VALUES (1)")
	cancel()
	if err := tx.Commit(); err == nil {
		t.Error("commit after cancellation: got no error")
	}
	if n := count(t, db, "t"); n != 0 {
		t.Errorf("got %d rows, want 0", n)
	}
}

func TestConstraints(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, `CREATE TABLE p (id INTEGER PRIMARY KEY, u TEXT UNIQUE, n TEXT NOT NULL, c INTEGER CHECK (c > 0));
		CREATE TABLE f (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED);
		INSERT INTO p VALUES (1, 'x', 'y', 1)`)
	cases := []struct {
		name, query string
		is          func(error) bool
	}{
		{"primary key", "INSERT INTO p VALUES (1, 'z', 'y', 1)", isUnique},
		{"unique", "INSERT INTO p VALUES (2, 'x', 'y', 1)", isUnique},
		{"not null", "INSERT INTO p VALUES (2, 'z', NULL, 1)", isConstraint},
		{"check", "INSERT INTO p VALUES (2, 'z', 'y', 0)", isConstraint},
		{"foreign key", "INSERT INTO f VALUES (5)", isForeignKey},
		{"unique, returning", "INSERT INTO p VALUES (2, 'x', 'y', 1) RETURNING id", isUnique},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // the second run meets a cached statement
				_, err := db.Exec(c.query)
				if !c.is(err) || !isConstraint(err) {
					t.Errorf("got %v, want %s", err, c.name)
				}
			}
			var id int
			if err := db.QueryRow(c.query).Scan(&id); c.name != "foreign key" && !c.is(err) {
				t.Errorf("as a query: got %v, want %s", err, c.name)
			}
		})
	}
	if n := count(t, db, "p"); n != 1 {
		t.Errorf("got %d rows, want 1", n)
	}
}

// A deferred constraint fails at COMMIT: the transaction must be gone afterwards, not left open on the connection.
func TestFailedCommit(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE f (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)")
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	exec(t, tx, "INSERT INTO f VALUES (5)")
	if err := tx.Commit(); !isForeignKey(err) {
		t.Errorf("got %v, want a broken foreign key", err)
	}
	if n := count(t, db, "f"); n != 0 {
		t.Errorf("got %d rows, want 0", n)
	}
	tx, err = db.Begin()
	if err != nil {
		t.Fatalf("begin after a failed commit: %v", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestReturningCommitsWhenRowsClose(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	rows, err := db.Query("INSERT INTO t VALUES (1), (2), (3) RETURNING id")
	if err != nil {
		t.Fatal(err)
	}
	if !rows.Next() {
		t.Fatal(rows.Err())
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if n := count(t, p.open(t), "t"); n != 3 {
		t.Errorf("got %d rows, want 3", n)
	}
}

func TestSchemaChangesUnderAStatement(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (a INTEGER); INSERT INTO t VALUES (1)")
	columns := func() string {
		rows, err := db.Query("SELECT * FROM t")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		names, err := rows.Columns()
		if err != nil {
			t.Fatal(err)
		}
		dest := make([]any, len(names))
		for i := range dest {
			dest[i] = new(any)
		}
		if !rows.Next() {
			t.Fatal(rows.Err())
		}
		if err := rows.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		return strings.Join(names, " ")
	}
	if got := columns(); got != "a" {
		t.Errorf("got %q, want a", got)
	}
	exec(t, db, "ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'x'")
	if got := columns(); got != "a b" {
		t.Errorf("got %q, want a b", got)
	}
}

func TestErrorsAreShown(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	if _, err := db.Exec("SELEC 1"); err == nil || !strings.Contains(err.Error(), "SELEC") {
		t.Errorf("syntax: got %v, want SQLite's words", err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (?)"); err == nil {
		t.Error("an argument too few: got no error")
	}
	if _, err := db.Exec("INSERT INTO t VALUES (?)", struct{}{}); err == nil {
		t.Error("a struct: got no error")
	}
	if err := db.QueryRow("SELECT abs(-9223372036854775807 - 1)").Scan(new(int64)); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("a function that fails while stepping: got %v, want its error", err)
	}
	if err := db.QueryRow("SELECT id FROM t WHERE id = 99").Scan(new(int)); !errors.Is(err, sql.ErrNoRows) {
		t.Errorf("got %v, want %v", err, sql.ErrNoRows)
	}
	// In the middle of the rows: the third makes the statement fail.
	rows, err := db.Query("SELECT abs(v) FROM (SELECT 1 AS v UNION ALL SELECT 2 UNION ALL SELECT -9223372036854775807 - 1)")
	if err == nil {
		for rows.Next() {
		}
		err = rows.Err()
		_ = rows.Close()
	}
	if err == nil {
		t.Error("a row that cannot be computed: got no error")
	}
	if n := count(t, db, "t"); n != 0 {
		t.Errorf("got %d rows, want 0", n)
	}
}

func TestCancellationBetweenBatches(t *testing.T) {
	db := newPlace(t).open(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	timer := time.AfterFunc(30*time.Millisecond, cancel) // its firing needs the worker's event loop
	defer timer.Stop()
	rows, err := db.QueryContext(ctx, `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000000)
		SELECT i, 'a text to fill the batches with' FROM n`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	read := 0
	for rows.Next() {
		read++
	}
	if !errors.Is(rows.Err(), context.Canceled) {
		t.Errorf("after %d rows: got %v, want %v", read, rows.Err(), context.Canceled)
	}
	if read == 0 || read == 50_000_000 {
		t.Errorf("got %d rows, want some and not all", read)
	}
	var one int
	if err := db.QueryRow("SELECT 1").Scan(&one); err != nil || one != 1 {
		t.Errorf("afterwards: got %d, %v, want 1", one, err)
	}
}

func TestPersists(t *testing.T) {
	p := newPlace(t)
	db := p.open(t)
	fill(t, db, 100)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = p.open(t)
	if n := count(t, db, "records"); n != 100 {
		t.Errorf("got %d rows, want 100", n)
	}
	var check string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity: got %q, %v, want ok", check, err)
	}
}

func TestManyTexts(t *testing.T) {
	db := newPlace(t).open(t)
	exec(t, db, "CREATE TABLE t (id INTEGER PRIMARY KEY)")
	for i := range 300 { // far more than the driver keeps compiled
		exec(t, db, fmt.Sprintf("INSERT INTO t VALUES (%d)", i))
		var got int
		if err := db.QueryRow(fmt.Sprintf("SELECT id FROM t WHERE id = %d", i)).Scan(&got); err != nil || got != i {
			t.Fatalf("got %d, %v, want %d", got, err, i)
		}
	}
}
