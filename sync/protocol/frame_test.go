package protocol

import (
	"bytes"
	"errors"
	"testing"
)

func TestFrames(t *testing.T) {
	one, two := Encode(nil, &Ping{1}), bytes.Repeat([]byte("x"), 300)
	largest := make([]byte, MaxMessage)
	body := AppendFrame(AppendFrame(nil, one), two)
	many := bytes.Repeat([]byte{1, 'x'}, MaxFrames)
	tests := []struct {
		name string
		body []byte
		want int
		err  error
	}{
		{"empty", nil, 0, nil},
		{"two", body, 2, nil},
		{"cut in a message", body[:len(body)-1], 1, ErrCut},
		{"cut in a length", body[:len(one)+2], 1, ErrCut},
		{"largest", AppendFrame(nil, largest), 1, nil},
		{"too large", AppendFrame(nil, append(largest, 0)), 0, ErrTooLarge},
		{"a length without end", bytes.Repeat([]byte{0xff}, 20), 0, ErrTooLarge},
		{"a longer form of a length", []byte{0x81, 0, 'x'}, 0, ErrMalformed},
		{"an empty message", []byte{0}, 0, ErrMalformed},
		{"as many as may be", many, MaxFrames, nil},
		{"too many", append(many, 1, 'x'), 0, ErrTooLarge},
		{"too long a body", make([]byte, MaxExchange+1), 0, ErrTooLarge},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ReadFrames(tt.body)
			if !errors.Is(err, tt.err) || len(got) != tt.want {
				t.Errorf("got %d messages, %v, want %d, %v", len(got), err, tt.want, tt.err)
			}
			var again []byte
			for _, m := range got {
				again = AppendFrame(again, m)
			}
			if !bytes.HasPrefix(tt.body, again) || err == nil && len(again) != len(tt.body) {
				t.Errorf("the messages do not make the body again")
			}
		})
	}
}
