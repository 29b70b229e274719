// Package units administers the lists of units: it makes the changes by which
// units are split, merged and renamed on a day, each in one transaction with all
// that follows (aliases, records, accounts, what is in quarantine, the audit log),
// and tells which units there are and what waits to be assigned.
//
// What a change means for records is the ledger's business; see its README. The
// package changes no list that is in force.
package units
