package town

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// crowd has n devices hold one record and write its note offline, each several
// times in forms that were opened beforehand, so that none has seen another; then
// they connect one after the other.
func crowd(w *Town, n, forms int, note func(i int) string) (id string, devices []*Device) {
	w.T.Helper()
	for i := range n {
		devices = append(devices, w.Device(w.Officer(fmt.Sprint("officer.", i), unitA), fmt.Sprint("d", i)))
	}
	id = devices[0].Put("", "name", "Lan", "note", "first")
	for _, d := range devices {
		d.Sync()
	}
	for i, d := range devices {
		var open []string
		for range forms {
			f, err := d.R.OpenForm(ctx, id, "cards")
			w.Must(err)
			open = append(open, f.Key)
		}
		for j, key := range open {
			_, err := d.R.Save(ctx, replica.SaveRequest{Key: key, Values: map[string]string{"note": note(i*forms + j)}})
			w.Must(err)
			w.Now++
		}
	}
	for _, d := range devices {
		d.Sync()
	}
	return id, devices
}

// A thousand times one field is written by who has seen none of the others: the
// record is one row, whose field has all the values, in a page that every device
// takes; and all thousand changesets are in the history.
func TestAThousandWritesOfOneField(t *testing.T) {
	t.Parallel()
	w := New(t, Cards(1))
	id, devices := crowd(w, 100, 10, func(i int) string { return fmt.Sprint("by ", i) })
	if n := w.Records()[unitA]; n != 1 {
		t.Errorf("got %d records, want 1", n)
	}
	state, _ := w.State(id)
	f := state.Field(conflict.Key(17))
	values := map[conflict.Value]bool{}
	for _, s := range f.Siblings() {
		values[s.Value] = true
	}
	if f.Len() != 1000 || len(values) != 1000 {
		t.Errorf("got %d siblings with %d values, want 1000 of each", f.Len(), len(values))
	}
	stored := 0
	for _, r := range w.DB.Replicas() {
		stored += len(w.DB.Intakes(r.No))
	}
	if stored != 1001 {
		t.Errorf("got %d changesets in the history, want 1001", stored)
	}
	newcomer := w.Device(w.Officer("officer.new", unitA), "new")
	for _, d := range []*Device{devices[0], newcomer} {
		d.Sync()
		r, err := d.R.Record(ctx, id)
		w.Must(err)
		if n := len(r.Conflicts["note"]); n != 1000 {
			t.Errorf("%s shows %d values, want 1000", d.Label, n)
		}
	}
	w.wantNothingAside()
	w.Conserve()
}

// Values that together are more than a page can tell: what no device could be
// told waits in quarantine, and nobody is cut off from the ward's stream.
func TestARecordTooLargeToTell(t *testing.T) {
	t.Parallel()
	w := New(t, Cards(1))
	chance := rand.New(rand.NewPCG(1, 1)) // what packs well would fit
	id, devices := crowd(w, 50, 1, func(int) string {
		b := make([]byte, 60_000)
		for i := range b {
			b[i] = 'a' + byte(chance.IntN(26))
		}
		return string(b)
	})
	after := devices[0].Put("", "name", "Hoa")
	devices[0].Sync()
	newcomer := w.Device(w.Officer("officer.new", unitA), "new")
	for _, d := range append(devices, newcomer) {
		d.Sync()
		d.wantShown(after, "name", "Hoa")
	}
	state, _ := w.State(id)
	shown, aside := state.Field(conflict.Key(17)).Len(), 0
	for _, q := range w.Aside() {
		if aside++; q.Code != protocol.TooLarge {
			t.Errorf("in quarantine for %v: %s", q.Code, q.Detail)
		}
	}
	if shown < 5 || aside == 0 || shown+aside != len(devices) {
		t.Errorf("got %d values shown and %d in quarantine, want %d in all", shown, aside, len(devices))
	}
	release := func() error {
		q := w.Aside()[0]
		return w.DB.Update(func(tb ledger.Tables) error {
			in, _, err := tb.Intake(q.Replica, q.Counter)
			w.Must(err)
			c, err := record.ParseChangeset(in.Bytes)
			w.Must(err)
			_, _, err = w.Ledger.Release(tb, c.Unit, c.Unit, c.Author, c.At, c.Edits)
			return err
		})
	}
	var refused *protocol.Error
	if err := release(); !errors.As(err, &refused) || refused.Code != protocol.TooLarge {
		t.Errorf("released into a record that is full: %v", err)
	}
	// Once somebody has chosen one value, there is room again.
	chosen := "chosen"
	_, err := newcomer.R.Settle(ctx, replica.SettleRequest{ID: id, Field: "note", Value: &chosen})
	w.Must(err)
	newcomer.Sync()
	w.Must(release())
	newcomer.Sync()
	newcomer.wantShown(after, "name", "Hoa")
	r, err := newcomer.R.Record(ctx, id)
	w.Must(err)
	if n := len(r.Conflicts["note"]); n != 2 {
		t.Errorf("after a release got %d values, want the one chosen and the one released", n)
	}
	w.Conserve()
}
