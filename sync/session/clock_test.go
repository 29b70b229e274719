package session

import (
	"testing"

	"wardbook/conflict"
	"wardbook/sync/protocol"
)

// TestClockSetBack: a device's clock goes ten years back while its link is dead.
// The link must be given up as if the clock had not moved, and tried again.
func TestClockSetBack(t *testing.T) {
	const tenYears = 10 * 365 * 24 * 3600 * 1000
	now := int64(20 * 365 * 24 * 3600 * 1000)
	c := NewClient(ClientConfig{Streaming: true, Rand: func() uint64 { return 7 }}, Local{Replica: conflict.ReplicaID{1}}, "token")
	c.Step(Start{Now: now})
	c.Step(Opened{Now: now})
	c.Step(Received{Now: now, Message: &protocol.Welcome{Epoch: protocol.Token{1}}})
	if got := c.Status().Link; got != Live {
		t.Fatalf("got %v, want live", got)
	}
	now -= tenYears
	c.Step(Tick{Now: now})
	now += deadAfter
	c.Step(Tick{Now: now})
	if got := c.Status().Link; got != Offline {
		t.Errorf("%d ms of silence after the jump: got %v, want offline", deadAfter, got)
	}
	now -= tenYears / 2
	c.Step(Tick{Now: now})
	now += backoffMax
	if effects := c.Step(Tick{Now: now}); c.Status().Link != Connecting {
		t.Errorf("a minute after the second jump: got %v and %v, want another attempt", c.Status().Link, effects)
	}
}
