package main

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// pusher is a device that pushes without pause and remembers what it was
// promised: every counter up to acked. As a device does, it repeats what lies
// behind that, also where the server says that it holds it.
type pusher struct {
	hello       protocol.Hello
	acked, last uint64
	kept        map[uint64]record.Changeset // not acknowledged
	acks        int                         // messages, on this connection, of what the server did not hold before
	padding     int                         // bytes by which each value is longer
	rests       bool                        // it stops for a moment at times, in which the server copies its log
	r           *rand.Rand
	token       string
	device      string
}

func newPusher(seed byte) *pusher {
	return &pusher{hello: protocol.Hello{Replica: conflict.ReplicaID{0xc0, 0xff, 0xee, seed}}, kept: map[uint64]record.Changeset{}, r: rand.New(rand.NewPCG(1, uint64(seed)))}
}

// open says Hello and checks what the server says it holds.
func (u *pusher) open(t *testing.T, p *process) *wire {
	t.Helper()
	if u.token == "" {
		u.token, u.device = p.login(t, "officer.a", u.device)
	}
	u.hello.Next[0]++
	u.hello.Acked, u.hello.Last = u.acked, u.last
	w, err := p.open(u.token, u.hello)
	var refused *protocol.Error
	if errors.As(err, &refused) && (refused.Code == protocol.Expired || refused.Code == protocol.Unauthenticated) {
		u.token, _ = p.login(t, "officer.a", u.device)
		w, err = p.open(u.token, u.hello)
	}
	if err != nil {
		t.Fatal(err)
	}
	if w.welcome.Verdict != protocol.Accepted {
		t.Fatalf("got verdict %v, want accepted", w.welcome.Verdict)
	}
	if w.welcome.Acked < u.acked {
		t.Fatalf("the server holds %d, but had acknowledged %d", w.welcome.Acked, u.acked)
	}
	u.hello.Current = u.hello.Next
	return w
}

// push pushes until the connection ends, at most limit pushes, and returns the
// error that the server ended it with, if it said one.
func (u *pusher) push(w *wire, limit int) (refused *protocol.Error) {
	acks := make(chan uint64, 1<<16)
	u.acks = 0
	go func() {
		defer close(acks)
		for {
			m, err := w.receive()
			if err != nil {
				return
			}
			switch m := m.(type) {
			case *protocol.Ack:
				acks <- m.Through
			case *protocol.Error:
				refused = m
			}
		}
	}()
	n := u.acked
	inFlight := 0
	received := func(through uint64) {
		for ; u.acked < through; u.acked++ {
			delete(u.kept, u.acked+1)
		}
		if through > w.welcome.Acked { // a repeat needs no commit
			u.acks++
		}
	}
	take := func() bool {
		through, ok := <-acks
		if ok {
			received(through)
			inFlight--
		}
		return ok
	}
pushing:
	for pushes := 0; pushes < limit; pushes++ {
		if u.rests && pushes%60 == 59 { // the log is long enough by then
			for inFlight > 0 {
				if !take() {
					break pushing
				}
			}
			time.Sleep(100 * time.Millisecond) // without work for 50
		}
		var batch []record.Changeset
		most := 20
		if u.padding == 0 && u.r.IntN(8) == 0 {
			most = 300 // the store inserts beside the merging
		}
		for range 1 + u.r.IntN(most) {
			n++
			if _, ok := u.kept[n]; !ok {
				u.kept[n] = w.noteOf(n, valueOf(n, u.padding))
			}
			batch = append(batch, u.kept[n])
		}
		u.last = max(u.last, n)
		if w.send(&protocol.Push{Changesets: batch}) != nil {
			break
		}
		inFlight++
		for inFlight >= 4 {
			if !take() {
				break pushing
			}
		}
	}
	for limit < 1<<30 && inFlight > 0 && take() {
	}
	if limit < 1<<30 {
		w.ws.Close()
	}
	for through := range acks {
		received(through)
	}
	return refused
}

// check looks for every write that was ever acknowledged.
func (u *pusher) check(t *testing.T, p *process) {
	t.Helper()
	if u.token == "" {
		u.token, u.device = p.login(t, "officer.a", u.device)
	}
	held := pull(t, p, u.token, "residents")
	for n := uint64(1); n <= u.acked; n++ {
		f, ok := held[conflict.Dot{Replica: u.hello.Replica, Counter: n}]
		if want := valueOf(n, u.padding); !ok || f.Len() != 1 || f.At(0).Value != want {
			t.Fatalf("write %d of %d acknowledged ones: got %.200v, want %.200q", n, u.acked, f, want)
		}
	}
}

// endless is a number of pushes that no connection reaches.
const endless = 1 << 30

// TestKillUnderPushes kills the server while a device pushes without pause, and
// looks after each restart for every write that was ever acknowledged.
func TestKillUnderPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	data := t.TempDir()
	u := newPusher(1)
	kills := times(10, 60, 1000)
	p := startProcess(t, data)
	for range kills {
		w := u.open(t, p)
		time.AfterFunc(time.Duration(20+u.r.IntN(250))*time.Millisecond, func() { p.cmd.Process.Kill() })
		u.push(w, endless)
		<-p.ended
		p = startProcess(t, data)
	}
	if u.acked < 100 {
		t.Fatalf("only %d writes were acknowledged in all: the test proves nothing", u.acked)
	}
	u.check(t, p)
	tell(t, "SIGKILL of the server under pushes", kills, "%d acknowledged writes, 0 lost", u.acked)
}

