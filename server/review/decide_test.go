package review

import (
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/sync/record"
)

func TestApproveWhatWasSeen(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one", "tags=A,B"))
	seen := w.look(s, id)
	if seen.Kind != "submitted" || !seen.MayApprove || seen.Stage != "submitted" || fieldOf(t, seen, "name").Merged.Value != "Lan" || fieldOf(t, seen, "name").Approved != nil {
		t.Fatalf("got %+v", seen)
	}
	out := w.mustApprove(s, id)
	if out.Revision != 1 || out.Stage != "approved" || !slices.Equal(out.Approved, []string{"name", "note", "tags"}) {
		t.Errorf("got %+v", out)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=one", "tags=A,B"))
	if row := w.row(id); row.Kind != ledger.Nothing || row.Revision != 1 {
		t.Errorf("row: got kind %d, revision %d", row.Kind, row.Revision)
	}
	if len(w.grew) == 0 || !slices.Contains(w.actions(), "review.approve") {
		t.Error("nobody was told, or the log has no entry")
	}
	if _, err := w.approve(s, id); code(err) != "nothing_waiting" {
		t.Errorf("again: got %v", err)
	}

	// A later edit opens its own field again and nothing else; the hub keeps
	// what it has.
	b := w.officer("officer.b")
	b.saved(id, values("note=two"))
	r := w.look(s, id)
	if n := fieldOf(t, r, "note"); !n.Waiting || !n.Submitted || n.Approved.Value != "one" || n.Merged.Value != "two" || n.Merged.By != "officer.b" || n.Approved.By != "officer.a" {
		t.Errorf("got %+v", n)
	}
	if fieldOf(t, r, "name").Waiting {
		t.Error("the untouched field waits again")
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=one", "tags=A,B"))
	if out := w.mustApprove(s, id); out.Revision != 2 {
		t.Errorf("revision: got %d, want 2", out.Revision)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=two", "tags=A,B"))
}

func TestApprovalRules(t *testing.T) {
	type step struct {
		w       *world
		a, b    *device
		s       who
		id      conflict.RecordID
		request ApproveRequest
	}
	edit := func(d *device, id conflict.RecordID, f form) {
		d.pull(id)
		d.save(id, f)
		d.sync(id)
	}
	concurrent := func(x *step, va, vb form) {
		x.a.pull(x.id)
		x.b.pull(x.id)
		x.a.save(x.id, va)
		x.b.save(x.id, vb)
		x.a.sync(x.id)
		x.b.sync(x.id)
	}
	for _, c := range []struct {
		name  string
		begin func(*step) // the record has name=Lan and note=one, submitted and approved
		want  string
		at    string
	}{
		{"nothing waits", func(x *step) {}, "nothing_waiting", ""},
		{"a draft", func(x *step) { edit(x.a, x.id, form{values: values("note=x"), draft: true}) }, "draft", ""},
		{"a draft by name", func(x *step) {
			edit(x.a, x.id, form{values: values("note=x"), draft: true})
			x.request.Fields = []string{"note"}
		}, "draft", "note"},
		{"somebody's draft beside", func(x *step) {
			edit(x.a, x.id, form{values: values("note=x")})
			edit(x.b, x.id, form{values: values("age=7"), draft: true})
		}, "", ""},
		{"a field that does not wait", func(x *step) {
			edit(x.a, x.id, form{values: values("note=x")})
			x.request.Fields = []string{"name"}
		}, "nothing_waiting", "name"},
		{"no such field", func(x *step) { x.request.Fields = []string{"shoe"} }, "invalid", "shoe"},
		{"no field at all", func(x *step) { x.request.Fields = []string{} }, "invalid", "fields"},
		{"a conflict", func(x *step) { concurrent(x, form{values: values("note=x")}, form{values: values("note=y")}) }, "conflict", "note"},
		{"another field beside a conflict", func(x *step) {
			concurrent(x, form{values: values("note=x", "age=3")}, form{values: values("note=y")})
			x.request.Fields = []string{"age"}
		}, "", ""},
		{"the same value twice is no conflict", func(x *step) { concurrent(x, form{values: values("note=x")}, form{values: values("note=x")}) }, "", ""},
		{"max decides by itself", func(x *step) { concurrent(x, form{values: values("age=3")}, form{values: values("age=4")}) }, "", ""},
		{"equal in normal form", func(x *step) { concurrent(x, form{values: values("name=Hòa")}, form{values: values("name=Hoà")}) }, "", ""},
		{"equal no more", func(x *step) { concurrent(x, form{values: values("name=Hòa")}, form{values: values("name=Hoa")}) }, "conflict", "name"},
		{"union unites", func(x *step) { concurrent(x, form{values: values("tags=A")}, form{values: values("tags=B")}) }, "", ""},
		{"an error", func(x *step) { edit(x.a, x.id, form{values: values("note=wrong")}) }, "error", "note"},
		{"an error elsewhere", func(x *step) {
			edit(x.a, x.id, form{values: values("note=wrong", "age=3")})
			x.request.Fields = []string{"age"}
		}, "", ""},
		{"a warning", func(x *step) { edit(x.a, x.id, form{values: values("note=odd")}) }, "warning", "note"},
		{"a warning with a reason", func(x *step) {
			edit(x.a, x.id, form{values: values("note=odd"), reasons: map[string]string{"note W_ODD": "seen it"}})
		}, "", ""},
		{"a warning accepted", func(x *step) {
			edit(x.a, x.id, form{values: values("note=odd")})
			x.request.AcceptWarnings = true
		}, "", ""},
		{"an error is never accepted", func(x *step) {
			edit(x.a, x.id, form{values: values("note=wrong")})
			x.request.AcceptWarnings = true
		}, "error", "note"},
		{"two records with one number", func(x *step) {
			x.b.saved(conflict.RecordID{}, values("name=Mai", "phone=0903123456"))
			edit(x.a, x.id, form{values: values("phone=0903123456")})
		}, "error", "phone"},
		{"the other of the two was deleted", func(x *step) {
			other := x.b.saved(conflict.RecordID{}, values("name=Mai", "phone=0903123456"))
			x.w.look(x.s, other)
			edit(x.b, other, form{deleted: ptr(true)})
			edit(x.a, x.id, form{values: values("phone=0903123456")})
		}, "", ""},
		{"a field beside a deletion", func(x *step) {
			edit(x.a, x.id, form{values: values("note=x")})
			edit(x.b, x.id, form{deleted: ptr(true)})
			x.request.Fields = []string{"note"}
		}, "nothing_waiting", "note"},
		{"the deletion itself", func(x *step) { edit(x.b, x.id, form{deleted: ptr(true)}) }, "", ""},
		{"edited and deleted", func(x *step) { concurrent(x, form{values: values("note=x")}, form{deleted: ptr(true)}) }, "edited_and_deleted", "life"},
		{"fields before a restoration", func(x *step) {
			edit(x.b, x.id, form{deleted: ptr(true)})
			x.w.mustApprove(x.s, x.id)
			edit(x.a, x.id, form{deleted: ptr(false), values: values("note=x")})
			x.request.Fields = []string{"note"}
		}, "life_first", "life"},
		{"a sensitive field", func(x *step) { edit(x.a, x.id, form{values: values("illness=flu")}) }, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			x := &step{w: w, a: w.officer("officer.a"), b: w.officer("officer.b"), s: w.supervisor("supervisor")}
			x.id = x.a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
			w.mustApprove(x.s, x.id)
			before := w.lastApproval(x.id).Seq
			c.begin(x)
			x.request.ID, x.request.Digest = x.id.String(), w.look(x.s, x.id).Digest
			if c.name == "fields before a restoration" {
				before++
			}
			_, err := w.desk.Approve(x.s.ctx, x.request)
			wantCode(t, err, c.want)
			if err != nil && c.at != "" && fieldAt(err) != c.at {
				t.Errorf("got field %q, want %q", fieldAt(err), c.at)
			}
			if err != nil && w.lastApproval(x.id).Seq != before {
				t.Error("a refused approval left a row")
			}
		})
	}
}

func TestASensitiveFieldIsNotForEverySupervisor(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	plain := w.account("plain", store.RoleSupervisor, ward, false)
	id := a.saved(conflict.RecordID{}, values("name=Lan", "illness=flu"))
	r := w.look(plain, id)
	for _, f := range r.Fields {
		if f.Name == "illness" {
			t.Fatal("a sensitive field is shown")
		}
	}
	if out := w.mustApprove(plain, id); !slices.Equal(out.Approved, []string{"name"}) {
		t.Errorf("got %v", out.Approved)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan"))
	_, err := w.desk.Approve(plain.ctx, ApproveRequest{ID: id.String(), Digest: w.look(plain, id).Digest, Fields: []string{"illness"}})
	wantCode(t, err, "invalid")
	if !fieldOf(t, w.look(s, id), "illness").Waiting {
		t.Error("the sensitive field does not wait any more")
	}
	w.mustApprove(s, id)
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "illness=flu"))
}

func TestAnIncompleteRecordIsNotPublished(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	if out := w.mustApprove(s, id, "note"); out.Revision != 0 {
		t.Errorf("without its name: got revision %d", out.Revision)
	}
	if len(w.published()) != 0 {
		t.Error("a record without its name reached the hub")
	}
	if out := w.mustApprove(s, id, "name"); out.Revision != 1 {
		t.Errorf("with its name: got revision %d, want 1", out.Revision)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=one"))
}

func TestChangedMeanwhile(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one", "age=3"))
	seen := w.look(s, id)
	b.saved(id, values("age=4"))
	_, err := w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: seen.Digest})
	wantCode(t, err, "changed")
	fresh, ok := besideOf(err)["record"].(Record)
	if !ok {
		t.Fatalf("got %v, want the record as it is", besideOf(err))
	}
	if f := fresh.Fields[0]; f.Name != "age" || !f.ChangedSinceSeen || f.Merged.Value != "4" || fresh.Fields[1].ChangedSinceSeen {
		t.Errorf("first field: got %+v", f)
	}
	if _, err := w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: fresh.Digest}); err != nil {
		t.Error(err)
	}
	for _, forged := range []string{"", "x", "AQ", seen.Digest, seen.Digest + "AA", "Af____8"} {
		_, err := w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: forged})
		wantCode(t, err, "changed")
	}
}

