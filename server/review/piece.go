package review

import (
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// outcome is where a piece stands.
type outcome int

const (
	undecided outcome = iota // a draft, or waiting
	approved
	refused
	replaced // others wrote over all of it before anybody decided
	held     // in quarantine
)

// piece is an officer's work on one record up to the decision that ends it.
// README.md, "The officer's tally", says what begins, ends and counts one.
type piece struct {
	author    string
	written   int64 // device clock, as far as it is believed
	received  int64 // server clock
	late      bool  // some of it came more than onTime after, or before, its writing
	made      bool  // it made the record
	submitted bool
	returned  bool
	again     bool // refused in part, or approved and taken back
	outcome   outcome
	dots      map[conflict.Dot]conflict.FieldKey
}

// counts reports whether the piece counts: a change that was only saved does not.
func (p *piece) counts() bool { return p.made || p.submitted || p.outcome == held }

func (p *piece) firstTime() bool { return p.outcome == approved && !p.returned && !p.again }

// add takes a changeset's times in.
func (p *piece) add(at, received int64) {
	if delay := received - at; delay > onTime || delay < -onTime {
		p.late = true
	}
}

func newPiece(author string, at, received int64) *piece {
	return &piece{author: author, written: writtenAt(at, received), received: received, dots: map[conflict.Dot]conflict.FieldKey{}}
}

// writtenAt is when a changeset counts as written: by its device's clock, unless
// that is after the receipt or too far before it to be believed.
func writtenAt(at, received int64) int64 {
	if at > received || received-at > believed {
		return received
	}
	return at
}

// walk goes through a record's changesets in the order of their receipt.
type walk struct {
	h        *history
	def      *register.Definition
	head     conflict.Record
	pieces   []*piece // everybody's
	approved record.DotSet
}

// walkRecord goes through one record's history. parse reads a changeset's bytes;
// received corrects the time at which one was received.
func walkRecord(t Tables, def *register.Definition, id conflict.RecordID, parse func(ledger.Intake) (record.Changeset, error),
	received func(record.Changeset, int64) int64) (*walk, error) {
	changesets, err := t.Changesets(id)
	if err != nil {
		return nil, err
	}
	w := &walk{h: &history{fields: map[conflict.FieldKey][]entry{}}, def: def}
	if w.h.decisions, err = t.Approvals(id); err != nil {
		return nil, err
	}
	for _, in := range changesets {
		c, err := parse(in)
		if err != nil {
			return nil, fmt.Errorf("history of %v: %w", id, err)
		}
		for i := range c.Edits {
			if c.Edits[i].Record == id {
				w.edit(c, i, in.Received, received(c, in.Received))
			}
		}
	}
	return w, nil
}

// edit takes one edit in, which came at received, and first at first.
func (w *walk) edit(c record.Changeset, i int, received, first int64) {
	var dots []conflict.Dot
	var keys []conflict.FieldKey
	dot := c.FirstDot(i)
	for _, write := range c.Edits[i].Writes {
		if _, known := w.h.find(write.Key, dot); !known { // else it was given back, and its changeset came later
			dots, keys = append(dots, dot), append(keys, write.Key)
		}
		dot.Counter++
	}
	if len(dots) == 0 {
		return
	}
	w.h.add(c, i, received)
	fresh := make([]*entry, len(dots))
	review := false
	for at := range dots {
		fresh[at], _ = w.h.find(keys[at], dots[at])
		review = review || keys[at].ID == conflict.FieldReview
	}
	var before map[*piece]map[conflict.Dot]conflict.FieldKey
	if review {
		before = w.allWaiting()
	}
	makes, life := w.head.Len() == 0, w.head.Life()
	w.head = c.Apply(w.head, i, received)
	for _, e := range fresh {
		if e.key.ID == conflict.FieldLife || e.key.ID >= conflict.FirstUserField {
			w.write(c, e, first, makes)
		}
	}
	if p := w.openOf(c.Author); p != nil {
		p.add(c.At, first)
	}
	for _, e := range fresh {
		switch e.key.ID {
		case conflict.FieldSubmission:
			w.submission(e)
		case conflict.FieldReview:
			w.decision(e, before)
		}
	}
	if review || w.head.Life() != life {
		w.reopen()
	}
}

// openOf returns the author's open piece, nil for none.
func (w *walk) openOf(author string) *piece {
	for _, p := range slices.Backward(w.pieces) {
		if p.author == author && p.outcome == undecided {
			return p
		}
	}
	return nil
}

// write takes one write of a field, or of life, in.
func (w *walk) write(c record.Changeset, e *entry, first int64, makes bool) {
	p := w.openOf(c.Author)
	if p == nil {
		p = newPiece(c.Author, c.At, first)
		w.pieces = append(w.pieces, p)
	}
	p.made = p.made || makes
	p.dots[e.dot] = e.key
	if e.key.ID == conflict.FieldLife && isDeletion(e.value) {
		p.submitted = true // a deletion speaks for itself
	}
}

func (w *walk) submission(e *entry) {
	s, err := record.ParseSubmission(e.value)
	if err != nil {
		return // it submits nothing, as in record.StandingOf
	}
	for _, p := range w.pieces {
		for d := range p.dots {
			p.submitted = p.submitted || p.outcome == undecided && s.Covers.Covers(d)
		}
	}
}

// waiting returns the writes of p that stand, and that approved does not hold.
// Beneath a deletion none does.
func (w *walk) waiting(p *piece, approved map[conflict.Dot]bool) map[conflict.Dot]conflict.FieldKey {
	deleted := w.head.Life() == conflict.Deleted
	left := map[conflict.Dot]conflict.FieldKey{}
	for d, k := range p.dots {
		if !approved[d] && w.head.Field(k).Has(d) && (k.ID == conflict.FieldLife || !deleted) {
			left[d] = k
		}
	}
	return left
}

// allWaiting returns what waits of every open piece.
func (w *walk) allWaiting() map[*piece]map[conflict.Dot]conflict.FieldKey {
	approved := w.stands(w.approved)
	all := map[*piece]map[conflict.Dot]conflict.FieldKey{}
	for _, p := range w.pieces {
		if p.outcome == undecided {
			all[p] = w.waiting(p, approved)
		}
	}
	return all
}

// stands returns the writes among dots, and those whose values they repeat.
func (w *walk) stands(dots record.DotSet) map[conflict.Dot]bool {
	all := map[conflict.Dot]bool{}
	var take func(e *entry)
	take = func(e *entry) {
		if all[e.dot] {
			return
		}
		all[e.dot] = true
		for _, from := range w.h.chosen(e) {
			take(from)
		}
	}
	for k, list := range w.h.fields {
		if k.ID != conflict.FieldLife && k.ID < conflict.FirstUserField {
			continue
		}
		for i := range list {
			if dots.Has(list[i].dot) {
				take(&list[i])
			}
		}
	}
	return all
}

// reopen opens the pieces again of which something waits although they had
// ended: their approval was withdrawn, or they lay beneath a deletion and do not
// any more.
func (w *walk) reopen() {
	stands := w.stands(w.approved)
	for _, p := range w.pieces {
		if p.outcome != undecided && len(w.waiting(p, stands)) > 0 {
			p.again = p.again || p.outcome != replaced
			p.outcome = undecided
		}
	}
}

// decision takes a decision in. before is what waited before its changeset.
func (w *walk) decision(e *entry, before map[*piece]map[conflict.Dot]conflict.FieldKey) {
	r, err := record.ParseReview(e.value)
	if err != nil {
		return // as in record.StandingOf
	}
	switch r.Decision {
	case record.Returned:
		w.asked(r.Fields, before)
	case record.Approved, record.Refused:
		w.decided(r, before)
	}
	w.approved = r.Dots
}

// asked marks the pieces that a question is about.
func (w *walk) asked(fields []string, before map[*piece]map[conflict.Dot]conflict.FieldKey) {
	concerned := func(waiting map[conflict.Dot]conflict.FieldKey) bool {
		for _, k := range waiting {
			if slices.Contains(fields, nameOf(w.def, k.ID)) {
				return true
			}
		}
		return false
	}
	anybody := false
	for p, waiting := range before {
		anybody = anybody || p.submitted && concerned(waiting)
	}
	for p, waiting := range before {
		if p.submitted && len(waiting) > 0 && (!anybody || concerned(waiting)) {
			p.returned = true
		}
	}
}

// decided ends the pieces of which an approval or a refusal leaves nothing waiting.
func (w *walk) decided(r record.Review, before map[*piece]map[conflict.Dot]conflict.FieldKey) {
	stands := w.stands(r.Dots)
	for _, p := range w.pieces {
		if p.outcome != undecided {
			continue
		}
		left := w.waiting(p, stands)
		gaveWay := false
		for d := range before[p] {
			_, stays := left[d]
			gaveWay = gaveWay || r.Decision == record.Refused && !stays && !stands[d]
		}
		p.again = p.again || gaveWay
		switch {
		case len(left) > 0:
		case gaveWay:
			p.outcome = refused
		case slices.ContainsFunc(keysOf(p.dots), func(d conflict.Dot) bool { return stands[d] }):
			p.outcome = approved
		default:
			p.outcome = replaced
		}
	}
}

func keysOf[V any](m map[conflict.Dot]V) []conflict.Dot {
	list := make([]conflict.Dot, 0, len(m))
	for d := range m {
		list = append(list, d)
	}
	return list
}
