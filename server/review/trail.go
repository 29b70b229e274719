package review

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Step is one write in a record's history.
type Step struct {
	Dot        string `json:"dot"`
	Field      string `json:"field"`
	Value      string `json:"value"`
	Display    string `json:"display"`
	By         string `json:"by"`
	At         int64  `json:"at" doc:"the author's device clock"`
	Received   int64  `json:"received" doc:"the server's clock"`
	Definition uint32 `json:"definition"`
	Source     string `json:"source"`
	State      string `json:"state" enum:"current,superseded,sibling,quarantined,refused"`
	Approved   bool   `json:"approved,omitempty" doc:"stands approved"`
	Was        bool   `json:"was_approved,omitempty" doc:"stood approved once"`
	Device     string `json:"device,omitempty" doc:"label of the device that wrote it"`
	Clock      int64  `json:"clock,omitempty" doc:"by how many ms that device's clock was ahead of the server's when it was last seen"`
}

// HistoryRequest asks for all writes of a record.
type HistoryRequest struct {
	ID   string `path:"id"`
	Lang string `query:"lang" enum:"vi,en"`
}

// HistoryResponse is a record's history, the newest step first.
type HistoryResponse struct {
	Steps     []Step     `json:"steps"`
	Ancestors []Step     `json:"ancestors" doc:"of each field in conflict what all its sides had seen, as far as there is one"`
	Decisions []Decision `json:"decisions"`
	Truncated bool       `json:"truncated" doc:"there are older steps"`
}

const (
	historySteps = 2000 // of one answer
	historyAside = 500  // entries in quarantine that are searched for the record
)

// History lists every write of a record that its reader may see, with what
// became of it. Officers and supervisors of the unit may read it.
func (s *Service) History(ctx context.Context, req HistoryRequest) (HistoryResponse, error) {
	var out HistoryResponse
	entry := audit.Entry{Action: "record.history", Subject: req.ID}
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.caller(ctx, tx, req.Lang)
		if err != nil {
			return err
		}
		if err := auth.Can(k.p, auth.ReadRecord, k.p.Unit, auth.Basic); err != nil {
			return err
		}
		entry.Actor, entry.Device, entry.Unit = k.p.Account, k.p.Device, k.p.Unit
		out, err = k.trail(req.ID)
		return err
	})
	if err != nil {
		return out, err
	}
	return out, s.log(ctx, entry)
}

// trail reads the history of the record that text names.
func (k *desk) trail(text string) (HistoryResponse, error) {
	var out HistoryResponse
	row, err := k.row(text, auth.ReadRecord)
	if err != nil {
		return out, err
	}
	def, ok := k.s.cfg.Definition(row.Register)
	if !ok {
		return out, rpc.ErrNotFound
	}
	d := &dossier{row: row, def: def}
	if d.head, _, err = record.ParseState(row.State, row.ID); err != nil {
		return out, err
	}
	if d.history, err = readHistory(k.l, row.ID); err != nil {
		return out, err
	}
	refused := d.refused()
	out.Steps, out.Ancestors = []Step{}, []Step{}
	for key, list := range d.history.fields {
		if auth.Can(k.p, auth.ReadRecord, row.Unit, classOf(def, key.ID)) != nil {
			continue
		}
		for i := range list {
			st := k.step(d, &list[i])
			st.State = stateOf(d.head.Field(key), list[i].dot, refused)
			if err := k.from(&st, list[i].dot.Replica); err != nil {
				return out, err
			}
			out.Steps = append(out.Steps, st)
		}
		if before := d.history.ancestor(d.head.Field(key)); before != nil && key.Elem == "" && key.ID >= conflict.FirstUserField {
			st := k.step(d, before)
			st.State = "superseded"
			out.Ancestors = append(out.Ancestors, st)
		}
	}
	slices.SortFunc(out.Ancestors, func(a, b Step) int { return cmp.Compare(a.Field, b.Field) })
	if err := k.asideSteps(d, &out); err != nil {
		return out, err
	}
	slices.SortFunc(out.Steps, func(a, b Step) int {
		return cmp.Or(-cmp.Compare(a.Received, b.Received), -cmp.Compare(a.At, b.At), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Dot, b.Dot))
	})
	if len(out.Steps) > historySteps {
		out.Steps, out.Truncated = out.Steps[:historySteps], true
	}
	out.Decisions = d.decisions()
	return out, nil
}

// writer is where the writes of one replica come from.
type writer struct {
	device string
	clock  int64
}

// clockTrust is by how many ms two clocks may differ without anybody being told.
const clockTrust = 60_000

// from says of a step on which device it was written, as that calls itself.
func (k *desk) from(st *Step, replica conflict.ReplicaID) error {
	w, known := k.writers[replica]
	if !known {
		r, ok, err := k.l.Replica(replica)
		if err != nil {
			return err
		}
		if ok && r.Device != "" {
			switch d, err := k.tx.Device(store.DeviceID(r.Device)); {
			case err == nil:
				w.device = d.Label
			case !errors.Is(err, store.ErrNotFound):
				return err
			}
			if w.clock = r.Clock; w.clock > -clockTrust && w.clock < clockTrust {
				w.clock = 0
			}
		}
		if k.writers == nil {
			k.writers = map[conflict.ReplicaID]writer{}
		}
		k.writers[replica] = w
	}
	st.Device, st.Clock = w.device, w.clock
	return nil
}

