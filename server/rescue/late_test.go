package rescue

import (
	"crypto/rand"
	"errors"
	"testing"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/sync/record"
	sealed "wardbook/sync/rescue"
)

// late seals one new record of the phone's officer under a replica of its own,
// as it is written while the phone is locked.
func (p *phone) late() []byte {
	p.c.t.Helper()
	one := &phone{c: p.c, grant: p.grant}
	if _, err := rand.Read(one.replica[:]); err != nil {
		p.c.t.Fatal(err)
	}
	one.save(1)
	f := &sealed.File{Late: true, Device: string(p.grant.Device.ID), Made: 1, Replica: one.replica}
	for _, c := range one.made {
		f.Changesets = append(f.Changesets, sealed.Changeset{First: c.Dot.Counter, Count: uint64(c.Len()), Bytes: record.AppendChangeset(nil, c)})
	}
	b, err := sealed.Seal(rand.Reader, p.grant.RescueKey, sealed.LateKey(p.grant.DeviceKey), f)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return b
}

func (p *phone) principal() auth.Principal {
	p.c.t.Helper()
	who, err := p.c.auth.Authenticate(p.c.t.Context(), p.grant.Access)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return who
}

// TestLateIsTakenFromItsOfficerAlone, once, as that officer's.
func TestLateIsTakenFromItsOfficerAlone(t *testing.T) {
	c := newCity(t)
	ctx := t.Context()
	an, binh := c.phone("officer.an"), c.phone("officer.binh")
	again, err := c.auth.Login(ctx, auth.Credentials{Name: "officer.an", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	second := &phone{c: c, grant: again} // another device of the same officer
	first, next := an.late(), an.late()
	for name, bearer := range map[string]auth.Principal{"Nobody": {}, "Colleague": binh.principal(), "AnotherDevice": second.principal()} {
		if got, err := c.Take(ctx, bearer, first); !errors.Is(err, ErrUnvouched) || got.Applied+got.Quarantined+got.Repeated != 0 {
			t.Errorf("%s: got %+v, %v, want %v", name, got, err, ErrUnvouched)
		}
	}
	for _, file := range [][]byte{next, first} { // in whichever order
		if got, err := c.Take(ctx, an.principal(), file); err != nil || got.Applied != 1 || got.Quarantined != 0 {
			t.Fatalf("got %+v, %v, want 1 applied", got, err)
		}
	}
	if got, err := c.Take(ctx, an.principal(), first); err != nil || got.Applied != 0 || got.Repeated != 1 {
		t.Errorf("once more: got %+v, %v, want 1 repeated", got, err)
	}
	f, err := c.auth.OpenRescue(first)
	if err != nil {
		t.Fatal(err)
	}
	set, err := record.ParseChangeset(f.Changesets[0].Bytes)
	if err != nil {
		t.Fatal(err)
	}
	if set.Author != "officer.an" || set.Dot != (conflict.Dot{Replica: f.Replica, Counter: 1}) {
		t.Errorf("got author %q and dot %v", set.Author, set.Dot)
	}
}

// TestLateOfAClosedDevice is kept aside, whoever hands it in: nothing written
// is lost, and nothing passes as the officer's.
func TestLateOfAClosedDevice(t *testing.T) {
	c := newCity(t)
	an := c.phone("officer.an")
	file := an.late()
	if err := c.auth.RevokeDevice(t.Context(), auth.Console(), an.grant.Device.ID, "lost", true); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Take(t.Context(), auth.Principal{}, file); err != nil || got.Quarantined != 1 || got.Applied != 0 {
		t.Errorf("got %+v, %v, want 1 in quarantine", got, err)
	}
	if _, err := c.auth.Authenticate(t.Context(), an.grant.Access); err == nil {
		t.Error("the device may go on")
	} else if e := (*rpc.Error)(nil); !errors.As(err, &e) {
		t.Errorf("got %v", err)
	}
}
