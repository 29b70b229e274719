package replica_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"wardbook/client-wasm/replica"
	"wardbook/conflict"
	"wardbook/sync/record"
)

// TestInterruptedFirstSync stops the first exchange of a device after each thing
// that it does: what came stays, nothing is called complete or synced before all is
// there, and no record is deleted of which a part may be missing (R47).
func TestInterruptedFirstSync(t *testing.T) {
	const all = 6
	partly := 0
	for cut := 0; ; cut++ {
		w := newWorld(t)
		w.server.PageRecords = 1
		b := w.device("b", "officer.b")
		for i := range all {
			b.put("", map[string]string{"name": fmt.Sprint("N", i), "secret": "kín"})
		}
		b.mustSync()
		a := w.device("a", "officer.a")
		have := -1
		for range 3 { // stopped three times at as many steps, then let through
			l := a.line()
			steps := l.run(cut)
			l.hangUp()
			a.open()
			reply, err := a.r.List(ctx, replica.ListRequest{Register: "people", Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			if len(reply.Rows) < have {
				t.Fatalf("cut after %d steps: %d records were here, now %d", cut, have, len(reply.Rows))
			}
			have = len(reply.Rows)
			s, err := a.r.Status(ctx)
			if err != nil {
				t.Fatal(err)
			}
			done := true
			for _, row := range reply.Rows {
				done = done && a.record(row.ID).Values["secret"] == "kín"
			}
			if done = done && have == all; done {
				if steps < cut {
					if partly < all {
						t.Errorf("only %d cuts left a part", partly)
					}
					return
				}
				continue
			}
			if have > 0 {
				partly++
			}
			if s.Synced {
				t.Errorf("cut after %d steps: synced with %d of %d", cut, have, all)
			}
			for _, stream := range s.Streams {
				if stream.Complete && have < all {
					t.Errorf("cut after %d steps: complete with %d of %d", cut, have, all)
				}
			}
			for _, row := range reply.Rows {
				if a.record(row.ID).Values["secret"] == "kín" {
					continue
				}
				if _, err := a.r.Delete(ctx, row.ID); !errors.Is(err, replica.ErrPartial) {
					t.Errorf("cut after %d steps: deleting a record without its sensitive fields: got %v, want %v", cut, err, replica.ErrPartial)
				}
			}
		}
		a.mustSync()
		if err := w.stands(); err != nil {
			t.Fatalf("cut after %d steps: %v", cut, err)
		}
	}
}

// TestValuesAreWhole saves values of every size around the limit: each arrives at
// the server and at a colleague to its last byte, or is refused by name while it
// is still in the form (R50).
func TestValuesAreWhole(t *testing.T) {
	w := newWorld(t)
	a, b := w.device("a", "officer.a"), w.device("b", "officer.b")
	for name, text := range map[string]string{
		"ASCII": strings.Repeat("x", record.MaxValueBytes-1), "NFC": strings.Repeat("ộ", record.MaxValueBytes/3),
		"decomposed": norm.NFD.String(strings.Repeat("ộ", record.MaxValueBytes/3)),
	} {
		for _, more := range []string{"", "y", "yz"} {
			id := a.put("", map[string]string{"name": name})
			f := a.form(id)
			want := norm.NFC.String(text + more)
			_, err := a.r.Save(ctx, replica.SaveRequest{Key: f.Key, Values: map[string]string{"note": text + more}})
			if len(want) > record.MaxValueBytes {
				var why *replica.Failure
				if !errors.As(err, &why) || why.Code != "too_large" {
					t.Errorf("%s, %d bytes: got %v, want a refusal", name, len(want), err)
				}
				want = ""
			} else if err != nil {
				t.Errorf("%s, %d bytes: %v", name, len(want), err)
			}
			a.mustSync()
			b.mustSync()
			dot, err := conflict.ParseDot(id)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if f := w.server.Record(dot).Field(conflict.Key(18)); f.Len() > 0 {
				got = string(f.At(0).Value)
			}
			if got != want || string(b.record(id).Values["note"]) != want {
				t.Errorf("%s: of %d bytes %d are at the server and %d at a colleague", name, len(want), len(got), len(b.record(id).Values["note"]))
			}
		}
	}
}
