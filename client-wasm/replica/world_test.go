package replica_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/replica/replicatest"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

const unit = "27169"

var ctx = context.Background()

// people is a register with a field of each kind that matters here.
func people(version uint32) *register.Definition {
	field := func(id conflict.FieldID, name string, t register.Type) register.Field {
		return register.Field{ID: id, Name: name, Type: t, Label: register.Text{VI: name, EN: name}, Section: "all", Required: register.Optional,
			Class: register.Basic, Policy: conflict.Keep}
	}
	name, phone, note, tags := field(16, "name", register.PlainText), field(17, "phone", register.Phone), field(18, "note", register.LongText), field(19, "tags", register.MultiEnum)
	secret, friend, level := field(20, "secret", register.PlainText), field(21, "friend", register.Ref), field(22, "level", register.Integer)
	name.Required, name.Search = register.Always, true
	phone.Masked, phone.Search = true, true
	tags.Policy, tags.CodeList = conflict.Union, "TAGS"
	secret.Class = register.Sensitive
	level.Policy = conflict.Max
	d := register.Definition{ID: "people", Version: version, Label: register.Text{VI: "Người", EN: "People"}, TitleField: "name", NaturalKey: [][]string{{"phone"}},
		ListColumns: []string{"name", "phone"}, Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}},
		Fields: []register.Field{name, phone, note, tags, secret, friend, level},
		Rules: []register.Rule{
			{Kind: register.RuleUnique, Field: "phone", Fields: []string{"phone"}, Code: "E_DUPLICATE", Group: register.GroupDuplicate, Message: register.Text{VI: "Trùng số.", EN: "The number is taken."}},
			{Kind: register.RuleFlag, Field: "level", When: &register.Condition{Field: "level", Op: register.Is, Values: []string{"13"}}, Code: "W_UNLUCKY", Group: register.GroupRange, Message: register.Text{VI: "Số 13.", EN: "Thirteen."}},
		},
		CodeLists: []register.CodeList{{ID: "TAGS", Codes: []register.Code{{Code: "A", VI: "Á", EN: "Ay"}, {Code: "B", VI: "Bê", EN: "Bee"}, {Code: "C", VI: "Xê", EN: "See"}}}}}
	if version > 1 {
		more := field(23, "more", register.PlainText)
		more.Search = true
		d.Fields = append(d.Fields, more)
	}
	def, err := register.New(d)
	if err != nil {
		panic(err)
	}
	return def
}

// world is a server and its devices, in one goroutine, under one clock.
type world struct {
	t       testing.TB
	now     int64
	server  *replicatest.Server
	devices map[string]*dev
	order   []string
}

// dev is one device.
type dev struct {
	w       *world
	name    string
	account string
	store   *store.Memory
	rand    io.Reader
	r       *replica.Replica
	scopes  []protocol.Class
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, now: 1_700_000_000_000, devices: map[string]*dev{}}
	w.server = replicatest.New(1, func() int64 { return w.now }, people(1))
	return w
}

// bytesOf is a reader of reproducible bytes.
type bytesOf struct{ r *rand.ChaCha8 }

func (b bytesOf) Read(p []byte) (int, error) { return b.r.Read(p) }

func seeded(seed uint64) io.Reader {
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	return bytesOf{rand.NewChaCha8(key)}
}

// device makes a device that has signed in.
func (w *world) device(name, account string, classes ...protocol.Class) *dev {
	w.t.Helper()
	if classes == nil {
		classes = []protocol.Class{protocol.Basic, protocol.Sensitive}
	}
	d := &dev{w: w, name: name, account: account, store: store.NewMemory(), rand: seeded(uint64(len(w.order)) + 100), scopes: classes}
	w.devices[name], w.order = d, append(w.order, name)
	d.open()
	if err := d.r.SetDefinitions(ctx, people(1).Marshal()); err != nil {
		w.t.Fatal(err)
	}
	d.rescope()
	return d
}

func (d *dev) rescope() {
	var scopes []protocol.Scope
	for _, c := range d.scopes {
		scopes = append(scopes, protocol.Scope{Stream: protocol.Stream{Unit: unit, Register: "people", Class: c}})
	}
	if err := d.r.SetScopes(ctx, scopes); err != nil {
		d.w.t.Fatal(err)
	}
}

// open opens the replica on the device's store, as a new process does.
func (d *dev) open() {
	d.w.t.Helper()
	r, err := replica.Open(ctx, replica.Config{Store: d.store, Now: func() int64 { d.w.now++; return d.w.now }, Rand: d.rand,
		Account: replica.Account{Name: d.account, Unit: unit}, Lang: "en"})
	if err != nil {
		d.w.t.Fatalf("%s: open: %v", d.name, err)
	}
	d.r = r
}

// line is a connection of a device in the making.
type line struct {
	d    *dev
	h    *replica.Host
	far  *replicatest.Session
	said [][]byte // by the server, not heard yet
}

