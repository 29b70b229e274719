package city

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/register"
)

const registerID = "cards"

// cards is the register of the city: each field stands for one kind.
var cards = func() *register.Definition {
	text := func(s string) register.Text { return register.Text{VI: s, EN: s} }
	field := func(id conflict.FieldID, name string, typ register.Type, policy conflict.Policy) register.Field {
		return register.Field{ID: id, Name: name, Type: typ, Label: text(name), Section: "all", Required: register.Optional, Class: register.Basic, Policy: policy}
	}
	d := register.Definition{ID: registerID, Version: 1, Label: text("Cards"), TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: text("All")}},
		Fields: []register.Field{
			field(16, "name", register.PlainText, conflict.Equal),
			field(17, "pid", register.PlainText, conflict.Keep),
			field(18, "note", register.PlainText, conflict.Keep),
			field(19, "age", register.Integer, conflict.Max),
			field(20, "tags", register.MultiEnum, conflict.Union),
			field(21, "illness", register.PlainText, conflict.Keep),
			field(22, "house", register.PlainText, conflict.Keep),
			field(23, "head", register.PlainText, conflict.Keep),
		},
		CodeLists: []register.CodeList{{ID: "TAGS", Codes: []register.Code{{Code: "A", VI: "A", EN: "A"}, {Code: "B", VI: "B", EN: "B"}, {Code: "C", VI: "C", EN: "C"}}}},
		Rules: []register.Rule{
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"odd"}}, Code: "W_ODD", Group: register.GroupContradiction, Message: text("odd")},
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"wrong"}}, Code: "E_WRONG", Group: register.GroupContradiction, Message: text("wrong")},
			{Kind: register.RuleOnePer, Field: "head", Fields: []string{"house"}, Value: "yes", Code: "W_HEAD", Group: register.GroupContradiction, Message: text("one head")},
		},
	}
	d.Fields[0].Required = register.Always
	d.Fields[1].HighRisk = true
	d.Fields[4].CodeList = "TAGS"
	d.Fields[5].Class = register.Sensitive
	def, err := register.New(d)
	if err != nil {
		panic(fmt.Sprintf("city: the register is wrong: %v", err))
	}
	return def
}()

// public is what of the register the hub may see.
var public = func() register.Definition {
	d := *cards
	d.Fields = nil
	for _, f := range cards.Fields {
		if f.Class == register.Basic {
			d.Fields = append(d.Fields, f)
		}
	}
	return d
}()

// fieldNames are the fields that a supervisor may name.
var fieldNames = func() (names []string) {
	for _, f := range cards.Fields {
		names = append(names, f.Name)
	}
	return append(names, "life")
}()

// typed draws what an officer types. Most values are given out once, so that where
// one comes from is known; some are few, so that people agree.
func (w *world) typed(bits uint32, fresh bool) map[string]string {
	once := func() string { w.values++; return fmt.Sprintf("v%d.", w.values) }
	v := map[string]string{}
	if fresh {
		v["name"], v["house"], v["head"] = once(), []string{"7", "8"}[bits>>3&1], []string{"yes", ""}[bits>>4&1]
	}
	for i, n := 0, 1+int(bits>>14&1); i < n; i++ {
		switch bits >> (3 * i) & 7 {
		case 0:
			v["name"] = once()
		case 1:
			v["pid"] = once()
		case 2, 3:
			v["note"] = []string{once(), once(), once(), "same", "odd", "wrong", "", once()}[bits>>8&7]
		case 4:
			v["age"] = fmt.Sprint(bits >> 8 & 7)
		case 5:
			v["tags"] = []string{"A", "B", "A,B", "B,C", "", "C"}[bits>>8%6]
		case 6:
			v["illness"] = once()
		case 7:
			v["house"] = []string{"7", "8"}[bits>>8&1]
		}
	}
	return v
}

// typedOnce draws a value for one field.
func (w *world) typedOnce(name string) string {
	w.values++
	switch name {
	case "age":
		return fmt.Sprint(w.values % 100)
	case "tags":
		return []string{"A", "B", "A,C"}[w.values%3]
	}
	return fmt.Sprintf("v%d.", w.values)
}
