package protocol

import "fmt"

// Code is a stable reason on the wire. Append, never renumber.
type Code uint16

// The codes.
const (
	OK              Code = 0
	Internal        Code = 1  // the server's own fault; no detail is told
	Malformed       Code = 2  // bytes that no encoder writes
	TooLarge        Code = 3  // over a limit of this package or of package record
	Unauthenticated Code = 4  // no valid token
	Expired         Code = 5  // the token's time is over; renew and come again
	Revoked         Code = 6  // the device or the account is closed
	Forbidden       Code = 7  // not the unit, register or field of this account
	UnknownRegister Code = 8  // no such register
	UnknownRecord   Code = 9  // an edit of a record that the server never saw created
	WrongUnit       Code = 10 // the record lives in another unit
	Gap             Code = 11 // counters are missing before this changeset
	Mismatch        Code = 12 // one dot with two contents: an alarm
	ContextAhead    Code = 13 // a context names writes that nobody made
	Dependent       Code = 14 // builds on a changeset that is in quarantine
	Partial         Code = 15 // deletes a record of which its author held only a part
	UnknownField    Code = 16 // no such field in any version of the register
	Brake           Code = 17 // unusually many deletions or blanks; a person must look
	Busy            Code = 18 // come again after RetryAfter
	UnsupportedWire Code = 19 // the wire version is too old or too new
	HelloExpected   Code = 20 // something came before Hello
	SlowReader      Code = 21 // the device did not take its pages
	ShuttingDown    Code = 22
	Superseded      Code = 23 // another session of this replica took over
	BadSignature    Code = 24 // what came was not signed by the server whose key the device holds
	ErasedByLaw     Code = 25 // the record was erased by law: nothing is taken of it any more
)

var codeNames = [...]string{"ok", "internal", "malformed", "too_large", "unauthenticated", "expired", "revoked",
	"forbidden", "unknown_register", "unknown_record", "wrong_unit", "gap", "mismatch", "context_ahead", "dependent",
	"partial", "unknown_field", "brake", "busy", "unsupported_wire", "hello_expected", "slow_reader", "shutting_down", "superseded", "bad_signature", "erased"}

// String returns the code's stable name.
func (c Code) String() string {
	if int(c) < len(codeNames) {
		return codeNames[c]
	}
	return fmt.Sprintf("code_%d", uint16(c))
}

// Error makes a message usable as a Go error.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Code.String()
	}
	return e.Code.String() + ": " + e.Detail
}
