package city

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/server/review"
	"wardbook/server/store/sqlite"
	"wardbook/server/units"
	"wardbook/sync/protocol"
	"wardbook/sync/register"
)

// Bug is a mistake that is made on purpose, to see whether it is caught. Bugs are
// made where the world meets the production code: in requests, in answers on their
// way, in what a transaction leaves. The production code has none.
type Bug uint8

// The seeded bugs.
const (
	NoBug Bug = iota

	ApprovesNow      // an approval binds to what stands now, not to what was shown
	ApprovesAll      // an approval of some fields approves all that waits
	ForgedName       // an approval is kept as a colleague's
	BatchTakesRisk   // a batch takes a high-risk field
	RefusalForgotten // a refusal does not write the approved value back
	SettlingApproves // settling a field approves it
	MoveUntold       // what stands approved does not follow a record to another unit
	FeedSkips        // the feed leaves a revision out after a crash
	RetractionLost   // the feed tells a withdrawal as a deletion
	AckForgets       // an older acknowledgement takes back what a later one said
	AckAhead         // the feed counts what it has handed out as acknowledged
	LeftUntold       // a page does not tell what left the unit
	EveryUnit        // nobody asks whether an officer is of the unit
	BrakeOff         // nothing brakes a mass change
	QuarantineStays  // what is in quarantine in a unit that is no more stays there
	SameEpoch        // a restored server keeps its epoch
	RefusalLost      // a device is not told that a changeset is in quarantine
	HubNotTold       // the hub is not told that a record was erased
	PageUnread       // a page comes without its last record
	NewestItem       // the feed tells every item under the newest version of its register

	bugs
)

// seeded says of each bug its name and the oracle that must see it.
var seeded = [bugs]struct{ name, oracle string }{
	NoBug:            {"none", ""},
	ApprovesNow:      {"approves-now", oracleBound},
	ApprovesAll:      {"approves-all", oracleBound},
	ForgedName:       {"forged-name", oracleAuthor},
	BatchTakesRisk:   {"batch-takes-risk", oracleBatch},
	RefusalForgotten: {"refusal-forgotten", oracleRefused},
	SettlingApproves: {"settling-approves", oracleBound},
	MoveUntold:       {"move-untold", oracleFeed},
	FeedSkips:        {"feed-skips", oracleFeed},
	RetractionLost:   {"retraction-lost", oracleFeed},
	AckForgets:       {"ack-forgets", oracleMarks},
	AckAhead:         {"ack-ahead", oracleMarks},
	LeftUntold:       {"left-untold", oracleWard},
	EveryUnit:        {"every-unit", oracleWard},
	BrakeOff:         {"brake-off", oracleBrake},
	QuarantineStays:  {"quarantine-stays", oracleAside},
	SameEpoch:        {"same-epoch", oracleHeld},
	RefusalLost:      {"refusal-lost", oracleAside},
	HubNotTold:       {"hub-not-told", oracleFeed},
	PageUnread:       {"page-unread", oracleHeld},
	NewestItem:       {"newest-item", oracleFeed},
}

// String returns the bug's name.
func (b Bug) String() string { return seeded[b].name }

// ParseBug reads what String writes.
func ParseBug(s string) (Bug, error) {
	for b := range bugs {
		if b.String() == s {
			return b, nil
		}
	}
	return 0, fmt.Errorf("no bug %q", s)
}

// bugErased is what follows from an erasure outside of the ledger.
func (w *world) bugErased(follow func(ledger.Tables, ledger.Erasure) ([]protocol.StreamMark, error)) func(ledger.Tables, ledger.Erasure) ([]protocol.StreamMark, error) {
	if w.bug == HubNotTold {
		return nil
	}
	return follow
}

// bugDefinitions is what the feed knows of the versions of a register.
func (w *world) bugDefinitions(list []*register.Definition) []*register.Definition {
	if w.bug != NewestItem {
		return list
	}
	list = slices.Clone(list)
	for i, d := range list {
		newest := *list[len(list)-1]
		newest.Version = d.Version
		list[i] = &newest
	}
	return list
}

// bugApprove is what an approval is asked for with, and by whom.
func (w *world) bugApprove(k *supervisor, req review.ApproveRequest) (context.Context, review.ApproveRequest) {
	switch w.bug {
	case ApprovesNow:
		if r, err := w.server.desk.Record(k.seat(), review.RecordRequest{ID: req.ID}); err == nil {
			req.Digest = r.Digest
		}
	case ApprovesAll:
		req.Fields = nil
	case ForgedName:
		for _, o := range w.supers {
			if o != k && w.server.account(o.person.id).Unit == w.server.account(k.person.id).Unit {
				return o.seat(), req
			}
		}
	}
	return k.seat(), req
}

