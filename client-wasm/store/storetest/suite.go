package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Store is what the suite needs beside the interface.
type Store interface {
	replica.Store
	Receipts(ctx context.Context) ([]replica.Receipt, error)
}

// Place is where one test keeps its store. Open opens what is there; opening
// it again, after the last was let go of, finds what was committed.
type Place interface {
	Open(t *testing.T) Store
	// Let lets the store go, as the end of the process would.
	Let(t *testing.T, s Store)
}

// Run holds stores to the contract; place makes a new, empty place.
func Run(t *testing.T, place func(t *testing.T) Place) {
	for _, c := range []struct {
		name string
		test func(t *testing.T, p Place)
	}{
		{"new store is empty", empty},
		{"state survives", state},
		{"records survive with their entries", records},
		{"only the base changes", rebase},
		{"a batch is all or nothing", atomic},
		{"find sorts filters and pages", find},
		{"find is cancelled", cancelled},
		{"keys are looked up", keys},
		{"what shares a key stands together", shared},
		{"walk goes through all", walk},
		{"what left is found", leaving},
		{"counts follow flags", counts},
		{"outbox gives parts", outbox},
		{"what only this device knows is counted", made},
		{"entries are marked and removed", mark},
		{"forms survive", forms},
		{"saved forms are forgotten after 30 days", savedForms},
		{"receipts and reveals survive", receipts},
		{"pages are kept until a backup holds them", keptPages},
		{"what was erased stays erased", erased},
		{"values of any bytes survive", anyBytes},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) { c.test(t, place(t)) })
	}
}

var ctx = context.Background()

func replicaID(n byte) conflict.ReplicaID { return conflict.ReplicaID{0: n, 15: 0xff - n} }

func dot(replica byte, counter uint64) conflict.Dot {
	return conflict.Dot{Replica: replicaID(replica), Counter: counter}
}

func commit(t *testing.T, s Store, b *replica.Batch) {
	t.Helper()
	if err := s.Commit(ctx, b); err != nil {
		t.Fatalf("commit: %v", err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(fmt.Sprintf("storetest: %v", err))
	}
	return v
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", what, got, want)
	}
}

// again closes the store and opens what was committed.
func again(t *testing.T, p Place, s Store) Store {
	t.Helper()
	p.Let(t, s)
	return p.Open(t)
}

// base returns a record with one field.
func base(d conflict.Dot, value string) conflict.Record {
	o := conflict.Origin{Author: "officer.a", At: 1000, Received: 2000, Definition: 1}
	return conflict.Record{}.Write(conflict.Key(16), conflict.Sibling{Dot: d, Value: conflict.Value(value), Origin: o}, conflict.Vector{})
}

func holding(replicaNo byte, counter uint64, register, sort, search string, flags replica.Flags) replica.Holding {
	d := dot(replicaNo, counter)
	return replica.Holding{ID: d, Register: register, Unit: "27169", Base: base(d, search),
		Index: replica.Index{Sort: sort + "\x00" + idBytes(d), Search: search, Flags: flags}}
}

// idBytes is a record id as the end of a sort key: 16 bytes, and the counter
// with its highest byte first.
func idBytes(d conflict.Dot) string {
	b := append([]byte{}, d.Replica[:]...)
	for i := 7; i >= 0; i-- {
		b = append(b, byte(d.Counter>>(8*i)))
	}
	return string(b)
}

func entry(no uint64, first conflict.Dot, at int64, touches ...conflict.RecordID) replica.Entry {
	c := record.Changeset{Dot: first, Unit: "27169", Author: "officer.a", At: at}
	for _, id := range touches {
		c.Edits = append(c.Edits, record.Edit{Record: id, Register: "residents", Definition: 1,
			Writes: []record.Write{{Key: conflict.Key(17), Value: "một"}, {Key: conflict.Key(18), Context: conflict.NewVector(dot(9, 4)), Value: "hai"}}})
	}
	return replica.Entry{No: no, Changeset: c, Hash: c.Hash()}
}

func empty(t *testing.T, p Place) {
	s := p.Open(t)
	equal(t, "state", must(s.State(ctx)), replica.State{})
	equal(t, "holdings", len(must(s.Holdings(ctx, []conflict.RecordID{dot(1, 1)}))), 0)
	equal(t, "entries", len(must(s.Entries(ctx, 0, 10))), 0)
	equal(t, "drafts", len(must(s.Drafts(ctx))), 0)
	equal(t, "counts", must(s.Counts(ctx)), replica.Counts{})
	ids, total, err := s.Find(ctx, replica.Query{Register: "residents", Limit: 10})
	equal(t, "find", []any{len(ids), total, err}, []any{0, 0, error(nil)})
	if err := s.Commit(ctx, &replica.Batch{}); err != nil {
		t.Errorf("an empty batch: %v", err)
	}
}

