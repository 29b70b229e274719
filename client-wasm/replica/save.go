package replica

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Save saves a form: the fields that differ from what was on the screen when
// it was opened, in one changeset, under the vectors of that moment. When it
// returns, the save is durable and the form is gone. A second Save of the form
// returns what came of the first. A *Failure leaves the form as it was.
//
// A finding never stops a save. With Submit set the record is handed in too,
// unless a finding of level E stands, or one of level W without a reason.
func (r *Replica) Save(ctx context.Context, q SaveRequest) (SaveReply, error) {
	reply, changed, err := r.saveForm(ctx, q)
	if err == nil {
		r.tell(changed)
	}
	return reply, err
}

func (r *Replica) saveForm(ctx context.Context, q SaveRequest) (SaveReply, Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok, err := r.store.Saved(ctx, q.Key)
	if err != nil {
		return SaveReply{}, Changed{}, fmt.Errorf("save: %w", err)
	}
	if ok {
		reply, err := r.saved(ctx, before)
		return reply, Changed{}, err
	}
	d, ok, err := r.store.Draft(ctx, q.Key)
	if err != nil {
		return SaveReply{}, Changed{}, fmt.Errorf("save: %w", err)
	}
	if !ok {
		return SaveReply{}, Changed{}, noForm(q.Key)
	}
	h := Holding{ID: d.Record, Register: d.Register, Unit: d.Unit}
	s := r.stream(protocol.Stream{Unit: d.Unit, Register: d.Register})
	switch {
	case !d.Record.IsZero():
		// A record that left the scope meanwhile is written to all the same:
		// the server knows where it lives now. It is kept until that has it.
		if r.erased[d.Record] {
			return SaveReply{}, Changed{}, ErrErased
		}
		held, ok, err := r.holding(ctx, d.Record)
		if err != nil {
			return SaveReply{}, Changed{}, fmt.Errorf("save: %w", err)
		}
		if h.Left = s == nil || s.whole(); ok { // else it is still to come
			h = held
		}
	case s == nil || s.Withdrawn: // a form of the unit that its author was in before
		h.Left = d.Unit != r.meta.Account.Unit
	}
	def := r.version(d.Register, d.Definition)
	if def == nil {
		return SaveReply{}, Changed{}, noRegister(d.Register)
	}
	values := maps.Clone(d.Defaults)
	if values == nil {
		values = map[string]string{}
	}
	maps.Copy(values, q.Values)
	c := change{r: r, h: h, def: def, seen: d.Seen}
	for name, typed := range values {
		if err := c.set(name, typed, d.Shown[name], slices.Contains(d.Conflicts, name)); err != nil {
			return SaveReply{}, Changed{}, err
		}
	}
	if q.Answer != "" && d.Question != "" {
		c.answer(r.head(&h), d.Question, record.Answer{Question: d.Question, Text: clean(q.Answer)}.Value())
	}
	if q.Unchecked != nil && d.Record.IsZero() && len(c.writes) > 0 {
		c.write(conflict.Key(conflict.FieldTwin), q.Unchecked.Value())
	}
	if d.Record.IsZero() && len(c.writes) == 0 {
		return SaveReply{}, Changed{}, &Failure{Code: "empty", VI: "Chưa nhập gì để lưu.", EN: "nothing was typed, so there is nothing to save"}
	}
	c.submit, c.reasons, c.strict = q.Submit, q.Reasons, true
	b := &Batch{DropDrafts: []string{q.Key}}
	if err := c.commit(ctx, b, func(id conflict.RecordID, submitted bool) {
		b.Saved = []Saved{{Key: q.Key, Record: id, Submitted: submitted, At: r.now()}}
	}); err != nil {
		return SaveReply{}, Changed{}, fmt.Errorf("save: %w", err)
	}
	return c.reply(ctx), c.changed(), nil
}

