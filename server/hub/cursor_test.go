package hub

import (
	"encoding/base64"
	"maps"
	"testing"

	"wardbook/server/store"
	"wardbook/sync/protocol"
)

var testKey = []byte("0123456789abcdef0123456789abcdef")

func TestCursorText(t *testing.T) {
	c := cursor{epoch: protocol.Token{1, 2, 3}, schema: 7, through: map[string]uint64{"27169": 1, "26734": 1 << 60, "27676": 300}}
	text := c.text(testKey, "a", "d")
	got, ok := parseCursor(text, testKey, "a", "d")
	if !ok || got.epoch != c.epoch || got.schema != c.schema || !maps.Equal(got.through, c.through) {
		t.Errorf("got %+v, %v, want %+v", got, ok, c)
	}
	for name, other := range map[string]struct {
		key     string
		account store.AccountID
		dataset string
	}{
		"another account": {string(testKey), "b", "d"}, "another dataset": {string(testKey), "a", "e"},
		"another key": {"1123456789abcdef0123456789abcdef", "a", "d"}, "no account": {string(testKey), "", "ad"},
	} {
		if _, ok := parseCursor(text, []byte(other.key), other.account, other.dataset); ok {
			t.Errorf("%s: got the cursor, want none", name)
		}
	}
	if c, ok := parseCursor("", testKey, "a", "d"); !ok || c.through == nil || len(c.through) > 0 {
		t.Errorf("the beginning: got %+v, %v", c, ok)
	}
	for i := range text {
		for _, letter := range []byte{'A', 'B', '_', '=', '\n'} {
			if text[i] == letter {
				continue
			}
			changed := text[:i] + string(letter) + text[i+1:]
			got, ok := parseCursor(changed, testKey, "a", "d")
			// The last letter of base64 has bits that stand for nothing.
			if ok && (i < len(text)-1 || !maps.Equal(got.through, c.through)) {
				t.Errorf("letter %d as %q: got the cursor, want none", i, letter)
			}
		}
	}
}

// Whatever is sent, nothing panics, and only what text wrote is read: also when
// the bytes under the seal are anything at all.
func FuzzCursor(f *testing.F) {
	c := cursor{epoch: protocol.Token{9}, schema: 1, through: map[string]uint64{"27169": 12}}
	f.Add(c.text(testKey, "a", "d"), []byte{1})
	f.Add("", []byte{})
	f.Add("AAAA", append(append([]byte{cursorVersion}, make([]byte, 16)...), 1, 255, 255, 255, 255, 15, 200))
	f.Fuzz(func(t *testing.T, text string, under []byte) {
		if c, ok := parseCursor(text, testKey, "a", "d"); ok && text != "" {
			if again, ok := parseCursor(c.text(testKey, "a", "d"), testKey, "a", "d"); !ok || !maps.Equal(again.through, c.through) {
				t.Errorf("got %+v from the text of %+v", again, c)
			}
		}
		c, ok := parseCursor(base64.RawURLEncoding.EncodeToString(append(under[:len(under):len(under)], seal(testKey, "a", "d", under)...)), testKey, "a", "d")
		if ok && c.through == nil {
			t.Error("a cursor without its map")
		}
	})
}
