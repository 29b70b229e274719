// Package hubtest is the hub's feed on real parts, for tests: a database,
// accounts, the ledger, the supervisors' desk and the feed behind HTTP. Officers
// save, supervisors decide, and what a consumer should see follows.
package hubtest
