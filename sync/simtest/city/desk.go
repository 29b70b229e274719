package city

import (
	"context"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/review"
	"wardbook/sync/register"
)

// supervisor is somebody at the desk, with what they looked at and have before them.
type supervisor struct {
	w       *world
	person  *person
	p       auth.Principal
	screen  *review.Record  // one record
	queue   []review.Record // those at the head of the queue, as they were
	flagged map[string]bool // of them, those that the queue said a batch would take
}

// seat returns the context of the supervisor's calls.
func (k *supervisor) seat() context.Context { return auth.NewContext(ctx, k.p) }

// work runs what somebody does at the desk, mostly on the screen that they have had
// before them for a while.
func (k *supervisor) work(op Op, bits uint32) {
	k.w.login(&k.p) // anew, if the account was closed and opened again
	if op == opLook || k.screen == nil && op != opAside && op != opArrived && op != opBatch || bits>>13&7 == 0 {
		k.look(bits)
	}
	switch op {
	case opAside:
		k.aside(bits)
		return
	case opArrived:
		k.arrived(bits)
		return
	case opBatch:
		k.batch(bits)
		return
	case opErase:
		k.erase(bits)
		return
	}
	if k.screen == nil {
		return
	}
	switch op {
	case opApprove:
		k.approve(nil, bits)
	case opSome:
		k.approve(k.some(bits), bits)
	case opReturn:
		k.returned(bits)
	case opRefuse:
		k.refuse(nil)
	case opRefuse1:
		k.refuse(k.some(bits))
	case opChoose:
		k.choose(bits)
	case opWithdraw:
		k.withdraw(bits)
	case opAssign:
		k.assign(bits)
	}
}

// some names one field of the screen, mostly one that waits.
func (k *supervisor) some(bits uint32) []string {
	var waiting []string
	for _, f := range k.screen.Fields {
		if f.Waiting {
			waiting = append(waiting, f.Name)
		}
	}
	if k.screen.Life.Waiting {
		waiting = append(waiting, "life")
	}
	if len(waiting) == 0 || bits&15 == 15 {
		names := k.w.fieldNames()
		return []string{names[int(bits>>4)%len(names)]}
	}
	return []string{waiting[int(bits>>4)%len(waiting)]}
}

// look looks at the queue and at a record, of the queue or of any that there is.
func (k *supervisor) look(bits uint32) {
	w := k.w
	var out review.QueueResponse
	err := w.server.do(func() (err error) {
		out, err = w.server.desk.Queue(k.seat(), review.QueueRequest{Limit: 8})
		return err
	})
	if w.refused("look at the queue", err) || err != nil {
		return
	}
	k.queue, k.flagged = nil, map[string]bool{}
	for _, it := range out.Items {
		if r, ok := k.see(it.ID); ok {
			if r.Digest != it.Digest {
				w.fail(oracleBound, "the queue shows %s under the digest %.8s, the record %.8s", it.ID, it.Digest, r.Digest)
			}
			k.queue, k.flagged[it.ID] = append(k.queue, r), it.Group == "clean"
		}
	}
	k.screen = nil
	switch {
	case len(k.queue) > 0 && bits&3 != 0:
		r := k.queue[int(bits>>2)%len(k.queue)]
		k.screen = &r
	case len(w.ids) > 0:
		if r, ok := k.see(w.ids[int(bits>>2)%len(w.ids)].String()); ok {
			k.screen = &r
		}
	}
	w.logf("  %s sees %d in the queue", k.person.name, len(k.queue))
}

// see looks at one record.
func (k *supervisor) see(id string) (review.Record, bool) {
	w := k.w
	var r review.Record
	err := w.server.do(func() (err error) { r, err = w.server.desk.Record(k.seat(), review.RecordRequest{ID: id}); return err })
	if w.refused("look at a record", err) || err != nil {
		return r, false
	}
	w.checkScreen(k, &r)
	return r, true
}

