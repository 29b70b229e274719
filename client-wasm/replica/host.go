package replica

import (
	"context"
	"fmt"

	"wardbook/conflict"
	"wardbook/sync/session"
)

// Host joins a session.Client to a Replica. It queues the effects of the
// client's steps and performs them one by one, in order; those that concern
// the network it hands to its owner. Between any two the process may stop: a
// new Host on the same store goes on from what is durable.
//
// A Host belongs to one goroutine.
type Host struct {
	r      *Replica
	cfg    session.ClientConfig
	client *session.Client
	queue  []session.Effect // from done on
	done   int
	scopes uint64 // the replica's, as the client knows them
	last   uint64 // highest counter that the client was told of
	id     conflict.ReplicaID
	wakeAt int64 // when a Tick is due; 0 for never
}

// NewHost returns a host for r. token is the access token, or "" if one must
// be fetched first. streaming is true for a socket, false for POST.
func (r *Replica) NewHost(app, token string, streaming bool) *Host {
	h := &Host{r: r, cfg: session.ClientConfig{App: app, Streaming: streaming, Rand: r.random64}}
	h.renew(token)
	return h
}

func (h *Host) renew(token string) {
	h.r.mu.Lock()
	local := h.r.local()
	h.scopes = h.r.scopes
	h.r.mu.Unlock()
	h.last, h.id = local.Last, local.Replica
	h.client = session.NewClient(h.cfg, local, token)
	h.queue, h.done, h.wakeAt = nil, 0, 0
}

// Step gives the client an event and queues what follows.
func (h *Host) Step(e session.Event) { h.queue = append(h.queue, h.client.Step(e)...) }

// Pending returns how many effects are queued.
func (h *Host) Pending() int { return len(h.queue) - h.done }

// Status returns what the client says of itself.
func (h *Host) Status() session.Status { return h.client.Status() }

// Idle reports whether everything is acknowledged, received and performed.
func (h *Host) Idle() bool { return h.Pending() == 0 && h.client.Idle() }

// WakeAt returns when the owner should deliver session.Tick, 0 for never.
func (h *Host) WakeAt() int64 { return h.wakeAt }

// Refresh tells the client what was saved, or rescoped, since it last looked.
// The owner calls it after a save, and whenever it is convenient.
func (h *Host) Refresh() {
	h.r.mu.Lock()
	local, scopes := h.r.local(), h.r.scopes
	h.r.mu.Unlock()
	if local.Replica != h.id {
		return // the client hears of it when it has been rekeyed
	}
	if scopes != h.scopes {
		h.scopes = scopes
		h.Step(session.Rescoped{Now: h.r.now(), Scopes: local.Scopes, Defs: local.Defs})
	}
	if local.Last > h.last {
		h.last = local.Last
		h.Step(session.Saved{Now: h.r.now(), Last: local.Last})
	}
}

// rescoped reports whether the replica asks for other streams, or from elsewhere, than
// the client knows.
func (h *Host) rescoped() bool {
	h.r.mu.Lock()
	defer h.r.mu.Unlock()
	return h.r.scopes != h.scopes
}

// Perform takes the first effect from the queue. What concerns the store it
// performs, to its end, and feeds the answer to the client; then it returns
// nil. What concerns the network (Dial, Send, HangUp, RefreshToken) it
// returns, for the owner to perform before it calls again. It returns nil, nil
// when the queue is empty.
//
// After an error nothing more is queued: the connection must be hung up, and
// Reset makes the host new from what is durable.
func (h *Host) Perform(ctx context.Context) (session.Effect, error) {
	if h.Pending() == 0 {
		return nil, nil
	}
	e := h.queue[h.done]
	h.queue[h.done] = nil
	if h.done++; h.done == len(h.queue) {
		h.queue, h.done = h.queue[:0], 0
	}
	switch e := e.(type) {
	case session.Dial, session.Send, session.HangUp, session.RefreshToken:
		return e, nil
	case session.Wake:
		h.wakeAt = e.At
	case session.Tell:
		h.r.hear(e.Status)
	default:
		follow, changed, err := h.store(ctx, e)
		if err != nil {
			h.queue, h.done = nil, 0
			return nil, fmt.Errorf("%T: %w", e, err)
		}
		h.r.tell(changed.done())
		if follow != nil {
			h.Step(follow)
		}
		switch e.(type) {
		case session.StoreWelcome:
			h.Refresh() // a stream may begin anew, or something be handed in again
		case session.StoreErased, session.StorePage:
			if h.rescoped() {
				h.Refresh() // a stream goes back, before a page comes that the store would pass over
			}
		}
	}
	return nil, nil
}

// store performs one store effect, and returns the event that answers it.
func (h *Host) store(ctx context.Context, e session.Effect) (session.Event, Changed, error) {
	r := h.r
	r.mu.Lock()
	defer r.mu.Unlock()
	var changed Changed
	var err error
	switch e := e.(type) {
	case session.StoreNext:
		err = r.storeNext(ctx, e)
	case session.LoadOutbox:
		changesets, err := r.loadOutbox(ctx, e.From, e.Most)
		return session.Loaded{From: e.From, Changesets: changesets}, Changed{}, err
	case session.StoreWelcome:
		err = r.storeWelcome(ctx, e)
	case session.StoreAck:
		changed, err = r.storeAck(ctx, e.Ack)
	case session.StorePage:
		changed, err = r.storePage(ctx, e.Page)
	case session.StoreRefusal:
		changed, err = r.storeRefusal(ctx, e.Refusal)
	case session.StoreHubMark:
		changed, err = r.storeHubMark(ctx, e.Mark)
	case session.StoreDefinition:
		err = r.storeDefinition(ctx, e.Definition.Body)
		h.scopes = r.scopes // the server knows that the device has it
		changed.Registers = []string{e.Definition.Register}
	case session.StoreErased:
		changed, err = r.storeErased(ctx, e.Erased)
	case session.StoreWithdraw:
		changed, err = r.storeWithdraw(ctx, e.Withdraw)
	case session.LoadKept:
		pages, err := r.loadKept(ctx)
		return session.KeptLoaded{Pages: pages}, Changed{}, err
	case session.StoreReturned:
		err = r.storeReturned(ctx, e)
	case session.Rekey:
		local, err := r.rekey(ctx, e)
		if err != nil {
			return nil, Changed{}, err
		}
		h.id, h.last, h.scopes = local.Replica, local.Last, r.scopes
		return session.Rekeyed{Now: r.now(), Local: local}, Changed{Registers: r.registers()}, nil
	default:
		err = fmt.Errorf("no such effect")
	}
	return nil, changed, err
}

// Reset forgets the client and its queue and begins a new one from what is
// durable, as after a crash.
func (h *Host) Reset(token string) { h.renew(token) }

func (r *Replica) registers() []string {
	var all []string
	for id := range r.defs {
		all = append(all, id)
	}
	return all
}

// hear keeps what the session says of itself.
func (r *Replica) hear(s session.Status) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = s
}
