// Package demo makes the data and the accounts that `wardbook serve -demo`
// begins with: three units of synthetic residents, the same in every run.
//
// Nobody in it exists. Names follow the frequencies of Vietnamese family names,
// households share an address and a number, a few birth dates are known by
// their year alone, and about one record in a hundred is a deliberate duplicate
// or carries two values that were written apart, so that a newcomer meets what
// an officer meets. The first unit's records stand at every place that there
// is: three in four are approved, some were changed after that and wait, were
// returned with a question or refused, and some were never handed in.
//
// Everything goes through the ledger as an officer's changesets would, and
// through the desk as a supervisor's decisions would; there is no back door.
// Those who entered the records have left: their accounts are disabled.
package demo
