package register

import (
	"errors"
	"fmt"
	"slices"

	"wardbook/conflict"
)

// Condition is a question about one record that a machine can answer. Exactly
// one of Field, All and Any is set.
type Condition struct {
	Field  string      `json:"field,omitempty" yaml:"field"`
	Op     Op          `json:"op,omitempty" yaml:"op"`
	Values []string    `json:"values,omitempty" yaml:"values"`
	All    []Condition `json:"all,omitempty" yaml:"all"`
	Any    []Condition `json:"any,omitempty" yaml:"any"`
}

// Op is what a condition asks of its field.
type Op string

// The operations. A placeholder counts as empty.
const (
	Is     Op = "is"     // the value is one of Values
	IsNot  Op = "is_not" // filled, and none of Values
	Empty  Op = "empty"
	Filled Op = "filled"
)

// Holds reports whether the record with the given values meets the condition.
// A nil condition always holds.
func (d *Definition) Holds(c *Condition, values map[string]conflict.Value) bool {
	if c == nil {
		return true
	}
	holds := func(c Condition) bool { return d.Holds(&c, values) }
	switch {
	case len(c.All) > 0:
		return !slices.ContainsFunc(c.All, func(c Condition) bool { return !holds(c) })
	case len(c.Any) > 0:
		return slices.ContainsFunc(c.Any, holds)
	}
	f := d.FieldByName(c.Field)
	if f == nil {
		return false
	}
	v := values[c.Field]
	filled := !blank(f, v)
	switch c.Op {
	case Is:
		return filled && slices.Contains(c.Values, string(v))
	case IsNot:
		return filled && !slices.Contains(c.Values, string(v))
	case Empty:
		return !filled
	case Filled:
		return filled
	}
	return false
}

func (d *Definition) checkCondition(c *Condition, depth int) error {
	if c == nil {
		return nil
	}
	if depth > 4 {
		return errors.New("nested too deeply")
	}
	set := 0
	if c.Field != "" {
		set++
		f := d.FieldByName(c.Field)
		if f == nil {
			return fmt.Errorf("no field %q", c.Field)
		}
		switch c.Op {
		case Is, IsNot:
			if len(c.Values) == 0 {
				return fmt.Errorf("%s %s: no values", c.Field, c.Op)
			}
			for _, v := range c.Values {
				list := d.CodeList(f.CodeList)
				if _, ok := list.Find(v); list != nil && !list.Open && !ok {
					return fmt.Errorf("%s %s: %q is not in %s", c.Field, c.Op, v, f.CodeList)
				}
			}
		case Empty, Filled:
			if len(c.Values) != 0 {
				return fmt.Errorf("%s %s: takes no values", c.Field, c.Op)
			}
		default:
			return fmt.Errorf("%s: unknown op %q", c.Field, c.Op)
		}
	}
	for _, list := range [][]Condition{c.All, c.Any} {
		if len(list) > 0 {
			set++
		}
		if len(list) > 32 {
			return errors.New("too many branches")
		}
		for i := range list {
			if err := d.checkCondition(&list[i], depth+1); err != nil {
				return err
			}
		}
	}
	if set != 1 || c.Field == "" && (c.Op != "" || len(c.Values) > 0) {
		return errors.New("want exactly one of field, all and any")
	}
	return nil
}
