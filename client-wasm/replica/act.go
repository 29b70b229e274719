package replica

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// act runs one action on a record that is on the device: with the lock held it
// reads the record, lets fill add writes under the vectors of the moment, and
// commits them.
func (r *Replica) act(ctx context.Context, id string, fill func(n *reading, c *change) error) (SaveReply, error) {
	reply, changed, err := r.actOn(ctx, id, fill)
	if err == nil {
		r.tell(changed)
	}
	return reply, err
}

func (r *Replica) actOn(ctx context.Context, id string, fill func(n *reading, c *change) error) (SaveReply, Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return SaveReply{}, Changed{}, err
	}
	n := r.read(&h)
	if err := n.closed(); err != nil {
		return SaveReply{}, Changed{}, err
	}
	c := change{r: r, h: h, def: n.def, seen: vectors(n.head)}
	if err := fill(n, &c); err != nil {
		return SaveReply{}, Changed{}, err
	}
	if err := c.commit(ctx, &Batch{}, nil); err != nil {
		return SaveReply{}, Changed{}, err
	}
	return c.reply(ctx), c.changed(), nil
}

// Delete deletes a record and hands the deletion in. It is refused if the
// device holds only a part of the record. A deleted record stays as it is.
func (r *Replica) Delete(ctx context.Context, id string) (RecordView, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		if n.life == conflict.Deleted {
			return nil
		}
		if !r.mayDelete(n) {
			return &Failure{Code: "partial", VI: "Thiết bị này chỉ có một phần của hồ sơ nên không xóa được; hãy nhờ người có toàn bộ hồ sơ.",
				EN: "this device holds only a part of the record, so it cannot be deleted here; ask somebody who holds all of it"}
		}
		c.live(n, true)
		return nil
	})
	return reply.Record, wrap("delete", err)
}

// Restore takes a deletion back, and hands that in if no finding of level E
// stands. A record that is alive stays as it is.
func (r *Replica) Restore(ctx context.Context, id string) (RecordView, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		if n.life != conflict.Alive {
			c.live(n, false)
		}
		return nil
	})
	return reply.Record, wrap("restore", err)
}

// live says that the record is to go, or to stay, having seen all of it.
func (c *change) live(n *reading, deleted bool) {
	c.write(conflict.Key(conflict.FieldLife), conflict.Life{Deleted: deleted, Seen: n.head.Seen()}.Value())
	if c.submit = true; deleted {
		c.handIn()
	}
}

// handIn hands the record in whatever Validate finds: a deletion, or a choice
// between values that were handed in, waits for the supervisor as it is.
func (c *change) handIn() { c.submit, c.force = true, true }

// SettleRequest chooses the value of a field in conflict: that of a sibling,
// or another. For the field "life" the value is "alive" or "deleted".
type SettleRequest struct {
	ID    string  `json:"id"`
	Field string  `json:"field"`
	Dot   string  `json:"dot,omitempty"`
	Value *string `json:"value,omitempty"`
	Seen  string  `json:"seen,omitempty"` // FieldView.Seen of the screen on which somebody chose; "" takes what stands now
}

// Settle writes the chosen value over the siblings that were on the screen.
// What was handed in before stays handed in. A field that holds just the
// chosen value stays as it is.
func (r *Replica) Settle(ctx context.Context, q SettleRequest) (RecordView, error) {
	reply, err := r.act(ctx, q.ID, func(n *reading, c *change) error {
		submitted := n.standing.Stage == record.StageSubmitted
		if q.Field == "life" {
			return c.settleLife(n, q)
		}
		f := n.def.FieldByName(q.Field)
		if f == nil {
			return noField(n.Register, q.Field)
		}
		if f.Policy == conflict.Union {
			return &Failure{Code: "no_choice", Field: q.Field, VI: "Trường này gộp các giá trị nên không có gì để chọn.", EN: "this field unites its values, so there is nothing to settle; put sets it"}
		}
		k := conflict.Key(f.ID)
		field := n.head.Field(k)
		if q.Seen != "" {
			seen, err := conflict.ParseVector(q.Seen)
			if err != nil {
				return fmt.Errorf("what was seen: %w", err)
			}
			// No more than what stands: a vector from elsewhere must not
			// supersede what this device has never held.
			if !field.Vector().CoversAll(seen) {
				return &Failure{Code: "changed", Field: q.Field, VI: "Hồ sơ đã thay đổi; hãy xem lại rồi chọn.", EN: "the record has changed; look again, then choose"}
			}
			c.seen[k] = seen
		}
		value, err := chosen(n, f, field, q)
		if err != nil {
			return err
		}
		if field.Len() == 1 && field.At(0).Value == value || field.Len() == 0 && value == "" {
			return nil
		}
		c.write(k, value)
		if submitted {
			c.handIn()
		}
		return nil
	})
	return reply.Record, wrap("settle", err)
}

