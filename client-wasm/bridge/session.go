package bridge

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Session is what the page knows of who is signed in.
type Session struct {
	Account   replica.Account `json:"account"`
	Borrowed  bool            `json:"borrowed"`
	Registers []Definition    `json:"registers"`
	Leader    bool            `json:"leader"` // true here: the module runs in the tab that writes
	Version   string          `json:"version"`
	Device    string          `json:"device"`          // the server's id of this device, for the page to remember outside the store
	Lost      bool            `json:"lost,omitempty"`  // this device had a store, which is gone
	Fresh     bool            `json:"fresh,omitempty"` // the store held nothing when it was opened
	Late      bool            `json:"late,omitempty"`  // the lease has ended: new records can be written, and nothing read
}

type loginRequest struct {
	Name     string `json:"name"`
	Password string `json:"password"`
	Code     string `json:"code,omitempty"`
	Borrowed bool   `json:"borrowed"`
	Device   string `json:"device,omitempty"` // what the page remembers of Session.Device, should the store be gone
	Former   string `json:"former,omitempty"` // the worker's own: the key is open by now
	New      string `json:"new,omitempty"`    // the password to set at once, when the server asks for another
	Store    string `json:"store"`            // given by the worker
	Key      string `json:"key"`              // 32 bytes in hexadecimal, given by the worker
}

type unlockRequest struct {
	Name     string `json:"name"`
	Password string `json:"password"` // the worker's own
	Store    string `json:"store"`
	Key      string `json:"key"`
}

type logoutRequest struct {
	Keep bool `json:"keep,omitempty"`
	Lock bool `json:"lock,omitempty"`
}

type logoutReply struct {
	Removed bool `json:"removed"`
	// Unsent is what the store holds unsent as it is closed, after the last
	// receipt; nil if it could not be asked.
	Unsent *int `json:"unsent,omitempty"`
}

// grant is what the server answers to a sign-in or a refresh.
type grant struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	Account struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name"`
		Role        string `json:"role"`
		Unit        string `json:"unit"`
	} `json:"account"`
	Device struct {
		ID string `json:"id"`
	} `json:"device"`
	ServerKey []byte `json:"server_public_key"`
	RescueKey []byte `json:"rescue_public_key"`
	DeviceKey []byte `json:"device_key"`
	Lease     int64  `json:"lease_seconds"`
}

// into takes over into k what the server grants anew each time.
func (g *grant) into(k *kept) {
	k.Refresh = g.Refresh
	if len(g.RescueKey) > 0 {
		k.RescueKey, k.DeviceKey, k.Lease = g.RescueKey, g.DeviceKey, g.Lease
	}
}

func (g *grant) account() replica.Account {
	a := replica.Account{Name: g.Account.Name, Display: g.Account.DisplayName, Role: g.Account.Role, Unit: g.Account.Unit}
	if u, ok := register.UnitByCode(register.UnitCode(a.Unit)); ok {
		a.UnitName = u.NameVI
	}
	return a
}

// login signs in over the network and opens the account's store, which is made
// if it is new. A sign-in of the account that is open already changes nothing.
func (b *Bridge) login(ctx context.Context, q loginRequest) (*Session, error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if a := b.current(); a != nil {
		return a.again(q.Name)
	}
	o, err := b.openStore(ctx, q.Store, q.Key)
	if err != nil {
		return nil, err
	}
	a, access, err := b.signIn(ctx, o, q)
	if err != nil {
		ended := b.shutOut(ctx, o, q.Key, err)
		err = b.giveUp(o, err)
		if ended != nil {
			b.emit("ended", ended) // now that the store is closed, so that it can be removed
		}
		return nil, err
	}
	return b.began(a, access), nil
}

// unlock opens the store of an account that has signed in here before. It
// needs no network; what waits is sent as soon as there is one.
func (b *Bridge) unlock(ctx context.Context, q unlockRequest) (*Session, error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	if a := b.current(); a != nil {
		return a.again(q.Name)
	}
	o, err := b.openStore(ctx, q.Store, q.Key)
	if err != nil {
		return nil, err
	}
	meta, err := lastKnown(ctx, o)
	if err != nil {
		return nil, b.giveUp(o, err)
	}
	switch meta.Account.Name {
	case "":
		return nil, b.giveUp(o, errNoStore)
	case q.Name:
	default:
		return nil, b.giveUp(o, fmt.Errorf("the store belongs to %s", meta.Account.Name))
	}
	a, err := b.openAccount(ctx, o, q.Key, meta.Account)
	if err != nil {
		return nil, b.giveUp(o, err)
	}
	if why := a.session().Ended; why != nil {
		ended := a.endingOf(ctx, why)
		a.cancel()
		err := b.giveUp(o, why)
		b.emit("ended", ended) // the worker may have been stopped when it was told first
		return nil, err
	}
	return b.began(a, ""), nil
}

