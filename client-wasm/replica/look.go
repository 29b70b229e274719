package replica

import (
	"context"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// The most rows that one list reply holds.
const (
	defaultLimit = 50
	maxLimit     = 1000
)

// List returns a part of a register, sorted as Vietnamese names are.
func (r *Replica) List(ctx context.Context, q ListRequest) (ListReply, error) {
	r.mu.Lock()
	if r.definition(q.Register) == nil {
		r.mu.Unlock()
		return ListReply{}, noRegister(q.Register)
	}
	made, err := r.store.Made(ctx)
	if err != nil {
		r.mu.Unlock()
		return ListReply{}, wrap("list", err)
	}
	reply := ListReply{Rows: []Row{}, Complete: true}
	for _, s := range r.streams {
		if s.Register == q.Register && s.Class == protocol.Basic && !s.Withdrawn {
			// A search through chosen neighbourhoods is one through a part.
			have := int(s.Have) + made[s.Stream]
			reply.Have += have
			reply.Of += max(int(s.Count), have)
			reply.Complete = reply.Complete && s.complete() && len(s.Neighbourhoods) == 0
		}
	}
	reply.Complete = reply.Complete && !r.meta.Choice.of(q.Register).Off
	r.mu.Unlock()

	query := Query{Register: q.Register, Words: register.SearchWords(q.Search), Offset: max(q.Offset, 0), Limit: q.Limit, First: q.First}
	if query.Limit <= 0 {
		query.Limit = defaultLimit
	}
	query.Limit = min(query.Limit, maxLimit)
	switch q.Filter {
	case FilterMine:
		query.Any, query.None = FlagMine, FlagDeleted
	case FilterConflicts:
		query.Any = FlagConflict
	case FilterDrafts:
		query.Any, query.None = FlagDraft, FlagDeleted
	case FilterReturned:
		query.Any = FlagReturned | FlagRefused | FlagQuarantined
	case FilterUnchecked:
		query.Any = FlagUnchecked
	case FilterDeleted:
		query.Any = FlagDeleted
	default:
		query.None = FlagDeleted
	}
	// The search runs without the lock, so that nobody waits for it to save.
	ids, total, err := r.store.Find(ctx, query)
	if err != nil {
		return ListReply{}, err
	}
	if reply.Counted = total >= 0; reply.Counted {
		reply.Total = total
	} else {
		reply.Total = query.Offset + len(ids)
	}
	reply.Rows, err = r.rows(ctx, ids, query.Words)
	return reply, err
}

// complete reports whether the device holds the stream up to the server's end,
// as far as it has heard of that.
func (s Stream) complete() bool { return s.Granted && s.Cursor >= s.Head }

// whole reports whether the device has ever held all of the stream: then it
// holds all parts of a record that it shows.
func (s Stream) whole() bool { return s.Floor > 0 || s.complete() }

// rows reads what lists show of records that were found by words.
func (r *Replica) rows(ctx context.Context, ids []conflict.RecordID, words []string) ([]Row, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	holdings, err := r.store.Holdings(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]Row, len(holdings))
	for i := range holdings {
		n := r.read(&holdings[i])
		rows[i] = r.row(n)
		if n.def != nil {
			rows[i].Why = register.Found(n.def, n.values, words, r.lang)
		}
	}
	return rows, nil
}

func (r *Replica) row(n *reading) Row {
	row := Row{ID: n.ID.String(), Register: n.Register, Title: n.title(r.lang), Cells: []string{}, Place: r.place(n),
		Stage: string(n.stage()), Conflict: len(n.conflicts) > 0 && !n.ghost, EditedAndDeleted: n.life == conflict.EditedAndDeleted,
		Deleted: n.life == conflict.Deleted}
	if n.def != nil {
		for _, name := range n.def.ListColumns {
			row.Cells = append(row.Cells, register.Mask(n.def, name, n.values[name], r.lang))
		}
	}
	row.ReceivedAt, row.ChangedAt = times(n.head)
	return row
}

