package puller

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"wardbook/server/hub/canonical"
)

// errPage is wrapped by every reason not to take a page: it was cut, or is not
// what a page is. It is asked for again.
var errPage = errors.New("page discarded")

// maxLine bounds one line of a page, in bytes.
const maxLine = 16 << 20

// item is what the puller reads of a line.
type item struct {
	Op            string          `json:"op"`
	Dataset       string          `json:"dataset"`
	SchemaVersion uint32          `json:"schema_version"`
	RecordID      string          `json:"record_id"`
	WardCode      string          `json:"ward_code"`
	Revision      uint64          `json:"revision"`
	Erased        bool            `json:"erased"`
	Forgotten     bool            `json:"forgotten"` // of an erased record, in the log alone: no line before it holds anything of it
	ContentSHA256 string          `json:"content_sha256"`
	Data          json.RawMessage `json:"data"`

	offset, length int // of the line in the page, without its line feed
}

// end is the closing line.
type end struct {
	NextCursor *string `json:"next_cursor"`
	Count      *int    `json:"count"`
	More       bool    `json:"more"`
}

// page is one complete page.
type page struct {
	raw   []byte // as received, the closing line included
	items []item
	end   end
}

// readPage reads one page of a dataset. judge tells to check what the lines say
// as well; a page out of the log was judged when it came. Every error wraps
// errPage, but for io.EOF when there is nothing at all.
func readPage(r *bufio.Reader, dataset string, judge bool) (page, error) {
	var p page
	for {
		line, err := readLine(r)
		if err == io.EOF && len(p.raw)+len(line) == 0 {
			return p, io.EOF
		}
		if err != nil {
			return p, fmt.Errorf("%w: it ends without its closing line, after %d lines (%v)", errPage, len(p.items), err)
		}
		var it item
		if err := json.Unmarshal(line, &it); err != nil {
			return p, fmt.Errorf("%w: line %d: %v", errPage, len(p.items)+1, err)
		}
		it.offset, it.length = len(p.raw), len(line)-1
		p.raw = append(p.raw, line...)
		if it.Op == "" {
			if err := json.Unmarshal(line, &p.end); err != nil || p.end.NextCursor == nil || p.end.Count == nil {
				return p, fmt.Errorf("%w: line %d is neither an item nor the closing line", errPage, len(p.items)+1)
			}
			if *p.end.Count != len(p.items) {
				return p, fmt.Errorf("%w: it says %d lines and holds %d", errPage, *p.end.Count, len(p.items))
			}
			return p, nil
		}
		if judge {
			if err := it.judge(dataset); err != nil {
				return p, fmt.Errorf("%w: line %d: %v", errPage, len(p.items)+1, err)
			}
		}
		it.Data = nil
		p.items = append(p.items, it)
	}
}

// readLine returns the next line with its line feed; without one it is no line.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		if err == bufio.ErrBufferFull && len(line) <= maxLine {
			continue
		}
		return line, err
	}
}

// judge checks that a line is one of the feed, and its content against its hash.
func (it *item) judge(dataset string) error {
	if it.Dataset != dataset {
		return fmt.Errorf("an item of dataset %q", it.Dataset)
	}
	if it.Forgotten {
		return errors.New("a line that only the log has")
	}
	empty := len(it.Data) == 0 || bytes.Equal(it.Data, []byte("null"))
	switch it.Op {
	case "schema":
		return nil
	case "delete", "retract":
		if !empty {
			return fmt.Errorf("a %s with data", it.Op)
		}
	case "upsert":
		if it.Erased {
			return errors.New("an upsert of what was erased by law")
		}
		sum, err := canonical.ContentHash(it.Data)
		if err != nil {
			return err
		}
		if empty || sum != it.ContentSHA256 {
			return fmt.Errorf("record %q: its content has hash %s, not %q", it.RecordID, sum, it.ContentSHA256)
		}
	default:
		return fmt.Errorf("unknown op %q", it.Op)
	}
	if it.RecordID == "" || it.WardCode == "" || it.Revision == 0 {
		return errors.New("record, ward or revision is missing")
	}
	return nil
}
