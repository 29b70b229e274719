package auth

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"wardbook/server/audit"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// AdminUsage says how AdminCommand is called.
const AdminUsage = `usage: wardbook admin -data DIR COMMAND

  create NAME [-role ROLE] [-unit CODE] [-display TEXT] [-sensitive]
                        make an account; ROLE is officer, supervisor, hub or
                        admin, the default; the first two need a unit's CODE
  list                  list accounts
  reset-password NAME   give an account another password
  disable NAME          end an account's access, at once
  enable NAME           give it back
  move NAME CODE        move an account to another unit
  code NAME             issue a one-time code to enrol a device
  audit [SEQ:HASH]      verify the audit log, and that it passes through a head
                        noted earlier; print its present head

A password comes from WARDBOOK_PASSWORD, or else from a prompt.
`

// errUsage is a mistake in the arguments.
type errUsage struct{ text string }

func (e errUsage) Error() string { return e.text }

// AdminCommand runs "wardbook admin" with the arguments after it, the data
// folder's flag already taken, and returns the exit code: 0 for success, 1 for a
// refusal or an error, 2 for a mistake in the arguments. It may run beside a
// server on the same database: the server's sockets follow within seconds.
// isUnit reports whether a unit is in the list in force; nil takes any five digits.
func AdminCommand(ctx context.Context, st *sqlite.Store, isUnit func(code string) bool, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	accounts, err := NewAccounts(st, AccountOptions{Now: st.Now, IsUnit: isUnit})
	if err != nil {
		fmt.Fprintln(stderr, "wardbook admin:", err)
		return 1
	}
	c := command{accounts, stdin, stdout, stderr}
	err = c.run(ctx, args)
	var usage errUsage
	var refused *rpc.Error
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(stdout, AdminUsage)
		return 0
	case errors.As(err, &usage):
		fmt.Fprintf(stderr, "wardbook admin: %s\n\n%s", usage.text, AdminUsage)
		return 2
	case errors.As(err, &refused):
		fmt.Fprintln(stderr, "wardbook admin:", refused.En)
	case errors.Is(err, store.ErrNotFound):
		fmt.Fprintln(stderr, "wardbook admin: there is no such account")
	default:
		fmt.Fprintln(stderr, "wardbook admin:", err)
	}
	return 1
}

type command struct {
	accounts *Accounts
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
}

func (c command) run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage{"what should be done?"}
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "create":
		return c.create(ctx, args)
	case "help", "-h", "-help", "--help":
		return flag.ErrHelp
	}
	known := map[string]struct {
		least, most int
		do          func(context.Context, []string) error
	}{
		"list": {0, 0, c.list}, "reset-password": {1, 1, c.reset}, "code": {1, 1, c.code}, "move": {2, 2, c.move}, "audit": {0, 1, c.audit},
		"disable": {1, 1, func(ctx context.Context, args []string) error { return c.disable(ctx, args[0], true) }},
		"enable":  {1, 1, func(ctx context.Context, args []string) error { return c.disable(ctx, args[0], false) }},
	}
	k, ok := known[verb]
	if !ok {
		return errUsage{fmt.Sprintf("unknown command %q", verb)}
	}
	for _, a := range args {
		if strings.HasPrefix(a, "-") {
			return errUsage{fmt.Sprintf("%s has no flag %s", verb, a)}
		}
	}
	if len(args) < k.least || len(args) > k.most {
		return errUsage{fmt.Sprintf("%s: got %d arguments, want %d", verb, len(args), k.most)}
	}
	return k.do(ctx, args)
}

