package register_test

import (
	"testing"

	"wardbook/sync/register"
)

// FuzzParseDate: whatever is read as a date is one of the calendar, is stored in
// a form that reads as itself, and lies within its own bounds.
func FuzzParseDate(f *testing.F) {
	for _, s := range []string{"05/08/1980", "8/1980", "1980", "..../1945", "00/00/1945", "1980-08-05", "29/02/2000", "31/02/1990",
		"05/08/80", "29437", "ngày mười lăm tháng tám năm một nghìn chín trăm tám mươi", "mồng một tháng giêng năm hai nghìn lẻ năm", "\xff", " "} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, parse := range map[string]func(string) (register.PartialDate, error){
			"date": register.ParseDate, "serial": register.ParseExcelDate, "words": register.ParseDateWords} {
			d, err := parse(s)
			if err != nil {
				continue
			}
			if again, err := register.ParseDate(d.String()); err != nil || again != d {
				t.Errorf("%s %q: stored as %q, which reads as %v: %v", name, s, d, again, err)
			}
			first, last := d.First(), d.Last()
			if last.Before(first) || first.Year() != d.Year || last.Year() != d.Year || d.Month != 0 && (int(first.Month()) != d.Month || int(last.Month()) != d.Month) || d.Day != 0 && first.Day() != d.Day {
				t.Errorf("%s %q: %+v lies between %v and %v", name, s, d, first, last)
			}
		}
	})
}
