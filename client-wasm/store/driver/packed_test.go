package driver

import (
	"bytes"
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var valueCases = []struct {
	name  string
	value driver.Value
	bytes string
}{
	{"null", nil, "00"},
	{"nil blob is null", []byte(nil), "00"},
	{"smallest integer", int64(math.MinInt64), "01 0000000000000080"},
	{"largest integer", int64(math.MaxInt64), "01 ffffffffffffff7f"},
	{"minus one", int64(-1), "01 ffffffffffffffff"},
	{"true is 1", true, "01 0100000000000000"},
	{"false is 0", false, "01 0000000000000000"},
	{"float", 1.5, "02 000000000000f83f"},
	{"text", "Đặng", "03 07000000 c490e1bab76e67"},
	{"empty text", "", "03 00000000"},
	{"text with NUL", "a\x00b", "03 03000000 610062"},
	{"empty blob", []byte{}, "04 00000000"},
	{"blob", []byte{0, 255}, "04 02000000 00ff"},
}

func TestAppendValue(t *testing.T) {
	for _, c := range valueCases {
		t.Run(c.name, func(t *testing.T) {
			want, err := hex.DecodeString(strings.ReplaceAll(c.bytes, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			got, err := appendValue(nil, c.value)
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %x, %v, want %x", got, err, want)
			}
			r := reader{rest: got}
			back, err := appendValue(nil, r.value())
			if err != nil || r.end() != nil || !bytes.Equal(back, want) {
				t.Fatalf("read and packed again: got %x, %v, %v, want %x", back, err, r.end(), want)
			}
		})
	}
}

func TestAppendArgumentsRefuses(t *testing.T) {
	_, err := appendArguments(nil, []driver.NamedValue{{Ordinal: 1, Value: int64(1)}, {Ordinal: 2, Value: time.Time{}}})
	if err == nil || !strings.Contains(err.Error(), "argument 2") {
		t.Errorf("got %v, want an error that names argument 2", err)
	}
}

// appendBatch packs rows as the shim does.
func appendBatch(to []byte, more bool, columns int, rows [][]driver.Value) []byte {
	head := byte(0)
	if more {
		head = 1
	}
	to = append(to, head)
	to = binary.LittleEndian.AppendUint32(to, uint32(columns))
	to = binary.LittleEndian.AppendUint32(to, uint32(len(rows)))
	for _, row := range rows {
		for _, v := range row {
			var err error
			if to, err = appendValue(to, v); err != nil {
				panic(err) // the tests pass only what can be packed
			}
		}
	}
	return to
}

func readBatch(b []byte) (batch, [][]driver.Value, error) {
	head, err := decodeBatch(b)
	if err != nil {
		return head, nil, err
	}
	var rows [][]driver.Value
	for at := head; at.rows > 0; {
		// A claim of more columns than there are bytes must not be believed before it is read.
		if uint64(at.columns) > uint64(len(at.values.rest)) {
			return head, nil, errShort
		}
		row := make([]driver.Value, at.columns)
		if err := at.next(row); err != nil {
			return head, nil, err
		}
		rows = append(rows, row)
	}
	return head, rows, nil
}

func TestBatch(t *testing.T) {
	want := [][]driver.Value{
		{int64(1), "một", nil},
		{int64(-9007199254740993), "", []byte{1, 2, 3}},
		{2.5, "a\x00b", []byte{}},
	}
	head, got, err := readBatch(appendBatch(nil, true, 3, want))
	if err != nil || !head.more || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, more %v, %v, want %v, more true", got, head.more, err, want)
	}
	if _, rows, err := readBatch(appendBatch(nil, false, 2, nil)); err != nil || rows != nil {
		t.Fatalf("no rows: got %v, %v", rows, err)
	}
}

func TestBatchRefuses(t *testing.T) {
	good := appendBatch(nil, false, 2, [][]driver.Value{{int64(1), "x"}})
	cases := []struct {
		name  string
		bytes []byte
	}{
		{"nothing", nil},
		{"cut in the head", good[:5]},
		{"cut in a value", good[:len(good)-1]},
		{"bytes after the end", append(bytes.Clone(good), 0)},
		{"unknown kind", append(bytes.Clone(good[:9]), 9)},
		{"more is 2", append([]byte{2}, good[1:]...)},
		{"rows without columns", []byte{0, 0, 0, 0, 0, 1, 0, 0, 0}},
		{"text longer than the batch", append(bytes.Clone(good[:9]), kindText, 255, 255, 255, 255)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if _, rows, err := readBatch(c.bytes); err == nil {
				t.Errorf("got %v, want an error", rows)
			}
		})
	}
}

