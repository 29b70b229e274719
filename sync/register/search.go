package register

import (
	"slices"
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

// Hit says in which field a record was found, and where in it: its display text
// is Before, Text, After, of which Text was searched for.
type Hit struct {
	Field  string `json:"field"`
	Before string `json:"before,omitempty"` // shortened at its beginning if it is long
	Text   string `json:"text"`             // all of the text, and masked, if the field is
	After  string `json:"after,omitempty"`
}

// maxHits is how many fields Found names: as many as a row has room for.
const maxHits = 2

// Found says where else than in its title the words of a query stand in a record
// that has them all: in the columns of lists rather than in other fields. It
// returns nil if the title says it all.
func Found(def *Definition, values map[string]conflict.Value, words []string, lang string) []Hit {
	in := func(f *Field) func(word string) bool {
		folded := searchWords(searchable(f, values[f.Name]))
		return func(word string) bool {
			return slices.ContainsFunc(folded, func(w string) bool { return strings.Contains(w, word) })
		}
	}
	rest := slices.Clone(words)
	if f := def.FieldByName(def.TitleField); f != nil && f.Search && !blank(f, values[f.Name]) {
		rest = slices.DeleteFunc(rest, in(f))
	}
	names := slices.Clone(def.ListColumns)
	for i := range def.Fields {
		names = append(names, def.Fields[i].Name)
	}
	var hits []Hit
	for _, name := range names {
		if len(rest) == 0 || len(hits) == maxHits {
			break
		}
		f := def.FieldByName(name)
		if f == nil || !f.Search || blank(f, values[name]) {
			continue
		}
		has := in(f)
		if here := slices.DeleteFunc(slices.Clone(rest), func(w string) bool { return !has(w) }); len(here) > 0 {
			hits = append(hits, hit(def, f, values[name], here, lang))
			rest = slices.DeleteFunc(rest, has)
		}
	}
	return hits
}

// hit marks the first words of a value that hold one of those searched for.
func hit(def *Definition, f *Field, v conflict.Value, words []string, lang string) Hit {
	text := Mask(def, f.Name, v, lang)
	h := Hit{Field: f.Name, Text: text}
	if f.Masked {
		return h
	}
	from, to := -1, 0
	for start := 0; start < len(text); {
		end := len(text)
		if n := strings.IndexFunc(text[start:], parts); n >= 0 {
			end = start + n
		}
		switch folded := K3(text[start:end]); {
		case slices.ContainsFunc(words, func(w string) bool { return strings.Contains(folded, w) }):
			if from < 0 {
				from = start
			}
			to = end
		case from >= 0 && end > start:
			start = len(text)
			continue
		}
		start = end + 1 // what parts words is ASCII
	}
	if from >= 0 {
		h = Hit{f.Name, shortened(text[:from]), text[from:to], text[to:]}
	}
	return h
}

// shortened returns the end of what stands before a hit, which is to be in sight.
func shortened(before string) string {
	const most = 16
	runes := []rune(before)
	if len(runes) <= most {
		return before
	}
	tail := string(runes[len(runes)-most:])
	if _, words, ok := strings.Cut(tail, " "); ok {
		tail = words
	}
	return "… " + tail
}

// searchWords folds text and splits it at spaces and commas; 606/39 stays one
// word.
func searchWords(s string) []string {
	return strings.FieldsFunc(K3(s), parts)
}

// parts reports whether r stands between words.
func parts(r rune) bool { return strings.ContainsRune(" ,;()\"", r) }
