package auth

import (
	"context"
	"crypto/rand"
	"errors"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wardbook/server/audit"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// cheap makes hashing quick enough for tests; nothing else depends on it.
var cheap = Cost{Memory: 64, Time: 1, Threads: 1}

const goodPassword = "con mèo trèo cây cau"

var ctx = context.Background()

// clock is a time that tests set.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

type fixture struct {
	*Service
	store *sqlite.Store
	clock *clock
	dir   string
}

func newFixture(t *testing.T, o Options) *fixture {
	t.Helper()
	f := &fixture{clock: &clock{t: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)}, dir: t.TempDir()}
	st, err := sqlite.Open(ctx, filepath.Join(f.dir, "wardbook.db"), sqlite.Options{Now: f.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	keys, err := OpenKeys(filepath.Join(f.dir, "keys"), f.clock.now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o.AccountOptions = AccountOptions{Now: f.clock.now, Cost: cheap}
	f.store = st
	if f.Service, err = New(st, keys, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.View(ctx, func(tx *sqlite.Tx) error {
			if _, err := audit.Verify(tx); err != nil {
				t.Error(err)
			}
			return nil
		})
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// byPassword is a fixture in which any device may enrol.
func byPassword(t *testing.T) *fixture {
	return newFixture(t, Options{Enrolment: EnrolByPassword})
}

func (f *fixture) account(t *testing.T, name string, role store.Role, unit string) store.Account {
	t.Helper()
	a, _, err := f.Create(ctx, Console(), NewAccount{Name: name, Role: role, Unit: unit, Password: goodPassword, FirstDeviceFree: role == store.RoleAdmin})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f *fixture) login(t *testing.T, name string) (Grant, Principal) {
	t.Helper()
	g, err := f.Login(ctx, Credentials{Name: name, Password: goodPassword})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Authenticate(ctx, g.Access)
	if err != nil {
		t.Fatal(err)
	}
	return g, p
}

// actions returns the audit log's actions, oldest first.
func (f *fixture) actions(t *testing.T) (all []string) {
	t.Helper()
	err := f.store.View(ctx, func(tx *sqlite.Tx) error {
		entries, err := tx.AuditAfter(0, 10_000)
		for _, e := range entries {
			all = append(all, e.Action)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func wantErr(t *testing.T, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || (want == nil && got != nil) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestLogin(t *testing.T) {
	f := byPassword(t)
	a := f.account(t, "Sĩ.Quan", store.RoleOfficer, "26734")
	if a.Name != "sĩ.quan" {
		t.Errorf("name: got %q", a.Name)
	}
	// The same name and password, as another keyboard composes them.
	g, err := f.Login(ctx, Credentials{Name: " SI\u0303.quan ", Password: "con me\u0300o tre\u0300o ca\u0302y cau", Label: "Máy\nở phường"})
	if err != nil {
		t.Fatal(err)
	}
	if g.Account.PasswordHash != "" || g.Device.Label != "Máyở phường" || len(g.ServerKey) != 32 {
		t.Errorf("grant: got %+v", g)
	}
	p, err := f.Authenticate(ctx, g.Access)
	if err != nil || p.Account != a.ID || p.Unit != "26734" || p.Role != store.RoleOfficer || p.Device != g.Device.ID {
		t.Errorf("principal: got %+v, %v", p, err)
	}
	if want := f.clock.now().Add(15 * time.Minute); !g.Expires.Equal(want) || !p.Expires.Equal(want) {
		t.Errorf("expiry: got %v and %v, want %v", g.Expires, p.Expires, want)
	}
	again, err := f.Login(ctx, Credentials{Name: "sĩ.quan", Password: goodPassword, Device: g.Device.ID})
	if err != nil || again.Device.ID != g.Device.ID {
		t.Errorf("second sign-in on the device: got device %s, %v, want %s", again.Device.ID, err, g.Device.ID)
	}
	for _, c := range []Credentials{
		{Name: "sĩ.quan", Password: "wrong password"},
		{Name: "nobody", Password: goodPassword},
		{Name: "", Password: ""},
		{Name: "nobody\x00", Password: string(make([]byte, 5000))},
	} {
		_, err := f.Login(ctx, c)
		wantErr(t, "login as "+c.Name, err, ErrCredentials)
	}
}

// An unknown name costs the same hash as a known one: with a hash that cannot be
// read in its place, the attempt fails for that.
func TestUnknownNamesCostAHash(t *testing.T) {
	f := byPassword(t)
	f.hasher.unknown = "none"
	if _, err := f.Login(ctx, Credentials{Name: "nobody", Password: goodPassword}); err == nil || errors.Is(err, ErrCredentials) {
		t.Errorf("got %v: no password was hashed", err)
	}
}

// A device of one account is no device of another: its id gives nothing.
func TestADeviceBelongsToItsAccount(t *testing.T) {
	f := newFixture(t, Options{})
	f.account(t, "admin", store.RoleAdmin, "")
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, _ := f.login(t, "admin")
	_, err := f.Login(ctx, Credentials{Name: "officer.a", Password: goodPassword, Device: g.Device.ID})
	wantErr(t, "login with another's device", err, ErrEnrolment)
}

func TestEnrolmentByCode(t *testing.T) {
	f := newFixture(t, Options{DeviceLimit: 2})
	f.account(t, "admin", store.RoleAdmin, "")
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	b := f.account(t, "officer.b", store.RoleOfficer, "26734")
	_, admin := f.login(t, "admin") // the one exemption
	_, err := f.Login(ctx, Credentials{Name: "admin", Password: goodPassword})
	wantErr(t, "admin's second device", err, ErrEnrolment)

	try := func(name, code string) error {
		_, err := f.Login(ctx, Credentials{Name: name, Password: goodPassword, Code: code})
		return err
	}
	issue := func(id store.AccountID) string {
		code, _, err := f.IssueCode(ctx, admin, id)
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	wantErr(t, "no code", try("officer.a", ""), ErrEnrolment)
	wantErr(t, "invented code", try("officer.a", "abcd-efgh-jkmn"), ErrEnrolmentCode)
	code := issue(a.ID)
	wantErr(t, "another's code", try("officer.b", code), ErrEnrolmentCode)
	_, err = f.Login(ctx, Credentials{Name: "officer.a", Password: "wrong password", Code: code})
	wantErr(t, "right code, wrong password", err, ErrCredentials)
	// As people type it.
	wantErr(t, "right code", try("officer.a", " "+code[:4]+" "+code[5:]+" "), nil)
	wantErr(t, "code again", try("officer.a", code), ErrEnrolmentCode)

	old := issue(a.ID)
	fresh := issue(a.ID)
	wantErr(t, "code replaced by a newer", try("officer.a", old), ErrEnrolmentCode)
	f.clock.pass(codeLife)
	wantErr(t, "code of yesterday", try("officer.a", fresh), ErrEnrolmentCode)

	for range 2 {
		wantErr(t, "within the limit", try("officer.b", issue(b.ID)), nil)
	}
	wantErr(t, "one device too many", try("officer.b", issue(b.ID)), ErrTooManyDevices)
	devices, err := f.Devices(ctx, admin, b.ID, "", 10)
	if err != nil || len(devices) != 2 {
		t.Fatalf("devices: got %v, %v", devices, err)
	}
	wantErr(t, "revoke", f.RevokeDevice(ctx, admin, devices[0].ID, "replaced", false), nil)
	wantErr(t, "after a revocation", try("officer.b", issue(b.ID)), nil)
}

func TestThrottle(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	known, _ := f.login(t, "officer.a")
	home, elsewhere := netip.MustParseAddr("203.0.113.7"), netip.MustParseAddr("198.51.100.1")
	try := func(name, password string, device store.DeviceID, from netip.Addr) error {
		_, err := f.Login(ctx, Credentials{Name: name, Password: password, Device: device, Address: from})
		return err
	}
	// Known and unknown names are answered alike, attempt by attempt.
	for _, name := range []string{"officer.a", "nobody"} {
		for range freeAttempts {
			wantErr(t, name, try(name, "wrong password", "", home), ErrCredentials)
		}
		wantErr(t, name+" over the limit", try(name, "wrong password", "", home), ErrThrottled)
	}
	wantErr(t, "the right password has to wait too", try("officer.a", goodPassword, "", elsewhere), ErrThrottled)
	wantErr(t, "the enrolled device is not locked out", try("officer.a", goodPassword, known.Device.ID, elsewhere), nil)
	wantErr(t, "an invented device is", try("officer.a", goodPassword, "invented", elsewhere), ErrThrottled)

	// Each further failure doubles the wait, up to the longest.
	last := time.Duration(0)
	for i := range 14 {
		f.clock.pass(last)
		if err := try("nobody", "wrong password", "", elsewhere); i > 0 && !errors.Is(err, ErrCredentials) {
			t.Fatalf("after waiting %v: got %v, want %v", last, err, ErrCredentials)
		}
		var e *rpc.Error
		if err := try("nobody", "wrong password", "", elsewhere); !errors.As(err, &e) || e.Code != ErrThrottled.Code {
			t.Fatalf("without waiting: got %v, want %v", err, ErrThrottled)
		}
		if e.RetryAfter < last || e.RetryAfter > maxWait {
			t.Errorf("wait %d: got %v after %v", i, e.RetryAfter, last)
		}
		last = e.RetryAfter
	}
	if last != maxWait {
		t.Errorf("longest wait: got %v, want %v", last, maxWait)
	}
	f.clock.pass(throttleMemory + time.Second)
	for range freeAttempts {
		wantErr(t, "an hour later", try("nobody", "wrong password", "", netip.Addr{}), ErrCredentials)
	}
}

func TestThrottleByAddress(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	at := func(s string) netip.Addr { return netip.MustParseAddr(s) }
	for i := range addressAttempts {
		// A new name each time, from anywhere in one network.
		_, err := f.Login(ctx, Credentials{Name: "name" + string(rune('a'+i)), Password: "x", Address: at("2001:db8::1").Next()})
		wantErr(t, "attempt", err, ErrCredentials)
	}
	_, err := f.Login(ctx, Credentials{Name: "officer.a", Password: goodPassword, Address: at("2001:db8::ffff")})
	wantErr(t, "same network", err, ErrThrottled)
	_, err = f.Login(ctx, Credentials{Name: "officer.a", Password: goodPassword, Address: at("2001:db8:0:1::1")})
	wantErr(t, "next network", err, nil)
}

// Many guesses at once are judged one after another: the limit holds.
func TestThrottleHoldsUnderConcurrency(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	var mu sync.Mutex
	judged := 0
	var wg sync.WaitGroup
	for range 60 {
		wg.Go(func() {
			_, err := f.Login(ctx, Credentials{Name: "officer.a", Password: "wrong password"})
			if errors.Is(err, ErrCredentials) {
				mu.Lock()
				judged++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if most := freeAttempts + cap(f.hasher.slots); judged > most {
		t.Errorf("guesses judged: got %d, want at most %d", judged, most)
	}
}

func TestRefresh(t *testing.T) {
	type step struct {
		name   string
		pass   time.Duration
		use    int // which token of those received: 0 the first
		other  bool
		want   error
		same   int // the reply's token is this earlier one; -1: a new one
		closed bool
	}
	cases := []struct {
		name  string
		steps []step
	}{
		{"rotation", []step{
			{name: "first", use: 0, same: -1}, {name: "second", use: 1, same: -1}, {name: "third", use: 2, same: -1},
		}},
		{"lost reply", []step{
			{name: "first", use: 0, same: -1}, {name: "again within the grace", pass: 59 * time.Second, use: 0, same: 1}, {name: "goes on", use: 1, same: -1},
		}},
		{"late repetition", []step{
			{name: "first", use: 0, same: -1}, {name: "again after the grace", pass: 61 * time.Second, use: 0, want: ErrTokenReused, closed: true},
			{name: "the successor is dead", use: 1, want: ErrSignedOut, closed: true},
		}},
		{"repetition after the successor was used", []step{
			{name: "first", use: 0, same: -1}, {name: "second", use: 1, same: -1},
			{name: "first again", pass: time.Second, use: 0, want: ErrTokenReused, closed: true},
			{name: "everything is dead", use: 2, want: ErrSignedOut, closed: true},
		}},
		{"another device", []step{
			{name: "stolen", use: 0, other: true, want: ErrTokenReused, closed: true}, {name: "its owner", use: 0, want: ErrSignedOut, closed: true},
		}},
		{"another device within the grace", []step{
			{name: "first", use: 0, same: -1}, {name: "stolen", use: 0, other: true, want: ErrTokenReused, closed: true},
		}},
		{"absolute lifetime", []step{
			{name: "day 29", pass: 29 * 24 * time.Hour, use: 0, same: -1}, {name: "day 30", pass: 24 * time.Hour, use: 1, want: ErrSignedOut},
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := byPassword(t)
			f.account(t, "officer.a", store.RoleOfficer, "26734")
			g, p := f.login(t, "officer.a")
			closed := false
			if _, err := f.Register(ctx, p, func(error) { closed = true }); err != nil {
				t.Fatal(err)
			}
			tokens := []string{g.Refresh}
			for _, s := range c.steps {
				f.clock.pass(s.pass)
				device := g.Device.ID
				if s.other {
					device = "somebody-else"
				}
				r, err := f.Refresh(ctx, tokens[s.use], device)
				wantErr(t, s.name, err, s.want)
				if err == nil && s.same >= 0 && r.Refresh != tokens[s.same] {
					t.Errorf("%s: the lost reply was not repeated", s.name)
				}
				if err == nil && s.same < 0 {
					for _, old := range tokens {
						if r.Refresh == old {
							t.Errorf("%s: an old token was given again", s.name)
						}
					}
					tokens = append(tokens, r.Refresh)
				}
				if err == nil {
					if _, err := f.Authenticate(ctx, r.Access); err != nil {
						t.Errorf("%s: new access token: %v", s.name, err)
					}
				}
				if closed != s.closed {
					t.Errorf("%s: socket closed: got %t, want %t", s.name, closed, s.closed)
				}
			}
		})
	}
	f := byPassword(t)
	for _, token := range []string{"", "x", "AAAA", string(make([]byte, 100_000))} {
		_, err := f.Refresh(ctx, token, "d")
		wantErr(t, "nonsense", err, ErrSignedOut)
	}
}

// The refresh token is in no column of the database.
func TestSecretsAreStoredAsHashesOnly(t *testing.T) {
	f := newFixture(t, Options{})
	f.account(t, "admin", store.RoleAdmin, "")
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, admin := f.login(t, "admin")
	code, _, err := f.IssueCode(ctx, admin, a.ID)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := f.store.Backup(ctx, path); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"refresh token": g.Refresh, "access token": g.Access, "code": code, "password": goodPassword} {
		if found := grep(t, path, secret); found {
			t.Errorf("the database holds a %s", name)
		}
	}
	if !grep(t, path, "officer.a") {
		t.Error("the search finds nothing at all")
	}
}

func TestRightsComeFromTheDatabase(t *testing.T) {
	f := byPassword(t)
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.a")
	wantErr(t, "before", Can(p, WriteRecord, "26734", Basic), nil)
	unit := "26737"
	if _, err := f.Alter(ctx, Console(), a.ID, Change{Unit: &unit}); err != nil {
		t.Fatal(err)
	}
	p, err := f.Authenticate(ctx, g.Access) // the very same token
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "old unit", Can(p, WriteRecord, "26734", Basic), rpc.ErrForbidden)
	wantErr(t, "new unit", Can(p, WriteRecord, "26737", Basic), nil)
	disabled := true
	if _, err := f.Alter(ctx, Console(), a.ID, Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Authenticate(ctx, g.Access)
	wantErr(t, "disabled: token", err, ErrDisabled)
	_, err = f.Refresh(ctx, g.Refresh, g.Device.ID)
	wantErr(t, "disabled: refresh", err, ErrDisabled)
	_, err = f.Login(ctx, Credentials{Name: "officer.a", Password: goodPassword})
	wantErr(t, "disabled: login", err, ErrDisabled)
	_, err = f.Login(ctx, Credentials{Name: "officer.a", Password: "wrong password"})
	wantErr(t, "disabled, wrong password", err, ErrCredentials)
	disabled = false
	if _, err := f.Alter(ctx, Console(), a.ID, Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	_, err = f.Refresh(ctx, g.Refresh, g.Device.ID)
	wantErr(t, "enabled again: the old sign-in stays dead", err, ErrSignedOut)
}

func TestSocketsCloseAtOnce(t *testing.T) {
	unit, role, disabled := "26737", store.RoleSupervisor, true
	cases := []struct {
		name  string
		do    func(f *fixture, g Grant, p Principal) error
		want  error // the socket's
		other error // another device's of the same account; nil: stays open
	}{
		{"device revoked", func(f *fixture, g Grant, p Principal) error {
			return f.RevokeDevice(ctx, Console(), g.Device.ID, "lost", true)
		}, ErrDeviceRevoked, nil},
		{"own device revoked", func(f *fixture, g Grant, p Principal) error {
			return f.RevokeDevice(ctx, p, g.Device.ID, "lost", true)
		}, ErrDeviceRevoked, nil},
		{"account disabled", func(f *fixture, g Grant, p Principal) error {
			_, err := f.Alter(ctx, Console(), p.Account, Change{Disabled: &disabled})
			return err
		}, ErrDisabled, ErrDisabled},
		{"account moved", func(f *fixture, g Grant, p Principal) error {
			_, err := f.Alter(ctx, Console(), p.Account, Change{Unit: &unit})
			return err
		}, ErrChanged, ErrChanged},
		{"role changed", func(f *fixture, g Grant, p Principal) error {
			_, err := f.Alter(ctx, Console(), p.Account, Change{Role: &role})
			return err
		}, ErrChanged, ErrChanged},
		{"password reset", func(f *fixture, g Grant, p Principal) error {
			_, err := f.ResetPassword(ctx, Console(), p.Account, "")
			return err
		}, ErrSignedOut, ErrSignedOut},
		{"signed out", func(f *fixture, g Grant, p Principal) error { return f.Logout(ctx, p, false) }, ErrSignedOut, nil},
		{"borrowed device signed out", func(f *fixture, g Grant, p Principal) error { return f.Logout(ctx, p, true) }, ErrSignedOut, nil},
		{"own password changed", func(f *fixture, g Grant, p Principal) error {
			return f.ChangePassword(ctx, p, goodPassword, "một câu khác hẳn", netip.Addr{})
		}, nil, ErrSignedOut},
		{"renamed only", func(f *fixture, g Grant, p Principal) error {
			name := "Đặng Thị B"
			_, err := f.Alter(ctx, Console(), p.Account, Change{DisplayName: &name})
			return err
		}, nil, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			f := byPassword(t)
			f.account(t, "officer.a", store.RoleOfficer, "26734")
			f.account(t, "officer.b", store.RoleOfficer, "26734")
			g, p := f.login(t, "officer.a")
			_, p2 := f.login(t, "officer.a")
			_, bystander := f.login(t, "officer.b")
			var got [3]error
			var calls [3]int
			for i, who := range []Principal{p, p2, bystander} {
				if _, err := f.Register(ctx, who, func(reason error) { got[i] = reason; calls[i]++ }); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.do(f, g, p); err != nil {
				t.Fatal(err)
			}
			// Closed before the caller of the change had its answer.
			for i, want := range []error{c.want, c.other, nil} {
				wantErr(t, []string{"socket", "other device", "bystander"}[i], got[i], want)
				if calls[i] > 1 {
					t.Errorf("socket %d was closed %d times", i, calls[i])
				}
			}
			open := 3
			for _, err := range got {
				if err != nil {
					open--
				}
			}
			if n := f.Sessions().Count(); n != open {
				t.Errorf("registered: got %d, want %d", n, open)
			}
			// And the token itself is worth nothing any more.
			if c.want != nil && !errors.Is(c.want, ErrChanged) {
				if _, err := f.Authenticate(ctx, g.Access); err == nil {
					t.Error("the access token still works")
				}
			}
		})
	}
}

func TestASocketEndsWithItsToken(t *testing.T) {
	f := newFixture(t, Options{Enrolment: EnrolByPassword, AccessLife: time.Second})
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.a")
	closed := make(chan error, 1)
	s, err := f.Register(ctx, p, func(reason error) { closed <- reason })
	if err != nil {
		t.Fatal(err)
	}
	g, err = f.Refresh(ctx, g.Refresh, g.Device.ID)
	if err != nil {
		t.Fatal(err)
	}
	p.Expires = p.Expires.Add(time.Second)
	wantErr(t, "renew", s.Renew(p), nil)
	stranger := p
	stranger.Device = "other"
	wantErr(t, "renew with another's token", s.Renew(stranger), rpc.ErrForbidden)
	began := time.Now()
	select {
	case reason := <-closed:
		wantErr(t, "reason", reason, ErrTokenExpired)
		if took := time.Since(began); took < 1500*time.Millisecond {
			t.Errorf("closed after %v although renewed", took)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the socket outlived its token by seconds")
	}
	wantErr(t, "renew when closed", s.Renew(p), ErrSignedOut)
	f.clock.pass(time.Minute)
	_, err = f.Authenticate(ctx, g.Access)
	wantErr(t, "the expired token", err, ErrTokenExpired)
	_, err = f.Recheck(ctx, p)
	wantErr(t, "a message after the expiry", err, ErrTokenExpired)
}

func TestRegisterNoticesARevocationThatCameBefore(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.a")
	wantErr(t, "revoke", f.RevokeDevice(ctx, Console(), g.Device.ID, "lost", true), nil)
	_, err := f.Register(ctx, p, func(error) {})
	wantErr(t, "register", err, ErrDeviceRevoked)
	if n := f.Sessions().Count(); n != 0 {
		t.Errorf("registered: got %d, want 0", n)
	}
}

// The command line is another process: it has no registry, and yet the socket
// must end within seconds.
func TestAnotherProcessEndsSockets(t *testing.T) {
	f := byPassword(t)
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	f.account(t, "officer.b", store.RoleOfficer, "26734")
	_, p := f.login(t, "officer.a")
	_, bystander := f.login(t, "officer.b")
	closed := make(chan error, 2)
	for _, who := range []Principal{p, bystander} {
		if _, err := f.Register(ctx, who, func(reason error) { closed <- reason }); err != nil {
			t.Fatal(err)
		}
	}
	run, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() { defer close(stopped); f.Run(run) }()
	defer func() { stop(); <-stopped }()
	time.Sleep(50 * time.Millisecond) // the first sweep finds nothing

	other, err := sqlite.Open(ctx, f.store.Path(), sqlite.Options{Now: f.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	accounts, err := NewAccounts(other, AccountOptions{Now: f.clock.now, Cost: cheap})
	if err != nil {
		t.Fatal(err)
	}
	disabled := true
	if _, err := accounts.Alter(ctx, Console(), a.ID, Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	select {
	case reason := <-closed:
		wantErr(t, "reason", reason, ErrDisabled)
	case <-time.After(5 * time.Second):
		t.Fatal("the socket was still open after five seconds")
	}
	if n := f.Sessions().Count(); n != 1 {
		t.Errorf("registered: got %d, want 1", n)
	}
}

// Check and act are one transaction: no write that began before a revocation
// commits after it.
func TestRevocationAgainstAStreamOfWrites(t *testing.T) {
	f := byPassword(t)
	f.account(t, "officer.a", store.RoleOfficer, "26734")
	g, p := f.login(t, "officer.a")
	var wg sync.WaitGroup
	start := make(chan struct{})
	for w := range 8 {
		wg.Go(func() {
			<-start
			for i := range 40 {
				f.store.Update(ctx, func(tx *sqlite.Tx) error {
					if _, err := Current(tx, p, f.clock.now()); err != nil {
						return err
					}
					return note(tx, p, f.clock.now(), "record.write", "26734", string(rune('a'+w)), map[string]string{"n": string(rune('0' + i))})
				})
			}
		})
	}
	close(start)
	time.Sleep(5 * time.Millisecond)
	wantErr(t, "revoke", f.RevokeDevice(ctx, Console(), g.Device.ID, "lost", true), nil)
	wg.Wait()
	actions, revoked := f.actions(t), false
	for _, a := range actions {
		if a == "device.revoke" {
			revoked = true
		} else if revoked && a == "record.write" {
			t.Fatal("a write committed after the revocation")
		}
	}
	if !revoked {
		t.Error("the revocation is not in the log")
	}
}

func TestMustChangeShutsEverythingElse(t *testing.T) {
	f := byPassword(t)
	a := f.account(t, "officer.a", store.RoleOfficer, "26734")
	password, err := f.ResetPassword(ctx, Console(), a.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	g, err := f.Login(ctx, Credentials{Name: "officer.a", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	p, err := f.Authenticate(ctx, g.Access)
	if err != nil {
		t.Fatal(err)
	}
	wantErr(t, "read", Can(p, ReadRecord, "26734", Basic), ErrMustChange)
	wantErr(t, "same password", f.ChangePassword(ctx, p, password, password, netip.Addr{}), ErrPasswordSame)
	wantErr(t, "weak password", f.ChangePassword(ctx, p, password, "officer.a123", netip.Addr{}), ErrPasswordCommon)
	wantErr(t, "wrong old password", f.ChangePassword(ctx, p, "not this one", goodPassword, netip.Addr{}), ErrCredentials)
	wantErr(t, "change", f.ChangePassword(ctx, p, password, goodPassword, netip.Addr{}), nil)
	p, err = f.Recheck(ctx, p)
	wantErr(t, "this sign-in goes on", err, nil)
	wantErr(t, "read again", Can(p, ReadRecord, "26734", Basic), nil)
}

func TestAdministration(t *testing.T) {
	f := byPassword(t)
	boss := f.account(t, "admin", store.RoleAdmin, "")
	officer := f.account(t, "officer.a", store.RoleOfficer, "26734")
	_, admin := f.login(t, "admin")
	_, p := f.login(t, "officer.a")
	disabled, role, unit := true, store.RoleHub, ""
	if _, err := f.Alter(ctx, admin, boss.ID, Change{Disabled: &disabled}); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("disable the last admin: got %v, want %v", err, ErrLastAdmin)
	}
	if _, err := f.Alter(ctx, admin, boss.ID, Change{Role: &role}); !errors.Is(err, ErrLastAdmin) {
		t.Errorf("demote the last admin: got %v, want %v", err, ErrLastAdmin)
	}
	if _, err := f.Alter(ctx, admin, officer.ID, Change{Unit: &unit}); !errors.Is(err, ErrUnit) {
		t.Errorf("officer without a unit: got %v, want %v", err, ErrUnit)
	}
	if _, err := f.Alter(ctx, admin, "nobody", Change{Disabled: &disabled}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown account: got %v, want %v", err, store.ErrNotFound)
	}
	for _, c := range []struct {
		n    NewAccount
		want error
	}{
		{NewAccount{Name: "OFFICER.A", Role: store.RoleOfficer, Unit: "26734"}, ErrAccountExists},
		{NewAccount{Name: "a b c", Role: store.RoleOfficer, Unit: "26734"}, ErrAccountName},
		{NewAccount{Name: "ab", Role: store.RoleOfficer, Unit: "26734"}, ErrAccountName},
		{NewAccount{Name: "newer", Role: "king", Unit: "26734"}, ErrRole},
		{NewAccount{Name: "newer", Role: store.RoleOfficer, Unit: "2673"}, ErrUnit},
		{NewAccount{Name: "newer", Role: store.RoleHub, Unit: "26734"}, ErrUnit},
		{NewAccount{Name: "newer", Role: store.RoleHub, DisplayName: "a\nb"}, ErrDisplayName},
		{NewAccount{Name: "newer", Role: store.RoleHub, Password: "short"}, ErrPasswordShort},
	} {
		_, _, err := f.Create(ctx, admin, c.n)
		wantErr(t, "create "+c.n.Name, err, c.want)
	}
	// Nothing of this is an officer's.
	for name, err := range map[string]error{
		"create": func() error {
			_, _, err := f.Create(ctx, p, NewAccount{Name: "newer", Role: store.RoleAdmin})
			return err
		}(),
		"alter":   func() error { _, err := f.Alter(ctx, p, officer.ID, Change{Role: &role}); return err }(),
		"reset":   func() error { _, err := f.ResetPassword(ctx, p, boss.ID, ""); return err }(),
		"code":    func() error { _, _, err := f.IssueCode(ctx, p, officer.ID); return err }(),
		"list":    func() error { _, err := f.List(ctx, p, "", 10); return err }(),
		"find":    func() error { _, err := f.Find(ctx, p, "admin"); return err }(),
		"devices": func() error { _, err := f.Devices(ctx, p, "", "", 10); return err }(),
		"others":  func() error { _, err := f.Devices(ctx, p, boss.ID, "", 10); return err }(),
		"audit":   func() error { _, err := f.AuditTail(ctx, p, 0, 10); return err }(),
		"verify":  func() error { _, err := f.VerifyAudit(ctx, p); return err }(),
	} {
		wantErr(t, "officer: "+name, err, rpc.ErrForbidden)
	}
	wantErr(t, "another's device", f.RevokeDevice(ctx, p, admin.Device, "lost", true), rpc.ErrNotFound)
	own, err := f.Devices(ctx, p, p.Account, "", 10)
	if err != nil || len(own) != 1 {
		t.Errorf("own devices: got %v, %v, want one", own, err)
	}
	// An administrator who was disabled meanwhile can do nothing more.
	second := f.account(t, "admin2", store.RoleAdmin, "")
	if _, err := f.Alter(ctx, admin, second.ID, Change{Disabled: &disabled}); err != nil {
		t.Fatal(err)
	}
	all, err := f.List(ctx, admin, "", 2)
	if err != nil || len(all) != 2 || all[0].Name != "admin" || all[1].Name != "admin2" || !all[1].Disabled {
		t.Errorf("list: got %+v, %v", all, err)
	}
}
