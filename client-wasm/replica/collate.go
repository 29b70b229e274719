package replica

import (
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"wardbook/sync/register"
)

// alphabet is the Vietnamese one with the four letters of other alphabets in
// their usual places. A letter's place is its weight.
const alphabet = "aăâbcdđeêfghijklmnoôơpqrstuưvwxyz"

// toneMarks stand in the order in which dictionaries list them.
var toneMarks = []string{"", "\u0300", "\u0309", "\u0303", "\u0301", "\u0323"}

// letter is how a letter sorts.
type letter struct{ weight, tone byte }

var letters = sync.OnceValue(func() map[rune]letter {
	m := map[rune]letter{}
	weight := byte('A')
	for _, c := range alphabet {
		for tone, mark := range toneMarks {
			composed, _ := utf8.DecodeRuneInString(norm.NFC.String(string(c) + mark))
			if tone == 0 || composed != c {
				m[composed] = letter{weight, '0' + byte(tone)}
			}
		}
		weight++
	}
	return m
})

// collate returns a key whose bytes sort as Vietnamese dictionaries do: by
// letters, with ă, â, đ, ê, ô, ơ and ư as letters of their own, then by tones.
// It orders lists that are longer than a page; the page itself may refine.
func collate(s string) string {
	table := letters()
	var key, tones []byte
	for _, c := range register.K0(s) {
		l, ok := table[c]
		switch {
		case ok:
			key, tones = append(key, l.weight), append(tones, l.tone)
		case c < utf8.RuneSelf:
			key = append(key, byte(c)) // spaces and digits come before letters
		default:
			key = utf8.AppendRune(append(key, 0xfe), c)
		}
	}
	return string(key) + "\x00" + strings.TrimRight(string(tones), "0")
}
