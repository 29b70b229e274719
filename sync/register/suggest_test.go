package register

import (
	"testing"

	"wardbook/conflict"
)

func TestSuggest(t *testing.T) {
	def, err := New(Definition{ID: "x", Version: 1, Label: Text{"x", "x"}, TitleField: "name", Sections: []Section{{"s", Text{"s", "s"}}}, Fields: []Field{
		{ID: 16, Name: "name", Type: Name, Label: Text{"a", "a"}, Section: "s", Required: Optional, Class: Basic, Policy: conflict.Keep},
		{ID: 17, Name: "born", Type: DatePartial, Label: Text{"b", "b"}, Section: "s", Required: Optional, Class: Basic, Policy: conflict.Keep},
		{ID: 18, Name: "place", Type: PlainText, Label: Text{"c", "c"}, Section: "s", Required: Optional, Class: Basic, Policy: conflict.Keep},
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := func(v conflict.Value) *conflict.Value { return &v }
	for _, c := range []struct {
		name, field string
		values      []conflict.Value
		sources     []conflict.Source
		before      *conflict.Value
		want        int // place of the proposed value, -1 for none
		why         Why
	}{
		{name: "capitals", field: "name", values: []conflict.Value{"NGUYỄN VĂN HÒA", "Nguyễn Văn Hoà"}, want: 1, why: SameWords},
		{name: "capitals, the other way round", field: "name", values: []conflict.Value{"Nguyễn Văn Hoà", "NGUYỄN VĂN HÒA"}, want: 0, why: SameWords},
		{name: "another tone is another name", field: "name", values: []conflict.Value{"Nguyễn Văn Hòa", "Nguyễn Văn Hóa"}, want: -1},
		{name: "one went back to what stood before", field: "name", values: []conflict.Value{"Lan", "Mai"}, before: before("Lan"), want: 1, why: OnlyChange},
		{name: "both changed", field: "name", values: []conflict.Value{"Lan", "Mai"}, before: before("Hoa"), want: -1},
		{name: "one blanked what the other left", field: "place", values: []conflict.Value{"", "Huế"}, before: before("Huế"), want: 0, why: OnlyChange},
		{name: "one is empty", field: "place", values: []conflict.Value{"", "Huế"}, want: 1, why: OnlyFilled},
		{name: "no date", field: "born", values: []conflict.Value{"1980-08", "tháng tám"}, want: 0, why: OnlyValid},
		{name: "the day of the month", field: "born", values: []conflict.Value{"1980-08", "1980-08-05"}, want: 1, why: Fuller},
		{name: "another day", field: "born", values: []conflict.Value{"1980-08-05", "1980-08-06"}, want: -1},
		{name: "another month", field: "born", values: []conflict.Value{"1980-07", "1980-08-06"}, want: -1},
		{name: "the whole address", field: "place", values: []conflict.Value{"12 Lê Lợi", "12 Lê Lợi, Bến Nghé"}, want: 1, why: Fuller},
		{name: "part of a word is not the word", field: "place", values: []conflict.Value{"12 Lê", "112 Lê Lợi"}, want: -1},
		{name: "from the card", field: "name", values: []conflict.Value{"Lan", "Mai"}, sources: []conflict.Source{conflict.Typed, conflict.Card}, want: 1, why: Evidence},
		{name: "one alone", field: "name", values: []conflict.Value{"Lan"}, want: -1},
		{name: "three, two of one mind, and nothing else known", field: "name", values: []conflict.Value{"Lan", "Mai", "Mai"}, want: -1},
		{name: "three, the fullest", field: "born", values: []conflict.Value{"1980", "1980-08-05", "1980-08"}, want: 1, why: Fuller},
	} {
		t.Run(c.name, func(t *testing.T) {
			siblings := make([]conflict.Sibling, len(c.values))
			for i, v := range c.values {
				siblings[i] = conflict.Sibling{Dot: conflict.Dot{Replica: conflict.ReplicaID{1}, Counter: uint64(i + 1)}, Value: v}
				if c.sources != nil {
					siblings[i].Origin.Source = c.sources[i]
				}
				siblings[i].Origin.At = int64(100 - i) // clocks say the contrary of the order
			}
			got, ok := Suggest(def, def.FieldByName(c.field), siblings, c.before)
			switch {
			case ok != (c.want >= 0):
				t.Fatalf("got %+v, %v, want place %d", got, ok, c.want)
			case ok && (got.Dot.Counter != uint64(c.want+1) || got.Why != c.why):
				t.Errorf("got place %d, %s, want %d, %s", got.Dot.Counter-1, got.Why, c.want, c.why)
			}
		})
	}
}
