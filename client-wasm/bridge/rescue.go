package bridge

import (
	"context"
	"encoding/hex"

	"wardbook/sync/rescue"
)

// Rescue is a rescue file, for the page to hand to the browser as a download.
type Rescue struct {
	File  []byte `json:"file"`  // base64 in JSON
	Count int    `json:"count"` // changesets in it
}

// errNoSeal is for a store that has not spoken to a server that seals yet.
var errNoSeal = &Failure{Code: "no_seal", VI: "Thiết bị này chưa nhận khóa niêm phong. Hãy kết nối mạng một lần rồi thử lại.",
	EN: "This device has no sealing key yet. Connect to the network once, then try again."}

// rescue makes a rescue file of everything that the server has not
// acknowledged. What it holds stays in the outbox: taken twice it counts once.
func (a *account) rescue(ctx context.Context) (Rescue, error) {
	k := a.session()
	if len(k.RescueKey) == 0 {
		return Rescue{}, errNoSeal
	}
	replica, changesets, err := a.r.Unsent(ctx)
	if err != nil {
		return Rescue{}, err
	}
	file, err := rescue.Seal(a.b.cfg.Rand, k.RescueKey, k.DeviceKey, &rescue.File{Device: k.Device, Made: a.b.cfg.Now(), Replica: replica, Changesets: changesets})
	return Rescue{File: file, Count: len(changesets)}, err
}

// lease is what the worker keeps beside a store's key, after each contact with
// the server that lets the account work on.
type lease struct {
	Device  string `json:"device"`
	Sealed  []byte `json:"sealed"`  // the store's key, sealed to the organisation's
	Seconds int64  `json:"seconds"` // how long the store may be read without another contact
}

// renewLease tells the worker that the server has just granted the account.
func (a *account) renewLease() {
	k := a.session()
	if len(k.RescueKey) == 0 {
		return
	}
	key, err := hex.DecodeString(a.key)
	if err == nil {
		key, err = rescue.SealKey(a.b.cfg.Rand, k.RescueKey, k.Device, key)
	}
	if err != nil {
		a.b.cfg.Log("seal the store's key: " + err.Error())
		return
	}
	a.b.emit("lease", lease{Device: k.Device, Sealed: key, Seconds: k.Lease})
}

// ending is what the worker hears when the server has closed the device or
// the account.
type ending struct {
	Code  string `json:"code"`  // the server's: device_revoked or account_disabled
	File  []byte `json:"file"`  // the unsent work, sealed; empty if there is none
	Count int    `json:"count"` // changesets in it
	// Sealed says that nothing unsent is left but in the file, so that the
	// store may go.
	Sealed bool `json:"sealed"`
}

// endingOf seals the unsent work of an account that is being closed.
func (a *account) endingOf(ctx context.Context, why *Failure) ending {
	e := ending{Code: why.Code}
	file, err := a.rescue(ctx)
	switch {
	case err != nil:
		a.b.cfg.Log("seal unsent work: " + err.Error())
	case file.Count == 0:
		e.Sealed = true
	default:
		e.File, e.Count, e.Sealed = file.File, file.Count, true
	}
	return e
}
