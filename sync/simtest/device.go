package simtest

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

var ctx = context.Background()

// device is one officer's device: the production replica and host, and what
// the oracles remember of it.
type device struct {
	w       *world
	no      int
	account *account
	poison  bool  // the next save goes wrong
	skew    int64 // of its wall clock, in milliseconds

	partedAt int64 // server clock when it was last told that a copy of it goes on in its place
	boots    uint64
	rnd      *rand.ChaCha8

	mem  *store.Memory
	meta replica.Meta
	rep  *replica.Replica // nil while the device is off
	host *replica.Host
	link *link
	opened,
	wants bool // a connection was made and is to be reported; the person wants one
	fuse int // dies when this many effects and commits are done; 0 for never

	forms  []form
	done   []string // keys of saved forms
	screen screen
	saving bool

	remembered
	copy *copied

	unflushed *store.Memory // what a crash leaves, if a bug says so
	commits   int
	checkedAt [2]int // commits here and at the server when "synced" was last checked
}

// remembered is what the oracles remember of one store: it goes where the store
// goes, to a clone, or back with an older copy.
type remembered struct {
	made    set // changesets that were made or taken over in this store
	refused set // of those, seen in quarantine
	shown   map[conflict.RecordID]shown
	at      map[int]conflict.RecordID // where a changeset of this store stands
	dots    map[int]conflict.Dot      // under which dot
	nos     map[uint64]int            // changesets by outbox entry
	streams map[protocol.Stream]replica.Stream
}

func (m *remembered) clone() remembered {
	c := remembered{made: m.made, refused: m.refused, at: maps.Clone(m.at), dots: maps.Clone(m.dots), nos: maps.Clone(m.nos), streams: maps.Clone(m.streams),
		shown: maps.Clone(m.shown)}
	return c
}

// shown is what a device last showed of a record.
type shown struct {
	unit   string
	left   bool // it is kept for what is in the outbox, and no longer
	head   conflict.Record
	fields screen
}

// copied is a store that was put aside.
type copied struct {
	mem   *store.Memory
	meta  replica.Meta
	forms []form
	done  []string
	remembered
}

// form is an open form and what was on its screen.
type form struct {
	key      string
	isNew    bool
	screen   screen
	conflict set // ids of the fields that it showed in conflict
	fields   int // how many it has
}

// Read gives the device its randomness.
func (d *device) Read(p []byte) (int, error) { return d.rnd.Read(p) }

// now is the device's wall clock: wrong, and different at every step.
func (d *device) now() int64 { return epochMillis + d.w.now + d.skew }

// unit returns the officer's unit as far as the device has heard.
func (d *device) unit() string { return cmp.Or(d.meta.Account.Unit, d.account.unit) }

// on makes sure that the device runs.
func (d *device) on() bool {
	if d.rep != nil {
		return true
	}
	d.boots++
	var seed [32]byte
	binary.LittleEndian.PutUint64(seed[:], d.w.seed)
	binary.LittleEndian.PutUint64(seed[8:], uint64(d.no))
	binary.LittleEndian.PutUint64(seed[16:], d.boots)
	d.rnd = rand.NewChaCha8(seed)
	rep, err := replica.Open(ctx, replica.Config{Store: disk{d.mem, d}, Now: d.now, Rand: d, Lang: "en", Parse: d.w.parse,
		Account: replica.Account{Name: d.account.name, Role: "officer", Unit: d.unit()}})
	if err != nil {
		if !errors.Is(err, errCrash) {
			d.w.fail(oracleEffects, fmt.Sprintf("device %d cannot be opened: %v", d.no, err))
		}
		d.fuse = 0
		return false
	}
	if len(rep.Local().Scopes) == 0 {
		if err := rep.SetScopes(ctx, d.account.scopesIn(d.unit())); err != nil {
			d.fuse = 0
			return false
		}
	}
	d.rep, d.host = rep, rep.NewHost("simtest", "token", true)
	if d.wants {
		d.host.Step(session.Start{Now: d.now()})
	}
	return true
}

// burn counts an effect or a commit and reports whether the device dies of it.
func (d *device) burn() bool {
	if d.fuse > 0 {
		if d.fuse--; d.fuse == 0 {
			d.fuse = -1 // dying: everything fails until crash is called
		}
	}
	return d.fuse < 0
}

