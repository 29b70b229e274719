package city

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wardbook/conflict"
	"wardbook/server/erasure"
	"wardbook/server/rpc"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// erasures is what the oracles know of records that are erased by law.
type erasures struct {
	erased map[conflict.RecordID]bool            // the list names them
	hot    map[conflict.RecordID]map[string]bool // values of what somebody asked to erase
	gone   map[string]bool                       // values of what was
}

func newErasures() erasures {
	return erasures{map[conflict.RecordID]bool{}, map[conflict.RecordID]map[string]bool{}, map[string]bool{}}
}

// eraser begins the process's part that erases: first of all what the list names
// and the database does not know.
func (s *server) eraser() {
	w := s.w
	dir := filepath.Join(w.dir, "keys")
	w.must("make the keys' folder", os.MkdirAll(dir, 0o700))
	if s.list != nil {
		s.list.Close()
	}
	var err error
	s.list, err = erasure.OpenList(dir, make([]byte, 32), w)
	w.must("open the list of erasures", err)
	done, err := erasure.Apply(ctx, s.store, s.led, s.list)
	w.must("erase again", err)
	if len(done.Erased) > 0 {
		w.logf("  erased at the start: %v", done.Erased)
	}
	s.erasure = erasure.New(erasure.Config{Store: s.store, Ledger: s.led, List: s.list, StepUp: stepUp, Random: w,
		Erased: func(grew []protocol.StreamMark) {
			s.grew = append(s.grew, grew...)
			s.told = append(s.told, func() {
				for _, e := range slices.Clone(s.ends) {
					e.step(session.ErasedMore{Now: w.clock})
				}
			})
		}})
	w.listed()
}

// listed follows the list.
func (w *world) listed() {
	for _, e := range w.server.list.Entries() {
		if w.erased[e.Record] {
			continue
		}
		w.erased[e.Record] = true
		w.logf("  %v is erased", e.Record)
		for v := range w.hot[e.Record] {
			w.gone[v] = true
		}
	}
	// What the feed told of them it tells without values now.
	for _, lines := range w.told {
		for n, t := range lines {
			if w.erased[t.record] && t.op == store.OpUpsert {
				lines[n] = told{record: t.record, op: store.OpRetract}
			}
		}
	}
}

// erase is what a supervisor does: decides about a colleague's request, or asks for
// the record on the screen.
func (k *supervisor) erase(bits uint32) {
	w := k.w
	s := w.server
	var open erasure.ListResponse
	err := s.do(func() (err error) { open, err = s.erasure.Requests(k.seat(), rpc.None{}); return err })
	if w.refused("list erasures", err) || err != nil {
		return
	}
	for _, r := range open.Open {
		if r.Own {
			if bits&7 == 0 {
				err := s.do(func() error {
					_, err := s.erasure.Withdraw(k.seat(), erasure.TargetRequest{ID: r.ID})
					return err
				})
				w.refused("take a request back", err)
				return
			}
			continue
		}
		id := mustDot(r.Record)
		w.remember(id)
		err := s.do(func() (err error) {
			if bits&15 == 1 {
				_, err = s.erasure.Decline(k.seat(), erasure.TargetRequest{ID: r.ID})
				return err
			}
			_, err = s.erasure.Confirm(k.seat(), erasure.DecideRequest{ID: r.ID})
			return err
		})
		w.listed()
		w.refused("decide about erasing", err)
		return
	}
	if k.screen == nil {
		return
	}
	err = s.do(func() error {
		_, err := s.erasure.Ask(k.seat(), erasure.AskRequest{Record: k.screen.ID, Ground: "subject_request", Reason: "the person asked"})
		return err
	})
	if w.refused("ask to erase", err) || err != nil || bits>>4&3 == 0 {
		return
	}
	for _, colleague := range w.supers { // mostly decided about at once, for few would be later
		if colleague != k && colleague.person.unit == k.person.unit {
			w.login(&colleague.p)
			colleague.erase(bits)
		}
	}
}

// remember keeps the values of a record that is about to be erased, wherever they
// are: at the server, and on the devices.
func (w *world) remember(id conflict.RecordID) {
	hot := map[string]bool{}
	note := func(c record.Changeset) {
		for _, e := range c.Edits {
			for _, x := range e.Writes {
				if v := string(x.Value); e.Record == id && isMarked(v) {
					hot[v] = true
				}
			}
		}
	}
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		list, err := l.Touching(id)
		for _, in := range list {
			if c, err := record.ParseOwn(in.Bytes); err == nil {
				note(c)
			}
		}
		given, gerr := l.GivenBackOf(id)
		for _, g := range given {
			if c, err := record.ParseOwn(g.Bytes); err == nil {
				note(c)
			}
		}
		if err == nil {
			err = gerr
		}
		return err
	})
	for _, d := range w.devices {
		for e := range d.mem.EachEntry {
			note(e.Changeset)
		}
	}
	w.hot[id] = hot
}

// isMarked reports whether a value is one that stands nowhere else.
func isMarked(v string) bool { return strings.HasPrefix(v, "v") && strings.HasSuffix(v, ".") }

// checkErased: nothing is left of what was erased, at the server, at the hub, or on a
// device that is let in.
func (w *world) checkErased() {
	if len(w.erased) == 0 {
		return
	}
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		for id := range w.erased {
			if _, ok, err := l.Record(id); err != nil || ok {
				w.fail(oracleErased, "the server holds %v: %v, %v", id, ok, err)
			}
			list, err := l.Touching(id)
			if err != nil {
				return err
			}
			for _, in := range list {
				c, err := record.ParseOwn(in.Bytes)
				if err != nil {
					return err
				}
				for _, e := range c.Edits {
					for _, x := range e.Writes {
						if e.Record == id && x.Value != "" {
							w.fail(oracleErased, "the server holds %q of %v in changeset %v", x.Value, id, c.Dot)
						}
					}
				}
			}
		}
		return nil
	})
	for _, d := range w.devices {
		if d.shut() {
			continue // it is wiped when it is told so
		}
		for id := range w.erased {
			if h, ok := d.mem.Holding(id); ok {
				w.fail(oracleErased, "%s holds %v: %d fields, %d entries", d, id, h.Base.Len(), len(h.Entries))
			}
		}
		for e := range d.mem.EachEntry {
			for _, edit := range e.Changeset.Edits {
				for _, x := range edit.Writes {
					if w.erased[edit.Record] && x.Value != "" {
						w.fail(oracleErased, "%s holds %q of %v", d, x.Value, edit.Record)
					}
				}
			}
		}
	}
	w.must("look at the hub's copy", filepath.WalkDir(w.hub.dir, func(path string, f fs.DirEntry, err error) error {
		if err != nil || f.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		for v := range w.gone {
			if bytes.Contains(body, []byte(`"`+v+`"`)) {
				w.fail(oracleErased, "the hub's %s holds %s", f.Name(), v)
			}
		}
		return err
	}))
}
