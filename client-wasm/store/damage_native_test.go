//go:build !js

package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/replica/replicatest"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
	"wardbook/sync/session"
)

// poster is a server reached by POST.
type poster struct{ s *replicatest.Server }

func (p poster) RefreshToken(context.Context) (string, error) { return "token", nil }

func (p poster) Post(_ context.Context, body []byte) ([]byte, error) {
	frames, err := protocol.ReadFrames(body)
	if err != nil {
		return nil, err
	}
	x := p.s.Open()
	defer x.Close()
	for _, f := range frames {
		if err := x.Receive(f); err != nil {
			return nil, err
		}
	}
	var answer []byte
	for _, m := range x.Take() {
		answer = protocol.AppendFrame(answer, m)
	}
	return answer, nil
}

// peopleDefinition is a register of names and notes.
func peopleDefinition(t *testing.T) *register.Definition {
	t.Helper()
	field := func(id conflict.FieldID, name string) register.Field {
		return register.Field{ID: id, Name: name, Type: register.PlainText, Label: register.Text{VI: name, EN: name}, Section: "all", Required: register.Optional,
			Class: register.Basic, Policy: conflict.Keep, Search: true}
	}
	def, err := register.New(register.Definition{ID: "people", Version: 1, Label: register.Text{VI: "Người", EN: "People"}, TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}}, Fields: []register.Field{field(16, "name"), field(17, "note")}})
	if err != nil {
		t.Fatal(err)
	}
	return def
}

// damaged is a device whose store is on a disk, and its server.
type damaged struct {
	t      *testing.T
	path   string
	def    *register.Definition
	server *replicatest.Server
	s      *Store
	r      *replica.Replica
}

func millis() int64 { return time.Now().UnixMilli() }

func newDamaged(t *testing.T) *damaged {
	d := &damaged{t: t, path: filepath.Join(t.TempDir(), "store.db"), def: peopleDefinition(t)}
	d.server = replicatest.New(1, millis, d.def)
	d.open()
	if err := errors.Join(d.r.SetDefinitions(t.Context(), d.def.Marshal()), d.r.SetScopes(t.Context(), []protocol.Scope{{Stream: protocol.Stream{Unit: "27169", Register: "people"}}})); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *damaged) open() {
	d.t.Helper()
	var err error
	if d.s, err = Open(d.t.Context(), d.path); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = d.s.Close() })
	d.r, err = replica.Open(d.t.Context(), replica.Config{Store: d.s, Now: millis, Rand: rand.Reader, Lang: "en", Account: replica.Account{Name: "officer.a", Role: "officer", Unit: "27169"}})
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *damaged) put(id string, values map[string]string) string {
	d.t.Helper()
	reply, err := d.r.Put(d.t.Context(), replica.PutRequest{Register: "people", Record: id, Values: values, NoSubmit: true})
	if err != nil {
		d.t.Fatal(err)
	}
	return reply.ID
}

// damage closes the store, changes a byte of the second changeset, and opens it.
func (d *damaged) damage(at int) {
	d.t.Helper()
	if err := d.s.Close(); err != nil {
		d.t.Fatal(err)
	}
	damage(d.t, d.path, at)
	d.open()
}

// exchange goes over POST.
func (d *damaged) exchange() {
	d.t.Helper()
	if _, err := d.r.Exchange(d.t.Context(), "test", "token", poster{d.server}); err != nil {
		d.t.Fatal(err)
	}
}

// socket stays connected until nobody has anything to say. Deaf, the device hears
// nothing of what the server says.
func (d *damaged) socket(deaf bool) {
	d.t.Helper()
	h := d.r.NewHost("test", "token", true)
	h.Step(session.Start{Now: millis()})
	var far *replicatest.Session
	for range 10_000 {
		if h.Pending() == 0 {
			var said [][]byte
			if far != nil {
				said = far.Take()
			}
			if len(said) == 0 || deaf {
				break
			}
			for _, b := range said {
				m, err := protocol.Decode(b)
				if err != nil {
					d.t.Fatal(err)
				}
				h.Step(session.Received{Now: millis(), Message: m})
			}
			continue
		}
		e, err := h.Perform(d.t.Context())
		if err != nil {
			d.t.Fatal(err)
		}
		switch e := e.(type) {
		case session.Dial:
			far = d.server.Open()
			h.Step(session.Opened{Now: millis()})
		case session.Send:
			if far != nil && !far.Over() {
				if err := far.Receive(protocol.Encode(nil, e.Message)); err != nil {
					d.t.Fatal(err)
				}
			}
		case session.HangUp:
			if far != nil {
				far.Close()
			}
			far = nil
		}
	}
	if far != nil {
		far.Close()
	}
}

// has checks which names, with their notes, are at the server.
func (d *damaged) has(want ...string) {
	d.t.Helper()
	var got []string
	for _, id := range d.server.IDs() {
		text := ""
		for _, k := range []conflict.FieldID{16, 17} {
			f := d.server.Record(id).Field(conflict.Key(k))
			for i := range f.Len() {
				text += string(f.At(i).Value) + " "
			}
		}
		got = append(got, strings.TrimSpace(text))
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		d.t.Errorf("the server has %q, want %q", got, want)
	}
}

