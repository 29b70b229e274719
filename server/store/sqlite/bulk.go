package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"slices"
	"strings"

	"github.com/mattn/go-sqlite3"
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
	of *insertion
	filled
}

// filled is rows, as arguments.
type filled struct {
	args  []driver.NamedValue
	bytes []byte // what the arguments of type []byte point into
}

// empty returns the memory for other rows.
func (f filled) empty() filled {
	clear(f.args) // do not keep texts alive
	return filled{f.args[:0], f.bytes[:0]}
}

// inserter is a goroutine that inserts full bulks, in order, while the closure
// computes the next. Nothing else may use the connection until it has ended: SQLite
// keeps one last error for all of a connection's statements, so that a refusal
// beside another statement could be read as none.
type inserter struct {
	work  chan bulk
	spare chan filled // memory to be used again
	ended chan error
}

// insertersQueue is how many full bulks may wait: one of each of the tables of a push.
const insertersQueue = 4

// insert inserts a row, at the latest before the next statement of the
// transaction or its end, together with others. Values are int64, string or
// []byte; bytes are copied. A row that cannot be inserted fails whichever call
// comes to insert it or waits for that, and with it the closure.
func (tx *Tx) insert(of *insertion, values ...driver.Value) error {
	if tx.done {
		return errTxDone
	}
	if tx.raw == nil {
		return errView
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
	if len(b.args) < bulkRows*of.width {
		return nil
	}
	return tx.hand(b)
}

// hand gives a full bulk to the inserter, or inserts it here while rows are read.
func (tx *Tx) hand(b *bulk) error {
	if tx.hands == nil {
		if err := tx.check(); err != nil {
			return err
		}
		if tx.reading() {
			return tx.insertBulk(b)
		}
		tx.hands = startInserter(tx.raw)
	}
	tx.hands.work <- *b
	select {
	case b.filled = <-tx.hands.spare:
	default:
		b.filled = filled{make([]driver.NamedValue, 0, cap(b.args)), make([]byte, 0, cap(b.bytes))}
	}
	return nil
}

// reading reports whether rows of a query are still to be read.
func (tx *Tx) reading() bool {
	tx.rows = slices.DeleteFunc(tx.rows, func(r *sql.Rows) bool {
		_, err := r.Columns()
		return err != nil // they are closed
	})
	return len(tx.rows) > 0
}

func startInserter(raw *sqlite3.SQLiteConn) *inserter {
	n := &inserter{make(chan bulk, insertersQueue), make(chan filled, 2*insertersQueue), make(chan error, 1)}
	go n.run(raw)
	return n
}

// run inserts what it is handed, until the first refusal, of which it tells at
// the end.
func (n *inserter) run(raw *sqlite3.SQLiteConn) {
	var err error
	for b := range n.work {
		if err == nil {
			err = guard(func() error { return insertAll(raw, b.of, b.args) })
		}
		select {
		case n.spare <- b.empty():
		default:
		}
	}
	n.ended <- err
}

// settle waits until what was handed to the inserter is inserted.
func (tx *Tx) settle() error {
	if tx.hands == nil {
		return nil
	}
	close(tx.hands.work)
	err := <-tx.hands.ended
	tx.hands = nil
	if err != nil {
		tx.cause, tx.broken = err, err
	}
	return err
}

// flush inserts all rows that wait.
func (tx *Tx) flush() error {
	for _, b := range tx.bulks {
		if err := tx.insertBulk(b); err != nil {
			return err
		}
	}
	return nil
}

func (tx *Tx) insertBulk(b *bulk) error {
	err := insertAll(tx.raw, b.of, b.args)
	b.filled = b.empty()
	if err != nil {
		tx.cause, tx.broken = err, err
	}
	return err
}

func insertAll(raw *sqlite3.SQLiteConn, of *insertion, args []driver.NamedValue) error {
	for len(args) > 0 {
		text, n := of.one, of.width
		switch {
		case len(args) >= bulkRows*of.width:
			text, n = of.many, bulkRows*of.width
		case len(args) >= bulkFew*of.width:
			text, n = of.few, bulkFew*of.width
		}
		for i := range n {
			args[i].Ordinal = i + 1
		}
		// The driver's Query hands over all arguments and runs the statement in
		// one call into C; its Exec takes a call for each argument.
		rows, err := raw.QueryContext(context.Background(), text, args[:n])
		if err == nil {
			err = rows.Close()
		}
		if err != nil {
			return err
		}
		args = args[n:]
	}
	return nil
}
