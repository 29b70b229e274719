package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// bencher is what all rounds share.
type bencher struct {
	work  Work
	start StartServer
	def   *register.Definition
	dir   string // temporary
	rest  Rest

	profiles string // folder for CPU profiles, "" for none
	profiled int    // how many were written
}

// The accounts of the run.
const (
	officerA = "officer.a"
	officerB = "officer.b"
)

// The fields that are edited in W2, neither of them indexed for search.
const (
	editedAtA = 5
	editedAtB = 12
)

// prepare makes the devices on which W1 begins: the records are made before.
func (b *bencher) prepare(ctx context.Context) error {
	d, err := openDevice(ctx, b.path("made.db"), officerA, b.def)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	v := newValues(1)
	for range b.work.Records {
		named := map[string]string{}
		for i, value := range v.record() {
			named[fieldName(i)] = value
		}
		if _, err := d.replica.Put(ctx, replica.PutRequest{Register: registerID, Values: named, NoSubmit: true}); err != nil {
			return errors.Join(fmt.Errorf("prepare: %w", err), d.close())
		}
	}
	if err := d.close(); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	f, err := openFloorDevice(ctx, b.path("made.floor.db"))
	if err != nil {
		return fmt.Errorf("prepare the floor: %w", err)
	}
	return errors.Join(f.fill(ctx, b.work.Records), f.close())
}

func (b *bencher) path(name string) string { return filepath.Join(b.dir, name) }

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Sync(), out.Close())
}

// side is one contestant of a round: ours or the floor. Each method plays one
// part, in the order w1, w4, w2.
type side interface {
	w1(ctx context.Context) (Sample, error)
	w4(ctx context.Context) (Sample, error)
	w2(ctx context.Context) (Sample, error)
	close() error
}

// round plays one round; who begins takes turns, so that neither always finds
// the machine as the other left it.
func (b *bencher) round(ctx context.Context, no int, keep func(what string, ours bool, s Sample)) (err error) {
	o, err := b.newOurs(ctx, strconv.Itoa(no))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, o.close()) }()
	f, err := b.newFloor(ctx, strconv.Itoa(no))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	parts := []struct {
		name string
		play func(side) (Sample, error)
	}{
		{"W1", func(s side) (Sample, error) { return s.w1(ctx) }},
		{"W4", func(s side) (Sample, error) { return s.w4(ctx) }},
		{"W2", func(s side) (Sample, error) { return s.w2(ctx) }},
	}
	for _, part := range parts {
		sides := []side{f, o}
		if no%2 == 1 {
			slices.Reverse(sides)
		}
		for _, s := range sides {
			sample, err := part.play(s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", part.name, map[bool]string{true: "ours", false: "the floor"}[s == side(o)], err)
			}
			keep(part.name, s == side(o), sample)
		}
	}
	return nil
}

// ours is our side of a round.
type ours struct {
	b         *bencher
	data      string
	server    *Server
	passwords map[string]string
	a, bd     *device
	prefix    string
}

func (b *bencher) newOurs(ctx context.Context, round string) (*ours, error) {
	o := &ours{b: b, data: b.path("server-" + round), passwords: map[string]string{}, prefix: b.path("device-" + round + "-")}
	if err := o.restart(ctx); err != nil {
		return nil, err
	}
	for _, name := range []string{officerA, officerB} {
		password, err := o.server.Officer(ctx, name, unit)
		if err != nil {
			return nil, errors.Join(err, o.close())
		}
		o.passwords[name] = password
	}
	return o, nil
}

// restart begins the server anew, with nothing in its memory.
func (o *ours) restart(ctx context.Context) error {
	if o.server != nil {
		if err := o.server.Close(); err != nil {
			return err
		}
	}
	var err error
	o.server, err = o.b.start(ctx, o.data, o.b.def)
	return err
}

