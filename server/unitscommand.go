package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"wardbook/server/auth"
	"wardbook/server/backup"
	"wardbook/server/rpc"
	"wardbook/server/units"
)

const unitsUsage = `usage: wardbook units -data DIR COMMAND

  list           print the list of units in force
  change FILE    split, merge or rename units; FILE is JSON, such as
                 {"version": "2026-01-01",
                  "units": [{"code": "30001", "name_vi": "Phường Mới", "name_en": "Moi Ward", "kind": "ward"}],
                  "changes": [{"old": "26740", "new": ["30001"]}]}
                 version is the day from which it is in force, today or before

A server that runs on DIR has to be stopped first.
`

// unitsCommand is wardbook units. No server may run on the same data.
func unitsCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook units", flag.ContinueOnError)
	data := fs.String("data", "", "data folder (required)")
	fs.Usage = func() { fmt.Fprint(errs, unitsUsage) }
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	command := fs.Arg(0)
	switch {
	case *data == "":
		fmt.Fprintln(errs, "wardbook units: -data is required: name the folder that holds the data")
		return 2
	case command == "list" && fs.NArg() == 1, command == "change" && fs.NArg() == 2:
	default:
		reason := fmt.Sprintf("unknown command %q", command)
		switch command {
		case "":
			reason = "what should be done?"
		case "list":
			reason = fmt.Sprintf("list takes no argument, got %q", fs.Arg(1))
		case "change":
			reason = fmt.Sprintf("change: got %d files, want 1: name the FILE that holds the change", fs.NArg()-1)
		}
		fmt.Fprintf(errs, "wardbook units: %s\n\n%s", reason, unitsUsage)
		return 2
	}
	fail := func(err error) int {
		var refused *rpc.Error
		if errors.As(err, &refused) && refused.Field != "" {
			fmt.Fprintf(errs, "wardbook units: %s: %s\n", refused.Field, refused.En)
		} else if refused != nil {
			fmt.Fprintln(errs, "wardbook units:", refused.En)
		} else {
			fmt.Fprintln(errs, "wardbook units:", err)
		}
		return 1
	}
	if has, err := backup.HasDatabase(*data); err != nil || !has {
		return fail(cmp.Or(err, noDatabase(*data)))
	}
	a, err := openApp(ctx, appConfig{data: *data, enrolment: auth.EnrolByCode, log: slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if errors.Is(err, backup.ErrInUse) {
		return fail(fmt.Errorf("-data %s: %w; stop the server first, and start it again afterwards", *data, err))
	}
	if err != nil {
		return fail(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		a.close(ctx)
	}()
	if command == "list" {
		list, err := a.units.Units(ctx, units.UnitsRequest{})
		if err != nil {
			return fail(err)
		}
		fmt.Fprintln(out, "list", list.Version)
		for _, u := range list.Units {
			fmt.Fprintln(out, u.Code, u.NameVI)
		}
		return 0
	}
	b, err := os.ReadFile(fs.Arg(1))
	if err != nil {
		return fail(err)
	}
	var req units.ChangeRequest
	if err := json.Unmarshal(b, &req); err != nil {
		return fail(fmt.Errorf("%s: %w", fs.Arg(1), err))
	}
	done, err := a.units.ChangeAs(ctx, auth.Console(), req)
	if err != nil {
		return fail(err)
	}
	fmt.Fprintf(out, "list %s: %d records have another unit, %d of them wait to be assigned, %d accounts went along\n", done.Version, done.Moved, done.Waiting, done.Accounts)
	return 0
}
