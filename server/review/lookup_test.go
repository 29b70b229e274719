package review

import (
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
)

// TestOthersAreAsTheTransactionSeesThem asks an index that is behind: what
// changed since counts as it is now.
func TestOthersAreAsTheTransactionSeesThem(t *testing.T) {
	w := newWorld(t)
	a := w.officer("officer.a")
	e := w.desk.indexes.of(ward, w.def)
	moved := a.saved(conflict.RecordID{}, values("name=Lan", "phone=0903000001"))
	gone := a.saved(conflict.RecordID{}, values("name=Mai", "phone=0903000002"))
	kept := a.saved(conflict.RecordID{}, values("name=Thu", "phone=0903000003"))
	w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard).saved(conflict.RecordID{}, values("name=Elsewhere", "phone=0903000009"))
	holds := func(number string, self conflict.RecordID) (n int) {
		w.view(func(tx *sqliteTx) error {
			o, done, err := e.beside(ledgerOf(tx), self)
			if err != nil {
				return err
			}
			defer done()
			n = len(o.Find(map[string]conflict.Value{"phone": conflict.Value("+84" + number[1:])}, 5))
			return nil
		})
		return n
	}
	check := func(when string, want map[string]int) {
		t.Helper()
		for number, n := range want {
			if got := holds(number, conflict.RecordID{}); got != n {
				t.Errorf("%s: %s is held %d times, want %d", when, number, got, n)
			}
		}
	}
	all := map[string]int{"0903000001": 1, "0903000002": 1, "0903000003": 1, "0903000009": 0}
	check("an index never filled", all)
	w.view(func(tx *sqliteTx) error { return e.follow(ledgerOf(tx)) })
	check("an index up to date", all)
	a.saved(moved, values("phone=0903000007"))
	a.save(gone, form{deleted: ptr(true)})
	a.sync(gone)
	now := map[string]int{"0903000001": 0, "0903000002": 0, "0903000003": 1, "0903000007": 1}
	check("an index behind", now)
	w.view(func(tx *sqliteTx) error { return e.follow(ledgerOf(tx)) })
	check("followed", now)
	if holds("0903000003", kept) != 0 {
		t.Error("a record is beside itself")
	}
}

// The index is bounded, and a register of a unit has one.
func TestIndexesAreBounded(t *testing.T) {
	var x indexes
	def := people(t)
	first := x.of("00001", def)
	for i := range 2 * maxIndexes {
		x.of("1000"+string(rune('0'+i%10))+string(rune('a'+i/10)), def)
		if x.of("00001", def) != first {
			t.Fatal("an index in use was dropped")
		}
	}
	if len(x.list) > maxIndexes {
		t.Errorf("got %d indexes", len(x.list))
	}
}
