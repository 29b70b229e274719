package replica_test

import (
	"errors"
	"slices"
	"testing"

	"golang.org/x/text/unicode/norm"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

func TestRetypingInNFDWritesNothing(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Đặng Thị Hòa", "note": "hòa\nthuận", "phone": "0903 123 456"})
	f := a.form(id)
	before := a.r.Meta().Last
	reply := a.save(f.Key, map[string]string{"name": norm.NFD.String("Đặng Thị Hòa") + " ", "note": norm.NFD.String("hòa\r\nthuận"), "phone": "+84 903.123.456"})
	if last := a.r.Meta().Last; last != before {
		t.Errorf("retyping wrote %d values", last-before)
	}
	if !reply.Saved || reply.ID != id {
		t.Errorf("got %+v, want a save of %s", reply, id)
	}
	if again := a.save(f.Key, nil); again.ID != id {
		t.Errorf("saved again: got record %s, want %s", again.ID, id)
	}
}

// The form's vectors decide what a save supersedes, not the store's state.
func TestTwoTabsKeepBothValues(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa", "note": "cũ"})
	one, two := a.form(id), a.form(id)
	a.save(one.Key, map[string]string{"note": "một"})
	a.save(two.Key, map[string]string{"note": "hai", "level": "3"})
	rec := a.record(id)
	if got := len(rec.Conflicts["note"]); got != 2 {
		t.Fatalf("got %d siblings of note, want both tabs' values", got)
	}
	if rec.Values["level"] != "3" {
		t.Errorf("level: got %q, want 3", rec.Values["level"])
	}
	three := a.form(id)
	if _, err := a.r.Save(ctx, replica.SaveRequest{Key: three.Key, Values: map[string]string{"note": "ba"}}); !errors.Is(err, replica.ErrConflict) {
		t.Errorf("typing over a conflict: got %v, want %v", err, replica.ErrConflict)
	}
	a.save(three.Key, map[string]string{"level": "4"}) // the form is still there, and other fields may be saved
	if got := len(a.record(id).Conflicts["note"]); got != 2 {
		t.Errorf("after another field was saved: got %d siblings, want 2", got)
	}
}

func TestPullUnderAnOpenFormIsNotOverwritten(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "note": "cũ"})
	a.mustSync()
	b.mustSync()
	f := b.form(id)
	a.put(id, map[string]string{"note": "của a"})
	a.mustSync()
	b.mustSync() // the store now holds what the screen does not
	b.save(f.Key, map[string]string{"note": "của b"})
	if got := len(b.record(id).Conflicts["note"]); got != 2 {
		t.Errorf("got %d siblings, want a's value beside b's", got)
	}
}

func TestSaveIsIdempotent(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	f := a.form("")
	first := a.save(f.Key, map[string]string{"name": "Hoa"})
	last := a.r.Meta().Last
	a.open() // even after a restart
	second := a.save(f.Key, map[string]string{"name": "Huệ"})
	if second.ID != first.ID || a.r.Meta().Last != last || a.record(first.ID).Values["name"] != "Hoa" {
		t.Errorf("a second save of one form: got %s %q, want %s unchanged", second.ID, a.record(first.ID).Values["name"], first.ID)
	}
	if _, err := a.r.Save(ctx, replica.SaveRequest{Key: "unknown", Values: map[string]string{"name": "x"}}); !errors.Is(err, replica.ErrNoForm) {
		t.Errorf("an unknown form: got %v, want %v", err, replica.ErrNoForm)
	}
}

