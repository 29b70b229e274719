package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

func init() { sql.Register("wardbook", browser{}) }

// browser is the driver under its registered name, for stores named by text; see ParseDSN.
type browser struct{}

var _ driver.DriverContext = browser{}

func (browser) Open(dsn string) (driver.Conn, error) {
	c, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return (&connector{c}).Connect(context.Background())
}

func (browser) OpenConnector(dsn string) (driver.Connector, error) {
	c, err := ParseDSN(dsn)
	if err != nil {
		return nil, err
	}
	return &connector{c}, nil
}

// Open prepares a handle on the store, limited to its one connection, and opens that connection, creating the store
// if there is none. Errors match the named errors of this package. Closing the handle closes the store's files.
func Open(ctx context.Context, c Config) (*sql.DB, error) {
	c, err := c.validate()
	if err != nil {
		return nil, err
	}
	db := sql.OpenDB(&connector{c})
	db.SetMaxOpenConns(1)
	db.SetMaxIdleConns(1)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close() // there is no connection to close
		return nil, err
	}
	return db, nil
}

// Remove deletes every file of a store from this device, closing it first if this worker has it open. It cannot be
// undone. No store of that name is no error.
func Remove(_ context.Context, store string) error {
	s, err := loadShim()
	if err != nil {
		return err
	}
	_, err = await(s.object.Call("remove", store))
	return err
}

// Exists tells whether a store of that name is on this device; it may still not open.
func Exists(_ context.Context, store string) (bool, error) {
	s, err := loadShim()
	if err != nil {
		return false, err
	}
	v, err := await(s.object.Call("exists", store))
	if err != nil {
		return false, err
	}
	return v.Bool(), nil
}

type connector struct{ config Config }

func (c *connector) Driver() driver.Driver { return browser{} }

// Connect opens the store. A cancelled context is seen before and after, not during: the wait is bounded by
// Config.Wait, and a connection that nobody wants would hold the files.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := loadShim()
	if err != nil {
		return nil, err
	}
	key := bytesToJS(c.config.Key)
	v, err := await(s.object.Call("open", c.config.Store, key, c.config.Synchronous, c.config.Wait.Milliseconds()))
	key.Call("fill", 0)
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", c.config.Store, err)
	}
	cn := &conn{shim: s, handle: v.Int(), cache: map[string]*stmt{}}
	if err := ctx.Err(); err != nil {
		_ = cn.Close() // the caller's error says more
		return nil, err
	}
	return cn, nil
}