func chosen(n *reading, f *register.Field, field conflict.Field, q SettleRequest) (conflict.Value, error) {
	switch {
	case q.Dot != "":
		for i := range field.Len() {
			if s := field.At(i); s.Dot.String() == q.Dot {
				return s.Value, nil
			}
		}
		// The choice may have been made already: then its value stands alone.
		return "", &Failure{Code: "changed", Field: f.Name, VI: "Giá trị đã chọn không còn; hãy xem lại hồ sơ.", EN: "the chosen value no longer stands; look at the record again"}
	case q.Value != nil:
		return normalise(n.def, f.Name, *q.Value)
	}
	return "", &Failure{Code: "no_choice", Field: f.Name, VI: "Chưa chọn giá trị nào.", EN: "no value was chosen"}
}

func (c *change) settleLife(n *reading, q SettleRequest) error {
	value := ""
	if q.Value != nil {
		value = *q.Value
	}
	switch {
	case value == "alive":
		if n.life != conflict.Alive {
			c.live(n, false)
		}
	case value == "deleted" && n.life == conflict.Deleted:
	case value == "deleted":
		if !c.r.mayDelete(n) {
			return &Failure{Code: "partial", Field: "life", VI: "Thiết bị này chỉ có một phần của hồ sơ nên không xóa được.", EN: "this device holds only a part of the record, so it cannot be deleted here"}
		}
		c.live(n, true)
	default:
		return &Failure{Code: "no_choice", Field: "life", VI: "Hãy chọn giữ lại hoặc xóa hồ sơ.", EN: `the value of life is "alive" or "deleted"`}
	}
	return nil
}

// Submit hands in everything of a record that waits, unless a finding of level
// E stands, or one of level W without a reason: then Submitted is false.
func (r *Replica) Submit(ctx context.Context, id string, reasons map[string]string) (SaveReply, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		c.submit, c.reasons, c.strict = true, reasons, true
		return nil
	})
	return reply, wrap("submit", err)
}

// Answer answers a supervisor's question. The same answer given twice is one.
func (r *Replica) Answer(ctx context.Context, id, question, text string) (RecordView, error) {
	reply, err := r.act(ctx, id, func(n *reading, c *change) error {
		text := clean(text)
		if question == "" || n.standing.Review.Question != question || text == "" {
			return &Failure{Code: "no_question", VI: "Câu hỏi này không còn chờ trả lời.", EN: "that question does not wait for an answer, or the answer is empty"}
		}
		value := record.Answer{Question: question, Text: text}.Value()
		for _, s := range n.standing.Answers {
			if s.Value == value && s.Origin.Author == r.meta.Account.Name {
				return nil
			}
		}
		c.answer(n.head, question, value)
		return nil
	})
	return reply.Record, wrap("answer", err)
}

// answer adds an answer beside those that others gave to the same question;
// answers to earlier questions have had their time and go.
func (c *change) answer(head conflict.Record, question string, value conflict.Value) {
	k := conflict.Key(conflict.FieldAnswer)
	seen := c.seen[k]
	var past conflict.Vector
	f := head.Field(k)
	for i := range f.Len() {
		s := f.At(i)
		if a, err := record.ParseAnswer(s.Value); (err != nil || a.Question != question) && seen.Covers(s.Dot) {
			past = past.With(s.Dot)
		}
	}
	c.writes = append(c.writes, record.Write{Key: k, Context: past, Value: value})
}

// Dismiss takes a changeset in quarantine out of sight, once its author has
// dealt with it. The server keeps it.
func (r *Replica) Dismiss(ctx context.Context, id string, counter uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return err
	}
	for i := range h.Entries {
		e := &h.Entries[i]
		if e.Refusal != nil && e.Changeset.Dot.Counter == counter && r.acked(e) {
			return wrap("dismiss", r.forget(ctx, *e))
		}
	}
	return nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// clean makes stored text of what was typed into a free text of the system's.
func clean(s string) string {
	return strings.TrimSpace(norm.NFC.String(strings.ToValidUTF8(s, "\uFFFD")))
}
