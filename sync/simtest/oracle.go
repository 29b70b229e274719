package simtest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// The oracles, as reports name them. Each says what a violation of it means.
const (
	oracleEffects     = "effects"         // a store effect or a transaction failed that must not fail
	oracleOrigin      = "origin"          // a value is shown that nobody wrote
	oracleAck         = "acknowledgement" // acknowledged what is not durable, or not with that content, or with a gap
	oracleDot         = "dots"            // one dot with two contents
	oracleRedot       = "re-dotted"       // one changeset under two dots
	oracleState       = "one state"       // stored, and neither applied nor in quarantine with a reason
	oraclePositions   = "positions"       // feed positions with a gap, or a record that did not move with its position
	oracleCursor      = "cursor"          // a device's cursor is ahead of its data
	oracleReads       = "reads"           // what was shown is gone, though nobody who saw it replaced it
	oracleOwnWrites   = "own writes"      // what was saved is not shown
	oracleSynced      = "synced"          // said while it is not so
	oracleScreen      = "screen"          // a form shows what the record does not hold
	oracleTwice       = "saved twice"     // a form that was saved wrote again
	oracleRest        = "rest"            // the devices do not come to rest
	oracleLost        = "conservation"    // saved, on a device that survived, and not at the server
	oracleModel       = "model"           // the server's siblings are not those that the reference model says
	oracleConvergence = "convergence"     // a device and the server differ after everything was exchanged
	oracleHeads       = "heads"           // a device shows something else than the server said, with nothing pending
	oracleQuarantine  = "quarantine"      // author and server disagree on what is in quarantine
	oracleCodec       = "codec"           // a message cannot be read back
	oracleAuthority   = "authority"       // applied, though its author may not write that
	oracleErased      = "erased"          // something is left of a record that was erased by law
	oracleClocks      = "clocks"          // the same schedule ends otherwise when the devices' clocks are right
)

var oracles = []string{oracleEffects, oracleOrigin, oracleAck, oracleDot, oracleRedot, oracleState, oraclePositions, oracleCursor,
	oracleReads, oracleOwnWrites, oracleSynced, oracleScreen, oracleTwice, oracleRest, oracleLost, oracleModel, oracleConvergence,
	oracleHeads, oracleQuarantine, oracleCodec, oracleAuthority, oracleErased, oracleClocks}

// parsed is a record at rest, read.
type parsed struct {
	record    conflict.Record
	positions []uint64
}

// state reads a row; rows are immutable, so it is read once.
func (w *world) state(r *ledger.Row) (parsed, error) {
	if p, ok := w.states[r]; ok {
		return p, nil
	}
	var p parsed
	var err error
	p.record, p.positions, err = record.ParseState(r.State, r.ID)
	if err == nil {
		w.states[r] = p
	}
	return p, err
}

func (w *world) stateOf(r *ledger.Row) parsed {
	p, err := w.state(r)
	if err != nil {
		w.fail(oracleState, fmt.Sprintf("record %v cannot be read: %v", r.ID, err))
	}
	return p
}

// committed looks at a transaction of the server that is durable now.
func (v *server) committed(t *watched) {
	v.commits++
	v.erasing(t)
	applied := map[string]uint64{}
	moves := t.moves
	for i := range t.intake {
		moves = v.took(&t.intake[i], t, applied, moves)
	}
	given := v.tookBack(t, applied)
	for _, m := range moves {
		if given[m.From][m.Position] { // a write that was given back asked for it
			applied[m.To]++
			v.life.homes[m.Record], v.w.moved[m.Record] = m.To, true
			continue
		}
		// A page that was given back shows the record where it is not.
		applied[m.From]++
		if home := v.life.homes[m.Record]; home == m.From {
			v.w.fail(oraclePositions, fmt.Sprintf("unit %s is told that %v left, where it is", m.From, m.Record))
		}
	}
	for unit, p := range t.positions {
		if old := v.life.positions[unit]; p != old+applied[unit] {
			v.w.fail(oraclePositions, fmt.Sprintf("unit %s went from %d to %d with %d changesets", unit, old, p, applied[unit]))
		}
	}
	for unit, n := range applied {
		if n > 0 && t.positions[unit] == 0 {
			v.w.fail(oraclePositions, fmt.Sprintf("unit %s took %d changesets without a position", unit, n))
		}
	}
	for _, id := range t.rows {
		row := v.db.Row(id)
		if row == nil {
			v.w.fail(oracleState, fmt.Sprintf("record %v was written and is not there", id))
			continue
		}
		old, now := v.life.positions[row.Unit], t.positions[row.Unit]
		if p := max(row.Position, row.Sensitive); p <= old || p > now {
			v.w.fail(oraclePositions, fmt.Sprintf("record %v changed at %d, between %d and %d", id, p, old, now))
		}
		top := uint64(0)
		for _, p := range v.w.stateOf(row).positions {
			top = max(top, p)
		}
		if top > max(row.Position, row.Sensitive) {
			v.w.fail(oraclePositions, fmt.Sprintf("record %v holds a field at %d and says %d", id, top, max(row.Position, row.Sensitive)))
		}
	}
	for unit, p := range t.positions {
		v.life.positions[unit] = p
	}
}

