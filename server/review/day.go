package review

import (
	"context"
	"time"

	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
)

// Day is a unit's day in small numbers.
type Day struct {
	Unit          string       `json:"unit"`
	Waiting       int          `json:"waiting" doc:"submitted changes and deletions"`
	Conflicts     int          `json:"conflicts" doc:"edited and deleted ones included"`
	Deletions     int          `json:"deletions"`
	Quarantined   int          `json:"quarantined"`
	ApprovedToday int          `json:"approved_today" doc:"decisions, since midnight in the city"`
	ReturnedToday int          `json:"returned_today"`
	RefusedToday  int          `json:"refused_today"`
	Records       int          `json:"records"`
	Published     int          `json:"published" doc:"records whose approved version is in the hub's feed"`
	AtHub         int          `json:"at_hub" doc:"of those, acknowledged by the hub"`
	Devices       []UnitDevice `json:"devices"`
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

const dayDevices = 500

// Day counts what a supervisor's desk shows of the unit. It holds no person data
// beyond the names of the unit's own accounts.
func (s *Service) Day(ctx context.Context, _ DayRequest) (Day, error) {
	out := Day{Devices: []UnitDevice{}}
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.seat(ctx, tx, "")
		if err != nil {
			return err
		}
		out.Unit = k.p.Unit
		counts, err := k.l.WaitingCounts(k.p.Unit)
		if err != nil {
			return err
		}
		out.Waiting, out.Deletions = counts[ledger.Submitted]+counts[ledger.Deletion], counts[ledger.Deletion]
		out.Conflicts = counts[ledger.Conflict] + counts[ledger.EditedAndDeleted]
		if out.Quarantined, err = k.l.QuarantineCount(k.p.Unit); err != nil {
			return err
		}
		year, month, day := k.now.In(city).Date()
		decisions, err := k.l.DecisionsSince(k.p.Unit, time.Date(year, month, day, 0, 0, 0, 0, city).UnixMilli())
		if err != nil {
			return err
		}
		out.ApprovedToday, out.ReturnedToday = decisions[string(record.Approved)], decisions[string(record.Returned)]
		out.RefusedToday = decisions[string(record.Refused)]
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
