package register

import (
	"strings"

	"wardbook/conflict"
)

// Display returns the text that people read: 05/08/1980, 0903 123 456, the
// label of a code, 1.234,5 in either language. What is no value of the field's
// type is returned as it is stored. For all types but address, group and
// geo_point, unit and reference, what it returns can be typed in again.
func Display(def *Definition, field string, value conflict.Value, lang string) string {
	f := def.FieldByName(field)
	if f == nil || value == "" {
		return string(value)
	}
	if v, finding := def.normalise(f, string(value)); finding != nil || v != string(value) {
		return string(value)
	}
	switch f.Type {
	case Address:
		a, err := ParseAddress(value)
		if err != nil || a.Unit == "" {
			return a.Detail
		}
		name := UnitRef{a.Unit, a.List}.name(lang)
		if a.Detail == "" {
			return name
		}
		return a.Detail + ", " + name
	case Group:
		parts, err := ParseGroup(value)
		if err != nil {
			return string(value)
		}
		var b strings.Builder
		for _, p := range f.Parts {
			if parts[p.Name] == "" {
				continue
			}
			if b.Len() > 0 {
				b.WriteString("; ")
			}
			b.WriteString(p.Label.In(lang) + ": " + def.displayScalar(p.Type, p.CodeList, parts[p.Name], lang))
		}
		return b.String()
	case GeoPoint:
		p, err := ParsePoint(value)
		if err != nil {
			return string(value)
		}
		s := decimals(p.Lat, 7) + ", " + decimals(p.Lon, 7)
		if p.AccuracyM > 0 {
			s += " (±" + decimals(p.AccuracyM, 1) + " m)"
		}
		return s
	case MultiEnum:
		labels := Elements(value)
		for i, code := range labels {
			labels[i] = def.displayScalar(Enum, f.CodeList, code, lang)
		}
		return strings.Join(labels, "; ")
	case UnitNow, UnitThen, UnitOrText:
		if ref, err := ParseUnitRef(string(value)); err == nil {
			return ref.name(lang)
		}
		return string(value)
	}
	return def.displayScalar(f.Type, f.CodeList, string(value), lang)
}

// displayScalar shows a valid value; what is not valid comes back unchanged.
func (d *Definition) displayScalar(t Type, list, v, lang string) string {
	switch t {
	case Enum:
		if c, ok := d.CodeList(list).Find(v); ok {
			return c.In(lang)
		}
	case Date, DatePartial, Month:
		if date, err := ParseDate(v); err == nil {
			return date.display()
		}
	case Phone:
		return displayPhone(v)
	case Integer, Decimal, Money:
		if canonical, err := parseDecimal(v); err == nil && canonical == v {
			return displayNumber(v)
		}
	case Boolean:
		switch v {
		case "true":
			return Text{"Có", "Yes"}.In(lang)
		case "false":
			return Text{"Không", "No"}.In(lang)
		}
	}
	return v
}

// Mask returns what may be shown of a value before somebody asks to see it:
// of a masked field dots for all but the last three characters, of any other
// field what Display returns.
func Mask(def *Definition, field string, value conflict.Value, lang string) string {
	f := def.FieldByName(field)
	if f == nil || !f.Masked || value == "" {
		return Display(def, field, value, lang)
	}
	runes := []rune(string(value))
	shown := min(3, len(runes)/3)
	return strings.Repeat("•", len(runes)-shown) + string(runes[len(runes)-shown:])
}

// ViewRules returns what conflict needs to show the field by its policy.
func ViewRules(f *Field) conflict.Rules {
	var rules conflict.Rules
	if f.Type.isText() || f.Type == Address {
		rules.Normal = func(v conflict.Value) string { return Spelling(string(v)) }
	}
	return rules
}
