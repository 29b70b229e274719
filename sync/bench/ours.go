package bench

import (
	"bytes"
	"context"
	crand "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// Server is a running server of ours.
type Server struct {
	URL string
	// Officer makes the account of an officer of a unit and returns its
	// password.
	Officer func(ctx context.Context, name, unit string) (password string, err error)
	// RestBytes returns how many bytes the records take at rest, each with its
	// keys and indexes and without its history, and how many records there are.
	RestBytes func(ctx context.Context) (bytes, records int64, err error)
	// Serve serves at a further address, until Close.
	Serve func(net.Listener) error
	Close func() error
}

// StartServer starts the production server on the data folder dir, with def as
// its only register, at a free port of the loopback interface.
type StartServer func(ctx context.Context, dir string, def *register.Definition) (*Server, error)

// wire counts the bytes of connections, TCP's and IP's own left out.
type wire struct{ up, down atomic.Int64 }

// dialer returns a dialer whose connections w counts.
func (w *wire) dialer() *websocket.Dialer {
	return &websocket.Dialer{HandshakeTimeout: 15 * time.Second, WriteBufferSize: 64 << 10,
		NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			c, err := new(net.Dialer).DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			return &countedConn{c, w}, nil
		}}
}

type countedConn struct {
	net.Conn
	w *wire
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.w.down.Add(int64(n))
	return n, err
}

func (c *countedConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.w.up.Add(int64(n))
	return n, err
}

// signIn enrols a device for an account and returns its access token.
func signIn(ctx context.Context, server, name, password string) (string, error) {
	body, err := json.Marshal(map[string]string{"name": name, "password": password, "device_label": "bench"})
	if err != nil {
		return "", err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", server+"/api/v1/auth/login", bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", err
	}
	var grant struct {
		Access string `json:"access_token"`
	}
	if err := json.Unmarshal(answer, &grant); err != nil || grant.Access == "" {
		return "", fmt.Errorf("sign %s in: %s: %s", name, res.Status, answer)
	}
	return grant.Access, nil
}

// device is the production replica over native SQLite.
type device struct {
	store   *store.Store
	replica *replica.Replica
	token   string
	wire    *wire
	changed atomic.Pointer[func(replica.Changed)]
}

// openDevice opens the device of an account in a file. A new one gets the
// definition and its one stream, as after a sign-in.
func openDevice(ctx context.Context, path, account string, def *register.Definition) (*device, error) {
	d := &device{}
	var err error
	if d.store, err = store.Open(ctx, path); err != nil {
		return nil, err
	}
	d.replica, err = replica.Open(ctx, replica.Config{Store: d.store, Now: func() int64 { return time.Now().UnixMilli() }, Rand: crand.Reader,
		Account: replica.Account{Name: account, Display: account, Role: "officer", Unit: unit}, Lang: "vi", Changed: func(c replica.Changed) {
			if f := d.changed.Load(); f != nil {
				(*f)(c)
			}
		}})
	if err == nil {
		err = d.replica.SetDefinitions(ctx, def.Marshal())
	}
	if err == nil {
		err = d.replica.SetScopes(ctx, []protocol.Scope{{Stream: stream}})
	}
	if err != nil {
		d.store.Close()
		return nil, err
	}
	return d, nil
}

func (d *device) close() error { return d.store.Close() }

// stream returns how far the device is.
func (d *device) stream() replica.Stream { return d.replica.Streams()[0] }

// link is the device's way to the server.
type link struct {
	url  string
	wire *wire
}

// Dial implements replica.Transport.
func (l *link) Dial(ctx context.Context) (replica.Conn, error) {
	ws, _, err := l.wire.dialer().DialContext(ctx, strings.Replace(l.url, "http", "ws", 1)+"/sync/v1/device", nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(protocol.MaxMessage)
	return &conn{ws}, nil
}

// RefreshToken implements replica.Transport. A token outlives a round.
func (l *link) RefreshToken(context.Context) (string, error) {
	return "", errors.New("the access token was refused")
}

type conn struct{ ws *websocket.Conn }

// Send implements replica.Conn.
func (c *conn) Send(_ context.Context, message []byte) error {
	return c.ws.WriteMessage(websocket.BinaryMessage, message)
}

// Receive implements replica.Conn.
func (c *conn) Receive(context.Context) ([]byte, error) {
	_, b, err := c.ws.ReadMessage()
	return b, err
}

// Close implements replica.Conn.
func (c *conn) Close() error { return c.ws.Close() }

// giveUp bounds one round.
const giveUp = time.Minute

var errNotReached = errors.New("the devices did not get there in time")

// until connects devices at once, and returns how long it took until reached
// holds for each, as seen whenever its session has news.
func (b *bencher) until(ctx context.Context, part, url string, devices []*device, reached func(*device, session.Status) bool) (Sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, giveUp, errNotReached)
	defer cancel()
	var wait sync.WaitGroup
	var pending atomic.Int64
	pending.Store(int64(len(devices)))
	errs := make([]error, len(devices))
	var all Sample
	runtime.GC() // what was made before is not collected in the measured time
	stop, err := b.profile(part)
	if err != nil {
		return Sample{}, err
	}
	computed, began := cpuTime(), time.Now()
	for i, d := range devices {
		d.wire = &wire{}
		there := false
		wait.Go(func() {
			err := d.replica.Run(ctx, replica.RunConfig{App: "bench", Token: d.token, Transport: &link{url, d.wire}, Told: func(s session.Status) {
				if s.Failure != protocol.OK {
					errs[i] = &protocol.Error{Code: s.Failure}
					cancel()
				}
				if there || !reached(d, s) {
					return
				}
				there = true
				if pending.Add(-1) == 0 {
					all.Took, all.CPU = time.Since(began), cpuTime()-computed
					cancel()
				}
			}})
			if !there && errs[i] == nil {
				errs[i] = fmt.Errorf("%w: %w: cursor %d of %d, %d records, last counter %d", context.Cause(ctx), err, d.stream().Cursor, d.stream().Head, d.stream().Have, d.replica.Meta().Last)
			}
		})
	}
	wait.Wait()
	if err := errors.Join(append(errs, stop())...); err != nil {
		return Sample{}, err
	}
	for _, d := range devices {
		all.Up += d.wire.up.Load()
		all.Down += d.wire.down.Load()
	}
	return all, nil
}
