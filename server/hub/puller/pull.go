package puller

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Config says what to pull, and into which folder.
type Config struct {
	URL      string // of the server, such as https://wardbook.example
	Dir      string // made if it is absent
	Account  string // with the role hub
	Password string // may be empty while the folder's sign-in is good
	Code     string // one-time enrolment code, where a new device needs one
	// Patience is how long the server may bring nothing before Pull gives up;
	// default 5 minutes.
	Patience time.Duration
	// PageLines is how many lines are asked for at a time; default 1,000.
	PageLines int
	// Progress is told what happens, line by line; nil: nobody.
	Progress io.Writer

	// Transport carries the requests; nil: HTTP over connections of its own.
	Transport http.RoundTripper
	// Sleep waits before something is asked again; an error ends the pull. Nil
	// waits by the clock.
	Sleep func(context.Context, time.Duration) error

	step func(name string) error // tests stop the program at one
}

// Report says how what is held compares with the server.
type Report struct {
	Units       int // compared, over all datasets
	Differences []Difference
}

// Difference is a unit that does not agree in a dataset.
type Difference struct {
	WardCode, WardName, Dataset string
	What                        string
}

func (d Difference) String() string {
	return fmt.Sprintf("unit %s %s does not agree: %s: %s", d.WardCode, d.WardName, d.Dataset, d.What)
}

// puller is one run of Pull.
type puller struct {
	Config
	*client
}

