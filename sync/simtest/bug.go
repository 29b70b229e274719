package simtest

import (
	"fmt"

	"wardbook/client-wasm/replica"
	"wardbook/server/ledger"
	"wardbook/sync/protocol"
	"wardbook/sync/record"
)

// Bug is a mistake that is made on purpose, to see whether it is caught.
type Bug uint8

// The seeded bugs.
const (
	NoBug Bug = iota
	AckBeforeCommit
	SameEpoch
	bugs
)

var bugNames = [bugs]string{"none", "ack-before-commit", "same-epoch"}

// String returns the bug's name.
func (b Bug) String() string { return bugNames[b] }

// ParseBug reads what String writes.
func ParseBug(s string) (Bug, error) {
	for i, n := range bugNames {
		if n == s {
			return Bug(i), nil
		}
	}
	return 0, fmt.Errorf("no bug %q", s)
}

func (w *world) bugBatch(d *device, b *replica.Batch) []*replica.Batch { return []*replica.Batch{b} }

func (w *world) bugUp(d *device, m protocol.Message) protocol.Message { return m }

func (w *world) bugDown(d *device, m protocol.Message) protocol.Message { return m }

func (w *world) bugSend(s *serverEnd, m protocol.Message) protocol.Message { return m }

func (w *world) bugTables(s *serverEnd, t ledger.Tables, h *protocol.Hello) ledger.Tables { return t }

func (w *world) bugPush(s *serverEnd, t ledger.Tables, c []record.Changeset) []record.Changeset {
	return c
}

func (w *world) bugWipe(d *device, old replica.Meta) {}
