// Package canonical is what both ends of the hub's feed must compute alike: the
// canonical form of a JSON text (RFC 8785), the hash over an item's data, and
// the hash over what a unit holds. It knows nothing of records or registers.
package canonical