// decide runs a decision about one record and has the oracles look at what it did.
// seen is the screen that it was made on.
func (k *supervisor) decide(what string, seen *review.Record, do func() error, check func(before, after standing)) {
	w := k.w
	id := mustDot(seen.ID)
	before := w.standing(id)
	err := w.server.do(do)
	after := w.standing(id)
	w.logf("  %s: %s %s: %v", k.person.name, what, short(seen.ID), err)
	refused := w.refused(what, err)
	switch n := after.seq - before.seq; {
	case n == 0:
		if !after.same(before) {
			w.fail(oracleBound, "%s of %s: what stands approved changed without a decision", what, seen.ID)
		}
		return
	case n > 1 || refused:
		w.fail(oracleBound, "%s of %s left %d decisions and answered %v", what, seen.ID, n, err)
	case after.row.By != k.person.name:
		w.fail(oracleAuthor, "%s of %s is kept as of %s, not of %s", what, seen.ID, after.row.By, k.person.name)
	}
	check(before, after)
	w.know(id, after)
}

// approved checks that an approval approved what the screen showed, and nothing else.
func (k *supervisor) approved(seen *review.Record, asked []string, batch bool) func(before, after standing) {
	return func(_, after standing) {
		w := k.w
		want := onScreen(seen)
		for _, name := range after.row.Fields {
			if asked != nil && !slices.Contains(asked, name) {
				w.fail(oracleBound, "asked for %v of %s, field %s was approved", asked, seen.ID, name)
			}
			if name == "life" {
				want.deleted = seen.Life.State == conflict.Deleted.String()
				continue
			}
			f := fieldOf(seen, name)
			if f == nil {
				w.fail(oracleBound, "field %s of %s was approved and not shown", name, seen.ID)
				return
			}
			want.set(name, merged(f))
			if slices.Contains(f.Authors, k.person.name) {
				w.fail(oracleAuthor, "%s approved field %s of %s, which they wrote", k.person.name, name, seen.ID)
			}
			if !f.Submitted {
				w.fail(oracleBound, "field %s of %s was approved and not handed in", name, seen.ID)
			}
			if batch && (f.HighRisk || f.Conflict) {
				w.fail(oracleBatch, "a batch approved field %s of %s: high risk %v, in conflict %v", name, seen.ID, f.HighRisk, f.Conflict)
			}
		}
		if !after.sameContent(want) {
			w.fail(oracleBound, "%s approved %v of %s: stands %v, the screen showed %v", k.person.name, after.row.Fields, seen.ID, after, want)
		}
	}
}

func (k *supervisor) approve(fields []string, bits uint32) {
	seen := k.screen
	req := review.ApproveRequest{ID: seen.ID, Digest: seen.Digest, Fields: fields, AcceptWarnings: bits&16 == 0}
	k.decide("approve", seen, func() error {
		seat, req := k.w.bugApprove(k, req)
		_, err := k.w.server.desk.Approve(seat, req)
		return err
	}, k.approved(seen, fields, false))
	k.screen = nil
}

func (k *supervisor) batch(bits uint32) {
	w := k.w
	var list []review.Record
	var req review.BatchRequest
	for i, r := range k.queue {
		if k.flagged[r.ID] || bits>>i&1 == 0 {
			list = append(list, r)
			req.Records = append(req.Records, review.BatchRecord{ID: r.ID, Digest: r.Digest})
		}
	}
	if len(list) == 0 {
		return
	}
	before := map[string]standing{}
	for _, r := range list {
		before[r.ID] = w.standing(mustDot(r.ID))
	}
	var out review.BatchResponse
	err := w.server.do(func() (err error) {
		if out, err = w.server.desk.Batch(k.seat(), req); err == nil {
			w.bugBatch(k, &out, list)
		}
		return err
	})
	w.refused("batch", err)
	w.logf("  %s: batch of %d: %d approved, %v, %v", k.person.name, len(list), len(out.Approved), out.Left, err)
	told := map[string]bool{}
	for _, a := range out.Approved {
		told[a.ID] = true
	}
	for i := range list {
		r := &list[i]
		after := w.standing(mustDot(r.ID))
		n := after.seq - before[r.ID].seq
		if n > 1 || err == nil && (n == 1) != told[r.ID] {
			w.fail(oracleBatch, "the batch left %d decisions on %s and says that it approved it: %v", n, r.ID, told[r.ID])
		}
		if n == 1 {
			k.approved(r, nil, true)(before[r.ID], after)
			w.know(mustDot(r.ID), after)
		}
	}
	k.queue = nil
}

