package review

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

const (
	ward      = "26734"
	otherWard = "26737"
)

// people is the register of these tests: each field stands for one kind.
func people(t testing.TB) *register.Definition {
	t.Helper()
	text := func(s string) register.Text { return register.Text{VI: s, EN: s} }
	field := func(id conflict.FieldID, name string, typ register.Type, required register.Required, policy conflict.Policy) register.Field {
		return register.Field{ID: id, Name: name, Type: typ, Label: text(name), Section: "all", Required: required, Class: register.Basic, Policy: policy}
	}
	d := register.Definition{ID: "people", Version: 3, Label: text("people"), TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: text("all")}},
		Fields: []register.Field{
			field(16, "name", register.PlainText, register.Always, conflict.Equal),
			field(17, "pid", register.PersonalID, register.Optional, conflict.Keep),
			field(18, "phone", register.Phone, register.Optional, conflict.Keep),
			field(19, "note", register.PlainText, register.Optional, conflict.Keep),
			field(20, "age", register.Integer, register.Optional, conflict.Max),
			field(21, "tags", register.MultiEnum, register.Optional, conflict.Union),
			field(22, "illness", register.PlainText, register.Optional, conflict.Keep),
			field(25, "friend", register.Ref, register.Optional, conflict.Keep),
		},
		CodeLists: []register.CodeList{{ID: "TAGS", Codes: []register.Code{{Code: "A", VI: "A", EN: "A"}, {Code: "B", VI: "B", EN: "B"}, {Code: "C", VI: "C", EN: "C"}}}},
		Rules: []register.Rule{
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"odd"}}, Code: "W_ODD", Group: register.GroupContradiction, Message: text("odd")},
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"wrong"}}, Code: "E_WRONG", Group: register.GroupContradiction, Message: text("wrong")},
			{Kind: register.RuleUnique, Field: "phone", Fields: []string{"phone"}, Code: "E_DUPLICATE", Group: register.GroupDuplicate, Message: text("twice")},
		},
	}
	d.Fields[1].HighRisk, d.Fields[1].Masked = true, true
	d.Fields[2].Masked = true
	d.Fields[0].Search, d.Fields[2].Search, d.Fields[6].Search = true, true, true
	d.Fields[5].CodeList = "TAGS"
	d.Fields[6].Class = register.Sensitive
	def, err := register.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// world is a real store with a desk over it.
type world struct {
	t      testing.TB
	store  *sqlite.Store
	ledger *ledger.Ledger
	desk   *Service
	def    *register.Definition
	clock  atomic.Int64
	ids    int

	mu      sync.Mutex
	grew    []protocol.StreamMark
	settled []*protocol.Refusal
	told    []conflict.ReplicaID
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, def: people(t)}
	w.clock.Store(time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC).UnixMilli())
	st, err := sqlite.Open(context.Background(), filepath.Join(t.TempDir(), "wardbook.db"), sqlite.Options{Now: func() time.Time { return time.UnixMilli(w.now()) }})
	if err != nil {
		t.Fatal(err)
	}
	w.store = st
	definition := func(id string) (*register.Definition, bool) { return w.def, id == "people" }
	w.ledger = ledger.New(ledger.Config{Definition: definition, Registers: []string{"people"}, Now: w.now,
		Allow: func(a ledger.Author, unit string, class protocol.Class) bool {
			return a.Unit == unit && (class == protocol.Basic || a.Sensitive)
		}})
	w.desk, err = New(context.Background(), Config{Store: st, Ledger: w.ledger, Definition: definition,
		Notify: func(m []protocol.StreamMark) { w.mu.Lock(); w.grew = append(w.grew, m...); w.mu.Unlock() },
		Settled: func(r conflict.ReplicaID, m *protocol.Refusal) {
			w.mu.Lock()
			w.told, w.settled = append(w.told, r), append(w.settled, m)
			w.mu.Unlock()
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.check()
		st.Close()
	})
	return w
}

// now is a clock on which no two readings are the same.
func (w *world) now() int64 { return w.clock.Add(1) }

// check is what must hold of every world at its end: each approved version can
// be read back and fits its hash, revisions have no gap, the log is whole.
func (w *world) check() {
	w.t.Helper()
	w.view(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		for _, unit := range []string{ward, otherWard} {
			list, err := l.Published(unit, "people", 0, 1_000_000)
			if err != nil {
				return err
			}
			for i, a := range list {
				if a.Revision != uint64(i+1) {
					w.t.Errorf("revision %d of unit %s: got %d", i+1, unit, a.Revision)
				}
				if _, err := Materialise(l, a); err != nil {
					w.t.Error(err)
				}
			}
		}
		if err := w.checkPieces(l); err != nil {
			return err
		}
		_, err := audit.Verify(tx)
		return err
	})
}

