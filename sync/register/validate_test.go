package register_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/sync/register"
)

type values = map[string]conflict.Value

// complete has one record per register without any finding.
var complete = map[register.ID]values{
	"residents": resident(),
	"civil_status": {
		"event_type": "KS", "entry_no": "125", "book_no": "01/2004", "reg_date": "2004-05-20", "reg_kind": "1",
		"reg_place_text": "Phường 12, Quận 10", "reg_place_code": "27172@2025-06-30", "subject_name": "Lê Văn Tám", "subject_sex": "1",
		"subject_dob": "2004-05-05", "subject_dob_words": "Ngày mùng năm tháng năm năm hai nghìn không trăm linh bốn",
		"subject_nationality": "VN", "birth_place_text": "Bệnh viện Từ Dũ", "mother_name": "Trần Thị Hoa",
		"scan_ref": "01-2004-125.pdf", "match_result": "KHOP",
	},
	"land_parcels": {
		"ward_code": "27169@2025-07-01", "data_group": "1", "gcn_serial": "AD 266864", "gcn_issue_date": "2006-01-10", "gcn_book_no": "H 00055",
		"holder_kind": "CA_NHAN", "holder_role": "CA_NHAN", "holder_name": "Nguyễn Văn An", "holder_id": "079090000001",
		"parcel_address_cert": "606/39 đường 3 Tháng 2, P.12, Q.10", "area_m2": "29.16",
		"parcel_address": `{"detail":"606/39 Đường 3 Tháng 2","list":"2025-07-01","unit":"27169"}`,
		"use_1":          `{"area":"29.2","kind":"ODT"}`, "scan_files": "AD266864-GCN.pdf, AD266864-GT.pdf", "owner_verified": "KHOP",
	},
	"household_business": {
		"business_name": "Phở Hòa", "tax_code": "0300588569", "reg_no": "41J8001234", "owner_name": "Phạm Thị Mỹ", "owner_id": "079190000001",
		"premises_address": `{"detail":"12 Lê Lợi","list":"2025-07-01","unit":"27169"}`, "neighbourhood": "Khu phố 1",
		"industry_code": "5610", "status": "HOAT_DONG", "match_result": "KHOP", "employees": "0", "capital_vnd": "0",
	},
	"social_protection": {
		"personal_id": "079040000001", "full_name": "Võ Văn Bảy", "dob": "1940", "sex": "1", "neighbourhood": "Ấp 2",
		"address":           `{"detail":"Tổ 5","list":"2025-07-01","unit":"27676"}`,
		"beneficiary_group": "CAO_TUOI", "decision_no": "12/QĐ-UBND", "decision_date": "2025-07-02", "start_month": "2025-07",
		"monthly_amount": "500000", "coefficient": "1.5", "pay_method": "TM", "alive_check": "CON_HUONG", "last_visit": "2026-11-01",
	},
	"addresses": {
		"ward_code": "27169@2025-07-01", "neighbourhood": "Khu phố 1", "street": "Đường 3 Tháng 2", "alley_path": "606/39", "house_no": "606/39/5",
		"kind": "NHA_O", "plate_status": "DA_GAN", "location": `{"accuracy_m":8,"lat":10.7765,"lon":106.67}`, "check_date": "2026-11-20",
	},
}

var env = register.Env{Today: "2026-11-22", Unit: "27169"}

func TestCompleteRecordsAreClean(t *testing.T) {
	for id, d := range defs(t) {
		if got := register.Validate(d, complete[id], env); len(got) != 0 {
			t.Errorf("%s: got %v, want nothing", id, got)
		}
	}
}

// TestEmptyRecordAsksForEverythingRequired also checks that every template has
// a message for what it asks.
func TestEmptyRecordAsksForEverythingRequired(t *testing.T) {
	for id, d := range defs(t) {
		asked := map[string]bool{}
		for _, f := range register.Validate(d, nil, env) {
			asked[f.Field] = true
			if f.Group != register.GroupMissing {
				t.Errorf("%s.%s: got %s in group %d", id, f.Field, f.Code, f.Group)
			}
		}
		for _, f := range d.Fields {
			if f.Required == register.Always && !asked[f.Name] {
				t.Errorf("%s.%s is required, yet not asked for", id, f.Name)
			}
			if f.Required == register.Optional && asked[f.Name] {
				t.Errorf("%s.%s is optional, yet asked for", id, f.Name)
			}
		}
	}
}

