package replica_test

import (
	"slices"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
)

// TestChoosing holds receiving back, narrows a register, takes it off the
// device and wants it again: what is unsent always goes first, and "synced" is
// never said while something is held back.
func TestChoosing(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	first := a.put("", map[string]string{"name": "Lan"})
	a.mustSync()
	b.mustSync()
	choose := func(change func(*replica.Choice)) {
		t.Helper()
		if err := b.r.Choose(ctx, change); err != nil {
			t.Fatal(err)
		}
	}
	held := func(want ...string) {
		t.Helper()
		ids, err := b.r.IDs(ctx, "people")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, id := range ids {
			got = append(got, id.String())
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("got %v on the device, want %v", got, want)
		}
	}

	// Paused: what is here goes up, nothing comes down.
	choose(func(c *replica.Choice) { c.Paused = true })
	second := a.put("", map[string]string{"name": "Mai"})
	a.mustSync()
	third := b.put("", map[string]string{"name": "Hòa"})
	b.sync()
	held(first, third)
	if s, err := b.r.Status(ctx); err != nil || s.Synced || !s.Paused || s.Unsent != 0 {
		t.Errorf("paused: got synced %v, paused %v, %d unsent, %v; want nothing unsent and not synced", s.Synced, s.Paused, s.Unsent, err)
	}
	if len(b.r.Local().Scopes) > 0 {
		t.Error("paused, the device asks for streams")
	}
	// A pause outlives the process.
	b.open()
	if v, err := b.r.Scopes(ctx); err != nil || !v.Paused || len(v.Scopes) != 1 || v.Scopes[0].Neighbourhoods == nil {
		t.Errorf("got %+v, want it paused, and a list for the page where there is none", v)
	}
	choose(func(c *replica.Choice) { c.Paused = false })
	b.mustSync()
	held(first, second, third)

	// Held back for want of data: the same, but not kept.
	b.r.Hold(true)
	if s, _ := b.r.Status(ctx); s.Synced || !s.Paused {
		t.Error("held back and synced")
	}
	gone := b.put("", map[string]string{"name": "Bình"})
	b.sync()
	if s, err := b.r.Status(ctx); err != nil || s.Unsent != 0 || s.Synced || len(b.r.Local().Scopes) > 0 {
		t.Errorf("held back: got %d unsent, synced %v, %v; want nothing unsent, not synced, and no stream asked for", s.Unsent, s.Synced, err)
	}
	if w.server.Record(mustDot(t, gone)).Len() == 0 {
		t.Error("held back for want of data, what was saved did not arrive")
	}
	counted := func(when string) {
		t.Helper()
		v, err := b.r.Scopes(ctx)
		if err != nil || len(v.Scopes) != 1 || v.Scopes[0].Have != 4 || v.Scopes[0].Of != 4 {
			t.Errorf("%s: got %+v (%v), want 4 of 4 with the one that was made here", when, v.Scopes, err)
		}
		if s, err := b.r.Status(ctx); err != nil || s.Streams[0].Have != 4 || s.Streams[0].Of != 4 {
			t.Errorf("%s: status got %+v (%v), want 4 of 4", when, s.Streams, err)
		}
		if l, err := b.r.List(ctx, replica.ListRequest{Register: "people"}); err != nil || l.Have != 4 || l.Of != 4 || l.Total != 4 {
			t.Errorf("%s: list got %d of %d, %d in all (%v), want 4", when, l.Have, l.Of, l.Total, err)
		}
	}
	counted("received while held back")
	b.r.Hold(false)
	b.mustSync()
	counted("shown by the server")

	// A part of the register is asked for from its beginning.
	choose(func(c *replica.Choice) {
		c.Set(replica.ChosenRegister{Register: "people", Neighbourhoods: []string{"Khu phố 2", "Khu phố 1", "Khu phố 2"}})
	})
	for _, s := range b.r.Local().Scopes {
		if s.Cursor != 0 || s.Floor != 0 || !slices.Equal(s.Neighbourhoods, []string{"Khu phố 1", "Khu phố 2"}) {
			t.Errorf("narrowed: got %+v", s)
		}
	}
	if v, err := b.r.Scopes(ctx); err != nil || len(v.Scopes) != 1 || v.Scopes[0].Complete {
		t.Errorf("narrowed: got %+v, want it not complete before the server was heard", v)
	}

	// Off: unsent work goes first, then the copy.
	choose(func(c *replica.Choice) { c.Set(replica.ChosenRegister{Register: "people"}) })
	b.mustSync()
	fourth := b.put("", map[string]string{"name": "Cúc"})
	choose(func(c *replica.Choice) { c.Set(replica.ChosenRegister{Register: "people", Off: true}) })
	held(first, second, third, gone, fourth)
	if v, err := b.r.Scopes(ctx); err != nil || len(v.Scopes) != 1 || !v.Scopes[0].Leaving || v.Scopes[0].Complete {
		t.Errorf("leaving: got %+v", v)
	}
	b.sync()
	held()
	if w.server.Record(mustDot(t, fourth)).Len() == 0 {
		t.Error("what was unsent did not arrive")
	}
	if l, err := b.r.List(ctx, replica.ListRequest{Register: "people"}); err != nil || l.Complete {
		t.Errorf("a search of a register that is not here: got complete %v (%v)", l.Complete, err)
	}
	// What the server offers next does not bring back what was chosen off.
	b.rescope()
	if n := len(b.r.Local().Scopes); n != 0 {
		t.Errorf("got %d streams asked for, want none", n)
	}
	choose(func(c *replica.Choice) { c.Set(replica.ChosenRegister{Register: "people"}) })
	b.mustSync()
	held(first, second, third, gone, fourth)

	if err := b.r.Choose(ctx, func(c *replica.Choice) { c.Set(replica.ChosenRegister{Register: "nothing", Off: true}) }); err == nil {
		t.Error("a register that there is none of was chosen")
	}
}