func (k *supervisor) returned(bits uint32) {
	seen := k.screen
	k.decide("return", seen, func() error {
		_, err := k.w.server.desk.Return(k.seat(), review.ReturnRequest{ID: seen.ID, Digest: seen.Digest, Fields: k.some(bits), Comment: "?"})
		return err
	}, k.unchanged(seen, "return"))
	k.screen = nil
}

// unchanged checks that a decision left what stands approved as it was.
func (k *supervisor) unchanged(seen *review.Record, what string) func(before, after standing) {
	return func(before, after standing) {
		if !after.sameContent(before) {
			k.w.fail(oracleBound, "%s of %s changed what stands approved from %v to %v", what, seen.ID, before, after)
		}
	}
}

func (k *supervisor) refuse(fields []string) {
	seen := k.screen
	w := k.w
	id := mustDot(seen.ID)
	k.decide("refuse", seen, func() error {
		undo := w.bugBeforeRefusal(id)
		_, err := w.server.desk.Refuse(k.seat(), review.RefuseRequest{ID: seen.ID, Digest: seen.Digest, Fields: fields, Reason: "no"})
		if err == nil {
			undo()
		}
		return err
	}, func(before, after standing) {
		whole := !before.any && after.deleted
		for name, v := range after.values {
			if before.values[name] != v {
				w.fail(oracleBound, "the refusal of %s approved %s=%q", seen.ID, name, v)
			}
		}
		if len(after.values) != len(before.values) || after.deleted != before.deleted && !whole {
			w.fail(oracleBound, "the refusal of %s changed what stands approved from %v to %v", seen.ID, before, after)
		}
		if whole {
			return
		}
		head := w.server.state(id)
		for _, name := range after.row.Fields {
			if f := cards.FieldByName(name); f != nil {
				if got := shownOf(f, head); got != after.values[name] {
					w.fail(oracleRefused, "field %s of %s was refused and shows %q, approved is %q", name, seen.ID, got, after.values[name])
				}
			}
		}
	})
	k.screen = nil
}

// choose settles the first field of the screen that is in conflict.
func (k *supervisor) choose(bits uint32) {
	seen := k.screen
	req := review.SettleRequest{ID: seen.ID, Digest: seen.Digest}
	if seen.Kind == "edited_and_deleted" {
		life := []string{"alive", "deleted"}[bits&1]
		req.Field, req.Value = "life", &life
	} else {
		for i := range seen.Fields {
			f := &seen.Fields[i]
			if !f.Conflict || len(f.Siblings) == 0 {
				continue
			}
			req.Field = f.Name
			if n := int(bits>>1) % (len(f.Siblings) + 1); n < len(f.Siblings) && f.Policy != string(conflict.Union) {
				req.Dot = f.Siblings[n].Dot
			} else {
				v := k.w.typedOnce(f.Name)
				req.Value = &v
			}
			break
		}
	}
	if req.Field == "" {
		return
	}
	k.decide("settle", seen, func() error {
		r, err := k.w.server.desk.Settle(k.seat(), req)
		if err == nil {
			k.w.bugSettled(k, &r)
		}
		return err
	}, k.unchanged(seen, "settling"))
	k.screen = nil
}

func (k *supervisor) withdraw(bits uint32) {
	seen := k.screen
	req := review.WithdrawRequest{ID: seen.ID, Reason: "no"}
	if bits&1 == 0 {
		req.Digest = seen.Digest
	}
	k.decide("withdraw", seen, func() error { _, err := k.w.server.desk.Withdraw(k.seat(), req); return err }, func(_, after standing) {
		if after.any {
			k.w.fail(oracleBound, "%s was withdrawn and stands approved: %v", seen.ID, after)
		}
	})
	k.screen = nil
}

// assign sends the record on the screen to another unit.
func (k *supervisor) assign(bits uint32) {
	w, seen := k.w, k.screen
	before := w.standing(mustDot(seen.ID))
	unit := w.someUnit(bits)
	err := w.server.do(func() error {
		_, err := w.server.desk.Move(k.seat(), review.MoveRequest{Records: []string{seen.ID}, To: unit, Reason: "assigned"})
		return err
	})
	w.refused("assign", err)
	w.logf("  %s: %s to %s: %v", k.person.name, short(seen.ID), unit, err)
	if after := w.standing(mustDot(seen.ID)); !after.sameContent(before) {
		w.fail(oracleBound, "the move of %s changed what stands approved from %v to %v", seen.ID, before, after)
	}
	k.screen = nil
}

