package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"wardbook/sync/bench/merging"
)

// Config is what a run is given. Start is required.
type Config struct {
	Start  StartServer
	Dist   fs.FS     // the built app, nil to leave its sizes out
	Work   Work      // the zero Work means Full
	Rounds int       // of each part; 0 means 5
	Only   []string  // parts to run; empty for all
	Log    io.Writer // progress, nil for none
	// Profiles is a folder for the CPU profiles of W1, W2 and W4, a file for each
	// round of ours; "" for none.
	Profiles string
	// Child returns a command that calls Hold for a data folder; nil to leave
	// idle sockets out.
	Child func(ctx context.Context, dir string) *exec.Cmd
}

// The parts of a run.
const (
	PartSync   = "sync"   // W1, W4, W2, bytes at rest
	PartMerge  = "merge"  // W3
	PartGrowth = "growth" // records, devices, writers of a field
	PartIdle   = "idle"   // idle sockets
	PartLine   = "line"   // resuming on a bad line
	PartSize   = "size"   // of the first download
)

// Parts lists them in their order.
var Parts = []string{PartSync, PartMerge, PartGrowth, PartIdle, PartLine, PartSize}

// Run measures once. What it leaves on disk while it runs is in the
// folder for temporary files, and removed.
func Run(ctx context.Context, cfg Config) (_ *Report, err error) {
	if cfg.Work == (Work{}) {
		cfg.Work = Full
	}
	if cfg.Rounds == 0 {
		cfg.Rounds = 5
	}
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	b := &bencher{work: cfg.Work, start: cfg.Start, profiles: cfg.Profiles}
	if b.def, err = definition(); err != nil {
		return nil, err
	}
	if b.dir, err = os.MkdirTemp("", "wardbook-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	r := &Report{At: time.Now().UTC(), Machine: machine(), Go: runtime.Version(), Rounds: cfg.Rounds, Work: cfg.Work, Pairs: map[string]Pair{}}
	for _, part := range []struct {
		name string
		run  func(context.Context, Config, *Report) error
	}{{PartSync, b.syncing}, {PartMerge, b.merging}, {PartGrowth, b.growing}, {PartIdle, b.idling}, {PartLine, b.resuming}, {PartSize, b.sizing}} {
		if len(cfg.Only) > 0 && !slices.Contains(cfg.Only, part.name) {
			continue
		}
		if err := part.run(ctx, cfg, r); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	r.judge()
	return r, nil
}

// syncing measures W1, W4 and W2, in turn with the floor, and what a record
// takes at rest.
func (b *bencher) syncing(ctx context.Context, cfg Config, r *Report) error {
	fmt.Fprintf(cfg.Log, "making %d records\n", cfg.Work.Records)
	if err := b.prepare(ctx); err != nil {
		return err
	}
	for i := range cfg.Rounds {
		fmt.Fprintf(cfg.Log, "round %d of %d\n", i+1, cfg.Rounds)
		err := b.round(ctx, i, func(what string, ours bool, s Sample) {
			p := r.Pairs[what]
			if ours {
				p.Ours = append(p.Ours, s)
			} else {
				p.Floor = append(p.Floor, s)
			}
			r.Pairs[what] = p
			fmt.Fprintf(cfg.Log, "  %s %-5s %5d ms, CPU %5d ms\n", what, map[bool]string{true: "ours", false: "floor"}[ours], s.Took.Milliseconds(), s.CPU.Milliseconds())
		})
		if err != nil {
			return err
		}
	}
	r.Rest = b.rest
	return nil
}

// merging measures W3.
func (b *bencher) merging(ctx context.Context, cfg Config, r *Report) (err error) {
	fmt.Fprintln(cfg.Log, "merging")
	w := merging.New(seed, cfg.Work.Records, cfg.Work.Writes)
	for i := range cfg.Rounds {
		n, err := mergeAlone(w)
		if err != nil {
			return err
		}
		r.Merge = append(r.Merge, n)
		if n, err = b.applyStored(ctx, w, i); err != nil {
			return err
		}
		r.Apply = append(r.Apply, n)
	}
	if r.WASM, err = mergeWASM(ctx); err != nil {
		r.NoWASM = err.Error()
	}
	return nil
}

func (b *bencher) growing(ctx context.Context, cfg Config, r *Report) (err error) {
	fmt.Fprintln(cfg.Log, "growth")
	r.Growth, err = b.grow(ctx)
	return err
}

func (b *bencher) idling(ctx context.Context, cfg Config, r *Report) (err error) {
	fmt.Fprintf(cfg.Log, "%d idle sockets\n", cfg.Work.Sockets)
	if r.Idle, err = b.holdIdle(ctx, cfg.Child); errors.Is(err, errNoIdle) {
		r.NoIdle, err = err.Error(), nil
	}
	return err
}

func (b *bencher) resuming(ctx context.Context, cfg Config, r *Report) (err error) {
	fmt.Fprintf(cfg.Log, "%d drops on a bad line\n", cfg.Work.Drops)
	if r.Resume, err = b.resume(ctx); errors.Is(err, errNoLine) {
		r.NoLine, err = err.Error(), nil
	}
	return err
}

func (b *bencher) sizing(_ context.Context, cfg Config, r *Report) (err error) {
	if cfg.Dist != nil {
		r.Sizes, err = sizes(cfg.Dist)
	}
	return err
}

// machine tells in a few words on what it was measured.
func machine() string {
	model := runtime.GOARCH
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				model = strings.TrimSpace(value)
				break
			}
		}
	}
	text := fmt.Sprintf("%s, %d cores", model, runtime.NumCPU())
	if b, err := os.ReadFile("/proc/loadavg"); err == nil {
		if load, _, ok := strings.Cut(string(b), " "); ok {
			text += ", load " + load + " at the start"
		}
	}
	return text
}
