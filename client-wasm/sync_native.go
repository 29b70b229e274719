//go:build !js

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/client-wasm/replica"
	"wardbook/sync/protocol"
	"wardbook/sync/session"
)

// appName is what the server's fleet view shows.
const appName = "wardbook-device"

// Times of sync.
const (
	giveUpAfter = 60 * time.Second // without any progress
	sendWithin  = 20 * time.Second // one message
	socketTries = 4                // connections that may break before POST is tried
)

// link reaches the server for the replica: by socket, and by POST.
type link struct {
	d   *device
	api *api

	mu    sync.Mutex
	dials int
	err   error       // of the last attempt
	fail  func(error) // hears of each, if set
}

var (
	_ replica.Transport = (*link)(nil)
	_ replica.Poster    = (*link)(nil)
)

func (l *link) failed(err error) error {
	l.mu.Lock()
	l.err = err
	fail := l.fail
	l.mu.Unlock()
	if fail != nil {
		fail(err)
	}
	return err
}

// tell says who hears of failures from now on.
func (l *link) tell(fail func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fail = fail
}

func (l *link) last() (dials int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dials, l.err
}

// Dial implements replica.Transport.
func (l *link) Dial(ctx context.Context) (replica.Conn, error) {
	l.mu.Lock()
	l.dials++
	l.mu.Unlock()
	address := strings.Replace(l.api.server.String(), "http", "ws", 1) + "/sync/v1/device"
	dialer := websocket.Dialer{Proxy: http.ProxyFromEnvironment, HandshakeTimeout: 15 * time.Second, WriteBufferSize: 64 << 10}
	ws, res, err := dialer.DialContext(ctx, address, nil)
	if err != nil {
		if res != nil {
			err = fmt.Errorf("the server answered %s", res.Status)
		}
		return nil, l.failed(&unreachableError{l.api.server.String(), err})
	}
	ws.SetReadLimit(protocol.MaxMessage) // nothing is compressed, so the limit counts what it should
	return &conn{ws}, nil
}

// RefreshToken implements replica.Transport and replica.Poster.
func (l *link) RefreshToken(ctx context.Context) (string, error) {
	token, err := l.d.refresh(ctx, l.api)
	if err != nil {
		var refused *apiError
		if errors.As(err, &refused) {
			err = fmt.Errorf("%s %s", l.d.refusal(refused), l.d.text("Hãy đăng nhập lại.", "Sign in again."))
		}
		return "", l.failed(err)
	}
	return token, nil
}

// Post implements replica.Poster.
func (l *link) Post(ctx context.Context, body []byte) ([]byte, error) {
	answer, err := l.api.send(ctx, "POST", "/sync/v1/exchange", "", "application/vnd.wardbook.sync", bytes.NewReader(body))
	var cut *unreachableError
	if errors.As(err, &cut) && len(answer) > 0 && ctx.Err() == nil {
		return answer, nil // the whole messages of an answer that was cut count
	}
	if err != nil {
		return nil, l.failed(err)
	}
	return answer, nil
}

func (d *device) refusal(e *apiError) string {
	if d.lang == "vi" && e.VI != "" {
		return e.VI
	}
	return e.Error()
}

// conn is a WebSocket as the replica wants it.
type conn struct{ ws *websocket.Conn }

// Send implements replica.Conn.
func (c *conn) Send(_ context.Context, message []byte) error {
	if err := c.ws.SetWriteDeadline(time.Now().Add(sendWithin)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.BinaryMessage, message)
}

// Receive implements replica.Conn. Closing the connection ends it.
func (c *conn) Receive(context.Context) ([]byte, error) {
	kind, b, err := c.ws.ReadMessage()
	if err == nil && kind != websocket.BinaryMessage {
		err = errors.New("a message of text")
	}
	return b, err
}

// Close implements replica.Conn.
func (c *conn) Close() error { return c.ws.Close() }

// connect prepares a link and an access token; no token is no error here: the
// session fetches one itself.
func (d *device) connect() (*link, string, error) {
	server, err := d.server()
	if err != nil {
		return nil, "", err
	}
	token := ""
	if time.Until(d.session.Expires) > time.Minute {
		token = d.session.Access
	}
	return &link{d: d, api: newAPI(server)}, token, nil
}

