package puller

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"wardbook/server/hub/canonical"
)

// line is what the puller reads of an item.
type line struct {
	RecordID string          `json:"record_id"`
	Op       string          `json:"op"`
	WardCode string          `json:"ward_code"`
	Revision uint64          `json:"revision"`
	SHA256   *string         `json:"content_sha256"`
	Data     json.RawMessage `json:"data"`
}

// commit ends a page in the journal: what stands before it counts.
type commit struct {
	Cursor string `json:"cursor"`
	Lines  int    `json:"lines"`
}

// journal is one dataset's pages as they came, each ended by a commit line. A
// page without its commit line is cut off when the journal is opened, so that
// a page counts once or not at all whenever the program dies.
type journal struct {
	dir    string
	file   *os.File
	cursor string
	held   map[string]line   // live records by id
	unit   map[string]uint64 // last revision by unit
}

const journalName = "pages.ndjson"

func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	j := &journal{dir: dir}
	var err error
	if j.file, err = os.OpenFile(filepath.Join(dir, journalName), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, err
	}
	if err := j.replay(); err != nil {
		j.file.Close()
		return nil, err
	}
	return j, nil
}

// replay reads the journal up to its last commit line and cuts off the rest.
func (j *journal) replay() error {
	j.cursor, j.held, j.unit = "", map[string]line{}, map[string]uint64{}
	if _, err := j.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var page [][]byte
	good, at := int64(0), int64(0)
	r := bufio.NewReaderSize(j.file, 1<<20)
	for {
		text, err := r.ReadBytes('\n')
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		at += int64(len(text))
		var c commit
		if bytes.HasPrefix(text, []byte(`{"cursor":`)) && json.Unmarshal(text, &c) == nil {
			if c.Lines != len(page) {
				return fmt.Errorf("%s: a page has %d lines, its end says %d", j.file.Name(), len(page), c.Lines)
			}
			for _, p := range page {
				if err := j.take(p); err != nil {
					return err
				}
			}
			j.cursor, page, good = c.Cursor, nil, at
			continue
		}
		page = append(page, text)
	}
	if err := j.file.Truncate(good); err != nil {
		return err
	}
	_, err := j.file.Seek(good, io.SeekStart)
	return err
}

// take applies one item. A revision that was taken before changes nothing.
func (j *journal) take(text []byte) error {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("read an item: %w", err)
	}
	if l.Op == "schema" || l.Revision <= j.unit[l.WardCode] {
		return nil
	}
	if l.Revision != j.unit[l.WardCode]+1 {
		return fmt.Errorf("unit %s: revision %d follows %d", l.WardCode, l.Revision, j.unit[l.WardCode])
	}
	j.unit[l.WardCode] = l.Revision
	switch l.Op {
	case "upsert":
		sum, err := canonical.ContentHash(l.Data)
		if err != nil {
			return fmt.Errorf("record %s: %w", l.RecordID, err)
		}
		if l.SHA256 == nil || *l.SHA256 != sum {
			return fmt.Errorf("record %s revision %d: its content does not fit its hash", l.RecordID, l.Revision)
		}
		j.held[l.RecordID] = l
	case "delete", "retract":
		delete(j.held, l.RecordID)
	default:
		return fmt.Errorf("record %s revision %d: unknown op %q", l.RecordID, l.Revision, l.Op)
	}
	return nil
}

// append makes a page durable, then takes it.
func (j *journal) append(items [][]byte, cursor string) error {
	var b bytes.Buffer
	for _, it := range items {
		b.Write(it)
	}
	end, err := json.Marshal(commit{cursor, len(items)})
	if err != nil {
		return err
	}
	b.Write(append(end, '\n'))
	if _, err := j.file.Write(b.Bytes()); err != nil {
		return fmt.Errorf("keep a page: %w", err)
	}
	if err := j.file.Sync(); err != nil {
		return fmt.Errorf("keep a page: %w", err)
	}
	for _, it := range items {
		if err := j.take(it); err != nil {
			return err
		}
	}
	j.cursor = cursor
	return nil
}

// restart forgets everything: the server has begun a new life.
func (j *journal) restart() error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	return j.replay()
}

// count returns how many records of a unit are held, and the hash over them.
func (j *journal) count(unit string) (int, string) {
	var lines []string
	for id, l := range j.held {
		if l.WardCode == unit {
			lines = append(lines, id+" "+*l.SHA256)
		}
	}
	return len(lines), canonical.CountHash(lines)
}

// writeData writes data.ndjson: one line per live record, sorted by id.
func (j *journal) writeData() error {
	var b bytes.Buffer
	for _, id := range slices.Sorted(maps.Keys(j.held)) {
		l := j.held[id]
		text, err := json.Marshal(map[string]any{"record_id": id, "ward_code": l.WardCode, "revision": l.Revision, "content_sha256": l.SHA256, "data": l.Data})
		if err != nil {
			return err
		}
		b.Write(append(text, '\n'))
	}
	return writeFile(filepath.Join(j.dir, "data.ndjson"), b.Bytes())
}

// writeFile replaces a file at once: written beside it, flushed, renamed.
func writeFile(path string, body []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(body)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// readFile returns nil for a file that is not there.
func readFile(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}
