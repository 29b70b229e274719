package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// process is a running server of its own.
type process struct {
	cmd       *exec.Cmd
	url       string
	passwords map[string]string
	ended     chan struct{}
	errs      said
}

// said is what a process printed, readable while it prints.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (p *process) stderr() string { return p.errs.String() }

func (p *process) hasEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// startProcess starts the program on a data folder and waits until it listens.
// wrap, if any, stands before the program's own words, such as strace's.
func startProcess(t *testing.T, data string, wrap ...string) *process {
	t.Helper()
	return startAt(t, "127.0.0.1:0", data, wrap...)
}

// startAt is startProcess at an address of the caller's.
func startAt(t *testing.T, listen, data string, wrap ...string) *process {
	t.Helper()
	bin, err := buildServer()
	if err != nil {
		t.Fatal(err)
	}
	words := append(append([]string{}, wrap...), bin, "serve", "-listen", listen, "-data", data, "-demo")
	p := &process{cmd: exec.Command(words[0], words[1:]...), passwords: map[string]string{}, ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a tracer's child dies with it
	p.cmd.Stderr = &p.errs
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.kill() })
	listening := make(chan struct{})
	go func() {
		defer close(p.ended)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			words := strings.Fields(sc.Text())
			switch {
			case len(words) == 3 && words[0] == "account":
				p.passwords[words[1]] = words[2]
			case len(words) == 3 && words[0] == "listening":
				p.url = words[2]
				close(listening)
			}
		}
		p.cmd.Wait()
	}()
	select {
	case <-listening:
	case <-p.ended:
		t.Fatalf("the server ended before it listened: %s", p.stderr())
	case <-time.After(2 * time.Minute): // the demonstration is made with some 1,500 approvals
		t.Fatal("the server did not listen within two minutes")
	}
	return p
}

func (p *process) kill() {
	syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.ended
}

// post sends a JSON request and reads the answer into into.
func post(url, token string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequest("POST", url, bytes.NewReader(b))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != 200 {
		return fmt.Errorf("%s: %s: %s", url, res.Status, answer)
	}
	return json.Unmarshal(answer, into)
}

// login signs an account in; the device is enrolled if device is empty.
func (p *process) login(t *testing.T, name, device string) (token, deviceID string) {
	t.Helper()
	var out struct {
		AccessToken string `json:"access_token"`
		Device      struct {
			ID string `json:"id"`
		} `json:"device"`
	}
	body := map[string]string{"name": name, "password": p.passwords[name], "device_label": "test"}
	if device != "" {
		body["device_id"] = device
	}
	if err := post(p.url+"/api/v1/auth/login", "", body, &out); err != nil {
		t.Fatal(err)
	}
	return out.AccessToken, out.Device.ID
}

// wire is a bare connection that speaks the protocol by hand, so that a test
// sees exactly what the server says and when.
type wire struct {
	ws      *websocket.Conn
	replica conflict.ReplicaID
	author  string
	unit    string
	welcome *protocol.Welcome
}

// open dials, says Hello and waits for the Welcome.
func (p *process) open(token string, h protocol.Hello) (*wire, error) {
	ws, _, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(p.url, "http")+"/sync/v1/device", nil)
	if err != nil {
		return nil, err
	}
	h.Version, h.Token, h.Streaming = protocol.Version, token, true
	w := &wire{ws: ws, replica: h.Replica, author: "officer.a", unit: "27169"}
	if err := errors.Join(w.send(&h), w.send(&protocol.Known{})); err != nil {
		ws.Close()
		return nil, err
	}
	for {
		m, err := w.receive()
		if err != nil {
			ws.Close()
			return nil, err
		}
		switch m := m.(type) {
		case *protocol.Welcome:
			w.welcome = m
			return w, nil
		case *protocol.Error:
			ws.Close()
			return nil, m
		}
	}
}

func (w *wire) send(m protocol.Message) error {
	w.ws.SetWriteDeadline(time.Now().Add(10 * time.Second))
	return w.ws.WriteMessage(websocket.BinaryMessage, protocol.Encode(nil, m))
}

func (w *wire) receive() (protocol.Message, error) {
	w.ws.SetReadDeadline(time.Now().Add(20 * time.Second))
	_, b, err := w.ws.ReadMessage()
	if err != nil {
		return nil, err
	}
	return protocol.Decode(b)
}

// note is the changeset with which a test creates the record of counter n.
func (w *wire) note(n uint64) record.Changeset { return w.noteOf(n, valueOf(n, 0)) }

// valueOf is what the record of counter n says, made longer by padding bytes.
func valueOf(n uint64, padding int) conflict.Value {
	return conflict.Value(fmt.Sprintf("Nguyễn Văn %d", n) + strings.Repeat("x", padding))
}

func (w *wire) noteOf(n uint64, v conflict.Value) record.Changeset {
	d := conflict.Dot{Replica: w.replica, Counter: n}
	return record.Changeset{Dot: d, Unit: w.unit, Author: w.author, At: time.Now().UnixMilli(), Edits: []record.Edit{{
		Record: d, Register: "residents", Definition: 1,
		Writes: []record.Write{{Key: conflict.Key(20), Value: v}}}}}
}
