package review

import (
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store/sqlite"
)

// What all sides of a conflict had seen is told with it, and of each write the
// device that made it and how wrong that device's clock is.
func TestHistoryTellsAncestorAndDevice(t *testing.T) {
	w := newWorld(t)
	a, b := w.officer("officer.a"), w.officer("officer.b")
	c := w.officer("officer.c") // saw nothing but the beginning
	w.update(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		r, _, err := l.Replica(b.id)
		if err != nil {
			return err
		}
		r.Clock = 3_600_000
		return l.PutReplica(&r)
	})
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	first := w.state(id)
	a.saved(id, values("note=one"))
	b.pull(id)
	a.save(id, form{values: values("note=two")})
	b.save(id, form{values: values("note=three")})
	a.sync(id)
	b.sync(id)
	tell := func() HistoryResponse {
		t.Helper()
		h, err := w.desk.History(a.who.ctx, HistoryRequest{ID: id.String()})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	h := tell()
	if len(h.Ancestors) != 1 || h.Ancestors[0].Value != "one" || h.Ancestors[0].Field != "note" {
		t.Errorf("got %+v, want what both had seen: one", h.Ancestors)
	}
	for _, st := range h.Steps {
		want := int64(0)
		if st.By == "officer.b" {
			want = 3_600_000
		}
		if st.Clock != want || st.Device == "" {
			t.Errorf("%s %s by %s: got clock %d, device %q", st.Field, st.Value, st.By, st.Clock, st.Device)
		}
	}
	// A third side that had seen less brings what all three had seen.
	c.save(id, form{values: values("note=four"), opened: &first})
	c.sync(id)
	h = tell()
	if len(h.Ancestors) != 1 || h.Ancestors[0].Value != "zero" {
		t.Errorf("with a third side: got %+v, want zero", h.Ancestors)
	}
	// Nobody had seen anything before: there is no ancestor, and none is made up.
	lone := a.saved(conflict.RecordID{}, values("name=Mai"))
	b.pull(lone)
	a.save(lone, form{values: values("note=x")})
	b.save(lone, form{values: values("note=y")})
	a.sync(lone)
	b.sync(lone)
	id = lone
	if h = tell(); len(h.Ancestors) != 0 {
		t.Errorf("got %+v, want no ancestor", h.Ancestors)
	}
	if i := slices.IndexFunc(h.Steps, func(s Step) bool { return s.State == "sibling" }); i < 0 {
		t.Error("no sibling in the history")
	}
}
