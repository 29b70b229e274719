package record

import (
	"encoding/json"
	"fmt"

	"wardbook/conflict"
)

// Home is the value of the home field: the unit in which its author wants the
// record to live. Whoever commits the write moves the record there. A record
// without it lives where it was created.
type Home struct {
	Unit   string `json:"unit"`             // 5-digit code
	From   string `json:"from,omitempty"`   // where it lived when its author said so
	Reason string `json:"reason,omitempty"` // for the receiving unit
	// Accepted says that the unit has taken the record over. Only the server
	// writes it, for a supervisor of that unit.
	Accepted bool `json:"accepted,omitempty"`
	// Returned says that the receiving unit sent the record back.
	Returned bool `json:"returned,omitempty"`
}

// MaxReason bounds the reason of a move, in bytes.
const MaxReason = 4000

// Value returns the canonical text of h.
func (h Home) Value() conflict.Value {
	b, err := json.Marshal(h)
	if err != nil {
		panic(fmt.Sprintf("marshal home: %v", err)) // plain strings always marshal
	}
	return conflict.Value(b)
}

// ParseHome reads a home value.
func ParseHome(value conflict.Value) (Home, error) {
	var h Home
	if err := json.Unmarshal([]byte(value), &h); err != nil {
		return h, fmt.Errorf("home value: %w", err)
	}
	switch {
	case h.Unit == "" || len(h.Unit) > MaxName || len(h.From) > MaxName:
		return h, fmt.Errorf("home value: unit %q, from %q: each is a name, and the unit is needed", h.Unit, h.From)
	case len(h.Reason) > MaxReason:
		return h, fmt.Errorf("home value: the reason has %d bytes, at most %d", len(h.Reason), MaxReason)
	}
	return h, nil
}

// HomeOf returns what the home field of r says. ok is false if nobody said
// anything, if a value cannot be read, or if the siblings name several units:
// then the record stays where it is until a person decides.
func HomeOf(r conflict.Record) (h Home, ok bool) {
	f := r.Field(conflict.Key(conflict.FieldHome))
	for i := range f.Len() {
		v, err := ParseHome(f.At(i).Value)
		if err != nil || i > 0 && v.Unit != h.Unit {
			return Home{}, false
		}
		v.Accepted = v.Accepted && (i == 0 || h.Accepted) // all of them, or somebody asks still
		h = v
	}
	return h, f.Len() > 0
}

// Arrived reports whether the record was sent to its unit and waits for that
// unit to accept or return it, or for somebody to say which of several units it
// is to live in.
func Arrived(r conflict.Record) bool {
	h, ok := HomeOf(r)
	return r.Field(conflict.Key(conflict.FieldHome)).Len() > 0 && !(ok && h.Accepted)
}
