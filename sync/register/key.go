package register

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// The keys K0 to K3 compare Vietnamese text, each coarser than the one before
// in one respect. They are for comparing only: what a person typed is stored
// as typed.

// K0 ignores case, outer and repeated spaces, invisible characters and the
// choice of NFC or NFD.
func K0(s string) string {
	if tidy(s) {
		return strings.ToLower(s)
	}
	s = strings.Join(strings.Fields(strip(norm.NFC.String(s), unicode.Cf)), " ")
	return norm.NFC.String(strings.ToLower(s))
}

// tidy reports whether s is of ASCII alone, with single spaces between words
// and none around them: keys of it differ by case only.
func tidy(s string) bool {
	space := true
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf || c < ' ' || c == ' ' && space:
			return false
		default:
			space = c == ' '
		}
	}
	return !space || s == ""
}

// K1 is K0 with the tone lifted out of each syllable and put behind it as a
// digit, so that hòa equals hoà.
func K1(s string) string { return liftTones(K0(s)) }

// K2 is K1 with y written i where both spell one sound: alone behind the
// consonants of an open syllable, so that Lý equals Lí, Quý equals Quí, but
// Thúy not Thúi.
func K2(s string) string { return foldY(K1(s)) }

// K3 keeps the letters without any diacritic, đ as d. For searching and for
// finding candidates only: Thanh An and Thạnh An are two communes.
func K3(s string) string {
	if tidy(s) {
		return strings.ToLower(s)
	}
	s = strip(norm.NFD.String(K0(s)), unicode.Mn)
	s = norm.NFC.String(strings.ReplaceAll(s, "đ", "d"))
	return strings.Join(strings.Fields(s), " ") // a mark alone leaves a space behind
}

// Spelling is the normal form under which two values of a field with policy
// equal are one: NFC, spaces, placement of the tone. Unlike K1 it keeps case.
func Spelling(s string) string {
	return liftTones(strings.Join(strings.Fields(norm.NFC.String(s)), " "))
}

// GivenName returns the last word of a full name, under which people are
// addressed and sorted in everyday lists.
func GivenName(fullName string) string {
	words := strings.Fields(fullName)
	if len(words) == 0 {
		return ""
	}
	return norm.NFC.String(words[len(words)-1])
}

// strip removes the runes of table from s.
func strip(s string, table *unicode.RangeTable) string {
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf && unicode.Is(table, r) {
			return -1
		}
		return r
	}, s)
}

// tone returns the digit of a combining tone mark: 1 huyền, 2 hỏi, 3 ngã,
// 4 sắc, 5 nặng, in the order in which dictionaries list them.
func tone(r rune) byte {
	switch r {
	case '\u0300':
		return '1'
	case '\u0309':
		return '2'
	case '\u0303':
		return '3'
	case '\u0301':
		return '4'
	case '\u0323':
		return '5'
	}
	return 0
}

// liftTones moves the tones of each syllable behind its letters. A tone mark
// on a consonant (the tilde of ñ) is no tone and stays.
func liftTones(s string) string {
	var b strings.Builder
	var tones []byte
	vowel := false
	flush := func() {
		b.Write(tones)
		tones = tones[:0]
	}
	for _, r := range norm.NFD.String(s) {
		switch t := tone(r); {
		case t != 0 && vowel:
			tones = append(tones, t)
			continue
		case unicode.Is(unicode.Mn, r):
		case unicode.IsLetter(r):
			vowel = strings.ContainsRune("aeiouyAEIOUY", r)
		default:
			vowel = false
			flush()
		}
		b.WriteRune(r)
	}
	flush()
	return norm.NFC.String(b.String())
}

// foldY works on the output of liftTones.
func foldY(s string) string {
	isLetter := func(r rune) bool { return unicode.IsLetter(r) }
	var b strings.Builder
	for s != "" {
		n := strings.IndexFunc(s, isLetter)
		if n < 0 {
			n = len(s)
		}
		b.WriteString(s[:n])
		s = s[n:]
		if n = strings.IndexFunc(s, func(r rune) bool { return !isLetter(r) }); n < 0 {
			n = len(s)
		}
		syllable := s[:n]
		if onset, ok := strings.CutSuffix(syllable, "y"); ok && onset != "" && (onset == "qu" || !strings.ContainsAny(onset, "aăâeêioôơuưy")) {
			syllable = onset + "i"
		}
		b.WriteString(syllable)
		s = s[n:]
	}
	return b.String()
}
