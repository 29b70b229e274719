package units

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Config is what a Service is made of.
type Config struct {
	Store     *sqlite.Store
	Ledger    *ledger.Ledger
	Accounts  *auth.Accounts
	Directory *Directory
	// Notify is told, once they are durable, how far streams have moved. Nil tells
	// nobody.
	Notify func([]protocol.StreamMark)
}

// Service answers about units and changes their list. Every call takes the
// caller from the context (auth.NewContext) and asks the authoriser.
type Service struct{ cfg Config }

// New returns the service over c.
func New(c Config) *Service { return &Service{c} }

// Successor says what becomes of one unit.
type Successor struct {
	Old string   `json:"old" maxlen:"5" doc:"code of a unit of the list in force"`
	New []string `json:"new" doc:"codes of its successors: one takes its records over, of several somebody has to say where each record belongs"`
}

// Named is a unit that a list has new, or under another name.
type Named struct {
	Code   string `json:"code" maxlen:"5"`
	NameVI string `json:"name_vi" maxlen:"200"`
	NameEN string `json:"name_en" maxlen:"200"`
	Kind   string `json:"kind" enum:"ward,commune,special_zone"`
}

// ChangeRequest is a change of lists.
type ChangeRequest struct {
	Version string      `json:"version" maxlen:"10" doc:"the day from which the new list is in force, such as 2027-01-01; not in the future"`
	Units   []Named     `json:"units" doc:"units that are new or have another name"`
	Changes []Successor `json:"changes" doc:"units that end, are split, or go on under another code"`
}

// ChangeResponse says what was done.
type ChangeResponse struct {
	Version  string `json:"version"`
	Moved    int    `json:"moved" doc:"records that have another unit"`
	Waiting  int    `json:"waiting" doc:"of them, those that wait for somebody to say where they belong"`
	Accounts int    `json:"accounts" doc:"accounts that went to a unit's one successor"`
}

// What a change may be refused with.
var (
	ErrVersion = &rpc.Error{Kind: rpc.Invalid, Code: "unit_list_version", Field: "version", Vi: "Ngày hiệu lực phải sau danh mục hiện hành và không ở tương lai.", En: "The day must be later than that of the list in force, and not in the future."}
	ErrChange  = &rpc.Error{Kind: rpc.Invalid, Code: "unit_change", Field: "changes", Vi: "Thay đổi đơn vị không hợp lệ.", En: "The change of units is not possible."}
)

func refuse(format string, a ...any) error {
	e := *ErrChange
	why := fmt.Sprintf(format, a...)
	e.Vi, e.En = e.Vi+" "+why, e.En+" "+why
	return &e
}

// Change makes a change of lists, with all that follows from it, or nothing.
func (s *Service) Change(ctx context.Context, req ChangeRequest) (ChangeResponse, error) {
	p, err := auth.FromContext(ctx)
	if err != nil {
		return ChangeResponse{}, err
	}
	return s.ChangeAs(ctx, p, req)
}

// ChangeAs is Change on behalf of by.
func (s *Service) ChangeAs(ctx context.Context, by auth.Principal, req ChangeRequest) (ChangeResponse, error) {
	out := ChangeResponse{Version: req.Version}
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		out = ChangeResponse{Version: req.Version}
		now := s.cfg.Store.Now()
		by, err := auth.Current(tx, by, now)
		if err != nil {
			return err
		}
		if err := auth.Can(by, auth.Administer, "", 0); err != nil {
			return err
		}
		list, _, err := read(tx)
		if err != nil {
			return err
		}
		changes, err := check(list, req, now)
		if err != nil {
			return err
		}
		for _, u := range req.Units {
			if err := tx.PutNamedUnit(sqlite.NamedUnit{List: req.Version, Unit: register.Unit{Code: register.UnitCode(u.Code), NameVI: u.NameVI, NameEN: u.NameEN, Kind: register.Kind(u.Kind)}}); err != nil {
				return err
			}
		}
		if len(changes) > 0 {
			if err := s.follow(tx, by, now, changes, &out); err != nil {
				return err
			}
		}
		tx.AfterCommit(s.cfg.Directory.forget)
		return audit.Append(tx, now, audit.Entry{Actor: by.Account, Device: by.Device, Action: "units.change", Subject: req.Version, Detail: map[string]string{
			"units": strconv.Itoa(len(req.Units)), "changes": strconv.Itoa(len(changes)), "moved": strconv.Itoa(out.Moved),
			"waiting": strconv.Itoa(out.Waiting), "accounts": strconv.Itoa(out.Accounts)}})
	})
	return out, err
}