func stateOf(f conflict.Field, d conflict.Dot, refused map[conflict.Dot]bool) string {
	switch {
	case refused[d]:
		return "refused"
	case !f.Has(d):
		return "superseded"
	case f.Len() > 1:
		return "sibling"
	}
	return "current"
}

// systemFields names the system's own fields in a history.
var systemFields = map[conflict.FieldID]string{
	conflict.FieldSubmission: "submission", conflict.FieldReview: "review", conflict.FieldAnswer: "answer", conflict.FieldHome: "home", conflict.FieldTwin: "twin",
}

func (k *desk) step(d *dossier, w *entry) Step {
	st := Step{Dot: w.dot.String(), By: w.origin.Author, At: w.origin.At, Received: w.origin.Received, Definition: w.origin.Definition,
		Source: sourceName(w.origin.Source), Approved: d.history.last().Dots.Has(w.dot)}
	st.Was = !st.Approved && slices.ContainsFunc(d.history.decisions, func(a store.Approval) bool { return a.Dots.Has(w.dot) })
	if name, ok := systemFields[w.key.ID]; ok {
		st.Field = name
		switch w.key.ID {
		case conflict.FieldReview:
			if v, err := record.ParseReview(w.value); err == nil {
				st.Value, st.Display = string(v.Decision), string(v.Decision)
			}
		case conflict.FieldAnswer:
			if v, err := record.ParseAnswer(w.value); err == nil {
				st.Value, st.Display = v.Text, v.Text
			}
		case conflict.FieldTwin:
			switch v, err := record.ParseTwin(w.value); {
			case w.key.Elem == "" && w.value != "":
				st.Value, st.Display = "unchecked", "unchecked"
			case w.key.Elem == "":
				st.Value, st.Display = "checked", "checked"
			case err == nil:
				st.Value, st.Display = string(v.Said), string(v.Said)
			}
		case conflict.FieldHome:
			if v, err := record.ParseHome(w.value); err == nil {
				st.Value, st.Display = v.Unit, unitName(v.Unit, k.lang)
			}
		}
		return st
	}
	f := &field{name: nameOf(d.def, w.key.ID), id: w.key.ID, def: d.def.FieldByID(w.key.ID)}
	v := k.sibling(&dossier{row: d.row, def: d.def, head: d.head, history: &history{}}, f, w.key, conflict.Sibling{Dot: w.dot, Value: w.value, Origin: w.origin})
	st.Field, st.Value, st.Display = f.name, v.Value, v.Display
	return st
}

// refused returns the writes that a refusal set aside: of each value written
// back what it replaced and was not approved; of a whole record refused, what
// stood in it.
func (d *dossier) refused() map[conflict.Dot]bool {
	out := map[conflict.Dot]bool{}
	var before store.Approval
	for _, a := range d.history.decisions {
		if a.Decision == record.Refused {
			for key, list := range d.history.fields {
				for i := range list {
					w := &list[i]
					if !a.Dots.Has(w.dot) || before.Dots.Has(w.dot) {
						continue
					}
					d.setAside(out, key, w, before)
				}
			}
		}
		before = a
	}
	return out
}

// setAside adds what the write-back w replaced.
func (d *dossier) setAside(out map[conflict.Dot]bool, key conflict.FieldKey, w *entry, before store.Approval) {
	for _, gone := range d.history.superseded(w) {
		if !before.Dots.Has(gone.dot) {
			out[gone.dot] = true
		}
	}
	if key.ID != conflict.FieldLife || !isDeletion(w.value) || len(d.history.superseded(w)) > 0 {
		return
	}
	seen, err := conflict.ParseLife(w.value)
	if err != nil {
		return
	}
	for k, list := range d.history.fields {
		for i := range list {
			if k.ID >= conflict.FirstUserField && d.head.Field(k).Has(list[i].dot) && seen.Seen.Covers(k, list[i].dot) {
				out[list[i].dot] = true
			}
		}
	}
}

// asideSteps adds the writes to the record that are in quarantine or were
// rejected out of it.
func (k *desk) asideSteps(d *dossier, out *HistoryResponse) error {
	entries, err := k.l.NotApplied(d.row.Unit, historyAside)
	if err != nil {
		return err
	}
	for _, q := range entries {
		c, ok, err := k.stored(q)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		for i, e := range c.Edits {
			if e.Record == d.row.ID {
				k.asideEdit(d, out, q, c, i)
			}
		}
	}
	return nil
}

func (k *desk) asideEdit(d *dossier, out *HistoryResponse, q ledger.Quarantine, c record.Changeset, i int) {
	h := &history{fields: map[conflict.FieldKey][]entry{}}
	h.add(c, i, q.At)
	for key, list := range h.fields {
		if key.ID == conflict.FieldSubmission || auth.Can(k.p, auth.ReadRecord, d.row.Unit, classOf(d.def, key.ID)) != nil {
			continue
		}
		st := k.step(&dossier{row: d.row, def: d.def, head: d.head, history: h}, &list[0])
		st.State = "quarantined"
		if q.Settled != "" {
			st.State = "refused"
		}
		out.Steps = append(out.Steps, st)
	}
}

// unitName returns what a unit is called, or its code if that is not of the
// current list.
func unitName(code, lang string) string {
	u, ok := register.UnitByCode(register.UnitCode(code))
	if !ok {
		return code
	}
	return register.Text{VI: u.NameVI, EN: u.NameEN}.In(lang)
}
