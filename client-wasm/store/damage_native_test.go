//go:build !js

package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/replica/replicatest"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
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

// TestDamageStaysHere changes a byte in each of many saved changesets, one store
// for each: it is not sent, what was saved before and behind it is, and nothing
// is called synced.
func TestDamageStaysHere(t *testing.T) {
	field := func(id conflict.FieldID, name string) register.Field {
		return register.Field{ID: id, Name: name, Type: register.PlainText, Label: register.Text{VI: name, EN: name}, Section: "all", Required: register.Optional,
			Class: register.Basic, Policy: conflict.Keep, Search: true}
	}
	def, err := register.New(register.Definition{ID: "people", Version: 1, Label: register.Text{VI: "Người", EN: "People"}, TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}}, Fields: []register.Field{field(16, "name")}})
	if err != nil {
		t.Fatal(err)
	}
	now := func() int64 { return time.Now().UnixMilli() }
	ctx := context.Background()
	for _, at := range []int{0, 7, 30, 60, -1} { // of the middle one's bytes; the last
		path := filepath.Join(t.TempDir(), "store.db")
		open := func() (*Store, *replica.Replica) {
			s, err := Open(ctx, path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := replica.Open(ctx, replica.Config{Store: s, Now: now, Rand: rand.Reader, Lang: "en", Account: replica.Account{Name: "officer.a", Role: "officer", Unit: "27169"}})
			if err != nil {
				t.Fatal(err)
			}
			return s, r
		}
		s, r := open()
		err := errors.Join(r.SetDefinitions(ctx, def.Marshal()), r.SetScopes(ctx, []protocol.Scope{{Stream: protocol.Stream{Unit: "27169", Register: "people"}}}))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"Hoa", "Lan", "Mai"} {
			if _, err := r.Put(ctx, replica.PutRequest{Register: "people", Values: map[string]string{"name": name}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		damage(t, path, at)
		s, r = open()
		server := replicatest.New(1, now, def)
		_, err = r.Exchange(ctx, "test", "token", poster{server})
		if err != nil {
			t.Fatalf("byte %d: %v", at, err)
		}
		var names []string
		for _, id := range server.IDs() {
			names = append(names, string(server.Record(id).Field(conflict.Key(16)).At(0).Value))
		}
		if len(names) != 2 || names[0] == "Lan" || names[1] == "Lan" {
			t.Errorf("byte %d: the server has %q, want Hoa and Mai", at, names)
		}
		status, err := r.Status(ctx)
		if err != nil || status.Synced || status.Failure == nil || status.Failure.Code != "damaged" {
			t.Errorf("byte %d: got %+v, %v, want it not synced and the damage named", at, status, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
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
