package bridge

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"strings"
)

type apiRequest struct {
	Method string          `json:"method"`
	Path   string          `json:"path"`
	Body   json.RawMessage `json:"body,omitempty"`
	// Keep has the reply kept on the device; without a network the last one that
	// was kept of this path is the answer. Of GET alone.
	Keep bool `json:"keep,omitempty"`
}

// toldReply is the answer to a request whose reply is kept.
type toldReply struct {
	Reply json.RawMessage `json:"reply"`
	Fresh bool            `json:"fresh"` // the server was asked just now
}

// api passes a request of the page on to the server's API.
func (a *account) api(ctx context.Context, q apiRequest) (any, error) {
	switch q.Method {
	case "GET", "POST", "PUT", "DELETE":
	default:
		return nil, malformed("method", nil)
	}
	if !strings.HasPrefix(q.Path, "/api/v1/") || strings.Contains(q.Path, "/..") {
		return nil, malformed("path", nil)
	}
	if q.Keep && q.Method != "GET" {
		return nil, malformed("keep", nil)
	}
	var body []byte
	if len(q.Body) > 0 {
		body = q.Body
	}
	ctx, cancel := a.within(ctx)
	defer cancel()
	reply, err := a.request(ctx, q.Method, q.Path, body)
	if kept := a.session().Told[q.Path]; err != nil && codeOf(err) == errOffline.Code && q.Keep && kept != nil {
		return toldReply{Reply: kept}, nil
	}
	switch {
	case err != nil:
		return nil, err
	case len(reply) == 0:
		return nil, nil
	case !json.Valid(reply):
		return nil, errBusy
	case q.Keep:
		err := a.keep(ctx, a.r.Account(), func(k *kept) {
			k.Told = maps.Clone(k.Told)
			if k.Told == nil {
				k.Told = map[string]json.RawMessage{}
			}
			k.Told[q.Path] = reply
		})
		return toldReply{reply, true}, err
	}
	return json.RawMessage(reply), nil
}

// within returns ctx, ended by the account's end too.
func (a *account) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// request makes a request with this account's token, which it renews once if
// the server refuses it. The reply is that of a success.
func (a *account) request(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	token, err := a.token(ctx, "")
	if err != nil {
		return nil, err
	}
	for renewed := false; ; renewed = true {
		status, reply, err := a.b.cfg.Fetch(ctx, method, path, token, "application/json", body)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		a.hear(err == nil)
		switch {
		case err != nil:
			return nil, errOffline
		case status >= 200 && status < 300:
			return reply, nil
		case status == 401 && !renewed:
			if token, err = a.token(ctx, token); err != nil {
				return nil, err
			}
		default:
			return nil, refusal(status, reply)
		}
	}
}

// hear notes whether the server can be reached.
func (a *account) hear(reached bool) {
	a.mu.Lock()
	changed := a.reached != reached || !a.asked
	a.reached, a.asked = reached, true
	a.mu.Unlock()
	if reached {
		a.tokens.retry()
	}
	if changed {
		a.news.poke()
		if reached {
			signal(a.revealed)
		}
	}
}

// lookForServer does for roles without records what the sync session does for
// the others: it finds out whether the server can be reached.
func (a *account) lookForServer() {
	defer a.tokens.stop()
	for {
		_, err := a.request(a.life, "GET", "/api/v1/auth/me", nil)
		if errors.Is(err, errOffline) {
			a.tokens.later(func() { signal(a.online) })
		}
		select {
		case <-a.life.Done():
			return
		case <-a.online:
		}
	}
}
