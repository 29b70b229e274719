package bridge

import (
	"context"
	"errors"
	"sync"

	"wardbook/client-wasm/replica"
)

// turns lets one list of a register run at a time, the newest first: it stops
// the one that is running, which comes again when the newer is done. So what
// somebody types is searched for at once, and no tab is left without an answer.
type turns struct {
	mu   sync.Mutex
	lane map[string]*lane
}

type lane struct {
	free chan struct{} // capacity 1: full while a list runs
	stop context.CancelFunc
}

// errStopped says that a newer list took the turn.
var errStopped = errors.New("a newer list took the turn")

// take waits for the turn of a register. With push it stops the list that has it.
func (t *turns) take(ctx context.Context, register string, push bool) (mine context.Context, done func(), err error) {
	t.mu.Lock()
	if t.lane == nil {
		t.lane = map[string]*lane{}
	}
	l := t.lane[register]
	if l == nil {
		l = &lane{free: make(chan struct{}, 1)}
		t.lane[register] = l
	}
	if push && l.stop != nil {
		l.stop()
	}
	t.mu.Unlock()
	select {
	case l.free <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	mine, cancel := context.WithCancelCause(ctx)
	t.mu.Lock()
	l.stop = func() { cancel(errStopped) }
	t.mu.Unlock()
	return mine, func() {
		t.mu.Lock()
		l.stop = nil
		t.mu.Unlock()
		cancel(nil)
		<-l.free
	}, nil
}

func (a *account) list(ctx context.Context, q replica.ListRequest) (replica.ListReply, error) {
	ctx, cancel := a.within(ctx)
	defer cancel()
	for push := true; ; push = false {
		mine, done, err := a.lists.take(ctx, q.Register, push)
		if err != nil {
			return replica.ListReply{}, err
		}
		reply, err := a.r.List(mine, q)
		stopped := err != nil && errors.Is(context.Cause(mine), errStopped)
		done()
		if !stopped {
			return reply, err
		}
	}
}
