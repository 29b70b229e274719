package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"

	"wardbook/sync/drill"
)

const drillUsage = "wardbook drill: the one drill is restore: wardbook drill restore [-data DIR]"

// drillCommand practises the loss of a server on a folder of its own.
func drillCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) (code int) {
	if len(args) > 0 && asksForHelp(args[0]) {
		fmt.Fprintln(errs, drillUsage)
		args = []string{"restore", "-h"}
	}
	if len(args) == 0 || args[0] != "restore" {
		fmt.Fprintln(errs, drillUsage)
		return 2
	}
	fs := flag.NewFlagSet("wardbook drill restore", flag.ContinueOnError)
	data := fs.String("data", "", "empty or absent folder for the drill, which keeps what it leaves; without it a temporary one is used and removed")
	edits := fs.Int("edits", 500, "edits behind the backup")
	approvals := fs.Int("approvals", 50, "approvals behind the backup")
	if code, done := folderFlags(fs, args[1:], errs); done {
		return code
	}
	if *edits < 12 || *approvals < 1 || *approvals > *edits/3 {
		fmt.Fprintln(errs, "wardbook drill restore: -edits must be at least 12, and -approvals between 1 and a third of it")
		return 2
	}
	fail := func(err error) int {
		fmt.Fprintf(errs, "wardbook drill restore: %v\n", err)
		return 1
	}
	program, err := os.Executable()
	if err != nil {
		return fail(err)
	}
	folder := *data
	if folder == "" {
		if folder, err = os.MkdirTemp("", "wardbook-drill-"); err != nil {
			return fail(err)
		}
		defer os.RemoveAll(folder)
	}
	report, err := drill.Restore(ctx, drill.Config{Program: program, Folder: folder, Edits: *edits, Approvals: *approvals, Log: errs})
	for _, c := range report.Checks {
		verdict := "ok"
		if !c.OK {
			verdict = "FAILED"
		}
		fmt.Fprintf(out, "%-6s  %-62s  %s\n", verdict, c.What, c.Got)
	}
	if err != nil {
		return fail(err)
	}
	if !report.OK() {
		return 1
	}
	fmt.Fprintln(out, "nothing was lost")
	return 0
}