// saved returns the reply to a form that was saved before.
func (r *Replica) saved(ctx context.Context, s Saved) (SaveReply, error) {
	h, err := r.held(ctx, s.Record.String())
	if err != nil {
		return SaveReply{}, err
	}
	v := r.view(ctx, r.read(&h))
	return SaveReply{ID: v.ID, Saved: true, Submitted: s.Submitted, Findings: v.Findings, Record: v}, nil
}

// PutRequest writes fields by name, for programs.
type PutRequest struct {
	Register string
	Record   string // "" makes a new record
	Values   map[string]string
	NoSubmit bool // leave it a draft
}

// Put writes fields of a record as it stands now. It hands the record in if no
// finding of level E stands; warnings are left to the supervisor. A field in
// conflict is refused: Settle is for that.
func (r *Replica) Put(ctx context.Context, q PutRequest) (SaveReply, error) {
	reply, changed, err := r.putRecord(ctx, q)
	if err == nil {
		r.tell(changed)
	}
	return reply, err
}

func (r *Replica) putRecord(ctx context.Context, q PutRequest) (SaveReply, Changed, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	def := r.definition(q.Register)
	if def == nil {
		return SaveReply{}, Changed{}, noRegister(q.Register)
	}
	values := q.Values
	h := Holding{Register: q.Register, Unit: r.meta.Account.Unit}
	if q.Record == "" {
		values = map[string]string{}
		for name, value := range register.Defaults(def, register.Env{Unit: register.UnitCode(h.Unit), Today: r.today()}) {
			values[name] = string(value)
		}
		maps.Copy(values, q.Values)
	} else {
		var err error
		if h, err = r.held(ctx, q.Record); err != nil {
			return SaveReply{}, Changed{}, err
		}
		if h.Register != q.Register {
			return SaveReply{}, Changed{}, &Failure{Code: "no_record", VI: fmt.Sprintf("Hồ sơ này thuộc sổ “%s”.", h.Register),
				EN: fmt.Sprintf("record %s is of register %q", q.Record, h.Register)}
		}
	}
	n := r.read(&h)
	if err := n.closed(); err != nil {
		return SaveReply{}, Changed{}, err
	}
	c := change{r: r, h: h, def: def, seen: vectors(n.head)}
	for name, typed := range values {
		if err := c.set(name, typed, n.values[name], slices.Contains(n.conflicts, name)); err != nil {
			return SaveReply{}, Changed{}, err
		}
	}
	if h.ID.IsZero() && len(c.writes) == 0 {
		return SaveReply{}, Changed{}, &Failure{Code: "empty", VI: "Chưa có giá trị nào.", EN: "a new record needs at least one FIELD=VALUE"}
	}
	c.submit = !q.NoSubmit
	if err := c.commit(ctx, &Batch{}, nil); err != nil {
		return SaveReply{}, Changed{}, fmt.Errorf("put: %w", err)
	}
	return c.reply(ctx), c.changed(), nil
}

// change is one changeset that touches one record, in the making.
type change struct {
	r       *Replica
	h       Holding
	def     *register.Definition // under which its author worked
	seen    map[conflict.FieldKey]conflict.Vector
	writes  []record.Write
	submit  bool
	reasons map[string]string
	strict  bool // warnings without a reason stop submitting
	force   bool // nothing stops submitting

	submitted bool
	made      bool // a changeset was needed
	n         *reading
	findings  []register.Finding
}

// set writes what was typed into a field, unless it is what was shown.
func (c *change) set(name, typed string, shown conflict.Value, inConflictThen bool) error {
	value, err := normalise(c.def, name, typed)
	if err != nil {
		return err
	}
	// What is shown may be in another spelling of the same text.
	if same, err := normalise(c.def, name, string(shown)); err == nil && same == value {
		return nil
	}
	f := c.def.FieldByName(name)
	if f.Policy == conflict.Union {
		c.setElements(f, register.Elements(shown), register.Elements(value))
		return nil
	}
	if inConflictThen {
		return inConflict(name)
	}
	c.write(conflict.Key(f.ID), value)
	return nil
}

