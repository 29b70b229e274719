package register

import "strings"

// spaces are what people put between groups of digits.
var spaces = strings.NewReplacer(" ", "", "\u00a0", "", "\u202f", "", "\u2009", "")

// numeral is a number taken apart; whole and frac are digits.
type numeral struct {
	negative    bool
	whole, frac string
}

// String returns the canonical text: no grouping, no needless zeros, a dot.
//
// One case is padded: 1.234 would be read back as the Vietnamese way of writing
// one thousand two hundred and thirty-four, so a number with up to three digits
// before the dot and exactly three behind is stored as 1.2340.
func (n numeral) String() string {
	whole, frac := strings.TrimLeft(n.whole, "0"), strings.TrimRight(n.frac, "0")
	if whole != "" && len(whole) <= 3 && len(frac) == 3 {
		frac += "0"
	}
	if whole == "" {
		whole = "0"
	}
	if frac != "" {
		whole += "." + frac
	}
	if n.negative && whole != "0" {
		whole = "-" + whole
	}
	return whole
}

// exactDigits is how many digits every reader's number type holds exactly: the
// hub's consumers may keep numbers as doubles.
const exactDigits = 15

// parseNumeral reads a number as it is written in Vietnam (1.234,5), in
// English (1,234.5) or in canonical form. Where a text can be read both ways
// the Vietnamese reading counts: 1.234 is a thousand, 1,234 is one and a bit.
func parseNumeral(s string) (numeral, bool) {
	var n numeral
	s = spaces.Replace(s)
	if len(s) > 40 {
		return n, false
	}
	s = strings.Replace(s, "−", "-", 1)
	s, n.negative = strings.CutPrefix(s, "-")
	commas, dots := strings.Count(s, ","), strings.Count(s, ".")
	lastComma, lastDot := strings.LastIndexByte(s, ','), strings.LastIndexByte(s, '.')
	whole, group := s, ""
	switch {
	case commas == 0 && dots == 1:
		if grouped(s, ".") {
			group = "."
		} else {
			whole, n.frac = s[:lastDot], s[lastDot+1:]
		}
	case commas == 0 && dots > 1:
		group = "."
	case commas == 1 && lastComma > lastDot: // 29,16 or 1.234,5
		whole, n.frac = s[:lastComma], s[lastComma+1:]
		if dots > 0 {
			group = "."
		}
	case dots == 1 && commas > 0: // 1,234.5
		whole, n.frac, group = s[:lastDot], s[lastDot+1:], ","
	case commas > 1 && dots == 0: // 1,234,567
		group = ","
	case commas+dots > 0:
		return n, false
	}
	if group != "" {
		if !grouped(whole, group) {
			return n, false
		}
		whole = strings.ReplaceAll(whole, group, "")
	}
	n.whole = whole
	marked := n.frac != "" || len(whole) < len(s) && group == ""
	return n, isDigits(n.whole) && (!marked || isDigits(n.frac))
}

// grouped reports whether s is digits in groups of three divided by sep.
func grouped(s, sep string) bool {
	groups := strings.Split(s, sep)
	for i, g := range groups {
		if !isDigits(g) || i > 0 && len(g) != 3 || i == 0 && (len(g) > 3 || g[0] == '0') {
			return false
		}
	}
	return len(groups) > 1
}

// parseDecimal returns the canonical text of a decimal number.
func parseDecimal(s string) (string, error) {
	n, ok := parseNumeral(s)
	if !ok {
		return "", ErrFormat
	}
	if len(n.whole) > 18 || len(n.frac) > 9 || len(strings.TrimLeft(n.whole, "0"))+len(strings.TrimRight(n.frac, "0")) > exactDigits {
		return "", ErrRange
	}
	return n.String(), nil
}

// parseInteger returns the canonical text of a whole number. Commas and dots
// can only divide groups here.
func parseInteger(s string) (string, error) {
	s = strings.ReplaceAll(spaces.Replace(s), ",", ".")
	digits := strings.TrimPrefix(strings.Replace(s, "−", "-", 1), "-")
	if strings.Contains(digits, ".") && !grouped(digits, ".") {
		return "", ErrFormat
	}
	n, ok := parseNumeral(strings.ReplaceAll(s, ".", ""))
	if !ok {
		return "", ErrFormat
	}
	if len(strings.TrimLeft(n.whole, "0")) > exactDigits {
		return "", ErrRange
	}
	return n.String(), nil
}

// parseMoney returns the canonical text of an amount in whole VND.
func parseMoney(s string) (string, error) {
	s = strings.TrimSpace(strings.ToLower(s))
	for _, unit := range []string{"vnđ", "vnd", "đồng", "dong", "đ", "₫"} {
		if rest, ok := strings.CutSuffix(s, unit); ok {
			s = rest
			break
		}
	}
	return parseInteger(s)
}

// compareNumbers orders two canonical numbers.
func compareNumbers(a, b string) int { return scaled(a).cmp(scaled(b)) }

// fixed is a canonical number in billionths, in two parts so that nothing is
// rounded: values have at most 18 digits before the dot and 9 behind it.
type fixed struct{ whole, billionths int64 }

func scaled(s string) fixed {
	s, negative := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	f := fixed{parse64(whole), parse64((frac + "000000000")[:9])}
	if negative {
		f.whole, f.billionths = -f.whole, -f.billionths
	}
	return f
}

func parse64(digits string) int64 {
	var n int64
	for i := range len(digits) {
		n = n*10 + int64(digits[i]-'0')
	}
	return n
}

func (f fixed) add(o fixed) fixed {
	const billion = 1e9
	b := f.billionths + o.billionths
	return fixed{f.whole + o.whole + b/billion, b % billion}
}

// cmp is for sums of like sign, where the parts never disagree in sign.
func (f fixed) cmp(o fixed) int {
	switch {
	case f == o:
		return 0
	case f.whole < o.whole || f.whole == o.whole && f.billionths < o.billionths:
		return -1
	}
	return 1
}

// displayNumber writes a canonical number the Vietnamese way: 1.234,5.
func displayNumber(s string) string {
	s, negative := strings.CutPrefix(s, "-")
	whole, frac, _ := strings.Cut(s, ".")
	var b strings.Builder
	if negative {
		b.WriteByte('-')
	}
	for i := range len(whole) {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte('.')
		}
		b.WriteByte(whole[i])
	}
	if frac = strings.TrimRight(frac, "0"); frac != "" {
		b.WriteString("," + frac)
	}
	return b.String()
}