// took looks at one stored changeset. It counts the positions that it takes, in
// the feed of the unit where the record lives and of that to which it sends it,
// and returns the moves that are left for those after it.
func (v *server) took(in *ledger.Intake, t *watched, applied map[string]uint64, moves []ledger.Move) []ledger.Move {
	c, err := record.ParseOwn(in.Bytes)
	if err != nil {
		v.w.fail(oracleState, "a stored changeset cannot be read: "+err.Error())
		return moves
	}
	n, ok := v.w.truth.number(c.At)
	if !ok {
		v.w.fail(oracleOrigin, fmt.Sprintf("changeset %v was never saved by anybody", c.Dot))
		return moves
	}
	if was, ok := v.life.stored[n]; ok && (v.w.shared.has(n) || v.w.again.has(n)) {
		v.w.twins = v.w.twins.with(n)
	} else if ok {
		v.w.fail(oracleRedot, fmt.Sprintf("changeset %d of %s is stored as %v and as %v", n, v.w.truth.sets[n].by, was, c.Dot))
	}
	for _, was := range v.w.ghosts[n] {
		switch {
		case was == c.Dot:
		case !v.w.observed[was] || v.w.shared.has(n) || v.w.again.has(n):
			v.w.twins = v.w.twins.with(n) // the other one may be given back
		default:
			v.w.fail(oracleRedot, fmt.Sprintf("changeset %d of %s was stored as %v before the restore and comes back as %v", n, v.w.truth.sets[n].by, was, c.Dot))
		}
	}
	aside := slices.IndexFunc(t.aside, func(q ledger.Quarantine) bool { return q.Replica == in.Replica && q.Counter == in.Counter })
	if aside < 0 {
		// One that is refused when it is given back still haunts whoever saw
		// it applied: a device's base only ever grows.
		if left := slices.DeleteFunc(v.w.ghosts[n], func(d conflict.Dot) bool { return d == c.Dot }); len(left) > 0 {
			v.w.ghosts[n] = left // its copy came back in its place
		} else {
			delete(v.w.ghosts, n)
		}
	}
	erased := v.db.Erased(c.Edits[0].Record)
	if erased {
		v.w.goes(c.At)
	}
	if was, ok := v.w.ever[c.Dot]; ok && was != in.Hash && !(erased && v.w.alone(c.Dot, n)) {
		if _, here := v.life.hashes[c.Dot]; !here && v.w.parted {
			v.w.excused = true // a store and the server both went back: nobody is left who could know
			return moves
		}
		v.w.fail(oracleDot, fmt.Sprintf("dot %v has two contents", c.Dot))
	}
	v.life.stored[n], v.life.hashes[c.Dot], v.w.ever[c.Dot] = c.Dot, in.Hash, in.Hash
	through := &v.life.through
	if next := (*through)[c.Dot.Replica] + 1; c.Dot.Counter != next {
		v.w.fail(oracleAck, fmt.Sprintf("changeset %v is stored, and what is before it only up to %d", c.Dot, next-1))
	}
	(*through)[c.Dot.Replica] = c.Last().Counter
	if aside >= 0 {
		if t.aside[aside].Code == protocol.OK {
			v.w.fail(oracleState, fmt.Sprintf("changeset %v is in quarantine for no reason", c.Dot))
		}
		switch code := t.aside[aside].Code; code {
		case protocol.Forbidden, protocol.Dependent, protocol.Partial, protocol.Revoked:
		default: // nobody here is hostile, and who makes malformed changesets is known
			if code == protocol.ContextAhead && isPoison(&c) || code == protocol.WrongUnit && v.w.moved[c.Edits[0].Record] {
				break
			}
			v.w.fail(oracleQuarantine, fmt.Sprintf("changeset %v of an honest device is refused: %v %s", c.Dot, code, t.aside[aside].Detail))
		}
		v.w.onceAside = v.w.onceAside.with(n)
		v.life.aside[n], v.life.asideDots[c.Dot] = t.aside[aside].Code, t.aside[aside].Code
		return moves
	}
	if erased {
		return moves // nothing of it is applied, whoever wrote it
	}
	if by := v.pushing; by != nil && (by.banned || by.revoked || c.Unit != by.unit && !slices.Contains(by.past, c.Unit) || c.Author != by.name || !by.sensitive && writesSensitive(&c)) {
		v.w.fail(oracleAuthority, fmt.Sprintf("changeset %v in unit %s is applied; %s is of %s, banned %v, revoked %v", c.Dot, c.Unit, by.name, by.unit, by.banned, by.revoked))
	}
	if isPoison(&c) && !v.w.restored {
		v.w.fail(oracleQuarantine, fmt.Sprintf("changeset %v claims to have seen what was never written, and is applied", c.Dot))
	}
	for i, e := range c.Edits {
		home, ok := v.life.homes[e.Record]
		if !ok {
			home = c.Unit
			v.life.homes[e.Record] = home
		}
		applied[home]++
		if len(moves) > 0 && moves[0].Record == e.Record && slices.ContainsFunc(e.Writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldHome }) {
			applied[moves[0].To]++
			v.life.homes[e.Record] = moves[0].To
			v.w.moved[e.Record] = true
			moves = moves[1:]
		}
		row := v.db.Row(e.Record)
		if row == nil {
			v.w.fail(oracleState, fmt.Sprintf("changeset %v is stored, not in quarantine, and its record is not there", c.Dot))
			continue
		}
		state, dot := v.w.stateOf(row), c.FirstDot(i)
		for _, w := range e.Writes {
			if !state.record.Field(w.Key).Vector().Covers(dot) {
				v.w.fail(oracleState, fmt.Sprintf("write %v is stored, not in quarantine and not applied", dot))
			}
			dot.Counter++
		}
	}
	return moves
}

