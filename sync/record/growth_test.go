package record

import (
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
)

var growthRecords = flag.Int("growth.records", 400, "records that the five-year measurement follows")

// ward is one unit through the years: devices that come and go, and records that
// they write.
type ward struct {
	rnd     *rand.Rand
	devices []conflict.ReplicaID // at work now; place / perSlice is the slice
	last    map[conflict.ReplicaID]uint64
	gone    map[conflict.ReplicaID]bool
	made    int
	server  conflict.ReplicaID
}

const (
	wardDevices  = 500
	wardSlices   = 30
	wardFields   = 20
	wardTurnover = 0.30 // of the devices, a year
)

func newWard(seed uint64) *ward {
	w := &ward{rnd: rand.New(rand.NewPCG(seed, 5)), last: map[conflict.ReplicaID]uint64{}, gone: map[conflict.ReplicaID]bool{}}
	for range wardDevices {
		w.devices = append(w.devices, w.replica())
	}
	w.server = w.replica()
	return w
}

func (w *ward) replica() (id conflict.ReplicaID) {
	w.made++
	binary.LittleEndian.PutUint64(id[:], w.rnd.Uint64())
	binary.LittleEndian.PutUint64(id[8:], w.rnd.Uint64())
	return id
}

// year lets devices be replaced: lost, worn out, signed out, begun anew.
func (w *ward) year() {
	for i, d := range w.devices {
		if w.rnd.Float64() < wardTurnover {
			w.gone[d] = true
			w.devices[i] = w.replica()
		}
	}
}

// near returns a device of a slice, once in twenty any other's.
func (w *ward) near(slice int) conflict.ReplicaID {
	if w.rnd.IntN(20) == 0 {
		return w.devices[w.rnd.IntN(len(w.devices))]
	}
	per := len(w.devices) / wardSlices
	return w.devices[slice*per+w.rnd.IntN(per)]
}

func (w *ward) write(r conflict.Record, by conflict.ReplicaID, k conflict.FieldKey, context conflict.Vector, at int64) conflict.Record {
	w.last[by]++
	value := make([]byte, 4+w.rnd.IntN(16))
	for i := range value {
		value[i] = "abcdefghijklmnopqrstuvwxyz0123456789"[w.rnd.IntN(36)]
	}
	o := conflict.Origin{Author: "officer", At: at, Received: at + 40, Definition: 1}
	return r.Write(k, conflict.Sibling{Dot: conflict.Dot{Replica: by, Counter: w.last[by]}, Value: conflict.Value(value), Origin: o}, context)
}

// life is one record: made whole, then edited six times a year in one to
// four fields by devices of its slice; one edit in fifty misses the one before
// and is settled by the supervisor; then a year passes. Six edits a year are more
// than a yearly review needs.
type life struct {
	slice int
	id    conflict.RecordID
	r     conflict.Record
}

func (w *ward) begin(slice int) *life {
	by := w.near(slice)
	l := &life{slice: slice, id: conflict.RecordID{Replica: by, Counter: w.last[by] + 1}}
	for i := range wardFields {
		l.r = w.write(l.r, by, conflict.Key(conflict.FirstUserField+conflict.FieldID(i)), conflict.Vector{}, 1_700_000_000_000)
	}
	return l
}

func (w *ward) edit(l *life, at int64) {
	by := w.near(l.slice)
	first := w.rnd.IntN(wardFields)
	for n := range 1 + w.rnd.IntN(4) {
		k := conflict.Key(conflict.FirstUserField + conflict.FieldID((first+n)%wardFields))
		stale := l.r.Field(k).Vector()
		if w.rnd.IntN(50) == 0 {
			l.r = w.write(l.r, w.near(l.slice), k, stale, at)
		}
		l.r = w.write(l.r, by, k, stale, at)
		if l.r.Field(k).Len() > 1 {
			l.r = w.write(l.r, w.server, k, l.r.Field(k).Vector(), at)
		}
	}
}

func (l *life) bytes() int {
	return len(AppendState(nil, l.r, l.id, make([]uint64, l.r.Len())))
}

// named counts the replicas that the record names.
func (l *life) named() int {
	set := map[conflict.ReplicaID]bool{}
	for _, f := range l.r.All() {
		for d := range f.Vector().All() {
			set[d.Replica] = true
		}
	}
	return len(set)
}

func (l *life) values() (n int) {
	for _, f := range l.r.All() {
		for i := range f.Len() {
			n += len(f.At(i).Value)
		}
	}
	return n
}

// folded is the record as the most daring folding would leave it: every replica
// that is gone taken out of every vector, at no cost.
func (l *life) folded(t testing.TB, gone map[conflict.ReplicaID]bool) *life {
	out := &life{slice: l.slice, id: l.id}
	for k, f := range l.r.All() {
		var keep []conflict.Dot
		for d := range f.Vector().All() {
			if !gone[d.Replica] || slices.ContainsFunc(f.Siblings(), func(s conflict.Sibling) bool { return s.Dot.Replica == d.Replica }) {
				keep = append(keep, d)
			}
		}
		field, err := conflict.NewField(f.Siblings(), conflict.NewVector(keep...))
		if err != nil {
			t.Fatal(err)
		}
		out.r = out.r.With(k, field)
	}
	return out
}

