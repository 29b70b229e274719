package protocol

import (
	"errors"

	"wardbook/conflict"
	"wardbook/sync/record"
)

// Limits of one message. What is over them is never allocated.
const (
	MaxMessage        = 1 << 20   // bytes of a message as it is sent
	MaxDecoded        = 4 << 20   // weight of a message once decoded; see Push.Weight and Page.Weight
	MaxExchange       = 8 << 20   // bytes of an HTTPS body
	MaxFrames         = 1 << 12   // messages in an HTTPS body
	MaxTokenBytes     = 8 << 10   // bytes of an access token
	MaxDetail         = 1 << 10   // bytes of an error's or a refusal's detail
	MaxScopes         = 1 << 12   // scopes of a device
	MaxDefs           = 1 << 10   // definitions that a device says it has
	MaxStored         = 1 << 15   // stored changesets told to a forked replica
	MaxMarks          = 1 << 12   // streams named by a receipt
	MaxReturned       = 1 << 10   // pages given back in one message
	MaxErased         = 1 << 12   // records named by one message as erased
	MaxBody           = 512 << 10 // bytes of a definition
	MaxNeighbourhoods = 1 << 10   // neighbourhoods of a scope
)

// ErrMalformed is wrapped by Decode's error for bytes that Encode never writes.
var ErrMalformed = errors.New("malformed message")

// ErrTooLarge is wrapped by Decode's error for a message over a limit.
var ErrTooLarge = errors.New("message over a limit")

// ErrVersion is wrapped by Decode's error for a Hello or a Welcome of a wire
// version that this code does not speak.
var ErrVersion = errors.New("unsupported wire version")

// CodeOf returns the code to answer an error of Decode or ReadFrames with.
func CodeOf(err error) Code {
	switch {
	case err == nil:
		return OK
	case errors.Is(err, ErrTooLarge):
		return TooLarge
	case errors.Is(err, ErrVersion):
		return UnsupportedWire
	case errors.Is(err, ErrMalformed):
		return Malformed
	}
	return Internal
}

// What the parts of a decoded message weigh in bytes, beside the bytes of
// their columns. They are the sizes in memory, rounded up.
const (
	weightChangeset = 104
	weightEdit      = 88
	weightWrite     = 64
	weightEntry     = 24 // of a context or a vector, told or repeated
	weightRecord    = 64
	weightField     = 72
	weightSibling   = 80

	// Most bytes that the columns may hold of each, beside texts and values.
	bytesChangeset = 40
	bytesEdit      = 44
	bytesWrite     = 24
	bytesEntry     = 15
	bytesRecord    = 20
	bytesField     = 12
	bytesSibling   = 60
	bytesReplica   = 16
)

// ChangesetWeight returns at most how much c adds to the weight of a Push. A
// Push whose changesets weigh no more than MaxDecoded together can be decoded;
// its bytes stay within MaxMessage if they weigh no more than BatchWeight, or
// if it is one changeset alone.
func ChangesetWeight(c *record.Changeset) int {
	n := weightChangeset + bytesChangeset + 2*bytesReplica + len(c.Unit) + len(c.Author)
	for i := range c.Edits {
		e := &c.Edits[i]
		n += weightEdit + bytesEdit + bytesReplica + len(e.Register)
		for j := range e.Writes {
			w := &e.Writes[j]
			n += weightWrite + bytesWrite + w.Context.Len()*(weightEntry+bytesEntry+bytesReplica) + len(w.Key.Elem) + len(w.Value)
		}
	}
	return n
}

// RecordWeight returns at most how much d adds to the weight of a Page; the
// rule is that of ChangesetWeight.
func RecordWeight(d *RecordDelta) int {
	n := weightRecord + bytesRecord + bytesReplica
	for i := range d.Fields {
		n += FieldWeight(d.Fields[i])
	}
	return n
}

// FieldWeight returns at most how much one field adds to a page.
func FieldWeight(e conflict.Entry) int {
	f := e.Field
	n := weightField + bytesField + len(e.Key.Elem) + f.Vector().Len()*(weightEntry+bytesEntry+bytesReplica)
	for i := range f.Len() {
		s := f.At(i)
		n += weightSibling + bytesSibling + bytesReplica + len(s.Origin.Author) + len(s.Value)
	}
	return n
}

// BatchWeight is a weight at which a message's bytes cannot exceed MaxMessage.
const BatchWeight = MaxMessage - 4<<10
