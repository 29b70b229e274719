package register

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"wardbook/conflict"
)

// ID names a register, such as "residents". It is also its dataset id at the hub.
type ID string

// Text is one text in both languages of the product.
type Text struct {
	VI string `json:"vi" yaml:"vi"`
	EN string `json:"en" yaml:"en"`
}

// In returns the text in lang, which is "en" or anything else for Vietnamese.
func (t Text) In(lang string) string {
	if lang == "en" {
		return t.EN
	}
	return t.VI
}

// Definition describes one version of a register. It comes from New,
// ParseDefinition or package templates, and is immutable from then on: it may
// be shared by any number of goroutines and must not be written to.
type Definition struct {
	ID          ID         `json:"id" yaml:"id"`
	Version     uint32     `json:"version" yaml:"version"`
	Label       Text       `json:"label" yaml:"label"`
	Basis       string     `json:"basis,omitempty" yaml:"basis"`               // the law or campaign it rests on
	NaturalKey  [][]string `json:"natural_key,omitempty" yaml:"natural_key"`   // field names; the first whose fields are all filled identifies the thing
	TitleField  string     `json:"title_field" yaml:"title_field"`             // what a record is called by
	ListColumns []string   `json:"list_columns,omitempty" yaml:"list_columns"` // the fields of a list row, title included
	Sections    []Section  `json:"sections" yaml:"sections"`                   // in the order of the form
	Fields      []Field    `json:"fields" yaml:"fields"`                       // in the order of the form
	Rules       []Rule     `json:"rules,omitempty" yaml:"rules"`
	CodeLists   []CodeList `json:"code_lists,omitempty" yaml:"code_lists"` // beside the built-in ones

	byID     map[conflict.FieldID]int
	near     [nearIDs]uint16 // 1 + the place of the field whose id is FirstUserField + n, else 0
	byName   map[string]int
	lists    map[string]*CodeList
	patterns map[string]*pattern
}

// Section is a heading of the form.
type Section struct {
	ID    string `json:"id" yaml:"id"`
	Label Text   `json:"label" yaml:"label"`
}

// Required says who asks for a value.
type Required string

// Why a field has to be filled. The letters are those of the campaign's sheets.
const (
	Always      Required = "R"
	Conditional Required = "C" // when Field.RequiredWhen holds
	Optional    Required = "O"
	System      Required = "S" // filled by the software, never asked for
)

// Class is the privacy class of a field. Sensitive fields travel in a stream
// of their own, to the roles that need them.
type Class string

// The classes. Being high-risk is a property beside them (Field.HighRisk).
const (
	Basic     Class = "basic"
	Sensitive Class = "sensitive"
)

