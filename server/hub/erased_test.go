package hub_test

import (
	"bytes"
	"strings"
	"testing"

	"wardbook/conflict"
	"wardbook/server/erasure"
	"wardbook/server/hub"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
)

// erase erases a record as two people would have decided.
func erase(w *hubtest.World, number uint64, id conflict.RecordID) {
	w.T.Helper()
	w.Update(func(tx *sqlite.Tx) error {
		l := sqlite.LedgerOf(tx)
		e, _, err := w.Ledger.Erase(l, ledger.Erasure{Number: number, Record: id, At: w.Store.Now().UnixMilli()})
		if err == nil {
			_, err = erasure.Follow(l, e)
		}
		return err
	})
}

// TestErased: whoever reads on is told to let go, whoever reads from an old cursor or
// from the beginning learns no value, and what both count agrees.
func TestErased(t *testing.T) {
	w := hubtest.New(t, start, addresses)
	ctx := w.SignedIn("hub", store.RoleHub, "")
	secret := hubtest.Address(1)
	secret["street"] = "CANARY"
	gone := w.Save(ward, addresses, conflict.RecordID{}, secret)
	stays := w.Save(ward, addresses, conflict.RecordID{}, hubtest.Address(2))
	deleted := w.Save(otherWard, addresses, conflict.RecordID{}, secret)
	never := w.Save(otherWard, addresses, conflict.RecordID{}, secret)
	w.Approve(ward, gone)
	w.Approve(ward, stays)
	w.Save(ward, addresses, gone, map[string]string{"house_no": "7"})
	w.Approve(ward, gone)
	w.Approve(otherWard, deleted)
	w.Delete(otherWard, addresses, deleted, true)
	w.Approve(otherWard, deleted)
	_, old := pull(t, w, ctx, addresses, "", 100)
	for i, id := range []conflict.RecordID{gone, deleted, never} {
		erase(w, uint64(i+1), id)
	}

	list, _ := pull(t, w, ctx, addresses, old, 100)
	if len(list) != 2 {
		t.Fatalf("behind the old cursor: got %+v, want a line for each record that the hub ever held", list)
	}
	for i, l := range list {
		want := []string{gone.String(), deleted.String()}[i]
		if l.RecordID != want || l.Op != store.OpRetract || !l.Erased || string(l.Data) != "null" || l.ContentSHA256 != nil || l.Supersedes == nil {
			t.Errorf("behind the old cursor: got %+v, want that %s is to be let go of", l, want)
		}
	}
	page, err := w.Feed.Changes(ctx, addresses, "", 100)
	if err != nil {
		t.Fatal(err)
	}
	upserts := 0
	for i, l := range read(t, page) {
		if bytes.Contains(page.Lines[i], []byte("CANARY")) {
			t.Errorf("from the beginning: %s", page.Lines[i])
		}
		if l.Op == store.OpUpsert {
			upserts++
		}
		if want := l.RecordID == gone.String() || l.RecordID == deleted.String(); l.Schema == "" && l.Erased != want {
			t.Errorf("from the beginning: %s, want erased %v", page.Lines[i], want)
		}
		if strings.Contains(string(page.Lines[i]), never.String()) {
			t.Errorf("what the hub never held is told: %s", page.Lines[i])
		}
	}
	if upserts != 1 {
		t.Errorf("from the beginning: %d upserts, want that of the record that stays", upserts)
	}
	for what, at := range map[string]string{"as of now": "", "as of the old cursor": old} {
		counts, err := w.Feed.Counts(ctx, hub.CountsRequest{ID: addresses, At: at})
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range counts.Units {
			if want := map[string]int{ward: 1}[u.WardCode]; u.Count != want {
				t.Errorf("%s, unit %s: counted %d, want %d", what, u.WardCode, u.Count, want)
			}
		}
	}
	acknowledged := func() (n, all int) {
		w.View(func(tx *sqlite.Tx) (err error) { n, all, err = sqlite.LedgerOf(tx).Retractions(gone); return err })
		return n, all
	}
	if n, all := acknowledged(); n != 0 || all != 1 {
		t.Errorf("before the hub acknowledges: %d of %d", n, all)
	}
	if _, err := w.Feed.Ack(ctx, hub.AckRequest{Dataset: addresses, Cursor: page.End.NextCursor}); err != nil {
		t.Fatal(err)
	}
	if n, all := acknowledged(); n != 1 || all != 1 {
		t.Errorf("after the hub acknowledged: %d of %d", n, all)
	}
}