func TestDeletion(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.mustApprove(s, id)
	a.pull(id)
	a.save(id, form{deleted: ptr(true)})
	a.sync(id)
	r := w.look(s, id)
	if r.Kind != "deletion" || r.Life.State != "deleted" || r.Life.ApprovedState != "alive" || r.Life.By != "officer.a" || !r.MayApprove {
		t.Errorf("got %+v", r)
	}
	out := w.mustApprove(s, id)
	if out.Revision != 2 || w.lastApproval(id).Op != store.OpDelete || len(w.published()) != 0 {
		t.Errorf("got %+v, %v", out, w.lastApproval(id).Op)
	}
	// Restored by its deleter: that is a change of its own, which waits.
	a.pull(id)
	a.save(id, form{deleted: ptr(false)})
	a.sync(id)
	if r := w.look(s, id); !r.Life.Waiting || r.Life.ApprovedState != "deleted" {
		t.Errorf("got %+v", r.Life)
	}
	w.mustApprove(s, id)
	sameValues(t, "hub", w.published()[id], stored("name=Lan"))

	// Never approved and deleted: the hub hears nothing.
	other := a.saved(conflict.RecordID{}, values("name=Mai"))
	a.save(other, form{deleted: ptr(true)})
	a.sync(other)
	if out := w.mustApprove(s, other); out.Revision != 0 {
		t.Errorf("got revision %d, want 0", out.Revision)
	}
	if k := w.row(other).Kind; k != ledger.Nothing {
		t.Errorf("got kind %d", k)
	}
}

