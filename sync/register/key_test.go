package register_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"

	"wardbook/conflict"
	"wardbook/sync/register"
)

func TestKeys(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"K0 folds case and spaces", register.K0("  NGUYỄN\u00a0 Thị\tHOÀ "), "nguyễn thị hoà"},
		{"K0 drops what cannot be seen", register.K0("Ho\u200bà"), "hoà"},
		{"K1 lifts tones", register.K1("Thúy Hoà"), "thuy4 hoa1"},
		{"K1 keeps the letters", register.K1("Đặng Ơn Ưng Ấp"), "đăng5 ơn ưng âp4"},
		{"K1 leaves ñ", register.K1("Muñoz"), "muñoz"},
		{"K2 keeps uy apart from ui", register.K2("Thúy"), "thuy4"},
		{"K2 keeps ay apart from ai", register.K2("Tây Say"), "tây say"},
		{"K2 folds qu", register.K2("Quỳ"), "qui1"},
		{"K2 folds every syllable", register.K2("Lý Mỹ-Kỳ"), "li4 mi3-ki1"},
		{"K3 is ASCII", register.K3("Đặng Thị Ưởng"), "dang thi uong"},
		{"K3 keeps y", register.K3("Lý"), "ly"},
		{"given name", register.GivenName(" Nguyễn Thị  Hòa "), "Hòa"},
		{"single name", register.GivenName("Y"), "Y"},
		{"no name", register.GivenName(" "), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
}

func TestKeyProperties(t *testing.T) {
	word := rapid.StringMatching(`[A-Za-zđĐàảãáạăằắặâầấêềếệôồốộơờớợưừứựỳýỷỹỵíìĩ' -]{0,24}`)
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(word, rapid.String()).Draw(t, "s")
		if strings.ContainsFunc(s, func(r rune) bool { return r == '\uFFFD' }) {
			return
		}
		for name, key := range map[string]func(string) string{"K0": register.K0, "K1": register.K1, "K2": register.K2, "K3": register.K3, "Spelling": register.Spelling} {
			if a, b := key(norm.NFC.String(s)), key(norm.NFD.String(s)); a != b {
				t.Errorf("%s of %q: NFC %q, NFD %q", name, s, a, b)
			}
			if a, b := key(s), key(" "+s+"\t"); a != b {
				t.Errorf("%s of %q: spaces matter: %q, %q", name, s, a, b)
			}
		}
		// Each key is coarser than the one before.
		other := word.Draw(t, "other")
		if register.K0(s) == register.K0(other) && register.K1(s) != register.K1(other) {
			t.Errorf("%q, %q: equal under K0, not under K1", s, other)
		}
		if register.K0(register.K0(s)) != register.K0(s) || register.K3(register.K3(s)) != register.K3(s) {
			t.Errorf("%q: K0 or K3 is not idempotent", s)
		}
	})
}

func TestUnitNamesUnderKeys(t *testing.T) {
	exact, folded := map[string]bool{}, map[string]bool{}
	for _, u := range register.Units() {
		if !norm.NFC.IsNormalString(u.NameVI) {
			t.Errorf("%s is not NFC", u.NameVI)
		}
		exact[register.K2(u.NameVI)] = true
		folded[register.K3(u.NameVI)] = true
	}
	if len(exact) != 168 || len(folded) != 167 {
		t.Errorf("got %d names under K2 and %d under K3, want 168 and 167", len(exact), len(folded))
	}
}

