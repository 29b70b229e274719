package people

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

const (
	ward  = "27169"
	other = "27676"
)

// town is a real store with a ledger over it.
type town struct {
	t      *testing.T
	store  *sqlite.Store
	ledger *ledger.Ledger
	def    *register.Definition
	made   uint64
}

func newTown(t *testing.T) *town {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "wardbook.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	def := all[slices.IndexFunc(all, func(d *register.Definition) bool { return d.ID == "residents" })]
	l := ledger.New(ledger.Config{
		Definition: func(id string) (*register.Definition, bool) { return def, id == string(def.ID) }, Registers: []string{string(def.ID)},
		Allow: func(a ledger.Author, unit string, _ protocol.Class) bool { return a.Unit == unit },
		Now:   func() int64 { return time.Now().UnixMilli() },
	})
	return &town{t: t, store: st, ledger: l, def: def}
}

func (w *town) update(work func(*sqlite.Tx) error) {
	w.t.Helper()
	if err := w.store.Update(w.t.Context(), work); err != nil {
		w.t.Fatal(err)
	}
}

// account makes an account that is signed in on one device.
func (w *town) account(name, display string, role store.Role, unit string, change func(*store.Account)) context.Context {
	w.t.Helper()
	p := auth.Principal{Account: store.AccountID("a-" + name), Device: store.DeviceID("d-" + name), Family: store.FamilyID("f-" + name)}
	a := store.Account{ID: p.Account, Name: name, DisplayName: display, Role: role, Unit: unit}
	if change != nil {
		change(&a)
	}
	w.update(func(tx *sqlite.Tx) error {
		return errors.Join(tx.InsertAccount(a), tx.InsertDevice(store.Device{ID: p.Device, Account: p.Account}),
			tx.InsertFamily(store.Family{ID: p.Family, Account: p.Account, Device: p.Device, ExpiresAt: time.Now().Add(time.Hour)}))
	})
	return auth.NewContext(context.Background(), p)
}

// move puts an account into another unit.
func (w *town) move(name, unit string) {
	w.update(func(tx *sqlite.Tx) error {
		a, err := tx.AccountByName(name)
		if err != nil {
			return err
		}
		a.Unit = unit
		return tx.UpdateAccount(a)
	})
}

// write has the account make a record in its unit, in the name of author.
func (w *town) write(account, unit, author string) (conflict.RecordID, []*protocol.Refusal) {
	w.t.Helper()
	var id conflict.ReplicaID
	w.made++
	copy(id[:], fmt.Sprintf("replica %07d", w.made))
	name := w.def.FieldByName("full_name")
	c := record.Changeset{Dot: conflict.Dot{Replica: id, Counter: 1}, Unit: unit, Author: author, At: 1}
	c.Edits = []record.Edit{{Record: c.Dot, Register: string(w.def.ID), Definition: w.def.Version,
		Writes: []record.Write{{Key: conflict.Key(name.ID), Value: "Nguyễn Văn Ất"}}}}
	var out ledger.Outcome
	w.update(func(tx *sqlite.Tx) (err error) {
		l := sqlite.LedgerOf(tx)
		if err := l.PutReplica(&ledger.Replica{ID: id, Account: account, Device: "d-" + account}); err != nil {
			return err
		}
		out, err = w.ledger.Commit(l, ledger.Author{Account: account, Device: "d-" + account, Unit: unit, Sensitive: true}, id, []record.Changeset{c})
		return err
	})
	return c.Dot, out.Refusals
}

func (w *town) decide(id conflict.RecordID, unit, decider string) {
	w.update(func(tx *sqlite.Tx) error {
		return sqlite.LedgerOf(tx).AppendApproval(&store.Approval{Record: id, Seq: 1, Register: string(w.def.ID), Unit: unit,
			Decision: "returned", Definition: w.def.Version, At: 1, By: decider, Fields: []string{"full_name"}})
	})
}

