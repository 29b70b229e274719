package city

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/protocol"
)

var ctx = context.Background()

// start is when every city begins, in Unix milliseconds.
const start = 1_790_000_000_000

const (
	minute = 60 * 1000
	day    = 24 * 60 * minute
)

// world is one run of a schedule.
type world struct {
	seed      uint64
	bug       Bug
	only      string
	log       *strings.Builder
	violation *Violation

	dir     string
	clock   int64  // Unix milliseconds
	fuse    int    // the server dies when its clock has been read so often; 0 for never
	dead    bool   // it has died, and did not start again yet
	version uint32 // of the register, in force
	rnd     *rand.ChaCha8
	server  *server
	devices []*device
	supers  []*supervisor
	hub     *consumer

	ids      []conflict.RecordID // every record that was ever made
	values   int                 // how many values were given out
	codes    int                 // how many new codes of units
	logins   int
	changed  []units.ChangeRequest // lists that are in force
	inBackup int                   // how many of them the backup has
	backup   string                // path of the last backup, "" for none
	restored bool
	moved    map[conflict.RecordID]bool // was ever sent to another unit, or may have been

	book
	erasures
}

// Violation is a law that did not hold.
type Violation struct {
	Oracle string // short and stable
	Detail string
}

// errStop ends a run at a violation.
var errStop = errors.New("stop")

// fail ends the run at a violation, unless another oracle is listened to.
func (w *world) fail(oracle, format string, args ...any) {
	if w.only != "" && w.only != oracle {
		return
	}
	if w.violation == nil {
		w.violation = &Violation{oracle, fmt.Sprintf(format, args...)}
		w.logf("VIOLATION of %q: %s", oracle, w.violation.Detail)
	}
	panic(errStop)
}

// must ends the run at an error of what must not fail.
func (w *world) must(what string, err error) {
	if err != nil && !w.dead {
		w.fail(oracleEffects, "%s: %v", what, err)
	}
}

func (w *world) logf(format string, args ...any) {
	if w.log != nil {
		fmt.Fprintf(w.log, format+"\n", args...)
	}
}

// Read gives the world its randomness.
func (w *world) Read(p []byte) (int, error) { return w.rnd.Read(p) }

func seeded32(seed uint64, what byte) (key [32]byte) {
	binary.LittleEndian.PutUint64(key[:], seed)
	key[31] = what
	return key
}

// errDied is what the server's clock panics with when the server dies. The store
// takes the transaction back, as it does of one that a power cut ended.
var errDied = errors.New("the server has died")

// now is the server's clock, on which no two readings are the same.
func (w *world) now() time.Time {
	if w.fuse > 0 {
		if w.fuse--; w.fuse == 0 {
			w.dead = true
		}
	}
	if w.dead {
		panic(errDied)
	}
	w.clock++
	return time.UnixMilli(w.clock)
}

// person is one account.
type person struct {
	name string
	role store.Role
	unit string // to begin with
	id   store.AccountID
}

// The people of the city.
var people = []*person{
	{name: "an", role: store.RoleOfficer, unit: unitA}, {name: "binh", role: store.RoleOfficer, unit: unitA},
	{name: "chi", role: store.RoleOfficer, unit: unitB}, {name: "dung", role: store.RoleOfficer, unit: unitC},
	{name: "super.a1", role: store.RoleSupervisor, unit: unitA}, {name: "super.a2", role: store.RoleSupervisor, unit: unitA},
	{name: "super.b", role: store.RoleSupervisor, unit: unitB}, {name: "super.c", role: store.RoleSupervisor, unit: unitC},
	{name: "city", role: store.RoleHub},
}

func init() {
	for _, p := range people {
		p.id = store.AccountID("a-" + p.name)
	}
}

const (
	unitA = "25747"
	unitB = "25750"
	unitC = "25760"
)

// owners says whose each device is; a supervisor edits as well.
var owners = []*person{people[0], people[1], people[2], people[4], people[0], people[3]}

