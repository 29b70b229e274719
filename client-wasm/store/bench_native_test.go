//go:build !js

package store_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

const benchRecords = 10_000

// wide is a register with twenty fields, the first of them the title.
func wide(b *testing.B) *register.Definition {
	d := register.Definition{ID: "wide", Version: 1, Label: register.Text{VI: "Rộng", EN: "Wide"}, TitleField: "f16", ListColumns: []string{"f16"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}}}
	for i := range 20 {
		id := conflict.FieldID(16 + i)
		name := fmt.Sprint("f", id)
		d.Fields = append(d.Fields, register.Field{ID: id, Name: name, Type: register.PlainText, Label: register.Text{VI: name, EN: name}, Section: "all",
			Required: register.Optional, Class: register.Basic, Policy: conflict.Keep, Search: i < 3})
	}
	def, err := register.New(d)
	if err != nil {
		b.Fatal(err)
	}
	return def
}

var benchStream = protocol.Stream{Unit: "27169", Register: "wide"}

// feed is a session of which the benchmark plays the server.
type feed struct {
	b    *testing.B
	r    *replica.Replica
	h    *replica.Host
	at   uint64
	dot  map[conflict.RecordID][]conflict.Dot // of each field's current sibling
	next uint64
}

func newFeed(b *testing.B, s replica.Store) *feed {
	ctx := context.Background()
	r, err := replica.Open(ctx, replica.Config{Store: s, Now: func() int64 { return 1 }, Rand: rand.Reader, Account: replica.Account{Name: "officer.a", Unit: "27169"}})
	if err != nil {
		b.Fatal(err)
	}
	if err := r.SetDefinitions(ctx, wide(b).Marshal()); err != nil {
		b.Fatal(err)
	}
	if err := r.SetScopes(ctx, []protocol.Scope{{Stream: benchStream}}); err != nil {
		b.Fatal(err)
	}
	f := &feed{b: b, r: r, h: r.NewHost("bench", "token", true), dot: map[conflict.RecordID][]conflict.Dot{}}
	f.h.Step(session.Start{Now: 1})
	f.perform()
	f.h.Step(session.Opened{Now: 1})
	f.perform()
	f.hear(&protocol.Welcome{Version: protocol.Version, Epoch: protocol.Token{1}, At: 1, Grants: []protocol.Grant{{Head: 1 << 40, Count: benchRecords}}})
	return f
}

func (f *feed) perform() {
	for f.h.Pending() > 0 {
		if _, err := f.h.Perform(context.Background()); err != nil {
			f.b.Fatal(err)
		}
	}
}

func (f *feed) hear(m protocol.Message) {
	f.h.Step(session.Received{Now: 1, Message: m})
	f.perform()
}

// page makes a page in which records from..to have the given fields written by
// others.
func (f *feed) page(from, to int, fields ...int) *protocol.Page {
	p := &protocol.Page{Stream: benchStream, From: f.at, Head: 1 << 40}
	for i := from; i < to; i++ {
		id := conflict.RecordID{Replica: conflict.ReplicaID{1}, Counter: uint64(i)*20 + 1}
		dots := f.dot[id]
		if dots == nil {
			dots = make([]conflict.Dot, 20)
			f.dot[id] = dots
		}
		d := protocol.RecordDelta{Record: id}
		for _, n := range fields {
			old := dots[n]
			dot := conflict.Dot{Replica: id.Replica, Counter: id.Counter + uint64(n)}
			if !old.IsZero() {
				f.next++
				dot = conflict.Dot{Replica: conflict.ReplicaID{2}, Counter: f.next}
			}
			dots[n] = dot
			value := conflict.Value(fmt.Sprintf("%012x", f.next*7919+uint64(i*20+n)))
			field := conflict.Field{}.Write(conflict.Sibling{Dot: dot, Value: value, Origin: conflict.Origin{Author: "officer.b", At: 5, Received: 6, Definition: 1}}, conflict.NewVector(old))
			d.Fields = append(d.Fields, conflict.Entry{Key: conflict.Key(conflict.FieldID(16 + n)), Field: field})
		}
		p.Records = append(p.Records, d)
		f.at++
	}
	p.To = f.at
	return p
}

func all(n int) []int {
	fields := make([]int, n)
	for i := range fields {
		fields[i] = i
	}
	return fields
}

