package socket

import (
	"context"
	"fmt"
	"syscall/js"
)

// maxReply bounds what a reply may hold, in bytes.
const maxReply = 32 << 20

// Fetch makes one request of the page's own origin. token may be "". An error
// means that no whole reply came: ctx ended, or there is no way to the server.
// Any status of the server's is a reply.
func Fetch(ctx context.Context, method, path, token, contentType string, body []byte) (status int, reply []byte, err error) {
	control := js.Global().Get("AbortController").New()
	defer control.Call("abort") // of no effect once the reply is whole
	headers := js.Global().Get("Object").New()
	if token != "" {
		headers.Set("Authorization", "Bearer "+token)
	}
	options := js.Global().Get("Object").New()
	options.Set("method", method)
	options.Set("headers", headers)
	options.Set("signal", control.Get("signal"))
	options.Set("cache", "no-store")
	options.Set("credentials", "omit")
	options.Set("redirect", "error")
	options.Set("referrerPolicy", "no-referrer")
	if body != nil {
		headers.Set("Content-Type", contentType)
		options.Set("body", toJS(body))
	}
	var response js.Value
	fetched := js.Undefined()
	if err := caught(func() { fetched = js.Global().Call("fetch", path, options) }); err != nil {
		return 0, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	if response, err = await(ctx, fetched); err != nil {
		return 0, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	buffer, err := await(ctx, response.Call("arrayBuffer"))
	if err != nil {
		return 0, nil, fmt.Errorf("fetch %s: %w", path, err)
	}
	if n := buffer.Get("byteLength").Int(); n > maxReply {
		return 0, nil, fmt.Errorf("fetch %s: a reply of %d bytes is too large", path, n)
	}
	return response.Get("status").Int(), toGo(buffer), nil
}
