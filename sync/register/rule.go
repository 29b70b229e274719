package register

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Rule is a validation that looks at more than one field, at time, or at other
// records. What one field alone must look like is in the Field.
type Rule struct {
	Kind    RuleKind   `json:"kind" yaml:"kind"`
	Field   string     `json:"field" yaml:"field"` // where the finding is shown
	Other   string     `json:"other,omitempty" yaml:"other"`
	Third   string     `json:"third,omitempty" yaml:"third"`
	Fields  []string   `json:"fields,omitempty" yaml:"fields"`
	Value   string     `json:"value,omitempty" yaml:"value"`
	Min     string     `json:"min,omitempty" yaml:"min"`
	Max     string     `json:"max,omitempty" yaml:"max"`
	When    *Condition `json:"when,omitempty" yaml:"when"` // nil: always
	Code    string     `json:"code" yaml:"code"`           // E_, W_ or I_ and capitals; its letter is the level
	Group   ErrorGroup `json:"group" yaml:"group"`
	Message Text       `json:"message" yaml:"message"`
}

// RuleKind says what a rule checks. A rule is silent while a field it needs is
// empty or not valid by itself.
type RuleKind string

// The kinds of rule.
const (
	RuleFlag       RuleKind = "flag"       // When holds: that is the finding
	RuleOrder      RuleKind = "order"      // Field is not before Other (dates, by what is certain)
	RuleDiffer     RuleKind = "differ"     // Field is not the same as Other
	RulePerson     RuleKind = "person"     // the number in Field fits birth date Other (W_YEAR) and sex Third (W_SEX)
	RuleAge        RuleKind = "age"        // who was born on Other is Min to Max years old on Third (a date field, or today)
	RuleSum        RuleKind = "sum"        // Fields ("use_1.area") add up to no more than Field plus Max
	RuleSameYear   RuleKind = "same_year"  // the year of date Field is the year at the end of text Other
	RuleDateWords  RuleKind = "date_words" // the words in Field say the date in Other
	RuleUnitAt     RuleKind = "unit_at"    // the unit list of Field was in force on date Other
	RuleEvidence   RuleKind = "evidence"   // Field changed since approval, and Other is empty
	RuleStale      RuleKind = "stale"      // date Field is more than Max days ago
	RuleFileNames  RuleKind = "file_names" // every file in Field is named after serial Other
	RuleUnique     RuleKind = "unique"     // no other live record of register and unit has the same Fields
	RuleOnePer     RuleKind = "one_per"    // among records with the same Fields, exactly one has Value in Field
	RuleReciprocal RuleKind = "reciprocal" // the record whose Other is our Field names our Other in its Field
)

// Level returns the level that the rule's code begins with.
func (r *Rule) Level() Level { return Level(r.Code[:1]) }

func (d *Definition) checkRule(r *Rule) error {
	if len(r.Code) < 3 || !slices.Contains([]Level{Error, Warning, Info}, Level(r.Code[:1])) || r.Code[1] != '_' || !listPattern(r.Code) {
		return errors.New("code: want E_, W_ or I_ and capitals")
	}
	if r.Group < GroupMissing || r.Group > GroupNational {
		return fmt.Errorf("group: got %d, want 1 to 8", r.Group)
	}
	if r.Kind != RulePerson || r.Message != (Text{}) {
		if err := r.Message.check("message"); err != nil {
			return err
		}
	}
	if len(r.Fields) > 16 || len(r.Value) > maxTextBytes {
		return errors.New("fields or value: too long")
	}
	if err := d.checkCondition(r.When, 0); err != nil {
		return fmt.Errorf("when: %w", err)
	}
	for _, name := range slices.Concat([]string{r.Field, r.Other, r.Third}, r.Fields) {
		name, part, _ := strings.Cut(name, ".")
		f := d.FieldByName(name)
		if name != "" && f == nil {
			return fmt.Errorf("no field %q", name)
		}
		if part != "" && !slices.ContainsFunc(f.Parts, func(p Part) bool { return p.Name == part }) {
			return fmt.Errorf("field %s has no part %q", name, part)
		}
	}
	number := func(s string) bool { return s == "" || Integer.bound(s) || Decimal.bound(s) }
	if !number(r.Min) || !number(r.Max) {
		return errors.New("min or max: not a number")
	}
	needs := map[RuleKind]string{
		RuleFlag: "when", RuleOrder: "other", RuleDiffer: "other", RulePerson: "other", RuleAge: "other",
		RuleSum: "fields", RuleSameYear: "other", RuleDateWords: "other", RuleUnitAt: "other",
		RuleEvidence: "other", RuleStale: "max", RuleFileNames: "other", RuleUnique: "fields",
		RuleOnePer: "fields", RuleReciprocal: "other",
	}
	need, ok := needs[r.Kind]
	if !ok {
		return fmt.Errorf("kind: unknown %q", r.Kind)
	}
	has := map[string]bool{"when": r.When != nil, "other": r.Other != "", "fields": len(r.Fields) > 0, "max": r.Max != ""}
	if r.Field == "" || !has[need] {
		return fmt.Errorf("%s: field or %s missing", r.Kind, need)
	}
	return nil
}
