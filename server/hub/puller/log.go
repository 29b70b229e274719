package puller

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// pageLog is the log of a dataset's pages. After each page stands a
// line with the hash of its bytes: of an append that a power cut interrupted, any
// part may be missing. It only grows, but for records that were erased by law.
type pageLog struct {
	file *os.File
	size int64 // end of the last complete page
}

func seal(raw []byte) string { return fmt.Sprintf("{\"page_sha256\":\"%x\"}\n", sha256.Sum256(raw)) }

// openLog opens the log in dir, making it if it is absent, and returns what its
// complete pages add up to. Whatever stands behind them is dropped: it was never
// acknowledged, or can be asked for again.
func openLog(dir, dataset string) (_ *pageLog, h *holding, dropped int64, err error) {
	if err := makeFolder(dir); err != nil {
		return nil, nil, 0, err
	}
	f, err := os.OpenFile(filepath.Join(dir, "pages.ndjson"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, 0, err
	}
	defer func() {
		if err != nil {
			f.Close()
		}
	}()
	if err := syncFolder(dir); err != nil {
		return nil, nil, 0, err
	}
	l, h := &pageLog{file: f}, newHolding()
	l.size = h.read(f, dataset)
	info, err := f.Stat()
	if err != nil {
		return nil, nil, 0, err
	}
	if dropped = info.Size() - l.size; dropped > 0 {
		err = l.cut(l.size)
	}
	return l, h, dropped, err
}

// read takes the complete pages of a log, up to the first that is none, and
// returns where they end.
func (h *holding) read(log io.Reader, dataset string) (size int64) {
	r := bufio.NewReaderSize(log, 64<<10)
	for {
		p, err := readPage(r, dataset, false)
		if err != nil {
			return size
		}
		if line, err := readLine(r); err != nil || string(line) != seal(p.raw) || h.joins(p) != nil {
			return size
		}
		h.take(p, size)
		size += int64(len(p.raw) + len(seal(p.raw)))
	}
}

// cut drops everything behind size.
func (l *pageLog) cut(size int64) error {
	if err := l.file.Truncate(size); err != nil {
		return err
	}
	l.size = size
	return l.file.Sync()
}

// add appends a page. It is durable when add returns; after an error it is not
// in the log.
func (l *pageLog) add(p page) error {
	b := append(append(make([]byte, 0, len(p.raw)+96), p.raw...), seal(p.raw)...)
	_, err := l.file.WriteAt(b, l.size)
	if err = errors.Join(err, l.file.Sync()); err != nil {
		return errors.Join(err, l.cut(l.size))
	}
	l.size += int64(len(b))
	return nil
}

// copyLines writes the lines at the given places to w.
func (l *pageLog) copyLines(w io.Writer, places []version) error {
	b := bufio.NewWriterSize(w, 1<<20)
	for _, v := range places {
		if _, err := io.Copy(b, io.NewSectionReader(l.file, v.offset, int64(v.length))); err != nil {
			return err
		}
		b.WriteByte('\n') // an error stays until Flush
	}
	return b.Flush()
}

// forget writes the log anew without anything of the named records but that they
// were there, and returns what its pages add up to then.
func (l *pageLog) forget(dir, dataset string, records map[string]bool) (*holding, error) {
	path := filepath.Join(dir, "pages.ndjson")
	err := replaceFile(path, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		r := bufio.NewReaderSize(io.NewSectionReader(l.file, 0, l.size), 64<<10)
		for {
			p, err := readPage(r, dataset, false)
			if err == io.EOF {
				return b.Flush()
			}
			if err != nil {
				return err
			}
			if _, err := readLine(r); err != nil { // its seal
				return err
			}
			raw, err := p.without(records)
			if err != nil {
				return err
			}
			b.Write(raw) // an error stays until Flush
			b.WriteString(seal(raw))
		}
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	l.file.Close() // of a file that has no name any more
	h := newHolding()
	l.file, l.size = f, h.read(f, dataset)
	info, err := f.Stat()
	if err == nil && info.Size() != l.size {
		err = fmt.Errorf("the log that was written anew holds %d bytes, of which %d are pages", info.Size(), l.size)
	}
	return h, err
}

// without returns the page's bytes with nothing of the named records but that they
// were there.
func (p page) without(records map[string]bool) ([]byte, error) {
	var raw []byte
	at := 0
	for _, it := range p.items {
		if !records[it.RecordID] {
			continue
		}
		raw = append(raw, p.raw[at:it.offset]...)
		at = it.offset + it.length
		if it.Op == "upsert" {
			it.Op = "retract"
		}
		line, err := json.Marshal(struct {
			RecordID      string `json:"record_id"`
			Dataset       string `json:"dataset"`
			SchemaVersion uint32 `json:"schema_version"`
			Op            string `json:"op"`
			WardCode      string `json:"ward_code"`
			Revision      uint64 `json:"revision"`
			Erased        bool   `json:"erased"`
			Forgotten     bool   `json:"forgotten"`
			Data          any    `json:"data"`
		}{it.RecordID, it.Dataset, it.SchemaVersion, it.Op, it.WardCode, it.Revision, true, true, nil})
		if err != nil {
			return nil, err
		}
		raw = append(raw, line...)
	}
	return append(raw, p.raw[at:]...), nil
}

func (l *pageLog) close() error { return l.file.Close() }
