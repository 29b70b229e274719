package review

import (
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
)

func TestBatchLeavesOut(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	own := w.deviceOf(s, ward)
	stranger := w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard)
	fresh := func() conflict.RecordID {
		id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
		w.mustApprove(s, id)
		for _, d := range []*device{a, b, own} {
			d.pull(id)
		}
		return id
	}
	edit := func(d *device, f form) conflict.RecordID {
		id := fresh()
		d.save(id, f)
		d.sync(id)
		return id
	}
	both := func(x, y form) conflict.RecordID {
		id := fresh()
		a.save(id, x)
		b.save(id, y)
		a.sync(id)
		b.sync(id)
		return id
	}
	cases := []struct {
		name string
		id   conflict.RecordID
		why  []string
	}{
		{"an ordinary change", edit(a, form{values: values("note=x")}), nil},
		{"a new record", a.saved(conflict.RecordID{}, values("name=Mai")), nil},
		{"a union grown on both sides", both(form{values: values("tags=A")}, form{values: values("tags=B")}), nil},
		{"a conflict", both(form{values: values("note=x")}, form{values: values("note=y")}), []string{"conflict"}},
		{"edited and deleted", both(form{values: values("note=x")}, form{deleted: ptr(true)}), []string{"edited_and_deleted"}},
		{"a warning", edit(a, form{values: values("note=odd")}), []string{"warning"}},
		{"a warning with a reason", edit(a, form{values: values("note=odd"), reasons: map[string]string{"note W_ODD": "seen"}}), []string{"warning"}},
		{"an error", edit(a, form{values: values("note=wrong")}), []string{"error"}},
		{"a deletion", edit(a, form{deleted: ptr(true)}), []string{"deletion"}},
		{"a high-risk field", edit(a, form{values: values("pid=079203001234")}), []string{"high_risk"}},
		{"own work", edit(own, form{values: values("note=x")}), []string{"own_work"}},
		{"nothing", fresh(), []string{"nothing_waiting"}},
		{"a draft", edit(a, form{values: values("note=x"), draft: true}), []string{"draft"}},
		{"changed since", edit(a, form{values: values("note=x")}), []string{"changed"}},
		{"another unit's", stranger.saved(conflict.RecordID{}, values("name=Thu")), []string{"not_found"}},
		{"two reasons", edit(own, form{values: values("note=odd")}), []string{"own_work", "warning"}},
	}
	var req BatchRequest
	for _, c := range cases {
		r := BatchRecord{ID: c.id.String(), Digest: "x"}
		if !slices.Contains(c.why, "not_found") {
			shown := w.look(s, c.id)
			r.Digest = shown.Digest
			if c.name != "changed since" {
				if got := slices.Sorted(slices.Values(codesOf(shown.Reasons))); !slices.Equal(got, c.why) && len(got)+len(c.why) > 0 {
					t.Errorf("%s: the screen says %v, want %v", c.name, got, c.why)
				}
			}
		}
		if c.name == "changed since" {
			b.saved(c.id, values("age=3"))
		}
		req.Records = append(req.Records, r, r) // a repeat counts once
	}
	out, err := w.desk.Batch(s.ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string][]string{}
	for _, l := range out.Left {
		if left[l.ID] != nil {
			t.Errorf("%s stands twice", l.ID)
		}
		left[l.ID] = l.Why
	}
	for _, c := range cases {
		got := slices.Sorted(slices.Values(left[c.id.String()]))
		if !slices.Equal(got, c.why) && len(got)+len(c.why) > 0 {
			t.Errorf("%s: left for %v, want %v", c.name, got, c.why)
		}
		approved := slices.ContainsFunc(out.Approved, func(x BatchApproved) bool { return x.ID == c.id.String() && x.Revision > 0 })
		if approved != (c.why == nil) {
			t.Errorf("%s: approved %v", c.name, approved)
		}
	}
	if len(out.Approved)+len(out.Left) != len(cases) {
		t.Errorf("got %d and %d, want %d", len(out.Approved), len(out.Left), len(cases))
	}
}