// checkAck looks at an acknowledgement as it leaves.
func (v *server) checkAck(s *serverEnd, a *protocol.Ack) {
	if through := v.life.through[s.replica]; a.Through > through {
		v.w.fail(oracleAck, fmt.Sprintf("replica %v is told %d, durable is %d", s.replica, a.Through, through))
	}
}

// committed looks at a device's store after a commit.
func (d *device) committed(b *replica.Batch, before replica.Meta) {
	var touched []conflict.RecordID
	touch := func(id conflict.RecordID) {
		if !slices.Contains(touched, id) {
			touched = append(touched, id)
		}
	}
	d.blanks(b)
	rekeyed := b.Meta != nil && !before.Replica.IsZero() && b.Meta.Replica != before.Replica
	d.redotted(b, rekeyed)
	fresh := -1
	for i := range b.Append {
		e := &b.Append[i]
		c := &e.Changeset
		n, known := d.w.truth.number(c.At)
		if !known {
			if !d.saving || len(c.Edits) != 1 {
				d.w.fail(oracleOrigin, fmt.Sprintf("device %d wrote %v of itself", d.no, c.Dot))
				return
			}
			n = d.w.truth.add(c, fmt.Sprintf("device %d", d.no), d.screen, d.refused)
			fresh = n
		}
		d.made = d.made.with(n)
		d.at[n], d.dots[n], d.nos[e.No] = c.Edits[0].Record, c.Dot, n
		touch(c.Edits[0].Record)
	}
	if b.Meta != nil && !rekeyed && b.Meta.Acked > before.Acked {
		d.checkAcked(before.Acked)
	}
	for _, list := range [][]replica.Holding{b.Put, b.Rebase} {
		for i := range list {
			touch(list[i].ID)
		}
	}
	for _, id := range b.Drop {
		touch(id)
	}
	for i := range b.Mark {
		if n, ok := d.nos[b.Mark[i].No]; ok && b.Mark[i].Refusal != nil {
			d.refused = d.refused.with(n)
		}
		touch(b.Mark[i].Changeset.Edits[0].Record)
	}
	for _, no := range b.Remove {
		if n, ok := d.nos[no]; ok {
			touch(d.at[n])
		}
	}
	for _, id := range touched {
		d.checkReads(id)
	}
	if fresh >= 0 {
		for _, sw := range d.w.truth.sets[fresh].writes {
			if !d.shown[d.at[fresh]].fields.of(sw.key).has(fresh) {
				d.w.fail(oracleOwnWrites, fmt.Sprintf("device %d saved field %v of %v and does not show it", d.no, sw.key, d.at[fresh]))
			}
		}
	}
	for i := range b.Streams {
		s := &b.Streams[i]
		d.checkCursor(s, d.streams[s.Stream].Cursor)
		d.streams[s.Stream] = *s
	}
	for _, s := range b.DropStreams {
		delete(d.streams, s)
	}
	d.commits++
}

