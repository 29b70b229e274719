package store

import (
	"sync"
	"syscall/js"
)

// yielding is the channel over which a search lets the worker's events in: Go
// hears of a newer call only once nothing of it runs. A timer would do too, but
// browsers hold timers that follow each other back by 4 ms.
var yielding struct {
	sync.Mutex
	port    js.Value // undefined before the first use
	waiting []chan struct{}
}

// yield returns after the events that wait now were handled.
func yield() {
	y := &yielding
	came := make(chan struct{})
	y.Lock()
	if y.port.IsUndefined() {
		channel := js.Global().Get("MessageChannel").New()
		// Never released: it serves as long as the module runs.
		channel.Get("port1").Set("onmessage", js.FuncOf(func(js.Value, []js.Value) any {
			y.Lock()
			defer y.Unlock()
			close(y.waiting[0])
			y.waiting = y.waiting[1:]
			return nil
		}))
		y.port = channel.Get("port2")
	}
	y.waiting = append(y.waiting, came)
	y.port.Call("postMessage", nil)
	y.Unlock()
	<-came
}
