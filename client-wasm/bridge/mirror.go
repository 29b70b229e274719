package bridge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/record"
)

// Mirror is a second place for what a young store commits; see package driver,
// whose Mirror is one.
type Mirror interface {
	// Put keeps bytes under a key and returns when they are on the disk. Once
	// the store is old it does nothing.
	Put(ctx context.Context, key string, b []byte) error
	// All returns what is kept, by key.
	All(ctx context.Context) ([]Mirrored, error)
	// Trim empties the mirror if the store is old, and tells whether it is.
	Trim(ctx context.Context) (old bool, err error)
	Close()
}

// Mirrored is one entry of a mirror.
type Mirrored struct {
	Key   string
	Bytes []byte
}

// The keys of a mirror: the state under one, each changeset under its dot,
// each definition under its name and version.
const (
	stateKey      = "state"
	changesetKey  = "changeset "
	definitionKey = "definition "
)

// mirroredState is what a store has to be given back before its changesets
// mean anything.
type mirroredState struct {
	Meta    replica.Meta
	Streams []replica.Stream // cursors at zero: the server's part is received anew
}

// mirroredChangeset is one changeset, and which forms it came of: whoever was not
// told that a form was saved saves it again, and the changeset may have been given
// back meanwhile.
type mirroredChangeset struct {
	Changeset []byte
	Saved     []replica.Saved
}

// mirrored is a store whose commits reach its mirror first. A commit that the
// mirror refuses has not happened; one that only the mirror took was never
// acknowledged: the next one of the same dot replaces it there, or it is given back
// to whoever opens the store next.
type mirrored struct {
	replica.Store
	mirror Mirror

	mu    sync.Mutex
	old   bool
	state mirroredState
}

// Commit does all that b asks for, or nothing.
func (m *mirrored) Commit(ctx context.Context, b *replica.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.old {
		if err := m.put(ctx, b); err != nil {
			return fmt.Errorf("mirror a change: %w", err)
		}
	}
	return m.Store.Commit(ctx, b)
}

func (m *mirrored) put(ctx context.Context, b *replica.Batch) error {
	for i, e := range b.Append {
		c := mirroredChangeset{Changeset: record.AppendChangeset(nil, e.Changeset)}
		if i == len(b.Append)-1 {
			c.Saved = b.Saved
		}
		if err := m.mirror.Put(ctx, changesetKey+e.Changeset.Dot.String(), encode(c)); err != nil {
			return err
		}
	}
	for _, d := range b.Definitions {
		if err := m.mirror.Put(ctx, fmt.Sprintf("%s%s %d", definitionKey, d.Register, d.Version), d.Body); err != nil {
			return err
		}
	}
	after := m.state.after(b)
	if after.same(m.state) {
		return nil
	}
	if err := m.mirror.Put(ctx, stateKey, encode(after)); err != nil {
		return err
	}
	m.state = after
	return nil
}

// after returns the state that b leads to.
func (s mirroredState) after(b *replica.Batch) mirroredState {
	if b.Meta != nil {
		s.Meta = *b.Meta
	}
	s.Streams = slices.DeleteFunc(slices.Clone(s.Streams), func(t replica.Stream) bool { return slices.Contains(b.DropStreams, t.Stream) })
	for _, t := range b.Streams {
		fresh := replica.Stream{Withdrawn: t.Withdrawn}
		fresh.Stream, fresh.Neighbourhoods, fresh.Priority = t.Stream, t.Neighbourhoods, t.Priority
		if i := slices.IndexFunc(s.Streams, func(u replica.Stream) bool { return u.Stream == t.Stream }); i >= 0 {
			s.Streams[i] = fresh
		} else {
			s.Streams = append(s.Streams, fresh)
		}
	}
	return s
}

// same reports whether s says all that o does, but for what the server repeats
// at the next contact and what the changesets say themselves.
func (s mirroredState) same(o mirroredState) bool {
	a, b := s.Meta, o.Meta
	return a.Account == b.Account && a.Replica == b.Replica && a.Epoch == b.Epoch && a.Current == b.Current && a.Next == b.Next &&
		bytes.Equal(a.Session, b.Session) && slices.EqualFunc(s.Streams, o.Streams, func(t, u replica.Stream) bool {
		return t.Stream == u.Stream && t.Withdrawn == u.Withdrawn && t.Priority == u.Priority
	})
}