// redotted follows changesets to their new dots. Under a new replica id it goes by
// what the server said that it holds; else what a restored server may have lost is
// handed in again, which it may have after all.
func (d *device) redotted(b *replica.Batch, rekeyed bool) {
	for i := range b.Append {
		c := &b.Append[i].Changeset
		n, ok := d.w.truth.number(c.At)
		if !ok {
			continue
		}
		if dot, ok := d.w.server.life.stored[n]; ok && rekeyed && (!d.w.shared.has(n) || dot == d.dots[n] && (d.partedAt == 0 || d.w.server.receivedAt(dot) <= d.partedAt)) {
			d.w.fail(oracleRedot, fmt.Sprintf("device %d gives changeset %d the dot %v; the server holds it as %v", d.no, n, c.Dot, dot))
		}
		if _, ghost := d.w.ghosts[n]; ghost || !rekeyed {
			d.w.again = d.w.again.with(n)
		}
		from, to := d.at[n], c.Edits[0].Record
		for _, w := range c.Edits[0].Writes {
			if set, err := d.w.truth.shown(d.mem.Base(from).Field(w.Key)); err == nil && set.has(n) && !d.w.shared.has(n) {
				d.w.fail(oracleRedot, fmt.Sprintf("device %d was shown changeset %d and gives it the dot %v", d.no, n, c.Dot))
			}
			there, here := d.shown[from].fields, d.shown[to].fields
			if from == to || !there.of(w.Key).has(n) {
				continue
			}
			unit := d.shown[from].unit
			d.shown[from] = shown{unit: unit, fields: there.with(w.Key, there.of(w.Key).without(n))}
			d.shown[to] = shown{unit: unit, fields: here.with(w.Key, here.of(w.Key).with(n))}
		}
	}
}

// receivedAt returns when the changeset that begins with dot was stored, on the
// server's clock.
func (v *server) receivedAt(dot conflict.Dot) int64 {
	for _, r := range v.db.Replicas() {
		if r.ID != dot.Replica {
			continue
		}
		for _, in := range v.db.Intakes(r.No) {
			if in.Counter == dot.Counter {
				return in.Received
			}
		}
	}
	return 0
}

// checkAcked looks at what a device has come to take for received.
func (d *device) checkAcked(after uint64) {
	entries, err := d.mem.Outbox(ctx, d.meta.Replica, after+1, 1<<30, 1<<30)
	if err != nil {
		d.w.fail(oracleEffects, err.Error())
		return
	}
	for _, e := range entries {
		if e.Changeset.Last().Counter > d.meta.Acked {
			break
		}
		n, known := d.w.truth.number(e.Changeset.At)
		if known {
			d.w.acked[e.Changeset.Dot] = true
		}
		held, ok := d.w.ever[e.Changeset.Dot]
		if d.knowsEpoch() {
			held, ok = d.w.server.life.hashes[e.Changeset.Dot]
		}
		same := held == e.Hash || known && d.w.gone.has(n) && held == e.Changeset.Hash() // handed in without what was erased
		if !ok || !same {
			d.w.fail(oracleAck, fmt.Sprintf("device %d takes %v for received; the server has it: %v, with that content: %v", d.no, e.Changeset.Dot, ok, same))
		}
	}
}

// knowsEpoch reports whether the device has spoken to the present life of the
// server.
func (d *device) knowsEpoch() bool {
	return d.w.server.epoch() == d.meta.Epoch
}

func (v *server) epoch() protocol.Token { return v.db.Epoch().Token }

// checkReads compares what a record shows with what it showed before: nothing
// may go but what somebody replaced who had seen it, or what is in quarantine.
func (d *device) checkReads(id conflict.RecordID) {
	h, ok := d.holding(id)
	head := d.head(&h)
	if ok && !h.Left && d.w.bug == NoBug && (h.Base.Len() == 0) != (h.Index.Flags&replica.FlagGhost != 0) && head.Len() == 0 && len(h.Entries) > 0 {
		d.w.fail(oracleScreen, fmt.Sprintf("device %d: record %v is a ghost and not marked as one: flags %b, left %v, %d entries", d.no, id, h.Index.Flags, h.Left, len(h.Entries)))
	}
	before := d.shown[id]
	if ok && before.head.Len() > 0 && head.Equal(before.head) {
		if before.left != h.Left || before.unit != h.Unit {
			d.shown[id] = shown{h.Unit, h.Left, before.head, before.fields}
		}
		return
	}
	now := make(screen, 0, head.Len())
	for k, f := range head.All() {
		s := before.fields.of(k)
		if !f.Equal(before.head.Field(k)) {
			var err error
			if s, err = d.w.truth.shown(f); err != nil {
				d.w.fail(oracleOrigin, fmt.Sprintf("device %d, record %v: %v", d.no, id, err))
				return
			}
		}
		now = append(now, seenField{k, s})
	}
	for i := range before.fields {
		k, old := before.fields[i].key, before.fields[i].set
		seen := now.of(k)
		if seen.covers(old) {
			continue
		}
		seen = d.w.truth.history(k, seen)
		for n := range old.all {
			if seen.has(n) || d.w.listed(id) || d.refusedHere(&h, n) || d.w.restored && d.w.onceAside.has(n) {
				continue
			}
			_, stored := d.w.server.life.stored[n]
			// Of a record that leaves, either stream may tell first.
			left := before.left || d.w.moved[id] && (!ok || h.Left || classOf(k) == protocol.Sensitive)
			if _, ghost := d.w.ghosts[n]; ghost && (left || !d.held(before.unit, classOf(k))) {
				stored = true // so the device was told; it keeps what proves it, to be given back
			}
			if !stored || d.held(before.unit, classOf(k)) && !left { // else its rights are gone, or the record is
				d.w.fail(oracleReads, fmt.Sprintf("device %d showed changeset %d (%s) in field %v of %v and shows it no more",
					d.no, n, d.w.truth.sets[n].by, k, id))
			}
		}
	}
	if !ok {
		delete(d.shown, id)
		return
	}
	d.shown[id] = shown{h.Unit, h.Left, head, now}
}

