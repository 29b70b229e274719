package hub

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"wardbook/conflict"
	"wardbook/server/hub/canonical"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/sync/register"
)

// Item is one line of the feed. Its fields are those of the envelope that the
// city's consumers read; nulls are explicit.
type Item struct {
	RecordID        string                `json:"record_id"`
	Dataset         string                `json:"dataset"`
	SchemaVersion   uint32                `json:"schema_version"`
	Op              string                `json:"op"` // upsert, delete, retract or schema
	WardCode        string                `json:"ward_code"`
	UnitListVersion string                `json:"unit_list_version"`
	Revision        uint64                `json:"revision"`
	Supersedes      *uint64               `json:"supersedes"` // the revision of this record that this one replaces
	ContentSHA256   *string               `json:"content_sha256"`
	CapturedAt      *string               `json:"captured_at"` // the latest device time among the values
	ApprovedAt      string                `json:"approved_at"`
	ApprovedBy      string                `json:"approved_by"` // account name, never a personal id
	Quality         *Quality              `json:"quality"`
	Provenance      map[string]Provenance `json:"provenance,omitempty"` // of fields that were not simply typed
	Data            json.RawMessage       `json:"data"`                 // null but for an upsert
}

// Quality is what the data-quality index needs to know of an item.
type Quality struct {
	Required int `json:"required"` // fields that every record must have
	Filled   int `json:"filled"`   // of these, those with a value
}

// Provenance says where a value comes from.
type Provenance struct {
	Source     string `json:"source"`
	CapturedAt string `json:"captured_at"`
	ReceivedAt string `json:"received_at"`
}

var sources = map[conflict.Source]string{conflict.Typed: "typed", conflict.Card: "card_qr", conflict.Imported: "import", conflict.Reference: "national_reference"}

// city is the time zone of everything that the hub reads.
var city = time.FixedZone("+07:00", 7*3600)

func stamp(ms int64) string { return time.UnixMilli(ms).In(city).Format(time.RFC3339) }

// itemOf makes the line of a decision. previous is the last published revision
// of the record before it, 0 for none.
func itemOf(t review.Tables, def *register.Definition, a store.Approval, previous uint64) (Item, error) {
	it := Item{RecordID: a.Record.String(), Dataset: a.Register, SchemaVersion: a.Definition, Op: string(a.Op), WardCode: a.Unit,
		UnitListVersion: register.UnitListVersion, Revision: a.Revision, ApprovedAt: stamp(a.At), ApprovedBy: a.By, Data: json.RawMessage("null")}
	if previous > 0 {
		it.Supersedes = &previous
	}
	if a.Op != store.OpUpsert {
		return it, nil
	}
	v, err := review.Materialise(t, a)
	if err != nil {
		return it, err
	}
	values, captured := map[string]conflict.Value{}, int64(0)
	for k, f := range v.Fields {
		field := def.FieldByID(k.ID)
		if field == nil || field.Class == register.Sensitive {
			continue // sensitive fields need an agreement of their own
		}
		captured = max(captured, f.At)
		switch {
		case k.Elem == "":
			values[field.Name] = f.Value
		case f.Value != "":
			elems := append(strings.FieldsFunc(string(values[field.Name]), func(r rune) bool { return r == ',' }), k.Elem)
			slices.Sort(elems)
			values[field.Name] = conflict.Value(strings.Join(elems, ","))
		}
		if f.Source != conflict.Typed && f.Value != "" {
			if it.Provenance == nil {
				it.Provenance = map[string]Provenance{}
			}
			it.Provenance[field.Name] = Provenance{sources[f.Source], stamp(f.At), stamp(f.Received)}
		}
	}
	it.Quality = &Quality{}
	for i := range def.Fields {
		if f := &def.Fields[i]; f.Required == register.Always && f.Class == register.Basic && !f.Retired {
			it.Quality.Required++
			if values[f.Name] != "" {
				it.Quality.Filled++
			}
		}
	}
	data := register.Export(def, values)
	for i := range def.Fields {
		if def.Fields[i].Class == register.Sensitive {
			delete(data, def.Fields[i].Name)
		}
	}
	if it.Data, err = json.Marshal(data); err != nil {
		return it, fmt.Errorf("item of %v: %w", a.Record, err)
	}
	sum, err := canonical.ContentHash(it.Data)
	if err != nil {
		return it, fmt.Errorf("item of %v: %w", a.Record, err)
	}
	at := stamp(captured)
	it.ContentSHA256, it.CapturedAt = &sum, &at
	return it, nil
}
