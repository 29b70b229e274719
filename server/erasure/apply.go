package erasure

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"wardbook/conflict"
	"wardbook/server/audit"
	"wardbook/server/ledger"
	"wardbook/server/store"
	"wardbook/server/store/sqlite"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// carry takes a record out of everything that the database holds, within the
// caller's transaction, and returns how far streams moved by it. The ledger's Erased
// is to be Follow.
func carry(tx *sqlite.Tx, led *ledger.Ledger, e Entry) ([]protocol.StreamMark, error) {
	l := sqlite.LedgerOf(tx)
	requests, err := l.ErasureRequestsOf(e.Record)
	if err != nil {
		return nil, err
	}
	if e.Request != "" && !slices.ContainsFunc(requests, func(r store.ErasureRequest) bool { return r.ID == e.Request }) {
		// Asked for in another life of the database.
		requests = append(requests, store.ErasureRequest{ID: e.Request, Record: e.Record, Register: e.Register, Unit: e.Unit, Ground: e.Ground, By: e.AskedBy, At: e.At})
	}
	for _, r := range requests {
		if r.ID != e.Request && r.State != store.ErasureOpen {
			continue
		}
		r.State, r.ClosedBy, r.ClosedAt, r.Number = store.ErasureDone, e.By, e.At, e.Number
		if err := l.PutErasureRequest(&r); err != nil {
			return nil, err
		}
	}
	_, grew, err := led.Erase(l, ledger.Erasure{Number: e.Number, Record: e.Record, At: e.At})
	if err != nil {
		return nil, err
	}
	return grew, tx.SetRewriteDue(e.Number)
}

// Follow does, in the transaction of an erasure, what follows from it outside of the
// ledger: the hub is told, in every unit where it ever held the record, to let go of
// it, and what people said of its values is taken out of decisions and requests.
func Follow(tables ledger.Tables, e ledger.Erasure) ([]protocol.StreamMark, error) {
	l, ok := tables.(*sqlite.Ledger)
	if !ok {
		return nil, nil // tables that keep no decisions
	}
	if err := retract(l, e); err != nil {
		return nil, err
	}
	return nil, l.BlankRecord(e.Record)
}

func retract(l *sqlite.Ledger, e ledger.Erasure) error {
	decisions, err := l.Approvals(e.Record)
	if err != nil || len(decisions) == 0 {
		return err
	}
	var by string
	requests, err := l.ErasureRequestsOf(e.Record)
	if err != nil {
		return err
	}
	for _, r := range requests {
		if r.Number == e.Number {
			by = r.ClosedBy
		}
	}
	var held []string
	last := map[string]store.Approval{}
	for _, a := range decisions {
		if a.Decision == store.ErasedDecision {
			return nil // erased again, which finds nothing more
		}
		if a.Op != store.OpUpsert {
			continue
		}
		if _, ok := last[a.Unit]; !ok {
			held = append(held, a.Unit)
		}
		last[a.Unit] = a
	}
	seq := decisions[len(decisions)-1].Seq
	for _, unit := range held {
		seq++
		a := store.Approval{Record: e.Record, Seq: seq, Register: last[unit].Register, Unit: unit, Op: store.OpRetract, Decision: store.ErasedDecision,
			Definition: last[unit].Definition, At: e.At, By: by, Dots: record.NewDotSet()}
		if a.Revision, err = l.NextRevision(unit, a.Register); err != nil {
			return err
		}
		if err := l.AppendApproval(&a); err != nil {
			return err
		}
	}
	return nil
}

// Applied is what Apply did.
type Applied struct {
	Erased []conflict.RecordID // that the database had not erased
	Listed int                 // that the list lacked and the database had erased
}

