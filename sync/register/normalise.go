package register

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"

	"wardbook/conflict"
)

// ErrNoField is the error of Normalise for a field that the definition lacks.
var ErrNoField = errors.New("no such field in this version of the register")

// Values that a definition may name instead of giving them.
const (
	defaultUnit  = "$unit"  // the record's home unit
	defaultToday = "$today" // the day of Env
)

// Normalise turns what a person typed into the value to store. It is
// idempotent, and NFC and NFD spellings of one text give one value.
//
// Text that is no value of the field's type is not refused: it is returned,
// trimmed and in NFC, together with a *Finding as the error. The caller saves
// it all the same; Validate will find it again.
func Normalise(def *Definition, field, input string) (conflict.Value, error) {
	f := def.FieldByName(field)
	if f == nil {
		return "", fmt.Errorf("normalise %q: %w", field, ErrNoField)
	}
	v, finding := def.normalise(f, input)
	if finding != nil {
		return conflict.Value(v), finding
	}
	return conflict.Value(v), nil
}

// Defaults returns the values with which a form for a new record opens.
func Defaults(def *Definition, env Env) map[string]conflict.Value {
	values := map[string]conflict.Value{}
	for i := range def.Fields {
		f := &def.Fields[i]
		text := f.Default
		switch {
		case f.Retired:
			continue
		case text == defaultUnit:
			text = string(env.Unit)
		case text == defaultToday:
			text = env.Today
		}
		if v, finding := def.normalise(f, text); finding == nil && v != "" {
			values[f.Name] = conflict.Value(v)
		}
	}
	return values
}

// Elements returns the codes of a multi_enum value, sorted.
func Elements(v conflict.Value) []string {
	if v == "" {
		return nil
	}
	return strings.Split(string(v), ",")
}

// JoinElements returns the multi_enum value that holds the given codes.
func JoinElements(codes []string) conflict.Value {
	codes = slices.Clone(codes)
	slices.Sort(codes)
	return conflict.Value(strings.Join(slices.Compact(codes), ","))
}

// line makes one line of what was typed: NFC, no control characters, trimmed.
func line(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		case r < ' ' || r == 0x7f:
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return trim(s)
}

// lines is line for text of many lines.
func lines(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\r':
			return '\n'
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7f:
			return -1
		}
		return r
	}, s)
	return trim(s)
}

func trim(s string) string { return strings.TrimSpace(norm.NFC.String(s)) }

func (d *Definition) normalise(f *Field, input string) (string, *Finding) {
	if f.Type == LongText {
		return lines(input), nil
	}
	s := line(input)
	if s == "" {
		return "", nil
	}
	v, finding := d.normaliseLine(f, s)
	if finding != nil {
		finding.Field = f.Name
	}
	return v, finding
}

func (d *Definition) normaliseLine(f *Field, s string) (string, *Finding) {
	switch f.Type {
	case Address:
		return normaliseAddress(f, s)
	case Group:
		return d.normaliseGroup(f, s)
	case GeoPoint:
		return normalisePoint(s)
	case MultiEnum:
		return d.normaliseCodes(f, s)
	case UnitNow, UnitThen, UnitOrText:
		return normaliseUnit(f.Type, s)
	}
	return d.scalar(f.Type, f.CodeList, s)
}

