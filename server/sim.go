package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"wardbook/sync/simtest"
	"wardbook/sync/simtest/city"
)

func simCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook sim", flag.ContinueOnError)
	seeds := fs.Int("seeds", 10_000, "how many schedules to play")
	from := fs.Uint64("from", 0, "the first seed; 0 takes one from the clock, which nobody has played before")
	mix := fs.String("mix", "all", "what goes wrong: "+strings.Join(mixNames(), ", ")+", all of these in turn, or city: the desk, the hub and the units as well")
	workers := fs.Int("workers", runtime.GOMAXPROCS(0), "schedules played at a time")
	play := fs.String("play", "", "play the transcript in this file and tell what happens, instead")
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	usage := func(format string, args ...any) int {
		fmt.Fprintf(errs, "wardbook sim: "+format+"\n", args...)
		return 2
	}
	o := simtest.Options{Seeds: *seeds, From: *from, Workers: *workers, AllMixes: *mix == "all", Done: ctx.Done()}
	switch {
	case fs.NArg() > 0:
		return usage("unexpected argument %q; flags begin with a hyphen", fs.Arg(0))
	case *seeds < 1:
		return usage("-seeds must be at least 1")
	case *workers < 1:
		return usage("-workers must be at least 1")
	case *play != "":
		return playTranscript(*play, out, errs)
	}
	if o.From == 0 {
		o.From = uint64(time.Now().UnixNano())
	}
	o.Progress = func(n int, elapsed time.Duration) {
		fmt.Fprintf(out, "%d of %d schedules, %.0f a second\n", n, o.Seeds, float64(n)/elapsed.Seconds())
	}
	if !o.AllMixes && *mix != cityMix {
		var err error
		if o.Mix, err = simtest.ParseMix(*mix); err != nil {
			return usage("-mix: %v; want one of %s, city, or all", err, strings.Join(mixNames(), ", "))
		}
	}
	fmt.Fprintf(out, "commit %s, seeds %d to %d, mix %s, %d at a time\n", commit(), o.From, o.From+uint64(o.Seeds)-1, *mix, o.Workers)
	played, failed := 0, 0
	if *mix == cityMix {
		r := city.Run(city.Options{Seeds: o.Seeds, From: o.From, Workers: o.Workers, Progress: o.Progress, Done: o.Done})
		tellCity(out, r)
		played, failed = r.Schedules, len(r.Failures)
	} else {
		r := simtest.Run(o)
		tellReport(out, r)
		played, failed = r.Schedules, len(r.Failures)
	}
	switch {
	case failed > 0:
		return 1
	case played < o.Seeds:
		fmt.Fprintln(errs, "wardbook sim: interrupted")
		return 1
	}
	return 0
}

// tellReport prints the outcome, and of a violation what is needed to see it
// again.
func tellReport(out io.Writer, r simtest.Report) {
	fmt.Fprintf(out, "%d schedules in %v, %.0f a second, %d violations, %d excused\n", r.Schedules, r.Elapsed.Round(time.Millisecond),
		float64(r.Schedules)/r.Elapsed.Seconds(), len(r.Failures), r.Excused)
	for _, f := range r.Failures {
		tellViolation(out, f.Case.Seed, f.Case.Mix.String(), "sync/simtest/testdata", f.String())
	}
}

// cityMix is the name of the mix that package city plays.
const cityMix = "city"

func tellCity(out io.Writer, r city.Report) {
	fmt.Fprintf(out, "%d schedules in %v, %.0f a second, %d violations\n", r.Schedules, r.Elapsed.Round(time.Millisecond),
		float64(r.Schedules)/r.Elapsed.Seconds(), len(r.Failures))
	for _, f := range r.Failures {
		tellViolation(out, f.Seed, cityMix, "sync/simtest/city/testdata", f.Transcript())
	}
}

// tellViolation prints what is needed to see a violation again.
func tellViolation(out io.Writer, seed uint64, mix, folder, transcript string) {
	fmt.Fprintf(out, `
VIOLATION at seed %d, mix %s, commit %s
No more is needed for it than this. Keep it in a file and play it again with
"wardbook sim -play FILE"; among %s/*.txt it is a test.

%s`, seed, mix, commit(), folder, transcript)
}

// playTranscript tells what happens in one schedule.
func playTranscript(file string, out, errs io.Writer) int {
	text, err := os.ReadFile(file)
	if err != nil {
		fmt.Fprintf(errs, "wardbook sim: -play: %v\n", err)
		return 1
	}
	play := playCase
	if city.IsTranscript(string(text)) {
		play = playCity
	}
	told, violation, err := play(string(text))
	if err != nil {
		fmt.Fprintf(errs, "wardbook sim: -play %s: %v\n", file, err)
		return 1
	}
	fmt.Fprint(out, told)
	if violation != "" {
		fmt.Fprintln(out, violation)
		return 1
	}
	fmt.Fprintln(out, "no violation")
	return 0
}

var errSeeded = errors.New("mistakes made on purpose are for the tests alone")

// playCase plays a transcript, and returns what happened and, in words, a violation.
func playCase(text string) (told, violation string, err error) {
	c, err := simtest.ParseCase(text)
	switch {
	case err != nil:
		return "", "", err
	case c.Bug != simtest.NoBug:
		return "", "", errSeeded
	}
	v, told := c.Trace()
	if v != nil {
		violation = fmt.Sprintf("VIOLATION of %q: %s", v.Oracle, v.Detail)
	}
	return told, violation, nil
}

// playCity is playCase for a transcript of package city.
func playCity(text string) (told, violation string, err error) {
	c, err := city.ParseCase(text)
	switch {
	case err != nil:
		return "", "", err
	case c.Bug != city.NoBug:
		return "", "", errSeeded
	}
	v, told := c.Trace()
	if v != nil {
		violation = fmt.Sprintf("VIOLATION of %q: %s", v.Oracle, v.Detail)
	}
	return told, violation, nil
}

func mixNames() []string {
	var names []string
	for _, m := range simtest.Mixes() {
		names = append(names, m.String())
	}
	return names
}

// commit names the sources that the program was built from.
func commit() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Version
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "-dirty"
		}
	}
	if revision == "" {
		return Version
	}
	return revision + dirty
}
