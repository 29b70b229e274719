package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// pinAttempts is how many wrong PINs in a row a device may try before its PIN
// is forgotten: of six digits, five guesses in a million.
const pinAttempts = 5

// pinSecretBytes is the length of a handle and of a proof.
const pinSecretBytes = 32

// What the PIN's requests may answer besides.
var (
	ErrPinWrong = &rpc.Error{Kind: rpc.Unauthenticated, Code: "pin_wrong", Vi: "Mã PIN không đúng.", En: "The PIN is wrong."}
	ErrPinGone  = &rpc.Error{Kind: rpc.Forbidden, Code: "pin_gone", Vi: "Mã PIN trên máy này không còn dùng được. Hãy mở bằng mật khẩu, rồi đặt lại mã PIN.",
		En: "The PIN of this device is no longer good. Open with the password, then set a PIN again."}
)

// pinWrong is ErrPinWrong with how many attempts are left.
func pinWrong(left int) error {
	e := *ErrPinWrong
	e.Vi, e.En = fmt.Sprintf("Mã PIN không đúng. Còn %d lần thử; sau đó phải dùng mật khẩu.", left), fmt.Sprintf("The PIN is wrong. Attempts left: %d; after them the password is needed.", left)
	return &e
}

// SetPin gives the caller's device a PIN in the place of the one before, and
// returns the server's half of the key that its store is wrapped under. handle
// is known to the device's own profile alone, proof to who has the profile and
// knows the PIN; the server keeps hashes of both.
func (s *Service) SetPin(ctx context.Context, p Principal, handle, proof []byte) ([]byte, error) {
	if len(handle) != pinSecretBytes {
		return nil, rpc.ErrMalformed.At("handle")
	}
	if len(proof) != pinSecretBytes {
		return nil, rpc.ErrMalformed.At("proof")
	}
	pin := store.Pin{Device: p.Device, Handle: sha256.Sum256(handle), Proof: sha256.Sum256(proof)}
	if _, err := io.ReadFull(s.random, pin.Salt[:]); err != nil {
		return nil, fmt.Errorf("draw a salt: %w", err)
	}
	err := s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		p, err := Current(tx, p, now)
		if err != nil {
			return err
		}
		pin.SetAt = now
		if err := tx.SetPin(pin); err != nil {
			return err
		}
		return note(tx, p, now, "pin.set", p.Unit, string(p.Device), nil)
	})
	if err != nil {
		return nil, err
	}
	return s.keys.pinHalf(pin), nil
}

// ForgetPin takes the PIN of the caller's device away.
func (s *Service) ForgetPin(ctx context.Context, p Principal) error {
	return s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		p, err := Current(tx, p, now)
		if err != nil {
			return err
		}
		if err := tx.DeletePin(p.Device); err != nil {
			return err
		}
		return note(tx, p, now, "pin.forget", p.Unit, string(p.Device), nil)
	})
}

// OpenByPin returns the server's half for the right PIN of a device. It is what
// the server withholds: from a device that was revoked, from a disabled account,
// and from everybody after pinAttempts wrong PINs in a row, when it is gone for
// good. An attempt is counted, durably, before it is answered. Who does not know
// the handle has no copy of the profile, learns nothing, and uses up no attempt
// of the device's, only those of their own address.
func (s *Service) OpenByPin(ctx context.Context, device store.DeviceID, handle, proof []byte, address netip.Addr) ([]byte, error) {
	strangers := throttleKeys("", "", address)[1:] // of the address alone
	var half []byte
	var refused error
	err := s.store.Update(ctx, func(tx *sqlite.Tx) error {
		half, refused = nil, nil
		now := s.now()
		if err := checkThrottle(tx, strangers, now); err != nil {
			return err
		}
		pin, err := tx.Pin(device)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if hash := sha256.Sum256(handle); err != nil || subtle.ConstantTimeCompare(hash[:], pin.Handle[:]) != 1 {
			refused = ErrPinGone
			return countFailure(tx, strangers, now)
		}
		p, _, err := OfDevice(tx, device)
		if err != nil {
			return err
		}
		if d, err := tx.Device(device); err != nil {
			return err
		} else if d.Revoked() {
			return ErrDeviceRevoked
		}
		if acc, err := tx.Account(p.Account); err != nil {
			return err
		} else if acc.Disabled {
			return ErrDisabled
		}
		if hash := sha256.Sum256(proof); subtle.ConstantTimeCompare(hash[:], pin.Proof[:]) == 1 {
			pin.Failures, pin.UsedAt = 0, now
			half = s.keys.pinHalf(pin)
			if err := tx.SetPin(pin); err != nil {
				return err
			}
			return note(tx, p, now, "pin.open", p.Unit, string(device), nil)
		}
		if pin.Failures++; pin.Failures >= pinAttempts {
			refused = ErrPinGone
			if err := tx.DeletePin(device); err != nil {
				return err
			}
			return note(tx, Principal{}, now, "pin.spent", p.Unit, string(device), nil)
		}
		refused = pinWrong(pinAttempts - pin.Failures)
		if err := tx.SetPin(pin); err != nil {
			return err
		}
		return note(tx, Principal{}, now, "pin.failed", p.Unit, string(device), nil)
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return nil, err
	}
	return half, nil
}
