package simtest

import (
	"fmt"
	"slices"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// This file is about what changes around people while they work: which unit an
// officer is in, whether a device may speak at all, where a record lives, what a
// register's definition says, what is erased, and a changeset that no server can
// accept.

// change does one of these.
func (w *world) change(d *device, s Step) {
	switch s.Op {
	case opTransfer:
		w.transfer(d.account)
	case opRevoke:
		d.account.revoked, d.account.barred = !d.account.revoked, true
		w.dismiss(d.account)
	case opSend:
		w.server.send(s.B)
	case opDefine:
		if w.version < len(w.defs) {
			w.version++
		}
	case opPoison:
		d.poison = true
	case opErase:
		w.server.erase(s.B)
	}
}

// transfer puts an officer into the other unit, with whatever is not sent yet:
// what the device made before it could know is judged by the rights of then.
// Who is connected is told to come again; a device hears of its new unit when it
// next signs in, and works for the old one until then.
func (w *world) transfer(a *account) {
	a.barred = true
	a.past = append(slices.Clip(a.past), a.unit)
	err := w.server.db.Update(func(t ledger.Tables) error {
		return t.EndRights(a.name, &ledger.Rights{Unit: a.unit, Sensitive: a.sensitive, EndedAt: w.server.now()})
	})
	if err != nil {
		w.fail(oracleEffects, "server: "+err.Error())
	}
	a.unit = map[string]string{unitA: unitB, unitB: unitA}[a.unit]
	w.logf("  %s is of unit %s now", a.name, a.unit)
	w.dismiss(a)
}

func (w *world) dismiss(a *account) {
	for _, s := range w.server.ends {
		if s.account == a {
			s.inbox = append(s.inbox, session.Dismiss{Now: w.server.now(), Error: &protocol.Error{Code: protocol.Superseded}})
		}
	}
}

// signIn tells the device who its officer is now, as a renewed token does.
func (d *device) signIn() {
	signed := d.unit() == d.account.unit
	for s := range d.streams {
		signed = signed && (s.Unit == d.account.unit || d.streams[s].Withdrawn)
	}
	if signed {
		return
	}
	who := replica.Account{Name: d.account.name, Role: "officer", Unit: d.account.unit}
	err := d.rep.SetSession(ctx, who, nil)
	if err == nil {
		err = d.rep.SetScopes(ctx, d.account.scopes())
	}
	switch {
	case d.fuse < 0:
		d.crash()
	case err != nil:
		d.w.fail(oracleEffects, fmt.Sprintf("device %d: %v", d.no, err))
	default:
		d.host.Refresh()
	}
}

// send lets the record that the bits choose live in the other unit, or has its
// unit accept it.
func (v *server) send(bits uint32) {
	row, state, ok := v.choose(bits)
	if !ok {
		return
	}
	home := record.Home{Unit: row.Unit, Accepted: true}
	if bits&(1<<14) != 0 || !record.Arrived(state.record) {
		home = record.Home{Unit: map[string]string{unitA: unitB, unitB: unitA}[row.Unit], From: row.Unit}
	}
	k := conflict.Key(conflict.FieldHome)
	c := record.Changeset{At: v.now(), Edits: []record.Edit{{Record: row.ID, Writes: []record.Write{{Key: k, Value: home.Value()}}}}}
	v.own(&c, state.record, func(t ledger.Tables) (marks []protocol.StreamMark, err error) {
		_, marks, err = v.led.Send(t, row.Unit, "supervisor", []conflict.RecordID{row.ID}, home)
		return marks, err
	})
}

// choose returns one of the records.
func (v *server) choose(bits uint32) (*ledger.Row, parsed, bool) {
	var rows []*ledger.Row
	v.db.Rows(func(r *ledger.Row) bool { rows = append(rows, r); return true })
	if len(rows) == 0 {
		return nil, parsed{}, false
	}
	row := rows[int(bits)%len(rows)]
	state, err := v.w.state(row)
	return row, state, err == nil
}

// own makes a changeset of the server's own, by a supervisor who has the whole
// record before his eyes.
func (v *server) own(c *record.Changeset, head conflict.Record, write func(ledger.Tables) ([]protocol.StreamMark, error)) {
	screen, err := v.w.truth.screen(head)
	if err != nil {
		v.w.fail(oracleOrigin, "server: "+err.Error())
		return
	}
	v.w.truth.sets[v.w.truth.add(c, "supervisor", screen, set{})].reported = true
	var marks []protocol.StreamMark
	err = v.update(func(t ledger.Tables) (err error) {
		marks, err = write(v.w.bugTables(t, nil, nil))
		return err
	})
	if err != nil {
		v.w.fail(oracleEffects, "server: "+err.Error())
		return
	}
	v.grew(marks)
}

// phantom is a replica that nobody ever had.
var phantom = conflict.ReplicaID{15: 1}

// poisoned makes of a save what only a broken device would make: it claims to
// have seen what was never written. The person is told that it was saved.
func (d *device) poisoned(b *replica.Batch) *replica.Batch {
	if !d.poison || !d.saving || len(b.Append) == 0 {
		return b
	}
	d.poison = false
	c := *b
	c.Append = slices.Clone(b.Append)
	e := &c.Append[0]
	e.Changeset.Edits = slices.Clone(e.Changeset.Edits)
	writes := slices.Clone(e.Changeset.Edits[0].Writes)
	writes[0].Context = writes[0].Context.With(conflict.Dot{Replica: phantom, Counter: 7})
	e.Changeset.Edits[0].Writes = writes
	e.Hash = e.Changeset.Hash()
	return &c
}

// isPoison reports whether a changeset claims to have seen what was never
// written: it was poisoned, or builds on one that was.
func isPoison(c *record.Changeset) bool {
	return slices.ContainsFunc(c.Edits, func(e record.Edit) bool {
		return slices.ContainsFunc(e.Writes, func(w record.Write) bool { return w.Context.Counter(phantom) > 0 })
	})
}
