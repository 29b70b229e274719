package record

import (
	"testing"

	"wardbook/conflict"
)

func TestTwinValues(t *testing.T) {
	id := conflict.Dot{Replica: conflict.ReplicaID{7}, Counter: 3}
	key := TwinKey(id)
	for _, c := range []struct {
		name  string
		key   conflict.FieldKey
		value conflict.Value
		good  bool
	}{
		{"different", key, Twin{Said: Different, Reason: "hai chị em"}.Value(), true},
		{"same", key, Twin{Said: Same, Kept: id.String()}.Value(), true},
		{"taken back", key, Twin{}.Value(), true},
		{"same, without the one that stays", key, `{"said":"same"}`, false},
		{"another verdict", key, `{"said":"perhaps"}`, false},
		{"rubbish", key, `x`, false},
		{"of no record", conflict.FieldKey{ID: conflict.FieldTwin, Elem: "x"}, Twin{Said: Different}.Value(), false},
		{"unchecked", conflict.Key(conflict.FieldTwin), Unchecked{6200, 40000}.Value(), true},
		{"checked", conflict.Key(conflict.FieldTwin), "", true},
		{"rubbish for a mark", conflict.Key(conflict.FieldTwin), "yes", false},
	} {
		if err := CheckTwin(Write{Key: c.key, Value: c.value}); (err == nil) != c.good {
			t.Errorf("%s: got %v, want good: %v", c.name, err, c.good)
		}
	}
}

// What two people say of a pair at once stands twice, wherever it was written.
func TestPairOfReadsBothRecords(t *testing.T) {
	a, b := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 1}, conflict.Dot{Replica: conflict.ReplicaID{2}, Counter: 1}
	write := func(r conflict.Record, other conflict.RecordID, n byte, t Twin) conflict.Record {
		return r.Write(TwinKey(other), conflict.Sibling{Dot: conflict.Dot{Replica: conflict.ReplicaID{n}, Counter: 9}, Value: t.Value()}, conflict.Vector{})
	}
	var x, y conflict.Record
	x = write(x, b, 1, Twin{Said: Different})
	y = write(y, a, 2, Twin{Said: Linked})
	y = write(y, a, 3, Twin{}) // somebody else took back what they had seen of nothing
	if got := PairOf(x, y, a, b); len(got) != 2 || got[0].Twin.Said != Different || got[1].Twin.Said != Linked {
		t.Errorf("got %+v, want both verdicts", got)
	}
	if got := PairOf(y, x, b, a); len(got) != 2 {
		t.Errorf("the other way round: got %+v, want both verdicts", got)
	}
}