func TestSettleEditedAndDeleted(t *testing.T) {
	for _, c := range []struct {
		choice string
		op     store.Op
	}{{"alive", store.OpUpsert}, {"deleted", store.OpDelete}} {
		w := newWorld(t)
		a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
		id := a.saved(conflict.RecordID{}, values("name=Lan"))
		w.mustApprove(s, id)
		a.pull(id)
		b.pull(id)
		a.save(id, form{values: values("note=x")})
		b.save(id, form{deleted: ptr(true)})
		b.sync(id)
		a.sync(id)
		r := w.look(s, id)
		if r.Kind != "edited_and_deleted" || r.Life.State != "edited_and_deleted" || r.MayApprove {
			t.Fatalf("got %+v", r)
		}
		_, err := w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "note", Value: ptr("y")})
		wantCode(t, err, "edited_and_deleted")
		if r, err = w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "life", Value: ptr(c.choice)}); err != nil {
			t.Fatal(err)
		}
		if r.Life.State != c.choice || !r.MayApprove {
			t.Errorf("%s: got %+v, may approve %v (%v)", c.choice, r.Life, r.MayApprove, codesOf(r.Reasons))
		}
		w.mustApprove(s, id)
		if got := w.lastApproval(id).Op; got != c.op {
			t.Errorf("%s: got op %q, want %q", c.choice, got, c.op)
		}
	}
}

