package review

import (
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// moves lets the world's ledger move what stands approved, too.
func newMovingWorld(t *testing.T) *world {
	w := newWorld(t)
	definition := w.desk.cfg.Definition
	allow := func(a ledger.Author, unit string, class protocol.Class) bool {
		return a.Unit == unit && (class == protocol.Basic || a.Sensitive)
	}
	w.ledger = ledger.New(ledger.Config{Definition: definition, Registers: []string{"people"}, Now: w.now, Allow: allow,
		IsUnit: func(code string) bool { return code == ward || code == otherWard },
		Moved:  func(t ledger.Tables, m ledger.Move) ([]protocol.StreamMark, error) { return Moved(w.ledger, t, m) }})
	w.desk.cfg.Ledger = w.ledger
	w.desk.cfg.IsUnit = func(code string) bool { return code == ward || code == otherWard }
	return w
}

// send makes a changeset that asks for another home for records.
func (d *device) send(to string, ids ...conflict.RecordID) {
	k := conflict.Key(conflict.FieldHome)
	c := record.Changeset{Dot: conflict.Dot{Replica: d.id, Counter: d.counter + 1}, Unit: d.unit, Author: d.who.name, At: d.w.now()}
	slices.SortFunc(ids, conflict.RecordID.Compare)
	for _, id := range ids {
		c.Edits = append(c.Edits, record.Edit{Record: id, Register: "people", Definition: d.w.def.Version, Writes: []record.Write{
			{Key: k, Context: d.head(id).Field(k).Vector(), Value: record.Home{Unit: to, From: d.unit, Reason: "chuyển nhà"}.Value()}}})
	}
	d.counter += uint64(c.Len())
	d.pending = append(d.pending, c)
}

// page reads a stream from a position as a device of that unit would.
func (w *world) page(unit string, class protocol.Class, from uint64) (p *protocol.Page) {
	w.t.Helper()
	w.view(func(tx *sqlite.Tx) (err error) {
		p, err = w.ledger.Page(sqlite.LedgerOf(tx), protocol.Scope{Stream: protocol.Stream{Unit: unit, Register: "people", Class: class}}, from, from)
		return err
	})
	return p
}

func (w *world) position(unit string) (n uint64) {
	w.view(func(tx *sqlite.Tx) (err error) { n, err = sqlite.LedgerOf(tx).Position(unit); return err })
	return n
}

func (w *world) feed(unit string) (list []store.Approval) {
	w.view(func(tx *sqlite.Tx) (err error) {
		list, err = sqlite.LedgerOf(tx).Published(unit, "people", 0, 1000)
		return err
	})
	return list
}

// A household is sent away offline, in one changeset, while colleagues edit its
// members: both feeds tell it, the late edits arrive, the hub sees the same ids
// in the other ward.
func TestAHouseholdMoves(t *testing.T) {
	w := newMovingWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	their := w.account("supervisor.c", store.RoleSupervisor, otherWard, true)
	father := a.saved(conflict.RecordID{}, values("name=Hòa", "note=zero", "illness=secret"))
	child := a.saved(conflict.RecordID{}, values("name=Mai"))
	stays := a.saved(conflict.RecordID{}, values("name=Lan"))
	w.mustApprove(s, father)
	b.pull(father, child, stays)
	a.pull(father, child, stays)
	before := w.position(ward)

	a.send(otherWard, father, child)
	b.save(father, form{values: values("note=late")}) // has not seen it
	b.save(child, form{values: values("age=7")})
	if refusals := a.push(); len(refusals) > 0 {
		t.Fatalf("the move: refused with %v", refusals[0])
	}
	for _, id := range []conflict.RecordID{father, child} {
		if got := w.row(id).Unit; got != otherWard {
			t.Fatalf("%v is in %s", id, got)
		}
	}
	p := w.page(ward, protocol.Basic, before)
	if p.To != before+1 || len(p.Records) != 2 || !p.Records[0].Left || !p.Records[1].Left {
		t.Errorf("the old ward's feed: got %+v", p)
	}
	if p := w.page(ward, protocol.Sensitive, before); len(p.Records) != 1 || !p.Records[0].Left || p.Records[0].Record != father {
		t.Errorf("the old ward's sensitive feed: got %+v", p)
	}
	// All of it, whatever the floor: nobody there has any of it.
	p = w.page(otherWard, protocol.Basic, 0)
	if len(p.Records) != 2 || len(p.Records[0].Fields) == 0 || p.Records[0].Left {
		t.Fatalf("the new ward's feed: got %+v", p)
	}
	r := conflict.Record{}
	for _, d := range append(p.Records, w.page(otherWard, protocol.Sensitive, 0).Records...) {
		if d.Record == father {
			more, err := conflict.NewRecord(d.Fields)
			if err != nil {
				t.Fatal(err)
			}
			r = r.Merge(more)
		}
	}
	if !r.Equal(w.state(father)) {
		t.Errorf("the new ward got %v, want %v", r, w.state(father))
	}
	if refusals := b.push(); len(refusals) > 0 {
		t.Fatalf("late edits: refused with %v", refusals[0])
	}
	if got := w.state(father).Field(conflict.Key(19)).At(0).Value; got != "late" {
		t.Errorf("the late edit: got %q", got)
	}
	if now := w.position(ward); now != before+1 {
		t.Errorf("late edits moved the old ward's feed to %d, want %d", now, before+1)
	}

	// The hub: the same id, gap-free in both wards (the world's check reads it back).
	old, fresh := w.feed(ward), w.feed(otherWard)
	if len(old) != 2 || old[1].Op != store.OpDelete || old[1].Other != otherWard || old[1].Record != father {
		t.Errorf("the hub in the old ward: got %+v", old)
	}
	if len(fresh) != 1 || fresh[0].Op != store.OpUpsert || fresh[0].Other != ward || fresh[0].Record != father || fresh[0].By != "supervisor" {
		t.Errorf("the hub in the new ward: got %+v", fresh)
	}
	if row := w.row(father); row.Revision != 1 {
		t.Errorf("got revision %d", row.Revision)
	}
	if v := record.StandingOf(w.state(father)).Review; v.Revision != 1 || v.Unit != otherWard || v.By != "supervisor" {
		t.Errorf("the review: got %+v", v)
	}

	// The old ward's supervisor sees them no more, the new one's takes one over
	// and sends the other back.
	_, err := w.desk.Record(s.ctx, RecordRequest{ID: father.String()})
	wantCode(t, err, "not_found")
	list, err := w.desk.Arrivals(their.ctx, ArrivalsRequest{})
	if err != nil || len(list.Items) != 2 || list.Items[0].From != ward || list.Items[0].By != "officer.a" || list.Items[0].Reason != "chuyển nhà" {
		t.Fatalf("arrivals: got %+v, %v", list, err)
	}
	for _, it := range list.Items {
		if it.Title == "" {
			t.Errorf("arrivals: %s has no title", it.ID)
		}
	}
	none, err := w.desk.Arrivals(s.ctx, ArrivalsRequest{})
	if err != nil || len(none.Items) != 0 {
		t.Errorf("arrivals of the old ward: got %+v, %v", none, err)
	}
	_, err = w.desk.Accept(s.ctx, AcceptRequest{Records: []string{father.String()}})
	wantCode(t, err, "not_found")
	if _, err = w.desk.Accept(their.ctx, AcceptRequest{Records: []string{father.String()}}); err != nil {
		t.Fatal(err)
	}
	_, err = w.desk.Accept(their.ctx, AcceptRequest{Records: []string{father.String()}})
	wantCode(t, err, "not_arriving")
	_, err = w.desk.GiveBack(their.ctx, GiveBackRequest{Records: []string{child.String()}, Reason: "lives there still"})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.row(child).Unit; got != ward {
		t.Errorf("sent back, it is in %s", got)
	}
	b.save(child, form{values: values("note=home again")})
	b.sync(child)
	if list, err = w.desk.Arrivals(s.ctx, ArrivalsRequest{}); err != nil || len(list.Items) != 1 || !list.Items[0].Returned || list.Items[0].Reason != "lives there still" {
		t.Errorf("after the return: got %+v, %v", list, err)
	}
	// The new ward goes on with the rest: its supervisor approves the late edit.
	their2 := w.mustApprove(their, father)
	if their2.Revision != 2 || len(w.feed(otherWard)) != 2 {
		t.Errorf("approved in the new ward: got revision %d", their2.Revision)
	}
}

// Two officers send one record to two wards: the first is carried out, the
// second waits for a person, and the record is in one place all the time.
func TestTwoWardsForOneRecord(t *testing.T) {
	w := newMovingWorld(t)
	a, b := w.officer("officer.a"), w.officer("officer.b")
	their := w.account("supervisor.c", store.RoleSupervisor, otherWard, true)
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	b.pull(id)
	a.pull(id)
	a.send(otherWard, id)
	b.send(ward, id) // says that it stays
	a.sync(id)
	b.sync(id)
	if got := w.row(id).Unit; got != otherWard {
		t.Fatalf("it is in %s", got)
	}
	list, err := w.desk.Arrivals(their.ctx, ArrivalsRequest{})
	if err != nil || len(list.Items) != 1 || !list.Items[0].Disputed {
		t.Fatalf("got %+v, %v", list, err)
	}
	if _, err := w.desk.Accept(their.ctx, AcceptRequest{Records: []string{id.String()}}); err != nil {
		t.Fatal(err)
	}
	if record.Arrived(w.state(id)) {
		t.Error("it still waits")
	}
}

// What a device was told before it wrote decides whether a write is late.
func TestALateWriteOfADeviceThatKnew(t *testing.T) {
	w := newMovingWorld(t)
	a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	b.pull(id)
	b.save(id, form{values: values("note=made before")})
	if _, err := w.desk.Move(s.ctx, MoveRequest{Records: []string{id.String()}, To: otherWard, Reason: "moved house"}); err != nil {
		t.Fatal(err)
	}
	hello := func(cursor uint64) {
		t.Helper()
		w.update(func(tx *sqlite.Tx) error {
			stream := protocol.Stream{Unit: ward, Register: "people"}
			epoch, err := sqlite.LedgerOf(tx).Epoch()
			if err != nil {
				return err
			}
			_, _, err = w.ledger.Admit(sqlite.LedgerOf(tx), ledger.Author{Account: b.who.name, Device: string(b.who.p.Device), Unit: ward, Sensitive: true},
				&protocol.Hello{Epoch: epoch.Token, Replica: b.id, Last: b.counter, Next: protocol.Token{byte(cursor)}, Current: protocol.Token{byte(cursor - 1)},
					Scopes: []protocol.Scope{{Stream: stream, Cursor: cursor, Floor: cursor}}})
			return err
		})
	}
	hello(1) // holds the ward up to where the record was made
	if refusals := b.push(); len(refusals) > 0 {
		t.Fatalf("made before: refused with %v", refusals[0])
	}
	b.pull(id)
	b.save(id, form{values: values("note=made before, too"), draft: true}) // one write: its counter is the last one used
	hello(w.position(ward))                                                // was told, and had used the counters of the last write already
	b.save(id, form{values: values("note=made after")})
	refusals := b.push()
	if len(refusals) != 1 || refusals[0].Code != protocol.WrongUnit {
		t.Fatalf("got %v, want the last one alone kept aside", refusals)
	}
	if got := w.state(id).Field(conflict.Key(19)).At(0).Value; got != "made before, too" {
		t.Errorf("got %q", got)
	}
	if items := w.aside(s); len(items) != 1 || items[0].Code != "wrong_unit" {
		t.Errorf("got %+v", items)
	}
	// Its supervisor may let it through all the same: it goes where the record is.
	if _, err := w.desk.Release(s.ctx, SettleAsideRequest{ID: w.aside(s)[0].ID, Reason: "x"}); err != nil {
		t.Fatal(err)
	}
	if got := w.state(id).Field(conflict.Key(19)).At(0).Value; got != "made after" {
		t.Errorf("released: got %q", got)
	}
}

// What a device may not say about a home.
func TestHomesThatADeviceMayNotWrite(t *testing.T) {
	w := newMovingWorld(t)
	a := w.officer("officer.a")
	id := a.saved(conflict.RecordID{}, values("name=Lan"))
	for _, c := range []struct {
		value conflict.Value
		want  protocol.Code
	}{
		{"?", protocol.Malformed},
		{record.Home{Unit: "99999"}.Value(), protocol.WrongUnit},
		{record.Home{Unit: otherWard, Accepted: true}.Value(), protocol.Forbidden},
		{record.Home{Unit: otherWard, Returned: true}.Value(), protocol.Forbidden},
	} {
		a.pull(id)
		a.send(otherWard, id)
		a.pending[0].Edits[0].Writes[0].Value = c.value
		refusals := a.push()
		if len(refusals) != 1 || refusals[0].Code != c.want {
			t.Errorf("%s: got %v, want %v", c.value, refusals, c.want)
		}
	}
	if got := w.row(id).Unit; got != ward {
		t.Errorf("it is in %s", got)
	}
	// A record of another ward cannot be taken, nor a whole ward be sent away.
	c := w.deviceOf(w.account("officer.c", store.RoleOfficer, otherWard, true), otherWard)
	c.base[id] = w.state(id)
	c.send(otherWard, id)
	if refusals := c.push(); len(refusals) != 1 || refusals[0].Code != protocol.WrongUnit {
		t.Errorf("another ward's record: got %v", refusals)
	}
	ids := w.crowd(a, 30)
	a.send(otherWard, ids[:25]...)
	if refusals := a.push(); len(refusals) != 1 || refusals[0].Code != protocol.Brake {
		t.Errorf("25 records of 31: got %v", refusals)
	}
}
