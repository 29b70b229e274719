package record_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/record/recordtest"
)

func TestChangesetRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range recordtest.Draw(t).Changesets {
			b := record.AppendChangeset([]byte("before"), c)[len("before"):]
			got, err := record.ParseChangeset(b)
			if err != nil {
				t.Fatalf("parse %v: %v", c.Dot, err)
			}
			if !reflect.DeepEqual(got, c) {
				t.Fatalf("got %+v, want %+v", got, c)
			}
			if got.Hash() != c.Hash() {
				t.Fatalf("hash of %v changed on the way", c.Dot)
			}
		}
	})
}

// TestChangesetStrict damages canonical bytes: what is still accepted must be
// exactly what the encoder writes.
func TestChangesetStrict(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		all := recordtest.Draw(t).Changesets
		if len(all) == 0 {
			return
		}
		b := record.AppendChangeset(nil, rapid.SampledFrom(all).Draw(t, "changeset"))
		switch at := rapid.IntRange(0, len(b)-1).Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "damage") {
		case 0:
			b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case 1:
			b = append(b[:at:at], b[at+1:]...)
		case 2:
			b = append(append(b[:at:at], rapid.Byte().Draw(t, "byte")), b[at:]...)
		}
		c, err := record.ParseChangeset(b)
		if err != nil {
			refused++
			return
		}
		if again := record.AppendChangeset(nil, c); !bytes.Equal(again, b) {
			t.Fatalf("accepted %x, but it is written %x", b, again)
		}
	})
	if refused == 0 {
		t.Error("no damage was refused")
	}
}

func TestChangesetLimits(t *testing.T) {
	one := func(value int) record.Changeset {
		dot := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 1}
		c := record.Changeset{Dot: dot, Unit: "26734", Author: "officer.a", Edits: []record.Edit{{Record: dot, Register: "residents"}}}
		for i := range 9 {
			c.Edits[0].Writes = append(c.Edits[0].Writes, record.Write{Key: conflict.Key(conflict.FieldID(16 + i)),
				Value: conflict.Value(bytes.Repeat([]byte("x"), value))})
		}
		return c
	}
	tests := []struct {
		name  string
		value int
		want  error
	}{
		{"small", 10, nil},
		{"near the limit of all", 58000, nil},
		{"over the limit of all", 60000, record.ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := record.ParseChangeset(record.AppendChangeset(nil, one(tt.value)))
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
	long := strings.Repeat("x", record.MaxName+1)
	for name, change := range map[string]func(c *record.Changeset){
		"unit":     func(c *record.Changeset) { c.Unit = long },
		"author":   func(c *record.Changeset) { c.Author = long },
		"register": func(c *record.Changeset) { c.Edits[0].Register = long },
		"element":  func(c *record.Changeset) { c.Edits[0].Writes[8].Key.Elem = strings.Repeat("x", record.MaxValueBytes+1) },
		"value": func(c *record.Changeset) {
			c.Edits[0].Writes[8].Value = conflict.Value(strings.Repeat("x", record.MaxValueBytes+1))
		},
	} {
		c := one(3)
		change(&c)
		if err := c.Validate(); !errors.Is(err, record.ErrChangeset) {
			t.Errorf("too long a %s: got %v, want %v", name, err, record.ErrChangeset)
		}
		if _, err := record.ParseChangeset(record.AppendChangeset(nil, c)); err == nil {
			t.Errorf("too long a %s was parsed", name)
		}
	}
	c := one(3)
	c.Edits[0].Writes[1].Key = conflict.Key(conflict.FieldReview)
	if _, err := record.ParseChangeset(record.AppendChangeset(nil, c)); err == nil {
		t.Error("a write of the review field was accepted")
	}
}

// TestManyReplicas takes the tables of replicas beyond what is searched from
// its start.
func TestManyReplicas(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 5))
	var dots []conflict.Dot
	for i := range 100 {
		dots = append(dots, conflict.Dot{Replica: randomReplica(rnd), Counter: uint64(1000 + i)})
	}
	c := newRecordChangeset(50, 5)
	for i := range c.Edits[0].Writes {
		c.Edits[0].Writes[i].Context = conflict.NewVector(dots[10*i : 60+10*i]...)
	}
	got, err := record.ParseChangeset(record.AppendChangeset(nil, c))
	if err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("changeset: got %+v, %v, want %+v", got, err, c)
	}
	r := c.Apply(conflict.Record{}, 0, 1)
	for i, d := range dots {
		k := conflict.Key(conflict.FieldID(17 + i%3))
		r = r.Write(k, conflict.Sibling{Dot: conflict.Dot{Replica: d.Replica, Counter: 2000}, Value: "x"}, conflict.Vector{})
	}
	back, _, err := record.ParseState(record.AppendState(nil, r, c.Dot, nil), c.Dot)
	if err != nil || !back.Equal(r) {
		t.Errorf("state: got %+v, %v, want %+v", back, err, r)
	}
}

func TestParseChangesetSharesNothing(t *testing.T) {
	dot := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 1}
	b := record.AppendChangeset(nil, record.Changeset{Dot: dot, Unit: "26734", Author: "officer.a", Edits: []record.Edit{{Record: dot, Register: "residents",
		Writes: []record.Write{{Key: conflict.Key(16), Value: "Nguyễn"}}}}})
	c, err := record.ParseChangeset(b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range b {
		b[i] = '#'
	}
	if got := c.Edits[0].Writes[0].Value; got != "Nguyễn" || c.Author != "officer.a" {
		t.Errorf("got %q by %q after the bytes were overwritten", got, c.Author)
	}
}

func BenchmarkChangeset(b *testing.B) {
	c := newRecordChangeset(1, 20)
	bytes := record.AppendChangeset(nil, c)
	b.Run("append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			bytes = record.AppendChangeset(bytes[:0], c)
		}
	})
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := record.ParseChangeset(bytes); err != nil {
				b.Fatal(err)
			}
		}
	})
}
