package auth

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/rescue"
)

// Enrolment is what a new device needs besides the password.
type Enrolment string

const (
	EnrolByCode     Enrolment = "code"     // a one-time code of an administrator
	EnrolByPassword Enrolment = "password" // nothing: for demonstrations
)

// Options are the optional parts of New.
type Options struct {
	AccountOptions
	Enrolment   Enrolment     // default EnrolByCode
	DeviceLimit int           // devices an account may have by code; default 5
	AccessLife  time.Duration // default 15 minutes
	RefreshLife time.Duration // absolute; default 30 days
	Grace       time.Duration // in which a lost refresh reply is repeated; default 60 s
	// OfflineLease is how long a device may be read without hearing from the
	// server; default 7 days.
	OfflineLease time.Duration
	Issuer       string       // default "wardbook"
	Audience     string       // default "wardbook"
	Log          *slog.Logger // for what happens when nobody asks; default discards
}

func (o *Options) fill() {
	if o.Enrolment == "" {
		o.Enrolment = EnrolByCode
	}
	if o.DeviceLimit <= 0 {
		o.DeviceLimit = 5
	}
	if o.AccessLife <= 0 {
		o.AccessLife = 15 * time.Minute
	}
	if o.RefreshLife <= 0 {
		o.RefreshLife = 30 * 24 * time.Hour
	}
	if o.Grace <= 0 {
		o.Grace = 60 * time.Second
	}
	if o.OfflineLease <= 0 {
		o.OfflineLease = 7 * 24 * time.Hour
	}
	if o.Issuer == "" {
		o.Issuer = "wardbook"
	}
	if o.Audience == "" {
		o.Audience = "wardbook"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Service signs people in and says who is asking. Its methods may be called
// from any goroutine.
type Service struct {
	*Accounts
	keys   *Keys
	tokens *tokens
	opts   Options
}

// New returns the service over the store and keys, which the caller owns.
func New(st *sqlite.Store, keys *Keys, o Options) (*Service, error) {
	o.fill()
	a, err := NewAccounts(st, o.AccountOptions)
	if err != nil {
		return nil, err
	}
	return &Service{Accounts: a, keys: keys, opts: o, tokens: newTokens(keys, o.Issuer, o.Audience, o.AccessLife, a.now)}, nil
}

// Run does the service's upkeep until ctx ends: it ends sockets after changes
// made by another process, within a second or two, and forgets what has expired.
// It returns when all of it has stopped; run it once.
func (s *Service) Run(ctx context.Context) {
	var upkeep sync.WaitGroup
	defer upkeep.Wait()
	upkeep.Go(func() { s.forget(ctx) })
	s.sessions.watch(ctx, s.store, time.Second, func(err error) { s.opts.Log.Error("auth upkeep", "error", err) })
}

func (s *Service) forget(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		err := s.store.Update(ctx, func(tx *sqlite.Tx) error {
			now := s.now()
			// A day longer than needed, so that a late reuse is still seen as one.
			if err := tx.DeleteExpiredFamilies(now.Add(-24 * time.Hour)); err != nil {
				return err
			}
			return tx.DeleteOldThrottles(now.Add(-throttleMemory - maxWait))
		})
		if err != nil && ctx.Err() == nil {
			s.opts.Log.Error("auth upkeep", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Credentials are what a person signs in with.
type Credentials struct {
	Name     string
	Password string
	Code     string         // of enrolment, for a new device
	Device   store.DeviceID // empty for a new device
	Label    string         // of a new device
	Address  netip.Addr     // where from; may be invalid
}

// Grant is a sign-in, or its renewal.
type Grant struct {
	Access    string
	Expires   time.Time // of the access token
	Refresh   string
	Account   store.Account // without its password hash
	Device    store.Device
	ServerKey ed25519.PublicKey // verifies what the server signs for devices
	RescueKey []byte            // the organisation's public key, to which devices seal
	DeviceKey []byte            // proves that the device made a rescue file
	Lease     time.Duration     // how long the device may be read without hearing from the server
}

// Login signs somebody in on a device, which it enrols when it is new. Wrong
// names and wrong passwords cannot be told apart, neither by the answer nor by
// its time.
func (s *Service) Login(ctx context.Context, in Credentials) (Grant, error) {
	name := NormalName(in.Name)
	acc, keys, err := s.checkCredentials(ctx, name, in.Password, in.Device, in.Address)
	if err != nil {
		return Grant{}, err
	}
	var g Grant
	var family store.FamilyID
	err = s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		current, err := tx.Account(acc.ID)
		if err != nil {
			return err
		}
		if current.PasswordHash != acc.PasswordHash {
			return ErrCredentials // changed while we were checking the old one
		}
		if current.Disabled {
			return ErrDisabled
		}
		if g.Device, err = s.enrol(tx, now, &current, in); err != nil {
			return err
		}
		if err := forgiveSuccess(tx, keys); err != nil {
			return err
		}
		g.Account = current
		if family, g.Refresh, err = s.startFamily(tx, now, current.ID, g.Device.ID); err != nil {
			return err
		}
		return note(tx, Principal{Account: current.ID, Device: g.Device.ID}, now, "login.done", current.Unit, string(current.ID), nil)
	})
	if errors.Is(err, ErrEnrolmentCode) {
		// A guessed code counts as a guessed password.
		if e := s.fail(ctx, keys, acc, "login.code_failed"); e != nil {
			return Grant{}, e
		}
	}
	if err != nil {
		return Grant{}, err
	}
	return s.grant(g, family)
}

// checkCredentials returns the account of the name if the password is right, and
// what failures count under. Whoever waits to be checked does so before the
// throttle is asked, so that many attempts at once are judged one after another.
func (s *Service) checkCredentials(ctx context.Context, name, password string, device store.DeviceID, address netip.Addr) (store.Account, []throttleKey, error) {
	leave, err := s.hasher.enter(ctx)
	if err != nil {
		return store.Account{}, nil, err
	}
	defer leave()
	var acc store.Account
	var keys []throttleKey
	err = s.store.View(ctx, func(tx *sqlite.Tx) error {
		var err error
		acc, err = tx.AccountByName(name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		d, err := tx.Device(device)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if err != nil || d.Account != acc.ID || d.Revoked() {
			device = ""
		}
		keys = throttleKeys(name, device, address)
		return checkThrottle(tx, keys, s.now())
	})
	if err != nil {
		return store.Account{}, nil, err
	}
	hash := acc.PasswordHash
	if acc.ID == "" {
		hash = s.hasher.unknown
	}
	ok, err := verify(password, hash)
	if err != nil {
		return store.Account{}, nil, err
	}
	if !ok || acc.ID == "" {
		if err := s.fail(ctx, keys, acc, "login.failed"); err != nil {
			return store.Account{}, nil, err
		}
		return store.Account{}, nil, ErrCredentials
	}
	return acc, keys, nil
}

// fail counts a failure and, for an account that exists, writes it down.
func (s *Service) fail(ctx context.Context, keys []throttleKey, acc store.Account, action string) error {
	return s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		if err := countFailure(tx, keys, now); err != nil {
			return err
		}
		if acc.ID == "" {
			return nil
		}
		return note(tx, Principal{}, now, action, acc.Unit, string(acc.ID), nil)
	})
}

// startFamily begins a sign-in and returns its first refresh token.
func (s *Service) startFamily(tx *sqlite.Tx, now time.Time, account store.AccountID, device store.DeviceID) (store.FamilyID, string, error) {
	id, err := newID(s.random)
	if err != nil {
		return "", "", err
	}
	secret := make([]byte, 32)
	if _, err := io.ReadFull(s.random, secret); err != nil {
		return "", "", err
	}
	f := store.Family{ID: store.FamilyID(id), Account: account, Device: device, CreatedAt: now, ExpiresAt: now.Add(s.opts.RefreshLife)}
	if err := tx.InsertFamily(f); err != nil {
		return "", "", err
	}
	if err := tx.InsertRefreshToken(store.RefreshToken{Hash: sha256.Sum256(secret), Family: f.ID, IssuedAt: now}); err != nil {
		return "", "", err
	}
	return f.ID, base64.RawURLEncoding.EncodeToString(secret), nil
}

// grant signs the access token of a sign-in.
func (s *Service) grant(g Grant, family store.FamilyID) (Grant, error) {
	var err error
	g.Access, g.Expires, err = s.tokens.issue(g.Account.ID, g.Device.ID, family)
	if err != nil {
		return Grant{}, err
	}
	g.Account.PasswordHash = ""
	g.ServerKey = s.keys.Receipt().Public().(ed25519.PublicKey)
	g.RescueKey, g.DeviceKey, g.Lease = rescue.PublicKey(s.keys.Rescue()), s.keys.deviceKey(g.Device.ID), s.opts.OfflineLease
	return g, nil
}

// Refresh trades a refresh token for the next one and a new access token. A
// token that was traded before, or comes from another device, was copied: its
// device's sign-ins all end. Only a repetition from the same device within the
// grace, before the next token was used, gets the same answer again: its first
// reply was lost.
func (s *Service) Refresh(ctx context.Context, token string, device store.DeviceID) (Grant, error) {
	secret, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(secret) != 32 {
		return Grant{}, ErrSignedOut.Because(errors.New("malformed refresh token"))
	}
	hash := store.Hash(sha256.Sum256(secret))
	next := s.keys.successor(secret)
	nextHash := store.Hash(sha256.Sum256(next))
	var g Grant
	var family store.FamilyID
	var reused bool
	err = s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		t, err := tx.RefreshToken(hash)
		if err != nil {
			return signedOut(err)
		}
		f, err := tx.Family(t.Family)
		if err != nil {
			return signedOut(err)
		}
		family = f.ID
		if _, err := Current(tx, Principal{Account: f.Account, Device: f.Device, Family: f.ID}, now); err != nil {
			return err
		}
		repeated, err := s.isLostReply(tx, t, nextHash, now)
		if err != nil {
			return err
		}
		if device != f.Device || (!t.UsedAt.IsZero() && !repeated) {
			reused = true
			return s.endStolen(tx, now, f)
		}
		if !repeated {
			if err := tx.UseRefreshToken(hash, now); err != nil {
				return err
			}
			if err := tx.InsertRefreshToken(store.RefreshToken{Hash: nextHash, Family: f.ID, IssuedAt: now}); err != nil {
				return err
			}
		}
		if err := tx.SeeDevice(f.Device, now); err != nil {
			return err
		}
		if g.Device, err = tx.Device(f.Device); err != nil {
			return err
		}
		g.Account, err = tx.Account(f.Account)
		return err
	})
	if err != nil {
		return Grant{}, err
	}
	if reused {
		s.opts.Log.Warn("refresh token reused; its device's sign-ins were ended", "family", family)
		return Grant{}, ErrTokenReused
	}
	g.Refresh = base64.RawURLEncoding.EncodeToString(next)
	return s.grant(g, family)
}

