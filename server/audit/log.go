package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"wardbook/server/store"
)

// Entry is what a caller says; its place in the chain is Append's to add.
type Entry struct {
	Actor   store.AccountID // empty: the server itself, or its command line
	Device  store.DeviceID
	Action  string // noun.verb, such as account.disable
	Unit    string // unit code, or empty
	Subject string // the id of what it was done to, or empty
	// Detail holds ids, codes and counts by name. A value is at most 200
	// printable ASCII characters without spaces, and not a lone number of 9 to
	// 12 digits, as identity and phone numbers are.
	Detail map[string]string
}

// Appender is the part of a write transaction that Append needs.
type Appender interface {
	LastAudit() (store.AuditEntry, error)
	InsertAudit(store.AuditEntry) error
}

// Reader is the part of a read transaction that Verify needs.
type Reader interface {
	AuditAfter(seq int64, limit int) ([]store.AuditEntry, error)
}

// Append adds e to the log within the caller's transaction.
func Append(tx Appender, at time.Time, e Entry) error {
	detail, err := e.check()
	if err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	last, err := tx.LastAudit()
	if err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	row := store.AuditEntry{
		Seq: last.Seq + 1, At: at.UTC().Truncate(time.Millisecond),
		Actor: e.Actor, Device: e.Device, Action: e.Action, Unit: e.Unit, Subject: e.Subject,
		Detail: detail, Prev: last.Hash,
	}
	row.Hash = hash(row)
	if err := tx.InsertAudit(row); err != nil {
		return fmt.Errorf("append audit entry %s: %w", e.Action, err)
	}
	return nil
}

// check returns the canonical form of e's detail, or why e may not be kept.
func (e Entry) check() (json.RawMessage, error) {
	if e.Action == "" {
		return nil, errors.New("no action")
	}
	for name, value := range map[string]string{"actor": string(e.Actor), "device": string(e.Device), "action": e.Action, "unit": e.Unit, "subject": e.Subject} {
		if !isCode(value) {
			return nil, fmt.Errorf("%s is no id or code", name)
		}
	}
	for name, value := range e.Detail {
		if !isCode(name) || !isCode(value) {
			return nil, fmt.Errorf("detail %q is no id or code", name)
		}
	}
	if len(e.Detail) == 0 {
		return nil, nil
	}
	return canonical(e.Detail), nil
}

// isCode says whether s looks like an id or code rather than person data.
func isCode(s string) bool {
	if len(s) > 200 || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return false
	}
	digits := len(s) >= 9 && len(s) <= 12 && strings.Trim(s, "0123456789") == ""
	return !digits
}

// hash returns the hash of e's canonical form, which holds the hash before it.
func hash(e store.AuditEntry) store.Hash {
	return sha256.Sum256(canonical(struct {
		Seq     int64           `json:"seq"`
		At      string          `json:"at"`
		Actor   store.AccountID `json:"actor"`
		Device  store.DeviceID  `json:"device"`
		Action  string          `json:"action"`
		Unit    string          `json:"unit"`
		Subject string          `json:"subject"`
		Detail  string          `json:"detail"` // its text: a byte changed is a change
		Prev    string          `json:"prev"`
	}{e.Seq, e.At.UTC().Format("2006-01-02T15:04:05.000Z"), e.Actor, e.Device, e.Action, e.Unit, e.Subject, string(e.Detail), hex.EncodeToString(e.Prev[:])}))
}

// canonical returns v as JSON in one form only: fields in the order of their
// declaration, map keys sorted, nothing escaped that need not be.
func canonical(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("audit: encode %T: %v", v, err)) // our own types always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Head names a state of the log: the newest entry and its hash. Kept elsewhere,
// it proves later that nothing up to it was changed or removed.
type Head struct {
	Seq  int64
	Hash store.Hash
}

// String returns the head's text form, seq:hash.
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Seq, h.Hash[:]) }

// ParseHead reads the text form of a head.
func ParseHead(s string) (Head, error) {
	var h Head
	seq, sum, ok := strings.Cut(s, ":")
	n, err := strconv.ParseInt(seq, 10, 64)
	if !ok || err != nil || n < 0 || len(sum) != 2*len(h.Hash) {
		return Head{}, fmt.Errorf("parse audit head %q", s)
	}
	if _, err := hex.Decode(h.Hash[:], []byte(sum)); err != nil {
		return Head{}, fmt.Errorf("parse audit head %q: %w", s, err)
	}
	h.Seq = n
	return h, nil
}

// BrokenError names the first entry at which the chain does not hold.
type BrokenError struct {
	Seq    int64 // the place in the chain, whether or not an entry is there
	Reason string
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("audit log is broken at entry %d: %s", e.Seq, e.Reason)
}

// Verify walks the whole chain and returns its head. The error is a
// *BrokenError when an entry was changed, removed, inserted or reordered, or when
// the chain does not pass through one of the heads kept elsewhere.
func Verify(tx Reader, kept ...Head) (Head, error) {
	const page = 1000
	var head Head
	witnessed := func() error {
		for _, k := range kept {
			if k.Seq == head.Seq && k.Hash != head.Hash {
				return &BrokenError{head.Seq, "its hash is not the one kept elsewhere"}
			}
		}
		return nil
	}
	for {
		entries, err := tx.AuditAfter(head.Seq, page)
		if err != nil {
			return head, fmt.Errorf("verify audit log: %w", err)
		}
		for _, e := range entries {
			want := head.Seq + 1
			switch {
			case e.Seq != want:
				return head, &BrokenError{want, "the entry is missing"}
			case e.Prev != head.Hash:
				return head, &BrokenError{want, "it does not follow the entry before it"}
			case e.Hash != hash(e):
				return head, &BrokenError{want, "its contents do not match its hash"}
			}
			head = Head{e.Seq, e.Hash}
			if err := witnessed(); err != nil {
				return head, err
			}
		}
		if len(entries) < page {
			break
		}
	}
	for _, k := range kept {
		if k.Seq > head.Seq {
			return head, &BrokenError{head.Seq + 1, fmt.Sprintf("the log once reached entry %d", k.Seq)}
		}
	}
	return head, nil
}
