package review

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Aside is one changeset in quarantine, or all that the brake holds of one
// device, which is decided as one.
type Aside struct {
	ID         string   `json:"id" doc:"dot of its first write; of several changesets, of the last one's"`
	Changesets int      `json:"changesets" doc:"how many are decided with it"`
	Record     string   `json:"record" doc:"the first record it touches; empty if its bytes cannot be read"`
	Title      string   `json:"title" doc:"of that record; empty if the unit has no such record yet"`
	Records    int      `json:"records"`
	Register   string   `json:"register"`
	Author     string   `json:"author"`
	At         int64    `json:"at" doc:"the author's device clock; 0 if unknown"`
	Received   int64    `json:"received"`
	Code       string   `json:"code"`
	Detail     string   `json:"detail"`
	Fields     []string `json:"fields"`
	Releasable bool     `json:"releasable"`
}

// QuarantineRequest asks for the open entries of the caller's unit.
type QuarantineRequest struct {
	Lang string `query:"lang" enum:"vi,en"`
}

// QuarantineResponse lists them, the oldest first.
type QuarantineResponse struct {
	Items []Aside `json:"items"`
}

// Quarantine lists what was kept aside in the caller's unit.
func (s *Service) Quarantine(ctx context.Context, req QuarantineRequest) (QuarantineResponse, error) {
	out := QuarantineResponse{Items: []Aside{}}
	err := s.look(ctx, req.Lang, audit.Entry{Action: "quarantine.list"}, func(k *desk) error {
		var entries []ledger.Quarantine
		for _, unit := range k.units() {
			list, err := k.l.QuarantineOf(unit)
			if err != nil {
				return err
			}
			entries = append(entries, list...)
		}
		held := map[int64]int{} // by replica, the place of what the brake holds of it
		for _, q := range entries {
			a, err := k.aside(q)
			if err != nil {
				return err
			}
			at, ok := held[q.Replica]
			if q.Code != protocol.Brake || !ok {
				if q.Code == protocol.Brake {
					held[q.Replica] = len(out.Items)
				}
				out.Items = append(out.Items, a)
				continue
			}
			out.Items[at].with(a)
		}
		return nil
	})
	return out, err
}

// with adds a later changeset that is decided together with a.
func (a *Aside) with(next Aside) {
	a.ID, a.Changesets, a.Records = next.ID, a.Changesets+next.Changesets, a.Records+next.Records
	a.Fields = unique(append(a.Fields, next.Fields...))
	a.Releasable = a.Releasable || next.Releasable
	a.Detail = next.Detail // the latest count
}

func (k *desk) aside(q ledger.Quarantine) (Aside, error) {
	id, err := k.l.ReplicaOf(q.Replica)
	if err != nil {
		return Aside{}, err
	}
	a := Aside{ID: conflict.Dot{Replica: id, Counter: q.Counter}.String(), Changesets: 1, Author: q.Author, Received: q.At, Code: q.Code.String(),
		Detail: q.Detail, Fields: []string{}}
	c, ok, err := k.stored(q)
	if err != nil || !ok {
		return a, err
	}
	a.At, a.Records = c.At, len(c.Edits)
	a.Record, a.Register = c.Edits[0].Record.String(), c.Edits[0].Register
	a.Title = k.leads(q.Unit, a.Record)
	for _, e := range c.Edits {
		def, ok := k.s.cfg.Definition(e.Register)
		if !ok {
			continue
		}
		for _, w := range e.Writes {
			if w.Key.ID == conflict.FieldLife || w.Key.ID >= conflict.FirstUserField {
				a.Fields = append(a.Fields, nameOf(def, w.Key.ID))
			}
		}
	}
	a.Fields = unique(a.Fields)
	_, err = k.releasable(q, c)
	a.Releasable = err == nil
	var refused *rpc.Error
	if err != nil && !errors.As(err, &refused) {
		return a, err
	}
	return a, nil
}

// stored reads the changeset of an entry; ok is false if its bytes cannot be
// read or it could never have been made.
func (k *desk) stored(q ledger.Quarantine) (record.Changeset, bool, error) {
	in, ok, err := k.l.Intake(q.Replica, q.Counter)
	if err != nil {
		return record.Changeset{}, false, err
	}
	if !ok {
		if in.Bytes, err = k.l.GivenBackAside(q.Replica, q.Counter); err != nil || in.Bytes == nil {
			return record.Changeset{}, false, err
		}
	}
	c, err := record.ParseChangeset(in.Bytes)
	return c, err == nil, nil
}

