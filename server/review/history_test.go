package review

import (
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/record"
)

// TestAuthorship is the matrix of who made a value: always whoever made it,
// never who chose it or brought it back.
func TestAuthorship(t *testing.T) {
	type cast struct {
		w      *world
		a, b   *device // officers
		s      *device // the supervisor's own device
		desk   who     // the same supervisor at the desk
		other  who     // another supervisor
		id     conflict.RecordID
		opened conflict.Record // before the story, everywhere
	}
	save := func(d *device, c *cast, v string) {
		d.pull(c.id)
		d.save(c.id, form{values: values("note=" + v)})
		d.sync(c.id)
	}
	// blind saves without having seen what the others did since the beginning.
	blind := func(d *device, c *cast, v string) {
		opened := c.opened
		d.save(c.id, form{values: values("note=" + v), opened: &opened})
		d.sync(c.id)
	}
	settle := func(c *cast, s who, req SettleRequest) {
		r := c.w.look(s, c.id)
		req.ID, req.Digest, req.Field = r.ID, r.Digest, "note"
		if strings.HasPrefix(req.Dot, "=") {
			for _, v := range fieldOf(c.w.t, r, "note").Siblings {
				if v.Value == req.Dot[1:] {
					req.Dot = v.Dot
				}
			}
		}
		if _, err := c.w.desk.Settle(s.ctx, req); err != nil {
			c.w.t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		story   func(c *cast) // note=zero by officer.a is approved
		authors []string
		want    string // what the supervisor's approval answers
	}{
		{"an officer's value", func(c *cast) { save(c.a, c, "x") }, []string{"officer.a"}, ""},
		{"the supervisor's own value", func(c *cast) { save(c.s, c, "x") }, []string{"supervisor"}, "own_work"},
		{"an officer retypes the supervisor's value having seen it", func(c *cast) { save(c.s, c, "x"); save(c.a, c, "x") }, []string{"supervisor"}, "own_work"},
		{"the supervisor retypes an officer's value having seen it", func(c *cast) { save(c.a, c, "x"); save(c.s, c, "x") }, []string{"officer.a"}, ""},
		{"both type the same, neither having seen the other", func(c *cast) { blind(c.a, c, "x"); blind(c.s, c, "x") }, []string{"officer.a", "supervisor"}, "own_work"},
		{"the desk chooses an officer's sibling", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.b, c, "y")
			settle(c, c.desk, SettleRequest{Dot: "=y"})
		}, []string{"officer.b"}, ""},
		{"the desk chooses its own sibling", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.s, c, "y")
			settle(c, c.desk, SettleRequest{Dot: "=y"})
		}, []string{"supervisor"}, "own_work"},
		{"another supervisor chooses the supervisor's sibling", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.s, c, "y")
			settle(c, c.other, SettleRequest{Dot: "=y"})
		}, []string{"supervisor"}, "own_work"},
		{"the desk types a third value", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.b, c, "y")
			settle(c, c.desk, SettleRequest{Value: ptr("z")})
		}, []string{"supervisor"}, "own_work"},
		{"an officer chooses the supervisor's third value", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.b, c, "y")
			settle(c, c.desk, SettleRequest{Value: ptr("z")})
			save(c.a, c, "z")
		}, []string{"supervisor"}, "own_work"},
		{"the desk restores the approved value", func(c *cast) {
			save(c.a, c, "x")
			settle(c, c.desk, SettleRequest{Value: ptr("zero")})
		}, []string{"officer.a"}, ""},
		{"the supervisor's device restores the approved value", func(c *cast) { save(c.b, c, "x"); save(c.s, c, "zero") }, []string{"officer.a"}, ""},
		{"an older value, neither standing nor approved, is typed", func(c *cast) { save(c.a, c, "x"); save(c.b, c, "y"); save(c.s, c, "x") }, []string{"supervisor"}, "own_work"},
		{"a choice of a choice", func(c *cast) {
			blind(c.a, c, "x")
			blind(c.b, c, "y")
			settle(c, c.desk, SettleRequest{Dot: "=x"})
			late := c.w.deviceOf(c.other, ward)
			late.pull(c.id)
			late.save(c.id, form{values: values("note=x")})
			late.sync(c.id)
		}, []string{"officer.a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			x := &cast{w: w, a: w.officer("officer.a"), b: w.officer("officer.b"), desk: w.supervisor("supervisor"), other: w.supervisor("supervisor.b")}
			x.s = w.deviceOf(x.desk, ward)
			x.id = x.a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
			w.mustApprove(x.other, x.id)
			x.opened = w.state(x.id)
			for _, d := range []*device{x.a, x.b, x.s} {
				d.pull(x.id)
			}
			c.story(x)
			r := w.look(x.desk, x.id)
			f := fieldOf(t, r, "note")
			if !slices.Equal(f.Authors, c.authors) || f.OwnWork != (c.want != "") {
				t.Errorf("authors: got %v, own work %v; want %v", f.Authors, f.OwnWork, c.authors)
			}
			if f.Waiting {
				_, err := w.approve(x.desk, x.id)
				wantCode(t, err, c.want)
			}
			if c.want != "" {
				if slices.Contains(codesOf(r.Reasons), whyOwnWork) == r.MayApprove {
					t.Errorf("may approve %v, why not %v", r.MayApprove, codesOf(r.Reasons))
				}
				_, err := w.approve(x.other, x.id)
				wantCode(t, err, "")
			}
		})
	}
}

// A role that changed between the edit and the approval changes no author.
func TestAPromotedOfficerIsStillTheAuthor(t *testing.T) {
	w := newWorld(t)
	a := w.officer("officer.a")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.setRole(a.who, store.RoleSupervisor, ward)
	_, err := w.approve(a.who, id)
	wantCode(t, err, "own_work")
}

