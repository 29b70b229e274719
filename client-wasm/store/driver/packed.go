package driver

import (
	"database/sql/driver"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Kinds of a packed value. The numbers are SQLite's own, but for NULL.
const (
	kindNull    = 0
	kindInteger = 1
	kindFloat   = 2
	kindText    = 3
	kindBlob    = 4
)

var errShort = errors.New("packed bytes end early")

// appendArguments packs the arguments of one execution. Values are those that checkValue lets through.
func appendArguments(to []byte, arguments []driver.NamedValue) ([]byte, error) {
	to = binary.LittleEndian.AppendUint32(to, uint32(len(arguments)))
	for _, a := range arguments {
		var err error
		if to, err = appendValue(to, a.Value); err != nil {
			return nil, fmt.Errorf("argument %d: %w", a.Ordinal, err)
		}
	}
	return to, nil
}

// appendValue packs one value. A nil []byte is NULL; an empty one is an empty blob.
func appendValue(to []byte, v driver.Value) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(to, kindNull), nil
	case int64:
		return binary.LittleEndian.AppendUint64(append(to, kindInteger), uint64(v)), nil
	case float64:
		return binary.LittleEndian.AppendUint64(append(to, kindFloat), math.Float64bits(v)), nil
	case bool:
		if v {
			return appendValue(to, int64(1))
		}
		return appendValue(to, int64(0))
	case string:
		if uint64(len(v)) > math.MaxUint32 {
			return nil, errors.New("text longer than 4 GiB")
		}
		return append(appendLength(append(to, kindText), len(v)), v...), nil
	case []byte:
		if v == nil {
			return append(to, kindNull), nil
		}
		if uint64(len(v)) > math.MaxUint32 {
			return nil, errors.New("blob longer than 4 GiB")
		}
		return append(appendLength(append(to, kindBlob), len(v)), v...), nil
	}
	return nil, fmt.Errorf("type %T cannot be stored", v)
}

func appendLength(to []byte, n int) []byte {
	return binary.LittleEndian.AppendUint32(to, uint32(n))
}

// A reader takes packed bytes apart. After the first error every further read returns zero values.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) bytes(n uint64) []byte {
	if r.err == nil && uint64(len(r.rest)) < n {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytes(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytes(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytes(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// value reads one value. A blob shares the reader's memory; text is copied.
func (r *reader) value() driver.Value {
	switch kind := r.byte(); kind {
	case kindNull:
		return nil
	case kindInteger:
		return int64(r.uint64())
	case kindFloat:
		return math.Float64frombits(r.uint64())
	case kindText:
		return string(r.bytes(uint64(r.uint32())))
	case kindBlob:
		return r.bytes(uint64(r.uint32()))
	default:
		if r.err == nil {
			r.err = fmt.Errorf("unknown kind %d of a packed value", kind)
		}
		return nil
	}
}

// text reads a length and that many bytes.
func (r *reader) text() string { return string(r.bytes(uint64(r.uint32()))) }

// end reports the first error, or bytes that nothing asked for.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) != 0 {
		return fmt.Errorf("%d bytes after the end of a packed answer", len(r.rest))
	}
	return r.err
}

// A batch is a run of rows as they crossed the border, read one by one.
type batch struct {
	more    bool   // whether the statement has further rows
	columns uint32 // of each row
	rows    uint32 // still to be read
	values  reader
}

// decodeBatch reads the head of a batch. The batch shares b's memory.
func decodeBatch(b []byte) (batch, error) {
	r := reader{rest: b}
	more := r.byte()
	out := batch{more: more == 1, columns: r.uint32(), rows: r.uint32()}
	switch {
	case r.err != nil:
		return batch{}, r.err
	case more > 1:
		return batch{}, fmt.Errorf("more is %d, want 0 or 1", more)
	case out.columns == 0 && out.rows > 0:
		return batch{}, errors.New("rows without columns")
	}
	out.values = r
	if out.rows == 0 {
		return out, out.values.end()
	}
	return out, nil
}

// next reads one row into dest, which has the batch's number of columns; blobs share the batch's memory.
// It must not be called when no rows are left.
func (b *batch) next(dest []driver.Value) error {
	for i := range dest {
		dest[i] = b.values.value()
	}
	if b.values.err != nil {
		return b.values.err
	}
	b.rows--
	if b.rows == 0 {
		return b.values.end()
	}
	return nil
}

// A prepared is SQLite's answer to one statement of a text.
type prepared struct {
	statement uint32 // 0 if the text held only blanks and comments
	tail      uint32 // where in the text the next statement begins
	arguments uint32
	columns   []string
}

func decodePrepared(b []byte) (prepared, error) {
	r := reader{rest: b}
	p := prepared{statement: r.uint32(), tail: r.uint32(), arguments: r.uint32()}
	p.columns = r.names()
	return p, r.end()
}

func decodeColumns(b []byte) ([]string, error) {
	r := reader{rest: b}
	names := r.names()
	return names, r.end()
}

func (r *reader) names() []string {
	n := r.uint32()
	if r.err == nil && uint64(n)*4 > uint64(len(r.rest)) {
		r.err = errShort // before anything of that size is made
	}
	if r.err != nil {
		return nil
	}
	names := make([]string, n)
	for i := range names {
		names[i] = r.text()
	}
	return names
}

// A result is the outcome of an execution, as database/sql wants it.
type result struct{ rowID, changes int64 }

func decodeResult(b []byte) (result, error) {
	r := reader{rest: b}
	out := result{rowID: int64(r.uint64()), changes: int64(r.uint64())}
	return out, r.end()
}

func (r result) LastInsertId() (int64, error) { return r.rowID, nil }
func (r result) RowsAffected() (int64, error) { return r.changes, nil }

// decodeFailure returns the *Error that b packs, or what is wrong with b.
func decodeFailure(b []byte) error {
	r := reader{rest: b}
	e := &Error{Code: int(int32(r.uint32())), Message: r.text()}
	if err := r.end(); err != nil {
		return fmt.Errorf("decode failure: %w", err)
	}
	return e
}
