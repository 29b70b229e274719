// Package record is what both ends hold of a record beyond its merge: the
// changeset that one user action makes, how it is applied, the system fields
// (life, submission, review, answer), and the standing that follows from them:
// draft, submitted, returned, refused or approved.
//
// Everything here is a pure function of values. A changeset is immutable once
// saved; its canonical bytes are what is stored, hashed and given back. A
// record's standing is always derived, never stored in place of its fields.
//
// The package does not decide who may do what, and it does no I/O.
package record
