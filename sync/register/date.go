package register

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PartialDate is a day, a month or a year, as much of it as the papers say.
// Month and Day are 0 when unknown; Day is 0 when Month is.
type PartialDate struct{ Year, Month, Day int }

// Precision says how much of a date is known.
type Precision string

// The precisions.
const (
	ByDay   Precision = "day"
	ByMonth Precision = "month"
	ByYear  Precision = "year"
)

// Precision returns how much of d is known.
func (d PartialDate) Precision() Precision {
	switch {
	case d.Month == 0:
		return ByYear
	case d.Day == 0:
		return ByMonth
	}
	return ByDay
}

// String returns the stored form: 1980, 1980-08 or 1980-08-05.
func (d PartialDate) String() string {
	switch d.Precision() {
	case ByYear:
		return fmt.Sprintf("%04d", d.Year)
	case ByMonth:
		return fmt.Sprintf("%04d-%02d", d.Year, d.Month)
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

// display returns the form that people read: 1980, 08/1980 or 05/08/1980.
func (d PartialDate) display() string {
	switch d.Precision() {
	case ByYear:
		return fmt.Sprintf("%04d", d.Year)
	case ByMonth:
		return fmt.Sprintf("%02d/%04d", d.Month, d.Year)
	}
	return fmt.Sprintf("%02d/%02d/%04d", d.Day, d.Month, d.Year)
}

// First and Last return the earliest and the latest day that d can mean.
func (d PartialDate) First() time.Time {
	return time.Date(d.Year, time.Month(max(d.Month, 1)), max(d.Day, 1), 0, 0, 0, 0, time.UTC)
}

// Last is described at First.
func (d PartialDate) Last() time.Time {
	switch d.Precision() {
	case ByYear:
		return time.Date(d.Year, 12, 31, 0, 0, 0, 0, time.UTC)
	case ByMonth:
		return time.Date(d.Year, time.Month(d.Month)+1, 0, 0, 0, 0, 0, time.UTC)
	}
	return d.First()
}

// certainlyBefore reports whether every day that d can mean is before every
// day that o can mean.
func (d PartialDate) certainlyBefore(o PartialDate) bool { return d.Last().Before(o.First()) }

// ParseDate reads a date as people and papers write it: 05/08/1980, 8/1980,
// 1980, 00/00/1945, ..../1945, with / - . or spaces between, or ISO. The error
// is a Problem.
func ParseDate(s string) (PartialDate, error) {
	s = strings.TrimSpace(s)
	if len(s) > 40 {
		return PartialDate{}, ErrFormat
	}
	parts, unknown := dateParts(s)
	if len(parts) == 0 {
		return PartialDate{}, ErrFormat
	}
	if len(parts) == 1 && !unknown {
		switch n := len(parts[0]); {
		case n == 2:
			return PartialDate{}, ErrCentury
		case n == 5:
			return PartialDate{}, ErrSerial
		}
	}
	if len(parts) > 1 && len(parts[0]) == 4 { // ISO: year first
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
	}
	year := parts[len(parts)-1]
	switch {
	case len(year) == 2:
		return PartialDate{}, ErrCentury
	case len(year) != 4 || len(parts) > 3:
		return PartialDate{}, ErrFormat
	}
	d := PartialDate{Year: number(year)}
	for _, p := range parts[:len(parts)-1] {
		if len(p) > 2 {
			return PartialDate{}, ErrFormat
		}
	}
	if len(parts) >= 2 {
		d.Month = number(parts[len(parts)-2])
	}
	if len(parts) == 3 {
		d.Day = number(parts[0])
	}
	if d.Year < 1 || d.Month > 12 || d.Month == 0 && d.Day != 0 {
		return PartialDate{}, ErrInvalid
	}
	if d.Precision() == ByDay && d.First().Day() != d.Day {
		return PartialDate{}, ErrInvalid
	}
	return d, nil
}

// dateParts splits s into its numbers. unknown reports leading dots, dashes or
// question marks in place of the day and month.
func dateParts(s string) (parts []string, unknown bool) {
	rest := strings.TrimLeft(s, ".-_?…/ ")
	unknown = rest != s
	if unknown && (len(rest) != 4 || !isDigits(rest)) {
		if len(rest) < 4 || !strings.Contains(rest, "/") {
			return nil, true // only the year, or month/year, may follow
		}
	}
	parts = strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("/-. ", r) })
	for _, p := range parts {
		if !isDigits(p) {
			return nil, unknown
		}
	}
	return parts, unknown
}

// ParseExcelDate reads the day number of a spreadsheet, for a column that its
// user has declared to hold dates.
func ParseExcelDate(serial string) (PartialDate, error) {
	n, err := strconv.Atoi(strings.TrimSpace(serial))
	if err != nil || n < 61 || n > 2958465 { // 61 is the first after Excel's 29 February 1900
		return PartialDate{}, ErrFormat
	}
	return dateOf(time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, n)), nil
}

func dateOf(t time.Time) PartialDate {
	return PartialDate{t.Year(), int(t.Month()), t.Day()}
}

// age returns the completed years from birth to at, both full days.
func age(birth, at time.Time) int {
	years := at.Year() - birth.Year()
	if at.Month() < birth.Month() || at.Month() == birth.Month() && at.Day() < birth.Day() {
		years--
	}
	return years
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// number reads digits that were checked and are few.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}
