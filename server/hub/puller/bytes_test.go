package puller

import (
	"bufio"
	"bytes"
)

func reader(b []byte) *bufio.Reader { return bufio.NewReaderSize(bytes.NewReader(b), 16) }

// lastLine returns the last line of b, whole.
func lastLine(b []byte) string {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}

// readCloser is a request's body that was read once and is sent on.
type readCloser struct{ *bytes.Buffer }

func (readCloser) Close() error { return nil }
