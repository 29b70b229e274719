package review

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"slices"

	"wardbook/conflict"
)

// digestFormat opens a digest.
const digestFormat = 1

// mark stands for one field as it was on the screen: its siblings' dots and
// values and its approved dots, under the server's own key, so that it tells
// nobody a masked value.
type mark [8]byte

// marks are a record's marks by field, with the version of the definition that
// it was shown under.
type marks struct {
	definition uint32
	fields     map[conflict.FieldKey]mark
}

// bound reports whether a decision is bound to the field's state. The review
// and answer fields are: another supervisor's decision and an author's answer
// change what was on the screen. So is the submission, which says what a
// decision about "everything" concerns.
func (d *dossier) markAll(key []byte) marks {
	m := marks{definition: d.def.Version, fields: map[conflict.FieldKey]mark{}}
	for _, id := range []conflict.FieldID{conflict.FieldSubmission, conflict.FieldReview, conflict.FieldAnswer} {
		m.fields[conflict.Key(id)] = d.mark(key, conflict.Key(id))
	}
	for i := range d.fields {
		for _, k := range d.fields[i].keys {
			m.fields[k] = d.mark(key, k)
		}
	}
	return m
}

func (d *dossier) mark(key []byte, k conflict.FieldKey) mark {
	sum := hmac.New(sha256.New, key)
	text := func(s string) {
		sum.Write(binary.AppendUvarint(nil, uint64(len(s))))
		sum.Write([]byte(s))
	}
	text(d.row.ID.String())
	text(k.String())
	for _, s := range d.head.Field(k).Siblings() {
		text(s.Dot.String())
		text(string(s.Value))
	}
	text("approved")
	for _, dot := range d.version.Fields[k].Dots {
		text(dot.String())
	}
	return mark(sum.Sum(nil)[:8])
}

// String returns the digest: opaque to whoever gets it.
func (m marks) String() string {
	b := binary.AppendUvarint([]byte{digestFormat}, uint64(m.definition))
	for _, k := range sortedKeys(m.fields) {
		v := m.fields[k]
		b = binary.AppendUvarint(b, uint64(k.ID))
		b = binary.AppendUvarint(b, uint64(len(k.Elem)))
		b = append(b, k.Elem...)
		b = append(b, v[:]...)
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// parseMarks reads a digest. What cannot be read gives marks that fit nothing.
func parseMarks(digest string) marks {
	m := marks{fields: map[conflict.FieldKey]mark{}}
	b, err := base64.RawURLEncoding.DecodeString(digest)
	if err != nil || len(b) == 0 || b[0] != digestFormat {
		return m
	}
	b = b[1:]
	number := func() uint64 {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			b = nil
			return 0
		}
		b = b[size:]
		return n
	}
	definition := uint32(number())
	for len(b) > 0 {
		k := conflict.FieldKey{ID: conflict.FieldID(number())}
		n := number()
		if n > uint64(len(b)) || uint64(len(b))-n < uint64(len(mark{})) {
			return marks{}
		}
		k.Elem = string(b[:n])
		m.fields[k] = mark(b[n : n+8])
		b = b[n+8:]
	}
	m.definition = definition
	return m
}

// differ lists the fields in which m and what was seen are not the same.
func (m marks) differ(seen marks) []conflict.FieldKey {
	var keys []conflict.FieldKey
	for k, v := range m.fields {
		if w, ok := seen.fields[k]; !ok || w != v {
			keys = append(keys, k)
		}
	}
	for k := range seen.fields {
		if _, ok := m.fields[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, conflict.FieldKey.Compare)
	return keys
}

// same reports whether what was seen is what stands.
func (m marks) same(seen marks) bool {
	return m.definition == seen.definition && len(m.differ(seen)) == 0
}

func sortedKeys[V any](m map[conflict.FieldKey]V) []conflict.FieldKey {
	keys := make([]conflict.FieldKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, conflict.FieldKey.Compare)
	return keys
}