// times returns when the server received the newest of what its authors wrote,
// and when they wrote it.
func times(head conflict.Record) (received, changed int64) {
	for k, f := range head.All() {
		if k.ID == conflict.FieldReview {
			continue
		}
		for i := range f.Len() {
			o := f.At(i).Origin
			received, changed = max(received, o.Received), max(changed, o.At)
		}
	}
	return received, changed
}

// Conflicts returns all records in which a person has to choose, by register.
func (r *Replica) Conflicts(ctx context.Context) ([]Row, error) {
	rows := []Row{}
	for _, def := range r.Definitions() {
		for offset := 0; ; {
			ids, total, err := r.store.Find(ctx, Query{Register: string(def.ID), Any: FlagConflict, Offset: offset, Limit: maxLimit})
			if err != nil {
				return nil, err
			}
			more, err := r.rows(ctx, ids, nil)
			if err != nil {
				return nil, err
			}
			rows = append(rows, more...)
			if offset += len(ids); len(ids) == 0 || offset >= total {
				break
			}
		}
	}
	return rows, nil
}

// Get returns a record as the page shows it.
func (r *Replica) Get(ctx context.Context, id string) (RecordView, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return RecordView{}, err
	}
	return r.view(ctx, r.read(&h)), nil
}

func (r *Replica) view(ctx context.Context, n *reading) RecordView {
	v := RecordView{ID: n.ID.String(), Register: n.Register, Unit: n.Unit, Definition: n.def.Version, Fields: []FieldView{},
		Findings: r.findings(ctx, n, n.values), Life: n.life.String(), Place: r.place(n), Stage: string(n.stage()),
		Quarantine: []QuarantineView{}, MayDelete: r.mayDelete(n), Home: n.home()}
	v.ReceivedAt, _ = times(n.head)
	if u, ok := record.UncheckedOf(n.head); ok {
		v.Unchecked = &u
	}
	v.BackedUp = r.backedUp(n)
	for i := range n.def.Fields {
		f := &n.def.Fields[i]
		if f.Retired && n.values[f.Name] == "" {
			continue
		}
		v.Fields = append(v.Fields, r.fieldView(n, f))
	}
	if rev := n.standing.Review; rev.Decision != "" {
		v.Review = &ReviewView{Decision: string(rev.Decision), By: rev.By, At: rev.At, Comment: rev.Comment, Fields: rev.Fields,
			Question: rev.Question, Answers: []AnswerView{}}
		for _, s := range n.standing.Answers {
			if a, err := record.ParseAnswer(s.Value); err == nil {
				v.Review.Answers = append(v.Review.Answers, AnswerView{a.Text, s.Origin.Author, s.Origin.At})
			}
		}
		if rev.Decision == record.Approved {
			v.ApprovedAt = rev.At
		}
	}
	for i := range n.Entries {
		if n.Entries[i].Refusal != nil {
			v.Quarantine = append(v.Quarantine, r.quarantineView(n, &n.Entries[i]))
		}
	}
	return v
}

func (r *Replica) fieldView(n *reading, f *register.Field) FieldView {
	value := n.values[f.Name]
	v := FieldView{Name: f.Name, Value: string(value), Display: register.Mask(n.def, f.Name, value, r.lang),
		Masked: f.Masked && value != "", Conflict: []Sibling{}}
	if v.Masked {
		v.Value = ""
	}
	var newest conflict.Sibling
	for k, field := range n.head.All() {
		if k.ID != f.ID {
			continue
		}
		v.Waiting = v.Waiting || slices.Contains(n.standing.Waiting, k)
		for i := range field.Len() {
			s := field.At(i)
			v.Local = v.Local || s.Dot.Replica == r.meta.Replica && s.Dot.Counter > r.meta.Acked
			if newest.Dot.IsZero() || s.Origin.At > newest.Origin.At {
				newest = s
			}
		}
	}
	if f.Policy != conflict.Union {
		field := n.head.Field(conflict.Key(f.ID))
		view := field.View(f.Policy, register.ViewRules(f))
		if !view.Shown.Dot.IsZero() {
			newest = view.Shown
		}
		if view.Conflict {
			v.Seen = field.Vector().String()
			for i := range field.Len() {
				v.Conflict = append(v.Conflict, r.sibling(n, f, field.At(i)))
			}
			var before *conflict.Value
			if before = n.ancestor(f, field); before != nil {
				v.Ancestor = &Ancestor{Value: string(*before), Display: register.Mask(n.def, f.Name, *before, r.lang)}
				if f.Masked {
					v.Ancestor.Value = ""
				}
			}
			if s, ok := register.Suggest(n.def, f, field.Siblings(), before); ok {
				v.Advice = &Advice{Dot: s.Dot.String(), Why: s.Why}
			}
		}
		v.Settled = r.settled(n, f, field)
	}
	v.By, v.At, v.Received = newest.Origin.Author, newest.Origin.At, newest.Origin.Received
	return v
}

