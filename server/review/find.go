package review

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// maxFinders bounds the registers of units whose search texts are held. The one
// used least recently goes.
const maxFinders = 16

// finders hold, per unit and register, what records are found by, for devices
// that do not hold everything themselves.
type finders struct {
	mu   sync.Mutex
	list []*finder // most recently used first
}

type finder struct {
	unit string
	def  *register.Definition

	mu       sync.Mutex
	epoch    ledger.Epoch
	position uint64 // of the unit, up to which everything is in
	records  map[conflict.RecordID]findable
}

// findable is a record that is not deleted.
type findable struct {
	text string // register.SearchText of its basic fields
	near string // neighbourhood
}

func (x *finders) of(unit string, def *register.Definition) *finder {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.list, func(f *finder) bool { return f.unit == unit && f.def == def })
	if i < 0 {
		x.list = append(x.list, &finder{unit: unit, def: def})
		i = len(x.list) - 1
	}
	f := x.list[i]
	copy(x.list[1:i+1], x.list[:i])
	x.list[0] = f
	x.list = x.list[:min(len(x.list), maxFinders)]
	return f
}

// follow brings f up to what l sees, which must be committed. f.mu is held.
func (f *finder) follow(l *sqlite.Ledger) error {
	epoch, err := l.Epoch()
	if err != nil {
		return err
	}
	position, err := l.Position(f.unit)
	if err != nil {
		return err
	}
	if f.records == nil || epoch.Token != f.epoch.Token || position < f.position {
		f.position, f.records = 0, map[conflict.RecordID]findable{}
	}
	if position == f.position {
		return nil
	}
	const page = 500
	var after *ledger.Row
	for {
		rows, err := l.ChangedSince(f.unit, string(f.def.ID), f.position, after, page)
		if err != nil {
			f.records = nil // half a step: begin again next time
			return err
		}
		for i := range rows {
			r, _, err := record.ParseState(rows[i].State, rows[i].ID)
			if err != nil {
				f.records = nil
				return fmt.Errorf("record %v: %w", rows[i].ID, err)
			}
			if r.Life() == conflict.Deleted {
				delete(f.records, rows[i].ID)
				continue
			}
			f.records[rows[i].ID] = findable{register.SearchText(f.def, basicValues(f.def, r)), rows[i].Neighbourhood}
		}
		if len(rows) < page {
			break
		}
		after = &rows[len(rows)-1]
	}
	f.epoch, f.position = epoch, position
	return nil
}

// basicValues returns what is shown of the fields that every reader of the
// register may see.
func basicValues(def *register.Definition, r conflict.Record) map[string]conflict.Value {
	values := headValues(def, r)
	for i := range def.Fields {
		if def.Fields[i].Class == register.Sensitive {
			delete(values, def.Fields[i].Name)
		}
	}
	return values
}

// FindRequest searches a register of the caller's unit.
type FindRequest struct {
	Register string `query:"register" maxlen:"40"`
	Search   string `query:"search" maxlen:"200" doc:"words, with or without diacritics; at least two letters or digits in all"`
	Lang     string `query:"lang" enum:"vi,en"`
}

// Found is one record, masked where the field is.
type Found struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	Cells []string `json:"cells" doc:"texts of the register's list columns"`
	// Why is where else than in its title the words stand.
	Why []register.Hit `json:"why,omitempty"`
}

// FindResponse is the first hits and how many there are.
type FindResponse struct {
	Rows     []Found `json:"rows"`
	Total    int     `json:"total"`
	Searched int     `json:"searched" doc:"records that were looked at"`
}

const (
	findRows  = 20
	findLeast = 2 // letters; fewer would be leafing through the register
)