// finds reports whether a record with this text is found by the query, as the
// stores do it.
func finds(text, query string) bool {
	for _, word := range register.SearchWords(query) {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func TestSearch(t *testing.T) {
	values := resident()
	values["phone"] = "+84903123456"
	text := register.SearchText(defs(t)["residents"], values)
	if want := " 079090000001 dang thi hoa hs-0001 606/39 duong 3 thang 2 0903123456"; text != want {
		t.Fatalf("got %q, want %q", text, want)
	}
	for query, want := range map[string]bool{
		"dang thi": true, "Đặng Thị": true, "ĐẶNG THỊ HOÀ": true, "hoa dang": true, "Đặng": true, // NFD
		"0903 123 456": true, "+84 903 123 456": true, "0903123": true, "079 090 000 001": true, "606/39": true, "": true,
		"dang van": false, "0904123456": false,
	} {
		if got := finds(text, query); got != want {
			t.Errorf("%q: got %v, want %v (words %q)", query, got, want, register.SearchWords(query))
		}
	}
	if !slices.Equal(register.SearchWords("  Đặng,  thị "), []string{"dang", "thi"}) {
		t.Errorf("got %q", register.SearchWords("  Đặng,  thị "))
	}
	if got := register.SearchText(defs(t)["residents"], map[string]conflict.Value{"full_name": "..."}); got != "" {
		t.Errorf("placeholder: got %q", got)
	}
}

func TestFound(t *testing.T) {
	def := defs(t)["residents"]
	values := resident()
	values["other_name"] = "Nguyễn Thị Cũ"
	values["phone"] = "+84903123456"
	for query, want := range map[string][]register.Hit{
		"":             nil,
		"dang thi":     nil, // the title says it
		"thi cu":       {{Field: "other_name", Before: "Nguyễn Thị ", Text: "Cũ"}},
		"nguyen cu":    {{Field: "other_name", Text: "Nguyễn", After: " Thị Cũ"}}, // what lies between stands in the title
		"nguyen thi":   {{Field: "other_name", Text: "Nguyễn", After: " Thị Cũ"}},
		"Nguyễn":       {{Field: "other_name", Text: "Nguyễn", After: " Thị Cũ"}}, // NFD
		"duong 3":      {{Field: "current_address", Text: "606/39 Đường 3", After: " Tháng 2, Phường Diên Hồng"}},
		"duong tha":    {{Field: "current_address", Before: "606/39 ", Text: "Đường", After: " 3 Tháng 2, Phường Diên Hồng"}},
		"hong":         nil, // not what a record is found by
		"0903 123 456": {{Field: "phone", Text: "•••••••••456"}},
		"079090":       {{Field: "personal_id", Text: "•••••••••001"}},
		"cu hs-0001":   {{Field: "other_name", Before: "Nguyễn Thị ", Text: "Cũ"}, {Field: "household_no", Text: "HS-0001"}},
	} {
		got := register.Found(def, values, register.SearchWords(query), "vi")
		if !slices.Equal(got, want) {
			t.Errorf("%q:\ngot  %+v\nwant %+v", query, got, want)
		}
	}
	values["other_name"] = "Công Tằng Tôn Nữ Hoàng Thị Lan Hương"
	want := []register.Hit{{Field: "other_name", Before: "… Hoàng Thị Lan ", Text: "Hương"}}
	if got := register.Found(def, values, []string{"huong"}, "vi"); !slices.Equal(got, want) {
		t.Errorf("a long one: got %+v, want %+v", got, want)
	}
}

func TestParseDateWords(t *testing.T) {
	for s, want := range map[string]string{
		"Ngày mùng năm, tháng tám, năm một nghìn chín trăm tám mươi":       "1980-08-05",
		"ngày ba mươi mốt tháng chạp năm một ngàn chín trăm bốn mươi lăm":  "1945-12-31",
		"Ngày mười lăm tháng tư năm hai nghìn không trăm linh ba":          "2003-04-15",
		"Ngày hai mươi tháng năm năm hai nghìn không trăm hai mươi":        "2020-05-20",
		"ngay mung mot thang gieng nam mot nghin chin tram chin muoi chin": "1999-01-01",
		"tháng mười một năm một nghìn chín trăm bảy mươi lăm":              "1975-11",
		"năm một nghìn chín trăm ba mươi":                                  "1930",
		"Ngày hai mươi chín tháng hai năm hai nghìn không trăm linh một":   "E_INVALID",
		"Ngày năm tháng tám":   "E_FORMAT",
		"hôm qua":              "E_FORMAT",
		"":                     "E_FORMAT",
		"năm trăm nghìn nghìn": "E_FORMAT",
	} {
		d, err := register.ParseDateWords(s)
		got := d.String()
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
}

func TestViewRulesEqual(t *testing.T) {
	d := defs(t)["residents"]
	normal := register.ViewRules(d.FieldByName("full_name")).Normal
	if normal("Nguyễn Thị Hòa") != normal("Nguyễn Thị Hoà") {
		t.Error("tone placement makes two values")
	}
	if normal("Nguyễn Thị Hòa") == normal("Nguyễn Thị Hóa") || normal("hòa") == normal("Hòa") {
		t.Error("another tone or case makes no difference")
	}
	if register.ViewRules(d.FieldByName("personal_id")).Normal != nil {
		t.Error("a number has a spelling")
	}
}

func TestMask(t *testing.T) {
	d := defs(t)["residents"]
	for field, want := range map[string]string{"personal_id": "•••••••••001", "full_name": "Đặng Thị Hòa"} {
		if got := register.Mask(d, field, resident()[field], "vi"); got != want {
			t.Errorf("%s: got %q, want %q", field, got, want)
		}
	}
	if got := register.Mask(d, "personal_id", "12", "vi"); got != "••" {
		t.Errorf("short: got %q", got)
	}
}

// letters are the 134 precomposed letters of Vietnamese that are not ASCII, in
// both cases.
func letters() []string {
	var all []string
	for _, base := range "aăâeêioôơuưy" {
		for _, tone := range []string{"", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323"} {
			if l := norm.NFC.String(string(base) + tone); len(l) > 1 {
				all = append(all, l, norm.NFC.String(strings.ToUpper(l)))
			}
		}
	}
	return append(all, "đ", "Đ")
}

// TestVietnameseLetters types every letter composed and decomposed: what is
// stored, searched by and compared by is the same (R51).
func TestVietnameseLetters(t *testing.T) {
	all := letters()
	if len(all) != 134 {
		t.Fatalf("got %d letters, want 134", len(all))
	}
	d := defs(t)["residents"]
	for _, l := range all {
		composed, decomposed := "Ngh"+l+"n", norm.NFD.String("Ngh"+l+"n")
		stored, err := register.Normalise(d, "full_name", decomposed)
		if err != nil || string(stored) != composed {
			t.Errorf("%s decomposed: stored as %q (%v), want %q", l, stored, err, composed)
		}
		for name, key := range map[string]func(string) string{"K0": register.K0, "K1": register.K1, "K2": register.K2, "K3": register.K3, "Spelling": register.Spelling} {
			if key(composed) != key(decomposed) {
				t.Errorf("%s under %s: %q composed, %q decomposed", l, name, key(composed), key(decomposed))
			}
		}
		if k := register.K3(composed); strings.ContainsFunc(k, func(r rune) bool { return r >= 0x80 }) {
			t.Errorf("%s under K3: %q is not ASCII", l, k)
		}
		text := register.SearchText(d, map[string]conflict.Value{"full_name": stored})
		for _, query := range []string{composed, decomposed, strings.ToUpper(decomposed), register.K3(composed)} {
			if !finds(text, query) {
				t.Errorf("%q does not find %q", query, composed)
			}
		}
	}
}

// FuzzKeys: the keys do not depend on how a letter is encoded, and what a name
// is stored as is found by its own words.
func FuzzKeys(f *testing.F) {
	for i := 0; i < 134; i += 20 {
		f.Add(strings.Join(letters()[i:min(i+20, 134)], ""))
	}
	for _, s := range []string{"Đặng Thị Hoà", "Muñoz", "\u0323\u0302a", "ＡＢ", "ﷺ", "\xff\xfe", "İı", "606/39 (cũ)"} {
		f.Add(s)
	}
	d := defs(f)["residents"]
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 4096 {
			return
		}
		for name, key := range map[string]func(string) string{"K0": register.K0, "K1": register.K1, "K2": register.K2, "K3": register.K3, "Spelling": register.Spelling} {
			if a, b := key(norm.NFC.String(s)), key(norm.NFD.String(s)); a != b {
				t.Errorf("%s of %q: NFC %q, NFD %q", name, s, a, b)
			}
			if k := key(s); !norm.NFC.IsNormalString(k) {
				t.Errorf("%s of %q: %q is not NFC", name, s, k)
			}
		}
		if k := register.K3(s); register.K3(k) != k {
			t.Errorf("K3 of %q: %q, then %q", s, k, register.K3(k))
		}
		register.GivenName(s)
		stored, err := register.Normalise(d, "full_name", s)
		if err != nil {
			return
		}
		if text := register.SearchText(d, map[string]conflict.Value{"full_name": stored}); text != "" && len(register.SearchWords(string(stored))) > 1 && !finds(text, string(stored)) {
			t.Errorf("%q is stored as %q, searched as %q, and not found by itself", s, stored, text)
		}
	})
}
