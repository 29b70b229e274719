package city

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	serverstore "wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// device is one device of an officer: the production replica and host.
type device struct {
	w      *world
	no     int
	owner  *person
	p      auth.Principal
	mem    *store.Memory
	rep    *replica.Replica // nil while it has no power
	host   *replica.Host
	end    *end // the server's end of its connection; nil for none
	up     [][]byte
	closed bool  // revoked for good
	skew   int64 // of its clock against the server's, in milliseconds

	forms []string
	remembered
	copy *remembered
	kept *store.Memory
}

// remembered is what the oracles remember of one store.
type remembered struct {
	saved []string // values that only this store may have
	own   map[conflict.RecordID]map[conflict.FieldKey]conflict.Dot
	shown map[conflict.RecordID]conflict.Record // what the server had shown of it
	id    conflict.ReplicaID
	unit  string
}

func (m *remembered) clone() *remembered {
	c := *m
	c.saved = slices.Clone(m.saved)
	c.own, c.shown = map[conflict.RecordID]map[conflict.FieldKey]conflict.Dot{}, map[conflict.RecordID]conflict.Record{}
	for id, f := range m.own {
		c.own[id] = map[conflict.FieldKey]conflict.Dot{}
		for k, d := range f {
			c.own[id][k] = d
		}
	}
	for id, r := range m.shown {
		c.shown[id] = r
	}
	return &c
}

func newRemembered() remembered {
	return remembered{own: map[conflict.RecordID]map[conflict.FieldKey]conflict.Dot{}, shown: map[conflict.RecordID]conflict.Record{}}
}

func newDevice(w *world, no int) *device {
	d := &device{w: w, no: no, owner: owners[no], p: principal(owners[no], fmt.Sprint("device ", no)), mem: store.NewMemory(), remembered: newRemembered()}
	d.setClock(uint32(w.seed >> (3 * no)))
	d.on()
	d.signIn()
	return d
}

// String names the device in transcripts.
func (d *device) String() string { return fmt.Sprintf("device %d of %s", d.no, d.owner.name) }

func (d *device) now() int64 { return d.w.clock + d.skew }

// skews are how far clocks of devices are off, most of them little or not at all.
var skews = [...]int64{0, 0, 0, 40_000, -3 * 3_600_000, 9 * 3_600_000, 400 * 24 * 3_600_000, -3000 * 24 * 3_600_000}

// setClock sets the device's clock, to the right time or another.
func (d *device) setClock(bits uint32) { d.skew = skews[int(bits)%len(skews)] }

// bodies are the versions of the register as a store keeps them.
var bodies = func() (list [][]byte) {
	for _, d := range versions {
		list = append(list, d.Marshal())
	}
	return list
}()

// parse reads a definition once for all devices.
func parse(body []byte) (*register.Definition, error) {
	for i, b := range bodies {
		if bytes.Equal(b, body) {
			return versions[i], nil
		}
	}
	return register.ParseDefinition(body)
}

// version is that of the register that the device works under; 0 before it ever signed in.
func (d *device) version() (v uint32) {
	for _, def := range d.rep.Definitions() {
		v = max(v, def.Version)
	}
	return v
}

// on makes sure that the device runs. A store that is new is signed in.
func (d *device) on() bool {
	if d.rep != nil {
		return true
	}
	rep, err := replica.Open(ctx, replica.Config{Store: d.mem, Now: d.now, Rand: d.w, Lang: "en", Parse: parse,
		Account: replica.Account{Name: d.owner.name, Role: string(d.owner.role), Unit: d.unitHere()}})
	d.w.must(d.String()+": open", err)
	d.rep, d.host = rep, rep.NewHost("city", "token", true)
	d.id = rep.Meta().Replica
	return true
}

// unitHere is the officer's unit as the store has it.
func (d *device) unitHere() string {
	if d.unit != "" {
		return d.unit
	}
	return d.w.server.account(d.p.Account).Unit
}

