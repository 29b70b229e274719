package town

import (
	"slices"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// erase erases a record by law and tells every session.
func (w *Town) erase(number uint64, id string) {
	w.T.Helper()
	d, err := conflict.ParseDot(id)
	w.Must(err)
	w.Update(func(t ledger.Tables) (grew []protocol.StreamMark, err error) {
		_, grew, err = w.Ledger.Erase(t, ledger.Erasure{Number: number, Record: d, At: w.Now})
		return grew, err
	})
	for _, d := range w.devices {
		if d.end != nil {
			d.end.step(session.ErasedMore{Now: w.Now})
		}
	}
	w.Flow()
}

// wantNothingOf looks for a word in all that the device keeps.
func (d *Device) wantNothingOf(word string) {
	w := d.Town
	w.T.Helper()
	found := func(where string, v conflict.Value) {
		if strings.Contains(string(v), word) {
			w.T.Errorf("%s: %s holds %q", d.Label, where, v)
		}
	}
	for e := range d.Store.EachEntry {
		for _, edit := range e.Changeset.Edits {
			for _, wr := range edit.Writes {
				found("changeset "+e.Changeset.Dot.String(), wr.Value)
			}
		}
		for _, x := range e.Replaced {
			found("what "+x.Dot.String()+" replaced", x.Value)
		}
	}
	drafts, err := d.Store.Drafts(ctx)
	w.Must(err)
	for _, f := range drafts {
		for _, v := range f.Shown {
			found("form "+f.Key, v)
		}
		for _, v := range f.Typed {
			found("form "+f.Key, conflict.Value(v))
		}
	}
	ids, err := d.Store.Walk(ctx, "", conflict.RecordID{}, 1000)
	w.Must(err)
	for _, id := range ids {
		h, _ := d.Store.Holding(id)
		for _, f := range h.Base.All() {
			for i := range f.Len() {
				found("record "+id.String(), f.At(i).Value)
			}
		}
		found("the index of "+id.String(), conflict.Value(h.Index.Search))
	}
	pages, err := d.Store.Pages(ctx, 0, 1<<30)
	w.Must(err)
	for i := range pages {
		m, err := protocol.Decode(pages[i].Body)
		w.Must(err)
		for _, rec := range m.(*protocol.Page).Records {
			for _, e := range rec.Fields {
				for i := range e.Field.Len() {
					found("a page", e.Field.At(i).Value)
				}
			}
		}
	}
}

// wantNothingOf looks for a word in all that the server keeps.
func (w *Town) wantNothingOf(word string) {
	w.T.Helper()
	for _, r := range w.DB.Replicas() {
		for _, in := range w.DB.Intakes(r.No) {
			if strings.Contains(string(in.Bytes), word) {
				w.T.Errorf("the server's changeset %v-%d holds %q", r.ID, in.Counter, word)
			}
		}
	}
	for row := range w.DB.Rows {
		if strings.Contains(string(row.State), word) {
			w.T.Errorf("the server's record %v holds %q", row.ID, word)
		}
	}
}

// A record is erased while one device follows, and another is out with an edit of
// it, an open form, and a changeset that touches another record too.
func TestErasedWhileDevicesAreOut(t *testing.T) {
	w := New(t, Cards(1))
	oa, oc := w.Officer("officer.a", unitA), w.Officer("officer.c", unitB)
	a, b, c := w.Device(oa, "a"), w.Device(oa, "b"), w.Device(oc, "c")
	father := a.Put("", "name", "Canary", "house", "7", "head", "yes", "phone", "Canary 1")
	mother := a.Put("", "name", "Mai", "house", "7")
	other := a.Put("", "name", "Lan", "house", "8")
	a.Sync()
	b.Sync()
	a.Online() // stays connected
	c.Online()

	b.Put(father, "name", "Canary B", "note", "Canary, pending")
	b.Put(other, "note", "pending")
	form, err := b.R.OpenForm(ctx, father, "cards")
	w.Must(err)
	w.Must(b.R.SaveDraft(ctx, form.Key, map[string]string{"note": "Canary, typed"}))
	b.Move(unitB, father, mother)

	w.erase(1, father)
	a.wantGone(father)
	a.wantShown(other, "name", "Lan")
	a.wantNothingOf("Canary")
	w.wantNothingOf("Canary")

	b.wantShown(father, "name", "Canary B") // it was told nothing yet
	b.Sync()
	b.wantGone(father, mother)
	b.wantNothingOf("Canary")
	w.wantNothingOf("Canary")
	if b.Unsent() != 0 {
		t.Errorf("b has %d unsent", b.Unsent())
	}
	if q := w.Aside(); len(q) != 0 {
		t.Errorf("in quarantine: %+v", q)
	}
	c.wantShown(mother, "name", "Mai")
	c.wantGone(father)
	a.wantShown(other, "note", "pending")
	if _, err := b.R.Save(ctx, replica.SaveRequest{Key: form.Key, Values: map[string]string{"note": "Canary, late"}}); err == nil {
		t.Error("a form of an erased record was saved")
	}
	if _, err := b.R.Get(ctx, father); err == nil || err.Error() != replica.ErrErased.Error() {
		t.Errorf("an erased record: got %v, want that it says so", err)
	}
	for _, r := range w.DB.Replicas() {
		if r.Account != "" && r.Device != "c" && r.Erasures != 1 {
			t.Errorf("device %s is said to have let go up to %d, want 1", r.Device, r.Erasures)
		}
	}

	// Nothing brings it back: not a new device, not the store opened again.
	b.Open()
	b.Sync()
	b.wantGone(father)
	fresh := w.Device(oa, "fresh")
	fresh.Sync()
	fresh.wantGone(father)
	fresh.wantShown(other, "note", "pending")
}

// A device that missed both acknowledgement and erasure hands its changeset in
// again, whole or without what was erased: it is a repeat either way.
func TestErasedRepeats(t *testing.T) {
	w := New(t, Cards(1))
	a := w.Device(w.Officer("officer.a", unitA), "a")
	father, mother := a.Put("", "name", "Canary", "house", "7"), a.Put("", "name", "Mai", "house", "7")
	a.Sync()
	a.Move(unitB, father, mother)
	id := a.R.Meta().Replica
	before := a.Store.Clone()
	a.Sync()
	w.erase(1, father)

	a.Store = before // as if the acknowledgement had been lost with the power
	a.Open()
	a.Sync()
	if got := a.R.Meta().Replica; got != id {
		// A store that went back takes another id; what the server holds keeps its dots.
		for _, r := range w.DB.Replicas() {
			if r.ID == got && len(w.DB.Intakes(r.No)) > 0 {
				t.Errorf("it handed %d changesets in again", len(w.DB.Intakes(r.No)))
			}
		}
	}
	a.wantNothingOf("Canary")
	w.wantNothingOf("Canary")

	var whole, blank record.Changeset
	for _, r := range w.DB.Replicas() {
		for _, in := range w.DB.Intakes(r.No) {
			if c, err := record.ParseOwn(in.Bytes); err == nil && len(c.Edits) == 2 {
				blank = c
			}
		}
	}
	whole = blank
	whole.Edits = slices.Clone(blank.Edits)
	for i := range whole.Edits {
		whole.Edits[i].Writes = slices.Clone(whole.Edits[i].Writes)
		if whole.Edits[i].Writes[0].Value == "" {
			whole.Edits[i].Writes[0].Value = "something else"
		}
	}
	author := ledger.Author{Account: "officer.a", Device: "a", Unit: unitA}
	for _, c := range []record.Changeset{blank, whole} {
		w.Must(w.DB.Update(func(t ledger.Tables) error {
			out, err := w.Ledger.Commit(t, author, c.Dot.Replica, []record.Changeset{c})
			if err == nil && (out.Forked != nil || out.Repeats != 1) {
				w.T.Errorf("got forked %v, %d repeats, want a repeat", out.Forked != nil, out.Repeats)
			}
			return err
		}))
	}
	other := blank
	other.At++
	w.Must(w.DB.Update(func(t ledger.Tables) error {
		out, err := w.Ledger.Commit(t, author, other.Dot.Replica, []record.Changeset{other})
		if err == nil && out.Forked == nil {
			w.T.Error("another changeset under the same dot passed for a repeat")
		}
		return err
	}))
}
