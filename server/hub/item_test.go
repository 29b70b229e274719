package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/auth"
	"wardbook/server/review"
	"wardbook/server/rpc"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

// filled is a version in which every field of a register has a value that names
// its field.
func filled(def *register.Definition) review.Version {
	v := review.Version{Register: string(def.ID), Definition: def.Version, Fields: map[conflict.FieldKey]review.Approved{
		conflict.Key(conflict.FieldLife): {Value: "alive;", At: 9_000_000_000_000},
		conflict.Key(60_000):             {Value: "of a field that nobody knows"},
	}}
	for i := range def.Fields {
		f := &def.Fields[i]
		k, value := conflict.Key(f.ID), conflict.Value("value of "+f.Name)
		if f.Policy == conflict.Union {
			k.Elem, value = "value of "+f.Name, "1"
		}
		v.Fields[k] = review.Approved{Value: value, At: 1_700_000_000_000 + int64(i), Received: 1_700_000_100_000, Source: conflict.Imported}
	}
	return v
}

// Of all six registers, each basic field leaves and no sensitive one does, in
// data, provenance or schema; and data has exactly the members that its schema
// asks for.
func TestFillLeavesSensitiveFieldsOut(t *testing.T) {
	defs, err := templates.All()
	if err != nil || len(defs) != 6 {
		t.Fatalf("got %d registers, %v, want 6", len(defs), err)
	}
	sensitive := 0
	for _, def := range defs {
		set, it := newDataset(def), Item{Provenance: map[string]Provenance{}}
		if err := it.fill(set, filled(def)); err != nil {
			t.Fatal(err)
		}
		line, err := encode(it)
		if err != nil {
			t.Fatal(err)
		}
		schema := register.JSONSchema(&set.public)
		var data map[string]json.RawMessage
		if err := json.Unmarshal(it.Data, &data); err != nil {
			t.Fatal(err)
		}
		var want []string
		for i := range def.Fields {
			f := &def.Fields[i]
			quoted := []byte(fmt.Sprintf("%q", f.Name))
			if f.Class == register.Basic {
				want = append(want, f.Name)
				if !bytes.Contains(line, []byte("value of "+f.Name)) || it.Provenance[f.Name].Source != "import" || !bytes.Contains(schema, quoted) {
					t.Errorf("%s: field %s is missing", def.ID, f.Name)
				}
				continue
			}
			sensitive++
			if bytes.Contains(line, []byte("value of "+f.Name+`"`)) || bytes.Contains(line, quoted) || bytes.Contains(schema, quoted) {
				t.Errorf("%s: sensitive field %s leaves", def.ID, f.Name)
			}
		}
		if bytes.Contains(line, []byte("nobody knows")) {
			t.Errorf("%s: an unknown field leaves", def.ID)
		}
		var told struct {
			Required []string `json:"required"`
		}
		if err := json.Unmarshal(schema, &told); err != nil {
			t.Fatal(err)
		}
		for _, name := range told.Required {
			if _, ok := data[name]; !ok {
				t.Errorf("%s: the schema requires %s, which data lacks", def.ID, name)
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(func(yield func(string) bool) {
			for n := range data {
				if !yield(n) {
					return
				}
			}
		}); !slices.Equal(got, want) {
			t.Errorf("%s: got data of %v, want %v", def.ID, got, want)
		}
		if it.CapturedAt == nil || !strings.HasPrefix(*it.CapturedAt, "2023-11-15T") || !strings.HasSuffix(*it.CapturedAt, "+07:00") {
			t.Errorf("%s: got captured_at %v, want the latest among the fields that leave", def.ID, it.CapturedAt)
		}
		if it.Quality.Filled != it.Quality.Required || it.Quality.Required == 0 {
			t.Errorf("%s: got quality %+v, want all filled", def.ID, *it.Quality)
		}
	}
	if sensitive < 10 {
		t.Errorf("got %d sensitive fields in all registers, want at least 10: is the class still read?", sensitive)
	}
}

// A union is one value, whatever the order in which its elements are met.
func TestFillUnion(t *testing.T) {
	def, err := register.New(register.Definition{ID: "things", Version: 2, Label: register.Text{VI: "x", EN: "x"}, TitleField: "tags", ListColumns: []string{"tags"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "x", EN: "x"}}},
		Fields: []register.Field{{ID: 16, Name: "tags", Type: register.MultiEnum, Label: register.Text{VI: "x", EN: "x"}, Section: "all",
			Required: register.Optional, Class: register.Basic, Policy: conflict.Union, CodeList: "TAGS"}},
		CodeLists: []register.CodeList{{ID: "TAGS", Codes: []register.Code{{Code: "A", VI: "a", EN: "a"}, {Code: "B", VI: "b", EN: "b"}, {Code: "C", VI: "c", EN: "c"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		it := Item{Provenance: map[string]Provenance{}}
		v := review.Version{Fields: map[conflict.FieldKey]review.Approved{}}
		for elem, value := range map[string]conflict.Value{"C": "1", "A": "1", "B": ""} {
			v.Fields[conflict.FieldKey{ID: 16, Elem: elem}] = review.Approved{Value: value, At: 1}
		}
		if err := it.fill(newDataset(def), v); err != nil {
			t.Fatal(err)
		}
		if want := `{"tags":[{"code":"A","label_vi":"a","label_en":"a"},{"code":"C","label_vi":"c","label_en":"c"}]}`; string(it.Data) != want {
			t.Fatalf("got %s, want %s", it.Data, want)
		}
	}
}

// An item is exported under the version that it was approved under.
func TestVersions(t *testing.T) {
	defs, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	old := *defs[0]
	next, added := old, old.Fields[len(old.Fields)-1]
	next.Version, added.ID, added.Name = 2, 9000, "added"
	next.Fields = append(slices.Clone(old.Fields), added)
	f := New(Config{Definitions: []*register.Definition{&old, &next, defs[1]}})
	if d, err := f.newest(string(old.ID)); err != nil || d.Version != 2 {
		t.Errorf("got %v, want version 2", err)
	}
	if d, err := f.version(string(old.ID), 1); err != nil || len(d.Fields) != len(old.Fields) {
		t.Errorf("got %v, want the fields of version 1", err)
	}
	if _, err := f.version(string(old.ID), 3); err != ErrVersion {
		t.Errorf("got %v, want %v", err, ErrVersion)
	}
	if list := f.catalogue(); len(list) != 2 || list[0].Version != 2 || list[1].ID != defs[1].ID {
		t.Errorf("got %d datasets, want the newest version of each", len(list))
	}
}

func TestStamp(t *testing.T) {
	for ms, want := range map[int64]string{1: "1970-01-01T07:00:00+07:00", 1_700_000_000_000: "2023-11-15T05:13:20+07:00", 0: "", -5: "", 1 << 60: ""} {
		got := stamp(ms)
		if got == nil && want != "" || got != nil && *got != want {
			t.Errorf("%d: got %v, want %q", ms, got, want)
		}
	}
}

// Too much at once is refused with the time to wait, account by account.
func TestRateLimit(t *testing.T) {
	f := New(Config{})
	ctx := auth.NewContext(context.Background(), auth.Principal{Account: "a"})
	for i := range 1000 {
		if err := f.limit(ctx); err != nil {
			e := rpc.Public(err)
			if i < 10*defaultRate || e.Code != rpc.ErrTooMany.Code || e.RetryAfter <= 0 {
				t.Errorf("request %d: got %v, wait %v", i, err, e.RetryAfter)
			}
			if err := f.limit(auth.NewContext(context.Background(), auth.Principal{Account: "b"})); err != nil {
				t.Errorf("another account: got %v", err)
			}
			return
		}
	}
	t.Error("1000 requests at once were all allowed")
}
