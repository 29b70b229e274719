// Package recordtest draws histories of records for property tests: devices
// that write concurrently, and a server that has everything.
package recordtest

import (
	"fmt"

	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// History is a small world: a server that has everything and devices that have
// what they last fetched and what they wrote since.
type History struct {
	Server     map[conflict.RecordID]conflict.Record
	Order      []conflict.RecordID // the keys of Server, as created
	Changesets []record.Changeset  // all, in the order in which the server got them
	Replicas   []conflict.ReplicaID
	Position   uint64 // of the feed

	positions map[conflict.RecordID]map[conflict.FieldKey]uint64
	devices   []*device
}

type device struct {
	replica conflict.ReplicaID
	author  string
	counter uint64
	view    map[conflict.RecordID]conflict.Record
}

func drawReplica(t *rapid.T, label string) conflict.ReplicaID {
	var r conflict.ReplicaID
	copy(r[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label))
	r[0] |= 1
	return r
}

var drawValue = rapid.OneOf(rapid.StringMatching("[a-z0-9]{0,20}"), rapid.String(), rapid.Just(""), rapid.StringN(300, 400, -1))

// Draw lets up to four devices write concurrently and fetch at random.
func Draw(t *rapid.T) *History {
	h := &History{Server: map[conflict.RecordID]conflict.Record{}, positions: map[conflict.RecordID]map[conflict.FieldKey]uint64{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "devices") {
		h.devices = append(h.devices, &device{
			replica: drawReplica(t, "replica"), author: fmt.Sprintf("officer.%d", i%3),
			counter: rapid.SampledFrom([]uint64{0, 1, 200, 1 << 40}).Draw(t, "counter"),
			view:    map[conflict.RecordID]conflict.Record{},
		})
		for _, d := range h.devices[:i] {
			if d.replica == h.devices[i].replica {
				t.Skip("two replicas with one id")
			}
		}
		h.Replicas = append(h.Replicas, h.devices[i].replica)
	}
	at := rapid.Int64Range(-5, 2e12).Draw(t, "at")
	for range rapid.IntRange(1, 12).Draw(t, "steps") {
		d := rapid.SampledFrom(h.devices).Draw(t, "device")
		if rapid.Bool().Draw(t, "fetch") {
			for id, r := range h.Server {
				d.view[id] = d.view[id].Merge(r)
			}
		}
		at += rapid.Int64Range(-1000, 1e8).Draw(t, "later")
		c := record.Changeset{Dot: conflict.Dot{Replica: d.replica, Counter: d.counter + 1}, Unit: "26734", Author: d.author, At: at}
		used := map[conflict.RecordID]bool{}
		for range rapid.IntRange(1, 3).Draw(t, "edits") {
			id := conflict.Dot{Replica: d.replica, Counter: d.counter + 1}
			if len(h.Order) > 0 && rapid.Bool().Draw(t, "old record") {
				id = rapid.SampledFrom(h.Order).Draw(t, "record")
			}
			if used[id] {
				continue
			}
			used[id] = true
			e := record.Edit{Record: id, Register: rapid.SampledFrom([]string{"residents", "households"}).Draw(t, "register"),
				Definition: uint32(rapid.IntRange(0, 3).Draw(t, "definition")), Source: conflict.Source(rapid.IntRange(0, 3).Draw(t, "source"))}
			key := conflict.FieldKey{ID: conflict.FieldID(rapid.SampledFrom([]int{0, 1, 16, 16, 17, 300}).Draw(t, "first field"))}
			for range rapid.IntRange(1, 8).Draw(t, "fields") {
				if key.ID != conflict.FieldReview {
					e.Writes = append(e.Writes, record.Write{Key: key, Context: d.view[id].Field(key).Vector(),
						Value: conflict.Value(drawValue.Draw(t, "value"))})
					d.counter++
				}
				switch {
				case key.ID >= conflict.FirstUserField && rapid.IntRange(0, 3).Draw(t, "element") == 0:
					key.Elem += rapid.StringMatching("[a-c]{1,3}").Draw(t, "elem")
				case rapid.IntRange(0, 5).Draw(t, "gap") == 0:
					key = conflict.Key(key.ID + 3)
				default:
					key = conflict.Key(key.ID + 1)
				}
			}
			if len(e.Writes) == 0 {
				continue
			}
			c.Edits = append(c.Edits, e)
			if e.Record == c.FirstDot(len(c.Edits)-1) {
				h.Order = append(h.Order, id)
			}
		}
		if c.Len() == 0 {
			continue
		}
		if err := c.Validate(); err != nil {
			t.Fatalf("the history made an impossible changeset: %v", err)
		}
		h.Changesets = append(h.Changesets, c)
		h.Position += uint64(rapid.IntRange(1, 300).Draw(t, "others' positions"))
		received := at + rapid.Int64Range(-1000, 1e9).Draw(t, "delay")
		for i, e := range c.Edits {
			d.view[e.Record] = c.Apply(d.view[e.Record], i, 0)
			h.Server[e.Record] = c.Apply(h.Server[e.Record], i, received)
			if h.positions[e.Record] == nil {
				h.positions[e.Record] = map[conflict.FieldKey]uint64{}
			}
			for _, w := range e.Writes {
				h.positions[e.Record][w.Key] = h.Position
			}
		}
	}
	return h
}

// Positions returns the feed positions of the fields of record id in order.
func (h *History) Positions(id conflict.RecordID) []uint64 {
	pos := []uint64{}
	for k := range h.Server[id].All() {
		pos = append(pos, h.positions[id][k])
	}
	return pos
}
