package review

import (
	"slices"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/store"
)

const hour = 60 * 60 * 1000

// tallyOf returns what an officer is told, after asking whether the supervisor
// is told the same and whether the numbers add up.
func (w *world) tallyOf(d *device, s who) map[string]Period {
	w.t.Helper()
	own, err := w.desk.Tallies(d.who.ctx, TalliesRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	if len(own.Tallies) != 1 || own.Tallies[0].Officer != d.who.name || own.OnTime != 24 {
		w.t.Fatalf("tally of %s: got %+v", d.who.name, own)
	}
	all, err := w.desk.Tallies(s.ctx, TalliesRequest{})
	if err != nil {
		w.t.Fatal(err)
	}
	at := slices.IndexFunc(all.Tallies, func(t Tally) bool { return t.Officer == d.who.name })
	if at < 0 || !slices.Equal(all.Tallies[at].Periods, own.Tallies[0].Periods) {
		w.t.Errorf("the supervisor is told %+v, %s %+v", all.Tallies, d.who.name, own.Tallies)
	}
	periods := map[string]Period{}
	for _, p := range own.Tallies[0].Periods {
		if sum := p.Approved + p.Refused + p.Waiting + p.Drafts + p.Replaced + p.Held; sum != p.Received {
			w.t.Errorf("%s: %d pieces stand somewhere, %d were received: %+v", p.Name, sum, p.Received, p)
		}
		if p.OnTime+p.Overdue != p.Received {
			w.t.Errorf("%s: %d pieces on time, %d overdue, %d received", p.Name, p.OnTime, p.Overdue, p.Received)
		}
		if p.ApprovedFirst > p.Approved || p.OnTime > p.Received || p.Returned > p.Received {
			w.t.Errorf("%s: more than all: %+v", p.Name, p)
		}
		periods[p.Name] = p
	}
	return periods
}

// wantTally compares one period, but for its name and beginning.
func (w *world) wantTally(what string, got, want Period) {
	w.t.Helper()
	got.Name, got.From = "", ""
	if got != want {
		w.t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func (w *world) giveBack(s who, id conflict.RecordID, fields ...string) {
	w.t.Helper()
	if _, err := w.desk.Return(s.ctx, ReturnRequest{ID: id.String(), Digest: w.look(s, id).Digest, Fields: fields, Comment: "which?"}); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refuse(s who, id conflict.RecordID, fields ...string) {
	w.t.Helper()
	if _, err := w.desk.Refuse(s.ctx, RefuseRequest{ID: id.String(), Digest: w.look(s, id).Digest, Fields: fields, Reason: "no"}); err != nil {
		w.t.Fatal(err)
	}
}

// TestTally goes the whole way of one day: entering, handing in, returning,
// answering, approving, refusing, with saves between that count nothing.
func TestTally(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	today := func(what string, want Period) { t.Helper(); w.wantTally(what, w.tallyOf(a, s)["day"], want) }
	today("nothing yet", Period{})

	lan := a.save(conflict.RecordID{}, form{values: values("name=Lan"), draft: true})
	today("not received", Period{})
	a.sync(lan)
	today("a draft", Period{Entered: 1, Received: 1, OnTime: 1, Drafts: 1})
	a.save(lan, form{values: values("note=one"), draft: true})
	a.save(lan, form{values: values("note=two")})
	a.sync(lan)
	today("handed in, after two saves more", Period{Entered: 1, Received: 1, OnTime: 1, Waiting: 1})

	w.giveBack(s, lan, "note")
	today("returned", Period{Entered: 1, Received: 1, OnTime: 1, Returned: 1, Waiting: 1})
	a.pull(lan)
	a.save(lan, form{values: values("note=three"), answer: "it was three"})
	a.sync(lan)
	w.mustApprove(s, lan)
	today("answered and approved", Period{Entered: 1, Received: 1, OnTime: 1, Returned: 1, Approved: 1})

	a.saved(lan, values("age=7"))
	today("changed again", Period{Entered: 2, Received: 2, OnTime: 2, Returned: 1, Approved: 1, Waiting: 1})
	w.mustApprove(s, lan)
	today("the change approved at once", Period{Entered: 2, Received: 2, OnTime: 2, Returned: 1, Approved: 2, ApprovedFirst: 1})
	a.pull(lan)
	a.save(lan, form{values: values("age=8"), draft: true})
	a.sync(lan)
	today("a change that is only saved", Period{Entered: 2, Received: 2, OnTime: 2, Returned: 1, Approved: 2, ApprovedFirst: 1})

	mai := a.saved(conflict.RecordID{}, values("name=Mai", "note=x"))
	w.refuse(s, mai)
	today("refused", Period{Entered: 3, Received: 3, OnTime: 3, Returned: 1, Approved: 2, ApprovedFirst: 1, Refused: 1})

	thu := a.saved(conflict.RecordID{}, values("name=Thu", "note=x", "age=9"))
	w.mustApprove(s, thu, "name", "age")
	today("approved in part", Period{Entered: 4, Received: 4, OnTime: 4, Returned: 1, Approved: 2, ApprovedFirst: 1, Refused: 1, Waiting: 1})
	w.mustApprove(s, thu)
	today("and the rest", Period{Entered: 4, Received: 4, OnTime: 4, Returned: 1, Approved: 3, ApprovedFirst: 2, Refused: 1})
	if _, err := w.desk.Withdraw(s.ctx, WithdrawRequest{ID: thu.String(), Reason: "too soon"}); err != nil {
		t.Fatal(err)
	}
	today("withdrawn", Period{Entered: 4, Received: 4, OnTime: 4, Returned: 1, Approved: 2, ApprovedFirst: 1, Refused: 1, Waiting: 1})
	w.mustApprove(s, thu)
	today("approved again", Period{Entered: 4, Received: 4, OnTime: 4, Returned: 1, Approved: 3, ApprovedFirst: 1, Refused: 1})

	ha := a.saved(conflict.RecordID{}, values("name=Ha", "note=x", "age=9"))
	w.refuse(s, ha, "note")
	w.mustApprove(s, ha)
	today("refused in part, then approved", Period{Entered: 5, Received: 5, OnTime: 5, Returned: 1, Approved: 4, ApprovedFirst: 1, Refused: 1})

	w.wantTally("of the other", w.tallyOf(b, s)["day"], Period{})
}

// TestTallyOfTwo looks at records on which two officers work.
func TestTallyOfTwo(t *testing.T) {
	w := newWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
	w.mustApprove(s, id)
	base := Period{Entered: 1, Received: 1, OnTime: 1, Approved: 1, ApprovedFirst: 1}
	w.wantTally("made", w.tallyOf(a, s)["day"], base)

	// A question about a field is about who wrote it.
	a.saved(id, values("age=7"))
	b.saved(id, values("note=one"))
	w.giveBack(s, id, "note")
	more := Period{Entered: 2, Received: 2, OnTime: 2, Approved: 1, ApprovedFirst: 1, Waiting: 1}
	w.wantTally("a wrote the other field", w.tallyOf(a, s)["day"], more)
	w.wantTally("b was asked", w.tallyOf(b, s)["day"], Period{Entered: 1, Received: 1, OnTime: 1, Returned: 1, Waiting: 1})
	b.pull(id)
	b.save(id, form{values: values("note=two"), answer: "two"})
	b.sync(id)
	// One about a field that nobody wrote is about all.
	w.giveBack(s, id, "phone")
	more.Returned = 1
	w.wantTally("a was asked, too", w.tallyOf(a, s)["day"], more)
	a.pull(id)
	a.save(id, form{values: values("age=8"), answer: "none"})
	a.sync(id)
	w.mustApprove(s, id)
	more.Approved, more.Waiting = 2, 0
	w.wantTally("approved after a question", w.tallyOf(a, s)["day"], more)

	// Two values of one field: the chosen one's author is approved, the other's work replaced.
	a.pull(id)
	b.pull(id)
	a.save(id, form{values: values("note=of a")})
	b.save(id, form{values: values("note=of b")})
	a.sync(id)
	b.sync(id)
	sides := fieldOf(t, w.look(s, id), "note").Siblings
	at := slices.IndexFunc(sides, func(v Value) bool { return v.Value == "of b" })
	if len(sides) != 2 || at < 0 {
		t.Fatalf("got %+v", sides)
	}
	if _, err := w.desk.Settle(s.ctx, SettleRequest{ID: id.String(), Digest: w.look(s, id).Digest, Field: "note", Dot: sides[at].Dot}); err != nil {
		t.Fatal(err)
	}
	w.mustApprove(s, id)
	more.Entered, more.Received, more.OnTime, more.Replaced = 3, 3, 3, 1
	w.wantTally("the other was chosen", w.tallyOf(a, s)["day"], more)
	w.wantTally("chosen", w.tallyOf(b, s)["day"], Period{Entered: 2, Received: 2, OnTime: 2, Returned: 1, Approved: 2, ApprovedFirst: 1})
}

// TestTallyOfADeletion sees a deletion approved, and one refused.
func TestTallyOfADeletion(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	one, two := a.saved(conflict.RecordID{}, values("name=Lan")), a.saved(conflict.RecordID{}, values("name=Mai"))
	w.mustApprove(s, one)
	w.mustApprove(s, two)
	a.pull(one, two)
	a.save(one, form{deleted: ptr(true), draft: true})
	a.save(two, form{deleted: ptr(true), draft: true})
	a.sync(one, two)
	w.wantTally("waiting", w.tallyOf(a, s)["day"], Period{Entered: 4, Received: 4, OnTime: 4, Approved: 2, ApprovedFirst: 2, Waiting: 2})
	w.mustApprove(s, one)
	w.refuse(s, two)
	w.wantTally("decided", w.tallyOf(a, s)["day"], Period{Entered: 4, Received: 4, OnTime: 4, Approved: 3, ApprovedFirst: 3, Refused: 1})
}

// TestTallyOfWhatIsHeld follows work into quarantine and out of it: released, it
// counts from the day on which it was first received.
func TestTallyOfWhatIsHeld(t *testing.T) {
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	made := a.save(conflict.RecordID{}, form{values: values("name=Mai")})
	a.save(made, form{values: values("note=of Mai")})
	a.save(conflict.RecordID{}, form{values: values("name=Lan")})
	a.cut()
	w.wantTally("held", w.tallyOf(a, s)["day"], Period{Entered: 2, Received: 2, OnTime: 2, Held: 2})
	w.clock.Add(2 * 24 * hour)
	for _, item := range w.aside(s) {
		settle := w.desk.Release
		if item.Record != made.String() {
			settle = w.desk.Reject
		}
		if _, err := settle(s.ctx, SettleAsideRequest{ID: item.ID, Reason: "looked at"}); err != nil {
			t.Fatal(err)
		}
	}
	w.wantTally("released, today", w.tallyOf(a, s)["day"], Period{})
	w.wantTally("released, this week", w.tallyOf(a, s)["week"], Period{Entered: 2, Received: 2, OnTime: 2, Waiting: 1, Refused: 1})
	w.mustApprove(s, made)
	w.wantTally("released and approved", w.tallyOf(a, s)["week"], Period{Entered: 2, Received: 2, OnTime: 2, Refused: 1, Approved: 1, ApprovedFirst: 1})
}

// TestTallyOfLateWork brings work in late, and of devices whose clocks are wrong.
func TestTallyOfLateWork(t *testing.T) {
	w := newWorld(t) // its clock begins on a Monday, 2 March, 10:00 in the city
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	bring := func(waited int64, at func(now int64) int64) {
		a.save(conflict.RecordID{}, form{values: values("name=Lan")})
		w.clock.Add(waited)
		c := &a.pending[len(a.pending)-1]
		c.At = at(c.At)
		a.sync()
	}
	as := func(at int64) int64 { return at }
	bring(23*hour, as)
	bring(25*hour, as) // written on Tuesday, received on Wednesday
	got := w.tallyOf(a, s)
	w.wantTally("Wednesday", got["day"], Period{Received: 1, Overdue: 1, Waiting: 1})
	w.wantTally("the week of a late piece", got["week"], Period{Entered: 2, Received: 2, OnTime: 1, Overdue: 1, Waiting: 2})

	bring(0, func(at int64) int64 { return at + 10*60*1000 }) // ten minutes ahead
	w.wantTally("a clock ahead", w.tallyOf(a, s)["day"], Period{Entered: 1, Received: 2, OnTime: 1, Overdue: 1, Waiting: 2})
	bring(0, func(at int64) int64 { return at + 25*hour }) // a day ahead: it shows nothing
	w.wantTally("a clock a day ahead", w.tallyOf(a, s)["day"], Period{Entered: 2, Received: 3, OnTime: 1, Overdue: 2, Waiting: 3})
	bring(0, func(int64) int64 { return time.Date(2019, 1, 1, 0, 0, 0, 0, city).UnixMilli() })
	w.wantTally("a clock that stands years back", w.tallyOf(a, s)["day"], Period{Entered: 3, Received: 4, OnTime: 1, Overdue: 3, Waiting: 4})

	// In time at first, and its answer late: it was not on time.
	id := a.saved(conflict.RecordID{}, values("name=Thu"))
	w.wantTally("in time", w.tallyOf(a, s)["day"], Period{Entered: 4, Received: 5, OnTime: 2, Overdue: 3, Waiting: 5})
	a.save(id, form{values: values("note=late")})
	w.clock.Add(30 * hour)
	a.sync(id)
	w.wantTally("late in the end", w.tallyOf(a, s)["week"], Period{Entered: 6, Received: 6, OnTime: 2, Overdue: 4, Waiting: 6})
	w.wantTally("what was dated to that day was counted on its own", w.tallyOf(a, s)["day"], Period{})
}

// TestTallyPeriods looks at the days on both sides of the city's midnight, of a
// week and of a month.
func TestTallyPeriods(t *testing.T) {
	for _, c := range []struct {
		now, day, week, month string
	}{
		{"2026-11-28T16:59:59Z", "2026-11-28", "2026-11-23", "2026-11-01"},
		{"2026-11-28T17:00:00Z", "2026-11-29", "2026-11-23", "2026-11-01"}, // midnight in the city; a Sunday
		{"2026-11-29T17:00:00Z", "2026-11-30", "2026-11-30", "2026-11-01"},
		{"2026-11-30T17:00:00Z", "2026-12-01", "2026-11-30", "2026-12-01"}, // the week began before the month
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		list, from := periodsOf(now)
		got := [3]string{list[0].From, list[1].From, list[2].From}
		if got != [3]string{c.day, c.week, c.month} {
			t.Errorf("%s: got %v, want %v", c.now, got, c)
		}
		if midnight := time.UnixMilli(from[0]).In(city); midnight.Format(time.TimeOnly) != "00:00:00" {
			t.Errorf("%s: the day begins at %v", c.now, midnight)
		}
	}
	w := newWorld(t)
	a, s := w.officer("officer.a"), w.supervisor("supervisor")
	w.clock.Store(time.Date(2026, 11, 30, 23, 50, 0, 0, city).UnixMilli())
	a.saved(conflict.RecordID{}, values("name=Lan"))
	w.clock.Store(time.Date(2026, 12, 1, 0, 10, 0, 0, city).UnixMilli())
	a.saved(conflict.RecordID{}, values("name=Mai"))
	got := w.tallyOf(a, s)
	one, two := Period{Entered: 1, Received: 1, OnTime: 1, Waiting: 1}, Period{Entered: 2, Received: 2, OnTime: 2, Waiting: 2}
	w.wantTally("today", got["day"], one)
	w.wantTally("week", got["week"], two)
	w.wantTally("month", got["month"], one)
}

// TestTallyOfWhom asks in the name of everybody.
func TestTallyOfWhom(t *testing.T) {
	w := newWorld(t)
	a, b := w.officer("officer.a"), w.officer("officer.b")
	c := w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard)
	for _, d := range []*device{a, b, c} {
		d.saved(conflict.RecordID{}, values("name=Lan"))
	}
	ask := func(p who) (names []string) {
		t.Helper()
		out, err := w.desk.Tallies(p.ctx, TalliesRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range out.Tallies {
			names = append(names, one.Officer)
			if one.Periods[0].Received != 1 {
				t.Errorf("%s is told of %s: %+v", p.name, one.Officer, one.Periods[0])
			}
		}
		return names
	}
	s := w.supervisor("supervisor")
	for _, one := range []struct {
		who  who
		want []string
	}{{a.who, []string{"officer.a"}}, {c.who, []string{"officer.c"}}, {s, []string{"officer.a", "officer.b"}},
		{w.account("supervisor.c", store.RoleSupervisor, otherWard, true), []string{"officer.c"}}} {
		if got := ask(one.who); !slices.Equal(got, one.want) {
			t.Errorf("%s sees %v, want %v", one.who.name, got, one.want)
		}
	}
	// Who moves takes their tally along: their new supervisor sees it, the old one no more.
	w.setRole(b.who, store.RoleOfficer, otherWard)
	if got := ask(s); !slices.Equal(got, []string{"officer.a"}) {
		t.Errorf("after a move: got %v", got)
	}
	for _, role := range []store.Role{store.RoleHub, store.RoleAdmin} {
		_, err := w.desk.Tallies(w.account(string(role), role, "", false).ctx, TalliesRequest{})
		wantCode(t, err, "forbidden")
	}
}
