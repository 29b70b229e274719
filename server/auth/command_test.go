package auth

import (
	"bytes"
	"strings"
	"testing"

	"wardbook/server/store"
)

func TestAdminCommand(t *testing.T) {
	t.Setenv("WARDBOOK_PASSWORD", "")
	f := newFixture(t, Options{})
	run := func(stdin string, args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		code := AdminCommand(ctx, f.store, func(code string) bool { return code == "26734" || code == "26737" }, args, strings.NewReader(stdin), &out, &errs)
		return code, out.String(), errs.String()
	}
	cases := []struct {
		stdin string
		args  string
		code  int
		out   string // contained in stdout, for 0, or stderr
	}{
		{"", "", 2, "usage: wardbook admin"},
		{"", "fly", 2, `unknown command "fly"`},
		{"", "create", 2, "got 0 names, want 1"},
		{"", "create a b", 2, "got 2 names, want 1"},
		{"", "create boss -nonsense", 2, "-nonsense"},
		{"", "list extra", 2, "got 1 arguments, want 0"},
		{"", "disable", 2, "got 0 arguments, want 1"},
		{"", "disable -force boss", 2, "no flag -force"},
		{"", "help", 0, "usage: wardbook admin"},
		{"", "create boss", 1, "no password"},
		{"short\n", "create boss", 1, "at least 10 characters"},
		{goodPassword + "\n", "create boss -unit 26734", 1, "valid unit"},
		{goodPassword + "\n", "create Boss -display Chủ.Tịch", 0, "created admin boss"},
		{goodPassword + "\n", "create boss", 1, "taken"},
		{goodPassword, "create -role officer -unit 26734 -sensitive officer.a", 0, "created officer officer.a"},
		{goodPassword, "create -role officer -unit 99999 officer.b", 1, `-unit "99999": there is no such unit in the list in force; wardbook units -data DIR list`},
		{goodPassword, "create -role king -unit 26734 officer.b", 2, "officer, supervisor, hub and admin"},
		{"", "list", 0, "officer.a  officer  26734  true"},
		{"", "disable boss", 1, "one enabled administrator"},
		{"", "disable nobody", 1, "no such account"},
		{"", "disable officer.a", 0, "disabled officer.a"},
		{"", "list", 0, "disabled"},
		{"", "enable officer.a", 0, "enabled officer.a"},
		{"", "move officer.a 26737", 0, "moved officer.a to 26737"},
		{"một câu khác hẳn\n", "reset-password officer.a", 0, "reset the password of officer.a"},
		{"", "move officer.a 11111", 1, `"11111": there is no such unit in the list in force; wardbook units -data DIR list`},
		{"", "audit nonsense", 2, "a colon and 64 hexadecimal digits"},
		{"", "audit 3:00", 2, "a colon and 64 hexadecimal digits"},
		{"", "audit", 0, ":"},
	}
	for _, c := range cases {
		code, out, errs := run(c.stdin, strings.Fields(c.args)...)
		text := out
		if code != 0 {
			text = errs
		}
		if code != c.code || !strings.Contains(text, c.out) {
			t.Errorf("admin %s: got %d, %q and %q, want %d and %q", c.args, code, out, errs, c.code, c.out)
		}
		if code != 0 && out != "" {
			t.Errorf("admin %s: an error wrote %q to stdout", c.args, out)
		}
	}
	// What it made works: the account's first device needs no code, the next does.
	if _, err := f.Login(ctx, Credentials{Name: "boss", Password: goodPassword}); err != nil {
		t.Errorf("first device: %v", err)
	}
	_, err := f.Login(ctx, Credentials{Name: "boss", Password: goodPassword})
	wantErr(t, "second device", err, ErrEnrolment)
	_, code, errs := run("", "code", "boss")
	if code = strings.TrimSpace(code); len(code) != 14 || !strings.Contains(errs, "once, until") {
		t.Errorf("code: got %q and %q", code, errs)
	}
	g, err := f.Login(ctx, Credentials{Name: "boss", Password: goodPassword, Code: code})
	if err != nil || g.Account.Role != store.RoleAdmin {
		t.Errorf("second device with the code: %+v, %v", g.Account, err)
	}
	_, err = f.Login(ctx, Credentials{Name: "officer.a", Password: "một câu khác hẳn"})
	if err != nil {
		t.Errorf("after the reset: %v", err)
	}
	t.Setenv("WARDBOOK_PASSWORD", "từ môi trường mà ra")
	if code, _, errs := run("", "create", "other"); code != 0 {
		t.Errorf("password from the environment: %d %s", code, errs)
	}
	_, head, _ := run("", "audit")
	if code, _, errs := run("", "audit", strings.TrimSpace(head)); code != 0 {
		t.Errorf("verify against the head just printed: %s", errs)
	}
	if code, _, errs := run("", "audit", "1:"+strings.Repeat("0", 64)); code != 1 || !strings.Contains(errs, "broken at entry 1") {
		t.Errorf("verify against a foreign head: got %d %s", code, errs)
	}
}
