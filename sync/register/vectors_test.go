package register_test

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"wardbook/sync/register"
)

// vectors are the shared test vectors, as every part of the project uses them.
type vectors struct {
	NameKeys []struct {
		A, B           string
		K0, K1, K2, K3 bool
	} `json:"name_keys"`
	PersonalID []struct {
		ID        string
		BirthYear *int `json:"birth_year"`
		Sex       *string
		Expect    any
	} `json:"personal_id"`
	TaxCode []struct{ MST, Expect string } `json:"tax_code"`
	Phones  []struct{ Input, Expect string }
	Dates   []struct {
		Input     string
		ISO       *string
		Precision string
	}
	Addresses []struct{ Input, Expect string }
	Card      []struct{ Input string } `json:"cccd_qr"`
}

func loadVectors(t *testing.T) vectors {
	t.Helper()
	text, err := os.ReadFile("testdata/vn-test-vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	if len(v.NameKeys) < 15 || len(v.PersonalID) < 10 || len(v.TaxCode) < 9 || len(v.Phones) < 10 || len(v.Dates) < 10 || len(v.Addresses) < 9 || len(v.Card) < 2 {
		t.Fatal("the shared vectors are incomplete")
	}
	return v
}

func TestVectorsNameKeys(t *testing.T) {
	for _, c := range loadVectors(t).NameKeys {
		for name, k := range map[string]struct {
			key  func(string) string
			want bool
		}{"K0": {register.K0, c.K0}, "K1": {register.K1, c.K1}, "K2": {register.K2, c.K2}, "K3": {register.K3, c.K3}} {
			if got := k.key(c.A) == k.key(c.B); got != k.want {
				t.Errorf("%s: %q (%q) equals %q (%q): got %v, want %v", name, c.A, k.key(c.A), c.B, k.key(c.B), got, k.want)
			}
		}
	}
}

func TestVectorsPersonalID(t *testing.T) {
	for _, c := range loadVectors(t).PersonalID {
		t.Run(c.ID, func(t *testing.T) {
			var want []string
			switch e := c.Expect.(type) {
			case string:
				if e != "OK" {
					want = []string{e}
				}
			case []any:
				for _, code := range e {
					want = append(want, code.(string))
				}
			}
			var got []string
			id, err := register.ParsePersonalID(c.ID)
			if err != nil {
				got = []string{err.Error()}
			} else {
				var year int
				var sex string
				if c.BirthYear != nil {
					year = *c.BirthYear
				}
				if c.Sex != nil {
					sex = *c.Sex
				}
				got = register.CheckPersonalID(id, year, sex, 2026)
			}
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestVectorsTaxCode(t *testing.T) {
	for _, c := range loadVectors(t).TaxCode {
		code, err := register.ParseTaxCode(c.MST)
		got := "OK"
		switch {
		case err != nil:
			got = err.Error()
		case len(code) == 12:
			got = "PERSONAL_ID"
		}
		if got != c.Expect {
			t.Errorf("%s: got %s, want %s", c.MST, got, c.Expect)
		}
	}
}

func TestVectorsPhones(t *testing.T) {
	for _, c := range loadVectors(t).Phones {
		want, _, _ := strings.Cut(c.Expect, " ")
		got, err := register.ParsePhone(c.Input)
		if err != nil {
			got = "REJECT"
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", c.Input, got, want)
		}
	}
}

func TestVectorsDates(t *testing.T) {
	for _, c := range loadVectors(t).Dates {
		d, err := register.ParseDate(c.Input)
		if strings.HasPrefix(c.Precision, "excel serial") {
			if err != register.ErrSerial {
				t.Errorf("%q: got %v, want %v", c.Input, err, register.ErrSerial)
			}
			if d, err = register.ParseExcelDate(c.Input); err != nil || d.String() != *c.ISO {
				t.Errorf("%q as a serial: got %v, %v, want %s", c.Input, d, err, *c.ISO)
			}
			continue
		}
		if c.ISO == nil {
			if err == nil || err.Error() != c.Precision {
				t.Errorf("%q: got %v, %v, want %s", c.Input, d, err, c.Precision)
			}
			continue
		}
		if err != nil || d.String() != *c.ISO || string(d.Precision()) != c.Precision {
			t.Errorf("%q: got %v (%s), %v, want %s (%s)", c.Input, d, d.Precision(), err, *c.ISO, c.Precision)
		}
	}
}

// TestVectorsAddresses spells out what the vectors say in prose.
func TestVectorsAddresses(t *testing.T) {
	want := map[string]string{
		"606/39 đường 3 Tháng 2, P.12, Q.10, TP.HCM":                "27163",
		"606/39 Đường 3 Tháng 2, Phường Diên Hồng, TP. Hồ Chí Minh": "27169",
		"Phường 1":                    "many",
		"Phường Sơn Kỳ, Quận Tân Phú": "27013 27019 27439",
		"Xã Thanh An":                 "25807",
		"Xã Thạnh An":                 "27676",
		"thanh an":                    "25807 27676",
		"Phường Phú An":               "25768",
		"Tp Thủ Đức":                  "",
	}
	for _, c := range loadVectors(t).Addresses {
		expect, ok := want[c.Input]
		if !ok {
			t.Errorf("%q: no expectation", c.Input)
			continue
		}
		got := codes(register.SuggestUnits(c.Input))
		switch {
		case expect == "many":
			if len(got) < 8 { // eleven former units, some of which went into one
				t.Errorf("%q: got %v, want many candidates", c.Input, got)
			}
		case strings.Join(got, " ") != expect:
			t.Errorf("%q: got %v, want %s", c.Input, got, expect)
		}
	}
}

func codes(candidates []register.Candidate) []string {
	var all []string
	for _, c := range candidates {
		all = append(all, string(c.Unit.Code))
	}
	return all
}

func TestVectorsCard(t *testing.T) {
	cards := loadVectors(t).Card
	c, err := register.ParseCard(cards[0].Input)
	if err != nil {
		t.Fatal(err)
	}
	if c.ID != "079090000001" || c.OldID != "023456789" || c.FullName != "Nguyễn Văn An" || c.BirthDate.String() != "1990-08-05" ||
		c.Sex != "1" || c.Address != "12 Lê Lợi, Bến Nghé, Quận 1, TP.Hồ Chí Minh" || c.Issued.String() != "2021-07-01" || len(c.Extra) != 0 {
		t.Errorf("got %+v", c)
	}
	c, err = register.ParseCard(cards[1].Input + "|more|and more")
	if err != nil {
		t.Fatal(err)
	}
	if c.OldID != "" || c.Sex != "2" || c.FullName != "Trần Thị Hoà" || !slices.Equal(c.Extra, []string{"more", "and more"}) {
		t.Errorf("got %+v", c)
	}
	for _, bad := range []string{"", "079090000001", "07909|1|2|3|4|5|6", strings.Replace(cards[0].Input, "05081990", "31021990", 1),
		strings.Replace(cards[0].Input, "Nam", "X", 1), strings.Repeat("a|", 5000), cards[0].Input + "\xff"} {
		if c, err := register.ParseCard(bad); err == nil {
			t.Errorf("%.40q: got %+v, want an error", bad, c)
		}
	}
}
