// Package review is the supervisor's desk: the queue of what waits, one record
// with its approved and its merged values side by side, and the decisions.
//
// A record has a head, which merges by itself, and an approved version, which
// only a decision here moves. A decision is one transaction: it reads the
// record anew, compares it with the digest of what was on the screen, asks the
// server's one authoriser, derives from history who wrote what is to be
// approved, writes the review field (and, to refuse or settle, values) as the
// server's own writes, appends one row to the append-only approvals, and one to
// the audit log. Service is all of that; README.md draws the states.
//
// An approval row names dots. What the approved values are is read from the
// history of changesets by Materialise, so that approving an unchanged head
// stores no value twice. The city's hub is fed from these rows.
//
// What waits is judged by reasons (reason.go): in conflict, wanting a person's
// eyes, or clean. Queue, day and batch read the same judgement; triage remembers
// it.
//
// The package never changes what an officer wrote: refusing supersedes a write
// by a later one and both stay in the history. It holds no SQL, keeps no
// decision in memory, and trusts no flag about who the author of a value is.
package review
