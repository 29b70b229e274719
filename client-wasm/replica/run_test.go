package replica_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/replica/replicatest"
	"wardbook/client-wasm/store"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// air is the network between devices and a server, under one lock, in the time
// of a synctest bubble.
type air struct {
	mu      sync.Mutex
	server  *replicatest.Server
	down    bool
	dials   int
	tokens  int
	posts   int
	badness string // the token that RefreshToken gives; "" fails
	conns   []*airConn
}

func newAir() *air {
	return &air{server: replicatest.New(1, func() int64 { return time.Now().UnixMilli() }, people(1)), badness: "token"}
}

type airConn struct {
	a    *air
	x    *replicatest.Session
	poke chan struct{}
	once sync.Once
	gone chan struct{}
}

var errDown = errors.New("no network")

func (a *air) Dial(context.Context) (replica.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.dials++
	if a.down {
		return nil, errDown
	}
	c := &airConn{a: a, x: a.server.Open(), poke: make(chan struct{}, 1), gone: make(chan struct{})}
	c.x.Said = func() {
		select {
		case c.poke <- struct{}{}:
		default:
		}
	}
	a.conns = append(a.conns, c)
	return c, nil
}

func (a *air) RefreshToken(context.Context) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokens++
	if a.badness == "" {
		return "", errors.New("signed out")
	}
	return a.badness, nil
}

func (a *air) counts() (dials, tokens int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.dials, a.tokens
}

// cut takes the network away, as a tunnel does.
func (a *air) cut(down bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.down = down
	for _, c := range a.conns {
		c.once.Do(func() { close(c.gone) })
		c.x.Close()
	}
	a.conns = nil
}

func (c *airConn) Send(_ context.Context, m []byte) error {
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	select {
	case <-c.gone:
		return errDown
	default:
	}
	if c.x.Over() {
		return errDown
	}
	return c.x.Receive(m)
}

func (c *airConn) Receive(ctx context.Context) ([]byte, error) {
	for {
		c.a.mu.Lock()
		out := c.x.Take()
		over := c.x.Over()
		if len(out) > 0 {
			c.x.PutBack(out[1:])
			c.a.mu.Unlock()
			return out[0], nil
		}
		c.a.mu.Unlock()
		if over {
			return nil, errDown
		}
		select {
		case <-c.poke:
		case <-c.gone:
			return nil, errDown
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *airConn) Close() error {
	c.once.Do(func() { close(c.gone) })
	c.a.mu.Lock()
	defer c.a.mu.Unlock()
	c.x.Close()
	return nil
}

// Post implements replica.Poster.
func (a *air) Post(_ context.Context, body []byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.posts++
	if a.down {
		return nil, errDown
	}
	frames, err := protocol.ReadFrames(body)
	if err != nil {
		return nil, err
	}
	x := a.server.Open()
	defer x.Close()
	var answer []byte
	for _, f := range frames {
		if err := x.Receive(f); err != nil {
			return nil, err
		}
	}
	for _, m := range x.Take() {
		answer = protocol.AppendFrame(answer, m)
	}
	return answer, nil
}

func openDevice(t *testing.T, account string, seed uint64) *replica.Replica {
	t.Helper()
	r, err := replica.Open(ctx, replica.Config{Store: store.NewMemory(), Now: func() int64 { return time.Now().UnixMilli() }, Rand: seeded(seed),
		Account: replica.Account{Name: account, Unit: unit}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetDefinitions(ctx, people(1).Marshal()); err != nil {
		t.Fatal(err)
	}
	var scopes []protocol.Scope
	for _, c := range []protocol.Class{protocol.Basic, protocol.Sensitive} {
		scopes = append(scopes, protocol.Scope{Stream: protocol.Stream{Unit: unit, Register: "people", Class: c}})
	}
	if err := r.SetScopes(ctx, scopes); err != nil {
		t.Fatal(err)
	}
	return r
}

func putOn(t *testing.T, r *replica.Replica, name string) string {
	t.Helper()
	reply, err := r.Put(ctx, replica.PutRequest{Register: "people", Values: map[string]string{"name": name}})
	if err != nil {
		t.Fatal(err)
	}
	return reply.ID
}

func TestRunStaysConnected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir()
		one, two := openDevice(t, "officer.a", 1), openDevice(t, "officer.b", 2)
		before := putOn(t, one, "Trước")
		ctx, stop := context.WithCancel(ctx)
		done := make(chan error, 2)
		var links []session.Link
		go func() {
			done <- one.Run(ctx, replica.RunConfig{App: "t", Token: "token", Transport: a, Told: func(s session.Status) {
				if n := len(links); n == 0 || links[n-1] != s.Link {
					links = append(links, s.Link)
				}
			}})
		}()
		online := make(chan struct{}, 1)
		go func() { done <- two.Run(ctx, replica.RunConfig{App: "t", Transport: a, Online: online}) }() // begins without a token
		received := func(r *replica.Replica, id string, want bool, when string) {
			t.Helper()
			synctest.Wait()
			_, err := r.Record(ctx, id)
			if (err == nil) != want {
				t.Errorf("%s: got %v, want it there: %v", when, err, want)
			}
		}
		time.Sleep(time.Second)
		received(two, before, true, "made before the connection")
		during := putOn(t, one, "Trong khi")
		received(two, during, true, "saved while connected") // no timer was needed
		a.cut(true)
		time.Sleep(5 * time.Minute)
		if n, _ := a.counts(); n < 6 || n > 80 {
			t.Errorf("got %d dials in 5 minutes of two devices: want backing off to a minute", n)
		}
		offline := putOn(t, one, "Mất mạng")
		received(two, offline, false, "without a network")
		a.cut(false)
		online <- struct{}{}
		time.Sleep(2 * time.Minute)
		received(two, offline, true, "after the network came back")
		if s, err := one.Status(ctx); err != nil || !s.Synced || s.Link != "online" {
			t.Errorf("got %+v, %v", s, err)
		}
		stop()
		for range 2 {
			if err := <-done; !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %v", err, context.Canceled)
			}
		}
		if s, _ := one.Status(context.Background()); s.Synced || s.Link != "offline" {
			t.Errorf("after the end: got %+v", s)
		}
		if want := []session.Link{session.Connecting, session.Live, session.Offline}; len(links) < 3 || fmt.Sprint(links[:3]) != fmt.Sprint(want) {
			t.Errorf("links: got %v, want it to begin with %v", links, want)
		}
	})
}