func (d *device) refusedHere(h *replica.Holding, n int) bool {
	return slices.ContainsFunc(h.Entries, func(e replica.Entry) bool { return e.Refusal != nil && e.Changeset.At == d.w.truth.sets[n].at })
}

// checkCursor holds a stream's cursor and floor against the server: of a record
// that lies behind the cursor everything must be on the device, of any other
// what changed up to the floor. What lay behind the cursor before was checked
// then.
func (d *device) checkCursor(s *replica.Stream, before uint64) {
	if s.Cursor <= before || !d.knowsEpoch() {
		return
	}
	d.w.server.db.Rows(func(row *ledger.Row) bool {
		if row.Unit != s.Unit || max(row.Position, row.Sensitive) <= before {
			return true
		}
		state := d.w.stateOf(row)
		base := d.mem.Base(row.ID)
		i := -1
		whole := s.Floor
		if at := max(row.Position, row.Sensitive); at <= s.Cursor {
			whole = s.Cursor
		}
		for k, f := range state.record.All() {
			if i++; classOf(k) != s.Class || state.positions[i] > whole || base.Field(k).Equal(f) || d.w.haunted(base.Field(k), f, false) || d.w.restored && stampedLater(base.Field(k), f) {
				continue
			}
			d.w.fail(oracleCursor, fmt.Sprintf("device %d has %v up to %d and not field %v of %v as of %d: got %v under %v, want %v under %v", d.no, s.Stream, s.Cursor, k, row.ID, state.positions[i], base.Field(k).Siblings(), base.Field(k).Vector(), f.Siblings(), f.Vector()))
		}
		return true
	})
}

// stampedLater reports whether both hold the same writes, some of which the
// device knows with the later time of receipt. A server that was restored twice
// can hear of a write from the pages of its first life while a device has it from
// the second; it takes the later time over from what that device gives back.
func stampedLater(device, server conflict.Field) bool {
	return device.Vector().Equal(server.Vector()) && device.Len() == server.Len() && device.Merge(server).Equal(device)
}

func writesSensitive(c *record.Changeset) bool {
	return slices.ContainsFunc(c.Edits, func(e record.Edit) bool {
		return slices.ContainsFunc(e.Writes, func(w record.Write) bool { return classOf(w.Key) == protocol.Sensitive })
	})
}

func classOf(k conflict.FieldKey) protocol.Class {
	if k == phone {
		return protocol.Sensitive
	}
	return protocol.Basic
}

// haunts reports whether a changeset that a restored server has lost may be
// missing there for good: its author was banned at some time, and what came back
// of it then is in quarantine; or nobody was shown it, and its store has given up
// the replica id that it was received under, or has a copy; or it came again
// before it was known again that its record had been sent to its unit, and is
// held back for a supervisor.
func (w *world) haunts(n int) bool {
	if w.shared.has(n) || w.again.has(n) {
		return true
	}
	if code := w.server.life.aside[n]; code == protocol.WrongUnit || code == protocol.Dependent && len(w.moved) > 0 {
		return true
	}
	for _, d := range w.devices {
		if d.account.barred && w.truth.sets[n].by == fmt.Sprintf("device %d", d.no) {
			return true
		}
	}
	return false
}

// anyHaunts reports whether there is such a changeset.
func (w *world) anyHaunts() bool {
	for n := range w.ghosts {
		if w.haunts(n) {
			return true
		}
	}
	return false
}

