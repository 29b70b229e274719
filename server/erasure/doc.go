// Package erasure erases records by law: the right of a person to have what is
// kept of them destroyed, where deleting, which keeps everything, is not enough.
//
// Two people decide it. A supervisor asks, with a legal ground and a reason;
// another supervisor of the unit or an administrator confirms or declines, the
// asker may take it back, and after 30 days without a word a request lapses.
//
//	           ask            confirm
//	(nothing) ────▶  open  ─────────────▶ done
//	                  │ decline ─────────▶ declined
//	                  │ withdraw ────────▶ withdrawn
//	                  │ 30 days ─────────▶ lapsed
//
// Whoever asks or confirms proves that it is they: a sign-in of the last 15 minutes,
// or the password typed again. The audit log names the record by its id alone. The
// reason, in which people name persons, goes with the record.
//
// What is confirmed is first written into a list outside of the database and of all
// backups (List), durably; only then one transaction takes the record out of
// everything that the database holds: its row, its changesets' values (package
// ledger), what decisions say of its values, the hashes of what the hub was told; and
// tells the hub to let go of it. Wherever the program dies between the two, the next
// start finishes it: Apply erases whatever the list names and the database has not
// erased. That is also what makes a restored backup forget again. The other way
// round, a list that lacks what the database has erased gets it back.
//
// At last the database file is written anew, for SQLite leaves copies of rows behind
// that nothing refers to: at once where it is small, at night where that would keep
// writers waiting. People see how many devices have let go of a record, and whether
// the hub has acknowledged it.
//
// The package does not rewrite backups: how long they are kept bounds how long the
// person stands in them. It cannot reach what somebody wrote of the person into
// another record, nor a changeset in quarantine whose bytes cannot be read.
package erasure
