// Package ledger is the one place where a changeset becomes the state of a
// record at the server.
//
// It admits replicas (incarnations, epochs, forks), takes changesets in
// (stored first, judged second, applied third, all in one transaction), gives
// out feed positions, builds the pages of a stream, and makes the server's own
// writes for a supervisor's decisions. Everything goes through Tables, which a
// storage engine implements over one transaction: what the ledger does in a
// call is durable together or not at all.
//
// The laws it keeps: an intake row is kept for every changeset of an
// authenticated device, whatever becomes of it; a replica's acknowledged
// counter only ever covers rows that are in the same transaction; positions of
// a unit are gap-free and rise in commit order; a record's row moves with the
// position that shows it.
//
// It knows nothing of sockets, HTTP or SQL, reads no clock but the one it was
// given, and starts no goroutine.
package ledger
