package auth

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"time"

	"wardbook/server/rpc"
	"wardbook/server/store"
)

// The bodies of the API. Times are RFC 3339 in UTC; ids are opaque texts.

type loginRequest struct {
	Name     string         `json:"name" maxlen:"100"`
	Password string         `json:"password" maxlen:"512"`
	Code     string         `json:"code,omitempty" maxlen:"40" doc:"one-time enrolment code, for a new device"`
	Label    string         `json:"device_label,omitempty" maxlen:"200" doc:"what its user calls a new device"`
	Device   store.DeviceID `json:"device_id,omitempty" maxlen:"40" doc:"of a device that signed in before"`
}

type refreshRequest struct {
	Token  string         `json:"refresh_token" maxlen:"100"`
	Device store.DeviceID `json:"device_id" maxlen:"40"`
}

type grantResponse struct {
	Access    string            `json:"access_token" doc:"send as Authorization: Bearer"`
	Expires   time.Time         `json:"expires_at" doc:"of the access token"`
	Refresh   string            `json:"refresh_token" doc:"good for one refresh; keep only the newest"`
	Account   accountBody       `json:"account"`
	Device    deviceReference   `json:"device"`
	ServerKey ed25519.PublicKey `json:"server_public_key" doc:"Ed25519; verifies receipts and pages"`
	RescueKey []byte            `json:"rescue_public_key" doc:"X25519; rescue files and store keys are sealed to it"`
	DeviceKey []byte            `json:"device_key" doc:"proves that this device made a rescue file"`
	Lease     int64             `json:"lease_seconds" doc:"how long the device may be read without hearing from the server"`
}

type deviceReference struct {
	ID store.DeviceID `json:"id"`
}

// accountBody is an account as its own user sees it.
type accountBody struct {
	ID          store.AccountID `json:"id"`
	Name        string          `json:"name"`
	DisplayName string          `json:"display_name"`
	Role        store.Role      `json:"role" enum:"officer,supervisor,hub,admin"`
	Unit        string          `json:"unit" doc:"5-digit code; empty for hub and admin"`
	Sensitive   bool            `json:"sensitive" doc:"may see the sensitive class"`
	MustChange  bool            `json:"must_change" doc:"must change the password before anything else"`
}

// managedAccount is an account as an administrator sees it.
type managedAccount struct {
	ID          store.AccountID `json:"id"`
	Name        string          `json:"name"`
	DisplayName string          `json:"display_name"`
	Role        store.Role      `json:"role" enum:"officer,supervisor,hub,admin"`
	Unit        string          `json:"unit"`
	Sensitive   bool            `json:"sensitive"`
	MustChange  bool            `json:"must_change"`
	Disabled    bool            `json:"disabled"`
	CreatedAt   time.Time       `json:"created_at"`
	ChangedAt   time.Time       `json:"changed_at"`
}

func accountOf(a store.Account) accountBody {
	return accountBody{a.ID, a.Name, a.DisplayName, a.Role, a.Unit, a.Sensitive, a.MustChange}
}

func managed(a store.Account) managedAccount {
	return managedAccount{a.ID, a.Name, a.DisplayName, a.Role, a.Unit, a.Sensitive, a.MustChange, a.Disabled, a.CreatedAt, a.ChangedAt}
}

func granted(g Grant, err error) (grantResponse, error) {
	if err != nil {
		return grantResponse{}, err
	}
	return grantResponse{g.Access, g.Expires, g.Refresh, accountOf(g.Account), deviceReference{g.Device.ID}, g.ServerKey, g.RescueKey, g.DeviceKey,
		int64(g.Lease / time.Second)}, nil
}

type openRequest struct {
	Name     string         `json:"name" maxlen:"100"`
	Password string         `json:"password" maxlen:"512"`
	Device   store.DeviceID `json:"device_id" maxlen:"40"`
	Sealed   string         `json:"sealed" maxlen:"1000" doc:"the store's key, sealed to the organisation's, in base64"`
}

type openResponse struct {
	Key []byte `json:"key"`
}