func state(t *testing.T, p Place) {
	s := p.Open(t)
	meta := replica.Meta{Account: replica.Account{Name: "officer.a", Display: "Cán bộ A", Role: "officer", Unit: "27169"}, Replica: replicaID(1),
		Epoch: protocol.Token{1}, Current: protocol.Token{2}, Next: protocol.Token{3}, Acked: 1 << 60, BackedUp: 2, Last: 1<<62 + 1, Entries: 9,
		LastReceipt: 5, ClockOffset: -6, HeardAt: 7, Session: []byte("phiên")}
	scope := func(unit, register string, class protocol.Class) protocol.Scope {
		return protocol.Scope{Stream: protocol.Stream{Unit: unit, Register: register, Class: class}, Neighbourhoods: []string{"Khu phố 1"}, Cursor: 1 << 40, Priority: 3}
	}
	one := replica.Stream{Scope: scope("27169", "residents", protocol.Basic), Head: 12, Count: 13, Have: 14, Granted: true}
	two := replica.Stream{Scope: scope("27169", "residents", protocol.Sensitive), Code: protocol.Forbidden, Withdrawn: true, LetGo: 7}
	zero := replica.Stream{Scope: protocol.Scope{Stream: protocol.Stream{Unit: "26734", Register: "residents"}}}
	commit(t, s, &replica.Batch{Meta: &meta, Streams: []replica.Stream{two, one, zero},
		Definitions: []replica.Definition{{Register: "residents", Version: 2, Body: []byte("{2}")}, {Register: "residents", Version: 1, Body: []byte("{1}")}},
		HubMarks:    []protocol.HubMark{{Unit: "27169", Register: "residents", Revision: 8}}})
	commit(t, s, &replica.Batch{HubMarks: []protocol.HubMark{{Unit: "27169", Register: "residents", Revision: 7}}})
	s = again(t, p, s)
	want := replica.State{Meta: meta, Streams: []replica.Stream{zero, one, two},
		Definitions: []replica.Definition{{Register: "residents", Version: 1, Body: []byte("{1}")}, {Register: "residents", Version: 2, Body: []byte("{2}")}},
		HubMarks:    []protocol.HubMark{{Unit: "27169", Register: "residents", Revision: 8}}}
	equal(t, "state", must(s.State(ctx)), want)
	one.Cursor = 20
	commit(t, s, &replica.Batch{Streams: []replica.Stream{one}, DropStreams: []protocol.Stream{two.Stream}})
	equal(t, "streams", must(s.State(ctx)).Streams, []replica.Stream{zero, one})
}

// same compares holdings by what the contract promises.
func same(t *testing.T, got, want replica.Holding) {
	t.Helper()
	if got.ID != want.ID || got.Register != want.Register || got.Unit != want.Unit || got.Left != want.Left || !got.Base.Equal(want.Base) {
		t.Errorf("record: got %+v, want %+v", got, want)
	}
	if len(got.Index.Keys) == 0 {
		got.Index.Keys = want.Index.Keys[:0]
	}
	equal(t, "index", got.Index, want.Index)
	var gotNos, wantNos []uint64
	for _, e := range got.Entries {
		gotNos = append(gotNos, e.No)
	}
	for _, e := range want.Entries {
		wantNos = append(wantNos, e.No)
	}
	equal(t, "entries of the record", gotNos, wantNos)
}

func records(t *testing.T, p Place) {
	s := p.Open(t)
	var all []replica.Holding
	var ids []conflict.RecordID
	for i := range uint64(150) { // more than any part of a reading
		h := holding(1, i+1, "residents", fmt.Sprint("K", i), " nguyen", replica.FlagMine)
		all, ids = append(all, h), append(ids, h.ID)
	}
	commit(t, s, &replica.Batch{Put: all})
	e1 := entry(1, dot(1, 200), 10, ids[0], ids[1])
	e2 := entry(2, dot(1, 204), 11, ids[1])
	commit(t, s, &replica.Batch{Append: []replica.Entry{e1, e2}})
	s = again(t, p, s)
	slices.Reverse(ids)
	got := must(s.Holdings(ctx, append(ids, dot(7, 7))))
	if len(got) != len(all) {
		t.Fatalf("got %d records, want %d", len(got), len(all))
	}
	all[0].Entries, all[1].Entries = []replica.Entry{e1}, []replica.Entry{e1, e2}
	for i := range got {
		same(t, got[i], all[len(all)-1-i])
	}
	// A record may be replaced and forgotten; entries are not its own.
	h := all[1]
	h.Left, h.Unit, h.Index.Search = true, "26734", " other"
	commit(t, s, &replica.Batch{Drop: []conflict.RecordID{all[0].ID}, Put: []replica.Holding{h}})
	got = must(s.Holdings(ctx, []conflict.RecordID{all[0].ID, h.ID}))
	if len(got) != 1 {
		t.Fatalf("got %d records, want 1", len(got))
	}
	same(t, got[0], h)
	commit(t, s, &replica.Batch{Put: []replica.Holding{all[0]}})
	same(t, must(s.Holdings(ctx, []conflict.RecordID{all[0].ID}))[0], all[0])
}

