package replica

import (
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Followed is the record that a reference leads to.
type Followed struct {
	ID       string `json:"id"`
	Register string `json:"register"`
	Title    string `json:"title"`
	Life     string `json:"life"`
}

// Follow returns where a reference to the record with that id leads. A reference
// is what its author wrote and is never written anew: if the record was given up
// because it is the same as another (DecidePair), the reference leads to the one
// that stays, over as many steps as there are, and back as soon as that is taken
// back. Where people disagree, or nothing stays on this device, it leads to the
// record that it names.
func (r *Replica) Follow(ctx context.Context, id string) (Followed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return Followed{}, wrap("follow", err)
	}
	n := r.read(&h)
	if n.ghost {
		return Followed{}, heldBack()
	}
	ends := map[conflict.RecordID]*reading{}
	if err := r.stays(ctx, n, map[conflict.RecordID]bool{}, ends); err != nil {
		return Followed{}, wrap("follow", err)
	}
	if len(ends) == 1 {
		for _, n = range ends {
		}
	}
	return Followed{ID: n.ID.String(), Register: n.Register, Title: n.title(r.lang), Life: n.life.String()}, nil
}

// stays adds to ends the records that stand, of those that n was given up for, and
// those were. Verdicts may go in a circle, where several people decided at once.
func (r *Replica) stays(ctx context.Context, n *reading, seen map[conflict.RecordID]bool, ends map[conflict.RecordID]*reading) error {
	if n.life != conflict.Deleted {
		ends[n.ID] = n
		return nil
	}
	seen[n.ID] = true
	others, err := r.paired(ctx, n)
	if err != nil {
		return err
	}
	for _, o := range others {
		said := record.PairOf(n.head, o.head, n.ID, o.ID)
		gone := len(said) > 0 && !slices.ContainsFunc(said, func(s record.Said) bool { return s.Twin.Said != record.Same || s.Kept != o.ID.String() })
		if !gone || seen[o.ID] {
			continue
		}
		if err := r.stays(ctx, o, seen, ends); err != nil {
			return err
		}
	}
	return nil
}

// paired reads the records that n says something of, or that say something of n,
// in the order of their ids.
func (r *Replica) paired(ctx context.Context, n *reading) ([]*reading, error) {
	ids, err := r.store.FindKey(ctx, namedKey(n.ID.String()), twinGroup)
	if err != nil {
		return nil, err
	}
	for _, k := range twinsNamed(n.head) {
		if o, err := conflict.ParseDot(k.Elem); err == nil {
			ids = append(ids, o)
		}
	}
	slices.SortFunc(ids, conflict.Dot.Compare)
	holdings, err := r.store.Holdings(ctx, slices.Compact(ids))
	if err != nil {
		return nil, err
	}
	var all []*reading
	for i := range holdings {
		if o := r.read(&holdings[i]); !o.ghost && o.ID != n.ID && o.Register == n.Register {
			all = append(all, o)
		}
	}
	return all, nil
}
