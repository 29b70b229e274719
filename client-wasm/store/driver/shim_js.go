package driver

import (
	"errors"
	"fmt"
	"syscall/js"
)

// A shim is this side of globalThis.__sq.
type shim struct {
	object js.Value

	// The two arrays that JavaScript keeps for the shim's life; longer ones are asked for each time.
	input, answer js.Value
	answerLen     int

	prepare, columns, query, next, exec, reset, finalize, autocommit, close js.Value
}

// errNoShim: the worker did not load SQLite before the Go module, or this is not a worker of ours.
var errNoShim = errors.New("SQLite is not loaded in this worker")

// keptInput is the length of the array that the shim keeps for what it is given; see Sq.input.
const keptInput = 64 * 1024

func loadShim() (*shim, error) {
	o := js.Global().Get("__sq")
	if o.IsUndefined() {
		return nil, errNoShim
	}
	bound := func(name string) js.Value { return o.Get(name).Call("bind", o) }
	s := &shim{
		object:  o,
		input:   o.Call("input", 0),
		answer:  o.Get("answer"),
		prepare: bound("prepare"), columns: bound("columns"),
		query: bound("query"), next: bound("next"), exec: bound("exec"),
		reset: bound("reset"), finalize: bound("finalize"),
		autocommit: bound("autocommit"), close: bound("close"),
	}
	s.answerLen = s.answer.Length()
	return s, nil
}

// give puts b where the next call finds it.
func (s *shim) give(b []byte) {
	to := s.input
	if len(b) > keptInput {
		to = s.object.Call("input", len(b))
	}
	js.CopyBytesToJS(to, b)
}

// call makes one synchronous call and returns the length of its answer, or the packed error.
func (s *shim) call(fn js.Value, args ...any) (n int, err error) {
	defer func() {
		if thrown := recover(); thrown != nil {
			e, ok := thrown.(js.Error)
			if !ok {
				panic(thrown)
			}
			err = fmt.Errorf("sqlite: %w", e)
		}
	}()
	if n = fn.Invoke(args...).Int(); n >= 0 {
		return n, nil
	}
	return 0, decodeFailure(s.take(nil, -n))
}

// take copies the last answer, of n bytes, into b or, where b is too small, a new slice.
func (s *shim) take(b []byte, n int) []byte {
	if cap(b) < n {
		b = make([]byte, n)
	}
	b = b[:n]
	from := s.answer
	if n > s.answerLen {
		from = s.object.Get("large")
	}
	js.CopyBytesToGo(b, from)
	return b
}

// await waits for a promise. A rejection with a Fault of the worker becomes the error of that name.
func await(promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	resolved := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		return nil
	})
	defer resolved.Release()
	rejected := js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: rejection(args[0])}
		return nil
	})
	defer rejected.Release()
	promise.Call("then", resolved, rejected)
	o := <-settled
	return o.value, o.err
}

func rejection(cause js.Value) error {
	if cause.Type() != js.TypeObject {
		return errors.New(cause.String())
	}
	message := cause.Get("message").String()
	if code := cause.Get("code"); code.Type() == js.TypeString {
		return faultError(code.String(), message)
	}
	return errors.New(message)
}

// A pause lets the worker handle messages while a goroutine waits for nothing else.
type pause struct {
	channel js.Value
	heard   js.Func
	done    chan struct{}
}

func newPause() *pause {
	p := &pause{channel: js.Global().Get("MessageChannel").New(), done: make(chan struct{}, 1)}
	p.heard = js.FuncOf(func(js.Value, []js.Value) any {
		p.done <- struct{}{}
		return nil
	})
	p.channel.Get("port1").Set("onmessage", p.heard)
	return p
}

// take returns after the messages that were waiting have been handled. Timers would do, but browsers hold those
// that follow each other for 4 ms.
func (p *pause) take() {
	p.channel.Get("port2").Call("postMessage", 0)
	<-p.done
}

func (p *pause) release() {
	p.channel.Get("port1").Call("close")
	p.heard.Release()
}

// faultError names what the worker rejected a promise with, by the code of its Fault.
func faultError(code, message string) error {
	var named error
	switch code {
	case "no-opfs":
		named = ErrNoOPFS
	case "held":
		named = ErrHeld
	case "quota":
		named = ErrQuota
	case "wrong-key":
		named = ErrWrongKey
	case "corrupted":
		named = ErrCorrupted
	default:
		return errors.New(message)
	}
	return fmt.Errorf("%w: %s", named, message)
}
