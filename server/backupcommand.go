package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"wardbook/server/backup"
)

// folderFlags reads the flags of a command; those named must be given.
func folderFlags(fs *flag.FlagSet, args []string, errs io.Writer, needed ...string) (code int, done bool) {
	if code, done := parseFlags(fs, args, errs); done {
		return code, true
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(errs, "%s: unexpected argument %q; flags begin with a hyphen\n", fs.Name(), fs.Arg(0))
		return 2, true
	}
	for _, name := range needed {
		if f := fs.Lookup(name); f.Value.String() == "" {
			fmt.Fprintf(errs, "%s: -%s is required: name the %s\n", fs.Name(), name, strings.TrimSuffix(f.Usage, " (required)"))
			return 2, true
		}
	}
	return 0, false
}

func backupCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook backup", flag.ContinueOnError)
	data := fs.String("data", "", "data folder; a server may run on it (required)")
	to := fs.String("to", "", "folder for this backup; it must be empty or absent (required)")
	if code, done := folderFlags(fs, args, errs, "data", "to"); done {
		return code
	}
	m, err := backup.Make(ctx, *data, *to, Version, time.Now())
	if err != nil {
		fmt.Fprintf(errs, "wardbook backup: -data %s -to %s: %v\n", *data, *to, err)
		return 1
	}
	records := 0
	for _, u := range m.Units {
		records += u.Records
	}
	fmt.Fprintf(out, "backed up %d records of %d units, %d bytes, verified, epoch %s\n", records, len(m.Units), m.Files[0].Bytes, m.Epoch)
	fmt.Fprintf(out, "the keys and the list of what was erased by law are not in it: keep a copy of %s/keys elsewhere, and never beside the backup\n", *data)
	return 0
}

func restoreCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook restore", flag.ContinueOnError)
	from := fs.String("from", "", "folder that holds the backup (required)")
	data := fs.String("data", "", "data folder whose database is replaced; no server may run on it (required)")
	newKeys := fs.Bool("new-keys", false, "restore although the data folder has no signing keys: new ones are made, everybody signs in again, and what devices keep of others' work is not believed")
	if code, done := folderFlags(fs, args, errs, "from", "data"); done {
		return code
	}
	done, err := backup.Restore(ctx, *from, *data, *newKeys, time.Now())
	if err != nil {
		fmt.Fprintf(errs, "wardbook restore: -from %s -data %s: %v\n", *from, *data, err)
		switch {
		case errors.Is(err, backup.ErrInUse):
			fmt.Fprintln(errs, "stop the server first")
		case errors.Is(err, backup.ErrNoKeys):
			fmt.Fprintf(errs, "put the saved keys.json into %s/keys, or give -new-keys if it is lost\n", *data)
		}
		return 1
	}
	fmt.Fprintf(out, "restored the backup of %s as epoch %s\n", done.Manifest.MadeAt.Format(time.RFC3339), done.Epoch)
	if done.Kept != "" {
		fmt.Fprintf(out, "what was there before is in %s\n", done.Kept)
	}
	for _, name := range done.Closed {
		fmt.Fprintf(out, "closed since the backup, and stays closed: %s\n", name)
	}
	if done.Unread != nil {
		fmt.Fprintf(out, "what was there before cannot be read (%v): close again what was closed since the backup, before serving\n", done.Unread)
	}
	if done.Erased > 0 {
		fmt.Fprintf(out, "erased by law since the backup, and erased again: %d records\n", done.Erased)
	}
	fmt.Fprintln(out, "accounts, roles and passwords are as they were then")
	fmt.Fprintln(out, "people sign in again where they are asked to; devices then give back what they hold. Afterwards make a new backup")
	return 0
}

func doctorCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook doctor", flag.ContinueOnError)
	data := fs.String("data", "", "data folder; a server may run on it (required)")
	if code, done := folderFlags(fs, args, errs, "data"); done {
		return code
	}
	report, err := backup.Examine(ctx, *data)
	for _, f := range report.Findings {
		if len(f.Wrong) == 0 {
			fmt.Fprintf(out, "ok     %s\n", f.What)
			continue
		}
		fmt.Fprintf(out, "WRONG  %s\n", f.What)
		for _, w := range f.Wrong {
			fmt.Fprintf(out, "       - %s\n", w)
		}
		fmt.Fprintf(out, "       %s\n", f.Do)
	}
	if err != nil {
		fmt.Fprintf(errs, "wardbook doctor: -data %s: %v\n", *data, err)
		return 1
	}
	if !report.Sound() {
		return 1
	}
	fmt.Fprintf(out, "wardbook %s: the folder is sound\n", Version)
	return 0
}
