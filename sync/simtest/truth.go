package simtest

import (
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// saved is one changeset as the reference model knows it. Its number is its
// identity: dots may change before anybody has seen them, the device time that
// it carries is different for every changeset of a run and never changes.
type saved struct {
	at       int64
	by       string
	reported bool // the person was told "saved"
	writes   []savedWrite
}

// savedWrite is one write of it: what its author had on the screen, as numbers
// of changesets, those included that what was on the screen had replaced.
type savedWrite struct {
	key     conflict.FieldKey
	seen    set
	refused set    // shown beside it as being in quarantine
	all     screen // of a life write: what was seen of every other field
	dead    bool   // a life write that deletes
}

// screen is what somebody sees of a record: for each field the changesets that
// are shown, and for some uses those that they replaced. Screens are never
// written to once they are made.
type screen []seenField

type seenField struct {
	key conflict.FieldKey
	set set
}

// of returns what is seen of one field.
func (s screen) of(k conflict.FieldKey) set {
	for i := range s {
		if s[i].key == k {
			return s[i].set
		}
	}
	return set{}
}

// with returns s with another set for a field.
func (s screen) with(k conflict.FieldKey, of set) screen {
	s = slices.Clone(s)
	for i := range s {
		if s[i].key == k {
			s[i].set = of
			return s
		}
	}
	return append(s, seenField{k, of})
}

func (s *saved) write(k conflict.FieldKey) *savedWrite {
	for i := range s.writes {
		if s.writes[i].key == k {
			return &s.writes[i]
		}
	}
	return nil
}

// truth is the reference model: what was written, and by whom with what on the
// screen. It knows no vectors.
type truth struct {
	sets []*saved
	byAt map[int64]int
}

// number returns the changeset with a device time.
func (t *truth) number(at int64) (int, bool) {
	n, ok := t.byAt[at]
	return n, ok
}

// shown returns the numbers of the siblings of one field.
func (t *truth) shown(f conflict.Field) (s set, err error) {
	for i := range f.Len() {
		n, ok := t.number(f.At(i).Origin.At)
		if !ok {
			return set{}, fmt.Errorf("sibling %v was never saved by anybody", f.At(i).Dot)
		}
		s = s.with(n)
	}
	return s, nil
}

// history returns everything that somebody has seen who sees these changesets'
// writes of a field.
func (t *truth) history(k conflict.FieldKey, shown set) set {
	h := shown
	for n := range shown.all {
		if w := t.sets[n].write(k); w != nil {
			h = h.union(w.seen)
		}
	}
	return h
}

// screen returns what a person sees of a record, by field.
func (t *truth) screen(r conflict.Record) (screen, error) {
	all := make(screen, 0, r.Len())
	for k, f := range r.All() {
		s, err := t.shown(f)
		if err != nil {
			return nil, err
		}
		all = append(all, seenField{k, t.history(k, s)})
	}
	return all, nil
}

// add keeps a changeset that was made with that on the screen.
func (t *truth) add(c *record.Changeset, by string, seen screen, refused set) int {
	s := &saved{at: c.At, by: by}
	for _, w := range c.Edits[0].Writes {
		sw := savedWrite{key: w.Key, seen: seen.of(w.Key), refused: refused}
		if w.Key.ID == conflict.FieldLife {
			sw.all = seen
			if l, err := conflict.ParseLife(w.Value); err == nil {
				sw.dead = l.Deleted
			}
		}
		s.writes = append(s.writes, sw)
	}
	n := len(t.sets)
	if n >= setLimit {
		panic("simtest: more changesets than a set can hold; shorten the schedule")
	}
	t.sets = append(t.sets, s)
	t.byAt[c.At] = n
	return n
}

// standing returns which of the applied changesets stand in a field: those that
// nobody replaced who had seen them. Of those in maybe it cannot be said: their
// author had them before his eyes as refused when he wrote again, and a restored
// server has accepted them since.
func (t *truth) standing(k conflict.FieldKey, applied set) (standing, maybe set) {
	var replaced, doubted set
	for n := range applied.all {
		if w := t.sets[n].write(k); w != nil {
			replaced, doubted = replaced.union(w.seen), doubted.union(w.refused)
		}
	}
	for n := range applied.all {
		if !replaced.has(n) {
			standing = standing.with(n)
			if doubted.has(n) {
				maybe = maybe.with(n)
			}
		}
	}
	return standing, maybe
}

// life derives what must be said of a record's existence from what stands.
func (t *truth) life(standing screen) conflict.LifeState {
	k := conflict.Key(conflict.FieldLife)
	alive, any := false, false
	var seen screen
	for n := range standing.of(k).all {
		w := t.sets[n].write(k)
		if !w.dead {
			alive = true
			continue
		}
		any = true
		for _, f := range w.all {
			seen = seen.with(f.key, seen.of(f.key).union(f.set))
		}
	}
	switch {
	case !any:
		return conflict.Alive
	case alive:
		return conflict.EditedAndDeleted
	}
	for _, f := range standing {
		if f.key.ID >= conflict.FirstUserField && !seen.of(f.key).covers(f.set) {
			return conflict.EditedAndDeleted
		}
	}
	return conflict.Deleted
}
