package town

import (
	"fmt"
	"testing"

	"wardbook/conflict"
)

// Fifty devices leave and fifty come, and each edits every record after the
// other; one that was away all the time, having written nothing, comes back, and
// then one whose store was lost. Nobody wrote at the same time: there is no
// conflict anywhere.
func TestFiftyDevicesLeaveAndFiftyCome(t *testing.T) {
	w := New(t, Cards(1))
	away := w.Device(w.Officer("officer.away", unitA), "away")
	var ids []string
	for i := range 5 {
		ids = append(ids, away.Put("", "name", fmt.Sprint("N", i), "note", "first", "phone", "1"))
	}
	away.Sync()
	for i := range 100 {
		d := w.Device(w.Officer(fmt.Sprint("officer.", i), unitA), fmt.Sprint("d", i))
		d.Sync()
		for _, id := range ids {
			d.Put(id, "note", fmt.Sprint("by ", i), "phone", fmt.Sprint(i))
		}
		d.Sync()
		if i < 50 {
			w.Revoke(d.Account) // leaves for good
		}
	}
	away.Sync()
	lost := w.Device(away.Account, "lost")
	lost.Sync()
	for _, d := range []*Device{away, lost} {
		for _, id := range ids {
			d.wantShown(id, "note", "by 99")
			d.wantShown(id, "phone", "99")
		}
		s, err := d.R.Status(ctx)
		w.Must(err)
		if s.Conflicts != 0 || s.Quarantined != 0 {
			t.Errorf("%s: %d conflicts, %d in quarantine", d.Label, s.Conflicts, s.Quarantined)
		}
	}
	for _, id := range ids {
		state, _ := w.State(id)
		for k, f := range state.All() {
			if f.Len() != 1 && k.ID >= conflict.FirstUserField {
				t.Errorf("%s: field %v has %d values", id, k, f.Len())
			}
		}
	}
	w.wantNothingAside()
	w.Conserve()
}
