package register_test

import (
	"errors"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/register"
)

func TestNormaliseAndDisplay(t *testing.T) {
	all := defs(t)
	for _, c := range []struct {
		register     register.ID
		field, input string
		want         conflict.Value
		problem      string // code of the finding, "" for none
		shown        string // "" where it is the value itself
	}{
		{"residents", "full_name", "  Đặng   Thị\u00a0Hòa ", "Đặng Thị Hòa", "", ""},
		{"residents", "full_name", "Đặng Thị Hòa", "Đặng Thị Hòa", "", ""}, // NFD
		{"residents", "permanent_address_old", " 12  Lê Lợi\t", "12  Lê Lợi", "", ""},
		{"residents", "personal_id", "079 090 000 001", "079090000001", "", ""},
		{"residents", "personal_id", "79090000001", "79090000001", "E_FORMAT", ""},
		{"residents", "old_id_9", "023.456.789", "023456789", "", ""},
		{"residents", "phone", "0903123456", "+84903123456", "", "0903 123 456"},
		{"residents", "phone", "028 3829 1234", "+842838291234", "", "028 3829 1234"},
		{"residents", "phone", "+1 212 555 0100", "+12125550100", "", ""},
		{"residents", "phone", "8.39E+08", "8.39E+08", "E_FORMAT", ""},
		{"residents", "phone", "123", "123", "E_FORMAT", ""},
		{"residents", "dob", "5/8/1980", "1980-08-05", "", "05/08/1980"},
		{"residents", "dob", "8/1980", "1980-08", "", "08/1980"},
		{"residents", "dob", "..../1945", "1945", "", "1945"},
		{"residents", "dob", "31/02/1990", "31/02/1990", "E_INVALID", ""},
		{"residents", "dob", "05/08/80", "05/08/80", "E_AMBIGUOUS_CENTURY", ""},
		{"residents", "dob", "29437", "29437", "E_EXCEL_SERIAL", ""},
		{"residents", "sex", "2", "2", "", "Nữ"},
		{"residents", "sex", "nữ", "2", "", "Nữ"},
		{"residents", "sex", "nu", "2", "", "Nữ"},
		{"residents", "sex", "Male", "1", "", "Nam"},
		{"residents", "sex", "khác", "khác", "E_CODE", ""},
		{"residents", "ethnic", "Khơ-me", "05", "", "Khơ-me"},
		{"residents", "nationality", "Việt Nam", "VN", "", "Việt Nam"},
		{"residents", "religion", "Phật giáo", "Phật giáo", "", ""}, // open list
		{"residents", "current_address", "27169 606/39 Đường 3 Tháng 2", `{"detail":"606/39 Đường 3 Tháng 2","list":"2025-07-01","unit":"27169"}`, "", "606/39 Đường 3 Tháng 2, Phường Diên Hồng"},
		{"residents", "current_address", `{"unit":"27169", "detail":" 1 A & B "}`, `{"detail":"1 A & B","list":"2025-07-01","unit":"27169"}`, "", "1 A & B, Phường Diên Hồng"},
		{"residents", "current_address", `{"unit":"","detail":""}`, "", "", ""},
		{"residents", "current_address", "606/39 Đường 3 Tháng 2", `{"detail":"606/39 Đường 3 Tháng 2"}`, "E_UNIT_MISSING", ""},
		{"residents", "current_address", "00001 Số 1", `{"detail":"Số 1","list":"2025-07-01","unit":"00001"}`, "E_UNIT", ""},
		{"residents", "current_address", "{oops", "{oops", "E_FORMAT", ""},
		{"residents", "permanent_address", "Xã Yên Thành, Nghệ An", `{"detail":"Xã Yên Thành, Nghệ An"}`, "", "Xã Yên Thành, Nghệ An"},
		{"residents", "permanent_address", "00001 Số 1", `{"detail":"Số 1","list":"2025-07-01","unit":"00001"}`, "", "Số 1, 00001"},
		{"residents", "hometown", "27169", "27169@2025-07-01", "", "Phường Diên Hồng"},
		{"residents", "hometown", "Nghệ An", "Nghệ An", "", ""},
		{"civil_status", "reg_place_code", "25747", "25747", "E_UNIT_LIST", ""},
		{"civil_status", "reg_place_code", "25747@2025-06-30", "25747@2025-06-30", "", "Phường Phú Cường, Thành phố Thủ Dầu Một (cũ)"},
		{"civil_status", "reg_place_code", "25747@2025-07-01", "25747@2025-07-01", "", "Phường Thủ Dầu Một"},
		{"civil_status", "reg_place_code", "25741", "25741@2025-06-30", "", "Phường Hiệp Thành, Thành phố Thủ Dầu Một (cũ)"},
		{"civil_status", "reg_place_code", "99999", "99999@2025-07-01", "E_UNIT", ""},
		{"civil_status", "reg_date", "1980", "1980", "E_FORMAT", ""},
		{"civil_status", "annotations", "một\r\nhai  \n", "một\nhai", "", ""},
		{"land_parcels", "ward_code", "Phường Diên Hồng", "27169@2025-07-01", "", "Phường Diên Hồng"},
		{"land_parcels", "ward_code", "Phường Sơn Kỳ", "Phường Sơn Kỳ", "E_UNIT", ""}, // split: never guessed
		{"land_parcels", "area_m2", "1.234,5", "1234.5", "", "1.234,5"},
		{"land_parcels", "area_m2", "29,16", "29.16", "", "29,16"},
		{"land_parcels", "area_m2", "29.16", "29.16", "", "29,16"},
		{"land_parcels", "area_m2", "1.234", "1234", "", "1.234"},
		{"land_parcels", "area_m2", "1,234", "1.2340", "", "1,234"},
		{"land_parcels", "area_m2", "1,234.5", "1234.5", "", "1.234,5"},
		{"land_parcels", "area_m2", "-0,0", "0", "", ""},
		{"land_parcels", "area_m2", "1,2,3", "1,2,3", "E_FORMAT", ""},
		{"land_parcels", "area_m2", "12 m", "12 m", "E_FORMAT", ""},
		{"land_parcels", "org_id", "0312120782001", "0312120782-001", "", ""},
		{"land_parcels", "org_id", "0300588568", "0300588568", "E_CHECKSUM", ""},
		{"land_parcels", "use_1", `{"kind":"Đất ở tại đô thị","area":"29,16","form":"RIENG"}`, `{"area":"29.16","form":"RIENG","kind":"ODT"}`, "", "Loại đất: Đất ở tại đô thị; Diện tích (m²): 29,16; Hình thức sử dụng: Sử dụng riêng"},
		{"land_parcels", "use_1", `{"area": 1.234, "kind": "ODT", "term": null}`, `{"area":"1.2340","kind":"ODT"}`, "", "Loại đất: Đất ở tại đô thị; Diện tích (m²): 1,234"},
		{"land_parcels", "use_1", `{"area":"x","kind":"ODT"}`, `{"area":"x","kind":"ODT"}`, "E_FORMAT", ""},
		{"land_parcels", "use_1", `{"area":"1","new":"2"}`, `{"area":"1","new":"2"}`, "E_FORMAT", ""},
		{"land_parcels", "use_1", "ODT 100", "ODT 100", "E_FORMAT", ""},
		{"household_business", "capital_vnd", "1.500.000 đ", "1500000", "", "1.500.000"},
		{"household_business", "capital_vnd", "1,500", "1500", "", "1.500"},
		{"household_business", "capital_vnd", "1,5", "1,5", "E_FORMAT", ""},
		{"household_business", "employees", "007", "7", "", ""},
		{"household_business", "einvoice", "Có", "true", "", "Có"},
		{"household_business", "einvoice", "không", "false", "", "Không"},
		{"household_business", "location", "10.7765, 106.701", `{"lat":10.7765,"lon":106.701}`, "", "10.7765, 106.701"},
		{"household_business", "location", "10,7765; 106,701 (±8 m)", `{"accuracy_m":8,"lat":10.7765,"lon":106.701}`, "", "10.7765, 106.701 (±8 m)"},
		{"household_business", "location", `{"lon":106.70100000001,"lat":10.7765}`, `{"lat":10.7765,"lon":106.701}`, "", "10.7765, 106.701"},
		{"household_business", "location", `{"lat":1}`, `{"lat":1}`, "E_FORMAT", ""},
		{"household_business", "location", "100, 200", "100, 200", "E_RANGE", ""},
		{"social_protection", "disability_kind", "3; 1,1", "1,3", "", "Vận động; Nhìn"},
		{"social_protection", "disability_kind", "Nhìn", "3", "", ""},
		{"social_protection", "start_month", "7/2025", "2025-07", "", "07/2025"},
		{"social_protection", "coefficient", "1,5", "1.5", "", "1,5"},
		{"addresses", "parcel_link", "abcdefghijklmnopqrstuvwxyz-12", "abcdefghijklmnopqrstuvwxyz-12", "", ""},
		{"addresses", "parcel_link", "abc-1", "abc-1", "E_FORMAT", ""},
		{"addresses", "street", "", "", "", ""},
	} {
		t.Run(string(c.register)+"."+c.field+" "+c.input, func(t *testing.T) {
			d := all[c.register]
			got, err := register.Normalise(d, c.field, c.input)
			var finding *register.Finding
			code := ""
			if errors.As(err, &finding) {
				code = finding.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if got != c.want || code != c.problem {
				t.Errorf("got %q %s, want %q %s", got, code, c.want, c.problem)
			}
			if c.problem != "" && (finding.VI == "" || finding.EN == "" || finding.Group == 0 || finding.Field != c.field || finding.Level != register.Error) {
				t.Errorf("incomplete finding %+v", finding)
			}
			if again, _ := register.Normalise(d, c.field, string(got)); again != got {
				t.Errorf("normalising again: got %q, want %q", again, got)
			}
			if nfd, _ := register.Normalise(d, c.field, norm.NFD.String(c.input)); nfd != got {
				t.Errorf("typed in NFD: got %q, want %q", nfd, got)
			}
			if c.shown == "" && c.problem == "" && c.field != "disability_kind" && c.field != "phone" {
				c.shown = string(got)
			}
			if shown := register.Display(d, c.field, got, "vi"); c.shown != "" && shown != c.shown {
				t.Errorf("shown as %q, want %q", shown, c.shown)
			}
		})
	}
	if _, err := register.Normalise(all["residents"], "nothing", "x"); !errors.Is(err, register.ErrNoField) {
		t.Errorf("unknown field: got %v, want %v", err, register.ErrNoField)
	}
}

// anyField draws a field of any template.
func anyField(t *rapid.T, all map[register.ID]*register.Definition) (*register.Definition, *register.Field) {
	d := all[rapid.SampledFrom([]register.ID{"residents", "civil_status", "land_parcels", "household_business", "social_protection", "addresses"}).Draw(t, "register")]
	return d, &d.Fields[rapid.IntRange(0, len(d.Fields)-1).Draw(t, "field")]
}

var typed = rapid.OneOf(
	rapid.String(),
	rapid.StringMatching(`[0-9]{0,4}[-/., ]?[0-9]{0,4}[-/., ]?[0-9]{0,4}`),
	rapid.StringMatching(`[-]?[0-9]{1,3}([.,][0-9]{3}){0,3}([.,][0-9]{0,4})?`),
	rapid.StringMatching(`\+?[0-9 .()-]{0,16}`),
	rapid.StringMatching(`[0-9]{5}(@20[0-9]{2}-0[67]-(01|30))?( [a-zàđẹ/0-9 ]{0,10})?`),
	rapid.StringMatching(`\{"(unit|detail|area|kind|lat|lon)": ?("[0-9.,a-zđẵ]{0,6}"|[0-9.]{1,6})(,"(list|lat|lon|area)":("[0-9-]{0,10}"|-?[0-9]{1,3}\.?[0-9]{0,9}))?\}`),
	rapid.StringMatching(`[a-zA-Zđàảãáạăâêôơưỷịở \x{0300}\x{0301}\x{0323}-]{0,20}`),
	rapid.SampledFrom([]string{"Nữ", "nam", "KHOP", "1,2;3", "Có", "không", "27169", "25747", "0", "...", "-", "n/a", "true"}),
)

func TestNormaliseProperties(t *testing.T) {
	all := defs(t)
	rapid.Check(t, func(t *rapid.T) {
		d, f := anyField(t, all)
		checkNormalise(t, d, f, typed.Draw(t, "input"))
	})
}

type reporter interface {
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// checkNormalise holds for every field and everything that can be typed.
func checkNormalise(t reporter, d *register.Definition, f *register.Field, input string) {
	v, err := register.Normalise(d, f.Name, input)
	if !norm.NFC.IsNormalString(string(v)) {
		t.Errorf("%s %q: %q is not NFC", f.Type, input, v)
	}
	again, err2 := register.Normalise(d, f.Name, string(v))
	if again != v || (err == nil) != (err2 == nil) {
		t.Errorf("%s %q: got %q (%v), then %q (%v)", f.Type, input, v, err, again, err2)
	}
	for name, form := range map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD} {
		if other, _ := register.Normalise(d, f.Name, form.String(input)); other != v {
			t.Errorf("%s %q in %s: got %q, want %q", f.Type, input, name, other, v)
		}
	}
	shown := register.Display(d, f.Name, v, "vi")
	switch f.Type {
	case register.Address, register.Group, register.GeoPoint, register.UnitNow, register.UnitThen, register.UnitOrText:
	default:
		if back, _ := register.Normalise(d, f.Name, shown); err == nil && back != v {
			t.Errorf("%s %q: shown as %q, typed in again as %q", f.Type, v, shown, back)
		}
	}
	for _, value := range []conflict.Value{v, conflict.Value(input)} {
		found := register.Validate(d, map[string]conflict.Value{f.Name: value}, register.Env{Today: "2026-11-22"})
		for _, one := range found {
			if one.VI == "" || one.EN == "" || one.Group < 1 || one.Group > 8 || d.FieldByName(one.Field) == nil || one.Code[:1] != string(one.Level) {
				t.Errorf("%s %q: incomplete finding %+v", f.Type, value, one)
			}
		}
	}
	register.Mask(d, f.Name, v, "en")
	register.SearchText(d, map[string]conflict.Value{f.Name: v})
	register.Export(d, map[string]conflict.Value{f.Name: conflict.Value(input)})
}

func FuzzNormalise(f *testing.F) {
	all := defs(f)
	names := []register.ID{"residents", "civil_status", "land_parcels", "household_business", "social_protection", "addresses"}
	for i, s := range []string{"Đặng Thị Hoà", "27169 606/39 Đường 3 Tháng 2", `{"unit":"27169","detail":"1"}`, `{"kind":"ODT","area":1.5}`,
		"10.7765, 106.701 (±8 m)", "1.234,5", "..../1945", "0903 123 456", "3;1", "25747@2025-06-30", "\xff\x00", "a\u0323\u0302"} {
		f.Add(uint8(i), uint8(i*5), s)
	}
	f.Fuzz(func(t *testing.T, which, field uint8, input string) {
		if len(input) > 4096 {
			return
		}
		d := all[names[int(which)%len(names)]]
		checkNormalise(t, d, &d.Fields[int(field)%len(d.Fields)], input)
	})
}

func FuzzParseDefinition(f *testing.F) {
	for _, d := range defs(f) {
		f.Add(d.Marshal())
	}
	f.Add([]byte(`{"id":"x","version":1,"label":{"vi":"x","en":"x"},"title_field":"a","sections":[{"id":"s","label":{"vi":"s","en":"s"}}],"fields":[{"id":16,"name":"a","type":"text","label":{"vi":"a","en":"a"},"section":"s","required":"O","class":"basic","policy":"keep"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := register.ParseDefinition(b)
		if err != nil {
			return
		}
		if string(d.Marshal()) != string(b) {
			t.Errorf("encodes to other bytes than were decoded")
		}
		register.Validate(d, register.Defaults(d, register.Env{Today: "2026-11-22", Unit: "27169"}), register.Env{Today: "2026-11-22"})
		register.JSONSchema(d)
	})
}

func FuzzParseCard(f *testing.F) {
	f.Add("079090000001|023456789|Nguyễn Văn An|05081990|Nam|12 Lê Lợi, Bến Nghé, Quận 1, TP.Hồ Chí Minh|01072021")
	f.Add("079190000001||Trần Thị Hoà|01011990|Nữ|...|15042021|extra||")
	f.Add("||||||")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := register.ParseCard(s)
		if err != nil {
			return
		}
		if len(c.ID) != 12 || c.FullName == "" || c.BirthDate.Precision() != register.ByDay {
			t.Errorf("%q: got %+v", s, c)
		}
	})
}

func FuzzSuggestUnits(f *testing.F) {
	for _, s := range []string{"606/39 đường 3 Tháng 2, P.12, Q.10, TP.HCM", "Phường Sơn Kỳ, Quận Tân Phú", "thanh an", "25747", "p1,q1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		seen := map[register.UnitCode]bool{}
		for _, c := range register.SuggestUnits(s) {
			if _, ok := register.UnitByCode(c.Unit.Code); !ok || seen[c.Unit.Code] {
				t.Errorf("%q: got %+v, unknown or twice", s, c)
			}
			seen[c.Unit.Code] = true
		}
		if _, err := register.ParseDateWords(s); err == nil && s == "" {
			t.Error("nothing is a date")
		}
	})
}