// haunted reports whether a device's field holds what a restored server has
// lost: the two do not agree until it is given back, and, if at rest is set, then
// only where it may not be had back.
func (w *world) haunted(device, server conflict.Field, atRest bool) bool {
	for n, dots := range w.ghosts {
		if atRest && !w.haunts(n) {
			continue
		}
		for _, dot := range dots {
			for i := range w.truth.sets[n].writes {
				dot := conflict.Dot{Replica: dot.Replica, Counter: dot.Counter + uint64(i)}
				if device.Vector().Covers(dot) && !server.Vector().Covers(dot) {
					return true
				}
			}
		}
	}
	for i := range server.Len() {
		s := server.At(i)
		n, _ := w.truth.number(s.Origin.At)
		if w.restored && w.onceAside.has(n) && device.Vector().Covers(s.Dot) && !device.Has(s.Dot) {
			return true // it was refused, and is not now; its dot counts as seen on the device
		}
	}
	return false
}

// checkSynced holds the word "synced" against what is so.
func (d *device) checkSynced() {
	if now := [2]int{d.commits, d.w.server.commits}; d.checkedAt == now {
		return
	} else if d.checkedAt = now; !d.host.Idle() {
		d.checkedAt = [2]int{} // it may say so without a commit
		return
	}
	s, err := d.rep.Status(ctx)
	if err != nil || !s.Synced {
		return
	}
	same := d.knowsEpoch()
	for n := range d.made.all {
		_, stored := d.w.server.life.stored[n]
		_, ghost := d.w.ghosts[n]
		if !stored && !d.w.gone.has(n) && !(ghost && (!same || d.w.returned(n) || d.replacedAside(n))) {
			d.w.fail(oracleSynced, fmt.Sprintf("device %d says synced; the server does not hold changeset %d", d.no, n))
		}
	}
	if d.link != nil && d.link.disturbed {
		return // an acknowledgement that was lost says what is to come back
	}
	for e := range d.mem.EachEntry {
		if e.Refusal != nil {
			continue
		}
		for i, edit := range e.Changeset.Edits {
			base := d.mem.Base(edit.Record)
			dot := e.Changeset.FirstDot(i)
			for _, w := range edit.Writes {
				if !d.w.moved[edit.Record] && !d.w.listed(edit.Record) && d.granted(e.Changeset.Unit, w.Key) && !base.Field(w.Key).Vector().Covers(dot) {
					d.w.fail(oracleSynced, fmt.Sprintf("device %d says synced; its own write %v has not come back", d.no, dot))
				}
				dot.Counter++
			}
		}
	}
}

// granted reports whether a unit's stream of a field reaches the device.
func (d *device) granted(unit string, k conflict.FieldKey) bool {
	return d.streams[protocol.Stream{Unit: unit, Register: registerID, Class: classOf(k)}].Granted
}

// fields returns how many fields the device knows of.
func (d *device) fields() int { return firstFields - 1 + int(d.rep.Definitions()[0].Version) }

// checkForm compares a form with the record that it was opened on.
func (d *device) checkForm(got *replica.Form, head conflict.Record) {
	if head.Len() == 0 {
		return // nothing but an overlay
	}
	for i, name := range fieldNames[:d.fields()] {
		f := head.Field(fieldKeys[i])
		j := slices.IndexFunc(got.Record.Fields, func(v replica.FieldView) bool { return v.Name == name })
		if j < 0 {
			d.w.fail(oracleScreen, fmt.Sprintf("device %d: the form has no field %s", d.no, name))
			continue
		}
		v := got.Record.Fields[j]
		ok := true
		switch f.Len() {
		case 0:
			ok = v.Value == ""
		case 1:
			ok = v.Value == string(f.At(0).Value) && v.At == f.At(0).Origin.At
		default:
			same := true // one changeset that came from two copies is no conflict to a person
			for k := range f.Len() {
				same = same && f.At(k).Value == f.At(0).Value
			}
			ok = len(v.Conflict) == f.Len() || same && len(v.Conflict) == 0 && v.Value == string(f.At(0).Value)
			for k := range v.Conflict {
				ok = ok && v.Conflict[k].At == f.At(k).Origin.At
			}
		}
		if !ok {
			d.w.fail(oracleScreen, fmt.Sprintf("device %d: field %s of %v shows %q, %d in conflict", d.no, name, got.Record.ID, v.Value, len(v.Conflict)))
		}
	}
}

// settled asks, after everything was exchanged, what can only be asked then.
func (w *world) settled() {
	w.checkModel()
	w.checkErased()
	for _, d := range w.devices {
		if d.rep == nil {
			w.fail(oracleRest, fmt.Sprintf("device %d does not run", d.no))
			return
		}
		if s, err := d.rep.Status(ctx); err != nil || !s.Synced {
			w.fail(oracleRest, fmt.Sprintf("device %d does not come to rest: %+v %v", d.no, d.host.Status(), err))
			return
		}
		d.checkKept()
		d.checkBase()
		d.checkOutbox()
	}
}

