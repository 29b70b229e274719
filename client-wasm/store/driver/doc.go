// Package driver is database/sql over the encrypted SQLite of the browser, so that one store, written in plain SQL,
// runs natively on mattn/go-sqlite3 and in the browser on a private file system (OPFS).
//
// SQLite, its file system and the Go module live in one dedicated worker. A shim in TypeScript (web/src/worker)
// offers SQLite's C API as synchronous calls on globalThis.__sq; this package calls nothing else. A string per
// column across that border costs about twenty times the row itself, so arguments and rows cross as packed bytes,
// up to 64 KiB at a time:
//
//	value     = 0                           NULL
//	          | 1 int64 | 2 float64         eight bytes, little-endian
//	          | 3 length text | 4 length blob
//	arguments = count value...
//	batch     = more:byte columns rows value...
//	prepared  = statement tail arguments columns name...
//	result    = rowid:int64 changes:int64
//	failure   = code length message
//
// where every other number is a uint32, little-endian, and a name is a length and its bytes. Anything else is refused;
// a decoder never panics, and encoding what was decoded gives the same bytes (but for the more byte, which is 0 or 1).
//
// Outside the browser the package is only this codec and the errors, which makes them testable everywhere.
//
// # One connection
//
// SQLite without shared memory allows one connection to a WAL database, so a store has one: Open sets
// MaxOpenConns to 1. A query made inside a loop over Rows must therefore go through the same *sql.Tx or *sql.Conn,
// never through the *sql.DB, which would wait for itself. Statements may be nested freely on one connection.
//
// Transactions begin IMMEDIATE. A commit returns after the WAL is flushed (synchronous = FULL, asserted at
// opening): what it acknowledges survives a power cut, except in the first minute of the files' life; see Mirror.
//
// A failed COMMIT is rolled back before it is reported, so the connection never stays inside a transaction that its
// owner believes over.
//
// Cancelling a context takes effect between batches of rows: about every 10 ms the loop over Rows lets the worker
// handle messages, which is how a cancellation can arrive at all. One SQLite step, and one Exec, run to their end;
// who needs a scan to be cancellable runs it in ranges.
//
// # What it refuses to do
//
// It has no named parameters and no time.Time (SQLite has no such type: store an integer or canonical text). It never
// answers driver.ErrBadConn for a statement that may have run, which would make database/sql run it again.
//
// # What the encryption protects from
//
// Database, WAL and journal are encrypted page by page with ChaCha20-Poly1305 under a random key of 32 bytes that
// the caller keeps; SQLite's temporary files stay in memory. Who copies the browser's profile folder, a stolen disk or
// a backup of it reads nothing and cannot change a page unnoticed. It does not protect from somebody who has the key,
// from code that runs in the page, from a machine that is unlocked with the app open, or from an older copy of the
// whole store being put back; and it does not hide that there is a store, its size, its name, or when it is written.
package driver
