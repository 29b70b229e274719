// Package protocol is what a device and the server say to each other: the
// messages, their bytes, their limits and the stable error codes.
//
// A message is one byte of Kind and a body; over a WebSocket each binary frame
// holds one message, over HTTPS a body holds messages each preceded by its
// length. Changesets go up in Push; field states come down in Page. Both are
// laid out by column, each column compressed by itself, because a batch of
// field work repeats everything but its values.
//
// Decoding never panics, is bounded before anything is allocated, and accepts
// exactly what encoding writes: decode, then encode, gives the same bytes.
// When things are said is package session's business. The specification is
// ../README.md.
package protocol
