package tablestest

import (
	"errors"
	"testing"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
)

// touching stores a changeset of a new replica that touches two records, a review
// of the server's own of one, one in quarantine that names it, and a write of it
// that was given back.
func touching(t *testing.T, e Engine) (id, other conflict.RecordID, list []ledger.Intake) {
	r := ledger.Replica{ID: randomReplica(), Account: "officer.a"}
	id, other = conflict.RecordID{Replica: r.ID, Counter: 1}, conflict.RecordID{Replica: r.ID, Counter: 2}
	write := func(key conflict.FieldKey, value conflict.Value) []record.Write {
		return []record.Write{{Key: key, Value: value}}
	}
	c := []record.Changeset{
		{Dot: id, Unit: unitA, Author: "officer.a", At: 1, Edits: []record.Edit{
			{Record: id, Register: "residents", Writes: write(conflict.Key(16), "canary")}, {Record: other, Register: "residents", Writes: write(conflict.Key(16), "kept")}}},
		{Dot: conflict.Dot{Replica: r.ID, Counter: 3}, Unit: unitA, Author: "officer.a", At: 2, Edits: []record.Edit{{Record: other, Register: "residents", Writes: write(conflict.Key(17), "kept")}}},
		{Dot: conflict.Dot{Replica: r.ID, Counter: 4}, Unit: unitA, Author: "officer.a", At: 3, Edits: []record.Edit{{Record: id, Register: "residents", Writes: write(conflict.Key(17), "canary")}}},
		{Dot: conflict.Dot{Replica: r.ID, Counter: 5}, Unit: unitA, Author: "supervisor", At: 4, Edits: []record.Edit{{Record: id, Register: "residents", Writes: write(conflict.Key(conflict.FieldReview), "canary")}}},
	}
	update(t, e, func(tb ledger.Tables) error {
		if err := tb.PutReplica(&r); err != nil {
			return err
		}
		for i := range c {
			body := record.AppendChangeset(nil, c[i])
			in := ledger.Intake{Replica: r.No, Counter: c[i].Dot.Counter, Count: uint64(c[i].Len()), Hash: record.HashOf(body), Unit: unitA, Received: int64(100 + i), Bytes: body}
			var records []conflict.RecordID
			for _, edit := range c[i].Edits {
				records = append(records, edit.Record)
			}
			if i == 2 { // refused: its history names nothing
				records = nil
				if err := tb.PutQuarantine(&ledger.Quarantine{Replica: r.No, Counter: in.Counter, Count: 1, Unit: unitA, Author: "officer.a", Code: 7, At: 5}); err != nil {
					return err
				}
			}
			if err := tb.AppendIntake(&in, records); err != nil {
				return err
			}
			if i != 1 {
				list = append(list, in)
			}
		}
		for _, id := range []conflict.RecordID{id, other} {
			if err := tb.PutRecord(row(id, "residents", unitA, id.Counter, 0)); err != nil {
				return err
			}
		}
		if err := tb.PutArrival(&ledger.Arrival{Record: id, Unit: unitA, From: unitB, At: 3}); err != nil {
			return err
		}
		return tb.PutGivenBack(&ledger.GivenBack{Record: id, Write: conflict.Dot{Replica: r.ID, Counter: 9}, Unit: unitA, Received: 100, Bytes: record.AppendChangeset(nil, c[2])})
	})
	return id, other, list
}

func testErased(t *testing.T, e Engine) {
	id, other, list := touching(t, e)
	update(t, e, func(tb ledger.Tables) error {
		got, err := tb.Touching(id)
		same(t, "what touches it", got, list)
		if err != nil {
			return err
		}
		for i := range got {
			got[i].Bytes, got[i].Hash = []byte{byte(i)}, record.Hash{99}
			if err := tb.PutBlanked(&got[i]); err != nil {
				return err
			}
		}
		given, err := tb.GivenBackOf(id)
		if err != nil || len(given) != 1 {
			t.Fatalf("given back: got %+v, %v", given, err)
		}
		given[0].Bytes = []byte{7}
		if err := tb.PutBlankedGiven(&given[0]); err != nil {
			return err
		}
		if err := tb.DropRecord(id); err != nil {
			return err
		}
		if err := tb.PutErasure(&ledger.Erasure{Number: 3, Record: id, Register: "residents", Unit: unitA, At: 6}); err != nil {
			return err
		}
		erased, err := tb.Erased(id)
		same(t, "erased, in the transaction", erased, true)
		return err
	})
	unknown := conflict.RecordID{Replica: randomReplica(), Counter: 4}
	update(t, e, func(tb ledger.Tables) error { return tb.PutErasure(&ledger.Erasure{Number: 1, Record: unknown, At: 7}) })
	view(t, e, func(tb ledger.Tables) error {
		for _, want := range []struct {
			id     conflict.RecordID
			erased bool
		}{{id, true}, {unknown, true}, {other, false}, {conflict.RecordID{Replica: id.Replica, Counter: 3}, false}} {
			got, err := tb.Erased(want.id)
			if err != nil || got != want.erased {
				t.Errorf("%v erased: got %v, %v, want %v", want.id, got, err, want.erased)
			}
		}
		all, err := tb.Erasures(0, 10)
		same(t, "erasures", all, []ledger.Erasure{{Number: 1, Record: unknown, At: 7}, {Number: 3, Record: id, Register: "residents", Unit: unitA, At: 6}})
		if err != nil {
			return err
		}
		some, err := tb.Erasures(1, 10)
		same(t, "after the first", some, all[1:])
		if err != nil {
			return err
		}
		some, err = tb.Erasures(0, 1)
		same(t, "at most one", some, all[:1])
		if err != nil {
			return err
		}
		for i, in := range list {
			got, _, err := tb.Intake(in.Replica, in.Counter)
			if err != nil {
				return err
			}
			in.Bytes = []byte{byte(i)} // the hash is that of what came
			same(t, "blanked", got, in)
		}
		given, err := tb.GivenBackOf(id)
		if err != nil || len(given) != 1 || len(given[0].Bytes) != 1 || given[0].Received != 100 {
			t.Errorf("given back, blanked: got %+v, %v", given, err)
		}
		for _, want := range []struct {
			id conflict.RecordID
			ok bool
		}{{id, false}, {other, true}} {
			_, ok, err := tb.Record(want.id)
			if err != nil || ok != want.ok {
				t.Errorf("record %v: got %v, %v, want %v", want.id, ok, err, want.ok)
			}
		}
		return nil
	})
}

func testErasedUndone(t *testing.T, e Engine) {
	id, _, list := touching(t, e)
	failed := errors.New("no")
	err := e.Update(func(tb ledger.Tables) error {
		for i := range list {
			in := list[i]
			in.Bytes = nil
			if err := tb.PutBlanked(&in); err != nil {
				return err
			}
		}
		if err := tb.DropRecord(id); err != nil {
			return err
		}
		if err := tb.PutErasure(&ledger.Erasure{Number: 1, Record: id, At: 6}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) {
		t.Fatalf("got %v, want the failure", err)
	}
	view(t, e, func(tb ledger.Tables) error {
		erased, err := tb.Erased(id)
		same(t, "erased", erased, false)
		if err != nil {
			return err
		}
		_, ok, err := tb.Record(id)
		same(t, "the record", ok, true)
		if err != nil {
			return err
		}
		got, err := tb.Touching(id)
		same(t, "what touches it", got, list)
		return err
	})
}
