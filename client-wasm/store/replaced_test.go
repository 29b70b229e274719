package store

import (
	"bytes"
	"reflect"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
)

func TestReplacedSurvives(t *testing.T) {
	want := []replica.Replaced{
		{Dot: conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 3}, Was: conflict.Dot{Replica: conflict.ReplicaID{9}, Counter: 1 << 60}, Value: "cũ \x00\xff"},
		{Dot: conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 4}, Was: conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: 2}},
	}
	b := appendReplaced(want)
	got, err := parseReplaced(b)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v, want %v", got, err, want)
	}
	if b := appendReplaced(nil); b != nil {
		t.Errorf("nothing replaced: got %q", b)
	}
	// What the first programs wrote.
	old := []byte(`[{"d":"` + want[1].Dot.String() + `","w":"` + want[1].Was.String() + `","v":"cũ"}]`)
	got, err = parseReplaced(old)
	if one := want[1]; err != nil || len(got) != 1 || got[0].Dot != one.Dot || got[0].Was != one.Was || got[0].Value != "cũ" {
		t.Errorf("old form: got %v, %v", got, err)
	}
	for i := range b {
		part, err := parseReplaced(b[:i])
		if whole := appendReplaced(part); err == nil && !bytes.Equal(whole, b[:i]) && i != 1 {
			t.Errorf("the first %d bytes: got %v", i, part)
		}
	}
	if _, err := parseReplaced([]byte{2}); err == nil {
		t.Error("another format: want an error")
	}
}
