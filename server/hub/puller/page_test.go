package puller

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"wardbook/server/hub/canonical"
)

// pageText is a page of n upserts of ward 27169 after revision from.
func pageText(from, n int) string {
	var b strings.Builder
	for i := range n {
		data := fmt.Sprintf(`{"full_name":"Nguyễn Văn %d"}`, i)
		hash, err := canonical.ContentHash([]byte(data))
		if err != nil {
			panic(err)
		}
		fmt.Fprintf(&b, `{"op":"upsert","dataset":"residents","schema_version":1,"record_id":"r%d","ward_code":"27169","revision":%d,"content_sha256":%q,"data":%s}`+"\n", i, from+i+1, hash, data)
	}
	fmt.Fprintf(&b, `{"next_cursor":"c%d","count":%d}`+"\n", from+n, n)
	return b.String()
}

// FuzzReadPage: a page is taken whole as it came, or not at all; every error
// says that it was discarded.
func FuzzReadPage(f *testing.F) {
	f.Add([]byte(pageText(0, 2)))
	f.Add([]byte(pageText(0, 0)))
	f.Add([]byte(pageText(0, 2)[:200]))
	f.Add([]byte(`{"op":"delete","dataset":"residents","record_id":"r","ward_code":"27169","revision":1,"data":null}` + "\n" + `{"next_cursor":"c","count":1}` + "\n"))
	f.Add([]byte(`{"op":"upsert","dataset":"residents","data":{"a":1,"a":2}}` + "\n"))
	f.Add([]byte("{}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		p, err := readPage(r, "residents", true)
		if err != nil {
			if !errors.Is(err, errPage) && !(err == io.EOF && len(b) == 0) {
				t.Errorf("got %v, want a discarded page", err)
			}
			return
		}
		if !bytes.HasPrefix(b, p.raw) || p.end.NextCursor == nil || len(p.items) != *p.end.Count {
			t.Errorf("took %q of %q", p.raw, b)
		}
		for _, it := range p.items {
			if line := p.raw[it.offset : it.offset+it.length]; bytes.ContainsRune(line, '\n') || p.raw[it.offset+it.length] != '\n' {
				t.Errorf("an item is not a line: %q", line)
			}
		}
		// Its own log gives it back.
		h := newHolding()
		if h.joins(p) != nil {
			return
		}
		log := append(bytes.Clone(p.raw), seal(p.raw)...)
		if size := h.read(bytes.NewReader(log), "residents"); size != int64(len(log)) {
			t.Errorf("%d of %d bytes of the log were read again", size, len(log))
		}
		h.lines()
		h.count("27169")
	})
}

// FuzzReadLog: of a log that anything happened to, a prefix of whole pages counts.
func FuzzReadLog(f *testing.F) {
	one, two := pageText(0, 2), pageText(2, 1)
	whole := one + seal([]byte(one)) + two + seal([]byte(two))
	f.Add([]byte(whole))
	f.Add([]byte(whole[:len(whole)-9]))
	f.Add([]byte(strings.Replace(whole, "Nguyễn", "Nguyên", 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		h := newHolding()
		size := h.read(bytes.NewReader(b), "residents")
		if size > int64(len(b)) {
			t.Fatalf("%d bytes of %d were read", size, len(b))
		}
		again := newHolding()
		if n := again.read(bytes.NewReader(b[:size]), "residents"); n != size || again.cursor != h.cursor {
			t.Errorf("the prefix of %d bytes reads as %d, cursor %q, want %q", size, n, again.cursor, h.cursor)
		}
	})
}

// FuzzRefused: what a server, or a proxy before it, answers in the place of a
// page is an error of one kind or the other.
func FuzzRefused(f *testing.F) {
	f.Add(503, "30", "application/json", []byte(`{"error":{"code":"busy","message_en":"Come again."}}`))
	f.Add(404, "Fri, 27 Nov 2026 00:00:00 GMT", "text/html", []byte(`<html>`))
	f.Add(302, "-1", "", []byte(nil))
	f.Fuzz(func(t *testing.T, status int, retry, kind string, body []byte) {
		res := &http.Response{StatusCode: status, Header: http.Header{"Retry-After": {retry}, "Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body))}
		err := refused(res)
		var again *transient
		if err == nil || err.Error() == "" || errors.As(err, &again) && (again.after < 0 || status < 400 && status >= 300) {
			t.Errorf("%d %q: got %v", status, body, err)
		}
	})
}
