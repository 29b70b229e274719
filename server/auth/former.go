package auth

import (
	"context"

	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// Former returns whom a valid access token was given to, although the device,
// the account or the sign-in may since have been closed. Nothing may be read
// with it: it says whose work it is that a closed device still hands in, so
// that it can be kept aside and is not lost.
func (s *Service) Former(ctx context.Context, access string) (Principal, error) {
	c, err := s.tokens.parse(access)
	if err != nil {
		return Principal{}, err
	}
	p := Principal{Account: store.AccountID(c.Subject), Device: c.Device, Family: c.Family, Expires: c.ExpiresAt.Time.UTC()}
	err = s.store.View(ctx, func(tx *sqlite.Tx) error {
		a, err := tx.Account(p.Account)
		if err != nil {
			return signedOut(err)
		}
		d, err := tx.Device(p.Device)
		if err != nil {
			return signedOut(err)
		}
		if d.Account != a.ID {
			return ErrSignedOut
		}
		p.Name, p.Role, p.Unit = a.Name, a.Role, a.Unit
		return nil
	})
	if err != nil {
		return Principal{}, err
	}
	return p, nil
}
