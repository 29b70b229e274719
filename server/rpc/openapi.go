package rpc

import (
	"encoding"
	"encoding/json"
	"fmt"
	"path"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"
)

// About heads the document.
type About struct {
	Title       string
	Version     string
	Description string
}

// OpenAPI returns the OpenAPI 3.1 document of the routes, in the same bytes each
// time.
func OpenAPI(routes []Route, about About) []byte {
	s := schemas{components: map[string]any{}, types: map[string]reflect.Type{}}
	failure := map[string]any{
		"description": "The error's stable code, and what it means for people.",
		"content":     jsonContent(s.of(reflect.TypeFor[errorBody]())),
	}
	paths := map[string]any{}
	for _, r := range routes {
		at, _ := paths[r.Path].(map[string]any)
		if at == nil {
			at = map[string]any{}
			paths[r.Path] = at
		}
		at[strings.ToLower(r.Method)] = s.operation(r)
	}
	doc := map[string]any{
		"openapi": "3.1.0",
		"info":    map[string]any{"title": about.Title, "version": about.Version, "description": about.Description},
		"paths":   paths,
		"components": map[string]any{
			"schemas":         s.components,
			"responses":       map[string]any{"error": failure},
			"securitySchemes": map[string]any{"bearer": map[string]any{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
		},
	}
	out, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("rpc: encode OpenAPI: %v", err)) // plain maps always encode
	}
	return append(out, '\n')
}

func (s schemas) operation(r Route) map[string]any {
	status := r.Status
	if status == 0 {
		status = 200
	}
	ok := map[string]any{"description": "Done."}
	switch {
	case r.Media != "":
		ok["content"] = map[string]any{r.Media: map[string]any{}}
	case r.Response != nil:
		ok["content"] = jsonContent(s.of(reflect.TypeOf(r.Response)))
	}
	op := map[string]any{
		"summary":     r.Summary,
		"operationId": operationID(r),
		"responses": map[string]any{
			strconv.Itoa(status): ok,
			"default":            map[string]any{"$ref": "#/components/responses/error"},
		},
	}
	if !r.Public {
		// OpenAPI 3.1 lets roles stand here for any scheme.
		op["security"] = []any{map[string]any{"bearer": append([]string{}, r.Roles...)}}
	} else {
		op["security"] = []any{}
	}
	if r.Request == nil {
		return op
	}
	t := reflect.TypeOf(r.Request)
	var parameters []any
	for _, f := range addressFields(t) {
		p := map[string]any{"name": f.name, "in": f.in, "required": f.required, "schema": s.field(f.bodyField)}
		if f.doc != "" {
			p["description"] = f.doc
		}
		parameters = append(parameters, p)
	}
	if parameters != nil {
		op["parameters"] = parameters
	}
	if fields := bodyFields(t); len(fields) > 0 {
		needed := false
		for _, f := range fields {
			needed = needed || f.required
		}
		op["requestBody"] = map[string]any{"required": needed, "content": jsonContent(s.of(t))}
	}
	return op
}

func operationID(r Route) string {
	words := strings.FieldsFunc(r.Path, func(c rune) bool { return strings.ContainsRune("/{}.-$", c) })
	return strings.ToLower(r.Method) + "_" + strings.Join(words, "_")
}

func jsonContent(schema any) map[string]any {
	return map[string]any{"application/json": map[string]any{"schema": schema}}
}

// schemas collects the JSON Schemas of named types.
type schemas struct {
	components map[string]any
	types      map[string]reflect.Type
}

// of returns the schema of t: a reference for a named struct.
func (s schemas) of(t reflect.Type) map[string]any {
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		return map[string]any{"anyOf": []any{s.of(t.Elem()), map[string]any{"type": "null"}}}
	}
	switch {
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[json.RawMessage]():
		return map[string]any{}
	case t.Implements(reflect.TypeFor[encoding.TextMarshaler]()):
		return map[string]any{"type": "string"}
	}
	switch t.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return map[string]any{"type": "string", "contentEncoding": "base64"}
		}
		a := map[string]any{"type": "array", "items": s.of(t.Elem())}
		if t.Kind() == reflect.Slice {
			a["type"] = []string{"array", "null"} // a nil slice is null
		}
		return a
	case reflect.Map:
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.structure(t)
	}
	return map[string]any{} // an interface: anything
}

func (s schemas) structure(t reflect.Type) map[string]any {
	if t.Name() == "" {
		return s.object(t)
	}
	name := componentName(t)
	if known, ok := s.types[name]; ok && known != t {
		panic(fmt.Sprintf("rpc: %v and %v share the schema name %s", known, t, name))
	}
	if _, ok := s.types[name]; !ok {
		s.types[name] = t // first, so that a type may hold itself
		s.components[name] = s.object(t)
	}
	return map[string]any{"$ref": "#/components/schemas/" + name}
}

// componentName is package.Type, with what OpenAPI forbids replaced.
func componentName(t reflect.Type) string {
	return strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '-' {
			return c
		}
		return '_'
	}, path.Base(t.PkgPath())+"."+t.Name())
}

func (s schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for name, f := range bodyFields(t) {
		properties[name] = s.field(f)
		if f.required {
			required = append(required, name)
		}
	}
	o := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		sort.Strings(required)
		o["required"] = required
	}
	return o
}

func (s schemas) field(f bodyField) map[string]any {
	schema := s.of(f.typ)
	if f.maxLen > 0 {
		schema["maxLength"] = f.maxLen
	}
	if len(f.enum) > 0 {
		schema["enum"] = f.enum
	}
	if f.doc != "" {
		schema["description"] = f.doc
	}
	return schema
}
