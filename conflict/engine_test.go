package conflict

// engine is the merge core behind the seams at which it can go wrong, so that
// the same histories can drive production code and the seeded bugs of
// mutation_test.go.
type engine struct {
	write   func(r Record, k FieldKey, s Sibling, context Vector) Record
	merge   func(a, b Record) Record
	context func(opened, now Record, k FieldKey) Vector // what a saved form sends along
	seen    func(opened, now Record) Seen               // what a deletion sends along
	life    func(Record) LifeState
	view    func(Field, Policy, Rules) View
}

// production is the engine as shipped.
func production() engine {
	return engine{
		write:   Record.Write,
		merge:   Record.Merge,
		context: func(opened, _ Record, k FieldKey) Vector { return opened.Field(k).Vector() },
		seen:    func(opened, _ Record) Seen { return opened.Seen() },
		life:    Record.Life,
		view:    Field.View,
	}
}

// fieldEngine returns production with other field functions beneath it.
func fieldEngine(write func(Field, Sibling, Vector) Field, merge func(a, b Field) Field) engine {
	e := production()
	if write != nil {
		e.write = func(r Record, k FieldKey, s Sibling, context Vector) Record {
			return r.With(k, write(r.Field(k), s, context))
		}
	}
	if merge != nil {
		e.merge = func(a, b Record) Record {
			for k, f := range b.All() {
				a = a.With(k, merge(a.Field(k), f))
			}
			return a
		}
	}
	return e
}
