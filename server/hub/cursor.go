package hub

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"maps"
	"slices"

	"wardbook/server/store"
	"wardbook/sync/protocol"
)

// cursor is how far a consumer is in a dataset: per unit the last revision.
type cursor struct {
	epoch   protocol.Token
	schema  uint32            // newest definition version told
	through map[string]uint64 // by unit code
}

const cursorVersion = 1

// sealed is the length of the seal that binds a cursor to its account and
// dataset.
const sealed = 16

// text returns the opaque form: versioned, sorted, sealed with key.
func (c cursor) text(key []byte, account store.AccountID, dataset string) string {
	b := []byte{cursorVersion}
	b = append(b, c.epoch[:]...)
	b = binary.AppendUvarint(b, uint64(c.schema))
	b = binary.AppendUvarint(b, uint64(len(c.through)))
	for _, unit := range slices.Sorted(maps.Keys(c.through)) {
		b = append(b, byte(len(unit)))
		b = append(b, unit...)
		b = binary.AppendUvarint(b, c.through[unit])
	}
	return base64.RawURLEncoding.EncodeToString(append(b, seal(key, account, dataset, b)...))
}

func seal(key []byte, account store.AccountID, dataset string, b []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("wardbook cursor\n" + string(account) + "\n" + dataset + "\n"))
	m.Write(b)
	return m.Sum(nil)[:sealed]
}

// maxCursor bounds the text of a cursor; 168 units take some 2,000 bytes.
const maxCursor = 64 << 10

// parseCursor reads what text wrote, for the same account and dataset. The empty
// text is the beginning.
func parseCursor(s string, key []byte, account store.AccountID, dataset string) (cursor, bool) {
	c := cursor{through: map[string]uint64{}}
	if s == "" {
		return c, true
	}
	if len(s) > maxCursor {
		return c, false
	}
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil || len(b) < 1+len(c.epoch)+2+sealed {
		return c, false
	}
	b, mark := b[:len(b)-sealed], b[len(b)-sealed:]
	if !hmac.Equal(mark, seal(key, account, dataset, b)) || b[0] != cursorVersion {
		return c, false
	}
	// Sealed by us: from here on it is what text wrote.
	b = b[1+copy(c.epoch[:], b[1:]):]
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			b = nil
			return 0
		}
		b = b[size:]
		return n
	}
	c.schema = uint32(number())
	for n := number(); n > 0 && len(b) > 0; n-- {
		size := int(b[0])
		if len(b) < 1+size {
			return c, false
		}
		unit := string(b[1 : 1+size])
		b = b[1+size:]
		c.through[unit] = number()
	}
	return c, true
}
