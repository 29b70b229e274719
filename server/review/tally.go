package review

import (
	"context"
	"slices"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
)

const (
	onTime   = 24 * 60 * 60_000 // ms between writing and receipt; from there on a device nags about unsent work
	believed = 31 * dayMillis   // ms by which a device's clock may be behind the receipt and still date a piece
	// tallied is how many officers one unit's answer holds.
	tallied = 200
)

// Tallies is what the server counts of officers' work. README.md, "The
// officer's tally", says what each number means.
type Tallies struct {
	At      int64   `json:"at" doc:"server clock: when it was counted"`
	OnTime  int     `json:"on_time_hours" doc:"hours from writing to receipt that are on time"`
	Tallies []Tally `json:"tallies" doc:"of an officer their own; of a supervisor those of the unit's officers, by name"`
}

// Tally is the tally of one officer.
type Tally struct {
	Officer string   `json:"officer" doc:"account"`
	Periods []Period `json:"periods" doc:"today, this week, this month"`
}

// Period counts pieces. Received is the sum of Approved, Refused, Waiting, Drafts,
// Replaced and Held.
type Period struct {
	Name          string `json:"name" enum:"day,week,month"`
	From          string `json:"from" doc:"its first day in the city, as 2026-11-28; today is the last"`
	Entered       int    `json:"entered" doc:"written in the period by the device's clock, and received since"`
	Received      int    `json:"received" doc:"received in the period; all that follow are of these"`
	OnTime        int    `json:"on_time"`
	Overdue       int    `json:"overdue" doc:"the others: with those on time, all that were received"`
	ApprovedFirst int    `json:"approved_first"`
	Returned      int    `json:"returned" doc:"whatever became of them"`
	Approved      int    `json:"approved" doc:"those at the first time among them"`
	Refused       int    `json:"refused"`
	Waiting       int    `json:"waiting" doc:"handed in and undecided, with those that are returned and unanswered"`
	Drafts        int    `json:"drafts" doc:"new records, not handed in"`
	Replaced      int    `json:"replaced" doc:"others wrote over all of it before anybody decided"`
	Held          int    `json:"held" doc:"in quarantine"`
}

// TalliesRequest asks for the caller's own tally, or for those of their unit.
type TalliesRequest struct{}

// periodsOf returns the periods that now is in, empty, with their beginnings.
func periodsOf(now time.Time) ([]Period, []int64) {
	year, month, day := now.In(city).Date()
	today := time.Date(year, month, day, 0, 0, 0, 0, city)
	week := today.AddDate(0, 0, -(int(today.Weekday())+6)%7)
	var list []Period
	var from []int64
	for _, p := range []struct {
		name string
		from time.Time
	}{{"day", today}, {"week", week}, {"month", today.AddDate(0, 0, 1-day)}} {
		list, from = append(list, Period{Name: p.name, From: p.from.Format(time.DateOnly)}), append(from, p.from.UnixMilli())
	}
	return list, from
}

// add counts a piece whose period began at from.
func (n *Period) add(p *piece, from int64) {
	if p.written >= from {
		n.Entered++
	}
	if p.received < from {
		return
	}
	n.Received++
	if p.late {
		n.Overdue++
	} else {
		n.OnTime++
	}
	if p.returned {
		n.Returned++
	}
	if p.firstTime() {
		n.ApprovedFirst++
	}
	switch {
	case p.outcome == approved:
		n.Approved++
	case p.outcome == refused:
		n.Refused++
	case p.outcome == replaced:
		n.Replaced++
	case p.outcome == held:
		n.Held++
	case p.submitted:
		n.Waiting++
	default:
		n.Drafts++
	}
}

// Tallies counts the caller's work, or that of the officers of the caller's unit.
// It holds no person data beyond accounts' names.
func (s *Service) Tallies(ctx context.Context, _ TalliesRequest) (Tallies, error) {
	out := Tallies{OnTime: onTime / (60 * 60_000), Tallies: []Tally{}}
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.caller(ctx, tx, "")
		if err != nil {
			return err
		}
		out.At = k.now.UnixMilli()
		officers, err := k.officers()
		if err != nil {
			return err
		}
		for _, name := range officers {
			t, err := k.tally(name)
			if err != nil {
				return err
			}
			out.Tallies = append(out.Tallies, t)
		}
		return nil
	})
	return out, err
}