func (r *Replica) sibling(n *reading, f *register.Field, s conflict.Sibling) Sibling {
	out := Sibling{Dot: s.Dot.String(), Value: string(s.Value), Display: register.Mask(n.def, f.Name, s.Value, r.lang),
		By: s.Origin.Author, At: s.Origin.At, Received: s.Origin.Received, Mine: s.Origin.Author == r.meta.Account.Name,
		Here: s.Dot.Replica == r.meta.Replica, Clock: r.clockOf(s)}
	if f.Masked {
		out.Value = ""
	}
	return out
}

// clockTrust is by how much two clocks may differ without anybody being told.
const clockTrust = 60_000 // ms

// clockOf returns by how much the clock of the device that made a write is known
// to be wrong: of this device what it measured, of another what must be so, for
// nothing is received before it was written.
func (r *Replica) clockOf(s conflict.Sibling) int64 {
	off := int64(0)
	switch {
	case s.Dot.Replica == r.meta.Replica && r.meta.HeardAt != 0:
		off = r.meta.ClockOffset
	case s.Origin.Received != 0:
		off = max(0, s.Origin.At-s.Origin.Received)
	}
	if off > -clockTrust && off < clockTrust {
		return 0
	}
	return off
}

// ancestor returns the value that one side of a conflict replaced, if it was
// made here, and the other side had it behind itself too.
func (n *reading) ancestor(f *register.Field, field conflict.Field) *conflict.Value {
	behind := n.Base.Field(conflict.Key(f.ID))
	for i := range n.Entries {
		for _, was := range n.Entries[i].Replaced {
			if field.Has(was.Dot) && !field.Has(was.Was) && behind.Vector().Covers(was.Was) && !behind.Has(was.Was) &&
				len(n.Entries[i].replacedBy(was.Dot)) == 1 {
				return &was.Value
			}
		}
	}
	return nil
}

// replacedBy returns the values that a write of e took the place of.
func (e *Entry) replacedBy(dot conflict.Dot) []Replaced {
	var all []Replaced
	for _, was := range e.Replaced {
		if was.Dot == dot {
			all = append(all, was)
		}
	}
	return all
}

func (r *Replica) quarantineView(n *reading, e *Entry) QuarantineView {
	vi, en := reason(e.Refusal.Code)
	v := QuarantineView{Counter: e.Changeset.Dot.Counter, Code: e.Refusal.Code.String(), VI: vi, EN: en, At: e.Refusal.At,
		Fields: []QuarantinedField{}}
	switch e.Refusal.Settled {
	case protocol.Released:
		v.Settled, v.As = "released", e.Refusal.As
		v.VI, v.EN = "Giám sát đã cho nhận thay đổi này; nội dung đã vào hồ sơ.", "A supervisor has released this change; what it says is in the record now."
	case protocol.Rejected:
		v.Settled = "rejected"
		v.VI, v.EN = "Giám sát đã không nhận thay đổi này; nội dung không vào hồ sơ.", "A supervisor has rejected this change; what it says is not in the record."
	}
	i := e.edit(n.ID)
	if i < 0 {
		return v
	}
	for _, w := range e.Changeset.Edits[i].Writes {
		switch f := n.def.FieldByID(w.Key.ID); {
		case f != nil && w.Key.Elem != "":
			text := register.Display(n.def, f.Name, conflict.Value(w.Key.Elem), r.lang)
			if w.Value == "" {
				text = "− " + text
			}
			v.Fields = append(v.Fields, QuarantinedField{f.Name, text})
		case f != nil:
			v.Fields = append(v.Fields, QuarantinedField{f.Name, register.Mask(n.def, f.Name, w.Value, r.lang)})
		case w.Key.ID == conflict.FieldLife:
			state, _, _ := strings.Cut(string(w.Value), ";")
			v.Fields = append(v.Fields, QuarantinedField{"life", state})
		}
	}
	return v
}

