package register

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"wardbook/conflict"
)

// Env is what a validation needs beside the record itself.
type Env struct {
	Today          string                    // ISO day at the person's place; "" skips what depends on it
	Unit           UnitCode                  // the record's home unit; "" skips what depends on it
	MadeUnder      uint32                    // the definition version of the record's last change; 0: the current one
	Before         map[string]conflict.Value // the approved values; nil if nothing was approved
	Neighbourhoods []string                  // the unit's khu phố and ấp; nil if no list is loaded
	Lookup         Lookup                    // nil skips what looks at other records
}

// Lookup answers questions about other records. Its answers are those of one
// replica: a device knows its own scope only, the server the whole unit.
type Lookup interface {
	// Find returns the values of up to limit live records of the same register
	// and unit, other than the one being validated, in which every field of
	// match has exactly the given value.
	Find(match map[string]conflict.Value, limit int) []map[string]conflict.Value
	// Exists reports whether the record with this id is known, of any register.
	Exists(record string) bool
}

// Validate lists what there is to say about a record, by field in the order of
// the form. values holds the shown value of each field by name; fields that
// def does not know are left alone, as are retired ones. A record that was
// made under an older version is held to what that version asked for: what
// came later is an I.
func Validate(def *Definition, values map[string]conflict.Value, env Env) []Finding {
	v := validation{def: def, values: make(map[string]conflict.Value, len(values)), env: env, bad: map[string]bool{}}
	if d, err := ParseDate(env.Today); err == nil && d.Precision() == ByDay {
		v.today = d
	}
	problems := make([]*Finding, len(def.Fields))
	for i := range def.Fields { // all of them first, for conditions look at other fields
		f := &def.Fields[i]
		if value := values[f.Name]; value != "" {
			var canonical string
			canonical, problems[i] = def.normalise(f, string(value))
			v.values[f.Name] = conflict.Value(canonical)
		}
	}
	for i := range def.Fields {
		if f := &def.Fields[i]; !f.Retired {
			v.field(f, problems[i])
		}
	}
	for i := range def.Rules {
		r := &def.Rules[i]
		if f := def.FieldByName(r.Field); !f.Retired && def.Holds(r.When, v.values) {
			v.rule(r)
		}
	}
	slices.SortStableFunc(v.findings, func(a, b Finding) int { return def.byName[a.Field] - def.byName[b.Field] })
	return v.findings
}

type validation struct {
	def      *Definition
	values   map[string]conflict.Value // canonical where a value has a canonical form
	env      Env
	today    PartialDate     // zero if unknown
	bad      map[string]bool // fields with a value that is none
	findings []Finding
}

func (v *validation) add(field string, f *Finding) {
	if f == nil {
		return
	}
	f.Field = field
	if f.Level == Error {
		v.bad[field] = true
	}
	v.findings = append(v.findings, *f)
}

// old reports whether the record was made before version.
func (v *validation) old(version uint32) bool {
	return v.env.MadeUnder != 0 && v.env.MadeUnder < version
}

// field checks one field; problem is what kept its value from being canonical.
func (v *validation) field(f *Field, problem *Finding) {
	value := v.values[f.Name]
	applies := v.def.Holds(f.AppliesWhen, v.values)
	if blank(f, value) {
		required := applies && !f.Off && (f.Required == Always || f.Required == Conditional && v.def.Holds(f.RequiredWhen, v.values))
		switch {
		case required && v.old(f.Since):
			v.add(f.Name, finding(Info, "I_NEW_FIELD", GroupMissing, "Trường mới, hồ sơ cũ chưa có.", "A new field that this older record lacks."))
		case required && f.Type == FileRef:
			v.add(f.Name, finding(Warning, "W_NO_FILE", GroupMissing, "Chưa có tệp đính kèm.", "No file is attached."))
		case required:
			v.add(f.Name, finding(Error, "E_REQUIRED", GroupMissing, "Chưa nhập.", "Not filled in."))
		case value != "":
			v.add(f.Name, finding(Warning, "W_PLACEHOLDER", GroupMissing, "Chỉ có ký hiệu thay cho giá trị.", "Only a placeholder."))
		}
		return
	}
	if !applies {
		v.add(f.Name, finding(Info, "I_NOT_APPLICABLE", GroupContradiction, "Không áp dụng cho trường hợp này.", "Does not apply to this case."))
	}
	if problem != nil {
		v.add(f.Name, problem)
		return
	}
	canonical := string(value)
	v.length(f, canonical)
	v.pattern(f, canonical)
	v.bounds(f, canonical)
	switch f.Type {
	case Name:
		if strings.ContainsFunc(canonical, func(r rune) bool {
			return !unicode.IsLetter(r) && !unicode.Is(unicode.Mn, r) && !strings.ContainsRune(" -'’ʼ`", r)
		}) {
			v.add(f.Name, finding(Error, "E_NAME", GroupFormat, "Tên chỉ gồm chữ, khoảng trắng, gạch nối và dấu nháy.", "A name has only letters, spaces, hyphens and apostrophes."))
		}
	case Enum, MultiEnum:
		for _, code := range Elements(conflict.Value(canonical)) {
			v.code(f.Name, f.CodeList, code, "")
		}
	case Group:
		v.group(f, canonical)
	case Address:
		v.address(f, canonical)
	case UnitNow:
		if ref, err := ParseUnitRef(canonical); err == nil && f.Default == defaultUnit && v.env.Unit != "" && ref.Code != v.env.Unit {
			v.add(f.Name, finding(Warning, "W_UNIT_OTHER", GroupContradiction, "Khác với đơn vị đang quản lý hồ sơ.", "Not the unit that keeps this record."))
		}
	case GeoPoint:
		v.point(f, canonical)
	case PersonalID:
		v.personalID(f.Name, canonical)
	case TaxCode:
		if len(canonical) == 12 {
			v.personalID(f.Name, canonical)
		}
	case Phone:
		if !strings.HasPrefix(canonical, "+84") {
			v.add(f.Name, finding(Warning, "W_PHONE_FOREIGN", GroupFormat, "Số điện thoại nước ngoài.", "A foreign telephone number."))
		}
	case Ref:
		if v.env.Lookup != nil && !v.env.Lookup.Exists(canonical) {
			v.add(f.Name, finding(Warning, "W_REF", GroupReference, "Không tìm thấy hồ sơ được liên kết.", "The linked record was not found."))
		}
	}
	if f.Name == neighbourhoodField && v.env.Neighbourhoods != nil && !slices.ContainsFunc(v.env.Neighbourhoods, func(n string) bool { return K1(n) == K1(canonical) }) {
		v.add(f.Name, finding(Warning, "W_NEIGHBOURHOOD", GroupReference, "Không có trong danh sách khu phố, ấp của đơn vị.", "Not among the unit's neighbourhoods."))
	}
}