func TestValidate(t *testing.T) {
	for _, c := range []struct {
		name     string
		register register.ID
		change   values
		want     string // field:CODE, divided by spaces
	}{
		{"no ID and no reason", "residents", values{"personal_id": ""}, "personal_id:E_REQUIRED no_id_reason:E_REQUIRED"},
		{"no ID with a reason", "residents", values{"personal_id": "", "no_id_reason": "TRE_CHUA_DKKS"}, ""},
		{"ID too short", "residents", values{"personal_id": "07909000001"}, "personal_id:E_FORMAT"},
		{"ID of an unknown province", "residents", values{"personal_id": "078090000001"}, "personal_id:W_PROVINCE"},
		{"ID of another year", "residents", values{"dob": "1991"}, "personal_id:W_YEAR"},
		{"ID of another sex", "residents", values{"sex": "2"}, "personal_id:W_SEX"},
		{"ID of a year to come", "residents", values{"personal_id": "079499000001", "dob": "1990"}, "personal_id:W_FUTURE"},
		{"undetermined sex", "residents", values{"sex": "3"}, ""},
		{"over 110", "residents", values{"personal_id": "", "no_id_reason": "KHAC", "dob": "1910"}, "dob:I_AGE"},
		{"born before 1900", "residents", values{"personal_id": "", "no_id_reason": "KHAC", "dob": "1899-12-31"}, "dob:E_RANGE"},
		{"born tomorrow", "residents", values{"personal_id": "", "no_id_reason": "KHAC", "dob": "2026-11-23"}, "dob:E_FUTURE"},
		{"born this month", "residents", values{"personal_id": "", "no_id_reason": "KHAC", "dob": "2026-11"}, ""},
		{"no such day", "residents", values{"dob": "31/02/1990"}, "dob:E_INVALID"},
		{"placeholder name", "residents", values{"full_name": "..."}, "full_name:E_REQUIRED"},
		{"placeholder words", "residents", values{"full_name": "Không"}, "full_name:E_REQUIRED"},
		{"placeholder in an optional field", "residents", values{"other_name": "N/A", "old_id_9": "0"}, "old_id_9:W_PLACEHOLDER other_name:W_PLACEHOLDER"},
		{"name with a digit", "residents", values{"full_name": "Nguyễn Văn 2"}, "full_name:E_NAME"},
		{"name of one letter", "residents", values{"full_name": "Y"}, "full_name:E_LENGTH"},
		{"name of a highland people", "residents", values{"full_name": "H'Hen Niê Kdăm-Y"}, ""},
		{"NFD is as good", "residents", values{"full_name": "Đặng Thị Hòa"}, ""},
		{"code that does not exist", "residents", values{"residence_type": "9"}, "residence_type:E_CODE"},
		{"religion from an empty list", "residents", values{"religion": "Phật giáo"}, "religion:W_CODE_UNLISTED"},
		{"married without the spouse", "residents", values{"marital_status": "2"}, "spouse_id:E_REQUIRED"},
		{"married to oneself", "residents", values{"marital_status": "2", "spouse_id": "079090000001"}, "spouse_id:E_SPOUSE_SELF"},
		{"spouse of a single person", "residents", values{"spouse_id": "079190000001"}, "spouse_id:I_NOT_APPLICABLE"},
		{"married too young", "residents", values{"marital_status": "2", "spouse_id": "079190000001", "personal_id": "079207000001", "dob": "2007-01-01"}, "marital_status:W_MARRIAGE_AGE"},
		{"married at twenty to the day", "residents", values{"marital_status": "2", "spouse_id": "079190000001", "personal_id": "079206000001", "dob": "2006-11-22"}, ""},
		{"household number", "residents", values{"household_no": ""}, "household_no:E_REQUIRED"},
		{"household number, unregistered", "residents", values{"household_no": "", "residence_type": "3"}, ""},
		{"household number too long", "residents", values{"household_no": conflict.Value(strings.Repeat("1", 31))}, "household_no:E_LENGTH"},
		{"address without a unit", "residents", values{"current_address": `{"detail":"12 Lê Lợi"}`}, "current_address:E_UNIT_MISSING"},
		{"address in a former unit", "residents", values{"current_address": `{"detail":"12 Lê Lợi","list":"2025-06-30","unit":"25741"}`}, "current_address:E_UNIT"},
		{"address without detail", "residents", values{"current_address": `{"list":"2025-07-01","unit":"27169"}`}, "current_address:E_ADDRESS_DETAIL"},
		{"permanent address elsewhere", "residents", values{"permanent_address": `{"detail":"Xã Yên Thành, Nghệ An"}`}, "permanent_address:W_UNIT_MISSING"},
		{"permanent address elsewhere with its code", "residents", values{"permanent_address": `{"detail":"Xóm 3","list":"2025-07-01","unit":"17500"}`}, "permanent_address:W_UNIT_OUTSIDE"},
		{"insurance number", "residents", values{"health_ins_no": "GD4790123456789"}, ""},
		{"odd insurance number", "residents", values{"health_ins_no": "123"}, "health_ins_no:W_PATTERN"},
		{"foreign phone", "residents", values{"phone": "+12125550100"}, "phone:W_PHONE_FOREIGN"},
		{"died before birth", "residents", values{"death_or_missing_date": "1990-08-04"}, "death_or_missing_date:E_DEATH_BEFORE_BIRTH"},
		{"died in the year of birth", "residents", values{"death_or_missing_date": "1990"}, ""},
		{"mismatch", "residents", values{"match_result": "SAI_LECH"}, "match_result:W_MISMATCH"},
		{"not found", "residents", values{"match_result": "KHONG_TIM_THAY"}, "match_result:I_NOT_FOUND"},

		{"no scan", "civil_status", values{"scan_ref": ""}, "scan_ref:W_NO_FILE"},
		{"words of another date", "civil_status", values{"subject_dob_words": "Ngày sáu tháng năm năm hai nghìn không trăm linh bốn"}, "subject_dob_words:W_DATE_WORDS"},
		{"words that say nothing", "civil_status", values{"subject_dob_words": "hôm qua"}, "subject_dob_words:W_DATE_WORDS"},
		{"another book year", "civil_status", values{"book_no": "01/2003"}, "reg_date:W_BOOK_YEAR"},
		{"odd book number", "civil_status", values{"book_no": "quyển một"}, "book_no:W_PATTERN"},
		{"odd entry number", "civil_status", values{"entry_no": "số 5"}, "entry_no:E_PATTERN"},
		{"unit of the wrong time", "civil_status", values{"reg_place_code": "27169@2025-07-01"}, "reg_place_code:W_UNIT_DATE"},
		{"unit without its list", "civil_status", values{"reg_place_code": "27169"}, "reg_place_code:E_UNIT_LIST"},
		{"registered before birth", "civil_status", values{"reg_date": "2004-05-04"}, "reg_date:E_REG_BEFORE_BIRTH"},
		{"marriage asks for the wife", "civil_status", values{"event_type": "KH", "subject_dob": "1970", "subject_dob_words": "", "birth_place_text": "", "mother_name": "", "subject_doc_type": "0"},
			"partner_name:E_REQUIRED partner_dob:E_REQUIRED marriage_state:E_REQUIRED"},
		{"marriage too young", "civil_status", values{"event_type": "KH", "subject_dob": "1985", "subject_dob_words": "", "birth_place_text": "", "mother_name": "", "subject_doc_type": "1", "subject_doc_no": "023456789",
			"partner_name": "Lê Thị B", "partner_dob": "1987", "marriage_state": "DANG"}, "subject_dob:W_MARRIAGE_AGE partner_dob:W_MARRIAGE_AGE"},
		{"death", "civil_status", values{"event_type": "KT", "subject_dob": "1930", "subject_dob_words": "", "birth_place_text": "", "mother_name": "", "subject_doc_type": "0", "death_date": "2004-05-21"}, "reg_date:E_REG_BEFORE_DEATH"},

		{"uses larger than the parcel", "land_parcels", values{"use_2": `{"area":"0.47","kind":"CLN"}`}, "area_m2:E_AREA_SUM"},
		{"uses within the tolerance", "land_parcels", values{"use_2": `{"area":"0.46","kind":"CLN"}`}, ""},
		{"use without an area", "land_parcels", values{"use_1": `{"kind":"ODT"}`}, "use_1:E_PART_MISSING"},
		{"use of an unlisted kind", "land_parcels", values{"use_1": `{"area":"29","kind":"SKC"}`}, "use_1:W_CODE_UNLISTED"},
		{"third use without the second", "land_parcels", values{"use_3": `{"area":"0.1","kind":"CLN"}`}, "use_2:W_USE_ORDER"},
		{"area zero", "land_parcels", values{"area_m2": "0", "use_1": `{"area":"0.1","kind":"ODT"}`}, "area_m2:E_RANGE"},
		{"odd serial", "land_parcels", values{"gcn_serial": "123", "scan_files": "123-GCN.pdf"}, "gcn_serial:E_PATTERN"},
		{"certificate half filled", "land_parcels", values{"gcn_serial": "", "scan_files": ""}, "gcn_serial:E_REQUIRED"},
		{"no certificate", "land_parcels", values{"gcn_serial": "", "gcn_issue_date": "", "gcn_book_no": "", "scan_files": ""}, ""},
		{"organisation", "land_parcels", values{"holder_kind": "TO_CHUC", "holder_id": ""}, "org_name:E_REQUIRED org_id:E_REQUIRED"},
		{"file of another certificate", "land_parcels", values{"scan_files": "AD266865-GCN.pdf"}, "scan_files:W_FILE_NAME"},
		{"no scan of the certificate", "land_parcels", values{"scan_files": ""}, "scan_files:W_NO_FILE"},
		{"another unit's parcel", "land_parcels", values{"ward_code": "27676@2025-07-01"}, "ward_code:W_UNIT_OTHER"},
		{"sheet without the former unit", "land_parcels", values{"map_sheet": "12"}, "old_unit_code:E_REQUIRED"},

		{"check digit", "household_business", values{"tax_code": "0300588568"}, "tax_code:E_CHECKSUM"},
		{"tax code of a person", "household_business", values{"tax_code": "078090000001"}, "tax_code:W_PROVINCE"},
		{"too many employees", "household_business", values{"employees": "10000"}, "employees:E_RANGE"},
		{"negative capital", "household_business", values{"capital_vnd": "-1"}, "capital_vnd:E_RANGE"},
		{"industry not in the starter list", "household_business", values{"industry_code": "4649"}, "industry_code:W_CODE_UNLISTED"},
		{"industry of three digits", "household_business", values{"industry_code": "561"}, "industry_code:E_PATTERN industry_code:W_CODE_UNLISTED"},
		{"suspended without a date", "household_business", values{"status": "TAM_NGUNG"}, "status_date:E_REQUIRED"},
		{"position in Hà Nội", "household_business", values{"location": `{"lat":21.02,"lon":105.85}`}, "location:W_GEO_OUTSIDE"},

		{"too young for the group", "social_protection", values{"dob": "1990", "personal_id": "079090000001"}, "dob:W_GROUP_AGE"},
		{"child too old", "social_protection", values{"beneficiary_group": "TE_KO_NGUON"}, "dob:W_GROUP_AGE"},
		{"bank without an account", "social_protection", values{"pay_method": "TK", "bank_name": "Vietcombank"}, "bank_account:E_REQUIRED"},
		{"odd account", "social_protection", values{"pay_method": "TK", "bank_name": "Vietcombank", "bank_account": "12-3"}, "bank_account:E_PATTERN"},
		{"disability asks for its papers", "social_protection", values{"beneficiary_group": "KHUYET_TAT"}, "disability_kind:E_REQUIRED disability_level:E_REQUIRED disability_cert_no:E_REQUIRED"},
		{"kinds of disability", "social_protection", values{"beneficiary_group": "KHUYET_TAT", "disability_kind": "1,9", "disability_level": "1", "disability_cert_no": "12"}, "disability_kind:E_CODE"},
		{"coefficient", "social_protection", values{"coefficient": "5.01"}, "coefficient:E_RANGE"},
		{"ends before it begins", "social_protection", values{"end_month": "2025-06"}, "end_month:E_END_BEFORE_START"},
		{"not visited for long", "social_protection", values{"last_visit": "2026-10-22"}, "last_visit:I_STALE"},
		{"died, still paid", "social_protection", values{"alive_check": "DA_CHET"}, "alive_check:W_STILL_PAID"},

		{"no number yet", "addresses", values{"house_no": "", "plate_status": "CHUA_CAP"}, ""},
		{"plate without a number", "addresses", values{"house_no": ""}, "house_no:E_REQUIRED plate_status:W_PLATE"},
		{"alley path", "addresses", values{"alley_path": "hẻm 606"}, "alley_path:E_PATTERN"},
		{"poor position", "addresses", values{"location": `{"accuracy_m":45.5,"lat":10.7765,"lon":106.67}`}, "location:W_ACCURACY"},
		{"survey tomorrow", "addresses", values{"check_date": "2026-11-23"}, "check_date:E_FUTURE"},
	} {
		t.Run(string(c.register)+" "+c.name, func(t *testing.T) {
			v := maps.Clone(complete[c.register])
			maps.Copy(v, c.change)
			d := defs(t)[c.register]
			got := codesOf(register.Validate(d, v, env))
			want := strings.Fields(c.want)
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// book is a Lookup over records in memory.
type book []values

func (b book) Find(match map[string]conflict.Value, limit int) []map[string]conflict.Value {
	var found []map[string]conflict.Value
	for _, record := range b {
		same := true
		for name, v := range match {
			same = same && record[name] == v
		}
		if same && len(found) < limit {
			found = append(found, record)
		}
	}
	return found
}

func (b book) Exists(id string) bool { return id == "abcdefghijklmnopqrstuvwxyz-1" }

func TestValidateAcrossRecords(t *testing.T) {
	married := func(change values) values {
		v := resident()
		v["marital_status"], v["spouse_id"] = "2", "079190000001"
		maps.Copy(v, change)
		return v
	}
	wife := values{"personal_id": "079190000001", "marital_status": "2", "spouse_id": "079090000001", "household_no": "HS-0001", "relation_to_head": "02"}
	for _, c := range []struct {
		name   string
		record values
		others book
		want   string
	}{
		{"alone", resident(), nil, ""},
		{"duplicate", resident(), book{{"personal_id": "079090000001"}}, "personal_id:E_DUPLICATE"},
		{"couple", married(nil), book{wife}, ""},
		{"couple, one-sided", married(nil), book{{"personal_id": "079190000001", "spouse_id": "079090000009"}}, "spouse_id:W_SPOUSE_RECIPROCAL"},
		{"spouse elsewhere", married(nil), nil, ""},
		{"two heads", resident(), book{{"household_no": "HS-0001", "relation_to_head": "01"}}, "relation_to_head:W_HOUSEHOLD_HEAD"},
		{"no head", married(values{"relation_to_head": "03"}), book{wife}, "relation_to_head:W_HOUSEHOLD_HEAD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := env
			e.Lookup = c.others
			if got := strings.Join(codesOf(register.Validate(defs(t)["residents"], c.record, e)), " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	address := maps.Clone(complete["addresses"])
	address["parcel_link"] = "abcdefghijklmnopqrstuvwxyz-2"
	e := env
	e.Lookup, e.Neighbourhoods = book{}, []string{"Khu phố 2"}
	if got := strings.Join(codesOf(register.Validate(defs(t)["addresses"], address, e)), " "); got != "neighbourhood:W_NEIGHBOURHOOD parcel_link:W_REF" {
		t.Errorf("got %s", got)
	}
	changed := resident()
	e = env
	e.Before = values{"marital_status": "2"}
	if got := strings.Join(codesOf(register.Validate(defs(t)["residents"], changed, e)), " "); got != "marital_status:W_EVIDENCE" {
		t.Errorf("changed since approval: got %s", got)
	}
}

func TestDefaults(t *testing.T) {
	d := defs(t)["addresses"]
	got := register.Defaults(d, env)
	if want := (values{"ward_code": "27169@2025-07-01", "check_date": "2026-11-22"}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
