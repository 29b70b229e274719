package replica

import (
	"bytes"
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

// letterTable holds those of ASCII by their number; a weight of 0 is no letter.
type letterTable struct {
	ascii [utf8.RuneSelf]letter
	more  map[rune]letter
}

var letters = sync.OnceValue(func() *letterTable {
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
	t := &letterTable{more: m}
	for c, l := range m {
		if c < utf8.RuneSelf {
			t.ascii[c] = l
		}
	}
	return t
})

// collate returns a key whose bytes sort as Vietnamese dictionaries do: by
// letters, with ă, â, đ, ê, ô, ơ and ư as letters of their own, then by tones.
// It orders lists that are longer than a page; the page itself may refine.
func collate(s string) string {
	table := letters()
	key, tones := make([]byte, 0, 64), make([]byte, 0, 64)
	for _, c := range register.K0(s) {
		if c < utf8.RuneSelf {
			if l := table.ascii[c]; l.weight != 0 {
				key, tones = append(key, l.weight), append(tones, l.tone)
			} else {
				key = append(key, byte(c)) // spaces and digits come before letters
			}
			continue
		}
		switch l, ok := table.more[c]; {
		case ok:
			key, tones = append(key, l.weight), append(tones, l.tone)
		default:
			key = utf8.AppendRune(append(key, 0xfe), c)
		}
	}
	return string(append(append(key, 0), bytes.TrimRight(tones, "0")...))
}
