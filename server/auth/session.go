package auth

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// Sessions knows the open sockets of this process, so that they end at once when
// a device is revoked, an account disabled or changed, a sign-in ended, or a
// token expired.
type Sessions struct {
	now func() time.Time

	mu        sync.Mutex
	byAccount map[store.AccountID]map[*Session]bool
}

// Session is one open socket in the registry.
type Session struct {
	all   *Sessions
	close func(reason error)

	mu     sync.Mutex
	p      Principal
	timer  *time.Timer
	closed bool
}

func newSessions(now func() time.Time) *Sessions {
	return &Sessions{now: now, byAccount: map[store.AccountID]map[*Session]bool{}}
}

// register adds a socket. closeFn is called at most once, with the reason; it
// must not block nor call the registry.
func (r *Sessions) register(p Principal, closeFn func(reason error)) *Session {
	s := &Session{all: r, close: closeFn, p: p}
	r.mu.Lock()
	if r.byAccount[p.Account] == nil {
		r.byAccount[p.Account] = map[*Session]bool{}
	}
	r.byAccount[p.Account][s] = true
	r.mu.Unlock()
	s.mu.Lock()
	s.timer = time.AfterFunc(p.Expires.Sub(r.now()), func() { s.end(ErrTokenExpired) })
	s.mu.Unlock()
	return s
}

// Principal returns who opened the socket, as of its last token.
func (s *Session) Principal() Principal {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.p
}

// Renew lets the socket live until the new token of the same sign-in expires.
// Another sign-in's token is refused with rpc.ErrForbidden: a socket never
// changes hands.
func (s *Session) Renew(p Principal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.Account != s.p.Account || p.Device != s.p.Device || p.Family != s.p.Family {
		return rpc.ErrForbidden.Because(errors.New("token of another sign-in"))
	}
	if s.closed {
		return ErrSignedOut
	}
	s.p = p
	s.timer.Reset(p.Expires.Sub(s.all.now()))
	return nil
}

// Unregister forgets the socket; its close function is not called any more.
func (s *Session) Unregister() { s.leave() }

// leave takes the session out of the registry. It is true the first time only.
func (s *Session) leave() bool {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.timer.Stop()
	account := s.p.Account
	s.mu.Unlock()
	if !first {
		return false
	}
	s.all.mu.Lock()
	defer s.all.mu.Unlock()
	delete(s.all.byAccount[account], s)
	if len(s.all.byAccount[account]) == 0 {
		delete(s.all.byAccount, account)
	}
	return true
}

func (s *Session) end(reason error) {
	if s.leave() {
		s.close(reason)
	}
}

// end closes the account's sessions that match.
func (r *Sessions) end(account store.AccountID, reason error, match func(Principal) bool) {
	for _, s := range r.list(account) {
		if match == nil || match(s.Principal()) {
			s.end(reason)
		}
	}
}

// list returns the sessions of the account, or of all when it is empty.
func (r *Sessions) list(account store.AccountID) []*Session {
	r.mu.Lock()
	defer r.mu.Unlock()
	var found []*Session
	for a, set := range r.byAccount {
		if account != "" && a != account {
			continue
		}
		for s := range set {
			found = append(found, s)
		}
	}
	return found
}

// Count returns how many sockets are registered.
func (r *Sessions) Count() int { return len(r.list("")) }

// sweep judges every session anew, after a change that another process made.
func (r *Sessions) sweep(tx *sqlite.Tx) error {
	now := r.now()
	for _, s := range r.list("") {
		old := s.Principal()
		p, err := Current(tx, old, now)
		var refused *rpc.Error
		switch {
		case errors.As(err, &refused):
			s.end(err)
		case err != nil:
			return err
		case p != old:
			s.end(ErrChanged)
		}
	}
	return nil
}

// changeKey counts, in the meta table, the changes that may end sessions. A
// process that sees it grow sweeps its own.
const changeKey = "auth_change"

func noteChange(tx *sqlite.Tx) error {
	n, err := changes(tx)
	if err != nil {
		return err
	}
	return tx.SetMeta(changeKey, strconv.FormatInt(n+1, 10))
}

func changes(tx *sqlite.Tx) (int64, error) {
	text, err := tx.Meta(changeKey)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read count of account changes: %w", err)
	}
	return n, nil
}

// watch sweeps whenever the count of changes has grown, until ctx ends: that is
// how a change made at the command line reaches this process's sockets.
func (r *Sessions) watch(ctx context.Context, st *sqlite.Store, every time.Duration, failed func(error)) {
	seen := int64(-1)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		err := st.View(ctx, func(tx *sqlite.Tx) error {
			n, err := changes(tx)
			if err != nil || n == seen {
				return err
			}
			if err := r.sweep(tx); err != nil {
				return err
			}
			seen = n
			return nil
		})
		if err != nil && ctx.Err() == nil {
			failed(fmt.Errorf("watch for account changes: %w", err))
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