// template is a database with the people of the city in it, made once: making one
// takes longer than many steps.
var template = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp(memory(), "wardbook-city-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	at := time.UnixMilli(start)
	path := filepath.Join(dir, "template.db")
	st, err := sqlite.Open(ctx, path, sqlite.Options{Now: func() time.Time { return at }})
	if err != nil {
		return nil, err
	}
	err = st.Update(ctx, func(tx *sqlite.Tx) error {
		if err := sqlite.LedgerOf(tx).NameEpoch(protocol.Token{1}, conflict.ReplicaID{1}); err != nil {
			return err
		}
		for _, p := range people {
			if err := tx.InsertAccount(store.Account{ID: p.id, Name: p.name, DisplayName: p.name, Role: p.role, Unit: p.unit, Sensitive: true, CreatedAt: at, ChangedAt: at}); err != nil {
				return err
			}
			if err := enrol(tx, p, "desk", at); err != nil {
				return err
			}
		}
		for i, p := range owners {
			if err := enrol(tx, p, fmt.Sprint("device ", i), at); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, st.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// memory returns a folder on a memory disk, if there is one.
func memory() string {
	if s, err := os.Stat("/dev/shm"); err == nil && s.IsDir() {
		return "/dev/shm"
	}
	return ""
}

// enrol gives a person a device and a sign-in on it.
func enrol(tx *sqlite.Tx, p *person, label string, at time.Time) error {
	id := deviceID(p, label)
	return errors.Join(tx.InsertDevice(store.Device{ID: id, Account: p.id, Label: label, EnrolledAt: at, LastSeenAt: at}),
		tx.InsertFamily(store.Family{ID: store.FamilyID("f-" + string(id)), Account: p.id, Device: id, CreatedAt: at, ExpiresAt: at.AddDate(1000, 0, 0)}))
}

func deviceID(p *person, label string) store.DeviceID {
	return store.DeviceID(strings.ReplaceAll(p.name+" "+label, " ", "-"))
}

// principal is a person at a device, signed in as the template has it.
func principal(p *person, label string) auth.Principal {
	id := deviceID(p, label)
	return auth.Principal{Account: p.id, Device: id, Family: store.FamilyID("f-" + string(id)), Name: p.name, Role: p.role}
}

// newWorld makes the city of a case in a folder that is empty.
func newWorld(c *Case, dir string, log *strings.Builder) (*world, error) {
	w := &world{seed: c.Seed, bug: c.Bug, only: c.only, log: log, dir: dir, clock: start, version: 1, rnd: rand.NewChaCha8(seeded32(c.Seed, 0)),
		moved: map[conflict.RecordID]bool{}, book: newBook(), erasures: newErasures()}
	body, err := template()
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(w.database(), body, 0o600); err != nil {
		return nil, err
	}
	return w, nil
}

func (w *world) database() string { return filepath.Join(w.dir, "wardbook.db") }

// open starts the server, the desks and the devices.
func (w *world) open(devices int) {
	w.server = &server{w: w}
	w.server.open()
	for _, p := range people {
		if p.role == store.RoleSupervisor {
			w.supers = append(w.supers, &supervisor{w: w, person: p, p: principal(p, "desk")})
		}
	}
	for i := range devices {
		w.devices = append(w.devices, newDevice(w, i))
	}
	w.hub = newConsumer(w)
}

// run plays the steps, heals everything, and asks for the laws.
func (w *world) run(c *Case) {
	defer func() {
		if w.server != nil {
			w.server.close()
		}
	}()
	defer func() {
		v := recover()
		if err, ok := v.(error); ok && errors.Is(err, errStop) || v == nil {
			return
		}
		if w.violation == nil && (w.only == "" || w.only == oracleEffects) {
			w.violation = &Violation{oracleEffects, fmt.Sprintf("panic: %v\n%s", v, debug.Stack())}
		}
	}()
	w.open(c.Devices)
	for _, s := range c.Steps {
		w.logf("%v", s)
		w.play(s)
		w.revive()
		w.follow()
	}
	w.quiesce()
	w.settled()
}

// revive starts the server again if it has died.
func (w *world) revive() {
	if w.dead {
		w.server.restart()
	}
}

// play plays one step.
func (w *world) play(s Step) {
	d := w.devices[int(s.A)%len(w.devices)]
	k := w.supers[[...]int{0, 1, 2, 3, 0, 1}[s.A%6]] // most have most to do
	switch s.Op {
	case opNew, opEdit, opOpen, opSave, opDelete, opRevive, opSettle, opSubmit, opSend, opHouse, opPurge:
		if d.on() {
			d.person(s.Op, s.B)
		}
	case opSync:
		d.connect(s.B&3 != 0)
		w.flow(400)
		d.leave()
		w.flow(20)
	case opConnect:
		d.connect(s.B&1 != 0)
	case opLeave:
		d.leave()
	case opFlow:
		w.flow(1 + int(s.B)%24)
	case opCut:
		d.cut()
	case opLook, opApprove, opSome, opBatch, opReturn, opRefuse, opRefuse1, opChoose, opWithdraw, opAside, opArrived, opAssign, opErase:
		k.work(s.Op, s.B)
	case opDefine:
		w.define()
	case opPost, opClose, opRevoke, opUnits, opRetire:
		w.office(s.Op, s.A, s.B)
	case opTime:
		w.clock += []int64{minute, 30 * minute, 6 * 60 * minute, day}[s.B&3]
		w.tick()
	case opPull:
		w.hub.pull(s.B)
	case opStale:
		w.hub.stale(s.B)
	case opForget:
		w.hub.forget()
	case opPower:
		d.power()
	case opWipe:
		d.wipe()
	case opCopy:
		d.setAside()
	case opClone:
		d.clone()
	case opClock:
		d.setClock(s.B)
	case opOld:
		d.comeBack()
	case opCrash:
		w.dead = true
	case opDie:
		w.fuse = 1 + int(s.B)%12
	case opBackup:
		w.server.backUp(s.B)
	case opRestore:
		w.server.restore()
	}
}

// tick delivers timers that are due.
func (w *world) tick() {
	for _, d := range w.devices {
		d.tick()
	}
	w.server.tick()
}

// flow delivers up to n messages, by turns, and reports whether anything moved.
func (w *world) flow(n int) bool {
	moved := false
	for n > 0 {
		again := false
		for _, d := range w.devices {
			if n > 0 && d.deliver() {
				n--
				again, moved = true, true
			}
			w.revive()
		}
		if !again {
			break
		}
	}
	return moved
}

// quiesce lets everybody connect and exchange all there is.
func (w *world) quiesce() {
	w.logf("rest")
	w.fuse = 0
	for round := 0; ; round++ {
		if round == 60 {
			w.fail(oracleRest, "devices and server never come to rest")
		}
		w.clock += 1000 // not so long that a connection seems to be dead
		for _, d := range w.devices {
			d.connect(true)
		}
		w.tick()
		w.flow(5000)
		if round >= 3 && !w.restless() {
			break
		}
	}
	w.follow()
	w.hub.rest()
}

// restless reports whether a device has something to say or to hear.
func (w *world) restless() bool {
	for _, d := range w.devices {
		if !d.idle() {
			return true
		}
	}
	return false
}
