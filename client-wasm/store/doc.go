// Package store keeps what a replica keeps: the server's states of records,
// the outbox, drafts, receipts. It implements replica.Store twice.
//
// Store is SQLite over database/sql: mattn/go-sqlite3 in the headless device
// and the tests, package driver in the browser. It is the same code and the
// same SQL in both. Memory is for tests and the simulator: it holds values as
// they are, and its Clone is a copied profile, a power cut or a backup.
// Package storetest holds both to one contract.
//
// All SQL of the client stands here. The schema comes from numbered migrations
// in folder migrations, embedded, run once each, never edited after a release;
// a migration carries the outbox. README.md of client-wasm describes it.
//
// A Batch is one transaction, so that what it holds is durable together or not
// at all: with journal_mode WAL and synchronous FULL, which Open asserts on
// its own connection natively, and package driver in the browser.
//
// The package derives nothing: what a record is found and sorted by it is
// given. It refuses to open a store that a newer version of it has changed.
package store
