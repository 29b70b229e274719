package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Point is the cost of a write at one size.
type Point struct {
	Size      int     `json:"size"`
	Micros    float64 `json:"us"`                     // per write, until it is durable: the least of the tries
	Delivered float64 `json:"delivered_us,omitempty"` // per write and device, until all have its page
}

// Growth is how the cost of a write grows with the records of a unit, the
// devices that follow it, and the writers of one field.
type Growth struct {
	Records []Point `json:"records"`
	Devices []Point `json:"devices"`
	Writers []Point `json:"writers"`
}

// growthOf is the cost at the greatest size against that at the least.
func growthOf(points []Point) float64 { return points[len(points)-1].Micros / points[0].Micros }

// sizes of what grows.
type extent struct{ records, devices, writers []int }

func (w Work) extent() extent {
	e := extent{[]int{1_000, 10_000, 100_000}, []int{2, 20, 200, 2_000}, []int{1, 4, 16, 64}}
	switch {
	case w.Long:
		e.records = append(e.records, 1_000_000)
	case w == Quick:
		e = extent{[]int{1_000, 10_000}, []int{2, 20}, []int{1, 16}}
	}
	return e
}

const (
	growthEdits = 100 // single-field edits of a push, each of another record: few enough to lie in pages of their own
	growthTries = 24  // pushes at each size; the least time counts
)

// grow measures growth at a server of its own.
func (b *bencher) grow(ctx context.Context) (g Growth, err error) {
	s, err := b.start(ctx, b.path("growth"), b.def)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	password, err := s.Officer(ctx, officerA, unit)
	if err != nil {
		return g, err
	}
	token, err := signIn(ctx, s.URL, officerA, password)
	if err != nil {
		return g, err
	}
	maker, err := say(ctx, s.URL, officerA, token, peerID('r', 0), nil)
	if err != nil {
		return g, err
	}
	defer func() { err = errors.Join(err, maker.close()) }()
	e := b.work.extent()
	if g.Writers, err = growWriters(ctx, s.URL, token, maker, e.writers); err != nil {
		return g, fmt.Errorf("writers of one field: %w", err)
	}
	var ids []conflict.RecordID
	for _, n := range e.records {
		if ids, err = maker.make(ids, n); err != nil {
			return g, fmt.Errorf("%d records: %w", n, err)
		}
		point := Point{Size: n}
		for range growthTries {
			took, err := maker.edit(ids)
			if err != nil {
				return g, fmt.Errorf("edits of %d records: %w", n, err)
			}
			point.least(took)
		}
		g.Records = append(g.Records, point)
	}
	if g.Devices, err = growDevices(ctx, s.URL, token, maker, ids, e.devices); err != nil {
		return g, fmt.Errorf("devices: %w", err)
	}
	return g, nil
}

// make makes records until there are n.
func (p *peer) make(ids []conflict.RecordID, n int) ([]conflict.RecordID, error) {
	v := newValues(7)
	for len(ids) < n {
		var part []record.Changeset
		for len(part) < 5*floorBatch && len(ids) < n {
			writes := make([]record.Write, fields)
			for i, value := range v.record() {
				writes[i] = record.Write{Key: conflict.Key(fieldID(i)), Value: conflict.Value(value)}
			}
			c := p.change(conflict.RecordID{}, writes...)
			part, ids = append(part, c), append(ids, c.Dot)
		}
		if err := p.push(part); err != nil {
			return ids, err
		}
	}
	return ids, nil
}

// least keeps the least time of growthEdits writes.
func (p *Point) least(took time.Duration) {
	if us := float64(took.Microseconds()) / growthEdits; p.Micros == 0 || us < p.Micros {
		p.Micros = us
	}
}

// place is a field of a record.
type place struct {
	record conflict.RecordID
	field  int
}

// edit writes one field each of growthEdits records drawn from ids.
func (p *peer) edit(ids []conflict.RecordID) (time.Duration, error) {
	if p.drawn == nil {
		p.drawn, p.wrote = rand.New(rand.NewPCG(seed, 9)), map[place]conflict.Dot{}
	}
	changesets := make([]record.Changeset, 0, growthEdits)
	once := map[conflict.RecordID]bool{}
	for len(changesets) < growthEdits {
		at := place{ids[p.drawn.IntN(len(ids))], p.drawn.IntN(fields)}
		if once[at.record] {
			continue
		}
		once[at.record] = true
		last, ok := p.wrote[at]
		if !ok {
			last = conflict.Dot{Replica: at.record.Replica, Counter: at.record.Counter + uint64(at.field)}
		}
		c := p.change(at.record, record.Write{Key: conflict.Key(fieldID(at.field)), Context: conflict.NewVector(last), Value: conflict.Value(fmt.Sprint(p.next))})
		p.wrote[at] = c.Dot
		changesets = append(changesets, c)
	}
	runtime.GC()
	began := time.Now()
	err := p.push(changesets)
	return time.Since(began), err
}

// deviceTries is how often edits are made for each number of devices.
const deviceTries = 6

// growDevices measures edits while more and more devices follow the unit.
func growDevices(ctx context.Context, url, token string, maker *peer, ids []conflict.RecordID, sizes []int) (points []Point, err error) {
	var followers []*peer
	defer func() {
		for _, f := range followers {
			f.close()
		}
	}()
	for _, n := range sizes {
		for len(followers) < n {
			f, err := say(ctx, url, officerA, token, peerID('d', len(followers)), maker)
			if err != nil {
				return points, err
			}
			followers = append(followers, f)
		}
		point := Point{Size: n}
		for range deviceTries {
			began := time.Now()
			took, err := maker.edit(ids)
			if err != nil {
				return points, err
			}
			errs := make([]error, n)
			var wait sync.WaitGroup
			for i, f := range followers {
				wait.Go(func() { errs[i] = f.reach(maker.shown) })
			}
			wait.Wait()
			if err := errors.Join(errs...); err != nil {
				return points, err
			}
			point.least(took)
			delivered := float64(time.Since(began).Microseconds()) / growthEdits / float64(n)
			if point.Delivered == 0 || delivered < point.Delivered {
				point.Delivered = delivered
			}
		}
		points = append(points, point)
	}
	return points, nil
}

// growWriters measures writes of one field by more and more devices, each of
// which has seen the writes before its own: the vector grows to all of them.
func growWriters(ctx context.Context, url, token string, maker *peer, sizes []int) (points []Point, err error) {
	const records = growthEdits
	var writers []*peer
	defer func() {
		for _, w := range writers {
			w.close()
		}
	}()
	key := conflict.Key(fieldID(0))
	for _, n := range sizes {
		for len(writers) < n {
			w, err := say(ctx, url, officerA, token, peerID('w', len(writers)), nil)
			if err != nil {
				return points, err
			}
			writers = append(writers, w)
		}
		ids, err := maker.make(nil, records)
		if err != nil {
			return points, err
		}
		seen := make([]conflict.Vector, records)
		for i, id := range ids {
			seen[i] = conflict.NewVector(id)
		}
		point := Point{Size: n}
		// The first round fills the vectors.
		for push := range n + growthTries {
			w := writers[push%n]
			changesets := make([]record.Changeset, records)
			for i, id := range ids {
				changesets[i] = w.change(id, record.Write{Key: key, Context: seen[i], Value: conflict.Value(fmt.Sprint(push))})
				seen[i] = seen[i].With(changesets[i].Dot)
			}
			began := time.Now()
			if err := w.push(changesets); err != nil {
				return points, err
			}
			if push >= n {
				point.least(time.Since(began))
			}
		}
		points = append(points, point)
	}
	return points, nil
}
