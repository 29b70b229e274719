//go:build !js

package store

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// TestErasedIsNowhereInTheFiles: what was erased is in no page of the files, used or
// free, nor in the log, though it had been written over and moved about before.
func TestErasedIsNowhereInTheFiles(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s, err := Open(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	canary, long := conflict.Value("Canary-7f3a"), bytes.Repeat([]byte("Canary-7f3a "), 2000) // one that spills over pages
	id, other := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 1}, conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 9}
	stream := protocol.Stream{Unit: "27169", Register: "residents"}
	holding := func(id conflict.RecordID, v conflict.Value) replica.Holding {
		r := conflict.Record{}.Write(conflict.Key(16), conflict.Sibling{Dot: id, Value: v}, conflict.Vector{})
		return replica.Holding{ID: id, Register: "residents", Unit: "27169", Base: r, Index: replica.Index{Sort: string(v) + id.String(), Search: string(v)}}
	}
	c := record.Changeset{Dot: id, Unit: "27169", Author: "officer.a", At: 1, Edits: []record.Edit{
		{Record: id, Register: "residents", Writes: []record.Write{{Key: conflict.Key(16), Value: canary}, {Key: conflict.Key(17), Value: conflict.Value(long)}}},
		{Record: other, Register: "residents", Writes: []record.Write{{Key: conflict.Key(16), Value: "kept-7f3a"}}}}}
	e := replica.Entry{No: 1, Changeset: c, Hash: c.Hash(), Replaced: []replica.Replaced{{Dot: id, Was: other, Value: canary}}}
	for i, b := range []*replica.Batch{
		{Append: []replica.Entry{e}, Put: []replica.Holding{holding(id, canary), holding(other, "kept-7f3a")},
			Drafts: []replica.Draft{{Key: "f", Record: id, OpenedAt: 1, Typed: map[string]string{"name": string(canary)}}},
			Keep:   []replica.KeptPage{{Stream: stream, To: 1, Body: long}}},
		{Put: []replica.Holding{holding(id, "Canary-7f3a B")}},
		{Drafts: []replica.Draft{{Key: "f", Record: id, OpenedAt: 1, Typed: map[string]string{"name": "Canary-7f3a, again and longer than before"}}}},
		{Put: []replica.Holding{holding(id, canary+" C, which is longer")}},
	} {
		if err := s.Commit(ctx, b); err != nil {
			t.Fatalf("batch %d: %v", i, err)
		}
	}
	holds := func(word string) (files []string) {
		t.Helper()
		all, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.Contains(b, []byte(word)) {
				files = append(files, filepath.Base(path))
			}
		}
		return files
	}
	if len(holds("Canary-7f3a")) == 0 {
		t.Fatal("the canary is not there before it is erased: this test sees nothing")
	}
	left := e
	left.Changeset, _ = c.Blank(func(r conflict.RecordID) bool { return r == id })
	left.Replaced = nil
	if err := s.Commit(ctx, &replica.Batch{Erase: []conflict.RecordID{id}, Drop: []conflict.RecordID{id}, DropDrafts: []string{"f"},
		Blank: []replica.Entry{left}, Spoil: []uint64{1}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(ctx, &replica.Batch{DropSpoilt: []replica.Spoilt{{Stream: stream}}}); err != nil {
		t.Fatal(err)
	}
	if files := holds("Canary-7f3a"); len(files) > 0 {
		t.Errorf("still in %v", files)
	}
	if len(holds("kept-7f3a")) == 0 {
		t.Error("what was not erased is gone too")
	}
}

// TestErasedAmongMany: rows that were moved between pages leave copies behind, which
// overwriting what is deleted does not reach.
func TestErasedAmongMany(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	s, err := Open(ctx, filepath.Join(dir, "s.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const many = 3000
	var put []replica.Holding
	var gone []conflict.RecordID
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range 2 * many {
		if i == many {
			gone = nil // each is written once more, longer or shorter than before
		}
		tail := strings.Repeat(" and more", rnd.IntN(60))
		i := i % many
		id := conflict.Dot{Replica: conflict.ReplicaID{byte(i * 7), byte(i >> 3)}, Counter: uint64(i + 1)}
		v := conflict.Value(fmt.Sprintf("resident-%d%s", i, tail))
		if i%2 == 0 {
			v, gone = conflict.Value(fmt.Sprintf("canary-%d%s", i, tail)), append(gone, id)
		}
		r := conflict.Record{}.Write(conflict.Key(16), conflict.Sibling{Dot: id, Value: v}, conflict.Vector{})
		put = append(put, replica.Holding{ID: id, Register: "residents", Unit: "27169", Base: r, Index: replica.Index{Sort: string(v) + id.String(), Search: string(v)}})
	}
	for i := 0; i < len(put); i += 100 {
		if err := s.Commit(ctx, &replica.Batch{Put: put[i : i+100]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Commit(ctx, &replica.Batch{Erase: gone, Drop: gone}); err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(b, []byte("canary-")); n > 0 {
			t.Errorf("%s still holds %d of them", filepath.Base(path), n)
		}
	}
}