// follow does what follows from changes that were checked.
func (s *Service) follow(tx *sqlite.Tx, by auth.Principal, now time.Time, changes []ledger.UnitChange, out *ChangeResponse) error {
	author := by.Name
	if author == "" {
		author = "console"
	}
	t := sqlite.LedgerOf(tx)
	done, grew, err := s.cfg.Ledger.ChangeUnits(t, author, changes)
	if err != nil {
		return err
	}
	out.Moved, out.Waiting = done.Moved, done.Waiting
	// Codes may go round: who goes where is read before anybody goes.
	moves := map[string]string{}
	for _, c := range changes {
		if c.Target() != c.Old {
			moves[c.Old] = c.Target()
		}
	}
	if err := t.FollowQuarantine(moves); err != nil {
		return err
	}
	for _, c := range changes {
		if len(c.New) > 1 {
			delete(moves, c.Old) // its accounts keep the code until somebody moves them
		}
	}
	if out.Accounts, err = s.cfg.Accounts.Reassign(tx, by, now, moves); err != nil {
		return err
	}
	if s.cfg.Notify != nil {
		tx.AfterCommit(func() { s.cfg.Notify(grew) })
	}
	return nil
}

// check judges a change against the list in force.
func check(list *List, req ChangeRequest, now time.Time) ([]ledger.UnitChange, error) {
	today := now.UTC().Add(7 * time.Hour).Format(time.DateOnly)
	if _, err := time.Parse(time.DateOnly, req.Version); err != nil || req.Version <= list.Version || req.Version > today {
		return nil, ErrVersion
	}
	named := map[string]bool{}
	for _, u := range req.Units {
		if !register.UnitCode(u.Code).Valid() || strings.TrimSpace(u.NameVI) == "" || named[u.Code] {
			return nil, refuse("unit %q: five digits, a name, and once.", u.Code)
		}
		named[u.Code] = true
	}
	olds, news := map[string]bool{}, map[string]bool{}
	for _, c := range req.Changes {
		if _, ok := list.Unit(c.Old); !ok || olds[c.Old] {
			return nil, refuse("%q is no unit of list %s, or stands twice.", c.Old, list.Version)
		}
		olds[c.Old] = true
		for _, to := range c.New {
			news[to] = true
		}
	}
	var changes []ledger.UnitChange
	for _, c := range req.Changes {
		to := slices.Clone(c.New)
		slices.Sort(to)
		if len(slices.Compact(to)) != len(c.New) || len(to) == 0 {
			return nil, refuse("%s: at least one successor, each once.", c.Old)
		}
		for _, code := range to {
			if _, open := list.Unit(code); !named[code] && (!open || olds[code] && !news[code]) {
				return nil, refuse("%s: its successor %s is no unit; name it under units.", c.Old, code)
			}
		}
		changes = append(changes, ledger.UnitChange{List: req.Version, Before: list.Version, Old: c.Old, New: to, At: now.UnixMilli()})
	}
	for code := range named {
		if _, open := list.Unit(code); open && olds[code] && !news[code] {
			return nil, refuse("%s ends and is named as a unit.", code)
		}
	}
	if len(req.Units)+len(changes) == 0 {
		return nil, refuse("nothing is changed.")
	}
	return changes, nil
}

// UnitsRequest asks for the units.
type UnitsRequest struct{}

// UnitsResponse is the list in force.
type UnitsResponse struct {
	Version string          `json:"version"`
	Units   []register.Unit `json:"units"`
}

// Units returns the list in force.
func (s *Service) Units(_ context.Context, _ UnitsRequest) (UnitsResponse, error) {
	list := s.cfg.Directory.List()
	return UnitsResponse{list.Version, list.Units()}, nil
}

// WaitingUnit counts what waits of one split unit.
type WaitingUnit struct {
	Unit       string         `json:"unit" doc:"the old code and the list that gave it its meaning"`
	Since      int64          `json:"since" doc:"server clock, Unix milliseconds"`
	Successors []string       `json:"successors"`
	Records    map[string]int `json:"records" doc:"how many are left, by register"`
}

// WaitingResponse lists what waits to be assigned.
type WaitingResponse struct {
	Units []WaitingUnit `json:"units"`
}

// Waiting counts the records that wait for somebody to say where they belong: of
// the whole city for an administrator, else of the splits that concern the
// caller's unit.
func (s *Service) Waiting(ctx context.Context, _ UnitsRequest) (WaitingResponse, error) {
	out := WaitingResponse{Units: []WaitingUnit{}}
	p, err := auth.FromContext(ctx)
	if err != nil {
		return out, err
	}
	err = s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		p, err := auth.Current(tx, p, s.cfg.Store.Now())
		if err != nil {
			return err
		}
		everywhere := auth.Can(p, auth.Administer, "", 0) == nil
		t := sqlite.LedgerOf(tx)
		changes, err := t.UnitChanges()
		if err != nil {
			return err
		}
		for _, c := range changes {
			unit := c.Target()
			if len(c.New) < 2 || !everywhere && auth.Can(p, auth.ReadRecord, unit, auth.Basic) != nil {
				continue
			}
			n, err := t.CountByUnit(unit)
			if err != nil {
				return err
			}
			if len(n) > 0 {
				out.Units = append(out.Units, WaitingUnit{Unit: unit, Since: c.At, Successors: c.New, Records: n})
			}
		}
		return nil
	})
	return out, err
}
