package review

import (
	"cmp"
	"slices"

	"wardbook/conflict"
)

// A pattern is a figure that stands out from the ward's other work that waits.
// It says nothing about why: a street that got a new name, or papers of a whole
// block typed in one evening, look like this too. Two figures are taken, and
// each record that one of them is made of wants a look:
//
//   - same: of an author's changes of one field, nearly all set the same value,
//     while those of the others mostly do not.
//   - pace: in an author's busiest ten minutes many more records were written
//     than in those of the others, by the author's own device's clock.
const (
	patternSame = "same"
	patternPace = "pace"
)

const (
	sameLeast  = 20 // an author's changes of one field, below which a share says nothing
	sameOthers = 10 // changes of others, below which there is nothing to compare with
	sameShare  = 90 // per cent of an author's changes with one value
	sameUsual  = 50 // per cent of the others' from which on the value is the usual one

	paceWindow = 10 * 60_000 // ms
	paceLeast  = 20          // records in it, below which a pace says nothing
	paceAlone  = 60          // the same, where there is nobody to compare with
	paceTimes  = 4           // as many as the median of the others' busiest windows
)

// Pattern is an unusual figure, with what it is measured by.
type Pattern struct {
	Kind    string `json:"kind" enum:"same,pace"`
	Author  string `json:"author"`
	Field   string `json:"field" doc:"of same"`
	Count   int    `json:"count" doc:"same: changes with the value; pace: records in the author's busiest ten minutes"`
	Of      int    `json:"of" doc:"same: all changes of the field by the author"`
	Others  int    `json:"others" doc:"same: others' changes with the value; pace: the median of the others' busiest ten minutes"`
	OfOther int    `json:"of_others" doc:"same: others' changes of the field; pace: how many others"`
}

// change is one written value that waits.
type change struct {
	record   conflict.RecordID
	register string
	field    string
	value    conflict.Value
	author   string
	at       int64 // device clock
	first    bool  // the field had no approved value
	imported bool  // from a file: fast, and much alike, by its nature
}

// patternsIn returns the records that patterns are made of, with the patterns.
func patternsIn(changes []change) map[conflict.RecordID][]Pattern {
	found := map[conflict.RecordID][]Pattern{}
	byField := map[[2]string][]change{}
	byAuthor := map[string][]change{}
	for _, c := range changes {
		if c.imported {
			continue
		}
		byField[[2]string{c.register, c.field}] = append(byField[[2]string{c.register, c.field}], c)
		byAuthor[c.author] = append(byAuthor[c.author], c)
	}
	for _, list := range byField {
		samesIn(list, found)
	}
	pacesIn(byAuthor, found)
	for _, list := range found {
		slices.SortFunc(list, func(a, b Pattern) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Author, b.Author))
		})
	}
	return found
}

// samesIn looks at all that waits of one field.
func samesIn(list []change, found map[conflict.RecordID][]Pattern) {
	type tally struct{ all, first int }
	authors, values := map[string]tally{}, map[string]map[conflict.Value]int{}
	everybody := map[conflict.Value]int{}
	for _, c := range list {
		t := authors[c.author]
		t.all++
		if c.first {
			t.first++
		}
		authors[c.author] = t
		if values[c.author] == nil {
			values[c.author] = map[conflict.Value]int{}
		}
		values[c.author][c.value]++
		everybody[c.value]++
	}
	for author, t := range authors {
		if t.all < sameLeast {
			continue
		}
		for value, n := range values[author] {
			others := len(list) - t.all
			switch usual := everybody[value] - n; {
			case value == "" || n*100 < t.all*sameShare:
				continue // emptied fields are the brake's
			case others >= sameOthers && usual*100 >= others*sameUsual:
				continue
			case others < sameOthers && t.first*2 > t.all:
				continue // most people have the same nationality: only what was otherwise before says something
			default:
				p := Pattern{Kind: patternSame, Author: author, Field: list[0].field, Count: n, Of: t.all, Others: usual, OfOther: others}
				for _, c := range list {
					if c.author == author && c.value == value {
						found[c.record] = append(found[c.record], p)
					}
				}
			}
		}
	}
}

// pacesIn looks at the records that each author wrote.
func pacesIn(byAuthor map[string][]change, found map[conflict.RecordID][]Pattern) {
	busiest := map[string][]conflict.RecordID{}
	for author, list := range byAuthor {
		written := map[conflict.RecordID]int64{} // when its author was done with it
		for _, c := range list {
			written[c.record] = max(written[c.record], c.at)
		}
		ids := make([]conflict.RecordID, 0, len(written))
		for id := range written {
			ids = append(ids, id)
		}
		slices.SortFunc(ids, func(a, b conflict.RecordID) int {
			return cmp.Or(cmp.Compare(written[a], written[b]), a.Compare(b))
		})
		from, best := 0, ids[:0]
		for to := range ids {
			for written[ids[to]]-written[ids[from]] > paceWindow {
				from++
			}
			if to+1-from > len(best) {
				best = ids[from : to+1]
			}
		}
		busiest[author] = best
	}
	for author, mine := range busiest {
		n := len(mine)
		var others []int
		for other, s := range busiest {
			if other != author {
				others = append(others, len(s))
			}
		}
		slices.Sort(others)
		median := 0
		if len(others) > 0 {
			median = others[len(others)/2] // of an even number the greater: in doubt for the author
		}
		if n < paceLeast || len(others) == 0 && n < paceAlone || n < paceTimes*median {
			continue
		}
		p := Pattern{Kind: patternPace, Author: author, Count: n, Others: median, OfOther: len(others)}
		for _, id := range mine {
			found[id] = append(found[id], p)
		}
	}
}
