package review

import (
	"context"
	"errors"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// seen refuses a decision whose maker saw another state than stands now. The
// error brings the record as it is, what has changed on top.
func (k *desk) seen(d *dossier, digest string) error {
	was := parseMarks(digest)
	if d.marks.same(was) {
		return nil
	}
	e := *ErrChanged
	e.Beside = map[string]any{"record": k.present(d, &was)}
	return &e
}

// pick returns the named fields, each of which must wait and be submitted; no
// names mean everything that may be decided at once.
func (d *dossier) pick(names []string) ([]*field, error) {
	if d.life == conflict.EditedAndDeleted {
		return nil, ErrEditedDeleted
	}
	if names == nil {
		list := d.approvable()
		if len(list) > 0 {
			return list, nil
		}
		if slices.ContainsFunc(d.fields, func(f field) bool { return f.waiting }) {
			return nil, ErrDraft
		}
		return nil, ErrNothingWaiting
	}
	if len(names) == 0 {
		return nil, rpc.ErrInvalid.At("fields")
	}
	var list []*field
	for _, name := range names {
		f := d.field(name)
		switch {
		case f == nil:
			return nil, rpc.ErrInvalid.At(name)
		case !f.waiting:
			return nil, ErrNothingWaiting.At(name)
		case f.draft:
			return nil, ErrDraft.At(name)
		}
		if !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	if d.lifeWaits() && !slices.ContainsFunc(list, (*field).isLife) {
		return nil, ErrLifeFirst
	}
	return list, nil
}

func namesOf(list []*field) []string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.name
	}
	return names
}

