package ledger

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Brake says how many records one author may delete in one unit on one day of
// the server, before it waits for a supervisor. See README.md.
type Brake struct {
	Share uint64 // one of so many of the unit's records
	Least uint64 // but so many in the smallest unit
	Most  uint64 // and no more in the largest
}

// theBrake is the brake of a ledger that is given no other.
var theBrake = Brake{Share: 100, Least: 20, Most: 200}

// brakePerKill is how many blanked fields weigh as one deleted record.
const brakePerKill = 5

const dayMillis = 24 * 60 * 60 * 1000

// dayOf returns the day in Vietnam, which has one time zone and no summer time.
func dayOf(now int64) int64 { return (now + 7*60*60*1000) / dayMillis }

// Emptied is how much an author deleted and blanked in a unit on a day, what
// the brake held included.
type Emptied struct {
	Records uint64 // deleted, or sent away
	Fields  uint64 // blanked
}

// plus returns the sum of both.
func (e Emptied) plus(o Emptied) Emptied { return Emptied{e.Records + o.Records, e.Fields + o.Fields} }

// within reports whether e stays below a limit of records.
func (e Emptied) within(limit uint64) bool {
	return e.Records <= limit && e.Fields <= brakePerKill*limit
}

// emptiedBy counts what c would empty: deletions, and blanks written by somebody
// who had a value on the screen. What a unit holds now is not looked at, and
// what was erased by law is nobody's to empty.
func (b *batch) emptiedBy(c *record.Changeset) (Emptied, error) {
	var e Emptied
	for i := range c.Edits {
		if erased, err := b.t.Erased(c.Edits[i].Record); err != nil {
			return e, err
		} else if erased {
			continue
		}
		for _, w := range c.Edits[i].Writes {
			switch {
			case w.Key.ID == conflict.FieldLife:
				if life, err := conflict.ParseLife(w.Value); err == nil && life.Deleted {
					e.Records++
				}
			case w.Key.ID == conflict.FieldHome:
				if h, err := record.ParseHome(w.Value); err == nil && h.Unit != c.Unit {
					e.Records++ // sent away
				}
			case w.Key.ID >= conflict.FirstUserField && w.Value == "" && w.Context.Len() > 0:
				e.Fields++
			}
		}
	}
	return e, nil
}

// brake is what a batch knows of its author's day in a unit.
type brake struct {
	today   Emptied // before this batch
	coming  Emptied // in this push, as far as it is new
	taken   Emptied // of that, what was applied or held so far
	limit   uint64  // in deleted records
	engaged bool
}

// weigh looks at a whole push before any of it is taken: if it goes too far, no
// part of it that empties anything is applied.
func (b *batch) weigh(changesets []record.Changeset) error {
	// What a restored server once had was let through then.
	passed := b.r.Acked
	if b.epoch.Restored {
		lost, err := lostAfter(b.r.Told)
		if err != nil {
			return err
		}
		passed = max(passed, lost)
	}
	b.passed = passed
	for i := range changesets {
		c := &changesets[i]
		e, err := b.emptiedBy(c)
		if err != nil {
			return err
		}
		if e == (Emptied{}) || c.Dot.Counter <= passed {
			continue
		}
		if b.brakes == nil {
			b.brakes = map[string]*brake{}
		}
		k := b.brakes[c.Unit]
		if k == nil {
			today, err := b.t.Emptied(b.a.Account, c.Unit, dayOf(b.now))
			if err != nil {
				return err
			}
			k = &brake{today: today}
			b.brakes[c.Unit] = k
		}
		k.coming = k.coming.plus(e)
	}
	for unit, k := range b.brakes {
		if k.limit = b.l.cfg.Brake.Least; k.today.plus(k.coming).within(k.limit) {
			continue // counting a unit's records costs something
		}
		size, err := b.sizeOf(unit)
		if err != nil {
			return err
		}
		at := b.l.cfg.Brake
		k.limit = min(max(at.Least, size/at.Share), at.Most)
		k.engaged = !k.today.plus(k.coming).within(k.limit)
	}
	return nil
}

// sizeOf returns the number of a unit's records.
func (b *batch) sizeOf(unit string) (size uint64, err error) {
	for _, id := range b.l.cfg.Registers {
		n, err := b.t.StreamCount(protocol.Stream{Unit: unit, Register: id})
		if err != nil {
			return 0, err
		}
		size += n
	}
	return size, nil
}

// held reports why c, which may otherwise be applied, waits for a supervisor,
// or nil, and counts it.
func (b *batch) held(c *record.Changeset) (*protocol.Error, error) {
	k := b.brakes[c.Unit]
	if k == nil || c.Dot.Counter <= b.passed {
		return nil, nil
	}
	e, err := b.emptiedBy(c)
	if err != nil || e == (Emptied{}) {
		return nil, err
	}
	k.taken = k.taken.plus(e)
	if !k.engaged {
		return nil, nil
	}
	all := k.today.plus(k.coming)
	return &protocol.Error{Code: protocol.Brake,
		Detail: fmt.Sprintf("%d/%d records, %d/%d fields", all.Records, k.limit, all.Fields, brakePerKill*k.limit)}, nil
}

// countEmptied adds what this batch emptied to its author's day.
func (b *batch) countEmptied() error {
	for unit, k := range b.brakes {
		if k.taken == (Emptied{}) {
			continue
		}
		if err := b.t.SetEmptied(b.a.Account, unit, dayOf(b.now), k.today.plus(k.taken)); err != nil {
			return err
		}
	}
	return nil
}

// Forgive begins the author's day in a unit anew: a supervisor has looked at
// what the brake held and has released it.
func (l *Ledger) Forgive(t Tables, account, unit string) error {
	return t.SetEmptied(account, unit, dayOf(l.cfg.Now()), Emptied{})
}
