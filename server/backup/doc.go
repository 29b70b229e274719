// Package backup makes copies of a data folder's database, puts them back, and
// looks whether a data folder is sound.
//
// A backup is a folder of its own with the database and a manifest: when it was
// made, by which version, in which epoch, how far it reaches in every unit, and
// the hashes that it must have. The manifest is written last, so that a folder
// with one is whole. The server's signing keys are never in it: who finds a
// backup can forge nothing. Make reads the copy back, all of it, before it
// counts; only then does the server's database hear how far it reaches, and
// through it the devices, which may then forget what they keep for giving back.
//
// Restore verifies everything before it replaces anything, keeps what was there
// beside, and begins a new epoch that names where it forked from the one before.
//
// Examine looks at a data folder without changing it: at what SQLite finds, at
// the counts that must add up, and at whether every record's head is what its
// history says. It says what to do in plain words.
//
// The package runs no schedule, deletes no old backup, and sends nothing
// anywhere: the operator's own tools do.
package backup
