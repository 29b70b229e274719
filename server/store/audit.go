package store

import (
	"encoding/json"
	"time"
)

// AuditEntry is one line of the tamper-evident log. Subject and Detail hold ids
// and codes, never person data.
type AuditEntry struct {
	Seq     int64     // contiguous from 1
	At      time.Time // UTC, whole milliseconds
	Actor   AccountID // empty: the server itself, or its command line
	Device  DeviceID
	Action  string          // noun.verb, such as account.disable
	Unit    string          // unit code, or empty
	Subject string          // what it was done to: an id
	Detail  json.RawMessage // canonical JSON object, or nil
	Prev    Hash            // hash of the entry before; zero for the first
	Hash    Hash
}