// A warning that was approved before is no news, one that a change brings about
// in another field is.
func TestBatchLooksAtNewFindings(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=odd"))
	r := w.look(s, id)
	if _, err := w.desk.Approve(s.ctx, ApproveRequest{ID: r.ID, Digest: r.Digest, AcceptWarnings: true}); err != nil {
		t.Fatal(err)
	}
	a.saved(id, values("age=4"))
	out, err := w.desk.Batch(s.ctx, BatchRequest{Records: []BatchRecord{{ID: r.ID, Digest: w.look(s, id).Digest}}})
	if err != nil || len(out.Approved) != 1 {
		t.Errorf("got %+v, %v", out, err)
	}
	a.saved(id, values("note=odd")) // written anew, it is looked at anew
	out, err = w.desk.Batch(s.ctx, BatchRequest{Records: []BatchRecord{{ID: r.ID, Digest: w.look(s, id).Digest}}})
	if err != nil || len(out.Left) != 1 || !slices.Equal(out.Left[0].Why, []string{"warning"}) {
		t.Errorf("got %+v, %v", out, err)
	}
}

func TestQueue(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	c := w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard)
	c.saved(conflict.RecordID{}, values("name=Elsewhere"))
	var want []string
	for range 5 {
		want = append(want, a.saved(conflict.RecordID{}, values("name=Lan")).String())
	}
	gone := a.saved(conflict.RecordID{}, values("name=Gone"))
	a.save(gone, form{deleted: ptr(true)})
	a.sync(gone)
	fight := a.saved(conflict.RecordID{}, values("name=Fight", "pid=079203001234"))
	b.pull(fight)
	a.save(fight, form{values: values("note=x")})
	b.save(fight, form{values: values("note=y")})
	a.sync(fight)
	b.sync(fight)
	want = append([]string{fight.String(), gone.String()}, want...)
	var got []string
	for cursor := ""; ; {
		page, err := w.desk.Queue(s.ctx, QueueRequest{Register: "people", Limit: 2, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		if cursor == "" && page.Counts != (Counts{All: 7, Conflict: 1, Eyes: 1, Clean: 5}) {
			t.Errorf("got %+v", page.Counts)
		}
		for _, it := range page.Items {
			got = append(got, it.ID)
			switch it.ID {
			case fight.String():
				if it.Kind != "conflict" || it.Group != "conflict" || !slices.Equal(codesOf(it.Reasons), []string{"conflict", "first"}) || !slices.Equal(it.WaitingFields, []string{"name", "pid", "note"}) || !slices.Equal(it.Authors, []string{"officer.a", "officer.b"}) || !it.New || it.OldestAt >= it.NewestAt {
					t.Errorf("got %+v", it)
				}
			case gone.String():
				if it.Kind != "deletion" || it.Group != "eyes" || !slices.Equal(codesOf(it.Reasons), []string{"deletion"}) || !slices.Equal(it.WaitingFields, []string{"life"}) {
					t.Errorf("got %+v", it)
				}
			default:
				if it.Kind != "submitted" || it.Group != "clean" || len(it.Reasons) > 0 || it.Title != "Lan" {
					t.Errorf("got %+v", it)
				}
			}
		}
		if cursor = page.NextCursor; cursor == "" {
			break
		}
		// What is decided meanwhile moves nobody's place.
		w.mustApproveOnce(s, got[len(got)-1])
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	for _, bad := range []string{"x", "!", "MSAyIDM"} {
		_, err := w.desk.Queue(s.ctx, QueueRequest{Cursor: bad})
		wantCode(t, err, "invalid")
	}
	page, err := w.desk.Queue(s.ctx, QueueRequest{Group: "conflict"})
	if err != nil || len(page.Items) != 1 || page.Items[0].ID != fight.String() {
		t.Errorf("got %+v, %v", page.Items, err)
	}
}

// mustApproveOnce approves a record if that is possible at all.
func (w *world) mustApproveOnce(s who, text string) {
	id, err := conflict.ParseDot(text)
	if err != nil {
		w.t.Fatal(err)
	}
	w.approve(s, id)
}