func TestDraftsSurvive(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa", "note": "cũ"})
	f := a.form(id)
	if f.Dirty || f.Values["note"] != "cũ" {
		t.Errorf("a fresh form: got %+v", f)
	}
	if err := a.r.SaveDraft(ctx, f.Key, map[string]string{"note": "đang gõ", "name": "Hoa"}); err != nil {
		t.Fatal(err)
	}
	a.put(id, map[string]string{"note": "trong khi đó"})
	a.open()
	drafts, err := a.r.Drafts(ctx)
	if err != nil || len(drafts) != 1 || !drafts[0].Dirty || drafts[0].Values["note"] != "đang gõ" || drafts[0].Key != f.Key {
		t.Fatalf("got %+v, %v", drafts, err)
	}
	if got, now := drafts[0].Shown["note"], drafts[0].Record.Fields; got != "cũ" || !slices.ContainsFunc(now, func(v replica.FieldView) bool { return v.Name == "note" && v.Value == "trong khi đó" }) {
		t.Errorf("a record that moved on: the draft was opened from %q, and the record says %+v", got, now)
	}
	if f.Definition == 0 || drafts[0].Definition != f.Definition {
		t.Errorf("opened under version %d, and kept under %d", f.Definition, drafts[0].Definition)
	}
	a.save(f.Key, drafts[0].Values)
	if got := len(a.record(id).Conflicts["note"]); got != 2 {
		t.Errorf("a draft kept over a restart: got %d siblings, want 2", got)
	}
	if drafts, _ := a.r.Drafts(ctx); len(drafts) != 0 {
		t.Errorf("a saved draft is still there: %+v", drafts)
	}
	g := a.form("")
	if err := a.r.Discard(ctx, g.Key); err != nil {
		t.Fatal(err)
	}
	if _, err := a.r.Save(ctx, replica.SaveRequest{Key: g.Key, Values: map[string]string{"name": "x"}}); !errors.Is(err, replica.ErrNoForm) {
		t.Errorf("a form given up: got %v, want %v", err, replica.ErrNoForm)
	}
}

func TestSubmitting(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	other := a.put("", map[string]string{"name": "Khác", "phone": "0903123456"})
	for _, c := range []struct {
		name      string
		values    map[string]string
		reasons   map[string]string
		submitted bool
		stage     record.Stage
	}{
		{"an error saves and does not submit", map[string]string{"note": "không tên"}, nil, false, record.StageDraft},
		{"a value of the wrong form saves as typed", map[string]string{"name": "A", "level": "mười"}, nil, false, record.StageDraft},
		{"a duplicate is found on the device", map[string]string{"name": "A", "phone": "0903.123.456"}, nil, false, record.StageDraft},
		{"a warning without a reason", map[string]string{"name": "A", "level": "13"}, nil, false, record.StageDraft},
		{"a warning with a reason", map[string]string{"name": "A", "level": "13"}, map[string]string{"level W_UNLUCKY": "đúng là 13"}, true, record.StageSubmitted},
		{"nothing to say", map[string]string{"name": "A"}, nil, true, record.StageSubmitted},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := a.form("")
			reply, err := a.r.Save(ctx, replica.SaveRequest{Key: f.Key, Values: c.values, Submit: true, Reasons: c.reasons})
			if err != nil {
				t.Fatal(err)
			}
			rec := a.record(reply.ID)
			if !reply.Saved || reply.Submitted != c.submitted || rec.Stage != c.stage {
				t.Errorf("got submitted %v, stage %s, findings %v; want %v, %s", reply.Submitted, rec.Stage, reply.Findings, c.submitted, c.stage)
			}
			if v, ok := c.values["level"]; ok && string(rec.Values["level"]) != v {
				t.Errorf("level: got %q, want %q as typed", rec.Values["level"], v)
			}
			for key, want := range c.reasons {
				if got := record.StandingOf(rec.Head).Reasons[key]; got != want {
					t.Errorf("reason of %s: got %q, want %q", key, got, want)
				}
			}
			if _, err := a.r.Delete(ctx, reply.ID); err != nil {
				t.Fatal(err)
			}
		})
	}
	// A later submission carries the reasons of the one it takes the place of.
	f := a.form("")
	first, err := a.r.Save(ctx, replica.SaveRequest{Key: f.Key, Values: map[string]string{"name": "A", "level": "13"}, Submit: true, Reasons: map[string]string{"level W_UNLUCKY": "đúng"}})
	if err != nil {
		t.Fatal(err)
	}
	g := a.form(first.ID)
	second, err := a.r.Save(ctx, replica.SaveRequest{Key: g.Key, Values: map[string]string{"note": "thêm"}, Submit: true})
	if err != nil || !second.Submitted {
		t.Errorf("a second submission: got %v, %v, want the reason given before to hold", second.Submitted, err)
	}
	if a.record(other).Stage != record.StageSubmitted {
		t.Errorf("put: got %s, want %s", a.record(other).Stage, record.StageSubmitted)
	}
}

// What arrived since the form was opened is not handed in by its author.
func TestSubmissionCoversWhatWasSeen(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa"})
	a.mustSync()
	b.mustSync()
	f := a.form(id)
	g := b.form(id)
	b.save(g.Key, map[string]string{"level": "5"}) // a draft of b's
	b.mustSync()
	a.mustSync()
	if _, err := a.r.Save(ctx, replica.SaveRequest{Key: f.Key, Values: map[string]string{"note": "a"}, Submit: true}); err != nil {
		t.Fatal(err)
	}
	s := record.StandingOf(a.record(id).Head)
	if len(s.Drafts) != 1 || s.Drafts[0] != conflict.Key(22) {
		t.Errorf("drafts: got %v, want b's level alone", s.Drafts)
	}
}

