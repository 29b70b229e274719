package simtest

import (
	"fmt"
	"strings"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// epochMillis is when every run begins, on a clock that is right.
const epochMillis = 1_790_000_000_000

const (
	registerID = "cards"
	unitA      = "26734"
	unitB      = "27199"
)

// The fields that people write, in the order in which bits choose them.
var (
	fieldNames = []string{"name", "note", "place", "phone", "size"}
	fieldKeys  = []conflict.FieldKey{conflict.Key(16), conflict.Key(17), conflict.Key(18), conflict.Key(19), conflict.Key(20)}
	phone      = conflict.Key(19)
)

// account is one officer.
type account struct {
	name      string
	unit      string
	sensitive bool
	banned    bool
	revoked   bool
	past      []string // units that it was of before
	barred    bool     // was banned or revoked at some time, or sent to another unit
}

var officers = []account{{name: "officer.a", unit: unitA, sensitive: true}, {name: "officer.b", unit: unitA}, {name: "officer.c", unit: unitB, sensitive: true}}

func (a *account) scopes() []protocol.Scope { return a.scopesIn(a.unit) }

func (a *account) scopesIn(unit string) []protocol.Scope {
	basic := protocol.Stream{Unit: unit, Register: registerID}
	list := []protocol.Scope{{Stream: basic}}
	if a.sensitive {
		basic.Class = protocol.Sensitive
		list = append(list, protocol.Scope{Stream: basic, Priority: 1})
	}
	return list
}

// ownerOf returns which officer a device belongs to: the first three have one
// each, the fourth is the first officer's second.
func ownerOf(no int) int { return no % len(officers) }

// firstFields is how many of them the first version of the definition has; each
// version has one more.
const firstFields = 4

// cards returns the versions of the register of the simulated city, which is
// small so that a run is short.
func cards() (versions []definition, err error) {
	text := func(id conflict.FieldID, name string, class register.Class) register.Field {
		return register.Field{ID: id, Name: name, Type: register.PlainText, Label: register.Text{VI: name, EN: name}, Section: "all",
			Required: register.Optional, Class: class, Policy: conflict.Keep}
	}
	for n := firstFields; n <= len(fieldNames); n++ {
		d := register.Definition{ID: registerID, Version: uint32(len(versions) + 1), Label: register.Text{VI: "Thẻ", EN: "Cards"}, TitleField: "name",
			Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}}}
		for i := range n {
			class := register.Basic
			if fieldKeys[i] == phone {
				class = register.Sensitive
			}
			d.Fields = append(d.Fields, text(fieldKeys[i].ID, fieldNames[i], class))
		}
		def, err := register.New(d)
		if err != nil {
			return nil, err
		}
		versions = append(versions, definition{def, string(def.Marshal())})
	}
	return versions, nil
}

// definition is one version, read, and its bytes.
type definition struct {
	*register.Definition
	body string
}

// world is one run.
type world struct {
	seed     uint64
	bug      Bug
	only     string // if not empty, the one oracle that is listened to
	codec    bool
	steady   bool  // clocks do not jump; see checkClocks
	restores bool  // the server comes back from a backup, and is given back what it lost
	now      int64 // milliseconds since the run began; rises at every step

	defs    []definition // all versions, read once
	version int          // how many of them are there already

	accounts []account
	devices  []*device
	links    []*link // that still matter
	server   *server
	truth    truth
	values   int

	ever     map[conflict.Dot]record.Hash // what any life of the server stored
	ghosts   map[int][]conflict.Dot       // changesets that a restored server has lost, and as what it knew them
	restored bool
	parted   bool                  // a store was copied: it may go on twice, or go back
	excused  bool                  // something happened that the protocol does not claim to survive; see the package's comment
	acked    map[conflict.Dot]bool // changesets that a device was told were received, under these dots
	observed map[conflict.Dot]bool // of ghosts that were received and shown: such a dot may not change
	// A changeset that stands in two copies of a store and was not sent before
	// they parted may come from both: then it is there twice, as a conflict
	// with itself. Nothing in it tells the server that it is one.
	shared    set // changesets that stand in a copy
	again     set // changesets that were handed in again under another replica id, for a restored server may have lost them
	twins     set // those of them that the server holds twice
	gone      set // changesets of records that were erased
	onceAside set // changesets that were in quarantine in some life of the server
	states    map[*ledger.Row]parsed
	moved     map[conflict.RecordID]bool // records that were ever sent to another unit
	erasures  []conflict.RecordID        // the list of what was erased; it survives every restore

	violation *Violation
	log       *strings.Builder
}

