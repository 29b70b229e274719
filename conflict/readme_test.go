package conflict

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file runs the tables of README.md, so that the document cannot drift.

// tables are the tables of the README that are run, each by a test below.
var tables = []string{"write", "merge", "fifty", "views", "order", "record", "union", "life", "owed"}

// row is one row of a table, its cells by the head of their column.
type row map[string]string

// readme returns the rows of every marked table of README.md.
func readme(t *testing.T) map[string][]row {
	t.Helper()
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]row{}
	name, head := "", []string(nil)
	for line := range strings.SplitSeq(string(text), "\n") {
		if m := regexp.MustCompile(`^<!-- table: (\w+) -->$`).FindStringSubmatch(line); m != nil {
			if _, twice := out[m[1]]; twice {
				t.Fatalf("README has table %q twice", m[1])
			}
			name, head = m[1], nil
			out[name] = nil
			continue
		}
		if !strings.HasPrefix(line, "|") {
			name, head = "", nil
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case name == "" || cells[0] == "---":
		case head == nil:
			head = cells
		case len(cells) != len(head):
			t.Fatalf("table %q: row %q has %d cells, want %d", name, line, len(cells), len(head))
		default:
			r := row{}
			for i, c := range cells {
				r[head[i]] = c
			}
			out[name] = append(out[name], r)
		}
	}
	return out
}

func rows(t *testing.T, name string, atLeast int) []row {
	t.Helper()
	rows := readme(t)[name]
	if len(rows) < atLeast {
		t.Fatalf("table %q has %d rows, want at least %d", name, len(rows), atLeast)
	}
	return rows
}

func TestReadmeTablesAreAllRun(t *testing.T) {
	for name := range readme(t) {
		if !slices.Contains(tables, name) {
			t.Errorf("no test runs table %q", name)
		}
	}
	for _, name := range tables {
		rows(t, name, 3)
	}
}

var (
	codeSpan = regexp.MustCompile("`([^`]*)`")
	dotText  = regexp.MustCompile(`^([A-E])([0-9]+)$`)
	keyTexts = map[string]FieldKey{
		"x": Key(16), "y": Key(17), "g": Key(19), "u/a": {ID: 18, Elem: "a"}, "u/b": {ID: 18, Elem: "b"},
		"life": Key(FieldLife), "submission": Key(FieldSubmission), "review": Key(FieldReview), "answer": Key(FieldAnswer),
	}
	sourceTexts = map[string]Source{"card": Card, "imported": Imported, "reference": Reference}
)

// code returns what a cell has in its code span; "none" has nothing.
func code(t *testing.T, cell string) string {
	t.Helper()
	if cell == "none" {
		return ""
	}
	m := codeSpan.FindStringSubmatch(cell)
	if m == nil {
		t.Fatalf("cell %q has no code span", cell)
	}
	return m[1]
}

// told is one write as the README tells it.
type told struct {
	key     FieldKey
	sibling Sibling
	context Vector
}

// history reads `A1=50; B1 x=90; A2 delete x:A1 y:B1 <B1`.
func history(t *testing.T, text string) []told {
	t.Helper()
	var out []told
	if text == "" {
		return nil
	}
	for part := range strings.SplitSeq(text, "; ") {
		words := strings.Fields(part)
		name, what, short := strings.Cut(words[0], "=")
		if short {
			what = "x=" + what
		} else {
			what, words = words[1], words[1:]
		}
		w := told{key: Key(FieldLife), sibling: Sibling{Dot: parseShortDot(t, name)}}
		var seen Record
		for _, word := range words[1:] {
			if list, ok := strings.CutPrefix(word, "<"); ok {
				w.context = parseShortVector(t, list)
				continue
			}
			key, list, ok := strings.Cut(word, ":")
			if !ok || keyTexts[key] == (FieldKey{}) {
				t.Fatalf("history %q: cannot read %q", text, word)
			}
			seen = seen.With(keyTexts[key], Field{nil, parseShortVector(t, list)})
		}
		switch what {
		case "delete", "restore":
			w.sibling.Value = Life{Deleted: what == "delete", Seen: seen.Seen()}.Value()
		default:
			key, value, _ := strings.Cut(what, "=")
			value, source, _ := strings.Cut(value, "@")
			k, ok := keyTexts[key]
			if !ok || source != "" && sourceTexts[source] == Typed {
				t.Fatalf("history %q: cannot read %q", text, what)
			}
			w.key = k
			w.sibling.Value = Value(strings.ReplaceAll(value, "∅", ""))
			w.sibling.Origin.Source = sourceTexts[source]
		}
		out = append(out, w)
	}
	return out
}

// readmeReplica names replicas so that A sorts before B, as a reader expects.
func readmeReplica(letter byte) ReplicaID { return ReplicaID{0: letter} }

