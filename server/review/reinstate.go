package review

import (
	"cmp"
	"slices"
	"strconv"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Reinstate gives decisions their place among the approvals again that a
// restored server had lost and that devices have given back in the review field
// of their records. A decision is reinstated once every write that it approved
// is known again, until when the record is kept as unsealed; it then gets the next
// revision of the hub's feed, which begins anew with the epoch, and the review
// field is written again where it names another. Records without such a decision
// are left alone. What only the server knew cannot come back: decisions that no
// device was ever shown, and settlings, which change nothing that is approved.
func (s *Service) Reinstate(tx *sqlite.Tx, records []conflict.RecordID) ([]protocol.StreamMark, error) {
	r := reinstatement{s: s, tx: tx, l: sqlite.LedgerOf(tx)}
	for _, id := range records {
		row, ok, err := r.l.Record(id)
		if err == nil && ok {
			err = r.record(row)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.grew, nil
}

type reinstatement struct {
	s    *Service
	tx   *sqlite.Tx
	l    *sqlite.Ledger
	grew []protocol.StreamMark
}

// returned is one decision as the review field has it.
type returned struct {
	entry
	record.Review
}

func (r *reinstatement) record(row ledger.Row) error {
	head, _, err := record.ParseState(row.State, row.ID)
	if err != nil {
		return err
	}
	review := conflict.Key(conflict.FieldReview)
	field := head.Field(review)
	if field.Len() == 0 {
		return nil
	}
	h, err := readHistory(r.l, row.ID)
	if err != nil {
		return err
	}
	var list []returned
	for _, e := range h.fields[review] {
		if v, err := record.ParseReview(e.value); err == nil {
			list = append(list, returned{e, v})
		}
	}
	slices.SortStableFunc(list, func(a, b returned) int { return cmp.Compare(a.At, b.At) })
	for i := range list {
		d := &list[i]
		if known(h, d) || d.At < h.last().At {
			continue
		}
		done, err := r.reinstate(&row, head, h, d)
		if err != nil {
			return err
		}
		if !done && i == len(list)-1 {
			return r.l.MarkUnsealed(row.ID)
		}
	}
	if len(list) == 0 {
		return nil
	}
	if err := r.restate(&row, field, &list[len(list)-1]); err != nil {
		return err
	}
	return r.l.MarkSealed(row.ID)
}

// known reports whether the decision stands among the approvals.
func known(h *history, d *returned) bool {
	return slices.ContainsFunc(h.decisions, func(a store.Approval) bool { return a.At == d.At && a.By == d.By && a.Decision == d.Decision })
}

// reinstate appends the approval that d was, if every write that it approved is
// known. Of row it moves the revision on.
func (r *reinstatement) reinstate(row *ledger.Row, head conflict.Record, h *history, d *returned) (bool, error) {
	def, ok := r.s.cfg.Definition(row.Register)
	if !ok {
		return false, nil
	}
	a := store.Approval{Record: row.ID, Seq: h.last().Seq + 1, Register: row.Register, Unit: row.Unit, Decision: d.Decision, Definition: d.origin.Definition,
		At: d.At, By: d.By, Dots: d.Dots, Fields: d.Fields, Comment: d.Comment, Question: d.Question, Explicit: map[string]conflict.Value{}}
	found := uint64(0)
	for k, dots := range h.approvedDots(a) {
		found += uint64(len(dots))
		if len(dots) < 2 || k.ID == conflict.FieldLife {
			continue
		}
		// What the policy showed of them then, it shows now.
		var f conflict.Field
		for _, dot := range dots {
			w, _ := h.find(k, dot)
			f = f.Write(conflict.Sibling{Dot: dot, Value: w.value, Origin: w.origin}, conflict.Vector{})
		}
		shown := ledger.View(def, k.ID, f).Shown.Value
		for _, dot := range dots {
			if w, _ := h.find(k, dot); w.value != shown {
				a.Explicit[k.String()] = shown
			}
		}
	}
	if found != a.Dots.Count() {
		return false, nil
	}
	next, err := h.version(a)
	if err != nil {
		return false, err
	}
	before, err := h.version(h.last())
	if err != nil {
		return false, err
	}
	dossier := &dossier{row: *row, def: def, head: head, history: h, version: before}
	a.Op = dossier.publication(act{decision: a.Decision, none: a.Decision == record.Withdrawn}, next, dossier.complete(next, r.s.cfg.Store.Now()))
	if a.Op == store.OpDelete {
		if a.Other, err = r.kept(row, def, head); err != nil {
			return false, err
		}
	}
	if a.Op != store.OpNone {
		if a.Revision, err = r.l.NextRevision(a.Unit, a.Register); err != nil {
			return false, err
		}
	}
	switch a.Decision {
	case record.Withdrawn:
		row.Revision = 0
	case record.Approved:
		row.Revision = a.Revision
	}
	a.Hash = next.hash(h)
	if err := r.l.AppendApproval(&a); err != nil {
		return false, err
	}
	h.decisions = append(h.decisions, a)
	return true, audit.Append(r.tx, r.s.cfg.Store.Now(), audit.Entry{Action: "review.reinstate", Unit: a.Unit, Subject: a.Record.String(),
		Detail: map[string]string{"seq": strconv.FormatUint(a.Seq, 10), "revision": strconv.FormatUint(a.Revision, 10)}})
}

// kept returns the id of the record that stays, where the deleted one was the same.
func (r *reinstatement) kept(row *ledger.Row, def *register.Definition, head conflict.Record) (string, error) {
	beside, done, err := r.s.indexes.of(row.Unit, def).beside(r.l, row.ID)
	if err != nil {
		return "", err
	}
	defer done()
	id, err := beside.kept(head)
	if err != nil || id.IsZero() {
		return "", err
	}
	return id.String(), nil
}

// restate writes the last decision into the review field again if that names
// another revision than the hub will get, or holds several decisions beside each
// other. The person, the time and all else stay as they were.
func (r *reinstatement) restate(row *ledger.Row, field conflict.Field, last *returned) error {
	if field.Len() > 1 || last.Revision != row.Revision {
		v := last.Review
		v.Revision = row.Revision
		_, grew, err := r.s.cfg.Ledger.Write(r.l, row.Unit, v.By, []record.Edit{{Record: row.ID, Register: row.Register, Definition: last.origin.Definition,
			Writes: []record.Write{{Key: last.key, Context: field.Vector(), Value: v.Value()}}}})
		if err != nil {
			return err
		}
		r.grew = append(r.grew, grew...)
	}
	now, _, err := r.l.Record(row.ID)
	if err != nil || now.Revision == row.Revision {
		return err
	}
	now.Revision = row.Revision
	return r.l.PutRecord(&now)
}
