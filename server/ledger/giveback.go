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
		if err := g.page(page); err != nil {
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
	if !ok || l.cfg.Key != nil && !protocol.VerifyPage(l.cfg.Key.Public().(ed25519.PublicKey), s.Epoch, page) {
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

func (g *giveBack) page(p *protocol.Page) error {
	for i := range p.Records {
		if d := &p.Records[i]; !d.Left {
			if err := g.record(p.Stream, d); err != nil {
				return fmt.Errorf("record %v: %w", d.Record, err)
			}
		}
	}
	return nil
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
		row = Row{ID: d.Record, Register: s.Register, Unit: s.Unit}
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
	for _, e := range d.Fields {
		for _, c := range writesOf(&row, e) {
			fresh, err := g.fresh(row.ID, c.Dot)
			if err != nil {
				return err
			}
			if !fresh {
				continue
			}
			found++
			given := GivenBack{Record: row.ID, Write: c.Dot, Unit: row.Unit, Received: e.Field.At(siblingOf(e.Field, c.Dot)).Origin.Received,
				Bytes: record.AppendChangeset(nil, c)}
			isClosed, err := g.isClosed(c.Author)
			switch {
			case err != nil:
				return err
			case isClosed:
				given.Aside = true
				if err := g.keepAside(&given, c); err != nil {
					return err
				}
			case merged.Field(e.Key).Vector().Covers(c.Dot): // somebody replaced it who had seen it
			default:
				if position == 0 {
					if position, err = g.nextPosition(row.Unit); err != nil {
						return err
					}
				}
				given.Position = position
				merged = c.Apply(merged, 0, given.Received)
				if n := len(written); n == 0 || written[n-1] != e.Key {
					written = append(written, e.Key)
				}
			}
			if given.Aside {
				g.back.Aside++
			} else {
				g.back.Writes++
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

func siblingOf(f conflict.Field, d conflict.Dot) int {
	for i := range f.Len() {
		if f.At(i).Dot == d {
			return i
		}
	}
	return -1
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

// fresh reports whether nobody has told the database of a write of a record yet.
func (g *giveBack) fresh(id conflict.RecordID, d conflict.Dot) (bool, error) {
	r, err := g.replica(d.Replica)
	if err != nil {
		return false, err
	}
	if r.No != 0 && d.Counter <= r.Acked {
		return false, nil // stored with its changeset, and applied or in quarantine
	}
	known, err := g.t.GivenBack(id, d)
	return !known, err
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
