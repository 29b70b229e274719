package bridge

import (
	"context"
	"errors"
	"sync"
	"time"

	"wardbook/client-wasm/replica"
)

// tokens holds an account's access token. Whoever holds the gate may refresh
// it, so that callers who need one at once share one refresh.
type tokens struct {
	gate     chan struct{}
	access   string // guarded by gate once the account has started
	equipped bool   // guarded by gate: what the account needs was fetched since it was opened

	mu      sync.Mutex
	delay   time.Duration // until the next attempt of our own
	pending *time.Timer
}

func (t *tokens) init() { t.gate = make(chan struct{}, 1) }

// Times between attempts to renew a token while there is no network.
const (
	renewSoon = 2 * time.Second
	renewLate = 30 * time.Second
)

// token returns an access token that is not stale, which is the one that the
// server has just refused, or "".
func (a *account) token(ctx context.Context, stale string) (string, error) {
	t := &a.tokens
	select {
	case t.gate <- struct{}{}:
		defer func() { <-t.gate }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if t.access != "" && t.access != stale {
		return t.access, nil
	}
	k := a.session()
	if k.Refresh == "" {
		return "", errSignIn
	}
	g, err := a.b.grantFor(ctx, "/api/v1/auth/refresh", map[string]any{"refresh_token": k.Refresh, "device_id": k.Device})
	if err != nil {
		return "", a.refused(ctx, err)
	}
	before, who := a.r.Account(), g.account()
	if who.Name != before.Name {
		return "", a.refused(ctx, &Failure{Code: "signed_out"}) // another account's token: nothing of ours
	}
	// Durable before it is used: the token before it is worth nothing by then.
	if err := a.keep(ctx, who, g.into); err != nil {
		return "", err
	}
	t.access = g.Access
	a.hear(true)
	a.renewLease()
	if !t.equipped || who != before {
		t.equipped = true
		a.tasks.Go(func() { a.equipAgain(before) })
	}
	return t.access, nil
}

// refused judges why no token could be had.
func (a *account) refused(ctx context.Context, err error) error {
	var f *Failure
	if !errors.As(err, &f) {
		return err
	}
	switch f.Code {
	case "device_revoked", "account_disabled":
		a.end(f)
	case "signed_out", "token_reused", "token_expired", "unauthenticated":
		if err := a.keep(ctx, a.r.Account(), func(k *kept) { k.Refresh = "" }); err != nil {
			return err
		}
		a.news.poke()
		return errSignIn
	case errOffline.Code:
		a.hear(false)
	}
	return err
}

// equipAgain fetches what may have changed while the account was closed or
// moved, and tells the page if something did.
func (a *account) equipAgain(before replica.Account) {
	versions := a.versions()
	if err := a.equip(a.life); err != nil {
		a.tokens.forget(a.life)
		return
	}
	if a.r.Account() != before || a.versions() != versions {
		a.b.emit("session", a.told())
	}
	a.learnOrLater()
}

// forget has the next token fetch everything again.
func (t *tokens) forget(ctx context.Context) {
	select {
	case t.gate <- struct{}{}:
		t.equipped = false
		<-t.gate
	case <-ctx.Done():
	}
}

// later calls wake after a while that grows with each call until retry.
func (t *tokens) later(wake func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delay = min(max(2*t.delay, renewSoon), renewLate)
	if t.pending != nil {
		t.pending.Stop()
	}
	t.pending = time.AfterFunc(t.delay, wake)
}

// retry makes the next wait short again.
func (t *tokens) retry() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.delay = 0
}

// stop ends a pending wait.
func (t *tokens) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.pending != nil {
		t.pending.Stop()
	}
}
