package backup

import (
	"context"
	"crypto/ed25519"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/hub/hubtest"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

var serverKey = ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))

// reader keeps the pages of one stream as a device does that takes them as they
// come.
type reader struct {
	stream protocol.Stream
	cursor uint64
	pages  []protocol.SignedPage
}

// lostWork is a city whose server was lost: what was decided before, and what the
// devices keep.
type lostWork struct {
	*work
	ledger    *ledger.Ledger
	basic     []*reader
	sensitive []*reader
	decisions map[conflict.RecordID]store.Approval // the last one of each record
	heads     map[conflict.RecordID]conflict.Record
	store     *sqlite.Store
	desk      *review.Service
}

func (w *lostWork) read(t *testing.T) {
	t.Helper()
	for _, r := range slices.Concat(w.basic, w.sensitive) {
		w.View(func(tx *sqlite.Tx) error {
			l := sqlite.LedgerOf(tx)
			p, err := w.ledger.Page(l, protocol.Scope{Stream: r.stream}, r.cursor, r.cursor)
			if err != nil {
				return err
			}
			epoch, err := l.Epoch()
			if len(p.Records) > 0 {
				r.pages = append(r.pages, protocol.SignedPage{Epoch: epoch.Token, Body: protocol.Encode(nil, p)})
			}
			r.cursor = max(r.cursor, p.To)
			return err
		})
	}
}

