package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"wardbook/client-wasm/replica"
)

// Config is what a Bridge is given once. All of it is required but
// Label, Headroom and Log.
type Config struct {
	// Lang is the language of display texts to begin with, "vi" or "en".
	Lang string
	// Version is the build of the app, as the page knows it.
	Version string
	// Label is what administrators see this device as.
	Label string
	// Open opens the encrypted store of that name, creating it if there is none.
	Open func(ctx context.Context, store string, key []byte) (*Opened, error)
	// OpenLate opens an empty store in memory, for what is written after the lease.
	OpenLate func() *Opened
	// Fetch makes one request of the page's own origin; an error means that no
	// whole reply came.
	Fetch func(ctx context.Context, method, path, token, contentType string, body []byte) (status int, reply []byte, err error)
	// Dial opens the sync socket.
	Dial func(ctx context.Context) (replica.Conn, error)
	// Emit tells the page of an event. It must not block.
	Emit func(event string, data []byte)
	// Headroom returns how many bytes the browser still grants, 0 if unknown.
	Headroom func(ctx context.Context) uint64
	// Now is the device's clock in Unix milliseconds.
	Now func() int64
	// Rand is a cryptographic source.
	Rand io.Reader
	// Log is told what nobody else hears of, such as a panic. It may be nil.
	Log func(text string)
}

// Opened is an account's store, open.
type Opened struct {
	Store  replica.Store
	Mirror Mirror // nil if the store can do without one
	Close  func() error
}

// Bridge answers the page's calls.
type Bridge struct {
	cfg  Config
	gate chan struct{} // held while an account is opened or closed

	mu      sync.Mutex
	account *account // nil when nobody is signed in
	lang    string
}

// New returns a bridge with no account open.
func New(cfg Config) *Bridge {
	if cfg.Headroom == nil {
		cfg.Headroom = func(context.Context) uint64 { return 0 }
	}
	if cfg.Log == nil {
		cfg.Log = func(string) {}
	}
	return &Bridge{cfg: cfg, lang: cfg.Lang, gate: make(chan struct{}, 1)}
}

// answer is what every call is answered with; exactly one of both is set.
type answer struct {
	OK    *any     `json:"ok,omitempty"`
	Error *Failure `json:"error,omitempty"`
}

// Call answers one call of the page. args is JSON.
func (b *Bridge) Call(ctx context.Context, name string, args []byte) (reply []byte) {
	defer func() {
		if v := recover(); v != nil {
			reply = b.panicked("call "+name, v)
		}
	}()
	result, err := b.carryOut(ctx, name, args)
	if err != nil {
		return encode(answer{Error: failureOf(err)})
	}
	return encode(answer{OK: &result})
}

func (b *Bridge) carryOut(ctx context.Context, name string, args []byte) (any, error) {
	call, ok := calls[name]
	if !ok {
		return nil, malformed("no call "+name, nil)
	}
	return call(ctx, b, args)
}

// panicked turns a broken invariant into an answer. The text goes to the log
// only: it may hold values.
func (b *Bridge) panicked(where string, v any) []byte {
	b.cfg.Log(fmt.Sprintf("%s: panic: %v\n%s", where, v, debug.Stack()))
	return encode(answer{Error: &Failure{Code: "internal", VI: "Phần xử lý dữ liệu gặp lỗi. Hãy tải lại trang; việc đã lưu vẫn còn.",
		EN: "The data engine met a fault. Reload the page; what was saved is still there."}})
}

func encode(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("bridge: encode %T: %v", v, err)) // the types are ours
	}
	return text
}

// Online says that there is reason to believe that the network is back.
func (b *Bridge) Online() {
	if a := b.current(); a != nil {
		a.wake()
	}
}

// current returns the open account, or nil.
func (b *Bridge) current() *account {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.account
}

func (b *Bridge) setCurrent(a *account) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.account = a
}

// setLang changes the language of display texts, for this account and the next.
func (b *Bridge) setLang(_ context.Context, q langRequest) (any, error) {
	if q.Lang != "vi" && q.Lang != "en" {
		return nil, malformed("lang", nil)
	}
	b.mu.Lock()
	b.lang = q.Lang
	a := b.account
	b.mu.Unlock()
	if a != nil {
		a.r.SetLang(q.Lang)
		var all replica.Changed
		for _, d := range a.r.Definitions() {
			all.Registers = append(all.Registers, string(d.ID))
		}
		a.changed(all)
	}
	return nil, nil
}

func (b *Bridge) language() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lang
}

// enter waits until nobody else opens or closes an account.
func (b *Bridge) enter(ctx context.Context) (leave func(), err error) {
	select {
	case b.gate <- struct{}{}:
		return func() { <-b.gate }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (b *Bridge) emit(event string, data any) { b.cfg.Emit(event, encode(data)) }