func TestSettle(t *testing.T) {
	w := newWorld(t)
	a, b, s, s2 := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor"), w.supervisor("supervisor.b")
	begin := func() (conflict.RecordID, Record) {
		id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
		w.mustApprove(s, id)
		a.pull(id)
		b.pull(id)
		a.save(id, form{values: values("note=one")})
		b.save(id, form{values: values("note=two"), draft: true})
		a.sync(id)
		b.sync(id)
		return id, w.look(s, id)
	}
	dotOf := func(r Record, value string) string {
		for _, v := range append(fieldOf(t, r, "note").Siblings, *fieldOf(t, r, "note").Approved) {
			if v.Value == value {
				return v.Dot
			}
		}
		t.Fatalf("no value %q", value)
		return ""
	}
	for _, c := range []struct {
		name    string
		request func(Record) SettleRequest
		value   string
		authors []string
		own     bool
	}{
		{"a sibling", func(r Record) SettleRequest { return SettleRequest{Dot: dotOf(r, "two")} }, "two", []string{"officer.b"}, false},
		{"the approved value", func(r Record) SettleRequest { return SettleRequest{Dot: dotOf(r, "zero")} }, "zero", []string{"officer.a"}, false},
		{"a sibling, typed", func(r Record) SettleRequest { return SettleRequest{Value: ptr(" one ")} }, "one", []string{"officer.a"}, false},
		{"a third value", func(r Record) SettleRequest { return SettleRequest{Value: ptr("three")} }, "three", []string{"supervisor"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, r := begin()
			if f := fieldOf(t, r, "note"); !f.Conflict || len(f.Siblings) != 2 {
				t.Fatalf("got %+v", f)
			}
			req := c.request(r)
			req.ID, req.Digest, req.Field, req.Comment = r.ID, r.Digest, "note", "looked at the papers"
			r, err := w.desk.Settle(s.ctx, req)
			if err != nil {
				t.Fatal(err)
			}
			f := fieldOf(t, r, "note")
			if f.Conflict || f.Merged.Value != c.value || !f.Submitted || !slices.Equal(f.Authors, c.authors) || f.OwnWork != c.own {
				t.Errorf("got %+v", f)
			}
			if r.Decisions[0].Decision != "settled" || r.Decisions[0].Comment == "" {
				t.Errorf("got %+v", r.Decisions[0])
			}
			sameValues(t, "approved", w.approvedNow(id), stored("name=Lan", "note=zero"))
			_, err = w.approve(s, id)
			if c.own {
				wantCode(t, err, "own_work")
				_, err = w.approve(s2, id)
			}
			wantCode(t, err, "")
			sameValues(t, "approved", w.approvedNow(id), stored("name=Lan", "note="+c.value))
		})
	}
	_, r := begin()
	for name, c := range map[string]struct {
		req  SettleRequest
		want string
	}{
		"neither":            {SettleRequest{Field: "note"}, "invalid"},
		"both":               {SettleRequest{Field: "note", Dot: dotOf(r, "one"), Value: ptr("one")}, "invalid"},
		"no such field":      {SettleRequest{Field: "shoe", Value: ptr("x")}, "invalid"},
		"a dot elsewhere":    {SettleRequest{Field: "note", Dot: r.ID}, "no_such_value"},
		"a dot of garbage":   {SettleRequest{Field: "note", Dot: "x"}, "invalid"},
		"nothing to settle":  {SettleRequest{Field: "name", Value: ptr("Mai")}, "nothing_waiting"},
		"life in a bad word": {SettleRequest{Field: "life", Value: ptr("dead")}, "nothing_waiting"},
	} {
		c.req.ID, c.req.Digest = r.ID, r.Digest
		_, err := w.desk.Settle(s.ctx, c.req)
		if got := code(err); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestSettleUnion(t *testing.T) {
	w := newWorld(t)
	a, s, s2 := w.officer("officer.a"), w.supervisor("supervisor"), w.supervisor("supervisor.b")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "tags=A,B"))
	r := w.look(s, id)
	r, err := w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "tags", Value: ptr("B,C")})
	if err != nil {
		t.Fatal(err)
	}
	if f := fieldOf(t, r, "tags"); f.Merged.Value != "B,C" || !f.Submitted {
		t.Errorf("got %+v", f)
	}
	_, err = w.approve(s, id)
	wantCode(t, err, "own_work")
	w.mustApprove(s2, id)
	sameValues(t, "approved", w.approvedNow(id), stored("name=Lan", "tags=B,C"))
}

