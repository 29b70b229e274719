package register_test

import (
	"encoding/json"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// withCondition is a small definition whose second field is required when c
// holds, and which has a rule under the same condition.
func withCondition(c *register.Condition) register.Definition {
	label := register.Text{VI: "x", EN: "x"}
	return register.Definition{ID: "x", Version: 1, Label: label, TitleField: "a", Sections: []register.Section{{ID: "s", Label: label}},
		Fields: []register.Field{
			{ID: 16, Name: "a", Type: register.PlainText, Label: label, Section: "s", Required: register.Optional, Class: register.Basic, Policy: conflict.Keep},
			{ID: 17, Name: "b", Type: register.PlainText, Label: label, Section: "s", Required: register.Conditional, RequiredWhen: c, Class: register.Basic, Policy: conflict.Keep},
		}}
}

// FuzzCondition: a condition that a definition accepts can be asked of any
// values, and survives the definition's journey to a device.
func FuzzCondition(f *testing.F) {
	for _, s := range []string{`{"field":"a","op":"filled"}`, `{"field":"a","op":"is","values":["1","2"]}`, `{"all":[{"field":"a","op":"empty"},{"any":[{"field":"b","op":"is_not","values":["x"]}]}]}`,
		`{"all":[{"all":[{"all":[{"all":[{"all":[{"all":[]}]}]}]}]}]}`, `{"field":"c","op":"is"}`, `{}`} {
		f.Add([]byte(s), "1")
	}
	f.Fuzz(func(t *testing.T, text []byte, value string) {
		var c register.Condition
		if json.Unmarshal(text, &c) != nil {
			return
		}
		d, err := register.New(withCondition(&c))
		if err != nil {
			return
		}
		values := map[string]conflict.Value{"a": conflict.Value(value)}
		holds := d.Holds(&c, values)
		register.Validate(d, values, register.Env{Today: "2026-11-22"})
		sent, err := register.ParseDefinition(d.Marshal())
		if err != nil {
			t.Fatalf("%s was accepted, and its definition is not: %v", text, err)
		}
		if got := sent.Holds(sent.Fields[1].RequiredWhen, values); got != holds {
			t.Errorf("%s of %q: got %v on a device, want %v", text, value, got, holds)
		}
	})
}