// isLostReply says whether t was used just now and its successor was not.
func (s *Service) isLostReply(tx *sqlite.Tx, t store.RefreshToken, next store.Hash, now time.Time) (bool, error) {
	if t.UsedAt.IsZero() || now.Sub(t.UsedAt) > s.opts.Grace {
		return false, nil
	}
	n, err := tx.RefreshToken(next)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && n.UsedAt.IsZero(), err
}

// endStolen ends every sign-in of the device whose refresh token was copied.
func (s *Service) endStolen(tx *sqlite.Tx, now time.Time, f store.Family) error {
	if err := tx.RevokeFamiliesOfDevice(f.Device, now, "token_reused"); err != nil {
		return err
	}
	tx.AfterCommit(func() {
		s.sessions.end(f.Account, ErrTokenReused, func(p Principal) bool { return p.Device == f.Device })
	})
	if err := noteChange(tx); err != nil {
		return err
	}
	return note(tx, Principal{}, now, "token.reused", "", string(f.Device), map[string]string{"account": string(f.Account)})
}

// Logout ends the sign-in. With forget the device is revoked too: it was
// borrowed.
func (s *Service) Logout(ctx context.Context, p Principal, forget bool) error {
	return s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		p, err := Current(tx, p, now)
		if err != nil {
			return err
		}
		if err := tx.RevokeFamily(p.Family, now, "signed_out"); err != nil {
			return err
		}
		if err := note(tx, p, now, "logout.done", p.Unit, string(p.Account), nil); err != nil {
			return err
		}
		tx.AfterCommit(func() {
			s.sessions.end(p.Account, ErrSignedOut, func(q Principal) bool { return q.Family == p.Family })
		})
		if !forget {
			return noteChange(tx)
		}
		d, err := tx.Device(p.Device)
		if err != nil {
			return err
		}
		return s.revokeDevice(tx, p, now, d, "borrowed", false)
	})
}

