package review

import (
	"cmp"
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/sync/record"
)

// Tables is what reading an approved version needs of one transaction.
type Tables interface {
	// Changesets lists every applied changeset that touched a record, in the
	// order in which the server received them.
	Changesets(id conflict.RecordID) ([]ledger.Intake, error)
	// Approvals lists the decisions about a record, oldest first.
	Approvals(id conflict.RecordID) ([]store.Approval, error)
}

// entry is one applied write of one field.
type entry struct {
	dot     conflict.Dot
	key     conflict.FieldKey
	context conflict.Vector
	value   conflict.Value
	origin  conflict.Origin
}

// history is every applied write of a record, by field, in the order in which
// the server received them, and the decisions about it. Who wrote a value
// follows from these alone.
type history struct {
	fields    map[conflict.FieldKey][]entry
	decisions []store.Approval
}

func readHistory(t Tables, id conflict.RecordID) (*history, error) {
	changesets, err := t.Changesets(id)
	if err != nil {
		return nil, err
	}
	h := &history{fields: map[conflict.FieldKey][]entry{}}
	for _, in := range changesets {
		c, err := record.ParseOwn(in.Bytes)
		if err != nil {
			return nil, fmt.Errorf("history of %v: %w", id, err)
		}
		for i, e := range c.Edits {
			if e.Record == id {
				h.add(c, i, in.Received)
			}
		}
	}
	if h.decisions, err = t.Approvals(id); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *history) add(c record.Changeset, i int, received int64) {
	e, dot := c.Edits[i], c.FirstDot(i)
	origin := conflict.Origin{Author: c.Author, At: c.At, Received: received, Definition: e.Definition, Source: e.Source}
	for _, w := range e.Writes {
		if _, known := h.find(w.Key, dot); !known { // else it was given back, and its changeset came later
			h.fields[w.Key] = append(h.fields[w.Key], entry{dot: dot, key: w.Key, context: w.Context, value: w.Value, origin: origin})
		}
		dot.Counter++
	}
}

// find returns the write d of the field under k.
func (h *history) find(k conflict.FieldKey, d conflict.Dot) (*entry, bool) {
	list := h.fields[k]
	for i := range list {
		if list[i].dot == d {
			return &list[i], true
		}
	}
	return nil, false
}

// last returns the newest decision; the zero Approval if there is none.
func (h *history) last() store.Approval {
	if len(h.decisions) == 0 {
		return store.Approval{}
	}
	return h.decisions[len(h.decisions)-1]
}

// published returns what the hub was last told of the record.
func (h *history) published() store.Op {
	for _, a := range slices.Backward(h.decisions) {
		if a.Revision > 0 {
			return a.Op
		}
	}
	return store.OpNone
}

// approvedDots returns, by field, the dots of a that stand in the history.
func (h *history) approvedDots(a store.Approval) map[conflict.FieldKey][]conflict.Dot {
	dots := map[conflict.FieldKey][]conflict.Dot{}
	for k, list := range h.fields {
		if k.ID != conflict.FieldLife && k.ID < conflict.FirstUserField {
			continue
		}
		for i := range list {
			if a.Dots.Has(list[i].dot) {
				dots[k] = append(dots[k], list[i].dot)
			}
		}
		slices.SortFunc(dots[k], conflict.Dot.Compare)
	}
	return dots
}

// superseded returns the writes that w replaced: those its author had seen and
// nobody he had seen had replaced before him.
func (h *history) superseded(w *entry) []*entry {
	list := h.fields[w.key]
	var gone []*entry
	for i := range list {
		e := &list[i]
		if e.dot == w.dot || !w.context.Covers(e.dot) {
			continue
		}
		if !slices.ContainsFunc(list, func(x entry) bool {
			return x.dot != w.dot && x.dot != e.dot && w.context.Covers(x.dot) && x.context.Covers(e.dot)
		}) {
			gone = append(gone, e)
		}
	}
	return gone
}

// ancestor returns the newest write that the authors of all of a field's
// siblings had seen: what stood there before they disagreed. It is nil if there
// is one sibling, no such write, or more than one of them.
func (h *history) ancestor(f conflict.Field) *entry {
	if f.Len() < 2 {
		return nil
	}
	var key conflict.FieldKey
	var sides []*entry
	for k, list := range h.fields {
		for i := range list {
			if f.Has(list[i].dot) {
				key, sides = k, append(sides, &list[i])
			}
		}
	}
	if len(sides) < f.Len() {
		return nil
	}
	seenByAll := func(d conflict.Dot) bool {
		return !slices.ContainsFunc(sides, func(s *entry) bool { return s.dot == d || !s.context.Covers(d) })
	}
	var found *entry
	list := h.fields[key]
	for i := range list {
		e := &list[i]
		if !seenByAll(e.dot) || slices.ContainsFunc(list, func(x entry) bool { return seenByAll(x.dot) && x.context.Covers(e.dot) }) {
			continue
		}
		if found != nil {
			return nil // they had seen a disagreement already
		}
		found = e
	}
	return found
}

