package rescue

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
	sealed "wardbook/sync/rescue"
)

const (
	ward     = "27169"
	password = "con mèo trèo cây cau"
)

// city is a server and its accounts.
type city struct {
	t      *testing.T
	store  *sqlite.Store
	auth   *auth.Service
	ledger *ledger.Ledger
	*Service
}

func newCity(t *testing.T) *city {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	st, err := sqlite.Open(ctx, filepath.Join(dir, "wardbook.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := auth.OpenKeys(filepath.Join(dir, "keys"), time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &city{t: t, store: st}
	if c.auth, err = auth.New(st, keys, auth.Options{Enrolment: auth.EnrolByPassword,
		AccountOptions: auth.AccountOptions{Cost: auth.Cost{Memory: 64, Time: 1, Threads: 1}}}); err != nil {
		t.Fatal(err)
	}
	defs, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	definition := func(id string) (*register.Definition, bool) {
		for _, d := range defs {
			if string(d.ID) == id {
				return d, true
			}
		}
		return nil, false
	}
	now := func() int64 { return time.Now().UnixMilli() }
	c.ledger = ledger.New(ledger.Config{Definition: definition, Registers: []string{"residents"}, Now: now,
		Allow: func(a ledger.Author, unit string, class protocol.Class) bool {
			return a.Unit == unit && (class == protocol.Basic || a.Sensitive)
		}})
	c.Service = New(Config{Store: st, Auth: c.auth, Ledger: c.ledger, Grew: func([]protocol.StreamMark) {}, Now: now})
	t.Cleanup(func() {
		err := st.View(context.Background(), func(tx *sqlite.Tx) error {
			_, err := audit.Verify(tx)
			return err
		})
		if err := errors.Join(err, st.Close()); err != nil {
			t.Error(err)
		}
	})
	return c
}

// phone is one device of one officer, and what it has not sent.
type phone struct {
	c       *city
	grant   auth.Grant
	replica conflict.ReplicaID
	made    []record.Changeset
}

func (c *city) phone(name string) *phone {
	c.t.Helper()
	if _, _, err := c.auth.Create(c.t.Context(), auth.Console(), auth.NewAccount{Name: name, Role: store.RoleOfficer, Unit: ward, Password: password}); err != nil {
		c.t.Fatal(err)
	}
	g, err := c.auth.Login(c.t.Context(), auth.Credentials{Name: name, Password: password})
	if err != nil {
		c.t.Fatal(err)
	}
	p := &phone{c: c, grant: g}
	if _, err := rand.Read(p.replica[:]); err != nil {
		c.t.Fatal(err)
	}
	return p
}

// save makes n new residents.
func (p *phone) save(n int) {
	for range n {
		next := uint64(1)
		if len(p.made) > 0 {
			next = p.made[len(p.made)-1].Last().Counter + 1
		}
		dot := conflict.Dot{Replica: p.replica, Counter: next}
		p.made = append(p.made, record.Changeset{Dot: dot, Unit: ward, Author: p.grant.Account.Name, At: time.Now().UnixMilli(),
			Edits: []record.Edit{{Record: dot, Register: "residents", Definition: 1,
				Writes: []record.Write{{Key: conflict.FieldKey{ID: 16}, Value: conflict.Value(fmt.Sprintf("Người %d", next))}}}}})
	}
}

// file seals what the phone made from a changeset on.
func (p *phone) file(from int) []byte {
	p.c.t.Helper()
	f := &sealed.File{Device: string(p.grant.Device.ID), Made: 1, Replica: p.replica}
	for _, c := range p.made[from:] {
		f.Changesets = append(f.Changesets, sealed.Changeset{First: c.Dot.Counter, Count: uint64(c.Len()), Bytes: record.AppendChangeset(nil, c)})
	}
	b, err := sealed.Seal(rand.Reader, p.grant.RescueKey, p.grant.DeviceKey, f)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return b
}

// push sends everything over a session.
func (p *phone) push() ledger.Outcome {
	p.c.t.Helper()
	a := ledger.Author{Account: p.grant.Account.Name, Device: string(p.grant.Device.ID), Unit: ward}
	var out ledger.Outcome
	err := p.c.store.Update(p.c.t.Context(), func(tx *sqlite.Tx) error {
		t := sqlite.LedgerOf(tx)
		if _, _, err := p.c.ledger.Admit(t, a, &protocol.Hello{Version: protocol.Version, Replica: p.replica, Next: protocol.Token{1}, Last: p.made[len(p.made)-1].Last().Counter}); err != nil {
			return err
		}
		var err error
		out, err = p.c.ledger.Commit(t, a, p.replica, p.made)
		return err
	})
	if err != nil {
		p.c.t.Fatal(err)
	}
	return out
}

// count returns a number out of the database.
func (c *city) count(query string) (n int) {
	c.t.Helper()
	if err := c.store.View(c.t.Context(), func(tx *sqlite.Tx) error { return tx.QueryRow(query).Scan(&n) }); err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *city) take(file []byte) Taken {
	c.t.Helper()
	taken, err := c.Take(c.t.Context(), auth.Principal{}, file)
	if err != nil {
		c.t.Fatal(err)
	}
	return taken
}

// TestOnceAndOnlyOnce hands a file in twice, then lets its device push the
// same, then hands a longer file in: every record is there once.
func TestOnceAndOnlyOnce(t *testing.T) {
	c := newCity(t)
	p := c.phone("officer.a")
	p.save(1200) // more than one portion
	file := p.file(0)
	if got := c.take(file); got.Applied != 1200 || got.Repeated != 0 || got.Quarantined != 0 || got.Changesets != 1200 {
		t.Errorf("the first time: %+v", got)
	}
	if got := c.take(file); got.Applied != 0 || got.Repeated != 1200 || got.Quarantined != 0 {
		t.Errorf("the second time: %+v", got)
	}
	p.save(1)
	if out := p.push(); out.Applied != 1 || out.Repeats != 1200 || out.Forked != nil {
		t.Errorf("the device comes by itself: applied %d, repeated %d, forked %v", out.Applied, out.Repeats, out.Forked)
	}
	p.save(1)
	if got := c.take(p.file(1200)); got.Applied != 1 || got.Repeated != 1 {
		t.Errorf("a later file: %+v", got)
	}
	if got := c.count(`SELECT count(*) FROM records`); got != 1202 {
		t.Errorf("got %d records, want 1202", got)
	}
	if got := c.count(`SELECT count(*) FROM audit WHERE action = 'rescue.take'`); got != 4 {
		t.Errorf("got %d entries in the audit log, want one a portion with something new, 4", got)
	}
}

// TestRefusedWhole refuses files that cannot be believed, and takes nothing of
// them.
func TestRefusedWhole(t *testing.T) {
	c, other := newCity(t), newCity(t)
	p := c.phone("officer.a")
	stranger := other.phone("officer.a")
	p.save(3)
	stranger.save(3)
	tampered := p.file(0)
	tampered[len(tampered)/2] ^= 1
	// Made in the name of another's device, by somebody who knows the
	// organisation's public key and a device's key of their own.
	thief := c.phone("officer.b")
	thief.replica = p.replica
	thief.save(1)
	thief.grant.Device.ID = p.grant.Device.ID
	// Their own device, another's replica.
	greedy := c.phone("officer.c")
	c.take(p.file(0)[:]) // the replica is p's from here on
	greedy.replica = p.replica
	greedy.save(4)
	for _, test := range []struct {
		name string
		file []byte
		want error
	}{
		{"Tampered", tampered, auth.ErrDamagedRescue},
		{"Cut", p.file(0)[:200], auth.ErrDamagedRescue},
		{"AnotherOrganisation", stranger.file(0), auth.ErrForeignRescue},
		{"Forged", thief.file(0), auth.ErrForgedRescue},
		{"SomethingElse", []byte("PK\x03\x04 a zip"), auth.ErrNotRescue},
		{"Empty", nil, auth.ErrNotRescue},
		{"AnothersReplica", greedy.file(3), rpc.ErrForbidden},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := c.Take(t.Context(), auth.Principal{}, test.file)
			if !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
	if got := c.count(`SELECT count(*) FROM intake`); got != 3 {
		t.Errorf("got %d changesets stored, want the 3 of the good file", got)
	}
}

// TestAuthorisedAsItsAuthor takes the file of a device that was revoked, and of
// an account that was disabled, into quarantine: never dropped, never as the
// bearer's. One of an officer who has moved counts where it was written, as
// long as the device could not know of the move.
func TestAuthorisedAsItsAuthor(t *testing.T) {
	c := newCity(t)
	lost := c.phone("officer.a")
	lost.save(20)
	file := lost.file(0)
	if err := c.auth.RevokeDevice(t.Context(), auth.Console(), lost.grant.Device.ID, "lost", true); err != nil {
		t.Fatal(err)
	}
	if got := c.take(file); got.Quarantined != 20 || got.Applied != 0 {
		t.Errorf("a lost device's file: %+v", got)
	}
	if got := c.take(file); got.Repeated != 20 || got.Quarantined != 0 {
		t.Errorf("again: %+v", got)
	}
	if got := c.count(`SELECT count(*) FROM quarantine WHERE author = 'officer.a' AND unit = '` + ward + `'`); got != 20 {
		t.Errorf("got %d in quarantine as the author's, want 20", got)
	}
	moved := c.phone("officer.b")
	moved.save(2)
	to := "26734"
	if _, err := c.auth.Alter(t.Context(), auth.Console(), moved.grant.Account.ID, auth.Change{Unit: &to}); err != nil {
		t.Fatal(err)
	}
	if got := c.take(moved.file(0)); got.Applied != 2 {
		t.Errorf("a moved officer's file: %+v", got)
	}
	gone := c.phone("officer.c")
	gone.save(4)
	disabled := true
	if _, err := c.auth.Alter(t.Context(), auth.Console(), gone.grant.Account.ID, auth.Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	if got := c.take(gone.file(0)); got.Quarantined != 4 || got.Applied != 0 {
		t.Errorf("a disabled account's file: %+v", got)
	}
	if got := c.count(`SELECT count(*) FROM records WHERE unit = '` + ward + `'`); got != 2 {
		t.Errorf("got %d records in the ward, want the moved officer's 2", got)
	}
}

// TestGap refuses a file whose earlier part is not here and tells how to mend
// that; in the right order both are taken.
func TestGap(t *testing.T) {
	c := newCity(t)
	p := c.phone("officer.a")
	p.save(6)
	if _, err := c.Take(t.Context(), auth.Principal{}, p.file(3)); !errors.Is(err, ErrGap) {
		t.Errorf("got %v, want %v", err, ErrGap)
	}
	older := p.made
	p.made = p.made[:4]
	first := p.file(0)
	p.made = older
	c.take(first)
	if got := c.take(p.file(3)); got.Applied != 2 || got.Repeated != 1 {
		t.Errorf("after the older file: %+v", got)
	}
}

// TestUnreadable keeps what cannot be read aside and goes on with what
// follows.
func TestUnreadable(t *testing.T) {
	c := newCity(t)
	p := c.phone("officer.a")
	p.save(3)
	f := &sealed.File{Device: string(p.grant.Device.ID), Made: 1, Replica: p.replica}
	for i, made := range p.made {
		b := record.AppendChangeset(nil, made)
		if i == 1 {
			b = bytes.Repeat([]byte{0xff}, 40)
		}
		f.Changesets = append(f.Changesets, sealed.Changeset{First: made.Dot.Counter, Count: uint64(made.Len()), Bytes: b})
	}
	file, err := sealed.Seal(rand.Reader, p.grant.RescueKey, p.grant.DeviceKey, f)
	if err != nil {
		t.Fatal(err)
	}
	if got := c.take(file); got.Applied != 2 || got.Quarantined != 1 {
		t.Errorf("got %+v", got)
	}
	if got := c.take(file); got.Repeated != 3 {
		t.Errorf("again: %+v", got)
	}
}
