package review

import (
	"fmt"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
)

// crowd lets a make n records and hands them in.
func (w *world) crowd(a *device, n int) []conflict.RecordID {
	ids := make([]conflict.RecordID, n)
	for i := range ids {
		ids[i] = a.save(conflict.RecordID{}, form{values: values(fmt.Sprintf("name=N%d", i), "note=old")})
	}
	a.sync(ids...)
	return ids
}

func codes(refusals []*protocol.Refusal) map[protocol.Code]int {
	n := map[protocol.Code]int{}
	for _, r := range refusals {
		n[r.Code]++
	}
	return n
}

// A store that was emptied by a fault pushes its emptiness: nothing of it is
// applied, what does not build on it goes on, and one word of a supervisor
// decides about all of it.
func TestTheBrakeHoldsAMassDeletion(t *testing.T) {
	for _, release := range []bool{true, false} {
		t.Run(fmt.Sprint("release ", release), func(t *testing.T) {
			w := newWorld(t)
			a, b, s := w.officer("officer.a"), w.officer("officer.b"), w.supervisor("supervisor")
			ids := w.crowd(a, 30)
			b.pull(ids...)
			for _, id := range ids[:25] {
				b.save(id, form{deleted: ptr(true)})
			}
			b.save(ids[0], form{deleted: ptr(false)}) // saw the deletion
			b.save(ids[29], form{values: values("note=new")})
			refusals := b.push()
			if n := codes(refusals); n[protocol.Brake] != 25 || n[protocol.Dependent] != 1 || len(refusals) != 26 {
				t.Fatalf("got %v", n)
			}
			if got, want := refusals[0].Detail, "25/20 records, 0/100 fields"; got != want {
				t.Errorf("got detail %q, want %q", got, want)
			}
			for _, id := range ids {
				if got := w.state(id).Life(); got != conflict.Alive {
					t.Fatalf("got %v, want nothing deleted", got)
				}
			}
			if got := fieldOf(t, w.look(s, ids[29]), "note").Merged.Value; got != "new" {
				t.Errorf("what does not build on it: got %q", got)
			}
			items := w.aside(s)
			held := items[0]
			if len(items) != 2 || held.Code != "brake" || held.Changesets != 25 || held.Records != 25 || !held.Releasable || held.Author != "officer.b" {
				t.Fatalf("got %+v", items)
			}
			// More comes after the supervisor looked: it is not decided unseen.
			b.pull(ids...)
			b.save(ids[26], form{deleted: ptr(true)})
			if n := codes(b.push()); n[protocol.Brake] != 1 {
				t.Fatalf("later the same day: got %v, want it held", n)
			}
			req := SettleAsideRequest{ID: held.ID, Reason: "asked by phone"}
			decide, want := w.desk.Reject, conflict.Alive
			if release {
				decide, want = w.desk.Release, conflict.Deleted
			}
			out, err := decide(s.ctx, req)
			if err != nil || out.Changesets != 25 || out.Left != 0 {
				t.Fatalf("got %+v, %v", out, err)
			}
			for i, id := range ids[:27] {
				want := want
				if i >= 25 {
					want = conflict.Alive
				}
				if got := w.state(id).Life(); got != want {
					t.Errorf("record %d: got %v, want %v", i, got, want)
				}
			}
			if rest := w.aside(s); len(rest) != 2 || rest[1].Code != "brake" || rest[1].Changesets != 1 {
				t.Errorf("left: got %+v", rest)
			}
			_, err = decide(s.ctx, req)
			wantCode(t, err, "settled")
			if len(w.settled) != 25 {
				t.Errorf("the device was told of %d", len(w.settled))
			}
			// After a release the day begins anew, after a rejection it does not.
			b.pull(ids...)
			b.save(ids[27], form{deleted: ptr(true)})
			if n := codes(b.push()); n[protocol.Brake] > 0 == release {
				t.Errorf("after the decision: got %v", n)
			}
		})
	}
}

// Blanks count by field, a push of several parts and the whole day together,
// and no day but this one.
func TestTheBrakeCountsADay(t *testing.T) {
	w := newWorld(t)
	a := w.officer("officer.a")
	ids := w.crowd(a, 102)
	blank := func(from, to int) map[protocol.Code]int {
		a.pull(ids...)
		for _, id := range ids[from:to] {
			a.save(id, form{values: values("note="), draft: true})
		}
		return codes(a.push())
	}
	if n := blank(0, 60); len(n) > 0 {
		t.Fatalf("60 blanks: got %v", n)
	}
	if n := blank(60, 100); len(n) > 0 {
		t.Fatalf("100 blanks: got %v", n)
	}
	if n := blank(100, 101); n[protocol.Brake] != 1 {
		t.Fatalf("101 blanks: got %v, want the last one held", n)
	}
	w.clock.Add(24 * time.Hour.Milliseconds())
	if n := blank(101, 102); len(n) > 0 {
		t.Errorf("the next day: got %v", n)
	}
}

// What a larger unit may lose in a day is more, up to a bound.
func TestTheBrakeKnowsTheUnitsSize(t *testing.T) {
	w := newWorld(t)
	a, b := w.officer("officer.a"), w.officer("officer.b")
	ids := w.crowd(a, 2500)
	b.pull(ids...)
	remove := func(d *device, from, to int) map[protocol.Code]int {
		for _, id := range ids[from:to] {
			d.save(id, form{deleted: ptr(true)})
		}
		return codes(d.push())
	}
	if n := remove(b, 0, 25); len(n) > 0 {
		t.Errorf("a hundredth: got %v", n)
	}
	if n := remove(b, 25, 26); n[protocol.Brake] != 1 {
		t.Errorf("one more: got %v", n)
	}
	if n := remove(a, 26, 40); len(n) > 0 {
		t.Errorf("another officer: got %v", n)
	}
}

// A restored server gets back what it once had, however much of it empties, and
// holds what is new.
func TestTheBrakeLetsThroughWhatCameBefore(t *testing.T) {
	for _, had := range []bool{true, false} {
		w := newWorld(t)
		a, b := w.officer("officer.a"), w.officer("officer.b")
		ids := w.crowd(a, 30)
		b.pull(ids...)
		for _, id := range ids[:25] {
			b.save(id, form{deleted: ptr(true)})
		}
		w.update(func(tx *sqliteTx) error {
			l := ledgerOf(tx)
			if err := l.BeginEpoch(); err != nil {
				return err
			}
			hello := &protocol.Hello{Replica: b.id, Last: b.counter, Next: protocol.Token{1}}
			if had {
				hello.Acked = b.counter
			}
			_, _, err := w.ledger.Admit(l, ledger.Author{Account: b.who.name, Device: string(b.who.p.Device), Unit: ward, Sensitive: true}, hello)
			return err
		})
		want := map[bool]int{true: 0, false: 25}[had]
		if n := codes(b.push()); n[protocol.Brake] != want {
			t.Errorf("had them before %v: got %v, want %d held", had, n, want)
		}
	}
}
