package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"wardbook/sync/protocol"
)

// A diskFault is what the kernel answers to one kind of call of the server, on
// its database alone.
type diskFault struct {
	calls string // system calls, by strace's names
	files []string
	err   string
	fatal bool // nothing may be promised afterwards; the process must end
}

func (f diskFault) String() string {
	return fmt.Sprintf("%s of %s fails with %s", f.calls, strings.Join(f.files, ", "), f.err)
}

// A flush that failed once must not be believed when it succeeds the second
// time, and neither must a disk that could not write. A full disk is a refusal,
// after which there is work again once there is room.
var diskFaults = []diskFault{
	{"fsync,fdatasync", all, "EIO", true},
	{"fsync,fdatasync", all, "ENOSPC", true},
	{"write,pwrite64", all, "EIO", true},
	{"write,pwrite64", all, "ENOSPC", false},
	// The log is copied into the database behind the acknowledgements.
	{"fsync,fdatasync", all[:1], "EIO", true},
	{"write,pwrite64", all[:1], "EIO", true},
	{"write,pwrite64", all[:1], "ENOSPC", false},
}

var all = []string{"wardbook.db", "wardbook.db-wal"}

// tracer is an strace that makes calls of a running process fail.
type tracer struct {
	cmd  *exec.Cmd
	file string
	done chan struct{}
}

// inject attaches to p, whose calls on the database then fail: the nth of each
// thread, and if on is set all that follow.
func (f diskFault) inject(t *testing.T, p *process, data string, nth int, on bool) *tracer {
	t.Helper()
	when := fmt.Sprint(nth)
	if on {
		when += "+"
	}
	x := &tracer{file: filepath.Join(t.TempDir(), "trace"), done: make(chan struct{})}
	x.cmd = exec.Command("strace", "-f", "-y", "-x", "-s", "512", "-p", fmt.Sprint(p.cmd.Process.Pid), "-o", x.file,
		"-e", "trace=fsync,fdatasync,write,pwrite64", "-e", "inject="+f.calls+":error="+f.err+":when="+when)
	for _, file := range f.files {
		x.cmd.Args = append(x.cmd.Args, "-P", filepath.Join(data, file))
	}
	x.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stderr, err := x.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.detach)
	attached := make(chan struct{})
	var said bytes.Buffer
	go func() {
		defer close(x.done)
		told := false
		for sc := bufio.NewScanner(stderr); sc.Scan(); {
			said.WriteString(sc.Text() + "\n")
			if !told && strings.Contains(sc.Text(), "attached") {
				told = true
				close(attached)
			}
		}
		x.cmd.Wait()
	}()
	select {
	case <-attached:
	case <-x.done:
		t.Skipf("a process cannot be traced here: %s", strings.TrimSpace(said.String()))
	case <-time.After(30 * time.Second):
		t.Fatal("strace did not attach")
	}
	return x
}

// detach lets the process go on as if nothing had been.
func (x *tracer) detach() {
	x.cmd.Process.Signal(syscall.SIGINT)
	<-x.done
}

var (
	injected = regexp.MustCompile(`\(INJECTED\)`)
	// A flush, whole or in two lines if another thread's call came between.
	flushBegun = regexp.MustCompile(`^(\d+) +f(?:data)?sync\(\d+<[^>]*wardbook\.db(-wal)?>(?:\) = (-?\d+)| <unfinished)`)
	flushEnded = regexp.MustCompile(`^(\d+) +<\.\.\. f(?:data)?sync resumed>\) += (-?\d+)`)
)

// faults counts the calls that were made to fail.
func (x *tracer) faults(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(x.file)
	if err != nil {
		t.Fatal(err)
	}
	return len(injected.FindAll(b, -1))
}

