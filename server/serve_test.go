package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestServeRefuses shows what the command line says of mistakes: the flag or
// the cause, and a non-zero exit.
func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"NoCommand", nil, 2, "Usage: wardbook"},
		{"UnknownCommand", []string{"sreve"}, 2, `unknown command "sreve"`},
		{"UnknownFlag", []string{"serve", "-dmeo"}, 2, "-dmeo"},
		{"StrayArgument", []string{"serve", "-data", "x", "demo"}, 2, `"demo"`},
		{"NoData", []string{"serve"}, 2, "-data is required"},
		{"PortInUse", []string{"serve", "-listen", taken.Addr().String(), "-data", t.TempDir()}, 1, "address already in use"},
		{"BadAddress", []string{"serve", "-listen", "nowhere", "-data", t.TempDir()}, 1, "-listen nowhere"},
		{"DataIsAFile", []string{"serve", "-listen", "127.0.0.1:0", "-data", filepath.Join(file, "data")}, 1, "-data "},
		{"BackupWithoutTo", []string{"backup", "-data", t.TempDir()}, 2, "-to is required: name the folder"},
		{"BackupOfNothing", []string{"backup", "-data", t.TempDir(), "-to", filepath.Join(t.TempDir(), "b")}, 1, "there is no database"},
		{"RestoreWithoutFrom", []string{"restore", "-data", t.TempDir()}, 2, "-from is required"},
		{"RestoreOfNothing", []string{"restore", "-from", t.TempDir(), "-data", t.TempDir()}, 1, "holds no manifest.json"},
		{"DoctorOfNothing", []string{"doctor", "-data", filepath.Join(t.TempDir(), "none")}, 1, ""},
		{"HelpBehindACommand", []string{"units", "change", "-h"}, 0, "usage: wardbook units"},
		{"HelpWithoutData", []string{"admin", "create", "-help"}, 0, "usage: wardbook admin"},
		{"HubHelp", []string{"hub", "-h"}, 0, "-url"},
		{"DrillHelp", []string{"drill", "--help"}, 0, "-approvals"},
		{"HelpOfNoCommand", []string{"help", "frobnicate"}, 2, `unknown command "frobnicate"`},
		{"BadOrigin", []string{"serve", "-data", t.TempDir(), "-origins", "wardbook.example"}, 2, "-origins"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := run(context.Background(), c.args, strings.NewReader(""), &out, &errs)
			if code != c.code || !strings.Contains(errs.String(), c.says) {
				t.Errorf("got exit %d and %q, want %d and %q", code, errs.String(), c.code, c.says)
			}
		})
	}
}

// The command line knows the list of units in force, on a folder that it makes.
func TestAdminKnowsUnits(t *testing.T) {
	t.Setenv("WARDBOOK_PASSWORD", "một câu đủ dài để dùng")
	data := t.TempDir()
	for _, c := range []struct {
		args string
		code int
		says string
	}{
		{"create officer.x -role officer -unit 99999", 1, `-unit "99999": there is no such unit`},
		{"create officer.x -role officer -unit 26740", 0, "created officer officer.x"},
		{"move officer.x 11111", 1, `"11111": there is no such unit`},
		{"move officer.x 26743", 0, "moved officer.x to 26743"},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), append([]string{"admin", "-data", data}, strings.Fields(c.args)...), strings.NewReader(""), &out, &errs)
		if code != c.code || !strings.Contains(out.String()+errs.String(), c.says) {
			t.Errorf("admin %s: got exit %d, %q and %q, want %d and %q", c.args, code, out.String(), errs.String(), c.code, c.says)
		}
	}
}

func TestHelpAndVersion(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"help", "Usage: wardbook COMMAND"},
		{"help -h", "Usage: wardbook COMMAND"},
		{"--help", "Usage: wardbook COMMAND"},
		{"help serve", "-listen"},
		{"help hub", "-timeout"},
		{"help hub pull", "-timeout"},
		{"help drill", "-edits"},
		{"help admin create", "usage: wardbook admin"},
		{"help units", "usage: wardbook units"},
		{"help doctor", "Usage of wardbook doctor"},
		{"help rescue", "-url"},
		{"help bench", "-quick"},
		{"help sim", "-seeds"},
		{"version", "wardbook " + Version},
		{"-version", "wardbook " + Version},
		{"--version", "wardbook " + Version},
	} {
		var out, errs bytes.Buffer
		code := run(context.Background(), strings.Fields(c.args), strings.NewReader(""), &out, &errs)
		if code != 0 || !strings.Contains(out.String(), c.says) || errs.Len() > 0 {
			t.Errorf("wardbook %s: got exit %d, %q and %q, want 0 and %q", c.args, code, out.String(), errs.String(), c.says)
		}
	}
}