func rebase(t *testing.T, p Place) {
	s := p.Open(t)
	h := holding(1, 1, "residents", "K", " nguyen", replica.FlagConflict)
	h.Index.Keys = []uint64{1, 1 << 63}
	commit(t, s, &replica.Batch{Put: []replica.Holding{h}})
	h.Base = h.Base.Write(conflict.Key(20), conflict.Sibling{Dot: dot(2, 5), Value: "x"}, conflict.Vector{})
	commit(t, s, &replica.Batch{Rebase: []replica.Holding{h}})
	s = again(t, p, s)
	same(t, must(s.Holdings(ctx, []conflict.RecordID{h.ID}))[0], h)
	if err := s.Commit(ctx, &replica.Batch{Rebase: []replica.Holding{holding(3, 3, "residents", "K", "", 0)}}); err == nil {
		t.Error("the base of a record that is not held was taken")
	}
}

func atomic(t *testing.T, p Place) {
	s := p.Open(t)
	h := holding(1, 1, "residents", "K", " nguyen", 0)
	e := entry(5, dot(1, 1), 10, h.ID)
	commit(t, s, &replica.Batch{Put: []replica.Holding{h}, Append: []replica.Entry{e}})
	meta := replica.Meta{Last: 77}
	bad := entry(5, dot(1, 3), 11, h.ID) // a number that is taken
	other := holding(2, 1, "residents", "L", " tran", 0)
	err := s.Commit(ctx, &replica.Batch{Meta: &meta, Put: []replica.Holding{other}, Drop: []conflict.RecordID{h.ID}, Remove: nil,
		Append: []replica.Entry{bad}, Drafts: []replica.Draft{{Key: "k"}}, Streams: []replica.Stream{{}}})
	if err == nil {
		t.Fatal("an entry with a number that is taken was stored")
	}
	for range 2 {
		equal(t, "meta", must(s.State(ctx)), replica.State{})
		equal(t, "drafts", len(must(s.Drafts(ctx))), 0)
		equal(t, "records", must(s.Walk(ctx, "", conflict.RecordID{}, 10)), []conflict.RecordID{h.ID})
		equal(t, "outbox", len(must(s.Entries(ctx, 0, 10))), 1)
		s = again(t, p, s)
	}
	done, cancel := context.WithCancel(ctx)
	cancel()
	if err := s.Commit(done, &replica.Batch{Meta: &meta}); !errors.Is(err, context.Canceled) {
		t.Errorf("commit after cancelling: got %v, want %v", err, context.Canceled)
	}
	commit(t, s, &replica.Batch{Meta: &meta}) // and the store is still of use
}

