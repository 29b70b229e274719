package puller

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// client asks the server, as long as its patience lasts.
type client struct {
	base     string
	http     *http.Client
	patience time.Duration
	sleep    func(context.Context, time.Duration) error
	progress func(format string, a ...any)
	signIn   *signIn

	moved time.Time // when the server last gave an answer that brought the pull on
}

// refusal is an error that the server answered with.
type refusal struct {
	status  int
	code    string
	message string
}

func (e *refusal) Error() string {
	if e.code == "" {
		return fmt.Sprintf("the server answered %d %s", e.status, http.StatusText(e.status))
	}
	return fmt.Sprintf("%s (%s)", e.message, e.code)
}

// refusedWith reports whether err is the server's refusal with a code.
func refusedWith(err error, code string) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == code
}

// transient is an error after which asking again may help.
type transient struct {
	cause error
	after time.Duration // the server asked to wait so long
}

func (e *transient) Error() string { return e.cause.Error() }
func (e *transient) Unwrap() error { return e.cause }

const (
	firstWait   = 200 * time.Millisecond
	longestWait = 15 * time.Second
)

// insist does work until it succeeds, fails for good, or patience is at its end.
func (c *client) insist(ctx context.Context, what string, work func(context.Context) error) error {
	wait := firstWait
	for {
		try, cancel := context.WithDeadline(ctx, c.moved.Add(c.patience))
		err := work(try)
		cancel()
		var again *transient
		switch {
		case err == nil:
			c.moved = time.Now()
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case !errors.As(err, &again):
			return fmt.Errorf("%s: %w", what, err)
		}
		pause := max(again.after, wait/2+rand.N(wait/2))
		if time.Until(c.moved.Add(c.patience)) < pause {
			return fmt.Errorf("%s: gave up after %v without progress: %w", what, c.patience, err)
		}
		c.progress("%s: %v; asking again in %v", what, err, pause.Round(10*time.Millisecond))
		if err := c.sleep(ctx, pause); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		wait = min(2*wait, longestWait)
	}
}

// ask sends one signed-in request and hands the answer's body to read.
func (c *client) ask(ctx context.Context, what, method, path string, query url.Values, body any, read func(io.Reader) error) error {
	refused := 0
	return c.insist(ctx, what, func(ctx context.Context) error {
		for {
			token, err := c.signIn.token(ctx, c)
			if err != nil {
				return err
			}
			err = c.once(ctx, method, path, query, token, body, read)
			var r *refusal
			if !errors.As(err, &r) || r.status != http.StatusUnauthorized || refused == 2 {
				return err
			}
			// First the token is renewed; if that does not help, the password.
			c.signIn.drop(refused == 1)
			refused++
		}
	})
}

// once sends one request. An answer other than 200 is a *refusal; what asking
// again may mend is a *transient.
func (c *client) once(ctx context.Context, method, path string, query url.Values, token string, body any, read func(io.Reader) error) error {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(b)
	}
	address := c.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, content)
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := c.http.Do(req)
	if err != nil {
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound {
			return fmt.Errorf("there is no host %s", dns.Name)
		}
		var inner *url.Error // its text repeats the address, which may hold a cursor
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return &transient{cause: err}
	}
	defer res.Body.Close()
	if res.StatusCode == http.StatusOK {
		if err := read(res.Body); err != nil {
			return err
		}
		io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10)) // so that the connection can be used again
		return nil
	}
	return refused(res)
}

// refused turns an answer that is no success into an error.
func refused(res *http.Response) error {
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	cut := err != nil
	r := &refusal{status: res.StatusCode}
	var told struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message_en"`
		} `json:"error"`
	}
	if json.Unmarshal(b, &told) == nil {
		r.code, r.message = told.Error.Code, told.Error.Message
	} else {
		cut = cut || strings.HasPrefix(res.Header.Get("Content-Type"), "application/json")
	}
	switch {
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("the server sends on to %s; name that address instead", res.Header.Get("Location"))
	case cut, res.StatusCode == http.StatusTooManyRequests, res.StatusCode >= 500:
		return &transient{cause: r, after: retryAfter(res.Header.Get("Retry-After"))}
	}
	return r
}

func retryAfter(text string) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
		return time.Duration(min(n, 3600)) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// readJSON returns a reader of a JSON answer. One that cannot be read was cut.
func readJSON(into any) func(io.Reader) error {
	return func(r io.Reader) error {
		if err := json.NewDecoder(io.LimitReader(r, 64<<20)).Decode(into); err != nil {
			return &transient{cause: fmt.Errorf("the answer was cut: %w", err)}
		}
		return nil
	}
}

// parseBase checks the address of a server.
func parseBase(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is no URL: %w", text, err)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return "", fmt.Errorf("%q is no URL of a server: write it as https://wardbook.example", text)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", fmt.Errorf("%q: a server's URL has no user, query or fragment", text)
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.Path, "/"), nil
}