// TestFiveYearsOfVectors measures what vectors cost after five years of a unit
// with 500 devices, of which 30 % are replaced each year, and what folding them
// could save at the very best.
func TestFiveYearsOfVectors(t *testing.T) {
	w := newWard(1)
	var all []*life
	for i := range *growthRecords {
		all = append(all, w.begin(i%wardSlices))
	}
	var lines []string
	for year := 0; year <= 5; year++ {
		if year > 0 {
			for _, l := range all {
				for range 6 {
					w.edit(l, 1_700_000_000_000+int64(year)*31_536_000_000)
				}
			}
			w.year()
		}
		bytes, folded, values, fields := 0, 0, 0, 0
		var entries []int
		named := 0
		for _, l := range all {
			named += l.named()
			bytes += l.bytes()
			folded += l.folded(t, w.gone).bytes()
			values += l.values()
			fields += l.r.Len()
			for _, f := range l.r.All() {
				entries = append(entries, f.Vector().Len())
			}
		}
		slices.Sort(entries)
		sum := 0
		for _, n := range entries {
			sum += n
		}
		per := func(n int) float64 { return float64(n) / float64(fields) }
		lines = append(lines, fmt.Sprintf("year %d: %5d replicas, %.1f bytes a field, of which %.1f value; %.2f entries a vector (99 %%: %d, most: %d); replica ids %.1f bytes a field; folded at best %.1f bytes a field, %.0f %% less",
			year, w.made, per(bytes), per(values), per(sum), entries[len(entries)*99/100], entries[len(entries)-1], 16*per(named), per(folded), 100*(1-float64(folded)/float64(bytes))))
		if year == 5 {
			// What stands in conflict/README.md; a change of the encoding or of
			// merging that makes more of it is seen here.
			if got := per(bytes); got > 52 {
				t.Errorf("got %.1f bytes a field after five years, want at most 52", got)
			}
			if got := entries[len(entries)-1]; got > 24 {
				t.Errorf("a vector has %d entries", got)
			}
		}
	}
	t.Log("\n" + strings.Join(lines, "\n"))
}

// TestOneFieldOfEverybody measures the worst field: every device of the unit
// writes it, every year.
func TestOneFieldOfEverybody(t *testing.T) {
	w := newWard(2)
	l := &life{id: conflict.RecordID{Replica: w.devices[0], Counter: 1}}
	k := conflict.Key(conflict.FirstUserField)
	for year := range 5 {
		if year > 0 {
			w.year()
		}
		for _, d := range w.devices {
			l.r = w.write(l.r, d, k, l.r.Field(k).Vector(), 1)
		}
		t.Logf("year %d: %d replicas made, %d entries, %d bytes", year+1, w.made, l.r.Field(k).Vector().Len(), l.bytes())
	}
	if got := l.r.Field(k).Vector().Len(); got > MaxContext {
		t.Errorf("a context of %d replicas, at most %d fit into a changeset", got, MaxContext)
	}
}

// TestFiftyLeaveAndFiftyCome is the false conflict of a product that kept ghosts
// in its vectors: devices leave, others come, edit what was there one after the
// other, and an old copy comes back. Nobody wrote at the same time, so nothing
// may be in conflict.
func TestFiftyLeaveAndFiftyCome(t *testing.T) {
	w := newWard(3)
	l := w.begin(0)
	old := l.r // what a device that is away holds
	edit := func(d conflict.ReplicaID) {
		for i := range wardFields {
			k := conflict.Key(conflict.FirstUserField + conflict.FieldID(i))
			l.r = w.write(l.r, d, k, l.r.Field(k).Vector(), 1)
		}
	}
	for _, d := range w.devices[:50] {
		edit(d)
	}
	half := l.r
	for i := range 50 {
		w.gone[w.devices[i]] = true
		w.devices[i] = w.replica()
	}
	for _, d := range w.devices[:50] {
		edit(d)
	}
	for name, r := range map[string]conflict.Record{"as it is": l.r, "with the oldest copy": l.r.Merge(old), "with a copy of before": half.Merge(l.r),
		"in another order": old.Merge(half).Merge(l.r)} {
		for k, f := range r.All() {
			if f.Len() != 1 {
				t.Errorf("%s: field %v has %d values", name, k, f.Len())
			}
		}
		if !r.Equal(l.r) {
			t.Errorf("%s: it is another record", name)
		}
	}
	// A device that was away over all of it and wrote over the oldest copy is in
	// conflict, and only there.
	k := conflict.Key(conflict.FirstUserField)
	late := w.write(old, w.replica(), k, old.Field(k).Vector(), 1)
	merged := l.r.Merge(late)
	for key, f := range merged.All() {
		if want := map[bool]int{true: 2, false: 1}[key == k]; f.Len() != want {
			t.Errorf("field %v has %d values, want %d", key, f.Len(), want)
		}
	}
}
