package rpc

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits bound what the decoder reads. Zero values mean the defaults.
type Limits struct {
	Body     int64 // bytes of the body; default 256 KiB
	Depth    int   // objects and arrays within each other; default 16
	Elements int   // array elements and object members altogether; default 20,000
}

func (l *Limits) fill() {
	if l.Body <= 0 {
		l.Body = 256 << 10
	}
	if l.Depth <= 0 {
		l.Depth = 16
	}
	if l.Elements <= 0 {
		l.Elements = 20_000
	}
}

// decodeRequest fills the struct that into points to from r: fields tagged path
// and query from the address, the others from a JSON body. It refuses, naming
// the field: what the struct does not name, names twice, lacks, or bounds.
func decodeRequest(r *http.Request, into any, limits Limits) error {
	v := reflect.ValueOf(into).Elem()
	if v.Kind() != reflect.Struct {
		return fmt.Errorf("request type %s is no struct", v.Type())
	}
	if err := decodeAddress(r, v); err != nil {
		return err
	}
	body, err := readBody(r, limits.Body)
	if err != nil {
		return err
	}
	fields := bodyFields(v.Type())
	if text := string(bytes.TrimSpace(body)); text == "" || text == "{}" && len(fields) == 0 {
		for name, f := range fields {
			if f.required {
				return ErrMissingField.At(name)
			}
		}
		return nil // nothing was said, and nothing need be
	}
	if len(fields) == 0 {
		return ErrMalformed.Because(errors.New("a body where none belongs"))
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return ErrUnsupported
	}
	return decodeJSON(body, into, limits)
}

// readBody returns the body, at most limit bytes long.
func readBody(r *http.Request, limit int64) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > limit {
		return nil, ErrTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	if err != nil {
		return nil, ErrMalformed.Because(err)
	}
	if int64(len(body)) > limit {
		return nil, ErrTooLarge
	}
	return body, nil
}

// decodeJSON fills into from body, strictly.
func decodeJSON(body []byte, into any, limits Limits) error {
	if !utf8.Valid(body) {
		return ErrMalformed.Because(errors.New("invalid UTF-8"))
	}
	w := walker{dec: json.NewDecoder(bytes.NewReader(body)), limits: limits}
	w.dec.UseNumber()
	// The library turns a lone surrogate into U+FFFD; what was sent must not change.
	w.replaced = !bytes.Contains(body, []byte("\uFFFD")) && !bytes.Contains(bytes.ToLower(body), []byte(`\ufffd`))
	if err := w.value(reflect.TypeOf(into).Elem(), nil, "", 0); err != nil {
		return err
	}
	if _, err := w.dec.Token(); !errors.Is(err, io.EOF) {
		return ErrMalformed.Because(errors.New("more after the value"))
	}
	if err := json.Unmarshal(body, into); err != nil {
		var typed *json.UnmarshalTypeError
		if errors.As(err, &typed) {
			return ErrInvalid.At(typed.Field).Because(fmt.Errorf("%s where %s belongs", typed.Value, typed.Type))
		}
		return ErrMalformed.Because(err)
	}
	return nil
}

// walker reads a JSON text beside the type that it is meant for. The library
// alone would match keys in any case, let the last of two equal keys win, and
// take what is absent for zero.
type walker struct {
	dec      *json.Decoder
	limits   Limits
	elements int
	replaced bool // U+FFFD in a string can only come from a broken escape
}

