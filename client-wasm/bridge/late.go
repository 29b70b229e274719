package bridge

import (
	"context"

	"wardbook/client-wasm/replica"
)

// writeLate opens a store in memory in which an account whose lease has ended
// writes one new record: it holds nothing to read, and speaks to nobody. The
// worker asks for another one for the next record; what was typed into the one
// before is gone then.
func (b *Bridge) writeLate(ctx context.Context, q late) (*Session, error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if a := b.current(); a != nil {
		if a.late == nil {
			return nil, errSignedIn
		}
		b.setCurrent(nil)
		if err := a.close(); err != nil {
			return nil, err
		}
	}
	a, err := b.openLate(ctx, q)
	if err != nil {
		return nil, err
	}
	b.setCurrent(a)
	return a.told(), nil
}

// openLate opens an empty store with what a lease has left.
func (b *Bridge) openLate(ctx context.Context, q late) (*account, error) {
	o := b.cfg.OpenLate()
	a, err := b.openAccount(ctx, o, "", q.Account)
	if err != nil {
		return nil, b.giveUp(o, err)
	}
	a.late = &q
	if err = a.r.SetDefinitions(ctx, q.Registers...); err == nil {
		err = a.keep(ctx, q.Account, func(k *kept) { *k = kept{Device: q.Device, RescueKey: q.Org, DeviceKey: q.Key} })
	}
	if err != nil {
		a.cancel()
		return nil, b.giveUp(o, err)
	}
	return a, nil
}

// lateSave saves a new record and seals it, in a store of its own, which is gone
// when it returns: each record has a replica id of its own, and a save that the
// worker could not keep leaves nothing behind that the next one would repeat.
func (a *account) lateSave(ctx context.Context, q lateSave) (saved lateSaved, err error) {
	if a.late == nil {
		return saved, errSignedIn
	}
	once, err := a.b.openLate(ctx, *a.late)
	if err != nil {
		return saved, err
	}
	defer func() {
		if e := once.close(); err == nil {
			err = e
		}
	}()
	form, err := once.r.OpenForm(ctx, "", q.Register)
	if err != nil {
		return saved, err
	}
	if saved.Reply, err = once.r.Save(ctx, replica.SaveRequest{Key: form.Key, Values: q.Values, Submit: q.Submit, Reasons: q.Reasons}); err != nil {
		return saved, err
	}
	saved.Sealed, err = once.rescue(ctx)
	return saved, err
}

type lateSave struct {
	Register string            `json:"register"`
	Values   map[string]string `json:"values"`
	Submit   bool              `json:"submit"`
	Reasons  map[string]string `json:"reasons,omitempty"`
}

type lateSaved struct {
	Reply  replica.SaveReply `json:"reply"`
	Sealed Rescue            `json:"sealed"`
}
