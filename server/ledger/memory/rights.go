package memory

import (
	"cmp"
	"slices"

	"wardbook/server/ledger"
)

// PastRights lists the rights that an account had, oldest first.
func (t *Tx) PastRights(account string) ([]ledger.Rights, error) {
	if t.done {
		return nil, errDone
	}
	return slices.Clone(t.db.rights[account]), nil
}

// EndRights keeps rights that an account has no more; Version is set.
func (t *Tx) EndRights(account string, r *ledger.Rights) error {
	if t.done {
		return errDone
	}
	list := slices.Clip(t.db.rights[account])
	r.Version = uint64(len(list)) + 1
	put(t, t.db.rights, account, append(list, *r))
	return nil
}

// UnitChanges lists what became of units' codes.
func (t *Tx) UnitChanges() ([]ledger.UnitChange, error) {
	if t.done {
		return nil, errDone
	}
	return slices.Clone(t.db.changes), nil
}

// PutUnitChange keeps one.
func (t *Tx) PutUnitChange(c *ledger.UnitChange) error {
	if t.done {
		return errDone
	}
	old := t.db.changes
	t.onRollback(func() { t.db.changes = old })
	kept := *c
	kept.New = slices.Clone(c.New)
	t.db.changes = append(slices.Clip(old), kept)
	slices.SortFunc(t.db.changes, func(a, b ledger.UnitChange) int {
		return cmp.Or(cmp.Compare(a.List, b.List), cmp.Compare(a.Old, b.Old))
	})
	return nil
}
