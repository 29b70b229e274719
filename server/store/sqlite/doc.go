// Package sqlite is the server's default storage engine: one SQLite file with a
// write-ahead log, one committer that writes, and a pool of readers.
//
// Open refuses to run on a SQLite or on settings under which an acknowledged
// commit could be lost. Everything is written through Update, whose closures
// share transactions: one flush makes many callers' work durable (group
// commit), and nobody is answered before it. Reads go through View, each in a
// transaction of its own, hence on one consistent state.
//
// The methods of Tx are the server's SQL, one file per aggregate. They check
// nothing but the form of rows: whoever calls them inside a closure has checks
// and actions in one transaction.
//
// The tables are made by numbered migrations, run once and never edited after
// release. The package is no query builder, keeps no cache of rows and never
// retries a failed flush.
package sqlite