// crash ends the process: what is not in the store is gone.
func (d *device) crash() {
	d.w.logf("  device %d crashes", d.no)
	d.w.bugCrash(d)
	d.fuse, d.rep, d.host, d.opened = 0, nil, nil, false
	if d.link != nil {
		d.link.left = true
		d.link = nil
	}
}

// drain performs up to n effects, all of them if n is negative.
func (d *device) drain(n int) {
	for ; n != 0 && d.rep != nil; n-- {
		if d.host.Pending() == 0 {
			if !d.opened {
				break
			}
			d.opened = false
			d.host.Step(session.Opened{Now: d.now()})
		}
		if d.burn() {
			d.crash()
			return
		}
		e, err := d.host.Perform(ctx)
		if d.fuse < 0 {
			d.crash()
			return
		}
		if err != nil {
			d.w.fail(oracleEffects, fmt.Sprintf("device %d: %v", d.no, err))
			return
		}
		switch e := e.(type) {
		case session.Dial:
			d.hangUp()
			if d.signIn(); d.rep == nil {
				return
			}
			d.link = d.w.dial(d)
			d.opened = true
		case session.Send:
			m := d.w.carry(d.w.bugUp(e.Message))
			if hello, ok := m.(*protocol.Hello); ok {
				m = greeting{hello, d.known()}
			}
			if d.link != nil {
				d.link.sendUp(m)
			}
		case session.HangUp:
			d.hangUp()
		case session.RefreshToken:
			d.host.Step(session.TokenRenewed{Now: d.now(), Token: "token"})
		}
	}
	if d.rep != nil && d.host.Pending() == 0 {
		d.checkSynced()
	}
}

// known returns what follows Hello.
func (d *device) known() *protocol.Known {
	if e, err := d.host.Perform(ctx); err == nil {
		if send, ok := e.(session.Send); ok {
			if known, ok := d.w.carry(send.Message).(*protocol.Known); ok {
				return known
			}
		}
	}
	d.w.fail(oracleEffects, fmt.Sprintf("device %d does not say behind Hello what it knows of erasures", d.no))
	return &protocol.Known{}
}

func (d *device) hangUp() {
	if d.link != nil {
		d.link.left = true
		d.link, d.opened = nil, false
	}
}

// hears performs what is queued, then takes a message.
func (d *device) hears(m protocol.Message) {
	d.drain(-1)
	if d.rep == nil || d.link == nil {
		return
	}
	d.host.Step(session.Received{Now: d.now(), Message: d.w.bugDown(d, m)})
}

// lost tells the device that its connection is gone.
func (d *device) lost() {
	d.hangUp()
	if d.rep != nil {
		d.drain(-1)
	}
	if d.rep != nil {
		d.host.Step(session.Lost{Now: d.now()})
	}
}

// tick delivers a timer that is due.
func (d *device) tick() bool {
	if d.rep == nil {
		return false
	}
	if at := d.host.WakeAt(); at == 0 || at > d.now() {
		return false
	}
	d.drain(-1)
	if d.rep != nil {
		d.host.Step(session.Tick{Now: d.now()})
	}
	return true
}

// act runs something that a person does, and remembers what was on the screen.
// It reports whether the device lived to see the answer.
func (d *device) act(screen screen, do func() error) bool {
	first := len(d.w.truth.sets)
	d.screen, d.saving = screen, true
	err := do()
	d.screen, d.saving = nil, false
	var failure *replica.Failure
	switch {
	case d.fuse < 0:
		d.crash()
		return false
	case errors.As(err, &failure): // refused, in words
	case err != nil:
		d.w.fail(oracleEffects, fmt.Sprintf("device %d: %v", d.no, err))
		return false
	default:
		for _, s := range d.w.truth.sets[first:] {
			s.reported = true
		}
	}
	d.host.Refresh()
	return true
}

// pick returns one of the records on the device.
func (d *device) pick(bits uint32) (conflict.RecordID, conflict.Record, bool) {
	ids, err := d.mem.Walk(ctx, registerID, conflict.RecordID{}, 100)
	if err != nil || len(ids) == 0 {
		return conflict.RecordID{}, conflict.Record{}, false
	}
	id := ids[int(bits)%len(ids)]
	h, ok := d.holding(id)
	return id, d.head(&h), ok
}

