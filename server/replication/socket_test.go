package replication

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// slowOpening is a request whose connection is handed over late.
type slowOpening struct {
	http.ResponseWriter
	conn    net.Conn
	opening chan struct{}
	open    chan struct{}
}

func (w *slowOpening) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	close(w.opening)
	<-w.open
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// A server that closes ends the sockets that are only being opened, too.
func TestCloseMeetsASocketBeingOpened(t *testing.T) {
	s, err := NewServer(Config{Now: func() int64 { return time.Now().UnixMilli() }})
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	defer far.Close()
	go io.Copy(io.Discard, far)
	w := &slowOpening{httptest.NewRecorder(), near, make(chan struct{}), make(chan struct{})}
	r := httptest.NewRequest("GET", "/sync/v1/device", nil)
	for k, v := range map[string]string{"Connection": "upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg=="} {
		r.Header.Set(k, v)
	}
	go s.Device(w, r)
	<-w.opening
	closed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		closed <- s.Close(ctx)
	}()
	for closing := false; !closing; {
		s.mu.Lock()
		closing = s.closed
		s.mu.Unlock()
	}
	// Close meets it, and waits for its mutex: that no event tells, nor synctest. Too short
	// a time can make this pass, never fail.
	time.Sleep(10 * time.Millisecond)
	close(w.open)
	if err := <-closed; err != nil {
		t.Errorf("close: %v", err)
	}
}