// sync does one full exchange.
func (d *device) sync(ctx context.Context) error {
	l, _, err := d.connect()
	if err != nil {
		return err
	}
	if len(d.replica.Streams()) == 0 {
		// The last login ended before it had them.
		if err := d.rescope(ctx, l); err != nil {
			return err
		}
	}
	for again := false; ; again = true {
		if err = d.bySocket(ctx, l); err != nil && ctx.Err() == nil {
			if dials, last := l.last(); last != nil && dials > 0 {
				err = d.byPost(ctx, l)
			}
		}
		if err != nil || again || !d.refused() {
			break
		}
		// The account's scopes are others than when it signed in.
		if err := d.rescope(ctx, l); err != nil {
			return err
		}
	}
	synced, noteErr := d.replica.NoteSynced(ctx)
	if noteErr != nil {
		return noteErr
	}
	status, statusErr := d.replica.Status(ctx)
	if statusErr != nil {
		return statusErr
	}
	if err == nil && !synced {
		err = errors.New("the exchange ended early")
	}
	if err != nil {
		if missing := d.missing(status); missing != "" {
			return fmt.Errorf("%w; %s", err, missing)
		}
		return err
	}
	if d.line.json {
		return d.printStatus(status)
	}
	fmt.Fprintln(d.stdout, d.text("đã đồng bộ: mọi thay đổi đã được nhận, mọi hồ sơ đã về", "synced: everything is acknowledged and received"))
	if status.Quarantined > 0 {
		fmt.Fprintf(d.stderr, d.text("%d hồ sơ có thay đổi bị giữ lại\n", "%d records have changes in quarantine\n"), status.Quarantined)
	}
	return nil
}

// rescope fetches anew what the device is to hold.
func (d *device) rescope(ctx context.Context, l *link) error {
	token, err := d.token(ctx, l.api)
	if err != nil {
		return err
	}
	return d.fetchScopes(ctx, l.api, token)
}

// missing says what an exchange left undone.
func (d *device) missing(s replica.Status) string {
	var parts []string
	if s.Unsent > 0 {
		en := "%d changes are not acknowledged"
		if s.Unsent == 1 {
			en = "%d change is not acknowledged"
		}
		parts = append(parts, fmt.Sprintf(d.text("%d thay đổi chưa được nhận", en), s.Unsent))
	}
	if s.Failure != nil {
		parts = append(parts, d.text(s.Failure.VI, s.Failure.EN))
	}
	for _, t := range s.Streams {
		if !t.Complete {
			parts = append(parts, fmt.Sprintf(d.text("%s đơn vị %s: có %d trên %d hồ sơ", "%s of unit %s: %d of %d records are here"), t.Register, t.Unit, t.Have, t.Of))
		}
	}
	return strings.Join(parts, "; ")
}

// refused reports whether the server did not give a stream that was asked for.
func (d *device) refused() bool {
	for _, s := range d.replica.Streams() {
		if s.Code != protocol.OK {
			return true
		}
	}
	return false
}

// bySocket runs a session until it is synced, or until it gets nowhere.
func (d *device) bySocket(ctx context.Context, l *link) error {
	_, token, err := d.connect()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.tell(func(err error) { cancel(err) })
	defer l.tell(nil)
	done := errors.New("done")
	moved := make(chan struct{}, 1)
	go func() {
		timer := time.NewTimer(giveUpAfter)
		defer timer.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-moved:
				timer.Reset(giveUpAfter)
			case <-timer.C:
				cancel(fmt.Errorf("nothing moved for %v", giveUpAfter))
			}
		}
	}()
	err = d.replica.Run(ctx, replica.RunConfig{App: appName, Token: token, Transport: l, KeepTold: true, Told: func(s session.Status) {
		select {
		case moved <- struct{}{}:
		default:
		}
		dials, _ := l.last()
		switch {
		case s.Synced:
			cancel(done)
		case s.Link == session.Stopped:
			cancel(&protocol.Error{Code: s.Failure})
		case dials > socketTries:
			cancel(l.failed(errors.New("the connection broke again and again")))
		}
	}})
	if cause := context.Cause(ctx); cause == done {
		return nil
	} else if cause != nil {
		return cause
	}
	return err
}

// byPost does the same exchange over POST, for networks that break sockets.
func (d *device) byPost(ctx context.Context, l *link) error {
	_, token, err := d.connect()
	if err != nil {
		return err
	}
	_, err = d.replica.Exchange(ctx, appName, token, l)
	return err
}

// watch stays connected and prints what changes, until it is stopped.
func (d *device) watch(ctx context.Context) error {
	l, token, err := d.connect()
	if err != nil {
		return err
	}
	var mu sync.Mutex // the callbacks come from the runner alone, and so does the printing
	var last replica.Status
	report := func() {
		s, err := d.replica.Status(ctx)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if s.Link == last.Link && s.Unsent == last.Unsent && s.Synced == last.Synced && s.Conflicts == last.Conflicts && s.Quarantined == last.Quarantined {
			return
		}
		last = s
		d.printEvent(s)
	}
	d.changed = func(c replica.Changed) {
		for _, id := range c.IDs {
			rec, err := d.replica.Record(ctx, id)
			if err != nil {
				continue // it left the device's scope
			}
			mu.Lock()
			err = d.print(rec, false)
			mu.Unlock()
			if err != nil {
				return
			}
		}
		report()
	}
	err = d.replica.Run(ctx, replica.RunConfig{App: appName, Token: token, Transport: l, Told: func(session.Status) { report() }})
	if ctx.Err() != nil {
		return nil // stopped by whoever started it
	}
	return err
}

