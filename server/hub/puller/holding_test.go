package puller

import (
	"os"
	"path/filepath"
	"testing"
)

// pageOf makes a page out of items.
func pageOf(cursor string, items ...item) page {
	n := len(items)
	return page{raw: []byte(cursor), items: items, end: end{NextCursor: &cursor, Count: &n}}
}

func up(record string, revision uint64) item {
	return item{Op: "upsert", RecordID: record, WardCode: ward, Revision: revision, ContentSHA256: "of " + record, SchemaVersion: 1}
}

// A page that comes again brings nothing back and counts nothing twice.
func TestTakeTwice(t *testing.T) {
	gone := item{Op: "delete", RecordID: "a", WardCode: ward, Revision: 2, SchemaVersion: 1}
	first, second, third := pageOf("1", up("a", 1)), pageOf("2", gone, up("b", 3)), pageOf("3", up("b", 4), up("c", 5))
	once := newHolding()
	for _, p := range []page{first, second, third} {
		once.take(p, 0)
	}
	count, hash, through := once.count(ward)
	if count != 2 || through != 5 {
		t.Fatalf("got %d records at revision %d, want 2 at 5", count, through)
	}
	twice := newHolding()
	for i, p := range []page{first, first, second, first, second, third, second, first} {
		if err := twice.joins(p); err != nil {
			t.Errorf("page %d: %v", i, err)
		}
		twice.take(p, 0)
	}
	if n, h, at := twice.count(ward); n != count || h != hash || at != through {
		t.Errorf("got %d records with hash %s at revision %d, want %d, %s and %d", n, h, at, count, hash, through)
	}
	if err := once.joins(pageOf("4", up("d", 7))); err == nil {
		t.Error("a page with a gap joins")
	}
	if err := once.joins(pageOf("4", up("d", 6), up("d", 8))); err == nil {
		t.Error("a page with a gap inside joins")
	}
}

// What stands behind the last complete page is gone once the log is open.
func TestOpenLogDropsTheRest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "pages.ndjson")
	good := `{"next_cursor":"c","count":0,"more":false}` + "\n"
	good += seal([]byte(good))
	for _, rest := range []string{"", "{", good[:len(good)-1], "\x00\x00\x00\x00", "{}\n"} {
		if err := os.WriteFile(path, []byte(good+rest), 0o600); err != nil {
			t.Fatal(err)
		}
		l, h, dropped, err := openLog(dir, "d")
		if err != nil {
			t.Fatal(err)
		}
		l.close()
		if b, err := os.ReadFile(path); err != nil || string(b) != good || h.cursor != "c" || dropped != int64(len(rest)) {
			t.Errorf("behind it %q: got %q and %d dropped, want the page alone (%v)", rest, b, dropped, err)
		}
	}
}
