package register_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

var update = flag.Bool("update", false, "rewrite golden files")

var parsed = sync.OnceValues(templates.All)

// defs returns the templates by id.
func defs(t testing.TB) map[register.ID]*register.Definition {
	t.Helper()
	all, err := parsed()
	if err != nil {
		t.Fatal(err)
	}
	m := map[register.ID]*register.Definition{}
	for _, d := range all {
		m[d.ID] = d
	}
	return m
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestFieldsAreFrozen guards what can never change: the id, name, type and
// parts of each field of a released version. New lines are fine in review,
// changed ones are not.
func TestFieldsAreFrozen(t *testing.T) {
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range all {
		for _, f := range slices.SortedFunc(slices.Values(d.Fields), func(a, b register.Field) int { return int(a.ID) - int(b.ID) }) {
			fmt.Fprintf(&b, "%s %d %s %s", d.ID, f.ID, f.Name, f.Type)
			for _, p := range f.Parts {
				fmt.Fprintf(&b, " %s:%s", p.Name, p.Type)
			}
			b.WriteByte('\n')
		}
	}
	golden(t, "testdata/fields.golden", b.String())
}

func TestHighRiskAndSensitive(t *testing.T) {
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range all {
		for _, f := range d.Fields {
			for what, is := range map[string]bool{"high-risk": f.HighRisk, "sensitive": f.Class == register.Sensitive, "masked": f.Masked} {
				if is {
					fmt.Fprintln(&b, d.ID, what, f.Name)
				}
			}
		}
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	slices.Sort(lines)
	golden(t, "testdata/classes.golden", strings.Join(lines, "\n")+"\n")
}

func TestMarshalRoundTrip(t *testing.T) {
	for id, d := range defs(t) {
		b := d.Marshal()
		back, err := register.ParseDefinition(b)
		if err != nil {
			t.Fatalf("%s: %v", id, err)
		}
		if string(back.Marshal()) != string(b) {
			t.Errorf("%s: marshals to other bytes", id)
		}
		if !reflect.DeepEqual(back.Fields, d.Fields) || !reflect.DeepEqual(back.Rules, d.Rules) {
			t.Errorf("%s: fields or rules differ", id)
		}
		if len(b) > 32<<10 {
			t.Errorf("%s: %d bytes on the wire, want at most 32 KiB", id, len(b))
		}
		for i := range d.Fields {
			f := &d.Fields[i]
			if d.FieldByID(f.ID) != f || d.FieldByName(f.Name) != f {
				t.Errorf("%s.%s: look-ups disagree", id, f.Name)
			}
		}
	}
}

func TestParseDefinitionRefuses(t *testing.T) {
	good := string(defs(t)["addresses"].Marshal())
	for name, b := range map[string]string{
		"nothing":        "",
		"not JSON":       "register",
		"unknown member": strings.Replace(good, `{"id"`, `{"new":1,"id"`, 1),
		"spaces":         strings.Replace(good, `,`, `, `, 1),
		"text behind":    good + "{}",
		"repeated":       strings.Replace(good, `{"id":"addresses"`, `{"id":"addresses","id":"addresses"`, 1),
		"too long":       good + strings.Repeat(" ", register.MaxDefinitionBytes),
		"bad type":       strings.Replace(good, `"type":"geo_point"`, `"type":"geo"`, 1),
		"system id":      strings.Replace(good, `"id":17,`, `"id":3,`, 1),
		"repeated id":    strings.Replace(good, `"id":17,`, `"id":16,`, 1),
		"bad pattern":    strings.Replace(good, `"pattern":"\\d`, `"pattern":"(\\d`, 1),
		"no section":     strings.Replace(good, `"section":"place"`, `"section":"nowhere"`, 1),
		"no such field":  strings.Replace(good, `"title_field":"house_no"`, `"title_field":"house"`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			if b == good {
				t.Fatal("the case does not change the definition")
			}
			if _, err := register.ParseDefinition([]byte(b)); err == nil {
				t.Error("got no error")
			}
		})
	}
	if _, err := register.ParseDefinition([]byte(strings.Replace(good, `,`, `, `, 1))); !errors.Is(err, register.ErrDefinitionForm) {
		t.Errorf("spaces: got %v, want %v", err, register.ErrDefinitionForm)
	}
}

// clone returns a definition that may be changed and passed to New.
func clone(t *testing.T, d *register.Definition) register.Definition {
	t.Helper()
	back, err := register.ParseDefinition(d.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	return *back
}

// residentsV2 is a synthetic second version: a new required field, a longer
// and a partly retired code list, one field retired.
func residentsV2(t *testing.T) *register.Definition {
	t.Helper()
	d := clone(t, defs(t)["residents"])
	d.Version = 2
	d.Fields = append(d.Fields, register.Field{
		ID: 42, Name: "blood_group", Type: register.Enum, Label: register.Text{VI: "Nhóm máu", EN: "Blood group"},
		Section: "identity", Required: register.Always, Class: register.Sensitive, Policy: conflict.Keep, CodeList: "NHOM_MAU", Since: 2,
	})
	d.CodeLists = append(d.CodeLists, register.CodeList{ID: "NHOM_MAU", Codes: []register.Code{{Code: "A", VI: "A", EN: "A"}, {Code: "B", VI: "B", EN: "B"}}})
	for i := range d.Fields {
		if d.Fields[i].Name == "old_id_9" {
			d.Fields[i].Retired = true
		}
	}
	for i := range d.CodeLists {
		if d.CodeLists[i].ID == "QH_CHU_HO" {
			d.CodeLists[i].Codes = append(d.CodeLists[i].Codes, register.Code{Code: "09", VI: "Con dâu, con rể", EN: "Child-in-law"})
			d.CodeLists[i].Codes[7].Retired = true // 08
		}
	}
	v2, err := register.New(d)
	if err != nil {
		t.Fatal(err)
	}
	return v2
}

func TestVersions(t *testing.T) {
	v1, v2 := defs(t)["residents"], residentsV2(t)
	if err := v1.CheckSuccessor(v2); err != nil {
		t.Fatal(err)
	}
	values := resident()
	values["old_id_9"], values["relation_to_head"] = "023456789", "08"
	env := register.Env{Today: "2026-11-22", Unit: "27169"}
	if got := register.Worst(register.Validate(v1, values, env)); got == register.Error {
		t.Fatalf("under version 1: got %v", register.Validate(v1, values, env))
	}

	// An older record stays readable and can be submitted and approved.
	env.MadeUnder = 1
	found := register.Validate(v2, values, env)
	if worst := register.Worst(found); worst != register.Info {
		t.Errorf("older record: got %s %v, want only I", worst, found)
	}
	if got := codesOf(found); !slices.Contains(got, "blood_group:I_NEW_FIELD") || !slices.Contains(got, "relation_to_head:I_CODE_RETIRED") {
		t.Errorf("older record: got %v", got)
	}
	if got := register.Display(v2, "relation_to_head", "08", "vi"); got != "Người ở nhờ/ở thuê" {
		t.Errorf("retired code: got %q", got)
	}
	if got := register.Display(v2, "old_id_9", "023456789", "vi"); got != "023456789" {
		t.Errorf("retired field: got %q", got)
	}
	if out := register.Export(v2, values); out["old_id_9"] != "023456789" {
		t.Errorf("retired field at the hub: got %v", out["old_id_9"])
	}

	// A record made now is asked for everything.
	env.MadeUnder = 2
	if got := codesOf(register.Validate(v2, values, env)); !slices.Contains(got, "blood_group:E_REQUIRED") || !slices.Contains(got, "relation_to_head:W_CODE_RETIRED") {
		t.Errorf("new record: got %v", got)
	}
	values["blood_group"], values["relation_to_head"] = "A", "09"
	if got := codesOf(register.Validate(v2, values, env)); len(got) != 0 {
		t.Errorf("new record, complete: got %v", got)
	}

	// A device that still has version 1 leaves what it does not know alone.
	if got := codesOf(register.Validate(v1, values, register.Env{Today: "2026-11-22"})); !slices.Equal(got, []string{"relation_to_head:E_CODE"}) {
		t.Errorf("version 1 with values of 2: got %v", got)
	}
}

func TestCheckSuccessorRefuses(t *testing.T) {
	v1 := defs(t)["residents"]
	for name, change := range map[string]func(*register.Definition){
		"same version":  func(d *register.Definition) { d.Version = 1 },
		"field gone":    func(d *register.Definition) { d.Fields = slices.Delete(d.Fields, 2, 3) },
		"field renamed": func(d *register.Definition) { d.Fields[2].Name = "cmnd" },
		"type changed":  func(d *register.Definition) { d.Fields[2].Type = register.PlainText },
		"code gone":     func(d *register.Definition) { l := &d.CodeLists[1]; l.Codes = l.Codes[:len(l.Codes)-1] },
		"new, not since": func(d *register.Definition) {
			f := d.Fields[2]
			f.ID, f.Name = 99, "other"
			d.Fields = append(d.Fields, f)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := clone(t, v1)
			d.Version = 2
			change(&d)
			next, err := register.New(d)
			if err != nil {
				t.Fatalf("the case is no definition: %v", err)
			}
			if err := v1.CheckSuccessor(next); err == nil {
				t.Error("got no error")
			}
		})
	}
}

func codesOf(found []register.Finding) []string {
	var got []string
	for _, f := range found {
		got = append(got, f.Field+":"+f.Code)
	}
	return got
}

// resident is a record without any finding.
func resident() map[string]conflict.Value {
	return map[string]conflict.Value{
		"personal_id": "079090000001", "full_name": "Đặng Thị Hòa", "dob": "1990-08-05", "sex": "1", "nationality": "VN",
		"marital_status": "1", "residence_type": "1", "household_no": "HS-0001", "neighbourhood": "Khu phố 3",
		"permanent_address": `{"detail":"606/39 Đường 3 Tháng 2","list":"2025-07-01","unit":"27169"}`,
		"current_address":   `{"detail":"606/39 Đường 3 Tháng 2","list":"2025-07-01","unit":"27169"}`,
		"relation_to_head":  "01", "match_result": "KHOP",
	}
}