// login signs somebody in, if they may sign in at all, and returns who they are now.
func (w *world) login(p *auth.Principal) (now auth.Principal, ok bool) {
	err := w.server.store.Update(ctx, func(tx *sqlite.Tx) (err error) {
		at := time.UnixMilli(w.clock)
		if now, err = auth.Current(tx, *p, at); !errors.Is(err, auth.ErrSignedOut) {
			return err
		}
		w.logins++
		next := *p
		next.Family = serverstore.FamilyID(fmt.Sprintf("f-%s-%d", p.Device, w.logins))
		if err := tx.InsertFamily(serverstore.Family{ID: next.Family, Account: p.Account, Device: p.Device, CreatedAt: at, ExpiresAt: at.AddDate(1000, 0, 0)}); err != nil {
			return err
		}
		if now, err = auth.Current(tx, next, at); err == nil {
			*p = next
		}
		return err
	})
	if errors.Is(err, auth.ErrDisabled) || errors.Is(err, auth.ErrDeviceRevoked) || errors.Is(err, auth.ErrSignedOut) {
		return now, false
	}
	w.must("sign in", err)
	return now, true
}

// signIn lets the device learn what a sign-in tells, if it may sign in at all.
func (d *device) signIn() {
	d.on()
	before := d.p.Family
	p, ok := d.w.login(&d.p)
	if !ok {
		return // it goes on with the sign-in that it had
	}
	if d.p.Family != before {
		d.cut() // what was connected with the one before
	}
	a := d.w.server.account(d.p.Account)
	waiting := strings.Fields(p.Waiting)
	who := ledger.Author{Account: a.Name, Unit: a.Unit, Waiting: waiting, Sensitive: a.Sensitive}
	var scopes []protocol.Scope
	for _, s := range d.w.server.led.Offer(who) {
		scopes = append(scopes, protocol.Scope{Stream: s})
	}
	d.w.must("sign in", d.rep.SetSession(ctx, replica.Account{Name: a.Name, Role: string(a.Role), Unit: a.Unit}, nil))
	d.w.must("sign in", d.rep.Trust(ctx, serverKey.Public().(ed25519.PublicKey)))
	if d.version() < d.w.version {
		d.w.must("sign in", d.rep.SetDefinitions(ctx, bodies[d.w.version-1]))
	}
	d.w.must("sign in", d.rep.SetScopes(ctx, scopes))
	if d.unit != a.Unit {
		d.unit, d.own, d.shown = a.Unit, newRemembered().own, newRemembered().shown
	}
}

// connect connects the device, if it is not; signed tells to sign in before.
func (d *device) connect(signed bool) {
	if d.rep != nil && d.host.Status().Link == session.Stopped {
		d.power() // somebody starts the app again
	}
	d.on()
	if signed && !d.closed {
		d.signIn()
	}
	d.host.Refresh()
	d.host.Step(session.Start{Now: d.now()})
	d.host.Step(session.Online{Now: d.now()})
	d.perform()
	d.watch()
}

// leave disconnects it.
func (d *device) leave() {
	if d.rep != nil {
		d.host.Step(session.Stop{})
		d.perform()
	}
}

// cut takes the connection away with what is on the way. Both ends notice.
func (d *device) cut() {
	e := d.end
	if e == nil {
		return
	}
	d.end, d.up = nil, nil
	if !d.w.dead {
		d.w.server.gone(e)
	}
	if d.rep != nil {
		d.host.Step(session.Lost{Now: d.now()})
		d.perform()
	}
}

// power takes the power away: what is not in the store is gone.
func (d *device) power() {
	if e := d.end; e != nil {
		d.end, d.up = nil, nil
		d.w.server.gone(e)
	}
	d.rep, d.host, d.forms = nil, nil, nil
}

// wipe loses the store.
func (d *device) wipe() {
	d.power()
	d.mem, d.remembered = store.NewMemory(), newRemembered()
	d.on()
	if !d.closed {
		d.signIn()
	}
}

// setAside keeps a copy of the store.
func (d *device) setAside() {
	d.kept, d.copy = d.mem.Clone(), d.remembered.clone()
}