var (
	jsonUnmarshaler = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// value reads one value. t is the type it is meant for, nil where anything goes;
// field is the struct field that holds it, if any.
func (w *walker) value(t reflect.Type, field *bodyField, path string, depth int) error {
	nullable := t == nil
	for t != nil && t.Kind() == reflect.Pointer {
		t, nullable = t.Elem(), true
	}
	if t != nil && (t.Kind() == reflect.Interface || reflect.PointerTo(t).Implements(jsonUnmarshaler) || reflect.PointerTo(t).Implements(textUnmarshaler)) {
		t, nullable = nil, true // its own method judges
	}
	tok, err := w.dec.Token()
	if err != nil {
		return ErrMalformed.At(path).Because(err)
	}
	if d, ok := tok.(json.Delim); ok {
		if depth >= w.limits.Depth {
			return ErrTooLarge.At(path).Because(errors.New("nested too deeply"))
		}
		if d == '{' {
			return w.object(t, path, depth+1)
		}
		return w.array(t, path, depth+1)
	}
	switch s := tok.(type) {
	case nil:
		if !nullable && t.Kind() != reflect.Slice && t.Kind() != reflect.Map {
			return ErrInvalid.At(path).Because(errors.New("null"))
		}
	case string:
		return w.text(s, field, path)
	}
	return nil
}

func (w *walker) text(s string, field *bodyField, path string) error {
	if w.replaced && strings.ContainsRune(s, utf8.RuneError) {
		return ErrMalformed.At(path).Because(errors.New("lone surrogate"))
	}
	if field == nil {
		return nil
	}
	return field.check(s, path)
}

func (w *walker) count(path string) error {
	if w.elements++; w.elements > w.limits.Elements {
		return ErrTooLarge.At(path).Because(errors.New("too many elements"))
	}
	return nil
}

func (w *walker) object(t reflect.Type, path string, depth int) error {
	var fields map[string]bodyField
	var elem reflect.Type
	if t != nil {
		switch t.Kind() {
		case reflect.Struct:
			fields = bodyFields(t)
		case reflect.Map:
			elem = t.Elem()
		default:
			return ErrInvalid.At(path).Because(errors.New("an object does not belong here"))
		}
	}
	seen := map[string]bool{}
	for w.dec.More() {
		tok, err := w.dec.Token()
		key, ok := tok.(string)
		if err != nil || !ok {
			return ErrMalformed.At(path).Because(err)
		}
		at := clip(join(path, key))
		if err := w.count(at); err != nil {
			return err
		}
		if seen[key] {
			return ErrDuplicateField.At(at)
		}
		seen[key] = true
		if err := w.text(key, nil, at); err != nil {
			return err
		}
		if fields == nil {
			err = w.value(elem, nil, at, depth)
		} else if f, ok := fields[key]; ok {
			err = w.value(f.typ, &f, at, depth)
		} else {
			err = ErrUnknownField.At(at)
		}
		if err != nil {
			return err
		}
	}
	for name, f := range fields {
		if f.required && !seen[name] {
			return ErrMissingField.At(join(path, name))
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return ErrMalformed.At(path).Because(err)
	}
	return nil
}

func (w *walker) array(t reflect.Type, path string, depth int) error {
	var elem reflect.Type
	if t != nil {
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return ErrInvalid.At(path).Because(errors.New("an array does not belong here"))
		}
		elem = t.Elem()
	}
	for i := 0; w.dec.More(); i++ {
		at := fmt.Sprintf("%s[%d]", path, i)
		if err := w.count(at); err != nil {
			return err
		}
		if err := w.value(elem, nil, at, depth); err != nil {
			return err
		}
	}
	if _, err := w.dec.Token(); err != nil {
		return ErrMalformed.At(path).Because(err)
	}
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// clip bounds a name that the caller made up before it is sent back.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	return strings.ToValidUTF8(s[:limit], "") + "…"
}

// bodyField is what a struct says of one member of its JSON object.
type bodyField struct {
	name     string
	typ      reflect.Type
	required bool     // neither omitempty, omitzero nor a pointer
	maxLen   int      // tag maxlen: runes of a text; 0: no limit of its own
	enum     []string // tag enum: the allowed texts, by comma
	doc      string
}

func (f *bodyField) check(s, path string) error {
	if f.maxLen > 0 && utf8.RuneCountInString(s) > f.maxLen {
		return ErrTooLarge.At(path).Because(fmt.Errorf("longer than %d characters", f.maxLen))
	}
	if len(f.enum) == 0 {
		return nil
	}
	for _, e := range f.enum {
		if s == e {
			return nil
		}
	}
	return ErrInvalid.At(path).Because(errors.New("not one of the allowed texts"))
}

// bodyFields returns the members of a struct's JSON object by name.
func bodyFields(t reflect.Type) map[string]bodyField {
	all := map[string]bodyField{}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() || f.Tag.Get("path") != "" || f.Tag.Get("query") != "" {
			continue
		}
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		all[name] = newBodyField(name, f, !strings.Contains(rest, "omit") && f.Type.Kind() != reflect.Pointer)
	}
	return all
}

func newBodyField(name string, f reflect.StructField, required bool) bodyField {
	b := bodyField{name: name, typ: f.Type, required: required, doc: f.Tag.Get("doc")}
	b.maxLen, _ = strconv.Atoi(f.Tag.Get("maxlen"))
	if e := f.Tag.Get("enum"); e != "" {
		b.enum = strings.Split(e, ",")
	}
	return b
}

// addressField is a struct field filled from the path or the query.
type addressField struct {
	bodyField
	in    string // "path" or "query"
	index []int
}

func addressFields(t reflect.Type) []addressField {
	var all []addressField
	for _, f := range reflect.VisibleFields(t) {
		for _, in := range []string{"path", "query"} {
			if name := f.Tag.Get(in); name != "" {
				all = append(all, addressField{newBodyField(name, f, in == "path"), in, f.Index})
			}
		}
	}
	return all
}

func decodeAddress(r *http.Request, v reflect.Value) error {
	query := r.URL.Query()
	for _, f := range addressFields(v.Type()) {
		text, given := r.PathValue(f.name), true
		if f.in == "query" {
			texts := query[f.name]
			delete(query, f.name)
			if len(texts) > 1 {
				return ErrDuplicateField.At(f.name)
			}
			if given = len(texts) == 1; given {
				text = texts[0]
			}
		}
		if !given {
			continue
		}
		if !utf8.ValidString(text) {
			return ErrMalformed.At(f.name)
		}
		if err := f.check(text, f.name); err != nil {
			return err
		}
		if err := setText(v.FieldByIndex(f.index), text); err != nil {
			return ErrInvalid.At(f.name).Because(err)
		}
	}
	delete(query, "lang") // the display language, which the page sends with every request
	for name := range query {
		return ErrUnknownField.At(clip(name))
	}
	return nil
}

func setText(v reflect.Value, text string) error {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Int, reflect.Int64, reflect.Int32:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetInt(n)
	case reflect.Uint, reflect.Uint64, reflect.Uint32:
		n, err := strconv.ParseUint(text, 10, v.Type().Bits())
		if err != nil {
			return err
		}
		v.SetUint(n)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return err
		}
		v.SetBool(b)
	default:
		return fmt.Errorf("type %s cannot stand in an address", v.Type())
	}
	return nil
}
