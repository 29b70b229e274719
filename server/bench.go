package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"wardbook/server/auth"
	"wardbook/server/store"
	"wardbook/sync/bench"
	"wardbook/sync/register"
	"wardbook/web"
)

func benchCommand(ctx context.Context, args []string, in io.Reader, out, errs io.Writer) int {
	fs := flag.NewFlagSet("wardbook bench", flag.ContinueOnError)
	file := fs.String("json", "", "also write every sample to this file, as JSON")
	quick := fs.Bool("quick", false, "a tenth of the work and 3 rounds; ratios then say less")
	long := fs.Bool("long", false, "also grow to a million records, which takes minutes")
	hold := fs.String("hold", "", "serve from this folder for a bench that runs beside, which starts this itself")
	only := fs.String("only", "", "parts to run, divided by commas: "+strings.Join(bench.Parts, ", ")+"; default all")
	profiles := fs.String("profiles", "", "folder for CPU profiles of W1, W2 and W4, a file for each round")
	program := fs.String("program", "", "the wardbook that serves idle sockets; default this program")
	rounds := fs.Int("rounds", 0, "rounds of each part; default 5, with -quick 3")
	if code, done := parseFlags(fs, args, errs); done {
		return code
	}
	if fs.NArg() > 0 {
		fmt.Fprintf(errs, "wardbook bench: unexpected argument %q; flags begin with a hyphen\n", fs.Arg(0))
		return 2
	}
	if *rounds < 0 {
		fmt.Fprintln(errs, "wardbook bench: -rounds must not be negative")
		return 2
	}
	spareHeap() // as serve does
	if *hold != "" {
		if err := bench.Hold(ctx, startBench, *hold, in, out); err != nil {
			fmt.Fprintf(errs, "wardbook bench -hold: %v\n", err)
			return 1
		}
		return 0
	}
	var parts []string
	if *only != "" {
		parts = strings.Split(*only, ",")
	}
	for _, part := range parts {
		if !slices.Contains(bench.Parts, part) {
			fmt.Fprintf(errs, "wardbook bench: -only: there is no part %q; take some of %s\n", part, strings.Join(bench.Parts, ", "))
			return 2
		}
	}
	if *program == "" {
		self, err := os.Executable()
		if err != nil {
			fmt.Fprintf(errs, "wardbook bench: find this program: %v; name it by -program\n", err)
			return 1
		}
		*program = self
	}
	cfg := bench.Config{Start: startBench, Dist: web.Dist(), Rounds: *rounds, Only: parts, Log: errs, Profiles: *profiles, Child: func(ctx context.Context, dir string) *exec.Cmd {
		return exec.CommandContext(ctx, *program, "bench", "-hold", dir)
	}}
	if *long {
		cfg.Work = bench.Full
		cfg.Work.Long = true
	}
	if *quick {
		cfg.Work = bench.Quick
		if cfg.Rounds == 0 {
			cfg.Rounds = 3
		}
	}
	report, err := bench.Run(ctx, cfg)
	if err == nil {
		report.Print(out)
		if *file != "" {
			var b bytes.Buffer
			if err = report.JSON(&b); err == nil {
				err = os.WriteFile(*file, b.Bytes(), 0o644)
			}
		}
	}
	if err != nil {
		fmt.Fprintf(errs, "wardbook bench: %v\n", err)
		return 1
	}
	return 0
}

// startBench starts the program as serve does, at a free port.
func startBench(ctx context.Context, dir string, def *register.Definition) (*bench.Server, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	a, err := openApp(ctx, appConfig{data: dir, enrolment: auth.EnrolByPassword, definitions: []*register.Definition{def}, perAccount: 20_000, log: log})
	if err != nil {
		return nil, err
	}
	stop := func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		return a.close(ctx)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		stop()
		return nil, err
	}
	server := &http.Server{Handler: a.handler, ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(ln)
	return &bench.Server{
		URL: "http://" + ln.Addr().String(),
		Officer: func(ctx context.Context, name, unit string) (string, error) {
			_, password, err := a.auth.Create(ctx, auth.Console(), auth.NewAccount{Name: name, DisplayName: name, Role: store.RoleOfficer, Unit: unit})
			return password, err
		},
		RestBytes: func(ctx context.Context) (int64, int64, error) {
			return a.store.RecordBytes(ctx, filepath.Join(dir, "rest.db"))
		},
		Serve: server.Serve,
		Close: func() error {
			server.Close()
			return stop()
		},
	}, nil
}
