package bridge

import (
	"encoding/json"
	"testing"

	"wardbook/sync/record"
)

// TestWritingLate saves records after the lease, in a program that has nothing
// but what the lease had left: each is sealed whole, under a replica id of its
// own, as its author's, and the next store knows nothing of it.
func TestWritingLate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		o := newOffice(t)
		s := newShelf(o)
		p := page{t, s.bridge()}
		p.must("login", signing(nil), nil)
		p.create("Người trước")
		leases := s.seen("lease")
		if len(leases) == 0 {
			t.Fatal("no lease")
		}
		var l lease
		if err := json.Unmarshal([]byte(leases[len(leases)-1]), &l); err != nil || l.Late == nil {
			t.Fatalf("the lease leaves nothing to write with: %v", err)
		}
		if f := p.call("late", l.Late, nil); f == nil || f.Code != errSignedIn.Code {
			t.Errorf("beside an open account: got %v", f)
		}
		if f := p.call("lateSave", lateSave{Register: "residents"}, nil); f == nil {
			t.Error("an open account saves late")
		}
		p.must("logout", logoutRequest{Lock: true}, nil)

		b := s.bridge()
		asked := 0
		o.set(func() { asked = len(o.asked) + o.sockets })
		p = page{t, b}
		seen := map[string]bool{}
		for _, name := range []string{"Nguyễn Văn Muộn", "Lê Thị Muộn"} {
			var session Session
			p.must("late", l.Late, &session)
			if !session.Late || session.Account.Name != "officer.a" || len(session.Registers) == 0 {
				t.Fatalf("got %+v", session)
			}
			var list struct{ Total int }
			p.must("list", map[string]any{"register": "residents"}, &list)
			if list.Total != 0 {
				t.Errorf("%d records can be read", list.Total)
			}
			var lost, saved lateSaved
			p.must("lateSave", lateSave{Register: "residents", Values: map[string]string{"full_name": name}}, &lost) // and the disk was full
			p.must("lateSave", lateSave{Register: "residents", Values: map[string]string{"full_name": name}}, &saved)
			if !saved.Reply.Saved || saved.Sealed.Count == 0 {
				t.Fatalf("got %+v", saved.Reply)
			}
			f := o.opened(saved.Sealed.File)
			if !f.Late || f.Device != l.Device || len(f.Changesets) != saved.Sealed.Count || saved.Sealed.Count != lost.Sealed.Count || seen[f.Replica.String()] {
				t.Errorf("got %+v", f)
			}
			seen[f.Replica.String()] = true
			for i, c := range f.Changesets {
				set, err := record.ParseChangeset(c.Bytes)
				if err != nil || set.Author != "officer.a" || set.Dot.Replica != f.Replica || set.Dot.Counter != c.First || i == 0 && c.First != 1 {
					t.Errorf("changeset %d: %+v, %v", i, set, err)
				}
			}
		}
		o.set(func() {
			if got := len(o.asked) + o.sockets; got != asked {
				t.Errorf("%d requests were made", got-asked)
			}
		})
		p.must("logout", logoutRequest{Lock: true}, nil)
		if f := p.call("list", map[string]any{"register": "residents"}, nil); f == nil {
			t.Error("something can be read after the end")
		}
	})
}