func TestReturnAndAnswer(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	b.saved(id, values("note=two"))
	r := w.look(s, id)
	_, err := w.desk.Return(s.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"note"}, Comment: "  "})
	wantCode(t, err, "reason_required")
	_, err = w.desk.Return(s.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"shoe"}, Comment: "why?"})
	wantCode(t, err, "invalid")
	if r, err = w.desk.Return(s.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"note"}, Comment: "Which of the two?"}); err != nil {
		t.Fatal(err)
	}
	if r.Stage != "returned" || r.Kind != "none" || len(r.Questions) != 1 {
		t.Fatalf("got stage %s, kind %s, %v", r.Stage, r.Kind, r.Questions)
	}
	// The question reaches every author through the review field.
	for _, d := range []*device{a, b} {
		d.pull(id)
		v := record.StandingOf(d.head(id)).Review
		if v.Question != r.Questions[0].ID || v.Comment != "Which of the two?" || !slices.Equal(v.Fields, []string{"note"}) {
			t.Errorf("%s: got %+v", d.who.name, v)
		}
	}
	// Both answer offline; both answers come back beside the question.
	a.save(id, form{answer: "the first", draft: true})
	b.save(id, form{answer: "the second", values: values("note=three")})
	a.sync(id)
	b.sync(id)
	r = w.look(s, id)
	if r.Stage != "submitted" || r.Kind != "submitted" {
		t.Errorf("got stage %s, kind %s", r.Stage, r.Kind)
	}
	if got := r.Questions[0].Answers; len(got) != 2 || got[0].Text != "the first" || got[1].By != "officer.b" {
		t.Errorf("got %+v", got)
	}
	w.mustApprove(s, id)
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=three"))
	if r := w.look(s, id); len(r.Questions[0].Answers) != 2 {
		t.Error("the answers were lost with the approval")
	}
}

// What the desk settles beside an open question does not answer it.
func TestSettlingAnswersNoQuestion(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "age=3"))
	a.pull(id)
	b.pull(id)
	a.save(id, form{values: values("note=one")})
	b.save(id, form{values: values("note=two")})
	a.sync(id)
	b.sync(id)
	r := w.look(s, id)
	r, err := w.desk.Return(s.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"age"}, Comment: "three?"})
	if err != nil {
		t.Fatal(err)
	}
	if r, err = w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "note", Dot: fieldOf(t, r, "note").Siblings[0].Dot}); err != nil {
		t.Fatal(err)
	}
	if r.Stage != "returned" {
		t.Errorf("got stage %s, want returned", r.Stage)
	}
	a.saved(id, values("age=4"))
	if r = w.look(s, id); r.Stage != "submitted" || !fieldOf(t, r, "note").Submitted {
		t.Errorf("got stage %s, %+v", r.Stage, fieldOf(t, r, "note"))
	}
	// Nor does a later settling take an answer back.
	if r, err = w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "note", Value: ptr("typed")}); err != nil {
		t.Fatal(err)
	}
	if r.Stage != "submitted" {
		t.Errorf("got stage %s, want submitted", r.Stage)
	}
}

