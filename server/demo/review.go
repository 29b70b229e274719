package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Review is what is to become of the first unit's records: three in four are
// approved, some are changed after that, and the rest waits at every place
// between a draft and a decision, so that a newcomer sees them all.
type Review struct {
	store  Store
	ledger *ledger.Ledger
	def    *register.Definition
	now    int64

	// More is how many further approved records are changed, household by
	// household, and wait: what a supervisor finds after a campaign.
	More int

	approve map[string]*resident // by record
	order   []*resident          // of approve
	hand    []*resident          // to be handed in at the end
	twins   []*resident          // entered twice; some of them are handed in
}

// fate is how far a record goes by itself.
type fate int

const (
	draft fate = iota
	submitted
	approved
)

// fateOf decides by household: a supervisor works through papers, not persons.
func fateOf(r *Review, household int) fate {
	switch n := household % 20; {
	case r == nil || n > 15:
		return draft
	case n == 15:
		return submitted
	}
	return approved
}

// note remembers a record with its fate. r may be nil.
func (r *Review) note(made *resident, f fate) {
	switch {
	case r == nil:
	case f == approved:
		r.approve[made.id.String()] = made
		r.order = append(r.order, made)
	case f == submitted:
		r.hand = append(r.hand, made)
	case made.p["no_id_reason"] != "":
		r.twins = append(r.twins, made)
	}
}

// mismatches are the reasons that officers give for a warning.
var mismatches = []string{
	"Đã xem căn cước bản gốc; cơ sở dữ liệu ghi thiếu chữ đệm.",
	"Gia đình đã nộp đơn cải chính, đang chờ kết quả.",
	"Năm sinh trên giấy khai sinh khác căn cước; ghi theo căn cước.",
}

// change is one change to an approved record, and what the supervisor does.
type change struct {
	field  string
	value  func(p person, n int) string
	reason map[string]string // by "FIELD CODE"
	asked  string            // returned with this question
	no     string            // refused for this reason
}

// changes are dealt out to the officers in turn, so that officer.b's are the odd ones.
var changes = []change{
	{field: "phone", value: newPhone},
	{field: "phone", value: newPhone, asked: "Số này trùng với số của chủ hộ ghi trên phiếu. Anh gọi lại xác nhận giúp."},
	{field: "current_address", value: moved},
	{field: "health_ins_no", value: func(_ person, n int) string { return fmt.Sprintf("79%08d", 40_118_207+n*1_907) }},
	{field: "hometown", value: func(person, int) string { return "Bến Tre" }, no: "Giấy khai sinh ghi quê quán khác; không có giấy tờ cải chính."},
	{field: "current_address", value: moved, asked: "Người này chuyển hẳn hay chỉ tạm vắng? Xin ghi rõ và cho biết ai xác nhận."},
	{field: "match_result", value: func(person, int) string { return "SAI_LECH" }, reason: map[string]string{"match_result W_MISMATCH": mismatches[1]}},
	{field: "phone", value: newPhone},
}

// further are the changes of Review.More.
var further = []change{changes[2], changes[0], changes[3], changes[7]}

// changesMade is how many approved records are changed again, twinsMade how
// many that were entered twice are handed in.
const changesMade, twinsMade = 32, 2

func newPhone(_ person, n int) string { return fmt.Sprintf("09%08d", 37_204_118+n*40_009) }

// moved is another house in the same street.
func moved(p person, n int) string {
	unit, rest, _ := strings.Cut(p["current_address"], " ")
	_, street, _ := strings.Cut(rest, " ")
	return fmt.Sprintf("%s %d %s", unit, 12+n*7, street)
}

// Do has the supervisor of ctx work through the records: with the desk of the
// running server, as anybody would, only faster. officers are the two accounts
// that the changes come from.
func (r *Review) Do(ctx context.Context, desk *review.Service, officers [2]string) error {
	waiting, err := queue(ctx, desk)
	if err != nil {
		return err
	}
	if err := r.approveAll(ctx, desk, waiting); err != nil {
		return err
	}
	made, err := r.changeSome(ctx, officers)
	if err != nil {
		return err
	}
	if waiting, err = queue(ctx, desk); err != nil {
		return err
	}
	for _, item := range waiting {
		c, ok := made[item.ID]
		switch {
		case !ok:
		case c.asked != "":
			_, err = desk.Return(ctx, review.ReturnRequest{ID: item.ID, Digest: item.Digest, Fields: []string{c.field}, Comment: c.asked})
		case c.no != "":
			_, err = desk.Refuse(ctx, review.RefuseRequest{ID: item.ID, Digest: item.Digest, Fields: []string{c.field}, Reason: c.no})
		}
		if err != nil {
			return fmt.Errorf("decide about %s of %s: %w", c.field, item.ID, err)
		}
	}
	return r.handIn(ctx)
}

