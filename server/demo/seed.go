package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

// Units are the units that the generator fills; the first has both officers
// and both supervisors of the demo accounts, the second officer.c.
var Units = []string{"27169", "27676", "26740"}

// PerUnit is how many residents each of them gets, unless the first is to have
// more.
const PerUnit = 2000

// perPush is how many changesets one transaction of the generator commits.
const perPush = 5000

// Store runs the ledger's work durably.
type Store interface {
	Update(ctx context.Context, work func(ledger.Tables) error) error
}

// Residents fills the units, the first of them with that many residents, and
// returns what is to become of the first unit's records; see Review. now is the
// server's clock in Unix milliseconds. The data is the same in every run but
// for the times.
func Residents(ctx context.Context, store Store, led *ledger.Ledger, def *register.Definition, first int, now int64) (*Review, error) {
	work := &Review{store: store, ledger: led, def: def, now: now, approve: map[string]*resident{}}
	for i, unit := range Units {
		count, r := PerUnit, (*Review)(nil)
		if i == 0 {
			count, r = first, work
		}
		if err := fill(ctx, store, led, def, i, count, now, r); err != nil {
			return nil, fmt.Errorf("demo data of unit %s: %w", unit, err)
		}
	}
	return work, nil
}

// writer makes the changesets of one replica of the generator.
type writer struct {
	author ledger.Author
	id     conflict.ReplicaID
	next   uint64
	source conflict.Source
	made   []record.Changeset
}

// submit is write, and hands in what waits of the record then. head is the
// record before it.
func (w *writer) submit(unit string, at int64, def *register.Definition, id conflict.RecordID, head conflict.Record, writes []record.Write, reasons map[string]string) (conflict.RecordID, []record.Write) {
	key := conflict.Key(conflict.FieldSubmission)
	writes = append(writes, record.Write{Key: key, Context: head.Field(key).Vector()})
	slices.SortFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
	id = w.write(unit, at, def, id, writes)
	last := w.made[len(w.made)-1]
	i := slices.IndexFunc(writes, func(w record.Write) bool { return w.Key == key })
	writes[i].Value = record.Submit(last.Apply(head, 0, 0), reasons).Value() // last holds the same writes
	return id, writes
}

// resident is one record that the generator made.
type resident struct {
	id      conflict.RecordID
	p       person
	created []record.Write
}

func newWriter(unit, account string, n uint64) *writer {
	w := &writer{source: conflict.Imported, author: ledger.Author{Account: account, Device: "demo", Unit: unit, Sensitive: true}, next: 1}
	binary.BigEndian.PutUint64(w.id[:], 0xdeb0_0000_0000_0000|n)
	copy(w.id[8:], "wardbook")
	return w
}

func (w *writer) write(unit string, at int64, def *register.Definition, id conflict.RecordID, writes []record.Write) conflict.RecordID {
	c := record.Changeset{Dot: conflict.Dot{Replica: w.id, Counter: w.next}, Unit: unit, Author: w.author.Account, At: at}
	if id.IsZero() {
		id = c.Dot
	}
	c.Edits = []record.Edit{{Record: id, Register: string(def.ID), Definition: def.Version, Source: w.source, Writes: writes}}
	w.next += uint64(len(writes))
	w.made = append(w.made, c)
	return id
}

