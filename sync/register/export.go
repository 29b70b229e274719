package register

import (
	"encoding/json"

	"wardbook/conflict"
)

// Export returns a record's values in the form that the hub reads and that
// JSONSchema describes: codes with their labels, numbers as numbers, dates
// with their precision, and an explicit null for every field without a value.
// A value that is none of its type, which an older record may hold, appears as
// {"raw": text}. The result marshals to deterministic JSON.
func Export(def *Definition, values map[string]conflict.Value) map[string]any {
	out := make(map[string]any, len(def.Fields))
	for i := range def.Fields {
		f := &def.Fields[i]
		v := values[f.Name]
		if f.Retired && v == "" {
			continue
		}
		out[f.Name] = def.export(f, v)
	}
	return out
}

type exportedCode struct {
	Code    string `json:"code"`
	LabelVI string `json:"label_vi,omitempty"`
	LabelEN string `json:"label_en,omitempty"`
}

type exportedDate struct {
	Value     string    `json:"value"`
	Precision Precision `json:"precision"`
}

type exportedUnit struct {
	Code UnitCode `json:"code"`
	List string   `json:"list"`
	Name string   `json:"name,omitempty"`
}

type exportedAddress struct {
	Unit   *exportedUnit `json:"unit"`
	Detail string        `json:"detail"`
}

type exportedRaw struct {
	Raw string `json:"raw"`
}

func (d *Definition) export(f *Field, v conflict.Value) any {
	if v == "" {
		return nil
	}
	if canonical, finding := d.normalise(f, string(v)); finding != nil || canonical != string(v) {
		return exportedRaw{string(v)}
	}
	switch f.Type {
	case MultiEnum:
		codes := []any{}
		for _, code := range Elements(v) {
			codes = append(codes, d.exportScalar(Enum, f.CodeList, code))
		}
		return codes
	case UnitNow, UnitThen, UnitOrText:
		if ref, err := ParseUnitRef(string(v)); err == nil {
			return exportUnit(ref)
		}
		return string(v)
	case Address:
		a, err := ParseAddress(v)
		if err != nil {
			return exportedRaw{string(v)}
		}
		out := exportedAddress{Detail: a.Detail}
		if a.Unit != "" {
			out.Unit = exportUnit(UnitRef{a.Unit, a.List})
		}
		return out
	case GeoPoint:
		return json.RawMessage(v)
	case Group:
		parts, err := ParseGroup(v)
		if err != nil {
			return exportedRaw{string(v)}
		}
		out := map[string]any{}
		for _, p := range f.Parts {
			out[p.Name] = nil
			if text := parts[p.Name]; text != "" {
				out[p.Name] = d.exportScalar(p.Type, p.CodeList, text)
			}
		}
		return out
	}
	return d.exportScalar(f.Type, f.CodeList, string(v))
}

func exportUnit(r UnitRef) *exportedUnit {
	u := &exportedUnit{Code: r.Code, List: r.List}
	if r.known() {
		if r.List == FormerUnitListVersion {
			f, _ := FormerUnitByCode(r.Code)
			u.Name = f.NameVI
		} else {
			now, _ := UnitByCode(r.Code)
			u.Name = now.NameVI
		}
	}
	return u
}

// exportScalar exports a canonical value without inner structure.
func (d *Definition) exportScalar(t Type, list, v string) any {
	switch t {
	case Enum:
		c, _ := d.CodeList(list).Find(v)
		return exportedCode{v, c.VI, c.EN}
	case Date, DatePartial, Month:
		date, _ := ParseDate(v)
		return exportedDate{v, date.Precision()}
	case Integer, Money, Decimal:
		return json.Number(v)
	case Boolean:
		return v == "true"
	}
	return v
}