func (o *ours) close() error {
	var errs []error
	for _, d := range []*device{o.a, o.bd} {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	if o.server != nil {
		errs = append(errs, o.server.Close())
	}
	return errors.Join(errs...)
}

// device opens a device and signs it in.
func (o *ours) device(ctx context.Context, file, account string) (*device, error) {
	d, err := openDevice(ctx, o.prefix+file, account, o.b.def)
	if err != nil {
		return nil, err
	}
	if d.token, err = signIn(ctx, o.server.URL, account, o.passwords[account]); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (o *ours) w1(ctx context.Context) (Sample, error) {
	if err := copyFile(o.prefix+"made.db", o.b.path("made.db")); err != nil {
		return Sample{}, err
	}
	d, err := o.device(ctx, "made.db", officerA)
	if err != nil {
		return Sample{}, err
	}
	defer d.close()
	return o.b.until(ctx, "W1", o.server.URL, []*device{d}, func(d *device, s session.Status) bool {
		return s.Acked == s.Last && d.replica.Meta().Acked == s.Last
	})
}

func (o *ours) w4(ctx context.Context) (Sample, error) {
	var first Sample
	for i, account := range []string{officerB, officerA} {
		if err := o.restart(ctx); err != nil {
			return Sample{}, err
		}
		d, err := o.device(ctx, fmt.Sprintf("empty-%d.db", i), account)
		if err != nil {
			return Sample{}, err
		}
		if i == 0 {
			o.bd = d
		} else {
			o.a = d
		}
		var page atomic.Int64
		began := time.Now()
		note := func(c replica.Changed) {
			if len(c.Registers) > 0 && d.stream().Have > 0 {
				page.CompareAndSwap(0, int64(time.Since(began)))
			}
		}
		d.changed.Store(&note)
		began = time.Now()
		sample, err := o.b.until(ctx, "W4", o.server.URL, []*device{d}, func(d *device, s session.Status) bool {
			return d.stream().Have == uint64(o.b.work.Records) && s.Synced
		})
		d.changed.Store(nil)
		if err != nil {
			return Sample{}, err
		}
		if i == 0 { // the second is for W2
			first = sample
			first.FirstPage = time.Duration(page.Load())
		}
	}
	if err := o.found(ctx); err != nil {
		return Sample{}, err
	}
	var err error
	o.b.rest.Bytes, o.b.rest.Records, err = o.server.RestBytes(ctx)
	return first, err
}

// found checks that a device holds what was made.
func (o *ours) found(ctx context.Context) error {
	want := map[string]int{}
	v := newValues(1)
	for range o.b.work.Records {
		for i, value := range v.record() {
			want[fieldName(i)+value]++
		}
	}
	return o.walk(ctx, o.bd, func(h *replica.Holding) error {
		for k, f := range h.Base.All() {
			name := fieldName(int(k.ID - conflict.FirstUserField))
			if f.Len() != 1 || want[name+string(f.At(0).Value)] == 0 {
				return fmt.Errorf("record %v holds in %s what nobody wrote", h.ID, name)
			}
			want[name+string(f.At(0).Value)]--
		}
		return nil
	}, func() error {
		for what, n := range want {
			if n != 0 {
				return fmt.Errorf("%s was pushed and is missing", what)
			}
		}
		return nil
	})
}

func (o *ours) walk(ctx context.Context, d *device, each func(*replica.Holding) error, done func() error) error {
	var after conflict.RecordID
	for {
		ids, err := d.store.Walk(ctx, registerID, after, 1000)
		if err != nil {
			return err
		}
		if len(ids) == 0 {
			return done()
		}
		after = ids[len(ids)-1]
		holdings, err := d.store.Holdings(ctx, ids)
		if err != nil {
			return err
		}
		for i := range holdings {
			if err := each(&holdings[i]); err != nil {
				return err
			}
		}
	}
}

func (o *ours) w2(ctx context.Context) (Sample, error) {
	if err := o.restart(ctx); err != nil {
		return Sample{}, err
	}
	ids, err := o.a.store.Walk(ctx, registerID, conflict.RecordID{}, o.b.work.Edits)
	if err != nil {
		return Sample{}, err
	}
	for _, at := range []struct {
		d     *device
		field int
	}{{o.a, editedAtA}, {o.bd, editedAtB}} {
		v := newValues(uint64(100 + at.field))
		for _, id := range ids {
			if _, err := at.d.replica.Put(ctx, replica.PutRequest{Register: registerID, Record: id.String(), NoSubmit: true,
				Values: map[string]string{fieldName(at.field): v.next()}}); err != nil {
				return Sample{}, err
			}
		}
	}
	target := max(o.a.stream().Cursor, o.bd.stream().Cursor) + 2*uint64(o.b.work.Edits)
	sample, err := o.b.until(ctx, "W2", o.server.URL, []*device{o.a, o.bd}, func(d *device, s session.Status) bool {
		return s.Synced && d.stream().Cursor >= target
	})
	if err != nil {
		return Sample{}, err
	}
	return sample, o.converged(ctx)
}

// converged checks that both devices hold the same, with both edits in it.
func (o *ours) converged(ctx context.Context) error {
	at := map[conflict.RecordID]conflict.Record{}
	edited := map[int]int{}
	err := o.walk(ctx, o.a, func(h *replica.Holding) error { at[h.ID] = h.Base; return nil }, func() error { return nil })
	if err != nil {
		return err
	}
	want := map[int]map[string]bool{}
	for _, field := range []int{editedAtA, editedAtB} {
		v := newValues(uint64(100 + field))
		want[field] = map[string]bool{}
		for range o.b.work.Edits {
			want[field][v.next()] = true
		}
	}
	return o.walk(ctx, o.bd, func(h *replica.Holding) error {
		if !at[h.ID].Equal(h.Base) {
			return fmt.Errorf("record %v differs between the devices", h.ID)
		}
		for field := range maps.Keys(want) {
			if f := h.Base.Field(conflict.Key(fieldID(field))); f.Len() == 1 && want[field][string(f.At(0).Value)] {
				edited[field]++
			}
		}
		return nil
	}, func() error {
		for field := range want {
			if edited[field] != o.b.work.Edits {
				return fmt.Errorf("%d of %d edits of %s arrived", edited[field], o.b.work.Edits, fieldName(field))
			}
		}
		return nil
	})
}

// floor is the floor's side of a round.
type floor struct {
	b      *bencher
	server *floorServer
	file   string
	prefix string
	a, bd  *floorDevice
}

func (b *bencher) newFloor(ctx context.Context, round string) (*floor, error) {
	f := &floor{b: b, file: b.path("floor-" + round + ".db"), prefix: b.path("floor-device-" + round + "-")}
	return f, f.restart(ctx)
}

func (f *floor) restart(ctx context.Context) error {
	if f.server != nil {
		if err := f.server.close(); err != nil {
			return err
		}
	}
	var err error
	f.server, err = startFloor(ctx, f.file)
	return err
}

func (f *floor) close() error {
	var errs []error
	for _, d := range []*floorDevice{f.a, f.bd} {
		if d != nil {
			errs = append(errs, d.close())
		}
	}
	if f.server != nil {
		errs = append(errs, f.server.close())
	}
	return errors.Join(errs...)
}

// run plays devices at once, as until does ours.
func (f *floor) run(devices []*floorDevice, play func(i int, d *floorDevice, together *sync.WaitGroup) error) (Sample, error) {
	var wait, together sync.WaitGroup
	together.Add(len(devices))
	errs := make([]error, len(devices))
	runtime.GC()
	computed, began := cpuTime(), time.Now()
	for i, d := range devices {
		wait.Go(func() { errs[i] = play(i, d, &together) })
	}
	wait.Wait()
	s := Sample{Took: time.Since(began), CPU: cpuTime() - computed}
	for _, d := range devices {
		s.Up += d.wire.up.Load()
		s.Down += d.wire.down.Load()
	}
	return s, errors.Join(errs...)
}

func (f *floor) w1(ctx context.Context) (Sample, error) {
	if err := copyFile(f.prefix+"made.db", f.b.path("made.floor.db")); err != nil {
		return Sample{}, err
	}
	d, err := openFloorDevice(ctx, f.prefix+"made.db")
	if err != nil {
		return Sample{}, err
	}
	defer d.close()
	return f.run([]*floorDevice{d}, func(_ int, d *floorDevice, t *sync.WaitGroup) error {
		return d.run(ctx, f.server.url, t, d.push(ctx, floorPush, 0), f.b.work.Records, 0)
	})
}

func (f *floor) w4(ctx context.Context) (Sample, error) {
	var first Sample
	for i := range 2 {
		if err := f.restart(ctx); err != nil {
			return Sample{}, err
		}
		d, err := openFloorDevice(ctx, fmt.Sprintf("%sempty-%d.db", f.prefix, i))
		if err != nil {
			return Sample{}, err
		}
		if i == 0 {
			f.bd = d
		} else {
			f.a = d
		}
		sample, err := f.run([]*floorDevice{d}, func(_ int, d *floorDevice, t *sync.WaitGroup) error {
			return d.run(ctx, f.server.url, t, ask, 0, f.b.work.Records)
		})
		if err != nil {
			return Sample{}, err
		}
		if i == 0 {
			first = sample
		}
	}
	return first, nil
}

func (f *floor) w2(ctx context.Context) (Sample, error) {
	if err := f.restart(ctx); err != nil {
		return Sample{}, err
	}
	devices := []*floorDevice{f.a, f.bd}
	var after [2]int64
	for i, field := range []int{editedAtA, editedAtB} {
		var err error
		if after[i], err = devices[i].edit(ctx, f.b.work.Edits, field, newValues(uint64(100+field))); err != nil {
			return Sample{}, err
		}
	}
	return f.run(devices, func(i int, d *floorDevice, t *sync.WaitGroup) error {
		return d.run(ctx, f.server.url, t, d.push(ctx, floorEdit, after[i]), f.b.work.Edits, f.b.work.Edits)
	})
}
