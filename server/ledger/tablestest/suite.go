package tablestest

import (
	"crypto/rand"
	"errors"
	"reflect"
	"slices"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Engine is a storage engine under test, with an empty database.
type Engine interface {
	// Update runs work in a transaction that stands if work returns nil.
	Update(work func(ledger.Tables) error) error
	// View runs work on what is committed.
	View(work func(ledger.Tables) error) error
	// Restored returns the database that comes back from a backup taken now:
	// the same rows in a new epoch, with a fork for every unit. The engine it
	// is called on goes on living.
	Restored(t *testing.T) Engine
}

// Run runs the suite. open returns a new empty engine each time.
func Run(t *testing.T, open func(t *testing.T) Engine) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Engine)
	}{
		{"a new database has an epoch of its own", testNewEpoch},
		{"the server's counter is kept", testServerCounter},
		{"a replica keeps what it was given", testReplica},
		{"a record of an unknown replica enrols it", testEnrol},
		{"intake is found by any counter in it", testIntake},
		{"intake refuses a counter twice", testIntakeTwice},
		{"stored lists in order after a counter", testStored},
		{"quarantine opens once and is settled", testQuarantine},
		{"a record keeps what it was given", testRecord},
		{"changed lists a stream by position", testChanged},
		{"heads and counts are of one stream", testStream},
		{"positions are kept by unit", testPosition},
		{"a record that left is told where it was", testMove},
		{"an arrival waits until it is dropped", testArrival},
		{"replicas are found by device and by silence", testIdentity},
		{"changes of units are kept by list and code", testUnitChanges},
		{"rights that ended are kept in order", testRights},
		{"what was emptied is kept by author, unit and day", testEmptied},
		{"work that fails leaves nothing", testRollback},
		{"what is handed out is the caller's", testOwnership},
		{"what was given back is kept with its latest receipt", testGivenBack},
		{"what was erased is known and blanked", testErased},
		{"an erasure that fails leaves everything", testErasedUndone},
		{"a restored database has a new epoch and forks", testRestored},
		{"the least of several forks counts", testRestoredTwice},
		{"an epoch after the backup is unknown", testRestoredAside},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open(t)) })
	}
}

const (
	unitA = "26734"
	unitB = "27199"
)

func update(t *testing.T, e Engine, work func(ledger.Tables) error) {
	t.Helper()
	if err := e.Update(work); err != nil {
		t.Fatal(err)
	}
}

func view(t *testing.T, e Engine, work func(ledger.Tables) error) {
	t.Helper()
	if err := e.View(work); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s: got %+v, want %+v", what, got, want)
	}
}

func randomReplica() (id conflict.ReplicaID) {
	rand.Read(id[:])
	return id
}

func randomToken() (t protocol.Token) {
	rand.Read(t[:])
	return t
}

func epochOf(t *testing.T, e Engine) (epoch ledger.Epoch) {
	t.Helper()
	view(t, e, func(t ledger.Tables) (err error) { epoch, err = t.Epoch(); return err })
	return epoch
}

func testNewEpoch(t *testing.T, e Engine) {
	got := epochOf(t, e)
	if got.Token == (protocol.Token{}) || got.Server.IsZero() || got.Counter != 0 || got.Restored {
		t.Errorf("got %+v, want a random token and server replica, counter 0, not restored", got)
	}
	same(t, "the epoch read again", epochOf(t, e), got)
	view(t, e, func(tb ledger.Tables) error {
		p, ok, err := tb.Fork(got.Token, unitA)
		same(t, "fork of the present epoch", []any{p, ok}, []any{uint64(0), true})
		if err != nil {
			return err
		}
		_, ok, err = tb.Fork(randomToken(), unitA)
		same(t, "fork of an epoch that never was", ok, false)
		return err
	})
}

func testServerCounter(t *testing.T, e Engine) {
	want := epochOf(t, e)
	want.Counter = 7
	update(t, e, func(tb ledger.Tables) error { return tb.SetServerCounter(7) })
	same(t, "epoch", epochOf(t, e), want)
}