func TestUnionByElement(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	id := a.put("", map[string]string{"name": "Hoa", "tags": "A,B"})
	a.mustSync()
	b.mustSync()
	a.put(id, map[string]string{"tags": "B,C"}) // removes A, adds C
	b.put(id, map[string]string{"tags": "A"})   // removes B
	a.mustSync()
	b.mustSync()
	a.mustSync()
	for _, d := range []*dev{a, b} {
		if rec := d.record(id); rec.Values["tags"] != "C" || len(rec.Conflicts) > 0 {
			t.Errorf("%s: got %q, conflicts %v; want C alone", d.name, rec.Values["tags"], rec.Conflicts)
		}
	}
}

func TestDeleteNeedsTheWholeRecord(t *testing.T) {
	w := newWorld(t)
	a, part := w.device("a", "officer.a"), w.device("p", "officer.p", protocol.Basic)
	id := a.put("", map[string]string{"name": "Hoa", "secret": "kín"})
	a.mustSync()
	part.mustSync()
	if v := part.record(id).Values["secret"]; v != "" {
		t.Fatalf("the device without the stream holds the secret %q", v)
	}
	if _, err := part.r.Delete(ctx, id); !errors.Is(err, replica.ErrPartial) {
		t.Errorf("got %v, want %v", err, replica.ErrPartial)
	}
	mine := part.put("", map[string]string{"name": "Mới"})
	if v, err := part.r.Delete(ctx, mine); err != nil || v.Life != "deleted" {
		t.Errorf("one's own new record: got %v, %v", v.Life, err)
	}
	if v, err := a.r.Delete(ctx, id); err != nil || v.Life != "deleted" || v.Stage != "submitted" {
		t.Errorf("the whole record: got %v %v, %v", v.Life, v.Stage, err)
	}
	last := a.r.Meta().Last
	if _, err := a.r.Delete(ctx, id); err != nil || a.r.Meta().Last != last {
		t.Errorf("deleting twice: got %v, %d writes", err, a.r.Meta().Last-last)
	}
	if v, err := a.r.Restore(ctx, id); err != nil || v.Life != "alive" || v.Stage != "submitted" {
		t.Errorf("restore: got %v %v, %v", v.Life, v.Stage, err)
	}
	bad := a.put("", map[string]string{"note": "không tên"})
	if v, err := a.r.Delete(ctx, bad); err != nil || v.Stage != "submitted" {
		t.Errorf("a deletion waits for approval whatever the record is like: got %v, %v", v.Stage, err)
	}
	if v, err := a.r.Restore(ctx, bad); err != nil || v.Stage != "draft" {
		t.Errorf("a record with an error comes back as a draft: got %v, %v", v.Stage, err)
	}
}