func find(t *testing.T, p Place) {
	s := p.Open(t)
	put := []replica.Holding{
		holding(1, 3, "residents", "C", " dang thi hoa", replica.FlagMine),
		holding(1, 1, "residents", "A", " dang van an 079203000001", 0),
		holding(1, 2, "residents", "B", " le thi dang", replica.FlagConflict|replica.FlagMine),
		holding(1, 4, "residents", "D", " tran 100%", replica.FlagDeleted),
		holding(1, 5, "addresses", "A", " dang", 0),
	}
	commit(t, s, &replica.Batch{Put: put})
	for _, c := range []struct {
		name  string
		query replica.Query
		want  []uint64
		total int
	}{
		{"all of a register, sorted", replica.Query{Limit: 10}, []uint64{1, 2, 3, 4}, 4},
		{"a page", replica.Query{Limit: 2, Offset: 1}, []uint64{2, 3}, 4},
		{"a page past the end", replica.Query{Limit: 2, Offset: 9}, nil, 4},
		{"a count alone", replica.Query{Words: []string{"dang"}}, nil, 3},
		{"one word", replica.Query{Words: []string{"dang"}, Limit: 10}, []uint64{1, 2, 3}, 3},
		{"words in any order", replica.Query{Words: []string{"hoa", "dang"}, Limit: 10}, []uint64{3}, 1},
		{"a word's beginning", replica.Query{Words: []string{" dang"}, Limit: 10}, []uint64{1, 2, 3}, 3},
		{"inside a number", replica.Query{Words: []string{"2030000"}, Limit: 10}, []uint64{1}, 1},
		{"percent is no wildcard", replica.Query{Words: []string{"%"}, Limit: 10}, []uint64{4}, 1},
		{"underscore is no wildcard", replica.Query{Words: []string{"_"}, Limit: 10}, nil, 0},
		{"any of flags", replica.Query{Any: replica.FlagConflict | replica.FlagDeleted, Limit: 10}, []uint64{2, 4}, 2},
		{"none of flags", replica.Query{None: replica.FlagMine | replica.FlagDeleted, Limit: 10}, []uint64{1}, 1},
		{"words and flags", replica.Query{Words: []string{"dang"}, Any: replica.FlagMine, None: replica.FlagConflict, Limit: 1}, []uint64{3}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.query.Register = "residents"
			ids, total, err := s.Find(ctx, c.query)
			if err != nil {
				t.Fatal(err)
			}
			var got []uint64
			for _, id := range ids {
				got = append(got, id.Counter)
			}
			if !slices.Equal(got, c.want) || total != c.total {
				t.Errorf("got %v of %d, want %v of %d", got, total, c.want, c.total)
			}
		})
	}
	// Many records, so that a search goes through several windows.
	var many []replica.Holding
	for i := range uint64(9000) {
		many = append(many, holding(2, i+1, "many", fmt.Sprintf("K%05d", i), fmt.Sprintf(" so %d", i), 0))
	}
	commit(t, s, &replica.Batch{Put: many})
	ids, total, err := s.Find(ctx, replica.Query{Register: "many", Words: []string{"9"}, Offset: 2300, Limit: 3})
	if err != nil || len(ids) != 3 {
		t.Fatalf("got %d ids of %d (%v)", len(ids), total, err)
	}
	want := 0
	var nth []uint64
	for i := range 9000 {
		if strings.Contains(fmt.Sprintf(" so %d", i), "9") {
			if want >= 2300 && want < 2303 {
				nth = append(nth, uint64(i+1))
			}
			want++
		}
	}
	if total != want || ids[0].Counter != nth[0] || ids[2].Counter != nth[2] {
		t.Errorf("got %v of %d, want %v of %d", ids, total, nth, want)
	}
	// The first hits, then the next ones and the count, with a change between
	// every two: what a search remembers must not outlive the records.
	nines := replica.Query{Register: "many", Words: []string{"9"}, Limit: 2, First: true}
	for change, first := range []uint64{10, 20, 20, 10} { // counters; record n is "so n-1"
		if ids, total, err := s.Find(ctx, nines); err != nil || len(ids) != 2 || ids[0].Counter != first || total != -1 && total != want {
			t.Fatalf("change %d: got %v of %d (%v), want first %d of -1 or %d", change, ids, total, err, first, want)
		}
		for _, offset := range []int{0, want - 1, want, 0} {
			q := nines
			q.First, q.Offset = false, offset
			if ids, total, err := s.Find(ctx, q); err != nil || total != want || len(ids) != min(2, want-offset) {
				t.Fatalf("change %d, from %d: got %v of %d (%v), want %d", change, offset, ids, total, err, want)
			}
		}
		switch change {
		case 0:
			commit(t, s, &replica.Batch{Put: []replica.Holding{holding(2, 10, "many", "K00009", " so", 0)}})
			want--
		case 1:
			commit(t, s, &replica.Batch{Drop: []conflict.RecordID{many[8999].ID}})
			want--
		case 2:
			commit(t, s, &replica.Batch{Put: []replica.Holding{many[9], many[8999]}})
			want += 2
		}
	}
	rare := replica.Query{Register: "many", Words: []string{"8999"}, Limit: 2, First: true}
	if ids, total, err := s.Find(ctx, rare); err != nil || len(ids) != 1 || total != 1 {
		t.Errorf("fewer hits than asked for: got %v of %d (%v), want one of 1", ids, total, err)
	}
}

