package auth

import (
	"context"
	"encoding/base64"
	"errors"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/rescue"
)

// OpenRescue reads a rescue file. What it holds is of the making of the device
// that it names; who that is now, and what they may, OfDevice says.
func (s *Service) OpenRescue(sealed []byte) (*rescue.File, error) {
	f, err := rescue.Open(s.keys.Rescue(), func(device string) []byte { return s.keys.deviceKey(store.DeviceID(device)) }, sealed)
	return f, sealError(err)
}

// sealError names what is wrong with something sealed for people.
func sealError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, rescue.ErrNotSealed):
		return ErrNotRescue
	case errors.Is(err, rescue.ErrForeign):
		return ErrForeignRescue
	case errors.Is(err, rescue.ErrForged):
		return ErrForgedRescue
	}
	return ErrDamagedRescue.Because(err)
}

// OfDevice returns whose device it is, with the rights of this moment. closed
// says that the device or the account may do nothing any more: its work is
// taken in all the same, and kept aside.
func OfDevice(tx *sqlite.Tx, device store.DeviceID) (p Principal, closed bool, err error) {
	d, err := tx.Device(device)
	if err != nil {
		return Principal{}, false, err
	}
	a, err := tx.Account(d.Account)
	if err != nil {
		return Principal{}, false, err
	}
	return Principal{Account: a.ID, Device: d.ID, Name: a.Name, Role: a.Role, Unit: a.Unit, Sensitive: a.Sensitive}, a.Disabled || d.Revoked(), nil
}

// OpenStore gives the key of a device's store back to its account, which has
// forgotten the password that it was locked with, or whose device has thrown
// its own way to it away. It is what the server withholds from a device that
// was revoked and from an account that was disabled. Wrong passwords count as
// at sign-in.
func (s *Service) OpenStore(ctx context.Context, in Credentials, sealed string) ([]byte, error) {
	acc, keys, err := s.checkCredentials(ctx, NormalName(in.Name), in.Password, in.Device, in.Address)
	if err != nil {
		return nil, err
	}
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return nil, rpc.ErrMalformed.At("sealed").Because(err)
	}
	device, key, err := rescue.OpenKey(s.keys.Rescue(), raw)
	if err != nil {
		return nil, sealError(err)
	}
	err = s.store.Update(ctx, func(tx *sqlite.Tx) error {
		p, closed, err := OfDevice(tx, store.DeviceID(device))
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && (p.Account != acc.ID || p.Device != in.Device):
			return rpc.ErrForbidden.Because(errors.New("the sealed key is of another device"))
		case err != nil:
			return err
		}
		if current, err := tx.Account(acc.ID); err != nil {
			return err
		} else if current.PasswordHash != acc.PasswordHash {
			return ErrCredentials
		} else if current.Disabled {
			return ErrDisabled
		}
		if closed {
			return ErrDeviceRevoked
		}
		if err := forgiveSuccess(tx, keys); err != nil {
			return err
		}
		return note(tx, p, s.now(), "device.open", p.Unit, string(p.Device), nil)
	})
	if err != nil {
		return nil, err
	}
	return key, nil
}
