package review

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Moved lets what stands approved of a record follow it to another unit: the
// hub hears in the old unit that the record is gone, in the new one what it
// holds, under the same approval. It runs in the transaction of the move; l is
// the ledger that moved. It returns how far streams moved by it.
func Moved(l *ledger.Ledger, tables ledger.Tables, m ledger.Move) ([]protocol.StreamMark, error) {
	t, ok := tables.(*sqlite.Ledger)
	if !ok {
		return nil, nil // tables that keep no approvals
	}
	decisions, err := t.Approvals(m.Record)
	if err != nil || len(decisions) == 0 {
		return nil, err
	}
	last := decisions[len(decisions)-1]
	told := -1
	for i, a := range decisions {
		if a.Revision > 0 {
			told = i
		}
	}
	if told < 0 || decisions[told].Op != store.OpUpsert {
		return nil, nil // the hub holds nothing of it
	}
	at := decisions[told]
	at.Seq, at.Decision, at.Comment, at.Question, at.Fields = last.Seq, store.MovedDecision, "", "", nil
	put := func(unit, other string, op store.Op) error {
		at.Seq++
		at.Unit, at.Other, at.Op = unit, other, op
		if at.Revision, err = t.NextRevision(unit, m.Register); err != nil {
			return err
		}
		return t.AppendApproval(&at)
	}
	if err := put(m.From, m.To, store.OpDelete); err != nil {
		return nil, err
	}
	if err := put(m.To, m.From, store.OpUpsert); err != nil {
		return nil, err
	}
	revision := at.Revision
	if last.Dots.String() != at.Dots.String() {
		// More stands approved than the hub was told, for it is not complete yet.
		more := last
		more.Seq, more.Unit, more.Other = at.Seq+1, m.To, m.From
		more.Decision, more.Op, more.Revision, more.Comment, more.Question, more.Fields = store.MovedDecision, store.OpNone, 0, "", "", nil
		if err := t.AppendApproval(&more); err != nil {
			return nil, err
		}
	}
	return follow(l, t, m, at.Definition, revision)
}

// follow writes the hub's new revision where people look for it, under the version of
// the definition that the approval was made under: a decision that is given back to a
// restored server is published under it again.
func follow(l *ledger.Ledger, t *sqlite.Ledger, m ledger.Move, definition uint32, revision uint64) ([]protocol.StreamMark, error) {
	row, ok, err := t.Record(m.Record)
	if err != nil || !ok || row.Unit != m.To {
		return nil, err // sent on by the same push: that move names the revision
	}
	row.Revision = revision
	if err := t.PutRecord(&row); err != nil {
		return nil, err
	}
	r, _, err := record.ParseState(row.State, row.ID)
	if err != nil {
		return nil, err
	}
	v := record.StandingOf(r).Review
	if v.Decision == "" || v.Decision == record.Returned {
		return nil, nil // a question stands: its field is named by what answers it
	}
	v.Revision, v.Unit = revision, m.To
	k := conflict.Key(conflict.FieldReview)
	_, grew, err := l.Write(t, m.To, v.By, []record.Edit{{Record: m.Record, Register: m.Register, Definition: definition,
		Writes: []record.Write{{Key: k, Context: r.Field(k).Vector(), Value: v.Value()}}}})
	return grew, err
}

// What a move may be refused with.
var (
	ErrNoUnit   = &rpc.Error{Kind: rpc.Invalid, Code: "no_such_unit", Field: "to", Vi: "Không có đơn vị này.", En: "There is no such unit."}
	ErrSameUnit = &rpc.Error{Kind: rpc.Conflict, Code: "same_unit", Field: "to", Vi: "Hồ sơ đã ở đơn vị này.", En: "The record is in that unit already."}
	ErrArrived  = &rpc.Error{Kind: rpc.Conflict, Code: "not_arriving", Field: "records", Vi: "Hồ sơ này không chờ tiếp nhận.", En: "That record does not wait to be taken over."}
)

// MoveRequest sends records to another unit: one, or the members of a household.
type MoveRequest struct {
	Records []string `json:"records" doc:"all of the caller's unit; at most 256"`
	To      string   `json:"to" maxlen:"5" doc:"5-digit code of a unit"`
	Reason  string   `json:"reason" maxlen:"2000"`
}

