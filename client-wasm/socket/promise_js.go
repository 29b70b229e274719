package socket

import (
	"context"
	"errors"
	"syscall/js"
)

// await waits for a promise, or for ctx. What the promise comes to after ctx
// is done is let go of.
func await(ctx context.Context, promise js.Value) (js.Value, error) {
	type outcome struct {
		value js.Value
		err   error
	}
	settled := make(chan outcome, 1)
	var resolved, rejected js.Func
	release := func() {
		resolved.Release()
		rejected.Release()
	}
	resolved = js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{value: args[0]}
		release()
		return nil
	})
	rejected = js.FuncOf(func(_ js.Value, args []js.Value) any {
		settled <- outcome{err: thrown(args[0])}
		release()
		return nil
	})
	promise.Call("then", resolved, rejected)
	select {
	case o := <-settled:
		return o.value, o.err
	case <-ctx.Done():
		return js.Undefined(), ctx.Err()
	}
}

func thrown(cause js.Value) error {
	if cause.Type() == js.TypeObject {
		return errors.New(cause.Get("name").String() + ": " + cause.Get("message").String())
	}
	return errors.New(cause.String())
}

// caught runs do and returns what JavaScript threw in it as an error.
func caught(do func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			e, ok := v.(js.Error)
			if !ok {
				panic(v)
			}
			err = thrown(e.Value)
		}
	}()
	do()
	return nil
}

func toJS(b []byte) js.Value {
	a := js.Global().Get("Uint8Array").New(len(b))
	js.CopyBytesToJS(a, b)
	return a
}

// toGo copies an ArrayBuffer.
func toGo(buffer js.Value) []byte {
	a := js.Global().Get("Uint8Array").New(buffer)
	b := make([]byte, a.Length())
	js.CopyBytesToGo(b, a)
	return b
}
