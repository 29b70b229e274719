package conflict

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// draw returns a number from 0 to n-1; what names the choice in failures.
type draw func(n int, what string) int

func seeded(seed uint64) draw {
	r := rand.New(rand.NewPCG(seed, 1))
	return func(n int, _ string) int { return r.IntN(n) }
}

// snapshot is a copy of the record as it stood at some moment, with what the
// model says that it has absorbed and the bytes it had then.
type snapshot struct {
	record Record
	known  knowledge
	text   string
}

// holder is one copy of the record: a device's, or (stamp above 0) a server's,
// which stamps the writes that it takes in.
type holder struct {
	now     snapshot
	forms   []snapshot // opened and not yet closed; each may be long out of date
	counter uint64
	stamp   int64
}

// world is a record with all its copies and everything that ever happened.
type world struct {
	engine  engine
	draw    draw
	holders []*holder
	log     map[Dot]*event
	order   []*event   // the log in order of making
	past    []snapshot // every state that any copy ever had
	trace   []string
}

var (
	historyKeys   = []FieldKey{Key(16), Key(17), {ID: 18, Elem: "x"}, {ID: 18, Elem: "y"}, Key(FieldSubmission)}
	historyValues = []Value{"50", "90", "9", "", "9.0", "Hoà"}
)

// play runs one generated history of real replicas on e and returns the first
// departure from the laws or from the model, with the history as its text.
func play(e engine, d draw) (err error) {
	w := &world{engine: e, draw: d, log: map[Dot]*event{}}
	defer func() {
		if p := recover(); p != nil {
			if _, ours := p.(violation); !ours {
				panic(p)
			}
			err = fmt.Errorf("%w\nhistory:\n  %s", p.(violation).err, strings.Join(w.trace, "\n  "))
		}
	}()
	for i := range 2 + d(3, "replicas") {
		h := &holder{}
		if i < 2 {
			h.stamp = int64(d(2, "server")) * int64(1000+i)
		}
		w.holders = append(w.holders, h)
	}
	for range 4 + d(32, "steps") {
		w.step()
	}
	w.converge()
	w.replay()
	w.laws()
	w.views()
	for _, s := range w.past {
		if got := dump(s.record); got != s.text {
			w.fail("a state was changed after it was returned:\n%s\nwas\n%s", got, s.text)
		}
	}
	return nil
}

type violation struct{ err error }

func (w *world) fail(format string, args ...any) { panic(violation{fmt.Errorf(format, args...)}) }

func (w *world) note(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf(format, args...))
}

func (w *world) step() {
	i := w.draw(len(w.holders), "copy")
	h := w.holders[i]
	switch w.draw(12, "step") {
	case 0, 1: // open a form and leave it open
		if len(h.forms) == 3 {
			h.forms = slices.Delete(h.forms, 0, 1)
		}
		h.forms = append(h.forms, h.now)
		w.note("%c opens a form", 'A'+i)
	case 2, 3: // save a form, perhaps an old one, perhaps a second time
		form := h.now
		if n := len(h.forms); n > 0 {
			form = h.forms[w.draw(n, "form")]
		}
		for range 1 + w.draw(2, "fields") {
			w.edit(i, form, historyKeys[w.draw(len(historyKeys), "field")])
		}
	case 4: // settle what is in conflict, having seen it all
		for k, f := range h.now.record.All() {
			if f.Len() > 1 && k.ID != FieldLife {
				w.edit(i, h.now, k)
				break
			}
		}
	case 5: // delete or restore
		form := h.now
		if n := len(h.forms); n > 0 && w.draw(2, "stale") == 1 {
			form = h.forms[w.draw(n, "form")]
		}
		deleted := w.draw(3, "restore") < 2
		v := Life{Deleted: deleted, Seen: w.engine.seen(form.record, h.now.record)}.Value()
		w.write(i, form, Key(FieldLife), v, lifeEvent{deleted, form.known.clone()})
	case 6, 7: // receive another copy's present state
		o := w.draw(len(w.holders), "from")
		w.note("%c receives %c's state", 'A'+i, 'A'+o)
		w.receive(i, w.holders[o].now, nil)
	case 8: // receive some older state, late or again
		if len(w.past) > 0 {
			n := w.draw(len(w.past), "past")
			w.note("%c receives state %d", 'A'+i, n)
			w.receive(i, w.past[n], nil)
		}
	case 9: // receive one field of a state, as streams deliver it
		if len(w.past) > 0 {
			n, k := w.draw(len(w.past), "past"), w.draw(len(historyKeys)+1, "field")
			key := Key(FieldLife)
			if k > 0 {
				key = historyKeys[k-1]
			}
			w.note("%c receives field %v of state %d", 'A'+i, key, n)
			w.receive(i, w.past[n], &key)
		}
	default: // take in one write, perhaps again
		if len(w.order) > 0 {
			w.deliver(i, w.order[w.draw(len(w.order), "write")])
		}
	}
}

