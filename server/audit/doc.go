// Package audit keeps the server's tamper-evident log: who did what to which
// unit and subject, from which device, when.
//
// Each entry holds the hash of the one before it, so a changed, removed,
// inserted or reordered entry breaks the chain at a place that Verify names.
// Entries are appended inside the caller's transaction: the log and what it
// tells of commit together or not at all. Removing the newest entries leaves a
// valid shorter chain; only a Head that was kept elsewhere shows that.
//
// Entries hold ids and codes, never person data: Append refuses details that
// look like words or numbers of people. The package opens no transactions and
// decides nothing.
package audit
