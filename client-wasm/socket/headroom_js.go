package socket

import (
	"context"
	"syscall/js"
)

// Headroom returns how many bytes the browser still grants this origin.
func Headroom(ctx context.Context) (uint64, error) {
	var asked js.Value
	if err := caught(func() { asked = js.Global().Get("navigator").Get("storage").Call("estimate") }); err != nil {
		return 0, err
	}
	estimate, err := await(ctx, asked)
	if err != nil {
		return 0, err
	}
	return uint64(max(0, estimate.Get("quota").Float()-estimate.Get("usage").Float())), nil
}
