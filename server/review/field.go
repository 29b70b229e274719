package review

import (
	"fmt"
	"strings"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// lifeName is how the API names the record's life.
const lifeName = "life"

// unknownPrefix begins the name of a field that the definition does not have.
const unknownPrefix = "field_"

// field is one field as people know it: life, a field of the definition with
// all its elements, or one that the definition does not know.
type field struct {
	name string
	id   conflict.FieldID
	def  *register.Field     // nil for life and unknown fields
	keys []conflict.FieldKey // those written or approved, in order

	waiting  bool
	draft    bool // some of what waits was not submitted
	conflict bool // a person has to choose
}

// isLife reports whether f is the record's life.
func (f *field) isLife() bool { return f.id == conflict.FieldLife }

// classOf returns the class that the authoriser is asked about.
func classOf(def *register.Definition, id conflict.FieldID) auth.Class {
	if ledger.ClassOf(def, id) == protocol.Basic {
		return auth.Basic
	}
	return auth.Sensitive
}

func nameOf(def *register.Definition, id conflict.FieldID) string {
	if id == conflict.FieldLife {
		return lifeName
	}
	if f := def.FieldByID(id); f != nil {
		return f.Name
	}
	return fmt.Sprint(unknownPrefix, id)
}

// shownValue returns the value of field f that r shows, "" for none.
func shownValue(f *register.Field, r conflict.Record) conflict.Value {
	if f.Policy == conflict.Union {
		return register.JoinElements(r.Union(f.ID))
	}
	v := r.Field(conflict.Key(f.ID)).View(f.Policy, register.ViewRules(f))
	return v.Shown.Value
}

// headValues returns the shown value of every field of r by name.
func headValues(def *register.Definition, r conflict.Record) map[string]conflict.Value {
	values := map[string]conflict.Value{}
	for i := range def.Fields {
		if v := shownValue(&def.Fields[i], r); v != "" {
			values[def.Fields[i].Name] = v
		}
	}
	return values
}

// approvedValues returns the approved value of every field by name, blank ones
// left out.
func approvedValues(def *register.Definition, v Version) map[string]conflict.Value {
	values := map[string]conflict.Value{}
	for _, k := range v.keys() {
		f := def.FieldByID(k.ID)
		switch value := v.Fields[k].Value; {
		case f == nil || value == "":
		case f.Policy == conflict.Union:
			values[f.Name] = register.JoinElements(append(register.Elements(values[f.Name]), k.Elem))
		default:
			values[f.Name] = value
		}
	}
	return values
}

// display returns what a person may see of a value, masked where it must be.
func display(def *register.Definition, f *field, v conflict.Value, lang string) string {
	switch {
	case f.isLife():
		return lifeText(isDeletion(v))
	case f.def == nil:
		return strings.Repeat("•", min(len([]rune(string(v))), 8)) // nobody has said that it may be shown
	}
	return register.Mask(def, f.name, v, lang)
}

// plain returns the stored value where it may be told, "" where display masks.
func plain(f *field, v conflict.Value) string {
	if f.isLife() {
		return lifeText(isDeletion(v))
	}
	if f.def == nil || f.def.Masked {
		return ""
	}
	return string(v)
}

func lifeText(deleted bool) string {
	if deleted {
		return conflict.Deleted.String()
	}
	return conflict.Alive.String()
}