func (b *Bridge) openStore(ctx context.Context, store, key string) (*Opened, error) {
	secret, err := hex.DecodeString(key)
	if err != nil {
		return nil, malformed("the key is not hexadecimal", nil) // without the key
	}
	return b.cfg.Open(ctx, store, secret)
}

// giveUp closes a store that could not be used.
func (b *Bridge) giveUp(o *Opened, why error) error {
	if err := o.Close(); err != nil {
		b.cfg.Log("close the store: " + err.Error())
	}
	return why
}

// signIn asks the server, then opens the replica and makes it ready to work
// without a network. A store that could work before does so although the
// network breaks off behind the sign-in.
func (b *Bridge) signIn(ctx context.Context, o *Opened, q loginRequest) (*account, string, error) {
	meta, err := lastKnown(ctx, o)
	if err != nil {
		return nil, "", err
	}
	before, err := parseKept(meta.Session)
	if err != nil {
		return nil, "", err
	}
	device := cmp.Or(before.Device, q.Device)
	g, err := b.grantFor(ctx, "/api/v1/auth/login", map[string]any{
		"name": q.Name, "password": q.Password, "code": q.Code, "device_id": device, "device_label": b.cfg.Label,
	})
	if err != nil {
		return nil, "", err
	}
	who := g.account()
	if meta.Account.Name != "" && meta.Account.Name != who.Name {
		return nil, "", fmt.Errorf("the store belongs to %s, not to %s", meta.Account.Name, who.Name)
	}
	a, err := b.openAccount(ctx, o, q.Key, who)
	if err != nil {
		return nil, "", err
	}
	// The same device with an empty store: what that held is gone, and the server
	// will notice by the new replica.
	a.lost = before.Device == "" && q.Device != "" && g.Device.ID == q.Device
	err = a.keep(ctx, who, func(k *kept) {
		*k = kept{Device: g.Device.ID, Borrowed: q.Borrowed, People: k.People, Usage: k.Usage, Told: k.Told}
		g.into(k)
	})
	if err != nil {
		return nil, "", err
	}
	if err := a.r.Trust(ctx, g.ServerKey); err != nil {
		return nil, "", err
	}
	a.fresh = meta.Account.Name == ""
	a.tokens.access = g.Access
	if q.New != "" {
		body := encode(map[string]any{"old_password": q.Password, "new_password": q.New})
		if _, err := a.request(ctx, "POST", "/api/v1/auth/password", body); err != nil {
			a.cancel() // the device is enrolled and kept: the next attempt needs no code
			return nil, "", err
		}
	}
	a.tokens.equipped = true
	if err := a.equip(ctx); err != nil {
		if !offlineReady(meta) || codeOf(err) != errOffline.Code {
			a.cancel()
			return nil, "", err
		}
		a.tokens.equipped = false // when the network is back
	}
	return a, g.Access, nil
}

// shutOut seals the unsent work of a device that the server has shut out, when
// that is learnt at the sign-in; nil if it is not so, or there is no store yet.
func (b *Bridge) shutOut(ctx context.Context, o *Opened, key string, why error) *ending {
	if codeOf(why) != "device_revoked" {
		return nil
	}
	meta, err := lastKnown(ctx, o)
	if err != nil || meta.Account.Name == "" {
		return nil
	}
	a, err := b.openAccount(ctx, o, key, meta.Account)
	if err != nil {
		b.cfg.Log("open the store of a device that was shut out: " + err.Error())
		return nil
	}
	defer a.cancel()
	ended := a.endingOf(ctx, failureOf(why))
	return &ended
}

// offlineReady reports whether the account has worked on this device before.
func offlineReady(m replica.Meta) bool { return m.Account.Name != "" }

// grantFor posts credentials and returns what the server grants.
func (b *Bridge) grantFor(ctx context.Context, path string, body map[string]any) (*grant, error) {
	for name, v := range body {
		if v == "" {
			delete(body, name)
		}
	}
	status, reply, err := b.cfg.Fetch(ctx, "POST", path, "", "application/json", encode(body))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, errOffline
	case status != 200:
		return nil, refusal(status, reply)
	}
	g := &grant{}
	if err := json.Unmarshal(reply, g); err != nil || g.Access == "" || g.Refresh == "" || g.Account.Name == "" {
		return nil, errBusy // something in between has answered in the server's place
	}
	return g, nil
}

