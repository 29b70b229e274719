package register

import "strings"

// oldMobile maps the eleven-digit mobile prefixes of before 2018 to today's.
var oldMobile = map[string]string{
	"120": "70", "121": "79", "122": "77", "126": "76", "128": "78",
	"123": "83", "124": "84", "125": "85", "127": "81", "129": "82",
	"162": "32", "163": "33", "164": "34", "165": "35", "166": "36",
	"167": "37", "168": "38", "169": "39",
	"186": "56", "188": "58", "199": "59",
}

// ParsePhone returns the E.164 form of a telephone number: as dialled in
// Vietnam, with +84 or 84, with a mobile prefix of before 2018, or with the
// leading 0 lost in a spreadsheet. A foreign number needs its +. The error is
// ErrFormat, for a number that a spreadsheet wrote as 8.39E+08 too.
func ParsePhone(s string) (string, error) {
	s = strings.TrimSpace(s)
	if len(s) > 40 {
		return "", ErrFormat
	}
	plus := strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00")
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()+\u00a0", r) {
			return -1
		}
		return r
	}, s)
	if !isDigits(digits) || strings.LastIndexByte(s, '+') > 0 {
		return "", ErrFormat
	}
	if strings.HasPrefix(s, "00") {
		digits = digits[2:]
	}
	national := ""
	switch {
	case strings.HasPrefix(digits, "84") && (plus || len(digits) >= 11):
		national = strings.TrimPrefix(digits[2:], "0")
	case plus:
		if len(digits) < 8 || len(digits) > 15 || digits[0] == '0' {
			return "", ErrFormat
		}
		return "+" + digits, nil
	case digits[0] == '0':
		national = digits[1:]
	default:
		national = digits
	}
	if len(national) == 10 && national[0] == '1' {
		if now, ok := oldMobile[national[:3]]; ok {
			national = now + national[3:]
		}
	}
	mobile := len(national) == 9 && strings.IndexByte("35789", national[0]) >= 0
	landline := len(national) == 10 && national[0] == '2'
	if !mobile && !landline {
		return "", ErrFormat
	}
	return "+84" + national, nil
}

// displayPhone writes an E.164 number as it is dialled: 0903 123 456.
func displayPhone(e164 string) string {
	n, ok := strings.CutPrefix(e164, "+84")
	switch {
	case !ok || len(n) < 9:
		return e164
	case n[0] != '2':
		return "0" + n[:3] + " " + n[3:6] + " " + n[6:]
	case n[:2] == "24" || n[:2] == "28":
		return "0" + n[:2] + " " + n[2:6] + " " + n[6:]
	}
	return "0" + n[:3] + " " + n[3:]
}
