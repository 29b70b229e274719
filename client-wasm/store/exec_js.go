package store

// clearText: in the browser every page is encrypted under the store's key. To write
// the database anew would take as much memory as it is long, on a phone.
const clearText = false

// run runs a statement of many arguments.
func (w *writer) run(text string, args ...any) error { return w.exec(text, args...) }
