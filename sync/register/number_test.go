package register_test

import (
	"strings"
	"testing"

	"wardbook/sync/register"
)

// digitsOf returns the digits of s, in their order.
func digitsOf(s string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
}

// FuzzParseNumber: a number of a person, a company or a telephone is text. What
// is accepted keeps every digit, leading noughts too, and reads as itself.
func FuzzParseNumber(f *testing.F) {
	for _, s := range []string{"079 090 000 001", "023.456.789", "0903123456", "+84 28 3829 1234", "0301234567-001", "0301234567",
		"9007199254740993", "000000000001", "1e9", "８４", "-1", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(string) (string, error){"personal id": register.ParsePersonalID, "old id": register.ParseOldID,
			"phone": register.ParsePhone, "tax code": register.ParseTaxCode} {
			v, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := parse(v); err != nil || again != v {
				t.Errorf("%s %q: read as %q, then as %q: %v", name, s, v, again, err)
			}
			if name != "phone" && digitsOf(v) != digitsOf(s) {
				t.Errorf("%s %q: read as %q, with other digits", name, s, v)
			}
		}
	})
}