func (d *dev) line() *line {
	l := &line{d: d, h: d.r.NewHost("test", "token", true)}
	l.h.Step(session.Start{Now: d.w.now})
	return l
}

// step does one thing: performs an effect, or hears a message. It reports
// false when there is nothing to do.
func (l *line) step() (bool, error) {
	if l.h.Pending() == 0 {
		if l.far != nil {
			l.said = append(l.said, l.far.Take()...)
		}
		if len(l.said) == 0 {
			return false, nil
		}
		m, err := protocol.Decode(l.said[0])
		if err != nil {
			return false, err
		}
		l.said = l.said[1:]
		l.h.Step(session.Received{Now: l.d.w.now, Message: m})
		return true, nil
	}
	e, err := l.h.Perform(ctx)
	if err != nil {
		return false, err
	}
	switch e := e.(type) {
	case session.Dial:
		l.far, l.said = l.d.w.server.Open(), nil
		l.h.Step(session.Opened{Now: l.d.w.now})
	case session.Send:
		if l.far != nil && !l.far.Over() {
			return true, l.far.Receive(protocol.Encode(nil, e.Message))
		}
	case session.HangUp:
		l.hangUp()
	case session.RefreshToken:
		l.h.Step(session.TokenRenewed{Now: l.d.w.now, Token: "token"})
	}
	return true, nil
}

func (l *line) hangUp() {
	if l.far != nil {
		l.far.Close()
	}
	l.far, l.said = nil, nil
}

// run goes on until nothing is left to do, at most for some steps.
func (l *line) run(limit int) (steps int) {
	for steps < limit {
		more, err := l.step()
		if err != nil {
			l.d.w.t.Fatalf("%s: step %d: %v", l.d.name, steps, err)
		}
		if !more {
			return steps
		}
		steps++
	}
	return steps
}

// sync connects, exchanges everything, and hangs up.
func (d *dev) sync() session.Status {
	d.w.t.Helper()
	l := d.line()
	for range 5 {
		if n := l.run(100_000); n == 100_000 {
			d.w.t.Fatalf("%s: the exchange does not end", d.name)
		}
		if l.h.Idle() || l.h.WakeAt() == 0 {
			break
		}
		d.w.now = max(d.w.now, l.h.WakeAt())
		l.h.Step(session.Tick{Now: d.w.now})
	}
	l.hangUp()
	return l.h.Status()
}

// mustSync is sync for tests in which it has to come to an end.
func (d *dev) mustSync() {
	d.w.t.Helper()
	if s := d.sync(); !s.Synced {
		d.w.t.Fatalf("%s is not synced: %+v", d.name, s)
	}
}

// put writes fields and returns the record's id.
func (d *dev) put(id string, values map[string]string) string {
	d.w.t.Helper()
	reply, err := d.r.Put(ctx, replica.PutRequest{Register: "people", Record: id, Values: values})
	if err != nil {
		d.w.t.Fatalf("%s: put: %v", d.name, err)
	}
	return reply.ID
}

// form opens a form.
func (d *dev) form(id string) replica.Form {
	d.w.t.Helper()
	f, err := d.r.OpenForm(ctx, id, "people")
	if err != nil {
		d.w.t.Fatalf("%s: open form: %v", d.name, err)
	}
	return f
}

func (d *dev) save(key string, values map[string]string) replica.SaveReply {
	d.w.t.Helper()
	reply, err := d.r.Save(ctx, replica.SaveRequest{Key: key, Values: values})
	if err != nil {
		d.w.t.Fatalf("%s: save: %v", d.name, err)
	}
	return reply
}

func (d *dev) record(id string) replica.Record {
	d.w.t.Helper()
	rec, err := d.r.Record(ctx, id)
	if err != nil {
		d.w.t.Fatalf("%s: record: %v", d.name, err)
	}
	return rec
}

func (d *dev) outbox() []replica.Entry {
	d.w.t.Helper()
	all, err := d.r.Outbox(ctx)
	if err != nil {
		d.w.t.Fatal(err)
	}
	return all
}

// converged fails unless every device's base is what the server holds, of the
// classes that it takes, byte for byte, and nothing is left to send.
func (w *world) converged() error {
	for _, name := range w.order {
		d := w.devices[name]
		for _, id := range w.server.IDs() {
			want := w.server.Record(id)
			if len(d.scopes) == 1 {
				want = want.With(conflict.Key(20), conflict.Field{})
			}
			base, err := d.r.Base(ctx, id)
			if err != nil {
				return err
			}
			if !base.Equal(want) {
				return fmt.Errorf("%s: base of %v differs from the server's", name, id)
			}
			rec, err := d.r.Record(ctx, id.String())
			if err != nil {
				return err
			}
			if !rec.Head.Equal(want) && len(d.scopes) > 1 {
				return fmt.Errorf("%s: head of %v differs from the server's", name, id)
			}
		}
	}
	return nil
}
