// Package people is the directory from which a device learns what to call the
// accounts that stand in its records: a name for people beside the name that
// one signs in with.
//
// Officers and supervisors may read it. It holds the accounts of the caller's
// unit, and those of other units whose names the unit's records already carry:
// they wrote in one, decided about one, or have a change in the unit's
// quarantine. Nobody else is in it, so that the directory tells of another
// ward only what the caller's records tell. Disabled accounts stay in it: what
// they wrote stays too.
//
// It gives a name, a display name and a role, and nothing that could be used to
// sign in or to reach somebody. It changes nothing and writes no audit entry.
package people
