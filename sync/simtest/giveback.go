package simtest

import (
	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
	"wardbook/sync/session"
)

// takeBack stores what a device gives back.
func (v *server) takeBack(s *serverEnd, e session.TakeBack) {
	if !v.hasTurn(s) {
		v.answer(s, nil, errSuperseded)
		return
	}
	var back ledger.Back
	err := v.update(func(t ledger.Tables) (err error) {
		back, err = v.led.GiveBack(t, e.Return, func(account string) (bool, error) { return v.closed(account), nil })
		return err
	})
	if err == nil {
		v.grew(back.Grew)
	}
	v.answer(s, session.TookBack{Now: v.now(), Returned: back.Returned}, err)
}

// closed reports whether an account has no rights any more.
func (v *server) closed(account string) bool {
	for i := range v.w.accounts {
		if a := &v.w.accounts[i]; a.name == account {
			return a.banned
		}
	}
	return false
}

// PutGivenBack notes what a transaction takes back.
func (t *watched) PutGivenBack(g *ledger.GivenBack) error {
	t.given = append(t.given, *g)
	return t.Tables.PutGivenBack(g)
}

// tookBack looks at writes that were given back: each was saved by somebody, and
// stands in its record or is aside. A record takes one position; it returns those.
func (v *server) tookBack(t *watched, applied map[string]uint64) map[string]map[uint64]bool {
	at := map[string]map[uint64]bool{}
	for i := range t.given {
		g := &t.given[i]
		c, err := record.ParseOwn(g.Bytes)
		if err != nil {
			v.w.fail(oracleState, "a write that was given back cannot be read: "+err.Error())
			return at
		}
		if _, ok := v.w.truth.number(c.At); !ok {
			v.w.fail(oracleOrigin, "given back is "+c.Dot.String()+", which nobody ever saved")
			return at
		}
		if g.Aside {
			continue
		}
		if row := v.db.Row(g.Record); row == nil || !v.w.stateOf(row).record.Field(c.Edits[0].Writes[0].Key).Vector().Covers(c.Dot) {
			v.w.fail(oracleState, "write "+c.Dot.String()+" was given back and does not stand")
		}
		if _, ok := v.life.homes[g.Record]; !ok {
			v.life.homes[g.Record] = g.Unit
		}
		if g.Position > 0 {
			if at[g.Unit] == nil {
				at[g.Unit] = map[uint64]bool{}
			}
			at[g.Unit][g.Position] = true
		}
	}
	for unit, positions := range at {
		applied[unit] += uint64(len(positions))
	}
	return at
}

// givenBack yields the writes that were given back, with the number of their
// changeset.
func (w *world) givenBack(yield func(id conflict.RecordID, k conflict.FieldKey, n int)) {
	w.server.db.GivenBack(func(g *ledger.GivenBack) bool {
		if c, err := record.ParseOwn(g.Bytes); err == nil && !g.Aside {
			n, _ := w.truth.number(c.At)
			yield(g.Record, c.Edits[0].Writes[0].Key, n)
		}
		return true
	})
}

// knows reports whether the server holds a write of a field, in some record or
// in quarantine, for its author was banned, or what has replaced it.
func (w *world) knows(k conflict.FieldKey, dot conflict.Dot) (there bool) {
	w.server.db.Rows(func(row *ledger.Row) bool {
		there = w.stateOf(row).record.Field(k).Vector().Covers(dot)
		return !there
	})
	if !there {
		w.server.db.GivenBack(func(g *ledger.GivenBack) bool {
			there = g.Write == dot
			return !there
		})
	}
	return there
}

// returned reports whether the server knows all writes of a changeset that it lost,
// from pages that were given back: it holds them, or what has replaced them.
func (w *world) returned(n int) bool {
	for _, dot := range w.ghosts[n] {
		back := 0
		for i, wr := range w.truth.sets[n].writes {
			if w.knows(wr.key, conflict.Dot{Replica: dot.Replica, Counter: dot.Counter + uint64(i)}) {
				back++
			}
		}
		if back == len(w.truth.sets[n].writes) {
			return true
		}
	}
	return false
}
