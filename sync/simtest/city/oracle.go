package city

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/hub/canonical"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// The oracles, as reports name them. Each says what a violation of it means.
const (
	oracleEffects    = "effects"      // something failed that must not fail
	oracleBound      = "bound"        // a decision did something else than its maker's screen showed
	oracleAuthor     = "author"       // somebody decided about their own work, or in another name
	oracleBatch      = "batch"        // a batch took what wants a person's look
	oracleRefused    = "refused"      // what was refused still shows
	oracleUnapproved = "unapproved"   // published, and nobody approved it
	oracleFeed       = "feed"         // the hub's feed has a gap, changes what it said, or does not add up
	oracleMarks      = "marks"        // an acknowledgement is not cumulative, or ahead of what is durable at the consumer
	oracleWard       = "ward"         // shown to a unit where it is not
	oracleReads      = "reads"        // a device was shown something and knows it no more
	oracleOwnWrites  = "own writes"   // what was saved is not shown
	oracleLost       = "conservation" // saved on a store that survived, or acknowledged, and not at the server
	oracleHeld       = "held"         // a device and the server differ after everything was exchanged
	oracleAside      = "quarantine"   // in quarantine where nobody sees it, or author and server disagree on it
	oracleBrake      = "brake"        // a mass change was let through
	oracleErased     = "erased"       // something is left of a record that was erased by law
	oracleDoctor     = "doctor"       // the database does not add up
	oracleRest       = "rest"         // the devices do not come to rest
)

// book is what the oracles know of what was decided and told.
type book struct {
	known    map[conflict.RecordID]map[string]bool // versions that a decision made, each by its fingerprint
	told     map[string]map[uint64]told            // by unit and revision, in this life of the database
	emptied  map[string]uint64                     // by author, unit and day: records that were deleted or sent away
	replicas map[conflict.ReplicaID]bool           // that ever said hello
	crashes  int
	cameBack bool // an older copy of a store came back
}

func newBook() book {
	return book{known: map[conflict.RecordID]map[string]bool{}, told: map[string]map[uint64]told{}, emptied: map[string]uint64{}, replicas: map[conflict.ReplicaID]bool{}}
}

// told is one line of the feed.
type told struct {
	record conflict.RecordID
	op     store.Op
	hash   string // of its content; "" for none
}

// standing is what stands approved of a record.
type standing struct {
	seq     uint64
	any     bool // anything was ever approved, and not withdrawn
	deleted bool
	values  map[string]string // blank ones left out
	row     store.Approval    // the last decision
}

func (s standing) String() string {
	text := "nothing"
	if s.any {
		text = "alive"
	}
	if s.deleted {
		text = "deleted"
	}
	for _, name := range slices.Sorted(maps.Keys(s.values)) {
		text += fmt.Sprintf(" %s=%s", name, s.values[name])
	}
	return text
}

func (s standing) set(name, value string) {
	if value == "" {
		delete(s.values, name)
		return
	}
	s.values[name] = value
}

func (s standing) sameContent(o standing) bool {
	return s.deleted == o.deleted && maps.Equal(s.values, o.values)
}
func (s standing) same(o standing) bool { return s.any == o.any && s.sameContent(o) }

// fingerprint stands for the content of a version.
func (s standing) fingerprint() string {
	return strings.TrimPrefix(strings.TrimPrefix(s.String(), "alive"), "nothing")
}

func standingOf(a store.Approval, v review.Version) standing {
	s := standing{seq: a.Seq, any: len(v.Fields) > 0, deleted: v.Deleted, values: map[string]string{}, row: a}
	elems := map[string][]string{}
	for k, f := range v.Fields {
		def := cards.FieldByID(k.ID)
		switch {
		case def == nil || f.Value == "":
		case def.Policy == conflict.Union:
			elems[def.Name] = append(elems[def.Name], k.Elem)
		default:
			s.values[def.Name] = string(f.Value)
		}
	}
	for name, list := range elems {
		slices.Sort(list)
		s.values[name] = strings.Join(list, ",")
	}
	return s
}

