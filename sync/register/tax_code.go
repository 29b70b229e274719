package register

import "strings"

// ParseTaxCode returns the canonical form of a tax code: ten digits, ten and
// three of a branch (0312120782-001), or the twelve digits of a person. The
// error is ErrFormat, ErrComponent (a part that is never issued) or ErrChecksum.
func ParseTaxCode(s string) (string, error) {
	s = idMarks.Replace(s)
	base, branch, dashed := strings.Cut(s, "-")
	switch {
	case !dashed && len(s) == 12 && isDigits(s):
		return s, nil
	case !dashed && len(s) == 13:
		base, branch = s[:10], s[10:]
	case dashed && len(branch) != 3:
		return "", ErrFormat
	}
	if len(base) != 10 || !isDigits(base) || branch != "" && !isDigits(branch) {
		return "", ErrFormat
	}
	if base[:2] == "00" || base[2:9] == "0000000" || branch == "000" {
		return "", ErrComponent
	}
	sum := 0
	for i, weight := range [9]int{31, 29, 23, 19, 17, 13, 7, 5, 3} {
		sum += weight * int(base[i]-'0')
	}
	if check := 10 - sum%11; check == 10 || check != int(base[9]-'0') {
		return "", ErrChecksum
	}
	if branch != "" {
		return base + "-" + branch, nil
	}
	return base, nil
}
