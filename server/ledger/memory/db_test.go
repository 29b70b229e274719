package memory

import (
	"crypto/rand"
	"testing"

	"wardbook/server/ledger"
	"wardbook/server/ledger/tablestest"
)

func TestTables(t *testing.T) {
	tablestest.Run(t, func(t *testing.T) tablestest.Engine {
		d, err := New(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return engine{d}
	})
}

type engine struct{ *DB }

func (e engine) Restored(t *testing.T) tablestest.Engine {
	d, err := Restore(e.Clone(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return engine{d}
}

func TestBackedUp(t *testing.T) {
	d, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	r := ledger.Replica{ID: [16]byte{1}, Acked: 5}
	put := func() {
		if err := d.Update(func(tb ledger.Tables) error { return tb.PutReplica(&r) }); err != nil {
			t.Fatal(err)
		}
	}
	put()
	backup := d.Clone()
	r.Acked = 9
	put()
	d.BackedUp(backup)
	if got := d.Replicas()[0]; got.BackedUp != 5 || got.Acked != 9 {
		t.Errorf("got %d of %d backed up, want 5 of 9", got.BackedUp, got.Acked)
	}
	if got := backup.Replicas()[0].Acked; got != 5 {
		t.Errorf("the backup moved: got %d, want 5", got)
	}
}
