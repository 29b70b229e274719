package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wardbook/server/auth"
)

// wardbook runs a command and returns its exit code and what it printed.
func wardbook(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // serve ends with it, if it was to be refused
	defer stop()
	code := run(ctx, args, strings.NewReader(""), &out, &out)
	return code, out.String()
}

// hashes returns what lies in a folder, by name.
func hashes(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	all := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		all[path] = sha256.Sum256(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestFoldersThatAreNone calls commands on folders that they are not for: each is
// refused with the fix, and leaves everything as it was.
func TestFoldersThatAreNone(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	t.Setenv("WARDBOOK_PASSWORD", "mật khẩu đủ dài cho người quản trị")
	if code, text := wardbook(t, "admin", "-data", at("data"), "create", "first.admin"); code != 0 {
		t.Fatalf("create: exit %d: %s", code, text)
	}
	a, err := openApp(t.Context(), appConfig{data: at("data"), enrolment: auth.EnrolByPassword}) // the first start makes the keys
	if err != nil {
		t.Fatal(err)
	}
	if err := a.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if code, text := wardbook(t, "backup", "-data", at("data"), "-to", at("saved")); code != 0 {
		t.Fatalf("backup: exit %d: %s", code, text)
	}
	serve := func(name string) []string { return []string{"serve", "-listen", "127.0.0.1:0", "-data", at(name)} }
	if err := os.MkdirAll(at("keysonly/keys"), 0o700); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(at("data/keys/keys.json"))
	if err == nil {
		err = os.WriteFile(at("keysonly/keys/keys.json"), body, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	before := hashes(t, dir)
	for _, c := range []struct {
		args []string
		want string
	}{
		{serve("saved"), "this folder is a backup"},
		{[]string{"admin", "-data", at("saved"), "list"}, "this folder is a backup"},
		{[]string{"admin", "-data", at("saved"), "create", "x.y"}, "this folder is a backup"},
		{[]string{"units", "-data", at("saved"), "list"}, "this folder is a backup"},
		{[]string{"restore", "-from", at("saved"), "-data", at("saved"), "-new-keys"}, "this folder is a backup"},
		{[]string{"doctor", "-data", at("saved")}, "this is a backup"},
		{serve("keysonly"), "wardbook.db is not"},
		{[]string{"admin", "-data", at("typo"), "list"}, "check the path"},
		{[]string{"admin", "-data", at("typo"), "audit"}, "check the path"},
		{[]string{"units", "-data", at("typo"), "list"}, "check the path"},
		{[]string{"doctor", "-data", at("typo")}, "is no folder"},
	} {
		if code, text := wardbook(t, c.args...); code != 1 || !strings.Contains(text, c.want) {
			t.Errorf("%q: got exit %d and %q, want 1 and %q", c.args, code, text, c.want)
		}
	}
	after := hashes(t, dir)
	for path, hash := range after {
		if was, ok := before[path]; !ok {
			t.Errorf("%s was made", path)
		} else if was != hash {
			t.Errorf("%s was changed", path)
		}
	}
	if len(after) < len(before) {
		t.Error("a file is gone")
	}
	if _, err := os.Stat(at("typo")); err == nil {
		t.Error("a folder was made of a mistyped path")
	}
	if code, text := wardbook(t, "restore", "-from", at("saved"), "-data", at("data")); code != 0 {
		t.Errorf("the backup is none any more: exit %d: %s", code, text)
	}
	if code, text := wardbook(t, "admin", "-data", at("data"), "list"); code != 0 || !strings.Contains(text, "first.admin") {
		t.Errorf("restored: exit %d: %s", code, text)
	}
}

// TestServeWithoutItsKeys: a database that devices were enrolled in does not begin
// with new keys in silence; one that nobody has used yet does.
func TestServeWithoutItsKeys(t *testing.T) {
	data := t.TempDir()
	open := func() error {
		a, err := openApp(t.Context(), appConfig{data: data, enrolment: auth.EnrolByPassword})
		if err != nil {
			return err
		}
		return a.close(t.Context())
	}
	lose := func() {
		if err := os.Rename(filepath.Join(data, "keys"), filepath.Join(t.TempDir(), "keys")); err != nil {
			t.Fatal(err)
		}
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	lose()
	if err := open(); err != nil {
		t.Errorf("a database that nobody has used: %v", err)
	}
	const password = "mật khẩu đủ dài cho người quản trị"
	t.Setenv("WARDBOOK_PASSWORD", password)
	if code, text := wardbook(t, "admin", "-data", data, "create", "first.admin"); code != 0 {
		t.Fatalf("create: exit %d: %s", code, text)
	}
	a, err := openApp(t.Context(), appConfig{data: data, enrolment: auth.EnrolByPassword})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.auth.Login(t.Context(), auth.Credentials{Name: "first.admin", Password: password, Label: "test"}); err != nil {
		t.Fatal(err)
	}
	if err := a.close(t.Context()); err != nil {
		t.Fatal(err)
	}
	lose()
	if err := open(); err == nil || !strings.Contains(err.Error(), "keys/keys.json is missing") {
		t.Errorf("a database that was used: got %v", err)
	}
	if _, err := os.Stat(filepath.Join(data, "keys")); err == nil {
		t.Error("new keys were made")
	}
}
