package review

import (
	"slices"
	"time"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Reason is why a record that waits wants a person's look: why a batch leaves
// it out. A record without any is clean.
type Reason struct {
	Code    string   `json:"code"`
	Fields  []string `json:"fields" doc:"names of the fields that it is about; none: the record"`
	With    []Twin   `json:"with,omitempty" doc:"records that may be the same"`
	Pattern *Pattern `json:"pattern,omitempty" doc:"what is unusual, in figures"`
}

// The groups of what waits. A record is in the group of its reasons: in
// conflict if one of them is, clean without any.
const (
	groupConflict = "conflict"
	groupEyes     = "eyes"
	groupClean    = "clean"
	groupReturned = "returned" // with its officer; waits for nobody at the desk
)

func groupOf(reasons []Reason) string {
	switch {
	case len(reasons) == 0:
		return groupClean
	case slices.ContainsFunc(reasons, func(r Reason) bool { return r.Code == whyConflict || r.Code == whyEditedAndDeleted }):
		return groupConflict
	}
	return groupEyes
}

func codesOf(reasons []Reason) []string {
	var codes []string
	for _, r := range reasons {
		codes = append(codes, r.Code)
	}
	return codes
}

// reasons says why approving everything that waits of d would not pass by
// itself, whoever the supervisor is. hard tells whether it could not pass at
// all, as against wanting a look.
func (d *dossier) reasons(now time.Time) (list []Reason, hard bool) {
	add := func(code string, isHard bool, fields ...string) {
		hard = hard || isHard
		i := slices.IndexFunc(list, func(r Reason) bool { return r.Code == code })
		if i < 0 {
			list = append(list, Reason{Code: code, Fields: []string{}})
			i = len(list) - 1
		}
		for _, name := range fields {
			if !slices.Contains(list[i].Fields, name) {
				list[i].Fields = append(list[i].Fields, name)
			}
		}
	}
	if d.life == conflict.EditedAndDeleted {
		add(whyEditedAndDeleted, true)
	}
	approvable := d.approvable()
	if len(approvable) == 0 {
		if slices.ContainsFunc(d.fields, func(f field) bool { return f.waiting }) {
			add(whyDraft, true)
		} else {
			add(whyNothingWaiting, true)
		}
	}
	for i := range d.fields {
		f := &d.fields[i]
		if f.conflict && !f.isLife() {
			add(whyConflict, f.submitted(), f.name)
		}
	}
	for _, f := range approvable {
		if f.isLife() && d.life != conflict.EditedAndDeleted {
			add(whyDeletion, false)
		}
		if f.def != nil && f.def.HighRisk || f.def == nil && !f.isLife() {
			if len(d.version.Fields) == 0 {
				add(whyFirst, false, f.name) // of every new record; what is changed later weighs more
			} else {
				add(whyHighRisk, false, f.name)
			}
		}
	}
	for _, f := range d.newFindings(now) {
		switch f.Level {
		case register.Error:
			add(whyError, d.field(f.Field).submitted(), f.Field)
		case register.Warning:
			add(whyWarning, false, f.Field)
		}
	}
	for i := range d.fields {
		if f := &d.fields[i]; f.waiting && f.draft {
			add(whyDraft, false, f.name)
		}
	}
	if len(d.twins) > 0 {
		add(whyDuplicate, false, d.twins[0].fields...)
		list[len(list)-1].With = d.twins
	}
	if d.answered() {
		add(whyAnswered, false)
	}
	return list, hard
}

// answered reports whether the last decision asked something and the record is
// back: whoever asked has to read what came.
func (d *dossier) answered() bool {
	return d.history.last().Decision == record.Returned && d.standing.Stage != record.StageReturned
}

// makers lists who made what approving everything would approve.
func (d *dossier) makers() []string {
	var names []string
	for _, f := range d.approvable() {
		names = append(names, d.authors(f)...)
	}
	return unique(names)
}

// reasonsFor is d.reasons as the caller meets them: with what is the caller's
// own work, and what is unusual.
func (k *desk) reasonsFor(d *dossier, odd map[conflict.RecordID][]Reason) (list []Reason, hard bool) {
	list, hard = d.reasons(k.now)
	list, own := personal(list, d.makers(), k.p.Name, odd[d.row.ID])
	return list, hard || own
}

// personal adds to a record's reasons what depends on who asks, and on
// everything else that waits.
func personal(list []Reason, makers []string, supervisor string, odd []Reason) (all []Reason, own bool) {
	all = slices.Clone(list)
	if own = slices.Contains(makers, supervisor); own {
		all = append(all, Reason{Code: whyOwnWork, Fields: []string{}})
	}
	return append(all, odd...), own
}