// keysOf returns the keys of the fields in which something stands.
func (d *dossier) keysOf(list []*field) []conflict.FieldKey {
	var keys []conflict.FieldKey
	for _, f := range list {
		for _, k := range f.keys {
			if d.head.Field(k).Len() > 0 {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// mayApprove judges the approval of list by the supervisor named.
func (d *dossier) mayApprove(list []*field, supervisor string, accept bool) (accepted bool, err error) {
	for _, f := range list {
		if f.conflict {
			return false, ErrUnsettled.At(f.name)
		}
		if slices.Contains(d.authors(f), supervisor) {
			return false, ErrOwnWork.At(f.name)
		}
	}
	for _, finding := range d.findings {
		if !slices.ContainsFunc(list, func(f *field) bool { return f.name == finding.Field }) {
			continue
		}
		switch {
		case finding.Level == register.Error:
			return false, ErrFindings.At(finding.Field)
		case finding.Level == register.Warning && d.reason(finding) == "":
			if !accept {
				return false, ErrWarnings.At(finding.Field)
			}
			accepted = true
		}
	}
	return accepted, nil
}

// ApproveRequest approves what was on the screen.
type ApproveRequest struct {
	ID             string   `json:"id"`
	Digest         string   `json:"digest" maxlen:"20000" doc:"as the record was shown"`
	Fields         []string `json:"fields,omitempty" doc:"names; absent: everything that waits"`
	AcceptWarnings bool     `json:"accept_warnings,omitempty" doc:"the supervisor's tick for warnings without a reason"`
	Lang           string   `query:"lang" json:"-" enum:"vi,en"`
}

// ApproveResponse is what an approval left.
type ApproveResponse struct {
	ID       string   `json:"id"`
	Digest   string   `json:"digest"`
	Stage    string   `json:"stage"`
	Approved []string `json:"approved" doc:"names of the fields approved"`
	Revision uint64   `json:"revision" doc:"of the hub's feed; 0: the record is not complete enough for it yet"`
}

// Approve makes the current values of the fields the approved ones. Of a record
// whose deletion waits it approves the deletion.
func (s *Service) Approve(ctx context.Context, req ApproveRequest) (ApproveResponse, error) {
	var out ApproveResponse
	err := s.decide(ctx, req.ID, req.Lang, func(k *desk, d *dossier) error {
		if err := k.seen(d, req.Digest); err != nil {
			return err
		}
		list, err := d.pick(req.Fields)
		if err != nil {
			return err
		}
		accepted, err := d.mayApprove(list, k.p.Name, req.AcceptWarnings)
		if err != nil {
			return err
		}
		row, err := k.perform(d, act{decision: record.Approved, fields: namesOf(list), approve: d.keysOf(list), accepted: accepted})
		if err != nil {
			return err
		}
		if d, err = k.load(d.row); err != nil {
			return err
		}
		out = ApproveResponse{ID: req.ID, Digest: d.marks.String(), Stage: string(d.standing.Stage), Approved: row.Fields, Revision: row.Revision}
		return nil
	})
	return out, err
}

// SettleRequest chooses one value of a field.
type SettleRequest struct {
	ID      string  `json:"id"`
	Digest  string  `json:"digest" maxlen:"20000"`
	Field   string  `json:"field" doc:"a name; life takes the values alive and deleted"`
	Dot     string  `json:"dot,omitempty" doc:"the write whose value is chosen: one that stands, or an approved one"`
	Value   *string `json:"value,omitempty" maxlen:"70000" doc:"a value typed anew, which makes its typist its author"`
	Comment string  `json:"comment,omitempty" maxlen:"2000"`
	Lang    string  `query:"lang" json:"-" enum:"vi,en"`
}

// Settle writes one value in the place of all that stand in a field. Choosing a
// value that stands, or the approved one, makes nobody its author.
func (s *Service) Settle(ctx context.Context, req SettleRequest) (Record, error) {
	var out Record
	err := s.decide(ctx, req.ID, req.Lang, func(k *desk, d *dossier) error {
		if err := k.seen(d, req.Digest); err != nil {
			return err
		}
		writes, err := k.settling(d, req)
		if err != nil {
			return err
		}
		if len(writes) > 0 {
			if _, err := k.perform(d, act{decision: store.Settled, fields: []string{req.Field}, comment: req.Comment, writes: writes}); err != nil {
				return err
			}
		}
		out, err = k.again(d)
		return err
	})
	return out, err
}

// again presents the record as the transaction has left it.
func (k *desk) again(d *dossier) (Record, error) {
	d, err := k.load(d.row)
	if err != nil {
		return Record{}, err
	}
	return k.present(d, nil), nil
}

// settling returns the writes of a settling; none if the value stands already.
func (k *desk) settling(d *dossier, req SettleRequest) (map[conflict.FieldKey]conflict.Value, error) {
	f := d.field(req.Field)
	switch {
	case f == nil:
		return nil, rpc.ErrInvalid.At("field")
	case (req.Dot == "") == (req.Value == nil):
		return nil, rpc.ErrInvalid.At("value")
	case !f.isLife() && d.life == conflict.EditedAndDeleted:
		return nil, ErrEditedDeleted
	case !f.isLife() && d.life == conflict.Deleted:
		return nil, ErrLifeFirst
	case !f.waiting && !f.conflict:
		return nil, ErrNothingWaiting.At(req.Field)
	}
	if f.isLife() {
		return k.settleLife(d, f, req)
	}
	if f.def != nil && f.def.Policy == conflict.Union {
		return settleUnion(d, f, req)
	}
	key := conflict.Key(f.id)
	value, err := d.chosenValue(f, key, req)
	if err != nil {
		return nil, err
	}
	if field := d.head.Field(key); field.Len() == 1 && field.At(0).Value == value {
		return nil, nil // retyping what stands writes nothing
	}
	return map[conflict.FieldKey]conflict.Value{key: value}, nil
}

func (k *desk) settleLife(d *dossier, f *field, req SettleRequest) (map[conflict.FieldKey]conflict.Value, error) {
	if req.Value == nil || *req.Value != conflict.Alive.String() && *req.Value != conflict.Deleted.String() {
		return nil, rpc.ErrInvalid.At("value")
	}
	deleted := *req.Value == conflict.Deleted.String()
	if !f.conflict && deleted == (d.life == conflict.Deleted) {
		return nil, nil
	}
	if deleted {
		if err := k.wholeRecord(d); err != nil {
			return nil, err
		}
	}
	return map[conflict.FieldKey]conflict.Value{conflict.Key(conflict.FieldLife): conflict.Life{Deleted: deleted, Seen: d.head.Seen()}.Value()}, nil
}

// wholeRecord asks that the supervisor sees every field: who holds only a part of
// a record cannot delete it.
func (k *desk) wholeRecord(d *dossier) error {
	for i := range d.def.Fields {
		if err := auth.Can(k.p, auth.Review, d.row.Unit, classOf(d.def, d.def.Fields[i].ID)); err != nil {
			return err
		}
	}
	return nil
}

// chosenValue returns the value that a settling names.
func (d *dossier) chosenValue(f *field, key conflict.FieldKey, req SettleRequest) (conflict.Value, error) {
	if req.Dot != "" {
		dot, err := conflict.ParseDot(req.Dot)
		if err != nil {
			return "", rpc.ErrInvalid.At("dot").Because(err)
		}
		if w, ok := d.history.find(key, dot); ok && (d.head.Field(key).Has(dot) || slices.Contains(d.version.Fields[key].Dots, dot)) {
			return w.value, nil
		}
		return "", ErrNotASibling
	}
	if f.def == nil {
		return "", rpc.ErrInvalid.At("value")
	}
	return normalise(d.def, f.name, *req.Value)
}

func normalise(def *register.Definition, name, text string) (conflict.Value, error) {
	value, err := register.Normalise(def, name, text)
	var finding *register.Finding
	if errors.As(err, &finding) {
		return "", &rpc.Error{Kind: rpc.Invalid, Code: "invalid", Vi: finding.VI, En: finding.EN, Field: "value", Cause: errors.New(finding.Code)}
	}
	return value, err
}

// settleUnion writes the elements in which the field differs from the value.
func settleUnion(d *dossier, f *field, req SettleRequest) (map[conflict.FieldKey]conflict.Value, error) {
	if req.Value == nil {
		return nil, rpc.ErrInvalid.At("dot")
	}
	value, err := normalise(d.def, f.name, *req.Value)
	if err != nil {
		return nil, err
	}
	wanted := register.Elements(value)
	writes := map[conflict.FieldKey]conflict.Value{}
	for _, elem := range wanted {
		key := conflict.FieldKey{ID: f.id, Elem: elem}
		if d.view(key).Shown.Value == "" {
			writes[key] = "1"
		}
	}
	for _, key := range f.keys {
		if d.view(key).Shown.Value != "" && !slices.Contains(wanted, key.Elem) {
			writes[key] = ""
		}
	}
	return writes, nil
}

// ReturnRequest asks the authors about fields.
type ReturnRequest struct {
	ID      string   `json:"id"`
	Digest  string   `json:"digest" maxlen:"20000"`
	Fields  []string `json:"fields"`
	Comment string   `json:"comment" maxlen:"2000"`
	Lang    string   `query:"lang" json:"-" enum:"vi,en"`
}

// Return sends a record back with a question about the named fields. It changes
// neither values nor what is approved; the answer comes back beside it.
func (s *Service) Return(ctx context.Context, req ReturnRequest) (Record, error) {
	var out Record
	err := s.decide(ctx, req.ID, req.Lang, func(k *desk, d *dossier) error {
		if err := k.seen(d, req.Digest); err != nil {
			return err
		}
		comment := strings.TrimSpace(req.Comment)
		if comment == "" {
			return ErrReasonMissing.At("comment")
		}
		if len(req.Fields) == 0 {
			return rpc.ErrInvalid.At("fields")
		}
		for _, name := range req.Fields {
			if d.field(name) == nil {
				return rpc.ErrInvalid.At(name)
			}
		}
		if !slices.ContainsFunc(d.fields, func(f field) bool { return f.waiting }) {
			return ErrNothingWaiting
		}
		_, err := k.perform(d, act{decision: record.Returned, fields: unique(req.Fields), comment: comment, question: true})
		if err != nil {
			return err
		}
		out, err = k.again(d)
		return err
	})
	return out, err
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// RefuseRequest writes approved values back.
type RefuseRequest struct {
	ID     string   `json:"id"`
	Digest string   `json:"digest" maxlen:"20000"`
	Fields []string `json:"fields,omitempty" doc:"names; absent: everything that waits"`
	Reason string   `json:"reason" maxlen:"2000"`
	Lang   string   `query:"lang" json:"-" enum:"vi,en"`
}

// Refuse writes back, per field, what was approved: "" where nothing was. A
// record of which nothing was ever approved is deleted when all of it is
// refused, unless somebody still has a draft in it. What is refused stays in
// the history.
func (s *Service) Refuse(ctx context.Context, req RefuseRequest) (Record, error) {
	var out Record
	err := s.decide(ctx, req.ID, req.Lang, func(k *desk, d *dossier) error {
		if err := k.seen(d, req.Digest); err != nil {
			return err
		}
		reason := strings.TrimSpace(req.Reason)
		if reason == "" {
			return ErrReasonMissing.At("reason")
		}
		list, err := d.pick(req.Fields)
		if err != nil {
			return err
		}
		if req.Fields == nil && d.lifeWaits() {
			list = []*field{d.field(lifeName)} // life first; the fields come to the desk after it
		}
		writes, err := k.refusal(d, list, req.Fields == nil)
		if err != nil {
			return err
		}
		if _, err := k.perform(d, act{decision: record.Refused, fields: namesOf(list), comment: reason, writes: writes, back: true}); err != nil {
			return err
		}
		out, err = k.again(d)
		return err
	})
	return out, err
}

// refusal returns the writes that refuse list; all tells that nobody named fields.
func (k *desk) refusal(d *dossier, list []*field, all bool) (map[conflict.FieldKey]conflict.Value, error) {
	life := conflict.Key(conflict.FieldLife)
	drafts := len(d.standing.Drafts) > 0
	if all && len(d.version.Fields) == 0 && !d.lifeWaits() && !drafts {
		if err := k.wholeRecord(d); err != nil {
			return nil, err
		}
		return map[conflict.FieldKey]conflict.Value{life: conflict.Life{Deleted: true, Seen: d.head.Seen()}.Value()}, nil
	}
	writes := map[conflict.FieldKey]conflict.Value{}
	for _, f := range list {
		for key := range d.waitingDots(f) {
			if f.isLife() {
				writes[key] = conflict.Life{Deleted: d.version.Deleted, Seen: d.head.Seen()}.Value()
				continue
			}
			writes[key] = d.version.Fields[key].Value
		}
	}
	return writes, nil
}

// WithdrawRequest takes an approval back.
type WithdrawRequest struct {
	ID     string `json:"id"`
	Digest string `json:"digest,omitempty" maxlen:"20000" doc:"if given, nothing may have changed since"`
	Reason string `json:"reason" maxlen:"2000"`
	Lang   string `query:"lang" json:"-" enum:"vi,en"`
}

// Withdraw takes the record's whole approval back: the hub retracts what it has,
// and the record waits again.
func (s *Service) Withdraw(ctx context.Context, req WithdrawRequest) (Record, error) {
	var out Record
	err := s.decide(ctx, req.ID, req.Lang, func(k *desk, d *dossier) error {
		if req.Digest != "" {
			if err := k.seen(d, req.Digest); err != nil {
				return err
			}
		}
		reason := strings.TrimSpace(req.Reason)
		if reason == "" {
			return ErrReasonMissing.At("reason")
		}
		if len(d.version.Fields) == 0 {
			return ErrNothingApproved
		}
		if _, err := k.perform(d, act{decision: record.Withdrawn, comment: reason, none: true, hand: d.unsubmitted()}); err != nil {
			return err
		}
		var err error
		out, err = k.again(d)
		return err
	})
	return out, err
}

// unsubmitted returns the approved writes that stand and that no submission
// covers any more: without one they would wait as drafts of nobody.
func (d *dossier) unsubmitted() []conflict.Dot {
	var covered conflict.Vector
	for _, sib := range d.head.Field(conflict.Key(conflict.FieldSubmission)).Siblings() {
		if v, err := record.ParseSubmission(sib.Value); err == nil {
			covered = covered.Join(v.Covers)
		}
	}
	var dots []conflict.Dot
	for key, f := range d.version.Fields {
		for _, dot := range f.Dots {
			if d.head.Field(key).Has(dot) && !covered.Covers(dot) {
				dots = append(dots, dot)
			}
		}
	}
	return dots
}