// releasable judges whether the changeset of q may be applied at the caller's
// word, and returns its edits with contexts as its author meant them.
func (k *desk) releasable(q ledger.Quarantine, c record.Changeset) ([]record.Edit, error) {
	if ours, err := k.ours(q, c); err != nil {
		return nil, err
	} else if !ours || c.Author != q.Author {
		return nil, ErrNotReleasable.Because(errors.New("unit or author"))
	}
	if c.Author == k.p.Name {
		return nil, ErrOwnWork
	}
	open, err := k.entriesOf(q.Replica)
	if err != nil {
		return nil, err
	}
	depends := func(d conflict.Dot) bool {
		return d.Replica == c.Dot.Replica && slices.ContainsFunc(open, func(o ledger.Quarantine) bool {
			return o.Settled == "" && o.Counter < q.Counter && o.Counter <= d.Counter && d.Counter < o.Counter+o.Count
		})
	}
	edits := slices.Clone(c.Edits)
	for i := range edits {
		e := &edits[i]
		if depends(e.Record) {
			return nil, ErrDependsOn
		}
		if err := k.releasableEdit(q, c, i); err != nil {
			return nil, err
		}
		e.Writes = slices.Clone(e.Writes)
		for j := range e.Writes {
			w := &e.Writes[j]
			for d := range w.Context.All() {
				if depends(d) {
					return nil, ErrDependsOn
				}
			}
			if w.Context, err = k.translate(c, w.Context); err != nil {
				return nil, err
			}
		}
	}
	return edits, nil
}

// entriesOf reads a replica's entries once; settle keeps them up to date.
func (k *desk) entriesOf(replica int64) ([]ledger.Quarantine, error) {
	if list, ok := k.entries[replica]; ok {
		return list, nil
	}
	list, err := k.l.Quarantined(replica)
	if err != nil {
		return nil, err
	}
	if k.entries == nil {
		k.entries = map[int64][]ledger.Quarantine{}
	}
	k.entries[replica] = list
	return list, nil
}

// units are those whose quarantine the caller sees: their own, and those in which
// records of a split unit wait.
func (k *desk) units() []string {
	return append([]string{k.p.Unit}, strings.Fields(k.p.Waiting)...)
}

// ours reports whether the changeset of q is the caller's to release: of a unit
// of theirs, or of one that became it.
func (k *desk) ours(q ledger.Quarantine, c record.Changeset) (bool, error) {
	if !slices.Contains(k.units(), q.Unit) {
		return false, nil
	}
	if c.Unit == q.Unit {
		return true, nil
	}
	changes, err := k.l.UnitChanges()
	return ledger.UnitNow(changes, c.Unit) == q.Unit, err
}