type pinRequest struct {
	Handle []byte `json:"handle" doc:"32 random bytes that only the device's profile holds"`
	Proof  []byte `json:"proof" doc:"32 bytes that follow from the PIN"`
}

type pinOpenRequest struct {
	Device store.DeviceID `json:"device_id" maxlen:"40"`
	Handle []byte         `json:"handle"`
	Proof  []byte         `json:"proof"`
}

type pinResponse struct {
	Half []byte `json:"half" doc:"the server's half of the key that wraps the store's"`
}

type logoutRequest struct {
	Forget bool `json:"forget_device,omitempty" doc:"revoke the device too: it was borrowed"`
}

type passwordRequest struct {
	Old string `json:"old_password" maxlen:"512"`
	New string `json:"new_password" maxlen:"512"`
}

type meResponse struct {
	Account accountBody     `json:"account"`
	Device  deviceReference `json:"device"`
	Expires time.Time       `json:"expires_at"`
}

type deviceBody struct {
	ID         store.DeviceID  `json:"id"`
	Account    store.AccountID `json:"account"`
	Label      string          `json:"label"`
	EnrolledAt time.Time       `json:"enrolled_at"`
	LastSeenAt time.Time       `json:"last_seen_at"`
	RevokedAt  *time.Time      `json:"revoked_at"`
	Reason     string          `json:"reason"`
	Lost       bool            `json:"lost"`
	Name       string          `json:"account_name" doc:"of the account"`
	Display    string          `json:"display_name" doc:"of the account"`
	App        string          `json:"app" doc:"build that it ran; empty before its first session"`
	ToldAt     *time.Time      `json:"reported_at" doc:"when it last reported of its outbox"`
	Unsent     int             `json:"unsent" doc:"changesets that it then held and the server had not received"`
	Oldest     *time.Time      `json:"oldest_unsent_at" doc:"of the oldest of them, by the device's clock"`
	Headroom   uint64          `json:"headroom" doc:"bytes that its browser would still have stored; 0 if unknown"`
	ReceivedAt *time.Time      `json:"received_at" doc:"when the last work of it became durable here"`
	// When it last came back without the store that it had, with what.
	VanishedAt   *time.Time `json:"store_vanished_at" doc:"when it came back without its store; null: it never did"`
	VanishedLeft int        `json:"store_vanished_unsent" doc:"changesets that the vanished store had last said were unsent"`
}

func deviceOf(s store.DeviceState) deviceBody {
	moment := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		return &t
	}
	d := s.Device
	return deviceBody{ID: d.ID, Account: d.Account, Label: d.Label, EnrolledAt: d.EnrolledAt, LastSeenAt: d.LastSeenAt,
		RevokedAt: moment(d.RevokedAt), Reason: d.Reason, Lost: d.Lost, Name: s.AccountName, Display: s.Display, App: s.App,
		ToldAt: moment(s.ToldAt), Unsent: s.Unsent, Oldest: moment(s.Oldest), Headroom: s.Headroom, ReceivedAt: moment(s.ReceivedAt),
		VanishedAt: moment(d.VanishedAt), VanishedLeft: d.VanishedLeft}
}

type unitDevicesRequest struct {
	After store.DeviceID `query:"after" json:"-" maxlen:"40" doc:"the last id of the page before"`
	Limit int            `query:"limit" json:"-" doc:"1 to 200"`
}

type lostRequest struct {
	ID store.DeviceID `path:"id" json:"-" maxlen:"40"`
}

type devicesRequest struct {
	Account store.AccountID `query:"account" json:"-" maxlen:"40"`
	After   store.DeviceID  `query:"after" json:"-" maxlen:"40" doc:"the last id of the page before"`
	Limit   int             `query:"limit" json:"-" doc:"1 to 200"`
}

type devicesResponse struct {
	Devices []deviceBody `json:"devices"`
}

type revokeRequest struct {
	ID     store.DeviceID `path:"id" json:"-" maxlen:"40"`
	Reason string         `json:"reason,omitempty" enum:"lost,replaced,left,misused,other"`
	Lost   bool           `json:"lost,omitempty" doc:"it may be in a stranger's hands"`
}

