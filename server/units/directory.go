package units

import (
	"context"
	"slices"
	"sync"
	"time"

	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
	"wardbook/sync/register"
)

// List is one list of units, as far as it differs from the one before: the first
// is the one that the program brings.
type List struct {
	Version string // the day from which it is in force
	open    map[register.UnitCode]register.Unit
	closed  map[register.UnitCode]bool // were units once and are none now
}

// Units returns the units of the list, by code.
func (l *List) Units() []register.Unit {
	all := make([]register.Unit, 0, len(l.open))
	for _, u := range l.open {
		all = append(all, u)
	}
	slices.SortFunc(all, func(a, b register.Unit) int {
		switch {
		case a.Code < b.Code:
			return -1
		case a.Code > b.Code:
			return 1
		}
		return 0
	})
	return all
}

// Unit returns a unit of the list.
func (l *List) Unit(code string) (register.Unit, bool) {
	u, ok := l.open[register.UnitCode(code)]
	return u, ok
}

// read returns the list in force, as tx sees it.
func read(tx *sqlite.Tx) (*List, []ledger.UnitChange, error) {
	l := &List{Version: register.UnitListVersion, open: map[register.UnitCode]register.Unit{}, closed: map[register.UnitCode]bool{}}
	for _, u := range register.Units() {
		l.open[u.Code] = u
	}
	changes, err := sqlite.LedgerOf(tx).UnitChanges()
	if err != nil {
		return nil, nil, err
	}
	names, err := tx.NamedUnits()
	if err != nil {
		return nil, nil, err
	}
	for _, c := range changes {
		l.Version = max(l.Version, c.List)
	}
	for _, n := range names {
		l.Version = max(l.Version, n.List)
	}
	// List by list: first what ends, then what begins.
	versions := map[string]bool{}
	for _, c := range changes {
		versions[c.List] = true
	}
	for _, n := range names {
		versions[n.List] = true
	}
	for _, v := range sorted(versions) {
		begins := map[string]bool{}
		for _, c := range changes {
			if c.List == v {
				for _, to := range c.New {
					begins[to] = true
				}
			}
		}
		for _, c := range changes {
			if c.List == v && !begins[c.Old] {
				delete(l.open, register.UnitCode(c.Old))
				l.closed[register.UnitCode(c.Old)] = true
			}
		}
		for _, n := range names {
			if n.List == v {
				l.open[n.Code] = n.Unit
				delete(l.closed, n.Code)
			}
		}
	}
	return l, changes, nil
}

func sorted(set map[string]bool) []string {
	list := make([]string, 0, len(set))
	for s := range set {
		list = append(list, s)
	}
	slices.Sort(list)
	return list
}

// Directory answers what the list in force says. It reads the database again
// when what it knows is older than a moment, for a list may be changed at the
// command line. It is safe for concurrent use.
type Directory struct {
	store *sqlite.Store

	mu   sync.Mutex
	list *List
	at   time.Time
}

// fresh is how long a directory believes what it read.
const fresh = 2 * time.Second

// NewDirectory returns the directory of a store.
func NewDirectory(st *sqlite.Store) *Directory { return &Directory{store: st} }

// List returns the list in force. If the database cannot be read, it is the one
// that was last read, or the one that the program brings.
func (d *Directory) List() *List {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.list != nil && time.Since(d.at) < fresh {
		return d.list
	}
	var list *List
	err := d.store.View(context.Background(), func(tx *sqlite.Tx) (err error) {
		list, _, err = read(tx)
		return err
	})
	if err == nil {
		d.list, d.at = list, time.Now()
	} else if d.list == nil {
		d.list = &List{Version: register.UnitListVersion, open: map[register.UnitCode]register.Unit{}}
		for _, u := range register.Units() {
			d.list.open[u.Code] = u
		}
	}
	return d.list
}

// IsUnit reports whether there is a unit with that code.
func (d *Directory) IsUnit(code string) bool {
	_, ok := d.List().Unit(code)
	return ok
}

// forget makes the next question read the database.
func (d *Directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.at = time.Time{}
}
