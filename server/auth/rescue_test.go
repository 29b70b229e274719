package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/rescue"
)

// TestOpenStore gives a store's key back to its account on its device, and to
// nobody else.
func TestOpenStore(t *testing.T) {
	f := byPassword(t)
	an := f.account(t, "officer.an", store.RoleOfficer, "26734")
	f.account(t, "officer.binh", store.RoleOfficer, "26734")
	f.account(t, "root", store.RoleAdmin, "")
	g, _ := f.login(t, "officer.an")
	other, _ := f.login(t, "officer.an")
	key := bytes.Repeat([]byte{7}, 32)
	raw, err := rescue.SealKey(rand.Reader, g.RescueKey, string(g.Device.ID), key)
	if err != nil {
		t.Fatal(err)
	}
	sealed := base64.StdEncoding.EncodeToString(raw)
	open := func(name, password string, device store.DeviceID, sealed string) ([]byte, error) {
		return f.OpenStore(ctx, Credentials{Name: name, Password: password, Device: device}, sealed)
	}
	if got, err := open("officer.an", goodPassword, g.Device.ID, sealed); err != nil || !bytes.Equal(got, key) {
		t.Fatalf("got %x, %v", got, err)
	}
	raw[len(raw)-1] ^= 1
	for _, c := range []struct {
		name, account, password string
		device                  store.DeviceID
		sealed                  string
		want                    error
	}{
		{"WrongPassword", "officer.an", "not the password", g.Device.ID, sealed, ErrCredentials},
		{"AnotherDevice", "officer.an", goodPassword, other.Device.ID, sealed, rpc.ErrForbidden},
		{"AnotherAccount", "officer.binh", goodPassword, g.Device.ID, sealed, rpc.ErrForbidden},
		{"Changed", "officer.an", goodPassword, g.Device.ID, base64.StdEncoding.EncodeToString(raw), ErrDamagedRescue},
		{"NoBase64", "officer.an", goodPassword, g.Device.ID, "?", rpc.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := open(c.account, c.password, c.device, c.sealed); !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %x, %v, want %v", got, err, c.want)
			}
		})
	}
	// What the server withholds.
	if err := f.RevokeDevice(ctx, Console(), g.Device.ID, "lost", true); err != nil {
		t.Fatal(err)
	}
	if _, err := open("officer.an", goodPassword, g.Device.ID, sealed); !errors.Is(err, ErrDeviceRevoked) {
		t.Errorf("revoked device: got %v, want %v", err, ErrDeviceRevoked)
	}
	disabled := true
	if _, err := f.Alter(ctx, Console(), an.ID, Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if _, err := open("officer.an", goodPassword, other.Device.ID, sealed); err == nil {
		t.Error("a disabled account opens a store")
	}
	// Guessing here counts as guessing at the door.
	for range 20 {
		_, err = open("officer.binh", "wrong", other.Device.ID, sealed)
	}
	if !errors.Is(err, ErrThrottled) {
		t.Errorf("after 20 guesses: got %v, want %v", err, ErrThrottled)
	}
}

