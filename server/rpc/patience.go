package rpc

import (
	"io"
	"net/http"
	"time"
)

// patience is how long a peer may take.
type patience struct {
	grace time.Duration
	rate  int64 // bytes a second
}

// The slowest line that is of use carries a KiB a second; whoever is slower, and
// not only for a moment, holds a connection for nothing.
var usual = patience{20 * time.Second, 1 << 10}

// piece is how much of an answer is waited for at once, in bytes.
const piece = 16 << 10

// allowed is how long a peer may take for so many bytes.
func (p patience) allowed(bytes int64) time.Duration {
	return p.grace + time.Duration(bytes)*time.Second/time.Duration(p.rate)
}

// Patient wraps a whole server: the body of a request must come, and its answer
// be taken, at a KiB a second. Sockets keep their own time.
func Patient(next http.Handler) http.Handler { return usual.wrap(next) }

func (p patience) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			next.ServeHTTP(w, r)
			return
		}
		conn := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			b := &patientBody{ReadCloser: r.Body, conn: conn, patience: p, began: time.Now()}
			conn.SetReadDeadline(b.began.Add(p.grace)) // for a body that nobody reads
			r.Body = b
		}
		next.ServeHTTP(&patientWriter{ResponseWriter: w, conn: conn, patience: p}, r)
		conn.SetWriteDeadline(time.Now().Add(p.grace)) // for what is still buffered
	})
}

type patientBody struct {
	io.ReadCloser
	patience
	conn  *http.ResponseController
	began time.Time
	n     int64
	done  bool
}

func (b *patientBody) Read(p []byte) (int, error) {
	if !b.done {
		b.conn.SetReadDeadline(b.began.Add(b.allowed(b.n))) // where there is none to set, there is no line
	}
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err != nil && !b.done {
		b.done = true
		if err == io.EOF {
			b.conn.SetReadDeadline(time.Time{}) // the answer may take longer
		}
	}
	return n, err
}

type patientWriter struct {
	http.ResponseWriter
	patience
	conn *http.ResponseController
}

// Unwrap serves http.ResponseController.
func (w *patientWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush serves those that ask for an http.Flusher.
func (w *patientWriter) Flush() { w.conn.Flush() }

func (w *patientWriter) Write(p []byte) (n int, err error) {
	for {
		part := p[n:min(len(p), n+piece)]
		w.conn.SetWriteDeadline(time.Now().Add(w.allowed(int64(len(part)))))
		m, err := w.ResponseWriter.Write(part)
		if n += m; err != nil || n == len(p) {
			return n, err
		}
	}
}
