package review

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// city is the wall clock of the people whose days are meant.
var city = time.FixedZone("+07", 7*60*60)

// dossier is all that a decision about one record rests on, as one transaction
// sees it and as far as one supervisor may: what is not theirs to see is not in
// fields, nor in the digest, nor touched by their decisions.
type dossier struct {
	row      ledger.Row
	def      *register.Definition
	head     conflict.Record
	life     conflict.LifeState
	standing record.Standing
	history  *history
	version  Version // what stands approved
	fields   []field // life first, then in the order of the form
	findings []register.Finding
	twins    []Twin            // what may be the same thing, as far as the deciding fields may be seen
	kept     conflict.RecordID // of a deleted record: the one that stays of the two that were one thing; zero if there is none
	marks    marks
}

// load reads the record of row for p. e is the index of row's register.
func (s *Service) load(l *sqlite.Ledger, row ledger.Row, p auth.Principal, e *index, now time.Time) (*dossier, error) {
	def, ok := s.cfg.Definition(row.Register)
	if !ok {
		return nil, fmt.Errorf("record %v: register %q has no definition", row.ID, row.Register)
	}
	head, _, err := record.ParseState(row.State, row.ID)
	if err != nil {
		return nil, fmt.Errorf("record %v: %w", row.ID, err)
	}
	d := &dossier{row: row, def: def, head: head, life: head.Life(), standing: record.StandingOf(head)}
	if d.history, err = readHistory(l, row.ID); err != nil {
		return nil, err
	}
	if d.version, err = d.history.sealed(d.history.last()); err != nil {
		return nil, err
	}
	d.standing.Review.Dots = d.history.last().Dots
	d.listFields(p)
	d.marks = d.markAll(s.key)
	return d, d.validate(l, e, now)
}