// ChangePassword sets a new password for oneself and ends one's other sign-ins.
// Wrong old passwords are throttled as at sign-in.
func (s *Service) ChangePassword(ctx context.Context, p Principal, old, next string, address netip.Addr) error {
	acc, keys, err := s.checkCredentials(ctx, p.Name, old, p.Device, address)
	if err != nil {
		return err
	}
	if acc.ID != p.Account {
		return ErrCredentials
	}
	if old == next {
		return ErrPasswordSame
	}
	if err := s.hasher.checkPassword(next, acc.Name); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, next)
	if err != nil {
		return err
	}
	return s.store.Update(ctx, func(tx *sqlite.Tx) error {
		now := s.now()
		p, err := Current(tx, p, now)
		if err != nil {
			return err
		}
		current, err := tx.Account(p.Account)
		if err != nil {
			return err
		}
		if current.PasswordHash != acc.PasswordHash {
			return ErrCredentials
		}
		current.PasswordHash, current.MustChange, current.ChangedAt = hash, false, now
		if err := tx.UpdateAccount(current); err != nil {
			return err
		}
		if err := forgiveSuccess(tx, keys); err != nil {
			return err
		}
		if err := tx.RevokeFamiliesOfAccount(p.Account, p.Family, now, "password_changed"); err != nil {
			return err
		}
		tx.AfterCommit(func() {
			s.sessions.end(p.Account, ErrSignedOut, func(q Principal) bool { return q.Family != p.Family })
		})
		if err := noteChange(tx); err != nil {
			return err
		}
		return note(tx, p, now, "account.change_password", p.Unit, string(p.Account), nil)
	})
}

