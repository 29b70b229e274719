package review

import (
	"slices"
	"strconv"
	"strings"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// Twin is another record that may be about the same thing.
type Twin struct {
	ID     string   `json:"id"`
	fields []string // in which the two agree
}

// twinsMost bounds how many are told of one record.
const twinsMost = 5

// Records are found as possible duplicates by the natural keys of their
// register, the strongest first. An index holds, beside the values, one key for
// each natural key whose fields are all filled: names without case, spaces and
// the place of the tone, dates by their year. Two records with the same key may
// be twins if nothing stronger tells them apart.

// twinName is how an index names the key of a definition's natural key number i.
func twinName(i int) string { return "~" + strconv.Itoa(i) }

// twinFields lists the fields of def's natural keys.
func twinFields(def *register.Definition) []string {
	var names []string
	for _, key := range def.NaturalKey {
		names = append(names, key...)
	}
	return names
}

// twinKey returns what records of these values are found by under a natural
// key, "" if one of its fields is empty.
func twinKey(def *register.Definition, key []string, values map[string]conflict.Value) conflict.Value {
	var parts []string
	for _, name := range key {
		v := string(values[name])
		if v == "" {
			return ""
		}
		switch def.FieldByName(name).Type {
		case register.Name, register.PlainText:
			v = register.K2(v)
		case register.DatePartial:
			v, _, _ = strings.Cut(v, "-")
		}
		parts = append(parts, v)
	}
	return conflict.Value(strings.Join(parts, "\x00"))
}

// agree reports whether two values of a field may be of one thing: a date may
// be known better in one of the records.
func agree(f *register.Field, a, b conflict.Value) bool {
	switch f.Type {
	case register.DatePartial:
		return strings.HasPrefix(string(a), string(b)) || strings.HasPrefix(string(b), string(a))
	case register.Name, register.PlainText:
		return register.K2(string(a)) == register.K2(string(b))
	}
	return a == b
}

// alike returns the first natural key of def under which the two records agree,
// nil if there is none or a stronger key that both have tells them apart: two
// people of one name and birthday with a number each are two.
func alike(def *register.Definition, a, b map[string]conflict.Value) []string {
	for _, key := range def.NaturalKey {
		filled, same := true, true
		for _, name := range key {
			filled = filled && a[name] != "" && b[name] != ""
			same = same && agree(def.FieldByName(name), a[name], b[name])
		}
		switch {
		case filled && same:
			return key
		case filled:
			return nil
		}
	}
	return nil
}

// twins lists the records of the unit that may be about the same thing as one
// with these values, by id.
func (o *others) twins(values map[string]conflict.Value) []Twin {
	if o.e == nil {
		return nil
	}
	def := o.e.def
	var list []Twin
	take := func(id conflict.RecordID, theirs map[string]conflict.Value) {
		if id == o.self || theirs == nil || slices.ContainsFunc(list, func(t Twin) bool { return t.ID == id.String() }) {
			return
		}
		if key := alike(def, values, theirs); key != nil {
			list = append(list, Twin{ID: id.String(), fields: key})
		}
	}
	for i, key := range def.NaturalKey {
		mine := twinKey(def, key, values)
		if mine == "" {
			continue
		}
		for _, id := range o.e.holders[twinName(i)][mine] {
			if _, changed := o.over[id]; !changed {
				take(id, o.e.records[id])
			}
		}
		for id, theirs := range o.over {
			if theirs[twinName(i)] == mine {
				take(id, theirs)
			}
		}
	}
	slices.SortFunc(list, func(a, b Twin) int { return strings.Compare(a.ID, b.ID) })
	return list[:min(len(list), twinsMost)]
}
