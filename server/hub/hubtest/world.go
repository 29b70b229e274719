package hubtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/hub"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

// Account is a hub account that can sign in.
type Account struct{ Name, Password string }

// World is a running server of one test.
type World struct {
	T      testing.TB
	Store  *sqlite.Store
	Ledger *ledger.Ledger
	Desk   *review.Service
	Feed   *hub.Feed
	Defs   []*register.Definition
	URL    string
	Hub    Account // the city's
	Other  Account // another one of the same role

	handler  atomic.Pointer[http.Handler]
	routes   http.Handler
	officers map[string]*officer
	desks    map[string]context.Context

	mu    sync.Mutex
	marks []protocol.HubMark
}

// On lets officers and supervisors work on the parts of a server that runs
// already.
func On(t testing.TB, st *sqlite.Store, led *ledger.Ledger, desk *review.Service, defs []*register.Definition) *World {
	return &World{T: t, Store: st, Ledger: led, Desk: desk, Defs: defs, officers: map[string]*officer{}, desks: map[string]context.Context{}}
}

// New starts a world of the named registers, all if none is named. Its clock
// begins at start; the zero time is now. Sign-ins over HTTP need a clock that is
// about right.
func New(t testing.TB, start time.Time, registers ...string) *World {
	t.Helper()
	defs, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	w := On(t, nil, nil, nil, slices.DeleteFunc(defs, func(d *register.Definition) bool {
		return len(registers) > 0 && !slices.Contains(registers, string(d.ID))
	}))
	if start.IsZero() {
		start = time.Now()
	}
	var clock atomic.Int64
	clock.Store(start.UnixMilli())
	millis := func() int64 { return clock.Add(1) } // no two readings are the same
	now := func() time.Time { return time.UnixMilli(millis()) }
	dir := t.TempDir()
	if w.Store, err = sqlite.Open(context.Background(), filepath.Join(dir, "wardbook.db"), sqlite.Options{Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Store.Close() })
	keys, err := auth.OpenKeys(filepath.Join(dir, "keys"), now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := auth.New(w.Store, keys, auth.Options{AccountOptions: auth.AccountOptions{Now: now, Cost: auth.Cost{Memory: 64, Time: 1, Threads: 1}}, Enrolment: auth.EnrolByPassword})
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range []*Account{&w.Hub, &w.Other} {
		made, password, err := accounts.Create(context.Background(), auth.Console(), auth.NewAccount{Name: fmt.Sprint("hub.", i+1), Role: store.RoleHub})
		if err != nil {
			t.Fatal(err)
		}
		*a = Account{made.Name, password}
	}
	var ids []string
	for _, d := range w.Defs {
		ids = append(ids, string(d.ID))
	}
	w.Ledger = ledger.New(ledger.Config{Definition: w.Definition, Registers: ids, Now: millis,
		Allow: func(a ledger.Author, unit string, _ protocol.Class) bool { return a.Unit == unit }})
	if w.Desk, err = review.New(context.Background(), review.Config{Store: w.Store, Ledger: w.Ledger, Definition: w.Definition}); err != nil {
		t.Fatal(err)
	}
	w.Feed = hub.New(hub.Config{Store: w.Store, Definitions: w.Defs, Key: make([]byte, 32), Rate: 1e6, Announce: func(_ string, m protocol.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.marks = append(w.marks, *m.(*protocol.HubMark))
	}})
	server, err := rpc.NewServer(rpc.Config{Gate: accounts})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	server.Mount(mux, append(accounts.Routes(), w.Feed.Routes()...), "/api/", "/hub/")
	w.routes = mux
	w.Between(nil)
	listener := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { (*w.handler.Load()).ServeHTTP(rw, r) }))
	t.Cleanup(listener.Close)
	w.URL = listener.URL
	return w
}

// Between puts something between the consumer and the server; nil takes it away.
func (w *World) Between(wrap func(http.Handler) http.Handler) {
	h := w.routes
	if wrap != nil {
		h = wrap(h)
	}
	w.handler.Store(&h)
}

// Definition returns a register's definition.
func (w *World) Definition(id string) (*register.Definition, bool) {
	for _, d := range w.Defs {
		if string(d.ID) == id {
			return d, true
		}
	}
	return nil, false
}

// Marks returns what the sessions were told of the hub's progress, and forgets
// it.
func (w *World) Marks() []protocol.HubMark {
	w.mu.Lock()
	defer w.mu.Unlock()
	list := w.marks
	w.marks = nil
	return list
}

// View reads the database.
func (w *World) View(work func(*sqlite.Tx) error) {
	w.T.Helper()
	if err := w.Store.View(context.Background(), work); err != nil {
		w.T.Fatal(err)
	}
}

