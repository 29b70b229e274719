package replica

import (
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// settled describes the choice by which one value of a field took the place of
// several, if it was made here, still stands alone, and the values that gave way
// are known still.
func (r *Replica) settled(n *reading, f *register.Field, field conflict.Field) *Settled {
	if field.Len() != 1 {
		return nil
	}
	s := field.At(0)
	gone := n.gaveWay(s.Dot)
	if len(gone) < 2 {
		return nil
	}
	out := &Settled{Dot: s.Dot.String(), Others: []string{}}
	for _, was := range gone {
		text := register.Mask(n.def, f.Name, was.Value, r.lang)
		if was.Value != s.Value && !slices.Contains(out.Others, text) {
			out.Others = append(out.Others, text)
		}
	}
	return out
}

// gaveWay returns the values that a write of this device took the place of.
func (n *reading) gaveWay(dot conflict.Dot) []Replaced {
	for i := range n.Entries {
		if n.Entries[i].Refusal == nil {
			if all := n.Entries[i].replacedBy(dot); len(all) > 0 {
				return all
			}
		}
	}
	return nil
}

// known returns a value of a field that stands, or that the device knows to have
// stood: what its own changesets wrote and what they took the place of.
func (n *reading) known(f *register.Field, dot string) (conflict.Sibling, bool) {
	d, err := conflict.ParseDot(dot)
	if err != nil {
		return conflict.Sibling{}, false
	}
	field := n.head.Field(conflict.Key(f.ID))
	for i := range field.Len() {
		if s := field.At(i); s.Dot == d {
			return s, true
		}
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if at := e.edit(n.ID); at >= 0 {
			dot := e.Changeset.FirstDot(at)
			for _, w := range e.Changeset.Edits[at].Writes {
				if dot == d && w.Key == conflict.Key(f.ID) {
					return conflict.Sibling{Dot: d, Value: w.Value}, true
				}
				dot.Counter++
			}
		}
		for _, was := range e.Replaced {
			if was.Was == d && n.writes(e, was.Dot, f) {
				return conflict.Sibling{Dot: d, Value: was.Value}, true
			}
		}
	}
	return conflict.Sibling{}, false
}

// writes reports whether e wrote field f of the record at dot.
func (n *reading) writes(e *Entry, dot conflict.Dot, f *register.Field) bool {
	at := e.edit(n.ID)
	if at < 0 {
		return false
	}
	first := e.Changeset.FirstDot(at)
	i := int(dot.Counter) - int(first.Counter)
	writes := e.Changeset.Edits[at].Writes
	return i >= 0 && i < len(writes) && writes[i].Key == conflict.Key(f.ID)
}

func noValue(name string) error {
	return &Failure{Code: "changed", Field: name, VI: "Thiết bị này không còn giữ giá trị đó.", EN: "this device does not hold that value any more"}
}

// Undo takes a choice back that was made here: the values that gave way stand
// beside each other again, and a person has to choose anew. Each is written by
// itself over the choice, without having seen the others; nothing is unwritten,
// and history keeps the choice too. A choice that does not stand alone any more
// is left as it is.
func (r *Replica) Undo(ctx context.Context, id, field, dot string) (RecordView, error) {
	v, changed, err := r.undo(ctx, id, field, dot)
	if err == nil {
		r.tell(changed)
	}
	return v, wrap("undo", err)
}

func (r *Replica) undo(ctx context.Context, id, name, dot string) (RecordView, Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return RecordView{}, Changed{}, err
	}
	n := r.read(&h)
	if err := n.closed(); err != nil {
		return RecordView{}, Changed{}, err
	}
	f := n.def.FieldByName(name)
	if f == nil {
		return RecordView{}, Changed{}, noField(n.Register, name)
	}
	k := conflict.Key(f.ID)
	field := n.head.Field(k)
	if field.Len() != 1 || field.At(0).Dot.String() != dot {
		return RecordView{}, Changed{}, &Failure{Code: "changed", Field: name, VI: "Giá trị đã được thay đổi tiếp nên không hoàn tác được.", EN: "the value has changed since, so the choice cannot be undone"}
	}
	gone := n.gaveWay(field.At(0).Dot)
	if len(gone) < 2 {
		return RecordView{}, Changed{}, noValue(name)
	}
	seen := vectors(n.head)
	submitted := n.standing.Stage == record.StageSubmitted
	b := &Batch{}
	counts := r.counts
	var c change
	for _, was := range gone {
		c = change{r: r, h: h, def: n.def, seen: seen}
		c.write(k, was.Value)
		if submitted {
			c.handIn()
		}
		if err := c.add(ctx, b, &counts); err != nil {
			return RecordView{}, Changed{}, err
		}
		h = c.h
	}
	// Of the record's several states the last is kept.
	last := b.Put[len(b.Put)-1]
	last.Known = b.Put[0].Known
	b.Put = []Holding{last}
	if err := r.commit(ctx, b); err != nil {
		return RecordView{}, Changed{}, err
	}
	r.counts = counts
	return c.reply(ctx).Record, c.changed(), nil
}

// BringBack writes a value again that stood in a field once: an ordinary write
// over what stands there now, which stays in history. dot names the value, if
// the device knows it; else value is what it was.
func (r *Replica) BringBack(ctx context.Context, id, name, dot string, value *string) (RecordView, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		f := n.def.FieldByName(name)
		if f == nil {
			return noField(n.Register, name)
		}
		if f.Policy == conflict.Union {
			return &Failure{Code: "no_choice", Field: name, VI: "Trường này gộp các giá trị; hãy sửa trực tiếp.", EN: "this field unites its values; edit it instead"}
		}
		k := conflict.Key(f.ID)
		var back conflict.Value
		if s, ok := n.known(f, dot); ok {
			back = s.Value
		} else if value == nil {
			return noValue(name)
		} else {
			var err error
			if back, err = normalise(n.def, name, *value); err != nil {
				return err
			}
		}
		field := n.head.Field(k)
		if field.Len() == 1 && field.At(0).Value == back || field.Len() == 0 && back == "" {
			return nil
		}
		c.write(k, back)
		if n.standing.Stage == record.StageSubmitted {
			c.handIn()
		}
		return nil
	})
	return reply.Record, wrap("bring back", err)
}
