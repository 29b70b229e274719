package session

import (
	"testing"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// owner is a client's owner whose outbox is endless and whose clock is the
// test's. It delivers the ticks that the client asked for, and only those.
type owner struct {
	*Client
	now    int64
	wakeAt int64
	pushes []*protocol.Push // sent and not taken by the test
	hung   int
	said   int // messages
}

func newOwner(random uint64, last uint64) *owner {
	o := &owner{now: 1_000_000}
	o.Client = NewClient(ClientConfig{Streaming: true, Rand: func() uint64 { return random }}, Local{Replica: conflict.ReplicaID{1}, Last: last}, "token")
	return o
}

func (o *owner) step(e Event) {
	for _, f := range o.Step(e) {
		switch f := f.(type) {
		case Wake:
			o.wakeAt = f.At
		case HangUp:
			o.hung++
		case Send:
			o.said++
			if p, ok := f.Message.(*protocol.Push); ok {
				o.pushes = append(o.pushes, p)
			}
		case LoadOutbox:
			e := Loaded{From: f.From}
			for n := f.From; n <= o.local.Last && len(e.Changesets) < f.Most; n++ {
				d := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: n}
				e.Changesets = append(e.Changesets, record.Changeset{Dot: d, Edits: []record.Edit{{Record: d, Writes: []record.Write{{Key: conflict.Key(16)}}}}})
			}
			defer o.step(e)
		}
	}
}

// wait lets time pass until at, with the ticks that fall into it.
func (o *owner) wait(ms int64) {
	for end := o.now + ms; o.now < end; {
		if o.wakeAt == 0 || o.wakeAt > end {
			o.now = end
			return
		}
		o.now, o.wakeAt = max(o.now, o.wakeAt), 0
		o.step(Tick{Now: o.now})
	}
}

func (o *owner) connect() {
	o.step(Opened{Now: o.now})
	o.step(Received{Now: o.now, Message: &protocol.Welcome{Epoch: protocol.Token{1}, Acked: o.local.Acked}})
}

// A server that talks but acknowledges nothing is given up like a silent one,
// although it never is silent for as long as a ping takes.
func TestTalkingServerThatTakesNothing(t *testing.T) {
	o := newOwner(7, 1)
	o.step(Start{Now: o.now})
	o.connect()
	for range 20 {
		o.wait(2_000)
		if o.Status().Link != Live {
			break
		}
		o.step(Received{Now: o.now, Message: &protocol.HubMark{Unit: "27169"}})
	}
	if waited := o.now - 1_000_000; o.hung != 1 || waited > stuckAfter+2_000 {
		t.Errorf("got %d hang-ups after %d ms, want 1 within %d", o.hung, waited, stuckAfter)
	}
}

// A device that hears much and has nothing to say is still heard every 10 s: the
// server would take it for dead.
func TestListenerSpeaksToo(t *testing.T) {
	o := newOwner(7, 0)
	o.step(Start{Now: o.now})
	o.connect()
	for range 30 {
		before := o.said
		for range 6 {
			o.wait(2_000)
			o.step(Received{Now: o.now, Message: &protocol.HubMark{Unit: "27169"}})
		}
		if o.said == before {
			t.Fatal("12 s passed without a word")
		}
	}
	if o.hung > 0 {
		t.Error("the device hung up")
	}
}

// On a line on which the first push takes longer than the device's patience, the
// next ones are smaller until they come through; on a better line they grow.
func TestPushesFitTheLine(t *testing.T) {
	const perSecond = 1 // changesets that the line carries
	o := newOwner(7, 2000)
	o.step(Start{Now: o.now})
	tries := 0
	for o.Status().Acked == 0 {
		if tries++; tries > 10 {
			t.Fatal("nothing came through in 10 connections")
		}
		o.pushes = nil
		o.connect()
		p := o.pushes[0]
		if takes := int64(len(p.Changesets)) * 1000 / perSecond; takes < deadAfter {
			o.wait(takes)
			o.step(Received{Now: o.now, Message: &protocol.Ack{Through: p.Changesets[len(p.Changesets)-1].Dot.Counter}})
			break
		}
		for o.Status().Link == Live {
			o.wait(1_000)
		}
		for o.Status().Link != Connecting {
			o.wait(1_000)
		}
	}
	if n := len(o.pushes[0].Changesets); n > deadAfter/1000*perSecond || n < 2 {
		t.Errorf("got a push of %d that came through", n)
	}
	for o.Status().Acked < 2000 {
		p := o.pushes[1]
		o.pushes = o.pushes[1:]
		o.wait(10)
		o.step(Received{Now: o.now, Message: &protocol.Ack{Through: p.Changesets[len(p.Changesets)-1].Dot.Counter}})
		if len(o.pushes) == 1 {
			break
		}
	}
	if o.most <= pushFirst {
		t.Errorf("on a good line pushes hold %d, want them to have grown", o.most)
	}
}

// Devices that were all told to come again in a minute do not come at once.
func TestToldToComeAgain(t *testing.T) {
	var first, last int64
	for i := range uint64(100) {
		o := newOwner(i*997, 0)
		o.step(Start{Now: o.now})
		o.step(Opened{Now: o.now})
		o.step(Received{Now: o.now, Message: &protocol.Error{Code: protocol.Busy, RetryAfter: 60}})
		at := o.retryAt - o.now
		if at < 60_000 {
			t.Fatalf("got %d ms, want at least what the server asked for", at)
		}
		if i == 0 {
			first = at
		}
		first, last = min(first, at), max(last, at)
	}
	if last-first < 40_000 || last > 125_000 {
		t.Errorf("they come %d to %d ms later, want them spread over a minute", first, last)
	}
}