type listRequest struct {
	After string `query:"after" json:"-" maxlen:"100" doc:"the last name of the page before"`
	Limit int    `query:"limit" json:"-" doc:"1 to 200"`
}

type listResponse struct {
	Accounts []managedAccount `json:"accounts"`
}

type createRequest struct {
	Name        string     `json:"name" maxlen:"100"`
	DisplayName string     `json:"display_name" maxlen:"100"`
	Role        store.Role `json:"role" enum:"officer,supervisor,hub,admin"`
	Unit        string     `json:"unit,omitempty" maxlen:"5"`
	Sensitive   bool       `json:"sensitive,omitempty"`
	Password    string     `json:"password,omitempty" maxlen:"512" doc:"absent: the server makes one"`
}

type passwordResponse struct {
	Account  managedAccount `json:"account"`
	Password string         `json:"password" doc:"shown this once; its user must change it"`
}

type accountRequest struct {
	ID store.AccountID `path:"id" json:"-" maxlen:"40"`
}

type moveRequest struct {
	ID   store.AccountID `path:"id" json:"-" maxlen:"40"`
	Unit string          `json:"unit" maxlen:"5"`
}

type roleRequest struct {
	ID        store.AccountID `path:"id" json:"-" maxlen:"40"`
	Role      store.Role      `json:"role" enum:"officer,supervisor,hub,admin"`
	Unit      *string         `json:"unit,omitempty" doc:"needed when the role gains or loses a unit"`
	Sensitive *bool           `json:"sensitive,omitempty"`
}

type resetRequest struct {
	ID       store.AccountID `path:"id" json:"-" maxlen:"40"`
	Password string          `json:"password,omitempty" maxlen:"512" doc:"absent: the server makes one"`
}

type resetResponse struct {
	Password string `json:"password" doc:"shown this once; its user must change it"`
}

type codeResponse struct {
	Code    string    `json:"code" doc:"shown this once"`
	Expires time.Time `json:"expires_at"`
}

type auditRequest struct {
	Before int64 `query:"before" json:"-" doc:"entries older than this one; absent: from the newest"`
	Limit  int   `query:"limit" json:"-" doc:"1 to 200"`
}

type auditEntry struct {
	Seq     int64           `json:"seq"`
	At      time.Time       `json:"at"`
	Actor   store.AccountID `json:"actor" doc:"empty: the server or its command line"`
	Device  store.DeviceID  `json:"device"`
	Action  string          `json:"action"`
	Unit    string          `json:"unit"`
	Subject string          `json:"subject"`
	Detail  json.RawMessage `json:"detail"`
}

type auditResponse struct {
	Entries []auditEntry `json:"entries"`
}

