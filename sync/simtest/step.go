package simtest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Op is what a step does. Most take an actor A (a device, a link) and bits B
// that choose among what is possible at that moment, so that a step makes
// sense wherever it stands and a schedule can be cut down.
type Op uint8

// The ops.
const (
	opNew      Op = iota // a new record
	opEdit               // open, change and save
	opOpen               // open a form and leave it open
	opSave               // save an open form, however old
	opAgain              // save a saved form again
	opDelete             //
	opRevive             // take a deletion back
	opSettle             // choose between siblings
	opSubmit             // hand a record in
	opReview             // the server writes a supervisor's decision
	opFlow               // deliver up to B messages on the device's connections, either way
	opUp                 // deliver one message to the server
	opDown               // deliver one message to the device
	opRun                // perform up to B effects of the device
	opServe              // perform up to B effects of a session
	opConnect            // the person wants to be connected
	opLeave              // and no longer
	opHang               // the connection breaks, both ends notice sooner or later
	opCut                // one direction is lost silently
	opRepeat             // a message is delivered twice
	opSwap               // two messages change places
	opDrop               // a message is lost
	opTime               // time passes
	opSkew               // a device's clock jumps
	opCrash              // a device crashes after B more effects or commits
	opFail               // the server crashes after B more effects or commits
	opClone              // another device begins with a copy of a store
	opCopy               // keep a copy of a store
	opReturn             // the copy comes back in the store's place
	opWipe               // the store is lost
	opBackup             // of the server's database
	opRestore            // of the last backup, as a new epoch
	opBan                // the account loses its rights, or has them back
	opTransfer           // the officer goes to another unit
	opRevoke             // the device may not speak any more, or may again
	opSend               // a supervisor sends a record to another unit, or accepts one
	opDefine             // the register's definition gets a new version
	opPoison             // the next save is one that no server can accept
	opErase              // a record is erased by law
	ops
)

var opNames = [ops]string{"new", "edit", "open", "save", "again", "delete", "revive", "settle", "submit", "review", "flow", "up", "down",
	"run", "serve", "connect", "leave", "hang", "cut", "repeat", "swap", "drop", "time", "skew", "crash", "crash-server", "clone", "copy", "return",
	"wipe", "backup", "restore", "ban", "transfer", "revoke", "send", "define", "poison", "erase"}

// String returns the op's name in transcripts.
func (o Op) String() string { return opNames[o] }

// Step is one step of a schedule.
type Step struct {
	Op Op
	A  uint32
	B  uint32
}

// String returns the step as a transcript has it.
func (s Step) String() string { return fmt.Sprintf("%s %d %d", s.Op, s.A, s.B) }

// Mix chooses what goes wrong.
type Mix uint8

// The mixes.
const (
	Plain    Mix = iota // people, cut, repeated, reordered and half-open links, and crashes at any moment, on both sides
	Changes             // and officers, rights, records and definitions that change while devices are out
	Identity            // and cloned, rolled-back and wiped stores
	Restores            // plain, and servers that come back from a backup, again and again
	Everything
	mixes
)

var mixNames = [mixes]string{"plain", "changes", "identity", "restores", "everything"}

// Mixes returns all mixes.
func Mixes() []Mix {
	all := make([]Mix, mixes)
	for i := range all {
		all[i] = Mix(i)
	}
	return all
}

// size says how many devices and steps a schedule of a mix has, unless the
// caller says otherwise. What is rare needs more that it can meet with.
func (m Mix) size() (devices, steps int) {
	if m == Plain {
		return 3, 24
	}
	return 4, 40
}

// String returns the mix's name.
func (m Mix) String() string { return mixNames[m] }

// ParseMix reads what String writes.
func ParseMix(s string) (Mix, error) {
	for i, n := range mixNames {
		if n == s {
			return Mix(i), nil
		}
	}
	return 0, fmt.Errorf("no mix %q", s)
}

