package conflict

import (
	"errors"
	"sync"
	"testing"
)

func TestNewRecordRejects(t *testing.T) {
	f := Field{}.Write(Sibling{Dot: Dot{replica(0), 1}}, Vector{})
	for name, entries := range map[string][]Entry{
		"unsorted":          {{Key(17), f}, {Key(16), f}},
		"field twice":       {{Key(16), f}, {Key(16), f}},
		"elements unsorted": {{FieldKey{20, "b"}, f}, {FieldKey{20, "a"}, f}},
		"never written":     {{Key(16), f}, {Key(17), Field{}}},
	} {
		if _, err := NewRecord(entries); !errors.Is(err, ErrField) {
			t.Errorf("%s: got error %v, want %v", name, err, ErrField)
		}
	}
	r, err := NewRecord([]Entry{{Key(16), f}, {FieldKey{20, "a"}, f}, {FieldKey{20, "b"}, f}})
	if err != nil || r.Len() != 3 || !r.Field(FieldKey{20, "b"}).Equal(f) {
		t.Errorf("got %v, %v; want three fields", r, err)
	}
	if r, err := NewRecord([]Entry{}); err != nil || !r.Equal(Record{}) {
		t.Errorf("got %v, %v; want the zero record", r, err)
	}
}

// TestZeroFieldLeavesNoTrace keeps one record from having two forms.
func TestZeroFieldLeavesNoTrace(t *testing.T) {
	f := Field{}.Write(Sibling{Dot: Dot{replica(0), 1}}, Vector{})
	r := Record{}.With(Key(16), f)
	for name, got := range map[string]Record{
		"set to zero":          r.With(Key(17), Field{}),
		"write of no write":    r.Write(Key(17), Sibling{Value: "1"}, Vector{}),
		"merge of zero fields": r.Merge(Record{}.With(Key(17), Field{})),
	} {
		if !got.Equal(r) || dump(got) != dump(r) || got.Seen().Covers(Key(17), Dot{}) {
			t.Errorf("%s: got\n%swant\n%s", name, dump(got), dump(r))
		}
	}
	if got := r.With(Key(16), Field{}); got.Len() != 0 {
		t.Errorf("got %d fields, want the only one gone", got.Len())
	}
}

func TestSeenLeavesOutSystemFields(t *testing.T) {
	d := Dot{replica(0), 1}
	var r Record
	for _, id := range []FieldID{FieldLife, FieldSubmission, FieldReview, FieldAnswer, 15, 16, 65535} {
		r = r.With(Key(id), Field{}.Write(Sibling{Dot: d}, Vector{}))
	}
	seen := r.Seen()
	for id, want := range map[FieldID]bool{0: false, 1: false, 2: false, 3: false, 15: false, 16: true, 65535: true} {
		if got := seen.Covers(Key(id), d); got != want {
			t.Errorf("field %d seen: got %v, want %v", id, got, want)
		}
	}
}

func TestAllStopsWhenTold(t *testing.T) {
	f := Field{}.Write(Sibling{Dot: Dot{replica(0), 1}}, Vector{})
	n := 0
	for range (Record{}.With(Key(16), f).With(Key(17), f)).All() {
		n++
		break
	}
	if n != 1 {
		t.Errorf("got %d fields, want 1", n)
	}
}

// TestSharedValuesMayBeReadAndMergedAtOnce is for the race detector: values
// share slices beneath, so nothing may write to one that it did not make.
func TestSharedValuesMayBeReadAndMergedAtOnce(t *testing.T) {
	var states []Record
	for seed := range uint64(20) {
		w := &world{engine: production(), draw: seeded(seed), log: map[Dot]*event{}, holders: []*holder{{}, {}, {}}}
		for range 30 {
			w.step()
		}
		for _, s := range w.past {
			states = append(states, s.record)
		}
		want := dump(fold(states))
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				r := fold(states)
				if got := dump(r); got != want {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				_, _ = r.Life(), r.Seen()
				for _, f := range r.All() {
					_ = f.View(Max, Rules{})
				}
			})
		}
		wg.Wait()
		states = nil
	}
}

func fold(states []Record) Record {
	var r Record
	for _, s := range states {
		r = r.Merge(s).Merge(r)
	}
	return r
}
