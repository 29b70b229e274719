//go:build !js

package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
)

// device is one run of the headless client: one command on one folder.
type device struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	env            func(string) string
	lang           string // of messages: vi or en

	line    commandLine
	lock    *os.File
	store   *store.Store
	replica *replica.Replica
	session deviceSession
	changed func(replica.Changed) // watch listens here
}

// deviceSession is what the device needs to come back to the server. It is
// kept in the store.
type deviceSession struct {
	Server   string    `json:"server"`
	DeviceID string    `json:"device_id"`
	Access   string    `json:"access"`
	Expires  time.Time `json:"expires"`
	Refresh  string    `json:"refresh"`
}

// language picks the language of messages from the environment.
func language(env func(string) string) string {
	for _, name := range []string{"WARDBOOK_LANG", "LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := env(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), "vi") {
				return "vi"
			}
			return "en"
		}
	}
	return "en"
}

// text picks one of two texts by the language.
func (d *device) text(vi, en string) string {
	if d.lang == "vi" {
		return vi
	}
	return en
}

// run runs one command line and returns the exit code.
func (d *device) run(ctx context.Context, args []string) int {
	var err error
	if d.line, err = parseCommandLine(args); err == nil {
		err = d.command(ctx)
		err = errors.Join(err, d.close())
	}
	var usage *usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errHelp):
		fmt.Fprint(d.stdout, usageText)
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(d.stderr, "wardbook-device: %s\n%s\n", d.message(err), d.text("Gọi -help để xem cách dùng.", "Run it with -help for all commands."))
		return 2
	}
	fmt.Fprintf(d.stderr, "wardbook-device: %s\n", d.message(err))
	return 1
}

// message is an error in the user's language, where it has one.
func (d *device) message(err error) string {
	var f *replica.Failure
	if d.lang == "vi" && errors.As(err, &f) && f.VI != "" {
		if f.Field != "" {
			return f.Field + ": " + f.VI
		}
		return f.VI
	}
	return err.Error()
}

func (d *device) command(ctx context.Context) error {
	if d.line.server != "" {
		if _, err := parseServer(d.line.server); err != nil {
			return err
		}
	}
	args := d.line.args
	if d.line.command.name == "login" {
		return d.login(ctx, args[0])
	}
	if err := d.open(ctx); err != nil {
		return err
	}
	switch d.line.command.name {
	case "put":
		return d.put(ctx, args[0], args[1:])
	case "get":
		return d.get(ctx, args[0])
	case "list":
		return d.list(ctx, args[0])
	case "delete":
		return d.delete(ctx, args[0])
	case "conflicts":
		return d.conflicts(ctx)
	case "settle":
		return d.settle(ctx, args[0], args[1], args[2])
	case "household":
		return d.household(ctx, args[0])
	case "move":
		return d.move(ctx, args[0], args[1:])
	case "status":
		return d.status(ctx)
	case "damaged":
		return d.damaged(ctx, args)
	case "sync":
		return d.sync(ctx)
	case "watch":
		return d.watch(ctx)
	}
	return wrong("unknown command %q", d.line.command.name)
}

// parseServer reads a server's address.
func parseServer(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, wrong("-server %q is no address of a server; it looks like https://wardbook.example or http://localhost:8080", text)
	}
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

// server returns the address to speak to: the flag's, or that of the last
// login.
func (d *device) server() (*url.URL, error) {
	switch {
	case d.line.server != "":
		return parseServer(d.line.server)
	case d.session.Server != "":
		return parseServer(d.session.Server)
	}
	return nil, wrong("flag -server is missing: name the server, such as -server http://localhost:8080")
}

// acquire makes the folder and locks it against other processes.
func (d *device) acquire(create bool) error {
	if _, err := os.Stat(filepath.Join(d.line.dir, "store.db")); err != nil && !create {
		if errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("nobody has signed in with the folder %s yet; run: wardbook-device -dir %s -server URL login NAME", d.line.dir, d.line.dir)
		}
		return fmt.Errorf("open the folder %s: %w", d.line.dir, err)
	}
	if err := os.MkdirAll(d.line.dir, 0o700); err != nil {
		return fmt.Errorf("make the folder: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(d.line.dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the folder %s: %w", d.line.dir, err)
	}
	ok, err := tryLock(f)
	if err != nil || !ok {
		holder, _ := io.ReadAll(io.LimitReader(f, 100))
		f.Close()
		if err != nil {
			return fmt.Errorf("lock the folder %s: %w", d.line.dir, err)
		}
		return fmt.Errorf("the folder %s is in use by another wardbook-device (process %s); wait for it or stop it", d.line.dir, strings.TrimSpace(string(holder)))
	}
	d.lock = f
	// The number is a courtesy to who finds the folder locked.
	if err := f.Truncate(0); err == nil {
		fmt.Fprintf(f, "%d\n", os.Getpid())
	}
	return nil
}

// open opens what login made.
func (d *device) open(ctx context.Context) error {
	if err := d.acquire(false); err != nil {
		return err
	}
	return d.openReplica(ctx, replica.Account{})
}

func (d *device) openStore(ctx context.Context) error {
	if d.store != nil {
		return nil
	}
	var err error
	d.store, err = store.Open(ctx, filepath.Join(d.line.dir, "store.db"))
	return err
}

func belongsTo(dir, have, want string) error {
	return fmt.Errorf("the folder %s belongs to %s; sign %s in with another -dir", dir, have, want)
}

// openReplica opens the replica in the store; a new one belongs to account.
func (d *device) openReplica(ctx context.Context, account replica.Account) error {
	if err := d.openStore(ctx); err != nil {
		return err
	}
	state, err := d.store.State(ctx)
	if err != nil {
		return err
	}
	have := state.Meta.Account.Name
	switch {
	case have == "" && account.Name == "":
		return fmt.Errorf("nobody has signed in with the folder %s yet; run: wardbook-device -dir %s -server URL login NAME", d.line.dir, d.line.dir)
	case have != "" && account.Name != "" && have != account.Name:
		return belongsTo(d.line.dir, have, account.Name)
	}
	d.replica, err = replica.Open(ctx, replica.Config{Store: d.store, Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader,
		Account: account, Lang: d.lang, Changed: func(c replica.Changed) {
			if d.changed != nil {
				d.changed(c)
			}
		}})
	if err != nil {
		return err
	}
	if data := d.replica.Meta().Session; len(data) > 0 {
		if err := json.Unmarshal(data, &d.session); err != nil {
			return fmt.Errorf("read the session: %w", err)
		}
	}
	return nil
}

func (d *device) close() error {
	var err error
	if d.store != nil {
		err = d.store.Close()
	}
	if d.lock != nil {
		err = errors.Join(err, d.lock.Close())
	}
	return err
}

// keepSession keeps what the server gave, durably, before it is used.
func (d *device) keepSession(ctx context.Context, account replica.Account) error {
	data, err := json.Marshal(d.session)
	if err != nil {
		return err
	}
	return d.replica.SetSession(ctx, account, data)
}