// fill makes count records in the unit with the given number. Those that are to
// be approved are handed in; review may be nil.
func fill(ctx context.Context, store Store, led *ledger.Ledger, def *register.Definition, number, count int, now int64, review *Review) error {
	unit, seed := Units[number], uint64(number+1)
	r := rand.New(rand.NewPCG(seed, 20260701))
	one, two := newWriter(unit, Former[2*number].Name, seed*2), newWriter(unit, Former[2*number+1].Name, seed*2+1)
	var all []*resident
	torn := make([]int, 10)
	for i := range torn {
		torn[i] = (i*197 + 31) % count
	}
	at := now - 30*24*3600_000
	for no := 1; len(all) < count; no++ {
		for _, p := range household(r, unit, no) {
			if len(all) == count {
				break
			}
			fate := fateOf(review, no)
			if slices.Contains(torn, len(all)) || len(all) >= PerUnit { // more would take too long to approve
				fate = draft
			}
			if len(all)%200 == 199 {
				fate = draft
				// A deliberate duplicate: somebody entered again, spelt
				// otherwise and without the number.
				twin := all[r.IntN(len(all))].p
				p = person{}
				for k, v := range twin {
					p[k] = v
				}
				p["phone"] = phone(r)
				delete(p, "spouse_id")
				delete(p, "personal_id")
				p["no_id_reason"] = "KHAC"
				p["marital_status"] = "0"
			}
			at += 60_000
			if fate == submitted && len(all)%6 == 0 {
				p["match_result"] = "SAI_LECH"
			}
			writes, err := writesOf(def, p)
			if err != nil {
				return err
			}
			made := &resident{p: p}
			if fate == approved {
				made.id, made.created = one.submit(unit, at, def, conflict.RecordID{}, conflict.Record{}, writes, nil)
			} else {
				made.id, made.created = one.write(unit, at, def, conflict.RecordID{}, writes), writes
			}
			all = append(all, made)
			review.note(made, fate)
		}
	}
	// Deliberate conflicts: two officers had the record open at once.
	phoneField := def.FieldByName("phone")
	for i, place := range torn {
		k := all[place]
		for _, w := range []*writer{one, two} {
			value, err := register.Normalise(def, phoneField.Name, phone(r))
			if err != nil {
				return err
			}
			w.write(unit, at+int64(i)*60_000, def, k.id, []record.Write{{Key: conflict.Key(phoneField.ID), Value: value, Context: contextOf(k.id, k.created, phoneField.ID)}})
		}
	}
	for _, w := range []*writer{one, two} {
		if err := w.push(ctx, store, led, now); err != nil {
			return err
		}
	}
	return nil
}

// contextOf is what both writers had on the screen of the field: the write that
// created the record, if it had a value then.
func contextOf(id conflict.RecordID, created []record.Write, field conflict.FieldID) conflict.Vector {
	for i, w := range created {
		if w.Key.ID == field {
			return conflict.NewVector(conflict.Dot{Replica: id.Replica, Counter: id.Counter + uint64(i)})
		}
	}
	return conflict.Vector{}
}

func writesOf(def *register.Definition, p person) ([]record.Write, error) {
	var writes []record.Write
	for i := range def.Fields {
		f := &def.Fields[i]
		if p[f.Name] == "" {
			continue
		}
		value, err := register.Normalise(def, f.Name, p[f.Name])
		if err != nil {
			return nil, fmt.Errorf("field %s %q: %w", f.Name, p[f.Name], err)
		}
		writes = append(writes, record.Write{Key: conflict.Key(f.ID), Value: value})
	}
	slices.SortFunc(writes, func(a, b record.Write) int { return a.Key.Compare(b.Key) })
	return writes, nil
}

var errRefused = errors.New("the ledger refused a changeset of the generator")

func (w *writer) push(ctx context.Context, store Store, led *ledger.Ledger, now int64) error {
	if err := store.Update(ctx, func(t ledger.Tables) error {
		return t.PutReplica(&ledger.Replica{ID: w.id, Account: w.author.Account, Device: w.author.Device, SeenAt: now})
	}); err != nil {
		return err
	}
	for made := range slices.Chunk(w.made, perPush) {
		if err := store.Update(ctx, func(t ledger.Tables) error {
			out, err := led.Commit(t, w.author, w.id, made)
			if err != nil {
				return err
			}
			if len(out.Refusals) > 0 || out.Applied != len(made) {
				return fmt.Errorf("%w: %d of %d applied, first refusal %+v", errRefused, out.Applied, len(made), out.Refusals)
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}
