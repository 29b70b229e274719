//go:build !js

package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// usageText names every command. It says what the folder protects from.
const usageText = `wardbook-device: the offline client of Wardbook without a screen.

  wardbook-device -dir DIR -server URL COMMAND

  login NAME                                   sign in; the password comes from WARDBOOK_PASSWORD
                                               or a prompt, a one-time code from WARDBOOK_CODE
  put REGISTER [-record ID] FIELD=VALUE...     make or change a record; prints its id
  get ID                                       show a record
  list REGISTER [-search TEXT] [-filter NAME]  all, mine, conflicts, drafts, returned or deleted
  delete ID                                    delete a record
  conflicts                                    records in which a person has to choose
  settle ID FIELD VALUE                        choose; of the field "life": alive or deleted
  household ID                                 print the ids of the records that belong together
  move UNIT -reason TEXT ID...                 send records to another unit, all or none
  status                                       what is on this device and what was received
  damaged [drop]                               changes that the disk has damaged, to be entered again; let go of them
  sync                                         send and receive everything; exit 0 only if that was done
  watch                                        stay connected and print what changes

  -dir DIR      folder of the local store, made by login; one process at a time
  -server URL   such as http://localhost:8080; may be left out after login
  -json         print one compact JSON object a line

All commands but login, sync and watch work without a network.
The local store is NOT encrypted: whoever can read the folder can read the records.
Exit codes: 0 done, 1 not done, 2 used wrongly.
`

// usageError is a wrong command line; the text says what is wrong and how to
// put it right.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func wrong(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

var errHelp = errors.New("help")

// command is one of the commands, as far as the command line goes.
type command struct {
	name     string
	synopsis string
	flags    []string // of its own, beside those of all
	min, max int      // arguments; max -1 is any number
	verbatim int      // from this argument on, counted from 1, nothing is a flag; 0 for never
}

var commands = []command{
	{name: "login", synopsis: "login NAME", min: 1, max: 1},
	{name: "put", synopsis: "put REGISTER [-record ID] FIELD=VALUE...", flags: []string{"record"}, min: 1, max: -1},
	{name: "get", synopsis: "get ID", min: 1, max: 1},
	{name: "list", synopsis: "list REGISTER [-search TEXT] [-filter NAME]", flags: []string{"search", "filter"}, min: 1, max: 1},
	{name: "delete", synopsis: "delete ID", min: 1, max: 1},
	{name: "conflicts", synopsis: "conflicts"},
	{name: "settle", synopsis: "settle ID FIELD VALUE", min: 3, max: 3, verbatim: 3},
	{name: "household", synopsis: "household ID", min: 1, max: 1},
	{name: "move", synopsis: "move UNIT -reason TEXT ID...", flags: []string{"reason"}, min: 2, max: -1},
	{name: "status", synopsis: "status"},
	{name: "damaged", synopsis: "damaged [drop]", max: 1},
	{name: "sync", synopsis: "sync"},
	{name: "watch", synopsis: "watch"},
}

// commandLine is a command line taken apart.
type commandLine struct {
	dir, server string
	json        bool
	command     command
	args        []string
	flags       map[string]string // the command's own
}

// parseCommandLine reads the arguments. Flags may stand before the command and
// behind it; "--" ends them.
func parseCommandLine(args []string) (commandLine, error) {
	line := commandLine{flags: map[string]string{}}
	ended := false
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		known := line.command.name != ""
		if ended || known && line.command.verbatim > 0 && len(line.args)+1 >= line.command.verbatim || arg == "-" || !strings.HasPrefix(arg, "-") {
			if !known {
				i := slices.IndexFunc(commands, func(c command) bool { return c.name == arg })
				if i < 0 {
					return line, wrong("unknown command %q; the commands are %s", arg, commandNames())
				}
				line.command = commands[i]
				continue
			}
			line.args = append(line.args, arg)
			continue
		}
		if arg == "--" {
			ended = true
			continue
		}
		name, value, has := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch name {
		case "h", "help":
			return line, errHelp
		case "json":
			if has && value != "true" && value != "false" {
				return line, wrong("-json takes no value")
			}
			line.json = value != "false"
			continue
		}
		into := map[string]*string{"dir": &line.dir, "server": &line.server}[name]
		if into == nil && !slices.Contains(line.command.flags, name) {
			return line, unknownFlag(name, line.command)
		}
		if !has {
			if len(args) == 0 {
				return line, wrong("flag -%s needs a value", name)
			}
			value, args = args[0], args[1:]
		}
		if into != nil {
			*into = value
		} else {
			line.flags[name] = value
		}
	}
	switch c := line.command; {
	case c.name == "":
		return line, wrong("no command; the commands are %s", commandNames())
	case len(line.args) < c.min:
		return line, wrong("%s: an argument is missing; use: wardbook-device -dir DIR %s", c.name, c.synopsis)
	case c.max >= 0 && len(line.args) > c.max:
		return line, wrong("%s: %q is one argument too many; use: wardbook-device -dir DIR %s", c.name, line.args[c.max], c.synopsis)
	case line.dir == "":
		return line, wrong("flag -dir is missing: name the folder of the local store, such as -dir ./officer-a")
	}
	return line, nil
}

func commandNames() string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func unknownFlag(name string, c command) error {
	for _, other := range commands {
		if slices.Contains(other.flags, name) {
			if c.name == "" {
				return wrong("flag -%s belongs behind the command: %s", name, other.synopsis)
			}
			return wrong("%s has no flag -%s; use: wardbook-device -dir DIR %s", c.name, name, c.synopsis)
		}
	}
	return wrong("unknown flag -%s; the flags are -dir, -server, -json, and -record, -search, -filter, -reason of some commands", name)
}
