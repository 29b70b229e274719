package record_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/record/recordtest"
)

// Records that lie in one memory are what they would be alone, also after it was
// used for others, and a damaged one in their midst does not touch them.
func TestMemory(t *testing.T) {
	var m record.Memory
	rapid.Check(t, func(t *rapid.T) {
		h := recordtest.Draw(t)
		for range 2 {
			type parsed struct {
				record    conflict.Record
				positions []uint64
			}
			got := map[conflict.RecordID]parsed{}
			for id, r := range h.Server {
				b := record.AppendState(nil, r, id, h.Positions(id))
				if _, _, err := m.ParseState(b[:len(b)-1], id); err == nil {
					t.Fatalf("%v: a cut state was taken", id)
				}
				in, pos, err := m.ParseState(b, id)
				if err != nil {
					t.Fatalf("%v: %v", id, err)
				}
				got[id] = parsed{in, pos}
			}
			for id, r := range h.Server {
				if p := got[id]; !p.record.Equal(r) || fmt.Sprint(p.positions) != fmt.Sprint(h.Positions(id)) {
					t.Fatalf("got %+v at %v, want %+v", p.record, p.positions, r)
				}
			}
			m.Reset()
		}
	})
}