// standing reads what stands approved of a record now.
func (w *world) standing(id conflict.RecordID) (s standing) {
	if w.erased[id] {
		return s
	}
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		list, err := l.Approvals(id)
		if err != nil || len(list) == 0 {
			return err
		}
		a := list[len(list)-1]
		v, err := review.Materialise(l, a)
		if err == nil {
			s = standingOf(a, v)
		}
		return err
	})
	return s
}

// onScreen is what a screen showed as approved.
func onScreen(r *review.Record) standing {
	s := standing{any: r.Life.ApprovedState != "", deleted: r.Life.ApprovedState == conflict.Deleted.String(), values: map[string]string{}}
	for i := range r.Fields {
		if f := &r.Fields[i]; f.Approved != nil {
			s.set(f.Name, canonicalValue(f.Name, f.Approved.Value))
		}
	}
	return s
}

// know keeps that a decision made a version.
func (w *world) know(id conflict.RecordID, s standing) {
	if w.known[id] == nil {
		w.known[id] = map[string]bool{}
	}
	w.known[id][s.fingerprint()] = true
}

// follow reads what the feed has new and compares it with what was decided.
func (w *world) follow() {
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		last, err := l.Revisions(registerID)
		if err != nil {
			return err
		}
		for _, unit := range slices.Sorted(maps.Keys(last)) {
			if w.told[unit] == nil {
				w.told[unit] = map[uint64]told{}
			}
			at := uint64(len(w.told[unit]))
			if at >= last[unit] {
				continue
			}
			list, err := l.Published(unit, registerID, at, 10_000)
			if err != nil {
				return err
			}
			for _, a := range list {
				if at++; a.Revision != at {
					w.fail(oracleFeed, "the feed of %s goes from %d to %d", unit, at-1, a.Revision)
				}
				if err := w.published(l, unit, a); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// published looks at one line of the feed as it comes to stand there.
func (w *world) published(l *sqlite.Ledger, unit string, a store.Approval) error {
	t := told{record: a.Record, op: a.Op}
	if w.erased[a.Record] {
		if t.op == store.OpUpsert {
			t.op = store.OpRetract
		}
		w.told[unit][a.Revision] = t
		return nil
	}
	v, err := review.Materialise(l, a)
	if err != nil {
		return err
	}
	s := standingOf(a, v)
	if !w.known[a.Record][s.fingerprint()] {
		w.fail(oracleUnapproved, "revision %d of %s publishes %v of %v, which nobody decided (%s)", a.Revision, unit, s, a.Record, a.Decision)
	}
	if a.Op == store.OpUpsert {
		if s.deleted {
			w.fail(oracleUnapproved, "revision %d of %s hands out %v, which is deleted", a.Revision, unit, a.Record)
		}
		values := map[string]conflict.Value{}
		for name, v := range s.values {
			values[name] = conflict.Value(v)
		}
		data, err := json.Marshal(register.Export(public(a.Definition), values))
		if err != nil {
			return err
		}
		if t.hash, err = canonical.ContentHash(data); err != nil {
			return err
		}
	}
	w.told[unit][a.Revision] = t
	return nil
}

// wentBack forgets what a restored server has not told in this life.
func (w *world) wentBack() {
	w.told, w.emptied = map[string]map[uint64]told{}, map[string]uint64{}
	w.follow()
	w.hub.newLife()
}

// checkPage looks at a page as it leaves.
func (w *world) checkPage(e *end, p *protocol.Page) {
	units := w.server.unitsOf(e.d.p.Account)
	if !slices.Contains(units, p.Stream.Unit) {
		w.fail(oracleWard, "%s, of %v, is sent a page of %s", e.d, units, p.Stream.Unit)
	}
	for _, r := range p.Records {
		if row := w.server.row(r.Record); !r.Left && row.Unit != p.Stream.Unit {
			w.fail(oracleWard, "%s is sent %v in a page of %s; it is in %q", e.d, r.Record, p.Stream.Unit, row.Unit)
		}
	}
}

// checkScreen looks at a record on a supervisor's screen.
func (w *world) checkScreen(k *supervisor, r *review.Record) {
	units := w.server.unitsOf(k.person.id)
	row := w.server.row(mustDot(r.ID))
	if row.Unit != r.Unit || !slices.Contains(units, row.Unit) {
		w.fail(oracleWard, "%s, of %v, is shown %s as in %s; it is in %s", k.person.name, units, r.ID, r.Unit, row.Unit)
	}
}

// took looks at changesets that the server has taken in: the brake.
func (w *world) took(a ledger.Author, acked uint64, changesets []record.Changeset, out *ledger.Outcome) {
	for i := range changesets {
		for _, e := range changesets[i].Edits {
			if w.erased[e.Record] {
				continue
			}
			if row := w.server.row(e.Record); row.Unit != changesets[i].Unit {
				w.moved[e.Record] = true // or began elsewhere
			}
		}
	}
	if w.restored {
		return // what it once had was let through then
	}
	for i := range changesets {
		c := &changesets[i]
		aside := slices.ContainsFunc(out.Refusals, func(r *protocol.Refusal) bool { return r.Counter == c.Dot.Counter })
		if c.Dot.Counter <= acked || aside || out.Ack == nil || c.Last().Counter > out.Ack.Through {
			continue
		}
		n := uint64(0)
		for j := range c.Edits {
			if w.erased[c.Edits[j].Record] {
				continue
			}
			for _, x := range c.Edits[j].Writes {
				switch x.Key.ID {
				case conflict.FieldLife:
					if life, err := conflict.ParseLife(x.Value); err == nil && life.Deleted {
						n++
					}
				case conflict.FieldHome:
					if h, err := record.ParseHome(x.Value); err == nil && h.Unit != c.Unit {
						n++
					}
				}
			}
		}
		if n == 0 {
			continue
		}
		key := fmt.Sprintf("%s %s %d", a.Account, c.Unit, (w.clock+7*60*minute)/day)
		if w.emptied[key] += n; w.emptied[key] > brakeAt.Most {
			w.fail(oracleBrake, "%s emptied %d records of %s in a day", a.Account, w.emptied[key], c.Unit)
		}
	}
}

// forgive begins an author's day anew: somebody has looked.
func (w *world) forgive(author string) {
	maps.DeleteFunc(w.emptied, func(k string, _ uint64) bool { return strings.HasPrefix(k, author+" ") })
}

// noteSaved remembers what a person has just saved, and asks whether it shows.
func (d *device) noteSaved(after uint64) {
	entries, err := d.rep.Outbox(ctx)
	d.w.must("outbox", err)
	for _, e := range entries {
		if e.No <= after {
			continue
		}
		c := &e.Changeset
		for i := range c.Edits {
			id := c.Edits[i].Record
			dot := c.FirstDot(i)
			for _, x := range c.Edits[i].Writes {
				if x.Key.ID >= conflict.FirstUserField || x.Key.ID == conflict.FieldLife {
					if d.own[id] == nil {
						d.own[id] = map[conflict.FieldKey]conflict.Dot{}
					}
					d.own[id][x.Key] = dot
				}
				if v := string(x.Value); isMarked(v) {
					d.saved = append(d.saved, v)
					if d.w.erased[id] {
						d.w.gone[v] = true // it was not told yet
					}
				}
				dot.Counter++
			}
			r, err := d.rep.Record(ctx, id.String())
			d.w.must("read a record", err)
			for _, x := range c.Edits[i].Writes {
				f := cards.FieldByID(x.Key.ID)
				if f == nil || f.Policy != conflict.Keep || slices.ContainsFunc(r.Conflicts[f.Name], func(s conflict.Sibling) bool { return s.Value == x.Value }) {
					continue
				}
				if got := r.Values[f.Name]; got != x.Value {
					d.w.fail(oracleOwnWrites, "%s saved %s=%q of %v and shows %q", d, f.Name, x.Value, id, got)
				}
			}
		}
	}
}

// holds reports whether the device may hold the fields of a class of a unit, as far
// as it has heard.
func (d *device) holds(unit string, class protocol.Class) bool {
	for _, s := range d.rep.Streams() {
		if s.Stream == (protocol.Stream{Unit: unit, Register: registerID, Class: class}) {
			return !s.Withdrawn && s.Code == protocol.OK
		}
	}
	return false
}

// watch compares what the device shows with what it showed, and saved.
func (d *device) watch() {
	if d.rep == nil {
		return
	}
	if id := d.rep.Meta().Replica; id != d.id {
		d.id, d.own = id, newRemembered().own // its writes have other dots now
	}
	d.unit = cmp.Or(d.rep.Account().Unit, d.unit)
	if len(d.own) > 0 {
		entries, err := d.rep.Outbox(ctx)
		d.w.must("outbox", err)
		for _, e := range entries {
			if e.Refusal != nil {
				for i := range e.Changeset.Edits {
					delete(d.own, e.Changeset.Edits[i].Record)
				}
			}
		}
	}
	ids, err := d.rep.IDs(ctx, registerID)
	d.w.must("list", err)
	here := map[conflict.RecordID]bool{}
	for _, id := range ids {
		here[id] = true
		base, err := d.rep.Base(ctx, id)
		d.w.must("read a record", err)
		before := d.shown[id]
		if base.Len() == 0 && before.Len() > 0 {
			delete(d.own, id) // it left
		}
		for k, f := range before.All() {
			if base.Len() == 0 || d.w.moved[id] && ledger.ClassOf(cards, k.ID) == protocol.Sensitive {
				continue
			}
			if !base.Field(k).Vector().CoversAll(f.Vector()) {
				d.w.fail(oracleReads, "%s was shown %v in field %v of %v and knows only %v", d, f.Vector(), k, id, base.Field(k).Vector())
			}
		}
		d.shown[id] = base
		if len(d.own[id]) == 0 {
			continue
		}
		r, err := d.rep.Record(ctx, id.String())
		d.w.must("read a record", err)
		for k, dot := range d.own[id] {
			if class := ledger.ClassOf(cards, k.ID); class == protocol.Sensitive && (d.w.moved[id] || !d.holds(r.Unit, class)) {
				continue // it left, or its author's rights are gone
			}
			if !r.Head.Field(k).Vector().Covers(dot) {
				d.w.fail(oracleOwnWrites, "%s saved %v in field %v of %v and shows what has not seen it", d, dot, k, id)
			}
		}
	}
	for id := range d.shown {
		if !here[id] {
			delete(d.shown, id)
			delete(d.own, id)
		}
	}
}

// settled asks for the laws of a city at rest.
func (w *world) settled() {
	w.logf("settled")
	w.checkIntake()
	for _, d := range w.devices {
		w.checkHeld(d)
	}
	w.checkAside()
	w.checkErased()
	w.checkDoctor()
}

// checkIntake asks for conservation: what was acknowledged is stored without a gap,
// and applied or in quarantine; what was saved is there.
func (w *world) checkIntake() {
	there := map[string]bool{}
	note := func(c record.Changeset) {
		for i := range c.Edits {
			for _, x := range c.Edits[i].Writes {
				there[string(x.Value)] = true
			}
		}
	}
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		epoch, err := l.Epoch()
		if err != nil {
			return err
		}
		w.replicas[epoch.Server] = true
		states := map[conflict.RecordID]conflict.Record{}
		for _, id := range w.everyReplica() {
			r, ok, err := l.Replica(id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			aside, err := l.Quarantined(r.No)
			if err != nil {
				return err
			}
			list, err := l.Stored(r.No, 0, 100_000)
			if err != nil {
				return err
			}
			for _, s := range list {
				in, ok, err := l.Intake(r.No, s.Counter)
				if err != nil || !ok {
					w.fail(oracleLost, "changeset %d of %v is stored and cannot be read: %v", s.Counter, id, err)
				}
				c, err := record.ParseOwn(in.Bytes)
				if err != nil {
					w.fail(oracleLost, "changeset %d of %v: %v", s.Counter, id, err)
				}
				note(c)
				if slices.ContainsFunc(aside, func(q ledger.Quarantine) bool { return q.Counter == in.Counter }) {
					continue // open, rejected, or applied under other dots
				}
				for i, e := range c.Edits {
					if w.erased[e.Record] {
						continue
					}
					state, ok := states[e.Record]
					if !ok {
						row, _, err := l.Record(e.Record)
						if err != nil {
							return err
						}
						if state, _, err = record.ParseState(row.State, e.Record); err != nil {
							w.fail(oracleLost, "record %v: %v", e.Record, err)
						}
						states[e.Record] = state
					}
					dot := c.FirstDot(i)
					for _, x := range e.Writes {
						if !state.Field(x.Key).Vector().Covers(dot) {
							w.fail(oracleLost, "write %v of %v %v is stored, not in quarantine and not applied", dot, e.Record, x.Key)
						}
						dot.Counter++
					}
				}
			}
		}
		for _, id := range w.ids { // what was given back
			list, err := l.Changesets(id)
			if err != nil {
				return err
			}
			for _, in := range list {
				if c, err := record.ParseOwn(in.Bytes); err == nil {
					note(c)
				}
			}
		}
		return nil
	})
	for _, d := range w.devices {
		for _, v := range d.saved {
			if !there[v] && !w.gone[v] && !d.replaced(v, w.state) {
				w.fail(oracleLost, "%s saved %s, which is not at the server", d, v)
			}
		}
	}
}

// replaced reports whether a value that is on a device under a replica id given up
// since, and was lost by a restored server, was replaced there before: the pages that
// were given back hold what replaced it, and name it as seen.
func (d *device) replaced(v string, state func(conflict.RecordID) conflict.Record) bool {
	for e := range d.mem.EachEntry {
		if e.Received == 0 || e.Changeset.Dot.Replica == d.id {
			continue
		}
		for i, edit := range e.Changeset.Edits {
			dot := e.Changeset.FirstDot(i)
			for _, x := range edit.Writes {
				if string(x.Value) == v && state(edit.Record).Field(x.Key).Vector().Covers(dot) {
					return true
				}
				dot.Counter++
			}
		}
	}
	return false
}

// state returns what the server holds of a record.
func (w *world) state(id conflict.RecordID) (state conflict.Record) {
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		row, ok, err := l.Record(id)
		if err != nil || !ok {
			return err
		}
		state, _, err = record.ParseState(row.State, id)
		return err
	})
	return state
}

