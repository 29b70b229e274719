// Package replication is the server's end of sync: it gives each WebSocket, or
// each HTTPS exchange, a session machine and performs its effects against the
// store and the ledger.
//
// A socket costs one reading goroutine and small buffers. Events of a session
// run one at a time under its lock, so that effects leave in the order in
// which the machine gave them; a commit happens inside, which makes a fast
// sender wait in its own TCP window and nobody else. Writing is done by a
// goroutine that lives only while there is something to write; what waits is
// bounded, and a device that does not read is dropped and resumes by cursor.
//
// The package decides nothing about rows and fields: that is the ledger's and
// the authoriser's. It never acknowledges before Update has returned.
package replication