// TestChosenFirst asks for the register in hand before the others, both of its
// classes.
func TestChosenFirst(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	stream := func(register string, class protocol.Class) protocol.Stream {
		return protocol.Stream{Unit: unit, Register: register, Class: class}
	}
	var offered []protocol.Scope
	for _, register := range []string{"houses", "people"} {
		offered = append(offered, protocol.Scope{Stream: stream(register, protocol.Basic)}, protocol.Scope{Stream: stream(register, protocol.Sensitive), Priority: 1})
	}
	if err := a.r.SetScopes(ctx, offered); err != nil {
		t.Fatal(err)
	}
	if err := a.r.Choose(ctx, func(c *replica.Choice) { c.First = "people" }); err != nil {
		t.Fatal(err)
	}
	want := map[protocol.Stream]uint8{stream("people", protocol.Basic): 0, stream("people", protocol.Sensitive): 1,
		stream("houses", protocol.Basic): 2, stream("houses", protocol.Sensitive): 3}
	got := a.r.Local().Scopes
	for _, s := range got {
		if p, ok := want[s.Stream]; !ok || s.Priority != p {
			t.Errorf("%v: got priority %d, want %d", s.Stream, s.Priority, p)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d streams, want %d", len(got), len(want))
	}
	if err := a.r.Choose(ctx, func(c *replica.Choice) { c.First = "nothing" }); err == nil {
		t.Error("a register that there is none of came first")
	}
}

// TestChoosingInAnOlderStore takes what a store holds for what was offered: a
// store of before choices must not forget it.
func TestChoosingInAnOlderStore(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a", protocol.Basic, protocol.Sensitive)
	id := a.put("", map[string]string{"name": "Lan"})
	a.mustSync()
	meta := a.r.Meta()
	meta.Offered = nil
	if err := a.store.Commit(ctx, &replica.Batch{Meta: &meta}); err != nil {
		t.Fatal(err)
	}
	a.open()
	if err := a.r.Choose(ctx, func(c *replica.Choice) { c.Paused = true }); err != nil {
		t.Fatal(err)
	}
	if ids, err := a.r.IDs(ctx, "people"); err != nil || len(ids) != 1 || ids[0].String() != id {
		t.Errorf("got %v (%v), want %s", ids, err, id)
	}
	for _, s := range a.r.Streams() {
		if s.Withdrawn {
			t.Errorf("stream %v is withdrawn", s.Stream)
		}
	}
}