// checkPieces compares what the tally takes for undecided with what a record's own
// fields say of it.
func (w *world) checkPieces(l *sqlite.Ledger) error {
	rows, err := l.RecordsAfter(conflict.RecordID{}, 1_000_000)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Register != string(w.def.ID) {
			continue
		}
		head, _, err := record.ParseState(row.State, row.ID)
		if err != nil {
			return err
		}
		walk, err := walkRecord(l, w.def, row.ID, func(in ledger.Intake) (record.Changeset, error) { return record.ParseOwn(in.Bytes) },
			func(_ record.Changeset, received int64) int64 { return received })
		if err != nil {
			return err
		}
		undecided := map[conflict.FieldKey]bool{}
		for _, left := range walk.allWaiting() {
			for _, k := range left {
				undecided[k] = true
			}
		}
		waiting := map[conflict.FieldKey]bool{}
		for _, k := range record.StandingOf(head).Waiting {
			waiting[k] = true
		}
		if !maps.Equal(undecided, waiting) {
			w.t.Errorf("record %v: pieces wait in %v, the record in %v", row.ID, undecided, waiting)
		}
	}
	return nil
}

func (w *world) view(work func(tx *sqlite.Tx) error) {
	w.t.Helper()
	if err := w.store.View(context.Background(), work); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) update(work func(tx *sqlite.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(context.Background(), work); err != nil {
		w.t.Fatal(err)
	}
}

// who is one signed-in account.
type who struct {
	name string
	ctx  context.Context
	p    auth.Principal
}

// account makes an account with one device and one sign-in.
func (w *world) account(name string, role store.Role, unit string, sensitive bool) who {
	w.t.Helper()
	p := auth.Principal{Account: store.AccountID("a-" + name), Device: store.DeviceID("d-" + name), Family: store.FamilyID("f-" + name)}
	now := time.UnixMilli(w.now())
	w.update(func(tx *sqlite.Tx) error {
		return errors.Join(
			tx.InsertAccount(store.Account{ID: p.Account, Name: name, DisplayName: name, Role: role, Unit: unit, Sensitive: sensitive, CreatedAt: now, ChangedAt: now}),
			tx.InsertDevice(store.Device{ID: p.Device, Account: p.Account, Label: "of " + name, EnrolledAt: now, LastSeenAt: now}),
			tx.InsertFamily(store.Family{ID: p.Family, Account: p.Account, Device: p.Device, CreatedAt: now, ExpiresAt: now.Add(24 * 365 * time.Hour)}))
	})
	return who{name: name, p: p, ctx: auth.NewContext(context.Background(), p)}
}

func (w *world) officer(name string) *device {
	return w.deviceOf(w.account(name, store.RoleOfficer, ward, true), ward)
}

func (w *world) supervisor(name string) who { return w.account(name, store.RoleSupervisor, ward, true) }

// device is one officer's replica: what it holds of the server, and what it
// made since it was last connected.
type device struct {
	w       *world
	who     who
	unit    string
	id      conflict.ReplicaID
	counter uint64
	base    map[conflict.RecordID]conflict.Record
	pending []record.Changeset
}

func (w *world) deviceOf(a who, unit string) *device {
	w.t.Helper()
	w.ids++
	d := &device{w: w, who: a, unit: unit, base: map[conflict.RecordID]conflict.Record{}}
	copy(d.id[:], fmt.Sprintf("replica %07d", w.ids))
	w.update(func(tx *sqlite.Tx) error {
		e, err := sqlite.LedgerOf(tx).Epoch()
		if err != nil {
			return err
		}
		return sqlite.LedgerOf(tx).PutReplica(&ledger.Replica{ID: d.id, Account: a.name, Device: string(a.p.Device), Epoch: e.Token})
	})
	return d
}

// head is what the device shows: the server's state and its own pending work.
func (d *device) head(id conflict.RecordID) conflict.Record {
	r := d.base[id]
	for _, c := range d.pending {
		for i := range c.Edits {
			if c.Edits[i].Record == id {
				r = c.Apply(r, i, 0)
			}
		}
	}
	return r
}

// form is what an officer typed.
type form struct {
	values  map[string]string
	deleted *bool
	answer  string
	draft   bool // saved, not submitted
	reasons map[string]string
	opened  *conflict.Record // as it was when the form was opened; nil: now
}

// save makes a changeset of a form; the zero id makes a new record.
func (d *device) save(id conflict.RecordID, f form) conflict.RecordID {
	opened := d.head(id)
	if f.opened != nil {
		opened = *f.opened
	}
	first := conflict.Dot{Replica: d.id, Counter: d.counter + 1}
	if id.IsZero() {
		id = first
	}
	var writes []record.Write
	add := func(k conflict.FieldKey, v conflict.Value) {
		writes = append(writes, record.Write{Key: k, Context: opened.Field(k).Vector(), Value: v})
	}
	for name, text := range f.values {
		field := d.w.def.FieldByName(name)
		v, err := register.Normalise(d.w.def, name, text)
		if err != nil {
			v = conflict.Value(text) // an error blocks nothing but submitting
		}
		if field.Policy != conflict.Union {
			add(conflict.Key(field.ID), v)
			continue
		}
		held := opened.Union(field.ID)
		for _, e := range register.Elements(v) {
			if !slices.Contains(held, e) {
				add(conflict.FieldKey{ID: field.ID, Elem: e}, "1")
			}
		}
		for _, e := range held {
			if !slices.Contains(register.Elements(v), e) {
				add(conflict.FieldKey{ID: field.ID, Elem: e}, "")
			}
		}
	}
	if f.deleted != nil {
		add(conflict.Key(conflict.FieldLife), conflict.Life{Deleted: *f.deleted, Seen: opened.Seen()}.Value())
	}
	if f.answer != "" {
		question := record.StandingOf(opened).Review.Question
		add(conflict.Key(conflict.FieldAnswer), record.Answer{Question: question, Text: f.answer}.Value())
	}
	if len(writes) == 0 {
		return id // nothing was changed
	}
	if !f.draft {
		add(conflict.Key(conflict.FieldSubmission), "")
	}
	slices.SortFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
	c := record.Changeset{Dot: first, Unit: d.unit, Author: d.who.name, At: d.w.now(),
		Edits: []record.Edit{{Record: id, Register: "people", Definition: d.w.def.Version, Writes: writes}}}
	if !f.draft {
		i := slices.IndexFunc(writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldSubmission })
		writes[i].Value = record.Submit(c.Apply(d.head(id), 0, 0), f.reasons).Value()
	}
	d.counter += uint64(c.Len())
	d.pending = append(d.pending, c)
	return id
}