func (c command) create(ctx context.Context, args []string) error {
	n := NewAccount{Role: store.RoleAdmin, FirstDeviceFree: true}
	flags := flag.NewFlagSet("create", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	role := flags.String("role", "admin", "")
	flags.StringVar(&n.Unit, "unit", "", "")
	flags.StringVar(&n.DisplayName, "display", "", "")
	flags.BoolVar(&n.Sensitive, "sensitive", false, "")
	var names []string
	for { // flags may stand before and after the name
		if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
			return err
		} else if err != nil {
			return errUsage{"create: " + err.Error()}
		}
		if flags.NArg() == 0 {
			break
		}
		names, args = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	if len(names) != 1 {
		return errUsage{fmt.Sprintf("create: got %d names, want 1", len(names))}
	}
	n.Name, n.Role = names[0], store.Role(*role)
	if !n.Role.Valid() {
		return errUsage{fmt.Sprintf("create: -role %q: name one of officer, supervisor, hub and admin", *role)}
	}
	var err error
	if err = c.known(n.Unit); n.Unit != "" && err != nil {
		return fmt.Errorf("create: -unit %w", err)
	}
	if n.Password, err = c.readPassword(); err != nil {
		return err
	}
	acc, _, err := c.accounts.Create(ctx, Console(), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "created %s %s\n", acc.Role, acc.Name)
	return nil
}

// known returns an error that says what to do, unless code is a unit's of the list in force.
func (c command) known(code string) error {
	if c.accounts.isUnit(code) {
		return nil
	}
	return fmt.Errorf("%q: there is no such unit in the list in force; wardbook units -data DIR list prints it", code)
}

// readPassword takes the password from the environment, from a terminal without
// echo and twice, or from a line of a pipe.
func (c command) readPassword() (string, error) {
	if p := os.Getenv("WARDBOOK_PASSWORD"); p != "" {
		return p, nil
	}
	f, ok := c.stdin.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(c.stdin, 4096)).ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", errors.Join(errors.New("no password: set WARDBOOK_PASSWORD or type one"), ignoreEOF(err))
		}
		return line, nil
	}
	var typed [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(c.stderr, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(c.stderr)
		if err != nil {
			return "", fmt.Errorf("read password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", errors.New("the two passwords differ")
	}
	if typed[0] == "" {
		return "", errors.New("no password")
	}
	return typed[0], nil
}

func ignoreEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func (c command) list(ctx context.Context, _ []string) error {
	w := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tROLE\tUNIT\tSENSITIVE\tSTATE\tDISPLAY NAME")
	for after := ""; ; {
		page, err := c.accounts.List(ctx, Console(), after, 200)
		if err != nil {
			return err
		}
		for _, a := range page {
			state := "enabled"
			if a.Disabled {
				state = "disabled"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%t\t%s\t%s\n", a.Name, a.Role, a.Unit, a.Sensitive, state, a.DisplayName)
			after = a.Name
		}
		if len(page) < 200 {
			return w.Flush()
		}
	}
}

func (c command) reset(ctx context.Context, args []string) error {
	acc, err := c.accounts.Find(ctx, Console(), args[0])
	if err != nil {
		return err
	}
	password, err := c.readPassword()
	if err != nil {
		return err
	}
	if _, err := c.accounts.ResetPassword(ctx, Console(), acc.ID, password); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "reset the password of %s, who must change it at the next sign-in\n", acc.Name)
	return nil
}

func (c command) disable(ctx context.Context, name string, disabled bool) error {
	acc, err := c.accounts.Find(ctx, Console(), name)
	if err != nil {
		return err
	}
	if _, err := c.accounts.Alter(ctx, Console(), acc.ID, Change{Disabled: &disabled}); err != nil {
		return err
	}
	word := "enabled"
	if disabled {
		word = "disabled"
	}
	fmt.Fprintln(c.stdout, word, acc.Name)
	return nil
}

func (c command) move(ctx context.Context, args []string) error {
	acc, err := c.accounts.Find(ctx, Console(), args[0])
	if err != nil {
		return err
	}
	if err := c.known(args[1]); err != nil {
		return fmt.Errorf("move: %w", err)
	}
	if _, err := c.accounts.Alter(ctx, Console(), acc.ID, Change{Unit: &args[1]}); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "moved %s to %s\n", acc.Name, args[1])
	return nil
}

func (c command) code(ctx context.Context, args []string) error {
	acc, err := c.accounts.Find(ctx, Console(), args[0])
	if err != nil {
		return err
	}
	code, expires, err := c.accounts.IssueCode(ctx, Console(), acc.ID)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%s\n", code)
	fmt.Fprintf(c.stderr, "enrols one device of %s, once, until %s\n", acc.Name, expires.UTC().Format("2006-01-02 15:04 UTC"))
	return nil
}

func (c command) audit(ctx context.Context, args []string) error {
	var kept []audit.Head
	for _, a := range args {
		h, err := audit.ParseHead(a)
		if err != nil {
			return errUsage{fmt.Sprintf("audit %s: %v; give a head as audit printed it: a number, a colon and 64 hexadecimal digits", a, err)}
		}
		kept = append(kept, h)
	}
	head, err := c.accounts.VerifyAudit(ctx, Console(), kept...)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.stdout, head)
	return nil
}