// lose works behind a backup, each step of which a device is told, and restores.
func lose(t *testing.T) *lostWork {
	t.Helper()
	w := &lostWork{work: &work{World: hubtest.New(t, time.Time{}, "addresses", "social_protection")}, decisions: map[conflict.RecordID]store.Approval{}, heads: map[conflict.RecordID]conflict.Record{}}
	w.dir = filepath.Dir(w.Store.Path())
	cfg := ledger.Config{Definition: w.Definition, Registers: []string{"addresses", "social_protection"}, Now: func() int64 { return time.Now().UnixMilli() }, Key: serverKey,
		Allow: func(a ledger.Author, unit string, _ protocol.Class) bool { return a.Unit == unit }}
	w.ledger = ledger.New(cfg)
	for _, reg := range cfg.Registers {
		w.basic = append(w.basic, &reader{stream: protocol.Stream{Unit: unit, Register: reg}})
		w.sensitive = append(w.sensitive, &reader{stream: protocol.Stream{Unit: unit, Register: reg, Class: protocol.Sensitive}})
	}
	var ids []conflict.RecordID
	for n := range 5 {
		id := w.Save(unit, "addresses", conflict.RecordID{}, hubtest.Address(n))
		if n != 4 {
			w.Approve(unit, id)
		}
		ids = append(ids, id)
	}
	w.read(t)
	to := mustMake(t, w.dir)
	for _, r := range slices.Concat(w.basic, w.sensitive) {
		r.pages = nil // a backup holds them
	}
	step := func(do func()) {
		do()
		w.read(t)
	}
	edit := func(id conflict.RecordID, value string) {
		step(func() { w.Save(unit, "addresses", id, map[string]string{"house_no": value}) })
	}
	edit(ids[0], "12A")
	step(func() { w.Approve(unit, ids[0]) })
	edit(ids[0], "12B")
	step(func() { w.Approve(unit, ids[0]) })
	step(func() { w.Withdraw(unit, ids[1]) })
	edit(ids[2], "99")
	step(func() { w.Refuse(unit, ids[2]) })
	step(func() { w.Delete(unit, "addresses", ids[3], true) })
	step(func() { w.Approve(unit, ids[3]) })
	step(func() { w.Refuse(unit, ids[4]) })
	var secret conflict.RecordID
	step(func() { secret = w.Save(unit, "social_protection", conflict.RecordID{}, hubtest.Beneficiary()) })
	step(func() { w.Approve(unit, secret) })
	w.records = append(ids, secret)
	w.View(func(tx *sqlite.Tx) error {
		for _, id := range w.records {
			list, err := sqlite.LedgerOf(tx).Approvals(id)
			if err != nil {
				return err
			}
			w.decisions[id] = list[len(list)-1]
			row, _, err := sqlite.LedgerOf(tx).Record(id)
			if err != nil {
				return err
			}
			if w.heads[id], _, err = record.ParseState(row.State, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err := w.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(context.Background(), to, w.dir, false, time.Now()); err != nil {
		t.Fatal(err)
	}
	var err error
	if w.store, err = sqlite.Open(context.Background(), DatabasePath(w.dir), sqlite.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.store.Close() })
	if w.desk, err = review.New(context.Background(), review.Config{Store: w.store, Ledger: w.ledger, Definition: w.Definition}); err != nil {
		t.Fatal(err)
	}
	return w
}

// give gives pages back, and reinstates what comes back with them.
func (w *lostWork) give(t *testing.T, closed string, pages ...protocol.SignedPage) (back ledger.Back) {
	t.Helper()
	err := w.store.Update(context.Background(), func(tx *sqlite.Tx) (err error) {
		back, err = w.ledger.GiveBack(sqlite.LedgerOf(tx), &protocol.Return{N: 1, Pages: pages}, func(account string) (bool, error) { return account == closed, nil })
		if err != nil {
			return err
		}
		_, err = w.desk.Reinstate(tx, back.Records)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func pagesOf(readers []*reader) []protocol.SignedPage {
	var all []protocol.SignedPage
	for _, r := range readers {
		all = append(all, r.pages...)
	}
	return all
}

func (w *lostWork) see(t *testing.T, look func(*sqlite.Ledger) error) {
	t.Helper()
	if err := w.store.View(context.Background(), func(tx *sqlite.Tx) error { return look(sqlite.LedgerOf(tx)) }); err != nil {
		t.Fatal(err)
	}
}

// TestGiveBackBringsDecisions: approvals, a withdrawal, refusals and an approved
// deletion come back from pages alone, each once all of what it approved is known.
func TestGiveBackBringsDecisions(t *testing.T) {
	w := lose(t)
	secret := w.records[len(w.records)-1]
	if back := w.give(t, "", pagesOf(w.basic)...); back.Writes == 0 || back.Unproven+back.Aside > 0 {
		t.Errorf("got %+v, want writes and nothing else", back)
	}
	w.see(t, func(l *sqlite.Ledger) error {
		list, err := l.Approvals(secret)
		if len(list) > 0 {
			t.Error("a decision stands that approved fields which nobody has given back yet")
		}
		if _, unsealed, err := l.GivenBackCount(); err != nil || unsealed != 1 {
			t.Errorf("got %d unsealed decisions (%v), want 1", unsealed, err)
		}
		return err
	})
	w.give(t, "", pagesOf(w.sensitive)...)
	if back := w.give(t, "", append(pagesOf(w.basic), pagesOf(w.sensitive)...)...); back.Writes+back.Aside+back.Unproven+len(back.Grew) > 0 {
		t.Errorf("given back twice: got %+v, want nothing new", back)
	}
	w.see(t, func(l *sqlite.Ledger) error {
		for id, want := range w.decisions {
			list, err := l.Approvals(id)
			if err != nil {
				return err
			}
			got := list[len(list)-1]
			if got.Decision != want.Decision || got.At != want.At || got.By != want.By || got.Dots.String() != want.Dots.String() || got.Op != want.Op || got.Hash != want.Hash {
				t.Errorf("record %v: got %+v, want %+v", id, got, want)
			}
			row, _, err := l.Record(id)
			if err != nil {
				return err
			}
			head, _, err := record.ParseState(row.State, id)
			if err != nil {
				return err
			}
			for k, f := range w.heads[id].All() {
				if k.ID != conflict.FieldReview && !head.Field(k).Equal(f) {
					t.Errorf("record %v, field %v: got %v, want %v", id, k, head.Field(k), f)
				}
			}
			review := head.Field(conflict.Key(conflict.FieldReview))
			if v, err := record.ParseReview(review.At(0).Value); err != nil || review.Len() != 1 || v.Decision != want.Decision || v.By != want.By || v.At != want.At || v.Revision != row.Revision {
				t.Errorf("record %v: the review field says %+v (%d siblings), revision %d", id, v, review.Len(), row.Revision)
			}
		}
		list, err := l.Approvals(w.records[0])
		if len(list) != 3 {
			t.Errorf("of three approvals of one record %d stand", len(list))
		}
		if _, unsealed, err := l.GivenBackCount(); err != nil || unsealed != 0 {
			t.Errorf("got %d unsealed decisions (%v), want none", unsealed, err)
		}
		return err
	})
	if report, err := Examine(context.Background(), w.dir); err != nil || !report.Sound() {
		t.Errorf("examined: %+v, %v", report, err)
	}
}

// TestGiveBackBelievesItsOwnSignatureOnly changes what is signed, and who signed.
func TestGiveBackBelievesItsOwnSignatureOnly(t *testing.T) {
	w := lose(t)
	good := w.basic[0].pages[0]
	other := good
	other.Epoch[0] ^= 1
	m, err := protocol.Decode(good.Body)
	if err != nil {
		t.Fatal(err)
	}
	p := *m.(*protocol.Page)
	unsigned := p
	unsigned.Signature = nil
	forged := p
	_, stranger, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	protocol.SignPage(stranger, good.Epoch, &forged)
	bad := []protocol.SignedPage{other, {Epoch: good.Epoch, Body: protocol.Encode(nil, &unsigned)}, {Epoch: good.Epoch, Body: protocol.Encode(nil, &forged)},
		{Epoch: good.Epoch, Body: protocol.Encode(nil, &protocol.Ping{N: 1})}, {Epoch: good.Epoch}}
	for at := range good.Body {
		b := slices.Clone(good.Body)
		b[at] ^= 1
		bad = append(bad, protocol.SignedPage{Epoch: good.Epoch, Body: b})
	}
	before := mustSurvey(t, DatabasePath(w.dir))
	if back := w.give(t, "", bad...); back.Unproven != len(bad) || back.Writes+back.Aside > 0 {
		t.Errorf("got %+v, want %d unproven pages and nothing else", back, len(bad))
	}
	if after := mustSurvey(t, DatabasePath(w.dir)); !slices.Equal(after.Units, before.Units) {
		t.Errorf("the database has changed: got %+v, want %+v", after.Units, before.Units)
	}
	if back := w.give(t, "", good); back.Writes == 0 {
		t.Error("the page as it was signed was not believed")
	}
}

// TestGiveBackOfClosedAccount: what a closed account wrote goes to quarantine,
// whoever gives it back, and its own device's changesets, too.
func TestGiveBackOfClosedAccount(t *testing.T) {
	w := lose(t)
	closed := "officer." + unit
	back := w.give(t, closed, pagesOf(w.basic)...)
	if back.Aside == 0 {
		t.Fatalf("got %+v, want writes in quarantine", back)
	}
	w.see(t, func(l *sqlite.Ledger) error {
		entries, err := l.QuarantineOf(unit)
		if err != nil {
			return err
		}
		if len(entries) != back.Aside {
			t.Errorf("got %d entries in quarantine, want %d", len(entries), back.Aside)
		}
		for _, q := range entries {
			body, err := l.GivenBackAside(q.Replica, q.Counter)
			if err != nil {
				return err
			}
			c, err := record.ParseChangeset(body)
			if err != nil || c.Author != closed || q.Author != closed || q.Code != protocol.Revoked || c.Dot.Counter != q.Counter {
				t.Errorf("entry %+v holds %+v, %v", q, c, err)
			}
			if row, ok, err := l.Record(c.Edits[0].Record); err != nil {
				return err
			} else if ok {
				head, _, err := record.ParseState(row.State, row.ID)
				if err != nil {
					return err
				}
				if head.Field(c.Edits[0].Writes[0].Key).Has(c.Dot) {
					t.Errorf("write %v is in quarantine and stands", c.Dot)
				}
			}
		}
		return nil
	})
}