// TestLifeAuthorship says whose work a deletion, and a rescue from one, is.
func TestLifeAuthorship(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	own := w.deviceOf(s, ward)
	authors := func(id conflict.RecordID) (names []string) {
		h := w.history(id)
		for _, sib := range w.state(id).Field(conflict.Key(conflict.FieldLife)).Siblings() {
			names = append(names, h.authors(conflict.Key(conflict.FieldLife), sib.Dot)...)
		}
		return names
	}
	fresh := func() conflict.RecordID {
		id := a.saved(conflict.RecordID{}, values("name=Lan"))
		w.mustApprove(s, id)
		for _, d := range []*device{a, b, own} {
			d.pull(id)
		}
		return id
	}
	life := func(d *device, id conflict.RecordID, deleted bool) {
		d.pull(id)
		d.save(id, form{deleted: &deleted})
		d.sync(id)
	}

	id := fresh()
	life(own, id, true)
	if got := authors(id); !slices.Equal(got, []string{"supervisor"}) {
		t.Errorf("deleted by the supervisor: got %v", got)
	}
	_, err := w.approve(s, id)
	wantCode(t, err, "own_work")

	id = fresh()
	life(b, id, true)
	life(own, id, false)
	if got := authors(id); len(got) != 0 {
		t.Errorf("a deletion nobody approved, undone: got %v, want nobody", got)
	}

	id = fresh()
	life(b, id, true)
	w.mustApprove(s, id)
	life(own, id, false)
	if got := authors(id); !slices.Equal(got, []string{"supervisor"}) {
		t.Errorf("an approved deletion undone: got %v", got)
	}
	_, err = w.approve(s, id)
	wantCode(t, err, "own_work")

	// Edited and deleted: each side has its author.
	for choice, want := range map[string]string{"alive": "officer.a", "deleted": "officer.b"} {
		id = fresh()
		a.save(id, form{values: values("note=x")})
		b.save(id, form{deleted: ptr(true)})
		a.sync(id)
		b.sync(id)
		r := w.look(s, id)
		if _, err := w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: "life", Value: &choice}); err != nil {
			t.Fatal(err)
		}
		if got := authors(id); !slices.Equal(got, []string{want}) {
			t.Errorf("settled as %s: got %v, want %s", choice, got, want)
		}
		w.mustApprove(s, id)
	}
}

func TestHistoryStates(t *testing.T) {
	w := newWorld(t)
	a, b := w.officer("officer.a"), w.officer("officer.b")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "pid=079203001234", "illness=flu"))
	b.pull(id)
	a.save(id, form{values: values("note=one")})
	b.save(id, form{values: values("note=two")})
	a.sync(id)
	b.sync(id)
	a.saved(id, values("name=Lân"))
	plain := w.account("plain", store.RoleOfficer, ward, false)
	for _, reader := range []who{a.who, plain} {
		h, err := w.desk.History(reader.ctx, HistoryRequest{ID: id.String()})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, st := range h.Steps {
			if st.Field != "submission" {
				got = append(got, st.Field+" "+st.Value+" "+st.Display+" "+st.State)
			}
		}
		slices.Sort(got)
		want := []string{"illness flu flu current", "name Lan Lan superseded", "name Lân Lân current", "note one one sibling", "note two two sibling", "pid  •••••••••234 current"}
		if reader.name == "plain" {
			want = want[1:]
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", reader.name, got, want)
		}
	}
}

// history reads a record's history.
func (w *world) history(id conflict.RecordID) (h *history) {
	w.view(func(tx *sqliteTx) (err error) { h, err = readHistory(ledgerOf(tx), id); return err })
	return h
}

// TestMaterialiseIsOfItsDecision reads old versions while newer ones exist.
func TestMaterialiseIsOfItsDecision(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	w.mustApprove(s, id)
	b.saved(id, values("note=two"))
	w.mustApprove(s, id)
	w.view(func(tx *sqliteTx) error {
		list, err := ledgerOf(tx).Approvals(id)
		if err != nil {
			return err
		}
		for i, want := range []string{"one", "two"} {
			v, err := Materialise(ledgerOf(tx), list[i])
			if err != nil {
				return err
			}
			if f := v.Fields[conflict.Key(19)]; string(f.Value) != want || f.Author != []string{"officer.a", "officer.b"}[i] || f.At == 0 || f.Received == 0 || v.Definition != 3 {
				t.Errorf("version %d: got %+v", i+1, f)
			}
		}
		forged := list[0]
		forged.Hash[0]++
		if _, err := Materialise(ledgerOf(tx), forged); err == nil {
			t.Error("a row whose hash does not fit is read")
		}
		forged = list[0]
		forged.Dots = record.NewDotSet(conflict.Dot{Replica: a.id, Counter: 99})
		if _, err := Materialise(ledgerOf(tx), forged); err == nil {
			t.Error("a row that names an unknown write is read")
		}
		return nil
	})
}

// TestOldestWriteIsNamed follows a restored value to whoever made it.
func TestOldestWriteIsNamed(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=one"))
	w.mustApprove(s, id)
	b.saved(id, values("note=two"))
	r := w.look(s, id)
	if _, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Reason: "no"}); err != nil {
		t.Fatal(err)
	}
	w.view(func(tx *sqliteTx) error {
		list, err := ledgerOf(tx).Approvals(id)
		if err != nil {
			return err
		}
		v, err := Materialise(ledgerOf(tx), list[len(list)-1])
		if f := v.Fields[conflict.Key(19)]; f.Author != "officer.a" || f.Value != "one" || len(f.Dots) != 1 {
			t.Errorf("got %+v", f)
		}
		return err
	})
}
