package driver

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// A tx is the open transaction of a connection.
type tx struct {
	conn     *conn
	readOnly bool
}

func (c *conn) Begin() (driver.Tx, error) { return c.BeginTx(context.Background(), driver.TxOptions{}) }

// BeginTx begins an immediate transaction, or, read-only, one that refuses to write. There is one connection, so
// every transaction is serializable.
func (c *conn) BeginTx(ctx context.Context, o driver.TxOptions) (driver.Tx, error) {
	switch sql.IsolationLevel(o.Isolation) {
	case sql.LevelDefault, sql.LevelSerializable:
	default:
		return nil, fmt.Errorf("begin: isolation level %s is not offered", sql.IsolationLevel(o.Isolation))
	}
	if !o.ReadOnly {
		if err := c.run(ctx, "BEGIN IMMEDIATE"); err != nil {
			return nil, err
		}
		return &tx{conn: c}, nil
	}
	if err := c.run(ctx, "PRAGMA query_only = ON"); err != nil {
		return nil, err
	}
	t := &tx{conn: c, readOnly: true}
	if err := c.run(ctx, "BEGIN"); err != nil {
		return nil, errors.Join(err, t.end())
	}
	return t, nil
}

// Commit returns after the transaction is flushed to the disk. If it fails, the transaction is rolled back.
func (t *tx) Commit() error {
	err := t.conn.run(context.Background(), "COMMIT")
	if err != nil {
		err = errors.Join(err, t.undo())
	}
	return errors.Join(err, t.end())
}

func (t *tx) Rollback() error { return errors.Join(t.undo(), t.end()) }

// undo rolls back unless SQLite has done so itself, as it does when no room is left.
func (t *tx) undo() error {
	over, err := t.conn.shim.call(t.conn.shim.autocommit, t.conn.handle)
	if err != nil || over == 1 {
		return err
	}
	return t.conn.run(context.Background(), "ROLLBACK")
}

func (t *tx) end() error {
	if !t.readOnly {
		return nil
	}
	return t.conn.run(context.Background(), "PRAGMA query_only = OFF")
}

func (c *conn) run(ctx context.Context, query string) error {
	if c.closed {
		return errClosed
	}
	_, err := c.ExecContext(ctx, query, nil)
	return err
}