// arrived accepts or gives back what came from another unit.
func (k *supervisor) arrived(bits uint32) {
	w := k.w
	var out review.ArrivalsResponse
	err := w.server.do(func() (err error) { out, err = w.server.desk.Arrivals(k.seat(), review.ArrivalsRequest{}); return err })
	if w.refused("look at arrivals", err) || err != nil || len(out.Items) == 0 {
		return
	}
	unit := w.server.account(k.person.id).Unit
	var ids []string
	for i, a := range out.Items {
		if row := w.server.row(mustDot(a.ID)); row.Unit != unit {
			w.fail(oracleWard, "%s of %s is shown that %s arrived, which is in %s", k.person.name, unit, a.ID, row.Unit)
		}
		if bits>>i&1 == 1 || len(ids) == 0 {
			ids = append(ids, a.ID)
		}
	}
	err = w.server.do(func() (err error) {
		if bits>>8&1 == 0 {
			_, err = w.server.desk.Accept(k.seat(), review.AcceptRequest{Records: ids})
		} else {
			_, err = w.server.desk.GiveBack(k.seat(), review.GiveBackRequest{Records: ids, Reason: "not ours"})
		}
		return err
	})
	w.refused("answer an arrival", err)
	w.logf("  %s: arrivals %d: %v", k.person.name, len(ids), err)
}

// aside looks at the quarantine, and releases or rejects.
func (k *supervisor) aside(bits uint32) {
	w := k.w
	var out review.QuarantineResponse
	err := w.server.do(func() (err error) {
		out, err = w.server.desk.Quarantine(k.seat(), review.QuarantineRequest{})
		return err
	})
	if w.refused("look at the quarantine", err) || err != nil || len(out.Items) == 0 {
		return
	}
	it := out.Items[int(bits)%len(out.Items)]
	var done review.SettleAsideResponse
	err = w.server.do(func() (err error) {
		req := review.SettleAsideRequest{ID: it.ID, Reason: "looked at"}
		if it.Releasable && bits>>8&3 != 0 {
			done, err = w.server.desk.Release(k.seat(), req)
		} else {
			done, err = w.server.desk.Reject(k.seat(), req)
		}
		return err
	})
	w.refused("settle what is in quarantine", err)
	w.logf("  %s: %s of %s (%s): %s, %v", k.person.name, short(it.ID), it.Author, it.Code, done.Settled, err)
	if it.Code == "brake" && err == nil && done.Settled == "released" {
		w.forgive(it.Author)
	}
	if err == nil && it.Author == k.person.name && done.Settled == "released" {
		w.fail(oracleAuthor, "%s released their own changeset %s", k.person.name, it.ID)
	}
}

func fieldOf(r *review.Record, name string) *review.Field {
	for i := range r.Fields {
		if r.Fields[i].Name == name {
			return &r.Fields[i]
		}
	}
	return nil
}

// merged is what the screen showed of a field.
func merged(f *review.Field) string {
	if f.Merged == nil {
		return ""
	}
	return canonicalValue(f.Name, f.Merged.Value)
}

// canonicalValue is a value as the oracles compare it: the elements of a union in order.
func canonicalValue(name, value string) string {
	if f := cards.FieldByName(name); f != nil && f.Policy == conflict.Union {
		list := register.Elements(conflict.Value(value))
		slices.Sort(list)
		return strings.Join(list, ",")
	}
	return value
}

func shownOf(f *register.Field, r conflict.Record) string {
	if f.Policy == conflict.Union {
		return canonicalValue(f.Name, string(register.JoinElements(r.Union(f.ID))))
	}
	return string(r.Field(conflict.Key(f.ID)).View(f.Policy, register.ViewRules(f)).Shown.Value)
}

func mustDot(text string) conflict.RecordID {
	d, err := conflict.ParseDot(text)
	if err != nil {
		panic(err)
	}
	return d
}

// short is the end of an id, for transcripts.
func short(id string) string { return id[max(0, len(id)-10):] }