func TestRefuse(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one", "tags=A"))
	w.mustApprove(s, id)
	b.saved(id, values("note=two", "age=9", "tags=B"))
	r := w.look(s, id)
	_, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest})
	wantCode(t, err, "reason_required")
	if r, err = w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no papers"}); err != nil {
		t.Fatal(err)
	}
	if r.Stage != "refused" || r.Kind != "none" || r.Revision != 1 {
		t.Errorf("got stage %s, kind %s, revision %d", r.Stage, r.Kind, r.Revision)
	}
	if n := fieldOf(t, r, "note"); n.Merged.Value != "one" || n.Waiting || n.Approved.By != "officer.a" || n.Merged.By != "supervisor" || n.Merged.ByMaker != "officer.a" {
		t.Errorf("got %+v, approved %+v", n, n.Approved)
	}
	if g := fieldOf(t, r, "age"); g.Merged.Value != "" || g.Waiting {
		t.Errorf("a field never approved: got %+v", g.Merged)
	}
	if g := fieldOf(t, r, "tags"); g.Merged.Value != "A" {
		t.Errorf("a union: got %+v", g.Merged)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=one", "tags=A"))
	if w.lastApproval(id).Revision != 0 {
		t.Error("a refusal told the hub something")
	}
	// The refused values stay in the history, and their author learns why.
	h, err := w.desk.History(b.who.ctx, HistoryRequest{ID: id.String()})
	if err != nil {
		t.Fatal(err)
	}
	var states []string
	for _, st := range h.Steps {
		if st.Field == "note" {
			states = append(states, st.Value+" "+st.State)
		}
	}
	if want := []string{"one current", "two refused", "one superseded"}; !slices.Equal(states, want) {
		t.Errorf("history: got %v, want %v", states, want)
	}
	b.pull(id)
	if v := record.StandingOf(b.head(id)); v.Stage != record.StageRefused || v.Review.Comment != "no papers" {
		t.Errorf("the author sees %+v", v)
	}
}

func TestRefuseAWholeNewRecord(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	r := w.look(s, id)
	r, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no such person"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Life.State != "deleted" || r.Stage != "refused" || r.Kind != "none" || w.lastApproval(id).Revision != 0 {
		t.Errorf("got %+v, %s, %s", r.Life, r.Stage, r.Kind)
	}
	h, err := w.desk.History(a.who.ctx, HistoryRequest{ID: id.String()})
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range h.Steps {
		if st.Field == "note" && st.State != "refused" {
			t.Errorf("got %s %s", st.Value, st.State)
		}
	}
	// With somebody's draft in it the record stays, and what was submitted is cleared.
	id = a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	b := w.officer("officer.b")
	b.pull(id)
	b.save(id, form{values: values("age=4"), draft: true})
	b.sync(id)
	r = w.look(s, id)
	if r, err = w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no such person"}); err != nil {
		t.Fatal(err)
	}
	if r.Life.State != "alive" || fieldOf(t, r, "note").Merged.Value != "" || fieldOf(t, r, "age").Merged.Value != "4" {
		t.Errorf("got %+v", r)
	}
}

func TestRefuseADeletion(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.mustApprove(s, id)
	b.saved(id, values("note=x"))
	b.save(id, form{deleted: ptr(true)})
	b.sync(id)
	r := w.look(s, id)
	r, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "still lives here"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Life.State != "alive" || r.Life.Waiting || !fieldOf(t, r, "note").Submitted || r.Kind != "submitted" {
		t.Errorf("got %+v, note %+v", r.Life, fieldOf(t, r, "note"))
	}
	w.mustApprove(s, id)
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=x"))
}

// A restoration is refused before what was written along with it.
func TestRefuseARestoration(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.mustApprove(s, id)
	a.pull(id)
	a.save(id, form{deleted: ptr(true)})
	a.sync(id)
	w.mustApprove(s, id)
	a.pull(id)
	a.save(id, form{deleted: ptr(false), values: values("note=x")})
	a.sync(id)
	r := w.look(s, id)
	r, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "moved away"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Life.State != "deleted" || r.Life.Waiting || r.Kind != "none" || r.Stage != "refused" || fieldOf(t, r, "note").Merged.Value != "x" {
		t.Errorf("got %+v, kind %s, stage %s, note %+v", r.Life, r.Kind, r.Stage, fieldOf(t, r, "note").Merged)
	}
	if w.lastApproval(id).Revision != 0 || w.atHub(id) != nil {
		t.Error("the hub heard of it")
	}
}

