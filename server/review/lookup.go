package review

import (
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// maxIndexes bounds the registers of units whose values are held for rules that
// look at other records. The one used least recently goes.
const maxIndexes = 64

// indexes holds, per unit and register, the values that rules compare between
// records. It is only ever brought up to date from committed data; a decision
// lays what its own transaction sees over it.
type indexes struct {
	mu   sync.Mutex
	list []*index // most recently used first
}

// maxTouched bounds what an index remembers of what moved.
const maxTouched = 100_000

type index struct {
	unit, register string
	def            *register.Definition
	names          []string // the fields that are held
	twins          []string // the names of the keys by which duplicates are found

	mu       sync.RWMutex
	epoch    ledger.Epoch
	position uint64 // of the unit, up to which everything is in
	records  map[conflict.RecordID]map[string]conflict.Value
	holders  map[string]map[conflict.Value][]conflict.RecordID // by name and value

	built   uint64                    // position at which records were last read from the beginning
	at      uint64                    // position that is being followed to
	touched map[conflict.Value]uint64 // position at which a record last got or lost a value, since built
}

// comparedFields lists the fields that rules of def look for in other records,
// and those by which duplicates are known.
func comparedFields(def *register.Definition) []string {
	var names []string
	for _, r := range def.Rules {
		switch r.Kind {
		case register.RuleUnique, register.RuleOnePer, register.RuleReciprocal:
			names = append(names, r.Field, r.Other)
			names = append(names, r.Fields...)
		}
	}
	names = append(names, register.TwinFields(def)...)
	names = slices.DeleteFunc(names, func(n string) bool { return def.FieldByName(n) == nil })
	slices.Sort(names)
	return slices.Compact(names)
}

// of returns the index of a register of a unit, or nil if nothing is compared
// in it.
func (x *indexes) of(unit string, def *register.Definition) *index {
	names := comparedFields(def)
	if len(names) == 0 {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	i := slices.IndexFunc(x.list, func(e *index) bool { return e.unit == unit && e.def == def })
	if i < 0 {
		x.list = append(x.list, &index{unit: unit, register: string(def.ID), def: def, names: names, twins: twinNames(def)})
		i = len(x.list) - 1
	}
	e := x.list[i]
	copy(x.list[1:i+1], x.list[:i])
	x.list[0] = e
	x.list = x.list[:min(len(x.list), maxIndexes)]
	return e
}

// follow brings e up to what l sees, which must be committed.
func (e *index) follow(l *sqlite.Ledger) error {
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	epoch, err := l.Epoch()
	if err != nil {
		return err
	}
	position, err := l.Position(e.unit)
	if err != nil {
		return err
	}
	if e.records == nil || epoch.Token != e.epoch.Token || position < e.position {
		e.position = 0
		e.records, e.holders = map[conflict.RecordID]map[string]conflict.Value{}, map[string]map[conflict.Value][]conflict.RecordID{}
		for _, n := range append(append(slices.Clone(e.names), e.twins...), saidName) {
			e.holders[n] = map[conflict.Value][]conflict.RecordID{}
		}
		e.built, e.touched = position, map[conflict.Value]uint64{}
	}
	if position == e.position {
		return nil
	}
	e.at = position
	if len(e.touched) > maxTouched {
		e.built, e.touched = e.position, map[conflict.Value]uint64{}
	}
	if err := e.changed(l, func(id conflict.RecordID, values map[string]conflict.Value) { e.put(id, values) }); err != nil {
		e.records = nil // half a step: begin again next time
		return err
	}
	e.epoch, e.position = epoch, position
	return nil
}

// changed yields the held values of each record changed after e.position, nil
// for one that is deleted.
func (e *index) changed(l *sqlite.Ledger, yield func(conflict.RecordID, map[string]conflict.Value)) error {
	const page = 500
	left, err := l.LeftSince(e.unit, e.register, e.position)
	if err != nil {
		return err
	}
	for _, id := range left {
		yield(id, nil)
	}
	var after *ledger.Row
	for {
		rows, err := l.ChangedSince(e.unit, e.register, e.position, after, page)
		if err != nil {
			return err
		}
		for i := range rows {
			r, _, err := record.ParseState(rows[i].State, rows[i].ID)
			if err != nil {
				return fmt.Errorf("record %v: %w", rows[i].ID, err)
			}
			yield(rows[i].ID, e.held(r))
		}
		if len(rows) < page {
			return nil
		}
		after = &rows[len(rows)-1]
	}
}

func (e *index) held(r conflict.Record) map[string]conflict.Value {
	if r.Life() == conflict.Deleted {
		return nil
	}
	values := map[string]conflict.Value{}
	for _, n := range e.names {
		if v := shownValue(e.def.FieldByName(n), r); v != "" {
			values[n] = v
		}
	}
	for i, key := range register.TwinKeys(e.def, values) {
		values[twinName(i)] = conflict.Value(key)
	}
	var named []string
	for k := range r.All() {
		if k.ID == conflict.FieldTwin && k.Elem != "" {
			named = append(named, k.Elem)
		}
	}
	if len(named) > 0 {
		values[saidName] = conflict.Value(strings.Join(named, " "))
	}
	return values
}

// standsUnder yields the values under which a record stands that holds v.
func standsUnder(name string, v conflict.Value) iter.Seq[conflict.Value] {
	return func(yield func(conflict.Value) bool) {
		if name != saidName {
			yield(v)
			return
		}
		for id := range strings.FieldsSeq(string(v)) {
			if !yield(conflict.Value(id)) {
				return
			}
		}
	}
}

// stale reports whether what is held of other records beside one with these
// values may have changed since a position.
func (e *index) stale(values map[string]conflict.Value, since uint64) bool {
	if e == nil {
		return false
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if since < e.built {
		return true
	}
	for n, v := range values {
		if e.touched[v] > since && !e.common(n) {
			return true
		}
	}
	return false
}

// common reports whether the values of a field are shared by too many records
// to tell which of them belong together.
func (e *index) common(name string) bool {
	f := e.def.FieldByName(name)
	return f != nil && slices.Contains([]register.Type{register.Enum, register.Boolean, register.UnitNow, register.UnitThen}, f.Type)
}

func (e *index) put(id conflict.RecordID, values map[string]conflict.Value) {
	if e.at > e.built {
		same := maps.Equal(e.records[id], values)
		for _, held := range []map[string]conflict.Value{e.records[id], values} {
			for n, v := range held {
				if !same || slices.Contains(e.twins, n) { // twins are compared by more than is held
					e.touched[v] = e.at
				}
			}
		}
	}
	for n, held := range e.records[id] {
		for v := range standsUnder(n, held) {
			e.holders[n][v] = slices.DeleteFunc(e.holders[n][v], func(o conflict.RecordID) bool { return o == id })
			if len(e.holders[n][v]) == 0 {
				delete(e.holders[n], v)
			}
		}
	}
	delete(e.records, id)
	if values == nil {
		return
	}
	e.records[id] = values
	for n, held := range values {
		for v := range standsUnder(n, held) {
			e.holders[n][v] = append(e.holders[n][v], id)
		}
	}
}

// others answers the rules' questions about the records beside one, as one
// transaction sees them. It is used while e's lock is held for reading.
type others struct {
	l    *sqlite.Ledger
	e    *index // nil if no rule asks
	self conflict.RecordID
	over map[conflict.RecordID]map[string]conflict.Value // what changed since e; nil values: deleted
	err  error                                           // of Exists, which has no error of its own
}

// beside prepares the answers and locks e; release it with done.
func (e *index) beside(l *sqlite.Ledger, self conflict.RecordID) (o *others, done func(), err error) {
	o = &others{l: l, e: e, self: self}
	if e == nil {
		return o, func() {}, nil
	}
	e.mu.RLock()
	o.over = map[conflict.RecordID]map[string]conflict.Value{}
	if err := e.changed(l, func(id conflict.RecordID, values map[string]conflict.Value) { o.over[id] = values }); err != nil {
		e.mu.RUnlock()
		return nil, nil, err
	}
	return o, e.mu.RUnlock, nil
}

// Find implements register.Lookup.
func (o *others) Find(match map[string]conflict.Value, limit int) []map[string]conflict.Value {
	if o.e == nil || len(match) == 0 {
		return nil
	}
	fits := func(id conflict.RecordID, values map[string]conflict.Value) bool {
		if id == o.self || values == nil {
			return false
		}
		for n, v := range match {
			if values[n] != v {
				return false
			}
		}
		return true
	}
	var found []map[string]conflict.Value
	for id, values := range o.over {
		if len(found) < limit && fits(id, values) {
			found = append(found, values)
		}
	}
	var candidates []conflict.RecordID
	for n, v := range match { // the shortest list of holders decides
		if ids := o.e.holders[n][v]; candidates == nil || len(ids) < len(candidates) {
			candidates = append(make([]conflict.RecordID, 0, len(ids)), ids...)
		}
	}
	for _, id := range candidates {
		if _, changed := o.over[id]; !changed && len(found) < limit && fits(id, o.e.records[id]) {
			found = append(found, o.e.records[id])
		}
	}
	return found
}

// Exists implements register.Lookup.
func (o *others) Exists(text string) bool {
	id, err := conflict.ParseDot(text)
	if err != nil {
		return false
	}
	_, ok, err := o.l.Record(id)
	if err != nil {
		o.err = err
	}
	return ok
}
