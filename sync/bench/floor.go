package bench

import (
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	_ "github.com/mattn/go-sqlite3" // the driver under the name "sqlite3"
)

// The floor: the least that a program of this kind does. A frame is its kind,
// a count, and that many records or edits as they stand in the rows; rows are
// the frame's own bytes. Nothing is compressed, compared or checked.
const (
	floorPush = 'P' // new records
	floorEdit = 'E' // one field of a record, each
	floorGive = 'G' // asks for every record
	floorAck  = 'K' // so many are durable
)

// floorBatch is how many records a frame holds, and a transaction.
const floorBatch = 1000

var errFrame = errors.New("floor: short frame")

// floorDB is the database of either end: one log row and one record row for
// each record or edit, and on a device how many are acknowledged.
type floorDB struct{ *sql.DB }

// openFloor opens a file with the settings that ours has.
func openFloor(ctx context.Context, path string) (floorDB, error) {
	q := url.Values{"_journal_mode": {"WAL"}, "_synchronous": {"FULL"}, "_txlock": {"immediate"}, "_busy_timeout": {"5000"}, "_cache_size": {"-65536"}}
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return floorDB{}, err
	}
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS log (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
		CREATE TABLE IF NOT EXISTS records (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
		CREATE TABLE IF NOT EXISTS acked (one INTEGER PRIMARY KEY, n INTEGER NOT NULL)`)
	if err != nil {
		db.Close()
		return floorDB{}, fmt.Errorf("floor: %w", err)
	}
	return floorDB{db}, nil
}

// in runs work in one durable transaction.
func (db floorDB) in(ctx context.Context, work func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if err := work(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// cutRecord takes one record off the front of a frame: its id and its values.
func cutRecord(b []byte) (id int64, one, rest []byte, err error) {
	n := 8
	for range fields {
		if n >= len(b) {
			return 0, nil, nil, errFrame
		}
		n += 1 + int(b[n])
	}
	if n > len(b) {
		return 0, nil, nil, errFrame
	}
	return int64(binary.LittleEndian.Uint64(b)), b[:n], b[n:], nil
}

// cutEdit takes one edit off the front of a frame: record, field, value.
func cutEdit(b []byte) (id int64, field int, value, one, rest []byte, err error) {
	if len(b) < 10 || len(b) < 10+int(b[9]) {
		return 0, 0, nil, nil, nil, errFrame
	}
	n := 10 + int(b[9])
	return int64(binary.LittleEndian.Uint64(b)), int(b[8]), b[9:n], b[:n], b[n:], nil
}

func frameOf(kind byte, count int) []byte {
	return binary.LittleEndian.AppendUint32([]byte{kind}, uint32(count))
}

func openFrame(b []byte) (kind byte, count int, rest []byte, err error) {
	if len(b) < 5 {
		return 0, 0, nil, errFrame
	}
	return b[0], int(binary.LittleEndian.Uint32(b[1:])), b[5:], nil
}

// keep stores a frame of records or edits in one transaction.
func (db floorDB) keep(ctx context.Context, kind byte, count int, body []byte) error {
	return db.in(ctx, func(tx *sql.Tx) error {
		log, err := tx.PrepareContext(ctx, `INSERT INTO log (body) VALUES (?)`)
		if err != nil {
			return err
		}
		if kind == floorPush {
			rec, err := tx.PrepareContext(ctx, `INSERT INTO records (id, body) VALUES (?, ?)`)
			if err != nil {
				return err
			}
			for range count {
				id, one, rest, err := cutRecord(body)
				if err != nil {
					return err
				}
				body = rest
				if _, err := log.ExecContext(ctx, one); err != nil {
					return err
				}
				if _, err := rec.ExecContext(ctx, id, one); err != nil {
					return err
				}
			}
			return nil
		}
		get, err := tx.PrepareContext(ctx, `SELECT body FROM records WHERE id = ?`)
		if err != nil {
			return err
		}
		put, err := tx.PrepareContext(ctx, `UPDATE records SET body = ? WHERE id = ?`)
		if err != nil {
			return err
		}
		var old []byte
		for range count {
			id, field, value, one, rest, err := cutEdit(body)
			if err != nil {
				return err
			}
			body = rest
			if _, err := log.ExecContext(ctx, one); err != nil {
				return err
			}
			if err := get.QueryRowContext(ctx, id).Scan(&old); err != nil {
				return err
			}
			if _, err := put.ExecContext(ctx, spliced(old, field, value), id); err != nil {
				return err
			}
		}
		return nil
	})
}

// spliced returns a record's bytes with one field replaced; value begins with
// its length.
func spliced(old []byte, field int, value []byte) []byte {
	at := 8
	for range field {
		at += 1 + int(old[at])
	}
	b := make([]byte, 0, len(old)+len(value))
	b = append(b, old[:at]...)
	b = append(b, value...)
	return append(b, old[at+1+int(old[at]):]...)
}

// floorServer is the floor's server: each connection is one goroutine.
type floorServer struct {
	db   floorDB
	http *http.Server
	url  string

	mu    sync.Mutex
	conns map[*floorConn]bool
	err   error
}

// floorConn serialises the writers of a connection.
type floorConn struct {
	mu sync.Mutex
	ws *websocket.Conn
}

func (c *floorConn) send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ws.WriteMessage(websocket.BinaryMessage, b)
}

func startFloor(ctx context.Context, path string) (*floorServer, error) {
	db, err := openFloor(ctx, path)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		db.Close()
		return nil, err
	}
	s := &floorServer{db: db, url: "ws://" + ln.Addr().String(), conns: map[*floorConn]bool{}}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	go s.http.Serve(ln)
	return s, nil
}

func (s *floorServer) close() error {
	s.http.Close()
	s.mu.Lock()
	for c := range s.conns {
		c.ws.Close()
	}
	err := s.err
	s.mu.Unlock()
	return errors.Join(err, s.db.Close())
}

func (s *floorServer) serve(w http.ResponseWriter, r *http.Request) {
	u := websocket.Upgrader{ReadBufferSize: 4 << 10, WriteBufferSize: 64 << 10}
	s.mu.Lock() // who is told that it is connected misses no edit from then on
	ws, err := u.Upgrade(w, r, nil)
	if err != nil {
		s.mu.Unlock()
		return // Upgrade has answered
	}
	c := &floorConn{ws: ws}
	s.conns[c] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		ws.Close()
	}()
	for {
		_, b, err := ws.ReadMessage()
		if err != nil {
			return
		}
		if err := s.take(context.WithoutCancel(r.Context()), c, b); err != nil {
			s.mu.Lock()
			s.err = errors.Join(s.err, err)
			s.mu.Unlock()
			return
		}
	}
}

func (s *floorServer) take(ctx context.Context, c *floorConn, b []byte) error {
	kind, count, body, err := openFrame(b)
	if err != nil {
		return err
	}
	if kind == floorGive {
		return s.give(ctx, c)
	}
	if err := s.db.keep(ctx, kind, count, body); err != nil {
		return err
	}
	if err := c.send(frameOf(floorAck, count)); err != nil || kind != floorEdit {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for other := range s.conns {
		if other != c {
			err = errors.Join(err, other.send(b))
		}
	}
	return err
}

// give sends every record.
func (s *floorServer) give(ctx context.Context, c *floorConn) error {
	rows, err := s.db.QueryContext(ctx, `SELECT body FROM records ORDER BY id`)
	if err != nil {
		return err
	}
	defer rows.Close()
	return sendRows(rows, floorPush, c.send)
}

// sendRows sends the bodies of rows, floorBatch a frame.
func sendRows(rows *sql.Rows, kind byte, send func([]byte) error) error {
	b, n := frameOf(kind, 0), 0
	flush := func() error {
		if n == 0 {
			return nil
		}
		binary.LittleEndian.PutUint32(b[1:], uint32(n))
		err := send(b)
		b, n = b[:5], 0
		return err
	}
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return err
		}
		b, n = append(b, body...), n+1
		if n == floorBatch {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return errors.Join(rows.Err(), flush())
}

// floorDevice is the floor's client.
type floorDevice struct {
	db   floorDB
	wire wire
}

func openFloorDevice(ctx context.Context, path string) (*floorDevice, error) {
	db, err := openFloor(ctx, path)
	return &floorDevice{db: db}, err
}

func (d *floorDevice) close() error { return d.db.Close() }

// fill makes the records of W1, unmeasured.
func (d *floorDevice) fill(ctx context.Context, records int) error {
	v := newValues(1)
	b := []byte{}
	for i := range records {
		b = binary.LittleEndian.AppendUint64(b, uint64(i+1))
		for _, value := range v.record() {
			b = append(append(b, byte(len(value))), value...)
		}
	}
	return d.db.keep(ctx, floorPush, records, b)
}

// edit edits one field of the first records, unmeasured, and returns after
// which log row its edits stand.
func (d *floorDevice) edit(ctx context.Context, edits, field int, v values) (after int64, err error) {
	if err := d.db.QueryRowContext(ctx, `SELECT coalesce(max(seq), 0) FROM log`).Scan(&after); err != nil {
		return 0, err
	}
	b := []byte{}
	for i := range edits {
		value := v.next()
		b = binary.LittleEndian.AppendUint64(b, uint64(i+1))
		b = append(append(b, byte(field), byte(len(value))), value...)
	}
	return after, d.db.keep(ctx, floorEdit, edits, b)
}

// run connects, waits until together is done, says hello, and takes what comes
// until acked of its own are acknowledged durably, and received of others are
// durable.
func (d *floorDevice) run(ctx context.Context, url string, together *sync.WaitGroup, hello func(send func([]byte) error) error, acked, received int) error {
	d.wire.up.Store(0)
	d.wire.down.Store(0)
	ws, _, err := d.wire.dialer().DialContext(ctx, url, nil)
	together.Done()
	if err != nil {
		return err
	}
	defer ws.Close()
	together.Wait()
	sent := make(chan error, 1)
	go func() {
		sent <- hello(func(b []byte) error { return ws.WriteMessage(websocket.BinaryMessage, b) })
	}()
	haveAcked := 0
	for haveAcked < acked || received > 0 {
		_, b, err := ws.ReadMessage()
		if err != nil {
			return err
		}
		kind, count, body, err := openFrame(b)
		if err != nil {
			return err
		}
		if kind == floorAck {
			haveAcked += count
			if _, err := d.db.ExecContext(ctx, `INSERT OR REPLACE INTO acked VALUES (1, ?)`, haveAcked); err != nil {
				return err
			}
			continue
		}
		if err := d.db.keep(ctx, kind, count, body); err != nil {
			return err
		}
		received -= count
	}
	return <-sent
}

// push sends the log rows after a place.
func (d *floorDevice) push(ctx context.Context, kind byte, after int64) func(func([]byte) error) error {
	return func(send func([]byte) error) error {
		rows, err := d.db.QueryContext(ctx, `SELECT body FROM log WHERE seq > ? ORDER BY seq`, after)
		if err != nil {
			return err
		}
		defer rows.Close()
		return sendRows(rows, kind, send)
	}
}

func ask(send func([]byte) error) error { return send(frameOf(floorGive, 0)) }
