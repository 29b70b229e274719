package puller

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Config is what a pull is given.
type Config struct {
	URL      string // of the server, without a path
	Dir      string
	Account  string
	Password string // needed for the first sign-in, or when the last one has ended
	Code     string // one-time enrolment code, for a new folder
	Limit    int    // items a page; 0 leaves it to the server
	Progress io.Writer
}

// Puller pulls. Make one with Open.
type Puller struct {
	cfg    Config
	client *http.Client
	access string
	state  session
}

// session is what the folder keeps of the sign-in.
type session struct {
	Device  string `json:"device"`
	Refresh string `json:"refresh"`
}

// Answer is a refusal of the server's, with its stable code.
type Answer struct {
	Status     int
	Code       string
	Message    string
	RetryAfter time.Duration
}

func (a *Answer) Error() string {
	if a.Message != "" {
		return a.Message + " (" + a.Code + ")"
	}
	return fmt.Sprintf("the server answered %d %s", a.Status, a.Code)
}

// errCut is a page that ended before its last line.
var errCut = errors.New("the page was cut")

// Open checks the configuration and reads what the folder holds.
func Open(cfg Config) (*Puller, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("-url %q: write scheme and host, such as https://wardbook.example", cfg.URL)
	}
	cfg.URL = strings.TrimSuffix(cfg.URL, "/")
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("-into: %w", err)
	}
	p := &Puller{cfg: cfg, client: &http.Client{Timeout: 2 * time.Minute}}
	b, err := readFile(p.sessionFile())
	if err != nil {
		return nil, fmt.Errorf("-into: %w", err)
	}
	if b != nil {
		if err := json.Unmarshal(b, &p.state); err != nil {
			return nil, fmt.Errorf("-into: %s: %w", p.sessionFile(), err)
		}
	}
	return p, nil
}

func (p *Puller) sessionFile() string { return filepath.Join(p.cfg.Dir, "session.json") }

// Disagreement is a unit of which the two sides do not hold the same.
type Disagreement struct {
	Dataset, Unit       string
	Here, There         int
	HashHere, HashThere string
}

func (d Disagreement) String() string {
	return fmt.Sprintf("unit %s does not agree on %s: %d records here, %d there, hash %.12s here, %.12s there", d.Unit, d.Dataset, d.Here, d.There, d.HashHere, d.HashThere)
}

// Run pulls every dataset to its end, acknowledges, and compares. It returns
// the number of units compared and those that do not agree. Cuts are met by
// asking again until ctx ends.
func (p *Puller) Run(ctx context.Context) (units int, torn []Disagreement, err error) {
	var catalogue struct {
		Datasets []struct {
			ID      string `json:"dct:identifier"`
			Version string `json:"dcat:version"`
		} `json:"dcat:dataset"`
	}
	if err := p.retry(ctx, func() error { return p.call(ctx, "GET", "/hub/v1/datasets", nil, &catalogue) }); err != nil {
		return 0, nil, fmt.Errorf("read the catalogue: %w", err)
	}
	if len(catalogue.Datasets) == 0 {
		return 0, nil, errors.New("the catalogue lists no dataset")
	}
	for _, d := range catalogue.Datasets {
		if d.ID == "" || d.ID != filepath.Base(d.ID) || strings.HasPrefix(d.ID, ".") {
			return 0, nil, fmt.Errorf("the catalogue names a dataset %q", d.ID)
		}
		n, some, err := p.dataset(ctx, d.ID, d.Version)
		if err != nil {
			return units, torn, fmt.Errorf("dataset %s: %w", d.ID, err)
		}
		units, torn = max(units, n), append(torn, some...)
	}
	return units, torn, nil
}

