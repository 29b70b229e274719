package register

import "strconv"

// JSONSchema returns the JSON Schema (2020-12) of what Export returns for
// records of this definition. The bytes are the same for the same definition.
func JSONSchema(def *Definition) []byte {
	properties := map[string]any{}
	required := []string{}
	for i := range def.Fields {
		f := &def.Fields[i]
		property := map[string]any{
			"title":       f.Label.EN,
			"description": f.Label.VI,
			"anyOf":       []any{def.schema(f), schemaRef("raw"), object{"type": "null"}},
			"x-field-id":  f.ID,
			"x-class":     f.Class,
		}
		if f.Authority != "" {
			property["x-authority"] = f.Authority
		}
		if f.Retired {
			property["deprecated"] = true
		} else {
			required = append(required, f.Name)
		}
		properties[f.Name] = property
	}
	schema := object{
		"$schema":              "https://json-schema.org/draft/2020-12/schema",
		"$id":                  "urn:wardbook:register:" + string(def.ID) + ":" + strconv.FormatUint(uint64(def.Version), 10),
		"title":                def.Label.EN,
		"description":          def.Label.VI,
		"type":                 "object",
		"properties":           properties,
		"required":             required,
		"additionalProperties": false,
		"$defs":                schemaDefs(),
	}
	return []byte(encode(schema))
}

type object = map[string]any

func schemaRef(name string) object { return object{"$ref": "#/$defs/" + name} }

func closed(properties object, required ...string) object {
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// schemaDefs returns the shapes that values of many fields have.
func schemaDefs() object {
	return object{
		"raw": closed(object{"raw": object{"type": "string"}}, "raw"),
		"date": closed(object{
			"value":     object{"type": "string", "pattern": `^\d{4}(-\d{2}(-\d{2})?)?$`},
			"precision": object{"enum": []Precision{ByDay, ByMonth, ByYear}},
		}, "value", "precision"),
		"unit": closed(object{
			"code": object{"type": "string", "pattern": `^\d{5}$`},
			"list": object{"type": "string", "format": "date"},
			"name": object{"type": "string"},
		}, "code", "list"),
		"address": closed(object{
			"unit":   object{"anyOf": []any{schemaRef("unit"), object{"type": "null"}}},
			"detail": object{"type": "string"},
		}, "unit", "detail"),
		"point": closed(object{
			"lat":        object{"type": "number", "minimum": -90, "maximum": 90},
			"lon":        object{"type": "number", "minimum": -180, "maximum": 180},
			"accuracy_m": object{"type": "number", "minimum": 0},
		}, "lat", "lon"),
	}
}

func (d *Definition) schema(f *Field) object {
	switch f.Type {
	case MultiEnum:
		return object{"type": "array", "uniqueItems": true, "items": d.scalarSchema(Enum, f.CodeList)}
	case UnitNow, UnitThen:
		return schemaRef("unit")
	case UnitOrText:
		return object{"anyOf": []any{schemaRef("unit"), object{"type": "string"}}}
	case Address:
		return schemaRef("address")
	case GeoPoint:
		return schemaRef("point")
	case Group:
		properties, names := object{}, []string{}
		for _, p := range f.Parts {
			names = append(names, p.Name)
			properties[p.Name] = object{
				"title":       p.Label.EN,
				"description": p.Label.VI,
				"anyOf":       []any{d.scalarSchema(p.Type, p.CodeList), object{"type": "null"}},
			}
		}
		return closed(properties, names...)
	}
	s := d.scalarSchema(f.Type, f.CodeList)
	if f.Pattern != "" { // not "pattern": older records may differ and are exported all the same
		s["x-pattern"] = "^(?:" + f.Pattern + ")$"
	}
	return s
}

func (d *Definition) scalarSchema(t Type, list string) object {
	switch t {
	case Enum:
		code := object{"type": "string"}
		if l := d.CodeList(list); !l.Open {
			codes := make([]string, len(l.Codes))
			for i, c := range l.Codes {
				codes[i] = c.Code
			}
			code["enum"] = codes
		}
		label := object{"type": "string"}
		return closed(object{"code": code, "label_vi": label, "label_en": label}, "code")
	case Date, DatePartial, Month:
		return schemaRef("date")
	case Integer, Money:
		return object{"type": "integer"}
	case Decimal:
		return object{"type": "number"}
	case Boolean:
		return object{"type": "boolean"}
	case PersonalID:
		return object{"type": "string", "pattern": `^\d{12}$`}
	case OldID:
		return object{"type": "string", "pattern": `^\d{9}$`}
	case Phone:
		return object{"type": "string", "pattern": `^\+\d{8,15}$`}
	case TaxCode:
		return object{"type": "string", "pattern": `^(\d{10}(-\d{3})?|\d{12})$`}
	}
	return object{"type": "string"}
}