// push hands in what is pending. It returns the refusals.
func (d *device) push() []*protocol.Refusal {
	d.w.t.Helper()
	var out ledger.Outcome
	d.w.update(func(tx *sqlite.Tx) (err error) {
		out, err = d.w.ledger.Commit(sqlite.LedgerOf(tx), ledger.Author{Account: d.who.name, Device: string(d.who.p.Device), Unit: d.unit, Sensitive: true}, d.id, d.pending)
		return err
	})
	if out.Ack == nil && len(d.pending) > 0 || out.Ack != nil && out.Ack.Through != d.counter {
		d.w.t.Fatalf("push of %s: got %+v", d.who.name, out.Ack)
	}
	d.pending = nil
	return out.Refusals
}

// pull takes the server's state of the records.
func (d *device) pull(ids ...conflict.RecordID) {
	for _, id := range ids {
		d.base[id] = d.base[id].Merge(d.w.state(id))
	}
}

// sync pushes and pulls.
func (d *device) sync(ids ...conflict.RecordID) {
	d.w.t.Helper()
	if refusals := d.push(); len(refusals) > 0 {
		d.w.t.Fatalf("push of %s: refused with %v", d.who.name, refusals[0].Code)
	}
	d.pull(ids...)
}

// saved saves a form, pushes it and pulls the record.
func (d *device) saved(id conflict.RecordID, values map[string]string) conflict.RecordID {
	d.w.t.Helper()
	d.pull(id)
	id = d.save(id, form{values: values})
	d.sync(id)
	return id
}

// row returns a record's row.
func (w *world) row(id conflict.RecordID) (row ledger.Row) {
	w.view(func(tx *sqlite.Tx) (err error) { row, _, err = sqlite.LedgerOf(tx).Record(id); return err })
	return row
}

