package review

import (
	"fmt"
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/store"
	"wardbook/sync/register"
)

func TestFind(t *testing.T) {
	w := newWorld(t)
	a := w.officer("officer.a")
	lan := a.saved(conflict.RecordID{}, values("name=Đặng Thị Lan", "phone=0903123456", "illness=Hen suyễn", "note=kín"))
	mai := a.saved(conflict.RecordID{}, values("name=Đặng Mai"))
	a.saved(conflict.RecordID{}, values("name=Trần Hòa"))
	find := func(s who, search string) (FindResponse, error) {
		return w.desk.Find(s.ctx, FindRequest{Register: "people", Search: search})
	}
	check := func(search string, want ...conflict.RecordID) {
		t.Helper()
		out, err := find(a.who, search)
		if err != nil {
			t.Fatalf("%s: %v", search, err)
		}
		var got []string
		for _, f := range out.Rows {
			got = append(got, f.ID)
		}
		var ids []string
		for _, id := range want {
			ids = append(ids, id.String())
		}
		slices.Sort(got)
		slices.Sort(ids)
		if !slices.Equal(got, ids) || out.Total != len(want) {
			t.Errorf("%s: got %v of %d, want %v", search, got, out.Total, ids)
		}
	}
	check("dang", lan, mai)
	check("ĐẶNG  lan", lan)
	check("0903 123 456", lan)
	check("suyen") // sensitive fields are not searched
	check("kin")   // fields that are not for searching neither
	a.pull(mai)
	a.save(mai, form{values: values("name=Đặng Thị Mái")})
	a.sync(mai)
	check("dang thi", lan, mai)
	check("mai", mai)

	out, err := find(a.who, "0903123456")
	if err != nil || len(out.Rows) != 1 || out.Rows[0].Title != "Đặng Thị Lan" || out.Searched != 3 {
		t.Fatalf("got %+v, %v", out, err)
	}
	if want := []register.Hit{{Field: "phone", Text: "•••••••••456"}}; !slices.Equal(out.Rows[0].Why, want) {
		t.Errorf("why it was found: got %+v, want %+v", out.Rows[0].Why, want)
	}
	if _, err := find(a.who, " d "); code(err) != "invalid" {
		t.Errorf("one letter: got %v, want invalid", err)
	}
	if _, err := w.desk.Find(a.who.ctx, FindRequest{Register: "nothing", Search: "dang"}); code(err) != "not_found" {
		t.Errorf("no register: got %v, want not_found", err)
	}
	// Another ward finds nothing of this one; the hub may not look at all.
	other := w.account("officer.x", store.RoleOfficer, otherWard, true)
	if out, err := find(other, "dang"); err != nil || out.Total != 0 || out.Searched != 0 {
		t.Errorf("another ward: got %+v, %v", out, err)
	}
	if _, err := find(w.account("hub", store.RoleHub, "", false), "dang"); code(err) != "forbidden" {
		t.Errorf("the hub: got %v, want forbidden", err)
	}
	n := 0
	for _, action := range w.actions() {
		if action == "record.find" {
			n++
		}
	}
	if n != 9 {
		t.Errorf("got %d searches in the audit log, want the 9 that were answered", n)
	}
}

func TestFindMasks(t *testing.T) {
	w := newWorld(t)
	w.def.ListColumns = []string{"name", "phone"}
	a := w.officer("officer.a")
	for i := range 25 {
		a.saved(conflict.RecordID{}, values(fmt.Sprintf("name=Lê Thị %02d", i), fmt.Sprintf("phone=09031234%02d", i)))
	}
	out, err := w.desk.Find(a.who.ctx, FindRequest{Register: "people", Search: "le thi"})
	if err != nil || len(out.Rows) != findRows || out.Total != 25 {
		t.Fatalf("got %d rows of %d, %v", len(out.Rows), out.Total, err)
	}
	if got := out.Rows[0].Cells[1]; got == "" || len(got) > 0 && got[len(got)-2:] != "00" || got == "0903 123 400" {
		t.Errorf("the telephone is shown as %q, want it masked but for its end", got)
	}
}
