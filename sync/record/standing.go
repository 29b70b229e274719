package record

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wardbook/conflict"
)

// Decision is what a supervisor last did with a record.
type Decision string

// The decisions.
const (
	Approved  Decision = "approved"
	Returned  Decision = "returned"
	Refused   Decision = "refused"
	Withdrawn Decision = "withdrawn"
)

// Review is the value of the review field. Only the server writes it.
type Review struct {
	Decision Decision `json:"decision"`
	// Dots are the writes that stand approved, of every field, life included.
	Dots DotSet `json:"-"`
	// Revision is the hub's revision that carries the approved version, 0 if
	// the hub has none.
	Revision uint64   `json:"rev,omitempty"`
	Unit     string   `json:"unit,omitempty"`     // in whose feed of the hub that revision is
	Question string   `json:"question,omitempty"` // id of the return, so that an answer can name it
	Fields   []string `json:"fields,omitempty"`   // names of the fields returned or refused
	Comment  string   `json:"comment,omitempty"`
	By       string   `json:"by"`
	At       int64    `json:"at"` // server clock, Unix milliseconds
}

type reviewJSON struct {
	reviewPlain
	Dots string `json:"dots,omitempty"`
}
type reviewPlain Review

// Value returns the canonical text of v.
func (v Review) Value() conflict.Value {
	b, err := json.Marshal(reviewJSON{reviewPlain(v), v.Dots.String()})
	if err != nil {
		panic(fmt.Sprintf("marshal review: %v", err)) // plain strings and numbers always marshal
	}
	return conflict.Value(b)
}

// ParseReview reads a review value. The empty value is the zero Review: no
// supervisor has looked at the record.
func ParseReview(value conflict.Value) (Review, error) {
	if value == "" {
		return Review{}, nil
	}
	var j reviewJSON
	if err := json.Unmarshal([]byte(value), &j); err != nil {
		return Review{}, fmt.Errorf("review value: %w", err)
	}
	dots, err := ParseDotSet(j.Dots)
	if err != nil {
		return Review{}, fmt.Errorf("review value: %w", err)
	}
	v := Review(j.reviewPlain)
	v.Dots = dots
	return v, nil
}

// Submission is the value of the submission field: the writes that its author
// hands in for approval, and the reasons given for warnings.
type Submission struct {
	Covers  conflict.Vector   `json:"-"`
	Reasons map[string]string `json:"reasons,omitempty"` // by "FIELD CODE"
}

type submissionJSON struct {
	Covers  string            `json:"covers"`
	Reasons map[string]string `json:"reasons,omitempty"`
}

// Value returns the canonical text of s.
func (s Submission) Value() conflict.Value {
	b, err := json.Marshal(submissionJSON{s.Covers.String(), s.Reasons})
	if err != nil {
		panic(fmt.Sprintf("marshal submission: %v", err)) // plain strings always marshal
	}
	return conflict.Value(b)
}

// ParseSubmission reads a submission value; the empty one submits nothing.
func ParseSubmission(value conflict.Value) (Submission, error) {
	var s Submission
	if value == "" {
		return s, nil
	}
	var j submissionJSON
	var err error
	if covers, ok := plainSubmission(string(value)); ok {
		j.Covers = covers
	} else if err := json.Unmarshal([]byte(value), &j); err != nil {
		return s, fmt.Errorf("submission value: %w", err)
	}
	if s.Covers, err = conflict.ParseVector(j.Covers); err != nil {
		return s, fmt.Errorf("submission value: %w", err)
	}
	s.Reasons = j.Reasons
	return s, nil
}

