package replication

import (
	"container/list"
	"sync"

	"wardbook/sync/protocol"
)

// pageCache lets the subscribers of a stream share a page and its bytes: it is
// read, encoded and compressed once. A page states its range, so an old one is
// never wrong, only short: the session asks for the rest.
type pageCache struct {
	mu     sync.Mutex
	pages  map[pageKey]*list.Element
	recent list.List // of *sharedPage, the latest used first
	bytes  int
}

type pageKey struct {
	stream      protocol.Stream
	from, floor uint64
}

type sharedPage struct {
	key   pageKey
	once  sync.Once
	page  *protocol.Page
	err   error
	bytes []byte
}

const pageCacheBytes = 16 << 20

// load returns the page after from and its bytes, made by fill if nobody has it. Pages of a
// scope that is limited to neighbourhoods are not shared.
func (c *pageCache) load(scope protocol.Scope, from, floor uint64, fill func() (*protocol.Page, []byte, error)) (*protocol.Page, []byte, error) {
	if len(scope.Neighbourhoods) > 0 {
		return fill()
	}
	key := pageKey{scope.Stream, from, floor}
	c.mu.Lock()
	if c.pages == nil {
		c.pages = map[pageKey]*list.Element{}
	}
	el, ok := c.pages[key]
	if !ok {
		el = c.recent.PushFront(&sharedPage{key: key})
		c.pages[key] = el
	} else {
		c.recent.MoveToFront(el)
	}
	shared := el.Value.(*sharedPage)
	c.mu.Unlock()
	shared.once.Do(func() {
		shared.page, shared.bytes, shared.err = fill()
		c.mu.Lock()
		defer c.mu.Unlock()
		if shared.err != nil || shared.page.To == from {
			// A failure, or nothing new yet: the next asker looks again.
			c.drop(el)
			return
		}
		c.bytes += len(shared.bytes)
		for c.bytes > pageCacheBytes && c.recent.Len() > 1 {
			c.drop(c.recent.Back())
		}
	})
	return shared.page, shared.bytes, shared.err
}

// forget drops the pages of the streams, whose newest page has become short.
func (c *pageCache) forget(marks []protocol.StreamMark) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for el := c.recent.Front(); el != nil; {
		next := el.Next()
		for _, m := range marks {
			if el.Value.(*sharedPage).key.stream == m.Stream {
				c.drop(el)
				break
			}
		}
		el = next
	}
}

// drop removes el; the lock is held.
func (c *pageCache) drop(el *list.Element) {
	shared := el.Value.(*sharedPage)
	if c.pages[shared.key] != el {
		return
	}
	delete(c.pages, shared.key)
	c.recent.Remove(el)
	c.bytes -= len(shared.bytes)
}
