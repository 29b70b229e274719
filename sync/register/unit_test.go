package register_test

import (
	"fmt"
	"strings"
	"testing"

	"wardbook/sync/register"
)

func TestUnits(t *testing.T) {
	kinds := map[register.Kind]int{}
	for _, u := range register.Units() {
		kinds[u.Kind]++
		if got, ok := register.UnitByCode(u.Code); !ok || got != u || !u.Code.Valid() {
			t.Errorf("%s: look-up got %v, %v", u.Code, got, ok)
		}
	}
	if kinds[register.Ward] != 113 || kinds[register.Commune] != 54 || kinds[register.SpecialZone] != 1 {
		t.Errorf("got %v, want 113 wards, 54 communes and a special zone", kinds)
	}
	// The caller's copy is its own.
	register.Units()[0].NameVI = "changed"
	if register.Units()[0].NameVI == "changed" {
		t.Error("Units shares its table")
	}
}

func TestSuggestUnits(t *testing.T) {
	for s, want := range map[string]string{
		"Phường Phú Cường":                      "25747",
		"p. phu cuong":                          "25747",
		"Bến Nghé, Quận 1":                      "26740",
		"12 Lê Lợi, P. Bến Nghé, Q.1, TP.HCM":   "26740",
		"Phường Diên Hồng":                      "27169",
		"Côn Đảo":                               "26732",
		"Phường Hiệp An, Thành phố Thủ Dầu Một": "25768 25771",
		"Quận 10":                               "",
		"Phường Không Có":                       "",
		"":                                      "",
		strings.Repeat("x", 2000):               "",
	} {
		if got := strings.Join(codes(register.SuggestUnits(s)), " "); got != want {
			t.Errorf("%.60q: got %s, want %s", s, got, want)
		}
	}
	// A recycled code names both what it is and what it was.
	found := register.SuggestUnits("25747")
	if len(found) == 0 || found[0].Relation != register.Current || found[0].Unit.NameVI != "Phường Thủ Dầu Một" {
		t.Errorf("25747: got %v", found)
	}
	// A unit that was split offers every part, none of them first.
	split := register.SuggestUnits("Phường Sơn Kỳ, Quận Tân Phú")
	for _, c := range split {
		if c.Relation != register.Partial || c.From.NameVI != "Phường Sơn Kỳ" {
			t.Errorf("split: got %+v", c)
		}
	}
}

// TestSplitUnits checks the table against what is known of it.
func TestSplitUnits(t *testing.T) {
	former, split := map[register.UnitCode]bool{}, 0
	for i := range 100000 {
		code := register.UnitCode(fmt.Sprintf("%05d", i))
		f, ok := register.FormerUnitByCode(code)
		if !ok {
			continue
		}
		former[code] = true
		if len(register.SuggestUnits(f.NameVI+", "+f.District)) > 1 {
			split++
		}
	}
	if len(former) != 441 {
		t.Errorf("got %d former units, want 441", len(former))
	}
	if split < 47 {
		t.Errorf("got %d former units with several candidates, want at least 47", split)
	}
}

func TestUnitRef(t *testing.T) {
	r, err := register.ParseUnitRef("27169@2025-07-01")
	if err != nil || r.Code != "27169" || r.List != register.UnitListVersion || r.String() != "27169@2025-07-01" {
		t.Errorf("got %v, %v", r, err)
	}
	for _, bad := range []string{"", "27169", "2716@2025-07-01", "27169@", "27169@2025", "27169@01/07/2025", "27169@2025-02-30"} {
		if r, err := register.ParseUnitRef(bad); err == nil {
			t.Errorf("%q: got %v, want an error", bad, r)
		}
	}
}
