package review

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/store"
	"wardbook/sync/record"
)

// act is what a decision does to a record.
type act struct {
	decision record.Decision
	fields   []string // names, for people
	comment  string
	question bool // the decision asks something
	accepted bool // warnings without a reason were accepted

	// approve lists fields whose current siblings stand approved from now on.
	approve []conflict.FieldKey
	// writes are values written at the desk, with the context of what stands.
	writes map[conflict.FieldKey]conflict.Value
	// back tells that the writes restore what was approved, and so join it.
	back bool
	// hand submits these dots for the officers' side, beside the writes.
	hand []conflict.Dot
	// none takes every approval back.
	none bool
}

// plan turns an act into the writes of one edit, the version that stands approved
// after it, and the dots that the writes will have.
func (k *desk) plan(d *dossier, a act) (writes []record.Write, next Version, at map[conflict.FieldKey]conflict.Dot, err error) {
	epoch, err := k.l.Epoch()
	if err != nil {
		return nil, next, nil, err
	}
	for key, value := range a.writes {
		writes = append(writes, record.Write{Key: key, Context: d.head.Field(key).Vector(), Value: value})
	}
	submits := len(a.hand) > 0 || len(a.writes) > 0 && !a.back
	if submits {
		writes = append(writes, record.Write{Key: conflict.Key(conflict.FieldSubmission)})
	}
	if a.decision != store.Settled {
		writes = append(writes, record.Write{Key: conflict.Key(conflict.FieldReview), Context: d.head.Field(conflict.Key(conflict.FieldReview)).Vector()})
	}
	slices.SortFunc(writes, func(x, y record.Write) int { return x.Key.Compare(y.Key) })
	at = make(map[conflict.FieldKey]conflict.Dot, len(writes))
	for i := range writes {
		at[writes[i].Key] = conflict.Dot{Replica: epoch.Server, Counter: epoch.Counter + 1 + uint64(i)}
	}
	if submits {
		hand := slices.Clone(a.hand)
		for key := range a.writes {
			hand = append(hand, at[key])
		}
		i := slices.IndexFunc(writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldSubmission })
		writes[i].Context, writes[i].Value = deskSubmission(d.head, epoch.Server, hand)
	}

	next = Version{Record: d.row.ID, Register: d.row.Register, Unit: d.row.Unit, Definition: d.def.Version, Fields: map[conflict.FieldKey]Approved{}}
	if !a.none {
		maps.Copy(next.Fields, d.version.Fields)
	}
	for _, key := range a.approve {
		f := d.head.Field(key)
		dots := make([]conflict.Dot, f.Len())
		for i := range dots {
			dots[i] = f.At(i).Dot
		}
		next.Fields[key] = Approved{Value: d.view(key).Shown.Value, Dots: dots}
	}
	if a.back {
		for key, value := range a.writes {
			next.Fields[key] = Approved{Value: value, Dots: []conflict.Dot{at[key]}}
		}
	}
	next.Deleted = isDeletion(next.Fields[conflict.Key(conflict.FieldLife)].Value)
	return writes, next, at, nil
}

// deskSubmission is what the desk hands in itself: values settled there, and
// approvals taken back. It stands beside the officers' submissions, not in their
// place, so that it answers no question of theirs.
func deskSubmission(head conflict.Record, server conflict.ReplicaID, hand []conflict.Dot) (conflict.Vector, conflict.Value) {
	var context conflict.Vector
	s := record.Submission{Covers: conflict.NewVector(hand...)}
	for _, sib := range head.Field(conflict.Key(conflict.FieldSubmission)).Siblings() {
		if sib.Dot.Replica != server {
			continue
		}
		context = context.With(sib.Dot)
		if old, err := record.ParseSubmission(sib.Value); err == nil {
			s.Covers = s.Covers.Join(old.Covers)
		}
	}
	return context, s.Value()
}

// publication says what the hub learns when next stands approved after a.
func (d *dossier) publication(a act, next Version, complete bool) store.Op {
	told := d.history.published()
	switch {
	case a.none && told == store.OpUpsert:
		return store.OpRetract
	case a.decision != record.Approved:
		return store.OpNone
	case next.Deleted && told == store.OpUpsert:
		return store.OpDelete
	case next.Deleted || !complete:
		return store.OpNone
	}
	return store.OpUpsert
}