func (d *device) look(head conflict.Record) screen {
	screen, err := d.w.truth.screen(head)
	if err != nil {
		d.w.fail(oracleOrigin, fmt.Sprintf("device %d: %v", d.no, err))
	}
	return screen
}

// open opens a form, of a new record if fresh.
func (d *device) open(fresh bool, bits uint32) (form, bool) {
	var f form
	var head conflict.Record
	id := ""
	if fresh {
		f.isNew = true
	} else {
		rec, now, ok := d.pick(bits)
		if !ok {
			return f, false
		}
		id, head = rec.String(), now
		f.screen = d.look(head)
		for k, field := range head.All() {
			if field.Len() > 1 {
				f.conflict = f.conflict.with(int(k.ID))
			}
		}
	}
	got, err := d.rep.OpenForm(ctx, id, registerID)
	if d.fuse < 0 {
		d.crash()
		return f, false
	}
	if err != nil {
		var failure *replica.Failure
		if !errors.As(err, &failure) {
			d.w.fail(oracleEffects, fmt.Sprintf("device %d: %v", d.no, err))
		}
		return f, false
	}
	f.key, f.fields = got.Key, len(got.Record.Fields)
	if !fresh {
		d.checkForm(&got, head)
	}
	return f, true
}

// save saves a form with new values in the fields that the bits choose.
func (d *device) save(f *form, bits uint32) {
	values := map[string]string{}
	for i, name := range fieldNames[:f.fields] {
		if bits&(1<<i) == 0 && !(f.isNew && i == 0) || f.conflict.has(int(fieldKeys[i].ID)) {
			continue
		}
		d.w.values++
		values[name] = fmt.Sprintf("v%d", d.w.values)
		if bits>>8&15 == 0 && i > 0 {
			values[name] = ""
		}
	}
	submit := bits&64 != 0
	saved := false
	lived := d.act(f.screen, func() error {
		_, err := d.rep.Save(ctx, replica.SaveRequest{Key: f.key, Values: values, Submit: submit})
		saved = err == nil
		return err
	})
	switch {
	case saved && lived:
		d.done = append(d.done, f.key)
	case len(d.forms) < 4: // the person comes back to it
		d.forms = append(d.forms, *f)
	}
}

// again saves a form a second time: that must change nothing.
func (d *device) again(bits uint32) {
	if len(d.done) == 0 {
		return
	}
	before := len(d.w.truth.sets)
	key := d.done[int(bits)%len(d.done)]
	d.act(nil, func() error {
		_, err := d.rep.Save(ctx, replica.SaveRequest{Key: key, Values: map[string]string{"note": "again"}})
		return err
	})
	if len(d.w.truth.sets) > before {
		d.w.fail(oracleTwice, fmt.Sprintf("device %d: form %.8s was saved before and wrote again", d.no, key))
	}
}

// settle chooses a value of the first field in conflict.
func (d *device) settle(bits uint32) {
	ids, err := d.mem.Walk(ctx, registerID, conflict.RecordID{}, 100)
	if err != nil {
		return
	}
	for _, id := range ids {
		h, _ := d.holding(id)
		head := d.head(&h)
		for i, k := range fieldKeys {
			f := head.Field(k)
			if f.Len() < 2 || k.Elem != "" {
				continue
			}
			q := replica.SettleRequest{ID: id.String(), Field: fieldNames[i], Dot: f.At(int(bits>>1) % f.Len()).Dot.String(), Seen: f.Vector().String()}
			if bits&1 == 0 {
				d.w.values++
				v := fmt.Sprintf("v%d", d.w.values)
				q.Dot, q.Value = "", &v
			}
			d.act(d.look(head), func() error { _, err := d.rep.Settle(ctx, q); return err })
			return
		}
	}
}

// setAside returns a copy of the device's store and what is remembered of it.
func (d *device) setAside() *copied {
	d.w.shared, d.w.parted = d.w.shared.union(d.made), true
	return &copied{mem: d.mem.Clone(), meta: d.meta, forms: slices.Clone(d.forms), done: slices.Clone(d.done), remembered: d.remembered.clone()}
}

// takeStore puts another store under the device, which is off.
func (d *device) takeStore(c *copied) {
	d.mem, d.meta, d.forms, d.done, d.remembered = c.mem.Clone(), c.meta, slices.Clone(c.forms), slices.Clone(c.done), c.remembered.clone()
}