// weights says how often each op stands in a schedule of a mix.
var weights = func() (all [mixes][ops]int) {
	add := func(m Mix, w map[Op]int) {
		for ; m < mixes; m++ {
			for o, n := range w {
				all[m][o] = n
			}
		}
	}
	add(Plain, map[Op]int{opNew: 6, opEdit: 14, opOpen: 6, opSave: 6, opAgain: 1, opDelete: 3, opRevive: 2, opSettle: 4, opSubmit: 3,
		opReview: 3, opFlow: 36, opRun: 3, opServe: 3, opUp: 4, opDown: 4, opConnect: 4, opLeave: 3, opTime: 5, opSkew: 1, opBan: 1,
		opHang: 3, opCut: 3, opRepeat: 3, opSwap: 2, opDrop: 2, opCrash: 4, opFail: 3})
	add(Changes, map[Op]int{opTransfer: 2, opRevoke: 1, opSend: 4, opDefine: 1, opPoison: 2, opBan: 2, opErase: 2})
	add(Identity, map[Op]int{opTransfer: 0, opRevoke: 0, opSend: 0, opDefine: 0, opPoison: 0, opBan: 1, opErase: 0})
	add(Identity, map[Op]int{opHang: 4, opCut: 4, opRepeat: 4, opSwap: 3, opDrop: 3, opTime: 7, opCrash: 6, opFail: 4})
	add(Identity, map[Op]int{opClone: 4, opCopy: 3, opReturn: 4, opWipe: 2})
	add(Restores, map[Op]int{opBackup: 5, opRestore: 4, opErase: 1, opClone: 0, opCopy: 0, opReturn: 0, opWipe: 1})
	add(Everything, map[Op]int{opClone: 3, opCopy: 3, opReturn: 3, opWipe: 2,
		opTransfer: 1, opRevoke: 1, opSend: 3, opDefine: 1, opPoison: 1, opErase: 2})
	return all
}()

// Schedule makes the steps of a seed.
func Schedule(seed uint64, mix Mix, devices, steps int) []Step {
	rnd := rand.New(rand.NewPCG(seed, 0x5eed^uint64(mix)))
	total := 0
	for _, n := range weights[mix] {
		total += n
	}
	// Half of what happens does so at two devices, so that things meet.
	actor := func() uint32 { return uint32(rnd.IntN(60 * devices)) }
	busy := [2]uint32{actor(), actor()}
	list := make([]Step, steps)
	for i := range list {
		n := rnd.IntN(total)
		op := Op(0)
		for n >= weights[mix][op] {
			n -= weights[mix][op]
			op++
		}
		a := actor()
		if n := rnd.IntN(4); n < 2 {
			a = busy[n]
		}
		list[i] = Step{op, a, uint32(rnd.IntN(1 << 16))}
	}
	return list
}

// Case is a schedule with what it is to be run under: what a transcript holds.
type Case struct {
	About   string // the sentence that a transcript opens with
	Seed    uint64
	Mix     Mix
	Devices int
	Bug     Bug
	Steps   []Step

	only string // if not empty, the one oracle that is listened to
}

// Transcript returns the text form of c, which ParseCase reads.
func (c Case) Transcript() string {
	head := fmt.Sprintf("seed %d mix %s devices %d", c.Seed, c.Mix, c.Devices)
	if c.Bug != NoBug {
		head += " bug " + c.Bug.String()
	}
	return WriteTranscript(c.About, head, c.Steps)
}

// ParseCase reads a transcript. Lines that begin with "#" are comments; the
// first of them say what it is about.
func ParseCase(text string) (c Case, err error) {
	c.About, err = ReadTranscript(text, c.head, func(name string, a, b uint32) error {
		op := slices.Index(opNames[:], name)
		if op < 0 {
			return fmt.Errorf("no op %q", name)
		}
		c.Steps = append(c.Steps, Step{Op(op), a, b})
		return nil
	})
	return c, err
}

func (c *Case) head(name, value string) (err error) {
	switch name {
	case "seed":
		c.Seed, err = strconv.ParseUint(value, 10, 64)
	case "mix":
		c.Mix, err = ParseMix(value)
	case "devices":
		c.Devices, err = strconv.Atoi(value)
	case "bug":
		c.Bug, err = ParseBug(value)
	default:
		err = ErrTranscript
	}
	return err
}
