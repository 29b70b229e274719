package socket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall/js"
	"time"
)

// Bounds of what waits in a Conn. The server sends at most four pages that the
// device has not taken, so that a well-behaved one stays far below.
const (
	maxMessages = 256
	maxArrived  = 32 << 20 // bytes received and not taken
	maxLeaving  = 4 << 20  // bytes sent and still in the browser; above, Send waits
)

// ErrLost is returned when the socket is gone, whoever closed it.
var ErrLost = errors.New("the socket is closed")

// Conn is one open WebSocket. Send and Receive may be called from different
// goroutines.
type Conn struct {
	ws     js.Value
	lost   chan struct{} // closed when the socket is
	opened chan struct{}
	poke   chan struct{} // capacity 1: something arrived
	funcs  []js.Func
	// offline hears that the browser has no network.
	offline js.Func

	mu      sync.Mutex
	arrived [][]byte
	size    int // bytes in arrived
	over    bool
}

// Dial opens a WebSocket at a path of the module's own origin.
func Dial(ctx context.Context, path string) (*Conn, error) {
	place := js.Global().Get("location")
	scheme := "ws://"
	if place.Get("protocol").String() == "https:" {
		scheme = "wss://"
	}
	c := &Conn{lost: make(chan struct{}), opened: make(chan struct{}, 1), poke: make(chan struct{}, 1)}
	if err := caught(func() { c.ws = js.Global().Get("WebSocket").New(scheme + place.Get("host").String() + path) }); err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	c.ws.Set("binaryType", "arraybuffer")
	c.on("onopen", func(js.Value) { c.opened <- struct{}{} })
	c.on("onmessage", c.message)
	c.on("onclose", func(js.Value) { c.end() })
	c.on("onerror", func(js.Value) { c.end() }) // says no more than the close that follows
	// Without a network the socket only falls silent. The browser knows at once
	// what the session would find out by its pings.
	c.offline = js.FuncOf(func(js.Value, []js.Value) any {
		c.end()
		return nil
	})
	js.Global().Call("addEventListener", "offline", c.offline)
	select {
	case <-c.opened:
		return c, nil
	case <-c.lost:
		return nil, fmt.Errorf("dial: %w", ErrLost)
	case <-ctx.Done():
		c.end()
		return nil, fmt.Errorf("dial: %w", ctx.Err())
	}
}

func (c *Conn) on(event string, do func(js.Value)) {
	f := js.FuncOf(func(_ js.Value, args []js.Value) any {
		do(args[0])
		return nil
	})
	c.funcs = append(c.funcs, f)
	c.ws.Set(event, f)
}

// message queues one message. Text, which nobody of ours sends, and a peer who
// sends faster than we take both end the socket.
func (c *Conn) message(event js.Value) {
	data := event.Get("data")
	if data.Type() != js.TypeObject {
		c.end()
		return
	}
	b := toGo(data)
	c.mu.Lock()
	full := len(c.arrived) >= maxMessages || c.size+len(b) > maxArrived
	if !full && !c.over {
		c.arrived, c.size = append(c.arrived, b), c.size+len(b)
	}
	c.mu.Unlock()
	if full {
		c.end()
		return
	}
	select {
	case c.poke <- struct{}{}:
	default:
	}
}

// end closes the socket and lets go of it, once.
func (c *Conn) end() {
	c.mu.Lock()
	over := c.over
	c.over = true
	c.mu.Unlock()
	if over {
		return
	}
	for _, event := range []string{"onopen", "onmessage", "onclose", "onerror"} {
		c.ws.Set(event, js.Null())
	}
	_ = caught(func() { c.ws.Call("close") }) // one that is closing already says so
	js.Global().Call("removeEventListener", "offline", c.offline)
	c.offline.Release()
	for _, f := range c.funcs {
		f.Release()
	}
	close(c.lost)
}

// Send sends one message. It waits while the browser still holds much of what
// was sent before.
func (c *Conn) Send(ctx context.Context, message []byte) error {
	for {
		select {
		case <-c.lost:
			return ErrLost
		default:
		}
		if c.ws.Get("bufferedAmount").Int() <= maxLeaving {
			break
		}
		select {
		case <-c.lost:
			return ErrLost
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	if c.ws.Get("readyState").Int() != 1 {
		return ErrLost
	}
	if err := caught(func() { c.ws.Call("send", toJS(message)) }); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// Receive returns the next message. What arrived before the socket was lost is
// still given: the last message says why the server hung up.
func (c *Conn) Receive(ctx context.Context) ([]byte, error) {
	for {
		c.mu.Lock()
		if len(c.arrived) > 0 {
			b := c.arrived[0]
			c.arrived[0] = nil
			c.arrived, c.size = c.arrived[1:], c.size-len(b)
			c.mu.Unlock()
			return b, nil
		}
		c.mu.Unlock()
		select {
		case <-c.poke:
		case <-c.lost:
			return nil, ErrLost
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Close closes the socket and forgets what has arrived.
func (c *Conn) Close() error {
	c.end()
	c.mu.Lock()
	c.arrived, c.size = nil, 0
	c.mu.Unlock()
	return nil
}