// bugBatch follows a batch.
func (w *world) bugBatch(k *supervisor, out *review.BatchResponse, list []review.Record) {
	if w.bug != BatchTakesRisk {
		return
	}
	for i, left := range out.Left {
		if !slices.Equal(left.Why, []string{"high_risk"}) {
			continue
		}
		at := slices.IndexFunc(list, func(r review.Record) bool { return r.ID == left.ID })
		if done, err := w.server.desk.Approve(k.seat(), review.ApproveRequest{ID: left.ID, Digest: list[at].Digest}); err == nil {
			out.Approved, out.Left = append(out.Approved, review.BatchApproved{ID: left.ID, Revision: done.Revision}), slices.Delete(out.Left, i, i+1)
			return
		}
	}
}

// bugBeforeRefusal returns what follows a refusal of a record.
func (w *world) bugBeforeRefusal(id conflict.RecordID) func() {
	row := w.server.row(id)
	return func() {
		if w.bug != RefusalForgotten {
			return
		}
		w.must("forget a refusal", w.server.store.Update(ctx, func(tx *sqlite.Tx) error {
			now, _, err := sqlite.LedgerOf(tx).Record(id)
			now.State = row.State
			if err == nil {
				err = sqlite.LedgerOf(tx).PutRecord(&now)
			}
			return err
		}))
	}
}

// bugSettled follows a settling, which left r.
func (w *world) bugSettled(k *supervisor, r *review.Record) {
	if w.bug == SettlingApproves {
		w.server.desk.Approve(k.seat(), review.ApproveRequest{ID: r.ID, Digest: r.Digest, AcceptWarnings: true})
	}
}

// bugAllow is who may read and write where.
func (w *world) bugAllow(allow func(ledger.Author, string, protocol.Class) bool) func(ledger.Author, string, protocol.Class) bool {
	if w.bug == EveryUnit {
		return func(a ledger.Author, _ string, _ protocol.Class) bool { return !a.Revoked }
	}
	return allow
}

func (w *world) bugBrake(b ledger.Brake) ledger.Brake {
	if w.bug == BrakeOff {
		b.Least, b.Most = 1000, 1000
	}
	return b
}

// bugSend is a message as the server sends it.
func (w *world) bugSend(e *end, m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case *protocol.Refusal:
		if w.bug == RefusalLost {
			return nil
		}
	case *protocol.Page:
		c := *m
		switch w.bug {
		case LeftUntold:
			c.Records = slices.DeleteFunc(slices.Clone(m.Records), func(r protocol.RecordDelta) bool { return r.Left })
		case PageUnread:
			if len(m.Records) > 1 {
				c.Records = m.Records[:len(m.Records)-1]
			}
		default:
			return m
		}
		c.Wire = ""
		protocol.SignPage(serverKey, w.epoch(), &c)
		return &c
	}
	return m
}

func (w *world) epoch() (t protocol.Token) {
	w.server.view(func(_ *sqlite.Tx, l *sqlite.Ledger) error {
		e, err := l.Epoch()
		t = e.Token
		return err
	})
	return t
}

// bugPage is a page of the feed as the consumer gets it.
func (w *world) bugPage(body []byte) []byte {
	switch w.bug {
	case FeedSkips:
		lines := bytes.SplitAfter(body, []byte("\n"))
		if w.crashes == 0 || len(lines) < 4 {
			return body
		}
		var end map[string]any
		if json.Unmarshal(lines[len(lines)-2], &end) != nil {
			return body
		}
		end["count"] = len(lines) - 3
		last, _ := json.Marshal(end)
		return append(bytes.Join(slices.Delete(lines[:len(lines)-2], 0, 1), nil), append(last, '\n')...)
	case RetractionLost:
		return bytes.ReplaceAll(body, []byte(`"op":"retract"`), []byte(`"op":"delete"`))
	case AckAhead:
		w.bugMark(func(unit string, n uint64) (uint64, bool) { return uint64(len(w.told[unit])), true })
	}
	return body
}

// bugAck follows an acknowledgement of a cursor that stands for through.
func (w *world) bugAck(through map[string]uint64) {
	if w.bug == AckForgets {
		w.bugMark(func(unit string, _ uint64) (uint64, bool) { n, ok := through[unit]; return n, ok })
	}
}

// bugMark sets what the hub is said to hold.
func (w *world) bugMark(to func(unit string, now uint64) (uint64, bool)) {
	marks := w.hub.marks()
	w.must("set marks", w.server.store.Update(ctx, func(tx *sqlite.Tx) error {
		for unit := range maps.Keys(w.told) {
			if n, ok := to(unit, marks[unit]); ok && n != marks[unit] {
				if _, err := tx.Exec(`INSERT INTO hub_marks (unit, register, revision) VALUES (?, ?, ?)
					ON CONFLICT (unit, register) DO UPDATE SET revision = excluded.revision`, unit, registerID, n); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

// bugChange follows a change of units.
func (w *world) bugChange(req units.ChangeRequest) {
	if w.bug != QuarantineStays {
		return
	}
	back := map[string]string{}
	for _, c := range req.Changes {
		if len(c.New) == 1 {
			back[c.New[0]] = c.Old
		}
	}
	w.must("leave the quarantine", w.server.store.Update(ctx, func(tx *sqlite.Tx) error { return sqlite.LedgerOf(tx).FollowQuarantine(back) }))
}
