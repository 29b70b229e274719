package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// peer is a device without a store, for what is measured of the server alone:
// it says what a device says, pings as one does, and keeps nothing. It belongs
// to one goroutine.
type peer struct {
	ws      *websocket.Conn
	writing sync.Mutex
	awake   *time.Timer
	id      conflict.ReplicaID
	account string
	epoch   protocol.Token
	next    uint64 // counter of its next write
	shown   uint64 // position of the stream that shows its last acknowledged write
	cursor  uint64 // position up to which it took pages
	drawn   *rand.Rand
	wrote   map[place]conflict.Dot // by edit
}

// pingEvery is how often a silent device pings.
const pingEvery = 10 * time.Second

// peerBuffer is small, for there are thousands of peers.
const peerBuffer = 512

// say opens a session under a replica id of its own. If follow is given, it
// asks for the stream from the place where that peer's last write stands.
func say(ctx context.Context, url, account, token string, id conflict.ReplicaID, follow *peer) (*peer, error) {
	d := websocket.Dialer{HandshakeTimeout: giveUp, ReadBufferSize: peerBuffer, WriteBufferSize: peerBuffer, NetDialContext: (&net.Dialer{}).DialContext}
	ws, _, err := d.DialContext(ctx, strings.Replace(url, "http", "ws", 1)+"/sync/v1/device", nil)
	if err != nil {
		return nil, err
	}
	ws.SetReadLimit(protocol.MaxMessage)
	p := &peer{ws: ws, id: id, account: account, next: 1}
	h := &protocol.Hello{Version: protocol.Version, App: "bench", Token: token, Replica: id, Next: protocol.Token(id), At: time.Now().UnixMilli(),
		Streaming: true, Defs: []protocol.DefinitionRef{{Register: registerID, Version: 1}}}
	if follow != nil {
		p.cursor, h.Epoch = follow.shown, follow.epoch
		h.Scopes = []protocol.Scope{{Stream: stream, Cursor: p.cursor, Floor: p.cursor}}
	}
	if err := errors.Join(p.send(h), p.send(&protocol.Known{})); err != nil {
		return nil, errors.Join(err, ws.Close())
	}
	m, err := p.hear()
	if err != nil {
		return nil, errors.Join(err, ws.Close())
	}
	w, ok := m.(*protocol.Welcome)
	if !ok || w.Verdict != protocol.Accepted || follow != nil && (w.Grants[0].Code != protocol.OK || w.Grants[0].From != p.cursor) {
		return nil, errors.Join(fmt.Errorf("the server answers %+v", m), ws.Close())
	}
	p.epoch = w.Epoch
	p.awake = time.AfterFunc(pingEvery, func() {
		if p.send(&protocol.Ping{}) == nil {
			p.awake.Reset(pingEvery)
		}
	})
	return p, nil
}

func (p *peer) close() error {
	p.awake.Stop()
	return p.ws.Close()
}

func (p *peer) send(m protocol.Message) error {
	p.writing.Lock()
	defer p.writing.Unlock()
	return p.ws.WriteMessage(websocket.BinaryMessage, protocol.Encode(nil, m))
}

// hear returns the next message, in time.
func (p *peer) hear() (protocol.Message, error) {
	p.ws.SetReadDeadline(time.Now().Add(giveUp))
	_, r, err := p.ws.NextReader()
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	m, err := protocol.Decode(b)
	if e, ok := m.(*protocol.Error); ok && err == nil {
		err = e
	}
	return m, err
}

// change is one user action: edits of one record, each of one field.
func (p *peer) change(id conflict.RecordID, writes ...record.Write) record.Changeset {
	c := record.Changeset{Dot: conflict.Dot{Replica: p.id, Counter: p.next}, Unit: unit, Author: p.account, At: time.Now().UnixMilli()}
	if id.Replica.IsZero() {
		id = c.Dot // it creates its record
	}
	c.Edits = []record.Edit{{Record: id, Register: registerID, Definition: 1, Writes: writes}}
	p.next += uint64(len(writes))
	return c
}

// push sends changesets, and returns when the last is durable.
func (p *peer) push(changesets []record.Changeset) error {
	last := changesets[len(changesets)-1].Last().Counter
	sent := make(chan error, 1)
	go func() {
		for at := 0; at < len(changesets); at += floorBatch {
			if err := p.send(&protocol.Push{Changesets: changesets[at:min(at+floorBatch, len(changesets))]}); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for {
		m, err := p.hear()
		if err != nil {
			return errors.Join(err, p.ws.Close(), <-sent)
		}
		switch m := m.(type) {
		case *protocol.Ack:
			for _, mark := range m.Marks {
				if mark.Stream == stream {
					p.shown = mark.Position
				}
			}
			if m.Through >= last {
				return <-sent
			}
		case *protocol.Refusal:
			return fmt.Errorf("a push was refused: %v %s", m.Code, m.Detail)
		}
	}
}

// reach takes pages until the stream is at a position.
func (p *peer) reach(position uint64) error {
	for p.cursor < position {
		m, err := p.hear()
		if err != nil {
			return err
		}
		if page, ok := m.(*protocol.Page); ok {
			p.cursor = page.To
			if err := p.send(&protocol.Applied{Stream: page.Stream, To: page.To}); err != nil {
				return err
			}
		}
	}
	return nil
}

// answers reports whether the server answers a ping.
func (p *peer) answers() error {
	if err := p.send(&protocol.Ping{N: 1}); err != nil {
		return err
	}
	for {
		m, err := p.hear()
		if err != nil {
			return err
		}
		if pong, ok := m.(*protocol.Pong); ok && pong.N == 1 {
			return nil
		}
	}
}

// peerID is the replica id of peer n of a kind.
func peerID(kind byte, n int) conflict.ReplicaID {
	return conflict.ReplicaID{0: kind, 12: byte(n >> 16), 13: byte(n >> 8), 14: byte(n), 15: 1}
}
