package replica

import (
	"context"

	"wardbook/conflict"
)

// Damaged is a changeset that is not what was saved, for the page. It is not
// sent, and its values are not shown.
type Damaged struct {
	At      int64    `json:"at"`      // device clock when it was saved
	Records []string `json:"records"` // ids of the records that it touches
	Titles  []string `json:"titles"`  // of those, as far as they are here without it
}

// Damaged lists what is damaged on this device, oldest first, so that somebody
// can enter it again.
func (r *Replica) Damaged(ctx context.Context) ([]Damaged, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	damages, err := r.store.Damaged(ctx)
	if err != nil {
		return nil, wrap("damaged", err)
	}
	all := make([]Damaged, len(damages))
	for i, d := range damages {
		all[i] = Damaged{At: d.At, Records: []string{}, Titles: []string{}}
		for _, id := range d.Records {
			all[i].Records = append(all[i].Records, id.String())
		}
		holdings, err := r.store.Holdings(ctx, d.Records)
		if err != nil {
			return nil, wrap("damaged", err)
		}
		for _, h := range holdings {
			all[i].Titles = append(all[i].Titles, r.read(&h).title(r.lang))
		}
	}
	return all, nil
}

// DropDamaged takes what is damaged out of the outbox, once somebody has looked at
// it: nothing of it could be sent. Everything else stays, and the device may be
// synced again.
func (r *Replica) DropDamaged(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	damages, err := r.store.Damaged(ctx)
	if err != nil || len(damages) == 0 {
		return wrap("drop what is damaged", err)
	}
	b := &Batch{}
	counts := r.counts
	done := map[conflict.RecordID]bool{}
	for _, d := range damages {
		b.Remove = append(b.Remove, d.No)
		holdings, err := r.store.Holdings(ctx, d.Records) // without the damaged entries
		if err != nil {
			return wrap("drop what is damaged", err)
		}
		for _, h := range holdings {
			if done[h.ID] {
				continue
			}
			done[h.ID] = true
			if len(h.Entries)+h.Base.Len() == 0 {
				b.Drop = append(b.Drop, h.ID)
				counts.move(h.Index.Flags, 0)
				continue
			}
			r.put(b, &counts, h, nil)
		}
	}
	if err := r.commit(ctx, b); err != nil {
		return wrap("drop what is damaged", err)
	}
	r.counts = counts
	return nil
}
