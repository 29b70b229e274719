package town

import (
	"context"
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/session"
)

// rotten is a store of which the disk has damaged one entry of the outbox.
type rotten struct {
	*store.Memory
	no uint64
}

func (s rotten) sound(entries []replica.Entry, err error) ([]replica.Entry, error) {
	return slices.DeleteFunc(slices.Clone(entries), func(e replica.Entry) bool { return e.No == s.no }), err
}

func (s rotten) Outbox(ctx context.Context, of conflict.ReplicaID, from uint64, maxBytes, limit int) ([]replica.Entry, error) {
	return s.sound(s.Memory.Outbox(ctx, of, from, maxBytes, limit))
}

func (s rotten) Entries(ctx context.Context, after uint64, limit int) ([]replica.Entry, error) {
	return s.sound(s.Memory.Entries(ctx, after, limit))
}

func (s rotten) Holdings(ctx context.Context, ids []conflict.RecordID) ([]replica.Holding, error) {
	all, err := s.Memory.Holdings(ctx, ids)
	for i := range all {
		all[i].Entries, _ = s.sound(all[i].Entries, nil)
	}
	return all, err
}

func (s rotten) Damaged(ctx context.Context) ([]replica.Damage, error) {
	entries, err := s.Memory.Entries(ctx, s.no-1, 1)
	if err != nil || len(entries) == 0 || entries[0].No != s.no {
		return nil, err
	}
	c := entries[0].Changeset
	return []replica.Damage{{No: s.no, Replica: c.Dot.Replica, First: c.Dot.Counter, Last: c.Last().Counter, At: c.At}}, nil
}

// rot damages an entry of a device's outbox, which is found when it is started again.
func (d *Device) rot(no uint64) {
	d.Town.T.Helper()
	r, err := replica.Open(ctx, replica.Config{Store: rotten{d.Store, no}, Now: func() int64 { return d.Town.Now }, Rand: d.Town, Lang: "en",
		Account: replica.Account{Name: d.Account.Name, Role: "officer", Unit: d.Account.Unit}})
	d.Town.Must(err)
	d.R, d.Host, d.end = r, r.NewHost("town", "token", true), nil
}

// A changeset in the midst of an outbox is damaged: before anything of it was sent,
// and when all of it is at the server and the receipt was lost. All the rest is at
// the server, once.
func TestDamagedOutbox(t *testing.T) {
	for name, sent := range map[string]bool{"never sent": false, "with its receipt lost": true} {
		t.Run(name, func(t *testing.T) {
			w := New(t, Cards(1))
			a := w.Device(w.Officer("officer.a", unitA), "a")
			lan := a.Put("", "name", "Lan", "note", "một")
			a.Put(lan, "note", "hai") // the one that rots
			a.Put("", "name", "Mai")
			a.Put(lan, "note", "ba")
			if sent {
				a.Host.Refresh()
				a.Host.Step(session.Start{Now: w.Now})
				for a.Host.Pending() > 0 {
					a.perform() // and hears nothing
				}
			}
			a.Put("", "name", "Tư")
			a.rot(2)
			a.Sync()
			a.Sync()
			if n := w.Records()[unitA]; n != 3 {
				t.Errorf("the server has %d records, want 3", n)
			}
			b := w.Device(w.Officer("officer.b", unitA), "b")
			b.Sync()
			titles := b.Titles()
			slices.Sort(titles)
			if !slices.Equal(titles, []string{"Lan", "Mai", "Tư"}) {
				t.Errorf("a colleague sees %q", titles)
			}
			reply, err := b.R.List(ctx, replica.ListRequest{Register: "cards", Limit: 10})
			w.Must(err)
			lan = reply.Rows[slices.IndexFunc(reply.Rows, func(r replica.Row) bool { return r.Title == "Lan" })].ID // it may have another id
			b.wantShown(lan, "note", "ba")
			w.wantNothingAside()
			w.Conserve()
			w.Must(a.R.DropDamaged(ctx))
			a.Sync()
			if s, err := a.R.Status(ctx); err != nil || s.Failure != nil || s.Unsent != 0 || s.Conflicts != 0 {
				t.Errorf("at the end: %+v, %v", s, err)
			}
			a.wantShown(lan, "note", "ba")
		})
	}
}
