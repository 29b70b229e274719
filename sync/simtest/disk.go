package simtest

import (
	"context"
	"errors"
	"slices"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/protocol"
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
	b = k.d.poisoned(b)
	batches := [1]*replica.Batch{b}
	parts := batches[:]
	if k.d.w.bug != NoBug {
		parts = k.d.w.bugBatch(k.d, b)
	}
	for i, b := range parts {
		if i > 0 && k.d.burn() {
			return errCrash
		}
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

// Holdings implements replica.Store.
func (k disk) Holdings(ctx context.Context, ids []conflict.RecordID) ([]replica.Holding, error) {
	hs, err := k.Memory.Holdings(ctx, ids)
	if k.d.w.bug == ScreenStale {
		for i := range hs {
			hs[i].Entries = nil
		}
	}
	return hs, err
}

// holding returns what the device holds of a record.
func (d *device) holding(id conflict.RecordID) (replica.Holding, bool) {
	return d.mem.Holding(id)
}

// head says what people see of a record, independently of the replica: what the
// server said, with every changeset of the outbox on top that is not in
// quarantine. Of a stream that the server does not give, the author sees what
// is on its way, and no more once the server has it.
func (d *device) head(h *replica.Holding) conflict.Record {
	head := h.Base
	held := d.held(h.Unit, protocol.Sensitive)
	var own []conflict.FieldKey // sensitive fields with something on its way
	for i := range h.Entries {
		e := &h.Entries[i]
		for j := range e.Changeset.Edits {
			edit := &e.Changeset.Edits[j]
			if edit.Record != h.ID {
				continue
			}
			if e.Refusal == nil {
				head = e.Changeset.Apply(head, j, e.Received)
			}
			for _, w := range edit.Writes {
				if classOf(w.Key) == protocol.Sensitive && e.Changeset.Dot.Replica == d.meta.Replica && e.Changeset.Last().Counter > d.meta.Acked {
					own = append(own, w.Key)
				}
			}
		}
	}
	for k := range head.All() {
		if !held && classOf(k) == protocol.Sensitive && !slices.Contains(own, k) {
			head = head.With(k, h.Base.Field(k))
		}
	}
	return head
}

// held reports whether the device may hold a unit's stream of a class, as far as
// it has heard.
func (d *device) held(unit string, c protocol.Class) bool {
	s, ok := d.streams[protocol.Stream{Unit: unit, Register: registerID, Class: c}]
	return ok && !s.Withdrawn && s.Code == protocol.OK
}
