package live

import (
	"sync"

	"wardbook/sync/protocol"
)

// Bus passes messages about a unit to the sessions that follow it. The zero
// Bus is ready; it is safe for concurrent use.
type Bus struct {
	mu   sync.Mutex
	next int
	subs map[string]map[int]Listener
	all  []func([]protocol.StreamMark)
}

// Listener hears of a unit. Its functions must not block: they run on the
// goroutine of whoever changed something.
type Listener struct {
	Grew     func([]protocol.StreamMark)
	Announce func(protocol.Message)
}

// Watch lets grew hear of every unit's streams, before those who follow the unit
// do. It must not block.
func (b *Bus) Watch(grew func([]protocol.StreamMark)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, grew)
}

// Follow lets l hear of unit until the returned function is called.
func (b *Bus) Follow(unit string, l Listener) (leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[string]map[int]Listener{}
	}
	if b.subs[unit] == nil {
		b.subs[unit] = map[int]Listener{}
	}
	b.next++
	n := b.next
	b.subs[unit][n] = l
	return func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.subs[unit], n)
		if len(b.subs[unit]) == 0 {
			delete(b.subs, unit)
		}
	}
}

// Grew tells the followers of each unit in marks that its streams moved on.
// Call it only when the positions are durable.
func (b *Bus) Grew(marks []protocol.StreamMark) {
	if len(marks) == 0 {
		return
	}
	b.mu.Lock()
	all := b.all
	b.mu.Unlock()
	for _, grew := range all {
		grew(marks)
	}
	for len(marks) > 0 {
		unit, n := marks[0].Stream.Unit, 1
		for n < len(marks) && marks[n].Stream.Unit == unit {
			n++
		}
		for _, l := range b.followers(unit) {
			l.Grew(marks[:n])
		}
		marks = marks[n:]
	}
}

// Announce passes a message to the followers of unit.
func (b *Bus) Announce(unit string, m protocol.Message) {
	for _, l := range b.followers(unit) {
		l.Announce(m)
	}
}

func (b *Bus) followers(unit string) []Listener {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := make([]Listener, 0, len(b.subs[unit]))
	for _, l := range b.subs[unit] {
		list = append(list, l)
	}
	return list
}
