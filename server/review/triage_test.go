package review

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// deskWorld is a world whose people have households, birthdays and a natural
// key, as those of a ward do.
func deskWorld(t testing.TB) *world {
	w := newWorld(t)
	d := *w.def
	text := func(s string) register.Text { return register.Text{VI: s, EN: s} }
	field := func(id conflict.FieldID, name string, typ register.Type) register.Field {
		return register.Field{ID: id, Name: name, Type: typ, Label: text(name), Section: "all", Required: register.Optional, Class: register.Basic, Policy: conflict.Keep}
	}
	fields := slices.Clone(d.Fields)
	fields[0].Type = register.Name
	def, err := register.New(register.Definition{ID: d.ID, Version: d.Version, Label: d.Label, TitleField: d.TitleField, ListColumns: d.ListColumns,
		NaturalKey: [][]string{{"pid"}, {"name", "born"}}, Sections: d.Sections, CodeLists: d.CodeLists, Rules: d.Rules,
		Fields: append(fields, field(23, "born", register.DatePartial), field(24, householdField, register.PlainText))})
	if err != nil {
		t.Fatal(err)
	}
	w.def = def
	return w
}

// seen is one record of the queue in one line.
func seen(it Item) string {
	var why []string
	for _, r := range it.Reasons {
		why = append(why, strings.TrimSuffix(r.Code+":"+strings.Join(r.Fields, "+"), ":"))
	}
	slices.Sort(why)
	return it.Group + " " + strings.Join(why, ",")
}

// queue reads every page of a queue.
func (w *world) queue(s who, req QueueRequest) (items []Item, first QueueResponse) {
	w.t.Helper()
	for {
		page, err := w.desk.Queue(s.ctx, req)
		if err != nil {
			w.t.Fatal(err)
		}
		if req.Cursor == "" {
			first = page
		}
		items = append(items, page.Items...)
		if req.Cursor = page.NextCursor; req.Cursor == "" {
			return items, first
		}
	}
}