// setElements adds and removes elements of a union field.
func (c *change) setElements(f *register.Field, before, after []string) {
	for _, elem := range after {
		if !slices.Contains(before, elem) {
			c.write(conflict.FieldKey{ID: f.ID, Elem: elem}, "1")
		}
	}
	for _, elem := range before {
		if !slices.Contains(after, elem) {
			c.write(conflict.FieldKey{ID: f.ID, Elem: elem}, "")
		}
	}
}

// write adds a write under the context that its author had seen.
func (c *change) write(k conflict.FieldKey, v conflict.Value) {
	c.writes = append(c.writes, record.Write{Key: k, Context: c.seen[k], Value: v})
}

// commit makes the changeset, if there is anything to write, and commits it
// with the rest of b. ready, if not nil, is called before, with the id of the
// record and whether it is handed in.
func (c *change) commit(ctx context.Context, b *Batch, ready func(conflict.RecordID, bool)) error {
	r := c.r
	counts := r.counts
	if err := c.add(ctx, b, &counts); err != nil {
		return err
	}
	if ready != nil {
		ready(c.h.ID, c.submitted)
	}
	if err := r.commit(ctx, b); err != nil {
		return err
	}
	r.counts = counts
	return nil
}

// add makes the changeset, if there is anything to write, and adds it to b,
// behind those that b holds already.
func (c *change) add(ctx context.Context, b *Batch, counts *Counts) error {
	return c.r.join(ctx, b, counts, c)
}

// passing notes that a record is here only until the server has what was written in
// it, if this device holds nothing of its register or its unit: it is forgotten
// then, as what a stream leaves that was withdrawn. A store that was offered
// nothing yet does not know.
func (r *Replica) passing(b *Batch, s protocol.Stream) {
	if len(r.meta.Offered) == 0 || r.stream(s) != nil || slices.ContainsFunc(b.Streams, func(t Stream) bool { return t.Stream == s }) {
		return
	}
	b.Streams = append(b.Streams, Stream{Scope: protocol.Scope{Stream: s}, Withdrawn: true})
}