func (w *world) edit(i int, form snapshot, k FieldKey) {
	v := historyValues[w.draw(len(historyValues), "value")]
	if k.Elem != "" {
		v = []Value{"", "1"}[w.draw(2, "member")]
	}
	w.write(i, form, k, v, lifeEvent{})
}

// write makes one write at copy i under the context of form.
func (w *world) write(i int, form snapshot, k FieldKey, v Value, life lifeEvent) {
	h := w.holders[i]
	h.counter++
	e := &event{
		dot: Dot{replica(i), h.counter}, key: k, value: v, life: life,
		origin:  Origin{Author: string('a' + rune(i)), At: int64(w.draw(5, "clock")), Source: Source(w.draw(4, "source"))},
		context: w.engine.context(form.record, h.now.record, k),
		past:    maps.Clone(form.known[k]),
	}
	w.log[e.dot] = e
	w.order = append(w.order, e)
	w.note("%s writes %v=%q having seen %v", short([]Dot{e.dot}), k, v, short(current(w.log, e.past)))
	r := w.engine.write(h.now.record, k, Sibling{e.dot, v, e.origin}, e.context)
	known := h.now.known.clone()
	known.write(e)
	w.move(i, r, known)
}

// deliver hands write e to copy i, unless that would leave a gap.
func (w *world) deliver(i int, e *event) bool {
	h := w.holders[i]
	if w.gap(h.now.known, e) {
		return false
	}
	w.note("%c takes in %s", 'A'+i, short([]Dot{e.dot}))
	s := Sibling{e.dot, e.value, e.origin}
	s.Origin.Received = h.stamp
	r := w.engine.write(h.now.record, e.key, s, e.context)
	known := h.now.known.clone()
	known.write(e)
	w.move(i, r, known)
	return true
}

// gap reports whether an earlier write of the same replica and field is
// missing from known.
func (w *world) gap(known knowledge, e *event) bool {
	for _, o := range w.order {
		if o.dot.Replica == e.dot.Replica && o.key == e.key && o.dot.Counter < e.dot.Counter && !known[e.key][o.dot] {
			return true
		}
	}
	return false
}

// receive merges state s, or only its field under key, into copy i.
func (w *world) receive(i int, s snapshot, key *FieldKey) {
	r, known := s.record, s.known
	if key != nil {
		if r.Field(*key).IsZero() {
			return
		}
		r = Record{}.With(*key, r.Field(*key))
		known = knowledge{*key: known[*key]}
	}
	h := w.holders[i]
	union := h.now.known.clone()
	union.absorb(known)
	w.move(i, w.engine.merge(h.now.record, r), union)
}

// move makes r the state of copy i and holds it against the model.
func (w *world) move(i int, r Record, known knowledge) {
	h := w.holders[i]
	if err := agree(w.engine, w.log, known, r); err != nil {
		w.fail("copy %c: %w", 'A'+i, err)
	}
	if err := conserved(w.log, known, r); err != nil {
		w.fail("copy %c: %w", 'A'+i, err)
	}
	for k, f := range h.now.record.All() {
		if !r.Field(k).Vector().CoversAll(f.Vector()) {
			w.fail("copy %c: vector of field %v went back from %v to %v", 'A'+i, k, f.Vector(), r.Field(k).Vector())
		}
	}
	h.now = snapshot{r, known, dump(r)}
	w.past = append(w.past, h.now)
}