func testReplica(t *testing.T, e Engine) {
	want := ledger.Replica{ID: randomReplica(), Account: "officer.a", Device: "phone", Epoch: randomToken(), Current: randomToken(),
		Previous: randomToken(), Acked: 1 << 40, BackedUp: 3, SeenAt: 1_700_000_000_000, Clock: -7, Trouble: true, Told: `[{"n":3}]`, Parted: true, VanishedAt: 5, RetiredAt: 6}
	view(t, e, func(tb ledger.Tables) error {
		got, ok, err := tb.Replica(want.ID)
		same(t, "an unknown replica", []any{ok, got.No, got.Acked}, []any{false, int64(0), uint64(0)})
		return err
	})
	update(t, e, func(tb ledger.Tables) error {
		other := ledger.Replica{ID: randomReplica()}
		if err := tb.PutReplica(&other); err != nil {
			return err
		}
		if err := tb.PutReplica(&want); err != nil {
			return err
		}
		if want.No == 0 || want.No == other.No {
			t.Errorf("numbers: got %d and %d, want two of their own", want.No, other.No)
		}
		return nil
	})
	read := func() (got ledger.Replica) {
		view(t, e, func(tb ledger.Tables) (err error) { got, _, err = tb.Replica(want.ID); return err })
		return got
	}
	same(t, "replica", read(), want)
	no := want.No
	want.Acked, want.Trouble, want.Account = 1<<40+5, false, "officer.b"
	update(t, e, func(tb ledger.Tables) error { return tb.PutReplica(&want) })
	same(t, "number after a second put", want.No, no)
	same(t, "replica after a second put", read(), want)
}

func testEnrol(t *testing.T, e Engine) {
	id := conflict.RecordID{Replica: randomReplica(), Counter: 4}
	update(t, e, func(tb ledger.Tables) error {
		return tb.PutRecord(&ledger.Row{ID: id, Register: "residents", Unit: unitA, State: []byte{1}})
	})
	view(t, e, func(tb ledger.Tables) error {
		r, ok, err := tb.Replica(id.Replica)
		same(t, "replica of a record", []any{ok, r.Account, r.Acked}, []any{true, "", uint64(0)})
		return err
	})
}

// replicaWith returns the number of a new replica with changesets of 1, 3 and
// 2 writes.
func replicaWith(t *testing.T, e Engine) (no int64, stored []ledger.Intake) {
	r := ledger.Replica{ID: randomReplica(), Account: "officer.a"}
	update(t, e, func(tb ledger.Tables) error {
		if err := tb.PutReplica(&r); err != nil {
			return err
		}
		counter := uint64(1)
		for i, n := range []uint64{1, 3, 2} {
			in := ledger.Intake{Replica: r.No, Counter: counter, Count: n, Hash: record.Hash{byte(i + 1)}, Unit: unitA, Received: int64(100 + i), Bytes: []byte{byte(i), 2}}
			if err := tb.AppendIntake(&in, []conflict.RecordID{{Replica: r.ID, Counter: 1}}); err != nil {
				return err
			}
			stored = append(stored, in)
			counter += n
		}
		return nil
	})
	return r.No, stored
}

func testIntake(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	view(t, e, func(tb ledger.Tables) error {
		for counter, want := range map[uint64]int{1: 0, 2: 1, 3: 1, 4: 1, 5: 2, 6: 2} {
			got, ok, err := tb.Intake(no, counter)
			if err != nil || !ok {
				t.Errorf("intake %d: got %v, %v, want it found", counter, ok, err)
				continue
			}
			same(t, "intake", got, stored[want])
		}
		for _, counter := range []uint64{7, 100} {
			if _, ok, err := tb.Intake(no, counter); ok || err != nil {
				t.Errorf("intake %d: got %v, %v, want nothing", counter, ok, err)
			}
		}
		_, ok, err := tb.Intake(no+1000, 1)
		same(t, "intake of an unknown replica", ok, false)
		return err
	})
}

func testIntakeTwice(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	again := stored[1]
	again.Hash = record.Hash{99}
	if err := e.Update(func(tb ledger.Tables) error { return tb.AppendIntake(&again, nil) }); err == nil {
		t.Error("a counter was stored twice")
	}
	view(t, e, func(tb ledger.Tables) error {
		got, _, err := tb.Intake(no, 2)
		same(t, "intake", got, stored[1])
		return err
	})
}

