package city

import (
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/register"
)

const registerID = "cards"

// versions are the definitions of the city's register, each field of which stands for
// one kind. The second has one field more, asks for another to be looked at with care
// and has a code more; in the third nobody is asked for the head of the house.
var versions = func() (list []*register.Definition) {
	for v := range uint32(3) {
		def, err := register.New(version(v + 1))
		if err != nil {
			panic(fmt.Sprintf("city: version %d of the register is wrong: %v", v+1, err))
		}
		list = append(list, def)
	}
	return list
}()

func version(v uint32) register.Definition {
	text := func(s string) register.Text { return register.Text{VI: s, EN: s} }
	field := func(id conflict.FieldID, name string, typ register.Type, policy conflict.Policy) register.Field {
		return register.Field{ID: id, Name: name, Type: typ, Label: text(name), Section: "all", Required: register.Optional, Class: register.Basic, Policy: policy}
	}
	code := func(s string) register.Code { return register.Code{Code: s, VI: s, EN: s} }
	tags := []register.Code{code("A"), code("B"), code("C")}
	if v >= 2 {
		tags = append(tags, code("D"))
	}
	d := register.Definition{ID: registerID, Version: v, Label: text("Cards"), TitleField: "name", ListColumns: []string{"name"},
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
		CodeLists: []register.CodeList{{ID: "TAGS", Codes: tags}},
		Rules: []register.Rule{
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"odd"}}, Code: "W_ODD", Group: register.GroupContradiction, Message: text("odd")},
			{Kind: register.RuleFlag, Field: "note", When: &register.Condition{Field: "note", Op: register.Is, Values: []string{"wrong"}}, Code: "E_WRONG", Group: register.GroupContradiction, Message: text("wrong")},
		},
	}
	d.Fields[0].Required = register.Always
	d.Fields[1].HighRisk = true
	d.Fields[4].CodeList = "TAGS"
	d.Fields[5].Class = register.Sensitive
	if v >= 2 {
		d.Fields = append(d.Fields, field(24, "job", register.PlainText, conflict.Keep))
		d.Fields[3].HighRisk = true
	}
	if d.Fields[7].Retired = v >= 3; !d.Fields[7].Retired {
		d.Rules = append(d.Rules, register.Rule{Kind: register.RuleOnePer, Field: "head", Fields: []string{"house"}, Value: "yes", Code: "W_HEAD", Group: register.GroupContradiction, Message: text("one head")})
	}
	return d
}

// cards is the newest version, which has every field.
var cards = versions[len(versions)-1]

// public returns what of a version the hub may see.
func public(version uint32) *register.Definition {
	d := *versions[version-1]
	d.Fields = nil
	for _, f := range versions[version-1].Fields {
		if f.Class == register.Basic {
			d.Fields = append(d.Fields, f)
		}
	}
	return &d
}

// definition is the version in force.
func (w *world) definition() *register.Definition { return versions[w.version-1] }

// define puts the next version into force: the server's program starts again with it.
// Devices hear of it when they sign in next.
func (w *world) define() {
	if int(w.version) < len(versions) {
		w.version++
		w.logf("  version %d of the register", w.version)
		w.dead = true
	}
}

// fieldNames are the fields that a supervisor may name.
func (w *world) fieldNames() (names []string) {
	for _, f := range w.definition().Fields {
		names = append(names, f.Name)
	}
	return append(names, "life")
}

// typed draws what an officer types under a version of the register. Most values are given out once, so that where
// one comes from is known; some are few, so that people agree.
func (w *world) typed(version, bits uint32, fresh bool) map[string]string {
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
	if version >= 2 && bits&3 == 3 {
		v["job"] = once()
		if bits&4 == 0 {
			v["tags"] = "D"
		}
	}
	if version >= 3 {
		delete(v, "head")
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
