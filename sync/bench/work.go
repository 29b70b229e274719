package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// The workload: records of fields short texts, as the budgets state them.
const (
	fields      = 20
	valueLength = 12
	seed        = 20260701

	registerID = "bench"
	unit       = "27169"
)

// Work is how much is done.
type Work struct {
	Records int  // pushed in W1, received in W4, held by the replica of W3
	Edits   int  // at each device in W2
	Writes  int  // applied in W3
	Sockets int  // held idle
	Drops   int  // of each side on the bad line
	Long    bool // grow to a million records
}

// Full is the work that the budgets are stated for.
var Full = Work{Records: 10_000, Edits: 1_000, Writes: 100_000, Sockets: 10_000, Drops: 40}

// Quick is a tenth of it, for a look in seconds.
var Quick = Work{Records: 1_000, Edits: 100, Writes: 10_000, Sockets: 500, Drops: 3}

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

// values draws the values that the run writes.
type values struct{ *rand.Rand }

func newValues(stream uint64) values { return values{rand.New(rand.NewPCG(seed, stream))} }

func (v values) next() string {
	var b [valueLength]byte
	for i := range b {
		b[i] = base36[v.IntN(len(base36))]
	}
	return string(b[:])
}

// record draws the values of one record.
func (v values) record() [fields]string {
	var all [fields]string
	for i := range all {
		all[i] = v.next()
	}
	return all
}

func fieldName(i int) string { return fmt.Sprintf("field_%02d", i) }

func fieldID(i int) conflict.FieldID { return conflict.FirstUserField + conflict.FieldID(i) }

// definition describes the register of the work: a title, by which records are
// also searched as in the real registers, and free texts.
func definition() (*register.Definition, error) {
	d := register.Definition{ID: registerID, Version: 1, Label: register.Text{VI: "Đo", EN: "Bench"}, TitleField: fieldName(0),
		ListColumns: []string{fieldName(0), fieldName(1)}, Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Đo", EN: "Bench"}}}}
	for i := range fields {
		text := strings.ToUpper(fieldName(i))
		d.Fields = append(d.Fields, register.Field{ID: fieldID(i), Name: fieldName(i), Type: "text", Label: register.Text{VI: text, EN: text},
			Section: "all", Required: register.Optional, Class: register.Basic, Policy: conflict.Keep, Search: i < 2})
	}
	return register.New(d)
}

var stream = protocol.Stream{Unit: unit, Register: registerID, Class: protocol.Basic}