func (k *desk) releasableEdit(q ledger.Quarantine, c record.Changeset, i int) error {
	e := c.Edits[i]
	if erased, err := k.l.Erased(e.Record); err != nil || erased {
		return err // by law: nothing of it is written
	}
	def, ok := k.s.cfg.Definition(e.Register)
	if !ok {
		return ErrNotReleasable.Because(errors.New("register"))
	}
	row, ok, err := k.l.Record(e.Record)
	switch {
	case err != nil:
		return err
	case ok && row.Unit != c.Unit && row.Unit != q.Unit:
		// One that moved while its changeset waited is written to where it is.
		if _, ok, err = k.l.Departed(e.Record, c.Unit); err != nil {
			return err
		} else if !ok {
			return ErrNotReleasable.Because(errors.New("the record is another unit's"))
		}
	case ok && row.Register != e.Register:
		return ErrNotReleasable.Because(errors.New("the record is another register's"))
	case !ok && !c.Creates(i):
		return ErrNotReleasable.Because(errors.New("no such record"))
	}
	for _, w := range e.Writes {
		if w.Key.ID >= conflict.FirstUserField && def.FieldByID(w.Key.ID) == nil {
			return ErrNotReleasable.Because(errors.New("field"))
		}
		if err := auth.Can(k.p, auth.WriteRecord, q.Unit, classOf(def, w.Key.ID)); err != nil {
			return err
		}
		if w.Key.ID == conflict.FieldLife {
			life, err := conflict.ParseLife(w.Value)
			if err != nil {
				return ErrNotReleasable.Because(err)
			}
			if life.Deleted {
				if err := k.wholeRecord(&dossier{row: ledger.Row{Unit: q.Unit}, def: def}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// translate returns a context as its author meant it: without writes that
// nobody stored, and with the writes that earlier entries were released as.
func (k *desk) translate(c record.Changeset, context conflict.Vector) (conflict.Vector, error) {
	var v conflict.Vector
	for d := range context.All() {
		known, err := k.stands(c, d)
		if err != nil {
			return v, err
		}
		v = v.With(conflict.Dot{Replica: d.Replica, Counter: min(d.Counter, known)})
		releases, err := k.l.ReleasesOf(d.Replica)
		if err != nil {
			return v, err
		}
		for _, r := range releases {
			if r.From.Counter > d.Counter {
				continue
			}
			n := min(d.Counter-r.From.Counter, r.Count-1)
			v = v.With(conflict.Dot{Replica: r.To.Replica, Counter: r.To.Counter + n})
		}
	}
	return v, nil
}

// stands returns the highest counter of d's replica that a context may name.
func (k *desk) stands(c record.Changeset, d conflict.Dot) (uint64, error) {
	if d.Replica == c.Dot.Replica {
		return c.Dot.Counter - 1, nil
	}
	epoch, err := k.l.Epoch()
	if err != nil {
		return 0, err
	}
	if d.Replica == epoch.Server {
		return epoch.Counter, nil
	}
	r, _, err := k.l.Replica(d.Replica)
	return r.Acked, err
}

// SettleAsideRequest decides about an entry in quarantine.
type SettleAsideRequest struct {
	ID     string `path:"id"`
	Reason string `json:"reason" maxlen:"2000"`
}

// SettleAsideResponse says what became of it.
type SettleAsideResponse struct {
	ID         string   `json:"id"`
	Settled    string   `json:"settled" enum:"released,rejected"`
	Changesets int      `json:"changesets" doc:"how many were settled"`
	Left       int      `json:"left" doc:"how many of those held together could not be applied, and stay"`
	Records    []string `json:"records" doc:"those that a release changed"`
}

// Release applies a changeset out of quarantine as writes of the server's own on
// behalf of its author: its values, under the contexts its author had, so that it
// merges as it would have. It needs the same rights as making it. Of several that
// the brake holds, those that cannot be applied stay.
func (s *Service) Release(ctx context.Context, req SettleAsideRequest) (SettleAsideResponse, error) {
	out := SettleAsideResponse{ID: req.ID, Settled: "released", Records: []string{}}
	err := s.settleAside(ctx, req, &out, func(k *desk, q ledger.Quarantine, at conflict.Dot) error {
		c, ok, err := k.stored(q)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotReleasable.Because(errors.New("its bytes cannot be read"))
		}
		edits, err := k.releasable(q, c)
		if err != nil {
			return err
		}
		epoch, err := k.l.Epoch()
		if err != nil {
			return err
		}
		to := conflict.Dot{Replica: epoch.Server, Counter: epoch.Counter + 1}
		submit(c, edits, to)
		done, grew, err := s.cfg.Ledger.Release(k.l, c.Unit, q.Unit, c.Author, c.At, edits)
		var refused *protocol.Error
		switch {
		case errors.As(err, &refused) && refused.Code == protocol.TooLarge:
			return ErrRecordFull.Because(err)
		case refused != nil && refused.Code == protocol.ErasedByLaw:
			return ErrNotReleasable.Because(err)
		}
		if err != nil {
			return err
		}
		if done.Dot != to || done.Len() != c.Len() {
			return fmt.Errorf("release of %v took dot %v, want %v", at, done.Dot, to)
		}
		for _, e := range edits {
			if erased, err := k.l.Erased(e.Record); err != nil {
				return err
			} else if !erased {
				out.Records = append(out.Records, e.Record.String())
			}
		}
		k.tell(grew)
		if q.Code == protocol.Brake {
			if err := s.cfg.Ledger.Forgive(k.l, c.Author, c.Unit); err != nil {
				return err
			}
		}
		return k.l.AppendRelease(store.Release{From: at, Count: q.Count, To: to})
	})
	return out, err
}

// submit lets the submissions among the edits cover the released writes in the
// place of the quarantined ones that they name. to is the first released dot.
func submit(c record.Changeset, edits []record.Edit, to conflict.Dot) {
	for i := range edits {
		first := c.FirstDot(i)
		for j := range edits[i].Writes {
			w := &edits[i].Writes[j]
			if w.Key.ID != conflict.FieldSubmission {
				continue
			}
			v, err := record.ParseSubmission(w.Value)
			if err != nil {
				continue
			}
			for n := range edits[i].Writes {
				old := conflict.Dot{Replica: first.Replica, Counter: first.Counter + uint64(n)}
				if v.Covers.Covers(old) {
					v.Covers = v.Covers.With(conflict.Dot{Replica: to.Replica, Counter: to.Counter + old.Counter - c.Dot.Counter})
				}
			}
			w.Value = v.Value()
		}
	}
}

// Reject settles an entry without applying it. Its changeset stays stored.
func (s *Service) Reject(ctx context.Context, req SettleAsideRequest) (SettleAsideResponse, error) {
	out := SettleAsideResponse{ID: req.ID, Settled: "rejected", Records: []string{}}
	err := s.settleAside(ctx, req, &out, func(*desk, ledger.Quarantine, conflict.Dot) error { return nil })
	return out, err
}

// settleAside settles one open entry of the caller's unit, or what the brake
// holds of its replica up to it, in one transaction.
func (s *Service) settleAside(ctx context.Context, req SettleAsideRequest, out *SettleAsideResponse, work func(*desk, ledger.Quarantine, conflict.Dot) error) error {
	reason := strings.TrimSpace(req.Reason)
	if reason == "" {
		return ErrReasonMissing.At("reason")
	}
	at, err := conflict.ParseDot(req.ID)
	if err != nil {
		return rpc.ErrNotFound.Because(err)
	}
	return s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, "")
		if err != nil {
			return err
		}
		out.Changesets, out.Left, out.Records = 0, 0, []string{}
		group, err := k.decidedWith(at)
		if err != nil {
			return err
		}
		var first error
		for _, q := range group {
			at := conflict.Dot{Replica: at.Replica, Counter: q.Counter}
			var refused *rpc.Error
			if err := work(k, q, at); errors.As(err, &refused) {
				out.Left++
				first = cmp.Or(first, err)
				continue
			} else if err != nil {
				return err
			}
			q.Settled, q.SettledBy, q.SettledAt, q.Reason = out.Settled, k.p.Name, k.now.UnixMilli(), reason
			if err := k.settle(q, at); err != nil {
				return err
			}
			out.Changesets++
		}
		if out.Changesets == 0 {
			return first
		}
		return nil
	})
}

// decidedWith returns the open entry that begins with at, or, if the brake holds
// it, all that it holds of the replica and the caller's unit up to there: what
// came later was not on the screen.
func (k *desk) decidedWith(at conflict.Dot) ([]ledger.Quarantine, error) {
	q, ok, err := k.l.QuarantineEntry(at)
	switch {
	case err != nil:
		return nil, err
	case !ok || !slices.Contains(k.units(), q.Unit):
		return nil, rpc.ErrNotFound
	case q.Settled != "":
		return nil, ErrSettledAlready
	case q.Code != protocol.Brake:
		return []ledger.Quarantine{q}, nil
	}
	all, err := k.entriesOf(q.Replica)
	if err != nil {
		return nil, err
	}
	var group []ledger.Quarantine
	for _, o := range all {
		if o.Code == protocol.Brake && o.Settled == "" && o.Unit == q.Unit && o.Counter <= q.Counter {
			group = append(group, o)
		}
	}
	return group, nil
}

// settle keeps what was decided about an entry, and tells its device.
func (k *desk) settle(q ledger.Quarantine, at conflict.Dot) error {
	if err := k.l.PutQuarantine(&q); err != nil {
		return err
	}
	for i, o := range k.entries[q.Replica] {
		if o.Counter == q.Counter {
			k.entries[q.Replica][i] = q
		}
	}
	if k.s.cfg.Settled != nil {
		release, ok, err := k.l.ReleaseOf(at)
		if err != nil {
			return err
		}
		if ok {
			q.As = release.To
		}
		told := ledger.RefusalOf(q)
		k.tx.AfterCommit(func() { k.s.cfg.Settled(at.Replica, told) })
	}
	verb := map[string]string{"released": "release", "rejected": "reject"}[q.Settled]
	return audit.Append(k.tx, k.now, audit.Entry{Actor: k.p.Account, Device: k.p.Device, Action: "quarantine." + verb,
		Unit: q.Unit, Subject: at.String(), Detail: map[string]string{"code": q.Code.String(), "author": q.Author}})
}
