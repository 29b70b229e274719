//go:build !js

package store

// clearText: SQLite leaves stale copies of rows that it moved in pages, overwritten
// or not when they are deleted; only a file that is written anew has none.
const clearText = true

// run runs a statement of many arguments. The native driver hands the
// arguments of a query over in one call into C, and those of an Exec in a call
// each; a statement that returns no rows is done with the first step.
func (w *writer) run(text string, args ...any) error {
	st, err := w.s.prepared(w.ctx, text)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(w.ctx, args...)
	if err != nil {
		return err
	}
	rows.Next()
	if err := rows.Err(); err != nil {
		_ = rows.Close() // err says why
		return err
	}
	return rows.Close()
}
