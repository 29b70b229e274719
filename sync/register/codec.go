package register

import (
	"errors"
	"fmt"
)

// Marshal returns the compact JSON form of d in which it travels to devices
// and is hashed. One definition has one form.
func (d *Definition) Marshal() []byte { return []byte(encode(d)) }

// ErrDefinitionForm is the error of ParseDefinition for bytes that are not
// what Marshal writes, even where they would mean the same.
var ErrDefinitionForm = errors.New("not in canonical form")

// ParseDefinition reads what Marshal writes, and nothing else: the bytes are
// bounded, unknown members are refused, and the result passes the checks of
// New. The input is not kept.
func ParseDefinition(b []byte) (*Definition, error) {
	if len(b) > MaxDefinitionBytes {
		return nil, fmt.Errorf("parse definition: %d bytes, limit %d", len(b), MaxDefinitionBytes)
	}
	var d Definition
	if err := decodeObject(string(b), &d); err != nil {
		return nil, fmt.Errorf("parse definition: %w", err)
	}
	parsed, err := New(d)
	if err != nil {
		return nil, fmt.Errorf("parse definition: %w", err)
	}
	if string(parsed.Marshal()) != string(b) {
		return nil, fmt.Errorf("parse definition: %w", ErrDefinitionForm)
	}
	return parsed, nil
}