func (p *Puller) dataset(ctx context.Context, id, version string) (units int, torn []Disagreement, err error) {
	dir := filepath.Join(p.cfg.Dir, id)
	j, err := openJournal(dir)
	if err != nil {
		return 0, nil, err
	}
	defer j.file.Close()
	schema := filepath.Join(dir, "schema-"+filepath.Base(version)+".json")
	if b, err := readFile(schema); err != nil {
		return 0, nil, err
	} else if b == nil {
		var body json.RawMessage
		if err := p.retry(ctx, func() error {
			return p.call(ctx, "GET", "/hub/v1/datasets/"+id+"/schema?version="+url.QueryEscape(version), nil, &body)
		}); err != nil {
			return 0, nil, fmt.Errorf("read the schema: %w", err)
		}
		if err := writeFile(schema, body); err != nil {
			return 0, nil, err
		}
	}
	for more := true; more; {
		err := p.retry(ctx, func() (err error) {
			more, err = p.page(ctx, id, j)
			return err
		})
		var a *Answer
		if errors.As(err, &a) && a.Code == "new_epoch" {
			fmt.Fprintf(p.cfg.Progress, "%s: the server was restored from a backup; beginning again\n", id)
			if err := j.restart(); err != nil {
				return 0, nil, err
			}
			more = true
			continue
		}
		if err != nil {
			return 0, nil, err
		}
	}
	// What is durable here is acknowledged, and nothing else.
	if err := p.retry(ctx, func() error {
		return p.call(ctx, "POST", "/hub/v1/acks", map[string]string{"dataset": id, "cursor": j.cursor}, &struct{}{})
	}); err != nil {
		return 0, nil, fmt.Errorf("acknowledge: %w", err)
	}
	if err := j.writeData(); err != nil {
		return 0, nil, err
	}
	var counts struct {
		Units []struct {
			Unit     string `json:"ward_code"`
			Revision uint64 `json:"revision"`
			Count    int    `json:"count"`
			SHA256   string `json:"sha256"`
		} `json:"units"`
	}
	if err := p.retry(ctx, func() error {
		return p.call(ctx, "GET", "/hub/v1/datasets/"+id+"/counts?at="+url.QueryEscape(j.cursor), nil, &counts)
	}); err != nil {
		return 0, nil, fmt.Errorf("read the counts: %w", err)
	}
	for _, u := range counts.Units {
		n, sum := j.count(u.Unit)
		if n != u.Count || sum != u.SHA256 || j.unit[u.Unit] != u.Revision {
			torn = append(torn, Disagreement{id, u.Unit, n, u.Count, sum, u.SHA256})
		}
	}
	fmt.Fprintf(p.cfg.Progress, "%s: %d records\n", id, len(j.held))
	return len(counts.Units), torn, nil
}

// page asks for the page after the journal's cursor and keeps it if it came
// whole.
func (p *Puller) page(ctx context.Context, id string, j *journal) (more bool, err error) {
	q := url.Values{}
	if j.cursor != "" {
		q.Set("since", j.cursor)
	}
	if p.cfg.Limit > 0 {
		q.Set("limit", strconv.Itoa(p.cfg.Limit))
	}
	res, err := p.send(ctx, "GET", "/hub/v1/datasets/"+id+"/changes?"+q.Encode(), nil)
	if err != nil {
		return false, err
	}
	defer res.Body.Close()
	var items [][]byte
	r := bufio.NewReaderSize(res.Body, 1<<20)
	for {
		text, err := r.ReadBytes('\n')
		if err != nil {
			return false, errCut // before its last line, whatever the cause
		}
		if bytes.HasPrefix(text, []byte(`{"next_cursor":`)) {
			var end struct {
				NextCursor string `json:"next_cursor"`
				Count      int    `json:"count"`
				More       bool   `json:"more"`
			}
			if err := json.Unmarshal(text, &end); err != nil || end.NextCursor == "" || end.Count != len(items) {
				return false, errCut
			}
			if len(items) == 0 && end.NextCursor == j.cursor {
				return end.More, nil
			}
			return end.More, j.append(items, end.NextCursor)
		}
		items = append(items, text)
	}
}

