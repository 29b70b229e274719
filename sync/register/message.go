package register

import "fmt"

// The findings about a single value. Those between fields carry the text of
// their rule.

func finding(level Level, code string, group ErrorGroup, vi, en string, args ...any) *Finding {
	if len(args) > 0 {
		vi, en = fmt.Sprintf(vi, args...), fmt.Sprintf(en, args...)
	}
	return &Finding{Level: level, Code: code, Group: group, VI: vi, EN: en}
}

// typeFinding explains why text is no value of type t.
func typeFinding(t Type, err error) *Finding {
	problem, ok := err.(Problem)
	if !ok {
		problem = ErrFormat
	}
	text, ok := typeTexts[t][problem]
	if !ok {
		text, ok = typeTexts[""][problem]
	}
	if !ok || problem == ErrFormat && typeTexts[t][ErrFormat] != (Text{}) {
		text = typeTexts[t][ErrFormat]
	}
	group := GroupFormat
	if problem == ErrRange || problem == ErrInvalid {
		group = GroupRange
	}
	return finding(Error, string(problem), group, text.VI, text.EN)
}

var dateTexts = map[Problem]Text{
	ErrFormat:  {"Ngày không đúng dạng dd/mm/yyyy.", "Not a date as dd/mm/yyyy."},
	ErrInvalid: {"Không có ngày này.", "There is no such day."},
	ErrCentury: {"Năm phải có bốn chữ số.", "The year needs four digits."},
	ErrSerial:  {"Đây là số thứ tự ngày của bảng tính, không phải ngày.", "This is a spreadsheet's day number, not a date."},
}

// typeTexts has the texts by type and problem; "" is any type.
var typeTexts = map[Type]map[Problem]Text{
	"": {
		ErrFormat:    {"Giá trị không đúng dạng.", "Not a value of this kind."},
		ErrRange:     {"Giá trị nằm ngoài khoảng cho phép.", "Out of range."},
		ErrInvalid:   dateTexts[ErrInvalid],
		ErrCentury:   dateTexts[ErrCentury],
		ErrSerial:    dateTexts[ErrSerial],
		ErrChecksum:  {"Chữ số kiểm tra không khớp.", "The check digit does not fit."},
		ErrComponent: {"Có phần không bao giờ được cấp (00, 0000000 hoặc 000).", "Contains a part that is never issued (00, 0000000 or 000)."},
	},
	PersonalID: {ErrFormat: {"Số định danh phải có đúng 12 chữ số.", "A personal ID has exactly 12 digits."}},
	OldID:      {ErrFormat: {"Số CMND cũ phải có đúng 9 chữ số.", "An old ID has exactly 9 digits."}},
	TaxCode:    {ErrFormat: {"Mã số thuế có 10 hoặc 13 chữ số, hoặc là số định danh 12 chữ số.", "A tax code has 10 or 13 digits, or is a personal ID of 12."}},
	Phone:      {ErrFormat: {"Số điện thoại không đúng.", "Not a telephone number."}},
	Date:       {ErrFormat: {"Cần đủ ngày dạng dd/mm/yyyy.", "Needs a full date as dd/mm/yyyy."}},
	DatePartial: {
		ErrFormat: {"Ngày phải có dạng yyyy, mm/yyyy hoặc dd/mm/yyyy.", "A date is yyyy, mm/yyyy or dd/mm/yyyy."},
	},
	Month:    {ErrFormat: {"Tháng phải có dạng mm/yyyy.", "A month is mm/yyyy."}},
	Integer:  {ErrFormat: {"Phải là số nguyên.", "Must be a whole number."}},
	Decimal:  {ErrFormat: {"Phải là số, dùng dấu phẩy cho phần thập phân.", "Must be a number, with a comma before the decimals."}},
	Money:    {ErrFormat: {"Phải là số tiền nguyên bằng đồng.", "Must be a whole amount in VND."}},
	Boolean:  {ErrFormat: {"Phải là Có hoặc Không.", "Must be yes or no."}},
	Address:  {ErrFormat: {"Địa chỉ không đúng dạng.", "Not an address."}},
	Group:    {ErrFormat: {"Nhóm thông tin không đúng dạng.", "Not a group of this kind."}},
	GeoPoint: {ErrFormat: {"Tọa độ phải có dạng vĩ độ, kinh độ.", "A position is latitude, longitude."}, ErrRange: {"Tọa độ nằm ngoài giới hạn.", "The position is out of bounds."}},
	Ref:      {ErrFormat: {"Không phải mã hồ sơ.", "Not a record id."}},
}

func findingUnlisted(code string) *Finding {
	return finding(Error, "E_CODE", GroupReference, "“%s” không có trong danh mục.", "“%s” is not in the list.", code)
}

func findingUnit(ref string) *Finding {
	return finding(Error, "E_UNIT", GroupReference, "“%s” không có trong danh mục đơn vị hành chính hiện hành.", "“%s” is not in the current list of units.", ref)
}

func findingNoUnit() *Finding {
	return finding(Error, "E_UNIT_MISSING", GroupMissing, "Chưa chọn phường, xã.", "No ward or commune chosen.")
}

func findingUnitList(code UnitCode) *Finding {
	now, then := UnitRef{code, UnitListVersion}, UnitRef{code, FormerUnitListVersion}
	return &Finding{
		Level: Error, Code: "E_UNIT_LIST", Group: GroupReference,
		VI: fmt.Sprintf("Mã %s có trong hai danh mục: %s (%s) hay %s (%s)?", code, now, now.name("vi"), then, then.name("vi")),
		EN: fmt.Sprintf("Code %s is in two lists: %s (%s) or %s (%s)?", code, now, now.name("en"), then, then.name("en")),
	}
}

// personTexts explain the codes of CheckPersonalID.
var personTexts = map[string]Text{
	WarnProvince: {"Ba số đầu không phải mã tỉnh đã biết.", "The first three digits are no known province."},
	WarnYear:     {"Số định danh không khớp năm sinh.", "The number says another year of birth."},
	WarnSex:      {"Số định danh không khớp giới tính.", "The number says another sex."},
	WarnFuture:   {"Số định danh cho năm sinh ở tương lai.", "The number says a year of birth to come."},
	InfoAge:      {"Người này trên 110 tuổi.", "This person is over 110 years old."},
}
