package record

import (
	"slices"
	"testing"

	"wardbook/conflict"
)

// TestStanding states the stages as histories of one record: device 1 writes,
// replica 9 is the desk.
func TestStanding(t *testing.T) {
	dev, desk := conflict.ReplicaID{1}, conflict.ReplicaID{9}
	name, note := conflict.Key(16), conflict.Key(17)
	put := func(r conflict.Record, k conflict.FieldKey, by conflict.ReplicaID, n uint64, v conflict.Value) conflict.Record {
		return r.Write(k, conflict.Sibling{Dot: conflict.Dot{Replica: by, Counter: n}, Value: v}, r.Field(k).Vector())
	}
	submit := func(r conflict.Record, n uint64) conflict.Record {
		return put(r, conflict.Key(conflict.FieldSubmission), dev, n, Submit(r, nil).Value())
	}
	review := func(r conflict.Record, n uint64, v Review) conflict.Record {
		return put(r, conflict.Key(conflict.FieldReview), desk, n, v.Value())
	}
	dots := func(counters ...uint64) DotSet {
		var list []conflict.Dot
		for _, n := range counters {
			list = append(list, conflict.Dot{Replica: dev, Counter: n})
		}
		return NewDotSet(list...)
	}
	drafted := put(conflict.Record{}, name, dev, 1, "Lan")
	submitted := submit(drafted, 2)
	approved := review(submitted, 1, Review{Decision: Approved, Dots: dots(1), At: 1})
	returned := review(submitted, 1, Review{Decision: Returned, Question: "q", At: 1})
	life := func(r conflict.Record, n uint64) conflict.Record {
		return put(r, conflict.Key(conflict.FieldLife), dev, n, conflict.Life{Deleted: true, Seen: r.Seen()}.Value())
	}
	beside := func(r conflict.Record) conflict.Record { // what the desk settles and hands in itself
		r = put(r, note, desk, 5, "x")
		s := Submission{Covers: conflict.NewVector(conflict.Dot{Replica: desk, Counter: 5})}
		return r.Write(conflict.Key(conflict.FieldSubmission), conflict.Sibling{Dot: conflict.Dot{Replica: desk, Counter: 4}, Value: s.Value()}, conflict.Vector{})
	}
	for _, c := range []struct {
		name    string
		record  conflict.Record
		stage   Stage
		waiting []conflict.FieldKey
		drafts  int
	}{
		{"saved", drafted, StageDraft, []conflict.FieldKey{name}, 1},
		{"submitted", submitted, StageSubmitted, []conflict.FieldKey{name}, 0},
		{"approved", approved, StageApproved, nil, 0},
		{"edited after approval", put(approved, note, dev, 3, "x"), StageDraft, []conflict.FieldKey{note}, 1},
		{"returned", returned, StageReturned, []conflict.FieldKey{name}, 0},
		{"answered", put(returned, conflict.Key(conflict.FieldAnswer), dev, 3, Answer{Question: "q", Text: "yes"}.Value()), StageSubmitted, []conflict.FieldKey{name}, 0},
		{"another question answered", put(returned, conflict.Key(conflict.FieldAnswer), dev, 3, Answer{Question: "old", Text: "yes"}.Value()), StageReturned, []conflict.FieldKey{name}, 0},
		{"submitted again", submit(put(returned, name, dev, 3, "Mai"), 4), StageSubmitted, []conflict.FieldKey{name}, 0},
		{"settled at the desk beside a question", beside(returned), StageReturned, []conflict.FieldKey{name, note}, 0},
		{"settled at the desk", beside(submitted), StageSubmitted, []conflict.FieldKey{name, note}, 0},
		{"deleted: only the deletion waits", life(put(approved, note, dev, 3, "x"), 4), StageDraft, []conflict.FieldKey{conflict.Key(conflict.FieldLife)}, 1},
		{"deletion approved", review(life(put(approved, note, dev, 3, "x"), 4), 2, Review{Decision: Approved, Dots: dots(1, 4), At: 2}), StageApproved, nil, 0},
		{"withdrawn", review(approved, 2, Review{Decision: Withdrawn, At: 2}), StageSubmitted, []conflict.FieldKey{name}, 0},
		{"refused", review(put(approved, name, desk, 2, "Lan"), 3, Review{Decision: Refused, Dots: NewDotSet(conflict.Dot{Replica: desk, Counter: 2}), At: 3}), StageRefused, nil, 0},
	} {
		s := StandingOf(c.record)
		if s.Stage != c.stage || !slices.Equal(s.Waiting, c.waiting) || len(s.Drafts) != c.drafts {
			t.Errorf("%s: got %s, waiting %v, drafts %v; want %s, %v, %d drafts", c.name, s.Stage, s.Waiting, s.Drafts, c.stage, c.waiting, c.drafts)
		}
	}
}
