package templates

import (
	"strings"
	"testing"

	"wardbook/sync/register"
)

func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := files.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 6 || len(entries) != len(all) {
		t.Fatalf("got %d definitions of %d files, want six of six", len(all), len(entries))
	}
	for i, d := range all {
		if string(d.ID) != names[i] {
			t.Errorf("got %s in place %d, want %s", d.ID, i, names[i])
		}
		if n := len(d.ListColumns); n < 3 || n > 4 {
			t.Errorf("%s: %d list columns, want 3 or 4", d.ID, n)
		}
		if f := d.FieldByName(d.TitleField); !f.Search {
			t.Errorf("%s: nobody can search for the title", d.ID)
		}
		for _, name := range d.ListColumns {
			if d.FieldByName(name).Class == register.Sensitive && d.ID != "social_protection" {
				t.Errorf("%s: list column %s is sensitive", d.ID, name)
			}
		}
		for _, f := range d.Fields {
			if f.Type == register.FileRef && f.HighRisk {
				t.Errorf("%s.%s: a file cannot be high-risk", d.ID, f.Name)
			}
		}
	}
	// Each call gives definitions of the caller's own.
	again, err := All()
	if err != nil || again[0] == all[0] || string(again[0].Marshal()) != string(all[0].Marshal()) {
		t.Errorf("a second call: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	text, err := files.ReadFile("addresses.yaml")
	if err != nil {
		t.Fatal(err)
	}
	good := string(text)
	for _, c := range []struct{ name, from, to, want string }{
		{"unknown key", "name: street\n", "name: street\n    colour: red\n", "field street: "},
		{"wrong type", "max_accuracy: 30", "max_accuracy: many", "field location: "},
		{"unknown type", "type: geo_point", "type: geo", "field location: type"},
		{"unknown list", `code_list: "TT_BIEN_SO"`, `code_list: "NONE"`, "field plate_status: code_list"},
		{"condition on nothing", "{field: plate_status, op: is_not", "{field: plate, op: is_not", "field house_no: required_when"},
		{"repeated id", "id: 18\n", "id: 17\n", "used twice"},
		{"another name than the file", "id: addresses", "id: address", `want "addresses"`},
		{"rule on nothing", "kind: unique\n    field: house_no", "kind: unique\n    field: house", "no field"},
		{"two documents", "code_lists:", "---\ncode_lists:", "more than one document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := strings.Replace(good, c.from, c.to, 1)
			if bad == good {
				t.Fatal("the case does not change the file")
			}
			_, err := Parse("addresses.yaml", []byte(bad))
			if err == nil || !strings.HasPrefix(err.Error(), "addresses.yaml: ") || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want addresses.yaml: ... %s ...", err, c.want)
			}
		})
	}
}

// FuzzParse: no text makes the reader of YAML panic or take long (aliases that
// multiply are the known trick), and what it accepts travels to a device.
func FuzzParse(f *testing.F) {
	for _, name := range names {
		text, err := files.ReadFile(name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n"))
	f.Add([]byte("id: addresses\n---\nid: addresses\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := Parse("addresses.yaml", text)
		if err != nil {
			return
		}
		sent, err := register.ParseDefinition(d.Marshal())
		if err != nil || string(sent.Marshal()) != string(d.Marshal()) {
			t.Errorf("accepted, but a device reads it otherwise: %v", err)
		}
	})
}
