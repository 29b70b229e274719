package puller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"
)

// signIn is who pulls. What must outlive the program is in a file, replaced
// before a new token is used.
type signIn struct {
	path     string
	password string
	code     string
	kept     kept
	access   string
	expires  time.Time
	byName   bool // the kept token is of no use: sign in by name and password
}

// kept is the file's form.
type kept struct {
	URL     string `json:"url"`
	Account string `json:"account"`
	Device  string `json:"device_id"`
	Refresh string `json:"refresh_token"`
}

// openSignIn reads the file at path. A folder of another server or account is
// refused: a token would reach a stranger, and cursors mean nothing there.
func openSignIn(path, base, account string) (*signIn, error) {
	s := &signIn{path: path, kept: kept{URL: base, Account: account}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	var k kept
	if err := json.Unmarshal(b, &k); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if k.URL != base || k.Account != account {
		return nil, fmt.Errorf("the folder holds what account %s pulled from %s; take another folder", k.Account, k.URL)
	}
	s.kept = k
	return s, nil
}

// token returns an access token, signing in if there is none.
func (s *signIn) token(ctx context.Context, c *client) (string, error) {
	// A minute early: a page must not begin with a token that dies under it.
	if s.access != "" && time.Until(s.expires) > time.Minute {
		return s.access, nil
	}
	if s.kept.Refresh != "" && !s.byName {
		err := s.trade(ctx, c, "/api/v1/auth/refresh", map[string]string{"refresh_token": s.kept.Refresh, "device_id": s.kept.Device})
		var again *transient
		var r *refusal
		if err == nil || errors.As(err, &again) || !errors.As(err, &r) {
			return s.access, err
		}
		c.progress("the kept sign-in has ended: %v", err)
	}
	if s.password == "" {
		return "", errors.New("sign in: WARDBOOK_PASSWORD is not set, and the folder holds no sign-in that is still good")
	}
	body := map[string]string{"name": s.kept.Account, "password": s.password, "device_label": "wardbook hub pull"}
	if s.kept.Device != "" {
		body["device_id"] = s.kept.Device
	}
	if s.code != "" {
		body["code"] = s.code
	}
	if err := s.trade(ctx, c, "/api/v1/auth/login", body); err != nil {
		if refusedWith(err, "enrolment_required") {
			return "", fmt.Errorf("sign in as %s: this folder is a new device: have an administrator issue a code and put it in WARDBOOK_CODE", s.kept.Account)
		}
		return "", fmt.Errorf("sign in as %s: %w", s.kept.Account, err)
	}
	s.byName = false
	return s.access, nil
}

// trade gets new tokens and keeps them.
func (s *signIn) trade(ctx context.Context, c *client, path string, body map[string]string) error {
	var grant struct {
		Access  string    `json:"access_token"`
		Expires time.Time `json:"expires_at"`
		Refresh string    `json:"refresh_token"`
		Account struct {
			Role string `json:"role"`
		} `json:"account"`
		Device struct {
			ID string `json:"id"`
		} `json:"device"`
	}
	if err := c.once(ctx, http.MethodPost, path, nil, "", body, readJSON(&grant)); err != nil {
		return err
	}
	if grant.Access == "" || grant.Refresh == "" || grant.Device.ID == "" {
		return errors.New("the server's answer holds no tokens; is it a Wardbook?")
	}
	if grant.Account.Role != "hub" {
		return fmt.Errorf("account %s has the role %s; the feed is for accounts with the role hub", s.kept.Account, grant.Account.Role)
	}
	s.kept.Device, s.kept.Refresh = grant.Device.ID, grant.Refresh
	if err := s.keep(); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	s.access, s.expires = grant.Access, grant.Expires
	return nil
}

// drop forgets the access token after the server has refused it; for good tells
// to sign in by password next.
func (s *signIn) drop(forGood bool) {
	s.access = ""
	s.byName = s.byName || forGood
}

func (s *signIn) keep() error {
	b, err := json.MarshalIndent(s.kept, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(s.path, func(w io.Writer) error {
		_, err := w.Write(append(b, '\n'))
		return err
	})
}
