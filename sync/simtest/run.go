package simtest

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options is what Run is given.
type Options struct {
	Seeds    int    // how many schedules; 0 means 1,000
	From     uint64 // the first seed
	Mix      Mix
	AllMixes bool // every mix in turn, in the place of Mix
	Devices  int  // 0 means what the mix has
	Steps    int  // of a schedule; 0 means what the mix has
	Bug      Bug  // a mistake made on purpose
	Workers  int  // runs at a time; 0 means 2
	Stop     int  // stop after so many violations; 0 means 1
	Whole    bool // leave schedules as they are: do not minimise

	// Progress, if set, is called now and then, one call at a time, with how
	// many schedules were played and for how long.
	Progress func(schedules int, elapsed time.Duration)
	// Done, if set, ends the run early when it is closed.
	Done <-chan struct{}
}

// progressEvery is how often Progress is called.
const progressEvery = 10 * time.Second

func (o *Options) fill() {
	if o.Seeds == 0 {
		o.Seeds = 1000
	}
	if o.Workers == 0 {
		o.Workers = 2
	}
	if o.Stop == 0 {
		o.Stop = 1
	}
}

// Report is what came of it.
type Report struct {
	Schedules int
	Excused   int // of them, ended early by something that nobody claims to survive
	Elapsed   time.Duration
	Failures  []Failure
}

// String says it in a line, and each failure in some more.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d schedules in %v, %.0f a second, %d violations, %d excused\n", r.Schedules, r.Elapsed.Round(time.Millisecond),
		float64(r.Schedules)/r.Elapsed.Seconds(), len(r.Failures), r.Excused)
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "\n%s\n", f)
	}
	return b.String()
}

// Failure is a schedule under which a law does not hold.
type Failure struct {
	Case   Case   // as few steps as are needed
	Oracle string // which law
	Detail string
}

// String returns the transcript, which goes to testdata as it is.
func (f Failure) String() string { return f.Case.Transcript() }

// Run plays Seeds schedules from seed From on. Each is one run with no
// goroutine of its own; several run at a time.
func Run(o Options) Report {
	o.fill()
	// A run lives for a millisecond and leaves nothing but garbage.
	defer debug.SetGCPercent(debug.SetGCPercent(2000))
	began := time.Now()
	var next, played, excused, due atomic.Int64
	due.Store(int64(progressEvery))
	var failed []Failure
	var mu sync.Mutex
	var group sync.WaitGroup
	for range o.Workers {
		group.Add(1)
		go func() {
			defer group.Done()
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
				v, out := c.run(nil)
				n := played.Add(1)
				if at := isDue(&due, time.Since(began), progressEvery); at > 0 && o.Progress != nil {
					mu.Lock()
					o.Progress(int(n), at)
					mu.Unlock()
				}
				if out {
					excused.Add(1)
				}
				if v == nil {
					continue
				}
				f := Failure{Case: c, Oracle: v.Oracle, Detail: v.Detail}
				if !o.Whole {
					f = Minimise(f)
				}
				f.Case.About = f.Oracle + ": " + f.Detail
				mu.Lock()
				failed = append(failed, f)
				if len(failed) >= o.Stop {
					next.Store(int64(o.Seeds))
				}
				mu.Unlock()
			}
		}()
	}
	group.Wait()
	return Report{Schedules: int(played.Load()), Excused: int(excused.Load()), Elapsed: time.Since(began), Failures: failed}
}

// isDue returns elapsed if that is what due waits for, and moves due on; else 0.
func isDue(due *atomic.Int64, elapsed, every time.Duration) time.Duration {
	at := due.Load()
	if int64(elapsed) >= at && due.CompareAndSwap(at, int64(elapsed+every)) {
		return elapsed
	}
	return 0
}

// Case returns the case of one seed.
func (o Options) Case(seed uint64) Case {
	o.fill()
	mix := o.Mix
	if o.AllMixes {
		mix = Mix(seed % uint64(mixes))
	}
	devices, steps := mix.size()
	devices, steps = cmp.Or(o.Devices, devices), cmp.Or(o.Steps, steps)
	return Case{Seed: seed, Mix: mix, Devices: devices, Bug: o.Bug, Steps: Schedule(seed, mix, devices, steps)}
}

// Violation is a law that did not hold.
type Violation struct {
	Oracle string // short and stable
	Detail string
}

// Run plays the case and returns the first violation, nil if there is none.
func (c Case) Run() *Violation {
	v, _ := c.run(nil)
	return v
}

// Trace plays the case and returns, beside the first violation, everything
// that happened, as text.
func (c Case) Trace() (*Violation, string) {
	var log strings.Builder
	v, _ := c.run(&log)
	return v, log.String()
}

func (c Case) run(log *strings.Builder) (v *Violation, excused bool) {
	w := newWorld(&c)
	w.log = log
	w.run(c.Steps)
	if w.steady && w.violation == nil && !w.excused {
		w.checkClocks(&c)
	}
	return w.violation, w.excused
}

// run plays the steps, heals everything, and asks for the laws.
func (w *world) run(steps []Step) {
	for _, s := range steps {
		w.play(s)
		if w.violation != nil || w.excused {
			return
		}
		w.prune()
	}
	w.quiesce()
	if w.violation == nil && !w.excused {
		w.settled()
	}
}

// Minimise takes out of a failing case whatever it fails without.
func Minimise(f Failure) Failure {
	steps := f.Case.Steps
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
	steps = Shorten(steps, fails)
	f.Case.Steps = steps
	fails(steps)
	return f
}

// Shorten takes out of a failing schedule whatever it fails without: ever smaller
// parts of its steps, then single ones until none can go.
func Shorten[Step any](steps []Step, fails func([]Step) bool) []Step {
	for size := max(1, len(steps)/2); ; {
		shorter := false
		for from := 0; from < len(steps); {
			part := append(append([]Step(nil), steps[:from]...), steps[min(from+size, len(steps)):]...)
			if fails(part) {
				steps, shorter = part, true
			} else {
				from += size
			}
		}
		if size == 1 && !shorter {
			break
		}
		if !shorter {
			size = max(1, size/2)
		}
	}
	return steps
}
