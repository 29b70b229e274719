package memory

import (
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
