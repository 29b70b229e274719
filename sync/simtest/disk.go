package simtest

import (
	"context"
	"errors"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
)

// errCrash is what a dying device's store returns: nobody lives to see it.
var errCrash = errors.New("the device has crashed")

// disk is a device's store: the production one in memory, where the device may
// die before or after any commit, and where the oracles look on.
type disk struct {
	*store.Memory
	d *device
}

var _ replica.Store = disk{}

// Commit implements replica.Store.
func (k disk) Commit(ctx context.Context, b *replica.Batch) error {
	if k.d.burn() {
		return errCrash
	}
	for _, b := range k.d.w.bugBatch(k.d, b) {
		if err := k.put(ctx, b); err != nil {
			return err
		}
	}
	if k.d.burn() {
		return errCrash
	}
	return nil
}

func (k disk) put(ctx context.Context, b *replica.Batch) error {
	before := k.d.meta
	if err := k.Memory.Commit(ctx, b); err != nil {
		return err
	}
	if b.Meta != nil {
		k.d.meta = *b.Meta
	}
	k.d.committed(b, before)
	return nil
}

// holding returns what the device holds of a record.
func (d *device) holding(id conflict.RecordID) (replica.Holding, bool) {
	hs, err := d.mem.Holdings(ctx, []conflict.RecordID{id})
	if err != nil || len(hs) == 0 {
		return replica.Holding{}, false
	}
	return hs[0], true
}

// headOf says what people see of a record, independently of the replica: what
// the server said, with every changeset of the outbox on top that is not in
// quarantine.
func headOf(h *replica.Holding) conflict.Record {
	head := h.Base
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Refusal != nil {
			continue
		}
		for j := range e.Changeset.Edits {
			if e.Changeset.Edits[j].Record == h.ID {
				head = e.Changeset.Apply(head, j, e.Received)
			}
		}
	}
	return head
}