// scalar normalises a value that has no inner structure.
func (d *Definition) scalar(t Type, list, s string) (string, *Finding) {
	var parse func(string) (string, error)
	switch t {
	case Name:
		return strings.Join(strings.Fields(s), " "), nil
	case Date, DatePartial, Month:
		date, err := ParseDate(s)
		if err == nil && (t == Date && date.Precision() != ByDay || t == Month && date.Precision() != ByMonth) {
			err = ErrFormat
		}
		if err != nil {
			return s, typeFinding(t, err)
		}
		return date.String(), nil
	case Enum:
		return d.normaliseCode(list, s)
	case Boolean:
		switch K3(s) {
		case "true", "co", "yes", "x", "1", "dung":
			return "true", nil
		case "false", "khong", "no", "0", "sai":
			return "false", nil
		}
		return s, typeFinding(t, ErrFormat)
	case Ref:
		replica, counter, ok := strings.Cut(s, "-")
		if !ok || len(replica) != 26 || strings.Trim(replica, "abcdefghijklmnopqrstuvwxyz234567") != "" || !isDigits(counter) || len(counter) > 20 || counter[0] == '0' {
			return s, typeFinding(t, ErrFormat)
		}
		return s, nil
	case PersonalID:
		parse = ParsePersonalID
	case OldID:
		parse = ParseOldID
	case TaxCode:
		parse = ParseTaxCode
	case Phone:
		parse = ParsePhone
	case Integer:
		parse = parseInteger
	case Decimal:
		parse = parseDecimal
	case Money:
		parse = parseMoney
	default: // PlainText, FileRef
		return s, nil
	}
	v, err := parse(s)
	if err != nil {
		return s, typeFinding(t, err)
	}
	return v, nil
}

// normaliseCode accepts a code or, as an import may hold it, its label.
func (d *Definition) normaliseCode(id, s string) (string, *Finding) {
	list := d.CodeList(id)
	if code, ok := list.match(s); ok {
		return code, nil
	}
	if list.Open {
		return s, nil // Validate warns of it
	}
	return s, findingUnlisted(s)
}

// match returns the code that s is, or the only one whose label it is.
func (l *CodeList) match(s string) (string, bool) {
	if _, ok := l.Find(s); ok {
		return s, true
	}
	for _, key := range []func(string) string{K1, K3} {
		want, found := key(s), ""
		for _, c := range l.Codes {
			if strings.EqualFold(c.Code, s) || key(c.VI) == want || key(c.EN) == want {
				if found != "" {
					return "", false
				}
				found = c.Code
			}
		}
		if found != "" {
			return found, true
		}
	}
	return "", false
}

// normaliseCodes reads codes or labels divided by semicolons or commas. A label
// may hold a comma itself.
func (d *Definition) normaliseCodes(f *Field, s string) (string, *Finding) {
	list := d.CodeList(f.CodeList)
	var codes []string
	var bad *Finding
	for _, piece := range strings.Split(s, ";") {
		if code, ok := list.match(strings.TrimSpace(piece)); ok {
			codes = append(codes, code)
			continue
		}
		for _, part := range strings.Split(piece, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			code, finding := d.normaliseCode(f.CodeList, part)
			if finding != nil {
				bad = finding
			}
			codes = append(codes, code)
		}
	}
	return string(JoinElements(codes)), bad
}

func normaliseUnit(t Type, s string) (string, *Finding) {
	if ref, err := ParseUnitRef(s); err == nil {
		return ref.String(), checkUnitRef(t, ref)
	}
	if code := UnitCode(s); code.Valid() {
		_, now := UnitByCode(code)
		_, then := FormerUnitByCode(code)
		switch {
		case now && then && t == UnitThen:
			// Both lists use the code, for different units more often than not.
			return s, findingUnitList(code)
		case then && !now && t != UnitNow:
			return UnitRef{code, FormerUnitListVersion}.String(), nil
		}
		ref := UnitRef{code, UnitListVersion}
		if t == UnitOrText && !now {
			return s, nil // somewhere else in the country, for all we know
		}
		return ref.String(), checkUnitRef(t, ref)
	}
	if t == UnitOrText {
		return s, nil
	}
	if t == UnitNow {
		if found := SuggestUnits(s); len(found) > 0 && found[0].Relation == Current && (len(found) == 1 || found[1].Relation != Current) {
			return UnitRef{found[0].Unit.Code, UnitListVersion}.String(), nil
		}
	}
	return s, findingUnit(s)
}

func checkUnitRef(t Type, ref UnitRef) *Finding {
	if !ref.known() || t == UnitNow && ref.List != UnitListVersion {
		return findingUnit(ref.String())
	}
	return nil
}