// Apply makes list and database agree: what the list names is erased from the
// database, each in a transaction of its own, and what the database has erased is
// listed. It may be repeated. An error that wraps ErrList says that one number
// stands for two records.
func Apply(ctx context.Context, st *sqlite.Store, led *ledger.Ledger, list *List) (Applied, error) {
	var done Applied
	var there []ledger.Erasure
	asked := map[uint64]store.ErasureRequest{}
	err := st.View(ctx, func(tx *sqlite.Tx) (err error) {
		l := sqlite.LedgerOf(tx)
		if there, err = l.Erasures(0, 1<<30); err != nil {
			return err
		}
		for _, e := range there {
			requests, err := l.ErasureRequestsOf(e.Record)
			if err != nil {
				return err
			}
			for _, r := range requests {
				if r.Number == e.Number {
					asked[e.Number] = r
				}
			}
		}
		return nil
	})
	if err != nil {
		return done, err
	}
	if wrong := disagree(list.Entries(), there); len(wrong) > 0 {
		return done, fmt.Errorf("%w: %s: %s", ErrList, list.path, wrong[0])
	}
	have := map[uint64]bool{}
	for _, e := range there {
		have[e.Number] = true
	}
	for _, e := range list.Entries() {
		if have[e.Number] {
			continue
		}
		err := st.Update(ctx, func(tx *sqlite.Tx) error {
			if _, err := carry(tx, led, e); err != nil {
				return err
			}
			return audit.Append(tx, st.Now(), audit.Entry{Action: "erasure.apply", Unit: e.Unit, Subject: e.Record.String(),
				Detail: map[string]string{"number": strconv.FormatUint(e.Number, 10)}})
		})
		if err != nil {
			return done, err
		}
		done.Erased = append(done.Erased, e.Record)
	}
	listed := map[uint64]bool{}
	for _, e := range list.Entries() {
		listed[e.Number] = true
	}
	for _, e := range there {
		if listed[e.Number] {
			continue
		}
		r := asked[e.Number]
		if _, err := list.Append(Entry{Number: e.Number, Record: e.Record, Register: e.Register, Unit: e.Unit, At: e.At,
			Request: r.ID, Ground: r.Ground, AskedBy: r.By, By: r.ClosedBy}, 0); err != nil {
			return done, err
		}
		done.Listed++
	}
	return done, nil
}

// disagree says in words where list and database say different things, and not only
// one of them less.
func disagree(list []Entry, there []ledger.Erasure) []string {
	of := map[uint64]conflict.RecordID{}
	var last uint64
	for _, e := range list {
		of[e.Number], last = e.Record, e.Number
	}
	var wrong []string
	for _, e := range there {
		switch id, ok := of[e.Number]; {
		case ok && id != e.Record:
			wrong = append(wrong, fmt.Sprintf("number %d is record %v in the list and %v in the database: one of the two is from another life of this server", e.Number, id, e.Record))
		case !ok && e.Number < last:
			wrong = append(wrong, fmt.Sprintf("the list lacks number %d, which the database has erased, and has number %d", e.Number, last))
		}
	}
	return wrong
}

// Compare says in words where the list and the database do not agree.
func Compare(list []Entry, l *sqlite.Ledger) ([]string, error) {
	there, err := l.Erasures(0, 1<<30)
	if err != nil {
		return nil, err
	}
	wrong := disagree(list, there)
	have := map[uint64]bool{}
	for _, e := range there {
		have[e.Number] = true
		if _, ok, err := l.Record(e.Record); err != nil {
			return nil, err
		} else if ok {
			wrong = append(wrong, fmt.Sprintf("record %v was erased as number %d, and has a row", e.Record, e.Number))
		}
	}
	for _, e := range list {
		if !have[e.Number] {
			wrong = append(wrong, fmt.Sprintf("record %v, number %d of the list, is not erased from the database", e.Record, e.Number))
		}
	}
	var last uint64
	if n := len(list); n > 0 {
		last = list[n-1].Number
	}
	for _, e := range there {
		if e.Number > last {
			wrong = append(wrong, fmt.Sprintf("the list lacks number %d, which the database has erased", e.Number))
		}
	}
	return wrong, nil
}

// smallFile is the size up to which the database is written anew at once: it takes
// about a second, in which writers wait.
const smallFile = 64 << 20

// Rewrite writes the database anew if an erasure is the reason to, so that nothing of
// the record is left in it; a file that is not small only if large is set. It reports
// whether there is still a reason.
func Rewrite(ctx context.Context, st *sqlite.Store, size func() (int64, error), large bool) (due bool, err error) {
	var number uint64
	if err := st.View(ctx, func(tx *sqlite.Tx) (err error) { number, err = tx.RewriteDue(); return err }); err != nil || number == 0 {
		return false, err
	}
	n, err := size()
	if err != nil {
		return true, err
	}
	if err := st.Empty(ctx, large || n <= smallFile); err != nil || !large && n > smallFile {
		return true, err
	}
	return false, st.Update(ctx, func(tx *sqlite.Tx) error { return tx.Rewritten(number) })
}

// night tells when few people write: from one to four in the morning, in the city.
func night(t time.Time) bool {
	h := t.In(time.FixedZone("+07:00", 7*3600)).Hour()
	return h >= 1 && h < 4
}