// Find searches a register of the caller's unit, for a device that does not
// hold all of it. Values are masked as in a list. Every search is audited,
// without its words, which are person data.
func (s *Service) Find(ctx context.Context, req FindRequest) (FindResponse, error) {
	out := FindResponse{Rows: []Found{}}
	words := register.SearchWords(req.Search)
	if len([]rune(strings.Join(words, ""))) < findLeast {
		return out, rpc.ErrInvalid.At("search")
	}
	entry := audit.Entry{Action: "record.find", Subject: req.Register, Detail: map[string]string{}}
	err := s.reading(ctx, req.Register, req.Lang, &entry, func(k *desk, f *finder) error {
		var hits []conflict.RecordID
		for id, r := range f.records {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(r.text, w) }) {
				hits = append(hits, id)
			}
		}
		out.Total, out.Searched = len(hits), len(f.records)
		// In an order that stays: by text, then by id.
		slices.SortFunc(hits, func(a, b conflict.RecordID) int {
			return cmp.Or(cmp.Compare(f.records[a].text, f.records[b].text), a.Compare(b))
		})
		for _, id := range hits[:min(len(hits), findRows)] {
			row, ok, err := k.l.Record(id)
			if err != nil {
				return err
			}
			if !ok || row.Unit != k.p.Unit {
				continue
			}
			head, _, err := record.ParseState(row.State, row.ID)
			if err != nil {
				return fmt.Errorf("record %v: %w", id, err)
			}
			values := basicValues(f.def, head)
			found := Found{ID: id.String(), Title: register.Mask(f.def, f.def.TitleField, values[f.def.TitleField], req.Lang), Cells: []string{}}
			for _, name := range f.def.ListColumns {
				found.Cells = append(found.Cells, register.Mask(f.def, name, values[name], req.Lang))
			}
			found.Why = register.Found(f.def, values, words, req.Lang)
			out.Rows = append(out.Rows, found)
		}
		entry.Detail["hits"] = fmt.Sprint(out.Total)
		return nil
	})
	if err != nil {
		return FindResponse{}, err
	}
	return out, nil
}

// Neighbourhood is one khu phố or ấp, with how many records are of it.
type Neighbourhood struct {
	Name    string `json:"name" doc:"empty: records that name none"`
	Records int    `json:"records"`
}

// NeighbourhoodsRequest asks how a register of the caller's unit is divided.
type NeighbourhoodsRequest struct {
	Register string `query:"register" maxlen:"40"`
}

// NeighbourhoodsResponse lists the neighbourhoods of a register's records.
type NeighbourhoodsResponse struct {
	Neighbourhoods []Neighbourhood `json:"neighbourhoods"`
}

// Neighbourhoods lists the neighbourhoods that records of a register name, for
// a device to choose from.
func (s *Service) Neighbourhoods(ctx context.Context, req NeighbourhoodsRequest) (NeighbourhoodsResponse, error) {
	out := NeighbourhoodsResponse{Neighbourhoods: []Neighbourhood{}}
	entry := audit.Entry{Action: "record.neighbourhoods", Subject: req.Register}
	err := s.reading(ctx, req.Register, "", &entry, func(_ *desk, f *finder) error {
		counts := map[string]int{}
		for _, r := range f.records {
			counts[r.near]++
		}
		for name, n := range counts {
			out.Neighbourhoods = append(out.Neighbourhoods, Neighbourhood{name, n})
		}
		slices.SortFunc(out.Neighbourhoods, func(a, b Neighbourhood) int { return cmp.Compare(a.Name, b.Name) })
		return nil
	})
	if err != nil {
		return NeighbourhoodsResponse{}, err
	}
	return out, nil
}

// reading runs work over an up-to-date finder of the caller's unit, then
// writes the entry into the audit log; nobody gets an answer whose entry is not
// durable.
func (s *Service) reading(ctx context.Context, reg, lang string, entry *audit.Entry, work func(*desk, *finder) error) error {
	err := s.cfg.Store.View(ctx, func(tx *sqlite.Tx) error {
		k, err := s.caller(ctx, tx, lang)
		if err != nil {
			return err
		}
		if err := auth.Can(k.p, auth.ReadRecord, k.p.Unit, auth.Basic); err != nil {
			return err
		}
		def, ok := s.cfg.Definition(reg)
		if !ok {
			return rpc.ErrNotFound
		}
		entry.Actor, entry.Device, entry.Unit = k.p.Account, k.p.Device, k.p.Unit
		f := s.finders.of(k.p.Unit, def)
		f.mu.Lock()
		defer f.mu.Unlock()
		if err := f.follow(k.l); err != nil {
			return err
		}
		return work(k, f)
	})
	if err != nil {
		return err
	}
	return s.log(ctx, *entry)
}