// MoveResponse says what was done.
type MoveResponse struct {
	Records []string `json:"records"`
	Unit    string   `json:"unit" doc:"where they are now; empty if in several"`
}

// Move sends records of the caller's unit to another, all or none. A device asks
// for the same, also offline, by a write of the home field.
func (s *Service) Move(ctx context.Context, req MoveRequest) (MoveResponse, error) {
	out := MoveResponse{Records: req.Records, Unit: req.To}
	reason := strings.TrimSpace(req.Reason)
	if reason == "" {
		return out, ErrReasonMissing.At("reason")
	}
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		k, err := s.caller(ctx, tx, "")
		if err != nil {
			return err
		}
		if s.cfg.IsUnit != nil && !s.cfg.IsUnit(req.To) || req.To == "" {
			return ErrNoUnit
		}
		rows, err := k.rows(req.Records, auth.WriteRecord)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row.Unit == req.To {
				return ErrSameUnit
			}
		}
		return k.send("record.move", rows, func(row ledger.Row) record.Home {
			// Who assigns a waiting record to their own unit has taken it over.
			own := req.To == k.p.Unit && auth.Can(k.p, auth.Review, row.Unit, auth.Basic) == nil
			return record.Home{Unit: req.To, From: row.Unit, Reason: reason, Accepted: own}
		})
	})
	return out, err
}

