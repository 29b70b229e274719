package bridge

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"wardbook/client-wasm/replica"
)

// Times between two events of a kind.
const (
	statusEvery  = 250 * time.Millisecond
	changesEvery = 100 * time.Millisecond
)

// mostIDs is how many records one changed event names before it names none.
const mostIDs = 200

// news gathers what the page is to hear.
type news struct {
	status  chan struct{} // capacity 1
	changes chan struct{} // capacity 1

	mu      sync.Mutex
	pending replica.Changed
	many    bool

	telling sync.Mutex // a status that is older is never told behind a newer one
	told    []byte     // the status that was told last
	synced  uint64     // the last of this device's changes as it was when that said "synced"; 0 if it did not
}

func (n *news) init() {
	n.status, n.changes = make(chan struct{}, 1), make(chan struct{}, 1)
}

// poke has the status told again, soon.
func (n *news) poke() { signal(n.status) }

// changed is called by the replica after each change of records.
func (a *account) changed(c replica.Changed) {
	n := &a.news
	n.mu.Lock()
	for _, reg := range c.Registers {
		if !slices.Contains(n.pending.Registers, reg) {
			n.pending.Registers = append(n.pending.Registers, reg)
		}
	}
	n.many = n.many || len(c.IDs) == 0 || len(n.pending.IDs)+len(c.IDs) > mostIDs
	if n.many {
		n.pending.IDs = nil
	}
	for _, id := range c.IDs {
		if !n.many && !slices.Contains(n.pending.IDs, id) {
			n.pending.IDs = append(n.pending.IDs, id)
		}
	}
	n.mu.Unlock()
	signal(n.changes)
	n.poke()
	signal(a.saved)
}

// take returns what has gathered and begins anew.
func (n *news) take() replica.Changed {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.pending
	n.pending, n.many = replica.Changed{}, false
	if c.IDs == nil {
		c.IDs = []string{}
	}
	if c.Registers == nil {
		c.Registers = []string{}
	}
	return c
}

// tellChanges sends changed events until the account is closed.
func (a *account) tellChanges() {
	for {
		select {
		case <-a.life.Done():
			return
		case <-a.news.changes:
		}
		a.b.emit("changed", a.news.take())
		if !a.wait(changesEvery) {
			return
		}
	}
}

// tellStatus sends status events until the account is closed: at most one in
// statusEvery, none that says what the last one did, and always the last.
func (a *account) tellStatus() {
	for {
		select {
		case <-a.life.Done():
			return
		case <-a.news.status:
		}
		a.tell()
		if !a.wait(statusEvery) {
			return
		}
	}
}

// tell sends a status event, unless the last one said the same.
func (a *account) tell() {
	n := &a.news
	n.telling.Lock()
	defer n.telling.Unlock()
	last := a.r.Meta().Last
	s, err := a.status(a.life)
	if err != nil {
		if a.life.Err() == nil {
			a.b.cfg.Log("status: " + err.Error())
		}
		return
	}
	n.mu.Lock()
	n.synced = 0
	if s.Synced {
		n.synced = max(last, 1)
	}
	n.mu.Unlock()
	if text := encode(s); !bytes.Equal(text, n.told) {
		n.told = text
		a.b.cfg.Emit("status", text)
	}
}

// unsay tells the status at once if the last one said "synced" and something
// was saved since: by the time that a save is answered the page no longer says
// so.
func (a *account) unsay() {
	n := &a.news
	n.mu.Lock()
	synced := n.synced
	n.mu.Unlock()
	if synced != 0 && max(a.r.Meta().Last, 1) != synced {
		a.tell()
	}
}

// status is the replica's, with what only the bridge knows: that somebody has
// to sign in again, and, for roles without records, whether the server answers.
func (a *account) status(ctx context.Context) (replica.Status, error) {
	s, err := a.r.Status(ctx)
	if err != nil {
		return s, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.replicates() {
		switch {
		case a.reached:
			s.Link = "online"
		case !a.asked:
			s.Link = "connecting"
		}
	}
	if s.Failure == nil && a.kept.Refresh == "" {
		s.Failure = errSignIn
	}
	return s, nil
}
