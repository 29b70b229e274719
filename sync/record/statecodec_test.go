package record_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/record/recordtest"
)

func TestStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.Draw(t)
		var replicas []conflict.ReplicaID
		for _, r := range h.Replicas {
			if rapid.Bool().Draw(t, "named") {
				replicas = append(replicas, r)
			}
		}
		names := record.NewNames(replicas, []string{"officer.1"})
		longer := record.NewNames(append(replicas, conflict.ReplicaID{77}), []string{"officer.1", "officer.2"})
		for id, r := range h.Server {
			pos := h.Positions(id)
			check := func(name string, w, rd *record.Names, pos []uint64) {
				b := w.AppendState([]byte("before"), r, id, pos)[len("before"):]
				got, gotPos, err := rd.ParseState(b, id)
				if err != nil {
					t.Fatalf("%s: parse %v: %v", name, id, err)
				}
				if !got.Equal(r) {
					t.Fatalf("%s: got %+v, want %+v", name, got, r)
				}
				if pos == nil {
					pos = make([]uint64, r.Len())
				}
				if fmt.Sprint(gotPos) != fmt.Sprint(pos) {
					t.Fatalf("%s: got positions %v, want %v", name, gotPos, pos)
				}
			}
			check("plain", nil, nil, pos)
			check("device", nil, nil, nil)
			check("named", names, names, pos)
			check("names added", names, longer, pos)
		}
	})
}

func TestStateStrict(t *testing.T) {
	refused := 0
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.Draw(t)
		for id, r := range h.Server {
			b := record.AppendState(nil, r, id, h.Positions(id))
			switch at := rapid.IntRange(0, len(b)-1).Draw(t, "at"); rapid.IntRange(0, 2).Draw(t, "damage") {
			case 0:
				b[at] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
			case 1:
				b = append(b[:at:at], b[at+1:]...)
			case 2:
				b = append(append(b[:at:at], rapid.Byte().Draw(t, "byte")), b[at:]...)
			}
			got, pos, err := record.ParseState(b, id)
			if err != nil {
				refused++
				continue
			}
			if again := record.AppendState(nil, got, id, pos); !bytes.Equal(again, b) {
				t.Fatalf("accepted %x, but it is written %x", b, again)
			}
		}
	})
	if refused == 0 {
		t.Error("no damage was refused")
	}
}

func TestStateWantsAPositionPerField(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("positions of another length were taken")
		}
	}()
	r := newRecordChangeset(1, 2).Apply(conflict.Record{}, 0, 1)
	record.AppendState(nil, r, conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 1}, []uint64{1})
}

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

func randomValue(r *rand.Rand, n int) conflict.Value {
	b := make([]byte, n)
	for i := range b {
		b[i] = base36[r.IntN(len(base36))]
	}
	return conflict.Value(b)
}

const testAt = int64(1767225600123) // 2026-01-01, Unix milliseconds

func randomReplica(r *rand.Rand) conflict.ReplicaID {
	var id conflict.ReplicaID
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	return id
}

// newRecordChangeset makes a record of n fields of 12 random characters.
func newRecordChangeset(counter uint64, n int) record.Changeset {
	r := rand.New(rand.NewPCG(1, counter))
	dot := conflict.Dot{Replica: randomReplica(rand.New(rand.NewPCG(7, 7))), Counter: counter}
	c := record.Changeset{Dot: dot, Unit: "26734", Author: "officer.a", At: testAt + int64(counter)*700,
		Edits: []record.Edit{{Record: dot, Register: "residents", Definition: 1}}}
	for i := range n {
		c.Edits[0].Writes = append(c.Edits[0].Writes, record.Write{Key: conflict.Key(conflict.FieldID(16 + i)), Value: randomValue(r, 12)})
	}
	return c
}

// editedRecord is a record of 20 fields of which editors others changed fields
// fields each, weeks later, with the positions of its fields.
func editedRecord(editors, fields int) (conflict.Record, conflict.RecordID, []uint64, *record.Names) {
	c := newRecordChangeset(4001, 20)
	r := c.Apply(conflict.Record{}, 0, c.At+86_400_000)
	pos := make([]uint64, 20)
	for i := range pos {
		pos[i] = 200_000
	}
	replicas, authors := []conflict.ReplicaID{c.Dot.Replica}, []string{"officer.a"}
	rnd := rand.New(rand.NewPCG(3, 3))
	for e := range editors {
		replicas, authors = append(replicas, randomReplica(rnd)), append(authors, fmt.Sprintf("officer.%c", 'b'+e))
		edit := record.Changeset{Dot: conflict.Dot{Replica: replicas[e+1], Counter: 5000}, Author: authors[e+1], At: c.At + int64(e+1)*2_600_000_000,
			Edits: []record.Edit{{Record: c.Dot, Register: "residents", Definition: 1}}}
		for f := range fields {
			k := conflict.Key(conflict.FieldID(16 + 3 + e*8 + 3*f))
			edit.Edits[0].Writes = append(edit.Edits[0].Writes, record.Write{k, r.Field(k).Vector(), randomValue(rnd, 12)})
			pos[k.ID-16] = 250_000 + uint64(e)*10_000
		}
		r = edit.Apply(r, 0, edit.At+40_000)
	}
	return r, c.Dot, pos, record.NewNames(replicas, authors)
}

// TestStateSize asserts the design's budget for a settled record at rest, of
// which the row around these bytes needs its part too.
func TestStateSize(t *testing.T) {
	const values = 20 * 12
	tests := []struct {
		name             string
		editors, fields  int
		alone, withNames float64 // bytes at rest over the bytes of the values
	}{
		{"as created", 0, 0, 1.20, 1.15},
		{"one other changed 2", 1, 2, 1.40, 1.25},
		{"two others changed 2 each", 2, 2, 1.62, 1.35},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, id, pos, names := editedRecord(tt.editors, tt.fields)
			for _, v := range []struct {
				name  string
				names *record.Names
				limit float64
			}{{"alone", nil, tt.alone}, {"with names", names, tt.withNames}} {
				n := len(v.names.AppendState(nil, r, id, pos))
				ratio := float64(n) / values
				t.Logf("%s: %d bytes for %d bytes of values, %.2fx", v.name, n, values, ratio)
				if ratio > v.limit {
					t.Errorf("%s: got %.2fx, want at most %.2fx", v.name, ratio, v.limit)
				}
			}
		})
	}
}

func BenchmarkState(b *testing.B) {
	for _, v := range []struct {
		name            string
		editors, fields int
	}{{"created", 0, 0}, {"edited", 2, 2}} {
		r, id, pos, names := editedRecord(v.editors, v.fields)
		bytes := names.AppendState(nil, r, id, pos)
		b.Run(v.name+"/append", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bytes = names.AppendState(bytes[:0], r, id, pos)
			}
		})
		b.Run(v.name+"/parse", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := names.ParseState(bytes, id); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
