package review

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/record"
)

// TestNothingUnapprovedIsEverPublished draws histories of edits, deletions,
// submissions and decisions of two officers, a supervisor who edits too, and a
// second supervisor. After every step, of every record:
//
//   - each field of the approved version has a value that somebody approved on a
//     screen that showed it, or is blank by a refusal;
//   - no approved value was made by whoever approved it;
//   - what the devices derive of the record's standing agrees with the desk;
//   - every version ever approved still reads back and fits its hash.
func TestNothingUnapprovedIsEverPublished(t *testing.T) {
	w := newWorld(t)
	a, b, s, s2 := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor"), w.supervisor("supervisor.b")
	own := w.deviceOf(s, ward)
	devices := []*device{a, b, own}
	desk := []who{s, s2}
	rapid.Check(t, func(t *rapid.T) {
		w.clock.Add(24 * time.Hour.Milliseconds()) // each history has a day of its own: its deletions are not the brake's
		id := a.saved(conflict.RecordID{}, values("name=Lan", "note=zero"))
		m := &promise{w: w, id: id, approved: map[string]map[string]bool{}}
		for range rapid.IntRange(3, 14).Draw(t, "steps") {
			d := devices[rapid.IntRange(0, 2).Draw(t, "device")]
			who := desk[rapid.IntRange(0, 1).Draw(t, "desk")]
			switch rapid.SampledFrom([]string{"edit", "edit", "draft", "delete", "restore", "sync", "sync", "approve", "approve", "some", "settle", "refuse", "refuse some", "return", "withdraw"}).Draw(t, "step") {
			case "edit":
				d.save(id, form{values: drawValues(t)})
			case "draft":
				d.save(id, form{values: drawValues(t), draft: true})
			case "delete":
				d.save(id, form{deleted: ptr(true)})
			case "restore":
				d.save(id, form{deleted: ptr(false)})
			case "sync":
				d.sync(id)
			case "approve":
				m.approve(t, who, nil)
			case "some":
				m.approve(t, who, []string{rapid.SampledFrom([]string{"name", "note", "age", "tags", "life"}).Draw(t, "field")})
			case "settle":
				m.settle(t, who)
			case "refuse":
				m.refuse(who, nil)
			case "refuse some":
				m.refuse(who, []string{rapid.SampledFrom([]string{"name", "note", "age", "tags", "life"}).Draw(t, "field")})
			case "return":
				r := w.look(who, id)
				w.desk.Return(who.ctx, ReturnRequest{ID: r.ID, Digest: r.Digest, Fields: []string{"note"}, Comment: "?"})
			case "withdraw":
				w.desk.Withdraw(who.ctx, WithdrawRequest{ID: id.String(), Reason: "no"})
			}
			m.hold(t)
		}
		for _, d := range devices { // leave nothing behind for the next history
			d.sync(id)
		}
		m.hold(t)
	})
}

// drawValues is what an officer types: few values, so that people meet.
func drawValues(t *rapid.T) map[string]string {
	v := map[string]string{}
	switch rapid.IntRange(0, 3).Draw(t, "which") {
	case 0:
		v["name"] = rapid.SampledFrom([]string{"Hòa", "Hoà", "Mai", ""}).Draw(t, "name")
	case 1:
		v["note"] = rapid.SampledFrom([]string{"zero", "one", "two", "odd", "wrong", ""}).Draw(t, "note")
	case 2:
		v["age"] = rapid.SampledFrom([]string{"1", "9", "50"}).Draw(t, "age")
	case 3:
		v["tags"] = rapid.SampledFrom([]string{"A", "B", "A,B", ""}).Draw(t, "tags")
	}
	return v
}

// promise remembers what was approved on which screen.
type promise struct {
	w        *world
	id       conflict.RecordID
	approved map[string]map[string]bool // by field, the values that screens showed and somebody approved
}

func (m *promise) note(field, value string) {
	if m.approved[field] == nil {
		m.approved[field] = map[string]bool{}
	}
	m.approved[field][value] = true
}

func (m *promise) approve(t *rapid.T, s who, fields []string) {
	r := m.w.look(s, m.id)
	out, err := m.w.desk.Approve(s.ctx, ApproveRequest{ID: r.ID, Digest: r.Digest, Fields: fields, AcceptWarnings: true})
	if fields == nil && r.MayApprove != (err == nil) {
		t.Fatalf("the screen says may approve %v (%v), the desk %v", r.MayApprove, codesOf(r.Reasons), err)
	}
	if err != nil {
		return
	}
	for _, name := range out.Approved {
		if name == lifeName {
			m.note(name, r.Life.State)
			continue
		}
		f := fieldOf(m.w.t, r, name)
		m.note(name, f.Merged.Value)
		for _, author := range f.Authors {
			if author == s.name {
				t.Fatalf("%s approved %s=%q, which is theirs", s.name, name, f.Merged.Value)
			}
		}
	}
}

