package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/sync/line"
)

// badLine is a server behind a line, and devices before it.
type badLine struct {
	*line.Line
	server *process
	device string // the program
}

func openLine(t *testing.T) *badLine {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for links to be given up")
	}
	l, err := line.Open()
	if errors.Is(err, line.ErrNotHere) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &badLine{Line: l}
	if b.device, err = buildDevice(); err != nil {
		t.Fatal(err)
	}
	b.server = startAt(t, line.Server.Host()+":8080", t.TempDir(), append([]string{"ip"}, l.Words(line.Server)...)...)
	return b
}

// handset is a headless device in a folder.
type handset struct {
	line *badLine
	name string
	dir  string
}

// handset signs a device in.
func (b *badLine) handset(t *testing.T, name string) *handset {
	t.Helper()
	h := &handset{b, name, t.TempDir()}
	if out, err := h.run(t, time.Minute, "-server", b.server.url, "login", name); err != nil {
		t.Fatalf("login %s: %v: %s", name, err, out)
	}
	return h
}

func (h *handset) command(words ...string) *exec.Cmd {
	cmd := h.line.Command(line.Device, h.line.device, append([]string{"-dir", h.dir}, words...)...)
	cmd.Env = append(os.Environ(), "WARDBOOK_LANG=en", "WARDBOOK_PASSWORD="+h.line.server.passwords[h.name])
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

// run runs one command of the device to its end, or kills it.
func (h *handset) run(t *testing.T, within time.Duration, words ...string) (string, error) {
	t.Helper()
	cmd := h.command(words...)
	var out said
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(within, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	defer late.Stop()
	err := cmd.Wait()
	return out.String(), err
}

// put saves n new residents, as its owner does without a network, and returns
// what they hold as residents does.
func (h *handset) put(t *testing.T, tag string, n, padding int) map[string]string {
	t.Helper()
	ctx := context.Background()
	s, err := store.Open(ctx, filepath.Join(h.dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := replica.Open(ctx, replica.Config{Store: s, Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader, Lang: "vi"})
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]string{}
	for i := range n {
		random := make([]byte, padding/2)
		rand.Read(random)
		values := map[string]string{"full_name": fmt.Sprintf("Đặng Thị %s %d", tag, i)}
		if padding > 0 {
			values["permanent_address_old"] = fmt.Sprintf("%x", random)
		}
		reply, err := r.Put(ctx, replica.PutRequest{Register: "residents", Values: values})
		if err != nil {
			t.Fatal(err)
		}
		made[reply.ID] = values["full_name"]
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	all := h.residents(t)
	for id, name := range made {
		if !strings.Contains(all[id], name) {
			t.Fatalf("%s was saved as %s and is %q", name, id, all[id])
		}
		made[id] = all[id]
	}
	return made
}

// deviceStatus is what the device prints of itself.
type deviceStatus struct {
	Link   string `json:"link"`
	Unsent int    `json:"unsent"`
	Synced bool   `json:"synced"`
}

func (h *handset) status(t *testing.T) (s deviceStatus) {
	t.Helper()
	out, err := h.run(t, time.Minute, "-json", "status")
	if err == nil {
		err = json.Unmarshal([]byte(out), &s)
	}
	if err != nil {
		t.Fatalf("status: %v: %s", err, out)
	}
	return s
}

// sync syncs again and again, as its owner would, until it is done.
func (h *handset) sync(t *testing.T, within time.Duration) (tries int) {
	t.Helper()
	end := time.Now().Add(within)
	for {
		tries++
		out, err := h.run(t, time.Until(end), "sync")
		if err == nil {
			return tries
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not synced within %v and %d tries: %v: %s", h.name, within, tries, err, out)
		}
		t.Logf("%s: %v: %s", h.name, err, strings.TrimSpace(out))
	}
}

// residents are the residents on the device, by id: what their fields hold, and
// what is in conflict.
func (h *handset) residents(t *testing.T) map[string]string {
	t.Helper()
	out, err := h.run(t, time.Minute, "-json", "list", "residents")
	if err != nil {
		t.Fatalf("list: %v: %s", err, out)
	}
	all := map[string]string{}
	for row := range strings.Lines(out) {
		var r struct {
			ID        string                         `json:"id"`
			Fields    map[string]string              `json:"fields"`
			Conflicts map[string][]map[string]string `json:"conflicts"`
		}
		if err := json.Unmarshal([]byte(row), &r); err != nil || r.ID == "" {
			t.Fatalf("list: %v: %s", err, row)
		}
		all[r.ID] = fmt.Sprint(r.Fields, r.Conflicts)
	}
	return all
}

// weathers are what happens to the two directions of a line; change, if set,
// goes on while the devices work.
var weathers = []struct {
	name    string
	records int // of each device and round
	padding int // letters by which each is longer
	set     line.Weather
	change  func(l *line.Line, stop <-chan struct{})
}{
	{"300 ms and 5 % loss", 60, 0, line.Weather{Delay: 150 * time.Millisecond, Jitter: 30 * time.Millisecond, Loss: 0.05}, nil},
	{"a fifth of the packets lost", 60, 0, line.Weather{Delay: 20 * time.Millisecond, Loss: 0.2}, nil},
	{"500 ms, 64 kbit/s, 5 % loss", 60, 200, line.Weather{Delay: 250 * time.Millisecond, Rate: 64_000, Loss: 0.05}, nil},
	{"24 kbit/s, a long outbox", 300, 200, line.Weather{Delay: 200 * time.Millisecond, Rate: 24_000}, nil},
	{"silent for 4 of 7 seconds", 60, 0, line.Weather{}, func(l *line.Line, stop <-chan struct{}) {
		flap(l, stop, line.Weather{Silent: true}, line.Weather{Silent: true})
	}},
	{"silent up for 4 of 7 seconds", 60, 0, line.Weather{}, func(l *line.Line, stop <-chan struct{}) {
		flap(l, stop, line.Weather{Silent: true}, line.Weather{})
	}},
	{"silent down for 4 of 7 seconds", 60, 0, line.Weather{}, func(l *line.Line, stop <-chan struct{}) {
		flap(l, stop, line.Weather{}, line.Weather{Silent: true})
	}},
}

func flap(l *line.Line, stop <-chan struct{}, up, down line.Weather) {
	for {
		for _, w := range [][2]line.Weather{{up, down}, {}} {
			l.Set(line.Device, w[0])
			l.Set(line.Server, w[1])
			pause := 4 * time.Second
			if w == [2]line.Weather{} {
				pause = 3 * time.Second
			}
			select {
			case <-stop:
				l.SetBoth(line.Weather{})
				return
			case <-time.After(pause):
			}
		}
	}
}

// TestBadLines lets two devices of one ward work over bad lines: both end with
// the same residents, all that either saved, whatever the line did.
func TestBadLines(t *testing.T) {
	b := openLine(t)
	one, other := b.handset(t, "officer.a"), b.handset(t, "officer.b")
	one.sync(t, time.Minute)
	made := one.residents(t)
	for i, w := range weathers[:times(1, len(weathers), len(weathers))] {
		t.Run(w.name, func(t *testing.T) {
			rounds := times(1, 1, 10)
			tries := 0
			for round := range rounds {
				maps.Copy(made, one.put(t, fmt.Sprintf("A %d %d", i, round), w.records, w.padding))
				maps.Copy(made, other.put(t, fmt.Sprintf("B %d %d", i, round), w.records, w.padding))
				b.SetBoth(w.set)
				stop := make(chan struct{})
				var work sync.WaitGroup
				if w.change != nil {
					work.Go(func() { w.change(b.Line, stop) })
				}
				var devices sync.WaitGroup
				var mu sync.Mutex
				for _, h := range []*handset{one, other} {
					devices.Go(func() {
						n := h.sync(t, 8*time.Minute)
						mu.Lock()
						defer mu.Unlock()
						tries += n
					})
				}
				devices.Wait()
				close(stop)
				work.Wait()
				b.SetBoth(line.Weather{})
			}
			one.sync(t, time.Minute)
			other.sync(t, time.Minute)
			for _, h := range []*handset{one, other} {
				got := h.residents(t)
				for id, want := range made {
					if got[id] != want {
						t.Fatalf("%s: %s is %q, want %q", h.name, id, got[id], want)
					}
				}
				if len(got) != len(made) {
					t.Fatalf("%s: got %d residents, want the %d that were saved", h.name, len(got), len(made))
				}
				if s := h.status(t); s.Unsent != 0 || !s.Synced {
					t.Fatalf("%s: got %+v, want everything synced", h.name, s)
				}
			}
			tell(t, "line: "+w.name, rounds, "%d records of 2 devices converged, 0 lost, %d runs of sync", 2*w.records*rounds, tries)
		})
	}
}

// connections counts the established connections of the server.
func (b *badLine) connections(t *testing.T) int {
	t.Helper()
	// The process's own view is its namespace's.
	var out []byte
	for _, table := range []string{"tcp", "tcp6"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", b.server.cmd.Process.Pid, table))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	n := 0
	for row := range bytes.Lines(out) {
		if f := bytes.Fields(row); len(f) > 3 && bytes.HasSuffix(f[1], []byte(":1F90")) && string(f[3]) == "01" {
			n++
		}
	}
	return n
}

// await polls until done holds, and returns how long that took.
func await(t *testing.T, what string, within time.Duration, done func() bool) time.Duration {
	t.Helper()
	began := time.Now()
	for !done() {
		if time.Since(began) > within {
			t.Fatalf("%s: not within %v", what, within)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return time.Since(began)
}

// noticed is when both ends of a dead link must have given it up: 30 s, and what a
// loaded machine takes to look.
const noticed = 30*time.Second + 5*time.Second

// TestSilentLine cuts a line under an open session without a word to either end,
// both ways and one way at a time. Both ends notice within 30 s, and come back.
func TestSilentLine(t *testing.T) {
	waits(t)
	b := openLine(t)
	h := b.handset(t, "officer.a")
	ways := []struct {
		name     string
		up, down bool
	}{{"both ways", true, true}, {"up", true, false}, {"down", false, true}}
	var slowest [2]time.Duration
	rounds := times(1, 3, 30)
	for round := range rounds {
		way := ways[round%len(ways)]
		cmd := h.command("watch")
		var out said
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		watching := func(word string) func() bool {
			from := len(out.String())
			return func() bool { return strings.Contains(out.String()[from:], word) }
		}
		await(t, "online", 30*time.Second, func() bool { return strings.Contains(out.String(), "; synced") })
		if n := b.connections(t); n != 1 {
			t.Fatalf("got %d connections, want 1", n)
		}
		offline := watching("-- offline")
		b.Set(line.Device, line.Weather{Silent: way.up})
		b.Set(line.Server, line.Weather{Silent: way.down})
		began := time.Now()
		var took [2]time.Duration
		for took[0] == 0 || took[1] == 0 {
			since := time.Since(began)
			if took[0] == 0 && offline() {
				took[0] = since
			}
			if took[1] == 0 && b.connections(t) == 0 {
				took[1] = since
			}
			if since > noticed && (took[0] == 0 || took[1] == 0) {
				t.Fatalf("a line silent %s: noticed by device and server after %v (0: not yet), want within %v", way.name, took, noticed)
			}
			time.Sleep(50 * time.Millisecond)
		}
		for i := range slowest {
			slowest[i] = max(slowest[i], took[i])
		}
		online := watching("; synced")
		b.SetBoth(line.Weather{})
		await(t, "back", 2*time.Minute, online)
		syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		cmd.Wait()
		await(t, "the device is gone", time.Minute, func() bool { return b.connections(t) == 0 })
	}
	tell(t, "line goes silent under an open session (both ways, up, down)", rounds, "noticed by the device within %.1f s, by the server within %.1f s, back each time",
		slowest[0].Seconds(), slowest[1].Seconds())
}
