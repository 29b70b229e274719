package main

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/client-wasm/replica"
	clientstore "wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/store"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// raiseFiles lets this process and the servers that it starts hold n sockets, as
// far as the machine allows, and returns how many it may be.
func raiseFiles(t *testing.T, n int) int {
	t.Helper()
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		t.Fatal(err)
	}
	if want := uint64(n + 500); l.Cur < want {
		l.Cur, l.Max = want, max(l.Max, want)
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l) != nil {
			syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l)
			l.Cur = l.Max
			if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
				t.Fatal(err)
			}
		}
	}
	return min(n, int(l.Cur)-500)
}

// memory is what the process p holds, in bytes.
func (p *process) memory(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	var size, resident int
	if _, err := fmt.Sscan(string(b), &size, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * os.Getpagesize()
}

// sockets counts the sockets that p holds.
func (p *process) sockets(t *testing.T) int {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if to, err := os.Readlink(dir + "/" + e.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

func (p *process) host() string { return strings.TrimPrefix(p.url, "http://") }

// perSocket is what a socket may cost the server, in bytes: the budget of an idle
// session; one that says nothing has no right to more.
const perSocket = 12 << 10

// slack is what the collector's timing may add, in bytes.
const slack = 24 << 20

// TestHalfOpenSockets opens thousands of connections that then say nothing, or
// next to nothing, each kind for itself. They cost no more than idle sessions,
// others are served meanwhile, and they are gone soon.
func TestHalfOpenSockets(t *testing.T) {
	if testing.Short() {
		t.Skip("opens thousands of sockets")
	}
	waits(t)
	n := raiseFiles(t, times(500, 4000, 10_000))
	upgrade := "GET /sync/v1/device HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	for _, kind := range []struct {
		name string
		says string
		then string // once the server has answered
	}{
		{"nothing", "", ""},
		{"half a request", "GET /healthz HTTP/1.1\r\nHost: h\r\nX-A: ", ""},
		{"a request without its body", "POST /api/v1/auth/login HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{\"name\":", ""},
		{"an exchange without its end", "POST /sync/v1/exchange HTTP/1.1\r\nHost: h\r\nContent-Length: 4000000\r\n\r\n\x01", ""},
		{"a socket without a Hello", upgrade, ""},
		{"half a frame", upgrade, "\x82\xfe\x10\x00aaaa" + strings.Repeat("b", 1000)},
	} {
		t.Run(kind.name, func(t *testing.T) {
			waits(t)
			p := startProcess(t, t.TempDir())
			await(t, "the server has settled", 30*time.Second, func() bool { return p.sockets(t) < 10 })
			before := p.memory(t)
			conns := make([]net.Conn, n)
			var opened sync.WaitGroup
			var failed atomic.Int64
			gate := make(chan struct{}, 64)
			for i := range conns {
				gate <- struct{}{}
				opened.Go(func() {
					defer func() { <-gate }()
					c, err := net.DialTimeout("tcp", p.host(), 30*time.Second)
					if err != nil {
						failed.Add(1)
						return
					}
					io.WriteString(c, kind.says)
					if kind.then != "" {
						c.Read(make([]byte, 1024))
						io.WriteString(c, kind.then)
					}
					conns[i] = c
				})
			}
			opened.Wait()
			t.Cleanup(func() {
				for _, c := range conns {
					if c != nil {
						c.Close()
					}
				}
			})
			if n := failed.Load(); n > 0 {
				t.Fatalf("%d connections were not taken", n)
			}
			res, err := (&http.Client{Timeout: 20 * time.Second}).Get(p.url + "/healthz")
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("another caller is not served: %v", err)
			}
			res.Body.Close()
			grown := p.memory(t) - before
			if most := n*perSocket + slack; grown > most {
				t.Errorf("%d sockets cost %d bytes, want at most %d", n, grown, most)
			}
			gone := await(t, "the server has let go of them", 90*time.Second, func() bool { return p.sockets(t) < 20 })
			if p.hasEnded() {
				t.Fatalf("the server ended: %s", p.stderr())
			}
			tell(t, "half-open connections that say "+kind.name, n, "%.1f KiB each, gone within %.0f s", float64(grown)/float64(n)/1024, gone.Seconds())
		})
	}
}

// crowd makes the accounts of n devices in a data folder, and a token for each;
// 32 share an account.
func crowd(t *testing.T, data string, n int) (tokens []string) {
	t.Helper()
	a, err := openApp(t.Context(), appConfig{data: data, enrolment: auth.EnrolByPassword, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close(context.Background())
	for i := 0; len(tokens) < n; i++ {
		name := fmt.Sprintf("crowd.%d", i)
		_, password, err := a.auth.Create(t.Context(), auth.Console(), auth.NewAccount{Name: name, Role: store.RoleOfficer, Unit: "27169"})
		if err != nil {
			t.Fatal(err)
		}
		g, err := a.auth.Login(t.Context(), auth.Credentials{Name: name, Password: password, Label: "crowd"})
		if err != nil {
			t.Fatal(err)
		}
		for range min(32, n-len(tokens)) {
			tokens = append(tokens, g.Access)
		}
	}
	return tokens
}

// TestSlowReaders lets many devices ask for a whole register and read a KiB a
// second: the server's memory stays flat, and a device that reads is served.
func TestSlowReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("opens many sockets")
	}
	data := t.TempDir()
	p := startProcess(t, data)
	u := newPusher(5)
	u.padding = 2 << 10
	u.push(u.open(t, p), 300) // some 6 MB
	p.kill()
	n := times(64, 256, 1000)
	tokens := crowd(t, data, n)
	p = startProcess(t, data)
	u.check(t, p) // a reader that reads; it also warms the server
	before := p.memory(t)
	var most atomic.Int64
	stop := make(chan struct{})
	var readers sync.WaitGroup
	var read atomic.Int64
	for i := range n {
		c, err := net.Dial("tcp", p.host())
		if err != nil {
			t.Fatal(err)
		}
		c.(*net.TCPConn).SetReadBuffer(4 << 10)
		dialer := websocket.Dialer{NetDial: func(string, string) (net.Conn, error) { return c, nil }, WriteBufferSize: 1024, ReadBufferSize: 1024}
		ws, _, err := dialer.Dial("ws://"+p.host()+"/sync/v1/device", nil)
		if err != nil {
			t.Fatal(err)
		}
		h := &protocol.Hello{Version: protocol.Version, Token: tokens[i], Replica: conflict.ReplicaID{0x51, byte(i), byte(i >> 8)}, Streaming: true,
			Scopes: []protocol.Scope{{Stream: protocol.Stream{Unit: "27169", Register: "residents"}}}}
		h.Next[0] = 1
		for _, m := range []protocol.Message{h, &protocol.Known{}} {
			if err := ws.WriteMessage(websocket.BinaryMessage, protocol.Encode(nil, m)); err != nil {
				t.Fatal(err)
			}
		}
		readers.Go(func() {
			defer c.Close()
			buf := make([]byte, 256)
			for {
				select {
				case <-stop:
					return
				case <-time.After(250 * time.Millisecond):
				}
				m, err := c.Read(buf)
				read.Add(int64(m))
				if err != nil {
					return
				}
			}
		})
	}
	for range 20 {
		time.Sleep(500 * time.Millisecond)
		most.Store(max(most.Load(), int64(p.memory(t))))
	}
	grown := int(most.Load()) - before
	u.check(t, p)
	close(stop)
	readers.Wait()
	if limit := n*3*perSocket + slack; grown > limit {
		t.Errorf("%d slow readers cost %d bytes, want at most %d", n, grown, limit)
	}
	if read.Load() == 0 {
		t.Error("nothing was read")
	}
	tell(t, "readers of 1 KiB/s of a register of 6 MB", n, "%.1f KiB each, a quick reader beside them served", float64(grown)/float64(n)/1024)
}

// TestBombsOverTheWire sends messages of a MiB that claim to unpack to a thousand
// times as much, over sockets and in exchanges.
func TestBombsOverTheWire(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	p := startProcess(t, t.TempDir())
	u := newPusher(6)
	u.push(u.open(t, p), 5)
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 900 {
		w.Write(zeros)
	}
	w.Close()
	number := binary.AppendUvarint
	bomb := []byte{byte((&protocol.Push{}).Kind())}
	for _, n := range []uint64{1, 2, 2, 2, 2} {
		bomb = number(bomb, n)
	}
	for range 19 {
		bomb = append(bomb, 0)
	}
	bomb = append(number(number(bomb, 900<<20<<2|1), uint64(packed.Len())), packed.Bytes()...)
	if len(bomb) > protocol.MaxMessage {
		t.Fatalf("the bomb has %d bytes and would be refused for that", len(bomb))
	}
	n := times(10, 50, 500)
	send := func(message []byte) {
		for i := range n {
			if i%2 == 0 {
				w := u.open(t, p)
				if err := w.ws.WriteMessage(websocket.BinaryMessage, message); err == nil {
					for {
						if _, err := w.receive(); err != nil {
							break
						}
					}
				}
				w.ws.Close()
			} else {
				res, err := http.Post(p.url+"/sync/v1/exchange", "application/vnd.wardbook.sync", bytes.NewReader(protocol.AppendFrame(nil, message)))
				if err != nil {
					t.Fatal(err)
				}
				io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		}
	}
	// What it costs to read as many bytes and refuse them is no bomb's doing.
	dud := bytes.Clone(bomb)
	dud[0] = 0xff
	send(dud)
	before := p.memory(t)
	send(bomb)
	grown := p.memory(t) - before
	if most := protocol.MaxDecoded + slack; grown > most {
		t.Errorf("%d bombs of %d bytes left %d bytes behind, want at most %d", n, len(bomb), grown, most)
	}
	u.check(t, p)
	tell(t, fmt.Sprintf("bombs of %d KiB that claim 900 MiB", len(bomb)>>10), n, "refused, %.1f MiB left behind in all", float64(max(grown, 0))/(1<<20))
}

// TestPoison puts a changeset that nobody can take at every place of a queue:
// those around it are stored and shown, and it goes to quarantine (R33).
func TestPoison(t *testing.T) {
	poisons := []struct {
		name string
		make func(c *record.Changeset) []byte // the push; nil: c as it is now
	}{
		{"of another ward", func(c *record.Changeset) []byte { c.Unit = "26734"; return nil }},
		{"of a register that is unknown", func(c *record.Changeset) []byte { c.Edits[0].Register = "nothing"; return nil }},
		{"of a register of nobody's", func(c *record.Changeset) []byte { c.Edits[0].Register = ""; return nil }},
		{"that has seen what is to come", func(c *record.Changeset) []byte {
			c.Edits[0].Writes[0].Context = conflict.NewVector(conflict.Dot{Replica: conflict.ReplicaID{9}, Counter: 1 << 40})
			return nil
		}},
		{"with a field of the server's", func(c *record.Changeset) []byte {
			c.Edits[0].Writes[0].Key = conflict.Key(conflict.FieldReview)
			return nil
		}},
		{"with a layout that is none", func(c *record.Changeset) []byte {
			b := protocol.Encode(nil, &protocol.Push{Changesets: []record.Changeset{*c}})
			return b[:len(b)-3]
		}},
		{"with too many entries in its contexts", func(c *record.Changeset) []byte {
			var dots []conflict.Dot
			for i := range 1100 {
				dots = append(dots, conflict.Dot{Replica: conflict.ReplicaID{7, byte(i), byte(i >> 8)}, Counter: 1})
			}
			c.Edits[0].Writes[0].Context = conflict.NewVector(dots...)
			return nil
		}},
		{"with a value that is too long", func(c *record.Changeset) []byte {
			c.Edits[0].Writes[0].Value = conflict.Value(strings.Repeat("x", record.MaxValueBytes+1))
			return nil
		}},
	}
	data := t.TempDir()
	p := startProcess(t, data)
	token, _ := p.login(t, "officer.a", "")
	const queue = 6
	places := times(2, queue, queue)
	for no, poison := range poisons {
		for place := range places {
			t.Run(fmt.Sprintf("%s at %d", poison.name, place), func(t *testing.T) {
				h := protocol.Hello{Replica: conflict.ReplicaID{0x99, byte(no), byte(place)}}
				h.Next[0] = 1
				w, err := p.open(token, h)
				if err != nil {
					t.Fatal(err)
				}
				defer w.ws.Close()
				through, refused := uint64(0), 0
				for n := range uint64(queue) {
					c := w.note(n + 1)
					body := protocol.Encode(nil, &protocol.Push{Changesets: []record.Changeset{c}})
					if int(n) == place {
						if b := poison.make(&c); b != nil {
							body = b
						} else {
							body = protocol.Encode(nil, &protocol.Push{Changesets: []record.Changeset{c}})
						}
					}
					if err := w.ws.WriteMessage(websocket.BinaryMessage, body); err != nil {
						t.Fatal(err)
					}
					for through < n+1 {
						m, err := w.receive()
						if err != nil {
							t.Fatalf("at %d: %v", n, err)
						}
						switch m := m.(type) {
						case *protocol.Ack:
							through = m.Through
						case *protocol.Refusal:
							if m.Counter != uint64(place)+1 {
								t.Errorf("changeset %d was refused: %v", m.Counter, m)
							}
							refused++
						case *protocol.Error:
							t.Fatalf("at %d the session ended: %v", n, m)
						}
					}
				}
				if refused != 1 {
					t.Errorf("got %d refusals, want 1", refused)
				}
				held := pull(t, p, token, "residents")
				for n := range uint64(queue) {
					f, ok := held[conflict.Dot{Replica: h.Replica, Counter: n + 1}]
					if shown := ok && f.Len() > 0; shown == (int(n) == place) {
						t.Errorf("changeset %d is shown: %v", n+1, shown)
					}
				}
			})
		}
	}
	tell(t, "a poisonous changeset at each place of a queue", len(poisons)*places, "quarantined, all others stored and shown")
}

// crowdLink is how a device of a crowd reaches the server.
type crowdLink struct {
	address, token string
}

func (l crowdLink) Dial(ctx context.Context) (replica.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: 15 * time.Second, ReadBufferSize: 512, WriteBufferSize: 512}
	ws, _, err := d.DialContext(ctx, l.address, nil)
	if err != nil {
		return nil, err
	}
	return crowdConn{ws}, nil
}

func (l crowdLink) RefreshToken(context.Context) (string, error) { return l.token, nil }

type crowdConn struct{ ws *websocket.Conn }

func (c crowdConn) Send(_ context.Context, m []byte) error {
	return c.ws.WriteMessage(websocket.BinaryMessage, m)
}

func (c crowdConn) Receive(context.Context) ([]byte, error) {
	_, b, err := c.ws.ReadMessage()
	return b, err
}

func (c crowdConn) Close() error { return c.ws.Close() }

// TestStampede cuts a whole crowd of devices at once, each the production client,
// by ending the server and by killing it, and starts it again: all are synced
// soon, and the server never fails under them (R34).
func TestStampede(t *testing.T) {
	if testing.Short() {
		t.Skip("connects many devices")
	}
	waits(t)
	n := raiseFiles(t, times(64, 1500, 9000))
	data := t.TempDir()
	startProcess(t, data).kill() // the demo data
	tokens := crowd(t, data, n)
	p := startProcess(t, data)
	host := p.host()
	ctx, cancel := context.WithCancel(t.Context())
	var runs sync.WaitGroup
	defer func() { cancel(); runs.Wait() }()
	synced := make([]atomic.Int64, n) // since when, Unix milliseconds; 0: not
	var internal atomic.Int64
	for i := range n {
		r, err := replica.Open(ctx, replica.Config{Store: clientstore.NewMemory(), Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader, Lang: "vi",
			Account: replica.Account{Name: fmt.Sprintf("crowd.%d", i/32), Role: "officer", Unit: "27169"}})
		if err == nil {
			err = r.SetScopes(ctx, []protocol.Scope{{Stream: protocol.Stream{Unit: "27169", Register: "land_parcels"}}})
		}
		if err != nil {
			t.Fatal(err)
		}
		runs.Go(func() {
			r.Run(ctx, replica.RunConfig{App: "crowd", Token: tokens[i], Transport: crowdLink{"ws://" + host + "/sync/v1/device", tokens[i]}, Told: func(s session.Status) {
				if s.Failure == protocol.Internal {
					internal.Add(1)
				}
				if !s.Synced {
					synced[i].Store(0)
				} else if synced[i].Load() == 0 {
					synced[i].Store(time.Now().UnixMilli())
				}
			}})
		})
	}
	all := func() bool {
		for i := range synced {
			if synced[i].Load() == 0 {
				return false
			}
		}
		return true
	}
	await(t, "the crowd is synced", 5*time.Minute, all)
	for _, way := range []struct {
		name   string
		signal syscall.Signal
	}{{"ended", syscall.SIGTERM}, {"killed", syscall.SIGKILL}} {
		syscall.Kill(-p.cmd.Process.Pid, way.signal)
		<-p.ended
		await(t, "the crowd has noticed", time.Minute, func() bool {
			for i := range synced {
				if synced[i].Load() != 0 {
					return false
				}
			}
			return true
		})
		p = startAt(t, host, data)
		began := time.Now()
		await(t, "the crowd is synced again", 3*time.Minute, all)
		var took []int64
		for i := range synced {
			took = append(took, max(0, synced[i].Load()-began.UnixMilli()))
		}
		slices.Sort(took)
		p99 := time.Duration(took[len(took)*99/100]) * time.Millisecond
		if p99 > time.Minute {
			t.Errorf("server %s: 99 of 100 devices were synced within %v, want a minute", way.name, p99)
		}
		if n := internal.Load(); n > 0 {
			t.Errorf("server %s: %d devices were told of a fault in the server: %s", way.name, n, p.stderr())
		}
		tell(t, "devices cut together, server "+way.name+" and started again", n, "synced again: half within %.1f s, 99 %% within %.1f s, all within %.1f s",
			float64(took[len(took)/2])/1000, p99.Seconds(), float64(took[len(took)-1])/1000)
	}
}
