// Package demo makes the data and the accounts that `wardbook serve -demo`
// begins with: three units of synthetic residents, the same in every run.
//
// Nobody in it exists. Names follow the frequencies of Vietnamese family names,
// households share an address and a number, a few birth dates are known by
// their year alone, and about one record in a hundred is a deliberate duplicate
// or carries two values that were written apart, so that a newcomer meets what
// an officer meets. Everything goes through the ledger as an officer's
// changesets would; there is no back door.
package demo
