// Package city runs the whole server from one seed: the desk, the hub's feed, the
// change of unit lists, the accounts, the brake and the retirement of replicas, over
// the production store, with the officers' devices on one side and the production
// consumer of the feed on the other. It is the mix "city" of the simulator. Package
// simtest plays the exchange itself a hundred times as fast, over tables in memory;
// what it draws of a desk is a stand-in, and it has no hub.
//
// What is real: conflict, sync/*, replica and host over the store in memory; the
// ledger, review.Service, hub.Feed with its routes, units.Service, auth.Accounts and
// the audit log over *sqlite.Store in a file on a memory disk; puller.Pull with its
// log. What is not there: sockets, sign-ins and tokens (who calls is given), the
// app's screens. Between the two ends of a connection are queues of encoded messages.
//
// A schedule is a list of steps, as in simtest: what officers do (new, edit, forms
// that stay open, delete, revive, settle, submit, send a record or a household away),
// what supervisors do on the screen that they looked at some time before (approve all
// or some, a batch, return, refuse, settle, withdraw, release or reject what is in
// quarantine, accept or give back or assign what came from another unit), what
// administrators do (move, close and open an account, revoke a device; rename, merge,
// split and swap units; retire replicas; put a new version of the register into force,
// with fields more and fewer), what the city's hub does (pull, with a
// request lost before or after, an answer cut, the program killed between any two
// requests; an old acknowledgement again; a lost folder), and what goes wrong:
// connections are cut, devices lose their power or their store or come back with an
// older copy of it, profiles go on in two devices, clocks are set right or wrong by
// hours or years, the server dies at any reading of its clock, which lies in the
// middle of a transaction or between two, and comes back from a backup.
//
// There is no other source of chance in a run than its seed. The committer of the
// store is a goroutine of its own; there is never more than one call for it.
//
// The oracles, asked at every step and, once everybody is connected and all has been
// exchanged, at rest:
//
//   - An approval approves, in the fields that it names, what its maker's screen
//     showed, and changes nothing else that stands approved; nobody approves their
//     own work; a batch takes no high-risk field and no conflict.
//   - A refusal writes back what is approved, and approves nothing. A return and a
//     settling change nothing that is approved. A withdrawal takes all of it back.
//   - What is published is one of the versions so approved, in the unit where the
//     record was. Revisions have no gap, and say for ever, in one life of the
//     database, what they first said: also to a consumer that was cut.
//   - An item is told under the version of the register that it was approved under.
//   - Acknowledgements are cumulative, and never ahead of what is durable at the
//     consumer. What it holds at rest is what stands approved, each record in the
//     unit where it lives.
//   - No page and no screen shows a record to another unit than the one where it is.
//     At rest a device holds what its units hold, and nothing else.
//   - A device shows what it saved at once and goes on showing that it has seen it;
//     what it was shown of a record only grows.
//   - Every changeset that was acknowledged is stored without a gap, and applied or
//     in quarantine; every value that was saved on a store that survived is at the
//     server at rest. What is in quarantine is on the list of somebody who works.
//   - No author empties more records of a unit on one day than the brake lets through.
//   - The doctor's checks, and the chain of the audit log, at rest.
//
// After a restore an approved version may be any that once stood, until the desk
// decides again. What a restored server cannot know (see the README of the desk) is
// not asked for.
//
// A violation is minimised to the steps that are needed and printed as a transcript;
// in testdata it is a test for ever. Bugs in bug.go are made where the world meets the
// production code: in requests, in answers, in what a transaction leaves. Each must be
// caught within 1,000 schedules.
//
// Not simulated here: give-back by a stranger's device with forged pages.
package city