func testStored(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	all := make([]protocol.Stored, len(stored))
	for i, in := range stored {
		all[i] = protocol.Stored{Counter: in.Counter, Hash: in.Hash}
	}
	view(t, e, func(tb ledger.Tables) error {
		for _, c := range []struct {
			after uint64
			limit int
			want  []protocol.Stored
		}{{0, 10, all}, {1, 10, all[1:]}, {2, 10, all[2:]}, {5, 10, nil}, {0, 2, all[:2]}} {
			got, err := tb.Stored(no, c.after, c.limit)
			if err != nil {
				return err
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("stored after %d, at most %d: got %v, want %v", c.after, c.limit, got, c.want)
			}
		}
		return nil
	})
}

func testQuarantine(t *testing.T, e Engine) {
	no, _ := replicaWith(t, e)
	late := ledger.Quarantine{Replica: no, Counter: 5, Count: 2, Unit: unitB, Author: "officer.a", Code: protocol.Forbidden, Detail: "unit", At: 9}
	early := ledger.Quarantine{Replica: no, Counter: 2, Count: 3, Unit: unitA, Author: "officer.a", Code: protocol.Malformed, At: 8}
	update(t, e, func(tb ledger.Tables) error {
		if err := tb.PutQuarantine(&late); err != nil {
			return err
		}
		return tb.PutQuarantine(&early)
	})
	settled := early
	settled.Settled, settled.SettledBy, settled.SettledAt, settled.Reason = "rejected", "supervisor", 10, "twice"
	update(t, e, func(tb ledger.Tables) error { return tb.PutQuarantine(&settled) })
	view(t, e, func(tb ledger.Tables) error {
		got, err := tb.Quarantined(no)
		same(t, "quarantine", got, []ledger.Quarantine{settled, late})
		return err
	})
	update(t, e, func(tb ledger.Tables) error { return tb.DropQuarantine(no, late.Counter) })
	view(t, e, func(tb ledger.Tables) error {
		got, err := tb.Quarantined(no)
		same(t, "quarantine after one was dropped", got, []ledger.Quarantine{settled})
		return err
	})
}

func row(id conflict.RecordID, register, unit string, position, sensitive uint64) *ledger.Row {
	return &ledger.Row{ID: id, Register: register, Unit: unit, Position: position, Sensitive: sensitive, State: []byte{byte(position)}}
}

func testRecord(t *testing.T, e Engine) {
	want := ledger.Row{ID: conflict.RecordID{Replica: randomReplica(), Counter: 1}, Register: "residents", Unit: unitA, Neighbourhood: "Khu phố 3",
		Position: 4, Sensitive: 3, Kind: ledger.Conflict, WaitingSince: 77, Revision: 2, State: []byte{1, 2, 3}}
	view(t, e, func(tb ledger.Tables) error {
		_, ok, err := tb.Record(want.ID)
		same(t, "an unknown record", ok, false)
		return err
	})
	read := func() (got ledger.Row) {
		view(t, e, func(tb ledger.Tables) (err error) { got, _, err = tb.Record(want.ID); return err })
		return got
	}
	update(t, e, func(tb ledger.Tables) error { return tb.PutRecord(&want) })
	same(t, "record", read(), want)
	want.Unit, want.Neighbourhood, want.Position, want.Kind, want.WaitingSince, want.State = unitB, "", 9, ledger.Nothing, 0, []byte{4}
	update(t, e, func(tb ledger.Tables) error { return tb.PutRecord(&want) })
	same(t, "record after a second put", read(), want)
	view(t, e, func(tb ledger.Tables) error {
		left, err := tb.Changed(protocol.Stream{Unit: unitA, Register: "residents"}, 0, 10)
		if err != nil {
			return err
		}
		same(t, "rows of the unit it left", len(left), 0)
		here, err := tb.Changed(protocol.Stream{Unit: unitB, Register: "residents"}, 0, 10)
		same(t, "rows of the unit it came to", len(here), 1)
		return err
	})
}

