package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/ledger/memory"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// city is where every run begins: officers' devices that have met the server
// and hold some records. It is made once; runs copy it.
type city struct {
	defs     []definition
	accounts []account
	devices  []*copied
	boots    []uint64
	db       *memory.DB
	life     *life
	truth    truth
	ever     map[conflict.Dot]record.Hash
	values   int
	now      int64
}

var cities sync.Map // by number of devices: func() *city, made once

func cityOf(devices int) *city {
	made, _ := cities.LoadOrStore(devices, sync.OnceValue(func() *city { return makeCity(devices) }))
	return made.(func() *city)()
}

// makeCity lets every device make a record and exchange everything. That much
// must work for any run to mean anything.
func makeCity(devices int) *city {
	defs, err := cards()
	if err != nil {
		panic(err)
	}
	w := &world{ever: map[conflict.Dot]record.Hash{}, ghosts: map[int][]conflict.Dot{}, states: map[*ledger.Row]parsed{}, moved: map[conflict.RecordID]bool{}, acked: map[conflict.Dot]bool{}, observed: map[conflict.Dot]bool{}, defs: defs, version: 1,
		truth: truth{byAt: map[int64]int{}}, log: &strings.Builder{}}
	w.accounts = append(w.accounts, officers...)
	w.server = &server{w: w, led: newLedger(w), life: newLife()}
	w.server.reseed()
	if w.server.db, err = memory.New(w.server); err != nil {
		panic(err)
	}
	for i := range devices {
		w.newDevice(&w.accounts[ownerOf(i)])
	}
	w.quiesce()
	for i := range devices {
		w.play(Step{opNew, uint32(i), 15})
	}
	w.quiesce()
	w.settled()
	if w.violation != nil {
		panic(fmt.Sprintf("the city cannot be made: %+v\n%s", *w.violation, w.log))
	}
	c := &city{defs: defs, accounts: w.accounts, db: w.server.db.Clone(), life: w.server.life, truth: w.truth, ever: w.ever, values: w.values, now: w.now}
	for _, d := range w.devices {
		c.devices, c.boots = append(c.devices, d.setAside()), append(c.boots, d.boots)
	}
	return c
}

func newLedger(w *world) *ledger.Ledger {
	return ledger.New(ledger.Config{Registers: []string{registerID},
		PageRecords: 2, // so that catching up takes several pages, between which records move on
		Allow:       func(a ledger.Author, unit string, c protocol.Class) bool { return w.server.allow(a, unit, c) },
		Definition:  func(id string) (*register.Definition, bool) { return w.defs[w.version-1].Definition, id == registerID },
		IsUnit:      func(code string) bool { return code == unitA || code == unitB },
		Now:         func() int64 { return w.server.now() }})
}

// newWorld returns a copy of the city to run a case in.
func newWorld(c *Case) *world {
	base := cityOf(c.Devices)
	w := &world{seed: c.Seed + 1, devices: make([]*device, 0, len(base.devices)), defs: base.defs, version: 1, bug: c.Bug, only: c.only, codec: c.Seed%8 == 0, steady: steady(c.Seed),
		restores: slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Op == opRestore }), now: base.now, values: base.values,
		ghosts: map[int][]conflict.Dot{}, ever: make(map[conflict.Dot]record.Hash, len(base.ever)+16), states: map[*ledger.Row]parsed{}, moved: map[conflict.RecordID]bool{}, acked: map[conflict.Dot]bool{}, observed: map[conflict.Dot]bool{}}
	w.accounts = append(w.accounts, base.accounts...)
	for k, v := range base.ever {
		w.ever[k] = v
	}
	w.truth = truth{sets: append([]*saved(nil), base.truth.sets...), byAt: make(map[int64]int, len(base.truth.byAt)+32)}
	for k, v := range base.truth.byAt {
		w.truth.byAt[k] = v
	}
	w.server = &server{w: w, led: newLedger(w), db: base.db.Clone(), life: base.life.clone()}
	w.server.reseed()
	w.server.first = w.server.db.Epoch().Server
	for i, from := range base.devices {
		d := &device{w: w, no: i, account: &w.accounts[ownerOf(i)]}
		w.devices = append(w.devices, d)
		d.takeStore(from)
		d.boots = base.boots[i]
	}
	rnd := rand.New(rand.NewPCG(w.seed, 1))
	for _, d := range w.devices {
		d.wants = rnd.IntN(4) > 0
		d.skew = int64(rnd.IntN(64)-32) << 33
	}
	return w
}

func (w *world) newDevice(a *account) *device {
	d := &device{w: w, no: len(w.devices), account: a}
	d.reset()
	w.devices = append(w.devices, d)
	return d
}

// reset gives the device an empty store.
func (d *device) reset() {
	d.takeStore(&copied{mem: store.NewMemory(), remembered: remembered{shown: map[conflict.RecordID]shown{},
		at: map[int]conflict.RecordID{}, dots: map[int]conflict.Dot{}, nos: map[uint64]int{},
		streams: map[protocol.Stream]replica.Stream{}}})
}
