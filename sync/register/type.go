package register

import "slices"

// Type is the type of a field's value. The stored form of each type is given
// beside it; the README has a table with examples.
type Type string

// The types.
const (
	PlainText   Type = "text"           // one line, as typed
	LongText    Type = "text_long"      // lines divided by \n
	Name        Type = "name_vi"        // a person's name, single spaces
	PersonalID  Type = "personal_id"    // 12 digits
	OldID       Type = "cmnd9"          // 9 digits
	TaxCode     Type = "tax_code"       // 10 digits, 10-3, or 12 of a person
	Phone       Type = "phone_vn"       // E.164: +84903123456
	Date        Type = "date"           // 1980-08-05
	DatePartial Type = "date_partial"   // 1980, 1980-08 or 1980-08-05
	Month       Type = "month"          // 1980-08
	UnitNow     Type = "unit_code"      // 27169@2025-07-01, in the current list
	UnitThen    Type = "unit_code_hist" // the same, in the current or the former list
	UnitOrText  Type = "unit_or_text"   // the same, or one line of text
	Address     Type = "address"        // {"detail":"…","list":"2025-07-01","unit":"27169"}
	Enum        Type = "enum"           // one code
	MultiEnum   Type = "multi_enum"     // codes, sorted, divided by commas
	Integer     Type = "integer"        // 42
	Decimal     Type = "decimal"        // 29.16
	Money       Type = "money"          // whole VND
	Boolean     Type = "boolean"        // true or false
	GeoPoint    Type = "geo_point"      // {"accuracy_m":8,"lat":10.7765,"lon":106.701}, WGS 84
	Ref         Type = "ref"            // a record id
	Group       Type = "group"          // JSON object of its parts
	FileRef     Type = "file_ref"       // text until attachments exist
)

// Valid reports whether t is a known type.
func (t Type) Valid() bool {
	return slices.Contains([]Type{PlainText, LongText, Name, PersonalID, OldID, TaxCode, Phone, Date,
		DatePartial, Month, UnitNow, UnitThen, UnitOrText, Address, Enum, MultiEnum, Integer, Decimal,
		Money, Boolean, GeoPoint, Ref, Group, FileRef}, t)
}

// isNumber reports whether values of t are compared by size.
func (t Type) isNumber() bool { return t == Integer || t == Decimal || t == Money }

// isDate reports whether values of t are days, months or years.
func (t Type) isDate() bool { return t == Date || t == DatePartial || t == Month }

// isText reports whether a value of t is free text.
func (t Type) isText() bool {
	return t == PlainText || t == LongText || t == Name || t == FileRef || t == UnitOrText
}

// bound reports whether s can limit values of t from below or above.
func (t Type) bound(s string) bool {
	switch {
	case t.isNumber():
		v, err := parseDecimal(s)
		return err == nil && v == s
	case t.isDate():
		_, err := ParseDate(s)
		return s == defaultToday || err == nil
	}
	return false
}
