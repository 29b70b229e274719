package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"wardbook/server/hub/puller"
	"wardbook/sync/register"
)

// hubCommand is the small consumer: wardbook hub pull.
func hubCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	if len(args) == 0 || args[0] != "pull" {
		fmt.Fprintln(errs, "wardbook hub: the one command is pull; use: wardbook hub pull -url URL -into DIR")
		return 2
	}
	fs := flag.NewFlagSet("wardbook hub pull", flag.ContinueOnError)
	url := fs.String("url", "", "the server, such as https://wardbook.example (required)")
	into := fs.String("into", "", "folder to pull into; made if absent (required)")
	account := fs.String("account", "hub", "account to sign in with; its password comes from WARDBOOK_PASSWORD")
	limit := fs.Int("limit", 0, "items to a page; 0 leaves it to the server")
	timeout := fs.Duration("timeout", 5*time.Minute, "how long to go on asking after cuts")
	if code, done := parseFlags(fs, args[1:], errs); done {
		return code
	}
	switch {
	case fs.NArg() > 0:
		fmt.Fprintf(errs, "wardbook hub pull: unexpected argument %q\n", fs.Arg(0))
		return 2
	case *url == "" || *into == "":
		fmt.Fprintln(errs, "wardbook hub pull: -url and -into are required")
		return 2
	case *limit < 0:
		fmt.Fprintln(errs, "wardbook hub pull: -limit must not be negative")
		return 2
	}
	p, err := puller.Open(puller.Config{URL: *url, Dir: *into, Account: *account, Limit: *limit,
		Password: os.Getenv("WARDBOOK_PASSWORD"), Code: os.Getenv("WARDBOOK_CODE"), Progress: errs})
	if err != nil {
		fmt.Fprintf(errs, "wardbook hub pull: %v\n", err)
		return 2
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	units, torn, err := p.Run(ctx)
	if err != nil {
		fmt.Fprintf(errs, "wardbook hub pull: %v\n", err)
		return 1
	}
	if len(torn) > 0 {
		for _, d := range torn[1:] {
			fmt.Fprintln(errs, d)
		}
		name := ""
		if u, ok := register.UnitByCode(register.UnitCode(torn[0].Unit)); ok {
			name = " (" + u.NameVI + ")"
		}
		fmt.Fprintf(out, "%v%s\n", torn[0], name)
		return 1
	}
	fmt.Fprintf(out, "%d units agree\n", units)
	return 0
}