// officers returns whose tallies the caller may see.
func (k *desk) officers() ([]string, error) {
	if k.p.Role == store.RoleOfficer {
		return []string{k.p.Name}, auth.Can(k.p, auth.WriteRecord, k.p.Unit, auth.Basic)
	}
	if err := auth.Can(k.p, auth.Review, k.p.Unit, auth.Basic); err != nil {
		return nil, err
	}
	list, err := k.tx.OfficersOf(k.p.Unit, tallied)
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].Name
	}
	return names, err
}

// tally counts one officer's work.
func (k *desk) tally(officer string) (Tally, error) {
	t := Tally{Officer: officer}
	var from []int64
	t.Periods, from = periodsOf(k.now)
	pieces, err := k.pieces(officer, slices.Min(from))
	for _, p := range pieces {
		if !p.counts() {
			continue
		}
		for i := range t.Periods {
			t.Periods[i].add(p, from[i])
		}
	}
	return t, err
}

// pieces returns an officer's pieces of which something was received since a
// time.
func (k *desk) pieces(officer string, since int64) ([]*piece, error) {
	work, err := k.l.WorkSince(officer, since)
	if err != nil {
		return nil, err
	}
	read := map[conflict.Dot]record.Changeset{} // by replica's number and counter: changesets of many records are read once
	parse := func(in ledger.Intake) (record.Changeset, error) {
		at := conflict.Dot{Counter: in.Counter}
		id, err := k.l.ReplicaOf(in.Replica)
		if err != nil {
			return record.Changeset{}, err
		}
		at.Replica = id
		if c, ok := read[at]; ok && uint64(c.Len()) == in.Count {
			return c, nil
		}
		c, err := record.ParseOwn(in.Bytes)
		read[at] = c
		return c, err
	}
	touched, registers := []conflict.RecordID{}, map[conflict.RecordID]string{}
	for _, in := range work {
		c, err := record.ParseOwn(in.Bytes)
		if err != nil {
			continue // in quarantine as malformed, and counted there
		}
		for _, e := range c.Edits {
			if _, ok := registers[e.Record]; !ok {
				registers[e.Record] = e.Register
				touched = append(touched, e.Record)
			}
		}
	}
	released, err := k.l.FirstReceipts(officer)
	if err != nil {
		return nil, err
	}
	first := func(c record.Changeset, received int64) int64 {
		if at, ok := released[c.Dot]; ok {
			return at
		}
		return received
	}
	var mine []*piece
	for _, id := range touched {
		def, ok := k.s.cfg.Definition(registers[id])
		if !ok {
			continue // in quarantine: no such register
		}
		if erased, err := k.l.Erased(id); err != nil {
			return nil, err
		} else if erased {
			continue // by law, and with it what became of it
		}
		w, err := walkRecord(k.l, def, id, parse, first)
		if err != nil {
			return nil, err
		}
		for _, p := range w.pieces {
			if p.author == officer {
				mine = append(mine, p)
			}
		}
	}
	aside, err := k.heldPieces(officer, since)
	return append(mine, aside...), err
}

// heldPieces returns a piece for each record that an officer's changesets in quarantine
// are about, and one for each changeset that cannot be read.
func (k *desk) heldPieces(officer string, since int64) ([]*piece, error) {
	entries, err := k.l.AsideSince(officer, since)
	if err != nil {
		return nil, err
	}
	type place struct {
		record   conflict.RecordID
		rejected bool
	}
	at := map[place]*piece{}
	var list []*piece
	for _, q := range entries {
		c, ok, err := k.stored(q)
		if err != nil {
			return nil, err
		}
		var records []conflict.RecordID
		if !ok {
			c.At, records = q.At, []conflict.RecordID{{}}
		}
		for _, e := range c.Edits {
			if slices.ContainsFunc(e.Writes, func(w record.Write) bool {
				return w.Key.ID == conflict.FieldLife || w.Key.ID >= conflict.FirstUserField
			}) {
				records = append(records, e.Record)
			}
		}
		for _, id := range records {
			there := place{id, q.Settled != ""}
			p := at[there]
			if p == nil || id.IsZero() {
				p = newPiece(officer, c.At, q.At)
				p.outcome, p.submitted = held, true
				if q.Settled != "" {
					p.outcome = refused
				}
				at[there], list = p, append(list, p)
			}
			p.add(c.At, q.At)
		}
	}
	return list, nil
}
