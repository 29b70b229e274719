package register

import (
	"strings"
)

// idMarks are what people put between the digits of a number.
var idMarks = strings.NewReplacer(" ", "", ".", "", "\u00a0", "")

// ParsePersonalID returns the twelve digits of a personal identification
// number. The number has no check digit: this says nothing about whether it
// was ever issued. The error is ErrFormat.
func ParsePersonalID(s string) (string, error) {
	return parseDigits(s, 12)
}

// ParseOldID returns the nine digits of an identity card of before 2021.
func ParseOldID(s string) (string, error) { return parseDigits(s, 9) }

func parseDigits(s string, n int) (string, error) {
	if s = idMarks.Replace(s); len(s) != n || !isDigits(s) {
		return "", ErrFormat
	}
	return s, nil
}

// Codes of CheckPersonalID.
const (
	WarnProvince = "W_PROVINCE" // digits 1 to 3 are no province of birth registration
	WarnYear     = "W_YEAR"     // digits 4 to 6 say another year of birth
	WarnSex      = "W_SEX"      // digit 4 says another sex
	WarnFuture   = "W_FUTURE"   // digits 4 to 6 say a year to come
	InfoAge      = "I_AGE"      // older than 110 years
)

// CheckPersonalID compares a number of twelve digits with what is known of its
// holder. birthYear 0, sex "" (codes of GIOI_TINH) and thisYear 0 are unknown.
// It returns the codes of what is odd, none of which makes the number wrong; of
// what is not twelve digits only E_FORMAT.
func CheckPersonalID(id string, birthYear int, sex string, thisYear int) []string {
	if len(id) != 12 || !isDigits(id) {
		return []string{string(ErrFormat)}
	}
	var odd []string
	if _, ok := birthProvinces()[id[:3]]; !ok {
		odd = append(odd, WarnProvince)
	}
	century := int(id[3] - '0')
	year := 1900 + century/2*100 + number(id[4:6])
	switch {
	case thisYear != 0 && year > thisYear:
		odd = append(odd, WarnFuture)
	case birthYear != 0 && year != birthYear:
		odd = append(odd, WarnYear)
	case thisYear != 0 && thisYear-year > 110:
		odd = append(odd, InfoAge)
	}
	if sex == "1" && century%2 != 0 || sex == "2" && century%2 == 0 {
		odd = append(odd, WarnSex)
	}
	return odd
}