// plainSubmission reads a submission without reasons, which nearly all are,
// where a page of thousands is looked at.
func plainSubmission(text string) (covers string, ok bool) {
	covers, ok = strings.CutPrefix(text, `{"covers":"`)
	if !ok {
		return "", false
	}
	covers, ok = strings.CutSuffix(covers, `"}`)
	return covers, ok && !strings.ContainsAny(covers, `"\`)
}

// Answer is the value of the answer field: what the author says to a return.
type Answer struct {
	Question string `json:"question"`
	Text     string `json:"text"`
}

// Value returns the canonical text of a.
func (a Answer) Value() conflict.Value {
	b, err := json.Marshal(a)
	if err != nil {
		panic(fmt.Sprintf("marshal answer: %v", err)) // plain strings always marshal
	}
	return conflict.Value(b)
}

// ParseAnswer reads an answer value.
func ParseAnswer(value conflict.Value) (Answer, error) {
	var a Answer
	if value == "" {
		return a, nil
	}
	if err := json.Unmarshal([]byte(value), &a); err != nil {
		return a, fmt.Errorf("answer value: %w", err)
	}
	return a, nil
}

// Stage is where a record stands on its way to approval.
type Stage string

// The stages, as the device's JSON and the page name them. Quarantined is a
// device's own: the server holds no record in that stage.
const (
	StageDraft       Stage = "draft"
	StageSubmitted   Stage = "submitted"
	StageReturned    Stage = "returned"
	StageRefused     Stage = "refused"
	StageApproved    Stage = "approved"
	StageQuarantined Stage = "quarantined"
)

// Standing is what follows from a record's fields about its approval.
type Standing struct {
	Stage  Stage
	Review Review
	// Waiting lists the fields (life included) that hold a write nobody
	// approved, in key order.
	Waiting []conflict.FieldKey
	// Drafts are those of Waiting that nobody has submitted either.
	Drafts []conflict.FieldKey
	// Reasons unites the reasons of all submissions that stand.
	Reasons map[string]string
	// Answers are the answers that stand to the last return.
	Answers []conflict.Sibling
}

// StandingOf derives the standing of r. A review or submission value that
// cannot be read counts as absent, so that the record waits for a person.
func StandingOf(r conflict.Record) Standing {
	if r.Len() == 0 || r.At(0).Key.ID >= conflict.FirstUserField {
		return draftOf(r)
	}
	var s Standing
	var submitted conflict.Vector
	f := r.Field(conflict.Key(conflict.FieldReview))
	for i := range f.Len() { // several only after a restore; the latest revision speaks
		v, err := ParseReview(f.At(i).Value)
		if err == nil && (i == 0 || v.At > s.Review.At) {
			s.Review = v
		}
	}
	f = r.Field(conflict.Key(conflict.FieldSubmission))
	for i := range f.Len() {
		v, err := ParseSubmission(f.At(i).Value)
		if err != nil {
			continue
		}
		submitted = submitted.Join(v.Covers)
		for k, reason := range v.Reasons {
			if s.Reasons == nil {
				s.Reasons = map[string]string{}
			}
			s.Reasons[k] = reason
		}
	}
	f = r.Field(conflict.Key(conflict.FieldAnswer))
	for i := range f.Len() {
		if a, err := ParseAnswer(f.At(i).Value); err == nil && a.Question != "" && a.Question == s.Review.Question {
			s.Answers = append(s.Answers, f.At(i))
		}
	}
	// Of a deleted record only the deletion waits: what lies beneath it is
	// nobody's to approve until the record is restored.
	deleted := r.Life() == conflict.Deleted
	keys := make([]conflict.FieldKey, 2*r.Len()) // both lists grow in it, each up to its own end
	s.Waiting, s.Drafts = keys[:0:r.Len()], keys[r.Len():r.Len()]
	for k, f := range r.All() {
		if k.ID != conflict.FieldLife && (deleted || k.ID < conflict.FirstUserField) {
			continue
		}
		waiting, draft := false, false
		for i := range f.Len() {
			d := f.At(i).Dot
			if !s.Review.Dots.Has(d) {
				waiting = true
				draft = draft || !submitted.Covers(d)
			}
		}
		if waiting {
			s.Waiting = append(s.Waiting, k)
		}
		if draft {
			s.Drafts = append(s.Drafts, k)
		}
	}
	switch {
	case s.Review.Decision == Returned && len(s.Answers) == 0 && !s.resubmitted(r):
		s.Stage = StageReturned
	case len(s.Waiting) == 0 && s.Review.Decision == Refused:
		s.Stage = StageRefused
	case len(s.Waiting) == 0 && s.Review.Decision != "":
		s.Stage = StageApproved
	case len(s.Drafts) == 0 && len(s.Waiting) > 0:
		s.Stage = StageSubmitted
	default:
		s.Stage = StageDraft
	}
	return s
}

// draftOf is StandingOf for a record that nobody ever handed in, looked at or
// deleted, as most that arrive on a device at first.
func draftOf(r conflict.Record) Standing {
	keys := make([]conflict.FieldKey, 0, r.Len())
	for i := range r.Len() {
		if e := r.At(i); e.Field.Len() > 0 {
			keys = append(keys, e.Key)
		}
	}
	keys = slices.Clip(keys)
	return Standing{Stage: StageDraft, Waiting: keys, Drafts: keys}
}

// resubmitted reports whether somebody who had seen the last return has
// submitted since: the return stands in the submission's own context, which
// shows as a submission whose covered vector names the review's write. The
// desk's own submissions (of a value settled there) answer nothing; they are
// told by their replica, which is the one that wrote the review.
func (s Standing) resubmitted(r conflict.Record) bool {
	review := r.Field(conflict.Key(conflict.FieldReview))
	if review.Len() == 0 {
		return false
	}
	last := review.At(review.Len() - 1).Dot
	f := r.Field(conflict.Key(conflict.FieldSubmission))
	for i := range f.Len() {
		v, err := ParseSubmission(f.At(i).Value)
		if err == nil && f.At(i).Dot.Replica != last.Replica && v.Covers.Covers(last) {
			return true
		}
	}
	return false
}

// Submit returns the submission that hands in everything of r that waits. Its
// vector names the review it answers, if there is one, so that a submission
// made after a return is told from one made before.
func Submit(r conflict.Record, reasons map[string]string) Submission {
	s := Submission{Reasons: reasons}
	standing := StandingOf(r)
	for _, k := range standing.Waiting {
		f := r.Field(k)
		for i := range f.Len() {
			s.Covers = s.Covers.With(f.At(i).Dot)
		}
	}
	review := r.Field(conflict.Key(conflict.FieldReview))
	for i := range review.Len() {
		s.Covers = s.Covers.With(review.At(i).Dot)
	}
	return s
}