// perform carries an act out and returns its row. The caller has judged it.
func (k *desk) perform(d *dossier, a act) (store.Approval, error) {
	writes, next, at, err := k.plan(d, a)
	if err != nil {
		return store.Approval{}, err
	}
	last := d.history.last()
	row := store.Approval{Record: d.row.ID, Seq: last.Seq + 1, Register: d.row.Register, Unit: d.row.Unit,
		Op: d.publication(a, next, d.complete(next, k.now)), Decision: a.decision, Definition: d.def.Version, At: k.now.UnixMilli(), By: k.p.Name,
		Fields: a.fields, Comment: a.comment}
	row.Dots, row.Explicit = k.pin(d, next)
	if row.Op == store.OpDelete && !d.kept.IsZero() {
		row.Other = d.kept.String()
	}
	shown := d.row.Revision // the hub's revision that carries what is approved
	if row.Op != store.OpNone {
		if row.Revision, err = k.l.NextRevision(row.Unit, row.Register); err != nil {
			return row, err
		}
	}
	switch {
	case a.none:
		shown = 0
	case a.decision == record.Approved:
		shown = row.Revision
	}
	review := conflict.Key(conflict.FieldReview)
	if a.question {
		row.Question = at[review].String()
	}
	for i := range writes {
		if writes[i].Key == review {
			writes[i].Value = record.Review{Decision: a.decision, Dots: row.Dots, Revision: shown, Unit: d.row.Unit, Question: row.Question,
				Fields: a.fields, Comment: a.comment, By: row.By, At: row.At}.Value()
		}
	}
	c, grew, err := k.s.cfg.Ledger.Write(k.l, d.row.Unit, k.p.Name, []record.Edit{{
		Record: d.row.ID, Register: d.row.Register, Definition: d.def.Version, Writes: writes}})
	if err != nil {
		return row, err
	}
	if first := writes[0].Key; c.Dot != at[first] {
		return row, fmt.Errorf("record %v: the desk's write took dot %v, want %v", d.row.ID, c.Dot, at[first])
	}
	d.history.add(c, 0, k.now.UnixMilli())
	if err := k.seal(d, &row, next); err != nil {
		return row, err
	}
	if d.row, _, err = k.l.Record(d.row.ID); err != nil {
		return row, err
	}
	if d.row.Revision != shown {
		d.row.Revision = shown
		if err := k.l.PutRecord(&d.row); err != nil {
			return row, err
		}
	}
	k.tell(grew)
	return row, k.audit(a, row)
}

// pin names what next approves: its dots, and the values that the dots alone
// do not tell.
func (k *desk) pin(d *dossier, next Version) (record.DotSet, map[string]conflict.Value) {
	var all []conflict.Dot
	explicit := map[string]conflict.Value{}
	for key, f := range next.Fields {
		all = append(all, f.Dots...)
		if len(f.Dots) == 1 || key.ID == conflict.FieldLife {
			continue
		}
		for _, dot := range f.Dots {
			if w, ok := d.history.find(key, dot); ok && w.value != f.Value {
				explicit[key.String()] = f.Value
			}
		}
	}
	return record.NewDotSet(all...), explicit
}

// seal computes the row's hash from the history and appends it. It reads the
// version back as everybody will, and refuses to store a row that would not say
// what was decided.
func (k *desk) seal(d *dossier, row *store.Approval, next Version) error {
	got, err := d.history.version(*row)
	if err != nil {
		return err
	}
	if len(got.Fields) != len(next.Fields) || got.Deleted != next.Deleted {
		return fmt.Errorf("approval %d of %v: got %d fields, want %d", row.Seq, row.Record, len(got.Fields), len(next.Fields))
	}
	for key, want := range next.Fields {
		if f := got.Fields[key]; !sameValue(key, f.Value, want.Value) || !slices.Equal(f.Dots, want.Dots) {
			return fmt.Errorf("approval %d of %v: field %v does not read back as decided", row.Seq, row.Record, key)
		}
	}
	row.Hash = got.hash(d.history)
	return k.l.AppendApproval(row)
}

// audit writes the decision into the log: ids, codes and counts only.
func (k *desk) audit(a act, row store.Approval) error {
	detail := map[string]string{"seq": strconv.FormatUint(row.Seq, 10), "fields": strings.Join(row.Fields, ",")}
	if len(detail["fields"]) > 200 {
		detail["fields"] = strconv.Itoa(len(row.Fields))
	}
	if row.Revision > 0 {
		detail["revision"], detail["op"] = strconv.FormatUint(row.Revision, 10), string(row.Op)
	}
	if a.accepted {
		detail["warnings"] = "accepted"
	}
	verb := map[record.Decision]string{record.Approved: "approve", record.Returned: "return", record.Refused: "refuse",
		record.Withdrawn: "withdraw", store.Settled: "settle"}[row.Decision]
	if verb == "" {
		return errors.New("a decision without a name")
	}
	return audit.Append(k.tx, k.now, audit.Entry{Actor: k.p.Account, Device: k.p.Device, Action: "review." + verb,
		Unit: row.Unit, Subject: row.Record.String(), Detail: detail})
}
