package register

import (
	"encoding/json"
	"errors"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wardbook/conflict"
)

// This file holds the signatures that are being filled in; it will disappear.

const (
	defaultUnit  = "$unit"
	defaultToday = "$today"
)

type UnitCode string

// Env is what a validation needs beside the record itself.
type Env struct {
	Today     string                    // ISO day, for dates that may not be in the future; "" skips those checks
	Unit      UnitCode                  // the record's home unit
	Record    string                    // the record's own id, "" for a new one
	MadeUnder uint32                    // definition version of the record's last change; 0: the current one
	Before    map[string]conflict.Value // the approved values, nil if none
	Lookup    Lookup                    // nil skips what looks at other records
}

// Lookup answers questions about other records. Its answers are those of one
// replica: a device knows its own scope only.
type Lookup interface {
	// Find returns the values of up to limit other live records of the same
	// register and unit in which every field of match has the given value.
	Find(match map[string]conflict.Value, limit int) []map[string]conflict.Value
	// Exists reports whether a record with this id is known.
	Exists(record string) bool
}

func Normalise(def *Definition, field, input string) (conflict.Value, error) {
	return conflict.Value(strings.TrimSpace(norm.NFC.String(input))), nil
}
func Display(def *Definition, field string, value conflict.Value, lang string) string {
	return string(value)
}
func Mask(def *Definition, field string, value conflict.Value) string { return string(value) }
func Validate(def *Definition, values map[string]conflict.Value, env Env) []Finding {
	return nil
}
func SearchText(def *Definition, values map[string]conflict.Value) string { return "" }
func SearchWords(query string) []string                                   { return strings.Fields(K3(query)) }
func JSONSchema(def *Definition) []byte                                   { return nil }
func (d *Definition) Marshal() []byte                                     { b, _ := json.Marshal(d); return b }
func ParseDefinition(b []byte) (*Definition, error) {
	var d Definition
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, err
	}
	return New(d)
}
func BuiltinCodeList(id string) *CodeList { return nil }
func blank(f *Field, v conflict.Value) bool { return v == "" }
func (d *Definition) normalise(f *Field, s string) (string, *Finding) { return s, nil }
func parseDecimal(s string) (string, string)                         { return s, "" }
func ParseDate(s string) (string, error)                             { return s, errors.New("x") }