func TestPreparedAndResult(t *testing.T) {
	b := binary.LittleEndian.AppendUint32(nil, 77)
	b = binary.LittleEndian.AppendUint32(b, 12)
	b = binary.LittleEndian.AppendUint32(b, 3)
	b = binary.LittleEndian.AppendUint32(b, 2)
	b = append(appendLength(b, 2), "id"...)
	b = append(appendLength(b, 4), "tên"...)
	p, err := decodePrepared(b)
	want := prepared{statement: 77, tail: 12, arguments: 3, columns: []string{"id", "tên"}}
	if err != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("got %+v, %v, want %+v", p, err, want)
	}
	if _, err := decodePrepared(b[:len(b)-1]); err == nil {
		t.Error("a cut name: got no error")
	}
	huge := append(bytes.Clone(b[:12]), 255, 255, 255, 255)
	if _, err := decodePrepared(huge); !errors.Is(err, errShort) {
		t.Errorf("four thousand million columns: got %v, want %v", err, errShort)
	}
	r := binary.LittleEndian.AppendUint64(nil, uint64(1<<63))
	r = binary.LittleEndian.AppendUint64(r, 5)
	if got, err := decodeResult(r); err != nil || got != (result{math.MinInt64, 5}) {
		t.Errorf("got %v, %v, want smallest rowid and 5", got, err)
	}
}

func TestFailureMatchesNames(t *testing.T) {
	named := []error{ErrConstraint, ErrUnique, ErrForeignKey, ErrQuota, ErrCorrupted}
	cases := []struct {
		name string
		code uint32
		want []error
	}{
		{"unique", 2067, []error{ErrConstraint, ErrUnique}},
		{"primary key", 1555, []error{ErrConstraint, ErrUnique}},
		{"foreign key", 787, []error{ErrConstraint, ErrForeignKey}},
		{"not null", 1299, []error{ErrConstraint}},
		{"full", 13, []error{ErrQuota}},
		{"corrupt", 11, []error{ErrCorrupted}},
		{"not a database", 26, []error{ErrCorrupted}},
		{"syntax", 1, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := binary.LittleEndian.AppendUint32(nil, c.code)
			err := decodeFailure(append(appendLength(b, 4), "text"...))
			var got []error
			for _, n := range named {
				if errors.Is(err, n) {
					got = append(got, n)
				}
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("code %d: got %v, want %v", c.code, got, c.want)
			}
		})
	}
	if err := decodeFailure([]byte{1}); errors.As(err, new(*Error)) {
		t.Errorf("short failure: got %v, want no *Error", err)
	}
}

func FuzzBatch(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendBatch(nil, false, 0, nil))
	f.Add(appendBatch(nil, true, 3, [][]driver.Value{{int64(1), "Đặng", nil}, {1.5, []byte{}, []byte{7}}}))
	f.Add(appendBatch(nil, false, 1, [][]driver.Value{{math.NaN()}, {int64(math.MinInt64)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, rows, err := readBatch(b)
		if err != nil {
			return
		}
		if again := appendBatch(nil, head.more, int(head.columns), rows); !bytes.Equal(again, b) {
			t.Errorf("decode then encode: got %x, want %x", again, b)
		}
	})
}

func FuzzPrepared(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 'i', 'd'})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := decodePrepared(b)
		if err != nil {
			return
		}
		again := binary.LittleEndian.AppendUint32(nil, p.statement)
		again = binary.LittleEndian.AppendUint32(again, p.tail)
		again = binary.LittleEndian.AppendUint32(again, p.arguments)
		again = binary.LittleEndian.AppendUint32(again, uint32(len(p.columns)))
		for _, c := range p.columns {
			again = append(appendLength(again, len(c)), c...)
		}
		if !bytes.Equal(again, b) {
			t.Errorf("decode then encode: got %x, want %x", again, b)
		}
		_ = decodeFailure(b) // these must only not panic
		_, _ = decodeColumns(b)
		_, _ = decodeResult(b)
	})
}