// parse reads the definition of the city's register, which every device holds.
func (w *world) parse(body []byte) (*register.Definition, error) {
	for i := range w.defs {
		if w.defs[i].body == string(body) {
			return w.defs[i].Definition, nil
		}
	}
	return register.ParseDefinition(body)
}

// fail notes the first law that does not hold.
func (w *world) fail(oracle, detail string) {
	if w.violation == nil && !w.excused && (w.only == "" || w.only == oracle) {
		w.violation = &Violation{oracle, detail}
		w.logf("VIOLATION %s: %s", oracle, detail)
	}
}

func (w *world) logf(format string, args ...any) {
	if w.log != nil {
		fmt.Fprintf(w.log, format+"\n", args...)
	}
}

// dial connects a device to the server.
func (w *world) dial(d *device) *link {
	l := &link{d: d}
	l.s = w.server.accept(l)
	w.links = append(w.links, l)
	return l
}

// prune forgets links of which nothing can come any more.
func (w *world) prune() {
	kept := w.links[:0]
	for _, l := range w.links {
		over := l.s == nil || l.s.machine.Ended() && l.s.idle()
		if l.left && (over || l.upCut && len(l.up) == 0 && l.s.idle()) {
			continue
		}
		kept = append(kept, l)
	}
	w.links = kept
}

// linksOf returns the connections that a device has or had.
func (w *world) linksOf(d *device) []*link {
	var list []*link
	for _, l := range w.links {
		if l.d == d {
			list = append(list, l)
		}
	}
	return list
}

// flow delivers up to n messages on the links of a device, both ways in turn.
func (w *world) flow(d *device, n int) {
	for n > 0 && w.violation == nil {
		moved := false
		d.drain(-1)
		for i := 0; i < len(w.links); i++ {
			l := w.links[i]
			if l.d != d {
				continue
			}
			if w.deliverUp(l) {
				moved = true
				n--
			}
			w.server.work(l.s, -1)
			if w.deliverDown(l) {
				moved = true
				n--
			}
		}
		d.drain(-1)
		if !moved {
			return
		}
	}
}

// maxDevices bounds how many clones a run may make.
const maxDevices = 12

// play performs one step.
func (w *world) play(s Step) {
	w.now += 7
	if w.log != nil {
		w.logf("%v", s)
	}
	d := w.devices[int(s.A)%len(w.devices)]
	switch s.Op {
	case opNew, opEdit, opOpen, opSave, opAgain, opDelete, opRevive, opSettle, opSubmit:
		if d.on() {
			w.person(d, s)
		}
		if d.rep != nil && s.B&(1<<12) != 0 {
			d.drain(-1)
		}
	case opConnect, opLeave, opRun, opFlow, opUp, opDown, opServe, opHang, opCut, opRepeat, opSwap, opDrop:
		w.network(d, s)
	case opTime:
		w.now += int64(s.B%40) * 1000
		for _, d := range w.devices {
			d.tick()
		}
		w.server.tick()
	case opSkew:
		if w.steady {
			return
		}
		d.skew = (int64(s.B%64) - 32) << 33 // up to 9 years either way
	case opReview:
		w.server.review(s.B)
	case opBan:
		d.account.banned = !d.account.banned
		d.account.barred = true
	case opTransfer, opRevoke, opSend, opDefine, opPoison, opErase:
		w.change(d, s)
	default:
		w.fault(d, s)
	}
}

// person does what an officer does.
func (w *world) person(d *device, s Step) {
	switch s.Op {
	case opNew:
		if f, ok := d.open(true, 0); ok {
			d.save(&f, s.B)
		}
	case opEdit:
		if f, ok := d.open(false, s.B>>12); ok {
			d.save(&f, s.B)
		}
	case opOpen:
		if f, ok := d.open(s.B&7 == 0, s.B>>12); ok && len(d.forms) < 4 {
			d.forms = append(d.forms, f)
		}
	case opSave:
		if n := len(d.forms); n > 0 {
			i := int(s.B>>12) % n
			f := d.forms[i]
			d.forms = append(d.forms[:i:i], d.forms[i+1:]...)
			d.save(&f, s.B)
		}
	case opAgain:
		d.again(s.B)
	case opSettle:
		d.settle(s.B)
	default:
		id, head, ok := d.pick(s.B)
		if !ok {
			return
		}
		d.act(d.look(head), func() error {
			var err error
			switch s.Op {
			case opDelete:
				_, err = d.rep.Delete(ctx, id.String())
			case opRevive:
				_, err = d.rep.Restore(ctx, id.String())
			case opSubmit:
				_, err = d.rep.Submit(ctx, id.String(), nil)
			}
			return err
		})
	}
}