// pull reads a whole register as a new device would, and returns field 20 of
// every record.
func pull(t *testing.T, p *process, token, register string) map[conflict.RecordID]conflict.Field {
	t.Helper()
	s := protocol.Stream{Unit: "27169", Register: register}
	h := protocol.Hello{Replica: conflict.ReplicaID{0xda, 0x7a, byte(time.Now().UnixNano())}, Scopes: []protocol.Scope{{Stream: s}}}
	h.Next[0] = 1
	w, err := p.open(token, h)
	if err != nil {
		t.Fatal(err)
	}
	defer w.ws.Close()
	held := map[conflict.RecordID]conflict.Field{}
	for to := uint64(0); to < w.welcome.Grants[0].Head; {
		m, err := w.receive()
		if err != nil {
			t.Fatal(err)
		}
		page, ok := m.(*protocol.Page)
		if !ok {
			continue
		}
		if page.From != to {
			t.Fatalf("got a page from %d, want from %d", page.From, to)
		}
		for _, d := range page.Records {
			for _, e := range d.Fields {
				if e.Key.ID == 20 {
					held[d.Record] = held[d.Record].Merge(e.Field)
				}
			}
		}
		to = page.To
		if err := w.send(&protocol.Applied{Stream: s, To: to}); err != nil {
			t.Fatal(err)
		}
	}
	return held
}

// TestFlushBeforeAcknowledgement traces the server's system calls: between two
// acknowledgements on the socket a flush of the write-ahead log must have
// returned, for each acknowledges a commit of its own.
func TestFlushBeforeAcknowledgement(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace is not installed: make tools")
	}
	data := t.TempDir()
	startProcess(t, data).kill() // the demo data, untraced
	trace := filepath.Join(t.TempDir(), "trace")
	p := startProcess(t, data, strace, "-f", "-y", "-x", "-s", "64", "-e", "trace=fsync,fdatasync,write,writev,sendto,sendmsg", "-o", trace)
	token, _ := p.login(t, "officer.a", "")
	h := protocol.Hello{Replica: conflict.ReplicaID{0x5a}}
	h.Next[0] = 1
	w, err := p.open(token, h)
	if err != nil {
		t.Fatal(err)
	}
	const pushes = 30
	for n := uint64(1); n <= pushes; n++ {
		if err := w.send(&protocol.Push{Changesets: []record.Changeset{w.note(n)}}); err != nil {
			t.Fatal(err)
		}
		for {
			m, err := w.receive()
			if err != nil {
				t.Fatal(err)
			}
			if a, ok := m.(*protocol.Ack); ok && a.Through == n {
				break
			}
		}
	}
	p.kill()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	acks, bad := readTrace(string(b))
	if len(bad) > 0 {
		t.Fatalf("%d of %d acknowledgements left before a flush had returned, the first: %s", len(bad), acks, bad[0])
	}
	if acks != pushes {
		t.Fatalf("got %d acknowledgements in the trace, want %d", acks, pushes)
	}
	// The reader of traces is itself tried: without its flushes, the same trace
	// must fail.
	var without strings.Builder
	for line := range strings.Lines(string(b)) {
		if !strings.Contains(line, "sync") {
			without.WriteString(line)
		}
	}
	if _, bad := readTrace(without.String()); len(bad) != pushes {
		t.Fatalf("a trace without flushes: got %d complaints, want %d", len(bad), pushes)
	}
}

var (
	flushDone   = regexp.MustCompile(`(?:f(?:data)?sync\(\d+<[^>]*wardbook\.db-wal>.*= 0|<\.\.\. f(?:data)?sync resumed>.*= 0)`)
	socketWrite = regexp.MustCompile(`(?:write|writev|sendto|sendmsg)\(\d+<(?:TCP|socket)[^>]*>`)
)

// readTrace counts the acknowledgements in a trace and lists those that no
// flush precedes since the one before.
func readTrace(trace string) (acks int, bad []string) {
	// A server's frame: final binary frame, length below 126 or of two bytes,
	// then the message, whose first byte tells an acknowledgement.
	short := regexp.MustCompile(fmt.Sprintf(`"\\x82\\x[0-7][0-9a-f]\\x%02x`, byte(protocol.KindAck)))
	long := regexp.MustCompile(fmt.Sprintf(`"\\x82\\x7e(?:\\x..){2}\\x%02x`, byte(protocol.KindAck)))
	flushed := false
	for sc := bufio.NewScanner(strings.NewReader(trace)); sc.Scan(); {
		line := sc.Text()
		switch {
		case flushDone.MatchString(line):
			flushed = true
		case socketWrite.MatchString(line) && (short.MatchString(line) || long.MatchString(line)):
			acks++
			if !flushed {
				bad = append(bad, line)
			}
			flushed = false
		}
	}
	return acks, bad
}