// Pull brings the folder up to what is approved now, dataset by dataset, and
// compares. It may be stopped at any moment and called again.
func Pull(ctx context.Context, cfg Config) (Report, error) {
	if cfg.Patience <= 0 {
		cfg.Patience = 5 * time.Minute
	}
	if cfg.PageLines <= 0 {
		cfg.PageLines = 1000
	}
	if cfg.step == nil {
		cfg.step = func(string) error { return nil }
	}
	if cfg.Sleep == nil {
		cfg.Sleep = sleep
	}
	base, err := parseBase(cfg.URL)
	if err != nil {
		return Report{}, err
	}
	if err := makeFolder(cfg.Dir); err != nil {
		return Report{}, err
	}
	lock, err := lockFolder(cfg.Dir)
	if err != nil {
		return Report{}, err
	}
	defer lock.Close()
	s, err := openSignIn(filepath.Join(cfg.Dir, "hub.json"), base, cfg.Account)
	if err != nil {
		return Report{}, err
	}
	s.password, s.code = cfg.Password, cfg.Code
	carrier := cfg.Transport
	if carrier == nil {
		// One of its own, so that nothing of it outlives the call.
		transport := http.DefaultTransport.(*http.Transport).Clone()
		defer transport.CloseIdleConnections()
		carrier = transport
	}
	p := &puller{cfg, &client{base: base, patience: cfg.Patience, sleep: cfg.Sleep, signIn: s, moved: time.Now(), progress: cfg.say,
		http: &http.Client{Transport: carrier,
			// Credentials go where they were meant to go.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}}
	if u, _ := url.Parse(base); u.Scheme == "http" && !isLoopback(u.Hostname()) {
		p.progress("warning: over http anybody on the way can read the password and the data; use https")
	}
	return p.all(ctx)
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

func (c Config) say(format string, a ...any) {
	if c.Progress != nil {
		fmt.Fprintf(c.Progress, format+"\n", a...)
	}
}

func (p *puller) all(ctx context.Context) (Report, error) {
	datasets, err := p.datasets(ctx)
	if err != nil {
		return Report{}, err
	}
	var report Report
	units := map[string]bool{}
	for _, id := range datasets {
		compared, err := p.dataset(ctx, id)
		if err != nil {
			return Report{}, err
		}
		for _, c := range compared {
			units[c.WardCode] = true
			if c.What != "" {
				report.Differences = append(report.Differences, c)
			}
		}
	}
	report.Units = len(units)
	return report, nil
}

// datasets reads the catalogue.
func (p *puller) datasets(ctx context.Context) ([]string, error) {
	var catalogue struct {
		Datasets []struct {
			ID string `json:"dct:identifier"`
		} `json:"dcat:dataset"`
	}
	if err := p.ask(ctx, "read the catalogue", http.MethodGet, "/hub/v1/datasets", nil, nil, readJSON(&catalogue)); err != nil {
		return nil, err
	}
	var ids []string
	for _, d := range catalogue.Datasets {
		// The name becomes a folder's.
		if d.ID == "" || len(d.ID) > 64 || strings.Trim(d.ID, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" || slices.Contains(ids, d.ID) {
			return nil, fmt.Errorf("read the catalogue: %q is no name of a dataset", d.ID)
		}
		ids = append(ids, d.ID)
	}
	if len(ids) == 0 {
		return nil, errors.New("read the catalogue: it holds no dataset")
	}
	return ids, nil
}

// pull is one dataset's log, and what it adds up to.
type pull struct {
	*puller
	id   string
	dir  string
	log  *pageLog
	held *holding
}

// dataset brings one dataset up and compares every unit of it; What is empty
// where the unit agrees.
func (p *puller) dataset(ctx context.Context, id string) ([]Difference, error) {
	d := &pull{puller: p, id: id, dir: filepath.Join(p.Dir, id)}
	var dropped int64
	var err error
	if d.log, d.held, dropped, err = openLog(d.dir, id); err != nil {
		return nil, fmt.Errorf("open the pages of %s: %w", id, err)
	}
	defer d.log.close()
	if dropped > 0 {
		p.progress("%s: dropped %d bytes of a page that was not complete", id, dropped)
	}
	for begun := 0; ; begun++ {
		compared, err := d.bring(ctx)
		if !refusedWith(err, "new_epoch") || begun == 3 {
			return compared, err
		}
		p.progress("%s: the server was restored from a backup; beginning again", id)
		if err := d.log.cut(0); err != nil {
			return nil, fmt.Errorf("begin %s again: %w", id, err)
		}
		d.held = newHolding()
	}
}

func (d *pull) bring(ctx context.Context) ([]Difference, error) {
	for more := true; more; {
		p, err := d.nextPage(ctx)
		if err != nil {
			return nil, err
		}
		if err := d.apply(p); err != nil {
			return nil, fmt.Errorf("apply a page of %s: %w", d.id, err)
		}
		if err := d.fetchSchemas(ctx); err != nil {
			return nil, err
		}
		if err := d.forget(); err != nil {
			return nil, fmt.Errorf("forget what was erased by law from %s: %w", d.id, err)
		}
		if err := d.acknowledge(ctx); err != nil {
			return nil, err
		}
		if n := len(p.items); n > 0 {
			d.progress("%s: %d lines", d.id, n)
		}
		more = p.end.More
	}
	if err := d.publish(); err != nil {
		return nil, fmt.Errorf("write the data of %s: %w", d.id, err)
	}
	return d.compare(ctx)
}

// fewestLines is the smallest page that is asked for on a line that keeps
// breaking.
const fewestLines = 50

// nextPage asks for the page after the cursor until it comes whole. Each time it
// does not, it asks for less.
func (d *pull) nextPage(ctx context.Context) (page, error) {
	var p page
	query := url.Values{"limit": {strconv.Itoa(d.PageLines)}}
	if d.held.cursor != "" {
		query.Set("since", d.held.cursor)
	}
	lines := d.PageLines
	err := d.ask(ctx, "pull "+d.id, http.MethodGet, "/hub/v1/datasets/"+d.id+"/changes", query, nil, func(body io.Reader) (err error) {
		r := bufio.NewReaderSize(body, 64<<10)
		if p, err = readPage(r, d.id, true); err == nil {
			if _, err = r.ReadByte(); err == io.EOF {
				return nil
			}
			err = fmt.Errorf("%w: something follows its closing line", errPage)
		}
		lines = max(min(lines, fewestLines), lines/2)
		query.Set("limit", strconv.Itoa(lines))
		return &transient{cause: err}
	})
	return p, err
}

// apply makes a page durable, then counts it.
func (d *pull) apply(p page) error {
	if err := d.held.joins(p); err != nil {
		return err
	}
	if len(p.items) == 0 && *p.end.NextCursor == d.held.cursor {
		return nil
	}
	if err := d.step("append"); err != nil {
		return err
	}
	at := d.log.size
	if err := d.log.add(p); err != nil {
		return err
	}
	if err := d.step("appended"); err != nil {
		return err
	}
	d.held.take(p, at)
	return nil
}

// fetchSchemas stores every schema that a held line refers to and that is not
// stored yet.
func (d *pull) fetchSchemas(ctx context.Context) error {
	for version := range d.held.schemas {
		path := filepath.Join(d.dir, fmt.Sprintf("schema-%d.json", version))
		if _, err := os.Stat(path); err == nil {
			continue
		}
		var schema []byte
		query := url.Values{"version": {strconv.FormatUint(uint64(version), 10)}}
		err := d.ask(ctx, "read the schema of "+d.id, http.MethodGet, "/hub/v1/datasets/"+d.id+"/schema", query, nil, func(r io.Reader) (err error) {
			if schema, err = io.ReadAll(io.LimitReader(r, 16<<20)); err != nil {
				return &transient{cause: err}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := d.step("schema"); err != nil {
			return err
		}
		err = replaceFile(path, func(w io.Writer) error { _, err := w.Write(schema); return err })
		if err != nil {
			return fmt.Errorf("store the schema of %s: %w", d.id, err)
		}
	}
	return nil
}

// forget lets go of records that were erased by law, before that is acknowledged. The
// log comes last: as long as it holds something, the next start forgets again.
func (d *pull) forget() error {
	if len(d.held.forget) == 0 {
		return nil
	}
	if err := d.publish(); err != nil {
		return err
	}
	if err := d.step("forget"); err != nil {
		return err
	}
	n := len(d.held.forget)
	held, err := d.log.forget(d.dir, d.id, d.held.forget)
	if err != nil {
		return err
	}
	d.held = held
	d.progress("%s: forgot %d records that were erased by law", d.id, n)
	return d.step("forgotten")
}

// acknowledge tells the server what is durable here.
func (d *pull) acknowledge(ctx context.Context) error {
	if err := d.step("acknowledge"); err != nil {
		return err
	}
	var reply struct{}
	err := d.ask(ctx, "acknowledge "+d.id, http.MethodPost, "/hub/v1/acks", nil, map[string]string{"dataset": d.id, "cursor": d.held.cursor}, readJSON(&reply))
	if err != nil {
		return err
	}
	return d.step("acknowledged")
}

// publish writes the state for people and programs to read.
func (d *pull) publish() error {
	if err := d.step("publish"); err != nil {
		return err
	}
	err := replaceFile(filepath.Join(d.dir, "data.ndjson"), func(w io.Writer) error { return d.log.copyLines(w, d.held.lines()) })
	if err != nil {
		return err
	}
	return d.step("published")
}

// compare asks the server what it counts at the cursor.
func (d *pull) compare(ctx context.Context) ([]Difference, error) {
	var counts struct {
		Units []struct {
			WardCode string `json:"ward_code"`
			WardName string `json:"ward_name"`
			Revision uint64 `json:"revision"`
			Count    int    `json:"count"`
			SHA256   string `json:"sha256"`
		} `json:"units"`
	}
	err := d.ask(ctx, "compare "+d.id, http.MethodGet, "/hub/v1/datasets/"+d.id+"/counts", url.Values{"at": {d.held.cursor}}, nil, readJSON(&counts))
	if err != nil {
		return nil, err
	}
	var compared []Difference
	left := map[string]bool{}
	for code := range d.held.units {
		left[code] = true
	}
	for _, u := range counts.Units {
		delete(left, u.WardCode)
		c := Difference{WardCode: u.WardCode, WardName: u.WardName, Dataset: d.id}
		count, hash, through := d.held.count(u.WardCode)
		switch {
		case through != u.Revision:
			c.What = fmt.Sprintf("the server is at revision %d, here is %d", u.Revision, through)
		case count != u.Count:
			c.What = fmt.Sprintf("the server counts %d records at revision %d, here are %d", u.Count, u.Revision, count)
		case hash != u.SHA256:
			c.What = fmt.Sprintf("the %d records at revision %d have hash %s at the server, %s here", count, u.Revision, u.SHA256, hash)
		}
		compared = append(compared, c)
	}
	for code := range left {
		compared = append(compared, Difference{WardCode: code, Dataset: d.id, What: "the server does not list the unit"})
	}
	return compared, nil
}
