package simtest

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// ErrTranscript is what is wrong with a text that is no transcript.
var ErrTranscript = errors.New("a transcript is comments, one line \"seed N mix NAME devices N\", then steps \"OP A B\"")

// ReadTranscript reads a transcript line by line: it gives each pair of words of
// the first line to head and each step behind it to step, and returns what the
// comments before them say it is about.
func ReadTranscript(text string, head func(name, value string) error, step func(op string, a, b uint32) error) (about string, err error) {
	begun := false
	in := bufio.NewScanner(strings.NewReader(text))
	for in.Scan() {
		line := strings.TrimSpace(in.Text())
		words := strings.Fields(line)
		switch comment, ok := strings.CutPrefix(line, "#"); {
		case ok && begun, line == "":
		case ok:
			about += strings.TrimSpace(comment) + "\n"
		case begun:
			if err := readStep(words, step); err != nil {
				return about, fmt.Errorf("%q: %w", line, err)
			}
		case len(words)%2 != 0:
			return about, ErrTranscript
		default:
			begun = true
			for i := 0; i < len(words); i += 2 {
				if err := head(words[i], words[i+1]); err != nil {
					return about, err
				}
			}
		}
	}
	if !begun {
		return about, ErrTranscript
	}
	return about, in.Err()
}

func readStep(words []string, step func(op string, a, b uint32) error) error {
	if len(words) != 3 {
		return ErrTranscript
	}
	a, err := strconv.ParseUint(words[1], 10, 32)
	if err != nil {
		return err
	}
	b, err := strconv.ParseUint(words[2], 10, 32)
	if err != nil {
		return err
	}
	return step(words[0], uint32(a), uint32(b))
}

// WriteTranscript is the reverse. Each step is told by its String.
func WriteTranscript[S fmt.Stringer](about, head string, steps []S) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(about)) {
		fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
	}
	fmt.Fprintln(&b, head)
	for _, s := range steps {
		fmt.Fprintln(&b, s)
	}
	return b.String()
}