func (d *device) printEvent(s replica.Status) {
	if d.line.json {
		_ = d.printStatus(s) // who reads events sees the end of them
		return
	}
	link := map[string]string{"offline": d.text("mất kết nối", "offline"), "connecting": d.text("đang kết nối", "connecting"), "online": d.text("đã kết nối", "online")}[s.Link]
	line := fmt.Sprintf("-- %s; %s: %d", link, d.text("chưa gửi", "unsent"), s.Unsent)
	if s.Synced {
		line += d.text("; đã đồng bộ", "; synced")
	}
	fmt.Fprintln(d.stdout, line)
}

// statusJSON is how the device stands as -json prints it.
type statusJSON struct {
	Account     string       `json:"account"`
	Unit        string       `json:"unit"`
	Server      string       `json:"server"`
	Link        string       `json:"link"`
	Unsent      int          `json:"unsent"`
	Oldest      *string      `json:"oldest"`   // when the oldest unsent change was made
	Received    *string      `json:"received"` // server clock of the last receipt
	Quarantined int          `json:"quarantined"`
	Conflicts   int          `json:"conflicts"`
	Synced      bool         `json:"synced"`    // the last exchange ended complete, and nothing was made since
	SyncedAt    *string      `json:"synced_at"` // when that was
	Streams     []streamJSON `json:"streams"`
}

type streamJSON struct {
	Unit     string `json:"unit"`
	Register string `json:"register"`
	Have     int    `json:"have"`
	Of       int    `json:"of"`
	Complete bool   `json:"complete"`
}

func timePointer(ms int64) *string {
	if ms == 0 {
		return nil
	}
	s := timeText(ms)
	return &s
}

func (d *device) printStatus(s replica.Status) error {
	m := d.replica.Meta()
	j := statusJSON{Account: m.Account.Name, Unit: m.Account.Unit, Server: d.session.Server, Link: s.Link, Unsent: s.Unsent, Oldest: timePointer(s.Oldest),
		Received: timePointer(s.LastReceipt), Quarantined: s.Quarantined, Conflicts: s.Conflicts, SyncedAt: timePointer(m.SyncedAt), Streams: []streamJSON{}}
	j.Synced = s.Synced || m.SyncedAt != 0 && m.SyncedLast == m.Last && s.Unsent == 0
	for _, t := range s.Streams {
		j.Streams = append(j.Streams, streamJSON{t.Unit, t.Register, t.Have, t.Of, t.Complete})
	}
	return d.printJSON(j)
}

func (d *device) status(ctx context.Context) error {
	s, err := d.replica.Status(ctx)
	if err != nil {
		return err
	}
	if d.line.json {
		return d.printStatus(s)
	}
	m := d.replica.Meta()
	fmt.Fprintf(d.stdout, "%s, %s %s, %s\n", m.Account.Name, d.text("đơn vị", "unit"), m.Account.Unit, d.session.Server)
	fmt.Fprintf(d.stdout, d.text("trên thiết bị này: %d", "on this device: %d"), s.Unsent)
	if s.Oldest != 0 {
		fmt.Fprintf(d.stdout, d.text(", cũ nhất %s", ", the oldest of %s"), time.UnixMilli(s.Oldest).Format("02/01/2006 15:04"))
	}
	fmt.Fprintln(d.stdout)
	if s.LastReceipt != 0 {
		fmt.Fprintf(d.stdout, d.text("đã nhận %s\n", "received %s\n"), time.UnixMilli(s.LastReceipt).Format("02/01/2006 15:04"))
	}
	if m.Acked > 0 {
		if m.BackedUp >= m.Acked {
			fmt.Fprintln(d.stdout, d.text("đã sao lưu tất cả những gì đã nhận", "all that was received is backed up"))
		} else {
			fmt.Fprintln(d.stdout, d.text("chưa sao lưu hết; thiết bị giữ lại để trả lại máy chủ khi cần", "not all that was received is backed up; the device keeps it for giving back"))
		}
	}
	fmt.Fprintf(d.stdout, d.text("xung đột: %d, bị giữ lại: %d\n", "conflicts: %d, in quarantine: %d\n"), s.Conflicts, s.Quarantined)
	for _, t := range s.Streams {
		done := d.text("chưa đủ", "incomplete")
		if t.Complete {
			done = d.text("đủ", "complete")
		}
		fmt.Fprintf(d.stdout, "%s %s: %d/%d %s\n", t.Unit, t.Register, t.Have, t.Of, done)
	}
	return nil
}