// shuffled returns 0 to n-1 in a drawn order.
func (w *world) shuffled(n int) []int {
	p := make([]int, n)
	for i := range p {
		j := w.draw(i+1, "shuffle")
		p[i], p[j] = p[j], i
	}
	return p
}

// converge lets all copies exchange everything, each in an order of its own.
func (w *world) converge() {
	w.note("all exchange everything")
	final := make([]snapshot, len(w.holders))
	for i, h := range w.holders {
		final[i] = h.now
	}
	for i := range w.holders {
		for _, o := range w.shuffled(len(final)) {
			w.receive(i, final[o], nil)
		}
	}
	a := w.holders[0].now
	for i, h := range w.holders {
		if !h.now.record.Equal(a.record) || h.now.text != a.text {
			w.fail("copies differ after exchanging everything: %c has\n%sA has\n%s", 'A'+i, h.now.text, a.text)
		}
	}
}

// replay delivers the whole log, write by write, to an empty copy: it must end
// where the exchange of states ended.
func (w *world) replay() {
	w.note("an empty copy takes in every write")
	merged := w.holders[0].now
	w.holders = append(w.holders, &holder{})
	i := len(w.holders) - 1
	for left := w.shuffled(len(w.order)); len(left) > 0; {
		left = slices.DeleteFunc(left, func(n int) bool { return w.deliver(i, w.order[n]) })
	}
	got, want := unstamped(w.holders[i].now.record), unstamped(merged.record)
	if !got.Equal(want) || dump(got) != dump(want) {
		w.fail("writes and states disagree: writes give\n%sstates give\n%s", dump(got), dump(want))
	}
}

// laws checks the algebra on states that really occurred.
func (w *world) laws() {
	if len(w.past) == 0 {
		return
	}
	pick := func() Record { return w.past[w.draw(len(w.past), "state")].record }
	same := func(law string, a, b Record) {
		if !a.Equal(b) || dump(a) != dump(b) {
			w.fail("merge is not %s:\n%sagainst\n%s", law, dump(a), dump(b))
		}
		if w.engine.life(a) != w.engine.life(b) {
			w.fail("life is not %s: %v against %v", law, w.engine.life(a), w.engine.life(b))
		}
	}
	m := w.engine.merge
	for range 6 {
		a, b, c := pick(), pick(), pick()
		same("commutative", m(a, b), m(b, a))
		same("associative", m(m(a, b), c), m(a, m(b, c)))
		same("idempotent", m(a, a), a)
		same("idempotent under repeats", m(m(a, b), b), m(a, b))
		same("neutral on the empty record", m(a, Record{}), a)
		same("neutral on the empty record", m(Record{}, a), a)
	}
}

// views checks that reading hides nothing, changes nothing and does not depend
// on how the set came about.
func (w *world) views() {
	if len(w.past) == 0 {
		return
	}
	rules := hoaRules
	for range 6 {
		a := w.past[w.draw(len(w.past), "state")].record
		b := w.past[w.draw(len(w.past), "state")].record
		ab, ba := w.engine.merge(a, b), w.engine.merge(b, a)
		text := dump(ab)
		for k, f := range ab.All() {
			for _, p := range policies {
				v := w.engine.view(f, p, rules)
				if err := honest(f, p, rules, v); err != nil {
					w.fail("view %s of field %v: %w", p, k, err)
				}
				if o := w.engine.view(ba.Field(k), p, rules); !equalViews(v, o) {
					w.fail("view %s of field %v depends on the order of merging: %+v against %+v", p, k, v, o)
				}
			}
		}
		if dump(ab) != text {
			w.fail("a view changed what it read:\n%swas\n%s", dump(ab), text)
		}
	}
}

func equalViews(a, b View) bool {
	return a.Shown == b.Shown && a.Conflict == b.Conflict && slices.Equal(a.Others, b.Others)
}
