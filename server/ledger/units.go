package ledger

import (
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// UnitChange says what became of one unit's code when a list of units followed
// another.
type UnitChange struct {
	List   string   // the new list's name, the day from which it is in force
	Before string   // the list that gave Old its meaning
	Old    string   // code
	New    []string // codes of its successors, sorted; several if it was split
	At     int64    // when the change was made; server clock, Unix milliseconds
}

// Target returns the unit where the old unit's records go: its one successor, or
// the waiting unit, until a person says which of several.
func (c UnitChange) Target() string {
	if len(c.New) == 1 {
		return c.New[0]
	}
	return Waiting(c.Old, c.Before)
}

// Waiting returns the name of the unit in which the records of a split unit wait.
func Waiting(code, list string) string {
	return register.UnitRef{Code: register.UnitCode(code), List: list}.String()
}

// WaitingFor lists the waiting units that are the concern of a unit, in the order of
// their lists: those of the splits in which it is the old unit or a successor, or what
// became of one of these by later lists.
func WaitingFor(changes []UnitChange, unit string) (units []string) {
	for i, split := range changes {
		if len(split.New) > 1 && slices.Contains(concerned(changes[i:]), unit) {
			units = append(units, split.Target())
		}
	}
	return units
}

// concerned lists the units whose people are to assign what waits of the first of the
// changes, a split.
func concerned(changes []UnitChange) []string {
	split := changes[0]
	units := append([]string{split.Old}, split.New...)
	for rest := changes[1:]; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(c UnitChange) bool { return c.List != rest[0].List })
		if n < 0 {
			n = len(rest)
		}
		list := rest[:n] // at once: codes may go round
		rest = rest[n:]
		if list[0].List == split.List {
			continue
		}
		var ended, begun []string
		for _, c := range list {
			if !slices.Contains(units, c.Old) {
				continue
			}
			if begun = append(begun, c.New...); len(c.New) == 1 {
				ended = append(ended, c.Old) // its accounts have gone on
			}
		}
		units = append(slices.DeleteFunc(units, func(u string) bool { return slices.Contains(ended, u) }), begun...)
	}
	return units
}

// unitNow returns what a unit's code means now, said by somebody who knew the
// lists up to the one named known.
func unitNow(changes []UnitChange, unit, known string) string {
	for _, c := range changes {
		if c.List > known && c.Old == unit {
			unit, known = c.Target(), c.List
		}
	}
	return unit
}

// UnitNow returns what a unit's code means now, said by somebody who knew of none
// of the changes.
func UnitNow(changes []UnitChange, unit string) string { return unitNow(changes, unit, "") }

// list returns the name of the newest list, "" if there was never a change.
func list(changes []UnitChange) string {
	if len(changes) == 0 {
		return ""
	}
	return changes[len(changes)-1].List
}

func (b *batch) unitChanges() ([]UnitChange, error) {
	if !b.readChanges {
		var err error
		if b.changes, err = b.t.UnitChanges(); err != nil {
			return nil, err
		}
		b.readChanges = true
	}
	return b.changes, nil
}

// begins returns the unit in which a record begins that c creates: what the code
// that it names meant to its device. An officer whose unit was split keeps its code
// for a while, but nothing begins in a unit that is no more.
func (b *batch) begins(c *record.Changeset) (string, error) {
	changes, err := b.unitChanges()
	if err != nil || len(changes) == 0 {
		return c.Unit, err
	}
	told, ok, err := toldBefore(b.r.Told, c.Dot.Counter)
	if err != nil {
		return "", err
	}
	known := told.List
	if !ok && c.Unit == b.a.Unit {
		known = list(changes)
	}
	return b.resolve(unitNow(changes, c.Unit, known))
}

// beginsElsewhere keeps that a record never was in the unit that its first
// changeset names, as if it had left at once: what follows for it under that
// unit's code is late, too.
func (b *batch) beginsElsewhere(c *record.Changeset, row *Row) error {
	left, err := b.nextPosition(c.Unit)
	if err != nil {
		return err
	}
	b.touch(protocol.Stream{Unit: c.Unit, Register: row.Register}, left)
	return b.t.PutMove(&Move{Record: row.ID, Register: row.Register, From: c.Unit, To: row.Unit, Position: left, At: b.now})
}

