// Package merging is the work of W3's first figure: merging alone, without a
// store. It is a package of its own, free of SQLite and sockets, so that the
// same code is measured natively and as WASM.
package merging