// Update writes to the database.
func (w *World) Update(work func(*sqlite.Tx) error) {
	w.T.Helper()
	if err := w.Store.Update(context.Background(), work); err != nil {
		w.T.Fatal(err)
	}
}

// SignedIn makes an account with one device and one sign-in, and returns the
// context of its calls.
func (w *World) SignedIn(name string, role store.Role, unit string) context.Context {
	w.T.Helper()
	p := auth.Principal{Account: store.AccountID("a-" + name), Device: store.DeviceID("d-" + name), Family: store.FamilyID("f-" + name)}
	now := w.Store.Now()
	w.Update(func(tx *sqlite.Tx) error {
		return errors.Join(
			tx.InsertAccount(store.Account{ID: p.Account, Name: name, DisplayName: name, Role: role, Unit: unit, Sensitive: true, CreatedAt: now, ChangedAt: now}),
			tx.InsertDevice(store.Device{ID: p.Device, Account: p.Account, Label: "of " + name, EnrolledAt: now, LastSeenAt: now}),
			tx.InsertFamily(store.Family{ID: p.Family, Account: p.Account, Device: p.Device, CreatedAt: now, ExpiresAt: now.Add(24 * 365 * time.Hour)}))
	})
	return auth.NewContext(context.Background(), p)
}

// supervisor returns the context of a unit's supervisor.
func (w *World) supervisor(unit string) context.Context {
	if w.desks[unit] == nil {
		w.desks[unit] = w.SignedIn("supervisor."+unit, store.RoleSupervisor, unit)
	}
	return w.desks[unit]
}

// officer is a unit's officer with one device that is always connected.
type officer struct {
	name    string
	id      conflict.ReplicaID
	counter uint64
}

func (w *World) officer(unit string) *officer {
	if w.officers[unit] == nil {
		o := &officer{name: "officer." + unit}
		copy(o.id[:], "officer of "+unit)
		w.officers[unit] = o
		w.Update(func(tx *sqlite.Tx) error {
			return sqlite.LedgerOf(tx).PutReplica(&ledger.Replica{ID: o.id, Account: o.name, Device: "d-" + o.name})
		})
	}
	return w.officers[unit]
}

// Save lets a unit's officer write the fields of a record and submit it; the
// zero id makes a new record.
func (w *World) Save(unit, reg string, id conflict.RecordID, values map[string]string) conflict.RecordID {
	w.T.Helper()
	return w.write(unit, reg, id, func(def *register.Definition, r conflict.Record, add func(conflict.FieldKey, conflict.Value)) {
		for name, text := range values {
			field := def.FieldByName(name)
			v, err := register.Normalise(def, name, text)
			if err != nil {
				w.T.Fatalf("field %s: %v", name, err)
			}
			if field.Policy != conflict.Union {
				add(conflict.Key(field.ID), v)
				continue
			}
			held, wanted := r.Union(field.ID), register.Elements(v)
			for _, e := range wanted {
				if !slices.Contains(held, e) {
					add(conflict.FieldKey{ID: field.ID, Elem: e}, "1")
				}
			}
			for _, e := range held {
				if !slices.Contains(wanted, e) {
					add(conflict.FieldKey{ID: field.ID, Elem: e}, "")
				}
			}
		}
	})
}

// Delete lets a unit's officer delete a record, or take the deletion back.
func (w *World) Delete(unit, reg string, id conflict.RecordID, deleted bool) {
	w.T.Helper()
	w.write(unit, reg, id, func(_ *register.Definition, r conflict.Record, add func(conflict.FieldKey, conflict.Value)) {
		add(conflict.Key(conflict.FieldLife), conflict.Life{Deleted: deleted, Seen: r.Seen()}.Value())
	})
}

