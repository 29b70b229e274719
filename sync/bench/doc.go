// Package bench measures the design's budgets W1 to W4 on the real parts,
// against a floor measured in the same run.
//
// Ours is the production server behind a real loopback socket and the
// production replica over native SQLite, with an access token that a real
// sign-in gave. The floor (see floor) is what any program of this kind must at
// least do: the same WebSocket library, the same SQLite settings, one log row
// and one record row for each change, 1,000 a transaction, uncompressed, no
// vectors and no checks.
//
// Both play the same work in turn, several times; the least time of each
// counts, for on a shared machine every disturbance only adds. README.md has
// the method and the figures of a run.
//
// Like simtest it imports both ends. Nothing here is a test: a figure over its
// budget is printed as missed, and fails nothing. The program's own
// correctness is checked in every round: what was pushed is found again, and
// what converged is equal, or the run ends with an error.
package bench