func TestSettleBindsToTheScreen(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.device("a", "officer.a"), w.device("b", "officer.b"), w.device("c", "officer.c")
	id := a.put("", map[string]string{"name": "Hoa", "note": "gốc"})
	for _, d := range []*dev{a, b, c} {
		d.mustSync()
	}
	for _, d := range []*dev{a, b, c} {
		d.put(id, map[string]string{"note": "của " + d.name})
	}
	a.mustSync()
	b.mustSync()
	a.mustSync()
	view, err := a.r.Get(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	var note replica.FieldView
	for _, f := range view.Fields {
		if f.Name == "note" {
			note = f
		}
	}
	if len(note.Conflict) != 2 || note.Ancestor == nil || note.Ancestor.Value != "gốc" {
		t.Fatalf("got %+v, want two siblings and their ancestor", note)
	}
	c.mustSync()
	a.mustSync() // a third value arrives behind the screen
	view, err = a.r.Settle(ctx, replica.SettleRequest{ID: id, Field: "note", Dot: note.Conflict[0].Dot, Seen: note.Seen})
	if err != nil {
		t.Fatal(err)
	}
	rec := a.record(id)
	if got := len(rec.Conflicts["note"]); got != 2 {
		t.Errorf("after settling two of three: got %d siblings, want the choice and c's", got)
	}
	if rec.Stage != record.StageSubmitted {
		t.Errorf("a settled choice between submitted values: got %s, want %s", rec.Stage, record.StageSubmitted)
	}
	if _, err := a.r.Settle(ctx, replica.SettleRequest{ID: id, Field: "note", Dot: note.Conflict[1].Dot}); !errors.Is(err, replica.ErrChanged) {
		t.Errorf("a sibling that is gone: got %v, want %v", err, replica.ErrChanged)
	}
	third := "thứ tư"
	if _, err := a.r.Settle(ctx, replica.SettleRequest{ID: id, Field: "note", Value: &third}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		a.mustSync()
		b.mustSync()
		c.mustSync()
	}
	if err := w.converged(); err != nil {
		t.Error(err)
	}
	if got := b.record(id); got.Values["note"] != "thứ tư" || len(got.Conflicts) > 0 {
		t.Errorf("b: got %q, %v", got.Values["note"], got.Conflicts)
	}
}

func TestMaskedValuesStayHidden(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	id := a.put("", map[string]string{"name": "Hoa", "phone": "0903123456"})
	f := a.form(id)
	if v, ok := f.Values["phone"]; ok {
		t.Errorf("the form tells the number: %q", v)
	}
	for _, v := range f.Record.Fields {
		if v.Name == "phone" && (!v.Masked || v.Value != "" || v.Display == "0903 123 456") {
			t.Errorf("the view tells the number: %+v", v)
		}
	}
	a.save(f.Key, map[string]string{"note": "x"})
	if got := a.record(id).Values["phone"]; got != "+84903123456" {
		t.Errorf("a save that does not name the number: got %q", got)
	}
	text, err := a.r.Reveal(ctx, id, "phone", "")
	reveals, _ := a.r.Reveals(ctx)
	if err != nil || text != "0903 123 456" || len(reveals) != 1 || reveals[0].Field != "phone" {
		t.Errorf("reveal: got %q, %v, noted %+v", text, err, reveals)
	}
	if err := a.r.Reported(ctx, reveals[0].No); err != nil {
		t.Fatal(err)
	}
	if reveals, _ = a.r.Reveals(ctx); len(reveals) != 0 {
		t.Errorf("a reported reveal is still there: %+v", reveals)
	}
}

func TestSearchAndOrder(t *testing.T) {
	w := newWorld(t)
	a := w.device("a", "officer.a")
	for _, name := range []string{"Đặng Thị Mười", "Dương Văn An", "Ân Văn Bê", "An Văn Bê", "Ăn Văn Bê", "Đặng Văn Ba"} {
		a.put("", map[string]string{"name": name})
	}
	gone := a.put("", map[string]string{"name": "Đặng Đã Xóa"})
	if _, err := a.r.Delete(ctx, gone); err != nil {
		t.Fatal(err)
	}
	list := func(q replica.ListRequest) []string {
		q.Register = "people"
		reply, err := a.r.List(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		titles := []string{}
		for _, row := range reply.Rows {
			titles = append(titles, row.Title)
		}
		return titles
	}
	for _, c := range []struct {
		name string
		q    replica.ListRequest
		want []string
	}{
		{"the order of the alphabet", replica.ListRequest{}, []string{"An Văn Bê", "Ăn Văn Bê", "Ân Văn Bê", "Dương Văn An", "Đặng Thị Mười", "Đặng Văn Ba"}},
		{"without diacritics", replica.ListRequest{Search: "dang thi"}, []string{"Đặng Thị Mười"}},
		{"with them", replica.ListRequest{Search: "Đặng"}, []string{"Đặng Thị Mười", "Đặng Văn Ba"}},
		{"a page", replica.ListRequest{Offset: 1, Limit: 2}, []string{"Ăn Văn Bê", "Ân Văn Bê"}},
		{"deleted", replica.ListRequest{Filter: replica.FilterDeleted}, []string{"Đặng Đã Xóa"}},
		{"mine", replica.ListRequest{Filter: replica.FilterMine, Search: "muoi"}, []string{"Đặng Thị Mười"}},
		{"conflicts", replica.ListRequest{Filter: replica.FilterConflicts}, []string{}},
	} {
		if got := list(c.q); !equalStrings(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
	if _, err := a.r.List(ctx, replica.ListRequest{Register: "nothing"}); !errors.Is(err, replica.ErrNoRegister) {
		t.Errorf("got %v, want %v", err, replica.ErrNoRegister)
	}
}

func equalStrings(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
