package protocol

import (
	"errors"
	"fmt"
)

// ErrCut is wrapped by ReadFrames' error for a body that ends inside a frame,
// as an interrupted transfer does.
var ErrCut = errors.New("body is cut short")

// AppendFrame appends an encoded message with its length before it, the form
// in which messages follow each other in an HTTPS body.
func AppendFrame(dst, message []byte) []byte {
	return append(appendNumber(dst, uint64(len(message))), message...)
}

// ReadFrames returns the messages of an HTTPS body, still encoded; they share
// b's memory. With ErrCut it also returns the messages that came whole, which
// may be used; with ErrMalformed and ErrTooLarge it returns none.
func ReadFrames(b []byte) ([][]byte, error) {
	if len(b) > MaxExchange {
		return nil, fmt.Errorf("read a body of %d bytes, at most %d: %w", len(b), MaxExchange, ErrTooLarge)
	}
	var frames [][]byte
	for off := 0; off < len(b); {
		if len(frames) == MaxFrames {
			return nil, fmt.Errorf("read a body of more than %d messages: %w", MaxFrames, ErrTooLarge)
		}
		n, size := 0, 0
		for ; ; size++ {
			if off+size == len(b) {
				return frames, fmt.Errorf("read message %d of a body: %w", len(frames)+1, ErrCut)
			}
			c := b[off+size]
			if size > 0 && c == 0 {
				return nil, fmt.Errorf("read message %d of a body: length is not in its shortest form: %w", len(frames)+1, ErrMalformed)
			}
			n |= int(c&0x7f) << (7 * size)
			if n > MaxMessage {
				return nil, fmt.Errorf("read message %d of a body: %w", len(frames)+1, ErrTooLarge)
			}
			if c < 0x80 {
				break
			}
			if size == 2 {
				return nil, fmt.Errorf("read message %d of a body: %w", len(frames)+1, ErrTooLarge)
			}
		}
		off += size + 1
		if n == 0 {
			return nil, fmt.Errorf("read message %d of a body: it is empty: %w", len(frames)+1, ErrMalformed)
		}
		if n > len(b)-off {
			return frames, fmt.Errorf("read message %d of a body: %w", len(frames)+1, ErrCut)
		}
		frames = append(frames, b[off:off+n:off+n])
		off += n
	}
	return frames, nil
}
