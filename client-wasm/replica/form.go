package replica

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// OpenForm opens the record with that id, or a new record of register reg if
// id is "". What is on the screen now, values and vectors, is kept durably
// with the form, under a random key.
func (r *Replica) OpenForm(ctx context.Context, id, reg string) (Form, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var raw [16]byte
	if _, err := io.ReadFull(r.rand, raw[:]); err != nil {
		return Form{}, fmt.Errorf("open form: %w", err)
	}
	d := Draft{Key: hex.EncodeToString(raw[:]), OpenedAt: r.now(), Seen: map[conflict.FieldKey]conflict.Vector{},
		Shown: map[string]conflict.Value{}, Defaults: map[string]string{}, Typed: map[string]string{}}
	var n *reading
	if id == "" {
		def := r.definition(reg)
		if def == nil {
			return Form{}, noRegister(reg)
		}
		d.Register, d.Unit = reg, r.meta.Account.Unit
		n = r.read(&Holding{Register: reg, Unit: d.Unit})
		for name, value := range register.Defaults(def, register.Env{Unit: register.UnitCode(d.Unit), Today: r.today()}) {
			d.Defaults[name] = string(value)
		}
	} else {
		h, err := r.held(ctx, id)
		if err != nil {
			return Form{}, err
		}
		n = r.read(&h)
		if err := n.closed(); err != nil {
			return Form{}, err
		}
		d.Record, d.Register, d.Unit = h.ID, h.Register, h.Unit
		d.Shown, d.Conflicts, d.Question = n.values, n.conflicts, n.question()
		d.Seen = vectors(n.head)
	}
	d.Definition = n.def.Version
	if err := r.commit(ctx, &Batch{Drafts: []Draft{d}}); err != nil {
		return Form{}, fmt.Errorf("open form: %w", err)
	}
	return r.form(ctx, d, n), nil
}

// question returns the id of the return that waits for an answer, or "".
func (n *reading) question() string {
	if n.standing.Review.Decision == "returned" {
		return n.standing.Review.Question
	}
	return ""
}

func vectors(head conflict.Record) map[conflict.FieldKey]conflict.Vector {
	m := make(map[conflict.FieldKey]conflict.Vector, head.Len())
	for k, f := range head.All() {
		m[k] = f.Vector()
	}
	return m
}

// form makes the page's form of a draft.
func (r *Replica) form(ctx context.Context, d Draft, n *reading) Form {
	f := Form{Key: d.Key, Record: r.view(ctx, n), Definition: d.Definition, Shown: map[string]string{}, Values: map[string]string{},
		IsNew: d.Record.IsZero(), OpenedAt: d.OpenedAt, Dirty: len(d.Typed) > 0}
	if f.IsNew {
		f.Record.ID = ""
	}
	for name, value := range d.Shown {
		if def := n.def.FieldByName(name); def != nil && !def.Masked {
			f.Shown[name] = string(value)
		}
	}
	maps.Copy(f.Values, f.Shown)
	maps.Copy(f.Values, d.Defaults)
	maps.Copy(f.Values, d.Typed)
	return f
}

// SaveDraft keeps what was typed so far. Values replaces what was kept before;
// it may name only some fields.
func (r *Replica) SaveDraft(ctx context.Context, key string, values map[string]string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok, err := r.store.Draft(ctx, key)
	if err != nil {
		return fmt.Errorf("save draft: %w", err)
	}
	if !ok {
		return noForm(key)
	}
	def := r.version(d.Register, d.Definition)
	typed := map[string]string{}
	for name, text := range values {
		if def == nil || def.FieldByName(name) == nil {
			return noField(d.Register, name)
		}
		before := string(d.Shown[name])
		if text0, ok := d.Defaults[name]; ok {
			before = text0
		}
		if text != before {
			typed[name] = text
		}
	}
	if maps.Equal(typed, d.Typed) {
		return nil
	}
	d.Typed = typed
	if err := r.commit(ctx, &Batch{Drafts: []Draft{d}}); err != nil {
		return fmt.Errorf("save draft: %w", err)
	}
	return nil
}

// Drafts returns the forms that were neither saved nor given up, newest first.
func (r *Replica) Drafts(ctx context.Context) ([]Form, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	drafts, err := r.store.Drafts(ctx)
	if err != nil {
		return nil, fmt.Errorf("drafts: %w", err)
	}
	forms := []Form{}
	for _, d := range slices.Backward(drafts) {
		h := Holding{ID: d.Record, Register: d.Register, Unit: d.Unit}
		if !d.Record.IsZero() {
			held, ok, err := r.holding(ctx, d.Record)
			if err != nil {
				return nil, fmt.Errorf("drafts: %w", err)
			}
			if ok {
				h = held
			}
		}
		if n := r.read(&h); n.def != nil {
			forms = append(forms, r.form(ctx, d, n))
		}
	}
	return forms, nil
}

// Discard gives a form up. One that is not there is no error.
func (r *Replica) Discard(ctx context.Context, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.commit(ctx, &Batch{DropDrafts: []string{key}}); err != nil {
		return fmt.Errorf("discard form: %w", err)
	}
	return nil
}