// comeBack puts the copy into the store's place.
func (d *device) comeBack() {
	if d.kept == nil {
		return
	}
	d.power()
	d.mem, d.remembered = d.kept.Clone(), *d.copy.clone()
	d.w.cameBack = true
	d.on()
}

// clone lets the device's profile go on in a second one as well, with the same store and
// the same sign-in.
func (d *device) clone() {
	if len(d.w.devices) > len(owners) {
		return // two are trouble enough
	}
	c := &device{w: d.w, no: len(d.w.devices), owner: d.owner, p: d.p, mem: d.mem.Clone(), remembered: *d.remembered.clone(), closed: d.closed, skew: d.skew}
	d.w.devices, d.w.cameBack = append(d.w.devices, c), true
	c.on()
}

// perform performs what the host has queued.
func (d *device) perform() {
	for n := 0; d.rep != nil && d.host.Pending() > 0; n++ {
		if n == 10_000 {
			d.w.fail(oracleRest, "%s never has enough", d)
		}
		e, err := d.host.Perform(ctx)
		d.w.must(d.String(), err)
		switch e := e.(type) {
		case session.Dial:
			if d.w.dead {
				d.host.Step(session.Lost{Now: d.now()})
				continue
			}
			d.end, d.up = d.w.server.accept(d), nil
			d.host.Step(session.Opened{Now: d.now()})
		case session.Send:
			if d.end != nil {
				d.up = append(d.up, protocol.Encode(nil, e.Message))
			}
		case session.HangUp:
			if e := d.end; e != nil {
				d.end, d.up = nil, nil
				d.w.server.gone(e)
			}
		case session.RefreshToken:
			if !d.closed {
				d.signIn()
			}
			d.host.Step(session.TokenRenewed{Now: d.now(), Token: "token"})
		}
	}
}

// deliver delivers one message on the device's connection, and reports whether there
// was one.
func (d *device) deliver() bool {
	e := d.end
	switch {
	case e == nil || d.rep == nil:
		return false
	case len(d.up) > 0:
		m, err := protocol.Decode(d.up[0])
		d.w.must("decode", err)
		d.up = d.up[1:]
		e.step(session.Received{Now: d.w.clock, Message: m})
	case len(e.down) > 0:
		m, err := protocol.Decode(e.down[0])
		d.w.must("decode", err)
		e.down = e.down[1:]
		d.host.Step(session.Received{Now: d.now(), Message: m})
		d.perform()
		d.host.Refresh()
		d.perform()
		d.watch()
	case e.over:
		d.end, d.up = nil, nil
		d.host.Step(session.Lost{Now: d.now()})
		d.perform()
	default:
		return false
	}
	return true
}

// idle reports whether the device has nothing to say and is connected, or may not be.
func (d *device) idle() bool {
	if d.rep == nil || len(d.up) > 0 || d.end != nil && len(d.end.down) > 0 {
		return false
	}
	s, err := d.rep.Status(ctx)
	d.w.must("status", err)
	return s.Unsent == 0 && (d.host.Idle() || d.shut())
}

// shut reports whether the device may hand in, and see nothing.
func (d *device) shut() bool { return d.closed || d.w.server.account(d.p.Account).Disabled }

func (d *device) tick() {
	if d.rep == nil {
		return
	}
	if at := d.host.WakeAt(); at != 0 && at <= d.now() {
		d.host.Step(session.Tick{Now: d.now()})
		d.perform()
	}
}

// pick returns one of the records on the device, "" for none.
func (d *device) pick(bits uint32) string {
	ids, err := d.rep.IDs(ctx, registerID)
	d.w.must("list", err)
	if len(ids) == 0 {
		return ""
	}
	return ids[int(bits)%len(ids)].String()
}

