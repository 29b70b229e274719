package record

import (
	"strings"
	"testing"

	"wardbook/conflict"
)

func TestHome(t *testing.T) {
	for _, h := range []Home{{Unit: "26734"}, {Unit: "26737", From: "26734", Reason: "chuyển nhà"}, {Unit: "26737", Accepted: true}, {Unit: "26734", Returned: true}} {
		got, err := ParseHome(h.Value())
		if err != nil || got != h {
			t.Errorf("got %+v, %v, want %+v", got, err, h)
		}
	}
	for _, bad := range []conflict.Value{"", "x", "{}", Home{Unit: strings.Repeat("1", 256)}.Value(), Home{Unit: "1", Reason: strings.Repeat("x", MaxReason+1)}.Value()} {
		if h, err := ParseHome(bad); err == nil {
			t.Errorf("ParseHome(%.20q): got %+v, want an error", bad, h)
		}
	}
}

func TestHomeOf(t *testing.T) {
	k := conflict.Key(conflict.FieldHome)
	write := func(r conflict.Record, replica byte, v conflict.Value, context conflict.Vector) conflict.Record {
		d := conflict.Dot{Replica: conflict.ReplicaID{replica}, Counter: 1}
		return r.Write(k, conflict.Sibling{Dot: d, Value: v}, context)
	}
	none := conflict.Record{}
	b := write(none, 1, Home{Unit: "b"}.Value(), conflict.Vector{})
	for _, c := range []struct {
		name    string
		r       conflict.Record
		unit    string
		ok      bool
		arrived bool
	}{
		{"nobody said anything", none, "", false, false},
		{"one unit", b, "b", true, true},
		{"accepted", write(none, 1, Home{Unit: "b", Accepted: true}.Value(), conflict.Vector{}), "b", true, false},
		{"two want the same", write(b, 2, Home{Unit: "b", Reason: "too"}.Value(), conflict.Vector{}), "b", true, true},
		{"two want different ones", write(b, 2, Home{Unit: "c"}.Value(), conflict.Vector{}), "", false, true},
		{"one of two was accepted", write(b, 2, Home{Unit: "b", Accepted: true}.Value(), conflict.Vector{}), "b", true, true},
		{"a later one", write(b, 2, Home{Unit: "c"}.Value(), b.Field(k).Vector()), "c", true, true},
		{"a value that cannot be read", write(b, 2, "?", conflict.Vector{}), "", false, true},
	} {
		h, ok := HomeOf(c.r)
		if h.Unit != c.unit || ok != c.ok || Arrived(c.r) != c.arrived {
			t.Errorf("%s: got %q, %v, arrived %v; want %q, %v, %v", c.name, h.Unit, ok, Arrived(c.r), c.unit, c.ok, c.arrived)
		}
	}
}