// neighbourhoodField is the name, the same in every register, of the field
// that divides a unit into slices.
const neighbourhoodField = "neighbourhood"

// defaultLengths are the limits, in characters, of types whose fields set none.
var defaultLengths = map[Type][2]int{
	PlainText: {0, 500}, LongText: {0, 4000}, Name: {2, 100}, FileRef: {0, 500}, UnitOrText: {0, 200},
}

func (v *validation) length(f *Field, s string) {
	if !f.Type.isText() {
		return
	}
	least, most := defaultLengths[f.Type][0], defaultLengths[f.Type][1]
	if f.MinLength > 0 {
		least = f.MinLength
	}
	if f.MaxLength > 0 {
		most = f.MaxLength
	}
	if n := utf8.RuneCountInString(s); n < least || n > most {
		v.add(f.Name, finding(Error, "E_LENGTH", GroupRange, "Cần từ %d đến %d ký tự, đang có %d.", "Needs %d to %d characters, has %d.", least, most, n))
	}
}

func (v *validation) pattern(f *Field, s string) {
	want := v.def.patterns[f.Name]
	if want == nil || want.match(s) {
		return
	}
	level := f.PatternLevel
	if level == "" {
		level = Error
	}
	vi, en := "Không đúng dạng", "Not of the right form"
	if f.Example != "" {
		vi, en = vi+" (ví dụ "+f.Example+")", en+" (such as "+f.Example+")"
	}
	v.add(f.Name, &Finding{Level: level, Code: string(level) + "_PATTERN", Group: GroupFormat, VI: vi + ".", EN: en + "."})
}

func (v *validation) bounds(f *Field, s string) {
	for _, bound := range []struct {
		limit string
		sign  int
	}{{f.Min, -1}, {f.Max, 1}} {
		limit := bound.limit
		if limit == defaultToday {
			if limit = ""; v.today != (PartialDate{}) {
				limit = v.today.String()
			}
		}
		if limit == "" {
			continue
		}
		var order int
		shown := limit
		if f.Type.isDate() {
			order = v.order(s, limit)
			if d, err := ParseDate(limit); err == nil {
				shown = d.display()
			}
		} else {
			order, shown = compareNumbers(s, limit), displayNumber(limit)
		}
		if order != bound.sign {
			continue
		}
		switch {
		case bound.limit == defaultToday && bound.sign > 0:
			v.add(f.Name, finding(Error, "E_FUTURE", GroupRange, "Ngày ở tương lai.", "A date to come."))
		case bound.sign < 0:
			v.add(f.Name, finding(Error, "E_RANGE", GroupRange, "Nhỏ hơn mức cho phép (%s).", "Below what is allowed (%s).", shown))
		default:
			v.add(f.Name, finding(Error, "E_RANGE", GroupRange, "Lớn hơn mức cho phép (%s).", "Above what is allowed (%s).", shown))
		}
	}
}

// order compares two dates by what is certain: 0 where they may be the same.
func (v *validation) order(a, b string) int {
	x, errX := ParseDate(a)
	y, errY := ParseDate(b)
	switch {
	case errX != nil || errY != nil:
		return 0
	case x.certainlyBefore(y):
		return -1
	case y.certainlyBefore(x):
		return 1
	}
	return 0
}