// rows reads the named records, each of which the caller may do action on.
func (k *desk) rows(names []string, action auth.Action) ([]ledger.Row, error) {
	if len(names) == 0 || len(names) > record.MaxEdits {
		return nil, rpc.ErrInvalid.At("records")
	}
	var rows []ledger.Row
	for _, name := range names {
		row, err := k.row(name, action)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(rows, func(o ledger.Row) bool { return o.ID == row.ID }) {
			return nil, rpc.ErrInvalid.At("records")
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// send writes the home field of records, one changeset for each unit and home,
// and leaves an entry for each record.
func (k *desk) send(action string, rows []ledger.Row, home func(ledger.Row) record.Home) error {
	type batch struct {
		unit string
		home record.Home
	}
	var order []batch
	ids := map[batch][]conflict.RecordID{}
	for _, row := range rows {
		b := batch{row.Unit, home(row)}
		if ids[b] == nil {
			order = append(order, b)
		}
		ids[b] = append(ids[b], row.ID)
	}
	for _, b := range order {
		_, grew, err := k.s.cfg.Ledger.Send(k.l, b.unit, k.p.Name, ids[b], b.home)
		if err != nil {
			return err
		}
		k.tell(grew)
		for _, id := range ids[b] {
			if err := audit.Append(k.tx, k.now, audit.Entry{Actor: k.p.Account, Device: k.p.Device, Action: action, Unit: b.unit,
				Subject: id.String(), Detail: map[string]string{"from": b.unit, "to": b.home.Unit, "together": strconv.Itoa(len(ids[b]))}}); err != nil {
				return err
			}
		}
	}
	return nil
}

// Arrival is a record that was sent to the caller's unit.
type Arrival struct {
	ID       string `json:"id"`
	Register string `json:"register"`
	Title    string `json:"title"`
	From     string `json:"from" doc:"code of the unit that it came from"`
	By       string `json:"by" doc:"account that sent it"`
	At       int64  `json:"at" doc:"server clock"`
	Reason   string `json:"reason"`
	Returned bool   `json:"returned" doc:"this unit had sent it away, and it came back"`
	Disputed bool   `json:"disputed" doc:"several units were named at the same time; accept or send on decides"`
}

// ArrivalsRequest asks for what waits to be taken over.
type ArrivalsRequest struct {
	Lang string `query:"lang" enum:"vi,en"`
}

// ArrivalsResponse lists it, the longest waiting first.
type ArrivalsResponse struct {
	Items []Arrival `json:"items"`
	More  bool      `json:"more" doc:"there are more than are listed"`
}

const arrivalsMost = 500

// Arrivals lists the records that were sent to the caller's unit and wait to be
// accepted or returned.
func (s *Service) Arrivals(ctx context.Context, req ArrivalsRequest) (ArrivalsResponse, error) {
	out := ArrivalsResponse{Items: []Arrival{}}
	err := s.look(ctx, req.Lang, audit.Entry{Action: "moves.list"}, func(k *desk) error {
		list, err := k.l.Arrivals(k.p.Unit, arrivalsMost+1)
		if err != nil {
			return err
		}
		if out.More = len(list) > arrivalsMost; out.More {
			list = list[:arrivalsMost]
		}
		for _, a := range list {
			it, err := k.arrival(a)
			if err != nil {
				return err
			}
			out.Items = append(out.Items, it)
		}
		return nil
	})
	return out, err
}

func (k *desk) arrival(a ledger.Arrival) (Arrival, error) {
	row, ok, err := k.l.Record(a.Record)
	if err != nil || !ok {
		return Arrival{}, errors.Join(err, fmt.Errorf("arrival %v: record found: %v", a.Record, ok))
	}
	def, ok := k.s.cfg.Definition(row.Register)
	if !ok {
		return Arrival{}, fmt.Errorf("record %v: register %q has no definition", row.ID, row.Register)
	}
	r, _, err := record.ParseState(row.State, row.ID)
	if err != nil {
		return Arrival{}, err
	}
	it := Arrival{ID: row.ID.String(), Register: row.Register, From: a.From, At: a.At,
		Title: register.Mask(def, def.TitleField, basicValues(def, r)[def.TitleField], k.lang)}
	home, ok := record.HomeOf(r)
	it.Disputed, it.Reason, it.Returned = !ok, home.Reason, home.Returned
	if f := r.Field(conflict.Key(conflict.FieldHome)); f.Len() > 0 {
		it.By = f.At(f.Len() - 1).Origin.Author
	}
	return it, nil
}

// AcceptRequest takes arrived records over.
type AcceptRequest struct {
	Records []string `json:"records" doc:"at most 256"`
}

// Accept takes records over that were sent to the caller's unit.
func (s *Service) Accept(ctx context.Context, req AcceptRequest) (MoveResponse, error) {
	out := MoveResponse{Records: req.Records}
	err := s.answerMove(ctx, req.Records, func(k *desk, rows []ledger.Row, _ map[conflict.RecordID]ledger.Arrival) error {
		out.Unit = k.p.Unit
		return k.send("record.accept", rows, func(row ledger.Row) record.Home {
			return record.Home{Unit: row.Unit, Accepted: true}
		})
	})
	return out, err
}

// GiveBackRequest sends arrived records back where they came from.
type GiveBackRequest struct {
	Records []string `json:"records" doc:"at most 256"`
	Reason  string   `json:"reason" maxlen:"2000"`
}

// GiveBack sends records back to the units that they came from.
func (s *Service) GiveBack(ctx context.Context, req GiveBackRequest) (MoveResponse, error) {
	out := MoveResponse{Records: req.Records}
	reason := strings.TrimSpace(req.Reason)
	if reason == "" {
		return out, ErrReasonMissing.At("reason")
	}
	err := s.answerMove(ctx, req.Records, func(k *desk, rows []ledger.Row, from map[conflict.RecordID]ledger.Arrival) error {
		for _, row := range rows {
			if f := from[row.ID].From; f == "" || f == row.Unit {
				return ErrArrived // it came from nowhere: a move of its own is asked for
			}
		}
		return k.send("record.return", rows, func(row ledger.Row) record.Home {
			return record.Home{Unit: from[row.ID].From, From: row.Unit, Reason: reason, Returned: true}
		})
	})
	return out, err
}

func (s *Service) answerMove(ctx context.Context, names []string, work func(*desk, []ledger.Row, map[conflict.RecordID]ledger.Arrival) error) error {
	return s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, "")
		if err != nil {
			return err
		}
		rows, err := k.rows(names, auth.Review)
		if err != nil {
			return err
		}
		waiting := map[conflict.RecordID]ledger.Arrival{}
		for _, row := range rows {
			a, ok, err := k.l.ArrivalOf(row.ID)
			switch {
			case err != nil:
				return err
			case !ok:
				return ErrArrived
			}
			waiting[row.ID] = a
		}
		return work(k, rows, waiting)
	})
}