// reason says in words why a changeset is in quarantine.
func reason(code protocol.Code) (vi, en string) {
	switch code {
	case protocol.Forbidden, protocol.Revoked:
		return "Tài khoản này không được sửa hồ sơ hoặc trường này.", "This account may not change this record or field."
	case protocol.WrongUnit:
		return "Hồ sơ thuộc đơn vị khác.", "The record belongs to another unit."
	case protocol.Dependent:
		return "Dựa trên một thay đổi đang bị giữ lại.", "It builds on a change that is held back."
	case protocol.Partial:
		return "Thiết bị chỉ có một phần hồ sơ nên không được xóa.", "The device held only a part of the record and may not delete it."
	case protocol.Brake:
		return "Quá nhiều thay đổi xóa hoặc để trống; chờ người kiểm tra.", "Unusually many deletions or blanks; a person must look first."
	case protocol.UnknownRecord, protocol.UnknownRegister, protocol.UnknownField:
		return "Máy chủ không biết hồ sơ, sổ hoặc trường này.", "The server does not know this record, register or field."
	case protocol.TooLarge:
		return "Thay đổi quá lớn.", "The change is too large."
	}
	return "Máy chủ giữ lại thay đổi này để người có trách nhiệm xem.", "The server holds this change back for somebody to look at."
}

// findings lists what there is to say about a record with the given values.
func (r *Replica) findings(ctx context.Context, n *reading, values map[string]conflict.Value) []register.Finding {
	env := register.Env{Today: r.today(), Unit: register.UnitCode(n.Unit), MadeUnder: n.madeUnder(), Before: n.approved(),
		Lookup: &lookup{ctx, r, n.Register, n.Unit, n.ID}}
	found := register.Validate(n.def, values, env)
	if found == nil {
		found = []register.Finding{}
	}
	return found
}

// madeUnder returns the definition version of the record's last change, 0 for
// a record that was never written.
func (n *reading) madeUnder() uint32 {
	var v uint32
	for k, f := range n.head.All() {
		if k.ID >= conflict.FirstUserField {
			for i := range f.Len() {
				v = max(v, f.At(i).Origin.Definition)
			}
		}
	}
	return v
}

// approved returns the values that stand approved, as far as they are on the
// device: what a pending change replaced is in the base still.
func (n *reading) approved() map[string]conflict.Value {
	if n.standing.Review.Decision == "" {
		return nil
	}
	values := map[string]conflict.Value{}
	for i := range n.def.Fields {
		f := &n.def.Fields[i]
		for _, field := range []conflict.Field{n.Base.Field(conflict.Key(f.ID)), n.head.Field(conflict.Key(f.ID))} {
			for j := range field.Len() {
				if s := field.At(j); s.Value != "" && n.standing.Review.Dots.Has(s.Dot) {
					values[f.Name] = s.Value
				}
			}
		}
	}
	return values
}

// lookup answers register's questions about other records from the store.
// Where the store fails it finds nothing: the server looks again.
type lookup struct {
	ctx      context.Context
	r        *Replica
	register string
	unit     string
	self     conflict.RecordID
}

var _ register.Lookup = (*lookup)(nil)

