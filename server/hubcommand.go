package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"wardbook/server/hub/puller"
)

const hubUsage = "wardbook hub: the one command is pull: wardbook hub pull -url URL -into DIR"

// hubCommand is the small consumer of the hub's feed: wardbook hub pull.
func hubCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	if len(args) > 0 && asksForHelp(args[0]) {
		fmt.Fprintln(errs, hubUsage)
		args = []string{"pull", "-h"}
	}
	if len(args) == 0 || args[0] != "pull" {
		fmt.Fprintln(errs, hubUsage)
		return 2
	}
	fs := flag.NewFlagSet("wardbook hub pull", flag.ContinueOnError)
	url := fs.String("url", "", "the server, such as https://wardbook.example (required)")
	into := fs.String("into", "", "folder to pull into; made if absent (required)")
	account := fs.String("account", "hub", "account to sign in with; its password is read from WARDBOOK_PASSWORD, a new device's enrolment code from WARDBOOK_CODE")
	limit := fs.Int("limit", 0, "lines of a page; 0: 1000")
	timeout := fs.Duration("timeout", 5*time.Minute, "give up when the server has brought nothing for so long")
	if code, done := parseFlags(fs, args[1:], errs); done {
		return code
	}
	wrong := func(format string, a ...any) int {
		fmt.Fprintf(errs, "wardbook hub pull: "+format+"\n", a...)
		return 2
	}
	switch {
	case fs.NArg() > 0:
		return wrong("unexpected argument %q; flags begin with a hyphen", fs.Arg(0))
	case *url == "":
		return wrong("-url is required: name the server, such as https://wardbook.example")
	case *into == "":
		return wrong("-into is required: name the folder that holds, or is to hold, what is pulled")
	case *limit < 0:
		return wrong("-limit must not be negative")
	case *timeout <= 0:
		return wrong("-timeout must be positive")
	}
	report, err := puller.Pull(ctx, puller.Config{URL: *url, Dir: *into, Account: *account, PageLines: *limit, Patience: *timeout,
		Password: os.Getenv("WARDBOOK_PASSWORD"), Code: os.Getenv("WARDBOOK_CODE"), Progress: errs})
	if err != nil {
		fmt.Fprintf(errs, "wardbook hub pull: %v\n", err)
		return 1
	}
	if len(report.Differences) == 0 {
		fmt.Fprintf(out, "%d units agree\n", report.Units)
		return 0
	}
	for _, d := range report.Differences[1:] {
		fmt.Fprintln(errs, d)
	}
	fmt.Fprintln(out, report.Differences[0])
	return 1
}