// promised reads a trace: how many commits could be flushed before the first
// flush failed.
func (x *tracer) promised(t *testing.T) (flushed int, failed bool) {
	t.Helper()
	b, err := os.ReadFile(x.file)
	if err != nil {
		t.Fatal(err)
	}
	log := map[string]bool{} // by thread: its flush that is under way is of the log
	for line := range strings.Lines(string(b)) {
		result := ""
		m := flushBegun.FindStringSubmatch(line)
		if m != nil {
			log[m[1]], result = m[2] != "", m[3]
		} else if m = flushEnded.FindStringSubmatch(line); m != nil {
			result = m[2]
		}
		switch {
		case result == "":
		case result != "0":
			return flushed, true
		case log[m[1]]:
			flushed++
		}
	}
	return flushed, false
}

// TestDiskFailsUnderPushes makes the nth flush, or write, of the database fail
// while a device pushes. After a flush that failed nothing more is acknowledged
// and the process ends with a reason; a full disk refuses the push. After a
// restart, or with room again, everything that was acknowledged is there and
// pushes go on.
func TestDiskFailsUnderPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	if _, err := exec.LookPath("strace"); err != nil {
		t.Skip("strace is not installed: make tools")
	}
	for _, f := range diskFaults {
		t.Run(f.String(), func(t *testing.T) {
			data := t.TempDir()
			u := newPusher(2)
			p := startProcess(t, data)
			plays, failures := times(1, 6, 100), 0
			for play := range plays {
				w := u.open(t, p)
				nth := 1 + play/2%7
				if u.rests = len(f.files) == 1; u.rests {
					nth = 1 // each thread counts its own calls, and which of them copies the log is anybody's guess
				}
				x := f.inject(t, p, data, nth, play%2 == 1)
				most := 300 * nth
				if f.fatal {
					most *= 10 // the fault ends them
				}
				refused := u.push(w, most)
				if f.fatal {
					f.ended(t, p, x, u.acks)
				} else if x.faults(t) > 0 && len(f.files) == len(all) {
					if refused == nil || refused.Code != protocol.Busy || refused.RetryAfter == 0 {
						t.Fatalf("a full disk: got %v, want busy and when to come again", refused)
					}
				}
				failures += x.faults(t)
				x.detach()
				if f.fatal {
					<-p.ended
					p = startProcess(t, data)
				} else if p.hasEnded() {
					t.Fatalf("the server ended for a full disk: %s", p.stderr())
				}
				// With the disk well again, all goes on without hands.
				u.rests = false
				w = u.open(t, p)
				whole := u.acked
				if refused := u.push(w, 3); refused != nil || u.acked <= whole {
					t.Fatalf("after the fault: got %v, acknowledged %d, then %d", refused, whole, u.acked)
				}
			}
			if failures == 0 {
				t.Fatal("no call failed: the test proves nothing")
			}
			u.check(t, p)
			tell(t, f.String(), plays, "%d acknowledged writes, 0 lost, %s", u.acked,
				map[bool]string{true: "process ended each time", false: "process went on"}[f.fatal])
		})
	}
}

// ended checks how a process took a disk that fails: no acknowledgement that no
// flush stands behind, a reason, and an exit code.
func (f diskFault) ended(t *testing.T, p *process, x *tracer, acks int) {
	t.Helper()
	select {
	case <-p.ended:
	case <-time.After(30 * time.Second):
		t.Fatalf("the server still runs 30 s after its disk failed (%d faults)", x.faults(t))
	}
	<-x.done
	if x.faults(t) == 0 {
		t.Fatal("the server ended, but no call was made to fail")
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("got exit %d, want 1", code)
	}
	if !strings.Contains(p.stderr(), "could not be made durable") {
		t.Errorf("the server does not say why it ended: %s", p.stderr())
	}
	if strings.Contains(f.calls, "sync") && len(f.files) == len(all) {
		if flushed, failed := x.promised(t); !failed || acks > flushed {
			t.Errorf("%d commits were flushed (a flush failed: %v), yet %d pushes were acknowledged", flushed, failed, acks)
		}
	}
}
