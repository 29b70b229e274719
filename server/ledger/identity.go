package ledger

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
)

// Retirement says that no write of a replica with a counter above Last will ever
// be stored: its id is closed.
type Retirement struct {
	Number  uint64 // contiguous from 1 in the database's life
	Epoch   protocol.Token
	Replica conflict.ReplicaID
	Last    uint64
	At      int64 // server clock, Unix milliseconds
	Why     string
}

// Why a replica is retired. Stored; never changed.
const (
	WhyVanished = "vanished" // its device came back without its store
	WhySilent   = "silent"   // nothing was heard of it for so long
)

// How long nothing is heard of a replica before it is retired, in milliseconds.
const (
	silentFor   = 400 * dayMillis // a device that is used for one campaign a year comes back
	vanishedFor = Lease           // the store may turn up again: another tab, a repaired profile
)

// arrive looks at the other replicas of a device that comes with a new one. A
// copy that was told to take another id comes back like that. Else the store
// that held the others is gone, with what was in it: the server knows it by the
// counters that it was once told of.
func (l *Ledger) arrive(t Tables, fresh *Replica, now int64) error {
	if fresh.Device == "" {
		return nil
	}
	others, err := t.ReplicasOf(fresh.Account, fresh.Device)
	if err != nil {
		return err
	}
	for i := range others {
		if o := &others[i]; o.Parted && o.ID != fresh.ID {
			o.Parted = false
			return t.PutReplica(o)
		}
	}
	for i := range others {
		o := &others[i]
		if o.ID == fresh.ID || o.VanishedAt != 0 || o.RetiredAt != 0 {
			continue
		}
		o.VanishedAt = now
		if err := t.PutReplica(o); err != nil {
			return err
		}
	}
	return nil
}

// Retire closes the ids of up to limit replicas of which nothing was heard for
// long enough. A store that comes back under a retired id is told to take another
// one, as a copy is: what the server holds of it keeps its dots, the rest comes
// again under new ones, and nothing is lost. It returns what was retired.
func (l *Ledger) Retire(t Tables, limit int) ([]Retirement, error) {
	now := l.cfg.Now()
	silent, err := t.SilentSince(now-vanishedFor, limit)
	if err != nil {
		return nil, err
	}
	epoch, err := t.Epoch()
	if err != nil {
		return nil, err
	}
	var list []Retirement
	for i := range silent {
		r := &silent[i]
		why := WhyVanished
		if r.VanishedAt == 0 {
			if why = WhySilent; now-r.SeenAt < silentFor {
				continue
			}
		}
		if r.ID == epoch.Server {
			continue
		}
		event := Retirement{Epoch: epoch.Token, Replica: r.ID, Last: r.Acked, At: now, Why: why}
		if err := t.AppendRetirement(&event); err != nil {
			return nil, err
		}
		r.RetiredAt = now
		if err := t.PutReplica(r); err != nil {
			return nil, err
		}
		list = append(list, event)
	}
	return list, nil
}