func testChanged(t *testing.T, e Engine) {
	r := randomReplica()
	id := func(n uint64) conflict.RecordID { return conflict.RecordID{Replica: r, Counter: n} }
	update(t, e, func(tb ledger.Tables) error {
		for _, row := range []*ledger.Row{
			row(id(1), "residents", unitA, 5, 0), row(id(2), "residents", unitA, 2, 4), row(id(3), "residents", unitA, 3, 1),
			row(id(4), "addresses", unitA, 6, 0), row(id(5), "residents", unitB, 1, 1),
		} {
			if err := tb.PutRecord(row); err != nil {
				return err
			}
		}
		return tb.PutRecord(row(id(3), "residents", unitA, 7, 1))
	})
	basic := protocol.Stream{Unit: unitA, Register: "residents"}
	sensitive := protocol.Stream{Unit: unitA, Register: "residents", Class: protocol.Sensitive}
	view(t, e, func(tb ledger.Tables) error {
		for _, c := range []struct {
			stream protocol.Stream
			from   uint64
			limit  int
			want   []uint64
		}{
			{basic, 0, 10, []uint64{2, 1, 3}}, {basic, 2, 10, []uint64{1, 3}}, {basic, 7, 10, nil}, {basic, 0, 2, []uint64{2, 1}},
			{sensitive, 0, 10, []uint64{3, 2}}, {sensitive, 1, 10, []uint64{2}},
			{protocol.Stream{Unit: unitA, Register: "nothing"}, 0, 10, nil},
		} {
			rows, err := tb.Changed(c.stream, c.from, c.limit)
			if err != nil {
				return err
			}
			var got []uint64
			for _, r := range rows {
				got = append(got, r.ID.Counter)
				if r.Register != c.stream.Register || r.Unit != c.stream.Unit || r.ID.Replica != id(1).Replica {
					t.Errorf("%v: got row %+v", c.stream, r)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%v after %d, at most %d: got %v, want %v", c.stream, c.from, c.limit, got, c.want)
			}
		}
		return nil
	})
}

func testStream(t *testing.T, e Engine) {
	r := randomReplica()
	update(t, e, func(tb ledger.Tables) error {
		for i, row := range []*ledger.Row{row(conflict.Dot{}, "residents", unitA, 5, 0), row(conflict.Dot{}, "residents", unitA, 2, 4),
			row(conflict.Dot{}, "residents", unitB, 9, 9), row(conflict.Dot{}, "addresses", unitA, 6, 6)} {
			row.ID = conflict.RecordID{Replica: r, Counter: uint64(i + 1)}
			if err := tb.PutRecord(row); err != nil {
				return err
			}
		}
		return nil
	})
	view(t, e, func(tb ledger.Tables) error {
		for _, c := range []struct {
			stream      protocol.Stream
			head, count uint64
		}{
			{protocol.Stream{Unit: unitA, Register: "residents"}, 5, 2},
			{protocol.Stream{Unit: unitA, Register: "residents", Class: protocol.Sensitive}, 4, 1},
			{protocol.Stream{Unit: unitB, Register: "residents"}, 9, 1},
			{protocol.Stream{Unit: unitB, Register: "addresses"}, 0, 0},
			{protocol.Stream{Unit: unitB, Register: "nothing"}, 0, 0},
		} {
			head, err := tb.StreamHead(c.stream)
			if err != nil {
				return err
			}
			count, err := tb.StreamCount(c.stream)
			if err != nil {
				return err
			}
			same(t, c.stream.String(), []uint64{head, count}, []uint64{c.head, c.count})
		}
		return nil
	})
}

func positionsOf(t *testing.T, e Engine) (a, b uint64) {
	view(t, e, func(tb ledger.Tables) (err error) {
		if a, err = tb.Position(unitA); err != nil {
			return err
		}
		b, err = tb.Position(unitB)
		return err
	})
	return a, b
}

func setPosition(t *testing.T, e Engine, unit string, p uint64) {
	t.Helper()
	update(t, e, func(tb ledger.Tables) error { return tb.SetPosition(unit, p) })
}

func testPosition(t *testing.T, e Engine) {
	a, b := positionsOf(t, e)
	same(t, "positions at first", []uint64{a, b}, []uint64{0, 0})
	setPosition(t, e, unitA, 3)
	setPosition(t, e, unitA, 4)
	a, b = positionsOf(t, e)
	same(t, "positions", []uint64{a, b}, []uint64{4, 0})
}

func testMove(t *testing.T, e Engine) {
	id, other := conflict.RecordID{Replica: randomReplica(), Counter: 1}, conflict.RecordID{Replica: randomReplica(), Counter: 2}
	r := row(id, "residents", unitA, 3, 2)
	basic := protocol.Stream{Unit: unitA, Register: "residents"}
	sensitive := protocol.Stream{Unit: unitA, Register: "residents", Class: protocol.Sensitive}
	update(t, e, func(tb ledger.Tables) error {
		return errors.Join(tb.PutRecord(r), tb.PutRecord(row(other, "residents", unitA, 4, 0)))
	})
	move := func(from, to string, left, position uint64, sensitive bool) {
		r.Unit, r.Position, r.Sensitive = to, position, position
		update(t, e, func(tb ledger.Tables) error {
			return errors.Join(tb.PutRecord(r), tb.PutMove(&ledger.Move{Record: id, Register: "residents", From: from, To: to, Position: left, Sensitive: sensitive}))
		})
	}
	check := func(stream protocol.Stream, from uint64, limit int, want ...ledger.Row) {
		t.Helper()
		view(t, e, func(tb ledger.Tables) error {
			got, err := tb.Changed(stream, from, limit)
			same(t, stream.String(), got, want)
			return err
		})
	}
	departed := func(unit string, want uint64, wantOK bool) {
		t.Helper()
		view(t, e, func(tb ledger.Tables) error {
			p, ok, err := tb.Departed(id, unit)
			same(t, "departed from "+unit, []any{p, ok}, []any{want, wantOK})
			return err
		})
	}
	departed(unitA, 0, false)
	move(unitA, unitB, 5, 1, true)
	departed(unitA, 5, true)
	departed(unitB, 0, false)
	left := ledger.Row{ID: id, Register: "residents", Unit: unitA, Position: 5, Sensitive: 5, Left: true}
	check(basic, 0, 10, *row(other, "residents", unitA, 4, 0), left)
	check(basic, 4, 10, left)
	check(basic, 5, 10)
	check(basic, 0, 1, *row(other, "residents", unitA, 4, 0))
	check(sensitive, 0, 10, left)
	view(t, e, func(tb ledger.Tables) error {
		for _, s := range []protocol.Stream{basic, sensitive} {
			head, err := tb.StreamHead(s)
			same(t, "head of "+s.String(), head, uint64(5))
			if err != nil {
				return err
			}
		}
		n, err := tb.StreamCount(basic)
		same(t, "count", n, uint64(1))
		return err
	})
	move(unitB, unitA, 2, 6, true) // back again
	departed(unitA, 0, false)
	departed(unitB, 2, true)
	check(basic, 4, 10, *r)
	move(unitA, unitB, 7, 3, false) // and away, having no sensitive field any more
	check(basic, 4, 10, ledger.Row{ID: id, Register: "residents", Unit: unitA, Position: 7, Left: true})
	check(sensitive, 0, 10)
	cause := errors.New("the work fails")
	if err := e.Update(func(tb ledger.Tables) error {
		return errors.Join(tb.PutMove(&ledger.Move{Record: id, Register: "residents", From: unitB, To: unitA, Position: 9}), cause)
	}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	departed(unitA, 7, true)
	departed(unitB, 0, false)
	back := e.Restored(t)
	view(t, back, func(tb ledger.Tables) error {
		_, ok, err := tb.Departed(id, unitA)
		same(t, "departed, in a restored database", ok, true)
		return err
	})
}

func testArrival(t *testing.T, e Engine) {
	id := conflict.RecordID{Replica: randomReplica(), Counter: 1}
	cause := errors.New("the work fails")
	arrived := ledger.Arrival{Record: id, Unit: unitB, From: unitA, At: 7}
	update(t, e, func(tb ledger.Tables) error { return tb.PutArrival(&arrived) })
	for _, err := range []error{cause, nil} {
		if got := e.Update(func(tb ledger.Tables) error { return errors.Join(tb.DropArrival(id), tb.DropArrival(id), err) }); !errors.Is(got, err) {
			t.Errorf("got %v, want %v", got, err)
		}
	}
}

func testIdentity(t *testing.T, e Engine) {
	a, b, c := ledger.Replica{ID: randomReplica(), Account: "officer.a", Device: "phone", SeenAt: 5}, ledger.Replica{ID: randomReplica(), Account: "officer.a", Device: "phone", SeenAt: 9},
		ledger.Replica{ID: randomReplica(), Account: "officer.a", Device: "desk", SeenAt: 5, RetiredAt: 7}
	other := ledger.Replica{ID: randomReplica(), SeenAt: 1} // known by its records alone
	update(t, e, func(tb ledger.Tables) error {
		return errors.Join(tb.PutReplica(&a), tb.PutReplica(&b), tb.PutReplica(&c), tb.PutReplica(&other))
	})
	view(t, e, func(tb ledger.Tables) error {
		got, err := tb.ReplicasOf("officer.a", "phone")
		same(t, "of a device", got, []ledger.Replica{a, b})
		if err != nil {
			return err
		}
		got, err = tb.SilentSince(9, 10)
		same(t, "silent", got, []ledger.Replica{a})
		return err
	})
	cause := errors.New("the work fails")
	for i, err := range []error{nil, cause, nil} {
		r := ledger.Retirement{Epoch: epochOf(t, e).Token, Replica: []conflict.ReplicaID{a.ID, b.ID, b.ID}[i], Last: 3, At: 4, Why: ledger.WhySilent}
		got := e.Update(func(tb ledger.Tables) error { return errors.Join(tb.AppendRetirement(&r), err) })
		if !errors.Is(got, err) || r.Number != []uint64{1, 2, 2}[i] {
			t.Errorf("got number %d, %v", r.Number, got)
		}
	}
}

func testUnitChanges(t *testing.T, e Engine) {
	want := []ledger.UnitChange{
		{List: "2027-01-01", Before: "2025-07-01", Old: unitA, New: []string{"30001"}, At: 5},
		{List: "2027-01-01", Before: "2025-07-01", Old: unitB, New: []string{"30001", "30002"}, At: 5},
		{List: "2028-01-01", Before: "2027-01-01", Old: "30001", New: []string{unitA}, At: 6}}
	for _, i := range []int{2, 1, 0} {
		update(t, e, func(tb ledger.Tables) error { return tb.PutUnitChange(&want[i]) })
	}
	cause := errors.New("the work fails")
	if err := e.Update(func(tb ledger.Tables) error {
		return errors.Join(tb.PutUnitChange(&ledger.UnitChange{List: "2029-01-01", Old: unitA, New: []string{unitB}}), cause)
	}); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	view(t, e, func(tb ledger.Tables) error {
		got, err := tb.UnitChanges()
		same(t, "changes", got, want)
		return err
	})
}

func testRights(t *testing.T, e Engine) {
	get := func(account string) (got []ledger.Rights) {
		view(t, e, func(tb ledger.Tables) (err error) { got, err = tb.PastRights(account); return err })
		return got
	}
	same(t, "at first", len(get("officer.a")), 0)
	want := []ledger.Rights{{Unit: unitA, Sensitive: true, EndedAt: 5}, {Unit: unitB, EndedAt: 9}}
	for i := range want {
		update(t, e, func(tb ledger.Tables) error { return tb.EndRights("officer.a", &want[i]) })
		same(t, "version", want[i].Version, uint64(i+1))
	}
	same(t, "kept", get("officer.a"), want)
	same(t, "of another account", len(get("officer.b")), 0)
	cause := errors.New("the work fails")
	if err := e.Update(func(tb ledger.Tables) error { return errors.Join(tb.EndRights("officer.a", &ledger.Rights{}), cause) }); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	same(t, "after a rollback", len(get("officer.a")), 2)
}

func testEmptied(t *testing.T, e Engine) {
	get := func(account, unit string, day int64) (got ledger.Emptied) {
		view(t, e, func(tb ledger.Tables) (err error) { got, err = tb.Emptied(account, unit, day); return err })
		return got
	}
	same(t, "at first", get("officer.a", unitA, 20_000), ledger.Emptied{})
	for _, want := range []ledger.Emptied{{Records: 3, Fields: 70}, {Records: 4, Fields: 71}} {
		update(t, e, func(tb ledger.Tables) error { return tb.SetEmptied("officer.a", unitA, 20_000, want) })
		same(t, "kept", get("officer.a", unitA, 20_000), want)
	}
	same(t, "of another author", get("officer.b", unitA, 20_000), ledger.Emptied{})
	same(t, "of another unit", get("officer.a", unitB, 20_000), ledger.Emptied{})
	same(t, "of the next day", get("officer.a", unitA, 20_001), ledger.Emptied{})
}

func testRollback(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	kept := row(conflict.RecordID{Replica: randomReplica(), Counter: 1}, "residents", unitA, 1, 0)
	update(t, e, func(tb ledger.Tables) error { return tb.PutRecord(kept) })
	before := epochOf(t, e)
	fresh := ledger.Replica{ID: randomReplica(), Account: "x"}
	made := conflict.RecordID{Replica: randomReplica(), Counter: 1}
	cause := errors.New("the work fails")
	err := e.Update(func(tb ledger.Tables) error {
		changed := *kept
		changed.Position, changed.State = 8, []byte{8}
		for _, err := range []error{tb.PutReplica(&fresh), tb.SetServerCounter(5), tb.SetPosition(unitA, 8), tb.PutRecord(&changed),
			tb.PutRecord(row(made, "addresses", unitB, 1, 1)),
			tb.AppendIntake(&ledger.Intake{Replica: no, Counter: 7, Count: 1, Unit: unitA, Bytes: []byte{7}}, []conflict.RecordID{made}),
			tb.PutQuarantine(&ledger.Quarantine{Replica: no, Counter: 7, Count: 1})} {
			if err != nil {
				return err
			}
		}
		return cause
	})
	if !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v", err, cause)
	}
	same(t, "epoch", epochOf(t, e), before)
	a, _ := positionsOf(t, e)
	same(t, "position", a, uint64(0))
	view(t, e, func(tb ledger.Tables) error {
		for _, id := range []conflict.ReplicaID{fresh.ID, made.Replica} {
			if _, ok, err := tb.Replica(id); ok || err != nil {
				t.Errorf("a replica of a failed transaction: got %v, %v", ok, err)
			}
		}
		got, _, err := tb.Record(kept.ID)
		if err != nil {
			return err
		}
		same(t, "record", got, *kept)
		if _, ok, err := tb.Record(made); ok || err != nil {
			t.Errorf("a record of a failed transaction: got %v, %v", ok, err)
		}
		q, err := tb.Quarantined(no)
		if err != nil {
			return err
		}
		same(t, "quarantine", len(q), 0)
		list, err := tb.Stored(no, 0, 10)
		same(t, "intake", len(list), len(stored))
		return err
	})
}

func testOwnership(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	r := row(conflict.RecordID{Replica: randomReplica(), Counter: 1}, "residents", unitA, 1, 0)
	update(t, e, func(tb ledger.Tables) error { return tb.PutRecord(r) })
	view(t, e, func(tb ledger.Tables) error {
		got, _, err := tb.Record(r.ID)
		if err != nil {
			return err
		}
		got.State[0] = 99
		rows, err := tb.Changed(protocol.Stream{Unit: unitA, Register: "residents"}, 0, 10)
		if err != nil {
			return err
		}
		rows[0].State[0] = 99
		in, _, err := tb.Intake(no, 1)
		in.Bytes[0] = 99
		return err
	})
	r.State[0] = 98 // handed in before, so copied
	view(t, e, func(tb ledger.Tables) error {
		got, _, err := tb.Record(r.ID)
		if err != nil {
			return err
		}
		same(t, "state", got.State, []byte{1})
		in, _, err := tb.Intake(no, 1)
		same(t, "bytes", in.Bytes, stored[0].Bytes)
		return err
	})
}

func testGivenBack(t *testing.T, e Engine) {
	g := ledger.GivenBack{Record: conflict.RecordID{Replica: randomReplica(), Counter: 4}, Write: conflict.Dot{Replica: randomReplica(), Counter: 9},
		Unit: unitA, Received: 100, Position: 7, Bytes: []byte{1, 2}}
	known := func(write conflict.Dot) any {
		var received int64
		var ok bool
		view(t, e, func(tb ledger.Tables) (err error) { received, ok, err = tb.GivenBack(g.Record, write); return err })
		return []any{received, ok}
	}
	same(t, "before", known(g.Write), []any{int64(0), false})
	update(t, e, func(tb ledger.Tables) error { return tb.PutGivenBack(&g) })
	same(t, "after", known(g.Write), []any{int64(100), true})
	same(t, "the next write", known(conflict.Dot{Replica: g.Write.Replica, Counter: 10}), []any{int64(0), false})
	if err := e.Update(func(tb ledger.Tables) error { return tb.PutGivenBack(&g) }); err == nil {
		t.Error("one write was stored twice")
	}
	g.Received, g.Position = 101, 8
	update(t, e, func(tb ledger.Tables) error { return tb.PutGivenBack(&g) })
	same(t, "with a later receipt", known(g.Write), []any{int64(101), true})
}

func testRestored(t *testing.T, e Engine) {
	no, stored := replicaWith(t, e)
	setPosition(t, e, unitA, 6)
	update(t, e, func(tb ledger.Tables) error { return tb.SetServerCounter(4) })
	first := epochOf(t, e)
	back := e.Restored(t)
	setPosition(t, e, unitA, 9)

	second := epochOf(t, back)
	if !second.Restored || second.Counter != 0 || second.Token == first.Token || second.Server == first.Server ||
		second.Token == (protocol.Token{}) || second.Server.IsZero() {
		t.Errorf("epoch: got %+v after %+v, want a new one", second, first)
	}
	a, b := positionsOf(t, back)
	same(t, "positions go on from the backup", []uint64{a, b}, []uint64{6, 0})
	setPosition(t, back, unitA, 8)
	setPosition(t, back, unitB, 8)
	view(t, back, func(tb ledger.Tables) error {
		for unit, want := range map[string]uint64{unitA: 6, unitB: 0} {
			p, ok, err := tb.Fork(first.Token, unit)
			if err != nil {
				return err
			}
			same(t, "fork of "+unit, []any{p, ok}, []any{want, true})
		}
		list, err := tb.Stored(no, 0, 10)
		same(t, "intake", len(list), len(stored))
		return err
	})
	same(t, "the database that the backup was taken of", epochOf(t, e).Token, first.Token)
	a, _ = positionsOf(t, e)
	same(t, "its position", a, uint64(9))
}

func testRestoredTwice(t *testing.T, e Engine) {
	setPosition(t, e, unitA, 6)
	first := epochOf(t, e)
	two := e.Restored(t)
	second := epochOf(t, two)
	setPosition(t, two, unitA, 8)
	three := two.Restored(t)
	view(t, three, func(tb ledger.Tables) error {
		for _, c := range []struct {
			epoch protocol.Token
			want  uint64
		}{{first.Token, 6}, {second.Token, 8}} {
			p, ok, err := tb.Fork(c.epoch, unitA)
			if err != nil {
				return err
			}
			same(t, "fork", []any{p, ok}, []any{c.want, true})
		}
		return nil
	})
	servers := []conflict.ReplicaID{first.Server, second.Server, epochOf(t, three).Server}
	if servers[0] == servers[1] || servers[1] == servers[2] || servers[0] == servers[2] {
		t.Errorf("server replicas: got %v, want three", servers)
	}
}

func testRestoredAside(t *testing.T, e Engine) {
	setPosition(t, e, unitA, 6)
	aside := e.Restored(t)
	gone := epochOf(t, aside)
	again := e.Restored(t)
	view(t, again, func(tb ledger.Tables) error {
		_, ok, err := tb.Fork(gone.Token, unitA)
		same(t, "fork of an epoch that this backup never had", ok, false)
		return err
	})
}
