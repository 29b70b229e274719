package ledger

import (
	"encoding/json"
	"fmt"
	"slices"

	"wardbook/sync/protocol"
)

// told is what a device is known to have held when it had used counters up to
// Last: every later write of it was made with at least that on the device. Each
// Hello says so much. It is what an offline write is judged by.
type told struct {
	Last   uint64 `json:"n"`
	Rights uint64 `json:"r,omitempty"` // version of the account's rights
	List   string `json:"l,omitempty"` // of units, that was in force
	Acked  uint64 `json:"a,omitempty"` // what it was told is stored, where that is more than what is
	Marks  []mark `json:"m,omitempty"` // cursors of basic streams
}

type mark struct {
	Unit     string `json:"u"`
	Register string `json:"r"`
	Position uint64 `json:"p"`
}

// maxTold bounds what is remembered of one replica. Of what is forgotten the
// device counts as never having been told.
const maxTold = 32

// position returns how far the device held a basic stream, 0 if it did not.
func (t told) position(s protocol.Stream) uint64 {
	for _, m := range t.Marks {
		if m.Unit == s.Unit && m.Register == s.Register {
			return m.Position
		}
	}
	return 0
}

// toldBefore returns what was known to be on the device when it made the write
// with that counter; ok is false if nothing was.
func toldBefore(kept string, counter uint64) (t told, ok bool, err error) {
	list, err := parseTold(kept)
	for _, e := range list {
		if e.Last < counter {
			t, ok = e, true
		}
	}
	return t, ok, err
}

// lostAfter returns up to which counter a restored server once had the device's
// changesets, as the device says; 0 if it lost none.
func lostAfter(kept string) (uint64, error) {
	list, err := parseTold(kept)
	if err != nil || len(list) == 0 {
		return 0, err
	}
	return list[len(list)-1].Acked, nil
}

func parseTold(kept string) (list []told, err error) {
	if kept == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(kept), &list); err != nil {
		return nil, fmt.Errorf("what a device was told: %w", err)
	}
	return list, nil
}

// addTold returns kept with what a Hello says, without what no write that is
// still to come can be judged by: acked is how far the replica is stored.
func addTold(kept string, acked uint64, t told) (string, error) {
	list, err := parseTold(kept)
	if err != nil {
		return "", err
	}
	// A Hello with a lower Last is that of a store that went back, or began
	// anew after a restore: what it says holds from there on.
	list = slices.DeleteFunc(list, func(e told) bool { return e.Last >= t.Last })
	list = append(list, t)
	for len(list) > 1 && list[1].Last <= acked || len(list) > maxTold {
		list = list[1:]
	}
	b, err := json.Marshal(list)
	return string(b), err
}
