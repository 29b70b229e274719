package protocol

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/record"
)

const base36 = "0123456789abcdefghijklmnopqrstuvwxyz"

func randomValue(r *rand.Rand) conflict.Value {
	b := make([]byte, 12)
	for i := range b {
		b[i] = base36[r.IntN(len(base36))]
	}
	return conflict.Value(b)
}

func randomReplica(r *rand.Rand) conflict.ReplicaID {
	var id conflict.ReplicaID
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	return id
}

const (
	testRecords = 10_000
	testFields  = 20
	testAt      = int64(1767225600123) // 2026-01-01, Unix milliseconds
)

// city is the state that the size tests start from: testRecords records that
// one officer made, each by one changeset, at the pace of a person.
type city struct {
	rnd     *rand.Rand
	replica conflict.ReplicaID
	made    []record.Changeset
	records []conflict.Record
	feed    []RecordDelta // as a device that has nothing receives them
}

func newCity(records int) *city {
	c := &city{rnd: rand.New(rand.NewPCG(1, 2))}
	c.replica = randomReplica(c.rnd)
	at := testAt
	for i := range records {
		dot := conflict.Dot{Replica: c.replica, Counter: uint64(i*testFields) + 1}
		at += 20_000 + c.rnd.Int64N(200_000)
		s := record.Changeset{Dot: dot, Unit: "26734", Author: "officer.a", At: at,
			Edits: []record.Edit{{Record: dot, Register: "residents", Definition: 1}}}
		for f := range testFields {
			s.Edits[0].Writes = append(s.Edits[0].Writes, record.Write{Key: conflict.Key(conflict.FieldID(16 + f)), Value: randomValue(c.rnd)})
		}
		c.made = append(c.made, s)
		r := s.Apply(conflict.Record{}, 0, testAt+int64(i/100)*3_000)
		c.records = append(c.records, r)
		c.feed = append(c.feed, delta(dot, r))
	}
	return c
}

func delta(id conflict.RecordID, r conflict.Record, only ...conflict.FieldKey) RecordDelta {
	d := RecordDelta{Record: id}
	for k, f := range r.All() {
		if len(only) > 0 && k != only[0] {
			continue
		}
		d.Fields = append(d.Fields, conflict.Entry{Key: k, Field: f})
	}
	return d
}

// edits are n single-field edits of different records by each of two officers,
// and the pages that carry them.
func (c *city) edits(n int) (pushes [2][]record.Changeset, feed []RecordDelta) {
	perm := c.rnd.Perm(len(c.records))
	for who := range 2 {
		replica, at, counter := randomReplica(c.rnd), testAt+30*86_400_000, uint64(7001)
		for i := range n {
			rec := perm[who*n+i]
			at += 5_000 + c.rnd.Int64N(120_000)
			k := conflict.Key(conflict.FieldID(16 + c.rnd.IntN(testFields)))
			id := c.made[rec].Dot
			s := record.Changeset{Dot: conflict.Dot{Replica: replica, Counter: counter}, Unit: "26734",
				Author: fmt.Sprintf("officer.%c", 'a'+who), At: at,
				Edits: []record.Edit{{Record: id, Register: "residents", Definition: 1,
					Writes: []record.Write{{Key: k, Context: c.records[rec].Field(k).Vector(), Value: randomValue(c.rnd)}}}}}
			counter++
			pushes[who] = append(pushes[who], s)
			r := s.Apply(c.records[rec], 0, at+86_400_000)
			feed = append(feed, delta(id, r, k))
		}
	}
	return pushes, feed
}

// batches cuts all into batches of at most BatchWeight.
func batches[T any](all []T, weight func(*T) int) [][]T {
	var cut [][]T
	for len(all) > 0 {
		n, w := 0, 0
		for n < len(all) && (n == 0 || w+weight(&all[n]) <= BatchWeight) {
			w += weight(&all[n])
			n++
		}
		cut = append(cut, all[:n])
		all = all[n:]
	}
	return cut
}

// wireBytes encodes messages, decodes them again, and returns their bytes.
func wireBytes(t testing.TB, messages []Message) (bytes int) {
	for _, m := range messages {
		b := Encode(nil, m)
		if len(b) > MaxMessage {
			t.Errorf("a batch of %T takes %d bytes, at most %d", m, len(b), MaxMessage)
		}
		if _, err := Decode(b); err != nil {
			t.Fatalf("decode a batch: %v", err)
		}
		bytes += len(b) + 2 // a WebSocket frame's head or our own
	}
	return bytes
}

func pushes(all []record.Changeset) (m []Message) {
	for _, b := range batches(all, ChangesetWeight) {
		m = append(m, &Push{Changesets: b})
	}
	return m
}

// pages cuts a feed into signed pages, as if every record took one position.
func pages(feed []RecordDelta) (m []Message) {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	to := uint64(100_000)
	for _, b := range batches(feed, RecordWeight) {
		p := &Page{Stream: Stream{Unit: "26734", Register: "residents"}, From: to, To: to + uint64(len(b)), Head: 200_000, Records: b}
		to = p.To
		SignPage(key, Token{1}, p)
		m = append(m, p)
	}
	return m
}

// TestSizeBudgets holds the wire to the design's budgets W1, W2 and W4.
func TestSizeBudgets(t *testing.T) {
	c := newCity(testRecords)
	check := func(name string, messages []Message, changes int, limit float64) {
		t.Helper()
		n := wireBytes(t, messages)
		per := float64(n) / float64(changes)
		t.Logf("%s: %d bytes in %d messages, %.2f bytes a change", name, n, len(messages), per)
		if float64(n) > limit {
			t.Errorf("%s: got %d bytes, want at most %.0f", name, n, limit)
		}
	}
	check("push of 10,000 new records", pushes(c.made), testRecords*testFields, 1.85e6)
	check("pages of 10,000 new records", pages(c.feed), testRecords*testFields, 1.85e6)
	edited, feed := c.edits(1000)
	check("push of 1,000 edits by one author", pushes(edited[0]), 1000, 25*1000)
	check("push of 1,000 edits by another", pushes(edited[1]), 1000, 25*1000)
	check("pages of 2,000 edits by two authors", pages(feed), 2000, 25*2000)
	check("page of 100 edits", pages(feed[:100]), 100, 25*100)
	check("push of one edit", pushes(edited[0][:1]), 1, 160)
}

func BenchmarkCodec(b *testing.B) {
	c := newCity(1000)
	run := func(name string, messages []Message, fields int) {
		var encoded [][]byte
		total := 0
		for _, m := range messages {
			encoded = append(encoded, Encode(nil, m))
			total += len(encoded[len(encoded)-1])
		}
		b.Run(name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			for b.Loop() {
				for _, m := range messages {
					dst = Encode(dst[:0], m)
				}
			}
			b.ReportMetric(float64(fields)*float64(b.N)/b.Elapsed().Seconds(), "fields/s")
			b.ReportMetric(float64(total)/float64(fields), "bytes/field")
		})
		b.Run(name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, e := range encoded {
					if _, err := Decode(e); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(fields)*float64(b.N)/b.Elapsed().Seconds(), "fields/s")
		})
	}
	run("push", pushes(c.made), 1000*testFields)
	run("page", pages(c.feed), 1000*testFields)
	edited, feed := c.edits(500)
	run("push edits", pushes(edited[0]), 500)
	run("page edits", pages(feed), 1000)
}