// A store that cannot be used ends each session, with the words that its owner has
// for it, and is tried again.
func TestRunNamesABrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &failing{Store: store.NewMemory(), n: -1}
		r, err := replica.Open(ctx, replica.Config{Store: f, Now: func() int64 { return time.Now().UnixMilli() }, Rand: seeded(1), Account: replica.Account{Name: "officer.a", Unit: unit}})
		if err != nil {
			t.Fatal(err)
		}
		damaged := &replica.Failure{Code: "corrupted"}
		f.n = 1
		run, stop := context.WithCancel(ctx)
		done := make(chan error)
		go func() {
			done <- r.Run(run, replica.RunConfig{App: "t", Token: "token", Transport: newAir(), Broken: func(err error) *replica.Failure {
				if errors.Is(err, errDisk) {
					return damaged
				}
				return nil
			}})
		}()
		time.Sleep(time.Second)
		synctest.Wait()
		if s, err := r.Status(ctx); err != nil || s.Failure != damaged || s.Synced {
			t.Errorf("got %+v, %v, want the owner's words", s.Failure, err)
		}
		time.Sleep(time.Minute)
		if s, err := r.Status(ctx); err != nil || s.Failure != nil || !s.Synced {
			t.Errorf("with the store in order: got %+v, %v", s, err)
		}
		stop()
		<-done
	})
}

func TestRunRenewsItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir()
		r := openDevice(t, "officer.a", 1)
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		done := make(chan error)
		go func() { done <- r.Run(ctx, replica.RunConfig{App: "t", Token: "bad", Transport: a}) }()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		_, renewed := a.counts()
		if s, _ := r.Status(ctx); !s.Synced || renewed != 1 {
			t.Errorf("got %+v after %d renewals, want one and a live session", s, renewed)
		}
		stop()
		<-done
	})
}

func TestExchange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAir()
		a.server.PageRecords = 3
		one, two := openDevice(t, "officer.a", 1), openDevice(t, "officer.b", 2)
		for i := range 20 {
			putOn(t, one, fmt.Sprint("N", i))
		}
		a.down = true
		if _, err := one.Exchange(ctx, "t", "token", a); !errors.Is(err, errDown) {
			t.Errorf("without a network: got %v, want %v", err, errDown)
		}
		a.down = false
		for _, r := range []*replica.Replica{one, two} {
			s, err := r.Exchange(ctx, "t", "bad", a) // is told to renew first
			if err != nil || !s.Synced {
				t.Fatalf("got %+v, %v", s, err)
			}
			if s, err := r.Status(ctx); err != nil || !s.Synced || s.Unsent != 0 {
				t.Errorf("status: got %+v, %v", s, err)
			}
		}
		ids, err := two.IDs(ctx, "people")
		if err != nil || len(ids) != 20 {
			t.Errorf("got %d records, %v; want 20", len(ids), err)
		}
		a.badness = ""
		if _, err := two.Exchange(ctx, "t", "bad", a); err == nil {
			t.Error("an exchange without a token ended well")
		}
	})
}