// AddressValue is the value of an address field.
type AddressValue struct {
	Detail string   `json:"detail,omitempty"` // house, alley, street, as typed
	List   string   `json:"list,omitempty"`   // the list that Unit is of
	Unit   UnitCode `json:"unit,omitempty"`   // "" when it lies outside the city and is all in Detail
}

// ParseAddress reads a canonical address value.
func ParseAddress(v conflict.Value) (AddressValue, error) {
	var a AddressValue
	if err := decodeObject(string(v), &a); err != nil {
		return AddressValue{}, fmt.Errorf("parse address: %w", err)
	}
	return a, nil
}

// Value returns the canonical value of a.
func (a AddressValue) Value() conflict.Value {
	if a == (AddressValue{}) {
		return ""
	}
	return conflict.Value(encode(a))
}

// normaliseAddress reads JSON, or a code followed by the detail.
func normaliseAddress(f *Field, s string) (string, *Finding) {
	var a AddressValue
	if s[0] == '{' {
		if err := decodeObject(s, &a); err != nil {
			return s, typeFinding(Address, ErrFormat)
		}
		a.Detail, a.List, a.Unit = line(a.Detail), line(a.List), UnitCode(line(string(a.Unit)))
	} else if code, detail, _ := strings.Cut(s, " "); UnitCode(strings.TrimRight(code, ",")).Valid() {
		a.Unit, a.Detail = UnitCode(strings.TrimRight(code, ",")), strings.TrimSpace(detail)
	} else {
		a.Detail = s
	}
	if code, list, ok := strings.Cut(string(a.Unit), "@"); ok && a.List == "" {
		a.Unit, a.List = UnitCode(code), list
	}
	if a.Unit == "" {
		a.List = ""
	} else if a.List == "" {
		a.List = UnitListVersion
	}
	v := string(a.Value())
	_, known := UnitByCode(a.Unit)
	switch {
	case v == "", a.Unit == "" && f.Outside, a.List == UnitListVersion && (known || f.Outside && a.Unit.Valid()):
		return v, nil
	case a.Unit == "":
		return v, findingNoUnit()
	}
	return v, findingUnit(UnitRef{a.Unit, a.List}.String())
}

// ParseGroup reads a canonical group value: its filled parts by name.
func ParseGroup(v conflict.Value) (map[string]string, error) {
	parts := map[string]string{}
	if err := decodeObject(string(v), &parts); err != nil {
		return nil, fmt.Errorf("parse group: %w", err)
	}
	return parts, nil
}

func (d *Definition) normaliseGroup(f *Field, s string) (string, *Finding) {
	typed := map[string]any{}
	if err := decodeObject(s, &typed); err != nil {
		return s, typeFinding(Group, ErrFormat)
	}
	parts := map[string]string{}
	var bad *Finding
	for i := range f.Parts {
		p := &f.Parts[i]
		text, ok := partText(typed[p.Name])
		delete(typed, p.Name)
		if !ok {
			return s, typeFinding(Group, ErrFormat)
		}
		text = line(text)
		if text == "" {
			continue
		}
		v, finding := d.scalar(p.Type, p.CodeList, text)
		if finding != nil && bad == nil {
			bad = finding
			bad.VI, bad.EN = p.Label.VI+": "+bad.VI, p.Label.EN+": "+bad.EN
		}
		parts[p.Name] = v
	}
	if len(typed) > 0 { // a part that this version does not know: keep it all
		return s, typeFinding(Group, ErrFormat)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return encode(parts), bad
}

// partText returns the text of one member as JSON may hold it.
func partText(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case json.Number: // its dot is a decimal dot, which 1.234 as text is not
		whole, frac, _ := strings.Cut(v.String(), ".")
		n := numeral{whole: strings.TrimPrefix(whole, "-"), frac: frac, negative: strings.HasPrefix(whole, "-")}
		if !isDigits(n.whole) || frac != "" && !isDigits(frac) {
			return "", false
		}
		return n.String(), true
	}
	return "", false
}

