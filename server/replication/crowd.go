package replication

import (
	"sync"

	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// crowd tells the sockets that follow a unit how far its streams have grown: a
// few at a time, so that who pushed, and whoever else speaks, need not wait
// until thousands have their page. A socket that waits for its turn is told
// everything at once. The zero crowd is ready.
type crowd struct {
	mu      sync.Mutex
	waiting []*socket // each once
	working int
}

// atOnce is how many sockets are told at once. Some of them wait for the disk.
const atOnce = 32

// tell lets c hear of marks soon. It does not block.
func (w *crowd) tell(c *socket, marks []protocol.StreamMark) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(c.news) == 0 {
		w.waiting = append(w.waiting, c)
	}
	c.news = append(c.news, marks...)
	if w.working < atOnce {
		w.working++
		go w.work()
	}
}

// work tells who waits until nobody does.
func (w *crowd) work() {
	for {
		w.mu.Lock()
		if len(w.waiting) == 0 {
			w.waiting = nil
			w.working--
			w.mu.Unlock()
			return
		}
		c := w.waiting[0]
		w.waiting[0] = nil
		w.waiting = w.waiting[1:]
		news := c.news
		c.news = nil
		w.mu.Unlock()
		c.step(session.Grew{Now: c.s.cfg.Now(), Heads: news})
	}
}
