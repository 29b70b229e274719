package review

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"wardbook/conflict"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Twin is another record that may be about the same thing.
type Twin struct {
	ID     string `json:"id"`
	Score  int    `json:"score" doc:"how alike the two are, of 100"`
	fields []string
}

// twinsMost bounds how many are told of one record.
const twinsMost = 5

// An index holds, beside the values, the keys under which register.TwinKeys lets
// records that may be of one thing meet; the first has the first of these names.

// twinName is how an index names a record's twin key number i.
func twinName(i int) string { return "~" + strconv.Itoa(i) }

// saidName is how an index names the records that a record says something of: what
// stands of a pair may stand in either. Its value lists their ids, with spaces between.
const saidName = "~said"

// twinNames lists the names that a record of def may need.
func twinNames(def *register.Definition) []string {
	var names []string
	for range def.NaturalKey {
		names = append(names, twinName(len(names)))
	}
	for _, r := range def.Rules {
		if r.Kind == register.RuleOnePer {
			names = append(names, twinName(len(names)))
		}
	}
	return names
}

// twins lists the records of the unit that look like the one with this head, the
// most alike first, and that nobody has spoken about: one verdict, same,
// different or linked, settles a pair; several at odds do not.
func (o *others) twins(head conflict.Record) ([]Twin, error) {
	if o.e == nil {
		return nil, nil
	}
	def := o.e.def
	mine := headValues(def, head)
	met := map[conflict.RecordID]bool{}
	for _, text := range register.TwinKeys(def, mine) {
		key := conflict.Value(text)
		for _, name := range o.e.twins {
			for _, id := range o.e.holders[name][key] {
				_, changed := o.over[id]
				met[id] = met[id] || !changed
			}
			for id, values := range o.over {
				met[id] = met[id] || values != nil && values[name] == key
			}
		}
	}
	var list []Twin
	for id, meets := range met {
		if !meets || id == o.self {
			continue
		}
		row, ok, err := o.l.Record(id)
		if err != nil || !ok {
			return nil, err
		}
		theirs, _, err := record.ParseState(row.State, id)
		if err != nil {
			return nil, fmt.Errorf("record %v: %w", id, err)
		}
		like, ok := register.Alike(def, mine, headValues(def, theirs))
		if !ok || theirs.Life() == conflict.Deleted || settled(record.PairOf(head, theirs, o.self, id)) {
			continue
		}
		t := Twin{ID: id.String(), Score: like.Score}
		for _, r := range like.Reasons {
			t.fields = append(t.fields, r.Field)
		}
		list = append(list, t)
	}
	slices.SortFunc(list, func(a, b Twin) int {
		if a.Score != b.Score {
			return b.Score - a.Score
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list[:min(len(list), twinsMost)], nil
}

// kept returns the record that people say the one with this head is: of two records
// of one thing, the one that stays. It is the zero id if nobody does, or they do not
// agree.
func (o *others) kept(head conflict.Record) (conflict.RecordID, error) {
	var beside []conflict.RecordID
	for k := range head.All() {
		if k.ID == conflict.FieldTwin && k.Elem != "" {
			if id, err := conflict.ParseDot(k.Elem); err == nil {
				beside = append(beside, id)
			}
		}
	}
	if o.e != nil {
		self := o.self.String()
		for _, id := range o.e.holders[saidName][conflict.Value(self)] {
			if _, changed := o.over[id]; !changed {
				beside = append(beside, id)
			}
		}
		for id, values := range o.over {
			if slices.Contains(strings.Fields(string(values[saidName])), self) {
				beside = append(beside, id)
			}
		}
	}
	slices.SortFunc(beside, conflict.Dot.Compare)
	for _, id := range slices.Compact(beside) {
		row, ok, err := o.l.Record(id)
		if err != nil {
			return conflict.RecordID{}, err
		}
		if !ok {
			continue
		}
		theirs, _, err := record.ParseState(row.State, id)
		if err != nil {
			return conflict.RecordID{}, fmt.Errorf("record %v: %w", id, err)
		}
		if said := record.PairOf(head, theirs, o.self, id); settled(said) && said[0].Twin.Said == record.Same && said[0].Kept == id.String() {
			return id, nil
		}
	}
	return conflict.RecordID{}, nil
}

// settled reports whether people have said what a pair is, and agree.
func settled(said []record.Said) bool {
	return len(said) > 0 && !slices.ContainsFunc(said, func(s record.Said) bool { return s.Twin.Said != said[0].Twin.Said || s.Kept != said[0].Kept })
}
