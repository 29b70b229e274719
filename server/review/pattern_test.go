package review

import (
	"fmt"
	"testing"

	"wardbook/conflict"
)

// work is changes of one author, one record each.
type work struct {
	author   string
	n        int    // records
	value    string // "" gives each its own
	apart    int64  // ms between two
	first    bool
	imported bool
}

func TestPatterns(t *testing.T) {
	const hour, second = 60 * 60_000, 1000
	cases := []struct {
		name string
		work []work
		want map[string]int // records by author and kind
	}{
		{"nothing", nil, nil},
		{"an ordinary day of two", []work{{author: "a", n: 40, apart: hour}, {author: "b", n: 30, apart: hour}}, nil},
		{"one value, the others' differ", []work{{author: "a", n: 20, value: "x", apart: hour}, {author: "b", n: 10, apart: hour}}, map[string]int{"a same": 20}},
		{"too few to say", []work{{author: "a", n: 19, value: "x", apart: hour}, {author: "b", n: 10, apart: hour}}, nil},
		{"one value that is everybody's", []work{{author: "a", n: 20, value: "x", apart: hour}, {author: "b", n: 5, value: "x", apart: hour}, {author: "c", n: 5, apart: hour}}, nil},
		{"nearly all", []work{{author: "a", n: 27, value: "x", apart: hour}, {author: "a", n: 3, apart: hour}, {author: "b", n: 10, apart: hour}}, map[string]int{"a same": 27}},
		{"not nearly all", []work{{author: "a", n: 26, value: "x", apart: hour}, {author: "a", n: 4, apart: hour}, {author: "b", n: 10, apart: hour}}, nil},
		{"alone, first values", []work{{author: "a", n: 40, value: "x", apart: hour, first: true}}, nil},
		{"alone, changed values", []work{{author: "a", n: 40, value: "x", apart: hour}}, map[string]int{"a same": 40}},
		{"first values, the others' differ", []work{{author: "a", n: 40, value: "x", apart: hour, first: true}, {author: "b", n: 10, apart: hour, first: true}}, map[string]int{"a same": 40}},
		{"imported", []work{{author: "a", n: 400, value: "x", imported: true}}, nil},
		{"fast beside one other", []work{{author: "a", n: 20, apart: 30 * second}, {author: "b", n: 5, apart: hour}}, map[string]int{"a pace": 20}},
		{"only the fast part", []work{{author: "a", n: 20, apart: 30 * second}, {author: "a", n: 10, apart: hour}, {author: "b", n: 5, apart: hour}}, map[string]int{"a pace": 20}},
		{"as fast as the others", []work{{author: "a", n: 40, apart: 15 * second}, {author: "b", n: 11, apart: 50 * second}}, nil},
		{"fast, and nobody else", []work{{author: "a", n: 40, apart: 15 * second}}, nil},
		{"very fast, and nobody else", []work{{author: "a", n: 60, apart: 10 * second}}, map[string]int{"a pace": 60}},
		{"spread over the day", []work{{author: "a", n: 200, apart: 5 * 60 * second}, {author: "b", n: 2, apart: hour}}, nil},
	}
	for _, c := range cases {
		var all []change
		authors := map[conflict.RecordID]string{}
		at := int64(1_800_000_000_000)
		n := uint64(0)
		for _, w := range c.work {
			at += 24 * hour
			for range w.n {
				n++
				at += w.apart
				id := conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: n}
				value := w.value
				if value == "" {
					value = fmt.Sprint("own ", n)
				}
				authors[id] = w.author
				all = append(all, change{record: id, register: "people", field: "note", value: conflict.Value(value), author: w.author, at: at, first: w.first, imported: w.imported})
			}
		}
		got := map[string]int{}
		for id, list := range patternsIn(all) {
			for _, p := range list {
				got[p.Author+" "+p.Kind]++
				if authors[id] != p.Author {
					t.Errorf("%s: a record of %s stands in a pattern of %s", c.name, authors[id], p.Author)
				}
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) && len(got)+len(c.want) > 0 {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
