package register

import (
	"strings"

	"wardbook/conflict"
)

// SearchText returns what a record can be found by: the words of its
// searchable fields, folded by K3, each behind one space, so that a word's
// beginning is found as space and prefix. Telephone numbers stand in it as
// dialled, with their 0.
func SearchText(def *Definition, values map[string]conflict.Value) string {
	var b strings.Builder
	for i := range def.Fields {
		f := &def.Fields[i]
		v := values[f.Name]
		if !f.Search || blank(f, v) {
			continue
		}
		for _, word := range searchWords(searchable(f, v)) {
			b.WriteByte(' ')
			b.WriteString(word)
		}
	}
	return b.String()
}

// searchable returns the text of a value that people search for.
func searchable(f *Field, v conflict.Value) string {
	switch f.Type {
	case Address:
		if a, err := ParseAddress(v); err == nil {
			return a.Detail
		}
	case Phone:
		return strings.ReplaceAll(displayPhone(string(v)), " ", "")
	case UnitNow, UnitThen, UnitOrText:
		if ref, err := ParseUnitRef(string(v)); err == nil {
			return ref.name("vi")
		}
	}
	return string(v)
}

// SearchWords returns the words of a query, all of which a record's SearchText
// has to contain. A number may be typed with spaces, dots or +84.
func SearchWords(query string) []string {
	if phone, err := ParsePhone(query); err == nil && strings.HasPrefix(phone, "+84") {
		return []string{strings.ReplaceAll(displayPhone(phone), " ", "")}
	}
	if digits := idMarks.Replace(strings.TrimSpace(query)); isDigits(digits) {
		return []string{digits}
	}
	return searchWords(query)
}

// searchWords folds text and splits it at spaces and commas; 606/39 stays one
// word.
func searchWords(s string) []string {
	return strings.FieldsFunc(K3(s), func(r rune) bool { return strings.ContainsRune(" ,;()\"", r) })
}