// person runs what somebody does at the device.
func (d *device) person(op Op, bits uint32) {
	switch op {
	case opNew:
		d.put("", bits)
	case opEdit:
		d.put(d.pick(bits>>4), bits*2654435761>>8) // a new one, if there is none
	case opOpen:
		if id := d.pick(bits); id != "" {
			d.act(func() error {
				f, err := d.rep.OpenForm(ctx, id, registerID)
				if err == nil {
					d.forms = append(d.forms, f.Key)
				}
				return err
			})
		}
	case opSave:
		if len(d.forms) == 0 {
			return
		}
		i := int(bits) % len(d.forms)
		key := d.forms[i]
		d.forms = slices.Delete(d.forms, i, i+1)
		values := d.w.typed(d.version(), bits, false)
		d.act(func() error {
			_, err := d.rep.Save(ctx, replica.SaveRequest{Key: key, Values: values, Submit: bits&3 != 0})
			return err
		})
	case opDelete:
		if id := d.pick(bits); id != "" {
			d.act(func() error { _, err := d.rep.Delete(ctx, id); return err })
		}
	case opRevive:
		if id := d.pick(bits); id != "" {
			d.act(func() error { _, err := d.rep.Restore(ctx, id); return err })
		}
	case opSubmit:
		if id := d.pick(bits); id != "" {
			d.act(func() error { _, err := d.rep.Submit(ctx, id, nil); return err })
		}
	case opSettle:
		d.settle(bits)
	case opSend, opHouse:
		id := d.pick(bits)
		if id == "" {
			return
		}
		ids := []string{id}
		if op == opHouse {
			var err error
			ids, err = d.rep.Household(ctx, id)
			if !d.forgiven(err) {
				return
			}
		}
		unit := d.w.someUnit(bits >> 8)
		d.act(func() error { return d.rep.Move(ctx, ids, unit, "moved house") })
	case opPurge:
		ids, err := d.rep.IDs(ctx, registerID)
		d.w.must("list", err)
		for _, id := range ids {
			d.act(func() error { _, err := d.rep.Delete(ctx, id.String()); return err })
		}
	}
}

func (d *device) put(id string, bits uint32) {
	values := d.w.typed(d.version(), bits, id == "")
	d.act(func() error {
		reply, err := d.rep.Put(ctx, replica.PutRequest{Register: registerID, Record: id, Values: values, NoSubmit: bits>>12&3 == 0})
		if err != nil {
			return err
		}
		made, perr := conflict.ParseDot(reply.ID)
		d.w.must("a new record's id", perr)
		if !slices.Contains(d.w.ids, made) {
			d.w.ids = append(d.w.ids, made)
		}
		return nil
	})
}

// settle chooses a value of a field in conflict.
func (d *device) settle(bits uint32) {
	ids, err := d.rep.IDs(ctx, registerID)
	d.w.must("list", err)
	for _, id := range ids {
		r, err := d.rep.Record(ctx, id.String())
		if !d.forgiven(err) {
			continue
		}
		if r.Life == conflict.EditedAndDeleted {
			life := []string{"alive", "deleted"}[bits&1]
			d.act(func() error {
				_, err := d.rep.Settle(ctx, replica.SettleRequest{ID: id.String(), Field: "life", Value: &life})
				return err
			})
			return
		}
		for _, f := range cards.Fields {
			siblings := r.Conflicts[f.Name]
			if len(siblings) < 2 {
				continue
			}
			dot := siblings[int(bits)%len(siblings)].Dot.String()
			d.act(func() error {
				_, err := d.rep.Settle(ctx, replica.SettleRequest{ID: id.String(), Field: f.Name, Dot: dot})
				return err
			})
			return
		}
	}
}

// forgiven reports whether there is no error; one that the app tells people in words
// is none of the device's.
func (d *device) forgiven(err error) bool {
	var failure *replica.Failure
	if err != nil && !errors.As(err, &failure) && !errors.Is(err, replica.ErrNoRecord) {
		d.w.fail(oracleEffects, "%s: %v", d, err)
	}
	return err == nil
}

// act runs what a person does.
func (d *device) act(do func() error) {
	before, err := d.rep.Outbox(ctx)
	d.w.must("outbox", err)
	last := uint64(0)
	for _, e := range before {
		last = max(last, e.No)
	}
	if !d.forgiven(do()) {
		return
	}
	d.w.clock++
	d.noteSaved(last)
	d.host.Refresh()
	d.perform()
	d.watch()
}
