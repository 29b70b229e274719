package review

import (
	"context"
	"slices"
	"time"

	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
)

// Day is a unit's day in small numbers.
type Day struct {
	Unit          string       `json:"unit"`
	Waiting       Counts       `json:"waiting" doc:"the same counts as the queue's"`
	Ages          []Age        `json:"ages" doc:"how long what waits has waited, shortest first"`
	Quarantined   int          `json:"quarantined"`
	ApprovedToday int          `json:"approved_today" doc:"decisions, since midnight in the city"`
	ReturnedToday int          `json:"returned_today"`
	RefusedToday  int          `json:"refused_today"`
	Days          []DayCounts  `json:"days" doc:"the last two weeks, today last"`
	Records       int          `json:"records"`
	Published     int          `json:"published" doc:"records whose approved version is in the hub's feed"`
	AtHub         int          `json:"at_hub" doc:"of those, acknowledged by the hub"`
	Devices       []UnitDevice `json:"devices"`
}

// DayCounts is how many decisions a day had, in the city.
type DayCounts struct {
	Day      string `json:"day" doc:"as 2026-11-28"`
	Approved int    `json:"approved"`
	Returned int    `json:"returned"`
	Refused  int    `json:"refused"`
}

// Age counts what has waited up to so many days, and longer than the age before.
type Age struct {
	Days    int `json:"days" doc:"0: longer than any before"`
	Records int `json:"records"`
}

// UnitDevice is one device of the unit, as it last reported.
type UnitDevice struct {
	Account      string `json:"account"`
	Label        string `json:"label"`
	LastSeenAt   int64  `json:"last_seen_at"`
	Unsent       uint64 `json:"unsent"`
	OldestUnsent int64  `json:"oldest_unsent" doc:"device clock; 0 for none"`
	VanishedAt   int64  `json:"store_vanished_at" doc:"server clock, when it came back without the store that it had; 0 for never"`
}

// DayRequest asks for the caller's unit.
type DayRequest struct{}

const (
	dayDevices = 500
	dayHistory = 14
	dayMillis  = 24 * 60 * 60_000
)

// ageDays are the ages that are told apart, in days.
var ageDays = []int{1, 3, 7}

// agesOf counts by age what waits on a desk.
func agesOf(list []sighted, now int64) []Age {
	ages := make([]Age, len(ageDays)+1)
	for i, days := range ageDays {
		ages[i].Days = days
	}
	for i := range list {
		if list[i].group == groupReturned {
			continue
		}
		waited := now - list[i].row.WaitingSince
		at := slices.IndexFunc(ageDays, func(days int) bool { return waited <= int64(days)*dayMillis })
		if at < 0 {
			at = len(ageDays)
		}
		ages[at].Records++
	}
	return ages
}

// Day counts what a supervisor's desk shows of the unit. It holds no person data
// beyond the names of the unit's own accounts.
func (s *Service) Day(ctx context.Context, _ DayRequest) (Day, error) {
	out := Day{Days: []DayCounts{}, Devices: []UnitDevice{}}
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, "")
		if err != nil {
			return err
		}
		out.Unit = k.p.Unit
		list, err := k.sight()
		if err != nil {
			return err
		}
		out.Waiting, out.Ages = counts(list), agesOf(list, k.now.UnixMilli())
		if out.Quarantined, err = k.l.QuarantineCount(k.p.Unit); err != nil {
			return err
		}
		if err := k.history(&out); err != nil {
			return err
		}
		if out.Records, out.Published, out.AtHub, err = k.l.RecordCounts(k.p.Unit); err != nil {
			return err
		}
		devices, err := k.l.UnitDevices(k.p.Unit, dayDevices)
		for _, d := range devices {
			out.Devices = append(out.Devices, UnitDevice(d))
		}
		return err
	})
	return out, err
}

// history counts the decisions of the last days.
func (k *desk) history(out *Day) error {
	year, month, day := k.now.In(city).Date()
	first := time.Date(year, month, day-dayHistory+1, 0, 0, 0, 0, city)
	_, offset := first.Zone()
	ahead := int64(offset) * 1000
	decisions, err := k.l.DecisionsByDay(k.p.Unit, first.UnixMilli(), ahead)
	if err != nil {
		return err
	}
	for i := range dayHistory {
		at := first.AddDate(0, 0, i)
		n := decisions[(at.UnixMilli()+ahead)/dayMillis]
		out.Days = append(out.Days, DayCounts{Day: at.Format(time.DateOnly),
			Approved: n[string(record.Approved)], Returned: n[string(record.Returned)], Refused: n[string(record.Refused)]})
	}
	today := out.Days[len(out.Days)-1]
	out.ApprovedToday, out.ReturnedToday, out.RefusedToday = today.Approved, today.Returned, today.Refused
	return nil
}
