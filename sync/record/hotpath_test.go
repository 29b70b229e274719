package record

import (
	"fmt"
	"testing"

	"wardbook/conflict"
)

// made is a changeset that creates a record of 20 short fields, as W1 pushes.
func made() Changeset {
	dot := conflict.Dot{Replica: conflict.ReplicaID{1, 2, 3}, Counter: 201}
	c := Changeset{Dot: dot, Unit: "27169", Author: "officer.a", At: 1_767_225_600_000,
		Edits: []Edit{{Record: dot, Register: "residents", Definition: 1}}}
	for i := range 20 {
		c.Edits[0].Writes = append(c.Edits[0].Writes, Write{Key: conflict.Key(conflict.FirstUserField + conflict.FieldID(i)), Value: conflict.Value(fmt.Sprintf("value %06d", i))})
	}
	return c
}

// BenchmarkCreated is what a created record costs from its changeset to its
// state at rest, by step.
func BenchmarkCreated(b *testing.B) {
	c := made()
	body := AppendChangeset(nil, c)
	r := c.Apply(conflict.Record{}, 0, c.At+900)
	positions := make([]uint64, r.Len())
	state := AppendState(nil, r, c.Dot, positions)
	var dst []byte
	for _, step := range []struct {
		name string
		run  func()
	}{
		{"validate", func() {
			if err := c.Validate(); err != nil {
				b.Fatal(err)
			}
		}},
		{"append changeset", func() { dst = AppendChangeset(dst[:0], c) }},
		{"hash", func() { HashOf(body) }},
		{"parse changeset", func() {
			if _, err := ParseChangeset(body); err != nil {
				b.Fatal(err)
			}
		}},
		{"apply", func() { c.Apply(conflict.Record{}, 0, 1) }},
		{"append state", func() { dst = AppendState(dst[:0], r, c.Dot, positions) }},
		{"parse state", func() {
			if _, _, err := ParseState(state, c.Dot); err != nil {
				b.Fatal(err)
			}
		}},
		{"standing", func() { StandingOf(r) }},
	} {
		b.Run(step.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				step.run()
			}
		})
	}
}