// state returns the server's state of a record.
func (w *world) state(id conflict.RecordID) conflict.Record {
	w.t.Helper()
	row := w.row(id)
	if row.State == nil {
		return conflict.Record{}
	}
	r, _, err := record.ParseState(row.State, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// look shows a record to a supervisor.
func (w *world) look(s who, id conflict.RecordID) Record {
	w.t.Helper()
	r, err := w.desk.Record(s.ctx, RecordRequest{ID: id.String()})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

// approve looks at the record and approves it.
func (w *world) approve(s who, id conflict.RecordID, fields ...string) (ApproveResponse, error) {
	w.t.Helper()
	return w.desk.Approve(s.ctx, ApproveRequest{ID: id.String(), Digest: w.look(s, id).Digest, Fields: fields})
}

func (w *world) mustApprove(s who, id conflict.RecordID, fields ...string) ApproveResponse {
	w.t.Helper()
	out, err := w.approve(s, id, fields...)
	if err != nil {
		w.t.Fatalf("approve: %v", err)
	}
	return out
}

// fieldOf returns one field of a shown record.
func fieldOf(t testing.TB, r Record, name string) Field {
	t.Helper()
	for _, f := range r.Fields {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no field %q", name)
	return Field{}
}

// published folds the hub's feed: the versions that the hub holds.
func (w *world) published() map[conflict.RecordID]map[string]conflict.Value {
	w.t.Helper()
	held := map[conflict.RecordID]map[string]conflict.Value{}
	w.view(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		list, err := l.Published(ward, "people", 0, 1_000_000)
		for _, a := range list {
			if a.Op != store.OpUpsert {
				delete(held, a.Record)
				continue
			}
			v, err := Materialise(l, a)
			if err != nil {
				return err
			}
			held[a.Record] = approvedValues(w.def, v)
		}
		return err
	})
	return held
}

// lastApproval returns the newest decision about a record.
func (w *world) lastApproval(id conflict.RecordID) (a store.Approval) {
	w.view(func(tx *sqlite.Tx) error {
		list, err := sqlite.LedgerOf(tx).Approvals(id)
		if len(list) > 0 {
			a = list[len(list)-1]
		}
		return err
	})
	return a
}

// approvedNow returns the approved version's values.
func (w *world) approvedNow(id conflict.RecordID) (values map[string]conflict.Value) {
	w.t.Helper()
	a := w.lastApproval(id)
	if a.Seq == 0 {
		return nil
	}
	w.view(func(tx *sqlite.Tx) error {
		v, err := Materialise(sqlite.LedgerOf(tx), a)
		values = approvedValues(w.def, v)
		return err
	})
	return values
}

// actions lists the audit log's actions.
func (w *world) actions() (list []string) {
	w.view(func(tx *sqlite.Tx) error {
		entries, err := tx.AuditAfter(0, 1_000_000)
		for _, e := range entries {
			list = append(list, e.Action)
		}
		return err
	})
	return list
}

// code returns the stable code of an error, "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	return rpc.Public(err).Code
}

func wantCode(t testing.TB, err error, want string) {
	t.Helper()
	if got := code(err); got != want {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func sameValues(t testing.TB, what string, got, want map[string]conflict.Value) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func values(pairs ...string) map[string]string {
	m := map[string]string{}
	for _, p := range pairs {
		name, v, _ := strings.Cut(p, "=")
		m[name] = v
	}
	return m
}

func stored(pairs ...string) map[string]conflict.Value {
	m := map[string]conflict.Value{}
	for name, v := range values(pairs...) {
		m[name] = conflict.Value(v)
	}
	return m
}

func ptr[T any](v T) *T { return &v }

type sqliteTx = sqlite.Tx

func ledgerOf(tx *sqlite.Tx) *sqlite.Ledger { return sqlite.LedgerOf(tx) }

// setRole gives an account another role and unit.
func (w *world) setRole(a who, role store.Role, unit string) {
	w.t.Helper()
	w.update(func(tx *sqlite.Tx) error {
		row, err := tx.Account(a.p.Account)
		if err != nil {
			return err
		}
		row.Role, row.Unit = role, unit
		return tx.UpdateAccount(row)
	})
}

// disable closes an account.
func (w *world) disable(a who) error {
	return w.store.Update(context.Background(), func(tx *sqlite.Tx) error {
		row, err := tx.Account(a.p.Account)
		if err != nil {
			return err
		}
		row.Disabled = true
		return errors.Join(tx.UpdateAccount(row), audit.Append(tx, w.store.Now(), audit.Entry{Action: "account.disable", Subject: string(a.p.Account)}))
	})
}

// atHub returns what the hub holds of one record, nil for nothing.
func (w *world) atHub(id conflict.RecordID) (held map[string]conflict.Value) {
	w.t.Helper()
	w.view(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		list, err := l.Approvals(id)
		for _, a := range slices.Backward(list) {
			switch a.Op {
			case store.OpNone:
				continue
			case store.OpUpsert:
				v, err := Materialise(l, a)
				held = approvedValues(w.def, v)
				return err
			}
			return nil
		}
		return err
	})
	return held
}
