package store

// run runs a statement of many arguments.
func (w *writer) run(text string, args ...any) error { return w.exec(text, args...) }
