// Package memory keeps the ledger's tables in memory, for the simulator and for
// tests: one transaction at a time, rollback, snapshots, and the bookkeeping of
// epochs and forks when a database comes back from a backup. It behaves as the
// SQLite tables do; package tablestest holds both to that.
//
// It keeps nothing beyond the process and is not safe for concurrent use.
package memory