// began makes a the open account.
func (b *Bridge) began(a *account, access string) *Session {
	b.setCurrent(a)
	a.start(access)
	return a.told()
}

// again answers a sign-in that was sent twice, as when the writing tab went.
func (a *account) again(name string) (*Session, error) {
	if a.r.Account().Name != name {
		return nil, errSignedIn
	}
	return a.told(), nil
}

func (b *Bridge) session() *Session {
	if a := b.current(); a != nil {
		return a.told()
	}
	return nil
}

// told is the account as the page is told of it.
func (a *account) told() *Session {
	k := a.session()
	s := &Session{Account: a.r.Account(), Borrowed: k.Borrowed, Registers: []Definition{}, Leader: true, Version: a.b.cfg.Version,
		Device: k.Device, Lost: a.lost, Fresh: a.fresh, Late: a.late != nil}
	for _, d := range a.r.Definitions() {
		s.Registers = append(s.Registers, definitionOf(d))
	}
	return s
}

// logoutWithin bounds what telling the server of a sign-out may take.
const logoutWithin = 5 * time.Second

// logout closes the account. With lock that is all. On a borrowed device it tells the worker to
// remove the store, once everything is received; with keep it stays. On a
// device of one's own the store stays as it is, locked, and the next unlock
// goes on where this one ended.
func (b *Bridge) logout(ctx context.Context, q logoutRequest) (logoutReply, error) {
	leave, err := b.enter(ctx)
	if err != nil {
		return logoutReply{}, err
	}
	defer leave()
	a := b.current()
	if a == nil {
		return logoutReply{}, errSignedOut
	}
	remove := a.session().Borrowed && !q.Lock
	if remove {
		s, err := a.r.Status(ctx)
		switch {
		case err != nil && !q.Keep:
			return logoutReply{}, err
		case err != nil:
			remove = false // a store that cannot be asked is not one to remove
		case s.Unsent > 0 && !q.Keep:
			return logoutReply{}, errUnsent
		case s.Unsent > 0:
			remove = false
		}
	}
	if remove {
		within, cancel := context.WithTimeout(ctx, logoutWithin)
		// The device was borrowed: the server forgets it as soon as it hears of it.
		if _, err := a.request(within, "POST", "/api/v1/auth/logout", []byte(`{"forget_device":true}`)); err != nil {
			b.cfg.Log("tell the server of a sign-out: " + err.Error())
		}
		cancel()
	}
	b.setCurrent(nil)
	a.stop()
	reply := logoutReply{Removed: remove}
	if s, err := a.r.Status(ctx); err == nil {
		reply.Unsent = &s.Unsent
	}
	if err := a.close(); err != nil {
		b.cfg.Log("close the store: " + err.Error())
	}
	return reply, nil
}

// equip fetches what the account needs to work without a network: the
// registers' definitions and which streams it may hold.
func (a *account) equip(ctx context.Context) error {
	reply, err := a.request(ctx, "GET", "/api/v1/registers", nil)
	if err != nil {
		return err
	}
	var all []register.Definition
	if err := json.Unmarshal(reply, &all); err != nil {
		return errBusy
	}
	definitions := make([][]byte, len(all))
	for i, body := range all {
		d, err := register.New(body)
		if err != nil {
			return fmt.Errorf("a definition of the server's: %w", err)
		}
		definitions[i] = d.Marshal() // the reply may have spelt it in another way
	}
	if err := a.r.SetDefinitions(ctx, definitions...); err != nil {
		return err
	}
	if !a.replicates() {
		return nil
	}
	if reply, err = a.request(ctx, "GET", "/api/v1/scopes", nil); err != nil {
		return err
	}
	var scopes struct {
		Streams []struct{ Unit, Register, Class string } `json:"streams"`
	}
	if err := json.Unmarshal(reply, &scopes); err != nil {
		return errBusy
	}
	var wanted []protocol.Scope
	for _, s := range scopes.Streams {
		scope := protocol.Scope{Stream: protocol.Stream{Unit: s.Unit, Register: s.Register}}
		if s.Class == "sensitive" {
			// What lists show comes first.
			scope.Class, scope.Priority = protocol.Sensitive, 1
		}
		wanted = append(wanted, scope)
	}
	return a.r.SetScopes(ctx, wanted)
}

// versions is a text that changes when the page has to be told of registers.
func (a *account) versions() string {
	text := ""
	for _, d := range a.r.Definitions() {
		text += fmt.Sprint(d.ID, " ", d.Version, " ")
	}
	return text
}