// Field describes one field. ID, Type and Parts never change from one version
// of a register to the next; a change takes a new field with a new id.
type Field struct {
	ID           conflict.FieldID `json:"id" yaml:"id"`
	Name         string           `json:"name" yaml:"name"`
	Type         Type             `json:"type" yaml:"type"`
	Label        Text             `json:"label" yaml:"label"`
	Help         Text             `json:"help,omitzero" yaml:"help"`
	Section      string           `json:"section" yaml:"section"`
	Required     Required         `json:"required" yaml:"required"`
	RequiredWhen *Condition       `json:"required_when,omitempty" yaml:"required_when"` // present exactly when Required is Conditional
	AppliesWhen  *Condition       `json:"applies_when,omitempty" yaml:"applies_when"`   // nil: always; a form hides the field otherwise
	Class        Class            `json:"class" yaml:"class"`
	HighRisk     bool             `json:"high_risk,omitempty" yaml:"high_risk"` // identity, bank, benefit, death: never approved in a batch
	Masked       bool             `json:"masked,omitempty" yaml:"masked"`       // hidden on screen until revealed; see Mask
	Off          bool             `json:"off,omitempty" yaml:"off"`             // not asked for unless the authority turns it on
	Search       bool             `json:"search,omitempty" yaml:"search"`       // part of SearchText
	Policy       conflict.Policy  `json:"policy" yaml:"policy"`
	Authority    string           `json:"authority,omitempty" yaml:"authority"` // who owns the truth: national, justice, land, tax, police, ward ...
	CodeList     string           `json:"code_list,omitempty" yaml:"code_list"`
	Parts        []Part           `json:"parts,omitempty" yaml:"parts"`     // of a group
	Default      string           `json:"default,omitempty" yaml:"default"` // a value, $unit or $today
	Pattern      string           `json:"pattern,omitempty" yaml:"pattern"` // over the whole value; see pattern
	PatternLevel Level            `json:"pattern_level,omitempty" yaml:"pattern_level"`
	Example      string           `json:"example,omitempty" yaml:"example"` // shown when Pattern does not match
	MinLength    int              `json:"min_length,omitempty" yaml:"min_length"`
	MaxLength    int              `json:"max_length,omitempty" yaml:"max_length"` // characters; 0: the type's limit
	Min          string           `json:"min,omitempty" yaml:"min"`               // a number or date in canonical form, or $today
	Max          string           `json:"max,omitempty" yaml:"max"`
	MaxAccuracy  int              `json:"max_accuracy,omitempty" yaml:"max_accuracy"` // metres, of a geo_point; above it a W
	Outside      bool             `json:"outside,omitempty" yaml:"outside"`           // an address that may lie outside the city
	Since        uint32           `json:"since,omitempty" yaml:"since"`               // the version that added it; 0 is the first
	Retired      bool             `json:"retired,omitempty" yaml:"retired"`           // no longer asked for; values stay readable
}

// Part is one member of a group field. A group is written and settled as a
// whole; its parts have no history of their own.
type Part struct {
	Name     string `json:"name" yaml:"name"`
	Type     Type   `json:"type" yaml:"type"` // text, enum, integer, decimal, money, date, date_partial or boolean
	Label    Text   `json:"label" yaml:"label"`
	CodeList string `json:"code_list,omitempty" yaml:"code_list"`
	Required bool   `json:"required,omitempty" yaml:"required"` // when the group is filled at all
}

// CodeList is a list of allowed codes.
type CodeList struct {
	ID     string `json:"id" yaml:"id"`
	Open   bool   `json:"open,omitempty" yaml:"open"`     // incomplete: another code is a W, not an E
	Source string `json:"source,omitempty" yaml:"source"` // where it comes from and how sure we are
	Codes  []Code `json:"codes,omitempty" yaml:"codes"`
}

// Code is one entry of a code list.
type Code struct {
	Code    string `json:"code" yaml:"code"`
	VI      string `json:"vi" yaml:"vi"`
	EN      string `json:"en" yaml:"en"`
	Retired bool   `json:"retired,omitempty" yaml:"retired"` // not offered any more, still readable
}

// In returns the label in lang ("en", or anything else for Vietnamese).
func (c Code) In(lang string) string { return Text{c.VI, c.EN}.In(lang) }

// Find returns the entry with the given code.
func (l *CodeList) Find(code string) (Code, bool) {
	if l != nil {
		for _, c := range l.Codes {
			if c.Code == code {
				return c, true
			}
		}
	}
	return Code{}, false
}

// Limits of a definition. They bound what a device accepts from a peer.
const (
	MaxDefinitionBytes = 256 << 10
	maxFields          = 256
	maxParts           = 16
	maxRules           = 256
	maxCodes           = 4096
	maxPattern         = 200
	maxTextBytes       = 1000
)

// New checks d and prepares its lookups. It takes ownership of d's slices.
// The error names what is wrong by its field.
func New(d Definition) (*Definition, error) {
	if err := d.prepare(); err != nil {
		return nil, fmt.Errorf("register %q: %w", d.ID, err)
	}
	return &d, nil
}

// nearIDs is how many field ids are found without a map: each write of each
// record is looked at by its field's class and policy.
const nearIDs = 128

