package register

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestPatternAgreesWithRegexp compares patterns in our language with the
// standard library's reading of them.
func TestPatternAgreesWithRegexp(t *testing.T) {
	piece := rapid.SampledFrom([]string{"a", "b", "Đ", "1", `\d`, `\.`, "[A-Z]", `[ab\d-]`, "[^a1]", "(a|b)", "(?:ab|)", "(a(b|1)?)", "/", " "})
	repeat := rapid.SampledFrom([]string{"", "", "", "?", "*", "+", "{2}", "{1,}", "{0,3}", "{2,3}", "{0}"})
	rapid.Check(t, func(t *rapid.T) {
		var b strings.Builder
		for range rapid.IntRange(0, 6).Draw(t, "pieces") {
			b.WriteString(piece.Draw(t, "piece") + repeat.Draw(t, "repeat"))
			if rapid.IntRange(0, 5).Draw(t, "or") == 0 {
				b.WriteByte('|')
			}
		}
		p, err := compilePattern(b.String())
		if err != nil {
			t.Fatalf("%q: %v", b.String(), err)
		}
		re := regexp.MustCompile("^(?:" + b.String() + ")$")
		value := rapid.OneOf(rapid.StringMatching(`[ab1Đ./ A-]{0,8}`), rapid.StringMatching("(?:"+b.String()+")")).Draw(t, "value")
		if got, want := p.match(value), re.MatchString(value); got != want {
			t.Errorf("%q on %q: got %v, want %v", b.String(), value, got, want)
		}
	})
}

func TestPatternRefuses(t *testing.T) {
	for _, bad := range []string{
		"(", ")", "[", "[]", "[^]", "[b-a]", "a{", "a{2", "a{3,2}", "a{101}", "a{,2}", "*", "a**", "a+?", `\`, `\w`, `\p{L}`, "^a$", "a.",
		"[[:alpha:]]", "(?i)a", "(?P<x>a)", strings.Repeat("(", 30) + strings.Repeat(")", 30), "((a{100}){100}){100}", strings.Repeat("(", 15) + strings.Repeat("){100}", 15), "\xff", strings.Repeat("a", 300),
	} {
		if _, err := compilePattern(bad); err == nil {
			t.Errorf("%q: got no error", bad)
		}
	}
}

// TestPatternIsLinear would not end with a backtracking matcher.
func TestPatternIsLinear(t *testing.T) {
	p, err := compilePattern("((a*)*)*b")
	if err != nil {
		t.Fatal(err)
	}
	if p.match(strings.Repeat("a", 20000)) {
		t.Error("matches without b")
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`\d{10}|[A-Z]{2}[1-5]\d{12}`, "GD4790123456789")
	f.Add(`[A-ZĐ]{1,2} ?\d{6,8}`, "AD 266864")
	f.Fuzz(func(t *testing.T, expr, value string) {
		p, err := compilePattern(expr)
		if err != nil || len(value) > 1000 {
			return
		}
		re, err := regexp.Compile("^(?:" + expr + ")$")
		if err != nil {
			t.Fatalf("%q is no regular expression: %v", expr, err)
		}
		if got, want := p.match(value), re.MatchString(value); got != want {
			t.Errorf("%q on %q: got %v, want %v", expr, value, got, want)
		}
	})
}
