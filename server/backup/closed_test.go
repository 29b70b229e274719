package backup

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// TestRestoreLetsNobodyInAgain: who was shut out behind the backup stays out.
func TestRestoreLetsNobodyInAgain(t *testing.T) {
	for _, c := range []struct {
		name    string
		damaged bool
	}{{"Readable", false}, {"Damaged", true}} {
		t.Run(c.name, func(t *testing.T) {
			w := begun(t)
			w.SignedIn("officer.gone", store.RoleOfficer, unit)
			w.SignedIn("officer.lost", store.RoleOfficer, unit)
			to := mustMake(t, w.dir)
			w.SignedIn("officer.later", store.RoleOfficer, unit)
			w.Update(func(tx *sqlite.Tx) error {
				a, err := tx.Account("a-officer.gone")
				if err != nil {
					return err
				}
				a.Disabled = true
				later, err := tx.Account("a-officer.later")
				later.Disabled = true
				return errors.Join(err, tx.UpdateAccount(a), tx.UpdateAccount(later), tx.RevokeDevice("d-officer.lost", time.Now(), "lost on the ferry", true))
			})
			if err := w.Store.Close(); err != nil {
				t.Fatal(err)
			}
			if c.damaged {
				if err := os.WriteFile(DatabasePath(w.dir), []byte("no database at all, but as long as one page would be at the least"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			done, err := Restore(context.Background(), to, w.dir, false, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if c.damaged {
				if done.Unread == nil || len(done.Closed) > 0 {
					t.Errorf("got %v closed, %v, want it said that nothing could be read", done.Closed, done.Unread)
				}
				return
			}
			if len(done.Closed) != 2 || done.Unread != nil {
				t.Errorf("got %q closed, %v, want an account and a device", done.Closed, done.Unread)
			}
			s, err := sqlite.Open(context.Background(), DatabasePath(w.dir), sqlite.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.View(context.Background(), func(tx *sqlite.Tx) error {
				a, err := tx.Account("a-officer.gone")
				if !a.Disabled {
					t.Error("the account is open again")
				}
				d, e := tx.Device("d-officer.lost")
				if d.RevokedAt.IsZero() || !d.Lost || d.Reason != "lost on the ferry" {
					t.Errorf("the device is open again: %+v", d)
				}
				f, e2 := tx.Family("f-officer.lost")
				if f.RevokedAt.IsZero() {
					t.Error("the device's sign-in lives")
				}
				other, e3 := tx.Account("a-supervisor." + unit)
				if other.Disabled {
					t.Error("another account was closed")
				}
				return errors.Join(err, e, e2, e3)
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}
