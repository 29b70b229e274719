package sqlite

import (
	"context"
	"database/sql/driver"
	"strings"
)

// insertion is an INSERT of rows of equal width. Its texts are constants.
type insertion struct {
	width int
	many  string // the statement for bulkRows rows
	few   string // for bulkFew
	one   string
}

// A statement inserts up to bulkRows rows: calling into SQLite costs as much as
// inserting. Few sizes, so that few statements are kept compiled.
const (
	bulkRows = 64
	bulkFew  = 8
)

// newInsertion returns the INSERT that begins with before, up to VALUES, and
// ends with after, such as ON CONFLICT.
func newInsertion(before string, width int, after string) *insertion {
	row := "(?" + strings.Repeat(",?", width-1) + ")"
	text := func(n int) string { return before + row + strings.Repeat(","+row, n-1) + after }
	return &insertion{width: width, many: text(bulkRows), few: text(bulkFew), one: text(1)}
}

// bulk gathers rows of one insertion.
type bulk struct {
	of    *insertion
	args  []driver.NamedValue
	bytes []byte // what the arguments of type []byte point into
}

// insert inserts a row, at the latest before the next statement of the
// transaction or its end, together with others. Values are int64, string or
// []byte; bytes are copied. A row that cannot be inserted fails whichever call
// comes to insert it, and with it the closure.
func (tx *Tx) insert(of *insertion, values ...driver.Value) error {
	if err := tx.check(); err != nil {
		return err
	}
	var b *bulk
	for _, have := range tx.bulks {
		if have.of == of {
			b = have
		}
	}
	if b == nil {
		b = &bulk{of: of}
		tx.bulks = append(tx.bulks, b)
	}
	for _, v := range values {
		if raw, ok := v.([]byte); ok {
			n := len(b.bytes)
			b.bytes = append(b.bytes, raw...)
			v = b.bytes[n:len(b.bytes):len(b.bytes)]
		}
		b.args = append(b.args, driver.NamedValue{Ordinal: len(b.args) + 1, Value: v})
	}
	if len(b.args) == bulkRows*of.width {
		return tx.flushOne(b)
	}
	return nil
}

// flush inserts all rows that wait.
func (tx *Tx) flush() error {
	for _, b := range tx.bulks {
		if err := tx.flushOne(b); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) flushOne(b *bulk) error {
	args := b.args
	for len(args) > 0 {
		text, n := b.of.one, b.of.width
		switch {
		case len(args) >= bulkRows*b.of.width:
			text, n = b.of.many, bulkRows*b.of.width
		case len(args) >= bulkFew*b.of.width:
			text, n = b.of.few, bulkFew*b.of.width
		}
		for i := range n {
			args[i].Ordinal = i + 1
		}
		// The driver's Query hands over all arguments and runs the statement in
		// one call into C; its Exec takes a call for each argument.
		rows, err := tx.raw.QueryContext(context.Background(), text, args[:n])
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			tx.cause = err
			return err
		}
		args = args[n:]
	}
	clear(b.args) // do not keep texts alive
	b.args, b.bytes = b.args[:0], b.bytes[:0]
	return nil
}