// told checks that the damage is named and nothing is called synced.
func (d *damaged) told() {
	d.t.Helper()
	status, err := d.r.Status(d.t.Context())
	if err != nil || status.Synced || status.Failure == nil || status.Failure.Code != "damaged" {
		d.t.Errorf("got %+v, %v, want it not synced and the damage named", status, err)
	}
}

// TestDamageStaysHere changes a byte in each of many saved changesets, one store
// for each, by either way to the server: it is not sent, what was saved before
// and behind it is, once, and nothing is called synced, until somebody has looked
// at it and lets it go (R41).
func TestDamageStaysHere(t *testing.T) {
	for _, at := range []int{0, 7, 30, 60, -1} { // of the second one's bytes; the last
		for way, exchange := range map[string]func(*damaged){"post": (*damaged).exchange, "socket": func(d *damaged) { d.socket(false) }} {
			t.Run(fmt.Sprintf("byte %d by %s", at, way), func(t *testing.T) {
				d := newDamaged(t)
				hoa := d.put("", map[string]string{"name": "Hoa", "note": "một"})
				d.put(hoa, map[string]string{"note": "hai"})
				d.put("", map[string]string{"name": "Mai"})
				d.put(hoa, map[string]string{"note": "ba"}) // over what is damaged
				d.damage(at)
				d.told()
				damages, err := d.r.Damaged(t.Context())
				if err != nil || len(damages) != 1 || damages[0].At == 0 || !slices.Equal(damages[0].Titles, []string{"Hoa"}) {
					t.Errorf("got %+v, %v, want one in the record of Hoa", damages, err)
				}
				_, unsent, err := d.r.Unsent(t.Context())
				next := uint64(1)
				for _, c := range unsent {
					sound, err := record.ParseChangeset(c.Bytes)
					if c.First != next || (err == nil) != (c.First != 3) || err == nil && sound.Dot.Counter != c.First {
						t.Errorf("a rescue file has %+v, %v, after counter %d", c, err, next-1)
					}
					next = c.First + c.Count
				}
				if err != nil || len(unsent) != 4 {
					t.Errorf("a rescue file has %d changesets, %v, want 4 without a gap", len(unsent), err)
				}
				exchange(d)
				exchange(d)
				d.has("Hoa ba", "Mai")
				d.told()

				d.put("", map[string]string{"name": "Tư"})
				if err := d.r.DropDamaged(t.Context()); err != nil {
					t.Fatal(err)
				}
				d.socket(false)
				d.has("Hoa ba", "Mai", "Tư")
				status, err := d.r.Status(t.Context())
				if err != nil || !status.Synced || status.Failure != nil || status.Unsent != 0 {
					t.Errorf("after it was let go: got %+v, %v", status, err)
				}
			})
		}
	}
}

// TestDamageBehindALostReceipt: the server has all of it, the device does not
// know, and one of its changesets is damaged: nothing comes twice.
func TestDamageBehindALostReceipt(t *testing.T) {
	d := newDamaged(t)
	for _, name := range []string{"Hoa", "Lan", "Mai"} {
		d.put("", map[string]string{"name": name})
	}
	d.socket(true)
	d.has("Hoa", "Lan", "Mai")
	d.put("", map[string]string{"name": "Tư"})
	d.damage(30)
	d.socket(false)
	d.socket(false)
	d.has("Hoa", "Lan", "Mai", "Tư")
	if err := d.r.DropDamaged(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.socket(false)
	status, err := d.r.Status(t.Context())
	if err != nil || !status.Synced {
		t.Errorf("got %+v, %v, want it synced", status, err)
	}
	reply, err := d.r.List(t.Context(), replica.ListRequest{Register: "people", Limit: 10})
	if err != nil || len(reply.Rows) != 4 {
		t.Errorf("got %d records here, %v, want 4", len(reply.Rows), err)
	}
}

// TestDamageBesideAChangeset: what the store keeps beside a changeset is damaged,
// and blocks nothing.
func TestDamageBesideAChangeset(t *testing.T) {
	for _, column := range []string{"replaced", "refusal"} {
		d := newDamaged(t)
		hoa := d.put("", map[string]string{"name": "Hoa"})
		d.put(hoa, map[string]string{"note": "hai"})
		if err := d.s.Close(); err != nil {
			t.Fatal(err)
		}
		db, err := sql.Open("sqlite3", d.path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(`UPDATE outbox SET ` + column + ` = x'7b00' WHERE no = (SELECT max(no) FROM outbox)`); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		d.open()
		d.socket(false)
		if column == "replaced" {
			d.has("Hoa hai")
			continue
		}
		d.has("Hoa") // nobody knows whether the server refused it
		d.told()
	}
}

// damage flips a bit of the second changeset's bytes, counted from their end if
// at is negative.
func damage(t *testing.T, path string, at int) {
	t.Helper()
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var no int
	var body []byte
	if err := db.QueryRow(`SELECT no, body FROM outbox ORDER BY no LIMIT 1 OFFSET 1`).Scan(&no, &body); err != nil {
		t.Fatal(err)
	}
	body[(at+len(body))%len(body)] ^= 1
	if _, err := db.Exec(`UPDATE outbox SET body = ? WHERE no = ?`, body, no); err != nil {
		t.Fatal(err)
	}
}
