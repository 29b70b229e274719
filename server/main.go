// Wardbook is the server of field records: one binary, one folder of data.
// `wardbook help` lists its commands.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// command is one word of the command line.
type command struct {
	name  string
	args  string
	short string
	run   func(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int
}

func commands() []command {
	return []command{
		{"serve", "-listen HOST:PORT -data DIR [-demo]", "serve the app, sync, the API and the hub's feed", serveCommand},
		{"admin", "-data DIR COMMAND", "create the first account, reset a password, issue a code", adminCommand},
		{"units", "-data DIR COMMAND", "split, merge or rename units by a new list", unitsCommand},
		{"hub", "pull -url URL -into DIR", "pull what was approved, as the city's hub does", hubCommand},
		{"backup", "-data DIR -to DIR", "copy the database beside a running server, and verify the copy", backupCommand},
		{"restore", "-from DIR -data DIR", "put a verified backup in the place of the database", restoreCommand},
		{"doctor", "-data DIR", "look whether a data folder is sound, and say what to do", doctorCommand},
		{"drill", "restore [-data DIR]", "lose a server of its own, restore it, and count what is left", drillCommand},
		{"rescue", "-url URL FILE...", "hand in the rescue files of devices", rescueCommand},
		{"bench", "[-quick] [-json FILE]", "measure the design's budgets against their floor", benchCommand},
		{"sim", "[-seeds N] [-from S] [-mix NAME] [-play FILE]", "play a city with faults, from seeds, and hold it to the laws", simCommand},
		{"version", "", "print the version", versionCommand},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	if len(args) == 0 {
		usage(errs)
		return 2
	}
	failed := errs
	switch first := args[0]; {
	case first == "-version", first == "--version":
		args = []string{"version"}
	case first == "help" && len(args) > 1 && !asksForHelp(args[1]):
		args, errs = append(slices.Clone(args[1:]), "-h"), out // what was asked for is no error
	case first == "help", asksForHelp(first):
		usage(out)
		return 0
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, args[1:], in, out, errs)
		}
	}
	fmt.Fprintf(failed, "wardbook: unknown command %q\n\n", args[0])
	usage(failed)
	return 2
}

// asksForHelp reports whether an argument asks for help.
func asksForHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func usage(w io.Writer) {
	fmt.Fprintln(w, "Wardbook keeps the field records of a city's wards.\n\nUsage: wardbook COMMAND [flags]\n\nCommands:")
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-8s %-38s %s\n", c.name, c.args, c.short)
	}
	fmt.Fprintln(w, "\nwardbook help COMMAND, or wardbook COMMAND -h, lists a command's flags.")
}

// Version is set by the build; it names the app's shell as well.
var Version = "dev"

func versionCommand(_ context.Context, _ []string, _ io.Reader, out, _ io.Writer) int {
	fmt.Fprintln(out, strings.TrimSpace("wardbook "+Version))
	return 0
}