// Authenticate returns whom an access token names, with the rights that the
// database gives them now.
func (s *Service) Authenticate(ctx context.Context, access string) (Principal, error) {
	c, err := s.tokens.parse(access)
	if err != nil {
		return Principal{}, err
	}
	return s.Recheck(ctx, Principal{
		Account: store.AccountID(c.Subject), Device: c.Device, Family: c.Family, Expires: c.ExpiresAt.Time.UTC(),
	})
}

// Recheck returns p with the rights of this moment, or why there are none any
// more. A socket asks it for each message that is not judged inside a write; a
// write takes Current in its own transaction.
func (s *Service) Recheck(ctx context.Context, p Principal) (fresh Principal, err error) {
	if !s.now().Before(p.Expires.Add(5 * time.Second)) {
		return Principal{}, ErrTokenExpired
	}
	err = s.store.View(ctx, func(tx *sqlite.Tx) error {
		fresh, err = Current(tx, p, s.now())
		return err
	})
	return fresh, err
}

// Register enters a socket that p opened. closeFn is called at most once, with
// the reason, when the socket must end: at once after a revocation, at the latest
// when the token expires. It must not block. The caller unregisters the session
// when the socket ends by itself. A principal who has lost their rights meanwhile
// gets the reason as the error.
func (s *Service) Register(ctx context.Context, p Principal, closeFn func(reason error)) (*Session, error) {
	session := s.sessions.register(p, closeFn)
	// A revocation between Authenticate and register has found nothing to close.
	fresh, err := s.Recheck(ctx, p)
	if err == nil && fresh != p {
		err = ErrChanged
	}
	if err != nil {
		session.Unregister()
		return nil, err
	}
	return session, nil
}

// Sessions returns the registry of open sockets.
func (s *Service) Sessions() *Sessions { return s.sessions }

// ServerKey returns the public key that verifies receipts and pages.
func (s *Service) ServerKey() ed25519.PublicKey { return s.keys.Receipt().Public().(ed25519.PublicKey) }

var _ rpc.Gate = (*Service)(nil)