// Routes returns the API of signing in and of administration.
func (s *Service) Routes() []rpc.Route {
	small := rpc.Options{Limits: rpc.Limits{Body: 8 << 10}}
	changing := func(r rpc.Route) rpc.Route { r.BeforeChange = true; return r }
	admin := string(store.RoleAdmin)
	return []rpc.Route{
		rpc.New("POST", "/api/v1/auth/login", "Sign in on a device", s.login, small).Open(),
		rpc.New("POST", "/api/v1/auth/refresh", "Trade the refresh token for new tokens", s.refresh, small).Open(),
		changing(rpc.New("POST", "/api/v1/auth/logout", "End this sign-in", s.logout, small)),
		rpc.New("POST", "/api/v1/auth/open", "Give the key of a device's store back to its account", s.openKey, small).Open(),
		rpc.New("POST", "/api/v1/auth/pin", "Give this device a PIN", s.setPin, small),
		rpc.New("POST", "/api/v1/auth/pin/forget", "Take the PIN of this device away", s.forgetPin, small),
		rpc.New("POST", "/api/v1/auth/pin/open", "Give the server's half of a device's key for the right PIN", s.openByPin, small).Open(),
		changing(rpc.New("GET", "/api/v1/auth/me", "Who is signed in", s.me, small)),
		changing(rpc.New("POST", "/api/v1/auth/password", "Change one's own password", s.password, small)),
		rpc.New("GET", "/api/v1/auth/devices", "List one's own devices", s.ownDevices, small),
		rpc.New("POST", "/api/v1/auth/devices/{id}/revoke", "Revoke one of one's own devices", s.revoke, small),
		rpc.New("GET", "/api/v1/unit/devices", "List the unit's devices and what was last heard of them", s.unitDevices, small).For(string(store.RoleSupervisor)),
		rpc.New("POST", "/api/v1/unit/devices/{id}/lost", "Report a device of the unit as lost: it is shut out and wipes itself", s.lost, small).For(string(store.RoleSupervisor)),

		rpc.New("GET", "/api/v1/admin/accounts", "List accounts by name", s.list, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts", "Create an account", s.create, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/move", "Move an account to another unit", s.move, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/role", "Change an account's role or access", s.role, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/disable", "Disable an account and end its sign-ins", s.disable, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/enable", "Enable a disabled account", s.enable, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/reset-password", "Give an account another password", s.reset, small).For(admin),
		rpc.New("POST", "/api/v1/admin/accounts/{id}/enrolment-code", "Issue a one-time code to enrol a device", s.code, small).For(admin),
		rpc.New("GET", "/api/v1/admin/devices", "List devices", s.devices, small).For(admin),
		rpc.New("POST", "/api/v1/admin/devices/{id}/revoke", "Revoke a device and end its sockets", s.revoke, small).For(admin),
		rpc.New("GET", "/api/v1/admin/audit", "Read the audit log, newest first", s.audit, small).For(admin),
	}
}

func (s *Service) login(ctx context.Context, r loginRequest) (grantResponse, error) {
	return granted(s.Login(ctx, Credentials{
		Name: r.Name, Password: r.Password, Code: r.Code, Device: r.Device, Label: r.Label, Address: rpc.InfoFrom(ctx).Address,
	}))
}

func (s *Service) openKey(ctx context.Context, r openRequest) (openResponse, error) {
	key, err := s.OpenStore(ctx, Credentials{Name: r.Name, Password: r.Password, Device: r.Device, Address: rpc.InfoFrom(ctx).Address}, r.Sealed)
	return openResponse{key}, err
}

func (s *Service) setPin(ctx context.Context, r pinRequest) (pinResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return pinResponse{}, err
	}
	half, err := s.SetPin(ctx, p, r.Handle, r.Proof)
	return pinResponse{half}, err
}

func (s *Service) forgetPin(ctx context.Context, _ rpc.None) (rpc.None, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return rpc.None{}, err
	}
	return rpc.None{}, s.ForgetPin(ctx, p)
}

func (s *Service) openByPin(ctx context.Context, r pinOpenRequest) (pinResponse, error) {
	half, err := s.OpenByPin(ctx, r.Device, r.Handle, r.Proof, rpc.InfoFrom(ctx).Address)
	return pinResponse{half}, err
}

func (s *Service) refresh(ctx context.Context, r refreshRequest) (grantResponse, error) {
	return granted(s.Refresh(ctx, r.Token, r.Device))
}

func (s *Service) logout(ctx context.Context, r logoutRequest) (rpc.None, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return rpc.None{}, err
	}
	return rpc.None{}, s.Logout(ctx, p, r.Forget)
}

func (s *Service) me(ctx context.Context, _ rpc.None) (meResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return meResponse{}, err
	}
	a, err := s.Own(ctx, p)
	return meResponse{accountOf(a), deviceReference{p.Device}, p.Expires}, err
}

func (s *Service) password(ctx context.Context, r passwordRequest) (rpc.None, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return rpc.None{}, err
	}
	return rpc.None{}, s.ChangePassword(ctx, p, r.Old, r.New, rpc.InfoFrom(ctx).Address)
}

func (s *Service) list(ctx context.Context, r listRequest) (listResponse, error) {
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return listResponse{}, err
	}
	p, err := FromContext(ctx)
	if err != nil {
		return listResponse{}, err
	}
	all, err := s.List(ctx, p, r.After, limit)
	out := listResponse{Accounts: []managedAccount{}}
	for _, a := range all {
		out.Accounts = append(out.Accounts, managed(a))
	}
	return out, err
}