func cancelled(t *testing.T, p Place) {
	s := p.Open(t)
	commit(t, s, &replica.Batch{Put: []replica.Holding{holding(1, 1, "residents", "A", " a", 0)}})
	done, cancel := context.WithCancel(ctx)
	cancel()
	if _, _, err := s.Find(done, replica.Query{Register: "residents", Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	if _, total, err := s.Find(ctx, replica.Query{Register: "residents", Limit: 1}); err != nil || total != 1 {
		t.Errorf("after a cancelled search: got %d, %v", total, err)
	}
}

func keys(t *testing.T, p Place) {
	s := p.Open(t)
	a, b := holding(1, 1, "residents", "A", "", 0), holding(1, 2, "residents", "B", "", 0)
	a.Index.Keys, b.Index.Keys = []uint64{3, 1 << 63}, []uint64{1 << 63}
	commit(t, s, &replica.Batch{Put: []replica.Holding{b, a}})
	equal(t, "both", must(s.FindKey(ctx, 1<<63, 10)), []conflict.RecordID{a.ID, b.ID})
	equal(t, "limit", must(s.FindKey(ctx, 1<<63, 1)), []conflict.RecordID{a.ID})
	a.Known, a.Index.Keys = a.Index.Keys, []uint64{4}
	commit(t, s, &replica.Batch{Put: []replica.Holding{a}, Drop: []conflict.RecordID{b.ID}})
	for key, want := range map[uint64]int{3: 0, 4: 1, 1 << 63: 0} {
		if got := must(s.FindKey(ctx, key, 10)); len(got) != want {
			t.Errorf("key %d: got %v, want %d", key, got, want)
		}
	}
}

func shared(t *testing.T, p Place) {
	s := p.Open(t)
	a, b, c := holding(1, 1, "residents", "A", "", 0), holding(1, 2, "residents", "B", "", 0), holding(1, 3, "residents", "C", "", 0)
	a.Index.Keys, b.Index.Keys, c.Index.Keys = []uint64{3, 10, 11}, []uint64{3, 10, 12}, []uint64{3, 10, 11}
	commit(t, s, &replica.Batch{Put: []replica.Holding{a, b, c}})
	equal(t, "in the range", must(s.Shared(ctx, 10, 12, 100)), [][]conflict.RecordID{{a.ID, b.ID, c.ID}, {a.ID, c.ID}})
	equal(t, "limit", must(s.Shared(ctx, 10, 12, 4)), [][]conflict.RecordID{{a.ID, b.ID, c.ID}, {a.ID}})
	equal(t, "none", must(s.Shared(ctx, 12, 20, 100)), [][]conflict.RecordID(nil))
	commit(t, s, &replica.Batch{Drop: []conflict.RecordID{a.ID}})
	equal(t, "after one went", must(s.Shared(ctx, 10, 12, 100)), [][]conflict.RecordID{{b.ID, c.ID}})
}

func walk(t *testing.T, p Place) {
	s := p.Open(t)
	commit(t, s, &replica.Batch{Put: []replica.Holding{holding(2, 1, "residents", "A", "", 0), holding(1, 300, "residents", "A", "", 0),
		holding(1, 2, "residents", "A", "", 0), holding(1, 5, "addresses", "A", "", 0)}})
	equal(t, "all", must(s.Walk(ctx, "", conflict.RecordID{}, 10)), []conflict.RecordID{dot(1, 2), dot(1, 5), dot(1, 300), dot(2, 1)})
	equal(t, "first", must(s.Walk(ctx, "residents", conflict.RecordID{}, 2)), []conflict.RecordID{dot(1, 2), dot(1, 300)})
	equal(t, "next", must(s.Walk(ctx, "residents", dot(1, 300), 2)), []conflict.RecordID{dot(2, 1)})
	equal(t, "end", len(must(s.Walk(ctx, "residents", dot(2, 1), 2))), 0)
}

func leaving(t *testing.T, p Place) {
	s := p.Open(t)
	equal(t, "none", len(must(s.Leaving(ctx))), 0)
	a, b, c := holding(2, 1, "residents", "A", "", 0), holding(1, 2, "residents", "A", "", 0), holding(1, 3, "residents", "A", "", 0)
	a.Left, b.Left = true, true
	commit(t, s, &replica.Batch{Put: []replica.Holding{a, b, c}})
	equal(t, "two", must(s.Leaving(ctx)), []conflict.RecordID{b.ID, a.ID})
	a.Left = false
	commit(t, s, &replica.Batch{Put: []replica.Holding{a}})
	s = again(t, p, s)
	equal(t, "one came back", must(s.Leaving(ctx)), []conflict.RecordID{b.ID})
	commit(t, s, &replica.Batch{Drop: []conflict.RecordID{b.ID}})
	equal(t, "forgotten", len(must(s.Leaving(ctx))), 0)
}

func counts(t *testing.T, p Place) {
	s := p.Open(t)
	commit(t, s, &replica.Batch{Put: []replica.Holding{
		holding(1, 1, "residents", "A", "", replica.FlagConflict|replica.FlagMine), holding(1, 2, "residents", "A", "", replica.FlagReturned),
		holding(1, 3, "residents", "A", "", replica.FlagRefused|replica.FlagQuarantined), holding(1, 4, "residents", "A", "", replica.FlagGhost|replica.FlagQuarantined),
		holding(1, 5, "residents", "A", "", replica.FlagDeleted|replica.FlagDraft),
	}})
	equal(t, "counts", must(s.Counts(ctx)), replica.Counts{Conflicts: 1, Returned: 2, Quarantined: 2})
}

func outbox(t *testing.T, p Place) {
	s := p.Open(t)
	id := dot(1, 1)
	var all []replica.Entry
	for i := range uint64(10) {
		e := entry(i*2+1, dot(1, 1+2*i), int64(100-i), id)
		all = append(all, e)
	}
	commit(t, s, &replica.Batch{Append: append(all, entry(100, dot(2, 1), 5, id))})
	s = again(t, p, s)
	got := must(s.Outbox(ctx, replicaID(1), 5, 1<<20, 3))
	if len(got) != 3 || got[0].Changeset.Dot.Counter != 5 || got[2].Changeset.Dot.Counter != 9 {
		t.Fatalf("got %d entries: %+v", len(got), got)
	}
	equal(t, "entry", got[0], all[2])
	equal(t, "one at least", len(must(s.Outbox(ctx, replicaID(1), 1, 1, 10))), 1)
	if n := len(must(s.Outbox(ctx, replicaID(1), 1, 400, 10))); n < 1 || n > 9 {
		t.Errorf("400 bytes: got %d entries", n)
	}
	equal(t, "none", len(must(s.Outbox(ctx, replicaID(1), 21, 1<<20, 10))), 0)
	n, oldest, err := s.Unsent(ctx, replicaID(1), 4)
	equal(t, "unsent", []any{n, oldest, err}, []any{8, int64(91), error(nil)})
	n, oldest, err = s.Unsent(ctx, replicaID(1), 20)
	equal(t, "unsent of none", []any{n, oldest, err}, []any{0, int64(0), error(nil)})
}

func made(t *testing.T, p Place) {
	s := p.Open(t)
	equal(t, "made, nothing here", len(must(s.Made(ctx))), 0)
	bare := func(counter uint64, register string, flags replica.Flags) replica.Holding {
		h := holding(1, counter, register, "A", "", flags)
		h.Base = conflict.Record{}
		return h
	}
	left := bare(7, "residents", 0)
	left.Left = true
	edited := holding(1, 3, "residents", "B", "", 0) // the server told of it
	puts := []replica.Holding{bare(1, "residents", 0), edited, bare(5, "residents", replica.FlagGhost), left, bare(9, "households", 0), bare(11, "residents", 0)}
	var entries []replica.Entry
	for i, h := range puts {
		entries = append(entries, entry(uint64(2*i+1), dot(1, uint64(4*i+1)), 10, h.ID), entry(uint64(2*i+2), dot(1, uint64(4*i+3)), 11, h.ID))
	}
	commit(t, s, &replica.Batch{Append: entries, Put: puts})
	s = again(t, p, s)
	of := func(register string) protocol.Stream { return protocol.Stream{Unit: "27169", Register: register} }
	equal(t, "made", must(s.Made(ctx)), map[protocol.Stream]int{of("residents"): 2, of("households"): 1})
	first := puts[0]
	first.Base = base(first.ID, "")
	commit(t, s, &replica.Batch{Rebase: []replica.Holding{first}})
	equal(t, "made, after the server told of one", must(s.Made(ctx)), map[protocol.Stream]int{of("residents"): 1, of("households"): 1})
}

func mark(t *testing.T, p Place) {
	s := p.Open(t)
	a, b := dot(1, 1), dot(3, 9)
	e1, e2 := entry(1, a, 10, a), entry(2, dot(1, 3), 11, a, b)
	e2.Replaced = []replica.Replaced{{Dot: dot(1, 3), Was: dot(4, 4), Value: "cũ"}}
	commit(t, s, &replica.Batch{Append: []replica.Entry{e1, e2}, Put: []replica.Holding{holding(1, 1, "residents", "A", "", 0), holding(3, 9, "residents", "B", "", 0)}})
	e2.Received, e2.Refusal = 99, &replica.Refusal{Code: protocol.Forbidden, Detail: "unit", At: 98}
	commit(t, s, &replica.Batch{Mark: []replica.Entry{e2}})
	s = again(t, p, s)
	equal(t, "entries", must(s.Entries(ctx, 0, 10)), []replica.Entry{e1, e2})
	equal(t, "after 1", must(s.Entries(ctx, 1, 10)), []replica.Entry{e2})
	e2.Refusal = nil
	commit(t, s, &replica.Batch{Mark: []replica.Entry{e2}, Remove: []uint64{1, 55}})
	equal(t, "entries left", must(s.Entries(ctx, 0, 10)), []replica.Entry{e2})
	hs := must(s.Holdings(ctx, []conflict.RecordID{a, b}))
	equal(t, "touching", []int{len(hs[0].Entries), len(hs[1].Entries)}, []int{1, 1})
	// What is removed makes room in the same batch, as a rekey needs.
	fresh := entry(3, dot(5, 1), 11, a)
	commit(t, s, &replica.Batch{Remove: []uint64{2}, Append: []replica.Entry{fresh}})
	equal(t, "entries at last", must(s.Entries(ctx, 0, 10)), []replica.Entry{fresh})
	// Of many at once: those of the replica in the range that were not received.
	var many []replica.Entry
	for n := uint64(0); n < 6; n++ {
		e := entry(10+n, dot(6, 1+2*n), 11, a)
		if n == 5 {
			e = entry(10+n, dot(7, 3), 11, a)
		}
		many = append(many, e)
	}
	many[2].Received = 7
	commit(t, s, &replica.Batch{Append: many})
	commit(t, s, &replica.Batch{Receive: []replica.Received{{Replica: replicaID(6), From: 3, Through: 8, At: 120}}})
	many[1].Received, many[3].Received = 120, 120
	s = again(t, p, s)
	equal(t, "received in a range", must(s.Entries(ctx, 9, 10)), many)
	commit(t, s, &replica.Batch{Remove: []uint64{3, 10, 11, 12, 13, 14, 15}})
	equal(t, "nothing touches", len(must(s.Holdings(ctx, []conflict.RecordID{a}))[0].Entries), 0)
}

func forms(t *testing.T, p Place) {
	s := p.Open(t)
	d := replica.Draft{Key: "khóa", Record: dot(1, 4), Register: "residents", Unit: "27169", Definition: 3, OpenedAt: 50,
		Seen: map[conflict.FieldKey]conflict.Vector{conflict.Key(16): conflict.NewVector(dot(1, 4), dot(2, 2)), {ID: 17, Elem: "a/b"}: conflict.NewVector(dot(1, 5)),
			conflict.Key(conflict.FieldLife): {}},
		Shown: map[string]conflict.Value{"full_name": "Đặng Thị"}, Conflicts: []string{"phone"}, Question: "q1",
		Defaults: map[string]string{"unit": "27169"}, Typed: map[string]string{"full_name": "Đặng Thị Hoa", "note": ""}}
	older := replica.Draft{Key: "a", Register: "residents", OpenedAt: 49, Seen: map[conflict.FieldKey]conflict.Vector{}}
	commit(t, s, &replica.Batch{Drafts: []replica.Draft{d, older}})
	d.Typed = map[string]string{"note": "x"}
	commit(t, s, &replica.Batch{Drafts: []replica.Draft{d}})
	s = again(t, p, s)
	equal(t, "drafts", must(s.Drafts(ctx)), []replica.Draft{older, d})
	got, ok, err := s.Draft(ctx, "khóa")
	equal(t, "draft", []any{got, ok, err}, []any{d, true, error(nil)})
	commit(t, s, &replica.Batch{DropDrafts: []string{"khóa", "none"}})
	_, ok, err = s.Draft(ctx, "khóa")
	equal(t, "dropped", []any{ok, err}, []any{false, error(nil)})
}

func savedForms(t *testing.T, p Place) {
	s := p.Open(t)
	const day = 24 * 60 * 60 * 1000
	a := replica.Saved{Key: "a", Record: dot(1, 4), Submitted: true, At: day}
	b := replica.Saved{Key: "b", Record: dot(2, 4), At: 20 * day}
	commit(t, s, &replica.Batch{Saved: []replica.Saved{a, b}})
	s = again(t, p, s)
	got, ok, err := s.Saved(ctx, "a")
	equal(t, "saved", []any{got, ok, err}, []any{a, true, error(nil)})
	equal(t, "of a replica", must(s.SavedOf(ctx, replicaID(2))), []replica.Saved{b})
	b.Record = dot(3, 4)
	commit(t, s, &replica.Batch{Saved: []replica.Saved{b, {Key: "c", Record: dot(1, 9), At: 45 * day}}})
	_, ok, _ = s.Saved(ctx, "a")
	got, still, _ := s.Saved(ctx, "b")
	equal(t, "forgotten and moved", []any{ok, still, got.Record}, []any{false, true, dot(3, 4)})
}

func keptPages(t *testing.T, p Place) {
	s := p.Open(t)
	first, second := protocol.Token{1}, protocol.Token{2}
	here, there := protocol.Stream{Unit: "27169", Register: "residents", Class: protocol.Sensitive}, protocol.Stream{Unit: "26734", Register: "addresses"}
	page := func(no uint64, epoch protocol.Token, stream protocol.Stream, to uint64) replica.KeptPage {
		return replica.KeptPage{No: no, Epoch: epoch, Stream: stream, To: to, Body: []byte{66, byte(to)}}
	}
	all := []replica.KeptPage{page(1, first, here, 10), page(2, first, here, 20), page(3, first, there, 5), page(4, second, here, 30)}
	commit(t, s, &replica.Batch{Keep: all[:2]})
	commit(t, s, &replica.Batch{Keep: all[2:]})
	s = again(t, p, s)
	equal(t, "in the epoch of all but one", must(s.Kept(ctx, first, 1<<20)), all[3:])
	equal(t, "in the next one", must(s.Kept(ctx, second, 1<<20)), all[:3])
	equal(t, "as many as fit", must(s.Kept(ctx, second, 5)), all[:2])
	equal(t, "at least one", must(s.Kept(ctx, second, 1)), all[:1])
	commit(t, s, &replica.Batch{GaveBack: []replica.GaveBack{{Nos: []uint64{1, 3}, Epoch: second}, {Nos: []uint64{1, 3}, Epoch: second, Unit: here.Unit, At: 40}}})
	equal(t, "what was given back is not given again", must(s.Kept(ctx, second, 1<<20)), all[1:2])
	equal(t, "but in a third epoch all is", must(s.Kept(ctx, protocol.Token{3}, 1<<20)), all)
	commit(t, s, &replica.Batch{DropKept: []replica.DropKept{{Epoch: second, Unit: here.Unit, Through: 39}, {Epoch: second, Unit: there.Unit, Through: 1}}})
	equal(t, "a backup up to 39", must(s.Kept(ctx, protocol.Token{3}, 1<<20)), all[:2])
	commit(t, s, &replica.Batch{DropKept: []replica.DropKept{{Epoch: first, Unit: here.Unit, Through: 10}}})
	equal(t, "a backup of the first epoch", must(s.Kept(ctx, protocol.Token{3}, 1<<20)), all[1:2])
	commit(t, s, &replica.Batch{Keep: []replica.KeptPage{all[3], all[2]}})
	commit(t, s, &replica.Batch{DropStreams: []protocol.Stream{here}})
	equal(t, "of a stream that was withdrawn nothing stays", must(s.Kept(ctx, second, 1<<20)), []replica.KeptPage{page(6, first, there, 5)})
}

func receipts(t *testing.T, p Place) {
	s := p.Open(t)
	r := replica.Receipt{Replica: replicaID(1), Through: 12, Received: 13, Signature: []byte{1, 2, 3},
		Marks: []protocol.StreamMark{{Stream: protocol.Stream{Unit: "27169", Register: "residents", Class: protocol.Sensitive}, Position: 14}}}
	commit(t, s, &replica.Batch{Receipts: []replica.Receipt{r}, Reveals: []replica.Reveal{{Record: dot(1, 2), Field: "phone", At: 3}, {Record: dot(1, 2), Field: "personal_id", At: 4}}})
	s = again(t, p, s)
	equal(t, "receipts", must(s.Receipts(ctx)), []replica.Receipt{r})
	reveals := must(s.Reveals(ctx))
	if len(reveals) != 2 || reveals[0].Field != "phone" || reveals[0].No >= reveals[1].No {
		t.Fatalf("reveals: got %+v", reveals)
	}
	commit(t, s, &replica.Batch{ReportedReveals: []uint64{reveals[0].No}})
	equal(t, "left", must(s.Reveals(ctx)), reveals[1:])
}

func anyBytes(t *testing.T, p Place) {
	s := p.Open(t)
	for i, value := range []string{"", "\x00", "a\x00b", "'); DROP TABLE records;--", "\xff\xfe", "Đặng Thị Hòa", strings.Repeat("ữ", 20000)} {
		d := dot(1, uint64(i+1))
		h := replica.Holding{ID: d, Register: "residents", Unit: "27169", Base: base(d, value),
			Index: replica.Index{Sort: "\x00\xff" + value + idBytes(d), Search: strings.ToValidUTF8(strings.ReplaceAll(value, "\x00", ""), "")}}
		commit(t, s, &replica.Batch{Put: []replica.Holding{h}})
		if s = again(t, p, s); s != nil {
			same(t, must(s.Holdings(ctx, []conflict.RecordID{d}))[0], h)
		}
	}
}
