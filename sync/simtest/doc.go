// Package simtest runs a whole city from one seed: devices with the production
// replica and session over an in-memory store, a server with the production
// session and ledger over in-memory tables, and a network that cuts, repeats,
// reorders and half-opens, with no goroutine, no clock and no other source of
// chance inside a run.
//
// A schedule is a list of steps (what people do, what the network does, what
// breaks). Run makes one from each seed, plays it, heals everything, lets the
// devices come to rest, and asks at every step and at the end whether the laws
// hold: nothing that was reported saved is lost, what was acknowledged is
// durable, everybody converges to what a reference model says, "synced" is
// true whenever it is said, nobody reads backwards. A violation is minimised
// to the steps that are needed and printed as a transcript, which goes to
// testdata and is played again for ever.
//
// The oracles are tested as well: each of the seeded bugs in bug.go must be
// caught, and every oracle must catch one.
//
// It is the one package beside tests that imports both the client and the
// server. It does not test the codecs of stores and sockets, real storage
// engines, or anything that takes wall time.
package simtest
