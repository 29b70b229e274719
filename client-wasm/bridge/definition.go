package bridge

import "wardbook/sync/register"

// Definition is a register's definition as the page reads it: the JSON of
// package register, with the built-in code lists that it uses in place.
type Definition struct {
	*register.Definition
	CodeLists map[string][]Code `json:"code_lists,omitempty"`
}

// Code is one entry of a code list.
type Code struct {
	Code    string        `json:"code"`
	Label   register.Text `json:"label"`
	Retired bool          `json:"retired,omitempty"`
}

func definitionOf(d *register.Definition) Definition {
	out := Definition{Definition: d, CodeLists: map[string][]Code{}}
	add := func(id string) {
		if _, ok := out.CodeLists[id]; ok || id == "" {
			return
		}
		list := d.CodeList(id)
		if list == nil {
			return
		}
		codes := make([]Code, len(list.Codes))
		for i, c := range list.Codes {
			codes[i] = Code{c.Code, register.Text{VI: c.VI, EN: c.EN}, c.Retired}
		}
		out.CodeLists[id] = codes
	}
	for i := range d.Fields {
		add(d.Fields[i].CodeList)
		for _, p := range d.Fields[i].Parts {
			add(p.CodeList)
		}
	}
	return out
}
