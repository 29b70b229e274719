// The browser module: the offline client in the worker of the page, beside
// SQLite. web/src/worker/worker.ts starts it and passes the page's calls on.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"syscall/js"
	"time"

	"wardbook/client-wasm/bridge"
	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/socket"
	"wardbook/client-wasm/store"
	"wardbook/client-wasm/store/driver"
)

func main() {
	version, lang := "dev", "vi"
	if len(os.Args) > 2 { // the worker says both
		version, lang = os.Args[1], os.Args[2]
	}
	b := bridge.New(bridge.Config{
		Version: version, Lang: lang, Label: label(), Open: openStore, OpenLate: openLate, Fetch: socket.Fetch, Dial: dial, Emit: emit, Headroom: headroom,
		Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader, Log: logLine,
	})
	// Neither is ever released: the module runs as long as its worker.
	online := js.FuncOf(func(js.Value, []js.Value) any {
		b.Online()
		return nil
	})
	js.Global().Call("addEventListener", "online", online)
	call := js.FuncOf(func(_ js.Value, args []js.Value) any {
		at := js.Undefined()
		if len(args) > 2 {
			at = args[2]
		}
		return promise(b, args[0].String(), []byte(args[1].String()), at)
	})
	object := js.Global().Get("Object").New()
	object.Set("call", call)
	js.Global().Set("__wardbook", object) // this is how the worker knows that the module is ready
	select {}
}

// promise answers one call on a goroutine of its own. What awaits a promise runs only
// once no goroutine has anything to do: not before the pages were told what changed, and
// what is to be sent was read. Who cannot wait gives at, which is called at once.
func promise(b *bridge.Bridge, name string, args []byte, at js.Value) js.Value {
	executor := js.FuncOf(func(_ js.Value, functions []js.Value) any {
		resolve := functions[0]
		go func() {
			answer := js.ValueOf(string(b.Call(context.Background(), name, args)))
			if at.Type() == js.TypeFunction {
				at.Invoke(answer)
			}
			resolve.Invoke(answer)
		}()
		return nil
	})
	defer executor.Release() // a promise runs its executor before it is made
	return js.Global().Get("Promise").New(executor)
}

func emit(event string, data []byte) {
	if hear := js.Global().Get("__wardbookEvent"); hear.Type() == js.TypeFunction {
		hear.Invoke(event, string(data))
	}
}

func dial(ctx context.Context) (replica.Conn, error) { return socket.Dial(ctx, "/sync/v1/socket") }

// openStore opens an encrypted store and its mirror.
func openStore(ctx context.Context, name string, key []byte) (*bridge.Opened, error) {
	cfg := driver.Config{Store: name, Key: key}
	db, err := driver.Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := store.New(ctx, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	m, err := driver.OpenMirror(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &bridge.Opened{Store: s, Mirror: mirror{m}, Close: s.Close}, nil
}

// openLate opens a store that is gone with the worker.
func openLate() *bridge.Opened {
	return &bridge.Opened{Store: store.NewMemory(), Close: func() error { return nil }}
}

// mirror is the driver's under the bridge's names.
type mirror struct{ *driver.Mirror }

// All returns what the mirror holds.
func (m mirror) All(ctx context.Context) ([]bridge.Mirrored, error) {
	all, err := m.Mirror.All(ctx)
	out := make([]bridge.Mirrored, len(all))
	for i, e := range all {
		out[i] = bridge.Mirrored(e)
	}
	return out, err
}

// headroom asks the browser how much more it will store for us.
func headroom(ctx context.Context) uint64 {
	free, err := socket.Headroom(ctx)
	if err != nil {
		return 0
	}
	return free
}

// label is what administrators see this device as.
func label() string {
	agent := js.Global().Get("navigator").Get("userAgent").String()
	return agent[:min(len(agent), 200)]
}

func logLine(text string) { js.Global().Get("console").Call("error", text) }