func (s *Service) create(ctx context.Context, r createRequest) (passwordResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return passwordResponse{}, err
	}
	a, password, err := s.Create(ctx, p, NewAccount{
		Name: r.Name, DisplayName: r.DisplayName, Role: r.Role, Unit: r.Unit, Sensitive: r.Sensitive, Password: r.Password, MustChange: true,
	})
	return passwordResponse{managed(a), password}, err
}

func (s *Service) alter(ctx context.Context, id store.AccountID, c Change) (managedAccount, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return managedAccount{}, err
	}
	a, err := s.Alter(ctx, p, id, c)
	return managed(a), err
}

func (s *Service) move(ctx context.Context, r moveRequest) (managedAccount, error) {
	return s.alter(ctx, r.ID, Change{Unit: &r.Unit})
}

func (s *Service) role(ctx context.Context, r roleRequest) (managedAccount, error) {
	return s.alter(ctx, r.ID, Change{Role: &r.Role, Unit: r.Unit, Sensitive: r.Sensitive})
}

func (s *Service) disable(ctx context.Context, r accountRequest) (managedAccount, error) {
	disabled := true
	return s.alter(ctx, r.ID, Change{Disabled: &disabled})
}

func (s *Service) enable(ctx context.Context, r accountRequest) (managedAccount, error) {
	disabled := false
	return s.alter(ctx, r.ID, Change{Disabled: &disabled})
}

func (s *Service) reset(ctx context.Context, r resetRequest) (resetResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return resetResponse{}, err
	}
	password, err := s.ResetPassword(ctx, p, r.ID, r.Password)
	return resetResponse{password}, err
}

func (s *Service) code(ctx context.Context, r accountRequest) (codeResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return codeResponse{}, err
	}
	code, expires, err := s.IssueCode(ctx, p, r.ID)
	return codeResponse{code, expires.UTC()}, err
}

func (s *Service) ownDevices(ctx context.Context, _ rpc.None) (devicesResponse, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return devicesResponse{}, err
	}
	return s.devices(ctx, devicesRequest{Account: p.Account})
}

func (s *Service) devices(ctx context.Context, r devicesRequest) (devicesResponse, error) {
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return devicesResponse{}, err
	}
	p, err := FromContext(ctx)
	if err != nil {
		return devicesResponse{}, err
	}
	all, err := s.Devices(ctx, p, r.Account, r.After, limit)
	return devicesOf(all), err
}

func devicesOf(all []store.DeviceState) devicesResponse {
	out := devicesResponse{Devices: []deviceBody{}}
	for _, d := range all {
		out.Devices = append(out.Devices, deviceOf(d))
	}
	return out
}

func (s *Service) unitDevices(ctx context.Context, r unitDevicesRequest) (devicesResponse, error) {
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return devicesResponse{}, err
	}
	p, err := FromContext(ctx)
	if err != nil {
		return devicesResponse{}, err
	}
	all, err := s.UnitDevices(ctx, p, r.After, limit)
	return devicesOf(all), err
}

func (s *Service) lost(ctx context.Context, r lostRequest) (rpc.None, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return rpc.None{}, err
	}
	return rpc.None{}, s.RevokeDevice(ctx, p, r.ID, "lost", true)
}

func (s *Service) revoke(ctx context.Context, r revokeRequest) (rpc.None, error) {
	p, err := FromContext(ctx)
	if err != nil {
		return rpc.None{}, err
	}
	return rpc.None{}, s.RevokeDevice(ctx, p, r.ID, r.Reason, r.Lost)
}

func (s *Service) audit(ctx context.Context, r auditRequest) (auditResponse, error) {
	limit, err := pageLimit(r.Limit)
	if err != nil {
		return auditResponse{}, err
	}
	p, err := FromContext(ctx)
	if err != nil {
		return auditResponse{}, err
	}
	all, err := s.AuditTail(ctx, p, r.Before, limit)
	out := auditResponse{Entries: []auditEntry{}}
	for _, e := range all {
		out.Entries = append(out.Entries, auditEntry{e.Seq, e.At, e.Actor, e.Device, e.Action, e.Unit, e.Subject, e.Detail})
	}
	return out, err
}