// replacedAside reports whether a changeset that a restored server lost, received under
// a replica id that its store has given up, is known again but for what was on no
// screen any more: its author had replaced that by what the server holds back now.
func (d *device) replacedAside(n int) bool {
	if d.dots[n].Replica == d.meta.Replica {
		return false
	}
	dot := d.dots[n]
	for _, sw := range d.w.truth.sets[n].writes {
		if !d.replacesAside(n, sw.key) && !d.w.knows(sw.key, dot) {
			return false
		}
		dot.Counter++
	}
	return true
}

func (d *device) replacesAside(n int, k conflict.FieldKey) bool {
	for m := range d.w.server.life.aside {
		if sw := d.w.truth.sets[m].write(k); sw != nil && sw.seen.has(n) && d.made.has(m) {
			return true
		}
	}
	return false
}

// checkKept: conservation.
func (d *device) checkKept() {
	for n := range d.made.all {
		if _, ok := d.w.server.life.stored[n]; ok || !d.w.truth.sets[n].reported || d.w.returned(n) || d.w.gone.has(n) || d.replacedAside(n) {
			continue
		}
		d.w.fail(oracleLost, fmt.Sprintf("changeset %d of %s was saved; device %d is alive and the server does not hold it", n, d.w.truth.sets[n].by, d.no))
	}
}

// checkModel: what the server holds is what the reference model says.
func (w *world) checkModel() {
	type place struct {
		id conflict.RecordID
		k  conflict.FieldKey
	}
	applied := map[place]set{}
	for _, r := range w.server.db.Replicas() {
		for _, in := range w.server.db.Intakes(r.No) {
			c, err := record.ParseOwn(in.Bytes)
			if err != nil {
				continue
			}
			n, _ := w.truth.number(c.At)
			if _, aside := w.server.life.asideDots[c.Dot]; aside {
				continue
			}
			for _, e := range c.Edits {
				if w.server.db.Erased(e.Record) {
					continue
				}
				for _, wr := range e.Writes {
					p := place{e.Record, wr.Key}
					applied[p] = applied[p].with(n)
				}
			}
		}
	}
	given := map[place]set{}
	w.givenBack(func(id conflict.RecordID, k conflict.FieldKey, n int) {
		if w.server.db.Erased(id) {
			return
		}
		p := place{id, k}
		applied[p], given[p] = applied[p].with(n), given[p].with(n)
	})
	w.server.db.Rows(func(row *ledger.Row) bool {
		state := w.stateOf(row)
		standing, unsure := make(screen, 0, state.record.Len()), false
		for k, f := range state.record.All() {
			got, err := w.truth.shown(f)
			if err != nil {
				w.fail(oracleOrigin, "server: "+err.Error())
				return false
			}
			p := place{row.ID, k}
			want, maybe := w.truth.standing(k, applied[p])
			maybe = maybe.union(w.outlived(want, got)).union(w.replacedAside(k, want, given[p]))
			delete(applied, p)
			standing = append(standing, seenField{k, want})
			unsure = unsure || maybe != (set{})
			if !got.union(maybe).covers(want) || !want.union(w.twins).covers(got) {
				w.fail(oracleModel, fmt.Sprintf("field %v of %v: got changesets %s, want %s", k, row.ID, w.list(got), w.list(want)))
			}
		}
		if got, want := state.record.Life(), w.truth.life(standing); got != want && w.twins == (set{}) && !unsure {
			w.fail(oracleModel, fmt.Sprintf("record %v is %v, want %v", row.ID, got, want))
		}
		return true
	})
	for p := range applied {
		w.fail(oracleModel, fmt.Sprintf("field %v of %v was written and is not there", p.k, p.id))
	}
}

// outlived returns which changesets that should stand in a field were refused
// once: a restored server has accepted them since, and was given back what a
// device was shown in the life that refused them, where a later write of the same
// store counts their dots as seen.
func (w *world) outlived(want, got set) (out set) {
	if !w.restored {
		return out
	}
	for n := range want.all {
		for m := range got.all {
			if !got.has(n) && w.onceAside.has(n) && m > n && w.truth.sets[m].by == w.truth.sets[n].by {
				out = out.with(n)
			}
		}
	}
	return out
}