// approvedBefore returns the writes of w's field that stood approved when w
// came, and that its author had seen.
func (h *history) approvedBefore(w *entry) []*entry {
	for _, a := range slices.Backward(h.decisions) {
		if a.At > w.origin.Received || a.Dots.Has(w.dot) {
			continue
		}
		var stood []*entry
		for i := range h.fields[w.key] {
			e := &h.fields[w.key][i]
			if a.Dots.Has(e.dot) && w.context.Covers(e.dot) {
				stood = append(stood, e)
			}
		}
		return stood
	}
	return nil
}

// chosen returns the earlier writes whose value w repeats: a value that it
// replaced, or the approved one that it restores. None means that w's own
// author made the value.
func (h *history) chosen(w *entry) []*entry {
	var same []*entry
	for _, e := range append(h.superseded(w), h.approvedBefore(w)...) {
		if sameValue(w.key, e.value, w.value) && !slices.Contains(same, e) {
			same = append(same, e)
		}
	}
	return same
}

// sameValue compares values byte by byte; of life values, which say what their
// author had seen, only what they say of the record.
func sameValue(k conflict.FieldKey, a, b conflict.Value) bool {
	return a == b || k.ID == conflict.FieldLife && isDeletion(a) == isDeletion(b)
}

// isDeletion reports whether a life value deletes. One that cannot be read
// counts as a deletion, as in conflict.
func isDeletion(v conflict.Value) bool {
	l, err := conflict.ParseLife(v)
	return err != nil || l.Deleted
}

// authors returns the accounts that made the value of write d: never those that
// only chose or restored it. It is empty for a record kept alive that nobody had
// approved as deleted: to leave a record standing is nobody's work.
func (h *history) authors(k conflict.FieldKey, d conflict.Dot) []string {
	names := map[string]bool{}
	h.collect(k, d, names, map[conflict.Dot]bool{})
	list := make([]string, 0, len(names))
	for n := range names {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

func (h *history) collect(k conflict.FieldKey, d conflict.Dot, names map[string]bool, seen map[conflict.Dot]bool) {
	if seen[d] {
		return
	}
	seen[d] = true
	w, ok := h.find(k, d)
	if !ok {
		return
	}
	same := h.chosen(w)
	for _, e := range same {
		h.collect(k, e.dot, names, seen)
	}
	if len(same) > 0 {
		return
	}
	if k.ID == conflict.FieldLife && !isDeletion(w.value) {
		if kept := h.keptAlive(w); len(kept) > 0 {
			for _, e := range kept {
				h.collect(e.key, e.dot, names, seen)
			}
			return
		}
		if !slices.ContainsFunc(h.approvedBefore(w), func(e *entry) bool { return isDeletion(e.value) }) {
			return
		}
	}
	names[w.origin.Author] = true
}

// keptAlive returns the edits on whose side w settles an edited and deleted
// record: those that w's author had seen and a deletion under w had not.
func (h *history) keptAlive(w *entry) []*entry {
	mine, err := conflict.ParseLife(w.value)
	if err != nil {
		return nil
	}
	var edits []*entry
	for _, gone := range h.superseded(w) {
		deletion, err := conflict.ParseLife(gone.value)
		if err != nil || !deletion.Deleted {
			continue
		}
		for k, list := range h.fields {
			if k.ID < conflict.FirstUserField {
				continue
			}
			for i := range list {
				if mine.Seen.Covers(k, list[i].dot) && !deletion.Seen.Covers(k, list[i].dot) {
					edits = append(edits, &list[i])
				}
			}
		}
	}
	return edits
}

// origin follows a value that was chosen or restored back to the write that
// made it; of several the earliest received.
func (h *history) origin(w *entry) *entry {
	for seen := map[conflict.Dot]bool{}; !seen[w.dot]; {
		seen[w.dot] = true
		same := h.chosen(w)
		if len(same) == 0 {
			break
		}
		w = slices.MinFunc(same, func(a, b *entry) int {
			return cmp.Or(cmp.Compare(a.origin.Received, b.origin.Received), a.dot.Compare(b.dot))
		})
	}
	return w
}
