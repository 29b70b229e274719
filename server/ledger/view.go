package ledger

import (
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// ClassOf returns the class of a field. System fields are basic; a field that
// the definition does not know is sensitive, for nobody has said that it is not.
func ClassOf(def *register.Definition, id conflict.FieldID) protocol.Class {
	if id < conflict.FirstUserField {
		return protocol.Basic
	}
	if f := def.FieldByID(id); f != nil && f.Class == register.Basic {
		return protocol.Basic
	}
	return protocol.Sensitive
}

func hasSensitive(def *register.Definition) bool {
	for i := range def.Fields {
		if def.Fields[i].Class != register.Basic {
			return true
		}
	}
	return false
}

// View reads field f of the register through the policy that the definition
// gives it; a field that the definition does not know is kept for a person.
func View(def *register.Definition, id conflict.FieldID, f conflict.Field) conflict.View {
	if d := def.FieldByID(id); d != nil {
		return f.View(d.Policy, register.ViewRules(d))
	}
	return f.View(conflict.Keep, conflict.Rules{})
}

// Conflicts lists the fields of r that wait for a person to choose a value.
func Conflicts(def *register.Definition, r conflict.Record) []conflict.FieldKey {
	var keys []conflict.FieldKey
	for k, f := range r.All() {
		if k.ID >= conflict.FirstUserField && f.Len() > 1 && View(def, k.ID, f).Conflict {
			keys = append(keys, k)
		}
	}
	return keys
}

// KindOf says what a supervisor would do with r.
func KindOf(def *register.Definition, r conflict.Record) Kind {
	if r.Len() == 0 || r.At(0).Key.ID >= conflict.FirstUserField {
		// Nobody ever handed it in, looked at it or deleted it.
		if len(Conflicts(def, r)) > 0 {
			return Conflict
		}
		return Nothing
	}
	standing := record.StandingOf(r)
	switch life := r.Life(); {
	case life == conflict.EditedAndDeleted:
		return EditedAndDeleted
	case life == conflict.Deleted:
		if len(standing.Waiting) > 0 {
			return Deletion
		}
		return Nothing
	}
	switch {
	case len(Conflicts(def, r)) > 0:
		return Conflict
	case standing.Stage != record.StageReturned && len(standing.Waiting) > len(standing.Drafts):
		return Submitted // somebody's unsubmitted draft in another field hides nothing
	}
	return Nothing
}

// describe fills the columns of row that follow from its state.
func (l *Ledger) describe(row *Row, def *register.Definition, r conflict.Record, now int64) {
	kind := KindOf(def, r)
	switch {
	case kind == Nothing:
		row.WaitingSince = 0
	case kind != row.Kind || row.WaitingSince == 0:
		row.WaitingSince = now
	}
	row.Kind = kind
	if f := def.FieldByName("neighbourhood"); f != nil {
		if field := r.Field(conflict.Key(f.ID)); field.Len() > 0 {
			row.Neighbourhood = string(View(def, f.ID, field).Shown.Value)
		}
	}
}

// MayRead reports whether author may have the stream, which must be of a known
// register.
func (l *Ledger) MayRead(a Author, s protocol.Stream) bool {
	_, ok := l.cfg.Definition(s.Register)
	return ok && !a.Revoked && l.cfg.Allow(a, s.Unit, s.Class)
}

// Offer lists the streams that author may have, in the order of the registers.
func (l *Ledger) Offer(a Author) []protocol.Stream {
	var streams []protocol.Stream
	for _, unit := range append([]string{a.Unit}, a.Waiting...) {
		for _, id := range l.cfg.Registers {
			def, _ := l.cfg.Definition(id)
			for _, class := range []protocol.Class{protocol.Basic, protocol.Sensitive} {
				s := protocol.Stream{Unit: unit, Register: id, Class: class}
				if (class == protocol.Basic || hasSensitive(def)) && l.MayRead(a, s) {
					streams = append(streams, s)
				}
			}
		}
	}
	return streams
}