// resolve returns the unit that a code means: that of a unit that is no more means
// what became of it.
func (b *batch) resolve(unit string) (string, error) {
	changes, err := b.unitChanges()
	if err != nil {
		return "", err
	}
	for i, c := range changes {
		if c.Old != unit {
			continue
		}
		open := slices.ContainsFunc(changes[i:], func(o UnitChange) bool {
			return o.List >= c.List && slices.Contains(o.New, unit)
		})
		if !open {
			return unitNow(changes[i:], unit, ""), nil
		}
	}
	return unit, nil
}

// changeRecords is how many records one changeset of a change of lists moves.
const changeRecords = record.MaxEdits

// Changed counts what a change of lists did.
type Changed struct {
	Moved   int // records that have a new unit
	Waiting int // of them, those that wait for a person
}

// ChangeUnits makes a change of lists: it keeps the aliases and moves the records
// of every old unit where they go, as writes of the server's own on behalf of
// author. All changes are of one list, which is newer than the last one. An error
// means that nothing may stand.
func (l *Ledger) ChangeUnits(t Tables, author string, changes []UnitChange) (Changed, []protocol.StreamMark, error) {
	var out Changed
	before, err := t.UnitChanges()
	if err != nil {
		return out, nil, err
	}
	ids := make([][]conflict.RecordID, len(changes))
	units := map[string]bool{}
	for i, c := range changes {
		if len(c.New) == 0 || c.List != changes[0].List || c.List <= list(before) {
			return out, nil, fmt.Errorf("change of unit %s by list %q: no successor, or not one list, newer than %q", c.Old, c.List, list(before))
		}
		if units[c.Old] = true; c.Target() != c.Old {
			units[c.Target()] = true
			// Before anything moves: a code may be an old and a new unit's.
			if ids[i], err = l.recordsOf(t, c.Old); err != nil {
				return out, nil, err
			}
		}
	}
	had, err := l.count(t, units)
	if err != nil {
		return out, nil, err
	}
	for i := range changes {
		if err := t.PutUnitChange(&changes[i]); err != nil {
			return out, nil, err
		}
	}
	heads := map[protocol.Stream]uint64{}
	for i, c := range changes {
		home := record.Home{Unit: c.Target(), From: c.Old, Reason: c.List, Accepted: true}
		for part := range slices.Chunk(ids[i], changeRecords) {
			_, marks, err := l.Send(t, c.Old, author, part, home)
			if err != nil {
				return out, nil, err
			}
			for _, m := range marks {
				heads[m.Stream] = max(heads[m.Stream], m.Position)
			}
		}
		out.Moved += len(ids[i])
		if len(c.New) > 1 {
			out.Waiting += len(ids[i])
		}
	}
	has, err := l.count(t, units)
	if err != nil {
		return out, nil, err
	}
	if had != has {
		return out, nil, fmt.Errorf("change of units by list %q: %d records before, %d after", changes[0].List, had, has)
	}
	return out, (&batch{heads: heads}).marks(), nil
}

// recordsOf lists the records of a unit.
func (l *Ledger) recordsOf(t Tables, unit string) ([]conflict.RecordID, error) {
	const page = 1000
	var ids []conflict.RecordID
	for _, id := range l.cfg.Registers {
		stream := protocol.Stream{Unit: unit, Register: id}
		seen := map[conflict.RecordID]bool{}
		for from := uint64(0); ; {
			rows, err := t.Changed(stream, from, page)
			if err != nil {
				return nil, err
			}
			fresh := false
			for i := range rows {
				if r := &rows[i]; !r.Left && !seen[r.ID] {
					seen[r.ID], fresh = true, true
					ids = append(ids, r.ID)
				}
			}
			if len(rows) < page {
				break
			}
			// The last position may go on beyond the page, so it is read again.
			last := rows[len(rows)-1].Position
			if !fresh && last-1 <= from {
				return nil, fmt.Errorf("stream %v: position %d holds %d records or more", stream, last, page)
			}
			from = last - 1
		}
	}
	return ids, nil
}

func (l *Ledger) count(t Tables, units map[string]bool) (n uint64, err error) {
	for unit := range units {
		for _, id := range l.cfg.Registers {
			c, err := t.StreamCount(protocol.Stream{Unit: unit, Register: id})
			if err != nil {
				return 0, err
			}
			n += c
		}
	}
	return n, nil
}
