package drill

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// server is a running server of the drill's own.
type server struct {
	cmd       *exec.Cmd
	url       string
	passwords map[string]string
	ended     chan struct{}
}

// start starts words, which end in the program's own, on a data folder and waits
// until the server listens at the address, whose port 0 means a free one.
func start(ctx context.Context, words []string, data, listen string) (*server, error) {
	words = append(append([]string{}, words...), "serve", "-listen", listen, "-data", data, "-demo")
	s := &server{cmd: exec.CommandContext(ctx, words[0], words[1:]...), passwords: map[string]string{}, ended: make(chan struct{})}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a tracer's child dies with it
	var said safeBuffer
	s.cmd.Stderr = &said
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a server: %w", err)
	}
	listening := make(chan struct{})
	go func() {
		defer close(s.ended)
		for sc := bufio.NewScanner(out); sc.Scan(); {
			switch words := strings.Fields(sc.Text()); {
			case len(words) == 3 && words[0] == "account":
				s.passwords[words[1]] = words[2]
			case len(words) == 3 && words[0] == "listening":
				s.url = words[2]
				close(listening)
			}
		}
		s.cmd.Wait()
	}()
	select {
	case <-listening:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("the server ended before it listened: %s", said.String())
	case <-time.After(2 * time.Minute):
		s.kill()
		return nil, fmt.Errorf("the server did not listen within two minutes: %s", said.String())
	case <-ctx.Done():
		s.kill()
		return nil, ctx.Err()
	}
}

// kill ends the server at once, and whoever traces it.
func (s *server) kill() {
	if s == nil {
		return
	}
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	<-s.ended
}

// stop ends the server as an operator does.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(30 * time.Second):
		s.kill()
	}
}

// safeBuffer is written by the process and read by us.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// call makes one request of the API; in and out are JSON and may be nil.
func (s *server) call(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	answer, err := s.send(ctx, method, path, token, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	return json.Unmarshal(answer, out)
}

func (s *server) send(ctx context.Context, method, path, token, kind string, body io.Reader) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.url+path, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", kind)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode/100 != 2 {
		return nil, fmt.Errorf("%s %s: %s: %s", method, path, res.Status, answer)
	}
	return answer, nil
}

// grant is a sign-in.
type grant struct {
	Access  string `json:"access_token"`
	Account struct {
		Name, Role, Unit string
	} `json:"account"`
	Device struct {
		ID string `json:"id"`
	} `json:"device"`
	ServerKey []byte `json:"server_public_key"`
}

func (s *server) signIn(ctx context.Context, name, device string) (g grant, err error) {
	in := map[string]string{"name": name, "password": s.passwords[name], "device_label": "drill"}
	if device != "" {
		in["device_id"] = device
	}
	return g, s.call(ctx, "POST", "/api/v1/auth/login", "", in, &g)
}
