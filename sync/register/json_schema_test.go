package register_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
)

// TestExportFitsSchema reads exported records with a small validator of the
// keywords that the schema uses.
func TestExportFitsSchema(t *testing.T) {
	for id, d := range defs(t) {
		var schema map[string]any
		if err := json.Unmarshal(register.JSONSchema(d), &schema); err != nil {
			t.Fatal(err)
		}
		if once, again := string(register.JSONSchema(d)), string(register.JSONSchema(d)); once != again {
			t.Errorf("%s: the schema is not deterministic", id)
		}
		full := maps.Clone(complete[id])
		maps.Copy(full, extra[id])
		broken := values{}
		for _, f := range d.Fields {
			broken[f.Name] = "{not a value"
		}
		for name, record := range map[string]values{"complete": complete[id], "full": full, "empty": nil, "broken": broken} {
			b, err := json.Marshal(register.Export(d, record))
			if err != nil {
				t.Fatal(err)
			}
			var out any
			if err := json.Unmarshal(b, &out); err != nil {
				t.Fatal(err)
			}
			if err := fits(schema, schema, out); err != nil {
				t.Errorf("%s %s: %v\n%s", id, name, err, b)
			}
		}
		// The validator can fail.
		out := map[string]any{}
		b, _ := json.Marshal(register.Export(d, complete[id]))
		if err := json.Unmarshal(b, &out); err != nil {
			t.Fatal(err)
		}
		out["unknown"] = 1.0
		if fits(schema, schema, out) == nil {
			t.Errorf("%s: an unknown member fits", id)
		}
	}
}

var extra = map[register.ID]values{
	"residents":          {"hometown": "27169@2025-07-01", "birth_reg_ward": "Nghệ An", "phone": "+84903123456", "ethnic": "05", "old_id_9": "023456789"},
	"civil_status":       {"subject_id": "079090000001", "annotations": "một\nhai"},
	"land_parcels":       {"asset": `{"floor_area":"80.5","kind":"Nhà ở"}`, "org_id": "0312120782-001", "old_unit_code": "27172@2025-06-30"},
	"household_business": {"einvoice": "true", "location": `{"accuracy_m":8,"lat":10.7,"lon":106.7}`, "reg_date": "2020-01-02"},
	"social_protection":  {"disability_kind": "1,3", "end_month": "2026-01"},
	"addresses":          {"households": "3", "parcel_link": "abcdefghijklmnopqrstuvwxyz-1"},
}

func TestExport(t *testing.T) {
	out := register.Export(defs(t)["social_protection"], map[string]conflict.Value{
		"dob": "1940", "monthly_amount": "500000", "disability_kind": "1,3", "sex": "1", "personal_id": "123",
		"address": `{"detail":"Tổ 5","list":"2025-07-01","unit":"27676"}`,
	})
	for field, want := range map[string]string{
		"dob": `{"value":"1940","precision":"year"}`, "monthly_amount": `500000`, "full_name": `null`, "personal_id": `{"raw":"123"}`,
		"sex":             `{"code":"1","label_vi":"Nam","label_en":"Male"}`,
		"disability_kind": `[{"code":"1","label_vi":"Vận động","label_en":"Mobility"},{"code":"3","label_vi":"Nhìn","label_en":"Vision"}]`,
		"address":         `{"unit":{"code":"27676","list":"2025-07-01","name":"Xã Thạnh An"},"detail":"Tổ 5"}`,
	} {
		b, err := json.Marshal(out[field])
		if err != nil || string(b) != want {
			t.Errorf("%s: got %s, %v, want %s", field, b, err, want)
		}
	}
}

// fits supports the keywords that JSONSchema writes, and refuses a schema with
// any other that would constrain.
func fits(root, schema map[string]any, v any) error {
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "deprecated", "format", "additionalProperties", "x-field-id", "x-class", "x-authority", "x-pattern":
		case "$ref":
			name := arg.(string)[len("#/$defs/"):]
			if err := fits(root, root["$defs"].(map[string]any)[name].(map[string]any), v); err != nil {
				return err
			}
		case "type":
			is := map[string]bool{}
			switch v := v.(type) {
			case nil:
				is["null"] = true
			case bool:
				is["boolean"] = true
			case string:
				is["string"] = true
			case float64:
				is["number"], is["integer"] = true, v == float64(int64(v))
			case []any:
				is["array"] = true
			case map[string]any:
				is["object"] = true
			}
			if !is[arg.(string)] {
				return fmt.Errorf("%v is not of type %v", v, arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), v) {
				return fmt.Errorf("%v is none of %v", v, arg)
			}
		case "pattern":
			if s, ok := v.(string); ok && !regexp.MustCompile(arg.(string)).MatchString(s) {
				return fmt.Errorf("%q does not match %s", s, arg)
			}
		case "minimum", "maximum":
			if n, ok := v.(float64); ok && (keyword == "minimum" && n < arg.(float64) || keyword == "maximum" && n > arg.(float64)) {
				return fmt.Errorf("%v is out of bounds", v)
			}
		case "anyOf":
			if !slices.ContainsFunc(arg.([]any), func(s any) bool { return fits(root, s.(map[string]any), v) == nil }) {
				return fmt.Errorf("%v fits none of the alternatives", v)
			}
		case "items":
			list, _ := v.([]any)
			for _, item := range list {
				if err := fits(root, arg.(map[string]any), item); err != nil {
					return err
				}
			}
		case "uniqueItems":
		case "required":
			for _, name := range arg.([]any) {
				if m, ok := v.(map[string]any); ok {
					if _, ok := m[name.(string)]; !ok {
						return fmt.Errorf("%v is missing", name)
					}
				}
			}
		case "properties":
			m, ok := v.(map[string]any)
			if !ok {
				continue
			}
			for name, member := range m {
				s, ok := arg.(map[string]any)[name]
				if !ok {
					return fmt.Errorf("unknown member %s", name)
				}
				if err := fits(root, s.(map[string]any), member); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		default:
			return fmt.Errorf("unsupported keyword %s", keyword)
		}
	}
	return nil
}
