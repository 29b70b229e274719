//go:build !js

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// maxAnswer bounds what the server may answer, in bytes.
const maxAnswer = 32 << 20

// api speaks to the server over HTTPS.
type api struct {
	server *url.URL
	http   *http.Client
}

func newAPI(server *url.URL) *api {
	return &api{server: server, http: &http.Client{Timeout: 90 * time.Second,
		// A redirected password would be told to whoever is at its end.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// apiError is a refusal of the server's.
type apiError struct {
	Status int    `json:"-"`
	Code   string `json:"code"`
	VI     string `json:"message_vi"`
	EN     string `json:"message_en"`
	Field  string `json:"field"`
}

func (e *apiError) Error() string {
	if e.EN == "" {
		return fmt.Sprintf("the server answered %d %s", e.Status, http.StatusText(e.Status))
	}
	return e.EN
}

// call makes one request; in and out are JSON and may be nil.
func (a *api) call(ctx context.Context, method, path, token string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	answer, err := a.send(ctx, method, path, token, "application/json", body)
	if err != nil || out == nil {
		return err
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not understood; is %s a Wardbook server? %w", method, path, a.server, err)
	}
	return nil
}

// send makes one request and returns the answer of a success. An answer that was
// cut comes with an *unreachableError.
func (a *api) send(ctx context.Context, method, path, token, kind string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.server.String()+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", kind)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := a.http.Do(req)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err // without the method and the address, which are said below
		}
		return nil, &unreachableError{a.server.String(), err}
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil && res.StatusCode/100 == 2 {
		return answer, &unreachableError{a.server.String(), err}
	}
	if err != nil {
		return nil, &unreachableError{a.server.String(), err}
	}
	if len(answer) > maxAnswer {
		return nil, fmt.Errorf("%s %s: the answer is larger than %d bytes", method, path, maxAnswer)
	}
	if res.StatusCode/100 != 2 {
		e := struct{ Error apiError }{}
		_ = json.Unmarshal(answer, &e) // without a body of ours the status alone is told
		e.Error.Status = res.StatusCode
		return nil, &e.Error
	}
	return answer, nil
}

// unreachableError is a server that cannot be spoken to.
type unreachableError struct {
	server string
	err    error
}

func (e *unreachableError) Error() string {
	return fmt.Sprintf("the server %s cannot be reached: %v", e.server, e.err)
}
func (e *unreachableError) Unwrap() error { return e.err }

// grant is the answer to a sign-in or its renewal.
type grant struct {
	Access  string    `json:"access_token"`
	Expires time.Time `json:"expires_at"`
	Refresh string    `json:"refresh_token"`
	Account struct {
		Name        string `json:"name"`
		DisplayName string `json:"display_name"`
		Role        string `json:"role"`
		Unit        string `json:"unit"`
		MustChange  bool   `json:"must_change"`
	} `json:"account"`
	Device struct {
		ID string `json:"id"`
	} `json:"device"`
	ServerKey []byte `json:"server_public_key"`
}

func (g *grant) account() replica.Account {
	a := replica.Account{Name: g.Account.Name, Display: g.Account.DisplayName, Role: g.Account.Role, Unit: g.Account.Unit}
	if u, ok := register.UnitByCode(register.UnitCode(a.Unit)); ok {
		a.UnitName = u.NameVI
	}
	return a
}

// take takes a grant over into the session, durably.
func (d *device) take(ctx context.Context, server string, g *grant) error {
	d.session = deviceSession{Server: server, DeviceID: g.Device.ID, Access: g.Access, Expires: g.Expires, Refresh: g.Refresh}
	return d.keepSession(ctx, g.account())
}

// refresh renews the access token.
func (d *device) refresh(ctx context.Context, a *api) (string, error) {
	if d.session.Refresh == "" {
		return "", errors.New("sign in first")
	}
	var g grant
	in := map[string]string{"refresh_token": d.session.Refresh, "device_id": d.session.DeviceID}
	if err := a.call(ctx, "POST", "/api/v1/auth/refresh", "", in, &g); err != nil {
		return "", err
	}
	if g.Account.Name != d.replica.Account().Name {
		return "", fmt.Errorf("the server knows this device as %s, not as %s", g.Account.Name, d.replica.Account().Name)
	}
	if err := d.take(ctx, a.server.String(), &g); err != nil {
		return "", err
	}
	return g.Access, nil
}

// token returns an access token that holds for a while.
func (d *device) token(ctx context.Context, a *api) (string, error) {
	if d.session.Access != "" && time.Until(d.session.Expires) > time.Minute {
		return d.session.Access, nil
	}
	return d.refresh(ctx, a)
}

// fetchScopes fetches what the device needs to work offline: the registers'
// definitions and the streams that it is to hold.
func (d *device) fetchScopes(ctx context.Context, a *api, token string) error {
	var definitions []register.Definition
	if err := a.call(ctx, "GET", "/api/v1/registers", token, nil, &definitions); err != nil {
		return fmt.Errorf("fetch the registers: %w", err)
	}
	var scopes struct {
		Streams []struct{ Unit, Register, Class string }
	}
	if err := a.call(ctx, "GET", "/api/v1/scopes", token, nil, &scopes); err != nil {
		return fmt.Errorf("fetch the scopes: %w", err)
	}
	bodies := make([][]byte, len(definitions))
	for i := range definitions {
		def, err := register.New(definitions[i])
		if err != nil {
			return fmt.Errorf("fetch the registers: %w", err)
		}
		bodies[i] = def.Marshal() // the answer may have spelt it in another way
	}
	if err := d.replica.SetDefinitions(ctx, bodies...); err != nil {
		return err
	}
	want := make([]protocol.Scope, len(scopes.Streams))
	for i, s := range scopes.Streams {
		want[i] = protocol.Scope{Stream: protocol.Stream{Unit: s.Unit, Register: s.Register}, Priority: uint8(min(i, 255))}
		if s.Class == "sensitive" {
			want[i].Class = protocol.Sensitive
		}
	}
	return d.replica.SetScopes(ctx, want)
}
