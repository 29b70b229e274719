//go:build !js

package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	d := &device{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv, lang: language(os.Getenv)}
	code := d.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