// lastKnown returns what o says of itself, after giving back to a store that
// has lost everything what its mirror holds.
func lastKnown(ctx context.Context, o *Opened) (replica.Meta, error) {
	state, err := o.Store.State(ctx)
	if err != nil {
		return replica.Meta{}, err
	}
	if o.Mirror == nil || state.Meta.Account.Name != "" {
		return state.Meta, nil
	}
	all, err := o.Mirror.All(ctx)
	if err != nil {
		return replica.Meta{}, fmt.Errorf("read the mirror: %w", err)
	}
	b := &replica.Batch{}
	for _, e := range all {
		if name, ok := strings.CutPrefix(e.Key, definitionKey); ok {
			register, version, _ := strings.Cut(name, " ")
			n, err := strconv.ParseUint(version, 10, 32)
			if err != nil {
				return replica.Meta{}, fmt.Errorf("read the mirror: %s: %w", e.Key, err)
			}
			b.Definitions = append(b.Definitions, replica.Definition{Register: register, Version: uint32(n), Body: e.Bytes})
		}
		if e.Key == stateKey {
			var s mirroredState
			if err := json.Unmarshal(e.Bytes, &s); err != nil {
				return replica.Meta{}, fmt.Errorf("read the mirror: %w", err)
			}
			// The changesets that are put back say how far the counters went.
			s.Meta.Last, s.Meta.Entries = s.Meta.Acked, 0
			b.Meta, b.Streams = &s.Meta, s.Streams
		}
	}
	if b.Meta == nil {
		return replica.Meta{}, nil // a new store
	}
	if err := o.Store.Commit(ctx, b); err != nil {
		return replica.Meta{}, fmt.Errorf("give back what the store has lost: %w", err)
	}
	return *b.Meta, nil
}

// putBack gives r the mirrored changesets that it has lost, and begins to
// mirror what r commits.
func (m *mirrored) putBack(ctx context.Context, r *replica.Replica) error {
	state, err := m.Store.State(ctx)
	if err != nil {
		return err
	}
	all, err := m.mirror.All(ctx)
	if err != nil {
		if state.Meta.Last > 0 || state.Meta.Acked > 0 {
			return nil // the store knows more than a mirror that cannot be read
		}
		return fmt.Errorf("read the mirror: %w", err)
	}
	var lost []replica.Lost
	known := false
	for _, e := range all {
		known = known || e.Key == stateKey
		dot, ok := strings.CutPrefix(e.Key, changesetKey)
		if !ok {
			continue
		}
		if d, err := conflict.ParseDot(dot); err != nil || d.Replica != state.Meta.Replica || d.Counter <= state.Meta.Last {
			continue
		}
		var c mirroredChangeset
		if err := json.Unmarshal(e.Bytes, &c); err != nil {
			return fmt.Errorf("read the mirror: %s: %w", e.Key, err)
		}
		l := replica.Lost{Saved: c.Saved}
		if l.Changeset, err = record.ParseChangeset(c.Changeset); err != nil {
			return fmt.Errorf("read the mirror: %s: %w", e.Key, err)
		}
		lost = append(lost, l)
	}
	m.mu.Lock()
	if known {
		m.state = mirroredState{}.after(&replica.Batch{Meta: &state.Meta, Streams: state.Streams})
	}
	m.mu.Unlock()
	if err := r.PutBack(ctx, lost); err != nil {
		return fmt.Errorf("give back what the store has lost: %w", err)
	}
	return nil
}

// trim ends the mirror's work when the store is old, and tells whether it is.
func (m *mirrored) trim(ctx context.Context) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.old {
		return true, nil
	}
	old, err := m.mirror.Trim(ctx)
	m.old = old && err == nil
	return m.old, err
}

// trimEvery is how often a mirror is asked whether its store is old enough.
const trimEvery = 30 * time.Second

// age trims the mirror until its store is old.
func (a *account) age() {
	defer a.mirror.mirror.Close()
	for {
		old, err := a.mirror.trim(a.life)
		if err != nil {
			a.b.cfg.Log("trim the mirror: " + err.Error())
		}
		if old || !a.wait(trimEvery) {
			return
		}
	}
}