func TestTriage(t *testing.T) {
	w := deskWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	own := w.deviceOf(s, ward)
	minute := func() { w.clock.Add(2 * 60_000) }
	n := 0
	fresh := func(f ...string) conflict.RecordID {
		minute()
		n++
		id := a.saved(conflict.RecordID{}, values(append([]string{fmt.Sprintf("name=Lan %c%c", 'A'+n/20, 'a'+n%20)}, f...)...))
		w.mustApprove(s, id)
		for _, d := range []*device{a, b, own} {
			d.pull(id)
		}
		return id
	}
	edit := func(d *device, f form, before ...string) conflict.RecordID {
		id := fresh(before...)
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
	edited := func(f ...string) form { return form{values: values(f...)} }
	returned := func() conflict.RecordID {
		id := edit(a, edited("note=x"))
		if _, err := w.desk.Return(s.ctx, ReturnRequest{ID: id.String(), Digest: w.look(s, id).Digest, Fields: []string{"note"}, Comment: "who says?"}); err != nil {
			t.Fatal(err)
		}
		a.pull(id)
		return id
	}
	answered := returned()
	a.save(answered, form{answer: "the neighbour"})
	a.sync(answered)

	want := map[string]string{}
	for _, c := range []struct {
		id   conflict.RecordID
		want string
	}{
		{edit(a, edited("note=x")), "clean "},
		{edit(a, edited("note=x"), householdField+"=7"), "clean "},
		{edit(b, edited("note=z"), householdField+"=7"), "clean "},
		{edit(b, edited("age=9"), householdField+"=12"), "clean "},
		{a.saved(conflict.RecordID{}, values("name=Mai")), "clean "},
		{a.saved(conflict.RecordID{}, values("name=Mai", "pid=079203001234")), "eyes first:pid"},
		{edit(a, edited("pid=079203001235")), "eyes high_risk:pid"},
		{edit(a, edited("note=odd")), "eyes warning:note"},
		{edit(a, edited("note=wrong")), "eyes error:note"},
		{edit(a, form{deleted: ptr(true)}), "eyes deletion"},
		{edit(own, edited("note=x")), "eyes own_work"},
		{edit(own, edited("note=odd")), "eyes own_work,warning:note"},
		{both(edited("note=x"), edited("note=y")), "conflict conflict:note"},
		{both(edited("note=x"), form{deleted: ptr(true)}), "conflict edited_and_deleted"},
		{both(edited("tags=A"), edited("tags=B")), "clean "},
		{a.saved(conflict.RecordID{}, values("name=Phạm Hòa", "born=1958-04-05")), "eyes duplicate:name+born"},
		{b.saved(conflict.RecordID{}, values("name=phạm hoà", "born=1958")), "eyes duplicate:name+born"},
		{answered, "eyes answered"},
		{returned(), "returned "},
	} {
		want[c.id.String()] = c.want
	}
	fresh()                                                                     // approved: on nobody's desk
	a.save(conflict.RecordID{}, form{values: values("name=Dung"), draft: true}) // a draft
	a.sync()

	for range 2 { // judged, and remembered
		items, first := w.queue(s, QueueRequest{Limit: 3})
		gone, _ := w.queue(s, QueueRequest{Group: groupReturned})
		var groups Counts
		got := map[string]string{}
		for _, it := range append(items, gone...) {
			if _, twice := got[it.ID]; twice {
				t.Errorf("%s stands twice", it.ID)
			}
			got[it.ID] = seen(it)
			groups.add(it.Group)
		}
		for id, line := range want {
			if got[id] != line {
				t.Errorf("%s: got %q, want %q", id, got[id], line)
			}
			delete(got, id)
		}
		if len(got) > 0 {
			t.Errorf("also on the desk: %v", got)
		}
		if groups.Households = 2; first.Counts != groups || first.Matches != groups.All {
			t.Errorf("the queue counts %+v and %d, its lines %+v", first.Counts, first.Matches, groups)
		}
		d, err := w.desk.Day(s.ctx, DayRequest{})
		if err != nil || d.Waiting != groups {
			t.Errorf("the day counts %+v, the queue %+v (%v)", d.Waiting, groups, err)
		}
		for _, filter := range []QueueRequest{{Group: groupConflict}, {Group: groupEyes}, {Group: groupClean}, {Group: groupReturned}} {
			list, page := w.queue(s, filter)
			n := map[string]int{groupConflict: groups.Conflict, groupEyes: groups.Eyes, groupClean: groups.Clean, groupReturned: groups.Returned}[filter.Group]
			if len(list) != n || page.Matches != n || page.Counts != groups {
				t.Errorf("%s: got %d lines, %d matches, %+v, want %d", filter.Group, len(list), page.Matches, page.Counts, n)
			}
		}
		for _, c := range first.Reasons {
			if list, _ := w.queue(s, QueueRequest{Group: groupEyes, Reason: c.Code}); len(list) != c.Records {
				t.Errorf("%s: got %d lines, counted %d", c.Code, len(list), c.Records)
			}
		}
		for _, c := range first.Authors {
			list, page := w.queue(s, QueueRequest{Author: c.Code})
			if len(list) != c.Records || page.Counts.All != c.Records {
				t.Errorf("%s: got %d lines, counted %d and %d", c.Code, len(list), c.Records, page.Counts.All)
			}
		}
		if at := items[len(items)-1].ID; true { // a reload reaches as far as the page was read
			page, err := w.desk.Queue(s.ctx, QueueRequest{Limit: 1, Through: at})
			if err != nil || len(page.Items) != len(items) || page.NextCursor != "" {
				t.Errorf("through the last: got %d lines, %q, %v", len(page.Items), page.NextCursor, err)
			}
		}
		clean, _ := w.queue(s, QueueRequest{Group: groupClean})
		var households []string
		for _, it := range clean {
			households = append(households, it.Household)
		}
		if want := []string{"12", "7", "7", "", "", ""}; !slices.Equal(households, want) {
			t.Errorf("by household: got %q, want %q", households, want)
		}
	}
	if asked, _ := w.queue(s, QueueRequest{Reason: whyAnswered}); len(asked) != 1 || asked[0].Asked == nil || asked[0].Asked.Comment != "who says?" ||
		len(asked[0].Asked.Answers) != 1 || asked[0].Asked.Answers[0].Text != "the neighbour" {
		t.Errorf("got %+v", asked)
	}
	if s2 := w.supervisor("supervisor.b"); true { // the work of one supervisor is clean for the other
		_, page := w.queue(s2, QueueRequest{})
		if page.Counts.Clean != 7 || page.Counts.Eyes != 9 {
			t.Errorf("for another supervisor: got %+v", page.Counts)
		}
	}
	w.cleanIsApproved(s)
}

// cleanIsApproved holds the one truth: a batch of all that waits approves what
// the queue calls clean, and leaves the rest for the reasons that it tells.
func (w *world) cleanIsApproved(s who) {
	w.t.Helper()
	items, first := w.queue(s, QueueRequest{Limit: queueMost})
	approved := 0
	for list := range slices.Chunk(items, BatchMost) {
		var req BatchRequest
		by := map[string]Item{}
		for _, it := range list {
			req.Records = append(req.Records, BatchRecord{it.ID, it.Digest})
			by[it.ID] = it
		}
		out, err := w.desk.Batch(s.ctx, req)
		if err != nil {
			w.t.Fatal(err)
		}
		for _, one := range out.Approved {
			approved++
			if it := by[one.ID]; it.Group != groupClean {
				w.t.Errorf("%s was approved, and the queue says %q", one.ID, seen(it))
			}
		}
		for _, one := range out.Left {
			if it := by[one.ID]; !slices.Equal(one.Why, codesOf(it.Reasons)) {
				w.t.Errorf("%s was left for %v, and the queue says %q", one.ID, one.Why, seen(it))
			}
		}
	}
	if approved != first.Counts.Clean {
		w.t.Errorf("a batch approved %d, the queue counts %d clean", approved, first.Counts.Clean)
	}
}

// What is remembered of earlier looks is what a desk that sees everything for
// the first time would say, whatever happened in between to the record or to
// others: a number given to two people, a twin that gets another birthday, a
// question and its answer.
func TestTriageFollows(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := deskWorld(t)
		a, s := w.officer("officer.a"), w.supervisor("supervisor")
		pick := func(list ...string) string { return list[r.IntN(len(list))] }
		var ids []conflict.RecordID
		for step := range 60 {
			w.clock.Add(60_000)
			f := map[string]string{}
			for _, name := range []string{"name=Phạm Hòa|phạm hoà|Lan|Mai", "born=1958|1958-04-05|1959-04-05|", "phone=0912345678|0912345679|", "note=x|y|odd|wrong", householdField + "=7|12|"} {
				if r.IntN(2) == 0 {
					field, all, _ := strings.Cut(name, "=")
					f[field] = pick(strings.Split(all, "|")...)
				}
			}
			var id conflict.RecordID
			if len(ids) > 0 && r.IntN(3) > 0 {
				id = ids[r.IntN(len(ids))]
			}
			a.pull(id)
			switch op := r.IntN(8); {
			case id.IsZero() || op < 4:
				if id.IsZero() {
					f["name"] = pick("Phạm Hòa", "Lan")
				}
				id = a.save(id, form{values: f, draft: r.IntN(5) == 0})
				a.sync(id)
				if !slices.Contains(ids, id) {
					ids = append(ids, id)
				}
			case op == 4:
				a.save(id, form{deleted: ptr(r.IntN(2) == 0)})
				a.sync(id)
			case op == 5:
				look := w.look(s, id)
				_, _ = w.desk.Return(s.ctx, ReturnRequest{ID: look.ID, Digest: look.Digest, Fields: []string{"name"}, Comment: "?"}) // where it waits
			case op == 6:
				a.save(id, form{answer: "so"})
				a.sync(id)
			default:
				_, _ = w.approve(s, id) // where it can be
			}
			if r.IntN(20) == 0 {
				w.clock.Add(24 * 60 * 60_000)
			}
			got, first := w.queue(s, QueueRequest{Limit: queueMost})
			anew, err := New(context.Background(), w.desk.cfg)
			if err != nil {
				t.Fatal(err)
			}
			want, err := anew.Queue(s.ctx, QueueRequest{Limit: queueMost})
			if err != nil {
				t.Fatal(err)
			}
			if jsonOf(append([]Item{}, got...)) != jsonOf(want.Items) || first.Counts != want.Counts {
				t.Fatalf("seed %d, step %d: remembered\n%s\nseen anew\n%s", seed, step, jsonOf(got), jsonOf(want.Items))
			}
		}
		w.cleanIsApproved(s)
	}
}

