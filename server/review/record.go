package review

import (
	"cmp"
	"context"
	"slices"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store/sqlite"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Value is one value of a field as the desk shows it. Of a masked field value is
// empty and display shows its end only; revealing it is audited. Times are Unix
// milliseconds: at by the author's device, received by the server.
type Value struct {
	Dot      string `json:"dot,omitempty"`
	Value    string `json:"value"`
	Display  string `json:"display"`
	By       string `json:"by"`
	At       int64  `json:"at"`
	Received int64  `json:"received,omitempty"`
	Source   string `json:"source,omitempty" enum:"typed,card,imported,reference"`
	Approved bool   `json:"approved,omitempty" doc:"this very write stands approved"`
	Base     string `json:"base,omitempty" doc:"dot of the write that made the value, where this one only chose it"`
	ByMaker  string `json:"made_by,omitempty" doc:"its author"`
}

// Finding is what a validation says of a field.
type Finding struct {
	Level  string `json:"level"`
	Code   string `json:"code"`
	Vi     string `json:"vi"`
	En     string `json:"en"`
	Reason string `json:"reason,omitempty" doc:"given at submission"`
}

// Field is one field of a record at the desk.
type Field struct {
	Name             string    `json:"name"`
	Label            string    `json:"label"`
	Section          string    `json:"section"`
	Type             string    `json:"type"`
	HighRisk         bool      `json:"high_risk"`
	Class            string    `json:"class"`
	Policy           string    `json:"policy"`
	Masked           bool      `json:"masked"`
	Approved         *Value    `json:"approved"`
	Merged           *Value    `json:"merged"`
	Siblings         []Value   `json:"siblings"`
	Conflict         bool      `json:"conflict"`
	Waiting          bool      `json:"waiting"`
	Submitted        bool      `json:"submitted"`
	ChangedSinceSeen bool      `json:"changed_since_seen"`
	Authors          []string  `json:"authors,omitempty" doc:"who made what waits"`
	OwnWork          bool      `json:"own_work,omitempty" doc:"the caller is among them"`
	Findings         []Finding `json:"findings"`
	Reason           string    `json:"reason,omitempty" doc:"the first reason given for a warning"`
}

// Life is the record's life at the desk.
type Life struct {
	State         string  `json:"state" enum:"alive,deleted,edited_and_deleted"`
	ApprovedState string  `json:"approved_state" doc:"alive, deleted, or empty if nobody approved anything"`
	By            string  `json:"by,omitempty"`
	At            int64   `json:"at,omitempty"`
	Waiting       bool    `json:"waiting"`
	Siblings      []Value `json:"siblings"`
}

// Answer is an author's answer to a question.
type Answer struct {
	Text string `json:"text"`
	By   string `json:"by"`
	At   int64  `json:"at"`
}

// Question is a return with its answers.
type Question struct {
	ID      string   `json:"id"`
	Fields  []string `json:"fields"`
	Comment string   `json:"comment"`
	By      string   `json:"by"`
	At      int64    `json:"at"`
	Answers []Answer `json:"answers"`
}

// Decision is one line of a record's approvals.
type Decision struct {
	Decision string   `json:"decision"`
	By       string   `json:"by"`
	At       int64    `json:"at"`
	Comment  string   `json:"comment"`
	Fields   []string `json:"fields"`
	Revision uint64   `json:"revision"`
}

// Record is one record at the desk.
type Record struct {
	ID         string     `json:"id"`
	Register   string     `json:"register"`
	Definition uint32     `json:"definition"`
	Unit       string     `json:"unit"`
	Title      string     `json:"title"`
	Digest     string     `json:"digest" doc:"opaque; decisions give it back"`
	Kind       string     `json:"kind" enum:"none,conflict,edited_and_deleted,submitted,deletion"`
	Life       Life       `json:"life"`
	Stage      string     `json:"stage"`
	Revision   uint64     `json:"revision"`
	Fields     []Field    `json:"fields"`
	Questions  []Question `json:"questions"`
	Decisions  []Decision `json:"decisions"`
	MayApprove bool       `json:"may_approve" doc:"approving everything that waits would pass, with accept_warnings if a reason says warning"`
	Reasons    []Reason   `json:"reasons" doc:"why a batch leaves it out; none: clean"`
}

var sourceNames = [...]string{"typed", "card", "imported", "reference"}

func sourceName(s conflict.Source) string {
	if int(s) < len(sourceNames) {
		return sourceNames[s]
	}
	return sourceNames[conflict.Typed]
}

// shown returns value v, written by the write with the given origin, as the desk
// shows it.
func (k *desk) shown(d *dossier, f *field, v conflict.Value, o conflict.Origin) Value {
	out := Value{Value: plain(f, v), Display: display(d.def, f, v, k.lang), By: o.Author, At: o.At, Received: o.Received, Source: sourceName(o.Source)}
	if f.def != nil && f.def.Type == register.Ref && v != "" {
		if title := k.leads(d.row.Unit, string(v)); title != "" {
			out.Display = title
		}
	}
	return out
}

// leads returns the title of the record of the unit that a reference leads to: the
// one that it names or, if that was given up as the same as another, the one that
// stays. It is empty where there is none to be shown, and the reference is shown
// as it stands.
func (k *desk) leads(unit, reference string) string {
	id, err := conflict.ParseDot(reference)
	for range 8 { // verdicts may go in a circle
		row, ok, failed := k.l.Record(id)
		if err = cmp.Or(err, failed); err != nil || !ok || row.Unit != unit {
			return ""
		}
		def, ok := k.s.cfg.Definition(row.Register)
		head, _, failed := record.ParseState(row.State, id)
		if !ok || failed != nil {
			return ""
		}
		kept := conflict.RecordID{}
		if head.Life() == conflict.Deleted {
			beside, done, failed := k.s.indexes.of(unit, def).beside(k.l, id)
			if failed != nil {
				return ""
			}
			kept, err = beside.kept(head)
			done()
		}
		if kept.IsZero() {
			return register.Mask(def, def.TitleField, shownValue(def.FieldByName(def.TitleField), head), k.lang)
		}
		id = kept
	}
	return ""
}

// sibling returns one current write.
func (k *desk) sibling(d *dossier, f *field, key conflict.FieldKey, s conflict.Sibling) Value {
	v := k.shown(d, f, s.Value, s.Origin)
	if key.Elem != "" {
		v.Value, v.Display = key.Elem, display(d.def, f, conflict.Value(key.Elem), k.lang)
		if s.Value == "" {
			v.Value, v.Display = "-"+v.Value, "− "+v.Display
		}
	}
	v.Dot, v.Approved = s.Dot.String(), d.history.last().Dots.Has(s.Dot)
	if w, ok := d.history.find(key, s.Dot); ok {
		if from := d.history.origin(w); from.dot != w.dot {
			v.Base, v.ByMaker = from.dot.String(), from.origin.Author
		}
	}
	return v
}

// present makes the record's form for the page. seen is what the caller had on
// the screen; the fields that changed since stand first.
func (k *desk) present(d *dossier, seen *marks) Record {
	r := Record{ID: d.row.ID.String(), Register: d.row.Register, Definition: d.def.Version, Unit: d.row.Unit, Title: d.title(k.lang),
		Digest: d.marks.String(), Kind: kindName(d.row.Kind), Stage: string(d.standing.Stage), Revision: d.row.Revision,
		Fields: []Field{}, Questions: d.questions(), Decisions: d.decisions(), Life: k.life(d)}
	for i := range d.fields {
		if f := &d.fields[i]; !f.isLife() {
			r.Fields = append(r.Fields, k.field(d, f))
		}
	}
	if seen != nil {
		changed := map[conflict.FieldID]bool{}
		for _, key := range d.marks.differ(*seen) {
			changed[key.ID] = true
		}
		at := 0
		for i := range d.fields {
			if !d.fields[i].isLife() {
				r.Fields[at].ChangedSinceSeen = changed[d.fields[i].id]
				at++
			}
		}
		slices.SortStableFunc(r.Fields, func(a, b Field) int {
			switch {
			case a.ChangedSinceSeen == b.ChangedSinceSeen:
				return 0
			case a.ChangedSinceSeen:
				return -1
			}
			return 1
		})
	}
	reasons, hard := k.reasonsFor(d, k.triage().unusual())
	r.Reasons, r.MayApprove = append([]Reason{}, reasons...), !hard
	return r
}

func (d *dossier) title(lang string) string {
	f := d.field(d.def.TitleField)
	if f == nil || f.def == nil {
		return ""
	}
	return display(d.def, f, shownValue(f.def, d.head), lang)
}

func (k *desk) field(d *dossier, f *field) Field {
	out := Field{Name: f.name, Conflict: f.conflict, Waiting: f.waiting, Submitted: f.submitted(), Siblings: []Value{}, Findings: []Finding{},
		Label: f.name, Type: string(register.PlainText), Policy: string(conflict.Keep), Class: "basic", HighRisk: f.def == nil, Masked: f.def == nil}
	if f.def != nil {
		out.Label, out.Section, out.Type = f.def.Label.In(k.lang), f.def.Section, string(f.def.Type)
		out.HighRisk, out.Policy, out.Masked = f.def.HighRisk, string(f.def.Policy), f.def.Masked
	}
	if classOf(d.def, f.id) == auth.Sensitive {
		out.Class = "sensitive"
	}
	var newest conflict.Sibling
	for _, key := range f.keys {
		for _, s := range d.head.Field(key).Siblings() {
			if s.Origin.Received >= newest.Origin.Received {
				newest = s
			}
			if f.waiting || d.head.Field(key).Len() > 1 {
				out.Siblings = append(out.Siblings, k.sibling(d, f, key, s))
			}
		}
	}
	if !newest.Dot.IsZero() {
		v := k.merged(d, f, newest)
		out.Merged = &v
	}
	out.Approved = k.approved(d, f)
	if f.waiting {
		out.Authors = d.authors(f)
		out.OwnWork = slices.Contains(out.Authors, k.p.Name)
	}
	for _, x := range d.findings {
		if x.Field == f.name {
			reason := d.reason(x)
			out.Findings = append(out.Findings, Finding{Level: string(x.Level), Code: x.Code, Vi: x.VI, En: x.EN, Reason: reason})
			if out.Reason == "" {
				out.Reason = reason
			}
		}
	}
	return out
}

// merged returns what the head shows of f; newest is its latest write.
func (k *desk) merged(d *dossier, f *field, newest conflict.Sibling) Value {
	if f.def != nil && f.def.Policy == conflict.Union {
		return k.shown(d, f, shownValue(f.def, d.head), newest.Origin)
	}
	key := conflict.Key(f.id)
	return k.sibling(d, f, key, d.view(key).Shown)
}

// approved returns what stands approved of f, nil if nobody approved anything.
func (k *desk) approved(d *dossier, f *field) *Value {
	var value conflict.Value
	var from Approved
	found := false
	for _, key := range f.keys {
		a, ok := d.version.Fields[key]
		if !ok {
			continue
		}
		if !found || a.Received > from.Received {
			from = a
		}
		found, value = true, a.Value
	}
	if !found {
		return nil
	}
	if f.def != nil && f.def.Policy == conflict.Union {
		value = approvedValues(d.def, d.version)[f.name]
	}
	v := k.shown(d, f, value, conflict.Origin{Author: from.Author, At: from.At, Received: from.Received, Source: from.Source})
	if len(from.Dots) == 1 {
		v.Dot = from.Dots[0].String()
	}
	return &v
}

func (k *desk) life(d *dossier) Life {
	l := Life{State: lifeState(d.life), Siblings: []Value{}}
	f := d.field(lifeName)
	l.Waiting = f.waiting
	if len(d.version.Fields) > 0 {
		l.ApprovedState = lifeText(d.version.Deleted)
	}
	key := conflict.Key(conflict.FieldLife)
	for _, s := range d.head.Field(key).Siblings() {
		l.Siblings = append(l.Siblings, k.sibling(d, f, key, s))
		if isDeletion(s.Value) || l.By == "" {
			l.By, l.At = s.Origin.Author, s.Origin.At
		}
	}
	return l
}

func lifeState(s conflict.LifeState) string {
	if s == conflict.EditedAndDeleted {
		return whyEditedAndDeleted
	}
	return s.String()
}

func (d *dossier) decisions() []Decision {
	list := []Decision{}
	for _, a := range slices.Backward(d.history.decisions) {
		list = append(list, Decision{Decision: string(a.Decision), By: a.By, At: a.At, Comment: a.Comment, Fields: a.Fields, Revision: a.Revision})
	}
	return list
}

// questions lists the returns, the newest first, each with all that was ever
// answered to it.
func (d *dossier) questions() []Question {
	list := []Question{}
	for _, a := range slices.Backward(d.history.decisions) {
		if a.Question == "" {
			continue
		}
		q := Question{ID: a.Question, Fields: a.Fields, Comment: a.Comment, By: a.By, At: a.At, Answers: []Answer{}}
		for _, w := range d.history.fields[conflict.Key(conflict.FieldAnswer)] {
			if v, err := record.ParseAnswer(w.value); err == nil && v.Question == a.Question {
				q.Answers = append(q.Answers, Answer{Text: v.Text, By: w.origin.Author, At: w.origin.At})
			}
		}
		list = append(list, q)
	}
	return list
}

// RecordRequest asks for one record.
type RecordRequest struct {
	ID   string `path:"id"`
	Seen string `query:"seen" doc:"a digest: what changed since stands first" maxlen:"20000"`
	Lang string `query:"lang" enum:"vi,en"`
}

// Record shows one record of the caller's unit for review.
func (s *Service) Record(ctx context.Context, req RecordRequest) (Record, error) {
	var out Record
	if err := s.warm(ctx, req.ID); err != nil {
		return out, err
	}
	err := s.look(ctx, req.Lang, audit.Entry{Action: "review.read", Subject: req.ID}, func(k *desk) error {
		if _, err := k.judge(); err != nil {
			return err
		}
		d, err := k.open(req.ID)
		if err != nil {
			return err
		}
		var seen *marks
		if req.Seen != "" {
			was := parseMarks(req.Seen)
			seen = &was
		}
		out = k.present(d, seen)
		return nil
	})
	return out, err
}

// RevealRequest asks to see a masked value.
type RevealRequest struct {
	ID     string `path:"id"`
	Field  string `json:"field" maxlen:"100"`
	Dot    string `json:"dot,omitempty" maxlen:"64" doc:"one of the values that stand, or an approved one; absent: what the head shows"`
	Reason string `json:"reason,omitempty" enum:"review,check_papers,call,duplicate,other" doc:"default review"`
	Lang   string `query:"lang" json:"-" enum:"vi,en"`
}

// RevealResponse is the value unmasked.
type RevealResponse struct {
	Value   string `json:"value"`
	Display string `json:"display"`
}

// Reveal shows one value unmasked and writes that into the audit log in the
// same transaction.
func (s *Service) Reveal(ctx context.Context, req RevealRequest) (RevealResponse, error) {
	var out RevealResponse
	if req.Reason == "" {
		req.Reason = "review"
	}
	err := s.cfg.Store.Update(ctx, func(tx *sqlite.Tx) error {
		k, err := s.caller(ctx, tx, req.Lang)
		if err != nil {
			return err
		}
		row, err := k.row(req.ID, auth.Reveal)
		if err != nil {
			return err
		}
		def, ok := s.cfg.Definition(row.Register)
		if !ok {
			return rpc.ErrNotFound
		}
		f := def.FieldByName(req.Field)
		if f == nil {
			return rpc.ErrInvalid.At("field")
		}
		if err := auth.RecordReveal(tx, k.p, k.now, row.Unit, classOf(def, f.ID), req.ID, []string{f.Name}, req.Reason); err != nil {
			return err
		}
		value, err := k.valueOf(row.ID, row.State, f, req.Dot)
		if err != nil {
			return err
		}
		out = RevealResponse{Value: string(value), Display: register.Display(def, f.Name, value, req.Lang)}
		return nil
	})
	return out, err
}

// valueOf returns the shown value of a field, or that of one of its writes,
// quarantined ones left out.
func (k *desk) valueOf(id conflict.RecordID, state []byte, f *register.Field, dot string) (conflict.Value, error) {
	if dot == "" {
		head, _, err := record.ParseState(state, id)
		if err != nil {
			return "", err
		}
		return shownValue(f, head), nil
	}
	d, err := conflict.ParseDot(dot)
	if err != nil {
		return "", rpc.ErrInvalid.At("dot")
	}
	h, err := readHistory(k.l, id)
	if err != nil {
		return "", err
	}
	w, ok := h.find(conflict.Key(f.ID), d)
	if !ok {
		return "", ErrNotASibling
	}
	return w.value, nil
}
