//go:build !js

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"wardbook/client-wasm/replica"
)

// login signs somebody in and fetches what the device needs to work offline.
func (d *device) login(ctx context.Context, name string) error {
	if d.line.server == "" {
		return wrong("flag -server is missing: name the server, such as -server http://localhost:8080")
	}
	server, err := parseServer(d.line.server)
	if err != nil {
		return err
	}
	if server.Scheme == "http" && !loopback(server) {
		fmt.Fprintln(d.stderr, d.text("cảnh báo: kết nối http không mã hóa; mật khẩu có thể bị đọc trên đường truyền.",
			"warning: http is not encrypted; the password can be read on its way."))
	}
	if err := d.acquire(true); err != nil {
		return err
	}
	if err := d.openStore(ctx); err != nil {
		return err
	}
	state, err := d.store.State(ctx)
	if err != nil {
		return err
	}
	if have := state.Meta.Account.Name; have != "" {
		if !strings.EqualFold(have, name) {
			return belongsTo(d.line.dir, have, name)
		}
		// Who signed in here before is known by the device's id, which needs
		// no code again.
		if err := d.openReplica(ctx, replica.Account{}); err != nil {
			return err
		}
	}
	password, err := d.password(name)
	if err != nil {
		return err
	}
	a := newAPI(server)
	in := map[string]string{"name": name, "password": password, "device_label": label()}
	if code := d.env("WARDBOOK_CODE"); code != "" {
		in["code"] = code
	}
	if d.session.DeviceID != "" {
		in["device_id"] = d.session.DeviceID
	}
	var g grant
	if err := a.call(ctx, "POST", "/api/v1/auth/login", "", in, &g); err != nil {
		return d.loginError(err)
	}
	if err := d.openReplica(ctx, g.account()); err != nil {
		return err
	}
	if err := d.take(ctx, server.String(), &g); err != nil {
		return err
	}
	if err := d.replica.Trust(ctx, g.ServerKey); err != nil {
		return err
	}
	if g.Account.MustChange {
		return errors.New("the password must be changed first: sign in with a browser at " + server.String())
	}
	if err := d.fetchScopes(ctx, a, g.Access); err != nil {
		var refused *apiError
		if errors.As(err, &refused) && refused.Status == 403 {
			return fmt.Errorf("%s is signed in, but the role %s has no records to hold on a device", g.Account.Name, g.Account.Role)
		}
		return err
	}
	if d.line.json {
		return d.printJSON(struct {
			Account string `json:"account"`
			Role    string `json:"role"`
			Unit    string `json:"unit"`
			Server  string `json:"server"`
		}{g.Account.Name, g.Account.Role, g.Account.Unit, server.String()})
	}
	fmt.Fprintf(d.stdout, d.text("đã đăng nhập %s (%s, đơn vị %s)\n", "signed in as %s (%s, unit %s)\n"), g.Account.Name, g.Account.Role, g.Account.Unit)
	return nil
}

func (d *device) loginError(err error) error {
	var refused *apiError
	if !errors.As(err, &refused) {
		return err
	}
	text := refused.Error()
	if d.lang == "vi" && refused.VI != "" {
		text = refused.VI
	}
	switch refused.Code {
	case "enrolment_required", "enrolment_code_invalid":
		text += d.text(" Đặt mã vào biến WARDBOOK_CODE.", " Put the code into WARDBOOK_CODE.")
	}
	return errors.New(text)
}

// password takes the password from the environment or asks for it.
func (d *device) password(name string) (string, error) {
	if p := d.env("WARDBOOK_PASSWORD"); p != "" {
		return p, nil
	}
	if f, ok := d.stdin.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprintf(d.stderr, d.text("Mật khẩu của %s: ", "Password of %s: "), name)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(d.stderr)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		return string(b), nil
	}
	text, err := bufio.NewReader(d.stdin).ReadString('\n')
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		if err == nil {
			err = errors.New("it is empty")
		}
		return "", fmt.Errorf("no password: set WARDBOOK_PASSWORD, or type it (%w)", err)
	}
	return text, nil
}

func loopback(u *url.URL) bool {
	host := u.Hostname()
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// label is what an administrator sees of the device.
func label() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "?"
	}
	return "wardbook-device on " + host
}
