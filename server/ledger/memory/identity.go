package memory

import (
	"slices"

	"wardbook/server/ledger"
)

// ReplicasOf lists the replicas of a device, by No.
func (t *Tx) ReplicasOf(account, device string) ([]ledger.Replica, error) {
	if t.done {
		return nil, errDone
	}
	var list []ledger.Replica
	for _, r := range t.db.replicas {
		if r.Account == account && r.Device == device {
			list = append(list, r)
		}
	}
	return list, nil
}

// SilentSince lists up to limit replicas of accounts that were last seen before a
// time and are not retired, by No.
func (t *Tx) SilentSince(before int64, limit int) ([]ledger.Replica, error) {
	if t.done {
		return nil, errDone
	}
	var list []ledger.Replica
	for _, r := range t.db.replicas {
		if r.Account != "" && r.RetiredAt == 0 && r.SeenAt < before && len(list) < limit {
			list = append(list, r)
		}
	}
	return list, nil
}

// AppendRetirement keeps a retirement; Number is set.
func (t *Tx) AppendRetirement(r *ledger.Retirement) error {
	if t.done {
		return errDone
	}
	old := t.db.retired
	t.onRollback(func() { t.db.retired = old })
	r.Number = uint64(len(old)) + 1
	t.db.retired = append(slices.Clip(old), *r)
	return nil
}
