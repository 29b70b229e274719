package register

import (
	"encoding/csv"
	"reflect"
	"testing"
)

// TestRowsReadCSV compares our short reader with the standard one, which the
// browser module does without.
func TestRowsReadCSV(t *testing.T) {
	files, err := data.ReadDir("data")
	if err != nil || len(files) != 5 {
		t.Fatalf("got %d tables, %v, want 5", len(files), err)
	}
	for _, f := range files {
		file, err := data.Open("data/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		want, err := csv.NewReader(file).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		if got := rows(f.Name()); !reflect.DeepEqual(got, want[1:]) {
			t.Errorf("%s: read differently", f.Name())
		}
	}
}

func TestBuiltinCodeLists(t *testing.T) {
	for id, n := range map[string]int{EthnicGroups: 56, Countries: 249} {
		l := BuiltinCodeList(id)
		if l == nil || len(l.Codes) != n {
			t.Fatalf("%s: got %v, want %d codes", id, l, n)
		}
		if err := l.check(); err != nil {
			t.Errorf("%s: %v", id, err)
		}
	}
	if len(birthProvinces()) != 63 {
		t.Errorf("got %d provinces of birth registration, want 63", len(birthProvinces()))
	}
	if BuiltinCodeList("NONE") != nil {
		t.Error("a list that does not exist")
	}
}