// join makes one changeset of changes of several records, so that all of them
// are made or none, and adds it to b behind those that b holds already. Changes
// that write nothing are left out.
func (r *Replica) join(ctx context.Context, b *Batch, counts *Counts, changes ...*change) error {
	meta := r.meta
	if b.Meta != nil {
		meta = *b.Meta
	}
	cs := record.Changeset{Dot: conflict.Dot{Replica: meta.Replica, Counter: meta.Last + 1}, Author: r.meta.Account.Name, At: r.now()}
	var made []*change
	for _, c := range changes {
		c.judge(ctx)
		if c.submit = c.submit && (c.force || c.maySubmit()); c.submit {
			c.write(conflict.Key(conflict.FieldSubmission), "")
		}
		c.submitted = c.submit
		slices.SortFunc(c.writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
		if len(c.writes) == 0 {
			continue
		}
		if c.h.ID.IsZero() { // a new record is made by itself
			c.h.ID = cs.Dot
		}
		cs.Unit = c.h.Unit
		cs.Edits = append(cs.Edits, record.Edit{Record: c.h.ID, Register: c.h.Register, Definition: c.def.Version, Source: conflict.Typed, Writes: c.writes})
		made = append(made, c)
	}
	if len(made) == 0 {
		return nil
	}
	var gone []Replaced
	for i, c := range made {
		head := r.head(&c.h)
		if c.submit {
			after := seenOnly(cs.Apply(head, i, 0), c.seen, cs)
			at := slices.IndexFunc(c.writes, func(w record.Write) bool { return w.Key.ID == conflict.FieldSubmission })
			// The new submission takes the place of the one before, so it
			// repeats the reasons that were given with that.
			reasons := maps.Clone(c.n.standing.Reasons)
			for k, text := range c.reasons {
				if reasons == nil {
					reasons = map[string]string{}
				}
				reasons[k] = clean(text)
			}
			c.writes[at].Value = c.handedIn(record.Submit(after, reasons), head, c.writes[at].Context).Value()
		}
		gone = append(gone, replaced(head, cs, i)...)
	}
	canonical := record.AppendChangeset(nil, cs)
	if err := cs.Validate(); err != nil || len(canonical) > record.MaxBytes {
		if err == nil {
			err = fmt.Errorf("%d bytes, at most %d", len(canonical), record.MaxBytes)
		}
		return &Failure{Code: "too_large", VI: "Thay đổi này quá lớn để lưu một lần.", EN: "this change is too large to save at once: " + err.Error()}
	}
	meta.Last, meta.Entries = cs.Last().Counter, meta.Entries+1
	entry := Entry{No: meta.Entries, Changeset: cs, Hash: record.HashOf(canonical), Replaced: gone}
	b.Meta, b.Append = &meta, append(b.Append, entry)
	for _, c := range made {
		r.passing(b, protocol.Stream{Unit: c.h.Unit, Register: c.h.Register})
		c.h.Entries = append(slices.Clone(c.h.Entries), entry)
		c.n = r.put(b, counts, c.h, nil)
		c.n.show()
		c.h = *c.n.Holding
		c.made = true
	}
	return nil
}

// handedIn returns s with all that the submissions cover which it takes the
// place of: nobody's work goes back to being a draft.
func (c *change) handedIn(s record.Submission, head conflict.Record, context conflict.Vector) record.Submission {
	f := head.Field(conflict.Key(conflict.FieldSubmission))
	for i := range f.Len() {
		if old, err := record.ParseSubmission(f.At(i).Value); err == nil && context.Covers(f.At(i).Dot) {
			s.Covers = s.Covers.Join(old.Covers)
		}
	}
	return s
}

// judge validates the record as it will be.
func (c *change) judge(ctx context.Context) {
	h := c.h
	n := c.r.read(&h)
	values := map[string]conflict.Value{}
	if !n.ghost { // it may have become one while the form was open
		maps.Copy(values, n.values)
	}
	for _, w := range c.writes {
		f := c.def.FieldByID(w.Key.ID)
		switch {
		case f == nil:
		case w.Key.Elem == "":
			values[f.Name] = w.Value
		case w.Value != "":
			values[f.Name] = register.JoinElements(append(register.Elements(values[f.Name]), w.Key.Elem))
		default:
			values[f.Name] = register.JoinElements(slices.DeleteFunc(register.Elements(values[f.Name]), func(e string) bool { return e == w.Key.Elem }))
		}
	}
	c.n = n
	c.findings = c.r.findings(ctx, n, values)
}

// maySubmit reports whether the findings let the record be handed in, and
// whether there is anything to hand in.
func (c *change) maySubmit() bool {
	for _, f := range c.findings {
		switch {
		case f.Level == register.Error:
			return false
		case f.Level == register.Warning && c.strict:
			key := f.Field + " " + f.Code
			if clean(c.reasons[key]) == "" && c.n.standing.Reasons[key] == "" {
				return false
			}
		}
	}
	if len(c.writes) > 0 {
		return true
	}
	s := c.n.standing
	return len(s.Drafts) > 0 || s.Stage == record.StageReturned
}

func (c *change) reply(ctx context.Context) SaveReply {
	v := c.r.view(ctx, c.n)
	return SaveReply{ID: v.ID, Saved: true, Submitted: c.submitted, Findings: v.Findings, Record: v}
}

func (c *change) changed() Changed {
	if !c.made {
		return Changed{}
	}
	return Changed{Registers: []string{c.h.Register}, IDs: []string{c.h.ID.String()}}
}

// replaced lists the values that the writes of an edit of cs take the place of.
func replaced(head conflict.Record, cs record.Changeset, edit int) []Replaced {
	var out []Replaced
	dot := cs.FirstDot(edit)
	for _, w := range cs.Edits[edit].Writes {
		if w.Key.ID >= conflict.FirstUserField && w.Key.Elem == "" {
			f := head.Field(w.Key)
			for i := range f.Len() {
				if s := f.At(i); w.Context.Covers(s.Dot) {
					out = append(out, Replaced{Dot: dot, Was: s.Dot, Value: s.Value})
				}
			}
		}
		dot.Counter++
	}
	return out
}
