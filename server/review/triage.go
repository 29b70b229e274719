package review

import (
	"slices"
	"sync"
	"time"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/ledger"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// maxTriages bounds the desks whose waiting records are held in memory. The one
// used least recently goes.
const maxTriages = 64

// triages hold what waits on each desk, judged. All that a page counts, lists,
// filters and offers for a batch is read from here; the batch judges each record
// again in the transaction that approves it, by the same reasons.
type triages struct {
	mu   sync.Mutex
	list []*triage // most recently used first
}

// triage is what waits in one unit, as far as one class of supervisors may see.
type triage struct {
	unit      string
	sensitive bool

	mu       sync.Mutex
	epoch    ledger.Epoch
	position uint64 // of the unit, up to which everything is judged
	day      string // rules know the date
	records  map[conflict.RecordID]*waiting
	odd      map[conflict.RecordID][]Reason
}

// waiting is one record that waits, judged at a position.
type waiting struct {
	row       ledger.Row // without its state
	def       *register.Definition
	judged    uint64
	held      map[string]conflict.Value // what findings may depend on in other records
	changes   []change
	makers    []string
	reasons   []Reason // but own work and what is odd
	household string
	title     conflict.Value // of a field that may be seen, else empty
	item      Item           // without what depends on who asks
}

func (x *triages) of(unit string, sensitive bool) *triage {
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.list, func(t *triage) bool { return t.unit == unit && t.sensitive == sensitive })
	if i < 0 {
		x.list = append(x.list, &triage{unit: unit, sensitive: sensitive})
		i = len(x.list) - 1
	}
	t := x.list[i]
	copy(x.list[1:i+1], x.list[:i])
	x.list[0] = t
	x.list = x.list[:min(len(x.list), maxTriages)]
	return t
}

// triage returns what waits on the caller's desk, as it was last followed.
func (k *desk) triage() *triage {
	return k.s.triages.of(k.p.Unit, auth.Can(k.p, auth.Review, k.p.Unit, auth.Sensitive) == nil)
}

// judge brings the caller's triage up to what the transaction, which must only
// read, sees.
func (k *desk) judge() (*triage, error) {
	t := k.triage()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t, t.follow(k)
}

// follow judges what changed. t.mu is held.
func (t *triage) follow(k *desk) error {
	epoch, err := k.l.Epoch()
	if err != nil {
		return err
	}
	position, err := k.l.Position(t.unit)
	if err != nil {
		return err
	}
	day := k.now.In(city).Format(time.DateOnly)
	if epoch.Token != t.epoch.Token || day != t.day {
		t.records = nil
	}
	if t.records != nil && position <= t.position && t.current(k.s) {
		return nil // also where another transaction saw more
	}
	rows, err := k.l.WaitingRows(t.unit)
	if err != nil {
		return err
	}
	if err := k.s.followAll(k.l, rows); err != nil {
		return err
	}
	records := make(map[conflict.RecordID]*waiting, len(rows))
	for _, row := range rows {
		def, ok := k.s.cfg.Definition(row.Register)
		if !ok {
			continue // nobody can say what it means
		}
		w := t.records[row.ID]
		if w == nil || w.def != def || w.row.Position != row.Position || w.row.Sensitive != row.Sensitive || w.row.Kind != row.Kind ||
			w.row.Revision != row.Revision || k.s.indexes.of(t.unit, def).stale(w.held, w.judged) {
			if w, err = k.waiting(row, position); err != nil {
				return err
			}
			if w == nil {
				continue
			}
		}
		if w.row.WaitingSince != row.WaitingSince {
			other := *w // who looks at a queue reads w without the lock
			other.row.WaitingSince = row.WaitingSince
			w = &other
		}
		records[row.ID] = w
	}
	t.epoch, t.position, t.day, t.records = epoch, position, day, records
	t.compare()
	return nil
}

// current reports whether every definition is still the newest.
func (t *triage) current(s *Service) bool {
	for _, w := range t.records {
		if def, ok := s.cfg.Definition(w.row.Register); !ok || def != w.def {
			return false
		}
	}
	return true
}

// waiting judges the record of a row at a position; nil if it is gone.
func (k *desk) waiting(row ledger.Row, position uint64) (*waiting, error) {
	full, ok, err := k.l.Record(row.ID)
	if err != nil || !ok {
		return nil, err
	}
	d, err := k.load(full)
	if err != nil {
		return nil, err
	}
	w := &waiting{row: row, def: d.def, judged: position, makers: d.makers(), item: d.item()}
	if e := k.s.indexes.of(row.Unit, d.def); e != nil {
		w.held = e.held(d.head)
	}
	w.reasons, _ = d.reasons(k.now)
	if f := d.field(d.def.TitleField); f != nil && f.def != nil {
		w.title = shownValue(f.def, d.head)
	}
	if f := d.field(householdField); f != nil && f.def != nil && !f.def.Masked {
		w.household = string(shownValue(f.def, d.head))
	}
	for i := range d.fields {
		f := &d.fields[i]
		if !f.submitted() || f.isLife() || f.def == nil {
			continue
		}
		for key, dots := range d.waitingDots(f) {
			for _, dot := range dots {
				if e, ok := d.history.find(key, dot); ok {
					first := len(d.version.Fields[key].Dots) == 0
					w.changes = append(w.changes, change{record: row.ID, register: row.Register, field: f.name, value: e.value, author: e.origin.Author,
						at: e.origin.At, first: first, imported: e.origin.Source == conflict.Imported})
				}
			}
		}
	}
	return w, nil
}

// householdField is what registers of people call the household that a record
// belongs to. A supervisor works through papers, and those are a household's.
const householdField = "household_no"

// compare takes the figures of everything that waits.
func (t *triage) compare() {
	var all []change
	for _, w := range t.records {
		if w.group() != groupReturned {
			all = append(all, w.changes...)
		}
	}
	t.odd = map[conflict.RecordID][]Reason{}
	for id, list := range patternsIn(all) {
		for i := range list {
			fields := []string{}
			if list[i].Field != "" {
				fields = append(fields, list[i].Field)
			}
			t.odd[id] = append(t.odd[id], Reason{Code: whyPattern, Fields: fields, Pattern: &list[i]})
		}
	}
}

// unusual returns what is unusual, by record, beside everything that waited
// when t was last followed. It does not change any more.
func (t *triage) unusual() map[conflict.RecordID][]Reason {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.odd
}

// group returns where w stands for whoever has no part in it; empty: nowhere.
func (w *waiting) group() string {
	switch {
	case w.row.Kind != ledger.Nothing:
		return groupOf(w.reasons)
	case w.item.Stage == string(record.StageReturned):
		return groupReturned
	}
	return "" // a return that was withdrawn or refused since
}