func (l *lookup) Find(match map[string]conflict.Value, limit int) []map[string]conflict.Value {
	names := make([]string, 0, len(match))
	for name := range match {
		names = append(names, name)
	}
	key, ok := lookupKey(l.register, l.unit, names, match)
	if !ok {
		return nil
	}
	ids, err := l.r.store.FindKey(l.ctx, key, limit+32) // some may be deleted, or share the hash
	if err != nil {
		return nil
	}
	holdings, err := l.r.store.Holdings(l.ctx, ids)
	if err != nil {
		return nil
	}
	var found []map[string]conflict.Value
	for i := range holdings {
		h := &holdings[i]
		if h.ID == l.self || h.Register != l.register || h.Unit != l.unit {
			continue
		}
		n := l.r.read(h)
		if n.ghost || n.life == conflict.Deleted {
			continue
		}
		same := true
		for name, value := range match {
			same = same && n.values[name] == value
		}
		if same {
			if found = append(found, n.values); len(found) == limit {
				break
			}
		}
	}
	return found
}

func (l *lookup) Exists(id string) bool {
	_, err := l.r.held(l.ctx, id)
	return err == nil
}

// Check validates what stands in a form, or in a record to be, without saving.
func (r *Replica) Check(ctx context.Context, reg, id string, values map[string]string) ([]register.Finding, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := Holding{Register: reg, Unit: r.meta.Account.Unit}
	if id != "" {
		var err error
		if h, err = r.held(ctx, id); err != nil {
			return nil, err
		}
	}
	n := r.read(&h)
	if n.def == nil {
		return nil, noRegister(reg)
	}
	for name, typed := range values {
		v, err := normalise(n.def, name, typed)
		if err != nil {
			return nil, err
		}
		n.values[name] = v
	}
	return r.findings(ctx, n, n.values), nil
}

// normalise returns the value to store for what was typed; text that is no
// value of the field's type is kept as typed.
func normalise(def *register.Definition, name, typed string) (conflict.Value, error) {
	if def.FieldByName(name) == nil {
		return "", noField(string(def.ID), name)
	}
	v, err := register.Normalise(def, name, typed)
	if _, ok := err.(*register.Finding); err != nil && !ok {
		return "", err
	}
	if len(v) > record.MaxValueBytes {
		return "", &Failure{Code: "too_large", Field: name, VI: "Nội dung quá dài.", EN: "the text is too long"}
	}
	return v, nil
}

// Reveal returns a masked field in full and notes that it was asked for, to be
// reported to the server. With a dot it is one of the values that stand beside
// each other, or that the device knows to have stood there.
func (r *Replica) Reveal(ctx context.Context, id, field, dot string) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return "", err
	}
	n := r.read(&h)
	f := n.def.FieldByName(field)
	if f == nil {
		return "", noField(h.Register, field)
	}
	value := n.values[field]
	if dot != "" {
		s, ok := n.known(f, dot)
		if !ok {
			return "", noValue(field)
		}
		value = s.Value
	}
	// The note is durable before anything is shown.
	b := &Batch{Reveals: []Reveal{{Record: h.ID, Field: field, At: r.now()}}}
	if err := r.commit(ctx, b); err != nil {
		return "", err
	}
	return register.Display(n.def, field, value, r.lang), nil
}

// Reveals returns what is still to be reported; Reported forgets it.
func (r *Replica) Reveals(ctx context.Context) ([]Reveal, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.store.Reveals(ctx)
}

// Reported forgets reveals that the server knows of.
func (r *Replica) Reported(ctx context.Context, numbers ...uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.commit(ctx, &Batch{ReportedReveals: numbers})
}

