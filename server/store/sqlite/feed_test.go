package sqlite

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"wardbook/conflict"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
	"wardbook/sync/register"
)

func people(t *testing.T) *register.Definition {
	t.Helper()
	d, err := register.New(register.Definition{ID: "people", Version: 1, Label: register.Text{VI: "Người", EN: "People"}, TitleField: "name", ListColumns: []string{"name"},
		Sections: []register.Section{{ID: "all", Label: register.Text{VI: "Tất cả", EN: "All"}}},
		Fields: []register.Field{{ID: 16, Name: "name", Type: register.PlainText, Label: register.Text{VI: "Tên", EN: "Name"}, Section: "all", Required: register.Optional,
			Class: register.Basic, Policy: conflict.Keep}}})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestFeedHasNoGap lets 64 devices push at once, of which one transaction in five
// fails after it took its positions and is tried again, while a reader follows the
// feed page by page: no page leaves out what lies below its end, no position stays
// empty, and the reader never waits for one (R24, R25).
func TestFeedHasNoGap(t *testing.T) {
	const writers, each = 64, 10
	s := openTemp(t, Options{})
	def := people(t)
	l := ledger.New(ledger.Config{Registers: []string{"people"}, PageRecords: 7, Now: func() int64 { return time.Now().UnixMilli() },
		Definition: func(string) (*register.Definition, bool) { return def, true },
		Allow:      func(ledger.Author, string, protocol.Class) bool { return true }})
	refuse := errors.New("refused")
	ctx := context.Background()
	var done sync.WaitGroup
	for i := range writers {
		done.Go(func() {
			id := conflict.ReplicaID{1, byte(i)}
			a := ledger.Author{Account: fmt.Sprint("officer.", i), Device: fmt.Sprint("d", i), Unit: "27169"}
			push := func(attempt int, work func(*Tx) error) error {
				return s.Update(ctx, func(tx *Tx) error {
					if err := work(tx); err != nil {
						return err
					}
					if (i+attempt)%5 == 0 {
						return refuse // with positions taken
					}
					return nil
				})
			}
			again := func(work func(*Tx) error) {
				for attempt := 1; ; attempt++ {
					if err := push(attempt, work); err == nil {
						return
					} else if !errors.Is(err, refuse) {
						t.Error(err)
						return
					}
				}
			}
			again(func(tx *Tx) error {
				_, _, err := l.Admit(LedgerOf(tx), a, &protocol.Hello{Version: protocol.Version, Replica: id, Next: protocol.Token{1, byte(i)}})
				return err
			})
			for n := range uint64(each) {
				d := conflict.Dot{Replica: id, Counter: n + 1}
				c := record.Changeset{Dot: d, Unit: "27169", Author: a.Account, Edits: []record.Edit{{Record: d, Register: "people", Definition: 1,
					Writes: []record.Write{{Key: conflict.Key(16), Value: conflict.Value(d.String())}}}}}
				again(func(tx *Tx) error {
					_, err := l.Commit(LedgerOf(tx), a, id, []record.Changeset{c})
					return err
				})
			}
		})
	}
	over := make(chan struct{})
	go func() { done.Wait(); close(over) }()

	scope := protocol.Scope{Stream: protocol.Stream{Unit: "27169", Register: "people"}}
	seen := map[conflict.Dot]bool{}
	for at, last := uint64(0), false; ; {
		var p *protocol.Page
		err := s.View(ctx, func(tx *Tx) (err error) { p, err = l.Page(LedgerOf(tx), scope, at, at); return err })
		if err != nil {
			t.Fatal(err)
		}
		// Each changeset creates one record and takes one position.
		if want := p.To - at; uint64(len(p.Records)) != want {
			t.Fatalf("a page from %d to %d has %d records, want %d", at, p.To, len(p.Records), want)
		}
		for _, r := range p.Records {
			if seen[r.Record] {
				t.Errorf("record %v comes twice", r.Record)
			}
			seen[r.Record] = true
		}
		if p.To < p.Head && p.To == at {
			t.Fatalf("the reader stands at %d, and the feed at %d", at, p.Head)
		}
		at = p.To
		if last && at == p.Head {
			break
		}
		select {
		case <-over:
			last = true
		default:
		}
	}
	if len(seen) != writers*each {
		t.Errorf("the reader saw %d records, want %d", len(seen), writers*each)
	}
}
