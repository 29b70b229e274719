package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/sync/line"
	"wardbook/sync/session"
)

// badLine is the line of the budget: 500 ms there and back.
var badLine = line.Weather{Delay: 250 * time.Millisecond, Loss: 0.05, Rate: 64_000}

// timedLink is a link over the bad line that notes when its socket was open.
type timedLink struct {
	link
	line     *line.Line
	opened   atomic.Int64 // Unix nanoseconds
	up, down atomic.Int64 // that had passed by then
}

// Dial implements replica.Transport.
func (l *timedLink) Dial(ctx context.Context) (replica.Conn, error) {
	d := l.wire.dialer()
	d.NetDialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := l.line.Dial(ctx, line.Device, network, addr)
		if err != nil {
			return nil, err
		}
		return &countedConn{c, l.wire}, nil
	}
	ws, _, err := d.DialContext(ctx, strings.Replace(l.url, "http", "ws", 1)+"/sync/v1/device", nil)
	if err != nil {
		return nil, err
	}
	l.up.Store(l.wire.up.Load())
	l.down.Store(l.wire.down.Load())
	l.opened.Store(time.Now().UnixNano())
	return &conn{ws}, nil
}

// resume plays drops of ours and the raw sender in turn.
func (b *bencher) resume(ctx context.Context) (r Resume, err error) {
	l, err := line.Open()
	if errors.Is(err, line.ErrNotHere) {
		err = fmt.Errorf("%w: %w", errNoLine, err)
	}
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	s, err := b.start(ctx, b.path("resume"), b.def)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	far, err := l.Listen(ctx, line.Server, "tcp", line.Server.Host()+":0")
	if err != nil {
		return r, err
	}
	go s.Serve(far) // ends with the server
	echo, err := l.Listen(ctx, line.Server, "tcp", line.Server.Host()+":0")
	if err != nil {
		return r, err
	}
	defer echo.Close()
	go answerRaw(echo)
	password, err := s.Officer(ctx, officerA, unit)
	if err != nil {
		return r, err
	}
	d, err := openDevice(ctx, b.path("resume.db"), officerA, b.def)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if d.token, err = signIn(ctx, s.URL, officerA, password); err != nil {
		return r, err
	}
	v := newValues(77)
	var ids []string
	for range resumeEdits {
		named := map[string]string{}
		for i, value := range v.record() {
			named[fieldName(i)] = value
		}
		reply, err := d.replica.Put(ctx, replica.PutRequest{Register: registerID, Values: named, NoSubmit: true})
		if err != nil {
			return r, err
		}
		ids = append(ids, reply.ID)
	}
	// calm lets everything come in over the loopback interface, unmeasured.
	calm := func() error {
		_, err := b.until(ctx, "", s.URL, []*device{d}, func(d *device, s session.Status) bool { return s.Synced })
		return err
	}
	if err := calm(); err != nil {
		return r, err
	}
	l.SetBoth(badLine)
	var ups, downs []int64
	for drop := range b.work.Drops {
		for _, id := range ids {
			if _, err := d.replica.Put(ctx, replica.PutRequest{Register: registerID, Record: id, NoSubmit: true,
				Values: map[string]string{fieldName(drop % fields): v.next()}}); err != nil {
				return r, err
			}
		}
		took, up, down, err := comeBack(ctx, d, l, "http://"+far.Addr().String())
		if err != nil {
			return r, err
		}
		r.Ours, ups, downs = append(r.Ours, took), append(ups, up), append(downs, down)
		raw, err := sendRaw(ctx, l, echo.Addr().String(), up, down)
		if err != nil {
			return r, err
		}
		r.Raw = append(r.Raw, raw)
		if err := calm(); err != nil {
			return r, err
		}
	}
	slices.Sort(ups)
	slices.Sort(downs)
	r.Up, r.Down = ups[len(ups)/2], downs[len(downs)/2]
	return r, nil
}

// comeBack connects a device over the line until its edits are acknowledged,
// and returns how long that took since the socket that did it was open, and
// what passed on it.
func comeBack(ctx context.Context, d *device, l *line.Line, url string) (took time.Duration, up, down int64, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, giveUp, errNotReached)
	defer cancel()
	d.wire = &wire{}
	t := &timedLink{link: link{url, d.wire}, line: l}
	there := false
	err = d.replica.Run(ctx, replica.RunConfig{App: "bench", Token: d.token, Transport: t, Told: func(s session.Status) {
		if m := d.replica.Meta(); !there && s.Acked == s.Last && m.Acked == s.Last {
			there = true
			took = time.Duration(time.Now().UnixNano() - t.opened.Load())
			up, down = d.wire.up.Load()-t.up.Load(), d.wire.down.Load()-t.down.Load()
			cancel()
		}
	}})
	if !there {
		return 0, 0, 0, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return took, up, down, nil
}

// rawHead is what the raw sender says first: how much comes, and how much is
// to come back. It counts to what it sends.
const rawHead = 16

// sendRaw sends up bytes and waits for down bytes, and returns how long that
// took since the connection was open.
func sendRaw(ctx context.Context, l *line.Line, addr string, up, down int64) (time.Duration, error) {
	c, err := l.Dial(ctx, line.Device, "tcp", addr)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	began := time.Now()
	if err := c.SetDeadline(began.Add(giveUp)); err != nil {
		return 0, err
	}
	b := make([]byte, max(up, rawHead))
	binary.LittleEndian.PutUint64(b, uint64(len(b)))
	binary.LittleEndian.PutUint64(b[8:], uint64(down))
	if _, err := c.Write(b); err != nil {
		return 0, err
	}
	if _, err := io.CopyN(io.Discard, c, down); err != nil {
		return 0, err
	}
	return time.Since(began), nil
}

// answerRaw is the raw sender's other end.
func answerRaw(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			var head [rawHead]byte
			if _, err := io.ReadFull(c, head[:]); err != nil {
				return
			}
			up, down := binary.LittleEndian.Uint64(head[:]), binary.LittleEndian.Uint64(head[8:])
			if _, err := io.CopyN(io.Discard, c, int64(up)-rawHead); err != nil {
				return
			}
			c.Write(make([]byte, down))
			io.Copy(io.Discard, c) // until the sender has all and closes
		}()
	}
}