// handIn has a former officer hand in the last of what they entered. It comes
// behind the changes, which a supervisor should not have to look for.
func (r *Review) handIn(ctx context.Context) error {
	w := newWriter(Units[0], Former[1].Name, 102)
	err := r.store.Update(ctx, func(t ledger.Tables) error {
		hand := append(r.hand, r.twins[min(1, len(r.twins)):min(1+twinsMade, len(r.twins))]...) // the first is removed
		for i, who := range hand {
			head, err := headOf(t, who.id)
			if err != nil {
				return err
			}
			reasons := map[string]string{}
			if who.p["match_result"] == "SAI_LECH" {
				reasons["match_result W_MISMATCH"] = mismatches[i/6%len(mismatches)]
			}
			w.submit(Units[0], r.now-int64(len(hand)-i)*60_000, r.def, who.id, head, nil, reasons)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return w.push(ctx, r.store, r.ledger, r.now)
}

// queue reads all that was handed in.
func queue(ctx context.Context, desk *review.Service) ([]review.Item, error) {
	var all []review.Item
	for cursor := ""; ; {
		page, err := desk.Queue(ctx, review.QueueRequest{Cursor: cursor, Limit: 200})
		if err != nil {
			return nil, fmt.Errorf("read the queue: %w", err)
		}
		all = append(all, page.Items...)
		if cursor = page.NextCursor; cursor == "" {
			return all, nil
		}
	}
}

// atOnce is how many approvals share the committer's flushes.
const atOnce = 64

// approveAll approves what is to be approved, and leaves what the rules find
// fault with to a person.
func (r *Review) approveAll(ctx context.Context, desk *review.Service, waiting []review.Item) error {
	next := make(chan review.Item)
	failed := make(chan error, atOnce)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var hands sync.WaitGroup
	for range atOnce {
		hands.Go(func() {
			for item := range next {
				if _, err := desk.Approve(ctx, review.ApproveRequest{ID: item.ID, Digest: item.Digest}); err != nil {
					failed <- fmt.Errorf("approve %s: %w", item.ID, err)
					cancel()
					return
				}
			}
		})
	}
	func() {
		defer close(next)
		for _, item := range waiting {
			if r.approve[item.ID] == nil || item.Errors > 0 || item.Warnings > 0 {
				delete(r.approve, item.ID)
				continue
			}
			select {
			case next <- item:
			case <-ctx.Done():
				return
			}
		}
	}()
	hands.Wait()
	close(failed)
	return errors.Join(<-failed, context.Cause(ctx))
}

// changeSome has officers change approved records, and remove one that was
// entered twice. It returns the changes by record.
func (r *Review) changeSome(ctx context.Context, officers [2]string) (map[string]change, error) {
	unit := Units[0]
	var hands [2]*writer
	for i, name := range officers {
		hands[i] = newWriter(unit, name, uint64(100+i))
		hands[i].source = conflict.Typed
	}
	made := map[string]change{}
	err := r.store.Update(ctx, func(t ledger.Tables) error {
		for n := range min(changesMade+r.More, len(r.order)) {
			who, c, hand := r.order[(n*41+7)%len(r.order)], changes[n%len(changes)], hands[n%2]
			if n >= changesMade {
				who, c, hand = r.order[n], further[n%len(further)], hands[n/len(further)%2]
			}
			id := who.id.String()
			if _, again := made[id]; again || r.approve[id] == nil {
				continue
			}
			head, err := headOf(t, who.id)
			if err != nil {
				return err
			}
			field := r.def.FieldByName(c.field)
			value, err := register.Normalise(r.def, c.field, c.value(who.p, n))
			if err != nil {
				return fmt.Errorf("field %s: %w", c.field, err)
			}
			key := conflict.Key(field.ID)
			write := record.Write{Key: key, Context: head.Field(key).Vector(), Value: value}
			hand.submit(unit, r.now-int64(changesMade+r.More-n)*11*60_000, r.def, who.id, head, []record.Write{write}, c.reason)
			made[id] = c
		}
		if len(r.twins) == 0 {
			return nil
		}
		twin := r.twins[0].id
		head, err := headOf(t, twin)
		if err != nil {
			return err
		}
		gone := record.Write{Key: conflict.Key(conflict.FieldLife), Context: head.Field(conflict.Key(conflict.FieldLife)).Vector(),
			Value: conflict.Life{Deleted: true, Seen: head.Seen()}.Value()}
		hands[0].write(unit, r.now-9*60_000, r.def, twin, []record.Write{gone})
		return nil
	})
	for _, w := range hands {
		if err == nil {
			err = w.push(ctx, r.store, r.ledger, r.now)
		}
	}
	return made, err
}

// headOf returns the record as the server has it.
func headOf(t ledger.Tables, id conflict.RecordID) (conflict.Record, error) {
	row, ok, err := t.Record(id)
	if err == nil && !ok {
		err = fmt.Errorf("record %v is missing", id)
	}
	if err != nil {
		return conflict.Record{}, err
	}
	head, _, err := record.ParseState(row.State, id)
	return head, err
}
