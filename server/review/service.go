package review

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Config is what a Service is made of.
type Config struct {
	Store  *sqlite.Store
	Ledger *ledger.Ledger
	// Definition returns the newest definition of a register. It must return the
	// same pointer until the definition changes.
	Definition func(id string) (*register.Definition, bool)
	// IsUnit reports whether records may be sent to a unit. Nil takes any.
	IsUnit func(code string) bool
	// Notify is told, once they are durable, how far streams have moved. It must
	// be quick. Nil tells nobody.
	Notify func([]protocol.StreamMark)
	// Settled is told, once it is durable, that an entry in quarantine was
	// settled, for the sessions of that replica; a device that is not connected
	// hears of it when it next says hello. It must be quick. Nil tells nobody.
	Settled func(replica conflict.ReplicaID, r *protocol.Refusal)
	// Random makes the key of the digests; nil: crypto/rand.
	Random io.Reader
}

// Service is the supervisor's desk. Every call takes the caller from the context
// (auth.NewContext) and asks the authoriser in the transaction that acts. It is
// safe for concurrent use. Errors are *rpc.Error where the caller may learn why.
type Service struct {
	cfg     Config
	key     []byte
	indexes indexes
	finders finders
	triages triages
}

// New returns the desk over c.Store, in which it keeps the key of its digests.
func New(ctx context.Context, c Config) (*Service, error) {
	if c.Random == nil {
		c.Random = rand.Reader
	}
	s := &Service{cfg: c}
	var text string
	err := c.Store.Update(ctx, func(tx *sqlite.Tx) (err error) {
		text, err = tx.DeskKey(func() (string, error) {
			b := make([]byte, 32)
			_, err := io.ReadFull(c.Random, b)
			return hex.EncodeToString(b), err
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("open desk: %w", err)
	}
	if s.key, err = hex.DecodeString(text); err != nil || len(s.key) != 32 {
		return nil, errors.New("open desk: the key of the digests is damaged")
	}
	return s, nil
}

// desk is one caller at work in one transaction.
type desk struct {
	s    *Service
	tx   *sqlite.Tx
	l    *sqlite.Ledger
	p    auth.Principal
	now  time.Time
	lang string

	entries map[int64][]ledger.Quarantine // by replica, as they are read
	writers map[conflict.ReplicaID]writer // as they are read
}

// seat reads the caller anew in tx and asks whether the desk of a unit is
// theirs at all.
func (s *Service) seat(ctx context.Context, tx *sqlite.Tx, lang string) (*desk, error) {
	k, err := s.caller(ctx, tx, lang)
	if err != nil {
		return nil, err
	}
	return k, auth.Can(k.p, auth.Review, k.p.Unit, auth.Basic)
}

// caller reads the caller anew in tx; what they may do is still to be asked.
func (s *Service) caller(ctx context.Context, tx *sqlite.Tx, lang string) (*desk, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return nil, err
	}
	k := &desk{s: s, tx: tx, l: sqlite.LedgerOf(tx), now: s.cfg.Store.Now(), lang: lang}
	if k.p, err = auth.Current(tx, p, k.now); err != nil {
		return nil, err
	}
	return k, nil
}

// row returns a record's row if the caller may do action on it. That a record is
// another unit's, and that there is none, look the same.
func (k *desk) row(text string, action auth.Action) (ledger.Row, error) {
	id, err := conflict.ParseDot(text)
	if err != nil {
		return ledger.Row{}, rpc.ErrNotFound.Because(err)
	}
	row, ok, err := k.l.Record(id)
	switch {
	case err != nil:
		return row, err
	case !ok:
		return row, rpc.ErrNotFound
	}
	if err := auth.Can(k.p, action, row.Unit, auth.Basic); err != nil {
		return ledger.Row{}, rpc.ErrNotFound.Because(err)
	}
	return row, nil
}

// open loads the record that text names for a decision.
func (k *desk) open(text string) (*dossier, error) {
	row, err := k.row(text, auth.Review)
	if err != nil {
		return nil, err
	}
	return k.load(row)
}

func (k *desk) load(row ledger.Row) (*dossier, error) {
	def, ok := k.s.cfg.Definition(row.Register)
	if !ok {
		return nil, fmt.Errorf("record %v: register %q has no definition", row.ID, row.Register)
	}
	return k.s.load(k.l, row, k.p, k.s.indexes.of(row.Unit, def), k.now)
}

// warm brings the index that a decision about the record will need up to date
// outside the one writer's transaction, where it would hold up everybody.
func (s *Service) warm(ctx context.Context, text string) error {
	id, err := conflict.ParseDot(text)
	if err != nil {
		return rpc.ErrNotFound.Because(err)
	}
	return s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		row, ok, err := l.Record(id)
		if err != nil || !ok {
			return err
		}
		if def, ok := s.cfg.Definition(row.Register); ok {
			return s.indexes.of(row.Unit, def).follow(l)
		}
		return nil
	})
}

// decide runs work on one record in one write transaction.
func (s *Service) decide(ctx context.Context, id, lang string, work func(*desk, *dossier) error) error {
	if err := s.warm(ctx, id); err != nil {
		return err
	}
	return s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, lang)
		if err != nil {
			return err
		}
		d, err := k.open(id)
		if err != nil {
			return err
		}
		return work(k, d)
	})
}

// look runs work in a read transaction, then writes into the audit log who
// looked at what; nobody gets an answer whose entry is not durable.
func (s *Service) look(ctx context.Context, lang string, e audit.Entry, work func(*desk) error) error {
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, lang)
		if err != nil {
			return err
		}
		e.Actor, e.Device, e.Unit = k.p.Account, k.p.Device, k.p.Unit
		return work(k)
	})
	if err != nil {
		return err
	}
	return s.log(ctx, e)
}

func (s *Service) log(ctx context.Context, e audit.Entry) error {
	return s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error { return audit.Append(tx, s.cfg.Store.Now(), e) })
}

// tell pokes the live sessions once the transaction is durable.
func (k *desk) tell(grew []protocol.StreamMark) {
	if k.s.cfg.Notify != nil && len(grew) > 0 {
		k.tx.AfterCommit(func() { k.s.cfg.Notify(grew) })
	}
}