// BenchmarkW3 applies 100,000 single-field writes of others to a replica of
// 10,000 records in a native file, each page durable before the next: ten
// fields of each record, coalesced per record, and then the worst case, each
// record coming back a hundred pages later for one field more.
func BenchmarkW3(b *testing.B) {
	for _, c := range []struct {
		name   string
		rounds [][]int // fields written to every record, one round after another
	}{
		{"coalesced", [][]int{all(10)}},
		{"one_field_a_page", [][]int{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}, {8}, {9}}},
	} {
		for _, kind := range []string{"sqlite", "memory"} {
			b.Run(c.name+"/"+kind, func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					var s replica.Store = store.NewMemory()
					if kind == "sqlite" {
						file, err := store.Open(context.Background(), filepath.Join(b.TempDir(), "store.db"))
						if err != nil {
							b.Fatal(err)
						}
						defer file.Close()
						s = file
					}
					f := newFeed(b, s)
					for i := 0; i < benchRecords; i += 1000 {
						f.hear(f.page(i, i+1000, all(20)...))
					}
					var pages []*protocol.Page
					for _, fields := range c.rounds {
						for i := 0; i < benchRecords; i += 1000 {
							pages = append(pages, f.page(i, i+1000, fields...))
						}
					}
					start := time.Now()
					b.StartTimer()
					for _, p := range pages {
						f.hear(p)
					}
					b.StopTimer()
					b.ReportMetric(100_000/time.Since(start).Seconds(), "writes/s")
				}
			})
		}
	}
}

// BenchmarkW4 lets an empty device receive 10,000 records of 20 fields.
func BenchmarkW4(b *testing.B) {
	for range b.N {
		b.StopTimer()
		s, err := store.Open(context.Background(), filepath.Join(b.TempDir(), "store.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		f := newFeed(b, s)
		var pages []*protocol.Page
		for i := 0; i < benchRecords; i += 1000 {
			pages = append(pages, f.page(i, i+1000, all(20)...))
		}
		start := time.Now()
		b.StartTimer()
		for i, p := range pages {
			f.hear(p)
			if i == 0 {
				b.ReportMetric(float64(time.Since(start).Milliseconds()), "ms-to-first-page")
			}
		}
		b.StopTimer()
		b.ReportMetric(benchRecords/time.Since(start).Seconds(), "records/s")
	}
}

// BenchmarkDevice measures what people wait for on a device that holds 100,000
// records.
func BenchmarkDevice(b *testing.B) {
	ctx := context.Background()
	path := filepath.Join(b.TempDir(), "store.db")
	s, err := store.Open(ctx, path)
	if err != nil {
		b.Fatal(err)
	}
	f := newFeed(b, s)
	for i := 0; i < 100_000; i += 1000 {
		f.hear(f.page(i, i+1000, all(20)...))
	}
	f.dot = nil
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	open := func() (*store.Store, *replica.Replica) {
		s, err := store.Open(ctx, path)
		if err != nil {
			b.Fatal(err)
		}
		r, err := replica.Open(ctx, replica.Config{Store: s, Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader})
		if err != nil {
			b.Fatal(err)
		}
		return s, r
	}
	b.Run("open_and_list", func(b *testing.B) {
		for range b.N {
			s, r := open()
			if l, err := r.List(ctx, replica.ListRequest{Register: "wide"}); err != nil || len(l.Rows) != 50 || l.Total != 100_000 {
				b.Fatalf("%d rows of %d, %v", len(l.Rows), l.Total, err)
			}
			s.Close()
		}
	})
	s, r := open()
	defer s.Close()
	for name, q := range map[string]string{"search_substring": "abc", "search_nothing": "zzz"} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if _, err := r.List(ctx, replica.ListRequest{Register: "wide", Search: q}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("save", func(b *testing.B) {
		for i := range b.N {
			if _, err := r.Put(ctx, replica.PutRequest{Register: "wide", Values: map[string]string{"f16": fmt.Sprint("mới ", i), "f20": "x"}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		id := conflict.RecordID{Replica: conflict.ReplicaID{1}, Counter: 20*777 + 1}.String()
		for range b.N {
			if _, err := r.Get(ctx, id); err != nil {
				b.Fatal(err)
			}
		}
	})
}
