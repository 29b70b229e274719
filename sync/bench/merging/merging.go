package merging

import (
	"fmt"
	"math/rand/v2"

	"wardbook/conflict"
)

const (
	fields = 20
	first  = conflict.FirstUserField
	base36 = "0123456789abcdefghijklmnopqrstuvwxyz"
)

// Work is a replica's records, and what pages say of each of them: the fields
// that others wrote meanwhile, coalesced into one record.
type Work struct {
	Records []conflict.Record
	News    []conflict.Record
	IDs     []conflict.RecordID
	Fields  int // in News, in all
}

// New makes n records of 20 fields that one replica wrote, and writes single
// field writes to them by two others, every one over the value before it. The
// same seed makes the same work.
func New(seed uint64, n, writes int) Work {
	rnd := rand.New(rand.NewPCG(seed, 3))
	var replicas [3]conflict.ReplicaID
	for i := range replicas {
		for j := range replicas[i] {
			replicas[i][j] = byte(rnd.Uint32())
		}
	}
	value := func() conflict.Value {
		var b [12]byte
		for i := range b {
			b[i] = base36[rnd.IntN(len(base36))]
		}
		return conflict.Value(b[:])
	}
	w := Work{Records: make([]conflict.Record, n), News: make([]conflict.Record, n), IDs: make([]conflict.RecordID, n)}
	const at = 1_767_225_600_000
	var counters [3]uint64
	for i := range n {
		w.IDs[i] = conflict.Dot{Replica: replicas[0], Counter: counters[0] + 1}
		origin := conflict.Origin{Author: "officer.a", At: at + int64(i)*60_000, Received: at + int64(i)*60_000 + 900, Definition: 1}
		for f := range fields {
			counters[0]++
			w.Records[i] = w.Records[i].Write(conflict.Key(first+conflict.FieldID(f)),
				conflict.Sibling{Dot: conflict.Dot{Replica: replicas[0], Counter: counters[0]}, Value: value(), Origin: origin}, conflict.Vector{})
		}
	}
	for i := range writes {
		who, which := 1+i%2, rnd.IntN(n)
		k := conflict.Key(first + conflict.FieldID(rnd.IntN(fields)))
		counters[who]++
		old := w.News[which].Field(k)
		if old.IsZero() {
			old = w.Records[which].Field(k)
		}
		w.News[which] = w.News[which].With(k, old.Write(conflict.Sibling{Dot: conflict.Dot{Replica: replicas[who], Counter: counters[who]}, Value: value(),
			Origin: conflict.Origin{Author: "officer.b", At: at + int64(i)*60_000, Received: at + int64(i)*60_000 + 900, Definition: 1}}, old.Vector()))
	}
	for i := range w.News {
		w.Fields += w.News[i].Len()
	}
	return w
}

// Merge merges all the news, and returns how many fields that were. It fails
// if a record does not hold what the news says.
func (w Work) Merge() (int, error) {
	for i := range w.Records {
		merged := w.Records[i].Merge(w.News[i])
		if merged.Len() != fields {
			return 0, fmt.Errorf("record %v has %d fields after merging, want %d", w.IDs[i], merged.Len(), fields)
		}
	}
	return w.Fields, nil
}
