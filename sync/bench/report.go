package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path"
	"slices"
	"strings"
	"time"
)

// Sample is one run of one part by one side.
type Sample struct {
	Took      time.Duration `json:"ns"`
	CPU       time.Duration `json:"cpu_ns"` // of the whole process: both ends
	Up        int64         `json:"up"`     // bytes on the wire from devices, headers of sockets included
	Down      int64         `json:"down"`
	FirstPage time.Duration `json:"first_page_ns,omitempty"` // W4: when the first page was on the device
}

// Pair is what a budget compares.
type Pair struct {
	Ours  []Sample `json:"ours"`
	Floor []Sample `json:"floor"`
}

// best returns the least of a quantity.
func best(all []Sample, of func(Sample) float64) float64 {
	least := math.Inf(1)
	for _, s := range all {
		least = min(least, of(s))
	}
	return least
}

func median(all []Sample, of func(Sample) float64) float64 {
	v := make([]float64, len(all))
	for i, s := range all {
		v[i] = of(s)
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func took(s Sample) float64 { return s.Took.Seconds() }
func cpu(s Sample) float64  { return s.CPU.Seconds() }
func up(s Sample) float64   { return float64(s.Up) }
func down(s Sample) float64 { return float64(s.Down) }
func page(s Sample) float64 { return s.FirstPage.Seconds() }

// Rest is what the server keeps of a record, its history apart.
type Rest struct {
	Bytes   int64 `json:"bytes"`
	Records int64 `json:"records"`
}

// Size is one part of the first download, in bytes after Brotli.
type Size struct {
	Part   string `json:"part"`
	Bytes  int64  `json:"bytes"`
	Budget int64  `json:"budget"`
}

// Line is one figure against its budget.
type Line struct {
	Name   string  `json:"name"`
	What   string  `json:"what"`
	Figure string  `json:"figure"`
	Budget string  `json:"budget"`
	Value  float64 `json:"value"`
	Pass   bool    `json:"pass"`
}

// Report is everything that a run found.
type Report struct {
	At      time.Time       `json:"at"`
	Machine string          `json:"machine"`
	Go      string          `json:"go"`
	Rounds  int             `json:"rounds"`
	Work    Work            `json:"work"`
	Pairs   map[string]Pair `json:"pairs"`
	Merge   []float64       `json:"merges_per_second_native"`
	WASM    float64         `json:"merges_per_second_wasm"`
	NoWASM  string          `json:"no_wasm,omitempty"`
	Apply   []float64       `json:"writes_per_second_into_sqlite"`
	Rest    Rest            `json:"rest"`
	Growth  Growth          `json:"growth"`
	Idle    Idle            `json:"idle"`
	NoIdle  string          `json:"no_idle,omitempty"`
	Resume  Resume          `json:"resume"`
	NoLine  string          `json:"no_line,omitempty"`
	Sizes   []Size          `json:"sizes"`
	Lines   []Line          `json:"lines"`
}

// encryption is by how many bytes SQLite with encryption is larger, after
// Brotli, than the build without: the budget of 420 KB may grow by them.
const encryption = 133_000

// loadedLater begins the names of the files that the app loads when they are
// needed; the build holds them to budgets of their own.
var loadedLater = []string{"office.js", "qr.js", "chart.js", "guide"}

// sizes reads the sizes of the built app's version, as the browser fetches it
// first, by the parts that the build (web/build.mjs) holds to the same budgets.
func sizes(dist fs.FS) ([]Size, error) {
	parts := []Size{{"module", 0, 1_100_000}, {"SQLite", 0, 420_000 + encryption}, {"shell", 0, 80_000}}
	err := fs.WalkDir(dist, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Dir(name) == "." {
			return err // what stands beside the version, such as index.html, is in no budget of the build
		}
		if _, err := fs.Stat(dist, name+".br"); err == nil {
			return nil // its compressed form is what is fetched
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		part := &parts[2]
		switch base := path.Base(name); {
		case slices.ContainsFunc(loadedLater, func(part string) bool { return strings.HasPrefix(base, part) }):
			return nil
		case strings.HasPrefix(base, "client.wasm"):
			part = &parts[0]
		case strings.Contains(base, "sqlite"), strings.HasPrefix(base, "worker"): // the worker's script is SQLite's for the most part
			part = &parts[1]
		}
		part.Bytes += info.Size()
		return nil
	})
	return parts, err
}

// judge fills the lines.
func (r *Report) judge() {
	add := func(name, what string, value, limit float64, figure, budget string, most bool) {
		r.Lines = append(r.Lines, Line{name, what, figure, budget, value, most == (value <= limit) || value == limit})
	}
	ratio := func(name string, limit float64) {
		p := r.Pairs[name]
		n := best(p.Ours, took) / best(p.Floor, took)
		add(name, "time against the floor", n, limit, fmt.Sprintf("%.2f x", n), fmt.Sprintf("<= %g x", limit), true)
	}
	bytes := func(name, what string, n, limit float64) {
		add(name, what, n, limit, fmt.Sprintf("%.0f", n), fmt.Sprintf("<= %.0f", limit), true)
	}
	per := func(name, what string, n, limit float64) {
		add(name, what, n, limit, fmt.Sprintf("%.1f", n), fmt.Sprintf("<= %g", limit), true)
	}
	rate := func(name, what string, n, limit float64) {
		add(name, what, n, limit, fmt.Sprintf("%.0f /s", n), fmt.Sprintf(">= %.0f /s", limit), false)
	}
	records, edits := float64(r.Work.Records), float64(r.Work.Edits)
	wire := 185 * records
	if len(r.Pairs) > 0 {
		ratio("W1", 1.5)
		bytes("W1", "bytes on the wire, both ways", best(r.Pairs["W1"].Ours, func(s Sample) float64 { return up(s) + down(s) }), wire)
		ratio("W2", 2)
		per("W2", "bytes per change, upward leg", best(r.Pairs["W2"].Ours, up)/(2*edits), 25)
		per("W2", "bytes per change, downward leg", best(r.Pairs["W2"].Ours, down)/(4*edits), 25)
	}
	if len(r.Merge) > 0 {
		rate("W3", "merges alone, native", slices.Max(r.Merge), 1e6)
		if r.NoWASM == "" {
			rate("W3", "merges alone, WASM", r.WASM, 300e3)
		}
		rate("W3", "writes into SQLite, durable", slices.Max(r.Apply), 100e3)
	}
	if len(r.Pairs) > 0 {
		ratio("W4", 2)
		bytes("W4", "bytes on the wire, both ways", best(r.Pairs["W4"].Ours, func(s Sample) float64 { return up(s) + down(s) }), wire)
	}
	if r.Idle.Sockets > 0 {
		n := float64(r.Idle.Bytes) / float64(r.Idle.Sockets) / 1024
		add("idle", fmt.Sprintf("KiB a socket, %d held", r.Idle.Answered), n, 12, fmt.Sprintf("%.1f", n), "<= 12", true)
	}
	if len(r.Resume.Ours) > 0 {
		for _, of := range []struct {
			name  string
			share float64
			limit float64
		}{{"p50", 0.5, 1.3}, {"p95", 0.95, 2}} {
			n := rank(r.Resume.Ours, of.share).Seconds() / rank(r.Resume.Raw, of.share).Seconds()
			add("line", fmt.Sprintf("%d edits after a drop, %s against a raw sender", resumeEdits, of.name), n, of.limit, fmt.Sprintf("%.2f x", n), fmt.Sprintf("<= %g x", of.limit), true)
		}
	}
	grown := func(what string, points []Point) {
		if len(points) == 0 {
			return
		}
		n := growthOf(points)
		from, to := points[0].Size, points[len(points)-1].Size
		add("grow", fmt.Sprintf("cost of a write, %d %s against %d", to, what, from), n, 2, fmt.Sprintf("%.2f x", n), "<= 2 x", true)
	}
	grown("records", r.Growth.Records)
	grown("devices", r.Growth.Devices)
	grown("writers of a field", r.Growth.Writers)
	for _, s := range r.Sizes {
		if s.Bytes == 0 {
			continue // the app was not built; Print says so
		}
		budget := fmt.Sprintf("<= %d", s.Budget/1000)
		if s.Part == "SQLite" {
			budget = fmt.Sprintf("<= 420+%d", encryption/1000) // for encryption
		}
		add("size", s.Part+", Brotli, KB", float64(s.Bytes), float64(s.Budget), fmt.Sprintf("%.1f", float64(s.Bytes)/1000), budget, true)
	}
	if r.Rest.Records > 0 {
		n := float64(r.Rest.Bytes) / float64(r.Rest.Records) / (fields * valueLength)
		add("rest", "bytes at rest against the values", n, 1.5, fmt.Sprintf("%.2f x", n), "<= 1.5 x", true)
	}
}

// Print writes the report as text.
func (r *Report) Print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s, %s\n", r.At.Format(time.DateOnly), r.Machine, r.Go)
	if len(r.Pairs) > 0 {
		r.printPairs(w)
	}
	for _, g := range []struct {
		what   string
		points []Point
	}{{"records of the unit", r.Growth.Records}, {"devices that follow it", r.Growth.Devices}, {"writers of one field", r.Growth.Writers}} {
		if len(g.points) == 0 {
			continue
		}
		fmt.Fprintf(w, "us a write by %s:", g.what)
		for _, p := range g.points {
			fmt.Fprintf(w, "  %d: %.0f", p.Size, p.Micros)
			if p.Delivered > 0 {
				fmt.Fprintf(w, " (%.2f a device until all have it)", p.Delivered)
			}
		}
		fmt.Fprintln(w)
	}
	switch {
	case r.NoIdle != "":
		fmt.Fprintf(w, "idle sockets were not measured: %s\n", r.NoIdle)
	case r.Idle.Sockets > 0:
		fmt.Fprintf(w, "idle sockets: %d held, all answer; the server's process grew by %.1f KiB each, and by %.1f before it had collected its garbage; it holds %.0f MiB without them\n",
			r.Idle.Answered, float64(r.Idle.Bytes)/float64(r.Idle.Sockets)/1024, float64(r.Idle.Unrested)/float64(r.Idle.Sockets)/1024, float64(r.Idle.Base)/(1<<20))
	}
	switch {
	case r.NoLine != "":
		fmt.Fprintf(w, "resuming on a bad line was not measured: %s\n", r.NoLine)
	case len(r.Resume.Ours) > 0:
		fmt.Fprintf(w, "bad line (500 ms there and back, 64 kbit/s, 5 %% loss), %d drops: ours p50 %.1f s, p95 %.1f s; raw %.1f s, %.1f s; %d bytes up, %d down\n", len(r.Resume.Ours),
			rank(r.Resume.Ours, 0.5).Seconds(), rank(r.Resume.Ours, 0.95).Seconds(), rank(r.Resume.Raw, 0.5).Seconds(), rank(r.Resume.Raw, 0.95).Seconds(), r.Resume.Up, r.Resume.Down)
	}
	if r.NoWASM != "" {
		fmt.Fprintf(w, "W3: merges as WASM were not measured: %s\n", r.NoWASM)
	}
	if r.Sizes != nil && !slices.ContainsFunc(r.Sizes, func(s Size) bool { return s.Bytes > 0 }) {
		fmt.Fprintln(w, "the sizes of the first download are missing: this program was built without the app; `make build` builds both")
	}
	fmt.Fprintln(w)
	wide := 0
	for _, l := range r.Lines {
		wide = max(wide, len(l.What))
	}
	missed := 0
	for _, l := range r.Lines {
		verdict := "pass"
		if !l.Pass {
			verdict = "MISS"
			missed++
		}
		fmt.Fprintf(w, "%-5s%-*s%16s  %-16s%s\n", l.Name, wide+2, l.What, l.Figure, l.Budget, verdict)
	}
	fmt.Fprintf(w, "\n%d of %d budgets are met\n", len(r.Lines)-missed, len(r.Lines))
}

// printPairs writes how ours stands to the floor.
func (r *Report) printPairs(w io.Writer) {
	fmt.Fprintf(w, "best of %d rounds, ours and the floor in turn; %d records of %d x %d characters\n\n", r.Rounds, r.Work.Records, fields, valueLength)
	fmt.Fprintf(w, "%-4s%10s%10s%7s%10s  %10s%10s  %10s%10s  %10s%10s\n", "", "ours ms", "floor ms", "ratio", "of median", "CPU ms", "floor", "bytes up", "floor", "down", "floor")
	for _, name := range []string{"W1", "W2", "W4"} {
		p := r.Pairs[name]
		o, f := best(p.Ours, took), best(p.Floor, took)
		fmt.Fprintf(w, "%-4s%10.0f%10.0f%7.2f%10.2f  %10.0f%10.0f  %10.0f%10.0f  %10.0f%10.0f\n", name, 1000*o, 1000*f, o/f, median(p.Ours, took)/median(p.Floor, took),
			1000*best(p.Ours, cpu), 1000*best(p.Floor, cpu), best(p.Ours, up), best(p.Floor, up), best(p.Ours, down), best(p.Floor, down))
	}
	fmt.Fprintf(w, "\nW4: the first page is on the device after %.0f ms\n", 1000*best(r.Pairs["W4"].Ours, page))
}

// JSON writes the report with every sample.
func (r *Report) JSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}
