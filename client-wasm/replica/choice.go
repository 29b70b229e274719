package replica

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"wardbook/sync/protocol"
)

// Choice is what the officer wants to have on this device, within what the
// server offers. The zero Choice wants everything. It never stops what is sent.
type Choice struct {
	// Paused holds all receiving back until it is taken off again.
	Paused bool `json:"paused"`
	// Registers narrows some of the registers; others are wanted whole.
	Registers []ChosenRegister `json:"registers"`
	// First is the register that comes before the others, as the one in hand.
	First string `json:"first,omitempty"`
}

// ChosenRegister is what is wanted of one register.
type ChosenRegister struct {
	Register       string   `json:"register"`
	Off            bool     `json:"off,omitempty"`            // nothing of it
	Neighbourhoods []string `json:"neighbourhoods,omitempty"` // none means all
}

// of returns what is wanted of a register.
func (c Choice) of(register string) ChosenRegister {
	for _, r := range c.Registers {
		if r.Register == register {
			return r
		}
	}
	return ChosenRegister{Register: register}
}

// Set replaces what is wanted of one register.
func (c *Choice) Set(reg ChosenRegister) {
	c.Registers = slices.DeleteFunc(slices.Clone(c.Registers), func(r ChosenRegister) bool { return r.Register == reg.Register })
	if reg.Off || len(reg.Neighbourhoods) > 0 {
		c.Registers = append(c.Registers, reg)
	}
}

// Choose changes what the officer wants on this device, and sees to it. What
// is wanted no more is forgotten once everything unsent is at the server; what
// is wanted anew begins empty.
func (r *Replica) Choose(ctx context.Context, change func(*Choice)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.meta.Choice
	c.Registers = slices.Clone(c.Registers)
	change(&c)
	if c.First != "" && r.definition(c.First) == nil {
		return noRegister(c.First)
	}
	for i := range c.Registers {
		reg := &c.Registers[i]
		if r.definition(reg.Register) == nil {
			return noRegister(reg.Register)
		}
		reg.Neighbourhoods = slices.Clone(reg.Neighbourhoods)
		slices.Sort(reg.Neighbourhoods)
		reg.Neighbourhoods = slices.Compact(reg.Neighbourhoods)
		if len(reg.Neighbourhoods) > protocol.MaxNeighbourhoods {
			return &Failure{Code: "too_large", VI: "Chọn quá nhiều khu phố, ấp; hãy chọn cả sổ.", EN: "too many neighbourhoods; choose the whole register"}
		}
	}
	meta := r.meta
	meta.Choice = c
	return r.rescope(ctx, meta)
}

// Hold holds all receiving back until it is let go again, as when the day's
// data is used up. It is not kept.
func (r *Replica) Hold(hold bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hold == hold {
		return
	}
	before := r.paused()
	r.hold = hold
	if r.paused() != before {
		r.scopes++
		r.signal()
	}
}

// paused reports whether receiving is held back.
func (r *Replica) paused() bool { return r.hold || r.meta.Choice.Paused }

// SetScopes says which streams the server offers to the device. Of those the
// device holds what was chosen. New ones begin empty; of those that are missing
// what is pending is sent first, then they are forgotten, once the server was heard.
func (r *Replica) SetScopes(ctx context.Context, scopes []protocol.Scope) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	meta := r.meta
	meta.Offered = make([]protocol.Scope, len(scopes))
	for i, s := range scopes {
		meta.Offered[i] = protocol.Scope{Stream: s.Stream, Neighbourhoods: s.Neighbourhoods, Priority: s.Priority}
	}
	return r.rescope(ctx, meta)
}