// names lists whom the directory names to the caller.
func (w *town) names(caller context.Context) string {
	w.t.Helper()
	a, err := New(w.store).People(caller, rpc.None{})
	if err != nil {
		w.t.Fatal(err)
	}
	var names []string
	for _, p := range a.People {
		names = append(names, p.Name)
	}
	return strings.Join(names, " ")
}

func TestPeople(t *testing.T) {
	w := newTown(t)
	an := w.account("an", "Nguyễn Thị An", store.RoleOfficer, ward, nil)
	w.account("binh", "Trần Văn Bình", store.RoleOfficer, ward, func(a *store.Account) { a.Disabled = true })
	son := w.account("son", "Phạm Minh Sơn", store.RoleSupervisor, ward, nil)
	cuc := w.account("cuc", "Lê Thị Cúc", store.RoleOfficer, other, nil)
	w.account("dung", "Đỗ Tấn Dũng", store.RoleOfficer, other, nil)
	w.account("hub", "Kho dữ liệu", store.RoleHub, "", nil)

	check := func(what string, caller context.Context, want string) {
		t.Helper()
		if got := w.names(caller); got != want {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	check("an officer", an, "an binh son")
	check("their supervisor", son, "an binh son")
	check("another ward", cuc, "cuc dung")

	// What has been written in the ward makes its writer known there, also
	// after they have moved; their new ward's people do not become so.
	written, _ := w.write("dung", other, "dung")
	w.account("em", "Võ Thị Em", store.RoleOfficer, ward, nil)
	if _, refused := w.write("em", ward, "em"); refused != nil {
		t.Fatalf("write: refused with %v", refused)
	}
	w.move("em", other)
	check("their former ward", an, "an binh em son")
	check("their ward", cuc, "cuc dung em")

	// A decision makes known where the record is.
	w.account("giang", "Hồ Thị Giang", store.RoleSupervisor, other, nil)
	w.decide(written, other, "giang")
	w.move("giang", "26740")
	check("where they decided", cuc, "cuc dung em giang")
	check("elsewhere", an, "an binh em son")

	// Whoever sends something in another's name does not learn who that is.
	if _, refused := w.write("an", ward, "dung"); len(refused) != 1 {
		t.Fatalf("a forged author: got refusals %v, want one", refused)
	}
	check("behind a forged author", an, "an binh em son")
}

func TestPersonHoldsThreeThings(t *testing.T) {
	text, err := json.Marshal(Person{"an", "Nguyễn Thị An", store.RoleOfficer})
	if want := `{"name":"an","display_name":"Nguyễn Thị An","role":"officer"}`; err != nil || string(text) != want {
		t.Errorf("got %s, %v, want %s", text, err, want)
	}
}

func TestPeopleRefuses(t *testing.T) {
	w := newTown(t)
	for _, c := range []struct {
		name string
		role store.Role
		unit string
		with func(*store.Account)
		want error
	}{
		{"hub", store.RoleHub, "", nil, rpc.ErrForbidden},
		{"admin", store.RoleAdmin, "", nil, rpc.ErrForbidden},
		{"fresh", store.RoleOfficer, ward, func(a *store.Account) { a.MustChange = true }, auth.ErrMustChange},
		{"gone", store.RoleOfficer, ward, func(a *store.Account) { a.Disabled = true }, auth.ErrDisabled},
	} {
		a, err := New(w.store).People(w.account(c.name, c.name, c.role, c.unit, c.with), rpc.None{})
		if !errors.Is(err, c.want) || a.People != nil {
			t.Errorf("%s: got %v, %v, want %v", c.name, a, err, c.want)
		}
	}
	if _, err := New(w.store).People(context.Background(), rpc.None{}); !errors.Is(err, rpc.ErrUnauthenticated) {
		t.Errorf("nobody: got %v, want %v", err, rpc.ErrUnauthenticated)
	}
}