func (w *World) write(unit, reg string, id conflict.RecordID, fill func(*register.Definition, conflict.Record, func(conflict.FieldKey, conflict.Value))) conflict.RecordID {
	w.T.Helper()
	o, def := w.officer(unit), w.Defs[slices.IndexFunc(w.Defs, func(d *register.Definition) bool { return string(d.ID) == reg })]
	first := conflict.Dot{Replica: o.id, Counter: o.counter + 1}
	var r conflict.Record
	if id.IsZero() {
		id = first
	} else {
		r = w.head(id)
	}
	var writes []record.Write
	add := func(k conflict.FieldKey, v conflict.Value) {
		writes = append(writes, record.Write{Key: k, Context: r.Field(k).Vector(), Value: v})
	}
	fill(def, r, add)
	add(conflict.Key(conflict.FieldSubmission), "")
	slices.SortFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
	c := record.Changeset{Dot: first, Unit: unit, Author: o.name, At: w.Store.Now().UnixMilli(),
		Edits: []record.Edit{{Record: id, Register: reg, Definition: def.Version, Writes: writes}}}
	i := slices.IndexFunc(writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldSubmission })
	writes[i].Value = record.Submit(c.Apply(r, 0, 0), nil).Value()
	o.counter += uint64(c.Len())
	var out ledger.Outcome
	w.Update(func(tx *sqlite.Tx) (err error) {
		out, err = w.Ledger.Commit(sqlite.LedgerOf(tx), ledger.Author{Account: o.name, Device: "d-" + o.name, Unit: unit, Sensitive: true}, o.id, []record.Changeset{c})
		return err
	})
	if out.Applied != 1 {
		w.T.Fatalf("save of %v: got %+v", id, out)
	}
	return id
}

func (w *World) head(id conflict.RecordID) (r conflict.Record) {
	w.T.Helper()
	w.View(func(tx *sqlite.Tx) error {
		row, ok, err := sqlite.LedgerOf(tx).Record(id)
		if err == nil && !ok {
			err = fmt.Errorf("there is no record %v", id)
		}
		if err == nil {
			r, _, err = record.ParseState(row.State, id)
		}
		return err
	})
	return r
}

// digest looks at a record as its supervisor.
func (w *World) digest(unit string, id conflict.RecordID) string {
	w.T.Helper()
	r, err := w.Desk.Record(w.supervisor(unit), review.RecordRequest{ID: id.String()})
	if err != nil {
		w.T.Fatal(err)
	}
	return r.Digest
}

// Approve lets a unit's supervisor approve all that waits of a record, warnings
// accepted, and returns the revision, 0 for none.
func (w *World) Approve(unit string, id conflict.RecordID) uint64 {
	w.T.Helper()
	out, err := w.Desk.Approve(w.supervisor(unit), review.ApproveRequest{ID: id.String(), Digest: w.digest(unit, id), AcceptWarnings: true})
	if err != nil {
		w.T.Fatalf("approve %v: %v", id, err)
	}
	return out.Revision
}

// Withdraw takes the approval of a record back.
func (w *World) Withdraw(unit string, id conflict.RecordID) {
	w.T.Helper()
	if _, err := w.Desk.Withdraw(w.supervisor(unit), review.WithdrawRequest{ID: id.String(), Reason: "test"}); err != nil {
		w.T.Fatalf("withdraw %v: %v", id, err)
	}
}

// Refuse refuses all that waits of a record.
func (w *World) Refuse(unit string, id conflict.RecordID) {
	w.T.Helper()
	if _, err := w.Desk.Refuse(w.supervisor(unit), review.RefuseRequest{ID: id.String(), Digest: w.digest(unit, id), Reason: "test"}); err != nil {
		w.T.Fatalf("refuse %v: %v", id, err)
	}
}

// Restore gives the database a new life, as restoring a backup does.
func (w *World) Restore() {
	w.T.Helper()
	w.Update(func(tx *sqlite.Tx) error { return sqlite.LedgerOf(tx).BeginEpoch() })
}

// Address is a complete record of the register addresses.
func Address(n int) map[string]string {
	return map[string]string{"ward_code": "27169", "neighbourhood": fmt.Sprint("Khu phố ", n%9+1), "street": "Lý Thái Tổ", "house_no": fmt.Sprint(n + 1),
		"location": `{"lat":10.76,"lon":106.68,"accuracy_m":5}`, "plate_status": "DA_GAN", "kind": "NHA_O", "check_date": "2026-02-01"}
}

// Secrets are the values of Beneficiary's sensitive fields.
var Secrets = map[string]string{"household_class": "NGHEO", "beneficiary_group": "KHUYET_TAT", "disability_kind": "1,4", "disability_level": "2",
	"disability_cert_no": "SECRET-4711", "bank_account": "9704361234567"}

// Beneficiary is a complete record of the register social_protection.
func Beneficiary() map[string]string {
	values := map[string]string{"personal_id": "079190004321", "full_name": "Đặng Thị Ánh", "dob": "1990", "sex": "2",
		"address": "27169 1 Lý Thái Tổ", "neighbourhood": "Khu phố 1", "pay_method": "TK", "bank_name": "<b>VCB & Co</b>", "alive_check": "CON_HUONG",
		"decision_no": "12/QĐ", "decision_date": "2025-05-06", "start_month": "2025-06", "coefficient": "1,5", "monthly_amount": "750000"}
	for name, v := range Secrets {
		values[name] = v
	}
	return values
}