// rescope commits meta, and brings the streams to what is offered and chosen.
func (r *Replica) rescope(ctx context.Context, meta Meta) error {
	if meta.Offered == nil { // a store of before choices: what it holds was offered
		for _, s := range r.streams {
			if !s.Withdrawn {
				meta.Offered = append(meta.Offered, protocol.Scope{Stream: s.Stream, Neighbourhoods: s.Neighbourhoods, Priority: s.Priority})
			}
		}
	}
	wanted := []protocol.Scope{}
	for _, s := range meta.Offered {
		c := meta.Choice.of(s.Register)
		if c.Off {
			continue
		}
		if len(c.Neighbourhoods) > 0 {
			s.Neighbourhoods = c.Neighbourhoods
		}
		if meta.Choice.First != "" && s.Register != meta.Choice.First {
			s.Priority += 2 // behind both classes of the register in hand
		}
		wanted = append(wanted, s)
	}
	b := &Batch{}
	if !sameChoice(meta, r.meta) {
		b.Meta = &meta
	}
	for _, s := range wanted {
		have := r.stream(s.Stream)
		switch {
		case have == nil:
			b.Streams = append(b.Streams, Stream{Scope: s})
		case !slices.Equal(have.Neighbourhoods, s.Neighbourhoods):
			// From its beginning again: that is how the server tells what has
			// come in and what has gone out.
			again := *have
			again.Withdrawn, again.Priority, again.Neighbourhoods = false, s.Priority, s.Neighbourhoods
			again.Cursor, again.Floor = 0, 0
			b.Streams = append(b.Streams, again)
		case have.Withdrawn || have.Priority != s.Priority:
			again := *have
			again.Withdrawn, again.Priority = false, s.Priority
			b.Streams = append(b.Streams, again)
		}
	}
	for _, have := range r.streams {
		if !have.Withdrawn && !slices.ContainsFunc(wanted, func(s protocol.Scope) bool { return s.Stream == have.Stream }) {
			have.Withdrawn = true
			b.Streams = append(b.Streams, have)
		}
	}
	if b.Empty() {
		return nil
	}
	rescoped := len(b.Streams) > 0 || meta.Choice.Paused != r.meta.Choice.Paused
	if err := r.commit(ctx, b); err != nil {
		return fmt.Errorf("set scopes: %w", err)
	}
	if rescoped {
		r.scopes++
		r.signal()
	}
	// What is not wanted any more is forgotten behind the next Welcome: a server
	// that was restored meanwhile may need what this device keeps of it.
	return nil
}

func sameChoice(a, b Meta) bool {
	return a.Choice.Paused == b.Choice.Paused && a.Choice.First == b.Choice.First &&
		slices.EqualFunc(a.Choice.Registers, b.Choice.Registers, func(x, y ChosenRegister) bool {
			return x.Register == y.Register && x.Off == y.Off && slices.Equal(x.Neighbourhoods, y.Neighbourhoods)
		}) &&
		slices.EqualFunc(a.Offered, b.Offered, func(x, y protocol.Scope) bool {
			return x.Stream == y.Stream && x.Priority == y.Priority && slices.Equal(x.Neighbourhoods, y.Neighbourhoods)
		})
}

// ScopeView is what the device holds of one register, and what of it is chosen.
type ScopeView struct {
	Register       string   `json:"register"`
	Off            bool     `json:"off"`
	Neighbourhoods []string `json:"neighbourhoods"`
	Have           int      `json:"have"`
	Of             int      `json:"of"`
	Complete       bool     `json:"complete"`
	Leaving        bool     `json:"leaving"` // chosen off, and not forgotten yet
}

// ChoiceView is the choice as the page is told of it.
type ChoiceView struct {
	Paused bool        `json:"paused"`
	Scopes []ScopeView `json:"scopes"` // of every register that is offered, by id
}

// Scopes returns what is offered, chosen and held, register by register.
func (r *Replica) Scopes(ctx context.Context) (ChoiceView, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	made, err := r.store.Made(ctx)
	if err != nil {
		return ChoiceView{}, wrap("scopes", err)
	}
	v := ChoiceView{Paused: r.meta.Choice.Paused, Scopes: []ScopeView{}}
	for _, offered := range r.meta.Offered {
		if offered.Class != protocol.Basic || r.definition(offered.Register) == nil {
			continue
		}
		c := r.meta.Choice.of(offered.Register)
		s := ScopeView{Register: offered.Register, Off: c.Off, Neighbourhoods: append([]string{}, c.Neighbourhoods...)}
		if t := r.stream(offered.Stream); t != nil {
			s.Have, s.Of = t.part(made[t.Stream])
			s.Complete, s.Leaving = t.complete() && !c.Off, t.Withdrawn
		}
		v.Scopes = append(v.Scopes, s)
	}
	slices.SortFunc(v.Scopes, func(a, b ScopeView) int { return cmp.Compare(a.Register, b.Register) })
	return v, nil
}

// part returns how many records of the stream are here, with those that were
// made here and have not come with it, and how many are to be. The server
// counts whole registers only: of a part it is what has come in relation to how
// far the feed has been read.
func (s Stream) part(made int) (have, of int) {
	have, of = int(s.Have)+made, int(s.Count)
	if len(s.Neighbourhoods) > 0 {
		of = 0
		if !s.complete() && s.Cursor > 0 && s.Head > s.Cursor {
			of = int(float64(s.Have) * float64(s.Head) / float64(s.Cursor))
		}
	}
	return have, max(of, have)
}
