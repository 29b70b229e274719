package auth

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
)

// stepUpAfter is how long after a sign-in nobody is asked for the password again.
const stepUpAfter = 15 * time.Minute

// StepUp makes sure that whoever acts is who signed in, for what cannot be taken
// back: by the password, typed again, or, with none, because the sign-in is young.
// Wrong passwords are throttled as at sign-in.
func (s *Service) StepUp(ctx context.Context, p Principal, password string, address netip.Addr) error {
	if password == "" {
		return s.store.View(ctx, func(tx *sqlite.Tx) error {
			f, err := tx.Family(p.Family)
			if err != nil {
				return signedOut(err)
			}
			if age := s.now().Sub(f.CreatedAt); age < 0 || age > stepUpAfter {
				return ErrStepUp
			}
			return nil
		})
	}
	acc, keys, err := s.checkCredentials(ctx, p.Name, password, p.Device, address)
	if err == nil && acc.ID != p.Account {
		err = ErrCredentials
	}
	if errors.Is(err, ErrCredentials) {
		// Not that nobody is signed in, which a client answers with a new token and the
		// same again: a wrong password would count twice.
		wrong := *ErrCredentials
		wrong.Kind, wrong.Field = rpc.Forbidden, "password"
		return &wrong
	}
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *sqlite.Tx) error { return forgiveSuccess(tx, keys) })
}
