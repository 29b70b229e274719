package hub

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"wardbook/conflict"
	"wardbook/server/hub/canonical"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/register"
)

// Item is one line of the feed. Its fields are those of the envelope that the
// city's consumers read; nulls are explicit.
type Item struct {
	RecordID        string                `json:"record_id"`
	Dataset         string                `json:"dataset"`
	SchemaVersion   uint32                `json:"schema_version"`
	Op              store.Op              `json:"op"`
	WardCode        string                `json:"ward_code"`
	UnitListVersion string                `json:"unit_list_version"`
	Revision        uint64                `json:"revision"`   // contiguous from 1 per dataset and ward
	Supersedes      *uint64               `json:"supersedes"` // the revision of this record in this ward that this one replaces
	MovedTo         *string               `json:"moved_to"`   // of a delete: the ward where the record goes on, under its id
	MovedFrom       *string               `json:"moved_from"` // of an upsert: the ward where it was, and is deleted
	SameAs          *string               `json:"same_as"`    // of a delete: the record that stays of two that were one thing
	Erased          bool                  `json:"erased"`     // the record was erased by law: nothing of it may be kept
	ContentSHA256   *string               `json:"content_sha256"`
	CapturedAt      *string               `json:"captured_at"` // the latest device time among the values
	ApprovedAt      *string               `json:"approved_at"`
	ApprovedBy      string                `json:"approved_by"` // account name, never a personal id
	Quality         *Quality              `json:"quality"`
	Provenance      map[string]Provenance `json:"provenance"` // by name, of fields that were not simply typed
	Data            json.RawMessage       `json:"data"`       // null but for an upsert
}

// Quality is what the data-quality index needs to know of an item.
type Quality struct {
	Required int `json:"required"` // fields that every record must have
	Filled   int `json:"filled"`   // of these, those with a value
}

// Provenance says where a value comes from.
type Provenance struct {
	Source     string  `json:"source"` // card_qr, import or national_reference
	CapturedAt *string `json:"captured_at"`
	ReceivedAt *string `json:"received_at"`
}

// sources are the names of where values come from. Sent; never changed.
var sources = map[conflict.Source]string{conflict.Card: "card_qr", conflict.Imported: "import", conflict.Reference: "national_reference"}

// SchemaLine announces a version of a dataset's schema. It belongs to no unit
// and has no revision.
type SchemaLine struct {
	Op            string `json:"op"` // schema
	Dataset       string `json:"dataset"`
	SchemaVersion uint32 `json:"schema_version"`
	Schema        string `json:"schema"` // path of the JSON Schema
}

func schemaLine(d *dataset) SchemaLine {
	return SchemaLine{Op: "schema", Dataset: string(d.ID), SchemaVersion: d.Version, Schema: d.schemaPath()}
}

// city is the time zone of everything that the hub reads.
var city = time.FixedZone("+07:00", 7*3600)

// stamp returns a time as consumers read it, nil for one that is none: device
// clocks may say anything.
func stamp(ms int64) *string {
	t := time.UnixMilli(ms).In(city)
	if ms <= 0 || t.Year() > 9999 {
		return nil
	}
	text := t.Format(time.RFC3339)
	return &text
}

// item makes the line of a decision. previous is the revision under which the
// record was published before it, 0 for none.
func (f *Feed) item(t *sqlite.Ledger, a store.Approval, previous uint64) (Item, error) {
	version, _ := f.cfg.List()
	it := Item{RecordID: a.Record.String(), Dataset: a.Register, SchemaVersion: a.Definition, Op: a.Op, WardCode: a.Unit,
		UnitListVersion: version, Revision: a.Revision, ApprovedAt: stamp(a.At), ApprovedBy: a.By,
		Provenance: map[string]Provenance{}, Data: json.RawMessage("null")}
	if previous > 0 {
		it.Supersedes = &previous
	}
	if a.Decision == store.MovedDecision {
		if a.Op == store.OpDelete {
			it.MovedTo = &a.Other
		} else {
			it.MovedFrom = &a.Other
		}
	}
	if a.Op == store.OpDelete && a.Decision != store.MovedDecision && a.Other != "" {
		it.SameAs = &a.Other
	}
	erased, err := t.Erased(a.Record)
	if err != nil {
		return it, err
	}
	if it.Erased = erased; erased && it.Op == store.OpUpsert {
		it.Op, it.MovedFrom = store.OpRetract, nil // whoever reads from an old cursor learns no value
	}
	if it.Op != store.OpUpsert {
		return it, nil
	}
	set, err := f.version(a.Register, a.Definition)
	if err != nil {
		return it, fmt.Errorf("item of %v: version %d of %s is not among the definitions", a.Record, a.Definition, a.Register)
	}
	v, err := review.Materialise(t, a)
	if err != nil {
		return it, fmt.Errorf("item of %v: %w", a.Record, err)
	}
	if err := it.fill(set, v); err != nil {
		return it, fmt.Errorf("item of %v: %w", a.Record, err)
	}
	return it, nil
}

// fill writes what stands approved into an upsert, sensitive fields left out.
func (it *Item) fill(set *dataset, v review.Version) error {
	values, captured := map[string]conflict.Value{}, int64(0)
	for _, k := range slices.SortedFunc(maps.Keys(v.Fields), conflict.FieldKey.Compare) {
		field, from := set.FieldByID(k.ID), v.Fields[k]
		if field == nil || field.Class != register.Basic {
			continue // sensitive fields need an agreement of their own
		}
		captured = max(captured, from.At)
		if from.Value == "" {
			continue
		}
		if field.Policy == conflict.Union {
			from.Value = register.JoinElements(append(register.Elements(values[field.Name]), k.Elem))
		}
		values[field.Name] = from.Value
		if source := sources[from.Source]; source != "" {
			it.Provenance[field.Name] = Provenance{source, stamp(from.At), stamp(from.Received)}
		}
	}
	it.CapturedAt, it.Quality = stamp(captured), &Quality{}
	for i := range set.public.Fields {
		if f := &set.public.Fields[i]; f.Required == register.Always && !f.Retired {
			it.Quality.Required++
			if values[f.Name] != "" {
				it.Quality.Filled++
			}
		}
	}
	var err error
	if it.Data, err = encode(register.Export(&set.public, values)); err != nil {
		return err
	}
	sum, err := canonical.ContentHash(it.Data)
	it.ContentSHA256 = &sum
	return err
}
