package replica_test

import (
	"strings"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/record"
)

// TestPutBack gives a store what it has lost: once, under the same dots, with what
// was erased meanwhile left blank.
func TestPutBack(t *testing.T) {
	w := newWorld(t)
	d := w.device("phone", "officer.a")
	young := d.store.Clone()
	erased := d.put("", map[string]string{"name": "Nguyễn Thị Xoá", "phone": "0901234567"})
	kept := d.put("", map[string]string{"name": "Trần Văn Còn"})
	d.put(erased, map[string]string{"note": "ghi chú mật"})
	var lost []replica.Lost
	for _, e := range d.outbox() {
		lost = append(lost, replica.Lost{Changeset: e.Changeset})
	}
	last, id := d.r.Meta().Last, mustDot(t, erased)
	lost[0], lost[2] = lost[2], lost[0] // in any order

	d.store = young
	if err := d.store.Commit(ctx, &replica.Batch{Erase: []conflict.RecordID{id}}); err != nil {
		t.Fatal(err)
	}
	d.open()
	for range 2 { // the second time there is nothing to give back
		if err := d.r.PutBack(ctx, lost); err != nil {
			t.Fatal(err)
		}
		entries := d.outbox()
		if len(entries) != 3 || d.r.Meta().Last != last {
			t.Fatalf("got %d entries up to %d, want 3 up to %d", len(entries), d.r.Meta().Last, last)
		}
		for _, e := range entries {
			text := string(record.AppendChangeset(nil, e.Changeset))
			for _, canary := range []string{"Xoá", "0901234567", "901234567", "ghi chú mật"} {
				if strings.Contains(text, canary) {
					t.Errorf("the changeset at %v holds %q of what was erased", e.Changeset.Dot, canary)
				}
			}
		}
		if entries[1].Changeset.Edits[0].Record.String() != kept || !strings.Contains(string(record.AppendChangeset(nil, entries[1].Changeset)), "Trần Văn Còn") {
			t.Errorf("got %+v, want the record that was not erased as it was", entries[1].Changeset)
		}
	}
	if got := d.record(kept).Values["name"]; got != "Trần Văn Còn" {
		t.Errorf("name is %q", got)
	}
	ids, err := d.r.IDs(ctx, "people")
	if err != nil || len(ids) != 1 {
		t.Errorf("got the records %v, %v, want the one that was not erased", ids, err)
	}
	d.open() // and so after a restart
	if ids, err = d.r.IDs(ctx, "people"); err != nil || len(ids) != 1 {
		t.Errorf("after a restart: got the records %v, %v", ids, err)
	}
}