// A pattern keeps its records out of a batch, all of them or none.
func TestTriagePattern(t *testing.T) {
	w := deskWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	var ids []conflict.RecordID
	for i := range 35 {
		w.clock.Add(2 * 60_000)
		id := a.saved(conflict.RecordID{}, values(fmt.Sprintf("name=Lan %c%c", 'A'+i/20, 'a'+i%20), "note=before"))
		w.mustApprove(s, id)
		ids = append(ids, id)
	}
	for i, id := range ids {
		w.clock.Add(2 * 60_000)
		if i < 22 {
			a.saved(id, values("note=moved away"))
		} else {
			b.saved(id, values(fmt.Sprintf("note=house %d", i)))
		}
	}
	items, page := w.queue(s, QueueRequest{})
	if page.Counts.Eyes != 22 || page.Counts.Clean != 13 {
		t.Errorf("got %+v", page.Counts)
	}
	for _, it := range items {
		if it.Group == groupEyes {
			p := it.Reasons[0].Pattern
			if seen(it) != "eyes pattern:note" || p == nil || *p != (Pattern{Kind: patternSame, Author: "officer.a", Field: "note", Count: 22, Of: 22, OfOther: 13}) {
				t.Errorf("got %q, %+v", seen(it), p)
			}
			if r := w.look(s, mustDot(t, it.ID)); !slices.Equal(codesOf(r.Reasons), []string{whyPattern}) || !r.MayApprove {
				t.Errorf("the record says %v, may approve %v", codesOf(r.Reasons), r.MayApprove)
			}
		}
	}
	w.cleanIsApproved(s)
}

