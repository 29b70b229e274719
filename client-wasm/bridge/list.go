package bridge

import (
	"context"
	"errors"
	"sync"

	"wardbook/client-wasm/replica"
)

// turns lets one list of a register run at a time, the newest question first:
// it stops the one that is running. If both come from the same asker, as when
// somebody types on, the older one is given up; else it comes again when the
// newer is done. So what somebody types is searched for at once, and no tab is
// left without an answer.
type turns struct {
	mu   sync.Mutex
	lane map[string]*lane
}

type lane struct {
	free   chan struct{} // capacity 1: full while a list runs
	stop   context.CancelFunc
	runs   question            // that stop stops
	newest map[string]question // by Turn; of those that wait or run
	asks   map[string]int      // how many of them
}

// question is what a list searches for, whatever part of the hits it wants.
type question struct {
	turn, search string
	filter       replica.Filter
}

func questionOf(q replica.ListRequest) question { return question{q.Turn, q.Search, q.Filter} }

// errStopped says that a newer list took the turn.
var errStopped = errors.New("a newer list took the turn")

// errSuperseded answers a list whose asker wants another by now.
var errSuperseded = &Failure{Code: "superseded", VI: "Đã có lần tìm khác.", EN: "Another search took its place."}

// of returns the lane of a register. t.mu is held.
func (t *turns) of(register string) *lane {
	if t.lane == nil {
		t.lane = map[string]*lane{}
	}
	l := t.lane[register]
	if l == nil {
		l = &lane{free: make(chan struct{}, 1), newest: map[string]question{}, asks: map[string]int{}}
		t.lane[register] = l
	}
	return l
}

// ask notes a question: the list that runs is stopped, unless it answers the
// same one. leave is called when the question is answered.
func (t *turns) ask(register string, q question) (l *lane, leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	l = t.of(register)
	l.newest[q.turn] = q
	l.asks[q.turn]++
	if l.stop != nil && l.runs != q {
		l.stop()
	}
	return l, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if l.asks[q.turn]--; l.asks[q.turn] == 0 {
			delete(l.asks, q.turn)
			delete(l.newest, q.turn)
		}
	}
}

// superseded reports whether its asker has another question by now.
func (t *turns) superseded(l *lane, q question) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return q.turn != "" && l.newest[q.turn] != q
}

// take waits for the turn.
func (t *turns) take(ctx context.Context, l *lane, q question) (mine context.Context, done func(), err error) {
	select {
	case l.free <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	mine, cancel := context.WithCancelCause(ctx)
	t.mu.Lock()
	l.stop, l.runs = func() { cancel(errStopped) }, q
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
	what := questionOf(q)
	lane, leave := a.lists.ask(q.Register, what)
	defer leave()
	for {
		mine, done, err := a.lists.take(ctx, lane, what)
		if err != nil {
			return replica.ListReply{}, err
		}
		if a.lists.superseded(lane, what) {
			done()
			return replica.ListReply{}, errSuperseded
		}
		reply, err := a.r.List(mine, q)
		stopped := err != nil && errors.Is(context.Cause(mine), errStopped)
		done()
		if !stopped {
			return reply, err
		}
	}
}
