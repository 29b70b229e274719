package memory

import (
	"crypto/rand"
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

// A device that loses a fork goes by what the server holds under its dots. Of what a
// lost life acknowledged, the restored one tells as well.
func TestForkedIsToldWhatARestoredServerHolds(t *testing.T) {
	d, err := New(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := ledger.New(ledger.Config{Now: func() int64 { return 1 }})
	who, replica := ledger.Author{Account: "officer", Device: "phone"}, conflict.ReplicaID{1}
	hello := func(d *DB, h protocol.Hello) *protocol.Welcome {
		t.Helper()
		h.Replica = replica
		var w *protocol.Welcome
		if err := d.Update(func(tb ledger.Tables) (err error) {
			w, _, err = l.Admit(tb, who, &h)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return w
	}
	keep := func(d *DB, n uint64, body string) {
		t.Helper()
		if err := d.Update(func(tb ledger.Tables) error {
			_, err := l.CommitMalformed(tb, who, replica, n, 1, []byte(body))
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	told := func(w *protocol.Welcome) (counters []uint64) {
		for _, s := range w.Stored {
			counters = append(counters, s.Counter)
		}
		return counters
	}
	one, two, three := protocol.Token{1}, protocol.Token{2}, protocol.Token{3}

	life := hello(d, protocol.Hello{Next: one}).Epoch
	keep(d, 1, "one")
	backup := d.Clone()
	keep(d, 2, "two")
	keep(d, 3, "three")
	if w := hello(d, protocol.Hello{Epoch: life, Current: two, Next: three, Acked: 2, Last: 3}); w.Verdict != protocol.Forked || !slices.Equal(told(w), []uint64{3}) {
		t.Errorf("in the life that acknowledged: got verdict %d and %v, want forked and what lies behind the acknowledgement", w.Verdict, told(w))
	}
	back, err := Restore(backup, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// Another copy of the store comes first, and uses a dot for something else.
	hello(back, protocol.Hello{Epoch: life, Current: one, Next: two, Acked: 1, Last: 2})
	keep(back, 2, "another")
	w := hello(back, protocol.Hello{Epoch: life, Current: three, Next: one, Acked: 3, Last: 3})
	if w.Verdict != protocol.Forked || !slices.Equal(told(w), []uint64{1, 2}) || w.Acked != 2 {
		t.Errorf("in the next: got verdict %d, %v up to %d; want forked, and all that it holds up to 2", w.Verdict, told(w), w.Acked)
	}
}
