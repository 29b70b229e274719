package canonical

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf16"
)

// JSON returns the canonical form of a JSON text by RFC 8785. Numbers are IEEE
// 754 doubles, as that standard says. A repeated key, a number beyond the
// doubles, and anything after the value are errors.
func JSON(text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	b, err := appendValue(make([]byte, 0, len(text)), d)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("canonical JSON: more than one value")
	}
	return b, nil
}

func appendValue(b []byte, d *json.Decoder) ([]byte, error) {
	t, err := d.Token()
	if err == io.EOF {
		return nil, io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case bool:
		return strconv.AppendBool(b, t), nil
	case string:
		return appendString(b, t), nil
	case json.Number:
		return appendNumber(b, t)
	case json.Delim:
		if t == '[' {
			return appendArray(b, d)
		}
		return appendObject(b, d)
	}
	return append(b, "null"...), nil
}

func appendArray(b []byte, d *json.Decoder) ([]byte, error) {
	b = append(b, '[')
	var err error
	for first := true; d.More(); first = false {
		if !first {
			b = append(b, ',')
		}
		if b, err = appendValue(b, d); err != nil {
			return nil, err
		}
	}
	_, err = d.Token() // the bracket
	return append(b, ']'), err
}

func appendObject(b []byte, d *json.Decoder) ([]byte, error) {
	type member struct {
		key   []uint16 // keys are ordered by UTF-16 code units
		bytes []byte
	}
	var members []member
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key := t.(string) // or Token would have failed
		m := member{key: utf16.Encode([]rune(key))}
		if m.bytes, err = appendValue(append(appendString(nil, key), ':'), d); err != nil {
			return nil, err
		}
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil { // the brace
		return nil, err
	}
	slices.SortFunc(members, func(x, y member) int { return slices.Compare(x.key, y.key) })
	b = append(b, '{')
	for i, m := range members {
		if i > 0 {
			if slices.Equal(m.key, members[i-1].key) {
				return nil, errors.New("a key is repeated")
			}
			b = append(b, ',')
		}
		b = append(b, m.bytes...)
	}
	return append(b, '}'), nil
}

func appendNumber(b []byte, n json.Number) ([]byte, error) {
	f, err := n.Float64()
	if err != nil {
		return nil, fmt.Errorf("number %s is no double", n)
	}
	if f == 0 {
		return append(b, '0'), nil // minus zero too
	}
	text, err := json.Marshal(f) // prints as ECMAScript does
	return append(b, text...), err
}

// appendString escapes exactly what RFC 8785 does.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch r {
		case '"', '\\':
			b = append(b, '\\', byte(r))
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			if r < ' ' {
				b = fmt.Appendf(b, `\u%04x`, r)
				continue
			}
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