// FieldByID returns the field with the given id, or nil. A record may hold
// fields of a newer version: they are kept and relayed, and nobody shows them.
func (d *Definition) FieldByID(id conflict.FieldID) *Field {
	if n := int(id) - int(conflict.FirstUserField); n >= 0 && n < nearIDs {
		if i := d.near[n]; i > 0 {
			return &d.Fields[i-1]
		}
		return nil
	}
	if i, ok := d.byID[id]; ok {
		return &d.Fields[i]
	}
	return nil
}

// FieldByName returns the field with the given name, or nil.
func (d *Definition) FieldByName(name string) *Field {
	if i, ok := d.byName[name]; ok {
		return &d.Fields[i]
	}
	return nil
}

// CodeList returns the list with the given id, the definition's own before a
// built-in one, or nil.
func (d *Definition) CodeList(id string) *CodeList {
	if l, ok := d.lists[id]; ok {
		return l
	}
	return BuiltinCodeList(id)
}

var (
	namePattern = func(s string) bool { return identifier(s, 'a', 'z') }
	listPattern = func(s string) bool { return identifier(s, 'A', 'Z') }
)

// identifier reports whether s is letters from lo to hi, digits and
// underscores, beginning with a letter, of at most 40 bytes.
func identifier(s string, lo, hi byte) bool {
	if s == "" || len(s) > 40 || s[0] < lo || s[0] > hi {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < lo || c > hi) && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}

func (t Text) check(what string) error {
	if t.VI == "" || t.EN == "" {
		return fmt.Errorf("%s: text missing in one language", what)
	}
	return t.checkBounds(what)
}

func (t Text) checkBounds(what string) error {
	for _, s := range []string{t.VI, t.EN} {
		if len(s) > maxTextBytes || !utf8.ValidString(s) {
			return fmt.Errorf("%s: text too long or not UTF-8", what)
		}
	}
	return nil
}

