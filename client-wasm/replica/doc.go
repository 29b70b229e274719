// Package replica is the offline client: everything that a ward officer does
// with records, on the device alone, and the device's part of synchronising
// them. It is plain Go, the same in the browser, in the headless device and in
// the simulator, and does no I/O but through the interfaces that it declares:
// Store for what is kept, Transport and Poster for the network.
//
// A Replica is opened on a Store. It keeps two things apart:
//
//   - the base: what the server said of each record, and nothing else;
//   - the outbox: the changesets that were made here, as they were saved.
//
// The head of a record, which people see, is its base with the outbox applied
// on top. A changeset stays in the outbox, and on top, until the server has it
// beyond loss and the base covers its writes; applying what the base holds
// already changes nothing. A changeset that the server refused leaves the head
// and stays visible as an overlay, and those that build on it go with it.
//
// A write carries as its context the version vectors that were on the screen
// when its author opened the form. They are kept with the form, as a draft, and
// never taken from the store's state at the moment of saving.
//
// Every change is one Batch: outbox, index, draft and counters move together
// or not at all, and what Save has returned is durable. Every call may be
// repeated: a second Save of one form returns the first result.
//
// A Host performs the effects of one session.Client, one at a time, so that a
// simulator may stop it between any two; Run and Exchange drive a Host over a
// socket and over HTTPS POST.
//
// The package refuses to read a clock or a random source of its own, to decide
// who may do what (the server does), to merge values (package conflict does),
// and to say "synced" on its own account (package session does).
package replica
