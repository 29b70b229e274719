package conflict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// This file is the reference that production code is measured against. It
// keeps for every copy the explicit set of all writes that it has absorbed,
// and for every write the explicit set of those that its author had seen. It
// uses no vectors, so it cannot share a mistake with them.

// event is one write as the model knows it.
type event struct {
	dot     Dot
	key     FieldKey
	value   Value
	origin  Origin
	context Vector // what the engine under test sent along
	past    dots   // writes of key that the author's form had absorbed
	life    lifeEvent
}

// lifeEvent says what a write of the life field means.
type lifeEvent struct {
	deleted bool
	seen    knowledge
}

type dots map[Dot]bool

// knowledge is what a copy of the record has absorbed, field by field.
type knowledge map[FieldKey]dots

func (k knowledge) clone() knowledge {
	c := knowledge{}
	for key, set := range k {
		c[key] = maps.Clone(set)
	}
	return c
}

func (k knowledge) add(key FieldKey, more ...dots) {
	if k[key] == nil {
		k[key] = dots{}
	}
	for _, set := range more {
		maps.Copy(k[key], set)
	}
}

func (k knowledge) absorb(o knowledge) {
	for key, set := range o {
		k.add(key, set)
	}
}

func (k knowledge) write(e *event) {
	k.add(e.key, dots{e.dot: true}, e.past)
}

// current returns the writes of set that no write of set had seen, sorted.
func current(log map[Dot]*event, set dots) []Dot {
	var out []Dot
	for d := range set {
		superseded := false
		for o := range set {
			superseded = superseded || log[o].past[d]
		}
		if !superseded {
			out = append(out, d)
		}
	}
	slices.SortFunc(out, Dot.Compare)
	return out
}

// lifeOf derives the life state from the sets alone.
func lifeOf(log map[Dot]*event, k knowledge) LifeState {
	var deletions []*event
	alive := false
	for _, d := range current(log, k[Key(FieldLife)]) {
		if e := log[d]; e.life.deleted {
			deletions = append(deletions, e)
		} else {
			alive = true
		}
	}
	if len(deletions) == 0 {
		return Alive
	}
	for key, set := range k {
		if key.ID < FirstUserField {
			continue
		}
		for _, d := range current(log, set) {
			seen := false
			for _, e := range deletions {
				seen = seen || e.life.seen[key][d]
			}
			if !seen {
				return EditedAndDeleted
			}
		}
	}
	if alive {
		return EditedAndDeleted
	}
	return Deleted
}

// agree reports how record r departs from what the model says of knowledge k.
func agree(e engine, log map[Dot]*event, k knowledge, r Record) error {
	fields := 0
	for key, set := range k {
		if len(set) == 0 {
			continue
		}
		fields++
		f := r.Field(key)
		want := current(log, set)
		var got []Dot
		for _, s := range f.Siblings() {
			got = append(got, s.Dot)
			o := log[s.Dot]
			if o == nil || o.key != key {
				return fmt.Errorf("field %v holds %v, which nobody wrote there", key, s.Dot)
			}
			if s.Origin.Received != 0 {
				s.Origin.Received = o.origin.Received // stamped on the way; not the model's business
			}
			if s.Value != o.value || s.Origin != o.origin {
				return fmt.Errorf("field %v: write %v was changed to %+v, want %q %+v", key, s.Dot, s, o.value, o.origin)
			}
		}
		if !slices.Equal(got, want) {
			return fmt.Errorf("field %v: got siblings %v, want %v", key, short(got), short(want))
		}
		top := map[ReplicaID]uint64{}
		for d := range set {
			top[d.Replica] = max(top[d.Replica], d.Counter)
		}
		n := 0
		for d := range f.Vector().All() {
			n++
			if top[d.Replica] != d.Counter {
				return fmt.Errorf("field %v: vector has %v, want counter %d", key, short([]Dot{d}), top[d.Replica])
			}
		}
		if n != len(top) {
			return fmt.Errorf("field %v: vector names %d replicas, want %d", key, n, len(top))
		}
	}
	if r.Len() != fields {
		return fmt.Errorf("record has %d fields, want %d", r.Len(), fields)
	}
	if got, want := e.life(r), lifeOf(log, k); got != want {
		return fmt.Errorf("life: got %v, want %v", got, want)
	}
	return nil
}

// conserved checks the law itself, from the log and the record alone: every
// absorbed write is current, or a write that had seen it is among the absorbed.
func conserved(log map[Dot]*event, k knowledge, r Record) error {
	for key, set := range k {
		f := r.Field(key)
		for d := range set {
			settled := false
			for o := range set {
				settled = settled || log[o].past[d]
			}
			switch held := f.Has(d); {
			case !held && !settled:
				return fmt.Errorf("field %v: write %v is lost: nobody had seen it", key, short([]Dot{d}))
			case held && settled:
				return fmt.Errorf("field %v: write %v is back although superseded", key, short([]Dot{d}))
			case !f.Vector().Covers(d):
				return fmt.Errorf("field %v: absorbed write %v is not covered", key, short([]Dot{d}))
			}
		}
	}
	return nil
}

// dump writes all of r as text: equal dumps are equal bytes.
func dump(r Record) string {
	var b strings.Builder
	for k, f := range r.All() {
		fmt.Fprintf(&b, "%v %s", k, f.Vector())
		for _, s := range f.Siblings() {
			fmt.Fprintf(&b, " | %v=%q %+v", s.Dot, s.Value, s.Origin)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// unstamped returns r without the server's times, which differ with the road
// that a write has taken and are all that may.
func unstamped(r Record) Record {
	var entries []Entry
	for k, f := range r.All() {
		s := f.Siblings()
		for i := range s {
			s[i].Origin.Received = 0
		}
		entries = append(entries, Entry{k, Field{s, f.Vector()}})
	}
	return Record{entries}
}

// replica returns the test's nth replica id. Ids fall as n rises, so that the
// order of names is not the order of writing.
func replica(n int) ReplicaID { return ReplicaID{0: byte(255 - n), 15: byte(n)} }

// short writes dots as A1, B2.
func short(ds []Dot) string {
	parts := make([]string, len(ds))
	for i, d := range ds {
		parts[i] = fmt.Sprintf("%c%d", 'A'+rune(d.Replica[15]), d.Counter)
	}
	return "[" + strings.Join(parts, " ") + "]"
}
