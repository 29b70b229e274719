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

// This file is about records that are erased by law: the list of them stands
// outside of the server's database and survives its restores, and whatever holds
// one of them is to hold nothing of it at rest.

// erase lets the record that the bits choose be erased. Between the line of the
// list and the transaction the server may die.
func (v *server) erase(bits uint32) {
	row, _, ok := v.choose(bits)
	if !ok || v.w.listed(row.ID) {
		return
	}
	v.w.erasures = append(v.w.erasures, row.ID)
	v.w.logf("  %v is erased", row.ID)
	if !v.burn() {
		v.applyErasures()
	}
}

// applyErasures does what the list says and the database does not know: behind
// each line, and before a server that was begun or restored serves anybody.
func (v *server) applyErasures() {
	for n := v.erasedThrough(); n < len(v.w.erasures); n++ {
		var marks []protocol.StreamMark
		err := v.update(func(t ledger.Tables) (err error) {
			e := ledger.Erasure{Number: uint64(n + 1), Record: v.w.erasures[n], At: v.now()}
			if v.w.bug == ErasureForgotten && v.w.restored {
				return t.PutErasure(&e)
			}
			_, marks, err = v.led.Erase(t, e)
			return err
		})
		if err != nil {
			v.w.fail(oracleEffects, "server: "+err.Error())
			return
		}
		v.grew(marks)
		for _, s := range v.ends {
			s.inbox = append(s.inbox, session.ErasedMore{Now: v.now()})
		}
	}
}

func (v *server) erasedThrough() int {
	if all := v.db.Erasures(); len(all) > 0 {
		return int(all[len(all)-1].Number)
	}
	return 0
}

// erasures answers LoadErasures.
func (v *server) erasures(s *serverEnd, e session.LoadErasures) {
	var next session.ErasuresLoaded
	err := v.update(func(t ledger.Tables) (err error) {
		if err = v.led.LetGo(t, s.replica, e.Known); err == nil {
			next.Erased, err = v.led.Erased(t, e.After)
		}
		return err
	})
	next.Now = v.now()
	v.answer(s, next, err)
}

// listed reports whether a record was erased, be it that the server has yet to do it.
func (w *world) listed(id conflict.RecordID) bool { return slices.Contains(w.erasures, id) }

// erased notes what a transaction erased.
func (t *watched) PutErasure(e *ledger.Erasure) error {
	t.erased = append(t.erased, e.Record)
	return t.Tables.PutErasure(e)
}

// blanked notes of which changesets it took something out.
func (t *watched) PutBlanked(in *ledger.Intake) error {
	t.blanked = append(t.blanked, *in)
	return t.Tables.PutBlanked(in)
}

// erasing follows an erasure: the record has no home any more, and its changesets
// are no model's business.
func (v *server) erasing(t *watched) {
	for _, id := range t.erased {
		delete(v.life.homes, id)
	}
	for i := range t.blanked {
		if c, err := record.ParseOwn(t.blanked[i].Bytes); err == nil {
			v.w.goes(c.At)
		}
	}
}

// goes notes that a changeset is of an erased record. Here each is of one record.
func (w *world) goes(at int64) {
	if n, ok := w.truth.number(at); ok {
		w.gone = w.gone.with(n)
	}
}

// blanks follows what a device takes out of its outbox. What it made under the id of
// a record that was erased is that record only if the server was handed the same: a
// copy of its store may have used the id for another.
func (d *device) blanks(b *replica.Batch) {
	for i := range b.Blank {
		e := &b.Blank[i]
		for j, edit := range e.Changeset.Edits {
			if hash, ok := d.w.ever[e.Changeset.Dot]; ok && hash != e.Hash && e.Changeset.Creates(j) && d.w.listed(edit.Record) && !d.w.restored {
				d.w.fail(oracleErased, fmt.Sprintf("device %d takes out what it made as %v, but another record of that id was erased", d.no, edit.Record))
			}
		}
		d.w.goes(e.Changeset.At)
	}
}

// checkErased: nothing is left of an erased record, at the server or on any device.
func (w *world) checkErased() {
	if len(w.erasures) == 0 {
		return
	}
	v := w.server
	if n := v.erasedThrough(); n != len(w.erasures) {
		w.fail(oracleErased, fmt.Sprintf("%d records were to be erased, the server did it to %d", len(w.erasures), n))
		return
	}
	for _, id := range w.erasures {
		if v.db.Row(id) != nil {
			w.fail(oracleErased, fmt.Sprintf("the server holds record %v", id))
		}
	}
	for _, r := range v.db.Replicas() {
		for _, in := range v.db.Intakes(r.No) {
			w.checkBlank("the server", in.Bytes)
		}
	}
	v.db.GivenBack(func(g *ledger.GivenBack) bool {
		w.checkBlank("the server, given back,", g.Bytes)
		return w.violation == nil
	})
	for _, d := range w.devices {
		d.checkErased()
	}
}

// checkBlank looks for values of erased records in a changeset.
func (w *world) checkBlank(who string, body []byte) {
	c, err := record.ParseOwn(body)
	if err != nil {
		return
	}
	for _, e := range c.Edits {
		if !w.listed(e.Record) {
			continue
		}
		for _, wr := range e.Writes {
			if wr.Value != "" {
				w.fail(oracleErased, fmt.Sprintf("%s holds %q of record %v in changeset %v", who, wr.Value, e.Record, c.Dot))
			}
		}
	}
}

func (d *device) checkErased() {
	who := fmt.Sprintf("device %d", d.no)
	for _, id := range d.w.erasures {
		if h, ok := d.mem.Holding(id); ok {
			d.w.fail(oracleErased, fmt.Sprintf("%s holds record %v: %d fields, %d entries", who, id, h.Base.Len(), len(h.Entries)))
		}
	}
	for e := range d.mem.EachEntry {
		d.w.checkBlank(who, record.AppendChangeset(nil, e.Changeset))
		for _, x := range e.Replaced {
			at := slices.IndexFunc(e.Changeset.Edits, func(edit record.Edit) bool { return d.w.listed(edit.Record) })
			if at >= 0 && len(e.Changeset.Edits) == 1 {
				d.w.fail(oracleErased, fmt.Sprintf("%s holds %q, which changeset %v of an erased record replaced", who, x.Value, e.Changeset.Dot))
			}
		}
	}
	drafts, err := d.mem.Drafts(ctx)
	if err != nil {
		d.w.fail(oracleEffects, err.Error())
	}
	for _, f := range drafts {
		if d.w.listed(f.Record) {
			d.w.fail(oracleErased, fmt.Sprintf("%s holds a form of record %v", who, f.Record))
		}
	}
	pages, err := d.mem.Pages(ctx, 0, 1<<30)
	if err != nil {
		d.w.fail(oracleEffects, err.Error())
	}
	for i := range pages {
		m, err := protocol.Decode(pages[i].Body)
		if err != nil || pages[i].Epoch != d.meta.Epoch { // one of another life goes with the next backup
			continue
		}
		p, ok := m.(*protocol.Page)
		if ok && slices.ContainsFunc(p.Records, func(x protocol.RecordDelta) bool { return !x.Left && d.w.listed(x.Record) }) {
			d.w.fail(oracleErased, fmt.Sprintf("%s keeps page %d of %v, which shows an erased record", who, pages[i].No, p.Stream))
		}
	}
}

// alone reports whether no other changeset than n was ever lost under a dot: then
// another hash under it is of what is left of n.
func (w *world) alone(dot conflict.Dot, n int) bool {
	for m, dots := range w.ghosts {
		if m != n && slices.Contains(dots, dot) {
			return false
		}
	}
	return true
}
