package puller

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/erasure"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
)

// TestForgets: what was erased by law is in no file any more once it is acknowledged,
// wherever the program was stopped on its way, and the copy goes on agreeing.
func TestForgets(t *testing.T) {
	steps := 1
	for k := 0; k < steps; k++ {
		w := hubtest.New(t, time.Time{}, addresses, "social_protection")
		secret := hubtest.Address(3)
		secret["street"] = "CANARY"
		gone := w.Save(ward, addresses, none, secret)
		w.Approve(ward, gone)
		for i := range 3 {
			w.Approve(ward, w.Save(ward, addresses, none, hubtest.Address(i)))
		}
		w.Save(ward, addresses, gone, map[string]string{"house_no": "9"})
		w.Approve(ward, gone)
		c := newConsumer(t, w)
		c.agree()
		holds := func() (path string) {
			err := filepath.WalkDir(c.cfg.Dir, func(name string, d fs.DirEntry, err error) error {
				if err != nil || d.IsDir() {
					return err
				}
				b, err := os.ReadFile(name)
				if bytes.Contains(b, []byte("CANARY")) {
					path = name
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return path
		}
		if holds() == "" {
			t.Fatal("the copy holds no name to begin with")
		}
		w.Update(func(tx *sqlite.Tx) error {
			l := sqlite.LedgerOf(tx)
			e, _, err := w.Ledger.Erase(l, ledger.Erasure{Number: 1, Record: gone, At: w.Store.Now().UnixMilli()})
			if err == nil {
				_, err = erasure.Follow(l, e)
			}
			return err
		})
		between(w, "/acks", func(rw http.ResponseWriter, r *http.Request, next http.Handler) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			if path := holds(); path != "" && bytes.Contains(body, []byte(addresses)) {
				t.Errorf("stopped at step %d: it is acknowledged, and %s holds the name", k, path)
			}
			next.ServeHTTP(rw, r)
		})
		at, last := 0, ""
		c.cfg.step = func(name string) error {
			if at++; k > 0 && at > k {
				last = name
				return errStopped
			}
			return nil
		}
		_, err := c.pull()
		if k == 0 {
			steps = at // the first goes through whole
		}
		if k > 0 && !errors.Is(err, errStopped) {
			t.Fatalf("step %d: got %v, want to be stopped", k, err)
		}
		c.cfg.step = nil
		c.agree()
		if path := holds(); path != "" {
			t.Errorf("stopped at step %d, %s: %s holds the name", k, last, path)
		}
		if _, is := c.houses()[gone.String()]; is || len(c.houses()) != 3 {
			t.Errorf("stopped at step %d, %s: got houses %v", k, last, c.houses())
		}
		// And on.
		w.Approve(ward, w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(5)))
		c.agree()
		if len(c.houses()) != 4 {
			t.Errorf("stopped at step %d, %s, and on: got houses %v", k, last, c.houses())
		}
	}
	if steps < 8 {
		t.Errorf("got %d steps", steps)
	}
}

// TestForgottenIsTheLogsOwn: a server cannot say that a line was forgotten, which would
// keep the lines before it.
func TestForgottenIsTheLogsOwn(t *testing.T) {
	it := item{Op: "retract", Dataset: addresses, RecordID: "x-1", WardCode: ward, Revision: 1, Erased: true}
	if err := it.judge(addresses); err != nil {
		t.Errorf("an erased record: %v", err)
	}
	it.Forgotten = true
	if err := it.judge(addresses); err == nil {
		t.Error("forgotten, says the server")
	}
	it.Forgotten, it.Op = false, "upsert"
	if err := it.judge(addresses); err == nil {
		t.Error("an upsert of what was erased")
	}
}