// everyReplica lists the replicas that ever said hello, in order.
func (w *world) everyReplica() []conflict.ReplicaID {
	return slices.SortedFunc(maps.Keys(w.replicas), conflict.ReplicaID.Compare)
}

// everyRecord lists the server's records.
func (w *world) everyRecord() (rows []ledger.Row) {
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		for after := (conflict.RecordID{}); ; {
			list, err := l.RecordsAfter(after, 1000)
			if err != nil || len(list) == 0 {
				return err
			}
			rows, after = append(rows, list...), list[len(list)-1].ID
		}
	})
	return rows
}

// checkHeld compares what a device that may still read holds with what its units hold.
func (w *world) checkHeld(d *device) {
	if d.shut() {
		return
	}
	units := w.server.unitsOf(d.p.Account)
	rows := w.everyRecord()
	at := map[conflict.RecordID]string{}
	for _, row := range rows {
		at[row.ID] = row.Unit
		if !slices.Contains(units, row.Unit) {
			continue
		}
		base, err := d.rep.Base(ctx, row.ID)
		d.w.must("read a record", err)
		state, _, err := record.ParseState(row.State, row.ID)
		d.w.must("read a record", err)
		if base.Equal(state) {
			continue
		}
		for k, f := range state.All() {
			if !base.Field(k).Vector().CoversAll(f.Vector()) {
				w.fail(oracleHeld, "%s of %v holds %v in field %v of %v; the server, in %s, has %v", d, units, base.Field(k), k, row.ID, row.Unit, f)
			}
		}
		if !w.restored {
			w.fail(oracleHeld, "%s holds of %v what the server does not", d, row.ID)
		}
	}
	ids, err := d.rep.IDs(ctx, registerID)
	d.w.must("list", err)
	for _, id := range ids {
		base, err := d.rep.Base(ctx, id)
		d.w.must("read a record", err)
		if unit, ok := at[id]; base.Len() > 0 && (ok || !w.restored) && !slices.Contains(units, unit) {
			w.fail(oracleWard, "%s of %v holds %v, which is in %q", d, units, id, unit)
		}
	}
}

