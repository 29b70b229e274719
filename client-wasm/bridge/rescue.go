package bridge

import (
	"context"
	"encoding/hex"

	"wardbook/client-wasm/replica"
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
	file, err := rescue.Seal(a.b.cfg.Rand, k.RescueKey, k.DeviceKey, &rescue.File{Late: a.late != nil, Device: k.Device, Made: a.b.cfg.Now(), Replica: replica, Changesets: changesets})
	return Rescue{File: file, Count: len(changesets)}, err
}

// lease is what the worker keeps beside a store's key, after each contact with
// the server that lets the account work on.
type lease struct {
	Device  string `json:"device"`
	Sealed  []byte `json:"sealed"`  // the store's key, sealed to the organisation's
	Seconds int64  `json:"seconds"` // how long the store may be read without another contact
	Late    *late  `json:"late,omitempty"`
}

// late is what new records can be written with when the lease has ended. It
// lies beside the store, in clear: it opens nothing, and holds no record.
type late struct {
	Account   replica.Account `json:"account"`
	Device    string          `json:"device"`
	Org       []byte          `json:"org"` // what is written is sealed to it
	Key       []byte          `json:"key"` // proves on which device it was written
	Registers [][]byte        `json:"registers"`
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
	granted := lease{Device: k.Device, Sealed: key, Seconds: k.Lease}
	if a.replicates() {
		granted.Late = &late{Account: a.r.Account(), Device: k.Device, Org: k.RescueKey, Key: rescue.LateKey(k.DeviceKey)}
		for _, d := range a.r.Definitions() {
			granted.Late.Registers = append(granted.Late.Registers, d.Marshal())
		}
	}
	a.b.emit("lease", granted)
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
	Drafts int  `json:"drafts"` // forms with words in them that were never saved: no file holds them
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
	drafts, err := a.r.Drafts(ctx)
	if err != nil {
		a.b.cfg.Log("count drafts: " + err.Error())
	}
	for i := range drafts {
		if drafts[i].Dirty {
			e.Drafts++
		}
	}
	return e
}