// retry runs work until it succeeds, fails for good, or ctx ends: cuts and a
// busy server are met by waiting a little longer each time.
func (p *Puller) retry(ctx context.Context, work func() error) error {
	for wait := 200 * time.Millisecond; ; wait = min(wait*2, 15*time.Second) {
		err := work()
		if err == nil {
			return nil
		}
		pause := wait/2 + rand.N(wait)
		var a *Answer
		var netErr *url.Error
		switch {
		case errors.As(err, &a) && (a.Status == 429 || a.Status >= 502):
			pause = max(pause, a.RetryAfter)
		case errors.Is(err, errCut), errors.As(err, &netErr), errors.Is(err, io.ErrUnexpectedEOF):
		default:
			return err
		}
		fmt.Fprintf(p.cfg.Progress, "%v; asking again\n", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// call sends a request with the sign-in's token and reads a JSON answer.
func (p *Puller) call(ctx context.Context, method, path string, body, into any) error {
	res, err := p.send(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return errCut
	}
	return json.Unmarshal(b, into)
}

// send sends a request, signing in or renewing the sign-in if need be.
func (p *Puller) send(ctx context.Context, method, path string, body any) (*http.Response, error) {
	if p.access == "" {
		if err := p.signIn(ctx); err != nil {
			return nil, err
		}
	}
	res, err := p.once(ctx, method, path, p.access, body)
	var a *Answer
	if errors.As(err, &a) && a.Status == http.StatusUnauthorized {
		if err := p.signIn(ctx); err != nil {
			return nil, err
		}
		return p.once(ctx, method, path, p.access, body)
	}
	return res, err
}

func (p *Puller) once(ctx context.Context, method, path, token string, body any) (*http.Response, error) {
	var content io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		content = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.cfg.URL+path, content)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message_en"`
		} `json:"error"`
	}
	b, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	json.Unmarshal(b, &answer) // an answer without one still has its status
	seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return nil, &Answer{res.StatusCode, answer.Error.Code, answer.Error.Message, time.Duration(seconds) * time.Second}
}

// signIn renews the sign-in that the folder keeps, or makes a new one. The new
// refresh token is durable before it is used.
func (p *Puller) signIn(ctx context.Context) error {
	var grant struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Device  struct {
			ID string `json:"id"`
		} `json:"device"`
	}
	read := func(path string, body map[string]string) error {
		res, err := p.once(ctx, "POST", path, "", body)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		return json.NewDecoder(res.Body).Decode(&grant)
	}
	done := false
	if p.state.Refresh != "" {
		err := read("/api/v1/auth/refresh", map[string]string{"refresh_token": p.state.Refresh, "device_id": p.state.Device})
		var a *Answer
		if err != nil && !errors.As(err, &a) {
			return err
		}
		done = err == nil
	}
	if !done {
		if p.cfg.Password == "" {
			return errors.New("no password: set WARDBOOK_PASSWORD to that of the account " + p.cfg.Account)
		}
		body := map[string]string{"name": p.cfg.Account, "password": p.cfg.Password, "device_label": "hub pull"}
		if p.cfg.Code != "" {
			body["code"] = p.cfg.Code
		}
		if p.state.Device != "" {
			body["device_id"] = p.state.Device
		}
		if err := read("/api/v1/auth/login", body); err != nil {
			return fmt.Errorf("sign in as %s: %w", p.cfg.Account, err)
		}
	}
	p.access = grant.Access
	if grant.Device.ID != "" {
		p.state.Device = grant.Device.ID
	}
	p.state.Refresh = grant.Refresh
	b, err := json.Marshal(p.state)
	if err != nil {
		return err
	}
	if err := writeFile(p.sessionFile(), b); err != nil {
		return fmt.Errorf("keep the sign-in: %w", err)
	}
	return nil
}
