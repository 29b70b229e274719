// Package hub is the city hub's feed: what was approved, and nothing else.
//
// The hub pulls. Its cursor is opaque, belongs to one account, one dataset and
// one epoch, and spans the units: inside it stands, per unit, the last revision
// that was handed out. Revisions of a unit and a register have no gaps, and the
// feed hands out each, also one that a later revision replaces. Delivery is at
// least once; record id and revision together are the idempotent key. A page
// ends with a line that holds the count and the next cursor; without it the
// page was cut, and the consumer asks again from where it was.
//
// An acknowledgement is cumulative and is the only thing that sets a record "at
// the hub". Counts give, per unit, how many records stand approved and one hash
// over them, as of a cursor, so that both sides can agree on what they hold.
//
// Version vectors, quarantine, siblings and sensitive fields stay inside.
package hub
