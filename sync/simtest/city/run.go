package city

import (
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"wardbook/sync/simtest"
)

// Options say what to play. Zero values mean the defaults.
type Options struct {
	Seeds    int
	From     uint64 // the first seed; default 1
	Workers  int    // schedules played at a time; default all CPUs
	Devices  int
	Steps    int
	Bug      Bug
	Stop     int // give up after so many violations; default 1
	Whole    bool
	Progress func(n int, elapsed time.Duration)
	Done     <-chan struct{}
}

func (o *Options) fill() {
	if o.From == 0 {
		o.From = 1
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Devices == 0 {
		o.Devices = Devices
	}
	if o.Steps == 0 {
		o.Steps = Steps
	}
	if o.Stop <= 0 {
		o.Stop = 1
	}
}

// Failure is a violation with the steps that are needed for it.
type Failure struct {
	Case
	Oracle string
	Detail string
}

// Report is what became of a run.
type Report struct {
	Schedules int
	Elapsed   time.Duration
	Failures  []Failure
}

// Case returns the case of one seed.
func (o Options) Case(seed uint64) Case {
	o.fill()
	return Case{Seed: seed, Devices: o.Devices, Bug: o.Bug, Steps: Schedule(seed, o.Devices, o.Steps)}
}

// progressEvery is how often Progress is told.
const progressEvery = 5 * time.Second

// Run plays Seeds schedules from seed From on, several at a time.
func Run(o Options) Report {
	o.fill()
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	began := time.Now()
	var next, played atomic.Int64
	var mu sync.Mutex
	var failed []Failure
	said := began
	var group sync.WaitGroup
	for range o.Workers {
		group.Go(func() {
			for {
				i := next.Add(1) - 1
				if i >= int64(o.Seeds) {
					return
				}
				select {
				case <-o.Done:
					return
				default:
				}
				c := o.Case(o.From + uint64(i))
				v := c.Run()
				n := played.Add(1)
				mu.Lock()
				if now := time.Now(); o.Progress != nil && now.Sub(said) > progressEvery {
					said = now
					o.Progress(int(n), now.Sub(began))
				}
				mu.Unlock()
				if v == nil {
					continue
				}
				f := Failure{Case: c, Oracle: v.Oracle, Detail: v.Detail}
				if !o.Whole {
					f = Minimise(f)
				}
				f.About = f.Oracle + ": " + f.Detail
				mu.Lock()
				failed = append(failed, f)
				if len(failed) >= o.Stop {
					next.Store(int64(o.Seeds))
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return Report{Schedules: int(played.Load()), Elapsed: time.Since(began), Failures: failed}
}

// Run plays the case and returns the first violation, nil if there is none.
func (c Case) Run() *Violation { return c.run(nil) }

// Trace plays the case and returns, beside the first violation, everything that
// happened, as text.
func (c Case) Trace() (*Violation, string) {
	var log strings.Builder
	v := c.run(&log)
	return v, log.String()
}

func (c Case) run(log *strings.Builder) *Violation {
	dir, err := os.MkdirTemp(memory(), "wardbook-city-")
	if err != nil {
		return &Violation{oracleEffects, err.Error()}
	}
	defer os.RemoveAll(dir)
	w, err := newWorld(&c, dir, log)
	if err != nil {
		return &Violation{oracleEffects, err.Error()}
	}
	w.run(&c)
	return w.violation
}

// Minimise takes out of a failing case whatever it fails without.
func Minimise(f Failure) Failure {
	fails := func(steps []Step) bool {
		c := f.Case
		c.Steps = steps
		v := c.Run()
		if v == nil || v.Oracle != f.Oracle {
			return false
		}
		f.Detail = v.Detail
		return true
	}
	f.Steps = simtest.Shorten(f.Steps, fails)
	fails(f.Steps)
	return f
}
