package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
)

// Idle is what sockets cost that are signed in, follow a unit and say nothing.
type Idle struct {
	Sockets  int   `json:"sockets"`
	Answered int   `json:"answered"`        // pings, after all were open
	Bytes    int64 `json:"bytes"`           // by which the server's process grew, once it had collected its garbage
	Unrested int64 `json:"bytes_unrested"`  // before it had
	Base     int64 `json:"bytes_of_server"` // of the process without sockets
}

// errNoIdle says why there is no figure.
var errNoIdle = errors.New("needs /proc, and a program that can serve as a process of its own")

// holding is how the parent is told where the child serves.
type holding struct{ URL, Password string }

// Hold serves in a process of its own for the measure of idle sockets: it
// tells out where, collects its garbage for each line of in, and ends with it.
func Hold(ctx context.Context, start StartServer, dir string, in io.Reader, out io.Writer) (err error) {
	def, err := definition()
	if err != nil {
		return err
	}
	s, err := start(ctx, dir, def)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	password, err := s.Officer(ctx, officerA, unit)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(out).Encode(holding{s.URL, password}); err != nil {
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		debug.FreeOSMemory()
		if _, err := fmt.Fprintln(out, "rested"); err != nil {
			return err
		}
	}
	return lines.Err()
}

// opening is how many sockets are opened at a time.
const opening = 64

// idleDevices is how many devices the sockets are of.
const idleDevices = 20

// holdIdle opens sockets at a server in a process of its own, and reads how
// that process has grown.
func (b *bencher) holdIdle(ctx context.Context, child func(ctx context.Context, dir string) *exec.Cmd) (idle Idle, err error) {
	if child == nil {
		return idle, errNoIdle
	}
	cmd := child(ctx, b.path("idle"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return idle, err
	}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return idle, err
	}
	if err := cmd.Start(); err != nil {
		return idle, err
	}
	defer func() { err = errors.Join(err, in.Close(), cmd.Wait()) }()
	out := bufio.NewReader(pipe)
	line, err := out.ReadBytes('\n')
	if err != nil {
		return idle, err
	}
	var at holding
	if err := json.Unmarshal(line, &at); err != nil {
		return idle, err
	}
	rested := func() (int64, error) {
		if _, err := fmt.Fprintln(in); err != nil {
			return 0, err
		}
		if _, err := out.ReadString('\n'); err != nil {
			return 0, err
		}
		return resident(cmd.Process.Pid)
	}
	// A device with a new store has all of its earlier ones looked at.
	tokens := make([]string, idleDevices)
	for i := range tokens {
		if tokens[i], err = signIn(ctx, at.URL, officerA, at.Password); err != nil {
			return idle, err
		}
	}
	first, err := say(ctx, at.URL, officerA, tokens[0], peerID('i', 0), nil)
	if err != nil {
		return idle, err
	}
	defer first.close()
	if idle.Base, err = rested(); err != nil {
		return idle, err
	}
	peers := make([]*peer, b.work.Sockets)
	defer func() {
		for _, p := range peers {
			if p != nil {
				p.close()
			}
		}
	}()
	if err := each(len(peers), func(i int) (err error) {
		peers[i], err = say(ctx, at.URL, officerA, tokens[i%idleDevices], peerID('i', 1+i), first)
		return err
	}); err != nil {
		return idle, err
	}
	idle.Sockets = len(peers)
	if idle.Unrested, err = resident(cmd.Process.Pid); err != nil {
		return idle, err
	}
	if idle.Bytes, err = rested(); err != nil {
		return idle, err
	}
	idle.Bytes, idle.Unrested = idle.Bytes-idle.Base, idle.Unrested-idle.Base
	var mu sync.Mutex
	err = each(len(peers), func(i int) error {
		err := peers[i].answers()
		if err == nil {
			mu.Lock()
			idle.Answered++
			mu.Unlock()
		}
		return err
	})
	return idle, err
}

// each does n things, some at a time.
func each(n int, do func(i int) error) error {
	var wait sync.WaitGroup
	errs := make([]error, opening)
	for w := range opening {
		wait.Go(func() {
			for i := w; i < n && errs[w] == nil; i += opening {
				errs[w] = do(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// resident returns how much memory a process holds.
func resident(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errNoIdle, err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kb << 10, err
		}
	}
	return 0, errNoIdle
}
