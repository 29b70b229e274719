package register_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wardbook/conflict"
	"wardbook/sync/register"
)

func code(found []register.Finding, field, code string) bool {
	for _, f := range found {
		if f.Field == field && f.Code == code {
			return true
		}
	}
	return false
}

// TestTextsAreWhole types texts of every length around the limit into every text
// field, in both normal forms: each is kept to its last letter, and one that is too
// long is said to be (R50).
func TestTextsAreWhole(t *testing.T) {
	tried := 0
	for _, d := range defs(t) {
		for i := range d.Fields {
			f := &d.Fields[i]
			most := f.MaxLength
			switch f.Type {
			case register.PlainText:
				most = max(most, map[bool]int{true: 500}[most == 0])
			case register.LongText:
				most = max(most, map[bool]int{true: 4000}[most == 0])
			case register.Name:
				most = max(most, map[bool]int{true: 100}[most == 0])
			default:
				continue
			}
			tried++
			for _, n := range []int{most - 1, most, most + 1, 10 * most} {
				text := strings.Repeat("ộ", n)
				for form, typed := range map[string]string{"NFC": text, "NFD": norm.NFD.String(text)} {
					v, err := register.Normalise(d, f.Name, typed)
					if string(v) != text {
						t.Errorf("%s.%s: of %d letters in %s %d are kept, %v", d.ID, f.Name, n, form, utf8.RuneCountInString(string(v)), err)
					}
					found := register.Validate(d, map[string]conflict.Value{f.Name: v}, register.Env{Today: "2026-11-22"})
					if got := code(found, f.Name, "E_LENGTH"); got != (n > most) {
						t.Errorf("%s.%s: %d letters in %s, at most %d: said to be too long is %v", d.ID, f.Name, n, form, most, got)
					}
				}
			}
		}
	}
	if tried < 20 {
		t.Errorf("only %d fields were tried", tried)
	}
}

// TestNumbersAreExact: a number that passes the checks is the same in a program that
// keeps numbers as doubles, and one of too many digits is refused; numbers that are
// names keep their leading zeros (R52).
func TestNumbersAreExact(t *testing.T) {
	tried, exact := map[register.Type]int{}, map[register.Type]int{}
	for _, d := range defs(t) {
		for i := range d.Fields {
			f := &d.Fields[i]
			var typed []string
			switch f.Type {
			case register.Integer, register.Money:
				typed = []string{"9007199254740990", "9007199254740993", "9007199254740994", "999999999999999", "123456789012345", "18446744073709551617"}
			case register.Decimal:
				typed = []string{"0.1", "12345.678901234567", "99999999999999.9", "0.000123456789012345", "1234567.12345678901234", "12345678.123456789", "123456789012345678", "123456.123456789"}
			case register.PersonalID:
				typed = []string{"001099012345", "079199012345"}
			default:
				continue
			}
			tried[f.Type]++
			for _, text := range typed {
				v, err := register.Normalise(d, f.Name, text)
				if err != nil {
					if !code(register.Validate(d, map[string]conflict.Value{f.Name: conflict.Value(text)}, register.Env{Today: "2026-11-22"}), f.Name, "E_RANGE") {
						t.Errorf("%s.%s: %s is not kept (%v), and nobody is told", d.ID, f.Name, text, err)
					}
					continue
				}
				if f.Type == register.PersonalID {
					if string(v) != text {
						t.Errorf("%s.%s: %s is kept as %s", d.ID, f.Name, text, v)
					}
					continue
				}
				exact[f.Type]++
				b, err := json.Marshal(register.Export(d, map[string]conflict.Value{f.Name: v}))
				var out map[string]any
				if err != nil || json.Unmarshal(b, &out) != nil {
					t.Fatalf("%s.%s: %s, %v", d.ID, f.Name, b, err)
				}
				got := strconv.FormatFloat(out[f.Name].(float64), 'f', -1, 64)
				if back, err := register.Normalise(d, f.Name, got); err != nil || back != v {
					t.Errorf("%s.%s: %s leaves for the hub and is %s there", d.ID, f.Name, v, got)
				}
			}
		}
	}
	for _, want := range []register.Type{register.Integer, register.Money, register.Decimal, register.PersonalID} {
		if tried[want] == 0 || want != register.PersonalID && exact[want] == 0 {
			t.Errorf("type %v: %d fields were tried, %d numbers left for the hub", want, tried[want], exact[want])
		}
	}
}
