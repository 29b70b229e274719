// Package rescue takes rescue files in: the unsent work of a device, sealed to
// the organisation's key (sync/rescue), handed in by whoever carries it.
//
// Anybody may hand a file in, signed in or not: what it holds is attributed to
// the account of the device that made it, which the file proves, never to the
// bearer, but for what was written while the device was locked: whoever holds it
// could, so that is taken from nobody but its officer, signed in on it. And it is authorised by that account's rights of this moment. A
// revoked device's work is kept aside, like whatever it pushes. A changeset is
// taken once: it is known by replica, counter and hash, whichever way it came.
// The bearer learns how many there were and nothing else.
package rescue