func mustDot(t testing.TB, text string) conflict.RecordID {
	t.Helper()
	id, err := conflict.ParseDot(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// A supervisor who may not see a field hears nothing of it: not as a reason, not
// as a twin.
func TestTriageHidesSensitive(t *testing.T) {
	w := deskWorld(t)
	a := w.officer("officer.a")
	blind := w.account("blind", "supervisor", ward, false)
	sees := w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.mustApprove(sees, id)
	a.saved(id, values("illness=flu"))
	if items, _ := w.queue(sees, QueueRequest{}); len(items) != 1 || seen(items[0]) != "clean " || !slices.Equal(items[0].WaitingFields, []string{"illness"}) {
		t.Errorf("got %+v", items)
	}
	items, _ := w.queue(blind, QueueRequest{})
	for _, it := range items {
		if strings.Contains(jsonOf(it), "illness") || it.Group == groupClean {
			t.Errorf("got %+v", it)
		}
	}
}

// BenchmarkTriage is the time of a look at 1,200 waiting records: the first, and
// one after a decision.
func BenchmarkTriage(b *testing.B) {
	w := deskWorld(b)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	for i := range 1200 {
		a.save(conflict.RecordID{}, form{values: values(fmt.Sprintf("name=Lan %c%c%c", 'A'+i/400, 'a'+i/20%20, 'a'+i%20), fmt.Sprintf("born=19%02d-01-01", i%90), "note=x", fmt.Sprintf("%s=%d", householdField, i/4))})
	}
	a.push()
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			w.desk.triages.list = nil
			if _, err := w.desk.Day(s.ctx, DayRequest{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after-a-decision", func(b *testing.B) {
		items, _ := w.queue(s, QueueRequest{Limit: queueMost})
		for b.Loop() {
			b.StopTimer()
			if len(items) > 0 {
				if _, err := w.desk.Approve(s.ctx, ApproveRequest{ID: items[0].ID, Digest: items[0].Digest, AcceptWarnings: true}); err != nil {
					b.Fatal(err)
				}
				items = items[1:]
			}
			b.StartTimer()
			if _, err := w.desk.Queue(s.ctx, QueueRequest{Limit: 100}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