// code looks at one code that normalising let pass. part names the part of a
// group that holds it.
func (v *validation) code(field, list, code string, part string) {
	l := v.def.CodeList(list)
	c, ok := l.Find(code)
	var found *Finding
	switch {
	case !ok && l.Open:
		found = finding(Warning, "W_CODE_UNLISTED", GroupReference, "“%s” chưa có trong danh mục đã nạp.", "“%s” is not in the list as loaded.", code)
	case ok && c.Retired && v.old(v.def.Version):
		found = finding(Info, "I_CODE_RETIRED", GroupReference, "Mã “%s” không còn dùng.", "Code “%s” is no longer in use.", code)
	case ok && c.Retired:
		found = finding(Warning, "W_CODE_RETIRED", GroupReference, "Mã “%s” không còn dùng.", "Code “%s” is no longer in use.", code)
	default:
		return
	}
	if part != "" {
		found.VI, found.EN = part+": "+found.VI, part+": "+found.EN
	}
	v.add(field, found)
}

func (v *validation) group(f *Field, s string) {
	parts, err := ParseGroup(conflict.Value(s))
	if err != nil {
		return
	}
	for _, p := range f.Parts {
		text := parts[p.Name]
		switch {
		case text == "" && p.Required:
			v.add(f.Name, finding(Error, "E_PART_MISSING", GroupMissing, "Thiếu “%s”.", "“%s” is missing.", either(p.Label)...))
		case p.Type == Enum && text != "":
			v.code(f.Name, p.CodeList, text, p.Label.VI)
		case p.Type.isNumber() && text != "" && text[0] == '-':
			v.add(f.Name, finding(Error, "E_RANGE", GroupRange, "“%s” không được âm.", "“%s” must not be negative.", either(p.Label)...))
		}
	}
}

// either passes a label to a finding whose two texts both name it.
func either(t Text) []any { return []any{t.VI + " / " + t.EN} }

func (v *validation) address(f *Field, s string) {
	a, err := ParseAddress(conflict.Value(s))
	if err != nil {
		return
	}
	_, known := UnitByCode(a.Unit)
	switch {
	case a.Unit == "":
		v.add(f.Name, finding(Warning, "W_UNIT_MISSING", GroupMissing, "Địa chỉ chưa có mã phường, xã.", "The address has no unit code."))
	case !known:
		v.add(f.Name, finding(Warning, "W_UNIT_OUTSIDE", GroupReference, "Mã %s không thuộc Thành phố Hồ Chí Minh.", "Code %s is not in Ho Chi Minh City.", a.Unit))
	}
	if blank(&Field{Type: PlainText}, conflict.Value(a.Detail)) {
		v.add(f.Name, finding(Error, "E_ADDRESS_DETAIL", GroupMissing, "Chưa có số nhà, đường.", "House and street are missing."))
	}
}

// cityBounds is a box around the city with Côn Đảo, a little wider than both.
var cityBounds = struct{ south, north, west, east float64 }{8.4, 11.6, 106.2, 107.7}

func (v *validation) point(f *Field, s string) {
	p, err := ParsePoint(conflict.Value(s))
	if err != nil {
		return
	}
	if p.Lat < cityBounds.south || p.Lat > cityBounds.north || p.Lon < cityBounds.west || p.Lon > cityBounds.east {
		v.add(f.Name, finding(Warning, "W_GEO_OUTSIDE", GroupRange, "Tọa độ nằm ngoài Thành phố.", "The position is outside the city."))
	}
	if f.MaxAccuracy > 0 && p.AccuracyM > float64(f.MaxAccuracy) {
		v.add(f.Name, finding(Warning, "W_ACCURACY", GroupRange, "Sai số %s m, nên không quá "+strconv.Itoa(f.MaxAccuracy)+" m.", "Accuracy %s m, should be within "+strconv.Itoa(f.MaxAccuracy)+" m.", decimals(p.AccuracyM, 1)))
	}
}

// personalID reports what the number itself shows; RulePerson compares it with
// the other fields.
func (v *validation) personalID(field, id string) {
	for _, code := range CheckPersonalID(id, 0, "", v.today.Year) {
		v.addPerson(field, code)
	}
}

func (v *validation) addPerson(field, code string) {
	group := GroupContradiction
	switch code {
	case WarnProvince:
		group = GroupReference
	case WarnFuture, InfoAge:
		group = GroupRange
	}
	v.add(field, finding(Level(code[:1]), code, group, personTexts[code].VI, personTexts[code].EN))
}

// blank reports whether a value is empty or one of the signs that people put
// where they have nothing to say.
func blank(f *Field, v conflict.Value) bool {
	if v == "" {
		return true
	}
	if len(v) > 40 {
		return false
	}
	s := K0(string(v))
	if s == "0" { // a digit is a value of numbers and codes
		return !f.Type.isNumber() && f.Type != Enum && f.Type != MultiEnum && f.Type != Boolean
	}
	if s == "không" {
		return f.Type != Boolean
	}
	return s == "n/a" || s == "00/00/0000" || strings.Trim(s, "-.…_–— ") == ""
}
