package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wardbook/server/auth"
	"wardbook/server/backup"
	"wardbook/server/demo"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
)

// parseFlags reads a command's flags; done means that the program ends with
// code.
func parseFlags(fs *flag.FlagSet, args []string, errs io.Writer) (code int, done bool) {
	fs.SetOutput(errs)
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0, true
	case err != nil:
		return 2, true // Parse has said what and listed the flags
	case slices.ContainsFunc(fs.Args(), asksForHelp):
		fs.Usage() // asked for behind a command of the command
		return 0, true
	}
	return 0, false
}

func serveCommand(ctx context.Context, args []string, _ io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook serve", flag.ContinueOnError)
	listen := fs.String("listen", "localhost:8080", "host and port to serve at")
	data := fs.String("data", "", "data folder; made if absent (required)")
	withDemo := fs.Bool("demo", false, "fill an empty data folder with synthetic residents and accounts, and print the accounts")
	waiting := fs.Int("waiting", 0, "with -demo: how many more changed records wait on the first unit's desk, at most 1400")
	residents := fs.Int("residents", demo.PerUnit, "with -demo: how many residents the first unit gets; a large ward has 100000")
	origins := fs.String("origins", "", "further origins, divided by commas, whose pages may open the sync socket (such as https://wardbook.example)")
	verbose := fs.Bool("v", false, "log every request")
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	fail := func(format string, a ...any) int {
		fmt.Fprintf(errs, "wardbook serve: "+format+"\n", a...)
		return 1
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(errs, "wardbook serve: unexpected argument %q; flags begin with a hyphen\n", fs.Arg(0))
		return 2
	}
	if *data == "" {
		fmt.Fprintln(errs, "wardbook serve: -data is required: name the folder that holds, or is to hold, the data")
		return 2
	}
	if *waiting < 0 || *waiting > 1400 {
		fmt.Fprintf(errs, "wardbook serve: -waiting %d: name a number from 0 to 1400\n", *waiting)
		return 2
	}
	if *residents < 1 || *residents > 1_000_000 {
		fmt.Fprintf(errs, "wardbook serve: -residents %d: name a number from 1 to 1000000\n", *residents)
		return 2
	}
	cfg := appConfig{data: *data, enrolment: auth.EnrolByCode, log: slog.New(slog.NewTextHandler(errs, &slog.HandlerOptions{Level: logLevel(*verbose)}))}
	for o := range strings.SplitSeq(*origins, ",") {
		if o = strings.TrimSpace(o); o == "" {
			continue
		}
		if u, err := url.Parse(o); err != nil || u.Host == "" || u.Path != "" || u.Scheme != "https" && u.Scheme != "http" {
			fmt.Fprintf(errs, "wardbook serve: -origins: %q is no origin; write scheme and host, such as https://wardbook.example\n", o)
			return 2
		}
		cfg.origins = append(cfg.origins, o)
	}
	if *withDemo {
		cfg.enrolment = auth.EnrolByPassword
	}
	spareHeap()
	// The port first: a second server on one folder is a likelier mistake than
	// a bad folder, and costs nothing to find out.
	ln, err := listenOn(*listen)
	if err != nil {
		return fail("-listen %s: %v", *listen, err)
	}
	defer ln.Close()
	a, err := openApp(ctx, cfg)
	if err != nil {
		return fail("-data %s: %v", *data, err)
	}
	stop := func() int {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := a.close(ctx); err != nil {
			return fail("closing: %v", err)
		}
		return 0
	}
	if *withDemo {
		accounts, err := a.prepareDemo(ctx, *residents, *waiting)
		if err != nil {
			code := fail("%v", err)
			stop()
			return code
		}
		for _, d := range accounts {
			fmt.Fprintf(out, "account %s %s\n", d.Name, d.Password)
		}
	}
	server := &http.Server{Handler: a.handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(cfg.log.Handler(), slog.LevelWarn)}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	fmt.Fprintf(out, "listening on %s\n", addressOf(*listen, ln.Addr()))
	code := 0
	select {
	case <-ctx.Done():
	case err := <-served:
		code = fail("%v", err)
	case <-a.store.Failed():
		// What was not acknowledged may or may not be on disk; only a restart
		// can find out. Nothing more is promised.
		code = fail("a write could not be made durable; nothing more is accepted. Check the disk, then start again")
	}
	deadline, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		code = max(code, fail("shutting down: %v", err))
	}
	return max(code, stop())
}

func logLevel(verbose bool) slog.Level {
	if verbose {
		return slog.LevelInfo
	}
	return slog.LevelWarn
}

// addressOf names the URL to open: the host as it was asked for, the port as
// it was given.
func addressOf(asked string, got net.Addr) string {
	host, _, err := net.SplitHostPort(asked)
	if err != nil || host == "" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(got.String())
	return "http://" + net.JoinHostPort(host, port)
}

// noDatabase is said of a folder that only serve and admin create would fill.
func noDatabase(data string) error {
	return fmt.Errorf("-data %s: there is no database in it; check the path", data)
}

func adminCommand(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook admin", flag.ContinueOnError)
	data := fs.String("data", "", "data folder; made if absent (required)")
	fs.Usage = func() { fmt.Fprint(errs, auth.AdminUsage) }
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	if *data == "" {
		fmt.Fprintln(errs, "wardbook admin: -data is required: name the folder that holds, or is to hold, the data")
		return 2
	}
	if err := backup.Whole(*data); err != nil {
		fmt.Fprintf(errs, "wardbook admin: -data %s: %v\n", *data, err)
		return 1
	}
	if fs.Arg(0) != "create" { // only that may make the folder
		if has, err := backup.HasDatabase(*data); err != nil || !has {
			fmt.Fprintf(errs, "wardbook admin: %v\n", cmp.Or(err, noDatabase(*data)))
			return 1
		}
	}
	st, err := sqlite.Open(ctx, backup.DatabasePath(*data), sqlite.Options{})
	if err != nil {
		fmt.Fprintf(errs, "wardbook admin: -data %s: %v\n", *data, err)
		return 1
	}
	code := auth.AdminCommand(ctx, st, units.NewDirectory(st).IsUnit, fs.Args(), in, out, errs)
	if err := st.Close(); err != nil {
		fmt.Fprintf(errs, "wardbook admin: closing: %v\n", err)
		return 1
	}
	return code
}