// listFields fills d.fields with what p may see.
func (d *dossier) listFields(p auth.Principal) {
	keys := map[conflict.FieldID][]conflict.FieldKey{conflict.FieldLife: {conflict.Key(conflict.FieldLife)}}
	add := func(k conflict.FieldKey) {
		if k.ID >= conflict.FirstUserField && !slices.Contains(keys[k.ID], k) {
			keys[k.ID] = append(keys[k.ID], k)
		}
	}
	for k := range d.head.All() {
		add(k)
	}
	for _, k := range d.version.keys() {
		add(k)
	}
	ids := []conflict.FieldID{conflict.FieldLife}
	for i := range d.def.Fields {
		if f := &d.def.Fields[i]; !f.Retired || len(keys[f.ID]) > 0 {
			ids = append(ids, f.ID)
		}
	}
	unknown := len(ids)
	for id := range keys {
		if id != conflict.FieldLife && d.def.FieldByID(id) == nil {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids[unknown:])
	for _, id := range ids {
		if auth.Can(p, auth.Review, d.row.Unit, classOf(d.def, id)) != nil {
			continue
		}
		f := field{name: nameOf(d.def, id), id: id, def: d.def.FieldByID(id), keys: keys[id]}
		slices.SortFunc(f.keys, conflict.FieldKey.Compare)
		for _, k := range f.keys {
			f.waiting = f.waiting || slices.Contains(d.standing.Waiting, k)
			f.draft = f.draft || slices.Contains(d.standing.Drafts, k)
			if id >= conflict.FirstUserField && d.life != conflict.Deleted { // beneath a deletion nothing is to be chosen
				f.conflict = f.conflict || ledger.View(d.def, id, d.head.Field(k)).Conflict
			}
		}
		if f.isLife() {
			f.conflict = d.life == conflict.EditedAndDeleted
			f.draft = false // a deletion speaks for itself
		}
		d.fields = append(d.fields, f)
	}
}

// field returns the field with the given name as far as it may be seen.
func (d *dossier) field(name string) *field {
	for i := range d.fields {
		if d.fields[i].name == name {
			return &d.fields[i]
		}
	}
	return nil
}

// submitted reports whether f waits and everything that waits was handed in.
func (f *field) submitted() bool { return f.waiting && !f.draft }

// waitingDots returns f's current writes that nobody approved.
func (d *dossier) waitingDots(f *field) map[conflict.FieldKey][]conflict.Dot {
	dots := map[conflict.FieldKey][]conflict.Dot{}
	for _, k := range f.keys {
		for _, sib := range d.head.Field(k).Siblings() {
			if !d.history.last().Dots.Has(sib.Dot) {
				dots[k] = append(dots[k], sib.Dot)
			}
		}
	}
	return dots
}

// authors returns who made what waits in f.
func (d *dossier) authors(f *field) []string {
	var names []string
	for k, dots := range d.waitingDots(f) {
		for _, dot := range dots {
			names = append(names, d.history.authors(k, dot)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// validate fills d.findings and d.twins.
func (d *dossier) validate(l *sqlite.Ledger, e *index, now time.Time) error {
	beside, done, err := e.beside(l, d.row.ID)
	if err != nil {
		return err
	}
	defer done()
	if d.life != conflict.Deleted {
		for _, f := range register.Validate(d.def, headValues(d.def, d.head), d.env(beside, now)) {
			if d.field(f.Field) != nil {
				d.findings = append(d.findings, f)
			}
		}
		twins, err := beside.twins(d.head)
		if err != nil {
			return err
		}
		d.twins = slices.DeleteFunc(twins, func(t Twin) bool {
			return slices.ContainsFunc(t.fields, func(name string) bool { return d.field(name) == nil })
		})
	}
	if d.life == conflict.Deleted {
		if d.kept, err = beside.kept(d.head); err != nil {
			return err
		}
	}
	return beside.err
}

func (d *dossier) env(lookup register.Lookup, now time.Time) register.Env {
	env := register.Env{Today: now.In(city).Format(time.DateOnly), Unit: register.UnitCode(d.row.Unit), Lookup: lookup}
	if len(d.version.Fields) > 0 {
		env.Before = approvedValues(d.def, d.version)
	}
	for k, f := range d.head.All() {
		if k.ID < conflict.FirstUserField {
			continue
		}
		for i := range f.Len() {
			env.MadeUnder = max(env.MadeUnder, f.At(i).Origin.Definition)
		}
	}
	return env
}

// complete reports whether v has everything that the definition always or, as
// v stands, conditionally asks for: only then may the hub have it.
func (d *dossier) complete(v Version, now time.Time) bool {
	for _, f := range register.Validate(d.def, approvedValues(d.def, v), d.env(nil, now)) {
		if f.Code == "E_REQUIRED" {
			return false
		}
	}
	return true
}

// reason returns the reason that a submission gives for a warning, "" for none.
func (d *dossier) reason(f register.Finding) string {
	return strings.TrimSpace(d.standing.Reasons[f.Field+" "+f.Code])
}

// newFindings returns the findings on fields that wait, and those that the
// approved version does not have: what a change brought about, wherever it
// shows.
func (d *dossier) newFindings(now time.Time) []register.Finding {
	old := map[[2]string]bool{}
	if len(d.version.Fields) > 0 {
		for _, f := range register.Validate(d.def, approvedValues(d.def, d.version), d.env(nil, now)) {
			old[[2]string{f.Field, f.Code}] = true
		}
	}
	var fresh []register.Finding
	for _, f := range d.findings {
		if d.field(f.Field).waiting || !old[[2]string{f.Field, f.Code}] {
			fresh = append(fresh, f)
		}
	}
	return fresh
}

// lifeWaits reports whether a deletion, or a restoration, waits.
func (d *dossier) lifeWaits() bool { return d.field(lifeName).waiting }

// approvable returns the fields that approving everything would approve: of a
// record whose deletion waits life alone, else all that was submitted.
func (d *dossier) approvable() []*field {
	var list []*field
	for i := range d.fields {
		f := &d.fields[i]
		if f.submitted() && (f.isLife() || d.life != conflict.Deleted) {
			list = append(list, f)
		}
	}
	return list
}

// view reads one field of the head through its policy.
func (d *dossier) view(k conflict.FieldKey) conflict.View {
	return ledger.View(d.def, k.ID, d.head.Field(k))
}
