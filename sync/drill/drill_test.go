package drill

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func program(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "wardbook")
	if out, err := exec.Command("go", "build", "-o", bin, "wardbook/server").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return bin
}

// TestRestore is the drill in short. The second time it takes no flush of the
// server's for one: then what was given back must be missing, or the drill could
// not notice a loss.
func TestRestore(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	bin := program(t)
	for _, c := range []struct {
		name   string
		forget bool
	}{{"Flushed", false}, {"FlushesForgotten", true}} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := exec.LookPath("strace"); err != nil && c.forget {
				t.Skip("strace is not installed: make tools")
			}
			report, err := Restore(context.Background(), Config{Program: bin, Folder: filepath.Join(t.TempDir(), "drill"), Edits: 60, Approvals: 10, forget: c.forget})
			if err != nil {
				t.Fatal(err)
			}
			var failed []string
			for _, check := range report.Checks {
				if !check.OK {
					failed = append(failed, check.What+": "+check.Got)
				}
			}
			text := strings.Join(failed, "\n")
			if !c.forget && text != "" || len(report.Checks) != 10 {
				t.Errorf("%d checks, failed:\n%s", len(report.Checks), text)
			}
			if c.forget && !strings.Contains(text, "acknowledged values back") {
				t.Errorf("no write was flushed, and yet nothing was lost; failed:\n%s", text)
			}
		})
	}
}

func TestUnflushed(t *testing.T) {
	const wal = "/d/wardbook.db-wal"
	for _, c := range []struct {
		name, trace string
		want        []span
	}{
		{"written and flushed", "7  pwrite64(11<" + wal + `>, ""..., 24, 100) = 24` + "\n7  fsync(11<" + wal + ">) = 0\n", nil},
		{"written behind the flush", "7  fdatasync(11<" + wal + ">) = 0\n7  pwrite64(11<" + wal + `>, ""..., 24, 100) = 24` + "\n", []span{{100, 124}}},
		{"a flush that failed", "7  pwrite64(11<" + wal + `>, ""..., 24, 100) = 24` + "\n7  fsync(11<" + wal + ">) = -1 EIO\n", []span{{100, 124}}},
		{"a flush that had begun before", "7  pwrite64(11<" + wal + `>, ""..., 8, 0) = 8` + "\n7  fsync(11<" + wal + "> <unfinished ...>\n8  pwrite64(11<" + wal + `>, ""..., 24, 100) = 24` + "\n7  <... fsync resumed>) = 0\n", []span{{100, 124}}},
		{"a flush that never came back", "7  pwrite64(11<" + wal + `>, ""..., 8, 0 <unfinished ...>` + "\n7  fsync(11<" + wal + "> <unfinished ...>\n", []span{{0, 8}}},
		{"a flush of another file", "7  pwrite64(11<" + wal + `>, ""..., 8, 0) = 8` + "\n7  fsync(10</d/wardbook.db>) = 0\n", []span{{0, 8}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := unflushed(c.trace)
			if err != nil || !(len(got[wal]) == 0 && len(c.want) == 0) && !reflect.DeepEqual(got[wal], c.want) {
				t.Errorf("got %v, %v, want %v", got[wal], err, c.want)
			}
		})
	}
	if _, err := unflushed("7  write(11<" + wal + `>, ""..., 8) = 8` + "\n"); err == nil {
		t.Error("a write without a place was taken")
	}
}

func TestCut(t *testing.T) {
	from, to := t.TempDir(), filepath.Join(t.TempDir(), "dark")
	wal := filepath.Join(from, "wardbook.db-wal")
	if err := os.WriteFile(wal, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := cut(from, to, map[string][]span{wal: {{2, 4}, {8, 20}}}); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(to, "wardbook.db-wal"))
	if want := "01\x00\x004567\x00\x00"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