// checkAside asks whether what is in quarantine is on somebody's list, and known to
// its author.
func (w *world) checkAside() {
	seen := map[string]bool{}
	for _, k := range w.supers {
		for _, unit := range w.server.unitsOf(k.person.id) {
			seen[unit] = true
		}
	}
	list := w.server.directory.List()
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		changes, err := l.UnitChanges()
		for _, u := range list.Units() { // of one that waits, whoever comes to work in a successor
			for _, unit := range append(ledger.WaitingFor(changes, string(u.Code)), string(u.Code)) {
				seen[unit] = true
			}
		}
		return err
	})
	for _, row := range w.everyRecord() {
		if !seen[row.Unit] {
			w.fail(oracleAside, "record %v is in %q, where nobody works", row.ID, row.Unit)
		}
	}
	open := map[conflict.ReplicaID][]uint64{}
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		for _, id := range w.everyReplica() {
			r, ok, err := l.Replica(id)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			entries, err := l.Quarantined(r.No)
			if err != nil {
				return err
			}
			for _, q := range entries {
				if q.Settled != "" {
					continue
				}
				open[id] = append(open[id], q.Counter)
				if !seen[q.Unit] {
					w.fail(oracleAside, "changeset %d of %v is in quarantine in %q, where nobody works", q.Counter, id, q.Unit)
				}
			}
		}
		return nil
	})
	for _, d := range w.devices {
		if d.shut() || w.restored || w.cameBack {
			continue
		}
		entries, err := d.rep.Outbox(ctx)
		w.must("outbox", err)
		var here []uint64
		for _, e := range entries {
			if e.Changeset.Dot.Replica == d.id && e.Refusal != nil && e.Refusal.Settled == 0 {
				here = append(here, e.Changeset.Dot.Counter)
			}
		}
		slices.Sort(here)
		slices.Sort(open[d.id])
		if !slices.Equal(here, open[d.id]) {
			w.fail(oracleAside, "%s knows that %v are in quarantine, at the server are %v", d, here, open[d.id])
		}
	}
}

// checkDoctor asks the doctor's questions, and the audit log for its chain.
func (w *world) checkDoctor() {
	w.server.view(func(tx *sqlite.Tx, l *sqlite.Ledger) error {
		gaps, err := l.Gaps()
		if err != nil {
			return err
		}
		if len(gaps) > 0 {
			w.fail(oracleDoctor, "%s", strings.Join(gaps, "; "))
		}
		fates, err := l.Fates()
		if err != nil {
			return err
		}
		for _, t := range fates {
			if t.Taken != t.Applied+t.Aside || t.Both+t.Neither > 0 {
				w.fail(oracleDoctor, "of replica %v in %s: %+v", t.Replica, t.Unit, t)
			}
		}
		_, err = audit.Verify(tx)
		return err
	})
}
