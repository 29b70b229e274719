package bridge

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"wardbook/client-wasm/replica"
)

// account is one account that is open on this device, with all that goes on in
// its name. It ends with close.
type account struct {
	b      *Bridge
	r      *replica.Replica
	opened *Opened
	fresh  bool      // the store held nothing when it was opened
	key    string    // of the store, in hexadecimal, to be sealed
	mirror *mirrored // nil if the store needs none
	lost   bool      // the device had a store before this one, which is gone
	late   *late     // set if it writes in memory, to be sealed: its lease has ended

	life   context.Context // ends when the account is closed
	cancel context.CancelFunc
	tasks  sync.WaitGroup // goroutines of the account's own

	inside sync.WaitGroup // calls being answered
	door   sync.Mutex     // guards closed, and Add on inside
	closed bool

	lists  turns
	news   news
	tokens tokens

	online   chan struct{} // capacity 1: the network may be back, or somebody asked for an exchange
	saved    chan struct{} // capacity 1: there may be something to send
	revealed chan struct{} // capacity 1: there is a reveal to report

	mu      sync.Mutex // guards what follows
	learned time.Time  // when the directory was last asked for
	kept    kept
	reached bool // the last request was answered
	asked   bool // some request was made
	metered bool // the line is paid by the byte
	used    usage
}

// kept is what an account's store holds for the bridge: how to come back to
// the server, and who is who.
type kept struct {
	Device    string   `json:"device,omitempty"`
	Refresh   string   `json:"refresh,omitempty"` // "" when the server has ended the sign-in
	Borrowed  bool     `json:"borrowed,omitempty"`
	RescueKey []byte   `json:"rescueKey,omitempty"` // the organisation's: rescue files are sealed to it
	DeviceKey []byte   `json:"deviceKey,omitempty"` // proves that this device made them
	Lease     int64    `json:"lease,omitempty"`     // seconds that the store may be read without the server
	Ended     *Failure `json:"ended,omitempty"`     // why this device may no longer open the account without signing in
	People    []Person `json:"people,omitempty"`    // the directory as the server last told it; never changed in place
	Usage     usage    `json:"usage,omitzero"`      // of lines that are paid by the byte
	// Told is what the server last replied to requests that had it kept, by path;
	// never changed in place.
	Told map[string]json.RawMessage `json:"told,omitempty"`
}

func parseKept(data []byte) (kept, error) {
	var k kept
	if len(data) == 0 {
		return k, nil
	}
	if err := json.Unmarshal(data, &k); err != nil {
		return k, fmt.Errorf("read the session: %w", err)
	}
	return k, nil
}

// openAccount opens the replica in o and puts back what o has lost. who is
// whose it is if it is new.
func (b *Bridge) openAccount(ctx context.Context, o *Opened, key string, who replica.Account) (*account, error) {
	a := &account{b: b, opened: o, key: key, online: make(chan struct{}, 1), saved: make(chan struct{}, 1),
		revealed: make(chan struct{}, 1)}
	a.life, a.cancel = context.WithCancel(context.Background())
	a.news.init()
	a.tokens.init()
	store := o.Store
	if o.Mirror != nil {
		a.mirror = &mirrored{Store: o.Store, mirror: o.Mirror}
		store = a.mirror
	}
	var err error
	a.r, err = replica.Open(ctx, replica.Config{Store: store, Now: b.cfg.Now, Rand: b.cfg.Rand, Account: who, Lang: b.language(), Changed: a.changed})
	if err != nil {
		return nil, err
	}
	if a.mirror != nil {
		if err := a.mirror.putBack(ctx, a.r); err != nil {
			return nil, err
		}
	}
	a.kept, err = parseKept(a.r.Meta().Session)
	a.used = a.kept.Usage
	return a, err
}

// start begins what an account does by itself. access is an access token, or
// "" if there is none yet.
func (a *account) start(access string) {
	a.tokens.access = access
	a.tasks.Go(a.tellStatus)
	a.tasks.Go(a.tellChanges)
	if a.replicates() {
		a.tasks.Go(a.synchronise)
		if access != "" {
			a.tasks.Go(func() { a.learnOrLater() })
		}
	} else {
		a.tasks.Go(a.lookForServer)
	}
	if a.mirror != nil {
		a.tasks.Go(a.age)
	}
	if access != "" {
		a.renewLease()
	}
	a.news.poke()
}

// replicates reports whether this role holds records on the device.
func (a *account) replicates() bool {
	role := a.r.Account().Role
	return role == "officer" || role == "supervisor"
}

// enter lets one call in, unless the account is being closed.
func (a *account) enter() error {
	a.door.Lock()
	defer a.door.Unlock()
	if a.closed {
		return errSignedOut
	}
	a.inside.Add(1)
	return nil
}

func (a *account) leave() { a.inside.Done() }

// stop stops everything and waits for it. Calls that are being answered are
// answered first. The store is still open, and nothing changes in it any more.
func (a *account) stop() {
	a.door.Lock()
	a.closed = true
	a.door.Unlock()
	a.cancel()
	a.inside.Wait()
	a.tasks.Wait()
}

// close stops everything and closes the store.
func (a *account) close() error {
	a.stop()
	return a.opened.Close()
}

// keep changes what is kept, durably.
func (a *account) keep(ctx context.Context, who replica.Account, change func(*kept)) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := a.kept
	change(&k)
	if err := a.r.SetSession(ctx, who, encode(k)); err != nil {
		return err
	}
	a.kept = k
	return nil
}

func (a *account) session() kept {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept
}

// wake looks for the server now.
func (a *account) wake() {
	signal(a.online)
	a.tokens.retry()
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// wait returns false if the account's life ended before.
func (a *account) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-a.life.Done():
		return false
	}
}

// end closes the account because the server no longer lets this device work in
// its name. What is unsent stays in the store, which only another sign-in
// opens, and is sealed for the worker to hand in and to wipe the store after.
func (a *account) end(why *Failure) {
	go func() {
		leave, err := a.b.enter(context.Background())
		if err != nil {
			return
		}
		defer leave()
		if a.b.current() != a {
			return // closed meanwhile
		}
		if err := a.keep(context.Background(), a.r.Account(), func(k *kept) { k.Ended, k.Refresh = why, "" }); err != nil {
			a.b.cfg.Log("keep the end of a session: " + err.Error())
		}
		ended := a.endingOf(context.Background(), why)
		a.b.setCurrent(nil)
		if err := a.close(); err != nil {
			a.b.cfg.Log("close the store: " + err.Error())
		}
		a.b.emit("ended", ended)
		a.b.emit("failure", why)
		a.b.emit("session", nil)
	}()
}