// History returns the writes that the device knows of: those that stand, and
// its own that are still in the outbox. The full history is the server's.
func (r *Replica) History(ctx context.Context, id string) (HistoryReply, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return HistoryReply{}, err
	}
	n := r.read(&h)
	steps := map[conflict.Dot]Step{}
	add := func(k conflict.FieldKey, s conflict.Sibling, current bool) {
		name, value, display := "", string(s.Value), ""
		switch f := n.def.FieldByID(k.ID); {
		case k.ID == conflict.FieldLife:
			name = "life"
			value, _, _ = strings.Cut(value, ";")
			display = value
		case f == nil:
			return
		case k.Elem != "":
			name, display = f.Name, register.Display(n.def, f.Name, conflict.Value(k.Elem), r.lang)
			if value == "" {
				display = "− " + display
			}
			value = k.Elem
		default:
			name, display = f.Name, register.Mask(n.def, f.Name, s.Value, r.lang)
			if f.Masked {
				value = ""
			}
		}
		steps[s.Dot] = Step{Dot: s.Dot.String(), Field: name, Value: value, Display: display, By: s.Origin.Author, At: s.Origin.At,
			Received: s.Origin.Received, Current: current}
	}
	for i := range n.Entries {
		e := &n.Entries[i]
		if at := e.edit(n.ID); at >= 0 {
			dot := e.Changeset.FirstDot(at)
			edit := e.Changeset.Edits[at]
			for _, w := range edit.Writes {
				add(w.Key, conflict.Sibling{Dot: dot, Value: w.Value, Origin: conflict.Origin{Author: e.Changeset.Author, At: e.Changeset.At,
					Received: e.Received, Definition: edit.Definition, Source: edit.Source}}, false)
				dot.Counter++
			}
		}
	}
	if !n.ghost {
		for k, f := range n.head.All() {
			for i := range f.Len() {
				add(k, f.At(i), true)
			}
		}
	}
	reply := HistoryReply{Steps: []Step{}}
	for _, s := range steps {
		reply.Steps = append(reply.Steps, s)
	}
	slices.SortFunc(reply.Steps, func(a, b Step) int {
		if a.At != b.At {
			if a.At < b.At {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Dot, b.Dot)
	})
	return reply, nil
}

// Record is a record with its values in full, for programs.
type Record struct {
	ID        conflict.RecordID
	Register  string
	Unit      string
	Head      conflict.Record
	Values    map[string]conflict.Value // what each filled field shows, by name
	Conflicts map[string][]conflict.Sibling
	Life      conflict.LifeState
	Place     Place
	Stage     record.Stage
}

// Record returns a record with its values in full. It is not for screens: what
// is shown to people goes through Get and Reveal.
func (r *Replica) Record(ctx context.Context, id string) (Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, err := r.held(ctx, id)
	if err != nil {
		return Record{}, err
	}
	return r.record(r.read(&h)), nil
}

func (r *Replica) record(n *reading) Record {
	out := Record{ID: n.ID, Register: n.Register, Unit: n.Unit, Head: n.head, Values: n.values,
		Conflicts: map[string][]conflict.Sibling{}, Life: n.life, Place: r.place(n), Stage: n.stage()}
	for _, name := range n.conflicts {
		out.Conflicts[name] = n.head.Field(conflict.Key(n.def.FieldByName(name).ID)).Siblings()
	}
	return out
}

// Base returns the server's state of a record as the device holds it, for the
// simulator's oracles and for tests.
func (r *Replica) Base(ctx context.Context, id conflict.RecordID) (conflict.Record, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h, _, err := r.holding(ctx, id)
	return h.Base, err
}

// Outbox returns everything that is in the outbox, oldest first, for the
// simulator's oracles and for tests.
func (r *Replica) Outbox(ctx context.Context) ([]Entry, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.entries(ctx)
}

func (r *Replica) entries(ctx context.Context) ([]Entry, error) {
	var all []Entry
	for {
		var after uint64
		if len(all) > 0 {
			after = all[len(all)-1].No
		}
		some, err := r.store.Entries(ctx, after, 1000)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
	}
}

// IDs returns the ids of all records of a register on the device, by id.
func (r *Replica) IDs(ctx context.Context, reg string) ([]conflict.RecordID, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []conflict.RecordID
	for {
		var after conflict.RecordID
		if len(all) > 0 {
			after = all[len(all)-1]
		}
		some, err := r.store.Walk(ctx, reg, after, 1000)
		if err != nil || len(some) == 0 {
			return all, err
		}
		all = append(all, some...)
	}
}
