package storetest

import (
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
)

// erased: of a changeset what is of an erased record becomes empty and the rest
// stays, under the hash of what was made; a page that shows it can be given back
// until it is dropped by name.
func erased(t *testing.T, p Place) {
	s := p.Open(t)
	gone, other := dot(3, 1), dot(3, 5)
	e := entry(1, dot(1, 1), 10, gone, other)
	e.Replaced = []replica.Replaced{{Dot: dot(1, 2), Was: dot(9, 4), Value: "canary"}, {Dot: dot(1, 4), Was: dot(9, 4), Value: "kept"}}
	h, rest := holding(3, 1, "residents", "a", "canary", 0), holding(3, 5, "residents", "b", "b", 0)
	first := protocol.Token{1}
	here, there := protocol.Stream{Unit: "27169", Register: "residents"}, protocol.Stream{Unit: "26734", Register: "residents"}
	page := func(no uint64, stream protocol.Stream, spoilt bool) replica.KeptPage {
		return replica.KeptPage{No: no, Epoch: first, Stream: stream, To: no, Body: []byte{66, byte(no)}, Spoilt: spoilt}
	}
	commit(t, s, &replica.Batch{Append: []replica.Entry{e}, Put: []replica.Holding{h, rest},
		Keep: []replica.KeptPage{page(1, here, false), page(2, here, false), page(3, there, false)}})

	left := e
	left.Changeset, _ = e.Changeset.Blank(func(id conflict.RecordID) bool { return id == gone })
	left.Replaced = e.Replaced[1:]
	commit(t, s, &replica.Batch{Erase: []conflict.RecordID{gone}, Drop: []conflict.RecordID{gone}, Blank: []replica.Entry{left}, Spoil: []uint64{1, 3}})
	s = again(t, p, s)
	state := must(s.State(ctx))
	equal(t, "erased", state.Erased, []conflict.RecordID{gone})
	equal(t, "streams with spoilt pages", len(state.Spoilt), 2)
	equal(t, "the entry", must(s.Entries(ctx, 0, 10)), []replica.Entry{left})
	equal(t, "its hash", left.Hash, e.Changeset.Hash())
	equal(t, "damaged", must(s.Damaged(ctx)), []replica.Damage(nil))
	equal(t, "to be sent", must(s.Outbox(ctx, replicaID(1), 1, 1<<20, 10))[0].Changeset, left.Changeset)
	hs := must(s.Holdings(ctx, []conflict.RecordID{gone, other}))
	if len(hs) != 1 || hs[0].ID != other || len(hs[0].Entries) != 1 {
		t.Errorf("what is held: got %+v, want the other record with its entry", hs)
	}
	commit(t, s, &replica.Batch{Put: []replica.Holding{h}})
	equal(t, "entries touch it no more", len(must(s.Holdings(ctx, []conflict.RecordID{gone}))[0].Entries), 0)

	all := []replica.KeptPage{page(1, here, true), page(2, here, false), page(3, there, true)}
	equal(t, "pages", must(s.Pages(ctx, 0, 1<<20)), all)
	equal(t, "pages after one", must(s.Pages(ctx, 1, 1<<20)), all[1:])
	equal(t, "at least one page", must(s.Pages(ctx, 0, 1)), all[:1])
	commit(t, s, &replica.Batch{DropSpoilt: []replica.Spoilt{{Stream: here, Epoch: protocol.Token{2}}}})
	equal(t, "those of another epoch stay", len(must(s.Pages(ctx, 0, 1<<20))), 3)
	commit(t, s, &replica.Batch{DropSpoilt: []replica.Spoilt{{Stream: here, Epoch: first}}, Keep: []replica.KeptPage{page(4, here, true)}})
	s = again(t, p, s)
	equal(t, "what is left", must(s.Pages(ctx, 0, 1<<20)), []replica.KeptPage{all[1], all[2], page(4, here, true)})
}
