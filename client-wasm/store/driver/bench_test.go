package driver

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// Records of 20 fields of 12 characters, as in the design's budgets.

func benchPlace(b *testing.B, rows int) *sql.DB {
	b.Helper()
	db := newPlace(b).open(b)
	fill(b, db, rows)
	return db
}

// BenchmarkSave is one durable save in a transaction of its own.
func BenchmarkSave(b *testing.B) {
	db := benchPlace(b, 10)
	args := make([]any, 21)
	for i := range args {
		args[i] = fmt.Sprintf("%012d", i)
	}
	query := "INSERT OR REPLACE INTO records VALUES (?" + strings.Repeat(", ?", 20) + ")"
	var took []time.Duration
	id := 1000
	for b.Loop() {
		begun := time.Now()
		tx, err := db.Begin()
		if err != nil {
			b.Fatal(err)
		}
		id++
		args[0] = id
		if _, err := tx.Exec(query, args...); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkFill10k is 10,000 records in one transaction, row by row.
func BenchmarkFill10k(b *testing.B) {
	db := newPlace(b).open(b)
	for b.Loop() {
		fill(b, db, 10_000)
		b.StopTimer()
		if _, err := db.Exec("DROP TABLE records"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkScan10k reads 10,000 records of 21 columns into Go.
func BenchmarkScan10k(b *testing.B) {
	db := benchPlace(b, 10_000)
	dest := make([]any, 21)
	texts := make([]string, 21)
	for i := range texts {
		dest[i] = &texts[i]
	}
	for b.Loop() {
		rows, err := db.Query("SELECT * FROM records")
		if err != nil {
			b.Fatal(err)
		}
		n := 0
		for rows.Next() {
			if err := rows.Scan(dest...); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := rows.Err(); err != nil || n != 10_000 {
			b.Fatalf("got %d rows, %v", n, err)
		}
	}
}

// BenchmarkByID10k reads one record of 10,000.
func BenchmarkByID10k(b *testing.B) {
	db := benchPlace(b, 10_000)
	var c0, c19 string
	id := 0
	for b.Loop() {
		id = (id + 7919) % 10_000
		if err := db.QueryRow("SELECT c0, c19 FROM records WHERE id = ?", id).Scan(&c0, &c19); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLike10k looks for a substring in one column of 10,000 records.
func BenchmarkLike10k(b *testing.B) {
	db := benchPlace(b, 10_000)
	var id int
	for b.Loop() {
		if err := db.QueryRow("SELECT id FROM records WHERE c0 LIKE '%09999%'").Scan(&id); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkOpen10k opens a store of 10,000 records, reads the first 50 and closes it.
func BenchmarkOpen10k(b *testing.B) {
	p := newPlace(b)
	db := p.open(b)
	fill(b, db, 10_000)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db := p.open(b)
		var n int
		if err := db.QueryRow("SELECT count(*) FROM (SELECT c0 FROM records ORDER BY id LIMIT 50)").Scan(&n); err != nil || n != 50 {
			b.Fatalf("got %d rows, %v", n, err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