func parseShortDot(t *testing.T, s string) Dot {
	t.Helper()
	m := dotText.FindStringSubmatch(s)
	if m == nil {
		t.Fatalf("cannot read dot %q", s)
	}
	n, _ := strconv.ParseUint(m[2], 10, 64)
	return Dot{readmeReplica(m[1][0]), n}
}

func parseShortVector(t *testing.T, s string) Vector {
	t.Helper()
	var v Vector
	for part := range strings.SplitSeq(s, ",") {
		v = v.With(parseShortDot(t, part))
	}
	return v
}

func shortDot(d Dot) string { return fmt.Sprintf("%c%d", d.Replica[0], d.Counter) }

func shortSibling(s Sibling) string {
	if s.Value == "" {
		return shortDot(s.Dot) + "=∅"
	}
	return shortDot(s.Dot) + "=" + string(s.Value)
}

func shortField(f Field) string {
	var parts []string
	for _, s := range f.Siblings() {
		parts = append(parts, shortSibling(s))
	}
	return strings.Join(parts, " ")
}

func shortVector(v Vector) string {
	var parts []string
	for d := range v.All() {
		parts = append(parts, shortDot(d))
	}
	return strings.Join(parts, " ")
}

func inOrder(writes []told) Record {
	var r Record
	for _, w := range writes {
		r = r.Write(w.key, w.sibling, w.context)
	}
	return r
}

// outcome delivers the history in every order that keeps each replica's
// sequence, and as states merged, and returns the one record that comes out.
func outcome(t *testing.T, writes []told) Record {
	t.Helper()
	want := inOrder(writes)
	same := func(how string, r Record) {
		t.Helper()
		if !r.Equal(want) || dump(r) != dump(want) || r.Life() != want.Life() {
			t.Fatalf("%s: got\n%swant\n%s", how, dump(r), dump(want))
		}
	}
	var lanes [][]told
	for _, w := range writes {
		i := slices.IndexFunc(lanes, func(l []told) bool { return l[0].sibling.Dot.Replica == w.sibling.Dot.Replica })
		if i < 0 {
			lanes = append(lanes, []told{w})
		} else {
			lanes[i] = append(lanes[i], w)
		}
	}
	var weave func(done []told, taken []int)
	weave = func(done []told, taken []int) {
		if len(done) == len(writes) {
			same("another order of delivery", inOrder(done))
			for cut := range done {
				left, right := inOrder(done[:cut]), inOrder(done)
				same("a state merged with an older one", left.Merge(right))
				same("a state merged with an older one", right.Merge(left))
				same("a repeat", inOrder(append(slices.Clone(done), done[cut])))
			}
			return
		}
		for i, lane := range lanes {
			if taken[i] < len(lane) {
				next := slices.Clone(taken)
				next[i]++
				weave(append(slices.Clone(done), lane[taken[i]]), next)
			}
		}
	}
	weave(nil, make([]int, len(lanes)))
	var states []Record
	for _, lane := range lanes {
		states = append(states, inOrder(lane))
	}
	var join func(r Record, left []Record)
	join = func(r Record, left []Record) {
		if len(left) == 0 {
			same("states of the authors' own copies", r)
		}
		for i := range left {
			rest := slices.Delete(slices.Clone(left), i, i+1)
			join(r.Merge(left[i]), rest)
			join(left[i].Merge(r), rest)
		}
	}
	join(Record{}, states)
	return want
}

func TestReadmeWrite(t *testing.T) {
	for _, r := range rows(t, "write", 15) {
		t.Run(r["History"], func(t *testing.T) {
			f := outcome(t, history(t, code(t, r["History"]))).Field(keyTexts["x"])
			if got, want := shortField(f), code(t, r["Siblings"]); got != want {
				t.Errorf("siblings: got %s, want %s", got, want)
			}
			if got, want := shortVector(f.Vector()), code(t, r["Vector"]); got != want {
				t.Errorf("vector: got %s, want %s", got, want)
			}
		})
	}
}

func TestReadmeMerge(t *testing.T) {
	// Each side may have a write of its own, so that neither short cut of
	// Merge nor the lack of one decides.
	side := func(state, own, beside string) string {
		switch state {
		case "holds":
			return "A1=1" + beside
		case "superseded":
			return "A1=1; " + own + "=2 <A1" + beside
		}
		return strings.TrimPrefix(beside, "; ")
	}
	seen := map[string]bool{}
	for _, r := range rows(t, "merge", 9) {
		seen[r["Left"]+"/"+r["Right"]] = true
		for _, beside := range []string{"", "; D1=4", "; E1=5"} {
			for _, other := range []string{"", "; E1=5"} {
				left := inOrder(history(t, side(r["Left"], "B1", beside))).Field(keyTexts["x"])
				right := inOrder(history(t, side(r["Right"], "C1", other))).Field(keyTexts["x"])
				a1 := parseShortDot(t, "A1")
				for _, m := range []Field{left.Merge(right), right.Merge(left)} {
					if got, want := m.Has(a1), r["A1 stays"] == "yes"; got != want {
						t.Errorf("left %s, right %s: got A1 %v, want %v in %s", r["Left"], r["Right"], got, want, shortField(m))
					}
				}
			}
		}
	}
	states := []string{"holds", "superseded", "never seen"}
	for _, l := range states {
		for _, r := range states {
			if !seen[l+"/"+r] {
				t.Errorf("no row for left %s, right %s", l, r)
			}
		}
	}
}

