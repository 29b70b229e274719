package replication

import (
	"io"
	"net/http"

	"wardbook/conflict"
	"wardbook/server/rpc"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// Exchange serves the same exchange over one HTTPS POST, for networks that
// break sockets: the body holds the device's messages, the answer the server's.
// The device comes again until it has nothing more to say or to hear.
func (s *Server) Exchange(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxExchange))
	if err != nil {
		http.Error(w, "the body is too large or was cut", http.StatusRequestEntityTooLarge)
		return
	}
	frames, err := protocol.ReadFrames(body)
	if err != nil {
		http.Error(w, "the body holds no messages", http.StatusBadRequest)
		return
	}
	var answer []byte
	over := false
	h := host{s: s, machine: session.NewServer(s.cfg.Now()), pages: exchangePages,
		hangUp:  func() { over = true },
		wake:    func(int64) {},
		settled: func(string, conflict.ReplicaID) error { return nil },
		follow:  func(map[string]bool) {},
	}
	h.send = func(m protocol.Message) { answer = protocol.AppendFrame(answer, h.bytesOf(m)) }
	for _, frame := range frames {
		if over {
			break
		}
		m, err := protocol.Decode(frame)
		if err != nil {
			h.malformed(frame)
			continue
		}
		h.step(session.Received{Now: s.cfg.Now(), Message: m})
	}
	if len(answer) == 0 { // cut short, or not what opens a session in its wire version
		h.send(&protocol.Error{Code: protocol.HelloExpected})
	}
	rpc.Secure(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.wardbook.sync")
		w.Header().Set("Cache-Control", "no-store")
		w.Write(answer)
	})).ServeHTTP(w, r)
}
