// Package rescue makes and opens what a device seals to the organisation's key,
// so that nothing that was written is lost with a device, a password or a
// network: rescue files (the unsent changesets of one replica) and store keys.
// sync/README.md, "Sealed", is their specification.
//
// Sealing needs the organisation's public key alone; opening needs its private
// key, which only the server has. A rescue file also carries a proof that it was
// made on the device whose work it claims to hold: anybody can seal, and only
// that device and the server know the device's key.
//
// The package decides nothing about what it carries, and draws no random bytes
// of its own.
package rescue
