package conflict

import (
	"slices"
	"testing"
)

// mutationRuns is how many seeded histories a mutation may survive.
const mutationRuns = 400

// TestMutationsAreCaught seeds one bug after another beneath the checker that
// TestLaws and TestModel use. A bug that it does not catch within mutationRuns
// histories is a hole in the checker, and fails here.
func TestMutationsAreCaught(t *testing.T) {
	for _, m := range mutations() {
		t.Run(m.name, func(t *testing.T) {
			for seed := range uint64(mutationRuns) {
				if err := play(m.engine, seeded(seed)); err != nil {
					t.Logf("caught in history %d: %.120v", seed, err)
					return
				}
			}
			t.Errorf("survived %d histories", mutationRuns)
		})
	}
}

// TestNaiveEngineIsRight is the control: the code that the mutations bend
// passes while it is straight.
func TestNaiveEngineIsRight(t *testing.T) {
	e := fieldEngine(naiveRules{}.write, naiveRules{}.merge)
	e.life = func(r Record) LifeState {
		return lifeBy(r, func(seen []Seen, k FieldKey, d Dot) bool {
			return slices.ContainsFunc(seen, func(s Seen) bool { return s.Covers(k, d) })
		})
	}
	for seed := range uint64(mutationRuns) {
		if err := play(e, seeded(seed)); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// naiveRules are write and merge as the README states them, without the short
// cuts of the production code, each rule replaceable. The zero value is right.
type naiveRules struct {
	covers  func(Vector, Dot) bool
	join    func(a, b Vector) Vector
	leaves  func(old, s Sibling, context Vector) bool // whether write s removes old
	absorbs func(f Vector, s Sibling, context Vector) Vector
	repeat  func(f Field, s Sibling) bool
	after   func([]Sibling) []Sibling // what merge does to the outcome
	copies  func(a, b Sibling) Sibling
}

func (n naiveRules) straight() naiveRules {
	if n.covers == nil {
		n.covers = Vector.Covers
	}
	if n.join == nil {
		n.join = Vector.Join
	}
	if n.leaves == nil {
		n.leaves = func(old, _ Sibling, context Vector) bool { return n.covers(context, old.Dot) }
	}
	if n.absorbs == nil {
		n.absorbs = func(f Vector, s Sibling, context Vector) Vector { return n.join(f, context).With(s.Dot) }
	}
	if n.repeat == nil {
		n.repeat = func(f Field, s Sibling) bool { return n.covers(f.Vector(), s.Dot) }
	}
	if n.after == nil {
		n.after = func(s []Sibling) []Sibling { return s }
	}
	if n.copies == nil {
		n.copies = later
	}
	return n
}

func (n naiveRules) write(f Field, s Sibling, context Vector) Field {
	n = n.straight()
	if n.repeat(f, s) {
		return f
	}
	kept := []Sibling{s}
	for _, old := range f.Siblings() {
		if !n.leaves(old, s, context) {
			kept = append(kept, old)
		}
	}
	slices.SortFunc(kept, func(a, b Sibling) int { return a.Dot.Compare(b.Dot) })
	return Field{kept, n.absorbs(f.Vector(), s, context)}
}

func (n naiveRules) merge(f, g Field) Field {
	n = n.straight()
	var kept []Sibling
	for _, s := range f.Siblings() {
		switch i := g.find(s.Dot); {
		case i >= 0:
			kept = append(kept, n.copies(s, g.At(i)))
		case !n.covers(g.Vector(), s.Dot):
			kept = append(kept, s)
		}
	}
	for _, s := range g.Siblings() {
		if !f.Has(s.Dot) && !n.covers(f.Vector(), s.Dot) {
			kept = append(kept, s)
		}
	}
	slices.SortFunc(kept, func(a, b Sibling) int { return a.Dot.Compare(b.Dot) })
	return Field{n.after(kept), n.join(f.Vector(), g.Vector())}
}

type mutation struct {
	name   string
	engine engine
}

func mutations() []mutation {
	rules := func(name string, n naiveRules) mutation { return mutation{name, fieldEngine(n.write, n.merge)} }
	with := func(name string, change func(*engine)) mutation {
		e := production()
		change(&e)
		return mutation{name, e}
	}
	own := func(a, b Sibling) bool { return a.Dot.Replica == b.Dot.Replica }
	return []mutation{
		// Merge.
		rules("merge keeps the highest counter only", naiveRules{after: func(s []Sibling) []Sibling {
			return onlyBest(s, func(a, b Sibling) bool { return a.Dot.Counter > b.Dot.Counter })
		}}),
		rules("merge keeps the latest clock only", naiveRules{after: func(s []Sibling) []Sibling {
			return onlyBest(s, func(a, b Sibling) bool { return a.Origin.At > b.Origin.At })
		}}),
		rules("merge drops equal values", naiveRules{after: func(s []Sibling) []Sibling {
			return slices.CompactFunc(slices.Clone(s), func(a, b Sibling) bool { return a.Value == b.Value })
		}}),
		rules("merge drops a cleared value", naiveRules{after: func(s []Sibling) []Sibling {
			if len(s) < 2 {
				return s
			}
			return slices.DeleteFunc(slices.Clone(s), func(s Sibling) bool { return s.Value == "" })
		}}),
		rules("merge keeps two siblings at most", naiveRules{after: func(s []Sibling) []Sibling { return s[:min(2, len(s))] }}),
		rules("merge takes the left copy of a write", naiveRules{copies: func(a, _ Sibling) Sibling { return a }}),
		{"merge forgets to ask what the other has seen", fieldEngine(nil, func(f, g Field) Field {
			all := append(f.Siblings(), g.Siblings()...)
			slices.SortFunc(all, func(a, b Sibling) int { return a.Dot.Compare(b.Dot) })
			return Field{slices.CompactFunc(all, func(a, b Sibling) bool { return a.Dot == b.Dot }), f.Vector().Join(g.Vector())}
		})},
		{"merge asks the vector of one side only", fieldEngine(nil, func(f, g Field) Field {
			kept := f.Siblings()
			for _, s := range g.Siblings() {
				if !f.Vector().Covers(s.Dot) {
					kept = append(kept, s)
				}
			}
			slices.SortFunc(kept, func(a, b Sibling) int { return a.Dot.Compare(b.Dot) })
			return Field{kept, f.Vector().Join(g.Vector())}
		})},
		{"merge leaves siblings as they come", fieldEngine(nil, func(f, g Field) Field {
			m := f.Merge(g)
			s := m.Siblings()
			slices.SortStableFunc(s, func(a, b Sibling) int { return sign(f.find(b.Dot)) - sign(f.find(a.Dot)) })
			return Field{s, m.Vector()}
		})},
		{"merge writes into its left side", fieldEngine(nil, func(f, g Field) Field {
			m := f.Merge(g)
			if len(m.siblings) == len(f.siblings) {
				copy(f.siblings, m.siblings)
			}
			return m
		})},
		{"merge of records takes the newer field whole", fieldEngine(nil, func(f, g Field) Field {
			if g.Vector().Len() >= f.Vector().Len() {
				return g
			}
			return f
		})},

		// Vectors.
		rules("covers uses <", naiveRules{
			covers: func(v Vector, d Dot) bool { return d.Counter < v.Counter(d.Replica) },
			repeat: func(f Field, s Sibling) bool { return f.Vector().Covers(s.Dot) },
		}),
		rules("covers takes every dot of a replica it has met", naiveRules{
			covers: func(v Vector, d Dot) bool { return v.Counter(d.Replica) > 0 },
			repeat: func(f Field, s Sibling) bool { return f.Vector().Covers(s.Dot) },
		}),
		rules("join drops an entry", naiveRules{join: func(a, b Vector) Vector {
			j := a.Join(b)
			if j.Len() > a.Len() && j.Len() > b.Len() {
				return Vector{j.entries[:j.Len()-1]}
			}
			return j
		}}),
		rules("join keeps the left counter", naiveRules{join: func(a, b Vector) Vector {
			for d := range b.All() {
				if a.Counter(d.Replica) == 0 {
					a = a.With(d)
				}
			}
			return a
		}}),

		// Writes and their contexts.
		rules("write removes the own older sibling unseen", naiveRules{leaves: func(old, s Sibling, context Vector) bool {
			return context.Covers(old.Dot) || own(old, s)
		}}),
		rules("write ignores the own older sibling", naiveRules{leaves: func(old, s Sibling, context Vector) bool {
			return context.Covers(old.Dot) && !own(old, s)
		}}),
		rules("write removes all that stands", naiveRules{leaves: func(Sibling, Sibling, Vector) bool { return true }}),
		rules("write removes nothing", naiveRules{leaves: func(Sibling, Sibling, Vector) bool { return false }}),
		rules("write does not absorb its context", naiveRules{absorbs: func(f Vector, s Sibling, _ Vector) Vector { return f.With(s.Dot) }}),
		rules("write takes a repeat for news", naiveRules{repeat: func(f Field, s Sibling) bool { return f.Has(s.Dot) }}),
		rules("write of an equal value is skipped", naiveRules{repeat: func(f Field, s Sibling) bool {
			return f.Vector().Covers(s.Dot) || slices.ContainsFunc(f.Siblings(), func(o Sibling) bool { return o.Value == s.Value })
		}}),
		with("context taken at save", func(e *engine) {
			e.context = func(_, now Record, k FieldKey) Vector { return now.Field(k).Vector() }
		}),
		with("context taken of the whole record", func(e *engine) {
			e.context = func(opened, _ Record, k FieldKey) Vector { return opened.everything() }
		}),

		// Life.
		with("life: what a deletion saw taken at save", func(e *engine) {
			e.seen = func(_, now Record) Seen { return now.Seen() }
		}),
		with("life: seen as one joined vector", func(e *engine) {
			e.life = func(r Record) LifeState {
				return lifeBy(r, func(seen []Seen, k FieldKey, d Dot) bool {
					var all Vector
					for _, s := range seen {
						for _, f := range s.entries {
							all = all.Join(f.vector)
						}
					}
					return all.Covers(d)
				})
			}
		}),
		with("life: the first deletion counts alone", func(e *engine) {
			e.life = func(r Record) LifeState {
				return lifeBy(r, func(seen []Seen, k FieldKey, d Dot) bool { return seen[0].Covers(k, d) })
			}
		}),
		with("life: every deletion must have seen everything", func(e *engine) {
			e.life = func(r Record) LifeState {
				return lifeBy(r, func(seen []Seen, k FieldKey, d Dot) bool {
					return !slices.ContainsFunc(seen, func(s Seen) bool { return !s.Covers(k, d) })
				})
			}
		}),
		with("life: deletion wins", func(e *engine) {
			e.life = func(r Record) LifeState {
				if r.Life() == EditedAndDeleted {
					return Deleted
				}
				return r.Life()
			}
		}),
		with("life: edit wins", func(e *engine) {
			e.life = func(r Record) LifeState {
				if r.Life() == EditedAndDeleted {
					return Alive
				}
				return r.Life()
			}
		}),

		// Views.
		with("view drops what it does not show", func(e *engine) {
			e.view = func(f Field, p Policy, rules Rules) View {
				v := f.View(p, rules)
				if !v.Conflict {
					v.Others = nil
				}
				return v
			}
		}),
		with("view hides a conflict", func(e *engine) {
			e.view = func(f Field, p Policy, rules Rules) View {
				v := f.View(p, rules)
				v.Conflict = v.Conflict && p != Authority
				return v
			}
		}),
		with("view sorts what it reads", func(e *engine) {
			e.view = func(f Field, p Policy, rules Rules) View {
				slices.SortFunc(f.siblings, func(a, b Sibling) int { return compareValues(a.Value, b.Value) })
				return f.View(p, rules)
			}
		}),
		with("view breaks ties by clock", func(e *engine) {
			e.view = func(f Field, p Policy, rules Rules) View {
				s := f.Siblings()
				slices.SortStableFunc(s, func(a, b Sibling) int { return int(b.Origin.At - a.Origin.At) })
				return Field{s, f.Vector()}.View(p, rules)
			}
		}),
	}
}

// onlyBest keeps the one sibling that beats the others.
func onlyBest(all []Sibling, beats func(a, b Sibling) bool) []Sibling {
	if len(all) < 2 {
		return all
	}
	best := all[0]
	for _, s := range all[1:] {
		if beats(s, best) {
			best = s
		}
	}
	return []Sibling{best}
}

// everything joins the vectors of all fields, as a design with one vector a
// record would.
func (r Record) everything() Vector {
	var v Vector
	for _, f := range r.All() {
		v = v.Join(f.Vector())
	}
	return v
}

// lifeBy derives the life state with another notion of what was seen.
func lifeBy(r Record, covered func(seen []Seen, k FieldKey, d Dot) bool) LifeState {
	var deletions []Seen
	alive := false
	for _, s := range r.Field(Key(FieldLife)).Siblings() {
		if l, err := ParseLife(s.Value); err == nil && !l.Deleted {
			alive = true
		} else {
			deletions = append(deletions, l.Seen)
		}
	}
	if len(deletions) == 0 {
		return Alive
	}
	for k, f := range r.All() {
		for _, s := range f.Siblings() {
			if k.ID >= FirstUserField && !covered(deletions, k, s.Dot) {
				alive = true
			}
		}
	}
	if alive {
		return EditedAndDeleted
	}
	return Deleted
}