// TestLost lets a supervisor of the unit report a device lost, and see what was
// last heard of it; nobody else but an administrator and its owner.
func TestLost(t *testing.T) {
	f := byPassword(t)
	f.account(t, "the.root", store.RoleAdmin, "")
	f.account(t, "officer.an", store.RoleOfficer, "26734")
	f.account(t, "officer.binh", store.RoleOfficer, "26734")
	f.account(t, "supervisor.here", store.RoleSupervisor, "26734")
	f.account(t, "supervisor.there", store.RoleSupervisor, "26737")
	g, an := f.login(t, "officer.an")
	_, binh := f.login(t, "officer.binh")
	_, here := f.login(t, "supervisor.here")
	_, there := f.login(t, "supervisor.there")
	_, root := f.login(t, "the.root")

	replica := conflict.ReplicaID{1}
	heard := f.clock.now()
	told := heard.Add(12 * time.Minute) // since when no token was renewed
	err := f.store.Update(ctx, func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		for i, id := range []conflict.ReplicaID{{2}, replica} { // one that is left behind, and the one in use
			if err := l.PutReplica(&ledger.Replica{ID: id, Account: "officer.an", Device: string(g.Device.ID), SeenAt: heard.UnixMilli() + int64(i)}); err != nil {
				return err
			}
		}
		r, _, err := l.Replica(replica)
		if err != nil {
			return err
		}
		for counter, at := range []time.Time{heard.Add(-time.Hour), heard} {
			if err := l.AppendIntake(&ledger.Intake{Replica: r.No, Counter: uint64(counter + 1), Count: 1, Unit: "26734", Received: at.UnixMilli(), Bytes: []byte{1}}, nil); err != nil {
				return err
			}
		}
		return l.KeepReport(replica, "web/1", told.UnixMilli(), &protocol.Report{Unsent: 7, Oldest: heard.Add(-48 * time.Hour).UnixMilli(), Headroom: 5})
	})
	if err != nil {
		t.Fatal(err)
	}
	all, err := f.UnitDevices(ctx, here, "", 100)
	if err != nil || len(all) != 3 {
		t.Fatalf("got %d devices, %v, want the unit's 3", len(all), err)
	}
	i := slices.IndexFunc(all, func(s store.DeviceState) bool { return s.ID == g.Device.ID })
	device := all[i].Device
	device.Unsent, device.LastSeenAt = 7, told
	want := store.DeviceState{Device: device, AccountName: "officer.an", Display: all[i].Display, Unit: "26734", App: "web/1",
		ToldAt: told, Oldest: heard.Add(-48 * time.Hour), Headroom: 5, ReceivedAt: heard}
	if all[i] != want {
		t.Errorf("got %+v, want %+v", all[i], want)
	}
	for name, p := range map[string]Principal{"Officer": binh, "Administrator": root} {
		if _, err := f.UnitDevices(ctx, p, "", 100); !errors.Is(err, rpc.ErrForbidden) {
			t.Errorf("%s lists a unit's devices: %v", name, err)
		}
	}
	if got, err := f.UnitDevices(ctx, there, "", 100); err != nil || len(got) != 1 {
		t.Errorf("another unit's supervisor sees %d devices, %v, want their own", len(got), err)
	}

	for name, p := range map[string]Principal{"Colleague": binh, "AnotherUnit": there} {
		if err := f.RevokeDevice(ctx, p, g.Device.ID, "lost", true); !errors.Is(err, rpc.ErrNotFound) {
			t.Errorf("%s reports it lost: %v", name, err)
		}
	}
	if err := f.RevokeDevice(ctx, here, g.Device.ID, "misused", false); !errors.Is(err, rpc.ErrNotFound) {
		t.Errorf("a supervisor revokes for another reason: %v", err)
	}
	if err := f.RevokeDevice(ctx, here, g.Device.ID, "lost", true); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Recheck(ctx, an); !errors.Is(err, ErrDeviceRevoked) {
		t.Errorf("the lost device: %v", err)
	}
	// Its owner goes on with another at once.
	if _, err := f.Login(ctx, Credentials{Name: "officer.an", Password: goodPassword}); err != nil {
		t.Errorf("on another device: %v", err)
	}
}

// TestOldKeyFileGrows gives a file of keys that was made before devices sealed
// anything a key for that, once, and leaves the others alone.
func TestOldKeyFileGrows(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	path := filepath.Join(dir, "keys.json")
	now := (&clock{}).now()
	k, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var old map[string]any
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &old); err != nil {
		t.Fatal(err)
	}
	delete(old, "rescue")
	if raw, err = json.Marshal(old); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Rescue()) != 32 || !bytes.Equal(first.Rescue(), again.Rescue()) {
		t.Errorf("rescue key: %x, then %x", first.Rescue(), again.Rescue())
	}
	if !k.Receipt().Equal(again.Receipt()) {
		t.Error("the receipt key changed")
	}
}
