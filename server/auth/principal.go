package auth

import (
	"context"
	"errors"
	"strings"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// Principal is who is asking, as the database knew them at one moment. Rights
// change: inside a write, take a fresh one with Current in the same transaction.
type Principal struct {
	Account store.AccountID
	Device  store.DeviceID
	Family  store.FamilyID
	Name    string
	Role    store.Role
	Unit    string // 5-digit unit code; empty for hub and admin
	// Waiting names, divided by spaces, the units in which the records of a split
	// unit wait for a person to assign them, where Unit is that unit or one of its
	// successors.
	Waiting    string
	Sensitive  bool // the sensitive class of the unit's fields is theirs too
	MustChange bool // nothing is theirs until they change their password
	Expires    time.Time

	console bool // the server's own command line
}

// Console is the server's own command line: whoever owns the data folder. It may
// administer and appears in the audit log without an account.
func Console() Principal {
	return Principal{Role: store.RoleAdmin, console: true}
}

// Current reads the principal anew within tx: the account must be enabled, the
// device and the sign-in alive. Its time is the caller's, so that checks and
// actions of one transaction agree. An error is ErrSignedOut or the store's.
func Current(tx *sqlite.Tx, p Principal, now time.Time) (Principal, error) {
	if p.console {
		return p, nil
	}
	a, err := tx.Account(p.Account)
	if err != nil {
		return Principal{}, signedOut(err)
	}
	d, err := tx.Device(p.Device)
	if err != nil {
		return Principal{}, signedOut(err)
	}
	f, err := tx.Family(p.Family)
	if err != nil {
		return Principal{}, signedOut(err)
	}
	switch {
	case a.Disabled:
		return Principal{}, ErrDisabled
	case d.Account != a.ID || f.Account != a.ID || f.Device != d.ID:
		return Principal{}, ErrSignedOut
	case d.Revoked():
		return Principal{}, ErrDeviceRevoked
	case f.Revoked() || !now.Before(f.ExpiresAt):
		return Principal{}, ErrSignedOut
	}
	waiting, err := tx.WaitingUnits(a.Unit)
	if err != nil {
		return Principal{}, err
	}
	return Principal{
		Waiting: strings.Join(waiting, " "),
		Account: a.ID, Device: d.ID, Family: f.ID, Name: a.Name, Role: a.Role, Unit: a.Unit,
		Sensitive: a.Sensitive, MustChange: a.MustChange, Expires: p.Expires,
	}, nil
}

// signedOut turns an absent row into ErrSignedOut and leaves other errors alone.
func signedOut(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return ErrSignedOut.Because(err)
	}
	return err
}

type principalKey struct{}

// NewContext returns a context that carries p.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// FromContext returns the principal that the gate put into the request's
// context. Without one, ErrUnauthenticated.
func FromContext(ctx context.Context) (Principal, error) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	if !ok {
		return Principal{}, rpc.ErrUnauthenticated
	}
	return p, nil
}