// checkViews compares the policies' cells of r with the views of f.
func checkViews(t *testing.T, r row, f Field) {
	t.Helper()
	for _, p := range policies {
		cell, ok := r[string(p)]
		if !ok {
			t.Fatalf("no column for policy %s", p)
		}
		v := f.View(p, hoaRules)
		if err := honest(f, p, hoaRules, v); err != nil {
			t.Errorf("%s: %v", p, err)
		}
		got := "none"
		if f.Len() > 0 {
			got = shortSibling(v.Shown)
			if v.Conflict {
				got += " !"
			}
			got = "`" + got + "`"
		}
		if got != cell {
			t.Errorf("%s: got %s, want %s", p, got, cell)
		}
	}
}

func TestReadmeFifty(t *testing.T) {
	for _, r := range rows(t, "fifty", 9) {
		t.Run(r["History, in this order"], func(t *testing.T) {
			writes := history(t, code(t, r["History, in this order"]))
			f := inOrder(writes).Field(keyTexts["x"])
			if got, want := shortField(f), code(t, r["Siblings"]); got != want {
				t.Errorf("siblings: got %s, want %s", got, want)
			}
			checkViews(t, r, f)
			outcome(t, writes)
		})
	}
}

func TestReadmeViews(t *testing.T) {
	counts := map[int]int{}
	for _, r := range rows(t, "views", 16) {
		t.Run(r["Siblings"], func(t *testing.T) {
			f := outcome(t, history(t, code(t, r["Siblings"]))).Field(keyTexts["x"])
			counts[f.Len()]++
			checkViews(t, r, f)
		})
	}
	for n := range 4 {
		if counts[n] == 0 {
			t.Errorf("no row with %d siblings", n)
		}
	}
}

func TestReadmeOrder(t *testing.T) {
	for _, r := range rows(t, "order", 8) {
		a, b := Value(code(t, r["Lesser"])), Value(code(t, r["Greater"]))
		if compareValues(a, b) >= 0 || compareValues(b, a) <= 0 {
			t.Errorf("%q and %q: got %d and %d, want the first to be lesser", a, b, compareValues(a, b), compareValues(b, a))
		}
	}
}

func TestReadmeRecord(t *testing.T) {
	for _, r := range rows(t, "record", 4) {
		t.Run(r["History"], func(t *testing.T) {
			var parts []string
			for k, f := range outcome(t, history(t, code(t, r["History"]))).All() {
				for name, key := range keyTexts {
					if key == k {
						parts = append(parts, name+": "+shortField(f))
					}
				}
			}
			if got, want := strings.Join(parts, "; "), code(t, r["Outcome"]); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestReadmeUnion(t *testing.T) {
	for _, r := range rows(t, "union", 10) {
		t.Run(r["History"], func(t *testing.T) {
			rec := outcome(t, history(t, code(t, r["History"])))
			elems := rec.Union(keyTexts["u/a"].ID)
			if got, want := strings.Join(elems, " "), code(t, r["Elements"]); got != want {
				t.Errorf("got elements %q, want %q", got, want)
			}
			for k, f := range rec.All() {
				v := f.View(Union, Rules{})
				if v.Conflict || (v.Shown.Value != "") != slices.Contains(elems, k.Elem) {
					t.Errorf("view of %v: got %+v, want it to say what Union says and no conflict", k, v)
				}
			}
		})
	}
}

func TestReadmeLife(t *testing.T) {
	for _, r := range rows(t, "life", 35) {
		t.Run(r["History"], func(t *testing.T) {
			if got := outcome(t, history(t, code(t, r["History"]))).Life().String(); got != r["Life"] {
				t.Errorf("got %s, want %s", got, r["Life"])
			}
		})
	}
}

func TestReadmeOwed(t *testing.T) {
	for _, r := range rows(t, "owed", 3) {
		f := inOrder(history(t, code(t, r["History, in this order"]))).Field(keyTexts["x"])
		if got, want := shortField(f), code(t, r["Siblings"]); got != want {
			t.Errorf("%s: got %s, want %s", r["History, in this order"], got, want)
		}
	}
}
