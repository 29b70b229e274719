// Package session is when things are said: the client's and the server's end
// of one exchange, each a state machine that takes an event and returns
// effects. It does no I/O, starts no goroutine, reads no clock; time and random
// numbers arrive with the events and the configuration. So the same code runs
// in the browser, on the server and in the simulator.
//
// The owner performs the effects of one Step in order, each to its end, and
// stops at the first that fails, which it reports as the event Failed. That
// order is the promise of durability: what must be durable before it is said
// stands before the Send that says it.
//
// A machine never trusts its peer's order: a repeated message is harmless, a
// message out of order ends the session, and the next session resumes from
// what is durable on both sides. The state diagrams are in ../README.md.
package session
