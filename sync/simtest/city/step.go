package city

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"wardbook/sync/simtest"
)

// Op is what a step does. A chooses who, B among what is possible at that moment, so
// that a step makes sense wherever it stands and a schedule can be cut down.
type Op uint8

// The ops.
const (
	// At a device.
	opNew    Op = iota // a new record
	opEdit             // change and save
	opOpen             // open a form and leave it open
	opSave             // save an open form, however old
	opDelete           //
	opRevive           // take a deletion back
	opSettle           // choose between siblings
	opSubmit           // hand a record in
	opSend             // send a record to another unit
	opHouse            // send a household to another unit
	opPurge            // delete whatever is on the device
	// Between device and server.
	opSync    // connect, exchange everything, disconnect
	opConnect // connect
	opLeave   // disconnect
	opFlow    // deliver up to B messages
	opCut     // the connection is gone with what is on the way
	// At the desk.
	opLook     // look at the queue, and at a record
	opApprove  // approve all that was on the screen
	opSome     // approve one field of it
	opBatch    // approve what was on the screen of the queue
	opReturn   // ask the author
	opRefuse   // refuse all that was on the screen
	opRefuse1  // refuse one field of it
	opChoose   // settle a field of it
	opWithdraw // take its approval back
	opAside    // look at the quarantine, release or reject
	opArrived  // accept or give back what came from another unit
	opAssign   // send the record on the screen to another unit
	opErase    // ask that it be erased by law, or confirm that a colleague asked
	// In the office.
	opPost   // an account goes to another unit
	opClose  // an account is closed, or opened again
	opRevoke // a device may not speak any more
	opUnits  // a new list of units
	opRetire // replicas of which nothing was heard for long are retired
	opTime   // time passes
	opDefine // the register's definition gets a new version
	// At the hub.
	opPull   // pull what was approved
	opStale  // acknowledge an old cursor again
	opForget // the consumer loses its folder
	// What breaks.
	opPower   // a device loses its power
	opWipe    // a device loses its store
	opCopy    // keep a copy of a store
	opOld     // the copy comes back in the store's place
	opClone   // a device's profile goes on in a second device as well
	opClock   // a device's clock is set, right or wrong
	opCrash   // the server's process ends
	opDie     // the server's process ends in the midst of what it does next
	opBackup  // of the server's database
	opRestore // of the last backup, as a new epoch
	ops
)

var opNames = [ops]string{"new", "edit", "open", "save", "delete", "revive", "settle", "submit", "send", "household", "purge",
	"sync", "connect", "leave", "flow", "cut",
	"look", "approve", "approve-some", "batch", "return", "refuse", "refuse-some", "choose", "withdraw", "quarantine", "arrivals", "assign", "erase",
	"post", "close", "revoke", "units", "retire", "time", "define", "pull", "stale-ack", "forget",
	"power", "wipe", "copy", "old-store", "clone", "clock", "crash", "die", "backup", "restore"}

// String returns the op's name in transcripts.
func (o Op) String() string { return opNames[o] }

// weights says how often each op stands in a schedule.
var weights = [ops]int{opNew: 6, opEdit: 30, opOpen: 4, opSave: 4, opDelete: 4, opRevive: 2, opSettle: 3, opSubmit: 4, opSend: 3, opHouse: 2, opPurge: 2,
	opSync: 36, opConnect: 7, opLeave: 2, opFlow: 8, opCut: 3,
	opLook: 10, opApprove: 18, opSome: 5, opBatch: 7, opReturn: 2, opRefuse: 4, opRefuse1: 3, opChoose: 5, opWithdraw: 3, opAside: 5, opArrived: 4, opAssign: 3, opErase: 6,
	opPost: 2, opClose: 1, opRevoke: 1, opUnits: 3, opRetire: 1, opTime: 3, opDefine: 4, opPull: 6, opStale: 2, opForget: 1,
	opPower: 2, opWipe: 1, opCopy: 1, opOld: 1, opClone: 1, opClock: 2, opCrash: 2, opDie: 4, opBackup: 2, opRestore: 1}

// Step is one step of a schedule.
type Step struct {
	Op Op
	A  uint32
	B  uint32
}

// String returns the step as a transcript has it.
func (s Step) String() string { return fmt.Sprintf("%s %d %d", s.Op, s.A, s.B) }

// Devices and Steps are the size of a schedule unless the caller says otherwise.
const (
	Devices = 4
	Steps   = 60
)

// Schedule makes the steps of a seed. It begins with records that are on their way
// to being approved, or little would ever be.
func Schedule(seed uint64, devices, steps int) []Step {
	rnd := rand.New(rand.NewPCG(seed, 0xc17))
	total := 0
	for _, n := range weights {
		total += n
	}
	actor := func() uint32 { return uint32(rnd.IntN(60 * devices)) }
	busy := [2]uint32{actor(), actor()}
	list := make([]Step, 0, steps)
	for i := range steps {
		op := [...]Op{opNew, opNew, opSync, opApprove, opApprove, opSync}
		n := rnd.IntN(total)
		o := Op(0)
		for n >= weights[o] {
			n -= weights[o]
			o++
		}
		a := actor()
		if n := rnd.IntN(4); n < 2 {
			a = busy[n]
		}
		if i < len(op) {
			o, a = op[i], busy[0]
		}
		list = append(list, Step{o, a, uint32(rnd.IntN(1 << 16))})
	}
	return list
}

// Case is a schedule with what it is to be run under: what a transcript holds.
type Case struct {
	About   string // the sentence that a transcript opens with
	Seed    uint64
	Devices int
	Bug     Bug
	Steps   []Step

	only string // if not empty, the one oracle that is listened to
}

// Transcript returns the text form of c, which ParseCase reads.
func (c Case) Transcript() string {
	head := fmt.Sprintf("seed %d mix city devices %d", c.Seed, c.Devices)
	if c.Bug != NoBug {
		head += " bug " + c.Bug.String()
	}
	return simtest.WriteTranscript(c.About, head, c.Steps)
}

// IsTranscript reports whether a transcript is one of this package's.
func IsTranscript(text string) bool {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "#") {
			return strings.Contains(line, " mix city ")
		}
	}
	return false
}

// ParseCase reads a transcript. Lines that begin with "#" are comments; the first of
// them say what it is about.
func ParseCase(text string) (c Case, err error) {
	c.About, err = simtest.ReadTranscript(text, c.head, func(name string, a, b uint32) error {
		op := slices.Index(opNames[:], name)
		if op < 0 {
			return fmt.Errorf("no op %q", name)
		}
		c.Steps = append(c.Steps, Step{Op(op), a, b})
		return nil
	})
	if err == nil && (c.Devices < 1 || c.Devices > len(owners)) {
		err = fmt.Errorf("devices: 1 to %d", len(owners))
	}
	return c, err
}

func (c *Case) head(name, value string) (err error) {
	switch name {
	case "seed":
		c.Seed, err = strconv.ParseUint(value, 10, 64)
	case "mix":
		if value != "city" {
			err = simtest.ErrTranscript
		}
	case "devices":
		c.Devices, err = strconv.Atoi(value)
	case "bug":
		c.Bug, err = ParseBug(value)
	default:
		err = simtest.ErrTranscript
	}
	return err
}
