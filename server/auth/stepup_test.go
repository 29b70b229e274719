package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// TestStepUp: the password is asked for again 15 minutes after the sign-in, and guessing
// it is throttled.
func TestStepUp(t *testing.T) {
	f := byPassword(t)
	f.account(t, "supervisor.an", store.RoleSupervisor, "26734")
	f.account(t, "supervisor.binh", store.RoleSupervisor, "26734")
	_, p := f.login(t, "supervisor.an")
	up := func(password string) error { return f.StepUp(ctx, p, password, netip.Addr{}) }
	wantErr(t, "at once", up(""), nil)
	f.clock.pass(15 * time.Minute)
	wantErr(t, "after 15 minutes", up(""), nil)
	f.clock.pass(time.Second)
	wantErr(t, "after that", up(""), ErrStepUp)
	// A client answers "nobody is signed in" with a new token and the same again.
	if e := rpc.Public(up("not it")); e.Kind != rpc.Forbidden || e.Field != "password" || e.Code != ErrCredentials.Code {
		t.Errorf("a wrong password: got %+v", e)
	}
	wantErr(t, "with the password", up(goodPassword), nil)
	wantErr(t, "without it, after it was right", up(""), ErrStepUp)
	wantErr(t, "with another", up("không phải mật khẩu"), ErrCredentials)
	other := p
	other.Name = "supervisor.binh"
	wantErr(t, "with another's name", f.StepUp(ctx, other, goodPassword, netip.Addr{}), ErrCredentials)
	for range 20 {
		if err := up("sai mật khẩu"); err == nil {
			t.Fatal("a wrong password was right")
		}
	}
	wantErr(t, "the right one, after many wrong ones", up(goodPassword), ErrThrottled)
}

// TestErasedKey: the key of the list is made when it is absent, stays when others are
// rotated or dropped, and can be read without changing anything.
func TestErasedKey(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	if key, err := ErasedKey(dir); err != nil || key != nil {
		t.Errorf("no folder: got %v, %v", key, err)
	}
	now := (&clock{}).now()
	k, err := OpenKeys(dir, now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	first := k.Erased()
	if len(first) != 32 || bytes.Equal(first, k.Rescue()) {
		t.Errorf("got %x", first)
	}
	for what, do := range map[string]func() error{"rotated": func() error { return k.Rotate(now, time.Hour) }, "dropped": func() error { return k.Drop(now) }} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
		again, err := OpenKeys(dir, now, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ErasedKey(dir)
		if err != nil || !bytes.Equal(again.Erased(), first) || !bytes.Equal(key, first) {
			t.Errorf("%s: got %x and %x, %v, want %x", what, again.Erased(), key, err, first)
		}
	}
	// A file from before there was such a key.
	path := filepath.Join(dir, "keys.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	delete(file, "erased")
	if raw, err = json.Marshal(file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := ErasedKey(dir); err != nil || len(key) > 0 {
		t.Errorf("read without one: got %x, %v", key, err)
	}
	grown, err := OpenKeys(dir, now, rand.Reader)
	if err != nil || len(grown.Erased()) != 32 || !bytes.Equal(grown.Rescue(), k.Rescue()) {
		t.Errorf("grown: got %x, %v", grown.Erased(), err)
	}
}
