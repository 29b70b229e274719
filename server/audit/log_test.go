package audit_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand"
	"path/filepath"
	"testing"
	"time"

	"wardbook/server/audit"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

func open(t *testing.T) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "wardbook.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func fill(t *testing.T, s *sqlite.Store, n int) {
	t.Helper()
	err := s.Update(context.Background(), func(tx *sqlite.Tx) error {
		for i := range n {
			e := audit.Entry{Actor: "a", Device: "d", Action: "record.read", Unit: "26734", Subject: fmt.Sprint("r", i), Detail: map[string]string{"fields": "name,phone", "count": fmt.Sprint(i)}}
			if err := audit.Append(tx, s.Now(), e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func verify(t *testing.T, s *sqlite.Store, kept ...audit.Head) (head audit.Head, err error) {
	t.Helper()
	s.View(context.Background(), func(tx *sqlite.Tx) error {
		head, err = audit.Verify(tx, kept...)
		return nil
	})
	return head, err
}

func TestVerifyPassesAnUntouchedLog(t *testing.T) {
	s := open(t)
	if head, err := verify(t, s); err != nil || head.Seq != 0 {
		t.Errorf("empty log: got %v, %v", head, err)
	}
	fill(t, s, 2500) // more than two pages
	head, err := verify(t, s)
	if err != nil || head.Seq != 2500 {
		t.Fatalf("got %v, %v, want entry 2500", head, err)
	}
	back, err := audit.ParseHead(head.String())
	if err != nil || back != head {
		t.Errorf("head's text form: got %v, %v, want %v", back, err, head)
	}
	fill(t, s, 1)
	if _, err := verify(t, s, head); err != nil {
		t.Errorf("grown log against an older head: %v", err)
	}
}

// tamper runs SQL as somebody would who owns the file.
func tamper(t *testing.T, s *sqlite.Store, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite3", s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range append([]string{`DROP TRIGGER IF EXISTS audit_is_append_only_update`, `DROP TRIGGER IF EXISTS audit_is_append_only_delete`}, statements...) {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

func TestVerifyNamesTheFirstBadEntry(t *testing.T) {
	cases := []struct {
		name, sql string
		want      int64
	}{
		{"changed subject", `UPDATE audit SET subject = 'r7' WHERE seq = 4`, 4},
		{"changed time by a millisecond", `UPDATE audit SET at = at + 1 WHERE seq = 5`, 5},
		{"changed detail by a space", `UPDATE audit SET detail = detail || ' ' WHERE seq = 6`, 6},
		{"moved between columns", `UPDATE audit SET actor = '', device = 'ad' WHERE seq = 3`, 3},
		{"removed", `DELETE FROM audit WHERE seq = 7`, 7},
		{"removed and closed up", `DELETE FROM audit WHERE seq = 7; UPDATE audit SET seq = seq - 1 WHERE seq > 7`, 7},
		{"first removed", `DELETE FROM audit WHERE seq = 1`, 1},
		{"swapped", `UPDATE audit SET seq = -1 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -1`, 2},
		{"truncated", `DELETE FROM audit WHERE seq > 8`, 9},
		{"everything removed", `DELETE FROM audit`, 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := open(t)
			fill(t, s, 10)
			head, err := verify(t, s)
			if err != nil {
				t.Fatal(err)
			}
			tamper(t, s, c.sql)
			_, err = verify(t, s, head)
			var broken *audit.BrokenError
			if !errors.As(err, &broken) || broken.Seq != c.want {
				t.Errorf("got %v, want broken at %d", err, c.want)
			}
		})
	}
}

// A clever editor recomputes every hash after the change; a head kept elsewhere
// shows it all the same.
func TestVerifyAgainstAKeptHead(t *testing.T) {
	s, other := open(t), open(t)
	fill(t, s, 10)
	head, _ := verify(t, s)
	for i := range 10 {
		err := other.Update(context.Background(), func(tx *sqlite.Tx) error {
			return audit.Append(tx, time.UnixMilli(0), audit.Entry{Action: "forged", Subject: fmt.Sprint(i)})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var broken *audit.BrokenError
	if _, err := verify(t, other); err != nil {
		t.Errorf("the forged chain is well formed, got %v", err)
	}
	if _, err := verify(t, other, head); !errors.As(err, &broken) || broken.Seq != 10 {
		t.Errorf("got %v, want broken at 10", err)
	}
}

// An entry of another log has a good hash of its own, but does not follow what is
// before it here.
func TestVerifyCatchesATransplantedEntry(t *testing.T) {
	s, other := open(t), open(t)
	fill(t, s, 5)
	for range 5 {
		err := other.Update(context.Background(), func(tx *sqlite.Tx) error {
			return audit.Append(tx, other.Now(), audit.Entry{Action: "forged"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	tamper(t, s, `ATTACH '`+other.Path()+`' AS other;
		DELETE FROM main.audit WHERE seq = 5; INSERT INTO main.audit SELECT * FROM other.audit WHERE seq = 5`)
	var broken *audit.BrokenError
	if _, err := verify(t, s); !errors.As(err, &broken) || broken.Seq != 5 {
		t.Errorf("got %v, want broken at 5", err)
	}
}

func TestVerifyCatchesAnyFlippedByte(t *testing.T) {
	s := open(t)
	fill(t, s, 20)
	head, _ := verify(t, s)
	rng := rand.New(rand.NewSource(1))
	columns := []string{"actor", "device", "action", "unit", "subject", "detail"}
	for range 40 {
		seq, column := rng.Intn(20)+1, columns[rng.Intn(len(columns))]
		var before string
		s.View(context.Background(), func(tx *sqlite.Tx) error {
			return tx.QueryRow(`SELECT `+column+` FROM audit WHERE seq = ?`, seq).Scan(&before)
		})
		b := []byte(before)
		b[rng.Intn(len(b))] ^= 1
		tamper(t, s, fmt.Sprintf(`UPDATE audit SET %s = '%s' WHERE seq = %d`, column, b, seq))
		var broken *audit.BrokenError
		if _, err := verify(t, s, head); !errors.As(err, &broken) || broken.Seq != int64(seq) {
			t.Errorf("%s of %d from %s to %s: got %v, want broken at %d", column, seq, before, b, err, seq)
		}
		tamper(t, s, fmt.Sprintf(`UPDATE audit SET %s = '%s' WHERE seq = %d`, column, before, seq))
	}
	if _, err := verify(t, s, head); err != nil {
		t.Errorf("after putting everything back: %v", err)
	}
}

func TestAppendCommitsWithItsData(t *testing.T) {
	s := open(t)
	refuse := errors.New("refused")
	err := s.Update(context.Background(), func(tx *sqlite.Tx) error {
		if err := audit.Append(tx, s.Now(), audit.Entry{Action: "record.write"}); err != nil {
			return err
		}
		return refuse
	})
	if !errors.Is(err, refuse) {
		t.Fatal(err)
	}
	if head, err := verify(t, s); err != nil || head.Seq != 0 {
		t.Errorf("after a refused write: got %v, %v, want an empty log", head, err)
	}
}

func TestAppendRefusesPersonData(t *testing.T) {
	s := open(t)
	for _, e := range []audit.Entry{
		{Action: "record.read", Subject: "Nguyễn Văn A"},
		{Action: "record.read", Subject: "079203001234"},
		{Action: "record.read", Detail: map[string]string{"phone": "0901234567"}},
		{Action: "record.read", Detail: map[string]string{"why": "asked by phone"}},
		{Action: "record.read\nforged"},
		{Action: ""},
	} {
		err := s.Update(context.Background(), func(tx *sqlite.Tx) error { return audit.Append(tx, s.Now(), e) })
		if err == nil {
			t.Errorf("accepted %+v", e)
		}
	}
}

func TestTheLogCannotBeEditedByMistake(t *testing.T) {
	s := open(t)
	fill(t, s, 1)
	for _, q := range []string{`UPDATE audit SET actor = 'x'`, `DELETE FROM audit`} {
		err := s.Update(context.Background(), func(tx *sqlite.Tx) error { _, err := tx.Exec(q); return err })
		if err == nil {
			t.Errorf("%s succeeded", q)
		}
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add(audit.Head{}.String())
	f.Add(audit.Head{Seq: 7, Hash: store.Hash{1, 2}}.String())
	f.Add("-1:00")
	f.Fuzz(func(t *testing.T, text string) {
		h, err := audit.ParseHead(text)
		if err != nil {
			return
		}
		if again, err := audit.ParseHead(h.String()); err != nil || again != h {
			t.Errorf("%q: read as %v, then as %v: %v", text, h, again, err)
		}
	})
}
