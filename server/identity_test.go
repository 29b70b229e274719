package main

import (
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
)

// A device that comes back with an empty store is shown as such where devices
// are listed, with what it had last said was unsent; its old id is closed when
// the month is over.
func TestVanishedStoreInTheDeviceLists(t *testing.T) {
	ctx := t.Context()
	a := openTestApp(t)
	w := hubtest.On(t, a.store, a.ledger, a.review, a.definitions)
	const unit = "27169"
	w.SignedIn("officer.x", store.RoleOfficer, unit)
	desk := w.SignedIn("supervisor.x", store.RoleSupervisor, unit)
	author := ledger.Author{Account: "officer.x", Device: "d-officer.x", Unit: unit}
	hello := func(id conflict.ReplicaID, unsent uint64) {
		t.Helper()
		w.Update(func(tx *sqlite.Tx) error {
			l := sqlite.LedgerOf(tx)
			if _, _, err := a.ledger.Admit(l, author, &protocol.Hello{Replica: id, Next: protocol.Token{1}}); err != nil {
				return err
			}
			return l.KeepReport(id, "test", a.store.Now().UnixMilli(), &protocol.Report{Unsent: unsent})
		})
	}
	look := func() store.Device {
		t.Helper()
		all, err := a.auth.Devices(ctx, auth.Console(), "a-officer.x", "", 10)
		if err != nil || len(all) != 1 {
			t.Fatalf("got %+v, %v", all, err)
		}
		return all[0].Device
	}
	hello(conflict.ReplicaID{1}, 7)
	if d := look(); !d.VanishedAt.IsZero() || d.Unsent != 7 {
		t.Errorf("got %+v", d)
	}
	hello(conflict.ReplicaID{2}, 2)
	if d := look(); time.Since(d.VanishedAt) > time.Hour || d.VanishedLeft != 7 || d.Unsent != 2 {
		t.Errorf("got %+v", d)
	}
	day, err := a.review.Day(desk, review.DayRequest{})
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, d := range day.Devices {
		found = found || d.Account == "officer.x" && d.VanishedAt > 0
	}
	if !found {
		t.Errorf("the desk is shown %+v", day.Devices)
	}
	w.Update(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		r, _, err := l.Replica(conflict.ReplicaID{1})
		if err != nil {
			return err
		}
		r.SeenAt -= 31 * 24 * time.Hour.Milliseconds()
		return l.PutReplica(&r)
	})
	if err := a.retireOnce(ctx); err != nil {
		t.Fatal(err)
	}
	w.View(func(tx *sqlite.Tx) error {
		for id, want := range map[conflict.ReplicaID]bool{{1}: true, {2}: false} {
			r, _, err := sqlite.LedgerOf(tx).Replica(id)
			if err != nil || (r.RetiredAt != 0) != want {
				t.Errorf("replica %v: retired at %d, %v", id, r.RetiredAt, err)
			}
		}
		return nil
	})
}
