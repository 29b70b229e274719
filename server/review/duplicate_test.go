package review

import (
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/record"
)

func TestTwins(t *testing.T) {
	cases := []struct {
		name         string
		here, beside string
		want         []string // the fields in which they agree
	}{
		{"another name", "name=Lan,born=1958", "name=Mai,born=1958", nil},
		{"the same", "name=Lan,born=1958-04-05", "name=Lan,born=1958-04-05", []string{"name", "born"}},
		{"no birthday", "name=Lan", "name=Lan,born=1958", nil},
		{"case, spaces, place of the tone", "name=PHẠM  HÒA,born=1958-04-05", "name=Phạm Hoà,born=1958-04-05", []string{"name", "born"}},
		{"y for i", "name=Lý,born=1958-04-05", "name=Lí,born=1958-04-05", []string{"name", "born"}},
		{"without marks, to the day", "name=Thanh,born=1958-04-05", "name=Thạnh,born=1958-04-05", []string{"name", "born"}},
		{"another tone", "name=Thanh,born=1958", "name=Thạnh,born=1958", nil},
		{"đ", "name=Đan,born=1958", "name=Dan,born=1958", nil},
		{"known to the year", "name=Lan,born=1958", "name=Lan,born=1958-04-05", []string{"name", "born"}},
		{"another month", "name=Lan,born=1958-03", "name=Lan,born=1958-04-05", nil},
		{"one number", "name=Lan,pid=079203001234", "name=Mai,pid=079203001234", []string{"pid"}},
		{"two numbers", "name=Lan,born=1958,pid=079203001234", "name=Lan,born=1958,pid=079203001235", nil},
		{"one of them without a number", "name=Lan,born=1958,pid=079203001234", "name=Lan,born=1958", []string{"name", "born"}},
	}
	for _, c := range cases {
		w := deskWorld(t)
		a, s := w.officer("officer.a"), w.supervisor("supervisor")
		here := a.saved(conflict.RecordID{}, values(strings.Split(c.here, ",")...))
		beside := a.saved(conflict.RecordID{}, values(strings.Split(c.beside, ",")...))
		for _, pair := range [][2]conflict.RecordID{{here, beside}, {beside, here}} {
			var with []Twin
			var fields []string
			for _, r := range w.look(s, pair[0]).Reasons {
				if r.Code == whyDuplicate {
					with, fields = r.With, r.Fields
				}
			}
			if c.want == nil {
				if with != nil {
					t.Errorf("%s: got %v", c.name, with)
				}
				continue
			}
			if len(with) != 1 || with[0].ID != pair[1].String() || !slices.Equal(fields, c.want) {
				t.Errorf("%s: got %v in %v, want %v", c.name, with, fields, c.want)
			}
		}
		a.save(beside, form{deleted: ptr(true)})
		a.sync(beside)
		for _, r := range w.look(s, here).Reasons {
			if r.Code == whyDuplicate {
				t.Errorf("%s: a deleted record is a twin", c.name)
			}
		}
	}
}

// What people have said of a pair settles it, and at odds does not.
func TestTwinsSettled(t *testing.T) {
	w := deskWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	one := a.saved(conflict.RecordID{}, values("name=Lan", "born=1958-04-05"))
	other := a.saved(conflict.RecordID{}, values("name=Lan", "born=1958-04-05"))
	b.pull(one, other)
	doubtful := func() bool {
		items, _ := w.queue(s, QueueRequest{Reason: whyDuplicate})
		for _, it := range items {
			if got := slices.Contains(codesOf(w.look(s, mustDot(t, it.ID)).Reasons), whyDuplicate); !got {
				t.Errorf("the queue says duplicate, the record does not")
			}
		}
		return len(items) == 2
	}
	if !doubtful() {
		t.Error("two alike are no pair")
	}
	a.say(one, other, record.Different)
	a.sync(one)
	if doubtful() {
		t.Error("a pair that is two is still in doubt")
	}
	b.say(one, other, record.Linked) // without having seen the other verdict
	b.sync(one)
	if !doubtful() {
		t.Error("verdicts at odds settled a pair")
	}
}

// The hub is told which record stays of two that were one thing, wherever that was
// said, and nothing where people do not agree or said it of the one that goes.
func TestKept(t *testing.T) {
	for _, c := range []struct {
		name   string
		inGone bool // the verdict stands in the record that goes
		said   record.Verdict
		keep   bool // it says that the other one stays
		again  bool // somebody else says otherwise
		want   bool
	}{
		{"said in the one that stays", false, record.Same, true, false, true},
		{"said in the one that goes", true, record.Same, true, false, true},
		{"the one that goes was to stay", false, record.Same, false, false, false},
		{"linked", false, record.Linked, false, false, false},
		{"people disagree", false, record.Same, true, true, false},
	} {
		w := deskWorld(t)
		a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
		stays := a.saved(conflict.RecordID{}, values("name=Lan", "born=1958-04-05"))
		gone := a.saved(conflict.RecordID{}, values("name=Lan", "born=1958"))
		w.mustApprove(s, stays)
		w.mustApprove(s, gone)
		b.pull(stays, gone)
		in, of := stays, gone
		if c.inGone {
			in, of = gone, stays
		}
		said := record.Twin{Said: c.said}
		if c.said == record.Same {
			said.Kept = gone.String()
			if c.keep {
				said.Kept = stays.String()
			}
		}
		a.sayTwin(in, of, said)
		a.sync(in)
		if c.again {
			b.say(of, in, record.Different)
			b.sync(of)
		}
		a.save(gone, form{deleted: ptr(true)})
		a.sync(gone)
		w.mustApprove(s, gone)
		want := ""
		if c.want {
			want = stays.String()
		}
		friend := a.saved(conflict.RecordID{}, values("name=Mai", "friend="+gone.String()))
		leads := "Lan"
		if c.want {
			a.save(stays, form{values: values("name=Lan Anh")})
			a.sync(stays)
			leads = "Lan Anh"
		}
		for _, f := range w.look(s, friend).Fields {
			if f.Name == "friend" && (f.Merged.Display != leads || f.Merged.Value != gone.String()) {
				t.Errorf("%s: a reference to the one that went: got %q to %q, want %q", c.name, f.Merged.Value, f.Merged.Display, leads)
			}
		}
		if got := w.lastApproval(gone); got.Op != store.OpDelete || got.Other != want {
			t.Errorf("%s: got %q that stays %q, want a deletion and %q", c.name, got.Op, got.Other, want)
		}
	}
}

// say makes the changeset of a verdict.
func (d *device) say(id, other conflict.RecordID, v record.Verdict) {
	d.sayTwin(id, other, record.Twin{Said: v})
}

func (d *device) sayTwin(id, other conflict.RecordID, said record.Twin) {
	key := record.TwinKey(other)
	c := record.Changeset{Dot: conflict.Dot{Replica: d.id, Counter: d.counter + 1}, Unit: d.unit, Author: d.who.name, At: d.w.now(),
		Edits: []record.Edit{{Record: id, Register: "people", Definition: d.w.def.Version,
			Writes: []record.Write{{Key: key, Context: d.head(id).Field(key).Vector(), Value: said.Value()}}}}}
	d.counter++
	d.pending = append(d.pending, c)
}
