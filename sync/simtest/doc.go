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
// There are five mixes. A plain schedule, of which as many as possible are to be
// played, has 24 steps at 3 devices of three officers in two units: on average
// 8 things that people do (new, edit, open, save, delete, revive, settle, submit),
// 7 parts of traffic of up to 24 messages each and 3 of one message or effect, a
// supervisor's decision (approve, return, refuse, withdraw), and 4 troubles: cut,
// repeated, reordered, lost and half-open links, time that passes, clocks that
// jump, and crashes of either side between any two effects. Then everything is
// healed, every device connects again, and all is exchanged and compared.
//
// The others have 40 steps at 4 devices, two of one officer, and rarer things.
// Changes: officers who are sent to another unit, revoked or banned with unsent
// work, records that a supervisor sends to another unit, a definition that gets a
// field while devices are out, and changesets that no server can accept in the
// midst of others. Identity: cloned, rolled-back and wiped stores. Restores: a
// server that comes back from a backup, again and again, and is given back what it
// lost. Everything has it all.
//
// A sixth, city, is played by package city: the whole server, with the desk, the
// hub, the accounts and the lists of units, over the production store.
//
// One schedule in 8 has its messages carried through the codec. One in 32 is
// played again on devices whose clocks are right, and must end the same.
//
// A crash is a power loss as well: both ends' stores are durable when a commit
// returns, and a crash between any two effects comes before a commit or after
// it. Seeded bugs with a store that is not durable are caught on either side.
//
// The oracles are tested as well: each of the seeded bugs in bug.go must be
// caught, and every oracle must catch one.
//
// Nine things are known, and excused as narrowly as can be told:
//
//   - A changeset that a restored server may have lost, and whose store has given up
//     the replica id that it was received under, is handed in again under another
//     one, unless its store was shown it: it is there twice if the server holds it
//     after all, or somebody else was shown it and gives it back.
//   - What a restored server has lost and may not have back, because its author
//     was banned, stays in the base of a device that had seen it: a base only
//     grows. It is in quarantine at the server.
//   - A changeset that was not sent when its store was copied may come from both
//     copies: it is there twice, as a sibling of itself.
//   - A changeset that others have seen, but whose author was not told so before
//     the server was restored without it, gets another dot if its store loses a
//     fork in the new epoch. Who had seen it gives it back: it is there twice.
//   - A copy of a store goes on showing a refusal that a restored server, to which
//     another copy handed the changeset in again, has not repeated.
//   - A restored server that has lost that a record was sent to another unit holds
//     back what was written there since, as of a wrong unit, if it comes before
//     the sending is given back. Its author sees it, and a supervisor releases it.
//   - A changeset that was refused, and that a restored server accepts when it comes
//     again, is missing on a device that was shown a later write of the same store
//     in the same field, and on the server that this device gives it back to, and is
//     replaced by what its author wrote after the refusal: there its dot counts as
//     seen. It stays in the history, and can be brought back from there.
//   - What only a write had replaced that a restored server holds back does not come
//     back into the field where a page showed that write beside others: it was on
//     nobody's screen any more, and what a page's values have replaced is known of
//     all of them together. It stays in the history; what was received under a replica
//     id that its store has given up since, and was lost, on that device alone.
//   - A store and the server that both go back may use a dot twice. Such a run
//     ends there and counts as excused.
//
// A refusal is taken to travel with the acknowledgement behind it: one alone is
// never dropped or overtaken, as on a socket it cannot be. On a connection that lost
// a message in its midst, or had two change places, "synced" may be said before own
// writes have come back, for the lost acknowledgement pointed at them.
//
// To play it: "make sim", or "wardbook sim -seeds N -from S -mix NAME", which
// prints seed, commit and minimised transcript of a violation, and plays such a
// transcript again with -play FILE. TestSeeds plays fixed seeds, "make test"
// 60,000 that its commit has for itself, TestSeededBugs every seeded bug.
//
// A plain schedule takes 0.39 ms of one core and 2,600 allocations, so that two
// cores that do nothing else play some 5,000 a second; the others take twice as
// long. To measure it: "time bin/wardbook sim -mix plain -from 1 -seeds 20000",
// and divide what it says of user and system time by the schedules.
//
// It and the benchmark are the only packages that import both the client and the
// server.
//
// Not simulated are the desk and the hub, which need SQL (packages review and hub
// have tests of their own; here decisions are written through the ledger, and
// nobody pulls); units that are split, merged or renamed (scenes of package town);
// the mass-change brake, whose threshold a city of a few records never meets;
// retirement of replicas; peers of an earlier wire version, of which there is
// none; the codecs of stores, sockets and real storage engines; and anything
// that takes wall time.
package simtest
