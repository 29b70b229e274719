package auth

import (
	"testing"

	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// What an account could do is kept when it can do something else, and only then.
func TestRightsThatEndedAreKept(t *testing.T) {
	f := byPassword(t)
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	unit, sensitive, name, disabled := "26737", !a.Sensitive, "Another Name", true
	var at []int64
	for _, c := range []Change{{DisplayName: &name}, {Unit: &unit}, {Disabled: &disabled}, {Sensitive: &sensitive}} {
		if _, err := f.Alter(ctx, Console(), a.ID, c); err != nil {
			t.Fatal(err)
		}
		at = append(at, f.clock.now().UnixMilli())
	}
	var got []ledger.Rights
	if err := f.store.View(ctx, func(tx *sqlite.Tx) (err error) { got, err = sqlite.LedgerOf(tx).PastRights("officer.a"); return err }); err != nil {
		t.Fatal(err)
	}
	want := []ledger.Rights{{Version: 1, Unit: "26734", Sensitive: a.Sensitive, EndedAt: at[1]}, {Version: 2, Unit: "26737", Sensitive: a.Sensitive, EndedAt: at[3]}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
