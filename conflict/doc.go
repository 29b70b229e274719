// Package conflict decides how two histories of a record become one.
//
// A Record is a set of fields; a Field is a set of siblings, each written
// under a Dot, beneath one version Vector that says which dots the field has
// ever absorbed. A write carries the vector that its author had on the screen
// and supersedes exactly the siblings under it. Merge unites siblings and
// vectors and does nothing else: it never chooses, drops, creates or renames a
// value. Choosing is done by a View, a pure function over the untouched set,
// picked per field by the register's definition, and so it may change at any
// time without touching what was stored.
//
// Invariants, checked by the property tests:
//
//   - Merge is commutative, associative and idempotent.
//   - A sibling leaves a field only by a write whose context covers its dot.
//   - Every sibling's dot is covered by its field's vector.
//   - Siblings are sorted by dot; equal states have equal bytes.
//
// All types are immutable values: methods return new values and never share a
// slice that the caller may write to. The package does no I/O, reads no clock,
// and imports nothing of this module. See README.md for the truth tables.
package conflict