func (m *promise) settle(t *rapid.T, s who) {
	r := m.w.look(s, m.id)
	if r.Kind == whyEditedAndDeleted {
		choice := rapid.SampledFrom([]string{"alive", "deleted"}).Draw(t, "life")
		m.w.desk.Settle(s.ctx, SettleRequest{ID: r.ID, Digest: r.Digest, Field: lifeName, Value: &choice})
		return
	}
	for _, f := range r.Fields {
		if f.Conflict {
			i := rapid.IntRange(0, len(f.Siblings)).Draw(t, "sibling")
			req := SettleRequest{ID: r.ID, Digest: r.Digest, Field: f.Name}
			if i == len(f.Siblings) {
				req.Value = ptr("typed")
			} else {
				req.Dot = f.Siblings[i].Dot
			}
			if _, err := m.w.desk.Settle(s.ctx, req); err != nil {
				t.Fatalf("settle %+v: %v", f, err)
			}
			return
		}
	}
}

func (m *promise) refuse(s who, fields []string) {
	r := m.w.look(s, m.id)
	before := m.w.approvedNow(m.id)
	out, err := m.w.desk.Refuse(s.ctx, RefuseRequest{ID: r.ID, Digest: r.Digest, Fields: fields, Reason: "no"})
	if err != nil {
		return
	}
	if out.Life.State == "deleted" && out.Life.ApprovedState == "deleted" {
		m.note(lifeName, "deleted") // a record refused as a whole
	}
	m.note(lifeName, "alive")
	after := m.w.approvedNow(m.id)
	for name, v := range after {
		if before[name] != v {
			m.w.t.Fatalf("a refusal approved %s=%q", name, v)
		}
	}
}

// hold checks the promise.
func (m *promise) hold(t *rapid.T) {
	m.w.view(func(tx *sqliteTx) error {
		l := ledgerOf(tx)
		list, err := l.Approvals(m.id)
		if err != nil || len(list) == 0 {
			return err
		}
		told := store.OpNone
		for i, a := range list {
			if a.Seq != uint64(i+1) {
				t.Fatalf("decision %d has number %d", i+1, a.Seq)
			}
			v, err := Materialise(l, a)
			if err != nil {
				return err
			}
			for name, value := range approvedValues(m.w.def, v) {
				if !m.approved[name][string(value)] {
					t.Fatalf("version %d has %s=%q, which nobody approved", a.Seq, name, value)
				}
			}
			if life, ok := v.Fields[conflict.Key(conflict.FieldLife)]; ok && !m.approved[lifeName][lifeText(isDeletion(life.Value))] {
				t.Fatalf("version %d is %s, which nobody approved", a.Seq, lifeText(isDeletion(life.Value)))
			}
			switch {
			case a.Op == store.OpNone:
				continue
			case a.Op == store.OpRetract && told != store.OpUpsert, a.Op == store.OpDelete && told != store.OpUpsert:
				t.Fatalf("the hub hears %s after %q", a.Op, told)
			case (a.Op == store.OpUpsert) == v.Deleted && a.Op != store.OpRetract:
				t.Fatalf("the hub hears %s of a version that is deleted: %v", a.Op, v.Deleted)
			}
			told = a.Op
		}
		row, _, err := l.Record(m.id)
		if err != nil {
			return err
		}
		head, _, err := record.ParseState(row.State, m.id)
		if err != nil {
			return err
		}
		review, last := record.StandingOf(head).Review, list[len(list)-1]
		if review.Dots.String() != last.Dots.String() {
			t.Fatalf("devices take %v for approved, the desk %v", review.Dots, last.Dots)
		}
		if row.Revision != review.Revision {
			t.Fatalf("the row has revision %d, the review %d", row.Revision, review.Revision)
		}
		return nil
	})
}

// TestMarksRoundTrip keeps a digest readable and strangers out.
func TestMarksRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := marks{definition: rapid.Uint32().Draw(t, "definition"), fields: map[conflict.FieldKey]mark{}}
		for range rapid.IntRange(0, 8).Draw(t, "fields") {
			k := conflict.FieldKey{ID: conflict.FieldID(rapid.Uint16().Draw(t, "id")), Elem: rapid.String().Draw(t, "elem")}
			m.fields[k] = mark(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "mark"))
		}
		if got := parseMarks(m.String()); !got.same(m) || !m.same(got) {
			t.Fatalf("got %v, want %v", got, m)
		}
	})
}

func FuzzParseMarks(f *testing.F) {
	seeds := []string{"", "AQ", "AQMQAAECAwQFBgcI", "AQP__________w", marks{definition: 3, fields: map[conflict.FieldKey]mark{conflict.Key(16): {1}}}.String()}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := parseMarks(text)
		if back := parseMarks(m.String()); fmt.Sprint(back) != fmt.Sprint(m) && len(m.fields) > 0 {
			t.Errorf("got %v, want %v", back, m)
		}
	})
}

// FuzzParsePlace: a place in the queue that is accepted is one, and is told in
// the same words again.
func FuzzParsePlace(f *testing.F) {
	f.Add(place{Rank: 2, Household: "!7", Since: 1_800_000_000_000, ID: conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 9}.String()}.String())
	f.Add("")
	f.Add("IQ")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		if again, err := parsePlace(p.String()); err != nil || again != p {
			t.Errorf("%q: read as %+v, then as %+v: %v", text, p, again, err)
		}
	})
}