func TestWithdraw(t *testing.T) {
	w := newWorld(t)
	a, b, s, s2 := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor"), w.supervisor("supervisor.b")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	_, err := w.desk.Withdraw(s.ctx, WithdrawRequest{ID: id.String(), Reason: "x"})
	wantCode(t, err, "nothing_approved")
	w.mustApprove(s, id)
	b.saved(id, values("note=two"))
	r := w.look(s, id)
	// A write-back of the desk's own must wait again as well, not be a draft of nobody.
	if _, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no"}); err != nil {
		t.Fatal(err)
	}
	_, err = w.desk.Withdraw(s.ctx, WithdrawRequest{ID: id.String()})
	wantCode(t, err, "reason_required")
	_, err = w.desk.Withdraw(s.ctx, WithdrawRequest{ID: id.String(), Reason: "wrong person", Digest: r.Digest})
	wantCode(t, err, "changed")
	if r, err = w.desk.Withdraw(s2.ctx, WithdrawRequest{ID: id.String(), Reason: "wrong person"}); err != nil {
		t.Fatal(err)
	}
	if r.Stage != "submitted" || r.Kind != "submitted" || r.Revision != 0 || r.Life.ApprovedState != "" || w.row(id).Revision != 0 {
		t.Errorf("got stage %s, kind %s, revision %d", r.Stage, r.Kind, r.Revision)
	}
	if a := w.lastApproval(id); a.Op != store.OpRetract || a.Revision != 2 || a.Comment != "wrong person" || len(w.published()) != 0 {
		t.Errorf("got %+v", a)
	}
	if out := w.mustApprove(s, id); out.Revision != 3 {
		t.Errorf("got revision %d, want 3", out.Revision)
	}
	sameValues(t, "hub", w.published()[id], stored("name=Lan", "note=one"))
}

// A decision races an edit that the supervisor has not seen, and an edit made
// offline from before the decision.
func TestDecisionsRaceEdits(t *testing.T) {
	decisions := map[string]func(w *world, s who, id conflict.RecordID, digest string) error{
		"refuse": func(w *world, s who, id conflict.RecordID, digest string) error {
			_, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: id.String(), Digest: digest, Reason: "no"})
			return err
		},
		"approve": func(w *world, s who, id conflict.RecordID, digest string) error {
			_, err := w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: digest})
			return err
		},
		"withdraw": func(w *world, s who, id conflict.RecordID, digest string) error {
			_, err := w.desk.Withdraw(s.ctx, WithdrawRequest{ID: id.String(), Digest: digest, Reason: "no"})
			return err
		},
	}
	for name, decide := range decisions {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
			id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
			w.mustApprove(s, id)
			a.saved(id, values("note=two"))
			b.pull(id)
			b.save(id, form{values: values("note=three")}) // offline, having seen two
			seen := w.look(s, id)
			late := w.deviceOf(a.who, ward)
			late.pull(id)
			late.saved(id, values("age=5")) // arrives between looking and deciding
			wantCode(t, decide(w, s, id, seen.Digest), "changed")
			if err := decide(w, s, id, w.look(s, id).Digest); err != nil {
				t.Fatal(err)
			}
			b.sync(id) // the offline edit arrives after the decision
			r := w.look(s, id)
			n := fieldOf(t, r, "note")
			if !n.Waiting || !n.Submitted {
				t.Fatalf("the late edit is lost: %+v", n)
			}
			switch name {
			case "refuse": // the refusal had not been seen: both stand
				if !n.Conflict || n.Approved.Value != "one" {
					t.Errorf("got %+v", n)
				}
			case "approve":
				if n.Conflict || n.Merged.Value != "three" || n.Approved.Value != "two" {
					t.Errorf("got %+v", n)
				}
			case "withdraw":
				if n.Conflict || n.Merged.Value != "three" || n.Approved != nil {
					t.Errorf("got %+v", n)
				}
			}
		})
	}
}

// TestApprovingAHeadIsCheap holds the row of an ordinary approval to its size.
func TestApprovingAHeadIsCheap(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Nguyễn Thị Lan", "note=a long note about many things", "age=3", "tags=A,B", "illness=flu"))
	w.mustApprove(s, id)
	row := w.lastApproval(id)
	if n := len(row.Dots.String()) + len(row.Hash) + len(row.Explicit); n > 100 {
		t.Errorf("got %d bytes, want at most 100", n)
	}
	if row.Explicit != nil {
		t.Errorf("got explicit values %v", row.Explicit)
	}
}