// Point is the value of a geo_point field, in WGS 84.
type Point struct {
	AccuracyM float64 `json:"accuracy_m,omitempty"` // metres, 0 if unknown
	Lat       float64 `json:"lat"`
	Lon       float64 `json:"lon"`
}

// ParsePoint reads a canonical geo_point value.
func ParsePoint(v conflict.Value) (Point, error) {
	var p Point
	if err := decodeObject(string(v), &p); err != nil {
		return Point{}, fmt.Errorf("parse point: %w", err)
	}
	return p, nil
}

// Value returns the canonical value of p: seven decimals, about a centimetre.
func (p Point) Value() conflict.Value {
	var b strings.Builder
	b.WriteByte('{')
	if accuracy := decimals(p.AccuracyM, 1); accuracy != "0" {
		b.WriteString(`"accuracy_m":` + accuracy + ",")
	}
	b.WriteString(`"lat":` + decimals(p.Lat, 7) + `,"lon":` + decimals(p.Lon, 7) + "}")
	return conflict.Value(b.String())
}

func decimals(v float64, n int) string {
	s := strconv.FormatFloat(v, 'f', n, 64)
	s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	if s == "-0" {
		return "0"
	}
	return s
}

// normalisePoint reads JSON, or latitude and longitude divided by a comma, a
// semicolon or a space, with an accuracy behind ± if known.
func normalisePoint(s string) (string, *Finding) {
	var p Point
	if s[0] == '{' {
		// Absent coordinates must not become the point off Africa.
		var typed struct {
			AccuracyM *float64 `json:"accuracy_m"`
			Lat       *float64 `json:"lat"`
			Lon       *float64 `json:"lon"`
		}
		if err := decodeObject(s, &typed); err != nil || typed.Lat == nil || typed.Lon == nil {
			return s, typeFinding(GeoPoint, ErrFormat)
		}
		p.Lat, p.Lon = *typed.Lat, *typed.Lon
		if typed.AccuracyM != nil {
			p.AccuracyM = *typed.AccuracyM
		}
	} else {
		text := strings.NewReplacer("(", " ", ")", " ", "±", " ± ", "m", " ").Replace(s)
		where, accuracy, marked := strings.Cut(text, "±")
		numbers := strings.Fields(where)
		if strings.Contains(where, ";") { // 10,7765; 106,701
			numbers = strings.Fields(strings.NewReplacer(",", ".", ";", " ").Replace(where))
		} else if strings.Contains(where, ",") {
			numbers = strings.Fields(strings.ReplaceAll(where, ",", " "))
		}
		if marked {
			numbers = append(numbers, strings.Fields(strings.ReplaceAll(accuracy, ",", "."))...)
		}
		if len(numbers) != 2 && !(marked && len(numbers) == 3) {
			return s, typeFinding(GeoPoint, ErrFormat)
		}
		var v [3]float64
		for i, n := range numbers {
			if strings.Trim(n, "-.0123456789") != "" {
				return s, typeFinding(GeoPoint, ErrFormat)
			}
			var err error
			if v[i], err = strconv.ParseFloat(n, 64); err != nil {
				return s, typeFinding(GeoPoint, ErrFormat)
			}
		}
		p = Point{v[2], v[0], v[1]}
	}
	if math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180 || p.AccuracyM < 0 || p.AccuracyM > 1e6 {
		return s, typeFinding(GeoPoint, ErrRange)
	}
	return string(p.Value()), nil
}

// decodeObject decodes exactly one JSON object into v, refusing unknown
// members and anything behind it.
func decodeObject(s string, v any) error {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	if err := dec.Decode(v); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("text behind the object")
	}
	return nil
}

// encode returns compact JSON with sorted keys and < > & as they are.
func encode(v any) string {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err) // maps and structs of text and numbers always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}
