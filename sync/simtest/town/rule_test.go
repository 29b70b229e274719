package town

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"wardbook/sync/register"
	"wardbook/sync/register/templates"
)

// broken names the fields of which one must be pointed out, for each rule that a
// resident's values break: told here once more, and in another way, than in the
// register.
func broken(v map[string]string) (rules [][]string) {
	pid, dob, sex := v["personal_id"], v["dob"], v["sex"]
	digit := func(i int) int { return int(pid[i] - '0') }
	if pid != "" {
		if sex != "" && (digit(3)%2 == 0) != (sex == "1") {
			rules = append(rules, []string{"personal_id", "sex"})
		}
		if dob != "" && (dob[:2] != []string{"19", "19", "20", "20"}[digit(3)] || dob[2:4] != pid[4:6]) {
			rules = append(rules, []string{"personal_id", "dob"})
		}
		if pid == v["spouse_id"] {
			rules = append(rules, []string{"spouse_id"})
		}
	}
	if died := v["death_or_missing_date"]; died != "" && dob != "" && died[:4] < dob[:4] {
		rules = append(rules, []string{"death_or_missing_date"})
	}
	if v["marital_status"] == "2" && strings.HasPrefix(dob, "2010") && sex != "" {
		rules = append(rules, []string{"marital_status"})
	}
	return rules
}

// Two officers change fields of one resident, none having seen the other: whatever
// comes of it is stored, and a rule that the merged values break is pointed out on
// every device; no edit is refused for it (R15).
func TestMergedRecordsAreFlagged(t *testing.T) {
	all, err := templates.All()
	if err != nil {
		t.Fatal(err)
	}
	residents := all[slices.IndexFunc(all, func(d *register.Definition) bool { return d.ID == "residents" })]
	choices := map[string][]string{
		"personal_id": {"079090000001", "079190000001", "079210000001"}, "dob": {"1990-05-01", "2010-05-01", "1990"}, "sex": {"1", "2"},
		"spouse_id": {"079090000001", "079190000001"}, "death_or_missing_date": {"1980-01-01", "2026-01-01"}, "marital_status": {"1", "2"},
	}
	fields := []string{"personal_id", "dob", "sex", "spouse_id", "death_or_missing_date", "marital_status"}
	merged := 0
	rapid.Check(t, func(rt *rapid.T) {
		w := New(t, residents)
		a, b := w.Device(w.Officer("officer.a", unitA), "a"), w.Device(w.Officer("officer.b", unitA), "b")
		some := func(label string) (pairs []string) {
			for _, f := range fields {
				if rapid.Bool().Draw(rt, label+" "+f) {
					pairs = append(pairs, f, rapid.SampledFrom(choices[f]).Draw(rt, f))
				}
			}
			return pairs
		}
		id := a.Put("", append(some("first"), "full_name", "Đặng Thị Hòa")...)
		a.Sync()
		b.Sync()
		for _, d := range []*Device{a, b} {
			if pairs := some(d.Label); len(pairs) > 0 {
				d.Put(id, pairs...)
			}
		}
		a.Sync()
		b.Sync()
		a.Sync()
		w.wantNothingAside()
		w.Conserve()
		for _, d := range []*Device{a, b} {
			v, err := d.R.Get(ctx, id)
			w.Must(err)
			r, err := d.R.Record(ctx, id) // the view masks numbers
			w.Must(err)
			values := map[string]string{}
			for name, value := range r.Values {
				values[name] = string(value)
			}
			for _, rule := range broken(values) {
				merged++
				if !slices.ContainsFunc(v.Findings, func(f register.Finding) bool { return slices.Contains(rule, f.Field) }) {
					rt.Errorf("%s: %v breaks a rule on %v, and the findings are %+v", d.Label, values, rule, v.Findings)
				}
			}
		}
	})
	if merged < 50 {
		t.Errorf("only %d rules were broken", merged)
	}
}
