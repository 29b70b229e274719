package ledger

import (
	"crypto/ed25519"
	"fmt"
	"slices"

	"wardbook/conflict"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Back is what became of pages that were given back.
type Back struct {
	Returned *protocol.Returned
	Grew     []protocol.StreamMark
	Records  []conflict.RecordID // in which something was found that was not known
	Writes   int                 // stored and applied, or replaced already
	Aside    int                 // stored in quarantine
	Unproven int                 // pages that this server never signed
}

// GiveBack takes in what pages of earlier epochs prove. Who brings a page does
// not matter: what counts is this server's own signature, by which it said that
// it held and showed these writes. A page without it is left alone. Of a page's
// writes those are stored that neither the intake nor a page before knew; they
// are applied like any write, under the contexts that the page's vectors name.
// Those of an author whose account is closed by now go to quarantine.
func (l *Ledger) GiveBack(t Tables, m *protocol.Return, closed func(account string) (bool, error)) (Back, error) {
	back := Back{Returned: &protocol.Returned{N: m.N}}
	epoch, err := t.Epoch()
	if err != nil {
		return back, err
	}
	g := giveBack{batch: batch{l: l, t: t, epoch: epoch, now: l.cfg.Now(), out: &Outcome{}}, back: &back, closed: closed,
		accounts: map[string]bool{}, replicas: map[conflict.ReplicaID]*Replica{}}
	var streams []protocol.Stream
	for i := range m.Pages {
		page := l.proven(&m.Pages[i])
		if page == nil {
			back.Unproven++
			continue
		}
		if !slices.Contains(streams, page.Stream) {
			streams = append(streams, page.Stream)
		}
		if err := g.page(m.Pages[i].Epoch, page); err != nil {
			return back, err
		}
	}
	if err := g.finish(); err != nil {
		return back, err
	}
	back.Grew = g.out.Grew
	for _, s := range streams {
		p, err := t.Position(s.Unit)
		if err != nil {
			return back, err
		}
		back.Returned.Marks = append(back.Returned.Marks, protocol.StreamMark{Stream: s, Position: p})
	}
	return back, nil
}

// proven returns the page if this server signed it. A ledger without a key, as
// simulations have, signs nothing and believes everything.
func (l *Ledger) proven(s *protocol.SignedPage) *protocol.Page {
	m, err := protocol.Decode(s.Body)
	if err != nil {
		return nil
	}
	page, ok := m.(*protocol.Page)
	if !ok || l.cfg.Key != nil && !protocol.VerifyReceived(l.cfg.Key.Public().(ed25519.PublicKey), s.Epoch, page) {
		return nil
	}
	return page
}

// giveBack is the work of one call in one transaction.
type giveBack struct {
	batch
	back     *Back
	closed   func(account string) (bool, error)
	accounts map[string]bool // closed ones, by name
	replicas map[conflict.ReplicaID]*Replica
}

// page takes in a page of the epoch.
func (g *giveBack) page(epoch protocol.Token, p *protocol.Page) error {
	for i := range p.Records {
		d := &p.Records[i]
		if erased, err := g.t.Erased(d.Record); err != nil {
			return err
		} else if erased || d.Left {
			continue
		}
		if err := g.record(p.Stream, d); err != nil {
			return fmt.Errorf("record %v: %w", d.Record, err)
		}
		if err := g.letGo(epoch, p.Stream, d.Record); err != nil {
			return fmt.Errorf("record %v: %w", d.Record, err)
		}
	}
	return nil
}

// letGo tells in a unit's feed that a record is not there, if a page of the epoch
// had shown it there and the feed, as devices of that epoch go on with it, would
// not say so: in this life the record never came to the unit, or left it before.
func (g *giveBack) letGo(epoch protocol.Token, s protocol.Stream, id conflict.RecordID) error {
	row, known, err := g.t.Record(id)
	if err != nil || !known || row.Unit == s.Unit {
		return err
	}
	fork, _, err := g.t.Fork(epoch, s.Unit)
	if err != nil {
		return err
	}
	if left, ok, err := g.t.Departed(id, s.Unit); err != nil || ok && left > fork {
		return err
	}
	m := Move{Record: id, Register: row.Register, From: s.Unit, To: row.Unit, Sensitive: row.Sensitive > 0, At: g.now}
	if m.Position, err = g.nextPosition(s.Unit); err != nil {
		return err
	}
	g.touch(protocol.Stream{Unit: s.Unit, Register: row.Register, Class: protocol.Basic}, m.Position)
	if m.Sensitive {
		g.touch(protocol.Stream{Unit: s.Unit, Register: row.Register, Class: protocol.Sensitive}, m.Position)
	}
	return g.t.PutMove(&m)
}

// record applies what a page knows of one record and the database does not.
func (g *giveBack) record(s protocol.Stream, d *protocol.RecordDelta) error {
	def, ok := g.l.cfg.Definition(s.Register)
	if !ok {
		return nil // a register that is no more; the device keeps the page
	}
	row, known, err := g.t.Record(d.Record)
	if err != nil {
		return err
	}
	if !known {
		unit, err := g.resolve(s.Unit) // lists may have changed since the restore
		if err != nil {
			return err
		}
		row = Row{ID: d.Record, Register: s.Register, Unit: unit}
	}
	var old conflict.Record
	var positions []uint64
	if len(row.State) > 0 {
		if old, positions, err = record.ParseState(row.State, row.ID); err != nil {
			return err
		}
	}
	merged := old
	var written []conflict.FieldKey
	var position, found uint64
	take := func(given *GivenBack, k conflict.FieldKey) (err error) {
		if position == 0 {
			if position, err = g.nextPosition(row.Unit); err != nil {
				return err
			}
		}
		given.Position = position
		if n := len(written); n == 0 || written[n-1] != k {
			written = append(written, k)
		}
		return nil
	}
	for _, e := range d.Fields {
		for i, c := range writesOf(&row, e) {
			given := GivenBack{Record: row.ID, Write: c.Dot, Unit: row.Unit, Received: e.Field.At(i).Origin.Received}
			state, err := g.known(&given, merged.Field(e.Key))
			if err != nil {
				return err
			}
			if state == stored {
				continue
			}
			found++
			given.Bytes = record.AppendChangeset(nil, c)
			isClosed, err := g.isClosed(c.Author)
			switch {
			case err != nil:
				return err
			case state == earlier:
				// Of two copies of one write the later stamped one is kept everywhere.
				merged = merged.With(e.Key, merged.Field(e.Key).Restamp(e.Field.At(i)))
				err = take(&given, e.Key)
			case isClosed:
				given.Aside = true
				g.back.Aside++
				err = g.keepAside(&given, c)
			case merged.Field(e.Key).Vector().Covers(c.Dot): // somebody replaced it who had seen it
				g.back.Writes++
			default:
				g.back.Writes++
				merged = c.Apply(merged, 0, given.Received)
				err = take(&given, e.Key)
			}
			if err != nil {
				return err
			}
			if err := g.t.PutGivenBack(&given); err != nil {
				return err
			}
		}
	}
	if found > 0 && !slices.Contains(g.back.Records, row.ID) {
		g.back.Records = append(g.back.Records, row.ID)
	}
	if len(written) == 0 {
		return nil
	}
	return g.put(&row, def, old, positions, merged, position, len(written), func(w int) conflict.FieldKey { return written[w] })
}

// Stamp gives the writes of edit i of c that stand in r the time at which the
// server received them, if that is later than the one that they carry. After a
// restore a write may be given back before its changeset comes again; of two
// copies the later stamped one is kept everywhere.
func Stamp(r conflict.Record, c record.Changeset, i int, received int64) conflict.Record {
	dot := c.FirstDot(i)
	for _, w := range c.Edits[i].Writes {
		f := r.Field(w.Key)
		for j := range f.Len() {
			if s := f.At(j); s.Dot == dot && s.Origin.Received < received {
				s.Origin.Received = received
				r = r.With(w.Key, f.Restamp(s))
			}
		}
		dot.Counter++
	}
	return r
}

// writesOf returns the writes that stand in a field as changesets of their own.
// Applied in any order to any older state of the field they make what the page
// showed: each has seen all that the field's vector names but the other siblings
// and itself.
func writesOf(row *Row, e conflict.Entry) []record.Changeset {
	siblings := e.Field.Siblings()
	var seen conflict.Vector
	for d := range e.Field.Vector().All() {
		for i := range siblings {
			if s := siblings[i].Dot; s.Replica == d.Replica {
				d.Counter = min(d.Counter, s.Counter-1)
			}
		}
		seen = seen.With(d)
	}
	all := make([]record.Changeset, len(siblings))
	for i, s := range siblings {
		all[i] = record.Changeset{Dot: s.Dot, Unit: row.Unit, Author: s.Origin.Author, At: s.Origin.At, Edits: []record.Edit{{
			Record: row.ID, Register: row.Register, Definition: s.Origin.Definition, Source: s.Origin.Source,
			Writes: []record.Write{{Key: e.Key, Context: seen, Value: s.Value}}}}}
	}
	return all
}

// What the database knows of a write that a page shows.
type knowledge int

const (
	unknown knowledge = iota
	stored            // in the intake, or as the page has it
	earlier           // as a page before had it, which was stamped earlier; it stands
)

// known says what the database knows of a write, whose field now stands.
func (g *giveBack) known(given *GivenBack, now conflict.Field) (knowledge, error) {
	r, err := g.replica(given.Write.Replica)
	if err != nil {
		return unknown, err
	}
	received, ok, err := g.t.GivenBack(given.Record, given.Write)
	switch {
	case err != nil:
		return unknown, err
	case ok && received < given.Received && now.Has(given.Write):
		return earlier, nil // though its changeset may have come since, and been refused
	case ok || r.No != 0 && given.Write.Counter <= r.Acked:
		return stored, nil // with its changeset, and applied or in quarantine
	}
	return unknown, nil
}

func (g *giveBack) replica(id conflict.ReplicaID) (*Replica, error) {
	if r := g.replicas[id]; r != nil {
		return r, nil
	}
	r, _, err := g.t.Replica(id)
	if err == nil {
		g.replicas[id] = &r
	}
	return &r, err
}

func (g *giveBack) isClosed(account string) (bool, error) {
	closed, ok := g.accounts[account]
	if !ok {
		var err error
		if closed, err = g.closed(account); err != nil {
			return false, err
		}
		g.accounts[account] = closed
	}
	return closed, nil
}

// keepAside opens an entry in quarantine for one write.
func (g *giveBack) keepAside(given *GivenBack, c record.Changeset) error {
	r, err := g.replica(given.Write.Replica)
	if err != nil {
		return err
	}
	if r.No == 0 || !r.Trouble {
		r.ID, r.Trouble = given.Write.Replica, true
		if err := g.t.PutReplica(r); err != nil {
			return err
		}
	}
	return g.t.PutQuarantine(&Quarantine{Replica: r.No, Counter: given.Write.Counter, Count: 1, Unit: given.Unit, Author: c.Author,
		Code: protocol.Revoked, Detail: given.Record.String(), At: g.now})
}