func (d *Definition) prepare() error {
	switch {
	case !namePattern(string(d.ID)):
		return errors.New("id: want lower-case letters, digits and underscores")
	case d.Version == 0:
		return errors.New("version: must be at least 1")
	case len(d.Fields) == 0 || len(d.Fields) > maxFields:
		return fmt.Errorf("fields: got %d, want 1 to %d", len(d.Fields), maxFields)
	case len(d.Rules) > maxRules || len(d.CodeLists) > maxRules || len(d.Sections) > maxFields:
		return errors.New("too many rules, code lists or sections")
	case len(d.Basis) > maxTextBytes:
		return errors.New("basis: too long")
	}
	if err := d.Label.check("label"); err != nil {
		return err
	}
	d.lists = make(map[string]*CodeList, len(d.CodeLists))
	for i := range d.CodeLists {
		l := &d.CodeLists[i]
		if err := l.check(); err != nil {
			return fmt.Errorf("code list %q: %w", l.ID, err)
		}
		if d.lists[l.ID] != nil {
			return fmt.Errorf("code list %q: defined twice", l.ID)
		}
		d.lists[l.ID] = l
	}
	sections := map[string]bool{}
	for _, s := range d.Sections {
		if !namePattern(s.ID) || sections[s.ID] {
			return fmt.Errorf("section %q: bad or repeated id", s.ID)
		}
		if err := s.Label.check("section " + s.ID); err != nil {
			return err
		}
		sections[s.ID] = true
	}
	d.byID, d.near = make(map[conflict.FieldID]int, len(d.Fields)), [nearIDs]uint16{}
	d.byName = make(map[string]int, len(d.Fields))
	d.patterns = map[string]*pattern{}
	for i := range d.Fields {
		f := &d.Fields[i]
		if _, ok := d.byID[f.ID]; ok {
			return fmt.Errorf("field %s: id %d used twice", f.Name, f.ID)
		}
		if _, ok := d.byName[f.Name]; ok {
			return fmt.Errorf("field %s: name used twice", f.Name)
		}
		d.byID[f.ID], d.byName[f.Name] = i, i
		if n := int(f.ID) - int(conflict.FirstUserField); n >= 0 && n < nearIDs {
			d.near[n] = uint16(i + 1)
		}
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		if !sections[f.Section] {
			return fmt.Errorf("field %s: section: %q is not defined", f.Name, f.Section)
		}
		if err := d.checkField(f); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	for i := range d.Rules {
		if err := d.checkRule(&d.Rules[i]); err != nil {
			return fmt.Errorf("rule %s on %s: %w", d.Rules[i].Code, d.Rules[i].Field, err)
		}
	}
	names := slices.Concat([]string{d.TitleField}, d.ListColumns)
	for _, alternative := range d.NaturalKey {
		names = append(names, alternative...)
	}
	for _, name := range names {
		if d.FieldByName(name) == nil {
			return fmt.Errorf("title_field, list_columns or natural_key: no field %q", name)
		}
	}
	return nil
}

func (l *CodeList) check() error {
	if !listPattern(l.ID) {
		return errors.New("id: want capitals, digits and underscores")
	}
	if len(l.Codes) > maxCodes || len(l.Codes) == 0 && !l.Open {
		return errors.New("codes: none or too many")
	}
	seen := make(map[string]bool, len(l.Codes))
	for _, c := range l.Codes {
		// A comma separates the codes of a multi_enum value.
		if c.Code == "" || len(c.Code) > 40 || strings.ContainsAny(c.Code, ", \t\r\n") || seen[c.Code] {
			return fmt.Errorf("code %q: empty, repeated or not a single word", c.Code)
		}
		if err := (Text{c.VI, c.EN}).check("code " + c.Code); err != nil {
			return err
		}
		seen[c.Code] = true
	}
	return nil
}

func (d *Definition) checkField(f *Field) error {
	if !namePattern(f.Name) {
		return errors.New("name: want lower-case letters, digits and underscores")
	}
	if f.ID < conflict.FirstUserField {
		return fmt.Errorf("id: got %d, want %d or more", f.ID, conflict.FirstUserField)
	}
	if !f.Type.Valid() {
		return fmt.Errorf("type: unknown %q", f.Type)
	}
	if err := f.Label.check("label"); err != nil {
		return err
	}
	if err := f.Help.checkBounds("help"); err != nil {
		return err
	}
	if !slices.Contains([]Required{Always, Conditional, Optional, System}, f.Required) {
		return fmt.Errorf("required: unknown %q", f.Required)
	}
	if (f.Required == Conditional) != (f.RequiredWhen != nil) {
		return errors.New("required_when: goes with required C, and only with it")
	}
	for what, c := range map[string]*Condition{"required_when": f.RequiredWhen, "applies_when": f.AppliesWhen} {
		if err := d.checkCondition(c, 0); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
	}
	if f.Class != Basic && f.Class != Sensitive {
		return fmt.Errorf("class: unknown %q", f.Class)
	}
	if !f.Policy.Valid() {
		return fmt.Errorf("policy: unknown %q", f.Policy)
	}
	if (f.Policy == conflict.Union) != (f.Type == MultiEnum) {
		return errors.New("policy: union goes with multi_enum, and only with it")
	}
	if coded := f.Type == Enum || f.Type == MultiEnum; coded != (f.CodeList != "") {
		return errors.New("code_list: goes with enum and multi_enum, and only with them")
	}
	if f.CodeList != "" && d.CodeList(f.CodeList) == nil {
		return fmt.Errorf("code_list: no list %q", f.CodeList)
	}
	if err := d.checkParts(f); err != nil {
		return err
	}
	if f.Pattern != "" {
		compiled, err := compilePattern(f.Pattern)
		if err != nil {
			return fmt.Errorf("pattern: %w", err)
		}
		d.patterns[f.Name] = compiled
	}
	if !slices.Contains([]Level{"", Error, Warning, Info}, f.PatternLevel) {
		return fmt.Errorf("pattern_level: unknown %q", f.PatternLevel)
	}
	if f.MinLength < 0 || f.MaxLength < 0 || f.MaxAccuracy < 0 || len(f.Authority) > 40 || len(f.Example) > maxTextBytes {
		return errors.New("min_length, max_length, max_accuracy, authority or example: out of bounds")
	}
	for what, v := range map[string]string{"min": f.Min, "max": f.Max} {
		if v != "" && !f.Type.bound(v) {
			return fmt.Errorf("%s: %q does not fit type %s", what, v, f.Type)
		}
	}
	if f.Since > d.Version {
		return fmt.Errorf("since: %d is later than the definition", f.Since)
	}
	if f.Default != "" && f.Default[0] != '$' {
		if v, finding := d.normalise(f, f.Default); finding != nil || v != f.Default {
			return fmt.Errorf("default: %q is not a canonical value", f.Default)
		}
	} else if f.Default != "" && f.Default != defaultUnit && f.Default != defaultToday {
		return fmt.Errorf("default: unknown %q", f.Default)
	}
	return nil
}

func (d *Definition) checkParts(f *Field) error {
	if (f.Type == Group) != (len(f.Parts) > 0) || len(f.Parts) > maxParts {
		return errors.New("parts: go with group, and only with it; at most 16")
	}
	seen := map[string]bool{}
	for _, p := range f.Parts {
		if !namePattern(p.Name) || seen[p.Name] {
			return fmt.Errorf("part %q: bad or repeated name", p.Name)
		}
		seen[p.Name] = true
		if !slices.Contains([]Type{PlainText, Enum, Integer, Decimal, Money, Date, DatePartial, Boolean}, p.Type) {
			return fmt.Errorf("part %s: type %q cannot be in a group", p.Name, p.Type)
		}
		if err := p.Label.check("part " + p.Name); err != nil {
			return err
		}
		if (p.Type == Enum) != (p.CodeList != "") || p.CodeList != "" && d.CodeList(p.CodeList) == nil {
			return fmt.Errorf("part %s: code_list: missing or unknown", p.Name)
		}
	}
	return nil
}

// CheckSuccessor reports whether next may follow d as a newer version of the
// same register: everything stored under d keeps its meaning. Fields may be
// added (with new ids) and retired, labels and rules may change, code lists
// may grow.
func (d *Definition) CheckSuccessor(next *Definition) error {
	if next.ID != d.ID {
		return fmt.Errorf("register %q cannot follow %q", next.ID, d.ID)
	}
	if next.Version <= d.Version {
		return fmt.Errorf("version %d cannot follow %d", next.Version, d.Version)
	}
	for i := range d.Fields {
		f := &d.Fields[i]
		n := next.FieldByID(f.ID)
		switch {
		case n == nil:
			return fmt.Errorf("field %s (%d) is gone: retire it instead", f.Name, f.ID)
		case n.Name != f.Name || n.Type != f.Type:
			return fmt.Errorf("field %s (%d) changed its name or type: take a new id", f.Name, f.ID)
		case !slices.EqualFunc(n.Parts, f.Parts, func(a, b Part) bool { return a.Name == b.Name && a.Type == b.Type }):
			return fmt.Errorf("field %s (%d) changed its parts: take a new id", f.Name, f.ID)
		case (n.Policy == conflict.Union) != (f.Policy == conflict.Union):
			return fmt.Errorf("field %s (%d) changed to or from union: take a new id", f.Name, f.ID)
		}
	}
	for i := range next.Fields {
		if f := &next.Fields[i]; d.FieldByID(f.ID) == nil && f.Since <= d.Version {
			return fmt.Errorf("field %s (%d) is new but says since %d", f.Name, f.ID, f.Since)
		}
	}
	for i := range d.CodeLists {
		for _, c := range d.CodeLists[i].Codes {
			if _, ok := next.CodeList(d.CodeLists[i].ID).Find(c.Code); !ok {
				return fmt.Errorf("code %s of %s is gone: retire it instead", c.Code, d.CodeLists[i].ID)
			}
		}
	}
	return nil
}

// Compare orders definitions by register, then by version.
func Compare(a, b *Definition) int {
	return cmp.Or(cmp.Compare(a.ID, b.ID), cmp.Compare(a.Version, b.Version))
}
