package drill

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/client-wasm/store"
	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// device is one officer's headless device: the production replica on a store in
// a file, which speaks over POST.
type device struct {
	name    string
	account string
	id      string // that the server gave it
	token   string
	server  *server
	dir     string
	store   *store.Store
	*replica.Replica
}

// enrol signs an account in on a new device.
func enrol(ctx context.Context, s *server, dir, name, account string) (*device, error) {
	d := &device{name: name, account: account, dir: filepath.Join(dir, name)}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return nil, err
	}
	var err error
	if d.store, err = store.Open(ctx, filepath.Join(d.dir, "store.db")); err != nil {
		return nil, err
	}
	g, err := s.signIn(ctx, account, "")
	if err != nil {
		return nil, fmt.Errorf("sign %s in on %s: %w", account, name, err)
	}
	d.Replica, err = replica.Open(ctx, replica.Config{Store: d.store, Now: func() int64 { return time.Now().UnixMilli() }, Rand: rand.Reader, Lang: "en",
		Account: replica.Account{Name: g.Account.Name, Role: g.Account.Role, Unit: g.Account.Unit}})
	if err != nil {
		return nil, err
	}
	if err := d.Trust(ctx, g.ServerKey); err != nil {
		return nil, err
	}
	d.id, d.token, d.server = g.Device.ID, g.Access, s
	return d, d.equip(ctx)
}

// equip fetches the registers and what the device is to hold.
func (d *device) equip(ctx context.Context) error {
	var definitions []register.Definition
	if err := d.server.call(ctx, "GET", "/api/v1/registers", d.token, nil, &definitions); err != nil {
		return err
	}
	for i := range definitions {
		def, err := register.New(definitions[i])
		if err != nil {
			return err
		}
		if err := d.SetDefinitions(ctx, def.Marshal()); err != nil {
			return err
		}
	}
	var scopes struct {
		Streams []struct{ Unit, Register, Class string }
	}
	if err := d.server.call(ctx, "GET", "/api/v1/scopes", d.token, nil, &scopes); err != nil {
		return err
	}
	var want []protocol.Scope
	for i, s := range scopes.Streams {
		scope := protocol.Scope{Stream: protocol.Stream{Unit: s.Unit, Register: s.Register}, Priority: uint8(i)}
		if s.Class == "sensitive" {
			scope.Class = protocol.Sensitive
		}
		want = append(want, scope)
	}
	return d.SetScopes(ctx, want)
}

// meet brings the device to another server, where its account signs in again; the
// key that it holds stays the one that it learnt first.
func (d *device) meet(ctx context.Context, s *server) error {
	g, err := s.signIn(ctx, d.account, d.id)
	if err != nil {
		return fmt.Errorf("sign in again on %s: %w", d.name, err)
	}
	d.server, d.token = s, g.Access
	return nil
}

// sync says everything that there is to say.
func (d *device) sync(ctx context.Context) error {
	if _, err := d.Exchange(ctx, "drill", d.token, d); err != nil {
		return fmt.Errorf("device %s: %w", d.name, err)
	}
	return nil
}

// Post implements replica.Poster.
func (d *device) Post(ctx context.Context, body []byte) ([]byte, error) {
	return d.server.send(ctx, "POST", "/sync/v1/exchange", "", "application/vnd.wardbook.sync", bytes.NewReader(body))
}

// RefreshToken implements replica.Poster.
func (d *device) RefreshToken(ctx context.Context) (string, error) {
	err := d.meet(ctx, d.server)
	return d.token, err
}

// lose is the end of the device and of all that it holds.
func (d *device) lose() error { return errors.Join(d.store.Close(), os.RemoveAll(d.dir)) }

// snapshot is what a device shows of each of its records, without the times at
// which the server received it.
func (d *device) snapshot(ctx context.Context) (map[string]shown, error) {
	all := map[string]shown{}
	for _, def := range d.Definitions() {
		ids, err := d.IDs(ctx, string(def.ID))
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			rec, err := d.Record(ctx, id.String())
			if err != nil {
				return nil, err
			}
			conflicts := map[string][]conflict.Value{}
			for name, siblings := range rec.Conflicts {
				for _, s := range siblings {
					conflicts[name] = append(conflicts[name], s.Value)
				}
			}
			text, err := json.Marshal([]any{rec.Register, rec.Unit, rec.Values, conflicts, rec.Life, rec.Stage})
			if err != nil {
				return nil, err
			}
			all[id.String()] = shown{string(text), string(rec.Stage), rec.Place}
		}
	}
	return all, nil
}

type shown struct {
	text  string
	stage string
	place replica.Place
}
