package review

import (
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
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

// say makes the changeset of a verdict.
func (d *device) say(id, other conflict.RecordID, v record.Verdict) {
	key := record.TwinKey(other)
	c := record.Changeset{Dot: conflict.Dot{Replica: d.id, Counter: d.counter + 1}, Unit: d.unit, Author: d.who.name, At: d.w.now(),
		Edits: []record.Edit{{Record: id, Register: "people", Definition: d.w.def.Version,
			Writes: []record.Write{{Key: key, Context: d.head(id).Field(key).Vector(), Value: record.Twin{Said: v}.Value()}}}}}
	d.counter++
	d.pending = append(d.pending, c)
}