// replacedAside returns which changesets that should stand in a field were replaced
// by one that is held back now, where others came back of a page that showed that
// one: they bring back what was on the screens, where the replaced was not.
func (w *world) replacedAside(k conflict.FieldKey, want, given set) (out set) {
	if given == (set{}) {
		return out
	}
	aside := w.onceAside
	w.server.db.GivenBack(func(g *ledger.GivenBack) bool {
		if c, err := record.ParseOwn(g.Bytes); err == nil && g.Aside {
			m, _ := w.truth.number(c.At)
			aside = aside.with(m)
		}
		return true
	})
	for m := range aside.all {
		if sw := w.truth.sets[m].write(k); sw != nil {
			for n := range want.all {
				if sw.seen.has(n) {
					out = out.with(n)
				}
			}
		}
	}
	return out
}

func (w *world) list(s set) string {
	text := ""
	for n := range s.all {
		text += fmt.Sprintf(" %d (%s)", n, w.truth.sets[n].by)
	}
	return "[" + text + " ]"
}

// checkBase: convergence, and that nothing else is shown.
func (d *device) checkBase() {
	rows := map[conflict.RecordID]bool{}
	d.w.server.db.Rows(func(row *ledger.Row) bool {
		if row.Unit != d.account.unit {
			return true
		}
		rows[row.ID] = true
		h, _ := d.holding(row.ID)
		state := d.w.stateOf(row)
		fields := 0
		for k, f := range state.record.All() {
			if classOf(k) == protocol.Sensitive && !d.account.sensitive {
				continue
			}
			fields++
			if got := h.Base.Field(k); !got.Equal(f) && !d.w.haunted(got, f, true) {
				d.w.fail(oracleConvergence, fmt.Sprintf("device %d, field %v of %v: got %v under %v, the server holds %v under %v", d.no, k, row.ID,
					got.Siblings(), got.Vector(), f.Siblings(), f.Vector()))
			}
		}
		if h.Base.Len() > fields && !d.w.anyHaunts() {
			d.w.fail(oracleConvergence, fmt.Sprintf("device %d holds %d fields of %v, the server %d", d.no, h.Base.Len(), row.ID, fields))
		}
		return true
	})
	ids, err := d.mem.Walk(ctx, registerID, conflict.RecordID{}, 1000)
	if err != nil {
		return
	}
	for _, id := range ids {
		h, _ := d.holding(id)
		if !rows[id] && h.Base.Len() > 0 && !d.w.anyHaunts() {
			d.w.fail(oracleConvergence, fmt.Sprintf("device %d holds record %v, the server does not", d.no, id))
		}
		if head := d.head(&h); !head.Equal(h.Base) && !h.Left && !d.w.anyHaunts() {
			d.w.fail(oracleHeads, fmt.Sprintf("device %d shows of %v (unit %s) something else than the server said: %s", d.no, id, h.Unit, differ(head, h.Base)))
		}
	}
}

// differ lists the fields in which two records differ.
func differ(a, b conflict.Record) string {
	var list []string
	for _, r := range []conflict.Record{a, b} {
		for k := range r.All() {
			if x, y := a.Field(k), b.Field(k); !x.Equal(y) {
				list = append(list, fmt.Sprintf("field %v is %v under %v and %v under %v", k, x.Siblings(), x.Vector(), y.Siblings(), y.Vector()))
			}
		}
	}
	slices.Sort(list)
	return strings.Join(slices.Compact(list), "; ")
}

// checkOutbox: what stays in the outbox is in quarantine, and both ends know
// why, or is kept to be given back.
func (d *device) checkOutbox() {
	entries, err := d.mem.Entries(ctx, 0, 1<<30)
	if err != nil {
		return
	}
	here := map[conflict.Dot]*replica.Refusal{}
	for i := range entries {
		e := &entries[i]
		n, _ := d.w.truth.number(e.Changeset.At)
		here[e.Changeset.Dot] = e.Refusal
		code, aside := d.w.server.life.asideDots[e.Changeset.Dot]
		if e.Refusal == nil || d.w.shared.has(n) && d.w.restored {
			continue
		}
		if !aside || e.Refusal.At != 0 && code != e.Refusal.Code {
			d.w.fail(oracleQuarantine, fmt.Sprintf("device %d shows changeset %d as refused (%v); at the server: %v, %v", d.no, n, e.Refusal.Code, aside, code))
		}
	}
	for _, n := range sorted(d.dots) {
		dot := d.dots[n]
		if _, aside := d.w.server.life.asideDots[dot]; !aside || !d.made.has(n) || d.w.gone.has(n) || d.w.shared.has(n) && d.w.restored {
			continue
		}
		if r, ok := here[dot]; !ok || r == nil || r.At == 0 {
			d.w.fail(oracleQuarantine, fmt.Sprintf("changeset %d is in quarantine and device %d, where it was made, does not say so", n, d.no))
		}
	}
}

func sorted[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
